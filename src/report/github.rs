//! Workflow commands of GitHub Actions: an annotation for each violation.
//!
//! Source: <https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions>. GitHub shows ten
//! annotations of each kind a step.

use super::assessment::{AssessedViolation, Assessment};
use super::ranked::{Entry, LONGEST, List, Standing};
use super::{Summary, sarif, table};
use crate::text::{escape, truncate};

/// The kinds of annotation, the worst first.
pub(super) const KINDS: [&str; 3] = ["error", "warning", "notice"];
/// Most annotations of a kind.
pub(super) const ANNOTATIONS: usize = 10;

/// The kind of an annotation, as a place in [`KINDS`]; none for what needs nobody's attention.
fn kind(standing: Standing) -> Option<usize> {
    match standing {
        Standing::Fails => Some(0),
        Standing::Open => Some(1),
        Standing::Stays | Standing::StaysOpen => Some(2),
        Standing::Accepted | Standing::Ends => None,
    }
}

/// What a group adds.
pub(super) fn entries(group: &Assessment) -> Vec<Entry> {
    let open = group.open_rank().map(|rank| (rank, None));
    let violations = group
        .violations
        .iter()
        .map(|violation| (violation.rank(), Some(violation)));
    violations
        .chain(open)
        .filter_map(|(rank, violation)| {
            let list = kind(rank.0)?;
            let kind = KINDS.get(list)?;
            let text = format!("::{kind} {}", annotation(group, violation));
            Some(Entry { rank, list, text })
        })
        .collect()
}

fn annotation(group: &Assessment, violation: Option<&AssessedViolation>) -> String {
    let place = violation.and_then(|violation| violation.place.as_ref());
    let place = place.or(group.place.as_ref());
    let mut properties = Vec::new();
    if let Some(place) = place {
        properties.push(format!("file={}", property(&place.file)));
        properties.extend(place.line.map(|line| format!("line={line}")));
        properties.extend(place.column.map(|column| format!("col={column}")));
    }
    let name = &group.name;
    let (title, text, fix) = match violation {
        Some(violation) => {
            let change = violation.change;
            let change = change.map_or_else(String::new, |change| format!(", {}", change.as_str()));
            let title = format!("{name}: {}{change}", violation.reason);
            (title, violation.sentence.clone(), violation.fix.as_slice())
        }
        None => (
            format!("{name}: cannot tell"),
            sarif::open_text(group),
            &[][..],
        ),
    };
    properties.push(format!("title={}", property(&truncate(&title, LONGEST))));
    let text = truncate(&text, LONGEST);
    let lines: Vec<_> = std::iter::once(&*text)
        .chain(fix.iter().map(String::as_str))
        .map(|line| data(&escape(line)))
        .collect();
    format!("{}::{}", properties.join(","), lines.join("%0A"))
}

/// A command's data, in which nothing ends the line.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// A command's property, in which nothing ends it or the properties.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// The commands, and a line with the totals.
pub(super) fn commands(lists: Vec<List>, summary: &Summary) -> String {
    let mut out = String::new();
    for (list, kind) in lists.iter().zip(KINDS) {
        let shown = if list.left_out(ANNOTATIONS) == 0 {
            ANNOTATIONS
        } else {
            ANNOTATIONS - 1
        };
        for text in list.texts.iter().take(shown) {
            out.push_str(text);
            out.push('\n');
        }
        let left_out = list.left_out(shown.min(list.texts.len()));
        if left_out > 0 {
            out.push_str(&format!("::{kind} title=sg-trust::And {left_out} more.\n"));
        }
    }
    out + &table::totals(summary)
}
