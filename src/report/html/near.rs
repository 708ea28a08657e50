//! The groups nearest to one, by open trust.

use std::collections::BTreeSet;

use crate::graph::{TrustEdge, TrustGraph, Walk};

/// The trust that is walked, group by group. Groups, and behind them the sources outside, are numbered as
/// [`TrustGraph::place_of`] does.
#[derive(Debug)]
pub(super) struct Near<'a> {
    pub(super) edges: Vec<TrustEdge<'a>>,
    /// As whom traffic goes on that came in at a group.
    pub(super) keys: Vec<Vec<usize>>,
    /// The groups behind whose doors a key lies.
    doors: Vec<Vec<usize>>,
    /// The groups that let a key in.
    targets: Vec<Vec<usize>>,
    sources: Vec<Vec<usize>>,
}

/// A group near another, and how many trust edges lie between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Neighbour {
    pub(super) place: usize,
    pub(super) hops: u32,
}

fn push(rows: &mut [Vec<usize>], at: usize, value: usize) {
    if let Some(row) = rows.get_mut(at) {
        row.push(value);
    }
}

fn row(rows: &[Vec<usize>], at: usize) -> &[usize] {
    rows.get(at).map_or(&[], Vec::as_slice)
}

impl<'a> Near<'a> {
    pub(super) fn new(walk: &Walk<'a>) -> Self {
        let graph: &TrustGraph = walk.graph();
        let mut edges = walk.walked_edges();
        // A group that lets itself in is no neighbour of its own.
        edges.retain(|edge| graph.place_of(edge.from) != edge.to.place());
        let keys = graph.keys_behind_doors();
        let places = graph.groups().len() + graph.outside().len();
        let mut near = Self {
            doors: vec![Vec::new(); places],
            targets: vec![Vec::new(); places],
            sources: vec![Vec::new(); places],
            edges: Vec::new(),
            keys: Vec::new(),
        };
        for edge in &edges {
            let (from, to) = (graph.place_of(edge.from), edge.to.place());
            push(&mut near.targets, from, to);
            push(&mut near.sources, to, from);
        }
        for (door, keys) in keys.iter().enumerate() {
            for key in keys {
                push(&mut near.doors, *key, door);
            }
        }
        Self {
            edges,
            keys,
            ..near
        }
    }

    pub(super) fn targets(&self, key: usize) -> &[usize] {
        row(&self.targets, key)
    }

    pub(super) fn sources(&self, door: usize) -> &[usize] {
        row(&self.sources, door)
    }

    pub(super) fn keys(&self, door: usize) -> &[usize] {
        row(&self.keys, door)
    }

    pub(super) fn doors(&self, key: usize) -> &[usize] {
        row(&self.doors, key)
    }

    /// The groups that one reaches, the nearest first, and no more than so many.
    pub(super) fn reached_from(&self, place: usize, most: usize) -> Vec<Neighbour> {
        nearest(place, most, |key| self.targets(key), |door| self.keys(door))
    }

    /// Who reaches a group.
    pub(super) fn reaching(&self, place: usize, most: usize) -> Vec<Neighbour> {
        nearest(
            place,
            most,
            |door| self.sources(door),
            |key| self.doors(key),
        )
    }
}

/// Breadth first: what lies at the end of an edge, and through what it goes on.
fn nearest<'n>(
    start: usize,
    most: usize,
    step: impl Fn(usize) -> &'n [usize],
    through: impl Fn(usize) -> &'n [usize],
) -> Vec<Neighbour> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::from([start]);
    let mut entered = BTreeSet::from([start]);
    let mut border = vec![start];
    let mut hops = 0;
    while !border.is_empty() {
        hops += 1;
        let mut next = Vec::new();
        for place in border {
            for end in step(place) {
                if seen.insert(*end) {
                    found.push(Neighbour { place: *end, hops });
                    // A group with thousands of neighbours is not walked to the last of them.
                    if found.len() >= most {
                        return found;
                    }
                }
                next.extend(
                    through(*end)
                        .iter()
                        .filter(|through| entered.insert(**through)),
                );
            }
        }
        border = next;
    }
    found
}
