//! A trust graph as it is walked: doors, keys and machines as nodes.
//!
//! A group is two nodes: its door, the traffic that it admits, and its key, whoever carries it. A trust edge leads from
//! the source's key to the target's door; a machine leads from the doors of its groups to their keys. Where nobody knows
//! who carries a group, its door leads to its own key.

use super::net::{Arc, EdgeId, Node, Rows};
use super::trust::{Carried, End, GroupIndex, TrustEdge, TrustGraph};

/// Which trust edges are walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Those that are open: the policy finds a violation of another protocol than ICMP.
    Open,
    /// Those with a port of any protocol but ICMP.
    Any,
}

/// Where a chain begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    Internet,
    Group(GroupIndex),
    /// A source that no file has, by its place among [`TrustGraph::outside`].
    Outside(usize),
}

/// A trust graph as it is walked.
#[derive(Debug)]
pub struct Walk<'a> {
    pub(super) graph: &'a TrustGraph,
    trust: Trust,
    exposed_only: bool,
    /// The doors that the internet reaches.
    doors: Vec<GroupIndex>,
    arcs: Vec<(Node, Arc)>,
    pub(super) rows: Rows,
}

impl<'a> Walk<'a> {
    /// By open trust or any. The internet reaches every door that faces it, or with `exposed_only` those of which it is
    /// known that they have a public address.
    #[must_use]
    pub fn new(graph: &'a TrustGraph, trust: Trust, exposed_only: bool) -> Self {
        let is_door = |index: &GroupIndex| {
            let group = graph.group(*index);
            group.is_some_and(|group| {
                group.internet.is_facing()
                    && !group.is_latent()
                    && (group.is_exposed() || !exposed_only)
            })
        };
        let mut walk = Self {
            graph,
            trust,
            exposed_only,
            doors: graph.indices().filter(is_door).collect(),
            arcs: Vec::new(),
            rows: Rows::new(0, []),
        };
        walk.arcs = walk.all_arcs();
        walk.rows = walk.rows_to(&[]);
        walk
    }

    #[must_use]
    pub fn graph(&self) -> &'a TrustGraph {
        self.graph
    }

    #[must_use]
    pub fn trust(&self) -> Trust {
        self.trust
    }

    #[must_use]
    pub fn is_exposed_only(&self) -> bool {
        self.exposed_only
    }

    /// The trust edges that are walked, by source, then target.
    #[must_use]
    pub fn walked_edges(&self) -> Vec<TrustEdge<'a>> {
        let walked = |(place, edge)| self.is_walked(place).then(|| self.graph.edge(edge))?;
        self.graph
            .edges
            .iter()
            .enumerate()
            .filter_map(walked)
            .collect()
    }

    pub(super) fn door(&self, group: GroupIndex) -> Node {
        Node::new(group.0 as usize)
    }

    /// The key of a group or of a source outside.
    pub(super) fn key(&self, source: u32) -> Node {
        Node::new(self.graph.groups.len() + source as usize)
    }

    pub(super) fn machine(&self, place: usize) -> Node {
        Node::new(2 * self.graph.groups.len() + self.graph.outside.len() + place)
    }

    pub(super) fn internet(&self) -> Node {
        self.machine(self.graph.machines.len())
    }

    /// Where the ways to all targets of a question end.
    pub(super) fn sink(&self) -> Node {
        self.machine(self.graph.machines.len() + 1)
    }

    pub(super) fn origin(&self, origin: Origin) -> Node {
        match origin {
            Origin::Internet => self.internet(),
            Origin::Group(group) => self.key(group.0),
            Origin::Outside(place) => Node::new(2 * self.graph.groups.len() + place),
        }
    }

    pub(super) fn is_walked(&self, place: usize) -> bool {
        let Some(edge) = self.graph.edges.get(place) else {
            return false;
        };
        let is_carried = match self.graph.end(edge.from) {
            Some(End::Group(_, group)) => !group.is_latent(),
            _ => true,
        };
        is_carried
            && match self.trust {
                Trust::Open => edge.openness.is_walked,
                Trust::Any => {
                    let carried = self.graph.carried.get(edge.carried as usize);
                    carried.is_some_and(Carried::has_port)
                }
            }
    }

    fn all_arcs(&self) -> Vec<(Node, Arc)> {
        let graph = self.graph;
        let edges = (0..graph.edges.len()).filter(|place| self.is_walked(*place));
        let edges = edges.filter_map(|place| {
            let edge = graph.edges.get(place)?;
            let arc = Arc::new(self.door(GroupIndex(edge.to)), Some(EdgeId::new(place)));
            Some((self.key(edge.from), arc))
        });
        let uncarried = graph.indices().filter(|index| {
            let group = graph.group(*index);
            group.is_some_and(|group| group.carriers.is_none())
        });
        let own_keys = uncarried.map(|index| (self.door(index), Arc::new(self.key(index.0), None)));
        let machines = graph
            .machines
            .iter()
            .enumerate()
            .flat_map(|(place, machine)| {
                let node = self.machine(place);
                let doors = machine.doors.iter();
                let doors =
                    doors.map(move |door| (self.door(GroupIndex(*door)), Arc::new(node, None)));
                let keys = machine.keys.iter();
                doors.chain(keys.map(move |key| (node, Arc::new(self.key(*key), None))))
            });
        let internet = self
            .doors
            .iter()
            .map(|door| (self.internet(), Arc::new(self.door(*door), None)));
        edges
            .chain(own_keys)
            .chain(machines)
            .chain(internet)
            .collect()
    }

    pub(super) fn rows_to(&self, targets: &[GroupIndex]) -> Rows {
        let sinks = targets
            .iter()
            .map(|target| (self.door(*target), Arc::new(self.sink(), None)));
        Rows::new(
            self.sink().number() + 1,
            self.arcs.iter().copied().chain(sinks),
        )
    }

    pub(super) fn edge(&self, id: EdgeId) -> Option<TrustEdge<'a>> {
        self.graph.edge(self.graph.edges.get(id.number())?)
    }

    /// The doors that the internet reaches directly.
    #[must_use]
    pub fn internet_doors(&self) -> &[GroupIndex] {
        &self.doors
    }
}
