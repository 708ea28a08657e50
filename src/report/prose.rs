//! A violation in one plain sentence, the same in table, log and finding.

use std::fmt::Write as _;

use crate::model::ports::{ALL_PORTS, PortSet};
use crate::model::{Protocol, SecurityGroup};
use crate::policy::{Reason, Source, SourcePair, Violation};
use crate::text::escape;

mod exemption;
mod severity;

pub use exemption::{
    describe_alert, describe_allow, describe_difference, describe_exemption,
    describe_exemption_within,
};
pub use severity::describe_severity;

/// A sentence names so many ranges before it counts the rest.
const NAMED_RANGES: usize = 8;
/// A sentence names so many peering connections before it counts the rest.
const NAMED_PEERINGS: usize = 4;

/// A group as a sentence names it: `sg-0aaa (payments-db)`.
#[must_use]
pub fn describe_group(group: &SecurityGroup) -> String {
    group_with_level(group, None)
}

fn group_with_level(group: &SecurityGroup, level: Option<&str>) -> String {
    let name = group.group_name.as_deref();
    with_notes(&escape(group.group_id.as_str()), &[name, level])
}

/// `sg-0aaa (payments-db, restricted) accepts all traffic from sg-0bbb (web, internal)`: levels with `[sensitivity]`.
#[must_use]
pub fn describe_violation(group: &SecurityGroup, violation: &Violation) -> String {
    let Violation {
        reason,
        protocol,
        ports,
        source,
        levels,
        exceeded,
        ..
    } = violation;
    let of_target = levels.as_ref().map(|levels| levels.target.as_str());
    let of_source = levels
        .as_ref()
        .filter(|levels| levels.is_seen)
        .map(|levels| levels.source.as_str());
    let mut text = format!(
        "{} accepts {} from {}",
        group_with_level(group, of_target),
        describe_traffic(*reason, protocol, ports),
        source_with_level(source, of_source)
    );
    if !source.descriptions.is_empty() {
        let descriptions: Vec<_> = source
            .descriptions
            .iter()
            .map(|description| format!("\"{}\"", escape(description)))
            .collect();
        let _ = write!(text, ", described as {}", descriptions.join(" and "));
    }
    if let Some(exemption) = exceeded {
        let _ = write!(
            text,
            "; exemption {} allows only {}",
            escape(&exemption.id),
            describe_allow(&exemption.allow)
        );
    }
    text
}

/// The accepted traffic.
#[must_use]
pub fn describe_traffic(reason: Reason, protocol: &Protocol, ports: &PortSet) -> String {
    let of = protocol_before_noun(protocol);
    match reason {
        Reason::AllTraffic => format!("all {of}traffic"),
        Reason::AllPorts => format!("all {of}ports"),
        Reason::WideRange | Reason::SplitRanges => {
            format!(
                "{} of {ALL_PORTS} {of}ports ({})",
                ports.count(),
                ranges(ports)
            )
        }
    }
}

/// The protocol before a noun, with a space behind: nothing for all protocols.
fn protocol_before_noun(protocol: &Protocol) -> String {
    match protocol.as_str() {
        "-1" => String::new(),
        name @ ("tcp" | "udp" | "icmp" | "icmpv6") => format!("{name} "),
        number => format!("protocol {} ", escape(number)),
    }
}

/// `0-32000, 32535-65535`, the first few when there are many.
#[must_use]
pub fn ranges(ports: &PortSet) -> String {
    let intervals = ports.intervals();
    let mut text = intervals
        .iter()
        .take(NAMED_RANGES)
        .copied()
        .collect::<PortSet>()
        .to_string();
    if intervals.len() > NAMED_RANGES {
        let _ = write!(text, " and {} more", intervals.len() - NAMED_RANGES);
    }
    text
}

/// Who is let in, with what a reader needs to find it.
#[must_use]
pub fn describe_source(source: &Source) -> String {
    source_with_level(source, None)
}

fn source_with_level(source: &Source, level: Option<&str>) -> String {
    if source.is_self {
        return "itself".to_owned();
    }
    let owner = source.main_pair().and_then(|pair| pair.owner_id.as_ref());
    let owner_note = owner.is_none().then_some("owner unknown");
    let name = source.group_name.as_deref();
    let mut text = match (&source.group_id, name) {
        (Some(id), name) => with_notes(&escape(id.as_str()), &[name, level, owner_note]),
        (None, Some(name)) => {
            let named = format!("the group named {}", escape(name));
            with_notes(&named, &[level, owner_note])
        }
        (None, None) => with_notes("a group without an id", &[level, owner_note]),
    };
    if let Some(owner) = owner.filter(|_| source.is_foreign) {
        let _ = write!(text, " in account {}", escape(owner.as_str()));
    }
    text + &peerings(source)
}

/// ` over pcx-1 and pcx-2 (peering deleted)`, the first few when there are many.
fn peerings(source: &Source) -> String {
    let status = |pair: &SourcePair| {
        let status = pair.stale_status();
        status.map_or_else(String::new, |status| {
            format!(" (peering {})", escape(status))
        })
    };
    let mut over: Vec<_> = source
        .pairs
        .iter()
        .filter_map(|pair| {
            let connection = escape(pair.peering_connection_id.as_ref()?.as_str());
            Some(format!("{connection}{}", status(pair)))
        })
        .collect();
    over.dedup();
    let more = over.len().saturating_sub(NAMED_PEERINGS);
    over.truncate(NAMED_PEERINGS);
    match (over.as_slice(), more) {
        ([], _) => source.main_pair().map_or_else(String::new, status),
        ([one], _) => format!(" over {one}"),
        ([first @ .., last], 0) => format!(" over {} and {last}", first.join(", ")),
        (named, more) => format!(" over {} and {more} more", named.join(", ")),
    }
}

pub(crate) fn with_notes(text: &str, notes: &[Option<&str>]) -> String {
    let notes: Vec<_> = notes.iter().flatten().map(|note| escape(note)).collect();
    if notes.is_empty() {
        text.to_owned()
    } else {
        format!("{text} ({})", notes.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::Date;

    use super::describe_violation;
    use crate::model::SecurityGroup;
    use crate::policy::{ReferencedGroups, Settings, Status};

    fn sentences(pairs: &str, protocol: &str, ports: &str) -> Vec<String> {
        let group = format!(
            r#"{{"GroupId":"sg-0aaa","GroupName":"payments-db","OwnerId":"111111111111",
                "IpPermissions":[{{"IpProtocol":"{protocol}"{ports},"UserIdGroupPairs":[{pairs}]}}]}}"#
        );
        let group: SecurityGroup = serde_json::from_str(&group).unwrap();
        let verdict = crate::policy::evaluate(
            &Settings::default(),
            &group,
            &ReferencedGroups::default(),
            Date::MIN,
        );
        assert_eq!(verdict.status, Status::Failed);
        verdict
            .violations
            .into_iter()
            .map(|found| describe_violation(&group, &found))
            .collect()
    }

    #[test]
    fn what_is_accepted_is_said_by_reason() {
        let source = r#"{"GroupId":"sg-0bbb","UserId":"111111111111"}"#;
        for (protocol, ports, what) in [
            ("-1", "", "all traffic"),
            ("-1", r#","FromPort":-1,"ToPort":-1"#, "all traffic"),
            ("tcp", "", "all tcp traffic"),
            ("50", "", "all protocol 50 traffic"),
            ("icmp", "", "all icmp traffic"),
            ("udp", r#","FromPort":0,"ToPort":65535"#, "all udp ports"),
            ("-1", r#","FromPort":0,"ToPort":65535"#, "all ports"),
            (
                "6",
                r#","FromPort":1,"ToPort":65535"#,
                "65535 of 65536 tcp ports (1-65535)",
            ),
        ] {
            assert_eq!(
                sentences(source, protocol, ports),
                [format!("sg-0aaa (payments-db) accepts {what} from sg-0bbb")]
            );
        }
    }

    #[test]
    fn whom_it_is_accepted_from_is_said_so_that_it_can_be_found() {
        for (pair, whom) in [
            (r#"{"GroupId":"sg-0aaa","UserId":"111111111111"}"#, "itself"),
            (r#"{"GroupId":"sg-0aaa"}"#, "itself"),
            (
                r#"{"GroupId":"sg-0bbb","GroupName":"web","UserId":"111111111111"}"#,
                "sg-0bbb (web)",
            ),
            (
                r#"{"GroupId":"sg-0bbb","UserId":"222222222222"}"#,
                "sg-0bbb in account 222222222222",
            ),
            (r#"{"GroupId":"sg-0bbb"}"#, "sg-0bbb (owner unknown)"),
            (
                r#"{"GroupId":"sg-0bbb","GroupName":"web"}"#,
                "sg-0bbb (web, owner unknown)",
            ),
            (
                r#"{"GroupId":"sg-0bbb","UserId":"222222222222","VpcPeeringConnectionId":"pcx-1","PeeringStatus":"active"}"#,
                "sg-0bbb in account 222222222222 over pcx-1",
            ),
            (
                r#"{"GroupId":"sg-0bbb","UserId":"111111111111","VpcPeeringConnectionId":"pcx-1","PeeringStatus":"deleted"}"#,
                "sg-0bbb over pcx-1 (peering deleted)",
            ),
            (
                r#"{"GroupName":"web","UserId":"111111111111"}"#,
                "the group named web",
            ),
            (
                r#"{"GroupId":"sg-0bbb","GroupName":"a\nb\u001b[1m","UserId":"111111111111"}"#,
                r"sg-0bbb (a\nb\u{1b}[1m)",
            ),
        ] {
            assert_eq!(
                sentences(pair, "-1", ""),
                [format!(
                    "sg-0aaa (payments-db) accepts all traffic from {whom}"
                )]
            );
        }
    }
}
