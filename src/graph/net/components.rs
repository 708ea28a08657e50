//! Strongly connected components: nodes that all reach each other (Tarjan 1972, without recursion).

use super::{Node, NodeMap, Rows};

/// The components, numbered so that every arc leads into its own component or into one with a lower number.
#[derive(Debug)]
pub(in crate::graph) struct Components {
    of: NodeMap<u32>,
    count: usize,
}

/// A node that the search has not come to.
const UNSEEN: u32 = u32::MAX;

impl Components {
    pub(in crate::graph) fn new(graph: &Rows) -> Self {
        let mut of = NodeMap::new(UNSEEN, graph.len());
        // The lowest number in the order of the search that is known to be reached; at first the node's own.
        let mut low = NodeMap::new(UNSEEN, graph.len());
        let (mut clock, mut count) = (0, 0);
        let mut waiting: Vec<Node> = Vec::new();
        let mut stack: Vec<(Node, u32, usize)> = Vec::new();
        for root in graph.nodes() {
            if low[root] == UNSEEN {
                low[root] = clock;
                stack.push((root, clock, 0));
                waiting.push(root);
                clock += 1;
            }
            while let Some((node, own, place)) = stack.last_mut() {
                let node = *node;
                if let Some(arc) = graph.arc(node, *place) {
                    *place += 1;
                    if low[arc.to] == UNSEEN {
                        low[arc.to] = clock;
                        stack.push((arc.to, clock, 0));
                        waiting.push(arc.to);
                        clock += 1;
                    } else if of[arc.to] == UNSEEN {
                        low[node] = low[node].min(low[arc.to]);
                    }
                    continue;
                }
                let is_first = low[node] == *own;
                stack.pop();
                if is_first {
                    while let Some(member) = waiting.pop() {
                        of[member] = count;
                        if member == node {
                            break;
                        }
                    }
                    count += 1;
                } else if let Some((above, ..)) = stack.last() {
                    low[*above] = low[*above].min(low[node]);
                }
            }
        }
        Self {
            of,
            count: count as usize,
        }
    }

    pub(in crate::graph) fn count(&self) -> usize {
        self.count
    }

    /// The number of a node's component.
    pub(in crate::graph) fn of(&self, node: Node) -> usize {
        self.of[node] as usize
    }
}
