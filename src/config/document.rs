//! Where in a settings file something is wrong: the line and the key, by the places that the TOML parser tells.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::text::{escape, plain_problem};

/// A settings file that cannot be used, or a part of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {key}{problem}")]
pub struct SettingsError {
    file: String,
    /// From 1.
    line: usize,
    /// The key, with `: ` behind, or nothing where there is none.
    key: String,
    problem: String,
}

/// An error with its place in the text.
pub(super) struct Wrong {
    place: Range<usize>,
    /// A key of the table at the place, which is missing.
    missing: Option<&'static str>,
    problem: String,
}

impl Wrong {
    pub(super) fn at<T>(place: &Spanned<T>, problem: impl Into<String>) -> Self {
        Self {
            place: place.span(),
            missing: None,
            problem: problem.into(),
        }
    }

    /// The same with more said around the problem.
    pub(super) fn explained(self, explain: impl FnOnce(String) -> String) -> Self {
        Self {
            problem: explain(self.problem),
            ..self
        }
    }

    /// A key that is missing beside another of the same table.
    pub(super) fn missing<T>(
        beside: &Spanned<T>,
        key: &'static str,
        problem: impl Into<String>,
    ) -> Self {
        Self {
            missing: Some(key),
            ..Self::at(beside, problem)
        }
    }
}

/// A settings file's text, with its keys.
pub(super) struct Document<'a> {
    file: &'a str,
    text: &'a str,
    /// As much of it as can be parsed.
    table: Spanned<DeTable<'a>>,
}

impl<'a> Document<'a> {
    pub(super) fn new(file: &'a str, text: &'a str) -> Self {
        let (table, _) = DeTable::parse_recoverable(text);
        Self { file, text, table }
    }

    pub(super) fn error(&self, wrong: Wrong) -> SettingsError {
        let mut path = self.path(&wrong.place);
        if let Some(missing) = wrong.missing {
            path.pop();
            path.push(missing.to_owned());
        }
        self.error_at(&wrong.place, &path, &wrong.problem)
    }

    /// The error for a text that is not TOML, or whose keys or types are not ours.
    pub(super) fn syntax_error(&self, error: &toml::de::Error) -> SettingsError {
        let end = self.text.len();
        let place = error.span().unwrap_or(end..end);
        let mut path = self.path(&place);
        let named = self.text.get(place.clone()).unwrap_or_default();
        if path
            .last()
            .is_some_and(|key| error.message().contains(&format!("`{key}`")))
        {
            // The message names the key itself.
            path.pop();
        } else if path.is_empty() {
            path = self.table_before(place.start);
            // Only a key that stands there twice is not in the table.
            path.extend((error.message() == "duplicate key").then(|| named.to_owned()));
        }
        let problem = plain_problem(error.message(), "a table");
        let problem = match problem.strip_prefix("is ") {
            Some(_) => format!("it {problem}"),
            None => problem,
        };
        self.error_at(&place, &path, &problem)
    }

    fn error_at(&self, place: &Range<usize>, path: &[String], problem: &str) -> SettingsError {
        let before = self.text.get(..place.start).unwrap_or(self.text);
        let path: Vec<_> = path.iter().map(|key| escape(key)).collect();
        let key = path.join(".");
        SettingsError {
            file: self.file.to_owned(),
            line: before.matches('\n').count() + 1,
            key: if key.is_empty() {
                key
            } else {
                format!("{key}: ")
            },
            problem: problem.replace('\n', "; "),
        }
    }

    /// The key whose name or value is at a place.
    fn path(&self, place: &Range<usize>) -> Vec<String> {
        let mut found = Vec::new();
        visit(
            self.table.get_ref(),
            &mut Vec::new(),
            &mut |path, key, value| {
                // What is cut off is at its own end.
                let ends = |span: &Range<usize>| place.is_empty() && span.end == place.start;
                let has = |span: Range<usize>| span.contains(&place.start) || ends(&span);
                if (has(key) || has(value.span())) && path.len() >= found.len() {
                    found = path.to_vec();
                }
            },
        );
        found
    }

    /// The table whose header is the last before a place.
    fn table_before(&self, place: usize) -> Vec<String> {
        let mut last = (0, Vec::new());
        visit(
            self.table.get_ref(),
            &mut Vec::new(),
            &mut |path, _, value| {
                let start = value.span().start;
                let is_header = matches!(value.get_ref(), DeValue::Table(_))
                    && self
                        .text
                        .get(start..)
                        .is_some_and(|text| text.starts_with('['));
                if is_header && start <= place && start >= last.0 {
                    last = (start, path.to_vec());
                }
            },
        );
        last.1
    }
}

/// Calls back for every value below a table, with its path and the place of its key. The place of a table is its header.
fn visit(
    table: &DeTable<'_>,
    path: &mut Vec<String>,
    found: &mut impl FnMut(&[String], Range<usize>, &Spanned<DeValue<'_>>),
) {
    for (key, value) in table {
        path.push(key.get_ref().to_string());
        visit_value(value, key.span(), path, found);
        path.pop();
    }
}

fn visit_value(
    value: &Spanned<DeValue<'_>>,
    key: Range<usize>,
    path: &mut Vec<String>,
    found: &mut impl FnMut(&[String], Range<usize>, &Spanned<DeValue<'_>>),
) {
    found(path, key.clone(), value);
    match value.get_ref() {
        DeValue::Table(table) => visit(table, path, found),
        DeValue::Array(values) => {
            for value in values {
                visit_value(value, key.clone(), path, found);
            }
        }
        _ => {}
    }
}
