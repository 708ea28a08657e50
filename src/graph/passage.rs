//! As whom traffic goes on that came in at the door of a group.

use std::collections::BTreeSet;

use super::trust::TrustGraph;

impl TrustGraph {
    /// For each group in their order, the keys behind its door: the groups, and the sources outside, as which whoever
    /// gets in may send on, as [`TrustGraph::place_of`] numbers them, ascending. Of a group that nobody carries there is
    /// none; where nobody knows who carries it, its own.
    #[must_use]
    pub fn keys_behind_doors(&self) -> Vec<Vec<usize>> {
        let mut keys: Vec<BTreeSet<usize>> = self
            .groups
            .iter()
            .enumerate()
            .map(|(place, group)| {
                let is_own = group.carriers.is_none();
                is_own.then_some(place).into_iter().collect()
            })
            .collect();
        for machine in &self.machines {
            for door in &machine.doors {
                if let Some(keys) = keys.get_mut(*door as usize) {
                    keys.extend(machine.keys.iter().map(|key| *key as usize));
                }
            }
        }
        keys.into_iter()
            .map(|keys| keys.into_iter().collect())
            .collect()
    }
}
