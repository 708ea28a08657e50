//! What must be true of every run, and in the end.

use jiff::SignedDuration;

use super::changes::Tells;
use super::delivery::{Message, Run};
use super::history::{Event, RULES, What, is_default, source};
use super::world::{Look, World};
use crate::engine::EngineError;
use crate::finding::{Cause, Finding, Lifecycle, Subject};
use crate::model::{GroupId, Protocol, SecurityGroup, Traffic};
use crate::policy::{self, ReferencedGroups, Settings, day_of};

mod events;

/// What is wrong with a run.
pub(super) fn of_run(world: &World, run: &Run) -> Vec<String> {
    let checks = Checks {
        world,
        run,
        events: run
            .messages
            .iter()
            .filter_map(|message| match message {
                Message::Event(number) => Some((*number, &world.history.events[*number])),
                Message::Sweep => None,
            })
            .collect(),
    };
    let mut wrong = checks.sent();
    wrong.extend(checks.withheld());
    wrong.extend(checks.failed());
    wrong.extend(checks.lost());
    wrong
}

/// What came last.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum After {
    Events,
    Sweep,
}

/// What is wrong in the end.
pub(super) fn of_end(world: &World, after: After) -> Vec<String> {
    let mut wrong = Vec::new();
    for id in world.history.groups.keys() {
        let truth = world.history.truth(id);
        let expected = truth
            .as_ref()
            .map_or(Lifecycle::Gone, |group| lifecycle(&world.settings, group));
        let hub = world.published(id).map(|finding| finding.lifecycle());
        let is_right = match (expected, hub) {
            (Lifecycle::Passed | Lifecycle::Gone, None) => true,
            // Nobody reads archived findings to find out which groups a VPC had.
            (Lifecycle::Gone, Some(hub)) if is_default(id) => hub != Lifecycle::Failed,
            // A sweep does not look for archived findings that it would archive.
            (Lifecycle::Passed | Lifecycle::Gone, Some(Lifecycle::Passed | Lifecycle::Gone))
                if after == After::Sweep =>
            {
                true
            }
            (expected, hub) => hub == Some(expected),
        };
        if !is_right {
            wrong.push(format!(
                "in the end the hub has {hub:?} of {id}, which is {expected:?}"
            ));
        }
    }
    wrong
}

/// Whether a message can never come to its end: its event gives the name of a group that is gone.
pub(super) fn is_hopeless(world: &World, run: &Run, message: Message) -> bool {
    let Message::Event(number) = message else {
        return false;
    };
    let has_no_name = |error: &EngineError| matches!(error, EngineError::NoSuchName(_));
    let is_unnamed = run
        .failed
        .iter()
        .any(|(one, error)| *one == message && has_no_name(error));
    let event = &world.history.events[number];
    is_unnamed && world.history.truth(&event.group).is_none()
}

fn lifecycle(settings: &Settings, group: &SecurityGroup) -> Lifecycle {
    let unknown = ReferencedGroups::default();
    let verdict = policy::evaluate(
        settings,
        group,
        &unknown,
        day_of(jiff::Timestamp::UNIX_EPOCH),
    );
    Lifecycle::of(verdict.status)
}

fn traffic(rule: usize) -> Traffic {
    let (protocol, from, to, _) = RULES[rule];
    let port = |port: i64| (port >= 0).then_some(port);
    Traffic::new(Protocol::new(protocol), port(from), port(to))
}

/// A group without some rules.
fn without(id: &GroupId, mut group: SecurityGroup, rules: &[usize]) -> SecurityGroup {
    for permission in &mut group.ip_permissions {
        let of_permission = Traffic::of(permission);
        permission.user_id_group_pairs.retain(|pair| {
            !rules.iter().any(|rule| {
                of_permission.is_same_as(&traffic(*rule))
                    && pair.group_id.as_ref().map(GroupId::as_str) == Some(source(id, *rule))
            })
        });
    }
    group
        .ip_permissions
        .retain(|permission| !permission.user_id_group_pairs.is_empty());
    group
}

struct Checks<'a> {
    world: &'a World,
    run: &'a Run,
    events: Vec<(usize, &'a Event)>,
}

impl Checks<'_> {
    /// What is wrong with the findings that it sent.
    fn sent(&self) -> Vec<String> {
        let sent = self.world.sent.lock().unwrap();
        let mut wrong = Vec::new();
        for one in sent.iter().filter(|one| one.run == self.run.number) {
            let finding = &one.finding;
            let mut say = |what: &str| {
                let Finding {
                    group_id,
                    observed_at,
                    cause,
                    ..
                } = finding;
                let opener = finding
                    .attribution
                    .opener
                    .as_ref()
                    .map(|opener| &opener.record.id);
                wrong.push(format!(
                    "run {} {:?}: {group_id} {:?} at {observed_at} by {cause:?}, opened by {opener:?}: {what}",
                    self.run.number,
                    self.run.messages,
                    finding.lifecycle(),
                ));
            };
            let looks = self.looks(&finding.group_id);
            let is_outdoing = one.over.is_some_and(|over| {
                finding.observed_at.duration_since(over) == SignedDuration::from_millis(1)
            });
            let is_dated = |look: &&Look| look.at == finding.observed_at || is_outdoing;
            let of_date: Vec<_> = looks.iter().filter(is_dated).collect();
            match &finding.subject {
                Subject::Evaluated(group, _)
                    if !of_date
                        .iter()
                        .any(|look| self.is_shown(look, finding, group)) =>
                {
                    say("it was not seen so when it says");
                }
                Subject::Gone if !of_date.iter().any(|look| look.shown.is_none()) => {
                    say("it was not absent when it says");
                }
                Subject::Gone if !self.is_deleted(&finding.group_id) => {
                    let absent = looks.iter().filter(|look| look.shown.is_none()).count();
                    let enough = if finding.cause == Cause::Event { 4 } else { 2 };
                    if absent < enough {
                        say("it was looked for too seldom");
                    }
                }
                _ => {}
            }
            if finding.cause == Cause::Event {
                let events = self.events.iter();
                for (number, event) in events.filter(|(_, event)| event.group == finding.group_id) {
                    if self.is_known(*number) && self.is_contradicted(finding, event) {
                        say(&format!("event {number} says otherwise"));
                    }
                }
            }
            let opener = finding.attribution.opener.as_ref();
            let held = match finding.cause {
                Cause::Event => opener.map(|opener| self.opener(finding, opener)),
                Cause::Sweep => opener.map(|opener| self.kept(finding, opener)),
            };
            if let Some(Err(why)) = held {
                say(&why);
            }
        }
        wrong
    }

    fn looks(&self, id: &GroupId) -> Vec<Look> {
        let looks = self.world.looks.lock().unwrap();
        let is_own = |look: &&Look| look.run == self.run.number && look.id == *id;
        looks.iter().filter(is_own).cloned().collect()
    }

    /// Whether a finding tells what EC2 showed, but for rules that events say are gone; what passes tells all of it.
    fn is_shown(&self, look: &Look, finding: &Finding, group: &SecurityGroup) -> bool {
        let Some(shown) = &look.shown else {
            return false;
        };
        let may_be_reduced =
            finding.cause == Cause::Event && finding.lifecycle() == Lifecycle::Failed;
        shown == group
            || may_be_reduced
                && without(&look.id, shown.clone(), &self.removed(&look.id)).ip_permissions
                    == without(&look.id, group.clone(), &self.removed(&look.id)).ip_permissions
    }

    /// Whether the run found out which group an event is about, by its name or otherwise.
    fn is_known(&self, number: usize) -> bool {
        let mut failed = self.run.failed.iter();
        !failed.any(|(message, error)| {
            *message == Message::Event(number) && !matches!(**error, EngineError::Stale(_))
        })
    }

    fn removed(&self, id: &GroupId) -> Vec<usize> {
        let of_event = |(_, event): &(usize, &Event)| match &event.what {
            What::Removed(_, rule) if event.group == *id => Some(*rule),
            _ => None,
        };
        self.events.iter().filter_map(of_event).collect()
    }

    fn is_deleted(&self, id: &GroupId) -> bool {
        let is_it = |event: &Event| event.group == *id && event.what == What::Deleted;
        self.events.iter().any(|(_, event)| is_it(event))
    }

    fn is_calm(&self) -> bool {
        let faulty = self.world.faulty.lock().unwrap();
        !self.run.is_short && !faulty.contains(&self.run.number)
    }

    /// The groups that fail at every look, whatever events say is gone, and of which no FAILED finding was sent.
    fn withheld(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        if !self.is_calm() {
            return wrong;
        }
        let told = self
            .events
            .iter()
            .filter(|(_, event)| event.tells != Tells::Nothing);
        for id in told.map(|(_, event)| &event.group) {
            let looks = self.looks(id);
            let fails = |group: &SecurityGroup| {
                let group = without(id, group.clone(), &self.removed(id));
                lifecycle(&self.world.settings, &group) == Lifecycle::Failed
            };
            let fails_always = looks
                .iter()
                .all(|look| look.shown.as_ref().is_some_and(fails));
            if looks.is_empty() || !fails_always || self.is_deleted(id) {
                continue;
            }
            let sent = self.world.sent.lock().unwrap();
            let is_sent = sent.iter().any(|one| {
                one.run == self.run.number
                    && one.finding.group_id == *id
                    && one.finding.lifecycle() == Lifecycle::Failed
            });
            if !is_sent {
                wrong.push(format!(
                    "run {}: {id} fails, and it is withheld",
                    self.run.number
                ));
            }
        }
        wrong
    }

    /// The messages that failed for no reason.
    fn failed(&self) -> Vec<String> {
        let is_right = |message: &Message, error: &EngineError| match (message, error) {
            (Message::Event(number), EngineError::Stale(_)) => {
                let event = &self.world.history.events[*number];
                let looks = self.looks(&event.group);
                let last = looks.iter().max_by_key(|look| look.at);
                last.is_some_and(|last| {
                    let age = last.at.duration_since(self.time(event));
                    let is_overtaken = last.shown.is_some() && self.is_overtaken(event);
                    age < SignedDuration::from_secs(60) && !is_overtaken
                })
            }
            (Message::Event(_), EngineError::NoSuchName(_)) => true,
            _ => false,
        };
        let run = self.run.number;
        let mut wrong = Vec::new();
        for (message, error) in &self.run.failed {
            if !error.is_retryable() || self.is_calm() && !is_right(message, error) {
                wrong.push(format!("run {run}: {message:?} failed: {error}"));
            }
        }
        wrong
    }

    /// The messages that are done although nothing was published of their group, and no other message about it comes
    /// again.
    fn lost(&self) -> Vec<String> {
        let is_failed = |number: usize| {
            let mut failed = self.run.failed.iter();
            failed.any(|(message, _)| *message == Message::Event(number))
        };
        let mut wrong = Vec::new();
        for (number, event) in &self.events {
            let id = &event.group;
            // These tell a VPC, which may have no such group any more.
            let is_of_vpc = is_default(id) && matches!(event.what, What::Created | What::Deleted);
            if event.tells == Tells::Nothing || is_of_vpc {
                continue;
            }
            let taken = self.world.taken.lock().unwrap();
            let is_taken = taken.contains(&(self.run.number, id.clone()));
            let mut of_group = self.events.iter().filter(|(_, other)| other.group == *id);
            if !is_taken && !of_group.any(|(number, _)| is_failed(*number)) {
                let run = self.run.number;
                wrong.push(format!(
                    "run {run}: event {number} is done, and nothing was published"
                ));
            }
        }
        wrong
    }
}
