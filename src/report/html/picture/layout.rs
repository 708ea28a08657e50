//! Where everything of the picture stands.

use std::collections::{BTreeMap, BTreeSet};

use super::{Column, Hops, MOST_WIRES, Picture};
use crate::graph::TrustEdge;

const BOX_WIDTH: usize = 188;
const BOX_HEIGHT: usize = 42;
const ROW: usize = 54;
const COLUMN: usize = 252;
const TOP: usize = 34;
const MARGIN: usize = 12;
/// How much room the box of the internet takes at the left.
const INTERNET: usize = 142;
const INTERNET_WIDTH: usize = 92;

/// A box.
#[derive(Debug)]
pub(in crate::report::html) struct Shape {
    pub(in crate::report::html) x: usize,
    pub(in crate::report::html) y: usize,
    /// The column, and the place in it; one behind the last for what is folded.
    pub(in crate::report::html) column: usize,
    pub(in crate::report::html) row: usize,
}

/// A line.
#[derive(Debug)]
pub(in crate::report::html) struct Wire {
    pub(in crate::report::html) path: String,
    pub(in crate::report::html) class: &'static str,
}

/// A box by its column and its place there.
type Slot = (usize, usize);

pub(super) fn draw(
    columns: Vec<Column>,
    links: &[(usize, usize, &TrustEdge<'_>)],
    hops: &Hops,
    is_from_internet: bool,
    further: usize,
    others: usize,
) -> Picture {
    let rows = |column: &Column| column.nodes.len() + usize::from(column.more > 0);
    let most = columns.iter().map(rows).max().unwrap_or(0).max(1);
    let left = if is_from_internet { INTERNET } else { MARGIN };
    let mut shapes = Vec::new();
    let mut at: BTreeMap<Slot, (usize, usize)> = BTreeMap::new();
    for (number, column) in columns.iter().enumerate() {
        let above = (most - rows(column)) * ROW / 2;
        for row in 0..rows(column) {
            let (x, y) = (left + number * COLUMN, TOP + above + row * ROW);
            at.insert((number, row), (x, y));
            shapes.push(Shape {
                x,
                y,
                column: number,
                row,
            });
        }
    }
    let mut slots: BTreeMap<usize, Slot> = BTreeMap::new();
    for (number, column) in columns.iter().enumerate() {
        for (row, node) in column.nodes.iter().enumerate() {
            slots.insert(node.place, (number, row));
        }
    }
    let slot = |place: usize| {
        let number = *hops.column.get(&place)?;
        let folded = (number, columns.get(number)?.nodes.len());
        Some(slots.get(&place).copied().unwrap_or(folded))
    };
    let drawn = wires_between(links, slot);
    let is_thinned = drawn.len() > MOST_WIRES;
    let mut wires = Vec::new();
    let mut has_one = BTreeSet::new();
    for ((from, to), is_exempt) in &drawn {
        if is_thinned && !has_one.insert(*to) {
            continue;
        }
        if let (Some(begin), Some(end)) = (at.get(from), at.get(to)) {
            wires.push(Wire {
                path: curve(
                    (begin.0 + BOX_WIDTH, begin.1 + BOX_HEIGHT / 2),
                    (end.0, end.1 + BOX_HEIGHT / 2),
                ),
                class: if *is_exempt {
                    "wire exempt"
                } else {
                    "wire open"
                },
            });
        }
    }
    let not_drawn = others + drawn.len() - wires.len();
    let height = TOP + most * ROW;
    let internet_y = TOP + (most * ROW - (ROW - BOX_HEIGHT)) / 2;
    if is_from_internet {
        let doors: BTreeSet<Slot> = hops
            .door
            .iter()
            .filter(|(_, hop)| **hop == 0)
            .filter_map(|(place, _)| slot(*place))
            .collect();
        wires.extend(
            doors
                .iter()
                .filter_map(|door| at.get(door))
                .map(|(x, y)| Wire {
                    path: curve(
                        (MARGIN + INTERNET_WIDTH, internet_y),
                        (*x, y + BOX_HEIGHT / 2),
                    ),
                    class: "wire door",
                }),
        );
    }
    let before_machines = wires.len();
    wires.extend(hops.via.iter().filter_map(|(key, door)| {
        let (from, to) = (slots.get(door)?, slots.get(key)?);
        Some(Wire {
            path: beside(*at.get(from)?, *at.get(to)?),
            class: "wire machine",
        })
    }));
    Picture {
        is_from_internet,
        width: left + columns.len() * COLUMN - (COLUMN - BOX_WIDTH) + MARGIN,
        has_machines: wires.len() > before_machines,
        columns,
        shapes,
        wires,
        height,
        internet_y,
        further,
        not_drawn,
    }
}

/// The lines between boxes, each once; exempt where all that it stands for are.
fn wires_between(
    links: &[(usize, usize, &TrustEdge<'_>)],
    slot: impl Fn(usize) -> Option<Slot>,
) -> BTreeMap<(Slot, Slot), bool> {
    let mut drawn = BTreeMap::new();
    for (from, to, edge) in links {
        if let (Some(from), Some(to)) = (slot(*from), slot(*to)) {
            let is_exempt = drawn.entry((from, to)).or_insert(true);
            *is_exempt &= edge.is_exempt;
        }
    }
    drawn
}

fn curve(from: (usize, usize), to: (usize, usize)) -> String {
    let (x, y) = to;
    let bend = x.saturating_sub(from.0) / 2;
    format!(
        "M{} {}C{} {} {} {y} {} {y}",
        from.0,
        from.1,
        from.0 + bend,
        from.1,
        x.saturating_sub(bend),
        x.saturating_sub(2)
    )
}

/// Between two boxes of one column: straight down to the next one, else round the boxes between.
fn beside(from: (usize, usize), to: (usize, usize)) -> String {
    if to.1 == from.1 + ROW {
        return format!("M{} {}V{}", from.0 + 24, from.1 + BOX_HEIGHT, to.1);
    }
    let (begin, end) = (from.1 + BOX_HEIGHT / 2, to.1 + BOX_HEIGHT / 2);
    let x = from.0 + BOX_WIDTH;
    format!(
        "M{x} {begin}C{out} {begin} {out} {end} {x} {end}",
        out = x + 26
    )
}
