//! Findings, held against the events that led to them.

use jiff::{SignedDuration, Timestamp};

use super::{Checks, traffic};
use crate::engine::simulation::changes::Tells;
use crate::engine::simulation::history::{Event, What, source};
use crate::finding::{Finding, Lifecycle, Opener, Subject};
use crate::model::{GroupId, IpPermission, Traffic};

/// Whether a rule of a group is among permissions.
fn is_among(permissions: &[IpPermission], group: &GroupId, rule: usize) -> bool {
    let of = source(group, rule);
    permissions.iter().any(|one| {
        let mut pairs = one.user_id_group_pairs.iter();
        Traffic::of(one).is_same_as(&traffic(rule))
            && pairs.any(|pair| pair.group_id.as_ref().is_some_and(|id| id.as_str() == of))
    })
}

impl Checks<'_> {
    /// Whether a finding tells otherwise than a young event that no other event of the run overtook.
    pub(super) fn is_contradicted(&self, finding: &Finding, event: &Event) -> bool {
        let age = finding.observed_at.duration_since(self.time(event));
        if age >= SignedDuration::from_secs(60) || event.tells == Tells::Nothing {
            return false;
        }
        let Subject::Evaluated(group, _) = &finding.subject else {
            return !self.is_deleted(&event.group);
        };
        if self.is_deleted(&event.group) {
            return event.what == What::Deleted;
        }
        let (rule_id, rule) = match &event.what {
            What::Added(id, rule) | What::Removed(id, rule) | What::Modified(id, rule) => {
                (id, *rule)
            }
            What::Created | What::Tagged | What::Deleted => return false,
        };
        let overtakes = |other: &Event| match &other.what {
            What::Added(id, to) | What::Removed(id, to) | What::Modified(id, to) => {
                other.group == event.group
                    && !std::ptr::eq(other, event)
                    && (id == rule_id || *to == rule)
                    && self.time(other) >= self.time(event)
            }
            What::Created | What::Tagged | What::Deleted => false,
        };
        if self.events.iter().any(|(_, other)| overtakes(other)) {
            return false;
        }
        let is_there = is_among(&group.ip_permissions, &event.group, rule);
        let ids = self.shown_ids(&event.group, rule);
        match &event.what {
            What::Removed(..) => is_there && ids.iter().all(|(_, id)| id == rule_id),
            // What fails is published all the same.
            _ if finding.lifecycle() == Lifecycle::Failed || is_there => false,
            What::Added(..) => true,
            // It may be an egress rule, unless its id tells.
            _ => {
                self.is_known_ingress(&event.group, rule_id)
                    || !is_among(&group.ip_permissions_egress, &event.group, rule)
            }
        }
    }

    /// Whether a later event of the run is about the very rule that an event is about.
    pub(super) fn is_overtaken(&self, event: &Event) -> bool {
        let told = |event: &Event| match &event.what {
            What::Added(id, rule) | What::Removed(id, rule) => Some((id.clone(), Some(*rule))),
            What::Modified(id, _) => Some((id.clone(), None)),
            What::Created | What::Tagged | What::Deleted => None,
        };
        let Some((id, rule)) = told(event) else {
            return false;
        };
        self.events.iter().any(|(number, other)| {
            let has_ids = event.tells == Tells::Ids && other.tells == Tells::Ids;
            other.group == event.group
                && self.is_known(*number)
                && self.time(other) > self.time(event)
                && told(other).is_some_and(|(other_id, other_rule)| {
                    has_ids && other_id == id || rule.is_some() && other_rule == rule
                })
        })
    }

    /// The ids of the rules of an effect that EC2 showed to the run, and when.
    fn shown_ids(&self, group: &GroupId, rule: usize) -> Vec<(Timestamp, String)> {
        let of = source(group, rule);
        let shown = self.world.rules.lock().unwrap();
        shown
            .iter()
            .filter(|(run, _, one)| *run == self.run.number && one.group_id.as_ref() == Some(group))
            .filter(|(_, _, one)| {
                one.source.as_str() == of && one.traffic.is_same_as(&traffic(rule))
            })
            .map(|(_, at, one)| (*at, one.rule_id.as_ref().unwrap().to_string()))
            .collect()
    }

    fn is_known_ingress(&self, group: &GroupId, rule_id: &str) -> bool {
        let shown = self.world.rules.lock().unwrap();
        shown.iter().any(|(run, _, one)| {
            *run == self.run.number
                && one.group_id.as_ref() == Some(group)
                && one
                    .rule_id
                    .as_ref()
                    .is_some_and(|id| id.as_str() == rule_id)
        })
    }

    /// Whoever is named added the rule, and nothing that the run knows says that it is gone.
    pub(super) fn opener(&self, finding: &Finding, opener: &Opener) -> Result<(), String> {
        let number: usize = opener.record.id.as_ref().unwrap().parse().unwrap();
        let events = self.events.iter();
        let event = events.clone().find(|(one, _)| *one == number);
        let (_, event) = event.ok_or("the event is of another run")?;
        if event.group != finding.group_id {
            return Err("the event is of another group".to_owned());
        }
        let (rule_id, rule) = match &event.what {
            What::Added(id, rule) | What::Modified(id, rule) => (id, *rule),
            _ => return Err("the event added nothing".to_owned()),
        };
        // That an egress rule was modified shows only while it is there.
        if rule_id == "sgr-egress" && self.has_egress(finding, rule) {
            return Err("the event modified an egress rule".to_owned());
        }
        let of = GroupId::new(source(&event.group, rule));
        if !finding
            .violations()
            .iter()
            .any(|violation| violation.has_rule(&of, &traffic(rule)))
        {
            return Err("the rule is behind no violation".to_owned());
        }
        let shown = self.shown_ids(&event.group, rule);
        let is_shown = shown.iter().any(|(_, id)| id == rule_id);
        let is_own = |at| shown.iter().any(|(other, id)| at == other && id == rule_id);
        if event.tells == Tells::Ids && !shown.iter().all(|(at, _)| is_own(at)) {
            return Err("the rule is another one by its id".to_owned());
        }
        let age = finding.observed_at.duration_since(self.time(event));
        if age > SignedDuration::from_mins(5) && !is_shown {
            return Err("the event is old, and its rule was not seen".to_owned());
        }
        let takes_back = |other: &Event| match &other.what {
            What::Removed(id, taken) => {
                let has_ids = event.tells == Tells::Ids && other.tells == Tells::Ids;
                let is_later = self.time(other) > self.time(event);
                has_ids && id == rule_id
                    || other.tells != Tells::Nothing && is_later && *taken == rule
            }
            What::Modified(id, to) => {
                // An event that does not tell the id of its rule tells nothing of what became of it.
                id == rule_id
                    && *to != rule
                    && event.tells == Tells::Ids
                    && (self.time(other) > self.time(event)
                        || matches!(event.what, What::Added(..)))
            }
            _ => false,
        };
        let mut of_group = events.filter(|(_, other)| other.group == event.group);
        if of_group.any(|(_, other)| takes_back(other)) {
            return Err("an event of the run took the rule away".to_owned());
        }
        Ok(())
    }

    /// Whoever a sweep goes on to name added a rule of a source and a protocol that a violation still has.
    pub(super) fn kept(&self, finding: &Finding, opener: &Opener) -> Result<(), String> {
        let number: usize = opener.record.id.as_ref().unwrap().parse().unwrap();
        let event = &self.world.history.events[number];
        let (What::Added(_, rule) | What::Modified(_, rule)) = &event.what else {
            return Err("the event added nothing".to_owned());
        };
        let is_of_event = opener.rule.source.as_str() == source(&event.group, *rule)
            && opener.rule.protocol == traffic(*rule).protocol;
        let stands = finding.violations().iter().any(|violation| {
            violation.source.group_id.as_ref() == Some(&opener.rule.source)
                && violation.protocol == opener.rule.protocol
        });
        if event.group == finding.group_id && is_of_event && stands {
            Ok(())
        } else {
            Err("the rule that was opened does not stand".to_owned())
        }
    }

    fn has_egress(&self, finding: &Finding, rule: usize) -> bool {
        match &finding.subject {
            Subject::Evaluated(group, _) => {
                is_among(&group.ip_permissions_egress, &finding.group_id, rule)
            }
            Subject::Gone | Subject::Retired => false,
        }
    }

    /// The event's time, which knows whole seconds only.
    pub(super) fn time(&self, event: &Event) -> Timestamp {
        event.body["detail"]["eventTime"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap()
    }
}
