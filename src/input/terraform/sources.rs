//! What the `.tf` files tell beside a plan: where resources stand, local values, and dynamic blocks.

mod expression;
mod file;
mod modules;

use std::collections::BTreeMap;
use std::path::Path;

use self::expression::Indexed;
use self::file::Definitions;
use self::modules::{Modules, Origin};
use crate::input::InputError;
use crate::model::planned::Position;

/// The `.tf` files that a plan was made of.
#[derive(Debug)]
pub struct Sources {
    modules: Modules,
    /// By the folder of the module.
    definitions: BTreeMap<String, Definitions>,
}

/// A resource as it is written.
#[derive(Debug, Default)]
pub(super) struct SourceResource {
    pub(super) position: Option<Position>,
    /// The attributes that name an instance of a resource by the own key: `aws_security_group.a[each.key].id`.
    indexed: BTreeMap<String, Indexed>,
    pub(super) dynamic_ingress: Vec<DynamicBlock>,
    /// What the sources of the inline rules are made of; absent where the file does not tell.
    sources: Option<Vec<String>>,
    /// Whether a list of sources is chosen by a condition or made by `for`.
    pub(super) has_choice: bool,
}

/// A `dynamic "ingress"`.
#[derive(Debug, Default)]
pub(super) struct DynamicBlock {
    /// What it goes over.
    pub(super) for_each: Vec<String>,
    /// What its rules are made of.
    pub(super) references: Vec<String>,
}

impl SourceResource {
    pub(super) fn indexed(&self, attribute: &str) -> Option<&Indexed> {
        self.indexed.get(attribute)
    }

    pub(super) fn ingress_sources(&self) -> Option<Vec<String>> {
        self.sources.clone()
    }
}

impl Sources {
    /// Whether a folder has `.tf` files.
    #[must_use]
    pub fn are_in(folder: &Path) -> bool {
        modules::tf_files(folder).is_ok_and(|files| !files.is_empty())
    }

    /// Reads the files of a folder and of the modules that it calls, as far as they are on this machine
    /// (`.terraform/modules`).
    ///
    /// # Errors
    /// When a file cannot be read, or is no HCL.
    pub fn read(folder: &Path) -> Result<Self, InputError> {
        let files = modules::tf_files(folder)?;
        if files.is_empty() {
            return Err(InputError::of_file(
                &folder.display().to_string(),
                "the folder has no .tf files: give the one that terraform ran in",
            ));
        }
        let mut sources = Self {
            modules: Modules::read(folder)?,
            definitions: BTreeMap::new(),
        };
        sources.add(folder, &[])?;
        Ok(sources)
    }

    /// Reads a module and those that it calls.
    fn add(&mut self, folder: &Path, names: &[String]) -> Result<(), InputError> {
        // Modules that call each other in a circle are refused by Terraform; here they only must end.
        const MOST_LEVELS: usize = 32;
        let key = folder.display().to_string();
        if !self.definitions.contains_key(&key) {
            let definitions = Definitions::read(folder)?;
            self.definitions.insert(key.clone(), definitions);
        }
        if names.len() > MOST_LEVELS {
            return Ok(());
        }
        let calls: Vec<_> = self
            .definitions
            .get(&key)
            .map(|definitions| definitions.calls.clone())
            .unwrap_or_default();
        for call in calls {
            let mut names = names.to_vec();
            names.push(call.name.clone());
            if let Some(folder) = self.modules.add(folder, &names, &call) {
                self.add(&folder, &names)?;
            }
        }
        Ok(())
    }

    fn definitions(&self, names: &[String]) -> Option<&Definitions> {
        let folder = self.modules.folder(names)?;
        self.definitions.get(&folder.display().to_string())
    }

    /// What a local value of a module is made of.
    pub(super) fn local(&self, names: &[String], name: &str) -> Option<&[String]> {
        let references = self.definitions(names)?.locals.get(name)?;
        Some(references)
    }

    pub(super) fn resource(
        &self,
        names: &[String],
        resource_type: &str,
        name: &str,
    ) -> Option<&SourceResource> {
        let resources = &self.definitions(names)?.resources;
        resources.get(&(resource_type.to_owned(), name.to_owned()))
    }

    /// Where a resource stands. One of a module from elsewhere has no line that people of this folder can change: it
    /// stands where the module is called.
    pub(super) fn position(
        &self,
        names: &[String],
        resource_type: &str,
        name: &str,
    ) -> Option<Position> {
        for end in 1..=names.len() {
            let called = names.get(..end)?;
            if self.modules.origin(called) == Some(Origin::Remote) {
                return self.call_position(called);
            }
        }
        match self.resource(names, resource_type, name) {
            Some(resource) => resource.position.clone(),
            None => self.call_position(names),
        }
    }

    fn call_position(&self, names: &[String]) -> Option<Position> {
        let (name, around) = names.split_last()?;
        let calls = &self.definitions(around)?.calls;
        calls
            .iter()
            .find(|call| call.name == *name)?
            .position
            .clone()
    }
}
