//! Shortest ways where an arc costs nothing or one.

use std::collections::VecDeque;

use super::{Arc, Node, NodeMap, Rows};

/// The shortest ways from some nodes to all that they reach.
#[derive(Debug)]
pub(in crate::graph) struct Ways {
    steps: NodeMap<Option<Step>>,
}

#[derive(Debug, Clone, Copy)]
struct Step {
    cost: u32,
    /// The arc by which the way comes, and from where; none where it begins.
    by: Option<(Node, Arc)>,
}

impl Ways {
    /// From these nodes, by a breadth-first search with two prices (0-1 breadth-first). Ways that cost the same are
    /// chosen by the order of the nodes and arcs.
    pub(in crate::graph) fn new(
        graph: &Rows,
        from: impl IntoIterator<Item = Node>,
        costs_one: impl Fn(Arc) -> bool,
    ) -> Self {
        let mut steps: NodeMap<Option<Step>> = NodeMap::new(None, graph.len());
        let mut queue = VecDeque::new();
        for node in from {
            steps[node] = Some(Step { cost: 0, by: None });
            queue.push_back((node, 0));
        }
        while let Some((node, cost)) = queue.pop_front() {
            if steps[node].is_some_and(|step| step.cost < cost) {
                continue;
            }
            for &arc in graph.arcs(node) {
                let price = u32::from(costs_one(arc));
                let cost = cost + price;
                if steps[arc.to].is_some_and(|step| step.cost <= cost) {
                    continue;
                }
                let by = Some((node, arc));
                steps[arc.to] = Some(Step { cost, by });
                if price == 0 {
                    queue.push_front((arc.to, cost));
                } else {
                    queue.push_back((arc.to, cost));
                }
            }
        }
        Self { steps }
    }

    /// The cost of the shortest way to a node; none when there is no way.
    pub(in crate::graph) fn cost(&self, to: Node) -> Option<u32> {
        self.steps[to].map(|step| step.cost)
    }

    /// The arcs of the shortest way, each with the node that it leaves; none when there is no way.
    pub(in crate::graph) fn way(&self, to: Node) -> Option<Vec<(Node, Arc)>> {
        let mut step = self.steps[to]?;
        let mut way = Vec::new();
        while let Some((from, arc)) = step.by {
            way.push((from, arc));
            step = self.steps[from]?;
        }
        way.reverse();
        Some(way)
    }
}

/// Which nodes are reached from these, themselves among them.
pub(in crate::graph) fn reached(
    graph: &Rows,
    from: impl IntoIterator<Item = Node>,
) -> NodeMap<bool> {
    let mut is_reached = NodeMap::new(false, graph.len());
    let mut stack: Vec<Node> = from.into_iter().collect();
    for &node in &stack {
        is_reached[node] = true;
    }
    while let Some(node) = stack.pop() {
        for arc in graph.arcs(node) {
            if !is_reached[arc.to] {
                is_reached[arc.to] = true;
                stack.push(arc.to);
            }
        }
    }
    is_reached
}
