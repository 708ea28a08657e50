//! What is wrong with a file, and where.

use std::fmt;

/// Where in a file something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Location {
    /// From 1.
    pub(super) line: usize,
    /// The index of the answer in a list of answers, from 0.
    pub(super) answer: Option<usize>,
    /// The index of the group in its list, from 0.
    pub(super) group: Option<usize>,
}

/// A document, or a part of one, that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct InputError {
    file: String,
    /// Absent for the file as a whole.
    location: Option<Location>,
    problem: String,
}

impl InputError {
    pub(super) fn of_file(file: &str, problem: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            location: None,
            problem: problem.into(),
        }
    }

    /// An error about what stands at a place.
    #[must_use]
    pub fn at(file: &str, location: Location, problem: impl Into<String>) -> Self {
        Self {
            location: Some(location),
            ..Self::of_file(file, problem)
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.line)?;
        if let Some(index) = self.answer {
            write!(formatter, ": answer [{index}]")?;
        }
        if let Some(index) = self.group {
            write!(formatter, ": group [{index}]")?;
        }
        Ok(())
    }
}

impl fmt::Display for InputError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.location {
            Some(location) => write!(formatter, "{}:{location}: {}", self.file, self.problem),
            None => write!(formatter, "{}: {}", self.file, self.problem),
        }
    }
}
