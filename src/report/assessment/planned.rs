//! The groups of a deployment, as the formats of code hosts show them.

use super::{AcceptedRisk, AssessedViolation, Assessment, Place};
use crate::plan::{self, GroupReport, PlanReport, Verdict, ViolationReport};
use crate::policy::Severity;
use crate::report::Summary;
use crate::report::plan::{SENSITIVE, describe_group, describe_source, describe_violation};
use crate::report::prose::{describe_exemption, describe_traffic};

impl Assessment {
    /// A group of a deployment. What may be a violation is no violation: the group says what it depends on.
    #[must_use]
    pub fn planned(group: &GroupReport) -> Self {
        let violations = group.violations.iter().filter(|found| found.is_certain);
        Self {
            id: group.address.clone(),
            name: describe_group(group),
            verdict: group.verdict,
            is_open: group.verdict == Verdict::CannotTell || group.is_unclear(),
            severity: group.severity.unwrap_or(Severity::Informational),
            place: group.position.as_ref().map(Place::from),
            is_changed: group.is_changed,
            violations: violations
                .map(|found| AssessedViolation::planned(group, found))
                .collect(),
            unknown: group.unknown.clone(),
        }
    }
}

impl AssessedViolation {
    fn planned(group: &GroupReport, found: &ViolationReport) -> Self {
        let violation = &found.violation;
        let label = &found.source;
        let source_id = match (&label.address, &label.group_id, &label.unknown) {
            (Some(address), ..) => address.clone(),
            (None, Some(id), _) => id.as_str().to_owned(),
            (None, None, Some(unknown)) => {
                let expression = unknown.expression.as_ref();
                expression.unwrap_or(&unknown.attribute).clone()
            }
            (None, None, None) => violation.source.group_name.clone().unwrap_or_default(),
        };
        let (protocol, traffic) = if found.is_sensitive {
            (SENSITIVE.to_owned(), SENSITIVE.to_owned())
        } else {
            (
                violation.protocol.as_str().to_owned(),
                describe_traffic(violation.reason, &violation.protocol, &violation.ports),
            )
        };
        let rule = found.rules.first();
        Self {
            change: Some(found.change),
            reason: violation.reason,
            severity: violation.severity,
            protocol,
            source_id,
            source: describe_source(found),
            traffic,
            sentence: describe_violation(group, found),
            exemption: violation.exemption.as_ref().map(|exemption| AcceptedRisk {
                id: exemption.id.clone(),
                why: describe_exemption(exemption),
            }),
            place: rule
                .and_then(|rule| rule.position.as_ref())
                .map(Place::from),
            fix: Vec::new(),
        }
    }
}

/// The totals of a deployment.
#[must_use]
pub fn summary(report: &PlanReport) -> Summary {
    let plan::Summary {
        groups,
        passed,
        failed,
        exempt,
        cannot_tell,
        ..
    } = report.summary();
    Summary {
        groups,
        passed,
        failed,
        exempt,
        cannot_tell,
        archived: 0,
    }
}
