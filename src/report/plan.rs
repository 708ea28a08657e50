//! The verdict on a deployment, as bytes.
//!
//! | module | has |
//! |---|---|
//! | [`json`] | JSON, version 1 |
//! | [`table`] | text for a terminal |

use std::borrow::Cow;

use super::prose::{describe_allow, describe_traffic, with_notes};
use crate::plan::{Change, GroupReport, ReachChange, SourceLabel, ViolationReport};
use crate::text::escape;

pub mod json;
pub mod table;

/// What stands for a value that the deployment marks as sensitive.
pub(super) const SENSITIVE: &str = "(sensitive)";

/// A group as sentences name it: by its id, by its address where it has none yet.
#[must_use]
pub fn describe_group(group: &GroupReport) -> String {
    let id = group.group_id.as_ref().map(|id| id.as_str());
    let id = id.unwrap_or(&group.address);
    with_notes(&escape(id), &[group.group_name.as_deref()])
}

/// `aws_security_group.db (db) accepts all traffic from aws_security_group.web`.
#[must_use]
pub fn describe_violation(group: &GroupReport, found: &ViolationReport) -> String {
    let violation = &found.violation;
    let accepts = match (found.change, found.is_certain) {
        (Change::Fixed, _) => "no longer accepts",
        (_, true) => "accepts",
        (_, false) => "may accept",
    };
    let traffic = if found.is_sensitive {
        Cow::Borrowed("too many ports, which are marked as sensitive,")
    } else {
        describe_traffic(violation.reason, &violation.protocol, &violation.ports).into()
    };
    let mut text = format!(
        "{} {accepts} {traffic} from {}",
        describe_group(group),
        describe_source(found)
    );
    if let Some(exemption) = &violation.exceeded {
        text += &format!(
            "; exemption {} allows only {}",
            escape(&exemption.id),
            describe_allow(&exemption.allow)
        );
    }
    text
}

/// Whom a violation lets in.
#[must_use]
pub fn describe_source(found: &ViolationReport) -> String {
    let SourceLabel {
        address,
        group_id,
        unknown,
        is_self,
    } = &found.source;
    if *is_self {
        return "itself".to_owned();
    }
    if let Some(unknown) = unknown {
        let expression = unknown.expression.as_deref().unwrap_or(&unknown.attribute);
        return format!("a group that is not known yet ({})", escape(expression));
    }
    let source = &found.violation.source;
    let mut text = match (address, group_id) {
        (Some(address), None) => escape(address).into_owned(),
        (address, Some(_)) if found.is_sensitive => with_notes(
            "a group whose id is marked as sensitive",
            &[address.as_deref()],
        ),
        (address, Some(id)) => with_notes(&escape(id.as_str()), &[address.as_deref()]),
        (None, None) => match &source.group_name {
            Some(name) => format!("the group named {}", escape(name)),
            None => "a group without an id".to_owned(),
        },
    };
    if let Some(owner) = source
        .owner_id
        .as_ref()
        .filter(|owner| source.is_foreign && owner.is_well_formed())
    {
        text += &format!(" in account {}", escape(owner.as_str()));
    }
    text
}

/// `payments-db becomes reachable from the internet in 3 hops`.
#[must_use]
pub fn describe_reach(change: &ReachChange) -> String {
    let name = change.group_name.as_deref().unwrap_or(&change.address);
    let name = escape(name);
    let hops = |hops: u32| match hops {
        0 => "directly".to_owned(),
        1 => "in 1 hop".to_owned(),
        hops => format!("in {hops} hops"),
    };
    match (change.before, change.after) {
        (None, Some(after)) => {
            format!("{name} becomes reachable from the internet {}", hops(after))
        }
        (Some(_), None) => format!("{name} is no longer reachable from the internet"),
        (Some(before), Some(after)) => format!(
            "{name} is reachable from the internet {} instead of {}",
            hops(after),
            hops(before)
        ),
        (None, None) => format!("{name} is not reachable from the internet"),
    }
}
