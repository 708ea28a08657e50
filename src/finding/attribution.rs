//! Who caused a finding: the last event, and the event that opened one of its violations.
//!
//! To name the wrong person is worse than to name nobody. An event is believed to have opened a violation only when the
//! rule that it added is behind one, no other event and nothing that EC2 showed says that this rule is gone, and it is
//! either so young that nobody else can have replaced the rule since, or EC2 still shows the very rule (by its id) that
//! the event's answer gave.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use crate::event::{ChangeProof, Record, Trigger};
use crate::model::{GroupId, GroupRule, IpPermission, Protocol};
use crate::policy::Violation;

/// An event that is no older than this is believed without another look at the rules.
const BELIEVED: SignedDuration = SignedDuration::from_mins(5);
/// The calls that give new rules an id.
const AUTHORIZE: &str = "AuthorizeSecurityGroupIngress";

/// The events behind a finding.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attribution {
    /// The event that led to this evaluation.
    pub last: Option<Record>,
    /// Who opened one of the violations.
    pub opener: Option<Opener>,
}

/// Who opened a violation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opener {
    /// The event that added the rule.
    pub record: Record,
    /// The violation that the rule is behind.
    pub rule: OpenedRule,
}

/// Which violation somebody opened: `sg-0bbb tcp`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedRule {
    pub source: GroupId,
    /// The violation's protocol.
    pub protocol: Protocol,
}

/// A group when events are held against it.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// The moment that events are as old as of.
    pub at: Timestamp,
    pub violations: &'a [Violation],
    pub egress: &'a [IpPermission],
    /// The ingress rules with their ids: each answer, where they were asked for ([`Attribution::needs_rules`]).
    pub rules: &'a [&'a [GroupRule]],
}

impl Attribution {
    #[must_use]
    pub fn of(events: &[&Trigger], seen: Seen<'_>) -> Self {
        let events = in_time(events);
        let last = events
            .iter()
            .rev()
            .find(|event| event.record.name.is_some())
            .map(|event| event.record.clone());
        let candidates = candidates(&events, seen.violations);
        let believed: Vec<_> = candidates
            .iter()
            .filter(|candidate| candidate.is_believed(seen) || candidate.is_shown(seen.rules))
            .collect();
        let opener = believed.last().filter(|newest| {
            // Two people in one second: which of them came last is not known.
            believed.iter().all(|other| {
                other.event.record.moment() != newest.event.record.moment()
                    || other.event.record.actor == newest.event.record.actor
                    || other.rule != newest.rule
            })
        });
        Self {
            last,
            opener: opener.map(|candidate| Opener {
                record: candidate.event.record.clone(),
                rule: candidate.opened.clone(),
            }),
        }
    }

    /// Whether the group's rules must be asked for, to tell whether an older event's rule is still there.
    #[must_use]
    pub fn needs_rules(events: &[&Trigger], seen: Seen<'_>) -> bool {
        let events = in_time(events);
        let candidates = candidates(&events, seen.violations);
        !candidates
            .iter()
            .any(|candidate| candidate.is_believed(seen))
            && candidates.iter().any(Candidate::can_be_shown)
    }

    /// What of a published finding's attribution holds for the one that replaces it: the last event while the stage of
    /// life stays, the opener while the violation stands.
    #[must_use]
    pub fn kept(self, is_same_stage: bool, violations: &[Violation]) -> Self {
        Self {
            last: self.last.filter(|_| is_same_stage),
            opener: self
                .opener
                .filter(|opener| violations.iter().any(|found| opener.rule.is_behind(found))),
        }
    }

    /// Whether it tells nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.last.is_none() && self.opener.is_none()
    }
}

impl OpenedRule {
    /// The rule behind a violation; absent where the source has no id.
    fn of(violation: &Violation) -> Option<Self> {
        Some(Self {
            source: violation.source.group_id.clone()?,
            protocol: violation.protocol.clone(),
        })
    }

    fn is_behind(&self, violation: &Violation) -> bool {
        Self::of(violation).as_ref() == Some(self)
    }

    /// The rule by the text that findings carry.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (source, protocol) = text.split_once(' ')?;
        let is_whole = !source.is_empty() && !protocol.is_empty();
        is_whole.then(|| Self {
            source: GroupId::new(source),
            protocol: Protocol::new(protocol),
        })
    }
}

impl fmt::Display for OpenedRule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.source, self.protocol)
    }
}

/// An event that added a rule which is behind a violation.
struct Candidate<'a> {
    event: &'a Trigger,
    rule: &'a GroupRule,
    opened: OpenedRule,
    /// Whether another event took the rule away again: whoever added it anew is not this one.
    is_taken_back: bool,
}

impl Candidate<'_> {
    fn is_believed(&self, seen: Seen<'_>) -> bool {
        let is_young = |moment: Timestamp| seen.at.duration_since(moment).abs() <= BELIEVED;
        !self.is_taken_back
            && self.event.record.moment().is_some_and(is_young)
            && !self.is_of_other_id(seen.rules)
            && (!self.may_be_egress(seen.egress) || self.has_id_among(seen.rules))
    }

    fn can_be_shown(&self) -> bool {
        !self.is_taken_back
            && self.rule.rule_id.is_some()
            && self.event.event.as_deref() == Some(AUTHORIZE)
    }

    fn is_shown(&self, answers: &[&[GroupRule]]) -> bool {
        self.can_be_shown() && self.has_id_among(answers) && !self.is_of_other_id(answers)
    }

    fn has_id_among(&self, answers: &[&[GroupRule]]) -> bool {
        let mut shown = answers.iter().copied().flatten();
        self.rule.rule_id.is_some()
            && shown
                .any(|rule| rule.rule_id == self.rule.rule_id && rule.has_same_effect(self.rule))
    }

    /// Whether the rule of this effect was another one at any time.
    fn is_of_other_id(&self, answers: &[&[GroupRule]]) -> bool {
        let is_other = |rules: &&[GroupRule]| {
            let has_effect = rules.iter().any(|rule| rule.has_same_effect(self.rule));
            has_effect && !self.has_id_among(&[rules])
        };
        self.rule.rule_id.is_some() && answers.iter().any(is_other)
    }

    /// Whether the rule may be an egress rule: a modify call does not say, and an egress rule of its effect is there.
    fn may_be_egress(&self, egress: &[IpPermission]) -> bool {
        self.rule.is_ingress.is_none() && egress.iter().any(|one| self.rule.is_in(one))
    }
}

fn in_time<'t>(events: &[&'t Trigger]) -> Vec<&'t Trigger> {
    let mut events = events.to_vec();
    events.sort_by_key(|event| event.record.moment());
    events
}

/// In the order of the events' times.
fn candidates<'a>(events: &[&'a Trigger], violations: &[Violation]) -> Vec<Candidate<'a>> {
    // Who opened what an exemption covers did not open what the group fails for.
    let fails = violations.iter().any(|found| found.exemption.is_none());
    let is_at_issue = |found: &&Violation| !fails || found.exemption.is_none();
    let mut candidates = Vec::new();
    for event in events {
        let ChangeProof::Existed { added, .. } = &event.proof else {
            continue;
        };
        for rule in added.iter().filter(|_| event.record.name.is_some()) {
            let opened = violations
                .iter()
                .filter(is_at_issue)
                .find(|violation| violation.has_rule(&rule.source, &rule.traffic))
                .and_then(OpenedRule::of);
            let is_taken_back = events.iter().any(|other| takes_back(other, event, rule));
            candidates.extend(opened.map(|opened| Candidate {
                event,
                rule,
                opened,
                is_taken_back,
            }));
        }
    }
    candidates
}

/// Whether another event took away the rule that an event added. A rule that was revoked does not come back under its id,
/// whatever the seconds say; a rule without one was taken away only by a later event.
fn takes_back(other: &Trigger, event: &Trigger, rule: &GroupRule) -> bool {
    let ChangeProof::Existed { added, removed } = &other.proof else {
        return false;
    };
    let is_later = other.record.moment() > event.record.moment();
    let has_same_id = |other: &GroupRule| rule.rule_id.is_some() && rule.rule_id == other.rule_id;
    // The call that gave a rule its id came before every call that modified it.
    let is_first = event.event.as_deref() == Some(AUTHORIZE);
    removed
        .iter()
        .any(|taken| has_same_id(taken) || is_later && taken.has_same_effect(rule))
        || added.iter().any(|modified| {
            has_same_id(modified) && !modified.has_same_effect(rule) && (is_later || is_first)
        })
}
