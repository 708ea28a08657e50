//! What events prove about a group, held against what EC2 shows.
//!
//! EC2's reads are eventually consistent: shortly after a change an answer may still be the old one. An event proves
//! something ([`Claims`]): a deletion that the group is gone, any other that it existed, an authorize, revoke or modify
//! call that its rule is there or not. While an event is young, an answer that contradicts it is asked for again; what is
//! published when the answers end is [`settle`]'s decision. Everything here is a pure function of values.

use std::collections::BTreeSet;
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

/// The numbers of messages in their batch.
pub(super) type Messages = BTreeSet<usize>;

/// What the events about one group prove.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Claims {
    /// By a deletion. Ids are never given again, so no other event weighs against it.
    deleted: Option<Claim>,
    /// By any other event.
    existed: Option<Claim>,
    rules: Vec<RuleClaim>,
}

/// Something that an event proves, and the messages that say so.
#[derive(Debug, Clone, PartialEq)]
struct Claim {
    /// The event's time, which knows whole seconds only.
    since: Option<Timestamp>,
    messages: Messages,
}

/// What the last events on a rule prove of it.
#[derive(Debug, Clone, PartialEq)]
struct RuleClaim {
    rule: GroupRule,
    state: RuleState,
    claim: Claim,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RuleState {
    There,
    Gone,
    /// Two events of one second say opposite things: which came last is not known.
    Unknown,
}

/// What EC2 shows otherwise than young events prove.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Contradictions {
    /// The messages whose own claim is contradicted.
    pub(super) messages: Messages,
    /// Whether the contradiction is about the group's existence.
    is_of_existence: bool,
    /// Rules that events say are gone, and that EC2 still shows.
    gone_rules: Vec<GroupRule>,
}

/// What is to be published of a group after the last look.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Settlement {
    /// What EC2 shows, also that it is gone.
    AsShown,
    /// The group without rules that events say are gone: it fails all the same.
    Reduced(Box<SecurityGroup>),
    /// Nothing: a verdict that events contradict could be a wrong PASSED.
    Withheld,
}

impl Claims {
    /// What events prove, each with the number of its message.
    pub(super) fn of(events: &[(usize, &Trigger)]) -> Self {
        let mut events = events.to_vec();
        events.sort_by_key(|(_, event)| event.record.moment());
        let mut claims = Self::default();
        for (message, event) in events {
            let claim = Claim {
                since: event.record.moment(),
                messages: Messages::from([message]),
            };
            match &event.proof {
                ChangeProof::Nothing => {}
                ChangeProof::Deleted => claims.deleted = Some(claim.after(claims.deleted.take())),
                ChangeProof::Existed { added, removed } => {
                    claims.existed = Some(claim.clone().after(claims.existed.take()));
                    for rule in added {
                        claims.add(rule, RuleState::There, claim.clone());
                    }
                    for rule in removed {
                        claims.add(rule, RuleState::Gone, claim.clone());
                    }
                }
            }
        }
        claims
    }

    /// Takes a claim of a rule: it replaces what earlier events claim. Opposite claims of one second cancel each other.
    fn add(&mut self, rule: &GroupRule, state: RuleState, claim: Claim) {
        let (same, others): (Vec<_>, Vec<_>) = std::mem::take(&mut self.rules)
            .into_iter()
            .partition(|earlier| earlier.rule.is_same_as(rule));
        self.rules = others;
        let of_this_second: Vec<_> = same
            .into_iter()
            .filter(|earlier| earlier.claim.since == claim.since)
            .collect();
        let is_agreed = of_this_second
            .iter()
            .all(|earlier| earlier.state == state && earlier.rule.has_same_effect(rule));
        let messages = of_this_second
            .into_iter()
            .flat_map(|earlier| earlier.claim.messages)
            .chain(claim.messages)
            .collect();
        self.rules.push(RuleClaim {
            rule: rule.clone(),
            state: if is_agreed { state } else { RuleState::Unknown },
            claim: Claim { messages, ..claim },
        });
    }

    /// Whether an event proves that the group is gone.
    pub(super) fn is_deleted(&self) -> bool {
        self.deleted.is_some()
    }

    /// What EC2 shows otherwise than events that are young at the moment of the look.
    pub(super) fn contradictions(
        &self,
        group: Option<&SecurityGroup>,
        at: Timestamp,
    ) -> Contradictions {
        let existence = match (&self.deleted, group) {
            (Some(deleted), Some(_)) => Some(deleted),
            (None, None) => self.existed.as_ref(),
            _ => None,
        };
        if let Some(claim) = existence.filter(|claim| claim.is_young(at)) {
            return Contradictions {
                messages: claim.messages.clone(),
                is_of_existence: true,
                gone_rules: Vec::new(),
            };
        }
        let Some(group) = group.filter(|_| self.deleted.is_none()) else {
            return Contradictions::default();
        };
        let contradicted: Vec<_> = self
            .rules
            .iter()
            .filter(|claim| claim.claim.is_young(at))
            .filter(|claim| match claim.state {
                RuleState::There => !shows(group, &claim.rule),
                RuleState::Gone => shows(group, &claim.rule),
                RuleState::Unknown => false,
            })
            .collect();
        Contradictions {
            messages: contradicted
                .iter()
                .flat_map(|claim| claim.claim.messages.iter().copied())
                .collect(),
            is_of_existence: false,
            gone_rules: contradicted
                .iter()
                .filter(|claim| claim.state == RuleState::Gone)
                .map(|claim| claim.rule.clone())
                .collect(),
        }
    }

    /// Whether young events of one second say opposite things about a rule: a group that passes needs another look.
    pub(super) fn is_unsettled(&self, at: Timestamp) -> bool {
        self.rules
            .iter()
            .any(|claim| claim.state == RuleState::Unknown && claim.claim.is_young(at))
    }

    /// The claims without those that a rule is gone which was replaced by another of the same effect: EC2 shows that
    /// one, by its own id.
    pub(super) fn without_replaced(mut self, shown: &[GroupRule]) -> Self {
        self.rules.retain(|claim| {
            let same: Vec<_> = shown
                .iter()
                .filter(|rule| rule.has_same_effect(&claim.rule))
                .collect();
            let is_replaced = claim.state == RuleState::Gone
                && claim.rule.rule_id.is_some()
                && !same.is_empty()
                && same.iter().all(|rule| rule.rule_id != claim.rule.rule_id);
            !is_replaced
        });
        self
    }
}

impl Claim {
    /// This claim, with the messages of an equal one of the same second; an earlier one counts no more.
    fn after(mut self, earlier: Option<Self>) -> Self {
        if let Some(earlier) = earlier.filter(|earlier| earlier.since == self.since) {
            self.messages.extend(earlier.messages);
        }
        self
    }

    fn is_young(&self, at: Timestamp) -> bool {
        self.since
            .is_some_and(|since| at.duration_since(since).abs() < YOUNG)
    }
}

impl Contradictions {
    /// Whether EC2 shows what the events prove.
    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Whether a rule that EC2 still shows, by an id that the event tells, should be gone.
    pub(super) fn has_gone_rule_with_id(&self) -> bool {
        self.gone_rules.iter().any(|rule| rule.rule_id.is_some())
    }
}

/// What is to be published when EC2 still contradicts young events at the last look. A violation that EC2 shows, and that
/// no event says is gone, is never withheld; a group that would pass or be gone is, until EC2 and the events agree.
pub(super) fn settle(
    contradictions: &Contradictions,
    group: Option<&SecurityGroup>,
    fails: impl Fn(&SecurityGroup) -> bool,
) -> Settlement {
    if contradictions.is_empty() {
        return Settlement::AsShown;
    }
    let Some(group) = group.filter(|_| !contradictions.is_of_existence) else {
        return Settlement::Withheld;
    };
    if contradictions.gone_rules.is_empty() {
        return if fails(group) {
            Settlement::AsShown
        } else {
            Settlement::Withheld
        };
    }
    let reduced = without(group, &contradictions.gone_rules);
    if fails(&reduced) {
        Settlement::Reduced(Box::new(reduced))
    } else {
        Settlement::Withheld
    }
}

/// The group without some of its ingress rules.
fn without(group: &SecurityGroup, rules: &[GroupRule]) -> SecurityGroup {
    let mut group = group.clone();
    for permission in &mut group.ip_permissions {
        let traffic = Traffic::of(permission);
        permission.user_id_group_pairs.retain(|pair| {
            !rules.iter().any(|rule| {
                rule.traffic.is_same_as(&traffic) && pair.group_id.as_ref() == Some(&rule.source)
            })
        });
    }
    group.ip_permissions.retain(|permission| {
        !(permission.user_id_group_pairs.is_empty()
            && permission.ip_ranges.is_empty()
            && permission.ipv6_ranges.is_empty()
            && permission.prefix_list_ids.is_empty())
    });
    group
}

/// Whether the group has such a rule. A modified rule may be an egress rule.
fn shows(group: &SecurityGroup, rule: &GroupRule) -> bool {
    let among =
        |permissions: &[IpPermission]| permissions.iter().any(|permission| rule.is_in(permission));
    among(&group.ip_permissions) || rule.is_ingress.is_none() && among(&group.ip_permissions_egress)
}
