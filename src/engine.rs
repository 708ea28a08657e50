//! One invocation, from its events to its published findings: read, decide, apply.
//!
//! ```text
//! batch ──plan──▶ requests ──resolve──▶ groups ──fetch──▶ observed ──evaluate──▶ findings ──▶ store
//!        (pure)            (reads)              (reads; staleness decides)  (policy)
//!                 sweep: own findings + pages of groups ──reconcile (pure)──▶ changes ──▶ store
//! ```
//!
//! The Lambda function, `replay` and `scan` are this with other ends. The targets of all events of an invocation are
//! merged: each group is fetched and evaluated once, however many events name it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;

use crate::event::{Batch, Message, Shape, TriggerError};
use crate::finding::{Attribution, Cause, Context, Finding, Lifecycle, Subject};
use crate::model::{AccountId, SecurityGroup};
use crate::policy::Settings;

pub mod clock;
mod evaluate;
mod event;
mod fetch;
mod offline;
mod plan;
mod reconcile;
mod resolve;
pub mod route;
#[cfg(test)]
mod simulation;
pub mod source;
mod staleness;
pub mod stats;
pub mod store;
mod sweep;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use clock::{Clock, SystemClock};
use plan::{Failures, Plan};
use route::RefusedMessage;
use source::{GroupSource, SourceError};
use stats::RunStats;
use store::{FindingFilter, FindingStore, IMPORT, PublishedFinding, StoreError};
pub use sweep::SweepRun;

/// The way of events through a source, the policy and a store.
#[derive(Clone)]
pub struct Engine<'a, S, K> {
    pub settings: &'a Settings,
    /// Where findings stand, and what they have in common.
    pub context: Arc<Context>,
    /// Where groups come from.
    pub source: &'a S,
    /// Where findings are kept.
    pub store: &'a K,
    pub clock: &'a dyn Clock,
    /// Is shown every finding, also those that need not be published.
    pub observer: Option<&'a Observer<'a>>,
    /// When the run must be over.
    pub until: Option<Instant>,
    /// When the last sweep of this process began that came to its end.
    pub swept_since: Option<Timestamp>,
}

/// Sees findings as they are made.
pub type Observer<'a> = dyn Fn(&Finding) -> Result<(), StoreError> + Sync + 'a;

/// The function's answer to one event.
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

/// The result of an invocation.
#[derive(Debug)]
pub struct RunResult {
    /// The envelope of the events.
    pub shape: Shape,
    pub outcome: Outcome,
    /// The messages that did not come to their end, in the order of the batch.
    pub failures: Vec<FailedMessage>,
    /// The sweep, if there was one.
    pub sweep: Option<SweepEnd>,
    pub stats: RunStats,
}

/// The end of a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SweepEnd {
    /// When it began.
    pub since: Timestamp,
    pub took: Duration,
    /// Whether it came to its end.
    pub is_complete: bool,
}

/// A message that did not come to its end.
#[derive(Debug, Clone)]
pub struct FailedMessage {
    /// Its number in the batch, from 0.
    pub number: usize,
    /// SQS's `messageId`, where it came from there.
    pub sqs_id: Option<String>,
    /// The event's name: the call's, or its detail-type.
    pub event: Option<String>,
    pub event_id: Option<String>,
    /// The account that it is of, where it tells.
    pub account: Option<AccountId>,
    pub error: Arc<EngineError>,
}

/// Why a message did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// It is no event.
    #[error(transparent)]
    Event(#[from] TriggerError),
    /// It is not taken from where it came, or not of an account that this function works for.
    #[error(transparent)]
    NotTaken(#[from] RefusedMessage),
    /// A member account, or the list of all, cannot be reached.
    #[error(transparent)]
    Member(#[from] MemberError),
    /// The time of the invocation is over.
    #[error("the time of the invocation ran out before everything was evaluated and published")]
    NoTimeLeft,
    /// The groups could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Findings were not published, or not read.
    #[error(transparent)]
    Store(#[from] StoreError),
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
    #[error("ec2 does not show yet what the event says of {0}: it is evaluated again")]
    Stale(String),
    /// The time of the run is over.
    #[error(
        "out of time during the sweep, {what}: {evaluated} groups evaluated, {published} findings published; the next sweep goes on"
    )]
    OutOfTime {
        /// The step that ran out of time.
        what: &'static str,
        /// The number of groups that were evaluated.
        evaluated: u64,
        /// The number of findings that were published.
        published: u64,
    },
}

/// A member account that cannot be worked for, or a list of members that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum MemberError {
    /// It may work later: a time-out, throttling, a fault of the service.
    #[error("{0}")]
    Unavailable(String),
    /// It will not work however often it is tried: a role that is missing or does not trust this function.
    #[error("{0}")]
    Refused(String),
}

impl MemberError {
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

impl RunResult {
    /// The outcome, when every message came to its end.
    ///
    /// # Errors
    /// When a message failed: if any error is retryable, the first of those, else the first.
    pub fn result(self) -> Result<Outcome, Arc<EngineError>> {
        let errors = || self.failures.iter().map(|failed| &failed.error);
        let retryable = errors().find(|error| error.is_retryable());
        match retryable.or_else(|| errors().next()) {
            Some(error) => Err(Arc::clone(error)),
            None => Ok(self.outcome),
        }
    }
}

impl EngineError {
    /// Whether it is worth trying again.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Event(_) | Self::NotTaken(_) => false,
            Self::Member(error) => error.is_retryable(),
            Self::Source(error) => error.is_retryable(),
            Self::Store(error) => error.is_retryable(),
            Self::NoSuchName(_)
            | Self::Ambiguous(_)
            | Self::Stale(_)
            | Self::OutOfTime { .. }
            | Self::NoTimeLeft => true,
        }
    }
}

impl<'a, S, K> Engine<'a, S, K> {
    /// An engine without an observer, an end, or a sweep before.
    pub fn new(settings: &'a Settings, context: Arc<Context>, source: &'a S, store: &'a K) -> Self {
        Self {
            settings,
            context,
            source,
            store,
            clock: &SystemClock,
            observer: None,
            until: None,
            swept_since: None,
        }
    }

    fn time_left(&self) -> Option<Duration> {
        self.until
            .map(|until| until.saturating_duration_since(self.clock.instant()))
    }

    fn show(&self, findings: &[Finding]) -> Result<(), StoreError> {
        self.observer
            .map_or(Ok(()), |observer| findings.iter().try_for_each(observer))
    }

    /// Whether the group is this account's; in a shared VPC EC2 shows those of others too.
    fn owns(&self, group: &SecurityGroup) -> bool {
        group
            .owner_id
            .as_ref()
            .is_none_or(|owner| owner == &self.context.scope.account)
    }
}

impl<S: GroupSource, K: FindingStore> Engine<'_, S, K> {
    /// Does what the events of an invocation ask for. A message that fails does not cost the others.
    pub async fn handle(&self, batch: &Batch) -> RunResult {
        let has_sensitivity = self.settings.sensitivity.is_some();
        let scope = &self.context.scope;
        let mut plan = Plan::of(batch, scope, has_sensitivity, self.swept_since);
        let mut failures = std::mem::take(&mut plan.failures);
        let resolved = self.resolve(&plan).await;
        let named = resolved.requests.keys().cloned().collect();
        let events = self.run_events(resolved).await;
        failures.join(events.failures);
        let mut outcome = events.outcome;
        let mut stats = events.stats.and(RunStats {
            ignored: plan.ignored_events,
            foreign: plan.foreign_events,
            ..RunStats::default()
        });
        let mut sweep_end = None;
        if !plan.sweep.is_empty() {
            let sweep = self.sweep(&named).await;
            sweep_end = Some(SweepEnd {
                since: sweep.since,
                took: sweep.took,
                is_complete: sweep.end.is_ok(),
            });
            stats = stats.and(sweep.stats);
            match sweep.end {
                Ok(()) => outcome = outcome.add(sweep.outcome),
                Err(error) => failures.join(Failures::of(plan.sweep, error)),
            }
        }
        let is_swept = sweep_end.is_some_and(|end| end.is_complete);
        let has_done = outcome.evaluated + outcome.archived > 0 || is_swept;
        let reasons: Vec<_> = plan.ignored.into_iter().chain(events.ignored).collect();
        if !has_done && failures.0.is_empty() && !reasons.is_empty() {
            outcome.ignored = Some(reasons.join("; "));
        }
        RunResult {
            shape: batch.shape,
            outcome,
            failures: failed_messages(batch, failures),
            sweep: sweep_end,
            stats,
        }
    }

    /// Archives every own active finding: how many. That some are refused does not keep the others from it.
    ///
    /// # Errors
    /// When a call fails, or findings are refused.
    pub async fn retire(&self) -> Result<usize, EngineError> {
        let published = self.published(FindingFilter::Active).await?;
        let retired = |published: &PublishedFinding| {
            let now = self.clock.now();
            let newest = published.updated_at.filter(|updated| *updated >= now);
            self.finding(
                published.group_id.clone(),
                Subject::Retired,
                newest.map_or(now, reconcile::after),
                Attribution::default(),
                Cause::Sweep,
            )
        };
        let mut refused = Vec::new();
        for some in published.chunks(IMPORT) {
            let findings: Vec<_> = some.iter().map(retired).collect();
            match self.store.publish(&findings).await {
                Ok(()) => {}
                Err(StoreError::Refused(refusals)) => refused.extend(refusals),
                Err(error) => return Err(StoreError::with(refused, error).into()),
            }
        }
        if refused.is_empty() {
            Ok(published.len())
        } else {
            Err(StoreError::Refused(refused).into())
        }
    }

    /// All of the product's own findings of a kind of which there are few.
    async fn published(
        &self,
        filter: FindingFilter<'_>,
    ) -> Result<Vec<PublishedFinding>, StoreError> {
        let mut findings = Vec::new();
        let mut next = None;
        loop {
            let page = self.store.published(filter, next).await?;
            findings.extend(page.findings);
            next = page.next;
            if next.is_none() {
                return Ok(findings);
            }
        }
    }

    async fn publish(&self, findings: &[Finding]) -> Result<(), StoreError> {
        if findings.is_empty() {
            return Ok(());
        }
        self.store.publish(findings).await
    }
}

fn failed_messages(batch: &Batch, failures: Failures) -> Vec<FailedMessage> {
    let failed = |(number, error): (usize, Arc<EngineError>)| {
        let message = batch.messages.get(number)?;
        Some(failed_message(number, message, error))
    };
    failures.0.into_iter().filter_map(failed).collect()
}

fn failed_message(number: usize, message: &Message, error: Arc<EngineError>) -> FailedMessage {
    let event = message.trigger.as_ref().ok();
    FailedMessage {
        number,
        sqs_id: message.sqs_id.clone(),
        event: event.and_then(|event| event.event.clone()),
        event_id: event.and_then(|event| event.record.id.clone()),
        account: event.and_then(|event| event.account.clone()),
        error,
    }
}

impl Outcome {
    /// The outcome of one finding.
    fn of(finding: &Finding) -> Self {
        let lifecycle = finding.lifecycle();
        let is = |other: Lifecycle| u64::from(lifecycle == other);
        let is_gone = matches!(lifecycle, Lifecycle::Gone | Lifecycle::Retired);
        Self {
            evaluated: u64::from(!is_gone),
            passed: is(Lifecycle::Passed),
            failed: is(Lifecycle::Failed),
            exempt: is(Lifecycle::Exempt),
            archived: u64::from(is_gone),
            ignored: None,
        }
    }

    /// Both outcomes together.
    fn add(self, other: Self) -> Self {
        Self {
            evaluated: self.evaluated + other.evaluated,
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            exempt: self.exempt + other.exempt,
            archived: self.archived + other.archived,
            ignored: self.ignored.or(other.ignored),
        }
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
