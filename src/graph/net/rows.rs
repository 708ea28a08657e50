//! The graph itself, in compressed rows: the arcs of a node lie side by side.

use std::fmt;
use std::ops::{Index, IndexMut};

/// A node, by its number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::graph) struct Node(u32);

/// A trust edge, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::graph) struct EdgeId(u32);

/// An arc as a node's row has it: where it leads, and the trust edge that it stands for. An arc without one belongs to
/// the structure (a group on a machine) and is never counted or cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::graph) struct Arc {
    pub(in crate::graph) to: Node,
    edge: u32,
}

const NO_EDGE: u32 = u32::MAX;

impl Node {
    /// The node of a number. A graph of 2³² nodes would not fit into memory; its last nodes would be found missing.
    pub(in crate::graph) fn new(number: usize) -> Self {
        Self(u32::try_from(number).unwrap_or(u32::MAX))
    }

    pub(in crate::graph) fn number(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl EdgeId {
    pub(in crate::graph) fn new(number: usize) -> Self {
        Self(u32::try_from(number).unwrap_or(NO_EDGE))
    }

    pub(in crate::graph) fn number(self) -> usize {
        self.0 as usize
    }
}

impl Arc {
    pub(in crate::graph) fn new(to: Node, edge: Option<EdgeId>) -> Self {
        Self {
            to,
            edge: edge.map_or(NO_EDGE, |edge| edge.0),
        }
    }

    pub(in crate::graph) fn edge(self) -> Option<EdgeId> {
        (self.edge != NO_EDGE).then_some(EdgeId(self.edge))
    }
}

/// A value for each node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::graph) struct NodeMap<T>(Vec<T>);

impl<T: Clone> NodeMap<T> {
    pub(in crate::graph) fn new(value: T, nodes: usize) -> Self {
        Self(vec![value; nodes])
    }
}

impl<T> NodeMap<T> {
    pub(in crate::graph) fn len(&self) -> usize {
        self.0.len()
    }
}

impl<T> FromIterator<T> for NodeMap<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

impl<T> Index<Node> for NodeMap<T> {
    type Output = T;

    #[expect(
        clippy::indexing_slicing,
        reason = "nodes come from the graph for which the map was made: a wrong one is a bug that must not go on"
    )]
    fn index(&self, node: Node) -> &T {
        &self.0[node.number()]
    }
}

impl<T> IndexMut<Node> for NodeMap<T> {
    #[expect(
        clippy::indexing_slicing,
        reason = "nodes come from the graph for which the map was made: a wrong one is a bug that must not go on"
    )]
    fn index_mut(&mut self, node: Node) -> &mut T {
        &mut self.0[node.number()]
    }
}

/// A directed graph. The arcs of a node keep the order in which they were given.
#[derive(Debug, Clone)]
pub(in crate::graph) struct Rows {
    /// Where the arcs of each node end.
    ends: NodeMap<usize>,
    arcs: Vec<Arc>,
}

impl Rows {
    /// Of so many nodes, with these arcs.
    pub(in crate::graph) fn new<I>(nodes: usize, arcs: I) -> Self
    where
        I: IntoIterator<Item = (Node, Arc)> + Clone,
    {
        let mut ends = NodeMap::new(0_usize, nodes);
        let mut total = 0;
        for (from, _) in arcs.clone() {
            ends[from] += 1;
            total += 1;
        }
        // Where each begins; filling moves it to where it ends.
        let mut begin = 0;
        for end in &mut ends.0 {
            let length = *end;
            *end = begin;
            begin += length;
        }
        let mut row = vec![Arc::new(Node(0), None); total];
        for (from, arc) in arcs {
            if let Some(place) = row.get_mut(ends[from]) {
                *place = arc;
            }
            ends[from] += 1;
        }
        Self { ends, arcs: row }
    }

    pub(in crate::graph) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(in crate::graph) fn nodes(&self) -> impl DoubleEndedIterator<Item = Node> + Clone + use<> {
        (0..self.len()).map(Node::new)
    }

    fn bounds(&self, node: Node) -> (usize, usize) {
        let begin = match node.0.checked_sub(1) {
            Some(before) => self.ends[Node(before)],
            None => 0,
        };
        (begin, self.ends[node])
    }

    pub(in crate::graph) fn arcs(&self, from: Node) -> &[Arc] {
        let (begin, end) = self.bounds(from);
        self.arcs.get(begin..end).unwrap_or_default()
    }

    /// The arc of a node at a place of its row; none behind the last.
    pub(super) fn arc(&self, from: Node, place: usize) -> Option<Arc> {
        let (begin, end) = self.bounds(from);
        let at = begin + place;
        (at < end).then(|| self.arcs.get(at).copied())?
    }

    /// Every arc with the node that it leaves.
    pub(super) fn all_arcs(&self) -> impl Iterator<Item = (Node, Arc)> + Clone {
        self.nodes()
            .flat_map(|from| self.arcs(from).iter().map(move |arc| (from, *arc)))
    }

    /// The same graph with every arc turned round.
    pub(in crate::graph) fn reversed(&self) -> Self {
        let turned = self
            .all_arcs()
            .map(|(from, arc)| (arc.to, Arc { to: from, ..arc }));
        Self::new(self.len(), turned)
    }
}
