//! Dominators: a node dominates another when every way from the root leads through it (Lengauer and Tarjan 1979).
//!
//! The same holds of arcs. An arc is a *bridge* when every way to its end takes it; it is one exactly when it comes from
//! the immediate dominator of its end, alone, and every other arc into the end comes from what the end dominates. Then
//! all that the end dominates is reached by the bridge alone.

use super::{EdgeId, Node, NodeMap, Rows};

/// The dominators of everything that a root reaches.
#[derive(Debug)]
pub(in crate::graph) struct Dominators {
    /// The nodes in the order of the search: a node comes behind those that dominate it.
    order: Vec<Node>,
    immediate: NodeMap<Option<Node>>,
    /// Where a node stands in a walk over the tree of dominators, and how many nodes it has below it, itself included.
    begin: NodeMap<usize>,
    size: NodeMap<usize>,
}

/// A node during the search. Nodes are named by their places in the order of the search.
struct Search {
    parent: NodeMap<Node>,
    semi: NodeMap<Node>,
    best: NodeMap<Node>,
    above: NodeMap<Option<Node>>,
}

impl Search {
    /// The node of the lowest semidominator on the way up to the root of a node's tree in the forest, the root left out.
    /// Shortens the way for the next.
    fn evaluate(&mut self, node: Node) -> Node {
        let mut way = Vec::new();
        let mut at = node;
        while let Some(above) = self.above[at].filter(|above| self.above[*above].is_some()) {
            way.push(at);
            at = above;
        }
        let mut above = at;
        while let Some(below) = way.pop() {
            if self.semi[self.best[above]] < self.semi[self.best[below]] {
                self.best[below] = self.best[above];
            }
            self.above[below] = self.above[above];
            above = below;
        }
        self.best[node]
    }
}

impl Dominators {
    pub(in crate::graph) fn new(graph: &Rows, root: Node) -> Self {
        let (order, place, parent) = search(graph, root);
        let count = order.len();
        let places = (0..count).map(Node::new);
        let incoming = graph.reversed();
        let node_at = |at: Node| order.get(at.number()).copied();
        let mut search = Search {
            parent,
            semi: places.clone().collect(),
            best: places.clone().collect(),
            above: NodeMap::new(None, count),
        };
        // By place: at first the semidominator's best, in the end the immediate dominator.
        let mut immediate: NodeMap<Node> = places.clone().collect();
        // The nodes whose semidominator a node is, as lists.
        let mut first: NodeMap<Option<Node>> = NodeMap::new(None, count);
        let mut next: NodeMap<Option<Node>> = NodeMap::new(None, count);
        for at in places.clone().skip(1).rev() {
            let Some(node) = node_at(at) else { continue };
            for arc in incoming.arcs(node) {
                if let Some(from) = place[arc.to] {
                    let best = search.evaluate(from);
                    search.semi[at] = search.semi[at].min(search.semi[best]);
                }
            }
            let semi = search.semi[at];
            next[at] = first[semi].replace(at);
            let parent = search.parent[at];
            search.above[at] = Some(parent);
            let mut waiting = first[parent].take();
            while let Some(one) = waiting {
                let best = search.evaluate(one);
                immediate[one] = if search.semi[best] < search.semi[one] {
                    best
                } else {
                    parent
                };
                waiting = next[one];
            }
        }
        for at in places.skip(1) {
            if immediate[at] != search.semi[at] {
                immediate[at] = immediate[immediate[at]];
            }
        }
        let mut of_nodes = NodeMap::new(None, graph.len());
        for (at, &node) in order.iter().enumerate().skip(1) {
            of_nodes[node] = node_at(immediate[Node::new(at)]);
        }
        Self::with_tree(order, of_nodes)
    }

    fn with_tree(order: Vec<Node>, immediate: NodeMap<Option<Node>>) -> Self {
        let mut size = NodeMap::new(0_usize, immediate.len());
        for &node in order.iter().rev() {
            size[node] += 1;
            if let Some(above) = immediate[node] {
                size[above] += size[node];
            }
        }
        let mut begin = NodeMap::new(0_usize, immediate.len());
        let mut free = NodeMap::new(1_usize, immediate.len());
        for &node in &order {
            if let Some(above) = immediate[node] {
                begin[node] = free[above];
                free[above] += size[node];
                free[node] = begin[node] + 1;
            }
        }
        Self {
            order,
            immediate,
            begin,
            size,
        }
    }

    /// The last node through which every way to this one leads; none of the root, and of what is not reached.
    pub(in crate::graph) fn immediate(&self, node: Node) -> Option<Node> {
        self.immediate[node]
    }

    /// Whether the one dominates the other; every reached node dominates itself.
    pub(in crate::graph) fn dominates(&self, node: Node, other: Node) -> bool {
        let (begin, end) = (self.begin[node], self.begin[node] + self.size[node]);
        self.size[other] > 0 && (begin..end).contains(&self.begin[other])
    }

    /// The bridges that are trust edges, each with the node that it leads to.
    pub(in crate::graph) fn bridges(&self, graph: &Rows) -> Vec<(EdgeId, Node)> {
        let incoming = graph.reversed();
        let bridge_to = |&to: &Node| {
            let above = self.immediate(to)?;
            let mut bridge = None;
            for arc in incoming.arcs(to) {
                if arc.to == above && bridge.is_none() {
                    bridge = Some(arc.edge()?);
                } else if arc.to == above || self.size[arc.to] > 0 && !self.dominates(to, arc.to) {
                    return None;
                }
            }
            Some((bridge?, to))
        };
        self.order.iter().filter_map(bridge_to).collect()
    }

    /// The number of counted nodes that each node dominates.
    pub(in crate::graph) fn dominated(&self, is_counted: impl Fn(Node) -> bool) -> NodeMap<usize> {
        let mut dominated = NodeMap::new(0, self.immediate.len());
        for &node in self.order.iter().rev() {
            dominated[node] += usize::from(is_counted(node));
            if let Some(above) = self.immediate[node] {
                dominated[above] += dominated[node];
            }
        }
        dominated
    }
}

/// A depth-first search: the nodes in its order, the place of each in it, and by place the place of the parent.
fn search(graph: &Rows, root: Node) -> (Vec<Node>, NodeMap<Option<Node>>, NodeMap<Node>) {
    let mut order = vec![root];
    let mut place = NodeMap::new(None, graph.len());
    let mut parents = vec![Node::new(0)];
    place[root] = Some(Node::new(0));
    let mut stack = vec![(root, Node::new(0), 0)];
    while let Some((node, own, at)) = stack.last_mut() {
        let (node, own) = (*node, *own);
        match graph.arc(node, *at) {
            Some(arc) => {
                *at += 1;
                if place[arc.to].is_none() {
                    let new = Node::new(order.len());
                    place[arc.to] = Some(new);
                    order.push(arc.to);
                    parents.push(own);
                    stack.push((arc.to, new, 0));
                }
            }
            None => {
                stack.pop();
            }
        }
    }
    (order, place, parents.into_iter().collect())
}
