//! The documentation is held to the program: commands, settings, names, links, and the examples that run offline.
//!
//! A page of `docs/` is read as Markdown ([`page`]); nothing here knows its sentences.
#![expect(clippy::panic, clippy::string_slice, reason = "a test may fail loudly")]

mod commands;
mod examples;
mod links;
mod names;
mod page;
mod settings;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use page::Page;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of a file of this repository.
fn text_of(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn page(path: &str) -> Page {
    Page::read(path, &text_of(path))
}

/// Every Markdown file that is not built or installed.
fn pages() -> Vec<Page> {
    let mut paths = Vec::new();
    collect(root(), &mut paths);
    assert!(paths.len() > 10, "{paths:?}");
    paths.sort();
    paths.iter().map(|path| page(path)).collect()
}

fn collect(folder: &Path, paths: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let is_made = name.starts_with('.') || name == "target" || name == "node_modules";
        if path.is_dir() && !is_made {
            collect(&path, paths);
        } else if name.ends_with(".md") {
            let path = path.strip_prefix(root()).unwrap();
            paths.push(path.to_string_lossy().into_owned());
        }
    }
}

/// Fails with what is only in the program and what is only in the documentation.
fn assert_same(what: &str, program: &BTreeSet<String>, documented: &BTreeSet<String>) {
    let missing: Vec<_> = program.difference(documented).collect();
    let unknown: Vec<_> = documented.difference(program).collect();
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "{what}: not documented: {missing:?}; documented, but unknown to the program: {unknown:?}"
    );
}
