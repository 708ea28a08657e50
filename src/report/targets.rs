//! What `targets` prints: version 1. Keys may be added, never changed.

use serde::Serialize;

use crate::event::{Action, Batch, Kind, Message, Shape, Target, Trigger};

/// What an invocation makes the function do: one event, or several.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Invocation<'a> {
    /// One event.
    Single(Targets<'a>),
    /// Several, each by itself.
    Several {
        /// 1.
        version: u8,
        /// `batch`.
        kind: &'static str,
        /// One element a message.
        messages: Vec<Element<'a>>,
    },
}

/// One message of several.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Element<'a> {
    /// What it makes the function do.
    Read(Targets<'a>),
    /// Why it cannot be read.
    Unreadable {
        /// What is wrong with it.
        error: String,
    },
}

impl<'a> From<&'a Batch> for Invocation<'a> {
    fn from(batch: &'a Batch) -> Self {
        match (batch.shape, batch.messages.as_slice()) {
            (
                Shape::Single,
                [
                    Message {
                        trigger: Ok(trigger),
                        ..
                    },
                ],
            ) => Self::Single(trigger.into()),
            _ => Self::Several {
                version: 1,
                kind: "batch",
                messages: batch.messages.iter().map(Element::from).collect(),
            },
        }
    }
}

impl<'a> From<&'a Message> for Element<'a> {
    fn from(message: &'a Message) -> Self {
        match &message.trigger {
            Ok(trigger) => Self::Read(trigger.into()),
            Err(error) => Self::Unreadable {
                error: error.to_string(),
            },
        }
    }
}

/// What an event makes the function do, and why.
#[derive(Debug, Serialize)]
pub struct Targets<'a> {
    version: u8,
    kind: Kind,
    event: Option<&'a str>,
    event_id: Option<&'a str>,
    account: Option<&'a str>,
    region: Option<&'a str>,
    actor: Option<&'a str>,
    action: &'static str,
    targets: &'a [Target],
    reason: Option<&'a str>,
}

impl<'a> From<&'a Trigger> for Targets<'a> {
    fn from(trigger: &'a Trigger) -> Self {
        let (action, targets, reason) = match &trigger.action {
            Action::Evaluate(targets) => ("evaluate", targets.as_slice(), None),
            Action::Sweep(reason) => ("sweep", [].as_slice(), reason.as_deref()),
            Action::Ignore(reason) => ("ignore", [].as_slice(), Some(reason.as_str())),
        };
        Self {
            version: 1,
            kind: trigger.kind,
            event: trigger.event.as_deref(),
            event_id: trigger.record.id.as_deref(),
            account: trigger.account.as_ref().map(|account| account.as_str()),
            region: trigger.region.as_ref().map(|region| region.as_str()),
            actor: trigger.record.actor.as_deref(),
            action,
            targets,
            reason,
        }
    }
}
