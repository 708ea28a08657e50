//! One event, from its JSON to its published findings: the only place that knows source, policy and sink together.
//!
//! The Lambda function, `replay` and `scan` are this with other ends.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::finding::{Context, Finding, Subject};
use crate::model::{GroupId, SecurityGroup};
use crate::policy::{Policy, Status};
use crate::sink::{FindingSink, SinkError};
use crate::source::{GroupSource, Observation, Owner, Query, SourceError};
use crate::telemetry::Trace;
use crate::trigger::{self, Action, Proof, Target, Trigger, TriggerError};

/// The way of an event through a source, the policy and a sink.
#[derive(Debug)]
pub struct Pipeline<'a, S, K> {
    /// The policy with its settings.
    pub policy: &'a Policy,
    /// Where findings stand, and what they have in common.
    pub context: Arc<Context>,
    /// Where groups come from.
    pub source: &'a S,
    /// Where findings go.
    pub sink: &'a K,
}

/// What was done about an event: the function's answer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Outcome {
    /// Groups that were evaluated and published.
    pub evaluated: u64,
    /// Of these, those without a violation.
    pub passed: u64,
    /// Of these, those with a violation that no exemption covers.
    pub failed: u64,
    /// Of these, those with violations, all exempt.
    pub exempt: u64,
    /// Groups that are gone.
    pub archived: u64,
    /// Why nothing was done, when nothing was.
    pub ignored: Option<String>,
}

/// An event that did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// It is no event.
    #[error(transparent)]
    Trigger(#[from] TriggerError),
    /// The groups could not be had.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Findings were not published.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// The event names a group that is not to be found, though it proves that there is one.
    #[error(
        "{0} is not to be found, though the event names it: it may be too new, or gone since; the next sweep covers it"
    )]
    NotFound(String),
    /// More than one group has the name that the event gives.
    #[error(
        "more than one security group is named {0:?}: which one the event means is not known; the next sweep covers it"
    )]
    Ambiguous(String),
}

impl PipelineError {
    /// Is it worth trying again?
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Trigger(_) => false,
            Self::Source(error) => error.is_retryable(),
            Self::Sink(error) => error.is_retryable(),
            Self::NotFound(_) | Self::Ambiguous(_) => true,
        }
    }
}

/// What a run of groups came to, before it is published.
#[derive(Default)]
struct Batch {
    findings: Vec<Finding>,
    outcome: Outcome,
    /// Why targets were left alone.
    left: Vec<String>,
}

impl<S: GroupSource, K: FindingSink> Pipeline<'_, S, K> {
    /// Does what an event asks for.
    ///
    /// # Errors
    /// For whatever might hide a missed evaluation; never for an event that is not ours.
    pub async fn handle(&self, event: &Value, trace: &mut Trace) -> Result<Outcome, PipelineError> {
        let trigger = trigger::classify(event)?;
        trace.began(&trigger);
        if let Some(reason) = self.is_foreign(&trigger) {
            return Ok(Outcome::ignored(reason));
        }
        match &trigger.action {
            Action::Ignore(reason) => Ok(Outcome::ignored(reason.clone())),
            Action::Sweep(_) => self.sweep(trace).await,
            Action::Evaluate(targets) => {
                let batch = self.fetch(&trigger, targets, trace).await?;
                self.publish(&batch, trace).await?;
                Ok(batch.finish())
            }
        }
    }

    /// Evaluates every group of the account, and publishes as pages arrive.
    ///
    /// # Errors
    /// When a page could not be had or published.
    pub async fn sweep(&self, trace: &mut Trace) -> Result<Outcome, PipelineError> {
        let mut outcome = Outcome::default();
        let mut after = None;
        loop {
            let page = timed(self.source.page(after), &mut trace.fetching).await?;
            let mut batch = Batch::default();
            self.evaluate(page.observation, None, &mut batch);
            self.publish(&batch, trace).await?;
            outcome.add(&batch.outcome);
            after = page.next;
            if after.is_none() {
                return Ok(outcome);
            }
        }
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

    async fn fetch(
        &self,
        trigger: &Trigger,
        targets: &[Target],
        trace: &mut Trace,
    ) -> Result<Batch, PipelineError> {
        let mut batch = Batch::default();
        let mut ids = BTreeSet::new();
        for target in targets {
            match target {
                Target::GroupId(id) => {
                    ids.insert(id.clone());
                }
                Target::GroupName(name) => {
                    let observation = self.find(Query::Name(name), Owner::This, trace).await?;
                    match observation.groups.len() {
                        0 if trigger.proof == Proof::Deleted => {
                            batch.left.push(format!("no security group is named {name:?} any more: the next sweep archives its finding"));
                        }
                        0 => {
                            return Err(PipelineError::NotFound(format!(
                                "the security group named {name:?}"
                            )));
                        }
                        1 => self.evaluate(observation, Some(trigger), &mut batch),
                        _ => return Err(PipelineError::Ambiguous(name.clone())),
                    }
                }
                Target::DefaultGroupOf(vpc) => {
                    let observation = self
                        .source
                        .find(Query::DefaultGroupOf(vpc), Owner::This)
                        .await?;
                    if observation.groups.is_empty() {
                        return Err(PipelineError::NotFound(format!(
                            "the default security group of {vpc}"
                        )));
                    }
                    self.evaluate(observation, Some(trigger), &mut batch);
                }
                Target::GroupsOfVpc(vpc) => {
                    let observation = self.find(Query::InVpc(vpc), Owner::This, trace).await?;
                    if observation.groups.is_empty() {
                        batch.left.push(format!(
                            "{vpc} is gone: the next sweep archives the findings of its groups"
                        ));
                    }
                    self.evaluate(observation, Some(trigger), &mut batch);
                }
            }
        }
        if !ids.is_empty() {
            self.fetch_by_id(trigger, ids, &mut batch, trace).await?;
        }
        Ok(batch)
    }

    /// The groups with these ids. One that is absent is gone if its deletion was the event; else after a second look,
    /// which also tells a group of another owner from one that does not exist.
    async fn fetch_by_id(
        &self,
        trigger: &Trigger,
        mut ids: BTreeSet<GroupId>,
        batch: &mut Batch,
        trace: &mut Trace,
    ) -> Result<(), PipelineError> {
        let wanted: Vec<_> = ids.iter().cloned().collect();
        let observation = self.find(Query::Ids(&wanted), Owner::This, trace).await?;
        let mut absent_at = observation.at;
        for group in &observation.groups {
            ids.remove(&group.group_id);
        }
        self.evaluate(observation, Some(trigger), batch);
        if !ids.is_empty() && trigger.proof != Proof::Deleted {
            let absent: Vec<_> = ids.iter().cloned().collect();
            let second = self.find(Query::Ids(&absent), Owner::Any, trace).await?;
            absent_at = second.at;
            let (own, foreign): (Vec<_>, Vec<_>) = second
                .groups
                .into_iter()
                .partition(|group| self.owns(group));
            for group in own.iter().chain(&foreign) {
                ids.remove(&group.group_id);
            }
            self.evaluate(
                Observation {
                    groups: own,
                    at: second.at,
                },
                Some(trigger),
                batch,
            );
            batch.left.extend(foreign.iter().map(|group| {
                let owner = group
                    .owner_id
                    .as_ref()
                    .map_or("another account", |owner| owner.as_str());
                format!(
                    "{} belongs to {owner}: its own function evaluates it",
                    group.group_id
                )
            }));
        }
        for id in ids {
            self.archive(id, absent_at, trigger, batch);
        }
        Ok(())
    }

    async fn find(
        &self,
        query: Query<'_>,
        owner: Owner,
        trace: &mut Trace,
    ) -> Result<Observation, PipelineError> {
        Ok(timed(self.source.find(query, owner), &mut trace.fetching).await?)
    }

    async fn publish(&self, batch: &Batch, trace: &mut Trace) -> Result<(), PipelineError> {
        for finding in &batch.findings {
            match &finding.subject {
                Subject::Evaluated(_, verdict) => {
                    trace.evaluated(&finding.group_id, verdict.status)
                }
                Subject::Gone => trace.gone(&finding.group_id),
            }
        }
        if batch.findings.is_empty() {
            return Ok(());
        }
        Ok(timed(self.sink.publish(&batch.findings), &mut trace.publishing).await?)
    }

    fn owns(&self, group: &SecurityGroup) -> bool {
        group
            .owner_id
            .as_ref()
            .is_none_or(|owner| owner == &self.context.scope.account)
    }

    fn evaluate(&self, observation: Observation, trigger: Option<&Trigger>, batch: &mut Batch) {
        for group in observation.groups {
            let verdict = self.policy.evaluate(&group);
            batch.outcome.count(verdict.status);
            let finding = Finding::evaluated(&self.context, observation.at, group, verdict);
            batch.findings.push(match trigger {
                Some(trigger) => finding.led_to_by(trigger),
                None => finding,
            });
        }
    }

    fn archive(&self, id: GroupId, at: Timestamp, trigger: &Trigger, batch: &mut Batch) {
        batch.outcome.archived += 1;
        batch
            .findings
            .push(Finding::gone(&self.context, at, id).led_to_by(trigger));
    }
}

/// Adds how long it takes.
async fn timed<T>(work: impl Future<Output = T>, spent: &mut Duration) -> T {
    let began = Instant::now();
    let done = work.await;
    *spent += began.elapsed();
    done
}

impl Batch {
    fn finish(self) -> Outcome {
        let has_done = !self.findings.is_empty();
        let reason = (!has_done && !self.left.is_empty()).then(|| self.left.join("; "));
        Outcome {
            ignored: reason,
            ..self.outcome
        }
    }
}

impl Outcome {
    /// Nothing was done, for this reason.
    #[must_use]
    pub fn ignored(reason: String) -> Self {
        Self {
            ignored: Some(reason),
            ..Self::default()
        }
    }

    fn count(&mut self, status: Status) {
        self.evaluated += 1;
        match status {
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
