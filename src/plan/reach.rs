//! Whom the internet reaches by trust, before a deployment and after it.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::completion::{Attributes, Directory, Extent, Moment, Way, complete};
use super::report::ReachChange;
use super::ways;
use crate::graph::{Builder, Origin, Trust, TrustGraph, Walk};
use crate::model::planned::{Action, Deployment, PlannedGroup};
use crate::model::{GroupId, Protocol, SecurityGroup};
use crate::policy::Settings;

/// How far the internet is, by any trust, of each group for which the deployment changes that. What is unknown counts as
/// absent. The deployment is laid over the groups.
#[must_use]
pub fn reach_changes(
    settings: &Settings,
    deployment: &Deployment,
    groups: &[SecurityGroup],
    today: Date,
) -> Vec<ReachChange> {
    let directory = Directory::new(&deployment.groups);
    let graph = |moment| graph(settings, &directory, deployment, groups, moment, today);
    let before = hops(&graph(Moment::Before));
    let after = graph(Moment::After);
    let hops_after = hops(&after);
    let mut changes = Vec::new();
    for group in after.groups() {
        let address = directory
            .address_of(&group.group_id)
            .unwrap_or(group.group_id.as_str());
        let planned = directory.get(address);
        // A group that is replaced had another id.
        let old = planned
            .and_then(|planned| planned.before.as_ref()?.group_id.clone())
            .unwrap_or_else(|| group.group_id.clone());
        let (before, after) = (before.get(&old), hops_after.get(&group.group_id));
        if before != after {
            let is_named = planned.is_none_or(|planned| {
                let mut states = planned.after.iter();
                states.all(|state| !state.is_name_sensitive)
            });
            let is_known = planned.is_none_or(|planned| {
                let mut states = planned.before.iter().chain(&planned.after);
                states.any(|state| state.group_id.as_ref() == Some(&group.group_id))
            });
            changes.push(ReachChange {
                address: address.to_owned(),
                group_id: is_known.then(|| group.group_id.clone()),
                group_name: group.group_name.clone().filter(|_| is_named),
                before: before.copied(),
                after: after.copied(),
            });
        }
    }
    changes.sort_by(|a, b| a.address.cmp(&b.address));
    changes
}

fn hops(graph: &TrustGraph) -> BTreeMap<GroupId, u32> {
    let walk = Walk::new(graph, Trust::Any, false);
    let reached = walk.reached(Origin::Internet).into_iter();
    reached
        .filter_map(|(index, hops)| Some((graph.group(index)?.group_id.clone(), hops)))
        .collect()
}

fn graph(
    settings: &Settings,
    directory: &Directory<'_>,
    deployment: &Deployment,
    groups: &[SecurityGroup],
    moment: Moment,
    today: Date,
) -> TrustGraph {
    let mut builder = Builder::new(settings, today);
    // What the deployment leaves alone is taken as it is.
    let planned_of = |group: &SecurityGroup| {
        let planned = directory.get(directory.address_of(&group.group_id)?)?;
        (planned.is_changed && moment == Moment::After).then_some(planned)
    };
    for group in groups {
        if planned_of(group).is_none() {
            // A snapshot has each group once.
            let _ = builder.group(group, None);
        }
    }
    if moment == Moment::Before {
        return builder.finish();
    }
    let is_there = |planned: &PlannedGroup| {
        let id = planned
            .after
            .as_ref()
            .and_then(|state| state.group_id.as_ref());
        id.is_some_and(|id| groups.iter().any(|group| group.group_id == *id))
    };
    let attributes = Attributes::default();
    for planned in &deployment.groups {
        let is_meant = planned.is_changed || !is_there(planned);
        if let (true, Some(state)) = (is_meant && planned.action != Action::Delete, &planned.after)
        {
            let sources = ways::told(state);
            let way = Way {
                extent: Extent::Least(Protocol::new("icmp")),
                sources: &sources,
                attributes: &attributes,
            };
            let completed = complete(directory, &planned.address, state, moment, &way);
            let _ = builder.group(&completed.group, None);
        }
    }
    builder.finish()
}
