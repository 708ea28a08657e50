//! A deployment laid over the groups of the account as they are.

use std::collections::{BTreeSet, HashMap};

use crate::model::planned::remove;
use crate::model::planned::{
    Action, Deployment, GroupState, Owner, PlannedGroup, PlannedPermission, PlannedSource,
    PlannedTags, Value, Who,
};
use crate::model::{AccountId, GroupId, GroupPair, IpPermission, SecurityGroup};

/// The deployment with what the account's groups tell: the rules that it does not show, and the attributes of groups
/// that it does not manage. What it changes is changed in them.
#[must_use]
pub fn overlay(deployment: Deployment, groups: &[SecurityGroup]) -> Deployment {
    let by_id: HashMap<&GroupId, &SecurityGroup> = groups
        .iter()
        .map(|group| (&group.group_id, group))
        .collect();
    let owners: BTreeSet<_> = groups
        .iter()
        .filter_map(|group| group.owner_id.as_ref())
        .collect();
    let only_owner = match owners.into_iter().collect::<Vec<_>>().as_slice() {
        [only] => Some((*only).clone()),
        _ => None,
    };
    let mut notes = deployment.notes;
    let mut laid = Vec::with_capacity(deployment.groups.len());
    for mut group in deployment.groups {
        for state in group.before.iter_mut().chain(&mut group.after) {
            own(state, only_owner.as_ref(), &by_id);
        }
        let states = || group.before.iter().chain(&group.after);
        let mut ids = states().filter_map(|state| state.group_id.as_ref());
        let id = ids.next().cloned();
        match id.as_ref().map(|id| (id, by_id.get(id))) {
            Some((_, Some(known))) => lay(&mut group, known),
            Some((id, None)) if group.action != Action::Delete => notes.push(format!(
                "security group {id} ({}) is not in the snapshot: it was made later, or is of another account or Region",
                group.address
            )),
            _ => {}
        }
        laid.push(group);
    }
    Deployment {
        groups: laid,
        notes,
        ..deployment
    }
}

/// Tells the accounts that the snapshot knows.
fn own(
    state: &mut GroupState,
    only: Option<&AccountId>,
    by_id: &HashMap<&GroupId, &SecurityGroup>,
) {
    if let (Owner::Same(_), Some(only)) = (&state.owner, only) {
        state.owner = Owner::Known(only.clone());
    }
    for permission in &mut state.permissions {
        for source in &mut permission.sources {
            if let Who::Group {
                group_id, owner, ..
            } = &mut source.who
                && owner.is_none()
                && let Some(known) = by_id.get(group_id)
            {
                owner.clone_from(&known.owner_id);
            }
        }
    }
}

fn lay(group: &mut PlannedGroup, known: &SecurityGroup) {
    let own = &known.group_id;
    let none = Vec::new();
    let planned = |state: &Option<GroupState>| {
        state
            .as_ref()
            .map_or_else(|| none.clone(), |state| state.permissions.clone())
    };
    let (was, will) = (planned(&group.before), planned(&group.after));
    let snapshot: Vec<_> = known
        .ip_permissions
        .iter()
        .map(|permission| planned_permission(&group.address, group, permission))
        .collect();
    // What the deployment shows is told by its own rules; what it does not show stays.
    let mut others = snapshot;
    for rule in was.iter().chain(&will) {
        remove(&mut others, rule, own);
    }
    let is_outside = group.action == Action::Outside;
    let lay = |state: &mut GroupState, shown: Vec<PlannedPermission>| {
        state.permissions = others.iter().cloned().chain(shown).collect();
        state.unlisted = None;
        if let Some(owner) = &known.owner_id {
            state.owner = Owner::Known(owner.clone());
        }
        if is_outside {
            state.group_name = Value::Known(known.group_name.clone());
            state.vpc_id = Value::Known(known.vpc_id.clone());
            state.tags = PlannedTags {
                tags: known
                    .tags
                    .iter()
                    .map(|(key, value)| (key.clone(), Value::Known(value.clone())))
                    .collect(),
                others: None,
            };
        }
    };
    if let Some(before) = &mut group.before {
        lay(before, was);
    }
    // A group that is replaced is made anew, without what others added to the old one.
    let stays = !matches!(group.action, Action::Create | Action::Replace);
    if let (true, Some(after)) = (stays, &mut group.after) {
        lay(after, will);
    }
}

fn planned_permission(
    address: &str,
    group: &PlannedGroup,
    permission: &IpPermission,
) -> PlannedPermission {
    let ipv4 = permission
        .ip_ranges
        .iter()
        .filter_map(|range| range.cidr_ip.clone());
    let ipv6 = permission
        .ipv6_ranges
        .iter()
        .filter_map(|range| range.cidr_ipv6.clone());
    let lists = permission.prefix_list_ids.iter();
    PlannedPermission {
        rule: address.to_owned(),
        position: group.position.clone(),
        may_be_absent: None,
        protocol: Value::Known(permission.ip_protocol.clone()),
        from_port: Value::Known(permission.from_port),
        to_port: Value::Known(permission.to_port),
        sources: permission
            .user_id_group_pairs
            .iter()
            .map(|pair| PlannedSource::new(who(pair)))
            .collect(),
        ranges: ipv4.chain(ipv6).collect(),
        prefix_lists: lists
            .filter_map(|list| list.prefix_list_id.clone())
            .collect(),
        is_sensitive: false,
    }
}

fn who(pair: &GroupPair) -> Who {
    match &pair.group_id {
        Some(id) => Who::Group {
            group_id: id.clone(),
            owner: pair.user_id.clone(),
            peering: pair.vpc_peering_connection_id.clone(),
        },
        None => Who::Named {
            name: pair.group_name.clone().unwrap_or_default(),
            owner: pair.user_id.clone(),
        },
    }
}
