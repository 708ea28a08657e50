//! Groups with violations that wait for the groups that they let in: with `[sensitivity]` the severity depends on those.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use sg_trust::input::Location;
use sg_trust::model::{GroupId, SecurityGroup};

/// Those that wait, in the order in which they came.
#[derive(Default)]
pub(crate) struct Waiting<'a> {
    groups: BTreeMap<usize, (Held<'a>, usize)>,
    /// By the groups that they wait for.
    waiters: HashMap<GroupId, Vec<usize>>,
    next: usize,
}

/// A group with the place that it came from.
pub(crate) struct Held<'a> {
    pub(crate) name: &'a str,
    pub(crate) location: Location,
    pub(crate) group: SecurityGroup,
}

impl<'a> Waiting<'a> {
    pub(crate) fn hold(&mut self, held: Held<'a>, sources: BTreeSet<GroupId>) {
        let waits_for = sources.len();
        for source in sources {
            self.waiters.entry(source).or_default().push(self.next);
        }
        self.groups.insert(self.next, (held, waits_for));
        self.next += 1;
    }

    /// The groups that waited for this one alone.
    pub(crate) fn release(&mut self, came: &GroupId) -> Vec<Held<'a>> {
        let mut released = Vec::new();
        for number in self.waiters.remove(came).unwrap_or_default() {
            let Entry::Occupied(mut waiter) = self.groups.entry(number) else {
                continue;
            };
            let (_, waits_for) = waiter.get_mut();
            *waits_for -= 1;
            if *waits_for == 0 {
                released.push(waiter.remove().0);
            }
        }
        released
    }

    /// Those that still wait, for groups that did not come.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = Held<'a>> + use<'a> {
        let groups = std::mem::take(&mut self.groups);
        groups.into_values().map(|(held, _)| held)
    }
}
