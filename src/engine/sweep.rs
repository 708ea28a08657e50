//! The sweep: makes the hub equal to the account, at the least cost.
//!
//! 1. Read the product's own findings that are active, and those of exempt groups.
//! 2. Describe every group, page by page, evaluate, and publish what differs, while the next page is on its way.
//! 3. Look once more for the groups of findings that were not seen, and archive those that are gone.
//!
//! What is read is decided on by [`reconcile`](super::reconcile). A sweep stops cleanly when its time is over: what it
//! published stays, and nothing half known is archived.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::evaluate::KnownRules;
use super::reconcile::{Hub, Known, differs};
use super::source::{GroupSource, Observed, Owner, Page, Query};
use super::stats::RunStats;
use super::store::{FindingFilter, FindingStore, IMPORT, Refusal, StoreError};
use super::{Engine, EngineError, Outcome};
use crate::finding::{Attribution, Cause, Finding, Subject};
use crate::model::GroupId;
use crate::policy::day_of;
use crate::policy::exemption::{self, Usage};

mod publish;

/// Groups of one call in the second look: EC2 takes 200 values of a filter.
const SECOND_LOOK: usize = 200;
/// Another step begins only when so much of the time is left.
const STEP: Duration = Duration::from_secs(2);
/// The result of a sweep, also of one that did not come to its end.
#[derive(Debug)]
pub struct SweepRun {
    /// The counts for the function's answer.
    pub outcome: Outcome,
    /// When it began.
    pub since: Timestamp,
    pub took: Duration,
    /// Warnings and counts for the log.
    pub stats: RunStats,
    /// Why it did not come to its end.
    pub end: Result<(), EngineError>,
}

/// A finding that differs from the hub.
#[derive(Debug)]
struct Change {
    group_id: GroupId,
    subject: Subject,
    /// The moment that it is published with.
    at: Timestamp,
    over: Option<Known>,
}

/// A sweep under way.
struct Sweep<'e, S, K> {
    engine: &'e Engine<'e, S, K>,
    /// Groups that it leaves alone: events of the same invocation name them, and they are evaluated for themselves.
    except: &'e BTreeSet<GroupId>,
    since: Timestamp,
    hub: Hub,
    /// Whether archived findings of the future were looked for: once a sweep, when it publishes over none that it read.
    knows_archived: bool,
    /// Whether EC2 refused to tell rules: then it is not asked again.
    rules_are_refused: bool,
    pending: Vec<Change>,
    refused: Vec<Refusal>,
    outcome: Outcome,
    usage: Usage,
    stats: RunStats,
}

impl<S: GroupSource, K: FindingStore> Engine<'_, S, K> {
    /// Makes the hub equal to the account, but for the groups that are evaluated for themselves.
    pub async fn sweep(&self, except: &BTreeSet<GroupId>) -> SweepRun {
        let began = self.clock.instant();
        let mut sweep = Sweep {
            engine: self,
            except,
            since: self.clock.now(),
            hub: Hub::default(),
            knows_archived: false,
            rules_are_refused: false,
            pending: Vec::new(),
            refused: Vec::new(),
            outcome: Outcome::default(),
            usage: Usage::default(),
            stats: RunStats::default(),
        };
        let end = sweep.run().await;
        let end = match sweep.refused {
            refused if refused.is_empty() => end,
            refused => end.and(Err(StoreError::Refused(refused).into())),
        };
        let is_whole = end.is_ok() && except.is_empty();
        let accounts = BTreeSet::from([self.context.scope.account.clone()]);
        let exemptions = exemption::alerts(
            &self.settings.exemptions,
            Some(&accounts),
            is_whole.then_some(&sweep.usage),
            day_of(sweep.since),
        );
        let from_future = sweep.hub.count_from_future();
        SweepRun {
            outcome: sweep.outcome,
            since: sweep.since,
            took: self.clock.instant().saturating_duration_since(began),
            stats: RunStats {
                from_future,
                exemptions,
                usage: sweep.usage,
                ..sweep.stats
            },
            end,
        }
    }
}

impl<S: GroupSource, K: FindingStore> Sweep<'_, S, K> {
    async fn run(&mut self) -> Result<(), EngineError> {
        self.read_hub().await?;
        self.compare_pages().await?;
        self.look_again().await?;
        self.flush(1).await
    }

    /// Step 1.
    async fn read_hub(&mut self) -> Result<(), EngineError> {
        // Without an exemption no group is exempt.
        let has_exemptions = !self.engine.settings.exemptions.is_empty();
        let exempt = has_exemptions.then_some(FindingFilter::Exempt);
        for filter in std::iter::once(FindingFilter::Active).chain(exempt) {
            let mut next = None;
            loop {
                self.check_time("reading the published findings")?;
                let page = self.engine.store.published(filter, next).await?;
                let now = self.engine.clock.now();
                for finding in &page.findings {
                    self.hub.add(finding, now);
                }
                next = page.next;
                if next.is_none() {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Step 2.
    async fn compare_pages(&mut self) -> Result<(), EngineError> {
        self.check_time("describing the groups")?;
        let source = self.engine.source;
        let mut page = source.page(None).await?;
        loop {
            let Page { groups, next } = page;
            self.compare(groups).await?;
            let Some(token) = next else {
                return Ok(());
            };
            self.check_time("describing the groups")?;
            let (flushed, next_page) = tokio::join!(self.flush(IMPORT), source.page(Some(token)));
            flushed?;
            page = next_page?;
        }
    }

    /// Step 3.
    async fn look_again(&mut self) -> Result<(), EngineError> {
        let mut unseen = self.hub.unseen();
        unseen.retain(|id| !self.except.contains(id));
        for ids in unseen.chunks(SECOND_LOOK) {
            self.check_time("looking once more for groups that were not seen")?;
            let query = Query::Ids(ids);
            let observation = self.engine.source.find(query, Owner::Any).await?;
            let (own, foreign): (Vec<_>, Vec<_>) = observation
                .groups
                .into_iter()
                .partition(|observed| self.engine.owns(&observed.group));
            for observed in &foreign {
                self.hub.take(&observed.group.group_id);
            }
            self.compare(own).await?;
            for id in ids {
                if let Some(known) = self.hub.take(id) {
                    self.add(id.clone(), Subject::Gone, observation.at, Some(known))?;
                }
            }
            self.flush(IMPORT).await?;
        }
        Ok(())
    }

    /// Evaluates groups and notes what differs from the hub.
    async fn compare(&mut self, observed: Vec<Observed>) -> Result<(), EngineError> {
        let (excepted, observed): (Vec<_>, Vec<_>) = observed
            .into_iter()
            .partition(|one| self.except.contains(&one.group.group_id));
        for one in &excepted {
            self.hub.take(&one.group.group_id);
        }
        let evaluated = self.engine.evaluate(observed).await?;
        // What is shown names the rules too, whether it is published or not.
        let named = if self.engine.observer.is_some() {
            let verdicts = evaluated
                .iter()
                .map(|one| (&one.group.group_id, &one.verdict));
            let wanted = self.engine.wanting_rule_ids(verdicts);
            self.rules(&wanted).await
        } else {
            KnownRules::default()
        };
        for one in evaluated {
            self.usage.note(&one.group, &one.verdict);
            let id = one.group.group_id.clone();
            let known = self.hub.take(&id);
            let at = one.at;
            let subject = self.engine.with_rule_ids(one.subject(), named.of(&id));
            self.add(id, subject, at, known)?;
        }
        Ok(())
    }

    /// Counts and shows a finding, and notes it when it differs from the one that is known.
    fn add(
        &mut self,
        group_id: GroupId,
        subject: Subject,
        at: Timestamp,
        known: Option<Known>,
    ) -> Result<(), EngineError> {
        let attribution = Attribution::default();
        let finding = self
            .engine
            .finding(group_id, subject, at, attribution, Cause::Sweep);
        self.outcome = std::mem::take(&mut self.outcome).add(Outcome::of(&finding));
        self.stats = std::mem::take(&mut self.stats).and(RunStats::of_finding(&finding));
        match self.engine.show(std::slice::from_ref(&finding)) {
            Err(StoreError::Refused(refusals)) => self.refuse(refusals),
            shown => shown?,
        }
        let fingerprint = finding.fingerprint();
        let passed = self.engine.context.passed;
        if differs(finding.lifecycle(), fingerprint, known.as_ref(), passed, at) {
            let Finding {
                group_id, subject, ..
            } = finding;
            self.pending.push(Change {
                at: self.hub.publish_at(&group_id, at, known.as_ref()),
                group_id,
                subject,
                over: known,
            });
        }
        Ok(())
    }

    fn check_time(&self, what: &'static str) -> Result<(), EngineError> {
        let left = self.engine.time_left();
        if left.is_none_or(|left| left > STEP) {
            return Ok(());
        }
        Err(EngineError::OutOfTime {
            what,
            evaluated: self.outcome.evaluated,
            published: self.stats.published,
        })
    }
}
