//! The groups of an account as a file has them.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::io::BufRead;

use jiff::Timestamp;

use super::{GroupReader, InputError};
use crate::model::{AccountId, GroupId, SecurityGroup};

/// The groups of an account as a file has them: the embedded default in place of EC2.
#[derive(Debug, Clone)]
pub struct Snapshot {
    groups: Vec<SecurityGroup>,
    account: Option<AccountId>,
    at: Timestamp,
}

fn key(group: &SecurityGroup) -> (Option<AccountId>, GroupId) {
    (group.owner_id.clone(), group.group_id.clone())
}

impl Snapshot {
    /// An account without groups, at a moment.
    #[must_use]
    pub fn empty(at: Timestamp) -> Self {
        Self {
            groups: Vec::new(),
            account: None,
            at,
        }
    }

    /// Adds the groups of a file: the same JSON that `check` takes. One bad document makes the whole unusable: a group
    /// that could not be read must not look like one that is gone.
    ///
    /// # Errors
    /// When a document cannot be read, or two groups of one owner and id differ.
    pub fn add(&mut self, name: &str, reader: impl BufRead) -> Result<(), InputError> {
        let mut known: HashMap<_, _> = HashMap::new();
        for (index, group) in self.groups.iter().enumerate() {
            known.insert(key(group), index);
        }
        let groups = &mut self.groups;
        GroupReader::new(name, reader).for_each(
            |group| group,
            |location, group| {
                let group = group?;
                match known.entry(key(&group)) {
                    Entry::Vacant(entry) => {
                        entry.insert(groups.len());
                        groups.push(group);
                    }
                    Entry::Occupied(entry) if groups.get(*entry.get()) == Some(&group) => {}
                    Entry::Occupied(_) => {
                        let problem = format!(
                            "security group {} stands there twice, with different contents: leave one out",
                            group.group_id
                        );
                        return Err(InputError::at(name, location, problem));
                    }
                }
                Ok(())
            },
        )
    }

    /// The groups of several snapshots, each once.
    #[must_use]
    pub fn joined<'s>(at: Timestamp, snapshots: impl IntoIterator<Item = &'s Self>) -> Self {
        let mut joined = Self::empty(at);
        let mut known = HashSet::new();
        let groups = snapshots.into_iter().flat_map(|snapshot| &snapshot.groups);
        let new = groups.filter(|group| known.insert(key(group)));
        joined.groups.extend(new.cloned());
        joined
    }

    /// The same, seen by the account that owns some of its groups.
    #[must_use]
    pub fn seen_by(mut self, account: AccountId) -> Self {
        self.account = Some(account);
        self
    }

    /// The same with only some of its groups.
    #[must_use]
    pub fn only(mut self, is_meant: impl Fn(&SecurityGroup) -> bool) -> Self {
        self.groups.retain(is_meant);
        self
    }

    /// All groups in it.
    #[must_use]
    pub fn groups(&self) -> &[SecurityGroup] {
        &self.groups
    }

    /// The moment that it is of.
    pub(crate) fn at(&self) -> Timestamp {
        self.at
    }

    /// Whether the account that sees it owns the group, as far as either is known.
    pub(crate) fn is_own(&self, group: &SecurityGroup) -> bool {
        match (&group.owner_id, &self.account) {
            (Some(of_group), Some(account)) => of_group == account,
            _ => true,
        }
    }
}
