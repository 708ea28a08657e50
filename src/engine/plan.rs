//! What the events of an invocation ask for, and which of its messages failed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::EngineError;
use super::staleness::Expectation;
use crate::engine::stats::RunStats;
use crate::event::Trigger;
use crate::model::{GroupId, SecurityGroup, VpcId};

/// What the events of an invocation ask for.
#[derive(Default)]
pub(super) struct Plan<'t> {
    pub(super) groups: BTreeMap<GroupId, Request<'t>>,
    pub(super) names: BTreeMap<String, Request<'t>>,
    pub(super) default_groups: BTreeMap<VpcId, Request<'t>>,
    pub(super) vpcs: BTreeMap<VpcId, Request<'t>>,
    pub(super) referenced: BTreeMap<GroupId, Request<'t>>,
    pub(super) sweep: Request<'t>,
    /// Groups that were fetched to find out which they are.
    pub(super) found: BTreeMap<GroupId, (SecurityGroup, Timestamp)>,
    /// Why events, or targets of events, were left alone.
    pub(super) left: BTreeSet<String>,
}

/// The events that are about one thing, and the numbers of their messages.
#[derive(Debug, Default, Clone)]
pub(super) struct Request<'t> {
    triggers: Vec<&'t Trigger>,
    /// Of these, those that prove something about it: not those about another thing that it refers to.
    proofs: Vec<&'t Trigger>,
    pub(super) messages: BTreeSet<usize>,
}

impl<'t> Plan<'t> {
    /// Notes a group that was found out by another name than its id.
    pub(super) fn take(&mut self, group: SecurityGroup, at: Timestamp, interest: &Request<'t>) {
        self.groups
            .entry(group.group_id.clone())
            .or_default()
            .join(interest);
        self.found.insert(group.group_id.clone(), (group, at));
    }
}

impl<'t> Request<'t> {
    pub(super) fn add(&mut self, message: usize, trigger: &'t Trigger) {
        self.triggers.push(trigger);
        self.proofs.push(trigger);
        self.messages.insert(message);
    }

    pub(super) fn join(&mut self, other: &Self) {
        self.triggers.extend(&other.triggers);
        self.proofs.extend(&other.proofs);
        self.messages.extend(&other.messages);
    }

    /// The same events, as they are about what refers to this.
    pub(super) fn by_reference(&self) -> Self {
        Self {
            proofs: Vec::new(),
            ..self.clone()
        }
    }

    /// The events in the order of their times.
    pub(super) fn in_time(&self) -> Vec<&'t Trigger> {
        in_time(&self.triggers)
    }

    /// Notes how old the events were when their findings were published.
    pub(super) fn answered(&self, trace: &mut RunStats, now: Timestamp) {
        for trigger in &self.triggers {
            trace.answered(trigger.record.moment(), now);
        }
    }

    pub(super) fn expectation(&self) -> Expectation {
        Expectation::of(&in_time(&self.proofs))
    }
}

fn in_time<'t>(triggers: &[&'t Trigger]) -> Vec<&'t Trigger> {
    let mut triggers = triggers.to_vec();
    triggers.sort_by_key(|trigger| trigger.record.moment());
    triggers
}

/// The messages that failed, each with its first error.
#[derive(Default)]
pub(super) struct Failures(pub(super) BTreeMap<usize, Arc<EngineError>>);

impl Failures {
    pub(super) fn add(&mut self, messages: &BTreeSet<usize>, error: impl Into<EngineError>) {
        let error = Arc::new(error.into());
        for message in messages {
            self.0.entry(*message).or_insert_with(|| Arc::clone(&error));
        }
    }
}

/// Every message that names one of these.
pub(super) fn messages_of<T>(interests: &BTreeMap<T, Request<'_>>) -> BTreeSet<usize> {
    interests
        .values()
        .flat_map(|interest| interest.messages.iter().copied())
        .collect()
}
