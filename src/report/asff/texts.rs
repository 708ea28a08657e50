//! Title and description of a finding, cut so that what matters stays.

use super::{DESCRIPTION, TITLE};
use crate::finding::{Finding, Subject};
use crate::model::SecurityGroup;
use crate::policy;
use crate::report::prose;
use crate::text::{escape, truncate, utf16_len};

/// `Security group sg-0aaa (payments-db) should …`, the name cut so that the rest stays.
pub(in crate::report) fn title(finding: &Finding, group: Option<&SecurityGroup>) -> String {
    let id = escape(finding.group_id.as_str());
    let Some(name) = group.and_then(|group| group.group_name.as_deref()) else {
        return format!("Security group {id} {}", policy::DEMAND);
    };
    let room = TITLE.saturating_sub(utf16_len(&format!(
        "Security group {id} () {}",
        policy::DEMAND
    )));
    format!(
        "Security group {id} ({}) {}",
        truncate(&escape(name), room),
        policy::DEMAND
    )
}

/// The sentences of the violations, most severe first, as many as fit, and who opened the group, where known.
pub(in crate::report) fn description(finding: &Finding, group: Option<&SecurityGroup>) -> String {
    let (Some(group), Subject::Evaluated(_, verdict)) = (group, &finding.subject) else {
        let id = escape(finding.group_id.as_str());
        return match finding.subject {
            Subject::Retired => {
                format!("sg-trust was removed: it does not evaluate {id} any more.")
            }
            _ => format!("{id} does not exist any more."),
        };
    };
    if verdict.violations.is_empty() {
        return truncate(
            &format!(
                "{} lets no other security group reach all its ports.",
                prose::describe_group(group)
            ),
            DESCRIPTION,
        )
        .into_owned();
    }
    let opener = finding.attribution.opener.as_ref();
    let opener = opener.and_then(|opener| opener.record.actor.as_deref());
    let closing = opener
        .map(|actor| format!(" Opened by {}.", truncate(&escape(actor), 300)))
        .unwrap_or_default();
    let sentences: Vec<_> = verdict
        .most_severe_first()
        .iter()
        .map(|violation| match &violation.exemption {
            Some(exemption) => {
                format!(
                    "{} (exempt: {}).",
                    prose::describe_violation(group, violation),
                    escape(&exemption.id)
                )
            }
            None => format!("{}.", prose::describe_violation(group, violation)),
        })
        .collect();
    let count = sentences.len();
    let more = |left: usize| {
        if left == 0 {
            String::new()
        } else {
            format!(" And {left} more.")
        }
    };
    let mut text = String::new();
    for (index, sentence) in sentences.iter().enumerate() {
        let gap = if text.is_empty() { "" } else { " " };
        let rest = more(count - index - 1);
        if utf16_len(&text)
            + utf16_len(gap)
            + utf16_len(sentence)
            + utf16_len(&rest)
            + utf16_len(&closing)
            <= DESCRIPTION
        {
            text = text + gap + sentence;
        } else if text.is_empty() {
            let room = DESCRIPTION.saturating_sub(utf16_len(&rest) + utf16_len(&closing));
            return format!("{}{rest}{closing}", truncate(sentence, room));
        } else {
            return text + &more(count - index) + &closing;
        }
    }
    text + &closing
}
