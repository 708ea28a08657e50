//! The answers that a summary of a graph needs, each computed once.

use super::questions::{ReachCounts, Removal};
use super::trust::GroupIndex;
use super::walk::{Origin, Walk};

/// A summary has at most so many removals.
const MOST_REMOVALS: usize = 20;

#[derive(Debug)]
pub struct Overview<'a> {
    /// None when there are more than 20 000 components.
    pub counts: Option<ReachCounts>,
    /// For each group the number of trust edges of a shortest way from the internet.
    pub hops_from_internet: Vec<Option<u32>>,
    /// Sets of two groups or more that all reach each other.
    pub clusters: Vec<Vec<GroupIndex>>,
    /// The edges to revoke first: from the internet, or towards a group.
    pub removals: Vec<Removal<'a>>,
    /// The number of further removals.
    pub more_removals: usize,
}

impl<'a> Overview<'a> {
    /// Of a walk; with a group, what to revoke first is told of the ways to it.
    #[must_use]
    pub fn new(walk: &Walk<'a>, towards: Option<GroupIndex>) -> Self {
        let mut removals = match towards {
            Some(target) => walk.removals_towards(target),
            None => walk.removals_from_internet(),
        };
        let more_removals = removals.len().saturating_sub(MOST_REMOVALS);
        removals.truncate(MOST_REMOVALS);
        let mut hops_from_internet = vec![None; walk.graph().groups().len()];
        for (index, hops) in walk.reached(Origin::Internet) {
            if let Some(place) = hops_from_internet.get_mut(index.place()) {
                *place = Some(hops);
            }
        }
        Self {
            counts: walk.counts(),
            hops_from_internet,
            clusters: walk.clusters(),
            removals,
            more_removals,
        }
    }

    /// The number of groups that the internet reaches.
    #[must_use]
    pub fn reached_from_internet(&self) -> usize {
        self.hops_from_internet.iter().flatten().count()
    }
}
