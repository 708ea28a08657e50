//! What a person reads in a terminal: the groups that failed or are exempt, one block each, in fixed columns.
//!
//! Columns have fixed widths because groups are printed as they come. Colours are always written; whoever prints to
//! something that shows none takes them out.

use std::fmt::Write as _;

use owo_colors::OwoColorize as _;
use unicode_width::UnicodeWidthStr as _;

use super::columns::fit;
use super::{Summary, prose};
use crate::model::{Region, SecurityGroup};
use crate::policy::{Severity, Status, Verdict};
use crate::remediation::command::Fix;
use crate::text::escape;

const GROUP_WIDTH: usize = 20;
const NAME_WIDTH: usize = 28;
/// So little that a usual sentence fits into 100 columns.
const INDENT: &str = "  ";

/// The line above the first group.
#[must_use]
pub fn heading() -> String {
    let line = format!(
        "{:<7}  {:<13}  {:<GROUP_WIDTH$}  {:<NAME_WIDTH$}  {}",
        "VERDICT", "SEVERITY", "GROUP", "NAME", "VPC"
    );
    format!("{}\n", line.dimmed())
}

/// A group's block; nothing for one that passed.
#[must_use]
pub fn group(group: &SecurityGroup, verdict: &Verdict, region: Option<&Region>) -> String {
    if verdict.status == Status::Passed {
        return String::new();
    }
    let mut out = row(
        verdict.status.as_str(),
        verdict.severity,
        group.group_id.as_str(),
        group.group_name.as_deref(),
        group.vpc_id.as_ref().map(|vpc| vpc.as_str()),
    );
    for violation in verdict.most_severe_first() {
        let _ = writeln!(
            out,
            "{INDENT}{} {}",
            prose::describe_violation(group, violation),
            format_args!("[{}]", violation.reason).dimmed()
        );
        if let Some(exemption) = &violation.exemption {
            let _ = writeln!(
                out,
                "{INDENT}  exempt by {}",
                format_args!(
                    "{}: {}",
                    escape(&exemption.id),
                    prose::describe_exemption(exemption)
                )
            );
        } else {
            out += &fix(&Fix::new(&group.group_id, violation, region));
        }
    }
    out
}

/// The commands, in the order in which to run them.
fn fix(fix: &Fix) -> String {
    let mut out = String::new();
    let mut line = |label: &str, text: &str| {
        let _ = writeln!(out, "{INDENT}  {} {}", label.green(), escape(text));
    };
    if let Some(note) = &fix.note {
        line("note:", note);
    }
    if let Some(authorize) = &fix.authorize {
        line("allow first:", authorize);
    }
    for revoke in &fix.revoke {
        line("then revoke:", revoke);
    }
    out
}

/// The line of a group that is gone.
#[must_use]
pub fn gone(group_id: &str) -> String {
    let mut out = row("GONE", Severity::Informational, group_id, None, None);
    let _ = writeln!(
        out,
        "{INDENT}the group does not exist any more: its finding is archived"
    );
    out
}

/// The totals.
#[must_use]
pub fn totals(summary: &Summary) -> String {
    let groups = if summary.groups == 1 {
        "group"
    } else {
        "groups"
    };
    let Summary {
        passed,
        failed,
        exempt,
        ..
    } = summary;
    let others = [
        (summary.cannot_tell, "cannot tell"),
        (summary.archived, "gone"),
    ];
    let others: String = others
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!(", {count} {what}"))
        .collect();
    format!(
        "{} {groups}: {passed} passed, {failed} failed, {exempt} exempt{others}\n",
        summary.groups
    )
}

fn row(
    verdict: &str,
    severity: Severity,
    group_id: &str,
    name: Option<&str>,
    vpc: Option<&str>,
) -> String {
    let verdict = match verdict {
        "FAILED" => format!("{:<7}", verdict).red().bold().to_string(),
        "EXEMPT" => format!("{:<7}", verdict).yellow().to_string(),
        _ => format!("{:<7}", verdict).dimmed().to_string(),
    };
    let line = format!(
        "{verdict}  {severity:<13}  {}  {}  {}",
        column(group_id, GROUP_WIDTH),
        column(name.unwrap_or("-"), NAME_WIDTH),
        escape(vpc.unwrap_or("-")),
    );
    format!("{}\n", line.trim_end())
}

/// The text in exactly so many columns of a terminal, unless an id is longer: ids are never cut.
fn column(text: &str, width: usize) -> String {
    let text = escape(text);
    let text = if text.starts_with("sg-") {
        &*text
    } else {
        &*fit(&text, width)
    };
    let padding = width.saturating_sub(text.width());
    format!("{text}{:padding$}", "")
}
