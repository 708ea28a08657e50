//! The smallest set of trust edges whose removal leaves no way: a minimum cut by a maximum flow (Dinic 1970).

use super::{Arc, EdgeId, Node, NodeMap, Rows, reached};

/// The capacity of an arc that cannot be cut.
const ENDLESS: u32 = u32::MAX / 2;

/// The residual graph: every arc lies beside its reverse, at the place with the last bit turned.
struct Residual {
    rows: Rows,
    heads: Vec<Node>,
    left: Vec<u32>,
}

/// A smallest set of edges that may be cut and leave no way from a node to another, sorted: of several the one that is
/// nearest to the target. None when a way has no such edge.
pub(in crate::graph) fn minimum_cut(
    graph: &Rows,
    from: Node,
    to: Node,
    may_be_cut: impl Fn(EdgeId) -> bool,
) -> Option<Vec<EdgeId>> {
    let from_source = reached(graph, [from]);
    let to_target = reached(&graph.reversed(), [to]);
    let arcs: Vec<(Node, Arc)> = graph
        .all_arcs()
        .filter(|(tail, arc)| from_source[*tail] && to_target[arc.to])
        .collect();
    let capacity = |arc: Arc| match arc.edge() {
        Some(edge) if may_be_cut(edge) => 1,
        _ => ENDLESS,
    };
    let is_endless = |(_, arc): &&(Node, Arc)| capacity(*arc) == ENDLESS;
    let uncuttable = Rows::new(graph.len(), arcs.iter().filter(is_endless).copied());
    if reached(&uncuttable, [from])[to] {
        return None;
    }
    let mut residual = Residual::new(graph.len(), &arcs, capacity);
    while let Some(level) = residual.levels(from, to) {
        residual.block(from, to, &level);
    }
    let beyond = residual.reaching(to);
    let mut cut: Vec<_> = arcs
        .iter()
        .filter(|(tail, arc)| !beyond[*tail] && beyond[arc.to])
        .filter_map(|(_, arc)| arc.edge())
        .collect();
    cut.sort_unstable();
    Some(cut)
}

impl Residual {
    fn new(nodes: usize, arcs: &[(Node, Arc)], capacity: impl Fn(Arc) -> u32) -> Self {
        let pairs = arcs.iter().enumerate().flat_map(|(number, (from, arc))| {
            let place = |bit| Arc::new(Node::new(number * 2 + bit), None);
            [(*from, place(0)), (arc.to, place(1))]
        });
        Self {
            rows: Rows::new(nodes, pairs),
            heads: arcs
                .iter()
                .flat_map(|(from, arc)| [arc.to, *from])
                .collect(),
            left: arcs
                .iter()
                .flat_map(|(_, arc)| [capacity(*arc), 0])
                .collect(),
        }
    }

    fn head(&self, place: usize) -> Option<Node> {
        self.heads.get(place).copied()
    }

    fn left(&self, place: usize) -> u32 {
        self.left.get(place).copied().unwrap_or(0)
    }

    /// The distance of each node from the source by arcs that are not full; none when the target is not reached.
    fn levels(&self, from: Node, to: Node) -> Option<NodeMap<u32>> {
        let mut level = NodeMap::new(u32::MAX, self.rows.len());
        level[from] = 0;
        let mut ring = vec![from];
        let mut depth = 0;
        while !ring.is_empty() && level[to] == u32::MAX {
            depth += 1;
            let mut next = Vec::new();
            for node in ring {
                for arc in self.rows.arcs(node) {
                    let place = arc.to.number();
                    let Some(head) = self.head(place).filter(|_| self.left(place) > 0) else {
                        continue;
                    };
                    if level[head] == u32::MAX {
                        level[head] = depth;
                        next.push(head);
                    }
                }
            }
            ring = next;
        }
        (level[to] != u32::MAX).then_some(level)
    }

    /// Sends what it can along the levels.
    fn block(&mut self, from: Node, to: Node, level: &NodeMap<u32>) {
        let mut at = NodeMap::new(0_usize, self.rows.len());
        let mut way: Vec<(Node, usize)> = Vec::new();
        let mut node = from;
        loop {
            if node == to {
                node = self.send(&mut way).unwrap_or(from);
                continue;
            }
            match self.rows.arc(node, at[node]) {
                Some(arc) => {
                    let place = arc.to.number();
                    match self.head(place) {
                        Some(head)
                            if self.left(place) > 0
                                && level[head] == level[node].saturating_add(1) =>
                        {
                            way.push((node, place));
                            node = head;
                        }
                        _ => at[node] += 1,
                    }
                }
                None => match way.pop() {
                    Some((before, _)) => {
                        at[before] += 1;
                        node = before;
                    }
                    None => return,
                },
            }
        }
    }

    /// Fills a way, and takes it back to the first arc that is full now: the node before it.
    fn send(&mut self, way: &mut Vec<(Node, usize)>) -> Option<Node> {
        let flow = way.iter().map(|(_, place)| self.left(*place)).min()?;
        let mut full = None;
        for (index, (_, place)) in way.iter().enumerate() {
            if let Some(left) = self.left.get_mut(*place) {
                *left -= flow;
                if *left == 0 {
                    full.get_or_insert(index);
                }
            }
            if let Some(back) = self.left.get_mut(*place ^ 1) {
                *back += flow;
            }
        }
        let index = full?;
        let node = way.get(index).map(|(node, _)| *node);
        way.truncate(index);
        node
    }

    /// The nodes from which the target can still be reached.
    fn reaching(&self, to: Node) -> NodeMap<bool> {
        let mut is_reaching = NodeMap::new(false, self.rows.len());
        is_reaching[to] = true;
        let mut stack = vec![to];
        while let Some(node) = stack.pop() {
            for arc in self.rows.arcs(node) {
                // The arc into this node is the reverse of one that leaves it.
                let place = arc.to.number();
                if let Some(tail) = self.head(place)
                    && self.left(place ^ 1) > 0
                    && !is_reaching[tail]
                {
                    is_reaching[tail] = true;
                    stack.push(tail);
                }
            }
        }
        is_reaching
    }
}
