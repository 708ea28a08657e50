//! The picture: columns are hops from the internet, or from the groups that reach most where the internet goes no further
//! than its doors. Open trust alone, and never the whole graph: a column folds above 40 groups.

use std::cmp::Reverse;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::near::Near;
use super::sections::{Level, Sections, class_of};
use super::text::{Id, Name, Text};
use crate::graph::{Overview, SourceName, TrustEdge, Walk};
use crate::policy::Status;
use crate::report::columns::fit;
use crate::report::graph::{outside_name, ports_words};
use crate::text::escape;

mod layout;

pub(super) use layout::{Shape, Wire};

/// How many groups a column shows before it counts the rest.
const MOST_OF_COLUMN: usize = 40;
const MOST_COLUMNS: usize = 8;
/// How many groups the picture begins with where it does not begin at the internet.
const MOST_ORIGINS: usize = 5;
/// Above so many lines only one leads to each group.
const MOST_WIRES: usize = 300;
/// How many sources the list names for each group.
const MOST_SOURCES: usize = 4;
/// How much of a name fits into a box.
const NAME_WIDTH: usize = 21;

#[derive(Debug)]
pub(super) struct Picture {
    pub(super) is_from_internet: bool,
    pub(super) columns: Vec<Column>,
    pub(super) shapes: Vec<Shape>,
    pub(super) wires: Vec<Wire>,
    pub(super) width: usize,
    pub(super) height: usize,
    /// Where the box of the internet stands.
    pub(super) internet_y: usize,
    /// How many groups lie behind the last column.
    pub(super) further: usize,
    /// How many trust edges between the groups shown are not drawn.
    pub(super) not_drawn: usize,
    pub(super) has_machines: bool,
}

#[derive(Debug)]
pub(super) struct Column {
    pub(super) heading: String,
    pub(super) nodes: Vec<Node>,
    pub(super) more: usize,
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) place: usize,
    pub(super) name: String,
    pub(super) id: String,
    pub(super) label: String,
    pub(super) words: String,
    pub(super) class: &'static str,
    pub(super) anchor: Option<usize>,
    pub(super) sources: Vec<Text<String>>,
    pub(super) more_sources: usize,
}

impl Column {
    /// The group in a box; none in the one that stands for what is folded.
    pub(super) fn node(&self, shape: &Shape) -> Option<&Node> {
        self.nodes.get(shape.row)
    }
}

impl Node {
    pub(super) fn shown_name(&self) -> Name<'_> {
        Name(&self.name)
    }

    pub(super) fn shown_id(&self) -> Id<'_> {
        Id(&self.id)
    }
}

/// In which column each group stands, and how it is come by.
#[derive(Debug)]
struct Hops {
    column: BTreeMap<usize, usize>,
    door: BTreeMap<usize, usize>,
    key: BTreeMap<usize, usize>,
    /// Groups whose key lies behind the door of another: on one machine.
    via: BTreeMap<usize, usize>,
}

impl Hops {
    fn new(near: &Near<'_>, doors: &[usize], origins: &[usize]) -> Self {
        let mut hops = Self {
            column: BTreeMap::new(),
            door: BTreeMap::new(),
            key: BTreeMap::new(),
            via: BTreeMap::new(),
        };
        let mut border = Vec::new();
        for origin in origins {
            hops.column.insert(*origin, 0);
            hops.key.insert(*origin, 0);
            border.push(*origin);
        }
        let mut entered: Vec<usize> = doors.to_vec();
        let mut number = 0;
        while !entered.is_empty() || !border.is_empty() {
            let mut keys = std::mem::take(&mut border);
            for door in entered.drain(..) {
                hops.door.insert(door, number);
                hops.column.entry(door).or_insert(number);
                keys.extend(hops.pass(near, door, number));
            }
            number += 1;
            let found: BTreeSet<usize> = keys
                .iter()
                .flat_map(|key| near.targets(*key))
                .copied()
                .filter(|target| !hops.door.contains_key(target))
                .collect();
            entered.extend(found);
        }
        hops
    }

    /// The keys that are new behind a door.
    fn pass(&mut self, near: &Near<'_>, door: usize, number: usize) -> Vec<usize> {
        let mut new = Vec::new();
        for &key in near.keys(door) {
            if self.key.contains_key(&key) {
                continue;
            }
            self.key.insert(key, number);
            new.push(key);
            if let Entry::Vacant(column) = self.column.entry(key) {
                column.insert(number);
                self.via.insert(key, door);
            }
        }
        new
    }

    /// Whether an edge leads into the column where its target stands, from one before it.
    fn leads_on(&self, from: usize, to: usize) -> bool {
        let (Some(begin), Some(end)) = (self.column.get(&from), self.column.get(&to)) else {
            return false;
        };
        begin < end
            && self.door.get(&to) == Some(end)
            && self.key.get(&from).map(|key| key + 1) == Some(*end)
    }
}

impl Picture {
    /// The column of a box.
    pub(super) fn column(&self, shape: &Shape) -> Option<&Column> {
        self.columns.get(shape.column)
    }

    /// None where there is nothing to draw.
    pub(super) fn new(
        walk: &Walk<'_>,
        overview: &Overview<'_>,
        near: &Near<'_>,
        sections: &Sections<'_>,
    ) -> Option<Self> {
        let doors: Vec<_> = walk
            .internet_doors()
            .iter()
            .map(|door| door.place())
            .collect();
        let mut hops = Hops::new(near, &doors, &[]);
        let is_from_internet = hops.column.values().any(|column| *column > 0);
        if !is_from_internet {
            let origins = most_reaching(walk, overview, near);
            if !origins.is_empty() {
                hops = Hops::new(near, &[], &origins);
            } else if doors.is_empty() {
                return None;
            }
        }
        let is_from_internet = is_from_internet || hops.door.values().any(|hop| *hop == 0);
        Some(Self::of(walk, near, sections, &hops, is_from_internet))
    }

    fn of(
        walk: &Walk<'_>,
        near: &Near<'_>,
        sections: &Sections<'_>,
        hops: &Hops,
        is_from_internet: bool,
    ) -> Self {
        let graph = walk.graph();
        let mut links: Vec<(usize, usize, &TrustEdge<'_>)> = Vec::new();
        let mut others = 0;
        for edge in &near.edges {
            let (from, to) = (graph.place_of(edge.from), edge.to.place());
            if hops.leads_on(from, to) {
                links.push((from, to, edge));
            } else if hops.column.contains_key(&from) && hops.column.contains_key(&to) {
                others += 1;
            }
        }
        let mut columns = ordered(hops, &links);
        let further = columns
            .iter()
            .skip(MOST_COLUMNS)
            .map(|column| column.all())
            .sum();
        columns.truncate(MOST_COLUMNS);
        let mut sources: BTreeMap<usize, Vec<(usize, &TrustEdge<'_>)>> = BTreeMap::new();
        for (from, to, edge) in &links {
            sources.entry(*to).or_default().push((*from, edge));
        }
        let node = |place: &usize| {
            let from = sources.get(place).map_or(&[][..], Vec::as_slice);
            node(
                *place,
                sections,
                graph.outside(),
                graph.groups().len(),
                from,
                hops,
            )
        };
        let columns: Vec<Column> = columns
            .iter()
            .enumerate()
            .map(|(number, column)| Column {
                heading: heading(number, is_from_internet),
                nodes: column.kept.iter().map(node).collect(),
                more: column.folded.len(),
            })
            .collect();
        layout::draw(columns, &links, hops, is_from_internet, further, others)
    }
}

/// The places of a column: those that are shown, in their order from top to bottom, and the others.
#[derive(Debug, Default)]
struct Ordered {
    kept: Vec<usize>,
    folded: BTreeSet<usize>,
}

impl Ordered {
    fn all(&self) -> usize {
        self.kept.len() + self.folded.len()
    }
}

fn ordered(hops: &Hops, links: &[(usize, usize, &TrustEdge<'_>)]) -> Vec<Ordered> {
    let mut out: BTreeMap<usize, usize> = BTreeMap::new();
    let mut into: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (from, to, _) in links {
        *out.entry(*from).or_default() += 1;
        into.entry(*to).or_default().push(*from);
    }
    let leads = |place: &usize| out.get(place).copied().unwrap_or(0);
    let mut rows: Vec<Vec<usize>> = Vec::new();
    for (place, column) in &hops.column {
        if rows.len() <= *column {
            rows.resize_with(column + 1, Vec::new);
        }
        if let Some(row) = rows.get_mut(*column) {
            row.push(*place);
        }
    }
    let mut before: BTreeMap<usize, usize> = BTreeMap::new();
    let mut columns = Vec::new();
    for mut row in rows {
        // What leads on is shown before what leads nowhere, and with what is on its machine.
        row.sort_by_key(|place| (Reverse(leads(place)), *place));
        let folded: BTreeSet<usize> = row.iter().skip(MOST_OF_COLUMN).copied().collect();
        row.truncate(MOST_OF_COLUMN);
        let height = |place: &usize| {
            let parents: Vec<_> = into
                .get(place)
                .into_iter()
                .flatten()
                .filter_map(|from| before.get(from))
                .collect();
            let sum: usize = parents.iter().copied().sum();
            (sum * 1000)
                .checked_div(parents.len())
                .unwrap_or(usize::MAX)
        };
        row.sort_by_key(|place| (height(place), Reverse(leads(place)), *place));
        let kept = with_machines(row, hops);
        before = kept.iter().copied().zip(0..).collect();
        columns.push(Ordered { kept, folded });
    }
    columns
}

/// Groups that are come by over a machine stand beneath the group at whose door it is entered.
fn with_machines(row: Vec<usize>, hops: &Hops) -> Vec<usize> {
    let in_row: BTreeSet<usize> = row.iter().copied().collect();
    let door_of = |place: &usize| hops.via.get(place).filter(|door| in_row.contains(door));
    let mut kept = Vec::with_capacity(row.len());
    for place in &row {
        if door_of(place).is_some() {
            continue;
        }
        kept.push(*place);
        kept.extend(row.iter().filter(|other| door_of(other) == Some(place)));
    }
    kept
}

/// The groups that reach most, of those that let no other such group reach them.
fn most_reaching(walk: &Walk<'_>, overview: &Overview<'_>, near: &Near<'_>) -> Vec<usize> {
    let mut origins: Vec<usize> = walk.graph().indices().map(|index| index.place()).collect();
    origins.retain(|place| !near.targets(*place).is_empty());
    let reaches = |place: &usize| match &overview.counts {
        Some(counts) => counts.reaches.get(*place).copied().unwrap_or(0) as usize,
        None => near.targets(*place).len(),
    };
    origins.sort_by_key(|place| (Reverse(reaches(place)), *place));
    origins.truncate(MOST_ORIGINS);
    origins
}

fn heading(number: usize, is_from_internet: bool) -> String {
    match (number, is_from_internet) {
        (0, true) => "Facing the internet".to_owned(),
        (0, false) => "Reaching most".to_owned(),
        (1, _) => "1 hop".to_owned(),
        (hops, _) => format!("{hops} hops"),
    }
}

fn node(
    place: usize,
    sections: &Sections<'_>,
    outside: &[SourceName],
    groups: usize,
    sources: &[(usize, &TrustEdge<'_>)],
    hops: &Hops,
) -> Node {
    let name_of = |place: usize| short_name(place, sections, outside, groups);
    let mut words: Vec<_> = sources
        .iter()
        .take(MOST_SOURCES)
        .map(|(from, edge)| {
            let exempt = if edge.is_exempt { ", exempt" } else { "" };
            Text(format!(
                "{} ({}{exempt})",
                name_of(*from),
                ports_words(edge.ports)
            ))
        })
        .collect();
    if let Some(door) = hops.via.get(&place) {
        words.push(Text(format!("{}, on the same machine", name_of(*door))));
    }
    let name = name_of(place);
    let evaluated = sections.evaluated(place);
    let (class, verdict, id) = match evaluated {
        Some((_, one)) => {
            let status = one.verdict.status;
            let severity = Level::of(one.verdict.severity).word;
            let words = match status {
                Status::Failed => format!("FAILED · {severity}"),
                status => status.to_string(),
            };
            (
                class_of(status),
                words,
                escape(one.group.group_id.as_str()).into_owned(),
            )
        }
        None => ("outside", "not in the files".to_owned(), String::new()),
    };
    Node {
        place,
        label: fit(&name, NAME_WIDTH).into_owned(),
        name,
        id,
        words: verdict,
        class,
        anchor: sections.anchor(place),
        sources: words,
        more_sources: sources.len().saturating_sub(MOST_SOURCES),
    }
}

fn short_name(
    place: usize,
    sections: &Sections<'_>,
    outside: &[SourceName],
    groups: usize,
) -> String {
    if let Some((_, one)) = sections.evaluated(place) {
        let group = &one.group;
        let name = group
            .group_name
            .as_deref()
            .unwrap_or(group.group_id.as_str());
        return escape(name).into_owned();
    }
    let outside = place
        .checked_sub(groups)
        .and_then(|place| outside.get(place));
    outside.map(outside_name).unwrap_or_default()
}
