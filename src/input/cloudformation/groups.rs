//! The security groups of a template at one moment, with all rules that its resources give them.

use std::collections::BTreeMap;

use super::macros;
use super::node::Node;
use super::rules::Reader;
use super::scope::{
    CHANGE_SET, DEFAULT_GROUP, GROUP, INGRESS, Resolved, Scope, VPC, Why, expression,
};
use super::template::Resource;
use crate::model::planned::{
    GroupState, NotRead, Owner, PlannedPermission, PlannedTags, Position, Unknown, Value, Who,
};
use crate::model::{GroupId, VpcId};

const NESTED_STACK: &str = "AWS::CloudFormation::Stack";
/// Services that make a group of their own.
const MAKES_GROUPS: [&str; 4] = [
    "AWS::EKS::Cluster",
    "AWS::DirectoryService::MicrosoftAD",
    "AWS::DirectoryService::SimpleAD",
    "AWS::EMR::Cluster",
];
/// The owner of everything in a stack.
pub(super) const ACCOUNT: &str = "the stack's account";

/// A group, and whether the template makes it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Made {
    pub(super) state: GroupState,
    pub(super) position: Option<Position>,
    pub(super) is_own: bool,
    /// What replaces a group when it changes.
    pub(super) description: Option<String>,
}

#[derive(Debug, Default)]
pub(super) struct Groups {
    pub(super) by_address: BTreeMap<String, Made>,
    pub(super) not_read: Vec<NotRead>,
}

pub(super) fn state(name: Value<Option<String>>, vpc_id: Value<Option<VpcId>>) -> GroupState {
    GroupState {
        group_id: None,
        group_name: name,
        is_name_sensitive: false,
        owner: Owner::Same(ACCOUNT.to_owned()),
        vpc_id,
        tags: PlannedTags {
            tags: BTreeMap::new(),
            others: Some(Unknown {
                attribute: "Tags".to_owned(),
                expression: None,
                advice: "a stack's own tags come beside these: look at the change set".to_owned(),
            }),
        },
        permissions: Vec::new(),
        unlisted: None,
    }
}

pub(super) fn not_told(attribute: &str, advice: &str) -> Unknown {
    Unknown {
        attribute: attribute.to_owned(),
        expression: None,
        advice: advice.to_owned(),
    }
}

/// The groups that a template makes, or gives rules.
pub(super) fn groups(scope: Scope<'_>, file: &str) -> Groups {
    let mut making = Making {
        scope,
        file,
        names: names(scope),
        groups: Groups::default(),
    };
    for resource in scope.template.resources() {
        making.group(resource);
    }
    for resource in scope.template.resources() {
        making.other(resource);
    }
    macros::leave_open(scope, making.groups)
}

/// The names that groups of the template are given.
fn names(scope: Scope<'_>) -> Vec<(String, String)> {
    let groups = scope.template.resources();
    let groups = groups.filter(|resource| resource.kind == GROUP);
    groups
        .filter_map(|group| match scope.member(group.property("GroupName")) {
            Resolved::Text(name) => Some((name, group.id.to_owned())),
            _ => None,
        })
        .collect()
}

struct Making<'m, 't> {
    scope: Scope<'t>,
    file: &'m str,
    names: Vec<(String, String)>,
    groups: Groups,
}

impl<'t> Making<'_, 't> {
    fn reader<'r>(&'r self, rule: &'r str) -> Reader<'r, 't> {
        Reader {
            scope: self.scope,
            file: Some(self.file),
            rule,
            names: &self.names,
        }
    }

    fn position(&self, resource: Resource<'_>) -> Option<Position> {
        Some(Position {
            file: self.file.to_owned(),
            line: resource.at.line,
            column: Some(resource.at.column),
        })
    }

    /// Whether a resource is made: not when its condition is known not to be met. With what is unknown of it.
    fn existence(&self, resource: Resource<'_>) -> Option<Option<Unknown>> {
        let Some(name) = resource.node.get("Condition").and_then(Node::text) else {
            return Some(None);
        };
        match self.scope.condition(name) {
            Some(true) => Some(None),
            Some(false) => None,
            None => Some(Some(Unknown {
                attribute: "Condition".to_owned(),
                expression: Some(name.to_owned()),
                advice: "give the parameters that it depends on with --parameters".to_owned(),
            })),
        }
    }

    fn value<T>(
        &self,
        node: Option<&'t Node>,
        attribute: &str,
        make: impl Fn(String) -> T,
    ) -> Option<Value<Option<T>>> {
        let node = node?;
        Some(match self.scope.resolve(node) {
            Resolved::Nothing => return None,
            Resolved::Text(text) => Value::Known(Some(make(text))),
            Resolved::Unknown(why) => Value::Unknown(why.of(attribute)),
            _ => Value::Unknown(Unknown {
                attribute: attribute.to_owned(),
                expression: Some(expression(node)),
                advice: CHANGE_SET.to_owned(),
            }),
        })
    }

    fn group(&mut self, resource: Resource<'t>) {
        if !matches!(resource.kind, GROUP | VPC) || self.existence(resource).is_none() {
            return;
        }
        let position = self.position(resource);
        if resource.kind == VPC {
            let address = format!("{}.{DEFAULT_GROUP}", resource.id);
            let vpc = not_told("VpcId", "it is known only after the deployment");
            let name = Value::Known(Some("default".to_owned()));
            let mut state = state(name, Value::Unknown(vpc));
            state.permissions = vec![PlannedPermission::from_itself(
                address.clone(),
                position.clone(),
            )];
            // The tags of a stack are not those of a group that EC2 makes.
            state.tags.others = None;
            self.add(address, state, position, None);
            return;
        }
        let name = self.value(resource.property("GroupName"), "GroupName", |name| name);
        let name = name
            .unwrap_or_else(|| Value::Unknown(not_told("GroupName", "give the group a GroupName")));
        let vpc = self.value(resource.property("VpcId"), "VpcId", VpcId::new);
        let vpc = vpc.unwrap_or_else(|| {
            Value::Unknown(not_told(
                "VpcId",
                "it is the default VPC: give the group a VpcId",
            ))
        });
        let mut state = state(name, vpc);
        state.is_name_sensitive = resource
            .property("GroupName")
            .is_some_and(|name| self.scope.is_secret(name));
        state.permissions = self
            .reader(resource.id)
            .inline(resource.property("SecurityGroupIngress"));
        self.tags(resource.property("Tags"), &mut state.tags);
        let description = resource.property("GroupDescription").map(expression);
        self.add(resource.id.to_owned(), state, position, description);
    }

    fn add(
        &mut self,
        address: String,
        state: GroupState,
        position: Option<Position>,
        description: Option<String>,
    ) {
        let made = Made {
            state,
            position,
            is_own: true,
            description,
        };
        self.groups.by_address.insert(address, made);
    }

    fn tags(&self, tags: Option<&'t Node>, known: &mut PlannedTags) {
        let Some(list) = tags.and_then(|tags| match self.scope.resolve(tags) {
            Resolved::Node(list) => list.items(),
            _ => None,
        }) else {
            return;
        };
        for tag in list {
            let Resolved::Node(tag) = self.scope.resolve(tag) else {
                continue;
            };
            if let Resolved::Text(key) = self.scope.member(tag.get("Key"))
                && let Some(value) = self.value(tag.get("Value"), "Tags", |text| text)
            {
                let value = match value {
                    Value::Known(text) => Value::Known(text.unwrap_or_default()),
                    Value::Unknown(unknown) => Value::Unknown(unknown),
                };
                known.tags.insert(key, value);
            }
        }
    }

    /// Rules of their own, and what is not read.
    fn other(&mut self, resource: Resource<'t>) {
        let Some(existence) = self.existence(resource) else {
            return;
        };
        match resource.kind {
            GROUP | VPC => {}
            INGRESS => self.ingress(resource, existence),
            NESTED_STACK => self.opaque(
                resource,
                "a nested stack may have groups, and rules for the groups that are given to it",
            ),
            kind if kind.ends_with("::MODULE") => {
                self.opaque(resource, "a module may have groups and rules");
            }
            "" if resource.id.starts_with("Fn::") || macros::has_macro(resource) => {
                let makes_groups = |node: &Node| {
                    node.text().is_none_or(|text| !text.contains("::"))
                        || matches!(node.text(), Some(GROUP | INGRESS | NESTED_STACK | VPC))
                };
                let types = resource
                    .node
                    .any(&|node| node.get("Type").is_some_and(makes_groups));
                let has_types = resource.node.any(&|node| node.get("Type").is_some());
                if types || !has_types {
                    self.opaque(
                        resource,
                        "a loop or a macro makes resources that are not read",
                    );
                }
            }
            kind if MAKES_GROUPS.contains(&kind) => self.groups.not_read.push(NotRead {
                address: resource.id.to_owned(),
                resource_type: kind.to_owned(),
                why: "the service makes a group of its own".to_owned(),
            }),
            _ => {}
        }
    }

    /// A resource that may have groups, and may give rules to those that it names: of both it cannot be told.
    fn opaque(&mut self, resource: Resource<'t>, why: &str) {
        let position = self.position(resource);
        let unknown = Unknown {
            attribute: resource.kind.to_owned(),
            expression: Some(resource.id.to_owned()),
            advice: CHANGE_SET.to_owned(),
        };
        let anything = |unknown: Unknown| {
            PlannedPermission::anything(resource.id.to_owned(), position.clone(), unknown)
        };
        self.groups.not_read.push(NotRead {
            address: resource.id.to_owned(),
            resource_type: resource.kind.to_owned(),
            why: why.to_owned(),
        });
        let named: Vec<_> = self
            .groups
            .by_address
            .keys()
            .filter(|address| self.names_group(resource.node, address))
            .cloned()
            .collect();
        let is_loop = resource.kind.is_empty();
        for (address, made) in &mut self.groups.by_address {
            if is_loop || named.contains(address) {
                made.state.unlisted = Some(Box::new(anything(unknown.clone())));
            }
        }
        let nothing = || not_told("GroupName", CHANGE_SET);
        let mut state = state(Value::Unknown(nothing()), Value::Unknown(nothing()));
        state.unlisted = Some(Box::new(anything(unknown)));
        self.add(resource.id.to_owned(), state, position, None);
    }

    fn names_group(&self, node: &'t Node, address: &str) -> bool {
        let function = node.only().filter(|member| member.key != "Fn::If");
        let is_it = function.is_some()
            && matches!(self.scope.resolve(node), Resolved::Group(group) if group == address);
        let items = node.items().unwrap_or_default();
        is_it
            || node
                .members()
                .iter()
                .any(|member| self.names_group(&member.value, address))
            || items.iter().any(|item| self.names_group(item, address))
    }

    fn ingress(&mut self, resource: Resource<'t>, existence: Option<Unknown>) {
        let Some(properties) = resource.node.get("Properties") else {
            return;
        };
        let mut permission = self.reader(resource.id).rule(properties, "");
        permission.position = self.position(resource);
        permission.may_be_absent = existence;
        let target = [properties.get("GroupId"), properties.get("GroupName")];
        let target = target
            .into_iter()
            .map(|target| self.scope.member(target))
            .find(|target| *target != Resolved::Nothing);
        let (address, group_id) = match target {
            Some(Resolved::Group(address)) => (address, None),
            Some(Resolved::Text(text)) => match self.reader(resource.id).named(&text, None) {
                Who::Group { group_id, .. } => (group_id.as_str().to_owned(), Some(group_id)),
                Who::Planned(address) => (address, None),
                _ => (text, None),
            },
            Some(Resolved::Unknown(Why { expression, .. })) => (expression, None),
            _ => (resource.id.to_owned(), None),
        };
        let position = permission.position.clone();
        let made = self
            .groups
            .by_address
            .entry(address)
            .or_insert_with(|| outside(group_id, resource.id, position));
        made.state.permissions.push(permission);
    }
}

/// A group of which only rules are known.
pub(super) fn outside(group_id: Option<GroupId>, rule: &str, position: Option<Position>) -> Made {
    let elsewhere = || not_told("the group", "give the account's groups with --groups");
    let mut state = state(Value::Unknown(elsewhere()), Value::Unknown(elsewhere()));
    state.group_id = group_id;
    state.unlisted = Some(Box::new(PlannedPermission::anything(
        rule.to_owned(),
        position.clone(),
        not_told("its other rules", "give the account's groups with --groups"),
    )));
    Made {
        state,
        position,
        is_own: false,
        description: None,
    }
}
