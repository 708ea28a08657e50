//! Ingress rules read and changed, with an operator's own credentials. The Lambda function has no code of this and no
//! permission for it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use aws_sdk_ec2::types::{self, ResourceType, Tag, TagSpecification, UserIdGroupPair};

use super::{CallError, Ec2, FILTER_VALUES, SourceError, convert, filter, within};
use crate::engine::source::{GroupSource as _, Owner, Query};
use crate::model::{GroupId, NetworkInterface, RuleId};
use crate::remediation::rule::{GroupRules, IngressRule, Peer};
use crate::remediation::run::{CallFailure, Mode, RuleEdge};

#[cfg(test)]
mod tests;

/// Stands in every binary that can change rules, and must not stand in the function's.
const MARKER: &str = "whoever runs this command needs the policy of docs/remediation.md";
/// The first pause before another attempt; each is twice as long as the one before.
const PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

impl From<SourceError> for CallFailure {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Unavailable(text) => Self::Unavailable(text),
            SourceError::Refused(text) => Self::Refused(text),
        }
    }
}

impl Ec2 {
    /// The network interfaces that carry one of the groups.
    ///
    /// # Errors
    /// When EC2 does not tell.
    pub async fn interfaces_of(
        &self,
        groups: &[GroupId],
    ) -> Result<Vec<NetworkInterface>, SourceError> {
        let mut interfaces = Vec::new();
        for groups in groups.chunks(FILTER_VALUES) {
            let groups = filter("group-id", groups.iter().map(GroupId::as_str));
            interfaces.extend(self.interfaces_with(vec![groups]).await?);
        }
        Ok(interfaces)
    }

    /// What an answer to a change says, given what a change that was made says.
    fn changed<T>(
        &self,
        operation: &str,
        mode: Mode,
        answer: Result<T, CallError>,
    ) -> Result<Option<T>, CallFailure> {
        match answer {
            Ok(answer) if mode == Mode::Real => Ok(Some(answer)),
            Ok(_) => Err(CallFailure::Refused(format!(
                "ec2 {operation}: a dry run was answered as if it was none, so the change may have been made: look at the group"
            ))),
            Err(error) => match error.code() {
                Some("DryRunOperation") if mode == Mode::DryRun => Ok(None),
                Some("InvalidPermission.Duplicate") => Err(CallFailure::Duplicate),
                Some("InvalidPermission.NotFound" | "InvalidSecurityGroupRuleId.NotFound") => {
                    Err(CallFailure::NotFound)
                }
                Some("UnauthorizedOperation") => Err(CallFailure::Refused(format!(
                    "ec2 {operation} in account {}, region {}: {}: {MARKER}",
                    self.scope.account,
                    self.scope.region,
                    super::describe(&error),
                ))),
                _ => Err(self.error(operation, error).into()),
            },
        }
    }
}

impl RuleEdge for Ec2 {
    async fn targets(&self, ids: &[GroupId]) -> Result<Vec<GroupRules>, CallFailure> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let groups = self.find(Query::Ids(ids), Owner::Any).await?.groups;
        let mut by_group: BTreeMap<GroupId, Vec<IngressRule>> = BTreeMap::new();
        for (group, rule) in self.each_rule(ids, convert::ingress_rule).await? {
            by_group.entry(group).or_default().push(rule);
        }
        let mut targets = Vec::new();
        for observed in groups {
            let rules = by_group.remove(&observed.group.group_id);
            let rules = rules.unwrap_or_default();
            targets.push(GroupRules::joined(observed.group, rules)?);
        }
        Ok(targets)
    }

    async fn authorize(
        &self,
        group: &GroupId,
        rule: &IngressRule,
        mode: Mode,
    ) -> Result<Option<RuleId>, CallFailure> {
        let permission = permission(rule).ok_or_else(|| {
            CallFailure::Refused("only rules that let in a security group are made".to_owned())
        })?;
        let tags = rule.tags.iter().flatten();
        let tags: Vec<_> = tags.map(|(key, value)| tag(key, value)).collect();
        let tags = (!tags.is_empty()).then(|| {
            TagSpecification::builder()
                .resource_type(ResourceType::SecurityGroupRule)
                .set_tags(Some(tags))
                .build()
        });
        let call = self
            .client
            .authorize_security_group_ingress()
            .group_id(group.as_str())
            .ip_permissions(permission)
            .set_tag_specifications(tags.map(|tags| vec![tags]))
            .dry_run(mode == Mode::DryRun)
            .customize();
        let answer = within(call, self.timeouts).send().await;
        let answer = answer.map_err(CallError::from);
        let made = self.changed("AuthorizeSecurityGroupIngress", mode, answer)?;
        let rules = made.and_then(|made| made.security_group_rules);
        let id = rules
            .into_iter()
            .flatten()
            .find_map(|rule| rule.security_group_rule_id);
        Ok(id.filter(|id| !id.is_empty()).map(RuleId::new))
    }

    async fn revoke(&self, group: &GroupId, rule: &RuleId, mode: Mode) -> Result<(), CallFailure> {
        let call = self
            .client
            .revoke_security_group_ingress()
            .group_id(group.as_str())
            .security_group_rule_ids(rule.as_str())
            .dry_run(mode == Mode::DryRun)
            .customize();
        let answer = within(call, self.timeouts).send().await;
        let answer = answer.map_err(CallError::from);
        let made = self.changed("RevokeSecurityGroupIngress", mode, answer)?;
        if made.is_some_and(|made| made.r#return == Some(false)) {
            return Err(CallFailure::Refused(format!(
                "ec2 RevokeSecurityGroupIngress: EC2 did not revoke {rule}, and does not say why"
            )));
        }
        Ok(())
    }

    async fn tag(
        &self,
        rule: &RuleId,
        tags: &BTreeMap<String, String>,
        mode: Mode,
    ) -> Result<(), CallFailure> {
        let tags = tags.iter().map(|(key, value)| tag(key, value)).collect();
        let call = self
            .client
            .create_tags()
            .resources(rule.as_str())
            .set_tags(Some(tags))
            .dry_run(mode == Mode::DryRun)
            .customize();
        let answer = within(call, self.timeouts).send().await;
        let answer = answer.map_err(CallError::from);
        self.changed("CreateTags", mode, answer).map(drop)
    }

    async fn pause(&self, attempt: u32) {
        let pause = PAUSE * 2_u32.saturating_pow(attempt.saturating_sub(1).min(10));
        let until = tokio::time::Instant::from_std(Instant::now() + pause.min(LONGEST_PAUSE));
        tokio::time::sleep_until(until).await;
    }
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build()
}

/// The permission that makes a rule; none for a rule of addresses, which are never made.
fn permission(rule: &IngressRule) -> Option<types::IpPermission> {
    let Peer::Group(group) = &rule.peer else {
        return None;
    };
    let port = |port: Option<i64>| port.and_then(|port| i32::try_from(port).ok());
    let connection = group.peering_connection_id.as_ref();
    let vpc = group.vpc_id.as_ref().filter(|_| connection.is_some());
    let name = group
        .group_name
        .clone()
        .filter(|_| group.group_id.is_none());
    let pair = UserIdGroupPair::builder()
        .set_group_id(group.group_id.as_ref().map(ToString::to_string))
        .set_group_name(name)
        .set_user_id(group.owner_id.as_ref().map(ToString::to_string))
        .set_vpc_id(vpc.map(ToString::to_string))
        .set_vpc_peering_connection_id(connection.map(ToString::to_string))
        .set_description(rule.description.clone())
        .build();
    let permission = types::IpPermission::builder()
        .ip_protocol(rule.traffic.protocol.as_str())
        .set_from_port(port(rule.traffic.from_port))
        .set_to_port(port(rule.traffic.to_port))
        .user_id_group_pairs(pair);
    Some(permission.build())
}
