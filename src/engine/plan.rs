//! What the events of one invocation ask for: each group once, however many events name it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::EngineError;
use super::route::RefusedMessage;
use super::staleness::{Claims, Messages};
use crate::event::{Action, Batch, Target, Trigger};
use crate::model::{GroupId, Scope, VpcId};

/// A sweep covers an event when it began at least this long after the event: event times are whole seconds, and EC2's
/// reads lag.
const COVERED: SignedDuration = SignedDuration::from_secs(60);

/// The work that the events of one invocation ask for.
#[derive(Debug, Default)]
pub(super) struct Plan<'t> {
    pub(super) groups: BTreeMap<GroupId, Request<'t>>,
    pub(super) names: BTreeMap<String, Request<'t>>,
    pub(super) default_groups: BTreeMap<VpcId, Request<'t>>,
    pub(super) vpcs: BTreeMap<VpcId, Request<'t>>,
    pub(super) referenced: BTreeMap<GroupId, Request<'t>>,
    /// The messages that ask for a sweep: they share one.
    pub(super) sweep: Messages,
    /// Why events are left alone.
    pub(super) ignored: BTreeSet<String>,
    /// The number of events that are left alone.
    pub(super) ignored_events: u64,
    /// Of these, those of another account or Region.
    pub(super) foreign_events: u64,
    pub(super) failures: Failures,
}

/// The events that are about one thing, each with the number of its message.
#[derive(Debug, Default, Clone)]
pub(super) struct Request<'t> {
    pub(super) events: Vec<(usize, &'t Trigger)>,
    /// Of these, those that prove something about it: not those about a group that it refers to.
    proving: Vec<(usize, &'t Trigger)>,
}

impl<'t> Plan<'t> {
    /// The plan for a batch, in one account and Region. `has_sensitivity` tells whether the tags of a group matter to
    /// those that refer to it; `swept_since` is when the last sweep of this process began that came to its end.
    pub(super) fn of(
        batch: &'t Batch,
        scope: &Scope,
        has_sensitivity: bool,
        swept_since: Option<Timestamp>,
    ) -> Self {
        let mut plan = Self::default();
        for (number, message) in batch.messages.iter().enumerate() {
            match &message.trigger {
                Ok(event) => plan.take(number, event, scope, has_sensitivity, swept_since),
                Err(error) => plan.failures.add([number], error.clone()),
            }
        }
        if batch.messages.is_empty() {
            plan.ignored.insert("there is no event in it".to_owned());
        }
        plan
    }

    fn take(
        &mut self,
        number: usize,
        event: &'t Trigger,
        scope: &Scope,
        has_sensitivity: bool,
        swept_since: Option<Timestamp>,
    ) {
        if let Some(reason) = foreign(event, scope) {
            self.foreign_events += 1;
            return self.ignore(reason);
        }
        match &event.action {
            Action::Ignore(reason) => self.ignore(reason.clone()),
            Action::Sweep(Some(reason)) if is_covered(event, swept_since) => self.ignore(format!(
                "already covered by a sweep that began later ({reason})"
            )),
            Action::SweepAll => {
                let why = RefusedMessage::NoMembers(scope.account.clone());
                self.failures.add([number], why);
            }
            Action::Sweep(_) => {
                self.sweep.insert(number);
            }
            Action::Evaluate(targets) => {
                for target in targets {
                    let request = match target {
                        Target::GroupId(id) => self.groups.entry(id.clone()).or_default(),
                        Target::GroupName(name) => self.names.entry(name.clone()).or_default(),
                        Target::DefaultGroupOf(vpc) => {
                            self.default_groups.entry(vpc.clone()).or_default()
                        }
                        Target::GroupsOfVpc(vpc) => self.vpcs.entry(vpc.clone()).or_default(),
                        Target::Referencing(_) if !has_sensitivity => continue,
                        Target::Referencing(id) => self.referenced.entry(id.clone()).or_default(),
                    };
                    request.events.push((number, event));
                    request.proving.push((number, event));
                }
            }
        }
    }

    fn ignore(&mut self, reason: String) {
        self.ignored_events += 1;
        self.ignored.insert(reason);
    }
}

/// Why an event is another function's: it happened in another account or Region.
fn foreign(event: &Trigger, scope: &Scope) -> Option<String> {
    let account = event.account.as_ref().unwrap_or(&scope.account);
    let region = event.region.as_ref().unwrap_or(&scope.region);
    (account != &scope.account || region != &scope.region).then(|| {
        format!(
            "the event is of account {account}, region {region}, not of {}, {}: its own function evaluates it",
            scope.account, scope.region
        )
    })
}

/// Whether a sweep began so long after an event that it saw what the event, which does not name its target, changed.
fn is_covered(event: &Trigger, swept_since: Option<Timestamp>) -> bool {
    event
        .record
        .moment()
        .zip(swept_since)
        .is_some_and(|(event, sweep)| sweep.duration_since(event) >= COVERED)
}

impl<'t> Request<'t> {
    /// The request for both.
    pub(super) fn joined(mut self, other: &Self) -> Self {
        self.events.extend(&other.events);
        self.proving.extend(&other.proving);
        self
    }

    /// The same events, as they are about what refers to this.
    pub(super) fn by_reference(&self) -> Self {
        Self {
            events: self.events.clone(),
            proving: Vec::new(),
        }
    }

    /// The messages that ask for it.
    pub(super) fn messages(&self) -> Messages {
        self.events.iter().map(|(message, _)| *message).collect()
    }

    /// The events alone.
    pub(super) fn triggers(&self) -> Vec<&'t Trigger> {
        self.events.iter().map(|(_, event)| *event).collect()
    }

    /// The claims of the events.
    pub(super) fn claims(&self) -> Claims {
        Claims::of(&self.proving)
    }
}

/// The messages that failed, each with its first error.
#[derive(Debug, Default, Clone)]
pub(super) struct Failures(pub(super) BTreeMap<usize, Arc<EngineError>>);

impl Failures {
    /// One error of several messages.
    pub(super) fn of(
        messages: impl IntoIterator<Item = usize>,
        error: impl Into<EngineError>,
    ) -> Self {
        let mut failures = Self::default();
        failures.add(messages, error);
        failures
    }

    /// Takes an error of several messages; one that has an error keeps it.
    pub(super) fn add(
        &mut self,
        messages: impl IntoIterator<Item = usize>,
        error: impl Into<EngineError>,
    ) {
        let error = Arc::new(error.into());
        for message in messages {
            self.0.entry(message).or_insert_with(|| Arc::clone(&error));
        }
    }

    /// Takes the failures of a later stage.
    pub(super) fn join(&mut self, later: Self) {
        for (message, error) in later.0 {
            self.0.entry(message).or_insert(error);
        }
    }
}

/// Every message that asks for one of these.
pub(super) fn messages_of<'a, 't: 'a>(
    requests: impl IntoIterator<Item = &'a Request<'t>>,
) -> Messages {
    requests.into_iter().flat_map(Request::messages).collect()
}
