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

/// A fault of a file, a document, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error("cannot be read: {0}")]
    Unreadable(String),
    #[error("it is UTF-16 (as > writes in Windows PowerShell): save it as UTF-8")]
    Utf16,
    #[error("it is not UTF-8: save the file as UTF-8")]
    NotUtf8,
    #[error("no JSON document: it is empty (did the command that should fill it fail?)")]
    Empty,
    #[error("the JSON document is cut off here: did the command that wrote it fail?")]
    CutOff,
    #[error("not JSON: {0}")]
    NotJson(String),
    #[error(
        "there is a NextToken: this is one page of several, and the others are missing (leave out --no-paginate, --max-items and --max-results)"
    )]
    OnePage,
    #[error("it has `SecurityGroups` and members of a security group: give one or the other")]
    GroupWithGroups,
    #[error("`SecurityGroups` stands there twice")]
    TwoLists,
    #[error("a list within the list of an answer: its elements must be security groups")]
    ListInAnswer,
    /// A document of another kind, or a member that is wrong.
    #[error("{0}")]
    Content(String),
}

impl From<String> for Problem {
    fn from(problem: String) -> Self {
        Self::Content(problem)
    }
}

impl From<&str> for Problem {
    fn from(problem: &str) -> Self {
        Self::Content(problem.to_owned())
    }
}

/// A document, or a part of one, that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct InputError {
    file: String,
    /// Absent for the file as a whole.
    location: Option<Location>,
    problem: Problem,
}

impl InputError {
    /// An error about a file as a whole.
    #[must_use]
    pub fn of_file(file: &str, problem: impl Into<Problem>) -> Self {
        Self {
            file: file.to_owned(),
            location: None,
            problem: problem.into(),
        }
    }

    /// An error about what stands at a place.
    #[must_use]
    pub fn at(file: &str, location: Location, problem: impl Into<Problem>) -> Self {
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
