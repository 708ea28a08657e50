//! The groups of an account as a file has them.

use std::io::BufRead;

use jiff::Timestamp;

use super::{GroupReader, InputError};
use crate::model::{AccountId, SecurityGroup};

/// The groups of an account as a file has them: the embedded default in place of EC2.
#[derive(Debug, Clone)]
pub struct Snapshot {
    groups: Vec<SecurityGroup>,
    account: Option<AccountId>,
    at: Timestamp,
}

impl Snapshot {
    /// Reads a snapshot: the same JSON that `check` takes. One bad document makes the whole unusable: a group that
    /// could not be read must not look like one that is gone.
    ///
    /// # Errors
    /// When a document cannot be read, or an id stands twice.
    pub fn read(name: &str, reader: impl BufRead, at: Timestamp) -> Result<Self, InputError> {
        let groups = GroupReader::new(name, reader).collect::<Result<Vec<_>, _>>()?;
        let mut ids: Vec<_> = groups.iter().map(|group| &group.group_id).collect();
        ids.sort_unstable();
        if let Some(twice) = ids.windows(2).find_map(|pair| {
            if let [a, b] = pair {
                (a == b).then_some(*a)
            } else {
                None
            }
        }) {
            return Err(InputError::of_file(
                name,
                format!("security group {twice} stands there twice: which is it?"),
            ));
        }
        Ok(Self {
            groups,
            account: None,
            at,
        })
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
