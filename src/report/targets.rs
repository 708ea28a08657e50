//! What `targets` prints: version 1. Keys may be added, never changed.

use serde::Serialize;

use crate::event::{Action, Batch, Kind, Message, Shape, Target, Trigger};

/// The effect of a document on the function: one event, or several.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Invocation<'a> {
    Single(Targets<'a>),
    /// Several, each by itself.
    Several {
        version: u8,
        kind: &'static str,
        messages: Vec<Element<'a>>,
    },
}

/// One message of several.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Element<'a> {
    Read(Targets<'a>),
    Unreadable { error: String },
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

/// The effect of an event on the function, and the reason.
#[derive(Debug, Serialize)]
pub struct Targets<'a> {
    version: u8,
    kind: &'static str,
    event: Option<&'a str>,
    event_id: Option<&'a str>,
    account: Option<&'a str>,
    region: Option<&'a str>,
    actor: Option<&'a str>,
    action: &'static str,
    targets: Vec<OneTarget<'a>>,
    reason: Option<&'a str>,
}

impl<'a> From<&'a Trigger> for Targets<'a> {
    fn from(trigger: &'a Trigger) -> Self {
        let (action, targets, reason) = match &trigger.action {
            Action::Evaluate(targets) => (
                "evaluate",
                targets.iter().map(OneTarget::from).collect(),
                None,
            ),
            Action::Sweep(reason) => ("sweep", Vec::new(), reason.as_deref()),
            Action::SweepAll => ("sweep-all", Vec::new(), None),
            Action::Ignore(reason) => ("ignore", Vec::new(), Some(reason.as_str())),
        };
        Self {
            version: 1,
            kind: kind(trigger.kind),
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

/// One target, as a member with its name.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum OneTarget<'a> {
    GroupId(&'a str),
    GroupName(&'a str),
    DefaultGroupOf(&'a str),
    GroupsOfVpc(&'a str),
    Referencing(&'a str),
}

impl<'a> From<&'a Target> for OneTarget<'a> {
    fn from(target: &'a Target) -> Self {
        match target {
            Target::GroupId(id) => Self::GroupId(id.as_str()),
            Target::GroupName(name) => Self::GroupName(name),
            Target::DefaultGroupOf(vpc) => Self::DefaultGroupOf(vpc.as_str()),
            Target::GroupsOfVpc(vpc) => Self::GroupsOfVpc(vpc.as_str()),
            Target::Referencing(id) => Self::Referencing(id.as_str()),
        }
    }
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Cloudtrail => "cloudtrail",
        Kind::Schedule => "schedule",
        Kind::Config => "config",
        Kind::TagChange => "tag-change",
        Kind::CustomAction => "custom-action",
        Kind::Direct => "direct",
        Kind::Other => "other",
    }
}
