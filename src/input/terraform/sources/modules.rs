//! Which folder each module is in.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use super::file::Call;
use crate::input::InputError;

/// Where a module comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// From a folder beside the others.
    Local,
    /// From a registry or a repository.
    Remote,
}

#[derive(Debug)]
pub(super) struct Modules {
    /// What `terraform init` wrote down, by the names of the calls.
    installed: BTreeMap<Vec<String>, PathBuf>,
    known: BTreeMap<Vec<String>, (PathBuf, Origin)>,
}

/// `.terraform/modules/modules.json`.
#[derive(Debug, Deserialize)]
struct Manifest {
    #[serde(rename = "Modules", default)]
    modules: Vec<Installed>,
}

#[derive(Debug, Deserialize)]
struct Installed {
    #[serde(rename = "Key")]
    key: String,
    #[serde(rename = "Dir")]
    dir: String,
}

impl Modules {
    pub(super) fn read(root: &Path) -> Result<Self, InputError> {
        let path = root.join(".terraform/modules/modules.json");
        let mut installed = BTreeMap::new();
        if path.is_file() {
            let name = path.display().to_string();
            let text = std::fs::read_to_string(&path)
                .map_err(|error| InputError::of_file(&name, format!("cannot be read: {error}")))?;
            let manifest: Manifest = serde_json::from_str(&text).map_err(|error| {
                let problem = format!("this is not what `terraform init` writes: {error}");
                InputError::of_file(&name, problem)
            })?;
            for module in manifest.modules {
                let names = module.key.split('.').filter(|name| !name.is_empty());
                let folder = normal(&root.join(module.dir));
                installed.insert(names.map(str::to_owned).collect(), folder);
            }
        }
        let known = BTreeMap::from([(Vec::new(), (root.to_owned(), Origin::Local))]);
        Ok(Self { installed, known })
    }

    /// Notes a module that one in a folder calls, and gives back its own folder, where that is on this machine.
    pub(super) fn add(&mut self, around: &Path, names: &[String], call: &Call) -> Option<PathBuf> {
        let source = call.source.as_deref().unwrap_or_default();
        let is_local = source.starts_with("./") || source.starts_with("../");
        let origin = if is_local {
            Origin::Local
        } else {
            Origin::Remote
        };
        let folder = if is_local {
            Some(normal(&around.join(source)))
        } else {
            self.installed.get(names).cloned()
        };
        let folder = folder.filter(|folder| folder.is_dir());
        let kept = folder.clone().unwrap_or_default();
        self.known.insert(names.to_vec(), (kept, origin));
        folder
    }

    pub(super) fn folder(&self, names: &[String]) -> Option<&Path> {
        self.known.get(names).map(|(folder, _)| folder.as_path())
    }

    pub(super) fn origin(&self, names: &[String]) -> Option<Origin> {
        self.known.get(names).map(|(_, origin)| *origin)
    }
}

/// Without `.` and with as few `..` as there can be.
pub(super) fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(normal.components().next_back(), Some(Component::Normal(_))) =>
            {
                normal.pop();
            }
            other => normal.push(other),
        }
    }
    normal
}

/// The `.tf` and `.tofu` files of a folder, by name.
pub(super) fn tf_files(folder: &Path) -> Result<Vec<PathBuf>, InputError> {
    let unreadable = |error: std::io::Error| {
        let problem = format!("the folder cannot be read: {error}");
        InputError::of_file(&folder.display().to_string(), problem)
    };
    let here = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(here).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        let is_meant = Path::new(&name)
            .extension()
            .is_some_and(|extension| extension == "tf" || extension == "tofu");
        let path = folder.join(&name);
        if is_meant && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
