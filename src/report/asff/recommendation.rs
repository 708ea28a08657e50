//! What a finding tells people to do: `Remediation.Recommendation.Text`.

use std::collections::BTreeMap;

use super::fields::{field, fix, fix_field};
use crate::finding::Finding;
use crate::policy::{Status, Verdict, Violation};
use crate::remediation::command::Fix;
use crate::text::utf16_len;

/// Longest `Remediation.Recommendation.Text`.
const LONGEST: usize = 512;

/// The first violation whose revoke commands are among the product fields: the names of the fields, and the whole fix.
struct Offered<'a> {
    fields: Vec<String>,
    violation: &'a Violation,
    fix: Fix,
}

/// The text, which points to a command only where there is one. What is needed is to be allowed before anything is
/// revoked: the other order is an outage.
pub(super) fn text(
    finding: &Finding,
    verdict: Option<&Verdict>,
    fields: &BTreeMap<String, String>,
) -> String {
    let offered = offered(finding, verdict, fields);
    match (verdict.map(|verdict| verdict.status), &offered) {
        (Some(Status::Passed) | None, _) => {
            "Nothing to do: no rule lets another security group reach all ports of this one."
                .to_owned()
        }
        (Some(Status::Exempt), None) => {
            "Nothing to do while the exemption holds. When it ends the finding turns FAILED."
                .to_owned()
        }
        (Some(Status::Exempt), Some(offered)) => format!(
            "Nothing to do while the exemption holds. When it ends the finding turns FAILED: revoke the rule then with {}.",
            offered.place()
        ),
        (Some(Status::Failed), None) => {
            "First allow the ports that the source needs, then revoke the rule. No command is given: none can name the rule, \
             or it is too long for a finding."
                .to_owned()
        }
        (Some(Status::Failed), Some(offered)) => failed(offered),
    }
}

fn offered<'a>(
    finding: &Finding,
    verdict: Option<&'a Verdict>,
    fields: &BTreeMap<String, String>,
) -> Option<Offered<'a>> {
    let violations = verdict?.most_severe_first();
    (1..).zip(violations).find_map(|(number, violation)| {
        let fields: Vec<_> = (1..)
            .map(|part| field(&fix_field(number, part)))
            .take_while(|name| fields.contains_key(name))
            .collect();
        (!fields.is_empty()).then(|| Offered {
            fields,
            violation,
            fix: fix(finding, violation),
        })
    })
}

impl Offered<'_> {
    /// Where the commands are.
    fn place(&self) -> String {
        let commands = match self.fields.len() {
            1 => "command",
            _ => "commands",
        };
        format!("the {commands} in ProductFields {}", self.fields.join(", "))
    }
}

fn failed(offered: &Offered<'_>) -> String {
    let Offered { violation, fix, .. } = offered;
    let place = offered.place();
    if let Some(note) = &fix.note {
        let text = format!("Revoke the rule with {place}. Mind that {note}.");
        if utf16_len(&text) <= LONGEST {
            return text;
        }
    }
    let what = if violation.protocol.is_icmp() {
        "types and codes"
    } else {
        "ports"
    };
    let text = |how: &str| {
        format!(
            "First allow the {what} that the source needs{how} Then revoke the rule with {place}."
        )
    };
    let with_command = fix
        .authorize
        .as_ref()
        .map(|command| text(&format!(": {command} (fill in the {what}).")));
    with_command
        .filter(|text| utf16_len(text) <= LONGEST)
        .unwrap_or_else(|| text("."))
}
