//! The groups that events name: fetched, evaluated, and published whatever the hub has, which is not read.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::evaluate::{Evaluated, KnownRules};
use super::plan::{Failures, Request, messages_of};
use super::resolve::Resolved;
use super::source::GroupSource;
use super::stats::RunStats;
use super::store::{FindingStore, StoreError};
use super::{Engine, EngineError, Outcome};
use crate::event::Trigger;
use crate::finding::{Attribution, Cause, Finding, Seen, Subject};
use crate::model::{GroupId, GroupRule};

/// The result for the groups that events name.
#[derive(Debug, Default)]
pub(super) struct EventRun {
    pub(super) outcome: Outcome,
    pub(super) ignored: BTreeSet<String>,
    pub(super) failures: Failures,
    pub(super) stats: RunStats,
}

impl<S: GroupSource, K: FindingStore> Engine<'_, S, K> {
    /// Fetches, evaluates and publishes the groups that events name. A message that fails does not cost the others.
    pub(super) async fn run_events(&self, resolved: Resolved<'_>) -> EventRun {
        let before = EventRun {
            ignored: resolved.ignored.clone(),
            failures: resolved.failures.clone(),
            stats: RunStats {
                stale_reads: resolved.stale_reads,
                ..RunStats::default()
            },
            ..EventRun::default()
        };
        if resolved.requests.is_empty() {
            return before;
        }
        match self.evaluate_requests(&resolved).await {
            Ok(run) => before.and(run),
            Err(error) => before.and(EventRun {
                failures: Failures::of(messages_of(resolved.requests.values()), error),
                ..EventRun::default()
            }),
        }
    }

    async fn evaluate_requests(&self, resolved: &Resolved<'_>) -> Result<EventRun, EngineError> {
        let requests = &resolved.requests;
        let fetched = self.fetch(resolved).await?;
        let foreign = fetched
            .foreign
            .into_iter()
            .map(|(id, owner)| format!("{id} belongs to {owner}: its own function evaluates it"));
        let evaluated = self.evaluate(fetched.groups).await?;
        let (findings, of_rules) = self
            .findings(requests, evaluated, fetched.gone, &fetched.rules)
            .await;
        let published = self.show(&findings);
        let published = match published {
            Ok(()) => self.publish(&findings).await,
            Err(error) => Err(error),
        };
        let mut run = EventRun {
            ignored: foreign.collect(),
            failures: fetched.failures,
            stats: fetched.stats.and(of_rules),
            ..EventRun::default()
        };
        let refused = match published {
            Ok(()) => Vec::new(),
            Err(StoreError::Refused(refusals)) => refusals,
            Err(error) => {
                let of_findings = findings.iter();
                let done = of_findings.filter_map(|finding| requests.get(&finding.group_id));
                run.failures.add(messages_of(done), error);
                return Ok(run);
            }
        };
        let now = self.clock.now();
        let is_refused = |finding: &Finding| {
            let of_finding = Some(&finding.group_id);
            refused
                .iter()
                .any(|refusal| refusal.group_id.as_ref() == of_finding)
        };
        for finding in &findings {
            let events = requests.get(&finding.group_id).map(Request::triggers);
            let ages = RunStats::of_events(events.unwrap_or_default(), now);
            let is_published = !is_refused(finding);
            run.outcome = run.outcome.add(Outcome::of(finding));
            run.stats = run.stats.and(RunStats::of_finding(finding)).and(RunStats {
                published: u64::from(is_published),
                refused: u64::from(!is_published),
                ..ages
            });
        }
        for refusal in refused {
            let request = refusal.group_id.as_ref().and_then(|id| requests.get(id));
            let messages = match request {
                Some(request) => request.messages(),
                None => messages_of(requests.values()),
            };
            run.failures
                .add(messages, StoreError::Refused(vec![refusal]));
        }
        Ok(run)
    }

    /// The findings of evaluated and of gone groups, by their ids, each with the events that led to it. `earlier` are rules
    /// that were asked for before the last look.
    async fn findings(
        &self,
        requests: &BTreeMap<GroupId, Request<'_>>,
        evaluated: Vec<Evaluated>,
        gone: BTreeMap<GroupId, Timestamp>,
        earlier: &KnownRules,
    ) -> (Vec<Finding>, RunStats) {
        let events_of = |id: &GroupId| requests.get(id).map(Request::triggers).unwrap_or_default();
        let needs_rules = |one: &&Evaluated| {
            let id = &one.group.group_id;
            let rules = [earlier.of(id)];
            let seen = one.seen(one.at, &rules);
            self.wants_rule_ids(&one.verdict)
                || self.source.is_live() && Attribution::needs_rules(&events_of(id), seen)
        };
        let asked: Vec<_> = evaluated
            .iter()
            .filter(needs_rules)
            .map(|one| one.group.group_id.clone())
            .collect();
        let known = self.known_rules(&asked).await;
        let attributed = |events: &[&Trigger], one: &Evaluated, rules: &[&[GroupRule]]| {
            let at = self.attributed_at(events, one.at);
            Attribution::of(events, one.seen(at, rules))
        };
        let mut findings = BTreeMap::new();
        for one in evaluated {
            let id = one.group.group_id.clone();
            let rules = known.of(&id);
            let attribution = attributed(&events_of(&id), &one, &[earlier.of(&id), rules]);
            let at = one.at;
            let subject = self.with_rule_ids(one.subject(), rules);
            let finding = self.finding(id.clone(), subject, at, attribution, Cause::Event);
            findings.insert(id, finding);
        }
        for (id, at) in gone {
            let nothing = Seen {
                at,
                violations: &[],
                egress: &[],
                rules: &[],
            };
            let attribution = Attribution::of(&events_of(&id), nothing);
            let finding = self.finding(id.clone(), Subject::Gone, at, attribution, Cause::Event);
            findings.insert(id, finding);
        }
        (findings.into_values().collect(), known.stats)
    }
}

impl<S: GroupSource, K: FindingStore> Engine<'_, S, K> {
    /// The moment that events are as old as of: that of the observation. A snapshot is of the moment of the last event.
    fn attributed_at(&self, events: &[&Trigger], observed_at: Timestamp) -> Timestamp {
        let last = events
            .iter()
            .filter_map(|event| event.record.moment())
            .max();
        last.filter(|_| !self.source.is_live())
            .unwrap_or(observed_at)
    }
}

impl EventRun {
    fn and(mut self, other: Self) -> Self {
        self.outcome = self.outcome.add(other.outcome);
        self.ignored.extend(other.ignored);
        self.failures.join(other.failures);
        self.stats = self.stats.and(other.stats);
        self
    }
}
