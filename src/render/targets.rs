//! What `targets` prints: version 1. Keys may be added, never changed.

use serde::Serialize;

use crate::trigger::{Action, Kind, Target, Trigger};

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
