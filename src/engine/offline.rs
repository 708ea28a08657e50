//! The two edges of the engine without AWS: groups from a snapshot, findings that are kept nowhere.

use super::source::{GroupSource, Observation, Observed, Owner, Page, Query, SourceError};
use crate::input::Snapshot;
use crate::model::{GroupId, GroupRule, SecurityGroup};

/// A snapshot in place of EC2; every answer is of the snapshot's moment.
fn observe(
    snapshot: &Snapshot,
    owner: Owner,
    is_meant: impl Fn(&SecurityGroup) -> bool,
) -> Observation {
    let groups = snapshot
        .groups()
        .iter()
        .filter(|group| is_meant(group) && (owner == Owner::Any || snapshot.is_own(group)));
    Observation {
        groups: groups
            .map(|group| Observed {
                group: group.clone(),
                at: snapshot.at(),
            })
            .collect(),
        at: snapshot.at(),
    }
}

impl GroupSource for Snapshot {
    async fn find(&self, query: Query<'_>, owner: Owner) -> Result<Observation, SourceError> {
        Ok(observe(self, owner, |group| match query {
            Query::Ids(ids) => ids.contains(&group.group_id),
            Query::Referencing(ids) => group.sources().any(|source| ids.contains(source)),
            Query::Names(names) => names.iter().any(|name| group.is_named(name)),
            Query::DefaultGroupsOf(vpcs) => {
                group.group_name.as_deref() == Some("default")
                    && group.vpc_id.as_ref().is_some_and(|vpc| vpcs.contains(vpc))
            }
        }))
    }

    async fn rules(&self, _: &[GroupId]) -> Result<Vec<GroupRule>, SourceError> {
        Ok(Vec::new())
    }

    fn is_live(&self) -> bool {
        false
    }

    async fn page(&self, _after: Option<String>) -> Result<Page, SourceError> {
        Ok(Page {
            groups: observe(self, Owner::This, |_| true).groups,
            next: None,
        })
    }
}
