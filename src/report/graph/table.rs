//! `graph` for a terminal of 100 columns: what a person needs first comes first.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::reach::chain;
use super::{
    commands, edge_columns, exposed_word, name, not_read, outside_name, plural, ports_words,
};
use crate::graph::{Group, GroupIndex, Origin, Overview, SourceName, Trust, TrustGraph, Walk, Why};
use crate::policy::Settings;
use crate::report::columns::{Cell, Columns, Style, fit, title, wrap};
use crate::text::escape;

/// A section has so many lines before it counts the rest.
const MOST_LINES: usize = 20;
/// The same for removals and paths, which take several lines each.
const MOST_BLOCKS: usize = 5;
/// The most columns for the name of a group.
const NAME_WIDTH: usize = 48;

/// A summary of a graph; with a group, what to revoke first is told of the ways to it.
#[must_use]
pub fn graph(
    walk: &Walk<'_>,
    overview: &Overview<'_>,
    settings: &Settings,
    to: Option<GroupIndex>,
) -> String {
    let highest = settings
        .sensitivity
        .as_ref()
        .and_then(|sensitivity| sensitivity.levels.last());
    let parts = [
        summary(walk, overview),
        sensitive(walk, overview, highest.map(String::as_str)),
        removals(walk, overview, to),
        clusters(walk.graph(), overview),
        internet_facing(walk),
        unseen(walk.graph()),
        latent(walk.graph()),
        cannot_tell(walk.graph()),
        revoke_commands(walk, overview, settings),
    ];
    parts.concat()
}

fn summary(walk: &Walk<'_>, overview: &Overview<'_>) -> String {
    let graph = walk.graph();
    let accounts: BTreeSet<_> = graph
        .groups()
        .iter()
        .filter_map(|group| group.owner_id.as_ref())
        .collect();
    let regions: BTreeSet<_> = graph
        .groups()
        .iter()
        .filter_map(|group| group.region.as_ref())
        .collect();
    let edges = graph.edges();
    let open = edges.iter().filter(|edge| edge.is_open).count();
    let exempt = edges.iter().filter(|edge| edge.is_exempt).count();
    let mut places = Vec::new();
    if !accounts.is_empty() {
        places.push(plural(accounts.len(), "account", "accounts"));
    }
    if !regions.is_empty() {
        places.push(plural(regions.len(), "Region", "Regions"));
    }
    let places = if places.is_empty() {
        String::new()
    } else {
        format!(" of {}", places.join(" in "))
    };
    let exempt = if exempt == 0 {
        String::new()
    } else {
        format!(" ({exempt} exempt)")
    };
    let followed = match walk.trust() {
        Trust::Open => "Open trust",
        Trust::Any => "Any trust",
    };
    let reached = overview.reached_from_internet();
    let doors = walk.internet_doors().len();
    let mut out = format!(
        "{}{places}; {}: {open} open{exempt}, {} restricted.\n",
        plural(graph.groups().len(), "security group", "security groups"),
        plural(edges.len(), "trust edge", "trust edges"),
        edges.len() - open,
    );
    let which = if walk.is_exposed_only() {
        "exposed ones"
    } else {
        "internet-facing ones"
    };
    let _ = writeln!(
        out,
        "The internet reaches {}: {doors} {which}, and {} more by chains. {followed} is followed.",
        plural(reached, "group", "groups"),
        reached.saturating_sub(doors),
    );
    if !graph.has_interfaces() {
        out += "No network interfaces were read (--interfaces): chains over a machine that carries two groups are missing.\n";
    }
    if overview.counts.is_none() {
        out += "How many groups each one reaches was not counted: there are more than 20 000 components.\n";
    }
    out + &not_read()
}

/// The most sensitive groups that the internet reaches, each with its way.
fn sensitive(walk: &Walk<'_>, overview: &Overview<'_>, level: Option<&str>) -> String {
    let Some(level) = level else {
        return String::new();
    };
    let graph = walk.graph();
    let is_sensitive = |index: &GroupIndex| {
        graph
            .group(*index)
            .is_some_and(|group| group.level.as_deref() == Some(level))
    };
    let all = graph.indices().filter(is_sensitive);
    let hops = |index: GroupIndex| {
        Some((
            overview
                .hops_from_internet
                .get(index.place())
                .copied()
                .flatten()?,
            index,
        ))
    };
    let mut reached: Vec<_> = all.clone().filter_map(hops).collect();
    reached.sort_unstable();
    let mut out = title(&format!(
        "{} of {} reached from the internet",
        reached.len(),
        plural(
            all.count(),
            &format!("{} group", escape(level)),
            &format!("{} groups", escape(level))
        ),
    ));
    for (_, index) in reached.iter().take(MOST_BLOCKS) {
        let Some((group, path)) = graph
            .group(*index)
            .zip(walk.path(Origin::Internet, &[*index]))
        else {
            continue;
        };
        let account = group
            .owner_id
            .as_ref()
            .map(|owner| format!("  {}", escape(owner.as_str())));
        let heading = fit(&name(group), NAME_WIDTH).into_owned();
        let _ = writeln!(
            out,
            "  {}{}",
            Style::Alarm.paint(&heading),
            account.unwrap_or_default()
        );
        out += &wrap(&chain(graph, &path), "    ");
    }
    out + &more(reached.len(), MOST_BLOCKS)
}

fn removals(walk: &Walk<'_>, overview: &Overview<'_>, to: Option<GroupIndex>) -> String {
    let target = to.and_then(|to| walk.graph().group(to)).map(name);
    let (what, none) = match &target {
        Some(target) => (
            format!("What to revoke first: how many groups then no longer reach {target}"),
            "No single removal keeps a group from it.",
        ),
        None => (
            "What to revoke first: how many groups the internet then no longer reaches".to_owned(),
            "No single removal keeps the internet from a group.",
        ),
    };
    let mut out = title(&what);
    if overview.removals.is_empty() {
        let _ = writeln!(out, "  {none}");
        return out;
    }
    let shown = overview.removals.iter().take(MOST_BLOCKS);
    let columns = edge_columns(shown.map(|removal| (Some(removal.frees), removal.edge)));
    let _ = write!(out, "{columns}");
    out + &more(
        overview.removals.len() + overview.more_removals,
        MOST_BLOCKS,
    )
}

/// The commands stand last: they are longer than a line.
fn revoke_commands(walk: &Walk<'_>, overview: &Overview<'_>, settings: &Settings) -> String {
    if overview.removals.is_empty() {
        return String::new();
    }
    let mut out = title("The commands for what to revoke first, in the same order");
    for removal in overview.removals.iter().take(MOST_BLOCKS) {
        for command in commands(settings, walk.trust(), &removal.edge) {
            let _ = writeln!(out, "  {}", escape(&command));
        }
    }
    out
}

fn clusters(graph: &TrustGraph, overview: &Overview<'_>) -> String {
    if overview.clusters.is_empty() {
        return String::new();
    }
    let mut out = title("Clusters: groups that all reach each other are in effect one");
    for cluster in overview.clusters.iter().take(MOST_LINES) {
        let groups: Vec<_> = cluster
            .iter()
            .filter_map(|index| graph.group(*index))
            .collect();
        let last = groups.len().min(MOST_LINES).saturating_sub(1);
        let mut pieces: Vec<_> = groups
            .iter()
            .take(MOST_LINES)
            .enumerate()
            .map(|(place, group)| {
                let comma = if place == last { "" } else { "," };
                format!("{}{comma}", fit(&name(group), NAME_WIDTH))
            })
            .collect();
        if groups.len() > MOST_LINES {
            pieces.push(format!("and {} more", groups.len() - MOST_LINES));
        }
        out += &wrap(&pieces, "  ");
    }
    out + &more(overview.clusters.len(), MOST_LINES)
}

fn internet_facing(walk: &Walk<'_>) -> String {
    let graph = walk.graph();
    let counts = walk.counts_from_doors();
    let reaches = |index: GroupIndex| counts.as_ref()?.get(index.place()).copied();
    let facing = |(index, group): (GroupIndex, &'_ Group)| {
        group
            .internet
            .is_facing()
            .then_some((index, reaches(index)))
    };
    let mut groups: Vec<_> = graph
        .indices()
        .zip(graph.groups())
        .filter_map(facing)
        .collect();
    if groups.is_empty() {
        return String::new();
    }
    groups.sort_by_key(|(index, reaches)| (std::cmp::Reverse(*reaches), *index));
    let mut columns = Columns::heading([
        "REACHES",
        "GROUP",
        "ACCOUNT",
        "EXPOSED",
        "ADMITS FROM THE INTERNET",
    ]);
    for (index, reaches) in groups.iter().take(MOST_LINES) {
        let Some(group) = graph.group(*index) else {
            continue;
        };
        let exposed = match (group.is_latent(), exposed_word(group.carriers)) {
            (true, _) => Cell::styled("latent", Style::Dimmed),
            (false, "yes") => Cell::styled("yes", Style::Alarm),
            (false, word) => word.into(),
        };
        columns.row([
            Cell::number(*reaches),
            fit(&name(group), NAME_WIDTH).into(),
            account(group).into(),
            exposed,
            ports_words(&group.internet.ports()).into(),
        ]);
    }
    let mut out = title("Internet-facing groups, and how many groups are reached from their doors");
    let _ = write!(out, "{columns}");
    out + &more(groups.len(), MOST_LINES)
}

fn unseen(graph: &TrustGraph) -> String {
    let unseen = graph.unseen();
    if unseen.is_empty() {
        return String::new();
    }
    let mut columns = Columns::heading(["SOURCE", "ACCOUNT", "WHY", "NAMED BY"]);
    for source in unseen.iter().take(MOST_LINES) {
        let why = match source.why {
            Why::OtherAccount => "other account",
            Why::Peering => "peering",
            Why::StalePeering => "stale peering",
            Why::NotInSnapshot => "not in the files",
        };
        let mut names: Vec<_> = source
            .referenced_by
            .iter()
            .filter_map(|index| graph.group(*index))
            .map(name)
            .collect();
        let others = names.len().saturating_sub(1);
        names.truncate(1);
        let others = if others == 0 {
            String::new()
        } else {
            format!(" and {others} more")
        };
        columns.row([
            fit(&seen_name(graph, &source.source), NAME_WIDTH).into(),
            source
                .source
                .owner_id
                .as_ref()
                .map_or("unknown".into(), |owner| escape(owner.as_str()).into()),
            why.into(),
            format!("{}{others}", names.concat()).into(),
        ]);
    }
    let mut out = title("Sources that no file has, or whose peering connection is stale");
    let _ = write!(out, "{columns}");
    out + &more(unseen.len(), MOST_LINES)
}

/// With its name, where a file has the source: one over a stale peering connection may be there.
fn seen_name(graph: &TrustGraph, source: &SourceName) -> String {
    let is_source = |group: &&Group| {
        source.group_id.as_ref() == Some(&group.group_id) && source.owner_id == group.owner_id
    };
    let place = graph
        .groups()
        .partition_point(|group| Some(&group.group_id) < source.group_id.as_ref());
    let same_id = graph.groups().get(place..).unwrap_or_default();
    let mut same_id = same_id
        .iter()
        .take_while(|group| Some(&group.group_id) == source.group_id.as_ref());
    same_id
        .find(is_source)
        .map_or_else(|| outside_name(source), name)
}

fn latent(graph: &TrustGraph) -> String {
    let latent: Vec<_> = graph
        .groups()
        .iter()
        .filter(|group| group.is_latent())
        .collect();
    if latent.is_empty() {
        return String::new();
    }
    let mut columns = Columns::default();
    for group in latent.iter().take(MOST_LINES) {
        columns.row([fit(&name(group), NAME_WIDTH).into(), account(group).into()]);
    }
    let mut out = title("Latent groups: on no network interface, so nothing goes on from them");
    let _ = write!(out, "{columns}");
    out + &more(latent.len(), MOST_LINES)
}

fn cannot_tell(graph: &TrustGraph) -> String {
    let unknown: Vec<_> = graph
        .groups()
        .iter()
        .filter(|group| !group.internet.unknown.is_empty())
        .collect();
    if unknown.is_empty() {
        return String::new();
    }
    let mut columns = Columns::default();
    for group in unknown.iter().take(MOST_LINES) {
        let ranges: Vec<_> = group
            .internet
            .unknown
            .iter()
            .take(3)
            .map(|range| escape(range))
            .collect();
        let others = group.internet.unknown.len() - ranges.len();
        let others = if others == 0 {
            String::new()
        } else {
            format!(" and {others} more")
        };
        columns.row([
            fit(&name(group), NAME_WIDTH).into(),
            account(group).into(),
            format!("{}{others}", ranges.join(", ")).into(),
        ]);
    }
    let mut out = title("Prefix lists: whether they hold the internet cannot be told");
    let _ = write!(out, "{columns}");
    out + &more(unknown.len(), MOST_LINES)
}

fn account(group: &Group) -> String {
    let owner = group.owner_id.as_ref().map(|owner| escape(owner.as_str()));
    owner.map_or("unknown".to_owned(), Into::into)
}

fn more(count: usize, shown: usize) -> String {
    match count.saturating_sub(shown) {
        0 => String::new(),
        more => format!("  and {more} more\n"),
    }
}
