//! The answers about a graph as it is walked.

use std::cmp::Reverse;

use super::net::{
    Arc, Components, Dominators, EdgeId, Node, Rows, Ways, count_reached, minimum_cut, reached,
};
use super::trust::{End, GroupIndex, SourceName, TrustEdge};
use super::walk::{Origin, Walk};

/// The numbers of other groups that each group reaches, and is reached by, in the order of the groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReachCounts {
    pub reaches: Vec<u32>,
    pub reached_by: Vec<u32>,
}

/// A trust edge and what it is worth to remove it.
#[derive(Debug, Clone, Copy)]
pub struct Removal<'a> {
    pub edge: TrustEdge<'a>,
    /// The number of groups that are no longer reached, or no longer reach the target.
    pub frees: usize,
}

/// Who reaches some groups, each with the number of trust edges of the shortest way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaching<'a> {
    pub groups: Vec<(GroupIndex, u32)>,
    pub outside: Vec<(&'a SourceName, u32)>,
    pub internet: Option<u32>,
}

/// A step of a path.
#[derive(Debug, Clone, Copy)]
pub enum Hop<'a> {
    /// From the internet into a door.
    Internet(GroupIndex),
    Edge {
        edge: TrustEdge<'a>,
        /// The machine by which the chain came to the source of this edge, where the hop before led to another group.
        machine: Option<&'a str>,
    },
}

impl<'a> Walk<'a> {
    /// The groups whose doors are reached, each with the number of trust edges of the shortest way.
    #[must_use]
    pub fn reached(&self, from: Origin) -> Vec<(GroupIndex, u32)> {
        let ways = Ways::new(&self.rows, [self.origin(from)], is_edge);
        let hops = |index: GroupIndex| Some((index, ways.cost(self.door(index))?));
        self.graph.indices().filter_map(hops).collect()
    }

    /// Who reaches the door of one of the groups.
    #[must_use]
    pub fn reaching(&self, to: &[GroupIndex]) -> Reaching<'a> {
        let targets = to.iter().map(|target| self.door(*target));
        let ways = Ways::new(&self.rows.reversed(), targets, is_edge);
        let groups = self.graph.indices();
        let outside = self.graph.outside.iter().enumerate();
        Reaching {
            groups: groups
                .filter_map(|index| Some((index, ways.cost(self.key(index.0))?)))
                .collect(),
            outside: outside
                .filter_map(|(place, name)| {
                    Some((name, ways.cost(self.origin(Origin::Outside(place)))?))
                })
                .collect(),
            internet: ways.cost(self.internet()),
        }
    }

    /// The numbers of other groups that each reaches, and is reached by. None when there are more than 20 000 components.
    #[must_use]
    pub fn counts(&self) -> Option<ReachCounts> {
        let doors: Vec<_> = self.graph.indices().map(|index| self.door(index)).collect();
        let keys: Vec<_> = self
            .graph
            .indices()
            .map(|index| self.key(index.0))
            .collect();
        Some(ReachCounts {
            reaches: count_reached(&self.rows, &keys, &doors)?,
            reached_by: count_reached(&self.rows.reversed(), &doors, &keys)?,
        })
    }

    /// The number of other groups that are reached from the door of each. None as of [`Walk::counts`].
    #[must_use]
    pub fn counts_from_doors(&self) -> Option<Vec<u32>> {
        let doors: Vec<_> = self.graph.indices().map(|index| self.door(index)).collect();
        count_reached(&self.rows, &doors, &doors)
    }

    /// Sets of two groups or more that all reach each other and that traffic passes, in the order of their first groups.
    #[must_use]
    pub fn clusters(&self) -> Vec<Vec<GroupIndex>> {
        let components = Components::new(&self.rows);
        let mut members = vec![Vec::new(); components.count()];
        for index in self.graph.indices() {
            // Whoever gets in at the door gets the key.
            let component = components.of(self.door(index));
            if component == components.of(self.key(index.0))
                && let Some(members) = members.get_mut(component)
            {
                members.push(index);
            }
        }
        members.retain(|members| members.len() > 1);
        members.sort_unstable();
        members
    }

    /// The trust edges whose removal leaves groups unreached from the internet that were reached before, those that free
    /// most first.
    #[must_use]
    pub fn removals_from_internet(&self) -> Vec<Removal<'a>> {
        let doors = self.graph.groups.len();
        self.removals(&self.rows, self.internet(), |node| node.number() < doors)
    }

    /// The trust edges whose removal leaves groups that no longer reach the target.
    #[must_use]
    pub fn removals_towards(&self, to: GroupIndex) -> Vec<Removal<'a>> {
        let groups = self.graph.groups.len();
        let own = self.key(to.0);
        let is_counted = |node: Node| (groups..2 * groups).contains(&node.number()) && node != own;
        self.removals(&self.rows.reversed(), self.door(to), is_counted)
    }

    fn removals(
        &self,
        rows: &Rows,
        root: Node,
        is_counted: impl Fn(Node) -> bool,
    ) -> Vec<Removal<'a>> {
        let dominators = Dominators::new(rows, root);
        let dominated = dominators.dominated(is_counted);
        let bridges = dominators.bridges(rows).into_iter();
        let mut removals: Vec<_> = bridges
            .map(|(id, node)| (dominated[node], id))
            .filter(|(frees, _)| *frees > 0)
            .collect();
        removals.sort_unstable_by_key(|(frees, id)| (Reverse(*frees), *id));
        let removal = |(frees, id)| {
            Some(Removal {
                edge: self.edge(id)?,
                frees,
            })
        };
        removals.into_iter().filter_map(removal).collect()
    }

    /// A shortest path into the door of one of the groups; none when there is no path.
    #[must_use]
    pub fn path(&self, from: Origin, to: &[GroupIndex]) -> Option<Vec<Hop<'a>>> {
        let rows = self.rows_to(to);
        let ways = Ways::new(&rows, [self.origin(from)], is_edge);
        let mut hops = Vec::new();
        let mut machine = None;
        let mut entered = None;
        for (node, arc) in ways.way(self.sink())? {
            if let Some(edge) = arc.edge().and_then(|id| self.edge(id)) {
                let source = match edge.from {
                    End::Group(index, _) => Some(index),
                    End::Outside(_) => None,
                };
                let machine = machine.take().filter(|_| source != entered);
                hops.push(Hop::Edge { edge, machine });
                entered = Some(edge.to);
            } else if node == self.internet() {
                let door = self.graph.indices().nth(arc.to.number())?;
                hops.push(Hop::Internet(door));
                entered = Some(door);
            } else if let Some(place) = node.number().checked_sub(self.machine(0).number()) {
                machine = self
                    .graph
                    .machines
                    .get(place)
                    .map(|machine| machine.name.as_str());
            }
        }
        Some(hops)
    }

    /// The least number of trust edges that are not open on a path; none when there is no path.
    #[must_use]
    pub fn restricted_hops(&self, from: Origin, to: &[GroupIndex]) -> Option<u32> {
        let is_restricted = |arc: Arc| {
            let edge = arc.edge().and_then(|id| self.graph.edges.get(id.number()));
            edge.is_some_and(|edge| !edge.openness.is_walked)
        };
        let ways = Ways::new(&self.rows_to(to), [self.origin(from)], is_restricted);
        ways.cost(self.sink())
    }

    /// The trust edges that every path takes, in the order of a path.
    #[must_use]
    pub fn chokes(&self, from: Origin, to: &[GroupIndex]) -> Vec<TrustEdge<'a>> {
        let rows = self.rows_to(to);
        let dominators = Dominators::new(&rows, self.origin(from));
        let bridges = dominators.bridges(&rows).into_iter();
        bridges
            .filter(|(_, node)| dominators.dominates(*node, self.sink()))
            .filter_map(|(id, _)| self.edge(id))
            .collect()
    }

    /// A smallest set of trust edges without which there is no path: of several the one nearest to the groups. None when
    /// a path has no edge that may be cut; `keep_exempt` says that exempt ones may not.
    #[must_use]
    pub fn cut(
        &self,
        from: Origin,
        to: &[GroupIndex],
        keep_exempt: bool,
    ) -> Option<Vec<TrustEdge<'a>>> {
        let may_be_cut = |id: EdgeId| {
            let edge = self.graph.edges.get(id.number());
            !keep_exempt || edge.is_none_or(|edge| !edge.openness.is_exempt)
        };
        let rows = self.rows_to(to);
        let cut = minimum_cut(&rows, self.origin(from), self.sink(), may_be_cut)?;
        Some(cut.into_iter().filter_map(|id| self.edge(id)).collect())
    }

    /// The groups by whose doors one of the groups is reached, these among them.
    #[must_use]
    pub fn on_the_way(&self, to: &[GroupIndex]) -> Vec<GroupIndex> {
        let targets = to.iter().map(|target| self.door(*target));
        let is_reaching = reached(&self.rows.reversed(), targets);
        let groups = self.graph.indices();
        groups
            .filter(|index| is_reaching[self.door(*index)])
            .collect()
    }
}

fn is_edge(arc: Arc) -> bool {
    arc.edge().is_some()
}
