//! A fake source, a fake store and a fake clock for the tests of the engine, and the groups and events that they use.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::clock::Clock;
use super::source::{GroupSource, Observation, Observed, Owner, Page, Query, SourceError};
use super::store::{
    FindingFilter, FindingStore, PublishedFinding, PublishedPage, Refusal, StoreError,
};
use super::{Engine, RunResult};
use crate::event;
use crate::finding::{Cause, Context, Finding, Lifecycle, Passed, Subject};
use crate::model::{
    AccountId, GroupId, GroupRule, Partition, Protocol, Region, RuleId, Scope, SecurityGroup,
    Traffic, VpcId,
};
use crate::policy::Settings;

mod clock;

pub(in crate::engine) use clock::TestClock;

pub(in crate::engine) const TARGET: &str = "sg-0123456789abcdef0";
pub(in crate::engine) const SOURCE: &str = "sg-0fedcba9876543210";

/// EC2: what it shows at each look, the last for ever.
#[derive(Default)]
pub(in crate::engine) struct FakeSource {
    pub(in crate::engine) looks: Mutex<VecDeque<Vec<SecurityGroup>>>,
    pub(in crate::engine) rules: Vec<GroupRule>,
    /// The rules from the second question for them on, where they differ.
    pub(in crate::engine) later_rules: Option<Vec<GroupRule>>,
    /// Done before each answer: what happens meanwhile.
    pub(in crate::engine) meanwhile: Option<Box<dyn Fn(usize) + Send + Sync>>,
    pub(in crate::engine) calls: Mutex<Vec<(&'static str, Timestamp)>>,
    /// From which look on it does not answer.
    pub(in crate::engine) fails_from: Option<usize>,
}

impl FakeSource {
    pub(in crate::engine) fn of(looks: impl IntoIterator<Item = Vec<SecurityGroup>>) -> Self {
        Self {
            looks: Mutex::new(looks.into_iter().collect()),
            ..Self::default()
        }
    }

    fn look(&self, call: &'static str) -> Result<(Vec<SecurityGroup>, Timestamp), SourceError> {
        let at = TestClock.now();
        TestClock.pass(Duration::from_millis(1));
        let number = {
            let mut calls = self.calls.lock().unwrap();
            calls.push((call, at));
            calls.len()
        };
        if self.fails_from.is_some_and(|from| number >= from) {
            return Err(SourceError::Unavailable("ec2 is away".to_owned()));
        }
        let mut looks = self.looks.lock().unwrap();
        let shown = if looks.len() > 1 {
            looks.pop_front()
        } else {
            looks.front().cloned()
        };
        if let Some(meanwhile) = &self.meanwhile {
            meanwhile(number);
        }
        Ok((shown.unwrap_or_default(), at))
    }

    pub(in crate::engine) fn called(&self) -> Vec<&'static str> {
        self.calls
            .lock()
            .unwrap()
            .iter()
            .map(|(call, _)| *call)
            .collect()
    }
}

impl GroupSource for FakeSource {
    async fn find(&self, query: Query<'_>, owner: Owner) -> Result<Observation, SourceError> {
        let (groups, at) = self.look("find")?;
        let is_own = |group: &SecurityGroup| group.owner_id == Some(scope().account);
        let is_meant = |group: &SecurityGroup| match query {
            Query::Ids(ids) => ids.contains(&group.group_id),
            Query::Referencing(ids) => group.sources().any(|source| ids.contains(source)),
            Query::Names(names) => names.iter().any(|name| group.is_named(name)),
            Query::DefaultGroupsOf(vpcs) => {
                group.vpc_id.as_ref().is_some_and(|vpc| vpcs.contains(vpc))
            }
        };
        let groups = groups
            .into_iter()
            .filter(|group| is_meant(group) && (owner == Owner::Any || is_own(group)));
        Ok(Observation {
            groups: groups.map(|group| Observed { group, at }).collect(),
            at,
        })
    }

    async fn rules(&self, ids: &[GroupId]) -> Result<Vec<GroupRule>, SourceError> {
        let is_first = !self.called().contains(&"rules");
        self.calls.lock().unwrap().push(("rules", TestClock.now()));
        let shown = self.later_rules.as_ref().filter(|_| !is_first);
        let of_groups = shown
            .unwrap_or(&self.rules)
            .iter()
            .filter(|rule| rule.group_id.as_ref().is_some_and(|id| ids.contains(id)));
        Ok(of_groups.cloned().collect())
    }

    fn is_live(&self) -> bool {
        true
    }

    async fn page(&self, _: Option<String>) -> Result<Page, SourceError> {
        let (groups, at) = self.look("page")?;
        Ok(Page {
            groups: groups
                .into_iter()
                .map(|group| Observed { group, at })
                .collect(),
            next: None,
        })
    }
}

/// A hub as Security Hub is: the newest finding of each group stays.
#[derive(Default)]
pub(in crate::engine) struct FakeStore {
    pub(in crate::engine) findings: Arc<Mutex<BTreeMap<GroupId, Finding>>>,
    /// What a read shows instead of the findings: a hub that lags.
    pub(in crate::engine) lagging: Mutex<Option<Vec<PublishedFinding>>>,
    pub(in crate::engine) refused: Vec<&'static str>,
    pub(in crate::engine) calls: Mutex<Vec<String>>,
    pub(in crate::engine) rejects_extra_filters: bool,
}

pub(in crate::engine) fn published(finding: &Finding) -> PublishedFinding {
    PublishedFinding {
        group_id: finding.group_id.clone(),
        vpc_id: None,
        lifecycle: Some(finding.lifecycle()),
        fingerprint: Some(finding.fingerprint()),
        updated_at: Some(finding.observed_at),
        attribution: finding.attribution.clone(),
    }
}

pub(in crate::engine) fn import(findings: &mut BTreeMap<GroupId, Finding>, finding: &Finding) {
    let is_newer = findings
        .get(&finding.group_id)
        .is_none_or(|known| known.observed_at < finding.observed_at);
    if is_newer {
        findings.insert(finding.group_id.clone(), finding.clone());
    }
}

impl FindingStore for FakeStore {
    async fn publish(&self, findings: &[Finding]) -> Result<(), StoreError> {
        TestClock.pass(Duration::from_millis(1));
        self.calls
            .lock()
            .unwrap()
            .push(format!("import {}", findings.len()));
        let mut hub = self.findings.lock().unwrap();
        let mut refused = Vec::new();
        for finding in findings {
            if self.refused.contains(&finding.group_id.as_str()) {
                refused.push(Refusal {
                    group_id: Some(finding.group_id.clone()),
                    id: finding.id(),
                    code: "InvalidInput".to_owned(),
                    message: "because".to_owned(),
                    is_retryable: false,
                });
            } else {
                import(&mut hub, finding);
            }
        }
        if refused.is_empty() {
            Ok(())
        } else {
            Err(StoreError::Refused(refused))
        }
    }

    async fn published(
        &self,
        filter: FindingFilter<'_>,
        _: Option<String>,
    ) -> Result<PublishedPage, StoreError> {
        TestClock.pass(Duration::from_millis(1));
        let kind = format!("{filter:?}")
            .chars()
            .take_while(|character| character.is_alphabetic())
            .collect::<String>();
        self.calls.lock().unwrap().push(kind);
        let is_extra = matches!(
            filter,
            FindingFilter::ArchivedAfter(_) | FindingFilter::ByEventSince(_)
        );
        if is_extra && self.rejects_extra_filters {
            return Err(StoreError::Rejected("the filter is not valid".to_owned()));
        }
        if let Some(findings) = &*self.lagging.lock().unwrap() {
            return Ok(PublishedPage {
                findings: findings.clone(),
                next: None,
            });
        }
        let hub = self.findings.lock().unwrap();
        Ok(PublishedPage {
            findings: hub
                .values()
                .filter(|finding| is_meant(filter, finding))
                .map(published)
                .collect(),
            next: None,
        })
    }
}

pub(in crate::engine) fn vpc_of(finding: &Finding) -> Option<VpcId> {
    match &finding.subject {
        Subject::Evaluated(group, _) => group.vpc_id.clone(),
        Subject::Gone | Subject::Retired => None,
    }
}

/// Whether a filter of Security Hub finds a finding.
pub(in crate::engine) fn is_meant(filter: FindingFilter<'_>, finding: &Finding) -> bool {
    match filter {
        FindingFilter::Active => finding.is_active(),
        FindingFilter::Exempt => finding.lifecycle() == Lifecycle::Exempt,
        FindingFilter::ArchivedAfter(moment) => {
            !finding.is_active() && finding.observed_at > moment
        }
        FindingFilter::ByEventSince(moment) => {
            finding.cause == Cause::Event && finding.observed_at >= moment
        }
        FindingFilter::InVpcs(vpcs) => {
            finding.is_active() && vpc_of(finding).is_some_and(|vpc| vpcs.contains(&vpc))
        }
        FindingFilter::Of(ids) => ids.contains(&finding.group_id),
    }
}

impl FakeStore {
    /// `FAILED by arn:…`, or nothing.
    pub(in crate::engine) fn shows(&self, id: &str) -> String {
        let hub = self.findings.lock().unwrap();
        let Some(finding) = hub.get(&GroupId::new(id)) else {
            return "nothing".to_owned();
        };
        let opener = finding
            .attribution
            .opener
            .as_ref()
            .and_then(|opener| opener.record.actor.clone());
        let opener = opener
            .map(|opener| format!(" opened by {opener}"))
            .unwrap_or_default();
        format!("{}{opener}", finding.lifecycle().as_str())
    }

    pub(in crate::engine) fn called(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }
}

pub(in crate::engine) fn scope() -> Scope {
    Scope {
        partition: Partition::new("aws"),
        region: Region::new("us-east-1"),
        account: AccountId::new("123456789012"),
    }
}

pub(in crate::engine) fn context() -> Arc<Context> {
    Arc::new(Context {
        scope: scope(),
        passed: Passed::Archive,
        related_requirements: Vec::new(),
    })
}

/// A group that lets sources in: `(protocol, first port, last port, source)`; ports of -1 are none.
pub(in crate::engine) fn group(id: &str, rules: &[(&str, i64, i64, &str)]) -> SecurityGroup {
    let permissions: Vec<_> = rules
        .iter()
        .map(|(protocol, from, to, source)| {
            let mut permission = json!({"IpProtocol": protocol, "UserIdGroupPairs": [{"GroupId": source, "UserId": "123456789012"}]});
            if *from >= 0 {
                permission["FromPort"] = json!(from);
                permission["ToPort"] = json!(to);
            }
            permission
        })
        .collect();
    serde_json::from_value(json!({"GroupId": id, "GroupName": "db", "OwnerId": "123456789012", "VpcId": "vpc-1", "IpPermissions": permissions})).unwrap()
}

pub(in crate::engine) const ALL: (&str, i64, i64, &str) = ("-1", -1, -1, SOURCE);
pub(in crate::engine) const SSH: (&str, i64, i64, &str) = ("tcp", 22, 22, SOURCE);

/// An authorize or revoke event of one rule, some seconds ago; `rule_id` in its answer.
pub(in crate::engine) fn rule_event(
    call: &str,
    (protocol, from, to, source): (&str, i64, i64, &str),
    seconds_ago: i64,
    actor: &str,
    rule_id: &str,
) -> Value {
    let set = if call == "Authorize" {
        "securityGroupRuleSet"
    } else {
        "revokedSecurityGroupRuleSet"
    };
    let rule = json!({"groupId": TARGET, "securityGroupRuleId": rule_id, "isEgress": false, "ipProtocol": protocol,
        "fromPort": from, "toPort": to, "referencedGroupInfo": {"groupId": source}, "referencedGroupId": source});
    call_event(
        &format!("{call}SecurityGroupIngress"),
        &json!({"groupId": TARGET}),
        &json!({set: {"items": [rule]}}),
        seconds_ago,
        actor,
    )
}

pub(in crate::engine) fn call_event(
    call: &str,
    request: &Value,
    response: &Value,
    seconds_ago: i64,
    actor: &str,
) -> Value {
    let time = TestClock.now() - SignedDuration::from_secs(seconds_ago);
    json!({"version": "0", "id": "00000000-0000-4000-8000-000000000000", "source": "aws.ec2", "detail-type": "AWS API Call via CloudTrail",
        "account": "123456789012", "region": "us-east-1", "time": format!("{time:.0}"), "resources": [],
        "detail": {"eventVersion": "1.09", "eventSource": "ec2.amazonaws.com", "eventName": call, "eventTime": format!("{time:.0}"),
            "eventID": format!("{call}-{seconds_ago}-{actor}"), "awsRegion": "us-east-1", "userIdentity": {"arn": actor},
            "requestParameters": request, "responseElements": response}})
}

pub(in crate::engine) fn delete_event(seconds_ago: i64) -> Value {
    call_event(
        "DeleteSecurityGroup",
        &json!({"groupId": TARGET}),
        &json!({"_return": true}),
        seconds_ago,
        "arn:dave",
    )
}

/// A rule for all traffic from the source, as `DescribeSecurityGroupRules` shows it.
pub(in crate::engine) fn shown_rule(id: &str) -> GroupRule {
    GroupRule {
        rule_id: Some(RuleId::new(id)),
        group_id: Some(GroupId::new(TARGET)),
        is_ingress: Some(true),
        source: GroupId::new(SOURCE),
        traffic: Traffic::new(Protocol::ALL, None, None),
    }
}

/// A modify event that gives a rule of the group this effect.
pub(in crate::engine) fn modify_event(
    (protocol, from, to, source): (&str, i64, i64, &str),
    seconds_ago: i64,
    actor: &str,
    rule_id: &str,
) -> Value {
    let rule = json!({"IpProtocol": protocol, "FromPort": from, "ToPort": to, "ReferencedGroupId": source});
    let rule = json!({"SecurityGroupRuleId": rule_id, "SecurityGroupRule": rule});
    call_event(
        "ModifySecurityGroupRules",
        &json!({"ModifySecurityGroupRulesRequest": {"GroupId": TARGET, "SecurityGroupRule": rule}}),
        &json!({"ModifySecurityGroupRulesResponse": {"return": true}}),
        seconds_ago,
        actor,
    )
}

pub(in crate::engine) fn queue(events: &[Value]) -> Value {
    let records: Vec<_> = events
        .iter()
        .enumerate()
        .map(|(number, event)| json!({"messageId": format!("m{number}"), "eventSource": "aws:sqs", "body": event.to_string()}))
        .collect();
    json!({"Records": records})
}

pub(in crate::engine) async fn run(
    source: &FakeSource,
    store: &FakeStore,
    event: &Value,
) -> RunResult {
    run_with(&Settings::default(), source, store, event).await
}

pub(in crate::engine) async fn run_with(
    settings: &Settings,
    source: &FakeSource,
    store: &FakeStore,
    event: &Value,
) -> RunResult {
    engine(settings, source, store)
        .handle(&event::read(event))
        .await
}

/// An engine by the clock of the tests.
pub(in crate::engine) fn engine<'a, S, K>(
    settings: &'a Settings,
    source: &'a S,
    store: &'a K,
) -> Engine<'a, S, K> {
    Engine {
        clock: &TestClock,
        ..Engine::new(settings, context(), source, store)
    }
}

pub(in crate::engine) fn failed(run: &RunResult) -> Vec<&str> {
    run.failures
        .iter()
        .filter_map(|failed| failed.sqs_id.as_deref())
        .collect()
}

/// A test by the clock of the tests.
macro_rules! engine_test {
    ($(#[$doc:meta])* $name:ident, $body:block) => {
        $(#[$doc])*
        #[test]
        fn $name() {
            TestClock.run(async $body);
        }
    };
}
pub(in crate::engine) use engine_test;
