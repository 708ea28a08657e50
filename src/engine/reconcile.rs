//! What a sweep publishes: the difference between the account and the hub, decided on values.
//!
//! The least that makes the hub right: a finding whose fingerprint is published already is left alone, unless it grows so
//! old that Security Hub would delete it.

use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp};

use super::store::PublishedFinding;
use crate::finding::{Fingerprint, Lifecycle, Passed};
use crate::model::GroupId;

/// A FAILED finding is published anew after this time without an update: Security Hub deletes active findings after 90
/// days (<https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings.html>).
const REFRESH_FAILED: SignedDuration = SignedDuration::from_hours(30 * 24);
/// The same of an EXEMPT one, which is archived: those it deletes after 30 days.
const REFRESH_EXEMPT: SignedDuration = SignedDuration::from_hours(20 * 24);

/// A sweep keeps so little of each published finding: some 48 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) lifecycle: Option<Lifecycle>,
    pub(super) fingerprint: Option<Fingerprint>,
    pub(super) updated_at: Option<Timestamp>,
    /// Whether it names events: whoever publishes it anew reads them once more.
    pub(super) has_events: bool,
}

impl Known {
    pub(super) fn of(finding: &PublishedFinding) -> Self {
        Self {
            lifecycle: finding.lifecycle,
            fingerprint: finding.fingerprint,
            updated_at: finding.updated_at,
            has_events: !finding.attribution.is_empty(),
        }
    }

    /// Whether it is time to publish the finding anew, though nothing changed.
    fn is_old(&self, now: Timestamp) -> bool {
        let most = match self.lifecycle {
            Some(Lifecycle::Exempt) => REFRESH_EXEMPT,
            _ => REFRESH_FAILED,
        };
        self.updated_at
            .is_none_or(|updated| now.duration_since(updated) > most)
    }
}

/// The product's own findings in the hub, as far as a sweep needs them.
#[derive(Debug, Default)]
pub(super) struct Hub {
    known: HashMap<GroupId, Known>,
    /// Published findings with a time that is still to come, and that time.
    from_future: BTreeMap<GroupId, Timestamp>,
}

impl Hub {
    /// Takes a published finding that was read at a moment.
    pub(super) fn add(&mut self, finding: &PublishedFinding, now: Timestamp) {
        self.add_future(finding, now);
        self.known
            .insert(finding.group_id.clone(), Known::of(finding));
    }

    /// Notes a published finding whose time is still to come: the hub takes nothing over it that is older.
    pub(super) fn add_future(&mut self, finding: &PublishedFinding, now: Timestamp) {
        if let Some(updated) = finding.updated_at.filter(|updated| *updated > now) {
            self.from_future.insert(finding.group_id.clone(), updated);
        }
    }

    /// The number of published findings with a time that is still to come.
    pub(super) fn count_from_future(&self) -> u64 {
        u64::try_from(self.from_future.len()).unwrap_or(u64::MAX)
    }

    /// Takes out what is known of a group: it was seen.
    pub(super) fn take(&mut self, group: &GroupId) -> Option<Known> {
        self.known.remove(group)
    }

    /// The groups of findings that were not taken out, in order.
    pub(super) fn unseen(&self) -> Vec<GroupId> {
        let mut unseen: Vec<_> = self.known.keys().cloned().collect();
        unseen.sort_unstable();
        unseen
    }

    /// The moment that a finding about a group must have, for the hub to take it: the moment of its observation, unless
    /// a published one is as new or newer.
    pub(super) fn publish_at(
        &self,
        group: &GroupId,
        at: Timestamp,
        over: Option<&Known>,
    ) -> Timestamp {
        let known = over.and_then(|known| known.updated_at);
        let future = self.from_future.get(group).copied();
        let newest = known.max(future).filter(|updated| *updated >= at);
        newest.map_or(at, after)
    }
}

/// The first moment that Security Hub takes over this one: it keeps milliseconds.
pub(super) fn after(updated: Timestamp) -> Timestamp {
    updated
        .checked_add(SignedDuration::from_millis(1))
        .unwrap_or(updated)
}

/// Whether a finding must be published over the one that is known, if any.
pub(super) fn differs(
    lifecycle: Lifecycle,
    fingerprint: Fingerprint,
    known: Option<&Known>,
    passed: Passed,
    now: Timestamp,
) -> bool {
    let is_published = known.is_some_and(|known| known.fingerprint == Some(fingerprint));
    match lifecycle {
        Lifecycle::Failed | Lifecycle::Exempt => {
            !is_published || known.is_some_and(|known| known.is_old(now))
        }
        Lifecycle::Passed if passed == Passed::Active => !is_published,
        Lifecycle::Passed | Lifecycle::Gone | Lifecycle::Retired => known.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::finding::Attribution;

    const NOW: &str = "2026-11-24T09:00:00Z";

    fn moment(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn print(digits: &str) -> Fingerprint {
        Fingerprint::parse(digits).unwrap()
    }

    fn known(lifecycle: Lifecycle, fingerprint: Option<&str>, updated: &str) -> Known {
        Known {
            lifecycle: Some(lifecycle),
            fingerprint: fingerprint.map(print),
            updated_at: Some(moment(updated)),
            has_events: false,
        }
    }

    #[test]
    fn every_row_of_the_sweeps_rules() {
        use Lifecycle::{Exempt, Failed, Gone, Passed as PassedStage};
        const SAME: &str = "00000000000000aa";
        const OTHER: &str = "00000000000000bb";
        let recent = "2026-11-20T09:00:00Z";
        let month_ago = "2026-10-24T08:59:59Z";
        let three_weeks_ago = "2026-11-03T08:00:00Z";
        for (what, stage, known, archive, active) in [
            ("failed, not there", Failed, None, true, true),
            (
                "failed, there",
                Failed,
                Some(known(Failed, Some(SAME), recent)),
                false,
                false,
            ),
            (
                "failed, changed",
                Failed,
                Some(known(Failed, Some(OTHER), recent)),
                true,
                true,
            ),
            (
                "failed, overwritten by others",
                Failed,
                Some(known(Failed, None, recent)),
                true,
                true,
            ),
            (
                "failed, growing old",
                Failed,
                Some(known(Failed, Some(SAME), month_ago)),
                true,
                true,
            ),
            (
                "failed, three weeks old",
                Failed,
                Some(known(Failed, Some(SAME), three_weeks_ago)),
                false,
                false,
            ),
            ("exempt, not there", Exempt, None, true, true),
            (
                "exempt, there",
                Exempt,
                Some(known(Exempt, Some(SAME), recent)),
                false,
                false,
            ),
            (
                "exempt, growing old",
                Exempt,
                Some(known(Exempt, Some(SAME), three_weeks_ago)),
                true,
                true,
            ),
            (
                "exempt, was failed",
                Exempt,
                Some(known(Failed, Some(OTHER), recent)),
                true,
                true,
            ),
            ("passed, not there", PassedStage, None, false, true),
            (
                "passed, was failed",
                PassedStage,
                Some(known(Failed, Some(OTHER), recent)),
                true,
                true,
            ),
            (
                "passed, there",
                PassedStage,
                Some(known(PassedStage, Some(SAME), recent)),
                true,
                false,
            ),
            (
                "gone, there",
                Gone,
                Some(known(Failed, Some(OTHER), recent)),
                true,
                true,
            ),
            ("gone, not there", Gone, None, false, false),
        ] {
            let decide = |passed| differs(stage, print(SAME), known.as_ref(), passed, moment(NOW));
            assert_eq!(decide(Passed::Archive), archive, "{what}, archive");
            assert_eq!(decide(Passed::Active), active, "{what}, active");
        }
    }

    #[test]
    fn a_finding_from_the_future_is_outdone_by_a_millisecond() {
        let mut hub = Hub::default();
        let id = GroupId::new("sg-0a");
        let published = PublishedFinding {
            group_id: id.clone(),
            vpc_id: None,
            lifecycle: Some(Lifecycle::Failed),
            fingerprint: None,
            updated_at: Some(moment("2099-01-01T00:00:00Z")),
            attribution: Attribution::default(),
        };
        hub.add_future(&published, moment(NOW));
        assert_eq!(hub.count_from_future(), 1);
        let at = hub.publish_at(&id, moment(NOW), None);
        assert_eq!(at, moment("2099-01-01T00:00:00.001Z"));
        assert_eq!(
            hub.publish_at(&GroupId::new("sg-0b"), moment(NOW), None),
            moment(NOW)
        );
    }

    proptest! {
        #[test]
        fn what_is_published_is_newer_than_what_is_known(at in 0_i64..4_000_000_000, known_at in proptest::option::of(0_i64..4_000_000_000)) {
            let at = Timestamp::from_second(at).unwrap();
            let over = known_at.map(|known_at| Known {
                lifecycle: None,
                fingerprint: None,
                updated_at: Some(Timestamp::from_second(known_at).unwrap()),
                has_events: false,
            });
            let published = Hub::default().publish_at(&GroupId::new("sg-0a"), at, over.as_ref());
            prop_assert!(published >= at);
            prop_assert!(over.and_then(|known| known.updated_at).is_none_or(|updated| published > updated));
        }
    }
}
