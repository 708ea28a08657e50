//! The rules for groups that a call added or removed: what EC2 must show after it.

use serde_json::{Map, Value};

use super::call::Call;
use super::serialized::{list, member, scalar};
use crate::model::{GroupId, GroupRule, Protocol, RuleId, Traffic};

impl Call<'_> {
    /// The ingress rules for groups that an authorize call added or a revoke call removed: what the response lists, else
    /// what was asked for. The response gives their ids.
    pub(super) fn group_rules(&self) -> Vec<GroupRule> {
        let answered: Vec<_> = self
            .answered_rules()
            .filter_map(Value::as_object)
            .filter_map(ingress_rule)
            .collect();
        if !answered.is_empty() {
            return answered;
        }
        let permissions = member(self.request, "ipPermissions")
            .and_then(list)
            .unwrap_or_default();
        permissions
            .into_iter()
            .filter_map(Value::as_object)
            .flat_map(requested_rules)
            .collect()
    }

    /// The rules for groups that a modify call put in place of others. It names each by its id, and does not say whether
    /// it is an ingress rule.
    pub(super) fn modified_rules(&self) -> Vec<GroupRule> {
        let updates = member(self.request, "SecurityGroupRule")
            .and_then(list)
            .unwrap_or_default();
        let rule = |update: &Value| {
            let update = update.as_object();
            let rule = ingress_rule(member(update, "SecurityGroupRule")?.as_object()?)?;
            Some(GroupRule {
                rule_id: id(update, "SecurityGroupRuleId").map(RuleId::new),
                is_ingress: None,
                ..rule
            })
        };
        updates.into_iter().filter_map(rule).collect()
    }
}

/// A rule of one source, unless it is an egress rule or its source is no group.
fn ingress_rule(rule: &Map<String, Value>) -> Option<GroupRule> {
    let rule = Some(rule);
    if member(rule, "isEgress").and_then(scalar).as_deref() == Some("true") {
        return None;
    }
    let referenced = member(rule, "referencedGroupInfo").and_then(Value::as_object);
    let source = id(referenced, "groupId").or_else(|| id(rule, "referencedGroupId"))?;
    Some(GroupRule {
        rule_id: id(rule, "securityGroupRuleId").map(RuleId::new),
        group_id: None,
        is_ingress: Some(true),
        source: GroupId::new(source),
        traffic: traffic(rule)?,
    })
}

fn id(of: Option<&Map<String, Value>>, name: &str) -> Option<String> {
    member(of, name).and_then(scalar)
}

/// The rules of a permission of the request: one for each of its groups.
fn requested_rules(permission: &Map<String, Value>) -> Vec<GroupRule> {
    let permission = Some(permission);
    let groups = member(permission, "groups").and_then(list);
    let rule = |group: &Value| {
        let source = id(group.as_object(), "groupId")?;
        Some(GroupRule {
            rule_id: None,
            group_id: None,
            is_ingress: Some(true),
            source: GroupId::new(source),
            traffic: traffic(permission)?,
        })
    };
    groups.into_iter().flatten().filter_map(rule).collect()
}

/// Protocol and ports of a rule; nothing when they cannot be read, so that no wrong rule is expected of EC2.
fn traffic(rule: Option<&Map<String, Value>>) -> Option<Traffic> {
    let protocol = match member(rule, "ipProtocol") {
        None => Protocol::ALL,
        Some(protocol) => Protocol::new(&scalar(protocol)?),
    };
    Some(Traffic::new(
        protocol,
        port(member(rule, "fromPort"))?,
        port(member(rule, "toPort"))?,
    ))
}

/// A port, or its absence; nothing when it cannot be read.
fn port(value: Option<&Value>) -> Option<Option<i64>> {
    let Some(value) = value else {
        return Some(None);
    };
    let text = scalar(value)?;
    // A port may have passed through a tool that writes every number with a fraction.
    let whole = text.strip_suffix(".0").unwrap_or(&text);
    whole.parse().ok().map(Some)
}
