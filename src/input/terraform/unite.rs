//! Groups with their inline rules, and rules that are resources of their own, put together.

use std::collections::{BTreeMap, HashMap};

use super::groups::ReadGroup;
use super::rules::{Owning, Rule, RuleState};
use crate::model::GroupId;
use crate::model::planned::{
    Action, GroupState, Owner, PlannedGroup, PlannedPermission, PlannedTags, Unknown, Value, remove,
};

/// What is unknown of an account that no resource tells.
const OUTSIDE: &str = "the account of groups that are managed elsewhere";

pub(super) fn unite(groups: Vec<ReadGroup>, rules: Vec<Rule>) -> Vec<PlannedGroup> {
    let mut united = United::new(groups);
    for rule in &rules {
        united.take_off(rule);
    }
    for rule in rules {
        united.put_on(rule);
    }
    united.groups.into_iter().map(|read| read.group).collect()
}

/// Makes every group that the plan changes and that does not fail anyway one of which nobody can tell.
pub(super) fn leave_open(groups: &mut [PlannedGroup], unknown: &Unknown) {
    for group in groups {
        let address = group.address.clone();
        if let (true, Some(after)) = (group.is_changed, &mut group.after) {
            let open =
                PlannedPermission::anything(address, group.position.clone(), unknown.clone());
            after.unlisted.get_or_insert_with(|| Box::new(open));
        }
    }
}

struct United {
    groups: Vec<ReadGroup>,
    by_address: HashMap<String, usize>,
    by_id: HashMap<GroupId, usize>,
}

impl United {
    fn new(groups: Vec<ReadGroup>) -> Self {
        let mut by_address = HashMap::new();
        let mut by_id = HashMap::new();
        for (place, read) in groups.iter().enumerate() {
            by_address.insert(read.group.address.clone(), place);
            for state in read.group.before.iter().chain(&read.group.after) {
                if let Some(id) = &state.group_id {
                    by_id.insert(id.clone(), place);
                }
            }
        }
        Self {
            groups,
            by_address,
            by_id,
        }
    }

    /// Takes a rule off what the plan shows of its group from before: it is put on again where it stays.
    fn take_off(&mut self, rule: &Rule) {
        let Some(RuleState {
            owning: Owning::Id(id) | Owning::Secret(id),
            permission,
        }) = &rule.before
        else {
            return;
        };
        let Some(read) = self
            .by_id
            .get(id)
            .and_then(|place| self.groups.get_mut(*place))
        else {
            return;
        };
        if !read.is_inline
            && let Some(after) = &mut read.group.after
        {
            remove(&mut after.permissions, permission, id);
        }
        if let Some(before) = &mut read.group.before {
            remove(&mut before.permissions, permission, id);
        }
    }

    fn put_on(&mut self, rule: Rule) {
        let Rule {
            before,
            after,
            stays,
            ..
        } = rule;
        let is_changed = before.as_ref().map(told) != after.as_ref().map(told);
        if let Some(state) = before.clone() {
            self.put(state, Moment::Before, is_changed);
        }
        if let Some(state) = after {
            self.put(state, Moment::After, is_changed);
        }
        if let (true, Some(state)) = (stays, before) {
            self.put(state, Moment::After, is_changed);
        }
    }

    fn put(&mut self, state: RuleState, moment: Moment, is_changed: bool) {
        let RuleState { owning, permission } = state;
        match owning {
            Owning::Address(address) => {
                let place = match self.by_address.get(&address) {
                    Some(place) => *place,
                    None => self.outside(address, None, &permission),
                };
                self.put_at(place, permission, moment, is_changed);
            }
            Owning::Id(id) => {
                let place = match self.by_id.get(&id) {
                    Some(place) => *place,
                    None => self.outside(id.as_str().to_owned(), Some(id), &permission),
                };
                self.put_at(place, permission, moment, is_changed);
            }
            // A group of this plan is shown as its own resource tells it.
            Owning::Secret(id) => {
                let place = match self.by_id.get(&id) {
                    Some(place) => *place,
                    None => {
                        let address = format!("{}.security_group_id", permission.rule);
                        self.outside(address, None, &permission)
                    }
                };
                self.put_at(place, permission, moment, is_changed);
            }
            Owning::Candidates(addresses, unknown) => {
                for address in addresses {
                    if let Some(place) = self.by_address.get(&address) {
                        let permission = maybe(&permission, &unknown);
                        self.put_at(*place, permission, moment, is_changed);
                    }
                }
            }
            Owning::Any(unknown) => {
                if permission.sources.is_empty() {
                    return;
                }
                for place in 0..self.groups.len() {
                    self.put_at(place, maybe(&permission, &unknown), moment, is_changed);
                }
                let address = format!("{}.security_group_id", permission.rule);
                let place = self.outside(address, None, &permission);
                self.put_at(place, permission, moment, is_changed);
            }
        }
    }

    fn put_at(
        &mut self,
        place: usize,
        permission: PlannedPermission,
        moment: Moment,
        is_changed: bool,
    ) {
        let Some(read) = self.groups.get_mut(place) else {
            return;
        };
        // A rule without a source changes no verdict.
        read.group.is_changed |= is_changed && !permission.sources.is_empty();
        let state = match moment {
            Moment::Before => &mut read.group.before,
            Moment::After => &mut read.group.after,
        };
        if let Some(state) = state {
            state.permissions.push(permission);
        }
    }

    /// Adds a group of which only rules are known.
    fn outside(
        &mut self,
        address: String,
        group_id: Option<GroupId>,
        permission: &PlannedPermission,
    ) -> usize {
        if let Some(place) = self.by_address.get(&address) {
            return *place;
        }
        let unknown = Unknown {
            attribute: "other rules".to_owned(),
            expression: None,
            advice: "the plan does not manage this group, and does not show its other rules: give --groups SNAPSHOT, the output of `aws ec2 describe-security-groups`".to_owned(),
        };
        let other = PlannedPermission::anything(address.clone(), None, unknown.clone());
        let state = GroupState {
            group_id: group_id.clone(),
            group_name: Value::Unknown(Unknown {
                attribute: "name".to_owned(),
                ..unknown.clone()
            }),
            is_name_sensitive: false,
            owner: Owner::Same(OUTSIDE.to_owned()),
            vpc_id: Value::Unknown(Unknown {
                attribute: "vpc_id".to_owned(),
                ..unknown.clone()
            }),
            tags: PlannedTags {
                tags: BTreeMap::new(),
                others: Some(Unknown {
                    attribute: "tags".to_owned(),
                    ..unknown
                }),
            },
            permissions: Vec::new(),
            unlisted: Some(Box::new(other)),
        };
        let place = self.groups.len();
        self.by_address.insert(address.clone(), place);
        if let Some(id) = group_id {
            self.by_id.insert(id, place);
        }
        self.groups.push(ReadGroup {
            group: PlannedGroup {
                address,
                position: permission.position.clone(),
                action: Action::Outside,
                is_changed: false,
                before: Some(state.clone()),
                after: Some(state),
            },
            is_inline: true,
        });
        place
    }
}

#[derive(Clone, Copy)]
enum Moment {
    Before,
    After,
}

/// What of a rule bears on a verdict.
fn told(state: &RuleState) -> (&Owning, PlannedPermission) {
    (
        &state.owning,
        PlannedPermission {
            position: None,
            ..state.permission.clone()
        },
    )
}

fn maybe(permission: &PlannedPermission, unknown: &Unknown) -> PlannedPermission {
    let mut permission = permission.clone();
    permission
        .may_be_absent
        .get_or_insert_with(|| unknown.clone());
    permission
}
