//! The blocks of a module's files.

use std::collections::BTreeMap;
use std::path::Path;

use hcl_edit::Span as _;
use hcl_edit::structure::{Block, Body};

use super::expression::{Indexed, Made, made};
use super::modules::tf_files;
use super::{DynamicBlock, SourceResource};
use crate::input::InputError;
use crate::model::planned::Position;

const INGRESS: &str = "ingress";
const SOURCES: &str = "security_groups";

/// What the files of one module define.
#[derive(Debug, Default)]
pub(super) struct Definitions {
    pub(super) resources: BTreeMap<(String, String), SourceResource>,
    pub(super) locals: BTreeMap<String, Vec<String>>,
    pub(super) calls: Vec<Call>,
}

/// A `module` block.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) name: String,
    pub(super) source: Option<String>,
    pub(super) position: Option<Position>,
}

impl Definitions {
    pub(super) fn read(folder: &Path) -> Result<Self, InputError> {
        let mut definitions = Self::default();
        for path in tf_files(folder)? {
            let shown = path.components().collect::<std::path::PathBuf>();
            let name = shown
                .display()
                .to_string()
                .replace(std::path::MAIN_SEPARATOR, "/");
            let name = name.strip_prefix("./").unwrap_or(&name);
            let text = std::fs::read_to_string(&path)
                .map_err(|error| InputError::of_file(name, format!("cannot be read: {error}")))?;
            let body = hcl_edit::parser::parse_body(&text).map_err(|error| {
                let location = error.location();
                let problem = format!(
                    "line {}, column {}: this is no HCL: {}",
                    location.line(),
                    location.column(),
                    error.message()
                );
                InputError::of_file(name, problem)
            })?;
            let lines = Lines::new(name, &text);
            definitions.add(&body, &lines);
        }
        Ok(definitions)
    }

    fn add(&mut self, body: &Body, lines: &Lines<'_>) {
        for block in body.blocks() {
            let labels: Vec<&str> = block.labels.iter().map(|label| label.as_str()).collect();
            match (block.ident.as_str(), labels.as_slice()) {
                ("resource", [resource_type, name]) => {
                    let key = ((*resource_type).to_owned(), (*name).to_owned());
                    self.resources.insert(key, resource(block, lines));
                }
                ("module", [name]) => self.calls.push(Call {
                    name: (*name).to_owned(),
                    source: block
                        .body
                        .get_attribute("source")
                        .and_then(|source| source.value.as_str().map(str::to_owned)),
                    position: lines.position(block),
                }),
                ("locals", []) => {
                    for local in block.body.attributes() {
                        let references = made(&local.value).references;
                        self.locals
                            .insert(local.key.to_string().trim().to_owned(), references);
                    }
                }
                _ => {}
            }
        }
    }
}

fn resource(block: &Block, lines: &Lines<'_>) -> SourceResource {
    let mut resource = SourceResource {
        position: lines.position(block),
        ..SourceResource::default()
    };
    for attribute in block.body.attributes() {
        if let Some(indexed) = Indexed::of(&attribute.value) {
            let key = attribute.key.to_string().trim().to_owned();
            resource.indexed.insert(key, indexed);
        }
    }
    // A list of rules that is an attribute is not looked into.
    if block.body.has_attribute(INGRESS) {
        return resource;
    }
    let mut sources = Made::default();
    for inline in block.body.get_blocks(INGRESS) {
        let list = inline.body.get_attribute(SOURCES);
        join(&mut sources, list.map(|list| made(&list.value)));
    }
    for dynamic in block.body.get_blocks("dynamic") {
        if dynamic
            .labels
            .first()
            .is_some_and(|label| label.as_str() == INGRESS)
        {
            let (read, of_sources) = read_dynamic(dynamic);
            resource.dynamic_ingress.push(read);
            join(&mut sources, Some(of_sources));
        }
    }
    resource.has_choice = sources.has_choice;
    resource.sources = Some(sources.references);
    resource
}

fn join(all: &mut Made, more: Option<Made>) {
    let Some(more) = more else {
        return;
    };
    all.has_choice |= more.has_choice;
    for reference in more.references {
        if !all.references.contains(&reference) {
            all.references.push(reference);
        }
    }
}

/// A dynamic block, and what the sources of its rules are made of.
fn read_dynamic(block: &Block) -> (DynamicBlock, Made) {
    let over = block.body.get_attribute("for_each");
    let over = over.map(|over| made(&over.value)).unwrap_or_default();
    let iterator = block.body.get_attribute("iterator");
    let iterator = iterator.map_or_else(
        || INGRESS.to_owned(),
        |iterator| iterator.value.to_string().trim().to_owned(),
    );
    // What the iterator stands for is part of what the block goes over.
    let resolve = |made: Made| {
        let mut resolved = Made {
            has_choice: made.has_choice,
            ..Made::default()
        };
        for reference in made.references {
            let rest = reference.strip_prefix(iterator.as_str());
            if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '['])) {
                join(&mut resolved, Some(over.clone()));
            } else {
                join(
                    &mut resolved,
                    Some(Made {
                        references: vec![reference],
                        has_choice: false,
                    }),
                );
            }
        }
        resolved
    };
    let mut all = over.clone();
    let mut sources = Made::default();
    for content in block.body.get_blocks("content") {
        for attribute in content.body.attributes() {
            let made = resolve(made(&attribute.value));
            if attribute.has_key(SOURCES) {
                join(&mut sources, Some(made.clone()));
            }
            join(&mut all, Some(made));
        }
    }
    let read = DynamicBlock {
        for_each: over.references.clone(),
        references: all.references,
    };
    (read, sources)
}

/// The lines of a file.
struct Lines<'t> {
    file: &'t str,
    text: &'t str,
    /// Where each begins.
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    fn new(file: &'t str, text: &'t str) -> Self {
        let behind = text.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            file,
            text,
            starts: std::iter::once(0).chain(behind).collect(),
        }
    }

    /// Where a block begins: at its first word.
    fn position(&self, block: &Block) -> Option<Position> {
        let at = block.span()?.start;
        let line = self.starts.partition_point(|start| *start <= at);
        let start = *self.starts.get(line.checked_sub(1)?)?;
        let before = self.text.get(start..at)?;
        Some(Position {
            file: self.file.to_owned(),
            line,
            column: Some(before.chars().count() + 1),
        })
    }
}
