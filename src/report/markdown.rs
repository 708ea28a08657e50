//! A table in GitHub's Markdown, for the summary of a step or a comment on a pull request.
//!
//! Names are of anybody's choice: they stand in `<code>`, where nothing is a link, a picture or a mention, and every
//! character that means anything to Markdown or HTML is a character reference.

use std::fmt::Write as _;

use super::assessment::{AssessedViolation, Assessment};
use super::ranked::{Entry, List, Standing};
use super::{Summary, table};
use crate::plan::{Change, Verdict};
use crate::text::{escape, truncate};

/// Most rows of the table: a comment holds 65 536 characters.
pub(super) const ROWS: usize = 100;
/// Longest text of the table, in bytes.
const LONGEST: usize = 60_000;
/// Longest name, in UTF-16 code units.
const NAME: usize = 100;

/// What a group adds.
pub(super) fn entries(group: &Assessment) -> Vec<Entry> {
    let open = group.open_rank().map(|rank| (rank, open_row(group)));
    let violations = group.violations.iter().map(|violation| {
        let rank = violation.rank();
        (rank, row(group, violation, rank.0))
    });
    violations
        .chain(open)
        .map(|(rank, text)| Entry {
            rank,
            list: 0,
            text,
        })
        .collect()
}

fn row(group: &Assessment, violation: &AssessedViolation, standing: Standing) -> String {
    let verdict = match standing {
        Standing::Accepted => Verdict::Exempt.as_str(),
        Standing::Ends => "fixed",
        _ => Verdict::Failed.as_str(),
    };
    let change = violation
        .change
        .filter(|change| *change != Change::Fixed)
        .map_or("", Change::as_str);
    cells([
        format!("{verdict} {change}").trim_end().to_owned(),
        violation.severity.to_string(),
        code(&group.name),
        code(&violation.traffic),
        code(&violation.source),
        place(group, Some(violation)),
    ])
}

fn open_row(group: &Assessment) -> String {
    let unknown = group.unknown.first();
    let what = unknown.map_or_else(String::new, |unknown| {
        let expression = unknown.expression.as_deref();
        let expression = expression.map_or_else(String::new, |text| format!(" = {}", code(text)));
        let more = match group.unknown.len() {
            0 | 1 => String::new(),
            all => format!(" and {} more", all - 1),
        };
        format!("not known: {}{expression}{more}", code(&unknown.attribute))
    });
    cells([
        "CANNOT TELL".to_owned(),
        String::new(),
        code(&group.name),
        what,
        String::new(),
        place(group, None),
    ])
}

fn place(group: &Assessment, violation: Option<&AssessedViolation>) -> String {
    let place = violation.and_then(|violation| violation.place.as_ref());
    let Some(place) = place.or(group.place.as_ref()) else {
        return String::new();
    };
    match place.line {
        Some(line) => code(&format!("{}:{line}", place.file)),
        None => code(&place.file),
    }
}

fn cells(cells: [String; 6]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

fn code(text: &str) -> String {
    let mut out = String::from("<code>");
    for character in truncate(&escape(text), NAME).chars() {
        if character.is_alphanumeric() || " -/".contains(character) {
            out.push(character);
        } else {
            let _ = write!(out, "&#{};", u32::from(character));
        }
    }
    out + "</code>"
}

/// The totals, and the table where there is a row.
pub(super) fn table(lists: Vec<List>, summary: &Summary) -> String {
    let mut out = format!("**sg-trust**: {}", table::totals(summary));
    for list in lists {
        if list.texts.is_empty() {
            continue;
        }
        out.push_str("\n| verdict | severity | group | accepts | from | where |\n| --- | --- | --- | --- | --- | --- |\n");
        let mut shown = 0;
        for row in &list.texts {
            if out.len() + row.len() > LONGEST {
                break;
            }
            out.push_str(row);
            shown += 1;
        }
        let left_out = list.left_out(shown);
        if left_out > 0 {
            let _ = writeln!(out, "\nAnd {left_out} more.");
        }
    }
    out
}
