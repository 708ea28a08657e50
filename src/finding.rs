//! The result of an evaluation with its identity, its state and its evidence, before any format.

use std::sync::Arc;

use jiff::Timestamp;

use crate::event::{ChangeProof, Record, Trigger};
use crate::model::{GroupId, Scope, SecurityGroup};
use crate::policy::{self, Severity, Status, Verdict, Violation};

/// What becomes of the finding of a group that passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Passed {
    /// It is archived.
    #[default]
    Archive,
    /// It stays active, so that PASSED groups show up.
    Active,
}

/// What all findings of one run have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// Where they stand.
    pub scope: Scope,
    /// What becomes of those of groups that passed.
    pub passed: Passed,
    /// `Compliance.RelatedRequirements`.
    pub related_requirements: Vec<String>,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it has in common with others.
    pub context: Arc<Context>,
    /// The moment EC2's answer arrived: the newest observation wins, whatever the order of delivery.
    pub observed_at: Timestamp,
    /// The group that it is about.
    pub group_id: GroupId,
    /// What was found.
    pub subject: Subject,
    /// The event that led to it.
    pub event: Option<Attribution>,
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

/// The event behind a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribution {
    /// The last event: who, when, from where.
    pub last: Record,
    /// The event that added a rule that is among the violations, where there is one: whoever tags a group must not
    /// stand beside another's rule.
    pub opened: Option<Record>,
}

/// `Compliance.Status`, in Security Hub's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComplianceStatus {
    /// No violation.
    Passed,
    /// A violation that no exemption covers.
    Failed,
    /// Only exempt violations.
    Warning,
    /// The group is gone.
    NotAvailable,
}

/// `RecordState`, in Security Hub's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordState {
    /// It stands.
    Active,
    /// It is kept for the record.
    Archived,
}

impl Finding {
    /// The finding of a group that was evaluated.
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
            event: None,
        }
    }

    /// The finding of a group that is gone.
    #[must_use]
    pub fn gone(context: &Arc<Context>, observed_at: Timestamp, group_id: GroupId) -> Self {
        Self {
            context: Arc::clone(context),
            observed_at,
            group_id,
            subject: Subject::Gone,
            event: None,
        }
    }

    /// The finding of a group that nobody evaluates any more.
    #[must_use]
    pub fn retired(context: &Arc<Context>, at: Timestamp, group_id: GroupId) -> Self {
        Self {
            subject: Subject::Retired,
            ..Self::gone(context, at, group_id)
        }
    }

    /// Notes the events that led to it, given in the order of their times.
    pub fn led_to_by(&mut self, triggers: &[&Trigger]) {
        let recorded = || {
            triggers
                .iter()
                .rev()
                .filter(|trigger| trigger.record.name.is_some())
        };
        if let Some(last) = recorded().next() {
            let opener = recorded().find(|trigger| self.was_opened_by(&trigger.proof));
            let opened = opener.map(|trigger| trigger.record.clone());
            self.event = Some(Attribution {
                last: last.record.clone(),
                opened,
            });
        }
    }

    fn was_opened_by(&self, proof: &ChangeProof) -> bool {
        let ChangeProof::Existed { added, .. } = proof else {
            return false;
        };
        self.violations().iter().any(|violation| {
            added
                .iter()
                .any(|rule| violation.has_rule(&rule.source, &rule.traffic))
        })
    }

    /// The violations of the group, none when it is gone.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        match &self.subject {
            Subject::Evaluated(_, verdict) => &verdict.violations,
            Subject::Gone | Subject::Retired => &[],
        }
    }

    /// `Id`: the same for a group whatever its state, `<region>/<account>/<policy id>/<group id>`.
    #[must_use]
    pub fn id(&self) -> String {
        format!(
            "{}/{}/{}/{}",
            self.context.scope.region,
            self.context.scope.account,
            policy::ID,
            self.group_id
        )
    }

    /// `Compliance.Status`.
    #[must_use]
    pub fn compliance_status(&self) -> ComplianceStatus {
        match &self.subject {
            Subject::Gone | Subject::Retired => ComplianceStatus::NotAvailable,
            Subject::Evaluated(_, verdict) => ComplianceStatus::of(verdict.status),
        }
    }

    /// `RecordState`. A FAILED finding is ACTIVE; so is a PASSED one where the settings want it. The others are
    /// ARCHIVED, so that a relapse (ARCHIVED to ACTIVE) resets the customer's workflow to NEW.
    #[must_use]
    pub fn record_state(&self) -> RecordState {
        match (self.compliance_status(), self.context.passed) {
            (ComplianceStatus::Failed, _) | (ComplianceStatus::Passed, Passed::Active) => {
                RecordState::Active
            }
            _ => RecordState::Archived,
        }
    }

    /// The severity; INFORMATIONAL unless the group failed.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match &self.subject {
            Subject::Evaluated(_, verdict) => verdict.severity,
            Subject::Gone | Subject::Retired => Severity::Informational,
        }
    }
}

impl ComplianceStatus {
    /// What a verdict is published with.
    #[must_use]
    pub fn of(status: Status) -> Self {
        match status {
            Status::Passed => Self::Passed,
            Status::Failed => Self::Failed,
            Status::Exempt => Self::Warning,
        }
    }

    /// Security Hub's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "PASSED",
            Self::Failed => "FAILED",
            Self::Warning => "WARNING",
            Self::NotAvailable => "NOT_AVAILABLE",
        }
    }
}

impl RecordState {
    /// Security Hub's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Archived => "ARCHIVED",
        }
    }
}
