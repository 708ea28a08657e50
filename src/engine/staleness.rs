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

/// The waits before each further look.
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

/// The claims of the events about one group.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Claims {
    /// By deletions. Ids are never given again, so no other event weighs against one.
    deleted: Vec<Claim>,
    /// By all other events.
    existed: Vec<Claim>,
    rules: Vec<RuleClaim>,
}

/// The message that says something, and when it became true.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Claim {
    message: usize,
    /// The event's time, which knows whole seconds only.
    since: Option<Timestamp>,
}

/// The claim of the last events on a rule.
#[derive(Debug, Clone, PartialEq)]
struct RuleClaim {
    rule: GroupRule,
    state: RuleState,
    /// Of one second.
    claims: Vec<Claim>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RuleState {
    There,
    Gone,
    /// Two events of one second say opposite things: which came last is not known.
    Unknown,
}

/// The contradictions between EC2 and young events.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Contradictions {
    /// The messages whose own claim is contradicted.
    pub(super) messages: Messages,
    /// Whether the contradiction is about the group's existence.
    is_of_existence: bool,
    /// Rules that events say are gone, and that EC2 still shows.
    gone_rules: Vec<GroupRule>,
}

/// The decision about a group after the last look.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Settlement {
    /// The group as EC2 shows it, or its absence.
    AsShown,
    /// The group without rules that events say are gone: it fails all the same.
    Reduced(Box<SecurityGroup>),
    /// Nothing: a verdict that events contradict could be a wrong PASSED.
    Withheld,
}

impl Claims {
    /// The claims of events, each with the number of its message.
    pub(super) fn of(events: &[(usize, &Trigger)]) -> Self {
        let mut events = events.to_vec();
        events.sort_by_key(|(_, event)| event.record.moment());
        let mut claims = Self::default();
        for (message, event) in events {
            let since = event.record.moment();
            let claim = Claim { message, since };
            match &event.proof {
                ChangeProof::Nothing => {}
                ChangeProof::Deleted => claims.deleted.push(claim),
                ChangeProof::Existed { added, removed } => {
                    claims.existed.push(claim);
                    for rule in added {
                        claims.add(rule, RuleState::There, claim);
                    }
                    for rule in removed {
                        claims.add(rule, RuleState::Gone, claim);
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
            .filter(|earlier| earlier.claims.iter().all(|one| one.since == claim.since))
            .collect();
        let is_agreed = of_this_second
            .iter()
            .all(|earlier| earlier.state == state && earlier.rule.has_same_effect(rule));
        let earlier = of_this_second.into_iter().flat_map(|one| one.claims);
        self.rules.push(RuleClaim {
            rule: rule.clone(),
            state: if is_agreed { state } else { RuleState::Unknown },
            claims: earlier.chain([claim]).collect(),
        });
    }

    /// These claims, and what others say about the group's deletion.
    pub(super) fn and_deletions_of(mut self, others: Self) -> Self {
        self.deleted.extend(others.deleted);
        self
    }

    /// Whether an event proves that the group is gone.
    pub(super) fn is_deleted(&self) -> bool {
        !self.deleted.is_empty()
    }

    /// The contradictions between a look and the events that are young at its moment.
    pub(super) fn contradictions(
        &self,
        group: Option<&SecurityGroup>,
        at: Timestamp,
    ) -> Contradictions {
        let existence: &[Claim] = match group {
            Some(_) => &self.deleted,
            None if self.is_deleted() => &[],
            None => &self.existed,
        };
        let messages = young(existence, at);
        if !messages.is_empty() {
            return Contradictions {
                messages,
                is_of_existence: true,
                gone_rules: Vec::new(),
            };
        }
        let Some(group) = group.filter(|_| !self.is_deleted()) else {
            return Contradictions::default();
        };
        let contradicted = |one: &&RuleClaim| match one.state {
            RuleState::There => shows(group, &one.rule) == Shown::No,
            RuleState::Gone => shows(group, &one.rule) == Shown::Yes,
            RuleState::Unknown => false,
        };
        let contradicted: Vec<_> = self
            .rules
            .iter()
            .filter(|one| !one.young(at).is_empty())
            .filter(contradicted)
            .collect();
        Contradictions {
            messages: contradicted.iter().flat_map(|one| one.young(at)).collect(),
            is_of_existence: false,
            gone_rules: contradicted
                .iter()
                .filter(|one| one.state == RuleState::Gone)
                .map(|one| one.rule.clone())
                .collect(),
        }
    }

    /// The messages of young events after which it is not known what EC2 must show: those of one second that say opposite
    /// things about a rule, and those that modified a rule which may be an egress rule. A group that passes needs another
    /// look.
    pub(super) fn doubts(&self, group: &SecurityGroup, at: Timestamp) -> Messages {
        let is_in_doubt = |one: &&RuleClaim| {
            one.state == RuleState::Unknown
                || one.state == RuleState::There && shows(group, &one.rule) == Shown::Perhaps
        };
        let in_doubt = self.rules.iter().filter(is_in_doubt);
        in_doubt.flat_map(|one| one.young(at)).collect()
    }

    /// Whether the ids of the group's rules would tell whether a rule that a young event modified is an ingress rule.
    pub(super) fn may_be_ingress(&self, group: &SecurityGroup, at: Timestamp) -> bool {
        self.rules.iter().any(|one| {
            one.state == RuleState::There
                && one.rule.rule_id.is_some()
                && shows(group, &one.rule) == Shown::Perhaps
                && !one.young(at).is_empty()
        })
    }

    /// The claims, held against the ingress rules that EC2 shows by their ids. A rule that is gone may have been replaced by
    /// another of the same effect: then nothing is claimed. A rule that was modified may turn out to be an ingress rule.
    pub(super) fn with_known_rules(mut self, shown: &[GroupRule]) -> Self {
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
        for claim in &mut self.rules {
            let id = &claim.rule.rule_id;
            if id.is_some() && shown.iter().any(|rule| rule.rule_id == *id) {
                claim.rule.is_ingress = Some(true);
            }
        }
        self
    }
}

impl RuleClaim {
    /// The messages, if they are young.
    fn young(&self, at: Timestamp) -> Messages {
        young(&self.claims, at)
    }
}

/// The messages of claims that are young at a moment.
fn young(claims: &[Claim], at: Timestamp) -> Messages {
    let is_young = |since: Timestamp| at.duration_since(since).abs() < YOUNG;
    let young = claims.iter().filter(|one| one.since.is_some_and(is_young));
    young.map(|one| one.message).collect()
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

/// Whether a group shows a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    Yes,
    No,
    /// An egress rule of the same effect is there, and the event does not tell which of the two it is about.
    Perhaps,
}

fn shows(group: &SecurityGroup, rule: &GroupRule) -> Shown {
    let among = |permissions: &[IpPermission]| permissions.iter().any(|one| rule.is_in(one));
    if among(&group.ip_permissions) {
        Shown::Yes
    } else if rule.is_ingress.is_none() && among(&group.ip_permissions_egress) {
        Shown::Perhaps
    } else {
        Shown::No
    }
}
