//! The JSON that scripts read of a deployment: version 1. Keys may be added, never changed.

use serde::Serialize;

use super::{SENSITIVE, describe_violation};
use crate::model::planned::{NotRead, Position, Unknown};
use crate::plan::{GroupReport, PlanReport, ReachChange, Summary, ViolationReport};
use crate::policy;
use crate::report::json::to_pretty;

#[derive(Debug, Serialize)]
struct Document<'a> {
    version: u32,
    policy: &'static str,
    kind: &'static str,
    groups: Vec<Group<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reach: Option<Vec<Reach<'a>>>,
    not_read: Vec<Unread<'a>>,
    notes: &'a [String],
    summary: Counts,
}

#[derive(Debug, Serialize)]
struct Group<'a> {
    address: &'a str,
    group_id: Option<&'a str>,
    group_name: Option<&'a str>,
    action: &'static str,
    changed: bool,
    verdict: &'static str,
    before: Option<&'static str>,
    severity: Option<&'static str>,
    file: Option<&'a str>,
    line: Option<usize>,
    violations: Vec<Violation<'a>>,
    unknown: Vec<Unclear<'a>>,
}

#[derive(Debug, Serialize)]
struct Violation<'a> {
    change: &'static str,
    certain: bool,
    reason: &'static str,
    protocol: &'a str,
    ports: &'a [(u16, u16)],
    severity: &'static str,
    source: Source<'a>,
    rule: Option<&'a str>,
    rules: Vec<&'a str>,
    file: Option<&'a str>,
    line: Option<usize>,
    exemption: Option<&'a str>,
    sentence: String,
}

#[derive(Debug, Serialize)]
struct Source<'a> {
    address: Option<&'a str>,
    group_id: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Unclear<'a> {
    attribute: &'a str,
    expression: Option<&'a str>,
    advice: &'a str,
}

#[derive(Debug, Serialize)]
struct Reach<'a> {
    address: &'a str,
    group_id: Option<&'a str>,
    group_name: Option<&'a str>,
    before: Option<u32>,
    after: Option<u32>,
}

#[derive(Debug, Serialize)]
struct Unread<'a> {
    address: &'a str,
    #[serde(rename = "type")]
    resource_type: &'a str,
    why: &'a str,
}

#[derive(Debug, Serialize)]
struct Counts {
    groups: u64,
    passed: u64,
    failed: u64,
    exempt: u64,
    cannot_tell: u64,
    new: u64,
    widened: u64,
    existing: u64,
    narrowed: u64,
    fixed: u64,
}

/// The whole document.
pub fn document(report: &PlanReport) -> serde_json::Result<String> {
    let document = Document {
        version: 1,
        policy: policy::ID,
        kind: report.kind.as_str(),
        groups: report.groups.iter().map(Group::new).collect(),
        reach: report
            .reach
            .as_ref()
            .map(|reach| reach.iter().map(Reach::new).collect()),
        not_read: report.not_read.iter().map(Unread::new).collect(),
        notes: &report.notes,
        summary: report.summary().into(),
    };
    Ok(to_pretty(&document)? + "\n")
}

fn file(position: Option<&Position>) -> Option<&str> {
    position.map(|position| position.file.as_str())
}

fn line(position: Option<&Position>) -> Option<usize> {
    position.map(|position| position.line)
}

impl<'a> Group<'a> {
    fn new(group: &'a GroupReport) -> Self {
        let position = group.position.as_ref();
        Self {
            address: &group.address,
            group_id: group.group_id.as_ref().map(|id| id.as_str()),
            group_name: group.group_name.as_deref(),
            action: group.action.as_str(),
            changed: group.is_changed,
            verdict: group.verdict.as_str(),
            before: group.before.map(|before| before.as_str()),
            severity: group.severity.map(|severity| severity.as_str()),
            file: file(position),
            line: line(position),
            violations: group
                .violations
                .iter()
                .map(|violation| Violation::new(group, violation))
                .collect(),
            unknown: group.unknown.iter().map(Unclear::new).collect(),
        }
    }
}

impl<'a> Violation<'a> {
    fn new(group: &GroupReport, found: &'a ViolationReport) -> Self {
        let violation = &found.violation;
        let position = found.rules.first().and_then(|rule| rule.position.as_ref());
        let is_shown = !found.is_sensitive;
        Self {
            change: found.change.as_str(),
            certain: found.is_certain,
            reason: violation.reason.as_str(),
            protocol: if is_shown {
                violation.protocol.as_str()
            } else {
                SENSITIVE
            },
            ports: if is_shown {
                violation.ports.intervals()
            } else {
                &[]
            },
            severity: violation.severity.as_str(),
            source: Source {
                address: found.source.address.as_deref(),
                group_id: found
                    .source
                    .group_id
                    .as_ref()
                    .filter(|_| is_shown)
                    .map(|id| id.as_str()),
            },
            rule: found.rules.first().map(|rule| rule.address.as_str()),
            rules: found
                .rules
                .iter()
                .map(|rule| rule.address.as_str())
                .collect(),
            file: file(position),
            line: line(position),
            exemption: violation
                .exemption
                .as_ref()
                .map(|exemption| exemption.id.as_str()),
            sentence: describe_violation(group, found),
        }
    }
}

impl<'a> Unclear<'a> {
    fn new(unknown: &'a Unknown) -> Self {
        Self {
            attribute: &unknown.attribute,
            expression: unknown.expression.as_deref(),
            advice: &unknown.advice,
        }
    }
}

impl<'a> Reach<'a> {
    fn new(change: &'a ReachChange) -> Self {
        Self {
            address: &change.address,
            group_id: change.group_id.as_ref().map(|id| id.as_str()),
            group_name: change.group_name.as_deref(),
            before: change.before,
            after: change.after,
        }
    }
}

impl<'a> Unread<'a> {
    fn new(not_read: &'a NotRead) -> Self {
        Self {
            address: &not_read.address,
            resource_type: &not_read.resource_type,
            why: &not_read.why,
        }
    }
}

impl From<Summary> for Counts {
    fn from(summary: Summary) -> Self {
        let Summary {
            groups,
            passed,
            failed,
            exempt,
            cannot_tell,
            new,
            widened,
            existing,
            narrowed,
            fixed,
        } = summary;
        Self {
            groups,
            passed,
            failed,
            exempt,
            cannot_tell,
            new,
            widened,
            existing,
            narrowed,
            fixed,
        }
    }
}
