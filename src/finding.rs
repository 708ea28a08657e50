//! The result of an evaluation with its identity, its lifecycle and who caused it, before any format.
//!
//! A [`Finding`] is complete when it is made: verdict, times, rule ids and attribution are inputs of its constructor.

use std::sync::Arc;

use jiff::Timestamp;

use crate::model::{GroupId, Scope, SecurityGroup};
use crate::policy::{self, Severity, Verdict, Violation};

mod attribution;
mod fingerprint;
mod lifecycle;

pub use attribution::{Attribution, OpenedRule, Opener, Seen};
pub use fingerprint::Fingerprint;
pub use lifecycle::{Lifecycle, Passed};

/// What all findings of one run have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// Where they stand.
    pub scope: Scope,
    /// Whether the finding of a group that passed is archived.
    pub passed: Passed,
    /// `Compliance.RelatedRequirements`.
    pub related_requirements: Vec<String>,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it has in common with others.
    pub context: Arc<Context>,
    /// The moment before the request to EC2 was sent: what is observed is at least that new. Security Hub keeps the
    /// finding with the latest moment, so an answer that was slow must not outdo one that was asked for later.
    pub observed_at: Timestamp,
    /// The group that it is about.
    pub group_id: GroupId,
    /// What was found.
    pub subject: Subject,
    /// The events behind it.
    pub attribution: Attribution,
    /// What made the product evaluate the group.
    pub cause: Cause,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A group and its evaluation.
    Evaluated(Box<SecurityGroup>, Verdict),
    /// The group is gone.
    Gone,
    /// The product is about to be removed: nobody evaluates the group any more.
    Retired,
}

/// What made the product evaluate a group. A sweep leaves alone what an event published while it ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// An event named the group.
    Event,
    /// A run over all groups or findings.
    Sweep,
}

impl Subject {
    /// The lifecycle that a finding with this subject is in.
    #[must_use]
    pub fn lifecycle(&self) -> Lifecycle {
        match self {
            Self::Evaluated(_, verdict) => Lifecycle::of(verdict.status),
            Self::Gone => Lifecycle::Gone,
            Self::Retired => Lifecycle::Retired,
        }
    }

    /// The violations of the group; none when it is gone.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        match self {
            Self::Evaluated(_, verdict) => &verdict.violations,
            Self::Gone | Self::Retired => &[],
        }
    }
}

impl Finding {
    /// The finding of a group that was evaluated in a run over all groups, with no event behind it.
    #[must_use]
    pub fn evaluated(
        context: &Arc<Context>,
        observed_at: Timestamp,
        group: SecurityGroup,
        verdict: Verdict,
    ) -> Self {
        Self {
            context: Arc::clone(context),
            observed_at,
            group_id: group.group_id.clone(),
            subject: Subject::Evaluated(Box::new(group), verdict),
            attribution: Attribution::default(),
            cause: Cause::Sweep,
        }
    }

    /// `Id`: the same for a group whatever its state, `<region>/<account>/<policy id>/<group id>`.
    #[must_use]
    pub fn id(&self) -> String {
        id_of(&self.context.scope, &self.group_id)
    }

    /// Which stage of its life the finding is in.
    #[must_use]
    pub fn lifecycle(&self) -> Lifecycle {
        self.subject.lifecycle()
    }

    /// Whether it shows up as an open record.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.lifecycle().is_active(self.context.passed)
    }

    /// The violations of the group; none when it is gone.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        self.subject.violations()
    }

    /// The severity; INFORMATIONAL unless the group failed.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match &self.subject {
            Subject::Evaluated(_, verdict) => verdict.severity,
            Subject::Gone | Subject::Retired => Severity::Informational,
        }
    }

    /// What tells whether a finding with the same subject was published already.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.context, &self.group_id, &self.subject)
    }
}

/// `Id` of the finding of a group.
#[must_use]
pub fn id_of(scope: &Scope, group_id: &GroupId) -> String {
    format!(
        "{}/{}/{}/{group_id}",
        scope.region,
        scope.account,
        policy::ID
    )
}
