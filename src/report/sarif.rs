//! SARIF 2.1.0: a result for each violation, and for each group of which it cannot be told.
//!
//! Source: <https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/sarif-v2.1.0-errata01-os-complete.html>. What code
//! scanning of GitHub takes of it:
//! <https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning>.

use sha2::{Digest as _, Sha256};

use super::Summary;
use super::assessment::{AcceptedRisk, AssessedViolation, Assessment, Place};
use super::json::to_line;
use super::ranked::{Entry, LONGEST, List, Rank, SarifReader, Standing};
use crate::model::planned::Unknown;
use crate::plan::{Change, Verdict};
use crate::policy::Severity;
use crate::text::{escape, truncate};

mod rules;
mod types;

use types::{
    Artifact, Driver, FileRegion, Fingerprints, Location, LogicalLocation, Message,
    PhysicalLocation, Properties, SarifResult, Suppression, Tool, Totals,
};

/// Most results of a log: code scanning of GitHub shows no more.
pub(super) const RESULTS: usize = 5000;

/// What a group adds to a log.
pub(super) fn entries(group: &Assessment, reader: SarifReader) -> serde_json::Result<Vec<Entry>> {
    let open = group.open_rank().map(|rank| (rank, None));
    let violations = group
        .violations
        .iter()
        .map(|violation| (violation.rank(), Some(violation)));
    let shown = violations
        .chain(open)
        .filter(|(rank, violation)| reader == SarifReader::Any || is_alert(*rank, *violation));
    shown
        .map(|(rank, violation)| {
            let result = result(group, violation, rank, reader);
            Ok(Entry {
                rank,
                list: 0,
                text: to_line(&result)?,
            })
        })
        .collect()
}

/// Whether code scanning of GitHub, which knows no suppression and no baseline, shall show it.
fn is_alert((standing, _): Rank, violation: Option<&AssessedViolation>) -> bool {
    match standing {
        Standing::Fails | Standing::Open => true,
        Standing::Stays => violation.is_some_and(|it| it.change == Some(Change::Narrowed)),
        Standing::StaysOpen | Standing::Accepted | Standing::Ends => false,
    }
}

fn result<'a>(
    group: &'a Assessment,
    violation: Option<&'a AssessedViolation>,
    rank: Rank,
    reader: SarifReader,
) -> SarifResult<'a> {
    let is_for_github = reader == SarifReader::Github;
    let rule = violation.map(|violation| violation.reason);
    let place = violation.and_then(|violation| violation.place.as_ref());
    let place = place.or(group.place.as_ref());
    let (kind, level) = match violation {
        Some(violation) => ("fail", level(violation.severity)),
        None if is_for_github => ("fail", "note"),
        None => ("open", "none"),
    };
    let text = match violation {
        Some(violation) => format!("{}.", violation.sentence),
        None => open_text(group),
    };
    let fingerprint = fingerprint(group, violation);
    SarifResult {
        rule_id: rules::id(rule),
        rule_index: rules::index(rule),
        kind,
        level,
        message: Message {
            text: plain(&truncate(&text, LONGEST)),
        },
        locations: [location(group, place, is_for_github)],
        partial_fingerprints: Fingerprints {
            primary_location_line_hash: is_for_github.then(|| fingerprint.clone()),
            sg_trust: fingerprint,
        },
        suppressions: (!is_for_github).then(|| {
            let exemption = violation.and_then(|violation| violation.exemption.as_ref());
            exemption.map(suppression).into_iter().collect()
        }),
        baseline_state: baseline(violation, rank).filter(|_| !is_for_github),
        properties: Properties {
            severity: violation.map(|violation| violation.severity.as_str()),
            protocol: violation.map(|violation| violation.protocol.as_str()),
            fix: violation.map_or(&[], |violation| &violation.fix),
        },
    }
}

/// That it cannot be told, what decides it, and how to make that known.
pub(super) fn open_text(group: &Assessment) -> String {
    let unknown: Vec<_> = group.unknown.iter().map(describe_unknown).collect();
    let what = if group.verdict == Verdict::Failed {
        "gets another violation"
    } else {
        "lets another security group reach all its ports"
    };
    format!(
        "Before the deployment it cannot be told whether {} {what}. {}",
        group.name,
        unknown.join(" ")
    )
    .trim_end()
    .to_owned()
}

fn describe_unknown(unknown: &Unknown) -> String {
    let Unknown {
        attribute,
        expression,
        advice,
    } = unknown;
    let attribute = escape(attribute);
    let expression = expression.as_ref().map_or_else(String::new, |expression| {
        format!(" ({})", escape(expression))
    });
    format!("{attribute}{expression} is not known: {}.", escape(advice))
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Informational => "note",
    }
}

/// `[text](target)` in a message is a link, and names are of anybody's choice.
fn plain(text: &str) -> String {
    text.replace("](", "] (")
}

fn baseline(violation: Option<&AssessedViolation>, (standing, _): Rank) -> Option<&'static str> {
    let Some(violation) = violation else {
        return Some(if standing == Standing::Open {
            "new"
        } else {
            "unchanged"
        });
    };
    violation.change.map(|change| match change {
        Change::New => "new",
        Change::Widened | Change::Narrowed => "updated",
        Change::Existing => "unchanged",
        Change::Fixed => "absent",
    })
}

fn suppression(exemption: &AcceptedRisk) -> Suppression {
    let justification = format!("{}: {}", escape(&exemption.id), exemption.why);
    Suppression {
        kind: "external",
        status: "accepted",
        justification: truncate(&justification, LONGEST).into_owned(),
    }
}

fn location<'a>(group: &'a Assessment, place: Option<&Place>, is_for_github: bool) -> Location<'a> {
    let of_file = place.map(|place| PhysicalLocation {
        artifact_location: Artifact {
            uri: uri(&place.file),
        },
        region: match (place.line, is_for_github) {
            (Some(line), _) => Some(FileRegion {
                start_line: line,
                start_column: place.column,
            }),
            (None, true) => Some(FileRegion::FIRST_LINE),
            (None, false) => None,
        },
    });
    // Code scanning refuses a result without a file.
    let of_none = is_for_github.then(|| PhysicalLocation {
        artifact_location: Artifact {
            uri: uri(&format!("aws/{}", group.id.replace(':', "/"))),
        },
        region: Some(FileRegion::FIRST_LINE),
    });
    Location {
        physical_location: of_file.or(of_none),
        logical_locations: [LogicalLocation {
            fully_qualified_name: &group.id,
            kind: "resource",
        }],
    }
}

/// A path as a URI: relative, unless the path is absolute.
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    if path.starts_with('/') {
        uri.push_str("file://");
    }
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}

/// The same for a violation wherever it stands in a file, and whatever else changes.
fn fingerprint(group: &Assessment, violation: Option<&AssessedViolation>) -> String {
    let rule = rules::id(violation.map(|violation| violation.reason));
    let (source, protocol) = violation.map_or(("", ""), |violation| {
        (violation.source_id.as_str(), violation.protocol.as_str())
    });
    let mut hash = Sha256::new();
    for part in [group.id.as_str(), source, protocol, rule] {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    digest
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The whole log.
pub(super) fn log(lists: Vec<List>, summary: &Summary) -> serde_json::Result<String> {
    let mut results = String::new();
    let mut left_out = 0;
    for list in &lists {
        left_out += list.left_out(list.texts.len());
        for text in &list.texts {
            results.push_str(if results.is_empty() { "\n" } else { ",\n" });
            results.push_str(text);
        }
    }
    let tool = Tool {
        driver: Driver {
            name: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
            rules: rules::all(),
        },
    };
    let totals = Totals {
        groups: summary.groups,
        passed: summary.passed,
        failed: summary.failed,
        exempt: summary.exempt,
        cannot_tell: summary.cannot_tell,
        results_left_out: left_out,
    };
    Ok(format!(
        "{{\"$schema\":\"https://json.schemastore.org/sarif-2.1.0.json\",\"version\":\"2.1.0\",\"runs\":[{{\
         \"tool\":{},\"columnKind\":\"unicodeCodePoints\",\"properties\":{},\"results\":[{results}\n]}}]}}\n",
        to_line(&tool)?,
        to_line(&totals)?,
    ))
}
