//! Every answer equals brute force on small graphs, and petgraph on larger ones.

use std::collections::BTreeSet;

use petgraph::algo::{dijkstra, dominators, kosaraju_scc};
use petgraph::graph::{DiGraph, NodeIndex};
use proptest::prelude::*;

use super::*;

/// Arcs by the numbers of their ends; every other one is a trust edge with its place as its number.
type Drawing = (usize, Vec<(usize, usize, bool)>);

fn drawing(most_nodes: usize, most_arcs: usize) -> impl Strategy<Value = Drawing> {
    (1..=most_nodes).prop_flat_map(move |nodes| {
        let arc = (0..nodes, 0..nodes, prop::bool::weighted(0.8));
        (Just(nodes), prop::collection::vec(arc, 0..=most_arcs))
    })
}

fn graph((nodes, arcs): &Drawing) -> Rows {
    without(*nodes, arcs, &BTreeSet::new())
}

fn without(nodes: usize, arcs: &[(usize, usize, bool)], removed: &BTreeSet<usize>) -> Rows {
    let arcs = arcs.iter().enumerate();
    let arcs = arcs.filter(|(number, (.., is_edge))| !(*is_edge && removed.contains(number)));
    let arcs = arcs.map(|(number, (from, to, is_edge))| {
        let edge = is_edge.then(|| EdgeId::new(number));
        (Node::new(*from), Arc::new(Node::new(*to), edge))
    });
    Rows::new(nodes, arcs)
}

/// Who reaches whom, by trying one more arc until nothing changes.
fn closure((nodes, arcs): &Drawing, removed: &BTreeSet<usize>) -> Vec<Vec<bool>> {
    let mut reach: Vec<Vec<bool>> = (0..*nodes)
        .map(|from| (0..*nodes).map(|to| from == to).collect())
        .collect();
    loop {
        let before = reach.clone();
        for (number, (from, to, is_edge)) in arcs.iter().enumerate() {
            if *is_edge && removed.contains(&number) {
                continue;
            }
            for row in &mut reach {
                row[*to] |= row[*from];
            }
        }
        if reach == before {
            return reach;
        }
    }
}

fn oracle((nodes, arcs): &Drawing) -> DiGraph<(), u32> {
    let mut graph = DiGraph::new();
    for _ in 0..*nodes {
        graph.add_node(());
    }
    for (from, to, is_edge) in arcs {
        graph.add_edge(
            NodeIndex::new(*from),
            NodeIndex::new(*to),
            u32::from(*is_edge),
        );
    }
    graph
}

fn edges_of(arcs: &[(usize, usize, bool)]) -> Vec<usize> {
    (0..arcs.len()).filter(|number| arcs[*number].2).collect()
}

proptest! {
    #[test]
    fn rows_hold_the_arcs_and_turn_round(drawing in drawing(12, 40)) {
        let graph = graph(&drawing);
        let list = |graph: &Rows| {
            let mut arcs: Vec<_> = graph.all_arcs().map(|(from, arc)| (from.number(), arc.to.number(), arc.edge().map(EdgeId::number))).collect();
            arcs.sort_unstable();
            arcs
        };
        let mut given: Vec<_> = drawing.1.iter().enumerate().map(|(number, (from, to, is_edge))| (*from, *to, is_edge.then_some(number))).collect();
        given.sort_unstable();
        prop_assert_eq!(list(&graph), given.clone());
        let mut turned: Vec<_> = given.into_iter().map(|(from, to, edge)| (to, from, edge)).collect();
        turned.sort_unstable();
        prop_assert_eq!(list(&graph.reversed()), turned);
    }

    #[test]
    fn ways_are_shortest(drawing in drawing(30, 90), from in 0_usize..30) {
        let from = from % drawing.0;
        let graph = graph(&drawing);
        let ways = Ways::new(&graph, [Node::new(from)], |arc| arc.edge().is_some());
        let expected = dijkstra(&oracle(&drawing), NodeIndex::new(from), None, |edge| *edge.weight());
        let is_reached = reached(&graph, [Node::new(from)]);
        for node in graph.nodes() {
            let cost = expected.get(&NodeIndex::new(node.number())).copied();
            prop_assert_eq!(ways.cost(node), cost);
            prop_assert_eq!(is_reached[node], cost.is_some());
            let Some(way) = ways.way(node) else { continue };
            let paid = way.iter().filter(|(_, arc)| arc.edge().is_some()).count();
            prop_assert_eq!(Some(u32::try_from(paid).unwrap()), cost);
            let mut at = Node::new(from);
            for (leaves, arc) in way {
                prop_assert_eq!(at, leaves);
                prop_assert!(graph.arcs(at).contains(&arc));
                at = arc.to;
            }
            prop_assert_eq!(at, node);
        }
    }

    #[test]
    fn components_are_those_that_reach_each_other(drawing in drawing(12, 30)) {
        let graph = graph(&drawing);
        let components = Components::new(&graph);
        let reach = closure(&drawing, &BTreeSet::new());
        for a in graph.nodes() {
            for b in graph.nodes() {
                let are_one = reach[a.number()][b.number()] && reach[b.number()][a.number()];
                prop_assert_eq!(components.of(a) == components.of(b), are_one);
                prop_assert!(!reach[a.number()][b.number()] || components.of(a) >= components.of(b));
            }
            prop_assert!(components.of(a) < components.count());
        }
    }

    #[test]
    fn components_are_petgraphs(drawing in drawing(300, 500)) {
        let components = Components::new(&graph(&drawing));
        let expected = kosaraju_scc(&oracle(&drawing));
        prop_assert_eq!(components.count(), expected.len());
        for component in expected {
            let numbers: BTreeSet<_> = component.iter().map(|node| components.of(Node::new(node.index()))).collect();
            prop_assert_eq!(numbers.len(), 1);
        }
    }

    #[test]
    fn counts_are_of_the_others_that_are_reached(drawing in drawing(12, 30), pairs in prop::collection::vec((0_usize..12, 0_usize..12), 0..12)) {
        let node = |number: usize| Node::new(number % drawing.0);
        let sources: Vec<_> = pairs.iter().map(|(source, _)| node(*source)).collect();
        let targets: Vec<_> = pairs.iter().map(|(_, target)| node(*target)).collect();
        let reach = closure(&drawing, &BTreeSet::new());
        let counts = count_reached(&graph(&drawing), &sources, &targets).unwrap();
        for (place, source) in sources.iter().enumerate() {
            let expected = targets.iter().enumerate().filter(|(other, target)| *other != place && reach[source.number()][target.number()]).count();
            prop_assert_eq!(counts[place] as usize, expected);
        }
    }

    #[test]
    fn dominators_are_those_that_cut_off_what_they_dominate(drawing in drawing(12, 30), root in 0_usize..12) {
        let root = root % drawing.0;
        let graph = graph(&drawing);
        let dominators = Dominators::new(&graph, Node::new(root));
        let reach = closure(&drawing, &BTreeSet::new());
        for gone in 0..drawing.0 {
            let rest: Vec<_> = drawing.1.iter().copied().filter(|(from, to, _)| *from != gone && *to != gone).collect();
            let rest = closure(&(drawing.0, rest), &BTreeSet::new());
            for node in 0..drawing.0 {
                let dominates = reach[root][node] && reach[root][gone] && (gone == root || gone == node || !rest[root][node]);
                prop_assert_eq!(dominators.dominates(Node::new(gone), Node::new(node)), dominates, "{} {}", gone, node);
            }
        }
    }

    #[test]
    fn dominators_are_petgraphs(drawing in drawing(300, 700)) {
        let dominators = Dominators::new(&graph(&drawing), Node::new(0));
        let expected = dominators::simple_fast(&oracle(&drawing), NodeIndex::new(0));
        for node in 0..drawing.0 {
            let immediate = dominators.immediate(Node::new(node)).map(Node::number);
            prop_assert_eq!(immediate, expected.immediate_dominator(NodeIndex::new(node)).map(NodeIndex::index));
        }
    }

    #[test]
    fn bridges_are_the_edges_whose_removal_frees_somebody(drawing in drawing(12, 26), root in 0_usize..12) {
        let root = root % drawing.0;
        let graph = graph(&drawing);
        let dominators = Dominators::new(&graph, Node::new(root));
        let dominated = dominators.dominated(|_| true);
        let bridges: Vec<_> = dominators.bridges(&graph).into_iter().map(|(edge, to)| (edge.number(), dominated[to])).collect();
        let before = closure(&drawing, &BTreeSet::new());
        let mut expected: Vec<_> = edges_of(&drawing.1).into_iter().filter_map(|edge| {
            let after = closure(&drawing, &BTreeSet::from([edge]));
            let freed = (0..drawing.0).filter(|node| before[root][*node] && !after[root][*node]).count();
            (freed > 0).then_some((edge, freed))
        }).collect();
        let mut bridges = bridges;
        bridges.sort_unstable();
        expected.sort_unstable();
        prop_assert_eq!(bridges, expected);
    }

    #[test]
    fn cuts_are_smallest(drawing in drawing(8, 11), kept in prop::collection::btree_set(0_usize..11, 0..3)) {
        let (from, to) = (0, drawing.0 - 1);
        let may_be_cut = |edge: EdgeId| !kept.contains(&edge.number());
        let cut = minimum_cut(&graph(&drawing), Node::new(from), Node::new(to), may_be_cut);
        let edges: Vec<_> = edges_of(&drawing.1).into_iter().filter(|edge| !kept.contains(edge)).collect();
        let sets = (0_u32..1 << edges.len()).map(|bits| (0..edges.len()).filter(|bit| bits >> bit & 1 == 1).map(|bit| edges[bit]).collect::<BTreeSet<_>>());
        let separates = |set: &BTreeSet<usize>| !closure(&drawing, set)[from][to];
        let smallest = sets.filter(separates).map(|set| set.len()).min();
        prop_assert_eq!(cut.as_ref().map(Vec::len), smallest);
        if let Some(cut) = cut {
            let set: BTreeSet<_> = cut.iter().map(|edge| edge.number()).collect();
            prop_assert_eq!(set.len(), cut.len());
            prop_assert!(separates(&set));
        }
    }

    #[test]
    fn cuts_are_petgraphs(drawing in drawing(60, 240)) {
        let (from, to) = (0, drawing.0 - 1);
        prop_assume!(from != to);
        let every_arc: Vec<_> = drawing.1.iter().map(|(from, to, _)| (*from, *to, true)).collect();
        let drawing = (drawing.0, every_arc);
        let cut = minimum_cut(&graph(&drawing), Node::new(from), Node::new(to), |_| true).unwrap();
        let (flow, _) = petgraph::algo::ford_fulkerson(&oracle(&drawing), NodeIndex::new(from), NodeIndex::new(to));
        prop_assert_eq!(cut.len(), flow as usize);
    }
}

/// A chain of 300 000, and one that leads back to its beginning, on a thread with a stack of 1 MiB.
#[test]
fn long_chains_fit_on_a_small_stack() {
    const LENGTH: usize = 300_000;
    let run = || {
        for is_ring in [false, true] {
            let mut arcs: Vec<_> = (1..LENGTH).map(|to| (to - 1, to, true)).collect();
            arcs.extend(is_ring.then_some((LENGTH - 1, 0, true)));
            let graph = graph(&(LENGTH, arcs));
            let (first, last) = (Node::new(0), Node::new(LENGTH - 1));
            let ways = Ways::new(&graph, [first], |_| true);
            assert_eq!(ways.cost(last), Some(u32::try_from(LENGTH - 1).unwrap()));
            assert_eq!(ways.way(last).unwrap().len(), LENGTH - 1);
            let components = if is_ring { 1 } else { LENGTH };
            assert_eq!(Components::new(&graph).count(), components);
            let dominators = Dominators::new(&graph, first);
            assert_eq!(dominators.bridges(&graph).len(), LENGTH - 1);
            assert_eq!(dominators.dominated(|_| true)[Node::new(1)], LENGTH - 1);
            assert_eq!(minimum_cut(&graph, first, last, |_| true).unwrap().len(), 1);
            let nodes: Vec<_> = graph.nodes().collect();
            assert_eq!(count_reached(&graph, &nodes, &nodes).is_some(), is_ring);
        }
    };
    std::thread::Builder::new()
        .stack_size(1 << 20)
        .spawn(run)
        .unwrap()
        .join()
        .unwrap();
}

#[test]
fn nothing_is_counted_above_the_cap() {
    for (nodes, is_counted) in [(20_000, true), (20_001, false)] {
        let arcs: Vec<_> = (1..nodes).map(|to| (to - 1, to, true)).collect();
        let graph = graph(&(nodes, arcs));
        let all: Vec<_> = graph.nodes().collect();
        let counts = count_reached(&graph, &all, &all);
        assert_eq!(counts.is_some(), is_counted);
        if let Some(counts) = counts {
            assert_eq!((counts[0], counts[nodes - 1]), (19_999, 0));
        }
    }
}
