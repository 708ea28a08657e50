//! A row for every group, and a section for every group that is not PASSED.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::fmt;

use askama::filters::HtmlSafe;

use super::near::{Near, Neighbour};
use super::ports::PortsBar;
use super::text::{Id, Name, Text};
use super::{Contents, Evaluated, count, plural};
use crate::graph::{Group, GroupIndex, Overview, SourceName};
use crate::model::Traffic;
use crate::policy::exemption::ExemptionMatch;
use crate::policy::{OpenRule, Reason, Settings, Severity, Status, Violation};
use crate::remediation::command::Fix;
use crate::report::graph::outside_name;
use crate::report::prose::{
    describe_allow, describe_exemption, describe_severity, describe_violation,
};
use crate::text::escape;

/// How many neighbours a section names, and how many where there are so many sections that the page would grow large.
const NAMED: usize = 12;
const NAMED_OF_MANY: usize = 3;
const MANY_SECTIONS: usize = 400;

#[derive(Debug)]
pub(super) struct Sections<'a> {
    pub(super) rows: Vec<Row<'a>>,
    pub(super) details: Vec<Detail<'a>>,
    pub(super) has_regions: bool,
    pub(super) has_counts: bool,
    /// For each group of the graph its place among the evaluated, which is the number of its section.
    places: Vec<Option<usize>>,
    evaluated: &'a [Evaluated],
    outside: &'a [SourceName],
}

/// A row of the table.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub(super) anchor: Option<usize>,
    /// For the attribute.
    pub(super) key: Cow<'a, str>,
    pub(super) id: Id<'a>,
    pub(super) name: Option<Name<'a>>,
    pub(super) account: Option<Id<'a>>,
    pub(super) region: Option<Id<'a>>,
    pub(super) vpc: Option<Id<'a>>,
    pub(super) verdict: &'static str,
    pub(super) class: &'static str,
    pub(super) severity: Option<Level>,
    pub(super) reached_by: Option<u32>,
    pub(super) reaches: Option<u32>,
    pub(super) hops: Option<u32>,
}

/// A severity as a badge.
#[derive(Debug, Clone, Copy)]
pub(super) struct Level {
    pub(super) word: &'static str,
    pub(super) class: &'static str,
}

#[derive(Debug)]
pub(super) struct Detail<'a> {
    pub(super) anchor: usize,
    pub(super) verdict: &'static str,
    pub(super) class: &'static str,
    pub(super) severity: Option<Level>,
    pub(super) id: Id<'a>,
    pub(super) name: Option<Name<'a>>,
    pub(super) places: Vec<Text<String>>,
    pub(super) violations: Vec<ViolationView<'a>>,
    pub(super) internet: Option<String>,
    pub(super) reached_by: Neighbours<'a>,
    pub(super) reaches: Neighbours<'a>,
}

#[derive(Debug)]
pub(super) struct ViolationView<'a> {
    pub(super) is_exempt: bool,
    pub(super) sentence: Text<String>,
    pub(super) why: Text<String>,
    pub(super) bar: PortsBar<'a>,
    pub(super) rules: Vec<Text<String>>,
    pub(super) exemptions: Vec<Text<String>>,
    pub(super) authorize: Option<Text<String>>,
    pub(super) revoke: Text<String>,
    pub(super) note: Option<Text<String>>,
}

/// Groups near a group.
#[derive(Debug)]
pub(super) struct Neighbours<'a> {
    pub(super) count: Option<String>,
    is_counted_none: bool,
    pub(super) named: Vec<Named<'a>>,
    pub(super) more: bool,
}

impl Neighbours<'_> {
    pub(super) fn is_none(&self) -> bool {
        self.is_counted_none && self.named.is_empty()
    }
}

#[derive(Debug)]
pub(super) struct Named<'a> {
    pub(super) anchor: Option<usize>,
    pub(super) name: NamedText<'a>,
}

#[derive(Debug)]
pub(super) enum NamedText<'a> {
    Group(Name<'a>),
    Outside(Text<String>),
}

impl HtmlSafe for NamedText<'_> {}

impl fmt::Display for NamedText<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group(name) => name.fmt(formatter),
            Self::Outside(text) => text.fmt(formatter),
        }
    }
}

pub(super) fn class_of(status: Status) -> &'static str {
    match status {
        Status::Failed => "failed",
        Status::Exempt => "exempt",
        Status::Passed => "passed",
    }
}

impl Level {
    pub(super) fn of(severity: Severity) -> Self {
        let class = match severity {
            Severity::Informational => "informational",
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        };
        Self {
            word: severity.as_str(),
            class,
        }
    }
}

impl<'a> Sections<'a> {
    pub(super) fn new(contents: &Contents<'a>, overview: &Overview<'_>, near: &Near<'a>) -> Self {
        let evaluated = contents.groups;
        let graph = contents.graph;
        let place_of = |group: &Group| {
            let key = (&group.group_id, group.owner_id.as_ref());
            evaluated.binary_search_by(|one| one.key().cmp(&key)).ok()
        };
        let mut sections = Self {
            rows: Vec::new(),
            details: Vec::new(),
            has_regions: evaluated.iter().any(|one| one.region.is_some()),
            has_counts: overview.counts.is_some(),
            places: graph.groups().iter().map(place_of).collect(),
            evaluated,
            outside: graph.outside(),
        };
        let mut in_graph: Vec<Option<GroupIndex>> = vec![None; evaluated.len()];
        for (index, place) in graph.indices().zip(&sections.places) {
            if let Some(slot) = place.and_then(|place| in_graph.get_mut(place)) {
                *slot = Some(index);
            }
        }
        let mut order: Vec<_> = evaluated.iter().enumerate().collect();
        order.sort_by_key(|(place, one)| {
            let rank = match one.verdict.status {
                Status::Failed => 0,
                Status::Exempt => 1,
                Status::Passed => 2,
            };
            (rank, Reverse(one.verdict.severity), *place)
        });
        let not_passed = order
            .iter()
            .filter(|(_, one)| one.verdict.status != Status::Passed);
        let most = if not_passed.count() > MANY_SECTIONS {
            NAMED_OF_MANY
        } else {
            NAMED
        };
        for (place, one) in order {
            let index = in_graph.get(place).copied().flatten();
            let row = Row::new(place, one, index, overview);
            if row.anchor.is_some() {
                let detail = sections.detail(contents, &row, one, index, near, most);
                sections.details.push(detail);
            }
            sections.rows.push(row);
        }
        sections
    }

    /// The evaluated group of a place of the graph.
    pub(super) fn evaluated(&self, place: usize) -> Option<(usize, &'a Evaluated)> {
        let place = self.places.get(place).copied().flatten()?;
        Some((place, self.evaluated.get(place)?))
    }

    /// The number of the section of a place of the graph, if it has one.
    pub(super) fn anchor(&self, place: usize) -> Option<usize> {
        let (place, one) = self.evaluated(place)?;
        (one.verdict.status != Status::Passed).then_some(place)
    }

    fn detail(
        &self,
        contents: &Contents<'a>,
        row: &Row<'a>,
        one: &'a Evaluated,
        index: Option<GroupIndex>,
        near: &Near<'a>,
        most: usize,
    ) -> Detail<'a> {
        let group = index.and_then(|index| contents.graph.group(index));
        let neighbours = |count: Option<u32>, found: Vec<Neighbour>| {
            let named = found
                .iter()
                .take(most)
                .filter_map(|one| self.named(one.place));
            Neighbours {
                is_counted_none: count == Some(0),
                count: count.map(|count| plural(count as usize, "group", "groups")),
                named: named.collect(),
                more: found.len() > most,
            }
        };
        let reaching = index.map(|index| near.reaching(index.place(), most + 1));
        let reached = index.map(|index| near.reached_from(index.place(), most + 1));
        let violations = one.verdict.most_severe_first();
        Detail {
            anchor: row.anchor.unwrap_or_default(),
            verdict: row.verdict,
            class: row.class,
            severity: row.severity,
            id: row.id,
            name: row.name,
            places: places(one, group),
            violations: violations
                .into_iter()
                .map(|violation| ViolationView::new(contents, one, violation))
                .collect(),
            internet: row.hops.map(|hops| match hops {
                0 => "It faces the internet.".to_owned(),
                hops => format!(
                    "The internet reaches it over {}.",
                    plural(hops as usize, "trust edge", "trust edges")
                ),
            }),
            reached_by: neighbours(row.reached_by, reaching.unwrap_or_default()),
            reaches: neighbours(row.reaches, reached.unwrap_or_default()),
        }
    }

    fn named(&self, place: usize) -> Option<Named<'a>> {
        if let Some((number, one)) = self.evaluated(place) {
            let group = &one.group;
            let name = group
                .group_name
                .as_deref()
                .unwrap_or(group.group_id.as_str());
            return Some(Named {
                anchor: (one.verdict.status != Status::Passed).then_some(number),
                name: NamedText::Group(Name(name)),
            });
        }
        let outside = self.outside.get(place.checked_sub(self.places.len())?)?;
        Some(Named {
            anchor: None,
            name: NamedText::Outside(Text(outside_name(outside))),
        })
    }
}

impl<'a> Row<'a> {
    fn new(
        place: usize,
        one: &'a Evaluated,
        index: Option<GroupIndex>,
        overview: &Overview<'_>,
    ) -> Self {
        let Evaluated {
            group,
            region,
            verdict,
        } = one;
        let at = index.map(GroupIndex::place);
        let counts = overview.counts.as_ref();
        let number = |counts: &[u32]| counts.get(at?).copied();
        Self {
            anchor: (verdict.status != Status::Passed).then_some(place),
            key: escape(group.group_id.as_str()),
            id: Id(group.group_id.as_str()),
            name: group.group_name.as_deref().map(Name),
            account: group.owner_id.as_ref().map(|owner| Id(owner.as_str())),
            region: region.as_ref().map(|region| Id(region.as_str())),
            vpc: group.vpc_id.as_ref().map(|vpc| Id(vpc.as_str())),
            verdict: verdict.status.as_str(),
            class: class_of(verdict.status),
            severity: (verdict.status == Status::Failed).then(|| Level::of(verdict.severity)),
            reached_by: counts.and_then(|counts| number(&counts.reached_by)),
            reaches: counts.and_then(|counts| number(&counts.reaches)),
            hops: at.and_then(|at| overview.hops_from_internet.get(at).copied().flatten()),
        }
    }
}

/// Where a group is and who carries it, piece by piece.
fn places(one: &Evaluated, in_graph: Option<&Group>) -> Vec<Text<String>> {
    let group = &one.group;
    let owner = group
        .owner_id
        .as_ref()
        .map(|owner| format!("account {owner}"));
    let region = one.region.as_ref().map(ToString::to_string);
    let vpc = group.vpc_id.as_ref().map(ToString::to_string);
    let level = in_graph
        .and_then(|group| group.level.as_ref())
        .map(|level| format!("sensitivity: {level}"));
    let carriers =
        in_graph
            .and_then(|group| group.carriers)
            .map(|carriers| match carriers.machines {
                0 => "on no network interface".to_owned(),
                machines => format!("on {}", plural(machines as usize, "machine", "machines")),
            });
    let exposed = in_graph
        .filter(|group| group.is_exposed())
        .map(|_| "at a public address".to_owned());
    let pieces = [owner, region, vpc, level, carriers, exposed];
    pieces
        .into_iter()
        .flatten()
        .map(|piece| Text(escape(&piece).into_owned()))
        .collect()
}

impl<'a> ViolationView<'a> {
    fn new(contents: &Contents<'_>, one: &'a Evaluated, violation: &'a Violation) -> Self {
        let settings = contents.settings;
        let fix = Fix::new(&one.group.group_id, violation, one.region.as_ref());
        Self {
            is_exempt: violation.exemption.is_some(),
            sentence: Text(describe_violation(&one.group, violation)),
            why: Text(why(settings, violation)),
            bar: PortsBar(&violation.ports),
            rules: violation
                .rules
                .iter()
                .map(|rule| Text(rule_words(rule)))
                .collect(),
            exemptions: exemptions(contents, one, violation),
            authorize: fix.authorize.map(Text),
            revoke: Text(fix.revoke.join("\n")),
            note: fix.note.map(Text),
        }
    }
}

/// Why it is a violation, and how severe.
fn why(settings: &Settings, violation: &Violation) -> String {
    let most = count(usize::from(settings.max_open_ports));
    let open = match violation.reason {
        Reason::AllTraffic => "No ports are given: every port is open.".to_owned(),
        Reason::AllPorts => "Ports 0 to 65535 are given: every port is open.".to_owned(),
        Reason::WideRange => {
            format!("The range has more than the {most} ports that may be open (max_open_ports).")
        }
        Reason::SplitRanges => format!(
            "Its rules together open more than the {most} ports that may be open (max_open_ports)."
        ),
    };
    let severity = describe_severity(settings, violation);
    format!("{open} Severity {}: {severity}.", violation.severity).replace('`', "")
}

/// `tcp 0-65535 over pcx-1 (peering deleted)`.
fn rule_words(rule: &OpenRule) -> String {
    let mut words = traffic_words(&rule.traffic);
    if let Some(connection) = &rule.pair.peering_connection_id {
        words += &format!(" over {}", escape(connection.as_str()));
    }
    if let Some(status) = rule.pair.stale_status() {
        words += &format!(" (peering {})", escape(status));
    }
    words
}

/// `all traffic`, `all tcp ports`, `tcp 22-443`.
fn traffic_words(traffic: &Traffic) -> String {
    let name = match traffic.protocol.as_str() {
        "-1" => None,
        name @ ("tcp" | "udp" | "icmp" | "icmpv6") => Some(name.to_owned()),
        number => Some(format!("protocol {}", escape(number))),
    };
    match (name, traffic.from_port, traffic.to_port) {
        (None, None | Some(-1), None | Some(-1)) => "all traffic".to_owned(),
        (Some(name), Some(0), Some(65_535)) => format!("all {name} ports"),
        (Some(name), None, None) => name,
        (name, from, to) => {
            let name = name.unwrap_or_else(|| "every protocol, ports".to_owned());
            let port =
                |port: Option<i64>| port.map_or_else(|| "none".to_owned(), |port| port.to_string());
            format!("{name} {}-{}", port(from), port(to))
        }
    }
}

/// The exemptions that match: the one that covers it, and those that would.
fn exemptions(
    contents: &Contents<'_>,
    one: &Evaluated,
    violation: &Violation,
) -> Vec<Text<String>> {
    let all = &contents.settings.exemptions;
    let matched = violation
        .matched
        .iter()
        .filter_map(|number| all.get(*number));
    let words = matched.filter_map(|exemption| {
        let id = escape(&exemption.id);
        match exemption.consider(&one.group, violation, contents.today) {
            ExemptionMatch::Covers if violation.exemption.as_ref() == Some(exemption) => {
                let end = match exemption.until {
                    Some(_) => "",
                    None => ", without an end",
                };
                Some(format!(
                    "Exemption {id}: {}{end}.",
                    describe_exemption(exemption)
                ))
            }
            ExemptionMatch::Covers | ExemptionMatch::Differs(_) => None,
            ExemptionMatch::Exceeded => Some(format!(
                "Exemption {id} does not reach as far: it allows only {}.",
                describe_allow(&exemption.allow)
            )),
            ExemptionMatch::Ended(until) => Some(format!(
                "Exemption {id} ended on {until}: {}.",
                describe_exemption(exemption)
            )),
        }
    });
    words.map(Text).collect()
}
