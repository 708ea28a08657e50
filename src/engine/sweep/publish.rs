//! The publishing half of a sweep: what differs, in full calls, with what is known of events and rules.

use std::collections::{BTreeSet, HashMap};

use jiff::SignedDuration;

use super::{Change, Sweep};
use crate::engine::EngineError;
use crate::engine::evaluate::KnownRules;
use crate::engine::source::GroupSource;
use crate::engine::stats::RunStats;
use crate::engine::store::{
    FILTER_VALUES, FindingFilter, FindingStore, IMPORT, PublishedFinding, Refusal, StoreError,
};
use crate::finding::{Attribution, Cause, Finding, Subject};
use crate::model::GroupId;

/// How far the clocks of two instances may differ. A finding from further ahead was dated by a wrong clock, and is not one
/// that an event published meanwhile.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_secs(5);
/// The error names at most so many refused findings.
const NAMED_REFUSALS: usize = 20;

impl<S: GroupSource, K: FindingStore> Sweep<'_, S, K> {
    /// A refused finding does not keep the others from being published; it is an error at the end.
    pub(super) fn refuse(&mut self, refusals: Vec<Refusal>) {
        let room = NAMED_REFUSALS.saturating_sub(self.refused.len());
        self.refused.extend(refusals.into_iter().take(room));
    }

    /// Publishes what is pending, in full calls; fewer than `at_least` wait for more.
    pub(super) async fn flush(&mut self, at_least: usize) -> Result<(), EngineError> {
        while self.pending.len() >= at_least.max(1) {
            self.check_time("publishing")?;
            let count = self.pending.len().min(IMPORT);
            let changes: Vec<_> = self.pending.drain(..count).collect();
            let changes = self.without_those_of_events(changes).await?;
            let changes = self.after_archived(changes).await?;
            let findings = self.complete(changes).await?;
            let sent = u64::try_from(findings.len()).unwrap_or_default();
            let refused = match self.engine.publish(&findings).await {
                Ok(()) => 0,
                Err(StoreError::Refused(refusals)) => {
                    let count = u64::try_from(refusals.len()).unwrap_or_default();
                    self.refuse(refusals);
                    count
                }
                Err(error) => return Err(error.into()),
            };
            self.stats.published += sent.saturating_sub(refused);
            self.stats.refused += refused;
        }
        Ok(())
    }

    /// The changes without those of groups whose finding an event published since the sweep began: it knows more.
    async fn without_those_of_events(
        &mut self,
        mut changes: Vec<Change>,
    ) -> Result<Vec<Change>, EngineError> {
        let filter = FindingFilter::ByEventSince(self.since);
        let latest = self.engine.clock.now() + CLOCKS_DIFFER;
        let published = self.extra(filter).await?.into_iter();
        let published: BTreeSet<_> = published
            .filter(|finding| finding.updated_at.is_some_and(|updated| updated <= latest))
            .map(|finding| finding.group_id)
            .collect();
        changes.retain(|change| !published.contains(&change.group_id));
        Ok(changes)
    }

    /// An archived finding with a time that is still to come would hide a new one until then: the hub ignores what is not
    /// newer. They are read once a sweep, and only when it publishes a finding over none that was read.
    async fn after_archived(
        &mut self,
        mut changes: Vec<Change>,
    ) -> Result<Vec<Change>, EngineError> {
        if !self.knows_archived && changes.iter().any(|change| change.over.is_none()) {
            let now = self.engine.clock.now();
            for finding in self.extra(FindingFilter::ArchivedAfter(now)).await? {
                self.hub.add_future(&finding, now);
            }
            self.knows_archived = true;
        }
        for change in changes.iter_mut().filter(|change| change.over.is_none()) {
            change.at = self.hub.publish_at(&change.group_id, change.at, None);
        }
        Ok(changes)
    }

    /// Findings that a sweep is better for knowing: where Security Hub refuses the filter, it warns and goes on.
    async fn extra(
        &mut self,
        filter: FindingFilter<'_>,
    ) -> Result<Vec<PublishedFinding>, EngineError> {
        match self.engine.published(filter).await {
            Err(StoreError::Rejected(why)) => {
                let warning = format!("the sweep goes on without an extra look: {why}");
                if !self.stats.warnings.contains(&warning) {
                    self.stats = std::mem::take(&mut self.stats).and(RunStats::of_warning(warning));
                }
                Ok(Vec::new())
            }
            published => Ok(published?),
        }
    }

    /// The findings of changes, with the rules that the settings want named, and with the events that the findings which
    /// they replace tell. Those are read once more now: to keep them from the beginning would take memory.
    async fn complete(&mut self, changes: Vec<Change>) -> Result<Vec<Finding>, EngineError> {
        let wanted = if self.engine.observer.is_some() {
            // They were named when they were shown.
            Vec::new()
        } else {
            let verdicts = changes.iter().filter_map(|change| match &change.subject {
                Subject::Evaluated(group, verdict) => Some((&group.group_id, verdict)),
                Subject::Gone | Subject::Retired => None,
            });
            self.engine.wanting_rule_ids(verdicts)
        };
        let named = self.rules(&wanted).await;
        let has_events = |change: &&Change| change.over.is_some_and(|known| known.has_events);
        let ids: Vec<_> = changes
            .iter()
            .filter(has_events)
            .map(|change| change.group_id.clone())
            .collect();
        let mut published = HashMap::new();
        for ids in ids.chunks(FILTER_VALUES) {
            let of_call = self.engine.published(FindingFilter::Of(ids)).await?;
            published.extend(
                of_call
                    .into_iter()
                    .map(|finding| (finding.group_id, finding.attribution)),
            );
        }
        let complete = |change: Change| {
            let Change {
                group_id,
                subject,
                at,
                over,
            } = change;
            let is_same_stage = over.and_then(|known| known.lifecycle) == Some(subject.lifecycle());
            let attribution: Attribution = published.remove(&group_id).unwrap_or_default();
            let attribution = attribution.kept(is_same_stage, subject.violations());
            let subject = if wanted.contains(&group_id) {
                self.engine.with_rule_ids(subject, named.of(&group_id))
            } else {
                subject
            };
            self.engine
                .finding(group_id, subject, at, attribution, Cause::Sweep)
        };
        Ok(changes.into_iter().map(complete).collect())
    }

    /// The rules of groups, unless EC2 refused to tell any.
    pub(super) async fn rules(&mut self, groups: &[GroupId]) -> KnownRules {
        if self.rules_are_refused {
            return KnownRules::default();
        }
        let known = self.engine.known_rules(groups).await;
        self.rules_are_refused = known.is_refused;
        self.stats = std::mem::take(&mut self.stats).and(known.stats.clone());
        known
    }
}
