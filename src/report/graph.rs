//! The trust graph and what is asked of it, in four formats.
//!
//! | module | has |
//! |---|---|
//! | [`json`], [`reach_json`] | `graph` and `reach` as JSON: version 1 |
//! | [`table`], [`reach`] | `graph` and `reach` for a terminal of 100 columns |
//! | [`drawing`] | Graphviz and Mermaid |

use std::borrow::Cow;

use super::columns::{Cell, Columns, Style, fit, wrap};
use super::prose::{ranges, with_notes};
use crate::graph::{Carriers, End, Group, SourceName, Trust, TrustEdge, rules_to_revoke};
use crate::model::Protocol;
use crate::model::ports::PortSet;
use crate::policy::Settings;
use crate::remediation::command;
use crate::text::escape;

pub mod drawing;
pub mod json;
pub mod reach;
pub mod reach_json;
pub mod table;

/// The most columns for the name of a group at the end of an edge: two names with the ports fit into 100 columns.
const EDGE_WIDTH: usize = 40;

/// The limits of every graph, in words.
pub(super) const NOT_READ: [&str; 4] = [
    "egress rules",
    "network ACLs",
    "routes",
    "address ranges other than the whole internet",
];

fn trust_word(trust: Trust) -> &'static str {
    match trust {
        Trust::Open => "open",
        Trust::Any => "any",
    }
}

/// The commands after which a trust edge is no longer walked.
pub(super) fn commands(settings: &Settings, trust: Trust, edge: &TrustEdge<'_>) -> Vec<String> {
    let source = command::SourceName {
        group_id: edge.from.group_id(),
        group_name: edge.from.group_name(),
    };
    let rules = rules_to_revoke(settings, trust, edge.rules);
    command::revoke(
        &edge.target.group_id,
        source,
        &rules,
        edge.target.region.as_ref(),
    )
}

/// `sg-0aaa (payments-db)`.
pub(super) fn name(group: &Group) -> String {
    with_notes(
        &escape(group.group_id.as_str()),
        &[group.group_name.as_deref()],
    )
}

/// The name alone, or the id where there is none.
pub(super) fn short_name(group: &Group) -> Cow<'_, str> {
    escape(
        group
            .group_name
            .as_deref()
            .unwrap_or(group.group_id.as_str()),
    )
}

pub(super) fn end_name(end: End<'_>) -> String {
    match end {
        End::Group(_, group) => name(group),
        End::Outside(source) => outside_name(source),
    }
}

pub(super) fn outside_name(source: &SourceName) -> String {
    match (&source.group_id, &source.group_name) {
        (Some(id), name) => with_notes(&escape(id.as_str()), &[name.as_deref()]),
        (None, Some(name)) => format!("the group named {}", escape(name)),
        (None, None) => "a group without an id".to_owned(),
    }
}

/// `all traffic`, `all tcp ports`, `tcp 22, 443; udp 53`.
pub(super) fn ports_words(ports: &[(Protocol, PortSet)]) -> String {
    let all = PortSet::all();
    if ports
        .iter()
        .any(|(protocol, ports)| protocol.is_all() && *ports == all)
    {
        return "all traffic".to_owned();
    }
    let words = ports.iter().map(|(protocol, ports)| {
        let name = match protocol.as_str() {
            "-1" => "every protocol".to_owned(),
            name @ ("tcp" | "udp" | "icmp" | "icmpv6") => name.to_owned(),
            number => format!("protocol {}", escape(number)),
        };
        match ports {
            _ if protocol.is_icmp() => name,
            ports if *ports == all && protocol.has_port_members() => format!("all {name} ports"),
            ports if *ports == all => name,
            ports if ports.is_empty() => format!("{name} without a port"),
            ports => format!("{name} {}", ranges(ports)),
        }
    });
    words.collect::<Vec<_>>().join("; ")
}

/// Trust edges in columns, each with a number where there is one.
fn edge_columns<'a>(edges: impl Iterator<Item = (Option<usize>, TrustEdge<'a>)>) -> Columns {
    let mut columns = Columns::default();
    for (number, edge) in edges {
        let row = [
            fit(&end_name(edge.from), EDGE_WIDTH).into(),
            "→".into(),
            fit(&name(edge.target), EDGE_WIDTH).into(),
            lets_in(&edge),
        ];
        match number {
            Some(number) => {
                let number = Cell::styled(number.to_string(), Style::Bold).set_right();
                columns.row([number].into_iter().chain(row));
            }
            None => columns.row(row),
        }
    }
    columns
}

/// The traffic that an edge admits: open trust stands out.
fn lets_in(edge: &TrustEdge<'_>) -> Cell {
    let ports = ports_words(edge.ports);
    match (edge.is_open, edge.is_exempt) {
        (true, true) => Cell::styled(format!("{ports} (exempt)"), Style::Warning),
        (true, false) => Cell::styled(ports, Style::Alarm),
        (false, _) => ports.into(),
    }
}

/// The sources that no graph reads, as a sentence of two lines.
fn not_read() -> String {
    let words = format!(
        "It is trust, not connectivity. Not read: {}.",
        NOT_READ.join(", ")
    );
    let pieces: Vec<_> = words.split(' ').map(str::to_owned).collect();
    wrap(&pieces, "")
}

/// `yes`, `no`, or `?` where no interface was read.
fn exposed_word(carriers: Option<Carriers>) -> &'static str {
    match carriers {
        Some(carriers) if carriers.is_exposed => "yes",
        Some(_) => "no",
        None => "?",
    }
}

fn plural(count: usize, one: &str, several: &str) -> String {
    let noun = if count == 1 { one } else { several };
    format!("{count} {noun}")
}
