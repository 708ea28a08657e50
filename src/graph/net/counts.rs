//! How many nodes each node reaches: bit sets over the components, some columns at a time.

use super::{Arc, Components, Node, NodeMap, Rows};

/// Beyond so many components nothing is counted: the time grows with their square.
const MOST_COMPONENTS: usize = 20_000;
/// The words of a row: so many times 64 columns are looked at together, which keeps the rows small.
const WORDS: usize = 16;
const COLUMNS: usize = WORDS * 64;

/// The number of others that each reaches, by their places.
pub(super) type Counts = Vec<u32>;

/// For each source the number of targets that it reaches, without the target at its own place: there are as many of the
/// one as of the other. None when the sources lie in more than 20 000 components.
pub(in crate::graph) fn count_reached(
    graph: &Rows,
    sources: &[Node],
    targets: &[Node],
) -> Option<Counts> {
    let components = Components::new(graph);
    let component = |node: Node| Node::new(components.of(node));
    let mut has_source = NodeMap::new(false, components.count());
    for &source in sources {
        has_source[component(source)] = true;
    }
    if (0..components.count())
        .filter(|number| has_source[Node::new(*number)])
        .count()
        > MOST_COMPONENTS
    {
        return None;
    }
    let condensed = condense(graph, &components);
    let mut own = Vec::with_capacity(sources.len());
    let mut of_component = NodeMap::new(0_u32, components.count());
    let mut rows = NodeMap::new([0_u64; WORDS], components.count());
    for (columns, sources) in targets.chunks(COLUMNS).zip(sources.chunks(COLUMNS)) {
        for node in condensed.nodes() {
            rows[node] = [0; WORDS];
        }
        for (column, &target) in columns.iter().enumerate() {
            set(&mut rows[component(target)], column);
        }
        // Arcs lead to lower numbers: what a component reaches is known before it.
        for node in condensed.nodes() {
            let mut row = rows[node];
            for arc in condensed.arcs(node) {
                for (word, other) in row.iter_mut().zip(&rows[arc.to]) {
                    *word |= other;
                }
            }
            of_component[node] += row.iter().map(|word| word.count_ones()).sum::<u32>();
            rows[node] = row;
        }
        let sources = sources.iter().enumerate();
        own.extend(sources.map(|(column, source)| is_set(&rows[component(*source)], column)));
    }
    let of_sources = sources
        .iter()
        .map(|source| of_component[component(*source)]);
    let counts = of_sources
        .zip(own)
        .map(|(count, own)| count - u32::from(own));
    Some(counts.collect())
}

/// The components as nodes, each arc between two of them once.
fn condense(graph: &Rows, components: &Components) -> Rows {
    let mut arcs: Vec<_> = graph
        .all_arcs()
        .map(|(from, arc)| (components.of(from), components.of(arc.to)))
        .filter(|(from, to)| from != to)
        .collect();
    arcs.sort_unstable();
    arcs.dedup();
    let arcs = arcs
        .iter()
        .map(|(from, to)| (Node::new(*from), Arc::new(Node::new(*to), None)));
    Rows::new(components.count(), arcs)
}

fn set(row: &mut [u64; WORDS], column: usize) {
    if let Some(word) = row.get_mut(column / 64) {
        *word |= 1 << (column % 64);
    }
}

fn is_set(row: &[u64; WORDS], column: usize) -> bool {
    row.get(column / 64)
        .is_some_and(|word| word >> (column % 64) & 1 == 1)
}
