//! Groups by what a person writes: an id, a name, or either behind an account and a slash.

use std::fmt;

use super::trust::{End, GroupIndex, TrustGraph};
use super::walk::Origin;
use crate::text::escape;

/// An error names so many groups before it counts the rest.
const NAMED: usize = 10;

/// No group, or no single group, is meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    #[error(
        "there is no security group {0:?} among the {1} that were read: give an id or a name, as it is spelt"
    )]
    Unknown(String, usize),
    #[error("{0:?} may be any of {1}: give an id, or ACCOUNT/ID")]
    Ambiguous(String, Candidates),
}

/// Groups of which one may be meant, each in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidates(Vec<String>);

impl fmt::Display for Candidates {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = self.0.get(..NAMED).unwrap_or(&self.0);
        formatter.write_str(&named.join("; "))?;
        match self.0.len() - named.len() {
            0 => Ok(()),
            more => write!(formatter, "; and {more} more"),
        }
    }
}

impl TrustGraph {
    /// The group that is meant: by its id, or else by its name, first as it is spelt, then without regard to case.
    ///
    /// # Errors
    /// When no group or more than one is meant.
    pub fn find_group(&self, text: &str) -> Result<GroupIndex, SelectError> {
        // A source that no file has is none of these, also where it has the same id.
        self.find(text, self.own_ends())
    }

    /// The group that is meant, or the source that no file has.
    ///
    /// # Errors
    /// When none or more than one is meant.
    pub fn find_source(&self, text: &str) -> Result<Origin, SelectError> {
        let groups = self.own_ends();
        let groups = groups.map(|(index, end)| (Origin::Group(index), end));
        let outside = self.outside.iter().enumerate();
        let outside = outside.map(|(place, source)| (Origin::Outside(place), End::Outside(source)));
        self.find(text, groups.chain(outside))
    }

    fn own_ends(&self) -> impl Iterator<Item = (GroupIndex, End<'_>)> {
        let groups = self.indices().zip(&self.groups);
        groups.map(|(index, group)| (index, End::Group(index, group)))
    }

    fn find<'g, T: Copy>(
        &self,
        text: &str,
        ends: impl Iterator<Item = (T, End<'g>)>,
    ) -> Result<T, SelectError> {
        let is_account = |account: &str| {
            account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit())
        };
        let (owner, name) = match text.split_once('/') {
            Some((account, name)) if is_account(account) => (Some(account), name),
            _ => (None, text),
        };
        let all: Vec<_> = ends
            .filter(|(_, end)| {
                owner.is_none() || end.owner_id().map(|owner| owner.as_str()) == owner
            })
            .collect();
        let lower = name.to_lowercase();
        let matches: [&dyn Fn(&End<'_>) -> bool; 3] = [
            &|end| end.group_id().is_some_and(|id| id.as_str() == name),
            &|end| end.group_name() == Some(name),
            &|end| {
                end.group_name()
                    .is_some_and(|own| own.to_lowercase() == lower)
            },
        ];
        for is_meant in matches {
            let found: Vec<_> = all.iter().filter(|(_, end)| is_meant(end)).collect();
            match found.as_slice() {
                [] => {}
                [(found, _)] => return Ok(*found),
                several => {
                    let words = several.iter().map(|(_, end)| describe(*end)).collect();
                    return Err(SelectError::Ambiguous(text.to_owned(), Candidates(words)));
                }
            }
        }
        Err(SelectError::Unknown(text.to_owned(), self.groups.len()))
    }
}

/// `sg-0a (default) in account 111111111111, eu-west-1, vpc-1`: as much as tells it from others.
fn describe(end: End<'_>) -> String {
    let id = end
        .group_id()
        .map_or("a group without an id", |id| id.as_str());
    let name = end
        .group_name()
        .map(|name| format!(" ({name})"))
        .unwrap_or_default();
    let (region, vpc) = match end {
        End::Group(_, group) => (group.region.as_ref(), group.vpc_id.as_ref()),
        End::Outside(_) => (None, None),
    };
    let places = [
        end.owner_id().map(|owner| format!("account {owner}")),
        region.map(ToString::to_string),
        vpc.map(ToString::to_string),
    ];
    let places: Vec<_> = places.into_iter().flatten().collect();
    let places = if places.is_empty() {
        String::new()
    } else {
        format!(" in {}", places.join(", "))
    };
    escape(&format!("{id}{name}{places}")).into_owned()
}
