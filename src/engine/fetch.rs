//! The groups that events name, as EC2 shows them once it shows what the events prove.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::plan::Request;
use super::staleness::WAITS;
use super::{Engine, EngineError};
use crate::engine::source::{GroupSource, Observation, Owner, Query};
use crate::engine::stats::RunStats;
use crate::engine::store::FindingStore;
use crate::model::{AccountId, GroupId, SecurityGroup};

/// What was fetched for the groups that events name.
#[derive(Default)]
pub(super) struct Fetched {
    pub(super) found: BTreeMap<GroupId, (SecurityGroup, Timestamp)>,
    /// Those of other accounts, with their owner.
    pub(super) foreign: BTreeMap<GroupId, String>,
    /// Those that EC2 does not show yet as an event proves them.
    pub(super) stale: Vec<GroupId>,
    /// When each was last looked for.
    looked_at: BTreeMap<GroupId, Timestamp>,
}

impl Fetched {
    pub(super) fn looked_at(&self, id: &GroupId) -> Timestamp {
        self.looked_at.get(id).copied().unwrap_or_default()
    }

    /// Takes what was found of the groups that were looked for.
    fn take(&mut self, wanted: &[GroupId], observation: Observation) {
        let at = observation.at;
        self.looked_at
            .extend(wanted.iter().map(|id| (id.clone(), at)));
        self.found.extend(
            observation
                .groups
                .into_iter()
                .map(|group| (group.group_id.clone(), (group, at))),
        );
    }
}

impl<S: GroupSource, K: FindingStore> Engine<'_, S, K> {
    /// The groups as EC2 shows them, once it shows what the events prove.
    pub(super) async fn fetch(
        &self,
        groups: &BTreeMap<GroupId, Request<'_>>,
        found: BTreeMap<GroupId, (SecurityGroup, Timestamp)>,
        trace: &mut RunStats,
    ) -> Result<Fetched, EngineError> {
        let expectations: BTreeMap<_, _> = groups
            .iter()
            .map(|(id, interest)| (id, interest.expectation()))
            .collect();
        let mut fetched = Fetched {
            found,
            ..Fetched::default()
        };
        let wanted: Vec<_> = groups
            .keys()
            .filter(|id| !fetched.found.contains_key(*id))
            .cloned()
            .collect();
        if !wanted.is_empty() {
            let observation = self.find(Query::Ids(&wanted), Owner::This, trace).await?;
            fetched.take(&wanted, observation);
        }
        // Absent without a deletion: only a second look tells a group that is gone from one of another owner.
        let absent: Vec<_> = expectations
            .iter()
            .filter(|(id, expectation)| {
                !fetched.found.contains_key(**id) && !expectation.is_deleted()
            })
            .map(|(id, _)| (*id).clone())
            .collect();
        if !absent.is_empty() {
            let second = self.find(Query::Ids(&absent), Owner::Any, trace).await?;
            let (own, foreign): (Vec<_>, Vec<_>) = second
                .groups
                .into_iter()
                .partition(|group| self.owns(group));
            fetched.take(
                &absent,
                Observation {
                    groups: own,
                    at: second.at,
                },
            );
            fetched.foreign = foreign
                .into_iter()
                .map(|group| (group.group_id, owner_of(group.owner_id)))
                .collect();
        }
        let mut waits = WAITS.into_iter();
        loop {
            let contradicted: Vec<_> = expectations
                .iter()
                .filter(|(id, _)| !fetched.foreign.contains_key(**id))
                .filter_map(|(id, expectation)| {
                    let group = fetched.found.get(*id);
                    let contradiction =
                        expectation.contradicted_by(group.map(|(group, _)| group))?;
                    Some((
                        (*id).clone(),
                        contradiction.is_young(group.map_or(fetched.looked_at(id), |(_, at)| *at)),
                    ))
                })
                .collect();
            if contradicted.is_empty() || !self.source.is_live() {
                return Ok(fetched);
            }
            trace.stale_reads += u64::try_from(contradicted.len()).unwrap_or_default();
            if !self.wait(waits.next()).await {
                fetched.stale = contradicted
                    .into_iter()
                    .filter(|(_, is_young)| *is_young)
                    .map(|(id, _)| id)
                    .collect();
                return Ok(fetched);
            }
            let again: Vec<_> = contradicted.into_iter().map(|(id, _)| id).collect();
            let observation = self.find(Query::Ids(&again), Owner::This, trace).await?;
            again.iter().for_each(|id| drop(fetched.found.remove(id)));
            fetched.take(&again, observation);
        }
    }
}

fn owner_of(owner: Option<AccountId>) -> String {
    owner.map_or_else(|| "another account".to_owned(), |owner| owner.to_string())
}
