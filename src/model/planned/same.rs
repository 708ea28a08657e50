//! Rules that are the same for EC2: one protocol, the same ports, the same source.

use super::{PlannedPermission, Who};
use crate::model::{GroupId, Protocol};

type Traffic = (Protocol, Option<i64>, Option<i64>);

/// None where it is not known.
fn traffic(permission: &PlannedPermission) -> Option<Traffic> {
    let protocol = permission.protocol.known()?.clone();
    if !protocol.has_port_members() {
        return Some((protocol, None, None));
    }
    Some((
        protocol,
        *permission.from_port.known()?,
        *permission.to_port.known()?,
    ))
}

/// Whether two sources of a group with this id are the same. Either may leave the account out.
fn is_same(one: &Who, other: &Who, own: &GroupId) -> bool {
    let identity = |who: &Who| match who {
        Who::Itself => Some((own.clone(), None)),
        Who::Group {
            group_id, owner, ..
        } => Some((group_id.clone(), owner.clone())),
        _ => None,
    };
    match (identity(one), identity(other)) {
        (Some((one, first)), Some((other, second))) => {
            one == other && (first == second || first.is_none() || second.is_none())
        }
        _ => false,
    }
}

/// Takes what a rule admits off the permissions of the group with this id.
pub(crate) fn remove(
    permissions: &mut Vec<PlannedPermission>,
    rule: &PlannedPermission,
    own: &GroupId,
) {
    let Some(of_rule) = traffic(rule) else {
        return;
    };
    for permission in permissions.iter_mut() {
        if traffic(permission).as_ref() != Some(&of_rule) {
            continue;
        }
        permission.sources.retain(|source| {
            let mut others = rule.sources.iter();
            !others.any(|other| is_same(&source.who, &other.who, own))
        });
        permission
            .ranges
            .retain(|range| !rule.ranges.contains(range));
        permission
            .prefix_lists
            .retain(|list| !rule.prefix_lists.contains(list));
    }
    permissions.retain(|permission| {
        let is_empty = permission.sources.is_empty()
            && permission.ranges.is_empty()
            && permission.prefix_lists.is_empty();
        !is_empty
    });
}
