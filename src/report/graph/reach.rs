//! `reach` for a terminal of 100 columns: the path hop by hop.

use std::fmt::Write as _;

use super::{
    commands, edge_columns, end_name, lets_in, name, not_read, outside_name, plural, ports_words,
    short_name,
};
use crate::graph::{
    Answer, End, GroupIndex, Hop, Origin, Question, Reachable, Reaching, Targets, Trust, TrustEdge,
    TrustGraph, Unreachable, Walk,
};
use crate::policy::Settings;
use crate::report::columns::{Cell, Columns, Style, fit, title};
use crate::text::escape;

/// A list has so many lines before it counts the rest.
const MOST_LINES: usize = 40;
/// So many hops at either end of a long path are told.
const ENDS: usize = 10;
const NAME_WIDTH: usize = 56;

/// The answer to a question.
#[must_use]
pub fn reach(
    walk: &Walk<'_>,
    question: &Question,
    answer: &Answer<'_>,
    settings: &Settings,
) -> String {
    let graph = walk.graph();
    let trust = match walk.trust() {
        Trust::Open => "open trust",
        Trust::Any => "any trust",
    };
    match (question, answer) {
        (Question::Between { from, to, .. }, Answer::Reachable(found)) => {
            reachable(walk, *from, to, found, settings) + "\n" + &not_read()
        }
        (Question::Between { from, to, .. }, Answer::Unreachable(found)) => {
            let whom = Style::Bold.paint(&targets(graph, to));
            let from = origin(graph, *from);
            format!(
                "{whom} is not reached from {from} by {trust}.\n{}",
                unreachable(graph, found)
            )
        }
        (Question::From(from), Answer::Reached(groups)) => {
            reached(graph, *from, groups, trust) + "\n" + &not_read()
        }
        (Question::To(to), Answer::Reaching(found)) => {
            reaching(graph, to, found, trust) + "\n" + &not_read()
        }
        _ => String::new(),
    }
}

/// A path in short: `internet`, `→ web`, `= agent` on the same machine, `→ db`.
pub(in crate::report) fn chain(graph: &TrustGraph, path: &[Hop<'_>]) -> Vec<String> {
    let mut pieces = Vec::new();
    for (place, hop) in path.iter().enumerate() {
        match hop {
            Hop::Internet(door) => {
                let door = graph.group(*door).map(short_name).unwrap_or_default();
                pieces.extend(["internet".to_owned(), format!("→ {door}")]);
            }
            Hop::Edge { edge, machine } => {
                let from = match edge.from {
                    End::Group(_, group) => short_name(group),
                    End::Outside(source) => outside_name(source).into(),
                };
                if place == 0 {
                    pieces.push(from.into_owned());
                } else if machine.is_some() {
                    pieces.push(format!("= {from}"));
                }
                pieces.push(format!("→ {}", short_name(edge.target)));
            }
        }
    }
    pieces
}

fn origin(graph: &TrustGraph, origin: Origin) -> String {
    match origin {
        Origin::Internet => "the internet".to_owned(),
        Origin::Group(index) => graph.group(index).map(name).unwrap_or_default(),
        Origin::Outside(place) => graph
            .outside()
            .get(place)
            .map(outside_name)
            .unwrap_or_default(),
    }
}

fn targets(graph: &TrustGraph, to: &Targets) -> String {
    match to.groups.as_slice() {
        [one] => graph.group(*one).map(name).unwrap_or_default(),
        several => format!(
            "One of the {} of {}",
            plural(several.len(), "group", "groups"),
            escape(&to.label)
        ),
    }
}

fn reachable(
    walk: &Walk<'_>,
    from: Origin,
    to: &Targets,
    found: &Reachable<'_>,
    settings: &Settings,
) -> String {
    let graph = walk.graph();
    let edges = found
        .path
        .iter()
        .filter(|hop| matches!(hop, Hop::Edge { .. }))
        .count();
    let ways = match (edges, walk.trust()) {
        (0, _) => "directly".to_owned(),
        (_, Trust::Open) => format!(
            "by {}",
            plural(edges, "open trust edge", "open trust edges")
        ),
        (_, Trust::Any) => format!("by {}", plural(edges, "trust edge", "trust edges")),
    };
    let mut out = format!(
        "{} is reached from {} {ways}:\n\n",
        Style::Alarm.paint(&targets(graph, to)),
        origin(graph, from),
    );
    out += &path(graph, from, &found.path);
    if walk.trust() == Trust::Any && edges > 0 {
        out += &match found.restricted_hops {
            0 => "\nOpen trust alone is enough for a path.\n".to_owned(),
            least => format!(
                "\nEvery path takes at least {} that is not open.\n",
                plural(least as usize, "trust edge", "trust edges")
            )
            .replace("edges that is", "edges that are"),
        };
    }
    if let Some(cut) = &found.cut {
        return out + &cut_words(walk, cut.as_deref(), settings);
    }
    if edges == 0 {
        return out;
    }
    match found.chokes.as_slice() {
        [] => {
            out +=
                "\nNo single trust edge is on every path: --cut finds the smallest set that is.\n"
        }
        chokes => {
            out += &title("On every path: without any one of these it is not reached");
            out += &edge_list(walk, chokes, settings);
        }
    }
    out
}

/// The path hop by hop; of a long one its ends.
fn path(graph: &TrustGraph, from: Origin, path: &[Hop<'_>]) -> String {
    let mut columns = Columns::heading(["HOP", "GROUP", "ACCOUNT", "LETS IN"]);
    let start = match from {
        Origin::Internet => "internet".to_owned(),
        _ => origin(graph, from),
    };
    columns.row(["".into(), fit(&start, NAME_WIDTH).into()]);
    let mut number = 0;
    let hidden = if path.len() > 2 * ENDS + 1 {
        ENDS..path.len() - ENDS
    } else {
        0..0
    };
    for (place, hop) in path.iter().enumerate() {
        if let Hop::Edge { .. } = hop {
            number += 1;
        }
        if hidden.contains(&place) {
            if place == hidden.start {
                columns.row([
                    "".into(),
                    format!("… {} more …", plural(hidden.len(), "hop", "hops")).into(),
                ]);
            }
            continue;
        }
        match hop {
            Hop::Internet(door) => {
                if let Some(group) = graph.group(*door) {
                    let ports = ports_words(&group.internet.ports());
                    columns.row([
                        "".into(),
                        group_cell(group),
                        account_cell(group.owner_id.as_ref()),
                        ports.into(),
                    ]);
                }
            }
            Hop::Edge { edge, machine } => {
                if let Some(machine) = machine {
                    let on = format!("on {} too", escape(machine));
                    let source = fit(&end_name(edge.from), NAME_WIDTH).into_owned();
                    columns.row([
                        "=".into(),
                        source.into(),
                        account_cell(edge.from.owner_id()),
                        Cell::styled(on, Style::Dimmed),
                    ]);
                }
                columns.row([
                    number.to_string().into(),
                    group_cell(edge.target),
                    account_cell(edge.target.owner_id.as_ref()),
                    lets_in(edge),
                ]);
            }
        }
    }
    columns.to_string()
}

fn group_cell(group: &crate::graph::Group) -> Cell {
    let notes = [group.group_name.as_deref(), group.level.as_deref()];
    let words = crate::report::prose::with_notes(&escape(group.group_id.as_str()), &notes);
    fit(&words, NAME_WIDTH).into()
}

fn account_cell(owner: Option<&crate::model::AccountId>) -> Cell {
    owner.map_or("unknown".into(), |owner| escape(owner.as_str()).into())
}

fn cut_words(walk: &Walk<'_>, cut: Option<&[TrustEdge<'_>]>, settings: &Settings) -> String {
    match cut {
        None => "\nNo cut separates them: a way has no trust edge that may be cut.\n".to_owned(),
        Some(edges) => {
            let count = plural(edges.len(), "trust edge", "trust edges");
            title(&format!("The smallest cut: {count} to revoke"))
                + &edge_list(walk, edges, settings)
        }
    }
}

/// Trust edges, and behind them the commands that revoke them.
fn edge_list(walk: &Walk<'_>, edges: &[TrustEdge<'_>], settings: &Settings) -> String {
    let shown = || edges.iter().take(MOST_LINES);
    let mut out =
        edge_columns(shown().map(|edge| (None, *edge))).to_string() + &more(edges.len()) + "\n";
    for edge in shown() {
        for command in commands(settings, walk.trust(), edge) {
            let _ = writeln!(out, "  {}", escape(&command));
        }
    }
    out
}

/// Parts of the account that were not read, and may lead there.
fn unreachable(graph: &TrustGraph, found: &Unreachable<'_>) -> String {
    let mut out = String::new();
    if !graph.has_interfaces() {
        out += "No network interfaces were read (--interfaces): chains over a machine that carries two groups are missing.\n";
    }
    out += &not_read();
    if !found.with_ranges.is_empty() {
        let groups = found
            .with_ranges
            .iter()
            .filter_map(|index| graph.group(*index))
            .map(name);
        out += &list(
            "Groups on the way to it that admit address ranges, which were not read",
            groups,
        );
    }
    if !found.outside.is_empty() {
        let sources = found.outside.iter().map(|source| outside_name(source));
        out += &list(
            "Sources on the way to it that no file has, so that nobody knows who reaches them",
            sources,
        );
    }
    out
}

fn list(heading: &str, names: impl Iterator<Item = String> + Clone) -> String {
    let mut out = title(heading);
    for name in names.clone().take(MOST_LINES) {
        let _ = writeln!(out, "  {}", fit(&name, 96));
    }
    out + &more(names.count())
}

fn reached(graph: &TrustGraph, from: Origin, groups: &[(GroupIndex, u32)], trust: &str) -> String {
    let count = plural(groups.len(), "group", "groups");
    let from = origin(graph, from);
    let mut out = format!(
        "{} reaches {count} by {trust}.\n",
        Style::Bold.paint(&sentence_case(&from))
    );
    out += &hops(graph, groups);
    out
}

fn reaching(graph: &TrustGraph, to: &Targets, found: &Reaching<'_>, trust: &str) -> String {
    let whom = Style::Bold.paint(&targets(graph, to));
    let mut who = vec![plural(found.groups.len(), "group", "groups")];
    if !found.outside.is_empty() {
        who.push(plural(
            found.outside.len(),
            "unseen source",
            "unseen sources",
        ));
    }
    let internet = match found.internet {
        Some(0) => "The internet reaches it directly.".to_owned(),
        Some(hops) => {
            let hops = plural(hops as usize, "trust edge", "trust edges");
            format!("The internet reaches it by {hops}.")
        }
        None => "The internet does not reach it.".to_owned(),
    };
    let mut out = format!(
        "{whom} is reached from {} by {trust}.\n{internet}\n",
        who.join(" and ")
    );
    out += &hops(graph, &found.groups);
    if !found.outside.is_empty() {
        out += &list(
            "Sources that no file has",
            found.outside.iter().map(|(source, _)| outside_name(source)),
        );
    }
    out
}

/// Groups by the number of trust edges that a shortest way takes.
fn hops(graph: &TrustGraph, groups: &[(GroupIndex, u32)]) -> String {
    if groups.is_empty() {
        return String::new();
    }
    let mut sorted: Vec<_> = groups.iter().map(|(index, hops)| (*hops, *index)).collect();
    sorted.sort_unstable();
    let mut columns = Columns::heading(["HOPS", "GROUP", "ACCOUNT"]);
    for (hops, index) in sorted.iter().take(MOST_LINES) {
        if let Some(group) = graph.group(*index) {
            columns.row([
                Cell::number(Some(*hops)),
                group_cell(group),
                account_cell(group.owner_id.as_ref()),
            ]);
        }
    }
    format!("\n{columns}{}", more(sorted.len()))
}

fn sentence_case(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some('t') if text.starts_with("the ") => format!("T{}", characters.as_str()),
        _ => text.to_owned(),
    }
}

fn more(count: usize) -> String {
    match count.saturating_sub(MOST_LINES) {
        0 => String::new(),
        more => format!("  and {more} more (--format json has all)\n"),
    }
}
