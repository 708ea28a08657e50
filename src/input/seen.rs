//! Which groups a run has seen, for those that several files or Regions have: 16 bytes a group, whatever its size.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::BuildHasher;

use foldhash::quality::RandomState;

use crate::model::SecurityGroup;

/// A group by hashes of its owner and id, and of everything in it. Two groups differ in these with a probability of
/// 1 - 2⁻⁶⁴; the keys of the hash are the run's, so nobody can choose ids that collide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    key: u64,
    content: u64,
}

/// Makes identities that can be compared with each other.
#[derive(Debug, Clone, Default)]
pub struct Identities(RandomState);

impl Identities {
    #[must_use]
    pub fn of(&self, group: &SecurityGroup) -> Identity {
        Identity {
            key: self.0.hash_one((&group.owner_id, &group.group_id)),
            content: self.0.hash_one(group),
        }
    }
}

/// The answer of [`Seen::note`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sighting {
    First,
    /// An equal group of the same owner and id.
    Equal,
    /// Another group of the same owner and id.
    Different,
}

/// The groups that were seen.
#[derive(Debug, Default)]
pub struct Seen {
    identities: Identities,
    groups: HashMap<u64, u64, foldhash::fast::RandomState>,
}

impl Seen {
    /// To make identities on any core.
    #[must_use]
    pub fn identities(&self) -> Identities {
        self.identities.clone()
    }

    /// Tells what was seen of a group before, and remembers it.
    pub fn note(&mut self, identity: Identity) -> Sighting {
        match self.groups.entry(identity.key) {
            Entry::Vacant(entry) => {
                entry.insert(identity.content);
                Sighting::First
            }
            Entry::Occupied(entry) if *entry.get() == identity.content => Sighting::Equal,
            Entry::Occupied(_) => Sighting::Different,
        }
    }
}
