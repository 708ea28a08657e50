//! A group with what the policy says of it, live or planned: what SARIF, GitHub's annotations and Markdown show.

mod planned;

use crate::model::planned::{Position, Unknown};
use crate::model::{AccountId, Partition, Region, SecurityGroup};
use crate::plan::{self, Change};
use crate::policy::{Reason, Severity, Verdict, Violation};
use crate::remediation::command::Fix;
use crate::report::prose;

pub use planned::summary;

/// A group with what the policy says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assessment {
    /// What names the group in every run: its address in a plan or a template, else its ARN, else its id.
    pub id: String,
    /// How a sentence names it: safe to show, as every text below.
    pub name: String,
    pub verdict: plan::Verdict,
    /// INFORMATIONAL unless it failed.
    pub severity: Severity,
    /// Where it is written, or the file that it was read from.
    pub place: Option<Place>,
    /// Whether a plan creates or changes it; always of a live group.
    pub is_changed: bool,
    /// Whether its verdict, or whether it gets another violation, cannot be told.
    pub is_open: bool,
    pub violations: Vec<AssessedViolation>,
    /// What is not known, where it cannot be told.
    pub unknown: Vec<Unknown>,
}

/// A violation, which a plan may have ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssessedViolation {
    /// What a plan does to it; none of a live group.
    pub change: Option<Change>,
    pub reason: Reason,
    pub severity: Severity,
    pub protocol: String,
    /// What names the source in every run: its address, else its id, else its owner and name.
    pub source_id: String,
    /// How a sentence names it: `sg-0bbb (web)`, `itself`.
    pub source: String,
    /// What is accepted: `all traffic`.
    pub traffic: String,
    pub sentence: String,
    /// The exemption that covers it.
    pub exemption: Option<AcceptedRisk>,
    /// Where the rule is written.
    pub place: Option<Place>,
    /// What to do, a step a line.
    pub fix: Vec<String>,
}

/// An exemption as people read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedRisk {
    pub id: String,
    /// The reason, the owner and the end.
    pub why: String,
}

/// A place in a file, or the file as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Relative to where the command runs, with `/` between its parts; absolute elsewhere.
    pub file: String,
    /// From 1.
    pub line: Option<usize>,
    /// From 1.
    pub column: Option<usize>,
}

/// Where a live group comes from.
#[derive(Debug, Clone, Copy, Default)]
pub struct Origin<'a> {
    /// The file that it was read from; none where it was asked for.
    pub file: Option<&'a str>,
    pub partition: Option<&'a Partition>,
    pub region: Option<&'a Region>,
}

impl Origin<'_> {
    /// The group's ARN, as far as it is known.
    fn arn(self, group: &SecurityGroup) -> Option<String> {
        if let Some(arn) = &group.security_group_arn {
            return Some(arn.clone());
        }
        let region = self.region?;
        let partition = self
            .partition
            .map_or_else(|| Partition::of(region), Partition::clone);
        let owner: &AccountId = group.owner_id.as_ref()?;
        Some(format!(
            "arn:{partition}:ec2:{region}:{owner}:security-group/{}",
            group.group_id
        ))
    }
}

impl Place {
    /// The file as a whole.
    #[must_use]
    pub fn of_file(file: &str) -> Self {
        Self {
            file: file.to_owned(),
            line: None,
            column: None,
        }
    }
}

impl From<&Position> for Place {
    fn from(position: &Position) -> Self {
        Self {
            file: position.file.clone(),
            line: Some(position.line),
            column: position.column,
        }
    }
}

impl Assessment {
    /// Its places and those of its rules, to be told otherwise.
    pub fn places(&mut self) -> impl Iterator<Item = &mut Place> {
        let rules = self.violations.iter_mut();
        let rules = rules.filter_map(|violation| violation.place.as_mut());
        self.place.iter_mut().chain(rules)
    }

    /// A live group.
    #[must_use]
    pub fn live(group: &SecurityGroup, verdict: &Verdict, origin: Origin<'_>) -> Self {
        let violations = verdict.most_severe_first().into_iter();
        Self {
            id: origin
                .arn(group)
                .unwrap_or_else(|| group.group_id.as_str().to_owned()),
            name: prose::describe_group(group),
            verdict: verdict.status.into(),
            severity: verdict.severity,
            place: origin.file.map(Place::of_file),
            is_changed: true,
            is_open: false,
            violations: violations
                .map(|violation| AssessedViolation::live(group, violation, origin))
                .collect(),
            unknown: Vec::new(),
        }
    }
}

impl AssessedViolation {
    fn live(group: &SecurityGroup, violation: &Violation, origin: Origin<'_>) -> Self {
        let Fix {
            authorize,
            revoke,
            note,
        } = Fix::new(&group.group_id, violation, origin.region);
        let note = note.map(|note| format!("note: {note}"));
        let authorize = authorize.map(|command| format!("allow first: {command}"));
        let revoke = revoke
            .into_iter()
            .map(|command| format!("then revoke: {command}"));
        let source = &violation.source;
        let owner = source.owner_id.as_ref().map_or("", |owner| owner.as_str());
        let name = source.group_name.as_deref().unwrap_or_default();
        Self {
            change: None,
            reason: violation.reason,
            severity: violation.severity,
            protocol: violation.protocol.as_str().to_owned(),
            source_id: source
                .group_id
                .as_ref()
                .map_or_else(|| format!("{owner}/{name}"), |id| id.as_str().to_owned()),
            source: prose::describe_source(source),
            traffic: prose::describe_traffic(
                violation.reason,
                &violation.protocol,
                &violation.ports,
            ),
            sentence: prose::describe_violation(group, violation),
            exemption: violation.exemption.as_ref().map(|exemption| AcceptedRisk {
                id: exemption.id.clone(),
                why: prose::describe_exemption(exemption),
            }),
            place: None,
            fix: note.into_iter().chain(authorize).chain(revoke).collect(),
        }
    }
}
