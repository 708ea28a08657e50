//! One invocation, from its JSON to its published findings: the only place that knows source, policy and sink together.
//!
//! The Lambda function, `replay` and `scan` are this with other ends. The targets of all events of an invocation are
//! merged: each group is fetched and evaluated once, however many events name it.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;

use crate::finding::{Context, Finding, Subject};
use crate::model::{GroupId, SecurityGroup, VpcId};
use crate::policy::{Peers, Policy, Status, Verdict, day_of};
use crate::sink::{self, FindingSink, SinkError, Which};
use crate::source::{GroupSource, Observation, Owner, Query, SourceError};
use crate::telemetry::Trace;
use crate::trigger::{Action, Batch, Shape, Target, Trigger, TriggerError};

mod expectation;
mod sweep;

use expectation::{Expectation, WAITS};
pub use sweep::Swept;

/// The way of events through a source, the policy and a sink.
#[derive(Clone)]
pub struct Pipeline<'a, S, K> {
    /// The policy with its settings.
    pub policy: &'a Policy,
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
pub type Observer<'a> = dyn Fn(&Finding) -> Result<(), SinkError> + Sync + 'a;

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
pub struct Handled {
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
    pub error: Arc<PipelineError>,
}

/// Why a message did not come to its end.
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

impl Handled {
    /// What was done, or why not everything was.
    ///
    /// # Errors
    /// When a message failed: the first error, which of several is the one that may pass if there is any.
    pub fn result(self) -> Result<Outcome, Arc<PipelineError>> {
        let mut errors: Vec<_> = self
            .failures
            .into_iter()
            .map(|failed| failed.error)
            .collect();
        errors.sort_by_key(|error| !error.is_retryable());
        errors.into_iter().next().map_or(Ok(self.outcome), Err)
    }
}

impl PipelineError {
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

/// What the events of an invocation ask for.
#[derive(Default)]
struct Work<'t> {
    groups: BTreeMap<GroupId, Interest<'t>>,
    names: BTreeMap<String, Interest<'t>>,
    default_groups: BTreeMap<VpcId, Interest<'t>>,
    vpcs: BTreeMap<VpcId, Interest<'t>>,
    referenced: BTreeMap<GroupId, Interest<'t>>,
    sweep: Interest<'t>,
    /// Groups that were fetched to find out which they are.
    found: BTreeMap<GroupId, (SecurityGroup, Timestamp)>,
    /// Why events, or targets of events, were left alone.
    left: BTreeSet<String>,
}

/// The events that are about one thing, and the numbers of their messages.
#[derive(Debug, Default, Clone)]
struct Interest<'t> {
    triggers: Vec<&'t Trigger>,
    messages: BTreeSet<usize>,
}

impl<'t> Work<'t> {
    /// Notes a group that was found out by another name than its id.
    fn take(&mut self, group: SecurityGroup, at: Timestamp, interest: &Interest<'t>) {
        self.groups
            .entry(group.group_id.clone())
            .or_default()
            .join(interest);
        self.found.insert(group.group_id.clone(), (group, at));
    }
}

impl<'t> Interest<'t> {
    fn add(&mut self, message: usize, trigger: &'t Trigger) {
        self.triggers.push(trigger);
        self.messages.insert(message);
    }

    fn join(&mut self, other: &Self) {
        self.triggers.extend(&other.triggers);
        self.messages.extend(&other.messages);
    }

    /// The events in the order of their times.
    fn in_time(&self) -> Vec<&'t Trigger> {
        let mut triggers = self.triggers.clone();
        triggers.sort_by_key(|trigger| trigger.record.moment());
        triggers
    }

    /// Notes how old the events were when their findings were published.
    fn answered(&self, trace: &mut Trace, now: Timestamp) {
        for trigger in &self.triggers {
            trace.answered(trigger.record.moment(), now);
        }
    }

    fn expectation(&self) -> Expectation {
        Expectation::of(&self.in_time())
    }
}

/// The messages that failed, each with its first error.
#[derive(Default)]
struct Failures(BTreeMap<usize, Arc<PipelineError>>);

impl Failures {
    fn add(&mut self, messages: &BTreeSet<usize>, error: impl Into<PipelineError>) {
        let error = Arc::new(error.into());
        for message in messages {
            self.0.entry(*message).or_insert_with(|| Arc::clone(&error));
        }
    }
}

impl<'a, S, K> Pipeline<'a, S, K> {
    /// With no observer, no end, and nothing covered yet.
    pub fn new(policy: &'a Policy, context: Arc<Context>, source: &'a S, sink: &'a K) -> Self {
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

impl<S: GroupSource, K: FindingSink> Pipeline<'_, S, K> {
    /// Does what the events of an invocation ask for. A message that fails does not cost the others.
    pub async fn handle(&self, batch: &Batch, trace: &mut Trace) -> Handled {
        let mut failures = Failures::default();
        let mut work = Work::default();
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
        Handled {
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
        work: &mut Work<'t>,
        trace: &mut Trace,
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
        work: &mut Work<'_>,
        outcome: &mut Outcome,
        failures: &mut Failures,
        trace: &mut Trace,
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
                        failures.add(&interest.messages, PipelineError::Stale(id.to_string()));
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

    /// Turns names and VPCs into groups.
    async fn resolve(&self, work: &mut Work<'_>, failures: &mut Failures, trace: &mut Trace) {
        self.resolve_names(work, failures, trace).await;
        self.resolve_default_groups(work, failures, trace).await;
        self.resolve_vpcs(work, failures, trace).await;
        self.resolve_referencing(work, failures, trace).await;
    }

    /// The groups that let in those whose tags changed.
    async fn resolve_referencing(
        &self,
        work: &mut Work<'_>,
        failures: &mut Failures,
        trace: &mut Trace,
    ) {
        let referenced = std::mem::take(&mut work.referenced);
        if referenced.is_empty() {
            return;
        }
        let ids: Vec<_> = referenced.keys().cloned().collect();
        let query = Query::Referencing(&ids);
        let Observation { groups, at } = match self.find(query, Owner::This, trace).await {
            Ok(observation) => observation,
            Err(error) => return failures.add(&messages_of(&referenced), error),
        };
        for group in groups {
            let sources: BTreeSet<_> = group.sources().map(GroupId::new).collect();
            let mut interest = Interest::default();
            for source in &sources {
                if let Some(of_source) = referenced.get(source) {
                    interest.join(of_source);
                }
            }
            work.take(group, at, &interest);
        }
    }

    async fn resolve_names(&self, work: &mut Work<'_>, failures: &mut Failures, trace: &mut Trace) {
        let wanted = std::mem::take(&mut work.names);
        if wanted.is_empty() {
            return;
        }
        let names: Vec<_> = wanted.keys().cloned().collect();
        let answer = self.find(Query::Names(&names), Owner::This, trace).await;
        let Observation { groups, at } = match answer {
            Ok(observation) => observation,
            Err(error) => return failures.add(&messages_of(&wanted), error),
        };
        for (name, interest) in wanted {
            let mut named = groups.iter().filter(|group| group.is_named(&name));
            match (named.next(), named.next()) {
                (Some(group), None) => work.take(group.clone(), at, &interest),
                (None, _) => failures.add(&interest.messages, PipelineError::NoSuchName(name)),
                (Some(_), Some(_)) => {
                    failures.add(&interest.messages, PipelineError::Ambiguous(name))
                }
            }
        }
    }

    /// The default groups of VPCs that events prove to exist: looked for again while EC2 does not show them.
    async fn resolve_default_groups(
        &self,
        work: &mut Work<'_>,
        failures: &mut Failures,
        trace: &mut Trace,
    ) {
        let mut wanted = std::mem::take(&mut work.default_groups);
        let mut waits = WAITS.into_iter();
        while !wanted.is_empty() {
            let vpcs: Vec<_> = wanted.keys().cloned().collect();
            let query = Query::DefaultGroupsOf(&vpcs);
            let Observation { groups, at } = match self.find(query, Owner::This, trace).await {
                Ok(observation) => observation,
                Err(error) => return failures.add(&messages_of(&wanted), error),
            };
            for group in groups {
                let interest = group.vpc_id.as_ref().and_then(|vpc| wanted.remove(vpc));
                if let Some(interest) = interest {
                    work.take(group, at, &interest);
                }
            }
            let contradiction = |interest: &Interest<'_>| {
                interest
                    .expectation()
                    .contradicted_by(None)
                    .filter(|_| self.source.is_live())
            };
            let contradicted = wanted.values().filter_map(contradiction).count();
            trace.stale_reads += u64::try_from(contradicted).unwrap_or_default();
            if contradicted > 0 && self.wait(waits.next()).await {
                continue;
            }
            for (vpc, interest) in std::mem::take(&mut wanted) {
                if contradiction(&interest).is_some_and(|contradiction| contradiction.is_young(at))
                {
                    let what = format!("the default security group of {vpc}");
                    failures.add(&interest.messages, PipelineError::Stale(what));
                } else {
                    work.left
                        .insert(format!("{vpc} has no default security group any more"));
                }
            }
        }
    }

    /// The groups whose active findings say that they were in the VPCs.
    async fn resolve_vpcs(&self, work: &mut Work<'_>, failures: &mut Failures, trace: &mut Trace) {
        let wanted = std::mem::take(&mut work.vpcs);
        let all: Vec<_> = wanted.keys().cloned().collect();
        'calls: for vpcs in all.chunks(sink::VALUES) {
            let mut found = BTreeMap::<_, Vec<GroupId>>::new();
            let mut after = None;
            loop {
                let reading = self.sink.standing(Which::InVpcs(vpcs), after);
                let page = match timed(reading, &mut trace.publishing).await {
                    Ok(page) => page,
                    Err(error) => {
                        let of_call = wanted.iter().filter(|(vpc, _)| vpcs.contains(vpc));
                        let messages = of_call.flat_map(|(_, interest)| &interest.messages);
                        failures.add(&messages.copied().collect(), error);
                        continue 'calls;
                    }
                };
                for finding in page.findings {
                    let in_vpc = finding
                        .vpc_id
                        .and_then(|id| vpcs.iter().find(|vpc| **vpc == id));
                    if let Some(vpc) = in_vpc {
                        found.entry(vpc).or_default().push(finding.group_id);
                    }
                }
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            for (vpc, interest) in wanted.iter().filter(|(vpc, _)| vpcs.contains(vpc)) {
                let ids = found.remove(vpc).unwrap_or_default();
                if ids.is_empty() {
                    work.left
                        .insert(format!("no active finding is of a security group in {vpc}"));
                }
                for id in ids {
                    work.groups.entry(id).or_default().join(interest);
                }
            }
        }
    }

    /// Fetches, evaluates and publishes the groups that events name.
    async fn evaluate_groups(
        &self,
        work: &mut Work<'_>,
        outcome: &mut Outcome,
        failures: &mut Failures,
        trace: &mut Trace,
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
                failures.add(&interest.messages, PipelineError::Stale(id.to_string()));
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
        let mut rules_wanted = Vec::with_capacity(findings.len());
        for finding in &mut findings {
            done.count(finding);
            note(finding, trace);
            if let Some(interest) = groups.get(&finding.group_id) {
                finding.led_to_by(&interest.in_time());
            }
            rules_wanted.push(finding);
        }
        self.name_rules(rules_wanted, trace).await;
        let published = match self.show(&findings) {
            Ok(()) => self.publish(&findings, trace).await,
            Err(error) => Err(error),
        };
        match published {
            Ok(()) => {}
            Err(SinkError::Refused(refusals)) => {
                for refusal in refusals {
                    let id = GroupId::new(refusal.id.rsplit('/').next().unwrap_or_default());
                    let messages = groups.get(&id).map_or_else(
                        || messages_of(&groups),
                        |interest| interest.messages.clone(),
                    );
                    failures.add(&messages, SinkError::Refused(vec![refusal]));
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

    /// Evaluates groups as they were at a moment. With `[sensitivity]` and a violation also by what EC2 shows of the
    /// groups that are let in: of all of them, asked for at once.
    async fn judge(
        &self,
        observed: Vec<(SecurityGroup, Timestamp)>,
        trace: &mut Trace,
    ) -> Result<Vec<Finding>, PipelineError> {
        let mut peers = Peers::default();
        for (group, _) in &observed {
            self.policy.see(&mut peers, group);
        }
        let mut findings: Vec<_> = observed
            .into_iter()
            .map(|(group, at)| {
                let verdict = self.policy.evaluate(&group, &peers, day_of(at));
                Finding::evaluated(&self.context, at, group, verdict)
            })
            .collect();
        let mut unknown = BTreeSet::new();
        for finding in &findings {
            if let Subject::Evaluated(_, verdict) = &finding.subject {
                unknown.extend(self.policy.unknown_sources(verdict, &peers));
            }
        }
        if unknown.is_empty() {
            return Ok(findings);
        }
        let unknown: Vec<_> = unknown.into_iter().collect();
        let sources = self.find(Query::Ids(&unknown), Owner::Any, trace).await?;
        for group in &sources.groups {
            self.policy.see(&mut peers, group);
        }
        for finding in &mut findings {
            let today = day_of(finding.observed_at);
            if let Subject::Evaluated(group, verdict) = &mut finding.subject
                && !verdict.violations.is_empty()
            {
                *verdict = self.policy.evaluate(group, &peers, today);
            }
        }
        Ok(findings)
    }

    /// Names the rules behind violations by their ids, where the settings want it. That they cannot be had costs no
    /// finding.
    async fn name_rules(&self, findings: Vec<&mut Finding>, trace: &mut Trace) {
        if !self.policy.rule_ids {
            return;
        }
        let mut failed: BTreeMap<GroupId, &mut Verdict> = findings
            .into_iter()
            .filter_map(|finding| match &mut finding.subject {
                Subject::Evaluated(_, verdict) if verdict.status == Status::Failed => {
                    Some((finding.group_id.clone(), verdict))
                }
                _ => None,
            })
            .collect();
        let ids: Vec<_> = failed.keys().cloned().collect();
        if ids.is_empty() || trace.rules_unknown.is_some() {
            return;
        }
        match timed(self.source.rules(&ids), &mut trace.fetching).await {
            Ok(rules) => {
                for (id, verdict) in &mut failed {
                    let of_group: Vec<_> =
                        rules.iter().filter(|rule| rule.group_id == *id).collect();
                    for violation in &mut verdict.violations {
                        violation.name_rules(&of_group);
                    }
                }
            }
            Err(error) => {
                // Once is enough: a sweep would wait for the same answer again and again.
                trace.rules_unknown =
                    Some(format!("the rules in violation are not named: {error}"));
            }
        }
    }

    /// The groups as EC2 shows them, once it shows what the events prove.
    async fn fetch(
        &self,
        groups: &BTreeMap<GroupId, Interest<'_>>,
        found: BTreeMap<GroupId, (SecurityGroup, Timestamp)>,
        trace: &mut Trace,
    ) -> Result<Fetched, PipelineError> {
        let expectations: BTreeMap<_, _> = groups
            .iter()
            .map(|(id, interest)| (id, interest.expectation()))
            .collect();
        let mut fetched = Fetched {
            found,
            ..Fetched::default()
        };
        let wanted: Vec<_> = groups
            .keys()
            .filter(|id| !fetched.found.contains_key(*id))
            .cloned()
            .collect();
        if !wanted.is_empty() {
            let observation = self.find(Query::Ids(&wanted), Owner::This, trace).await?;
            fetched.take(&wanted, observation);
        }
        // Absent without a deletion: only a second look tells a group that is gone from one of another owner.
        let absent: Vec<_> = expectations
            .iter()
            .filter(|(id, expectation)| {
                !fetched.found.contains_key(**id) && !expectation.is_deleted()
            })
            .map(|(id, _)| (*id).clone())
            .collect();
        if !absent.is_empty() {
            let second = self.find(Query::Ids(&absent), Owner::Any, trace).await?;
            let (own, foreign): (Vec<_>, Vec<_>) = second
                .groups
                .into_iter()
                .partition(|group| self.owns(group));
            fetched.take(
                &absent,
                Observation {
                    groups: own,
                    at: second.at,
                },
            );
            fetched.foreign = foreign
                .into_iter()
                .map(|group| (group.group_id, owner_of(group.owner_id)))
                .collect();
        }
        let mut waits = WAITS.into_iter();
        loop {
            let contradicted: Vec<_> = expectations
                .iter()
                .filter(|(id, _)| !fetched.foreign.contains_key(**id))
                .filter_map(|(id, expectation)| {
                    let group = fetched.found.get(*id);
                    let contradiction =
                        expectation.contradicted_by(group.map(|(group, _)| group))?;
                    Some((
                        (*id).clone(),
                        contradiction.is_young(group.map_or(fetched.looked_at(id), |(_, at)| *at)),
                    ))
                })
                .collect();
            if contradicted.is_empty() || !self.source.is_live() {
                return Ok(fetched);
            }
            trace.stale_reads += u64::try_from(contradicted.len()).unwrap_or_default();
            if !self.wait(waits.next()).await {
                fetched.stale = contradicted
                    .into_iter()
                    .filter(|(_, is_young)| *is_young)
                    .map(|(id, _)| id)
                    .collect();
                return Ok(fetched);
            }
            let again: Vec<_> = contradicted.into_iter().map(|(id, _)| id).collect();
            let observation = self.find(Query::Ids(&again), Owner::This, trace).await?;
            again.iter().for_each(|id| drop(fetched.found.remove(id)));
            fetched.take(&again, observation);
        }
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
        trace: &mut Trace,
    ) -> Result<Observation, PipelineError> {
        Ok(timed(self.source.find(query, owner), &mut trace.fetching).await?)
    }

    fn show(&self, findings: &[Finding]) -> Result<(), SinkError> {
        self.observer
            .map_or(Ok(()), |observer| findings.iter().try_for_each(observer))
    }

    async fn publish(&self, findings: &[Finding], trace: &mut Trace) -> Result<(), SinkError> {
        if findings.is_empty() {
            return Ok(());
        }
        let published = timed(self.sink.publish(findings), &mut trace.publishing).await;
        let refused = match &published {
            Ok(()) => 0,
            Err(SinkError::Refused(refusals)) => refusals.len(),
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

/// What was fetched for the groups that events name.
#[derive(Default)]
struct Fetched {
    found: BTreeMap<GroupId, (SecurityGroup, Timestamp)>,
    /// Those of other accounts, with their owner.
    foreign: BTreeMap<GroupId, String>,
    /// Those that EC2 does not show yet as an event proves them.
    stale: Vec<GroupId>,
    /// When each was last looked for.
    looked_at: BTreeMap<GroupId, Timestamp>,
}

impl Fetched {
    fn looked_at(&self, id: &GroupId) -> Timestamp {
        self.looked_at.get(id).copied().unwrap_or_default()
    }

    /// Takes what was found of the groups that were looked for.
    fn take(&mut self, wanted: &[GroupId], observation: Observation) {
        let at = observation.at;
        self.looked_at
            .extend(wanted.iter().map(|id| (id.clone(), at)));
        self.found.extend(
            observation
                .groups
                .into_iter()
                .map(|group| (group.group_id.clone(), (group, at))),
        );
    }
}

/// Every message that names one of these.
fn messages_of<T>(interests: &BTreeMap<T, Interest<'_>>) -> BTreeSet<usize> {
    interests
        .values()
        .flat_map(|interest| interest.messages.iter().copied())
        .collect()
}

fn owner_of(owner: Option<crate::model::AccountId>) -> String {
    owner.map_or_else(|| "another account".to_owned(), |owner| owner.to_string())
}

fn note(finding: &Finding, trace: &mut Trace) {
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

impl<S: std::fmt::Debug, K: std::fmt::Debug> std::fmt::Debug for Pipeline<'_, S, K> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Pipeline")
            .field("context", &self.context)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}
