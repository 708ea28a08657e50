//! What a run tells about itself: one summary line an invocation.
//!
//! Names, ids and texts that others chose go into the line as JSON strings or with their deceptive characters made
//! visible; never a credential, never a whole event.

use std::time::Duration;

use crate::model::GroupId;
use crate::policy::Status;
use crate::trigger::Trigger;

/// How many groups the summary line names.
const NAMED_GROUPS: usize = 20;

/// What is known about a run, filled in while it goes on: when it fails, as far as it got.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    /// The call's name, or the event's detail-type.
    pub event: Option<String>,
    /// The event's id.
    pub event_id: Option<String>,
    /// The first groups and what became of each.
    pub groups: Vec<(GroupId, &'static str)>,
    /// Time spent waiting for EC2.
    pub fetching: Duration,
    /// Time spent waiting for Security Hub.
    pub publishing: Duration,
}

impl Trace {
    /// Notes which event it is.
    pub fn began(&mut self, trigger: &Trigger) {
        self.event.clone_from(&trigger.event);
        self.event_id.clone_from(&trigger.record.id);
    }

    /// Notes a group that was evaluated.
    pub fn evaluated(&mut self, id: &GroupId, status: Status) {
        self.note(id, status.as_str());
    }

    /// Notes a group that is gone.
    pub fn gone(&mut self, id: &GroupId) {
        self.note(id, "GONE");
    }

    fn note(&mut self, id: &GroupId, what: &'static str) {
        if self.groups.len() < NAMED_GROUPS {
            self.groups.push((id.clone(), what));
        }
    }

    /// `sg-0aaa=FAILED sg-0bbb=PASSED`.
    #[must_use]
    pub fn verdicts(&self) -> String {
        let verdicts: Vec<_> = self
            .groups
            .iter()
            .map(|(id, what)| format!("{id}={what}"))
            .collect();
        verdicts.join(" ")
    }
}
