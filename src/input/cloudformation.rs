//! Templates and change sets of CloudFormation.

//!
//! | module | has |
//! |---|---|
//! | `node` | JSON and YAML as a tree with lines and columns |
//! | `template` | sections, resources, parameters |
//! | `scope`, `conditions` | what functions, parameters and conditions make of a value |
//! | `rules` | ingress rules |
//! | `groups` | the groups of a template at one moment |
//! | `changes` | the groups before and after |
//! | `change_set` | the groups of a change set |

mod change_set;
mod changes;
mod conditions;
mod groups;
mod macros;
mod node;
mod rules;
mod scope;
mod template;
#[cfg(test)]
mod tests;

use std::fmt;

use node::{At, SyntaxError};

use crate::model::planned::{Deployment, Unknown};

pub use change_set::read_change_set;
pub use changes::{Templates, read_templates};
pub use template::{Parameters, read_parameters};

/// What a file says will be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// One for each way in which conditions may turn out: at least one.
    pub deployments: Vec<Deployment>,
    /// What these differ by.
    pub unknown: Vec<Unknown>,
    /// For each of them, and each of what they differ by, the number of the value that it has.
    pub values: Vec<Vec<usize>>,
}

/// A file of CloudFormation that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct CloudFormationError {
    file: String,
    /// Absent for the file as a whole.
    at: Option<At>,
    problem: String,
}

impl CloudFormationError {
    fn of_file(file: &str, problem: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            at: None,
            problem: problem.into(),
        }
    }

    fn at(file: &str, at: At, problem: impl Into<String>) -> Self {
        Self {
            at: Some(at),
            ..Self::of_file(file, problem)
        }
    }

    fn syntax(file: &str, error: &SyntaxError) -> Self {
        Self::at(file, error.at, error.problem.as_str())
    }
}

impl fmt::Display for CloudFormationError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.file)?;
        if let Some(At { line, column }) = self.at {
            write!(formatter, ":{line}:{column}")?;
        }
        write!(formatter, ": {}", self.problem)
    }
}
