//! What the page begins with: how many groups came out how, who is reached from the internet, what to revoke first.

use std::collections::BTreeSet;
use std::fmt;

use askama::filters::HtmlSafe;

use super::text::{Id, Name, Text};
use super::{Contents, count, plural};
use crate::graph::{End, Group, GroupIndex, Origin, Overview, Removal, Trust, Walk};
use crate::policy::{Severity, Status};
use crate::report::graph::reach::chain;
use crate::report::graph::{commands, end_name, ports_words};

/// How many of the most sensitive groups have their way from the internet told.
const MOST_WAYS: usize = 10;

#[derive(Debug)]
pub(super) struct Totals {
    pub(super) verdicts: Vec<Share>,
    pub(super) severities: Vec<Share>,
    pub(super) places: Text<String>,
    pub(super) edges: String,
    pub(super) reached: String,
    pub(super) internet: String,
    pub(super) sensitive: Option<Sensitive>,
    pub(super) removals: Vec<RemovalView>,
    pub(super) more_removals: usize,
    pub(super) troubles: usize,
}

/// So many of all, as a piece of a bar.
#[derive(Debug)]
pub(super) struct Share {
    pub(super) word: &'static str,
    pub(super) class: String,
    pub(super) count: String,
    /// Where the piece begins, and how wide it is, of 1000.
    pub(super) from: usize,
    pub(super) width: usize,
}

/// The most sensitive groups that the internet reaches.
#[derive(Debug)]
pub(super) struct Sensitive {
    pub(super) sentence: Text<String>,
    pub(super) ways: Vec<Text<String>>,
    pub(super) more: usize,
}

#[derive(Debug)]
pub(super) struct RemovalView {
    pub(super) frees: String,
    pub(super) from: EndView,
    pub(super) to: EndView,
    pub(super) ports: Text<String>,
    pub(super) account: Option<Text<String>>,
    pub(super) is_exempt: bool,
    pub(super) commands: Vec<Text<String>>,
}

fn shares(words: impl IntoIterator<Item = (&'static str, usize)>) -> Vec<Share> {
    let words: Vec<_> = words.into_iter().collect();
    let all: usize = words.iter().map(|(_, count)| count).sum();
    let mut before = 0;
    words
        .into_iter()
        .map(|(word, number)| {
            let from = before * 1000 / all.max(1);
            before += number;
            Share {
                word,
                class: word.to_lowercase(),
                count: count(number),
                from,
                width: before * 1000 / all.max(1) - from,
            }
        })
        .collect()
}

impl Totals {
    pub(super) fn new(contents: &Contents<'_>, walk: &Walk<'_>, overview: &Overview<'_>) -> Self {
        let of = |status: Status| {
            let groups = contents.groups.iter();
            groups.filter(|one| one.verdict.status == status).count()
        };
        let severe = |severity: Severity| {
            let groups = contents.groups.iter();
            let is_meant = |status, own| status == Status::Failed && own == severity;
            groups
                .filter(|one| is_meant(one.verdict.status, one.verdict.severity))
                .count()
        };
        let severities = [
            Severity::Critical,
            Severity::High,
            Severity::Medium,
            Severity::Low,
        ];
        let reached = overview.reached_from_internet();
        let doors = walk.internet_doors().len();
        Self {
            verdicts: shares(
                [Status::Failed, Status::Exempt, Status::Passed]
                    .map(|status| (status.as_str(), of(status))),
            ),
            severities: shares(severities.map(|severity| (severity.as_str(), severe(severity)))),
            places: Text(places(contents)),
            edges: edges(walk),
            reached: count(reached),
            internet: format!(
                "{} face it, and {} more are reached by chains of open trust.",
                plural(doors, "group", "groups"),
                count(reached.saturating_sub(doors))
            ),
            sensitive: sensitive(contents, walk, overview),
            removals: overview
                .removals
                .iter()
                .map(|removal| RemovalView::new(contents, removal))
                .collect(),
            more_removals: overview.more_removals,
            troubles: contents.troubles.len(),
        }
    }
}

/// `40 security groups of 3 accounts in 2 Regions and 4 VPCs`.
fn places(contents: &Contents<'_>) -> String {
    let groups = || contents.groups.iter();
    let accounts: BTreeSet<_> = groups()
        .filter_map(|one| one.group.owner_id.as_ref())
        .collect();
    let regions: BTreeSet<_> = groups().filter_map(|one| one.region.as_ref()).collect();
    let vpcs: BTreeSet<_> = groups()
        .filter_map(|one| one.group.vpc_id.as_ref())
        .collect();
    let mut words = plural(contents.groups.len(), "security group", "security groups");
    let one_account = accounts.first().filter(|_| accounts.len() == 1);
    let one_region = regions.first().filter(|_| regions.len() == 1);
    match (accounts.len(), one_account) {
        (0, _) => {}
        (_, Some(account)) => words += &format!(" of account {account}"),
        (several, None) => words += &format!(" of {}", plural(several, "account", "accounts")),
    }
    match (regions.len(), one_region) {
        (0, _) => {}
        (_, Some(region)) => words += &format!(" in {region}"),
        (several, None) => words += &format!(" in {}", plural(several, "Region", "Regions")),
    }
    if !vpcs.is_empty() {
        words += &format!(", {}", plural(vpcs.len(), "VPC", "VPCs"));
    }
    words
}

fn edges(walk: &Walk<'_>) -> String {
    let edges = walk.graph().edges();
    let open = edges.iter().filter(|edge| edge.is_open).count();
    let exempt = edges.iter().filter(|edge| edge.is_exempt).count();
    let exempt = match exempt {
        0 => String::new(),
        exempt => format!(", {} of them accepted by an exemption", count(exempt)),
    };
    format!(
        "{} open{exempt}, and {} restricted.",
        count(open),
        count(edges.len() - open)
    )
}

fn sensitive(
    contents: &Contents<'_>,
    walk: &Walk<'_>,
    overview: &Overview<'_>,
) -> Option<Sensitive> {
    let level = contents.settings.sensitivity.as_ref()?.levels.last()?;
    let graph = walk.graph();
    let is_sensitive = |(_, group): &(GroupIndex, &Group)| group.level.as_ref() == Some(level);
    let all = || graph.indices().zip(graph.groups()).filter(is_sensitive);
    let hops = |index: GroupIndex| {
        overview
            .hops_from_internet
            .get(index.place())
            .copied()
            .flatten()
    };
    let mut reached: Vec<_> = all()
        .filter_map(|(index, _)| Some((hops(index)?, index)))
        .collect();
    reached.sort_unstable();
    let ways = reached.iter().take(MOST_WAYS).filter_map(|(_, index)| {
        let path = walk.path(Origin::Internet, &[*index])?;
        Some(Text(chain(graph, &path).join(" ")))
    });
    Some(Sensitive {
        sentence: Text(format!(
            "The internet reaches {} of {} whose sensitivity is {level}, the highest.",
            count(reached.len()),
            plural(all().count(), "group", "groups"),
        )),
        ways: ways.collect(),
        more: reached.len().saturating_sub(MOST_WAYS),
    })
}

/// One end of a trust edge: its name, and its id where it has both.
#[derive(Debug)]
pub(super) struct EndView {
    name: String,
    id: Option<String>,
}

impl EndView {
    fn new(end: End<'_>) -> Self {
        match (end.group_name(), end.group_id()) {
            (Some(name), Some(id)) => Self {
                name: name.to_owned(),
                id: Some(id.to_string()),
            },
            _ => Self {
                name: end_name(end),
                id: None,
            },
        }
    }
}

impl HtmlSafe for EndView {}

impl fmt::Display for EndView {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "<b>{}</b>", Name(&self.name))?;
        match &self.id {
            Some(id) => write!(formatter, " <span class=\"id\">{}</span>", Id(id)),
            None => Ok(()),
        }
    }
}

impl RemovalView {
    fn new(contents: &Contents<'_>, removal: &Removal<'_>) -> Self {
        let edge = &removal.edge;
        let commands = commands(contents.settings, Trust::Open, edge);
        Self {
            frees: plural(removal.frees, "group", "groups"),
            from: EndView::new(edge.from),
            to: EndView::new(End::Group(edge.to, edge.target)),
            ports: Text(ports_words(edge.ports)),
            account: edge
                .target
                .owner_id
                .as_ref()
                .map(|owner| Text(owner.to_string())),
            is_exempt: edge.is_exempt,
            commands: commands.into_iter().map(Text).collect(),
        }
    }
}
