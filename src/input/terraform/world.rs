//! A plan, indexed: its resources by where they are, and its configuration by module.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value as Json;

use super::document::{Call, Change, Configuration, Module, Resource, ResourceChange, Variable};
use super::reference::{Key, Part, parts};
use crate::input::InputError;

/// A resource of the plan.
#[derive(Debug)]
pub(super) struct Planned<'p> {
    pub(super) address: &'p str,
    /// The address of its module; empty for the root module.
    pub(super) module: &'p str,
    pub(super) resource_type: &'p str,
    pub(super) name: &'p str,
    pub(super) key: Option<Key>,
    pub(super) change: Change,
    pub(super) configuration: Option<&'p Resource>,
    /// Whether the change is put off to another plan.
    pub(super) is_deferred: bool,
}

/// A module with its place in the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ModuleInstance {
    /// The address of the module that calls it.
    pub(super) parent: String,
    pub(super) name: String,
    pub(super) key: Option<Key>,
    /// The names of the calls from the root, without keys.
    pub(super) names: Vec<String>,
}

#[derive(Debug)]
pub(super) struct World<'p> {
    pub(super) file: &'p str,
    /// Resources of the types that are read, and those that were asked for.
    pub(super) resources: Vec<Planned<'p>>,
    by_name: HashMap<(&'p str, &'p str, &'p str), Vec<usize>>,
    by_address: HashMap<&'p str, usize>,
    modules: BTreeMap<String, ModuleInstance>,
    configuration: HashMap<Vec<String>, &'p Module>,
    calls: HashMap<Vec<String>, &'p Call>,
    /// Data sources that are read only while the plan is applied: module, type and name.
    data: BTreeSet<(&'p str, &'p str, &'p str)>,
    variables: Option<&'p BTreeMap<String, Variable>>,
    providers: Option<&'p BTreeMap<String, Json>>,
}

fn index_modules<'p>(
    module: &'p Module,
    path: &[String],
    modules: &mut HashMap<Vec<String>, &'p Module>,
    calls: &mut HashMap<Vec<String>, &'p Call>,
) {
    modules.insert(path.to_vec(), module);
    for (name, call) in &module.module_calls {
        let mut path = path.to_vec();
        path.push(name.clone());
        calls.insert(path.clone(), call);
        index_modules(&call.module, &path, modules, calls);
    }
}

/// The modules of an address, from the outermost.
fn module_instances(address: &str) -> Option<Vec<(String, ModuleInstance)>> {
    let mut instances = Vec::new();
    let mut names = Vec::new();
    let mut parent = String::new();
    let mut parts = parts(address)?.into_iter().peekable();
    while let Some(part) = parts.next() {
        let (Part::Name(word), Some(Part::Name(name))) = (part, parts.next()) else {
            return None;
        };
        if word != "module" {
            return None;
        }
        let key = match parts.next_if(|part| matches!(part, Part::Key(_))) {
            Some(Part::Key(key)) => Some(key),
            _ => None,
        };
        names.push(name.clone());
        let shown = match &key {
            None => String::new(),
            Some(Key::Number(number)) => format!("[{number}]"),
            Some(Key::Text(text)) => format!("[{}]", Json::String(text.clone())),
        };
        let dot = if parent.is_empty() { "" } else { "." };
        let own = format!("{parent}{dot}module.{name}{shown}");
        let instance = ModuleInstance {
            parent: std::mem::replace(&mut parent, own.clone()),
            name,
            key,
            names: names.clone(),
        };
        instances.push((own, instance));
    }
    Some(instances)
}

impl<'p> World<'p> {
    /// # Errors
    /// When a resource has an address or a change that is none.
    pub(super) fn new(
        file: &'p str,
        changes: impl Iterator<Item = (&'p ResourceChange<'p>, bool)>,
        configuration: Option<&'p Configuration>,
        variables: Option<&'p BTreeMap<String, Variable>>,
    ) -> Result<Self, InputError> {
        let mut world = Self {
            file,
            resources: Vec::new(),
            by_name: HashMap::new(),
            by_address: HashMap::new(),
            providers: configuration.map(|configuration| &configuration.provider_config),
            modules: BTreeMap::new(),
            configuration: HashMap::new(),
            calls: HashMap::new(),
            data: BTreeSet::new(),
            variables,
        };
        if let Some(configuration) = configuration {
            index_modules(
                &configuration.root_module,
                &[],
                &mut world.configuration,
                &mut world.calls,
            );
        }
        let mut by_type: HashMap<(Vec<String>, &str, &str), &Resource> = HashMap::new();
        for (path, module) in &world.configuration {
            for resource in &module.resources {
                if resource.mode == "managed" {
                    let key = (
                        path.clone(),
                        resource.resource_type.as_str(),
                        resource.name.as_str(),
                    );
                    by_type.insert(key, resource);
                }
            }
        }
        for (change, is_deferred) in changes {
            world.add(change, is_deferred, &by_type)?;
        }
        Ok(world)
    }

    fn add(
        &mut self,
        change: &'p ResourceChange<'p>,
        is_deferred: bool,
        configuration: &HashMap<(Vec<String>, &str, &str), &'p Resource>,
    ) -> Result<(), InputError> {
        let ResourceChange {
            address,
            module_address,
            mode,
            resource_type,
            name,
            index,
            deposed,
            change,
        } = change;
        let module = module_address.as_deref().unwrap_or("");
        let names = self.note_module(module).ok_or_else(|| {
            InputError::of_file(
                self.file,
                format!("{address}: {module:?} is not the address of a module"),
            )
        })?;
        if mode == "data" {
            self.data.insert((module, resource_type, name));
            return Ok(());
        }
        // What was replaced before and is still to be destroyed bears on no group any more.
        if deposed.is_some() {
            return Ok(());
        }
        let change: Change = serde_json::from_str(change.get()).map_err(|error| {
            InputError::of_file(
                self.file,
                format!("{address}: this is not the change of a resource: {error}"),
            )
        })?;
        let key = (names, resource_type.as_str(), name.as_str());
        let place = self.resources.len();
        if self.by_address.insert(address, place).is_some() {
            return Err(self.error(address, "the plan has this resource twice"));
        }
        self.by_name
            .entry((module, resource_type, name))
            .or_default()
            .push(place);
        self.resources.push(Planned {
            address,
            module,
            resource_type,
            name,
            key: index.as_ref().and_then(Key::of),
            change,
            configuration: configuration.get(&key).copied(),
            is_deferred,
        });
        Ok(())
    }

    /// Notes a module and those around it, and gives back its names.
    fn note_module(&mut self, address: &str) -> Option<Vec<String>> {
        if address.is_empty() {
            return Some(Vec::new());
        }
        if let Some(known) = self.modules.get(address) {
            return Some(known.names.clone());
        }
        let instances = module_instances(address)?;
        let names = instances.last()?.1.names.clone();
        // The plan's own spelling is the key, whatever way it quotes.
        let last = instances.len() - 1;
        for (place, (own, instance)) in instances.into_iter().enumerate() {
            let own = if place == last {
                address.to_owned()
            } else {
                own
            };
            self.modules.insert(own, instance);
        }
        Some(names)
    }

    pub(super) fn by_address(&self, address: &str) -> Option<&Planned<'p>> {
        self.resources.get(*self.by_address.get(address)?)
    }

    /// How a provider is configured.
    pub(super) fn provider(&self, key: &str) -> Option<&'p Json> {
        self.providers?.get(key)
    }

    /// The instances of a resource in a module instance.
    pub(super) fn instances(
        &self,
        module: &str,
        resource_type: &str,
        name: &str,
    ) -> Vec<&Planned<'p>> {
        let key = (module, resource_type, name);
        let places = self.by_name.get(&key).map_or(&[][..], Vec::as_slice);
        places
            .iter()
            .filter_map(|place| self.resources.get(*place))
            .collect()
    }

    /// The instances of a module that a module calls by this name.
    pub(super) fn children(&self, parent: &str, name: &str) -> Vec<(&str, Option<&Key>)> {
        self.modules
            .iter()
            .filter(|(_, instance)| instance.parent == parent && instance.name == name)
            .map(|(address, instance)| (address.as_str(), instance.key.as_ref()))
            .collect()
    }

    pub(super) fn module(&self, address: &str) -> Option<&ModuleInstance> {
        self.modules.get(address)
    }

    /// The names of the calls from the root to a module.
    pub(super) fn names(&self, module: &str) -> Vec<String> {
        self.module(module)
            .map(|instance| instance.names.clone())
            .unwrap_or_default()
    }

    pub(super) fn configuration(&self, module: &str) -> Option<&'p Module> {
        self.configuration.get(&self.names(module)).copied()
    }

    /// The call that makes a module instance.
    pub(super) fn call(&self, module: &str) -> Option<&'p Call> {
        self.calls.get(&self.module(module)?.names).copied()
    }

    pub(super) fn has_module_named(&self, parent: &str, name: &str) -> bool {
        let mut names = self.names(parent);
        names.push(name.to_owned());
        self.calls.contains_key(&names)
    }

    /// Whether a data source is read only while the plan is applied.
    pub(super) fn is_data_unread(&self, module: &str, data_type: &str, name: &str) -> bool {
        self.data.contains(&(module, data_type, name))
    }

    /// The value of a variable of the root module.
    pub(super) fn variable(&self, name: &str) -> Option<&Json> {
        Some(&self.variables?.get(name)?.value)
    }

    pub(super) fn error(&self, address: &str, problem: &str) -> InputError {
        InputError::of_file(self.file, format!("{address}: {problem}"))
    }
}
