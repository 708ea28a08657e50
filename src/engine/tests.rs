//! The engine with a fake source and a fake store: what goes wrong between EC2 and Security Hub, in milliseconds.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::source::{GroupSource, Observation, Observed, Owner, Page, Query, SourceError};
use super::store::{
    FindingFilter, FindingStore, PublishedFinding, PublishedPage, Refusal, StoreError,
};
use super::{Engine, RunResult};
use crate::event;
use crate::finding::{Attribution, Cause, Context, Finding, Lifecycle, OpenedRule, Passed};
use crate::model::{
    AccountId, GroupId, GroupRule, Partition, Protocol, Region, RuleId, Scope, SecurityGroup,
    Traffic,
};
use crate::policy::Settings;

const TARGET: &str = "sg-0123456789abcdef0";
const SOURCE: &str = "sg-0fedcba9876543210";

/// EC2: what it shows at each look, the last for ever.
#[derive(Default)]
struct FakeSource {
    looks: Mutex<VecDeque<Vec<SecurityGroup>>>,
    rules: Vec<GroupRule>,
    /// Done before each answer: what happens meanwhile.
    meanwhile: Option<Box<dyn Fn(usize) + Send + Sync>>,
    calls: Mutex<Vec<(&'static str, Timestamp)>>,
    fails: bool,
}

impl FakeSource {
    fn of(looks: impl IntoIterator<Item = Vec<SecurityGroup>>) -> Self {
        Self {
            looks: Mutex::new(looks.into_iter().collect()),
            ..Self::default()
        }
    }

    fn look(&self, call: &'static str) -> Result<(Vec<SecurityGroup>, Timestamp), SourceError> {
        let at = Timestamp::now();
        let number = {
            let mut calls = self.calls.lock().unwrap();
            calls.push((call, at));
            calls.len()
        };
        if self.fails {
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

    fn called(&self) -> Vec<&'static str> {
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
        self.calls.lock().unwrap().push(("rules", Timestamp::now()));
        let of_groups = self
            .rules
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
struct FakeStore {
    findings: Arc<Mutex<BTreeMap<GroupId, Finding>>>,
    /// What a read shows instead of the findings: a hub that lags.
    lagging: Mutex<Option<Vec<PublishedFinding>>>,
    refused: Vec<&'static str>,
    calls: Mutex<Vec<String>>,
    rejects_extra_filters: bool,
}

fn published(finding: &Finding) -> PublishedFinding {
    PublishedFinding {
        group_id: finding.group_id.clone(),
        vpc_id: None,
        lifecycle: Some(finding.lifecycle()),
        fingerprint: Some(finding.fingerprint()),
        updated_at: Some(finding.observed_at),
        attribution: finding.attribution.clone(),
    }
}

fn import(findings: &mut BTreeMap<GroupId, Finding>, finding: &Finding) {
    let is_newer = findings
        .get(&finding.group_id)
        .is_none_or(|known| known.observed_at < finding.observed_at);
    if is_newer {
        findings.insert(finding.group_id.clone(), finding.clone());
    }
}

impl FindingStore for FakeStore {
    async fn publish(&self, findings: &[Finding]) -> Result<(), StoreError> {
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
        let is_meant = |finding: &&Finding| match filter {
            FindingFilter::Active => finding.is_active(),
            FindingFilter::Exempt => finding.lifecycle() == Lifecycle::Exempt,
            FindingFilter::ArchivedAfter(moment) => {
                !finding.is_active() && finding.observed_at > moment
            }
            FindingFilter::ByEventSince(moment) => {
                finding.cause == Cause::Event && finding.observed_at >= moment
            }
            FindingFilter::InVpcs(_) => finding.is_active(),
            FindingFilter::Of(ids) => ids.contains(&finding.group_id),
        };
        Ok(PublishedPage {
            findings: hub.values().filter(is_meant).map(published).collect(),
            next: None,
        })
    }
}

impl FakeStore {
    /// `FAILED by arn:…`, or nothing.
    fn shows(&self, id: &str) -> String {
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

    fn called(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }
}

fn scope() -> Scope {
    Scope {
        partition: Partition::new("aws"),
        region: Region::new("us-east-1"),
        account: AccountId::new("123456789012"),
    }
}

fn context() -> Arc<Context> {
    Arc::new(Context {
        scope: scope(),
        passed: Passed::Archive,
        related_requirements: Vec::new(),
    })
}

/// A group that lets sources in: `(protocol, first port, last port, source)`; ports of -1 are none.
fn group(id: &str, rules: &[(&str, i64, i64, &str)]) -> SecurityGroup {
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

const ALL: (&str, i64, i64, &str) = ("-1", -1, -1, SOURCE);
const SSH: (&str, i64, i64, &str) = ("tcp", 22, 22, SOURCE);

/// An authorize or revoke event of one rule, some seconds ago; `rule_id` in its answer.
fn rule_event(
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

fn call_event(
    call: &str,
    request: &Value,
    response: &Value,
    seconds_ago: i64,
    actor: &str,
) -> Value {
    let time = Timestamp::now() - SignedDuration::from_secs(seconds_ago);
    json!({"version": "0", "id": "00000000-0000-4000-8000-000000000000", "source": "aws.ec2", "detail-type": "AWS API Call via CloudTrail",
        "account": "123456789012", "region": "us-east-1", "time": format!("{time:.0}"), "resources": [],
        "detail": {"eventVersion": "1.09", "eventSource": "ec2.amazonaws.com", "eventName": call, "eventTime": format!("{time:.0}"),
            "eventID": format!("{call}-{seconds_ago}-{actor}"), "awsRegion": "us-east-1", "userIdentity": {"arn": actor},
            "requestParameters": request, "responseElements": response}})
}

fn delete_event(seconds_ago: i64) -> Value {
    call_event(
        "DeleteSecurityGroup",
        &json!({"groupId": TARGET}),
        &json!({"_return": true}),
        seconds_ago,
        "arn:dave",
    )
}

fn queue(events: &[Value]) -> Value {
    let records: Vec<_> = events
        .iter()
        .enumerate()
        .map(|(number, event)| json!({"messageId": format!("m{number}"), "eventSource": "aws:sqs", "body": event.to_string()}))
        .collect();
    json!({"Records": records})
}

async fn run(source: &FakeSource, store: &FakeStore, event: &Value) -> RunResult {
    run_with(&Settings::default(), source, store, event).await
}

async fn run_with(
    settings: &Settings,
    source: &FakeSource,
    store: &FakeStore,
    event: &Value,
) -> RunResult {
    Engine::new(settings, context(), source, store)
        .handle(&event::read(event))
        .await
}

fn failed(run: &RunResult) -> Vec<&str> {
    run.failures
        .iter()
        .filter_map(|failed| failed.sqs_id.as_deref())
        .collect()
}

/// The tokio clock jumps over the waits between looks.
macro_rules! engine_test {
    ($(#[$doc:meta])* $name:ident, $body:block) => {
        $(#[$doc])*
        #[test]
        fn $name() {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            runtime.block_on(async $body);
        }
    };
}

engine_test!(an_event_is_one_look_and_one_import, {
    let source = FakeSource::of([vec![group(TARGET, &[ALL])]]);
    let store = FakeStore::default();
    let run = run(
        &source,
        &store,
        &rule_event("Authorize", ALL, 5, "arn:alice", "sgr-1"),
    )
    .await;
    assert_eq!(
        (run.outcome.failed, store.shows(TARGET)),
        (1, "FAILED opened by arn:alice".to_owned())
    );
    assert_eq!(source.called(), ["find"]);
    assert_eq!(store.called(), ["import 1"]);
});

engine_test!(an_old_observation_does_not_outdo_a_newer_one, {
    let store = FakeStore::default();
    let hub = Arc::clone(&store.findings);
    let mut slow = FakeSource::of([vec![group(TARGET, &[ALL])]]);
    // While the answer is on its way, the rule is revoked and another instance publishes what it sees.
    slow.meanwhile = Some(Box::new(move |_| {
        std::thread::sleep(Duration::from_millis(3));
        let group = group(TARGET, &[]);
        let verdict = crate::policy::evaluate(
            &Settings::default(),
            &group,
            &crate::policy::ReferencedGroups::default(),
            jiff::civil::Date::MIN,
        );
        import(
            &mut hub.lock().unwrap(),
            &Finding::evaluated(&context(), Timestamp::now(), group, verdict),
        );
    }));
    run(
        &slow,
        &store,
        &json!({"action": "evaluate", "group_ids": [TARGET]}),
    )
    .await;
    assert_eq!(store.shows(TARGET), "PASSED");
    run(&slow, &store, &json!({"action": "sweep"})).await;
    assert_eq!(store.shows(TARGET), "PASSED");
});

engine_test!(
    a_dummy_rule_that_comes_and_goes_does_not_hide_an_open_one,
    {
        // Authorized and revoked in one second, in either order; EC2 shows it or not.
        for (first, second) in [("Authorize", "Revoke"), ("Revoke", "Authorize")] {
            for shown in [&[ALL][..], &[ALL, SSH]] {
                let source = FakeSource::of([vec![group(TARGET, shown)]]);
                let store = FakeStore::default();
                let events = [
                    rule_event("Authorize", ALL, 9, "arn:alice", "sgr-1"),
                    rule_event(first, SSH, 5, "arn:mallory", "sgr-2"),
                    rule_event(second, SSH, 5, "arn:mallory", "sgr-2"),
                ];
                let run = run(&source, &store, &queue(&events)).await;
                assert!(failed(&run).is_empty(), "{first} {shown:?}");
                assert_eq!(store.shows(TARGET), "FAILED opened by arn:alice");
            }
        }
    }
);

engine_test!(
    only_the_message_that_ec2_contradicts_fails_and_a_shown_violation_is_published,
    {
        let source = FakeSource::of([vec![group(TARGET, &[ALL])]]);
        let store = FakeStore::default();
        let events = [
            rule_event("Authorize", ALL, 9, "arn:alice", "sgr-1"),
            rule_event("Authorize", SSH, 5, "arn:mallory", "sgr-2"),
        ];
        let run = run(&source, &store, &queue(&events)).await;
        assert_eq!(failed(&run), ["m1"]);
        assert!(run.failures[0].error.is_retryable());
        assert_eq!(
            run.failures[0].event_id.as_deref(),
            Some("AuthorizeSecurityGroupIngress-5-arn:mallory")
        );
        assert_eq!(store.shows(TARGET), "FAILED opened by arn:alice");
        assert_eq!(source.called(), ["find"; 4]);
    }
);

engine_test!(
    a_revoked_rule_that_ec2_still_shows_does_not_turn_a_fixed_finding_failed,
    {
        let source = FakeSource::of([vec![group(TARGET, &[ALL])]]);
        let store = FakeStore::default();
        let revoked = rule_event("Revoke", ALL, 5, "arn:alice", "sgr-1");
        let first = run(&source, &store, &queue(std::slice::from_ref(&revoked))).await;
        assert_eq!(
            (failed(&first), store.shows(TARGET)),
            (vec!["m0"], "nothing".to_owned())
        );
        // What fails without it is published as it is without it.
        let other = ("-1", -1, -1, "sg-0000000000000000a");
        let source = FakeSource::of([vec![group(TARGET, &[ALL, other])]]);
        let second = run(&source, &store, &queue(&[revoked])).await;
        assert_eq!(
            (failed(&second), store.shows(TARGET)),
            (vec!["m0"], "FAILED".to_owned())
        );
        let hub = store.findings.lock().unwrap();
        let violations = hub[&GroupId::new(TARGET)].violations();
        assert_eq!(violations.len(), 1);
        assert_eq!(
            violations[0].source.group_id,
            Some(GroupId::new("sg-0000000000000000a"))
        );
    }
);

engine_test!(a_replaced_rule_costs_no_error, {
    let mut source = FakeSource::of([vec![group(TARGET, &[ALL])]]);
    source.rules = vec![shown_rule("sgr-2")];
    let store = FakeStore::default();
    let run = run(
        &source,
        &store,
        &rule_event("Revoke", ALL, 1, "arn:terraform", "sgr-1"),
    )
    .await;
    assert!(run.failures.is_empty());
    assert_eq!(store.shows(TARGET), "FAILED");
    assert_eq!(source.called(), ["find", "rules"]);
});

fn shown_rule(id: &str) -> GroupRule {
    GroupRule {
        rule_id: Some(RuleId::new(id)),
        group_id: Some(GroupId::new(TARGET)),
        is_ingress: Some(true),
        source: GroupId::new(SOURCE),
        traffic: Traffic::new(Protocol::ALL, None, None),
    }
}

engine_test!(a_pass_that_is_in_doubt_is_looked_at_again, {
    // Authorized and revoked in one second: EC2 shows the rule at the third look.
    let closed = vec![group(TARGET, &[])];
    let source = FakeSource::of([closed.clone(), closed, vec![group(TARGET, &[ALL])]]);
    let store = FakeStore::default();
    let events = [
        rule_event("Authorize", ALL, 5, "arn:alice", "sgr-1"),
        rule_event("Revoke", ALL, 5, "arn:alice", "sgr-1"),
    ];
    let run = run(&source, &store, &queue(&events)).await;
    assert!(run.failures.is_empty());
    assert_eq!(store.shows(TARGET), "FAILED opened by arn:alice");
    assert_eq!(source.called(), ["find"; 3]);
});

engine_test!(
    an_old_event_does_not_name_its_actor_unless_its_very_rule_is_still_there,
    {
        let days_ago = 2 * 24 * 3600;
        for (shown, opener) in [("sgr-1", " opened by arn:alice"), ("sgr-9", "")] {
            let mut source = FakeSource::of([vec![group(TARGET, &[ALL])]]);
            source.rules = vec![shown_rule(shown)];
            let store = FakeStore::default();
            run(
                &source,
                &store,
                &rule_event("Authorize", ALL, days_ago, "arn:alice", "sgr-1"),
            )
            .await;
            assert_eq!(store.shows(TARGET), format!("FAILED{opener}"));
            assert_eq!(source.called(), ["find", "rules"]);
        }
    }
);

engine_test!(
    a_sweep_keeps_the_opener_while_his_violation_stands_and_drops_him_when_it_is_gone,
    {
        let store = FakeStore::default();
        let open = FakeSource::of([vec![group(TARGET, &[ALL])]]);
        run(
            &open,
            &store,
            &rule_event("Authorize", ALL, 5, "arn:alice", "sgr-1"),
        )
        .await;
        let other = ("tcp", 0, 65_535, "sg-0000000000000000a");
        let both = FakeSource::of([vec![group(TARGET, &[ALL, other])]]);
        run(&both, &store, &json!({"action": "sweep"})).await;
        assert_eq!(store.shows(TARGET), "FAILED opened by arn:alice");
        let another = FakeSource::of([vec![group(TARGET, &[other])]]);
        run(&another, &store, &json!({"action": "sweep"})).await;
        assert_eq!(store.shows(TARGET), "FAILED");
    }
);

engine_test!(
    what_an_event_publishes_while_a_sweep_runs_keeps_its_opener,
    {
        let store = FakeStore::default();
        let hub = Arc::clone(&store.findings);
        let mut source = FakeSource::of([vec![group(TARGET, &[ALL])]]);
        source.meanwhile = Some(Box::new(move |_| {
            let group = group(TARGET, &[ALL]);
            let verdict = crate::policy::evaluate(
                &Settings::default(),
                &group,
                &crate::policy::ReferencedGroups::default(),
                jiff::civil::Date::MIN,
            );
            let authorized = event::read(&rule_event("Authorize", ALL, 1, "arn:alice", "sgr-1"));
            let events: Vec<_> = authorized.triggers().collect();
            let now = Timestamp::now();
            let mut finding = Finding::evaluated(&context(), now, group, verdict);
            finding.attribution = Attribution::of(&events, finding.violations(), now, &[]);
            finding.cause = Cause::Event;
            import(&mut hub.lock().unwrap(), &finding);
            std::thread::sleep(Duration::from_millis(3));
        }));
        run(&source, &store, &json!({"action": "sweep"})).await;
        assert_eq!(store.shows(TARGET), "FAILED opened by arn:alice");
    }
);

engine_test!(a_sweep_reads_events_only_of_findings_that_carry_some, {
    let store = FakeStore::default();
    let ids: Vec<_> = (0..50).map(|number| format!("sg-{number:017}")).collect();
    let groups: Vec<_> = ids.iter().map(|id| group(id, &[ALL])).collect();
    let source = FakeSource::of([groups]);
    run(&source, &store, &json!({"action": "sweep"})).await;
    store.calls.lock().unwrap().clear();
    // Other settings: every finding differs.
    let settings = Settings {
        severity: crate::policy::Severity::High,
        ..Settings::default()
    };
    run_with(&settings, &source, &store, &json!({"action": "sweep"})).await;
    assert_eq!(store.called(), ["Active", "ByEventSince", "import 50"]);
    store.calls.lock().unwrap().clear();
    run_with(&settings, &source, &store, &json!({"action": "sweep"})).await;
    assert_eq!(store.called(), ["Active"]);
});

engine_test!(a_refused_extra_look_does_not_end_the_sweep, {
    let store = FakeStore {
        rejects_extra_filters: true,
        ..FakeStore::default()
    };
    let source = FakeSource::of([vec![group(TARGET, &[ALL])]]);
    let run = run(&source, &store, &json!({"action": "sweep"})).await;
    assert!(run.failures.is_empty());
    assert_eq!(store.shows(TARGET), "FAILED");
    assert!(
        run.stats
            .all_warnings()
            .any(|warning| warning.contains("the filter is not valid"))
    );
});

engine_test!(a_deletion_beside_a_sweep_archives_though_the_hub_lags, {
    let store = FakeStore::default();
    let open = FakeSource::of([vec![group(TARGET, &[ALL])]]);
    run(
        &open,
        &store,
        &rule_event("Authorize", ALL, 5, "arn:alice", "sgr-1"),
    )
    .await;
    *store.lagging.lock().unwrap() = Some(Vec::new());
    let gone = FakeSource::of([Vec::new()]);
    let run = run(
        &gone,
        &store,
        &queue(&[delete_event(1), json!({"action": "sweep"})]),
    )
    .await;
    assert!(failed(&run).is_empty());
    assert_eq!(
        (run.outcome.archived, store.shows(TARGET)),
        (1, "GONE".to_owned())
    );
});

engine_test!(
    a_new_group_that_ec2_does_not_show_yet_is_not_taken_for_gone,
    {
        for looks_until_shown in 1..=3 {
            let mut looks = vec![Vec::new(); looks_until_shown];
            looks.push(vec![group(TARGET, &[])]);
            let source = FakeSource::of(looks);
            let store = FakeStore::default();
            let run = run(
                &source,
                &store,
                &json!({"action": "evaluate", "group_ids": [TARGET]}),
            )
            .await;
            assert_eq!((run.outcome.passed, run.outcome.archived), (1, 0));
            assert_eq!(store.shows(TARGET), "PASSED");
            assert_eq!(source.called().len(), looks_until_shown + 1);
        }
        let source = FakeSource::of([Vec::new()]);
        let store = FakeStore::default();
        run(
            &source,
            &store,
            &json!({"action": "evaluate", "group_ids": [TARGET]}),
        )
        .await;
        assert_eq!(
            (store.shows(TARGET), source.called()),
            ("GONE".to_owned(), vec!["find"; 4])
        );
    }
);

engine_test!(without_time_for_another_look_nothing_is_said_to_be_gone, {
    let source = FakeSource::of([Vec::new()]);
    let store = FakeStore::default();
    let settings = Settings::default();
    let engine = Engine {
        until: Some(Instant::now() + Duration::from_millis(1200)),
        ..Engine::new(&settings, context(), &source, &store)
    };
    let run = engine
        .handle(&event::read(
            &json!({"action": "evaluate", "group_ids": [TARGET]}),
        ))
        .await;
    assert!(run.failures[0].error.is_retryable());
    assert_eq!(store.shows(TARGET), "nothing");
});

engine_test!(a_deleted_group_is_archived_at_once, {
    let source = FakeSource::of([Vec::new()]);
    let store = FakeStore::default();
    run(&source, &store, &delete_event(1)).await;
    assert_eq!(
        (store.shows(TARGET), source.called()),
        ("GONE".to_owned(), vec!["find"])
    );
    // While EC2 still shows it, nothing is published: it would come back.
    let source = FakeSource::of([vec![group(TARGET, &[ALL])]]);
    let store = FakeStore::default();
    let run = run(&source, &store, &delete_event(1)).await;
    assert!(run.failures[0].error.is_retryable());
    assert_eq!(store.shows(TARGET), "nothing");
});

engine_test!(
    an_event_that_does_not_name_its_target_is_covered_by_a_sweep_a_minute_later_only,
    {
        let settings = Settings::default();
        let unknown = call_event(
            "AuthorizeSecurityGroupIngress",
            &Value::Null,
            &Value::Null,
            30,
            "arn:alice",
        );
        for (sweep_began_after, ignored) in [(0, false), (59, false), (60, true)] {
            let source = FakeSource::of([Vec::new()]);
            let store = FakeStore::default();
            let event = Timestamp::now() - SignedDuration::from_secs(30);
            let engine = Engine {
                swept_since: Some(event + SignedDuration::from_secs(sweep_began_after)),
                ..Engine::new(&settings, context(), &source, &store)
            };
            let run = engine.handle(&event::read(&unknown)).await;
            assert_eq!(
                run.outcome.ignored.is_some(),
                ignored,
                "{sweep_began_after} s"
            );
            assert_eq!(run.sweep.is_none(), ignored);
        }
    }
);

engine_test!(events_that_do_not_name_their_target_share_one_sweep, {
    let unknown = call_event(
        "AuthorizeSecurityGroupIngress",
        &Value::Null,
        &Value::Null,
        30,
        "arn:alice",
    );
    let source = FakeSource::of([vec![group(TARGET, &[ALL])]]);
    let store = FakeStore::default();
    let run = run(&source, &store, &queue(&vec![unknown; 8])).await;
    assert!(failed(&run).is_empty());
    assert_eq!(source.called(), ["page"]);
});

engine_test!(a_refused_finding_fails_its_own_messages_only, {
    let other = "sg-0000000000000000a";
    let source = FakeSource::of([vec![group(TARGET, &[ALL]), group(other, &[])]]);
    let store = FakeStore {
        refused: vec![TARGET],
        ..FakeStore::default()
    };
    let evaluate = |id: &str| json!({"action": "evaluate", "group_ids": [id]});
    let run = run(
        &source,
        &store,
        &queue(&[evaluate(TARGET), evaluate(other), json!({"nonsense": 1})]),
    )
    .await;
    assert_eq!(failed(&run), ["m0", "m2"]);
    assert!(!run.failures[0].error.is_retryable());
    assert_eq!(store.shows(other), "PASSED");
    assert_eq!((run.stats.published, run.stats.refused), (1, 1));
});

engine_test!(a_source_that_is_away_fails_every_message_as_retryable, {
    let source = FakeSource {
        fails: true,
        ..FakeSource::default()
    };
    let store = FakeStore::default();
    let events = [
        rule_event("Authorize", ALL, 5, "arn:alice", "sgr-1"),
        json!({"action": "sweep"}),
    ];
    let run = run(&source, &store, &queue(&events)).await;
    assert_eq!(failed(&run), ["m0", "m1"]);
    assert!(
        run.failures
            .iter()
            .all(|failed| failed.error.is_retryable())
    );
    assert!(run.sweep.is_some_and(|sweep| !sweep.is_complete));
});

engine_test!(a_sweep_leaves_to_the_events_what_they_name, {
    let source = FakeSource::of([vec![group(TARGET, &[ALL])]]);
    let store = FakeStore::default();
    let batch = queue(&[
        rule_event("Revoke", ALL, 5, "arn:alice", "sgr-1"),
        json!({"action": "sweep"}),
    ]);
    let run = run(&source, &store, &batch).await;
    // EC2 still shows the revoked rule: neither the event nor the sweep publishes it.
    assert_eq!(
        (failed(&run), store.shows(TARGET)),
        (vec!["m0"], "nothing".to_owned())
    );
});

engine_test!(a_sweep_that_runs_out_of_time_says_how_far_it_got, {
    let source = FakeSource::of([vec![group(TARGET, &[ALL])]]);
    let store = FakeStore::default();
    let settings = Settings::default();
    let engine = Engine {
        until: Some(Instant::now() + Duration::from_millis(500)),
        ..Engine::new(&settings, context(), &source, &store)
    };
    let run = engine.sweep(&BTreeSet::new()).await;
    let error = run.end.unwrap_err();
    assert!(error.is_retryable());
    insta::assert_snapshot!(error, @"out of time during the sweep, reading the published findings: 0 groups evaluated, 0 findings published; the next sweep goes on");
});

#[test]
fn an_opened_rule_reads_back() {
    let rule = OpenedRule::parse("sg-0bbb tcp").unwrap();
    assert_eq!(rule.to_string(), "sg-0bbb tcp");
    assert_eq!(OpenedRule::parse("sg-0bbb"), None);
}
