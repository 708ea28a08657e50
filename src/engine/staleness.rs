//! What events prove about a group, held against what was fetched.
//!
//! EC2's reads are eventually consistent: shortly after a change an answer may still be the old one. A verdict on it
//! would be stale, so what an event proves must be seen, or the event be old enough that something else happened since.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::event::{ChangeProof, Trigger};
use crate::model::{GroupRule, IpPermission, SecurityGroup, Traffic};

/// How long to wait before each further look.
pub(super) const WAITS: [Duration; 3] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
];

/// An event younger than this may be ahead of what EC2 answers; an older one was overtaken by another change. One that is
/// as far ahead of the clock has a time that tells nothing: it would be young for ever.
const YOUNG: SignedDuration = SignedDuration::from_secs(60);

/// What is known of one group from its events; of several on the same thing the last decides.
#[derive(Debug, Default)]
pub(super) struct Expectation {
    exists: Option<Claim>,
    rules: Vec<(GroupRule, Claim)>,
}

#[derive(Debug, Clone, Copy)]
struct Claim {
    holds: bool,
    since: Option<Timestamp>,
}

/// What was fetched says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Contradiction {
    /// The time of the last event that says otherwise.
    since: Option<Timestamp>,
}

impl Contradiction {
    /// Is the event so young that what was fetched may be what was before it?
    pub(super) fn is_young(self, fetched_at: Timestamp) -> bool {
        self.since
            .is_some_and(|since| fetched_at.duration_since(since).abs() < YOUNG)
    }
}

impl Expectation {
    /// Of events in the order of their times.
    pub(super) fn of(triggers: &[&Trigger]) -> Self {
        let mut expectation = Self::default();
        for trigger in triggers {
            let claim = |holds| Claim {
                holds,
                since: trigger.record.moment(),
            };
            match &trigger.proof {
                ChangeProof::Nothing => {}
                ChangeProof::Deleted => {
                    expectation.exists = Some(claim(false));
                    expectation.rules.clear();
                }
                ChangeProof::Existed { added, removed } => {
                    expectation.exists = Some(claim(true));
                    for rule in added {
                        expectation.claim(rule, claim(true));
                    }
                    for rule in removed {
                        expectation.claim(rule, claim(false));
                    }
                }
            }
        }
        expectation
    }

    /// What was claimed of a rule before does not count any more.
    fn claim(&mut self, rule: &GroupRule, claim: Claim) {
        self.rules
            .retain(|(earlier, _)| !is_same_rule(earlier, rule));
        self.rules.push((rule.clone(), claim));
    }

    /// Was the group deleted, by the last event that tells?
    pub(super) fn is_deleted(&self) -> bool {
        self.exists.is_some_and(|claim| !claim.holds)
    }

    /// What an event proves and the group, or its absence, does not show.
    pub(super) fn contradicted_by(&self, group: Option<&SecurityGroup>) -> Option<Contradiction> {
        let existence = self.exists.filter(|claim| claim.holds != group.is_some());
        let rules = self.rules.iter().filter_map(|(rule, claim)| {
            let group = group?;
            (claim.holds != shows(group, rule)).then_some(*claim)
        });
        // An event without a time tells nothing of its age; `None` comes before any time.
        existence
            .into_iter()
            .chain(rules)
            .map(|claim| claim.since)
            .max()
            .map(|since| Contradiction { since })
    }
}

/// The same rule, modified in between or not, or two of the same effect.
fn is_same_rule(one: &GroupRule, other: &GroupRule) -> bool {
    let has_same_id = one.rule_id.is_some() && one.rule_id == other.rule_id;
    let has_same_effect = (one.is_ingress, &one.source, &one.traffic)
        == (other.is_ingress, &other.source, &other.traffic);
    has_same_id || has_same_effect
}

/// Is there such a rule among the group's permissions?
fn shows(group: &SecurityGroup, rule: &GroupRule) -> bool {
    let among = |permissions: &[IpPermission]| {
        permissions
            .iter()
            .any(|permission| is_rule(permission, rule))
    };
    among(&group.ip_permissions) || rule.is_ingress.is_none() && among(&group.ip_permissions_egress)
}

fn is_rule(permission: &IpPermission, rule: &GroupRule) -> bool {
    Traffic::of(permission).is_same_as(&rule.traffic)
        && permission
            .user_id_group_pairs
            .iter()
            .any(|pair| pair.group_id.as_ref() == Some(&rule.source))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::classify;

    fn event(name: &str, time: &str) -> Trigger {
        let path = format!("{}/events/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let mut event: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        event["detail"]["eventTime"] = time.into();
        classify(&event).unwrap()
    }

    fn group(permissions: &str) -> SecurityGroup {
        serde_json::from_str(&format!(
            r#"{{"GroupId":"sg-0123456789abcdef0","IpPermissions":[{permissions}]}}"#
        ))
        .unwrap()
    }

    fn is_met(triggers: &[&Trigger], group: Option<&SecurityGroup>) -> bool {
        Expectation::of(triggers).contradicted_by(group).is_none()
    }

    #[test]
    fn what_an_event_proves_must_be_seen() {
        let open =
            group(r#"{"IpProtocol":"-1","UserIdGroupPairs":[{"GroupId":"sg-0fedcba9876543210"}]}"#);
        let closed = group("");
        for (name, with_open, with_closed, with_none) in [
            ("authorize-ingress", true, false, false),
            ("modify-rules", true, false, false),
            ("modify-rules-several", false, false, false),
            ("revoke-ingress", false, true, false),
            ("revoke-ingress-by-rule-id", false, true, false),
            ("authorize-egress", true, true, false),
            ("create-security-group", true, true, false),
            ("create-tags", true, true, false),
            ("delete-security-group", false, false, true),
        ] {
            let event = event(name, "2026-11-24T09:00:00Z");
            let met = [
                is_met(&[&event], Some(&open)),
                is_met(&[&event], Some(&closed)),
                is_met(&[&event], None),
            ];
            assert_eq!(met, [with_open, with_closed, with_none], "{name}");
        }
    }

    #[test]
    fn of_several_events_on_one_rule_the_last_decides() {
        let (authorized, revoked) = (
            event("authorize-ingress", "2026-11-24T09:00:00Z"),
            event("revoke-ingress", "2026-11-24T09:00:01Z"),
        );
        assert!(is_met(&[&authorized, &revoked], Some(&group(""))));
        assert!(!is_met(&[&revoked, &authorized], Some(&group(""))));
        let deleted = event("delete-security-group", "2026-11-24T09:00:02Z");
        assert!(is_met(&[&authorized, &deleted], None));
        assert!(Expectation::of(&[&authorized, &deleted]).is_deleted());
    }

    #[test]
    fn of_two_modifications_of_one_rule_the_last_decides() {
        let first = event("modify-rules", "2026-11-24T09:00:00Z");
        let mut second = event("modify-rules", "2026-11-24T09:00:01Z");
        if let ChangeProof::Existed { added, .. } = &mut second.proof {
            added[0].traffic.protocol = crate::model::Protocol::new("udp");
        }
        let udp = group(
            r#"{"IpProtocol":"udp","UserIdGroupPairs":[{"GroupId":"sg-0fedcba9876543210"}]}"#,
        );
        assert!(is_met(&[&first, &second], Some(&udp)));
        assert!(!is_met(&[&second, &first], Some(&udp)));
    }

    #[test]
    fn a_modified_rule_may_be_an_egress_rule() {
        let modified = event("modify-rules", "2026-11-24T09:00:00Z");
        let mut letting_out =
            group(r#"{"IpProtocol":"-1","UserIdGroupPairs":[{"GroupId":"sg-0fedcba9876543210"}]}"#);
        letting_out.ip_permissions_egress = std::mem::take(&mut letting_out.ip_permissions);
        assert!(is_met(&[&modified], Some(&letting_out)));
        let authorized = event("authorize-ingress", "2026-11-24T09:00:00Z");
        assert!(!is_met(&[&authorized], Some(&letting_out)));
    }

    #[test]
    fn only_a_young_event_is_ahead_of_ec2() {
        let event = event("authorize-ingress", "2026-11-24T09:00:00Z");
        let contradiction = Expectation::of(&[&event]).contradicted_by(None).unwrap();
        assert!(contradiction.is_young("2026-11-24T09:00:59Z".parse().unwrap()));
        assert!(!contradiction.is_young("2026-11-24T09:01:00Z".parse().unwrap()));
        assert!(contradiction.is_young("2026-11-24T08:59:01Z".parse().unwrap()));
        assert!(!contradiction.is_young("2026-11-24T08:59:00Z".parse().unwrap()));
    }
}
