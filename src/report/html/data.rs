//! What the script draws the neighbourhood of a group from: open trust alone.

use std::collections::BTreeMap;

use serde::Serialize;

use super::near::Near;
use super::sections::Sections;
use crate::graph::{End, Walk};
use crate::report::graph::{outside_name, ports_words};
use crate::report::json::to_line;
use crate::text::escape;

#[derive(Serialize)]
struct Data {
    nodes: Vec<Node>,
    /// For each node its targets: the node's number, then that of what the edge carries, twice, and one more where it is
    /// exempt.
    out: Vec<Vec<usize>>,
    /// What edges carry, in words.
    carried: Vec<String>,
    /// As which nodes traffic goes on, where it is not the one that it came in at.
    keys: BTreeMap<usize, Vec<usize>>,
}

/// Name, id, verdict (a source that no file has: none), and the number of its section.
#[derive(Serialize)]
struct Node(String, String, &'static str, Option<usize>);

/// The data as a JSON document that holds no `<`.
pub(super) fn json(
    walk: &Walk<'_>,
    near: &Near<'_>,
    sections: &Sections<'_>,
) -> serde_json::Result<String> {
    let graph = walk.graph();
    let mut ends: BTreeMap<usize, End<'_>> = BTreeMap::new();
    for edge in &near.edges {
        ends.insert(graph.place_of(edge.from), edge.from);
        ends.insert(edge.to.place(), End::Group(edge.to, edge.target));
    }
    let numbers: BTreeMap<usize, usize> = ends.keys().copied().zip(0..).collect();
    let number = |place: usize| numbers.get(&place).copied();
    let mut out = vec![Vec::new(); ends.len()];
    let mut carried: BTreeMap<String, usize> = BTreeMap::new();
    for edge in &near.edges {
        let next = carried.len();
        let words = *carried.entry(ports_words(edge.ports)).or_insert(next);
        let from = number(graph.place_of(edge.from)).and_then(|from| out.get_mut(from));
        if let (Some(row), Some(to)) = (from, number(edge.to.place())) {
            row.extend([to, 2 * words + usize::from(edge.is_exempt)]);
        }
    }
    let mut words: Vec<_> = carried.into_iter().collect();
    words.sort_unstable_by_key(|(_, number)| *number);
    let mut keys = BTreeMap::new();
    for (place, door) in &numbers {
        let behind: Vec<_> = near
            .keys(*place)
            .iter()
            .filter_map(|key| number(*key))
            .collect();
        if behind != [*door] {
            keys.insert(*door, behind);
        }
    }
    let data = Data {
        nodes: ends
            .iter()
            .map(|(place, end)| node(*place, *end, sections))
            .collect(),
        out,
        carried: words.into_iter().map(|(words, _)| words).collect(),
        keys,
    };
    Ok(to_line(&data)?.replace('<', "\\u003c"))
}

fn node(place: usize, end: End<'_>, sections: &Sections<'_>) -> Node {
    match end {
        End::Group(_, group) => {
            let evaluated = sections.evaluated(place);
            let verdict = evaluated.map_or("", |(_, one)| one.verdict.status.as_str());
            let id = escape(group.group_id.as_str()).into_owned();
            let name = group.group_name.as_deref().map(escape);
            Node(
                name.map_or_else(|| id.clone(), Into::into),
                id,
                verdict,
                sections.anchor(place),
            )
        }
        End::Outside(source) => {
            let name = outside_name(source);
            Node(name.clone(), name, "", None)
        }
    }
}
