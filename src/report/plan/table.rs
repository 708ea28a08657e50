//! What a person reads in a terminal of a deployment: the groups that did not pass, or that it mends.

use std::fmt::Write as _;

use owo_colors::OwoColorize as _;

use super::{describe_reach, describe_violation};
use crate::model::planned::Position;
use crate::plan::{GroupReport, PlanReport, Summary, Verdict, ViolationReport};
use crate::report::prose::describe_exemption;
use crate::text::escape;

const INDENT: &str = "  ";
/// So many values of a group that are unknown are told, the rest counted.
const MOST_UNKNOWN: usize = 5;

/// The whole table.
#[must_use]
pub fn table(report: &PlanReport) -> String {
    let mut out = String::new();
    for told in &report.groups {
        if told.verdict != Verdict::Passed || !told.violations.is_empty() {
            out += &group(told);
        }
    }
    for change in report.reach.iter().flatten() {
        let _ = writeln!(out, "{} {}", "REACH".yellow(), describe_reach(change));
    }
    for not_read in &report.not_read {
        let _ = writeln!(
            out,
            "{} {}: {}",
            "NOT READ".yellow(),
            escape(&not_read.address),
            escape(&not_read.why)
        );
    }
    out + &totals(&report.summary())
}

fn group(group: &GroupReport) -> String {
    let verdict = match group.verdict {
        Verdict::Passed => "PASSED".green().to_string(),
        Verdict::Failed => "FAILED".red().to_string(),
        Verdict::Exempt => "EXEMPT".yellow().to_string(),
        Verdict::CannotTell => "CANNOT TELL".yellow().to_string(),
    };
    let severity = match group.severity {
        Some(severity) if group.verdict == Verdict::Failed => format!(" {severity}"),
        _ => String::new(),
    };
    let before = match group.before {
        Some(before) if before != group.verdict => {
            format!(", before {}", before.as_str().replace('_', " "))
        }
        _ => String::new(),
    };
    let mut out = format!(
        "{verdict}{severity}  {} ({}{before}){}\n",
        escape(&group.address).bold(),
        group.action.as_str(),
        at(group.position.as_ref())
    );
    for violation in &group.violations {
        out += &self::violation(group, violation);
    }
    for unknown in group.unknown.iter().take(MOST_UNKNOWN) {
        let expression = unknown
            .expression
            .as_ref()
            .map(|expression| format!(" = {}", escape(expression)))
            .unwrap_or_default();
        let _ = writeln!(
            out,
            "{INDENT}{} {}{expression}: {}",
            "unknown".yellow(),
            escape(&unknown.attribute),
            escape(&unknown.advice)
        );
    }
    if group.unknown.len() > MOST_UNKNOWN {
        let more = group.unknown.len() - MOST_UNKNOWN;
        let _ = writeln!(out, "{INDENT}and {more} more unknown values");
    }
    out
}

fn violation(group: &GroupReport, found: &ViolationReport) -> String {
    let mut out = format!(
        "{INDENT}{:<8}  {} {}\n",
        found.change.as_str(),
        describe_violation(group, found),
        format_args!("[{}]", found.violation.reason).dimmed()
    );
    for rule in &found.rules {
        if rule.address != group.address || rule.position != group.position {
            let _ = writeln!(
                out,
                "{INDENT}{INDENT}by {}{}",
                escape(&rule.address),
                at(rule.position.as_ref())
            );
        }
    }
    if let Some(exemption) = &found.violation.exemption {
        let _ = writeln!(
            out,
            "{INDENT}{INDENT}exempt by {}: {}",
            escape(&exemption.id),
            describe_exemption(exemption)
        );
    }
    out
}

fn at(position: Option<&Position>) -> String {
    position.map_or_else(String::new, |position| {
        format!(" at {}:{}", escape(&position.file), position.line)
    })
}

fn totals(summary: &Summary) -> String {
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
    let noun = if *groups == 1 { "group" } else { "groups" };
    format!(
        "{groups} {noun}: {passed} passed, {failed} failed, {exempt} exempt, {cannot_tell} cannot tell; violations: {new} new, {widened} widened, {existing} existing, {narrowed} narrowed, {fixed} fixed\n"
    )
}
