//! One invocation, from its JSON to its published findings: the only place that knows source, policy and sink together.
//!
//! The Lambda function, `replay` and `scan` are this with other ends. The targets of all events of an invocation are
//! merged: each group is fetched and evaluated once, however many events name it.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;

use crate::engine::source::{GroupSource, Observation, Owner, Query, SourceError};
use crate::engine::stats::RunStats;
use crate::engine::store::{FindingFilter, FindingStore, PublishedFinding, StoreError};
use crate::event::{Action, Batch, Shape, Target, Trigger, TriggerError};
use crate::finding::{Context, Finding, Subject};
use crate::model::{GroupId, SecurityGroup};
use crate::policy::{Settings, Status};

mod evaluate;
mod fetch;
mod offline;
mod plan;
mod resolve;
pub mod source;
mod staleness;
pub mod stats;
pub mod store;
mod sweep;

use plan::{Failures, Plan, messages_of};
pub use sweep::Swept;

/// The way of events through a source, the policy and a sink.
#[derive(Clone)]
pub struct Engine<'a, S, K> {
    /// The policy with its settings.
    pub policy: &'a Settings,
    /// Where findings stand, and what they have in common.
    pub context: Arc<Context>,
    /// Where groups come from.
    pub source: &'a S,
    /// Where findings go.
    pub sink: &'a K,
    /// Is shown every finding, also those that need not be published.
    pub observer: Option<&'a Observer<'a>>,
    /// When the run must be over.
    pub until: Option<Instant>,
    /// When the last sweep began that came to its end: what happened before is covered.
    pub covered_since: Option<Timestamp>,
}

/// Sees findings as they are made.
pub type Observer<'a> = dyn Fn(&Finding) -> Result<(), StoreError> + Sync + 'a;

/// What was done: the function's answer to one event.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Outcome {
    /// Groups that were evaluated and, where it was needed, published.
    pub evaluated: u64,
    /// Of these, those without a violation.
    pub passed: u64,
    /// Of these, those with a violation that no exemption covers.
    pub failed: u64,
    /// Of these, those with violations, all exempt.
    pub exempt: u64,
    /// Groups that are gone, whose findings were archived.
    pub archived: u64,
    /// Why nothing was done, when nothing was.
    pub ignored: Option<String>,
}

/// What came of an invocation.
#[derive(Debug)]
pub struct RunResult {
    /// What the events came in.
    pub shape: Shape,
    /// What was done.
    pub outcome: Outcome,
    /// The messages that did not come to their end.
    pub failures: Vec<Failed>,
    /// When the sweep began, if there was one and it came to its end.
    pub swept_since: Option<Timestamp>,
}

/// A message that did not come to its end.
#[derive(Debug, Clone)]
pub struct Failed {
    /// SQS's `messageId`, where it came from there.
    pub sqs_id: Option<String>,
    /// Why.
    pub error: Arc<EngineError>,
}

/// Why a message did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// It is no event.
    #[error(transparent)]
    Trigger(#[from] TriggerError),
    /// The groups could not be had.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Findings were not published.
    #[error(transparent)]
    Sink(#[from] StoreError),
    /// The event names a group by a name that no group has.
    #[error(
        "no security group of the default VPC is named {0:?}: it is too new, renamed or gone; the next sweep covers it"
    )]
    NoSuchName(String),
    /// More than one group has the name that the event gives.
    #[error(
        "more than one security group is named {0:?}: which one the event means is not known; the next sweep covers it"
    )]
    Ambiguous(String),
    /// EC2 does not show yet what the event proves.
    #[error("ec2 does not show yet what the event says of {0}: nothing was published for it")]
    Stale(String),
    /// The time of the run is over.
    #[error(
        "out of time during the sweep, {what}: {evaluated} groups evaluated, {published} findings published; the next sweep goes on"
    )]
    OutOfTime {
        /// What was being done.
        what: &'static str,
        /// How many groups were evaluated.
        evaluated: u64,
        /// How many findings were published.
        published: u64,
    },
}

impl RunResult {
    /// What was done, or why not everything was.
    ///
    /// # Errors
    /// When a message failed: the first error, which of several is the one that may pass if there is any.
    pub fn result(self) -> Result<Outcome, Arc<EngineError>> {
        let mut errors: Vec<_> = self
            .failures
            .into_iter()
            .map(|failed| failed.error)
            .collect();
        errors.sort_by_key(|error| !error.is_retryable());
        errors.into_iter().next().map_or(Ok(self.outcome), Err)
    }
}

impl EngineError {
    /// Is it worth trying again?
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Trigger(_) => false,
            Self::Source(error) => error.is_retryable(),
            Self::Sink(error) => error.is_retryable(),
            Self::NoSuchName(_) | Self::Ambiguous(_) | Self::Stale(_) | Self::OutOfTime { .. } => {
                true
            }
        }
    }
}

impl<'a, S, K> Engine<'a, S, K> {
    /// With no observer, no end, and nothing covered yet.
    pub fn new(policy: &'a Settings, context: Arc<Context>, source: &'a S, sink: &'a K) -> Self {
        Self {
            policy,
            context,
            source,
            sink,
            observer: None,
            until: None,
            covered_since: None,
        }
    }
}

impl<S: GroupSource, K: FindingStore> Engine<'_, S, K> {
    /// Does what the events of an invocation ask for. A message that fails does not cost the others.
    pub async fn handle(&self, batch: &Batch, trace: &mut RunStats) -> RunResult {
        let mut failures = Failures::default();
        let mut work = Plan::default();
        for (number, message) in batch.messages.iter().enumerate() {
            match &message.trigger {
                Ok(trigger) => {
                    trace.began(trigger);
                    self.plan(number, trigger, &mut work, trace);
                }
                Err(error) => failures.add(&BTreeSet::from([number]), error.clone()),
            }
        }
        if batch.messages.is_empty() {
            work.left.insert("there is no event in it".to_owned());
        }
        let mut outcome = Outcome::default();
        let mut swept_since = None;
        self.resolve(&mut work, &mut failures, trace).await;
        if !work.sweep.messages.is_empty() {
            swept_since = self
                .sweep_for(&mut work, &mut outcome, &mut failures, trace)
                .await;
        }
        self.evaluate_groups(&mut work, &mut outcome, &mut failures, trace)
            .await;
        let has_done = outcome.evaluated + outcome.archived > 0 || swept_since.is_some();
        if !has_done && failures.0.is_empty() && !work.left.is_empty() {
            outcome.ignored = Some(work.left.into_iter().collect::<Vec<_>>().join("; "));
        }
        let failures = failures.0.into_iter().map(|(number, error)| Failed {
            sqs_id: batch
                .messages
                .get(number)
                .and_then(|message| message.sqs_id.clone()),
            error,
        });
        RunResult {
            shape: batch.shape,
            outcome,
            failures: failures.collect(),
            swept_since,
        }
    }

    /// Notes what one event asks for.
    fn plan<'t>(
        &self,
        number: usize,
        trigger: &'t Trigger,
        work: &mut Plan<'t>,
        trace: &mut RunStats,
    ) {
        if let Some(reason) = self.is_foreign(trigger) {
            trace.ignored += 1;
            trace.foreign += 1;
            work.left.insert(reason);
            return;
        }
        match &trigger.action {
            Action::Ignore(reason) => {
                trace.ignored += 1;
                work.left.insert(reason.clone());
            }
            Action::Sweep(Some(reason)) if self.is_covered(trigger) => {
                trace.ignored += 1;
                work.left.insert(format!(
                    "already covered by a sweep that began later ({reason})"
                ));
            }
            Action::Sweep(_) => work.sweep.add(number, trigger),
            Action::Evaluate(targets) => {
                for target in targets {
                    let interest = match target {
                        Target::GroupId(id) => work.groups.entry(id.clone()).or_default(),
                        Target::GroupName(name) => work.names.entry(name.clone()).or_default(),
                        Target::DefaultGroupOf(vpc) => {
                            work.default_groups.entry(vpc.clone()).or_default()
                        }
                        Target::GroupsOfVpc(vpc) => work.vpcs.entry(vpc.clone()).or_default(),
                        Target::Referencing(_) if self.policy.sensitivity.is_none() => continue,
                        Target::Referencing(id) => work.referenced.entry(id.clone()).or_default(),
                    };
                    interest.add(number, trigger);
                }
            }
        }
    }

    /// Did a sweep begin after the event, which does not tell its target?
    fn is_covered(&self, trigger: &Trigger) -> bool {
        trigger
            .record
            .moment()
            .zip(self.covered_since)
            .is_some_and(|(event, sweep)| event < sweep)
    }

    /// Why an event is another function's: it happened in another account or Region.
    fn is_foreign(&self, trigger: &Trigger) -> Option<String> {
        let scope = &self.context.scope;
        let account = trigger.account.as_ref().unwrap_or(&scope.account);
        let region = trigger.region.as_ref().unwrap_or(&scope.region);
        (account != &scope.account || region != &scope.region).then(|| {
            format!(
                "the event is of account {account}, region {region}, not of {}, {}: its own function evaluates it",
                scope.account, scope.region
            )
        })
    }

    /// The sweep, which covers the groups that events of the same invocation name.
    async fn sweep_for(
        &self,
        work: &mut Plan<'_>,
        outcome: &mut Outcome,
        failures: &mut Failures,
        trace: &mut RunStats,
    ) -> Option<Timestamp> {
        match self.sweep(&work.groups, trace).await {
            Ok(swept) => {
                let now = Timestamp::now();
                for (id, interest) in &work.groups {
                    if !swept.stale.contains(id) {
                        interest.answered(trace, now);
                    }
                }
                for id in &swept.stale {
                    if let Some(interest) = work.groups.get(id) {
                        failures.add(&interest.messages, EngineError::Stale(id.to_string()));
                    }
                }
                work.groups.clear();
                *outcome = swept.outcome;
                Some(swept.since)
            }
            // The groups that events name are evaluated all the same.
            Err(error) => {
                failures.add(&work.sweep.messages, error);
                None
            }
        }
    }

    /// Fetches, evaluates and publishes the groups that events name.
    async fn evaluate_groups(
        &self,
        work: &mut Plan<'_>,
        outcome: &mut Outcome,
        failures: &mut Failures,
        trace: &mut RunStats,
    ) {
        let mut groups = std::mem::take(&mut work.groups);
        if groups.is_empty() {
            return;
        }
        let found = std::mem::take(&mut work.found);
        let mut fetched = match self.fetch(&groups, found, trace).await {
            Ok(fetched) => fetched,
            Err(error) => return failures.add(&messages_of(&groups), error),
        };
        for (id, owner) in std::mem::take(&mut fetched.foreign) {
            work.left.insert(format!(
                "{id} belongs to {owner}: its own function evaluates it"
            ));
            groups.remove(&id);
        }
        for id in std::mem::take(&mut fetched.stale) {
            if let Some(interest) = groups.remove(&id) {
                failures.add(&interest.messages, EngineError::Stale(id.to_string()));
            }
        }
        let mut observed = Vec::with_capacity(groups.len());
        let mut findings = Vec::with_capacity(groups.len());
        for id in groups.keys() {
            match fetched.found.remove(id) {
                Some(group) => observed.push(group),
                None => {
                    let at = fetched.looked_at(id);
                    findings.push(Finding::gone(&self.context, at, id.clone()));
                }
            }
        }
        match self.judge(observed, trace).await {
            Ok(evaluated) => findings.extend(evaluated),
            Err(error) => return failures.add(&messages_of(&groups), error),
        }
        findings.sort_by(|one, other| one.group_id.cmp(&other.group_id));
        let mut done = Outcome::default();
        for finding in &mut findings {
            done.count(finding);
            note(finding, trace);
            if let Some(interest) = groups.get(&finding.group_id) {
                finding.led_to_by(&interest.in_time());
            }
        }
        self.name_rules(findings.iter_mut().collect(), trace).await;
        let published = match self.show(&findings) {
            Ok(()) => self.publish(&findings, trace).await,
            Err(error) => Err(error),
        };
        match published {
            Ok(()) => {}
            Err(StoreError::Refused(refusals)) => {
                for refusal in refusals {
                    let id = GroupId::new(refusal.id.rsplit('/').next().unwrap_or_default());
                    let messages = groups.get(&id).map_or_else(
                        || messages_of(&groups),
                        |interest| interest.messages.clone(),
                    );
                    failures.add(&messages, StoreError::Refused(vec![refusal]));
                }
            }
            Err(error) => return failures.add(&messages_of(&groups), error),
        }
        let now = Timestamp::now();
        for interest in groups.values() {
            interest.answered(trace, now);
        }
        outcome.add(&done);
    }

    /// Waits, if there is a wait left and time for it.
    async fn wait(&self, wait: Option<Duration>) -> bool {
        /// What the call after the wait, and publishing, may take.
        const CALLS: Duration = Duration::from_secs(1);
        let Some(wait) =
            wait.filter(|wait| self.time_left().is_none_or(|left| left > *wait + CALLS))
        else {
            return false;
        };
        tokio::time::sleep(wait).await;
        true
    }

    fn time_left(&self) -> Option<Duration> {
        self.until
            .map(|until| until.saturating_duration_since(Instant::now()))
    }

    async fn find(
        &self,
        query: Query<'_>,
        owner: Owner,
        trace: &mut RunStats,
    ) -> Result<Observation, EngineError> {
        Ok(timed(self.source.find(query, owner), &mut trace.fetching).await?)
    }

    /// All of the product's own findings of a kind of which there are few.
    async fn read(
        &self,
        which: FindingFilter<'_>,
        trace: &mut RunStats,
    ) -> Result<Vec<PublishedFinding>, EngineError> {
        let mut findings = Vec::new();
        let mut next = None;
        loop {
            let reading = self.sink.standing(which, next);
            let page = timed(reading, &mut trace.publishing).await?;
            findings.extend(page.findings);
            next = page.next;
            if next.is_none() {
                return Ok(findings);
            }
        }
    }

    fn show(&self, findings: &[Finding]) -> Result<(), StoreError> {
        self.observer
            .map_or(Ok(()), |observer| findings.iter().try_for_each(observer))
    }

    async fn publish(&self, findings: &[Finding], trace: &mut RunStats) -> Result<(), StoreError> {
        if findings.is_empty() {
            return Ok(());
        }
        let published = timed(self.sink.publish(findings), &mut trace.publishing).await;
        let refused = match &published {
            Ok(()) => 0,
            Err(StoreError::Refused(refusals)) => refusals.len(),
            // Some may have been taken; that none was lost is what counts here.
            Err(_) => return published,
        };
        trace.refused += u64::try_from(refused).unwrap_or_default();
        trace.published +=
            u64::try_from(findings.len().saturating_sub(refused)).unwrap_or_default();
        published
    }

    fn owns(&self, group: &SecurityGroup) -> bool {
        group
            .owner_id
            .as_ref()
            .is_none_or(|owner| owner == &self.context.scope.account)
    }
}

fn note(finding: &Finding, trace: &mut RunStats) {
    match &finding.subject {
        Subject::Evaluated(_, verdict) => {
            trace.evaluated += 1;
            trace.failed += u64::from(verdict.status == Status::Failed);
            trace.note(&finding.group_id, verdict.status.as_str());
        }
        Subject::Gone => trace.note(&finding.group_id, "GONE"),
        Subject::Retired => trace.note(&finding.group_id, "RETIRED"),
    }
}

/// Adds how long it takes.
async fn timed<T>(work: impl Future<Output = T>, spent: &mut Duration) -> T {
    let began = Instant::now();
    let done = work.await;
    *spent += began.elapsed();
    done
}

impl Outcome {
    fn count(&mut self, finding: &Finding) {
        let Subject::Evaluated(_, verdict) = &finding.subject else {
            self.archived += 1;
            return;
        };
        self.evaluated += 1;
        match verdict.status {
            Status::Passed => self.passed += 1,
            Status::Failed => self.failed += 1,
            Status::Exempt => self.exempt += 1,
        }
    }

    fn add(&mut self, other: &Self) {
        self.evaluated += other.evaluated;
        self.passed += other.passed;
        self.failed += other.failed;
        self.exempt += other.exempt;
        self.archived += other.archived;
    }
}

impl<S: std::fmt::Debug, K: std::fmt::Debug> std::fmt::Debug for Engine<'_, S, K> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Engine")
            .field("context", &self.context)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}
