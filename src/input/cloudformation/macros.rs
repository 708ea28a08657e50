//! What macros may change.

use super::groups::Groups;
use super::node::Node;
use super::scope::{CHANGE_SET, GROUP, INGRESS, Scope, expression};
use super::template::Resource;
use crate::model::planned::{NotRead, PlannedPermission, Unknown};

/// Leaves open what macros may change: those of the template every group, those within a group or a rule that group.
pub(super) fn leave_open(scope: Scope<'_>, mut groups: Groups) -> Groups {
    for name in scope.template.macros() {
        let unknown = why(expression(name));
        groups.not_read.push(NotRead {
            address: "Transform".to_owned(),
            resource_type: expression(name),
            why: "a macro may change every group".to_owned(),
        });
        groups = open(groups, &unknown, |_, _| true);
    }
    for resource in scope.template.resources() {
        if !has_macro(resource) {
            continue;
        }
        let unknown = why(resource.id.to_owned());
        groups = match resource.kind {
            GROUP => open(groups, &unknown, |address, _| address == resource.id),
            INGRESS => open(groups, &unknown, |_, permissions| {
                permissions.iter().any(|rule| rule.rule == resource.id)
            }),
            _ => continue,
        };
    }
    groups
}

/// Whether a macro or a loop stands among the members of a resource, or of its properties.
pub(super) fn has_macro(resource: Resource<'_>) -> bool {
    let properties = resource
        .node
        .get("Properties")
        .map_or(&[][..], Node::members);
    let mut members = resource.node.members().iter().chain(properties);
    members.any(|member| member.key.starts_with("Fn::"))
}

fn why(expression: String) -> Unknown {
    Unknown {
        attribute: "Transform".to_owned(),
        expression: Some(expression),
        advice: CHANGE_SET.to_owned(),
    }
}

fn open(
    mut groups: Groups,
    unknown: &Unknown,
    may_change: impl Fn(&str, &[PlannedPermission]) -> bool,
) -> Groups {
    for (address, made) in &mut groups.by_address {
        if !may_change(address, &made.state.permissions) {
            continue;
        }
        for permission in &mut made.state.permissions {
            permission.may_be_absent = Some(unknown.clone());
        }
        let anything =
            PlannedPermission::anything(address.clone(), made.position.clone(), unknown.clone());
        made.state.unlisted = Some(Box::new(anything));
    }
    groups
}
