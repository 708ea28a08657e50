//! The sweep: makes the hub equal to the account, at the least cost.
//!
//! 1. Read the product's own findings that are active, and those of exempt groups: of each only the verdict, a digest and
//!    the time of its last update.
//! 2. Describe every group, page by page, evaluate, and publish what differs, while the next page is on its way.
//! 3. Look once more for the groups of findings that were not seen, and archive those that are gone.
//!
//! It stops cleanly when its time is over: what it published stands, and nothing half known is archived.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use super::plan::Request;
use super::{Engine, EngineError, Outcome, note, timed};
use crate::engine::source::{GroupSource, Observation, Owner, Query};
use crate::engine::stats::RunStats;
use crate::engine::store::{
    self, FindingFilter, FindingStore, PublishedFinding, Refusal, StoreError,
};
use crate::finding::{Finding, Passed, Subject};
use crate::model::GroupId;
use crate::policy::exemption::{self, Usage, Warnings};
use crate::policy::{Status, day_of};
use crate::report::asff;

/// A FAILED finding is published anew after this time without an update: Security Hub deletes active findings after 90
/// days (<https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings.html>).
const REFRESH_FAILED: SignedDuration = SignedDuration::from_hours(30 * 24);
/// That of an exempt group, which is archived: those it deletes after 30 days.
const REFRESH_EXEMPT: SignedDuration = SignedDuration::from_hours(20 * 24);
/// Findings of one call of BatchImportFindings: fewer are kept back for the next page.
const IMPORT: usize = 100;
/// Groups of one call in the second look.
const SECOND_LOOK: usize = 200;
/// What must be left of the time for another step.
const STEP: Duration = Duration::from_secs(2);
/// What is left of the time for the error that says how far it got.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// How many refused findings the error names.
const NAMED_REFUSALS: usize = 20;

/// What a sweep came to.
#[derive(Debug)]
pub struct Swept {
    /// What was done.
    pub outcome: Outcome,
    /// When it began.
    pub since: Timestamp,
    /// Groups that EC2 did not show yet as an event of the same invocation proves them: nothing was published for them.
    pub(super) stale: Vec<GroupId>,
}

/// A sweep under way.
struct Sweep<'s, 't> {
    interests: &'s BTreeMap<GroupId, Request<'t>>,
    standing: HashMap<GroupId, PublishedFinding>,
    /// Findings that stand with a time that is still to come, and that time: the archived ones are known once a
    /// finding is to be published over none that was read.
    from_future: BTreeMap<GroupId, Timestamp>,
    knows_archived: bool,
    /// Findings to be published.
    pending: Vec<Pending>,
    outcome: Outcome,
    stale: Vec<GroupId>,
    refused: Vec<Refusal>,
    /// Interests that were seen.
    seen: Vec<GroupId>,
    /// Exemptions that were of use.
    usage: Usage,
}

/// A finding to be published.
struct Pending {
    finding: Finding,
    /// Does the finding that stands tell events which the new one must keep?
    keeps_events: bool,
    /// Is there perhaps one that was not read?
    is_over_none: bool,
    /// Were the ids of its rules asked for?
    rules_are_asked: bool,
}

impl Sweep<'_, '_> {
    /// A refused finding does not keep the others from being published; it is an error at the end.
    fn refuse(&mut self, refusals: Vec<Refusal>) {
        let room = NAMED_REFUSALS.saturating_sub(self.refused.len());
        self.refused.extend(refusals.into_iter().take(room));
    }
}

impl<S: GroupSource, K: FindingStore> Engine<'_, S, K> {
    /// Makes the hub equal to the account.
    ///
    /// # Errors
    /// When a call fails, findings are refused, or the time is over before the end.
    pub async fn sweep_account(&self, trace: &mut RunStats) -> Result<Swept, EngineError> {
        self.sweep(&BTreeMap::new(), trace).await
    }

    pub(super) async fn sweep(
        &self,
        interests: &BTreeMap<GroupId, Request<'_>>,
        trace: &mut RunStats,
    ) -> Result<Swept, EngineError> {
        let began = Instant::now();
        let since = Timestamp::now();
        // Should the run be cut off, it is a sweep that did not succeed.
        trace.sweep = Some(Duration::ZERO);
        let end = self
            .until
            .map(|until| until.checked_sub(LAST_WORDS).unwrap_or(until));
        let swept = match end {
            Some(end) => {
                tokio::time::timeout_at(end.into(), self.run_sweep(interests, since, trace)).await
            }
            None => Ok(self.run_sweep(interests, since, trace).await),
        };
        let swept = swept.unwrap_or(Err(EngineError::OutOfTime {
            what: "waiting for an answer",
            evaluated: trace.evaluated,
            published: trace.published,
        }));
        trace.sweep = Some(began.elapsed());
        trace.sweep_succeeded = swept.is_ok();
        swept
    }

    async fn run_sweep(
        &self,
        interests: &BTreeMap<GroupId, Request<'_>>,
        since: Timestamp,
        trace: &mut RunStats,
    ) -> Result<Swept, EngineError> {
        let mut sweep = Sweep {
            interests,
            standing: HashMap::new(),
            from_future: BTreeMap::new(),
            knows_archived: false,
            pending: Vec::new(),
            outcome: Outcome::default(),
            stale: Vec::new(),
            refused: Vec::new(),
            seen: Vec::new(),
            usage: Usage::default(),
        };
        trace.exemptions = self.exemption_warnings(None, since);
        self.read_standing(&mut sweep, trace).await?;
        self.compare_pages(&mut sweep, trace).await?;
        self.look_again(&mut sweep, trace).await?;
        self.flush(&mut sweep, 1, trace).await?;
        let unseen = interests
            .iter()
            .filter(|(id, _)| !sweep.seen.contains(id) && !sweep.stale.contains(id));
        let is_ahead = |interest: &Request<'_>| {
            interest
                .expectation()
                .contradicted_by(None)
                .is_some_and(|contradiction| contradiction.is_young(since))
        };
        let ahead: Vec<_> = unseen
            .filter(|(_, interest)| is_ahead(interest))
            .map(|(id, _)| id.clone())
            .collect();
        sweep.stale.extend(ahead);
        trace.exemptions = self.exemption_warnings(Some(&sweep.usage), since);
        trace.usage = std::mem::take(&mut sweep.usage);
        if !sweep.refused.is_empty() {
            return Err(StoreError::Refused(sweep.refused).into());
        }
        Ok(Swept {
            outcome: sweep.outcome,
            since,
            stale: sweep.stale,
        })
    }

    /// Archives every own active finding: how many. That some are refused does not keep the others from it.
    ///
    /// # Errors
    /// When a call fails, or findings are refused.
    pub async fn retire(&self) -> Result<usize, EngineError> {
        let standing = self
            .read(FindingFilter::Active, &mut RunStats::default())
            .await?;
        let mut refused = Vec::new();
        for some in standing.chunks(IMPORT) {
            let retired = |standing: &PublishedFinding| {
                let now = Timestamp::now();
                let at = standing
                    .updated_at
                    .map_or(now, |updated| now.max(after(updated)));
                Finding::retired(&self.context, at, standing.group_id.clone())
            };
            let findings: Vec<_> = some.iter().map(retired).collect();
            match self.sink.publish(&findings).await {
                Ok(()) => {}
                Err(StoreError::Refused(refusals)) => refused.extend(refusals),
                Err(error) => return Err(StoreError::with(refused, error).into()),
            }
        }
        if refused.is_empty() {
            Ok(standing.len())
        } else {
            Err(StoreError::Refused(refused).into())
        }
    }

    fn exemption_warnings(&self, usage: Option<&Usage>, since: Timestamp) -> Warnings {
        let account = Some(&self.context.scope.account);
        exemption::warnings(&self.policy.exemptions, usage, account, day_of(since))
    }

    /// Step 1. The events behind a finding are kept only for those that are certainly published anew.
    async fn read_standing(
        &self,
        sweep: &mut Sweep<'_, '_>,
        trace: &mut RunStats,
    ) -> Result<(), EngineError> {
        // Without an exemption no group is exempt.
        let exempt = (!self.policy.exemptions.is_empty()).then_some(FindingFilter::Exempt);
        for which in std::iter::once(FindingFilter::Active).chain(exempt) {
            self.read_some(which, sweep, trace).await?;
        }
        Ok(())
    }

    async fn read_some(
        &self,
        which: FindingFilter<'_>,
        sweep: &mut Sweep<'_, '_>,
        trace: &mut RunStats,
    ) -> Result<(), EngineError> {
        let mut next = None;
        loop {
            self.check_time("reading the findings that stand", sweep, trace)?;
            let reading = self.sink.standing(which, next);
            let page = timed(reading, &mut trace.publishing).await?;
            let now = Timestamp::now();
            for mut finding in page.findings {
                if let Some(updated) = finding.updated_at.filter(|updated| *updated > now) {
                    sweep.from_future.insert(finding.group_id.clone(), updated);
                    trace.from_future = count(&sweep.from_future);
                }
                finding.vpc_id = None;
                if !is_old(&finding, now) {
                    finding.event = None;
                }
                sweep.standing.insert(finding.group_id.clone(), finding);
            }
            next = page.next;
            if next.is_none() {
                return Ok(());
            }
        }
    }

    /// Step 2.
    async fn compare_pages(
        &self,
        sweep: &mut Sweep<'_, '_>,
        trace: &mut RunStats,
    ) -> Result<(), EngineError> {
        self.check_time("describing the groups", sweep, trace)?;
        let mut page = timed(self.source.page(None), &mut trace.fetching).await?;
        loop {
            self.compare(page.observation, sweep, trace).await?;
            let Some(token) = page.next else {
                return Ok(());
            };
            self.check_time("describing the groups", sweep, trace)?;
            let mut fetching = Duration::ZERO;
            let next_page = timed(self.source.page(Some(token)), &mut fetching);
            let (flushed, next_page) = tokio::join!(self.flush(sweep, IMPORT, trace), next_page);
            flushed?;
            trace.fetching += fetching;
            page = next_page?;
        }
    }

    /// Step 3.
    async fn look_again(
        &self,
        sweep: &mut Sweep<'_, '_>,
        trace: &mut RunStats,
    ) -> Result<(), EngineError> {
        let mut unseen: Vec<_> = sweep.standing.keys().cloned().collect();
        unseen.sort_unstable();
        for ids in unseen.chunks(SECOND_LOOK) {
            self.check_time(
                "looking once more for groups that were not seen",
                sweep,
                trace,
            )?;
            let observation = self.find(Query::Ids(ids), Owner::Any, trace).await?;
            let at = observation.at;
            let (own, foreign): (Vec<_>, Vec<_>) = observation
                .groups
                .into_iter()
                .partition(|group| self.owns(group));
            for group in &foreign {
                sweep.standing.remove(&group.group_id);
            }
            self.compare(Observation { groups: own, at }, sweep, trace)
                .await?;
            for id in ids {
                let Some(standing) = sweep.standing.remove(id) else {
                    continue;
                };
                let mut finding = Finding::gone(&self.context, at, id.clone());
                if let Some(interest) = sweep.interests.get(id) {
                    sweep.seen.push(id.clone());
                    let contradiction = interest.expectation().contradicted_by(None);
                    if contradiction.is_some_and(|contradiction| contradiction.is_young(at)) {
                        sweep.stale.push(id.clone());
                        continue;
                    }
                    finding.led_to_by(&interest.in_time());
                }
                self.add(finding, Some(&standing), sweep, trace)?;
            }
            self.flush(sweep, IMPORT, trace).await?;
        }
        Ok(())
    }

    /// Evaluates groups and notes what differs from the hub.
    async fn compare(
        &self,
        observation: Observation,
        sweep: &mut Sweep<'_, '_>,
        trace: &mut RunStats,
    ) -> Result<(), EngineError> {
        let at = observation.at;
        let mut observed = Vec::with_capacity(observation.groups.len());
        for group in observation.groups {
            if let Some(interest) = sweep.interests.get(&group.group_id) {
                sweep.seen.push(group.group_id.clone());
                let contradiction = interest.expectation().contradicted_by(Some(&group));
                if contradiction.is_some_and(|contradiction| contradiction.is_young(at)) {
                    trace.stale_reads += 1;
                    sweep.standing.remove(&group.group_id);
                    sweep.stale.push(group.group_id);
                    continue;
                }
            }
            observed.push((group, at));
        }
        let mut findings = self.judge(observed, trace).await?;
        if self.observer.is_some() {
            // What is shown names the rules too, whether it is published or not.
            self.name_rules(findings.iter_mut().collect(), trace).await;
        }
        for mut finding in findings {
            let standing = sweep.standing.remove(&finding.group_id);
            if let Some(interest) = sweep.interests.get(&finding.group_id) {
                finding.led_to_by(&interest.in_time());
            }
            if let Subject::Evaluated(_, verdict) = &finding.subject {
                sweep.usage.note(verdict);
            }
            self.add(finding, standing.as_ref(), sweep, trace)?;
        }
        Ok(())
    }

    /// Notes a finding: counted, shown, and to be published when it differs from the one that stands.
    fn add(
        &self,
        mut finding: Finding,
        standing: Option<&PublishedFinding>,
        sweep: &mut Sweep<'_, '_>,
        trace: &mut RunStats,
    ) -> Result<(), EngineError> {
        sweep.outcome.count(&finding);
        note(&finding, trace);
        match self.show(std::slice::from_ref(&finding)) {
            Err(StoreError::Refused(refusals)) => sweep.refuse(refusals),
            shown => shown?,
        }
        // What an event names is published in any case: the hub's reads may lag behind what was imported last.
        let is_named = sweep.interests.contains_key(&finding.group_id);
        if !is_named && !self.differs(&finding, standing) {
            return Ok(());
        }
        let mut keeps_events = false;
        if let Some(standing) = standing {
            if let Some(updated) = standing
                .updated_at
                .filter(|updated| *updated >= finding.observed_at)
            {
                // The hub ignores what is not newer than what it has.
                finding.observed_at = after(updated);
            }
            if finding.event.is_none() && status_of(&finding) == standing.verdict {
                finding.event = standing.event.as_deref().cloned();
                keeps_events = !is_old(standing, finding.observed_at);
            }
        }
        sweep.pending.push(Pending {
            finding,
            keeps_events,
            is_over_none: standing.is_none(),
            rules_are_asked: self.observer.is_some(),
        });
        Ok(())
    }

    /// Must the finding be published, over the one that stands?
    fn differs(&self, finding: &Finding, standing: Option<&PublishedFinding>) -> bool {
        let is_equal = || {
            standing.is_some_and(|standing| {
                standing.digest.is_some() && standing.digest == digest_of(finding)
            })
        };
        match status_of(finding) {
            Some(Status::Failed | Status::Exempt) => {
                !is_equal()
                    || standing.is_some_and(|standing| is_old(standing, finding.observed_at))
            }
            Some(Status::Passed) if self.context.passed == Passed::Active => !is_equal(),
            Some(Status::Passed) | None => standing.is_some(),
        }
    }

    /// Publishes what is pending, in full calls; the rest waits, unless even so few are to go.
    async fn flush(
        &self,
        sweep: &mut Sweep<'_, '_>,
        at_least: usize,
        trace: &mut RunStats,
    ) -> Result<(), EngineError> {
        if sweep.pending.len() >= at_least.max(1) {
            let unnamed = sweep.pending.iter_mut().filter(|one| !one.rules_are_asked);
            let unnamed = unnamed.map(|one| {
                one.rules_are_asked = true;
                &mut one.finding
            });
            self.name_rules(unnamed.collect(), trace).await;
        }
        while sweep.pending.len() >= at_least.max(1) {
            self.check_time("publishing", sweep, trace)?;
            let count = sweep.pending.len().min(IMPORT);
            let pending = sweep.pending.drain(..count).collect();
            let pending = self.outdo_archived(pending, sweep, trace).await?;
            let findings = self.recall_events(pending, trace).await?;
            match self.publish(&findings, trace).await {
                Ok(()) => {}
                Err(StoreError::Refused(refusals)) => sweep.refuse(refusals),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// An archived finding with a time that is still to come would hide the new one until then: the hub ignores what is
    /// not newer. They are read once a sweep, and only when it has to publish a finding over none that was read.
    async fn outdo_archived(
        &self,
        mut pending: Vec<Pending>,
        sweep: &mut Sweep<'_, '_>,
        trace: &mut RunStats,
    ) -> Result<Vec<Pending>, EngineError> {
        if !sweep.knows_archived && pending.iter().any(|one| one.is_over_none) {
            let which = FindingFilter::ArchivedAfter(Timestamp::now());
            for standing in self.read(which, trace).await? {
                if let Some(updated) = standing.updated_at {
                    sweep.from_future.insert(standing.group_id, updated);
                }
            }
            trace.from_future = count(&sweep.from_future);
            sweep.knows_archived = true;
        }
        for one in pending.iter_mut().filter(|one| one.is_over_none) {
            if let Some(updated) = sweep.from_future.get(&one.finding.group_id) {
                one.finding.observed_at = after(*updated).max(one.finding.observed_at);
            }
        }
        Ok(pending)
    }

    /// A finding whose verdict stays keeps the events that led to it. They are read once more now: to keep those of every
    /// finding from the beginning would take memory.
    async fn recall_events(
        &self,
        pending: Vec<Pending>,
        trace: &mut RunStats,
    ) -> Result<Vec<Finding>, EngineError> {
        let ids: Vec<_> = pending
            .iter()
            .filter(|one| one.keeps_events)
            .map(|one| one.finding.group_id.clone())
            .collect();
        let mut findings: Vec<_> = pending.into_iter().map(|one| one.finding).collect();
        for ids in ids.chunks(store::VALUES) {
            for standing in self.read(FindingFilter::Of(ids), trace).await? {
                let finding = findings
                    .iter_mut()
                    .find(|finding| finding.group_id == standing.group_id);
                if let Some(finding) = finding.filter(|finding| finding.event.is_none()) {
                    finding.event = standing.event.map(|event| *event);
                }
            }
        }
        Ok(findings)
    }

    fn check_time(
        &self,
        what: &'static str,
        sweep: &Sweep<'_, '_>,
        trace: &RunStats,
    ) -> Result<(), EngineError> {
        if self.time_left().is_none_or(|left| left > STEP) {
            return Ok(());
        }
        Err(EngineError::OutOfTime {
            what,
            evaluated: sweep.outcome.evaluated,
            published: trace.published,
        })
    }
}

/// The first moment that the hub takes over this one.
fn after(updated: Timestamp) -> Timestamp {
    updated
        .checked_add(SignedDuration::from_millis(1))
        .unwrap_or(updated)
}

fn count<K, V>(of: &BTreeMap<K, V>) -> u64 {
    u64::try_from(of.len()).unwrap_or(u64::MAX)
}

fn status_of(finding: &Finding) -> Option<Status> {
    match &finding.subject {
        Subject::Evaluated(_, verdict) => Some(verdict.status),
        Subject::Gone | Subject::Retired => None,
    }
}

/// Is it time to publish it anew, though nothing changed?
fn is_old(standing: &PublishedFinding, now: Timestamp) -> bool {
    let most = match standing.verdict {
        Some(Status::Exempt) => REFRESH_EXEMPT,
        _ => REFRESH_FAILED,
    };
    standing
        .updated_at
        .is_none_or(|updated| now.duration_since(updated) > most)
}

fn digest_of(finding: &Finding) -> Option<u64> {
    let asff = asff::render(finding).ok()?;
    u64::from_str_radix(asff.product_fields.get(asff::DIGEST)?, 16).ok()
}
