//! Change sets: the answer of `describe-change-set --include-property-values`.

use std::collections::{BTreeMap, BTreeSet};

use super::groups::{not_told, outside, state};
use super::rules::Reader;
use super::scope::{Assumptions, CHANGE_SET, Conditions, GROUP, INGRESS, Resolved, Scope, VPC};
use super::template::{Parameters, Template};
use super::{CloudFormationError, Reading};
use crate::model::planned::{
    Action, Deployment, DeploymentKind, GroupState, NotRead, Owner, PlannedGroup,
    PlannedPermission, Unknown, Value, Who,
};
use crate::model::{AccountId, GroupId, VpcId};

mod answer;
mod changed;

use answer::Answer;
use changed::Changed;

/// Kinds of resources of which an attribute may be the id of a group that is none of the change set's.
const NAMES_GROUPS: [&str; 6] = [
    "AWS::CloudFormation::",
    "AWS::EKS::",
    "AWS::ElasticLoadBalancing",
    "AWS::Lambda::",
    "AWS::SSM::",
    "Custom::",
];

/// Reads what a change set makes of the groups that it has.
///
/// # Errors
/// Where the answer is cut off, has no property values, or the change set failed.
pub fn read_change_set(file: &str, text: &str) -> Result<Reading, CloudFormationError> {
    let wrong = |problem: String| CloudFormationError::of_file(file, problem);
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let answer: Answer = serde_json::from_str(text)
        .map_err(|error| wrong(format!("not an answer of `describe-change-set`: {error}")))?;
    if answer.next_token.is_some() {
        return Err(wrong(
            "it has a `NextToken`: the answer was cut off, so ask for the rest too (the AWS CLI does without --no-paginate and \
             --max-items)"
                .to_owned(),
        ));
    }
    if let Some(status) = answer.status.filter(|status| status != "CREATE_COMPLETE") {
        let reason = answer.status_reason.unwrap_or_default();
        return Err(wrong(format!(
            "the change set is {status}, not CREATE_COMPLETE: {reason}"
        )));
    }
    let resources = answer.changes.into_iter();
    let resources = resources.filter_map(|change| change.resource_change);
    let mut changed = Vec::new();
    let mut not_read = Vec::new();
    let mut has_opaque = false;
    for resource in resources {
        has_opaque |= NAMES_GROUPS
            .iter()
            .any(|prefix| resource.resource_type.starts_with(prefix));
        match resource.resource_type.as_str() {
            GROUP | INGRESS | VPC => changed.push(Changed::read(file, resource)?),
            kind if kind == "AWS::CloudFormation::Stack" || kind.starts_with("Custom::") => {
                not_read.push(NotRead {
                    why: "it may have groups and rules: give its own change set too".to_owned(),
                    address: resource.logical_resource_id,
                    resource_type: resource.resource_type,
                });
            }
            "AWS::EKS::Cluster" => not_read.push(NotRead {
                why: "the service makes a group of its own".to_owned(),
                address: resource.logical_resource_id,
                resource_type: resource.resource_type,
            }),
            _ => {}
        }
    }
    let account = answer
        .stack_id
        .as_deref()
        .and_then(|arn| arn.split(':').nth(4));
    let owner = account
        .filter(|account| !account.is_empty())
        .map(AccountId::new);
    let making = Making {
        changed: &changed,
        has_opaque,
        owner: owner.map(Owner::Known),
    };
    Ok(Reading {
        deployments: vec![Deployment {
            kind: DeploymentKind::ChangeSet,
            groups: making.groups(&not_read),
            not_read,
            notes: Vec::new(),
        }],
        unknown: Vec::new(),
        values: vec![Vec::new()],
    })
}

struct Making<'c> {
    changed: &'c [Changed],
    has_opaque: bool,
    owner: Option<Owner>,
}

/// Rules of their own by the group that has them.
type Rules = BTreeMap<String, Vec<PlannedPermission>>;

impl Making<'_> {
    fn groups(&self, not_read: &[NotRead]) -> Vec<PlannedGroup> {
        let empty = Empty::default();
        let [(before, ids_before), (after, ids_after)] =
            [false, true].map(|is_after| self.rules(&empty, is_after));
        let mut groups: Vec<_> = self
            .changed
            .iter()
            .filter_map(|resource| {
                let address = resource.address()?;
                let state = |is_after: bool, rules: &Rules| {
                    self.state(&empty, resource, &address, is_after, rules)
                };
                Some(PlannedGroup {
                    before: state(false, &before),
                    after: state(true, &after),
                    position: None,
                    action: resource.action,
                    is_changed: true,
                    address,
                })
            })
            .filter(|group| group.before.is_some() || group.after.is_some())
            .collect();
        let known: BTreeSet<_> = groups.iter().map(|group| group.address.clone()).collect();
        let others: BTreeSet<_> = before.keys().chain(after.keys()).cloned().collect();
        for address in others.difference(&known) {
            let ids = ids_before.iter().chain(&ids_after);
            let id = ids.into_iter().find(|id| id.as_str() == address);
            let state = |rules: &Rules| {
                let mut made = outside(id.cloned(), address, None).state;
                made.owner = self.owner(&made);
                made.permissions = rules.get(address).cloned().unwrap_or_default();
                Some(made)
            };
            groups.push(PlannedGroup {
                before: state(&before),
                after: state(&after),
                address: address.clone(),
                position: None,
                action: Action::Outside,
                is_changed: true,
            });
        }
        groups.extend(not_read.iter().filter_map(opaque));
        groups
    }

    fn owner(&self, state: &GroupState) -> Owner {
        self.owner.clone().unwrap_or_else(|| state.owner.clone())
    }

    /// The groups of which nobody knows the id yet.
    fn new_groups(&self) -> Vec<String> {
        let new = self.changed.iter().filter(|resource| resource.is_new());
        new.filter_map(Changed::address).collect()
    }

    /// The rules of their own before or after, by group, and the ids of groups that are named.
    fn rules(&self, empty: &Empty, is_after: bool) -> (Rules, BTreeSet<GroupId>) {
        let mut rules = Rules::new();
        let mut ids = BTreeSet::new();
        let ingress = self
            .changed
            .iter()
            .filter(|resource| resource.kind == INGRESS);
        for resource in ingress {
            let Some(properties) = resource
                .context(is_after)
                .and_then(|context| context.get("Properties"))
            else {
                continue;
            };
            let reader = empty.reader(&resource.id);
            let mut permission = reader.rule(properties, "");
            self.resolve(&mut permission);
            let target = ["GroupId", "GroupName"].into_iter();
            let target = target
                .map(|name| reader.scope.member(properties.get(name)))
                .find(|target| *target != Resolved::Nothing);
            match target {
                Some(Resolved::Text(text)) => {
                    let address = match reader.named(&text, None) {
                        Who::Group { group_id, .. } => {
                            let known = self.changed.iter().find(|it| {
                                it.kind == GROUP && it.group_id.as_ref() == Some(&group_id)
                            });
                            let address = known.map(|known| known.id.clone());
                            ids.insert(group_id.clone());
                            address.unwrap_or_else(|| group_id.as_str().to_owned())
                        }
                        _ => text,
                    };
                    rules.entry(address).or_default().push(permission);
                }
                _ => self.place(permission, &mut rules),
            }
        }
        (rules, ids)
    }

    /// Gives a rule of a group that nobody knows yet to the only one that it can be, else to each that it may be and to
    /// one that stands for it.
    fn place(&self, permission: PlannedPermission, rules: &mut Rules) {
        let new = self.new_groups();
        if let ([only], false) = (new.as_slice(), self.has_opaque) {
            rules.entry(only.clone()).or_default().push(permission);
            return;
        }
        let unknown = not_told("GroupId", "check the template, which names the group");
        for address in new {
            let may_be = PlannedPermission {
                may_be_absent: Some(unknown.clone()),
                ..permission.clone()
            };
            rules.entry(address).or_default().push(may_be);
        }
        rules
            .entry(permission.rule.clone())
            .or_default()
            .push(permission);
    }

    /// A source that is known only after the deployment is one of the new groups, unless something else may be it.
    fn resolve(&self, permission: &mut PlannedPermission) {
        let new = self.new_groups();
        for source in &mut permission.sources {
            if let Who::Unknown {
                key, candidates, ..
            } = &mut source.who
            {
                *key = format!("{}: {key}", permission.rule);
                match (new.as_slice(), self.has_opaque) {
                    (_, true) | ([], _) => {}
                    ([only], false) => source.who = Who::Planned(only.clone()),
                    (_, false) => candidates.clone_from(&new),
                }
            }
        }
    }

    fn state(
        &self,
        empty: &Empty,
        resource: &Changed,
        address: &str,
        is_after: bool,
        rules: &Rules,
    ) -> Option<GroupState> {
        // A group that is imported was there.
        resource.context(is_after)?;
        let reader = empty.reader(address);
        let text = |name: &str| match reader.scope.member(resource.property(name, is_after)) {
            Resolved::Text(text) => Some(text),
            _ => None,
        };
        let unknown = |name: &str| not_told(name, "check the change set");
        let is_default = resource.kind == VPC;
        let name = if is_default {
            Some("default".to_owned())
        } else {
            text("GroupName")
        };
        let name = name.map_or_else(
            || Value::Unknown(unknown("GroupName")),
            |name| Some(name).into(),
        );
        let vpc = text("VpcId").filter(|_| !is_default).map(VpcId::new);
        let vpc = vpc.map_or_else(|| Value::Unknown(unknown("VpcId")), |vpc| Some(vpc).into());
        let mut made = state(name, vpc);
        made.owner = self.owner(&made);
        let is_new_id = is_after && resource.is_new();
        made.group_id = resource.group_id.clone().filter(|_| !is_new_id);
        let own = if is_default {
            vec![PlannedPermission::from_itself(address.to_owned(), None)]
        } else {
            reader.inline(resource.property("SecurityGroupIngress", is_after))
        };
        made.permissions = own;
        for permission in &mut made.permissions {
            self.resolve(permission);
        }
        made.permissions
            .extend(rules.get(address).into_iter().flatten().cloned());
        // What stays as it is is not listed: rules of their own of a group that was there.
        let is_listed = resource.action == Action::Create;
        if !is_listed {
            made.unlisted = Some(Box::new(PlannedPermission::anything(
                address.to_owned(),
                None,
                not_told(
                    "rules that do not change",
                    "a change set does not list them: give the account's groups with --groups",
                ),
            )));
        }
        Some(made)
    }
}

/// A resource that may have groups: of these it cannot be told.
fn opaque(resource: &NotRead) -> Option<PlannedGroup> {
    if resource.resource_type == "AWS::EKS::Cluster" {
        return None;
    }
    let unknown = Unknown {
        attribute: resource.resource_type.clone(),
        expression: Some(resource.address.clone()),
        advice: CHANGE_SET.to_owned(),
    };
    let nothing = || Value::Unknown(unknown.clone());
    let mut state = state(nothing(), Value::Unknown(unknown.clone()));
    state.unlisted = Some(Box::new(PlannedPermission::anything(
        resource.address.clone(),
        None,
        unknown.clone(),
    )));
    Some(PlannedGroup {
        address: resource.address.clone(),
        position: None,
        action: Action::Create,
        is_changed: true,
        before: None,
        after: Some(state),
    })
}

/// The values of a change set are plain: there are no parameters and no conditions.
struct Empty {
    template: Template,
    parameters: Parameters,
    assumed: Assumptions,
    conditions: Conditions,
}

impl Default for Empty {
    fn default() -> Self {
        Self {
            template: Template::empty(),
            parameters: Parameters::new(),
            assumed: Assumptions::new(),
            conditions: Conditions::new(),
        }
    }
}

impl Empty {
    fn reader<'r>(&'r self, rule: &'r str) -> Reader<'r, 'r> {
        Reader {
            scope: Scope {
                template: &self.template,
                parameters: &self.parameters,
                assumed: &self.assumed,
                conditions: &self.conditions,
            },
            file: None,
            rule,
            names: &[],
        }
    }
}
