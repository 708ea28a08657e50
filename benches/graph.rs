//! How long the trust graph takes: reading a file of groups, making the graph, and each question. `make bench` runs it.
//!
//! usage: graph FILE ROUNDS [alone]. Prints JSON: the seconds of each part in each round, interleaved with petgraph's
//! counterparts on the same graph, and the peak of memory (kB) before petgraph is given its own. `alone` leaves petgraph
//! out: its dominators take minutes on a graph of millions of edges.
//!
//! The file has no network interfaces, so a group is one node. petgraph gets the same edges by the same numbers; for what to
//! revoke first each is split by a node, as dominators of edges need.

use std::collections::BTreeMap;
use std::fs::File;
use std::hint::black_box;
use std::io::{BufReader, Write as _};
use std::time::Instant;

use anyhow::Context as _;
use jiff::Timestamp;
use petgraph::algo::{dominators, kosaraju_scc};
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::Bfs;
use sg_trust::graph::{Builder, End, Origin, Overview, Trust, TrustGraph, Walk};
use sg_trust::input::GroupReader;
use sg_trust::policy::{Settings, day_of};

type Seconds = BTreeMap<&'static str, Vec<f64>>;

fn main() -> anyhow::Result<()> {
    // Cargo adds options of its own.
    let mut arguments = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"));
    let (Some(path), Some(rounds)) = (arguments.next(), arguments.next()) else {
        writeln!(
            std::io::stderr(),
            "usage: graph FILE ROUNDS [alone] (make bench gives them)"
        )?;
        return Ok(());
    };
    let is_alone = arguments.next().is_some_and(|word| word == "alone");
    let settings = Settings::default();
    let mut seconds = Seconds::new();
    let mut facts = BTreeMap::new();
    for _ in 0..rounds.parse()? {
        timed(&mut seconds, "read", || read_only(&path))?;
        let graph = timed(&mut seconds, "read and make", || make(&path, &settings))?;
        let walk = timed(&mut seconds, "walk", || {
            anyhow::Ok(Walk::new(&graph, Trust::Any, false))
        })?;
        ask(&mut seconds, &walk)?;
        let last = graph.indices().last().context("a graph without groups")?;
        let peak = facts.get("peak_kb").copied().map_or_else(peak_kb, Ok)?;
        facts.extend([
            ("groups", graph.groups().len()),
            ("edges", graph.edges().len()),
            ("walked", walk.walked_edges().len()),
            ("peak_kb", peak),
            ("reached", walk.reached(Origin::Internet).len()),
            ("clusters", walk.clusters().len()),
            ("chokes", walk.chokes(Origin::Internet, &[last]).len()),
            ("freeing", walk.removals_from_internet().len()),
        ]);
        if !is_alone {
            facts.extend(counterparts(&mut seconds, &walk)?);
        }
    }
    let report = serde_json::json!({"seconds": seconds, "facts": facts});
    writeln!(std::io::stdout(), "{report}")?;
    Ok(())
}

fn timed<T>(
    seconds: &mut Seconds,
    name: &'static str,
    work: impl FnOnce() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let began = Instant::now();
    let done = work()?;
    seconds
        .entry(name)
        .or_default()
        .push(began.elapsed().as_secs_f64());
    Ok(done)
}

/// What `check` and every other command does first.
fn read_only(path: &str) -> anyhow::Result<()> {
    let file = File::open(path).context(path.to_owned())?;
    let reader = GroupReader::new(path, BufReader::with_capacity(1 << 16, file));
    reader.for_each(
        |group| group,
        |_, group| {
            black_box(group?);
            anyhow::Ok(())
        },
    )
}

fn make(path: &str, settings: &Settings) -> anyhow::Result<TrustGraph> {
    let mut builder = Builder::new(settings, day_of(Timestamp::now()));
    let file = File::open(path).context(path.to_owned())?;
    let reader = GroupReader::new(path, BufReader::with_capacity(1 << 16, file));
    reader.for_each(
        |group| group,
        |_, group| anyhow::Ok(builder.group(&group?, None)?),
    )?;
    Ok(builder.finish())
}

fn ask(seconds: &mut Seconds, walk: &Walk<'_>) -> anyhow::Result<()> {
    let graph = walk.graph();
    let first = graph.indices().next().context("a graph without groups")?;
    let last = graph.indices().last().context("a graph without groups")?;
    timed(seconds, "what a group reaches", || {
        anyhow::Ok(black_box(walk.reached(Origin::Group(first))))
    })?;
    timed(seconds, "who reaches a group", || {
        anyhow::Ok(black_box(walk.reaching(&[last])))
    })?;
    timed(seconds, "a shortest path", || {
        anyhow::Ok(black_box(walk.path(Origin::Internet, &[last])))
    })?;
    timed(seconds, "clusters", || {
        anyhow::Ok(black_box(walk.clusters()))
    })?;
    timed(seconds, "restricted hops", || {
        anyhow::Ok(black_box(walk.restricted_hops(Origin::Internet, &[last])))
    })?;
    timed(seconds, "what to revoke first", || {
        anyhow::Ok(black_box(walk.removals_from_internet()))
    })?;
    timed(seconds, "towards a group", || {
        anyhow::Ok(black_box(walk.removals_towards(last)))
    })?;
    timed(seconds, "a smallest cut", || {
        anyhow::Ok(black_box(walk.cut(Origin::Internet, &[last], false)))
    })?;
    timed(seconds, "how many each reaches", || {
        anyhow::Ok(black_box(walk.counts()))
    })?;
    timed(seconds, "the summary", || {
        anyhow::Ok(black_box(Overview::new(walk, None)))
    })?;
    Ok(())
}

/// What petgraph finds: how many groups the internet reaches, clusters, and edges that free groups.
fn counterparts(
    seconds: &mut Seconds,
    walk: &Walk<'_>,
) -> anyhow::Result<[(&'static str, usize); 3]> {
    let graph = walk.graph();
    let groups = graph.groups().len();
    let place = |end: End<'_>| graph.place_of(end);
    let edges: Vec<_> = walk
        .walked_edges()
        .iter()
        .map(|edge| (place(edge.from), edge.to.place()))
        .collect();
    let count = groups + graph.outside().len() + 1;
    let internet = NodeIndex::<u32>::new(count - 1);
    let doors: Vec<_> = walk
        .internet_doors()
        .iter()
        .map(|door| door.place())
        .collect();
    let mut same = DiGraph::<(), ()>::with_capacity(count, edges.len());
    for _ in 0..count {
        same.add_node(());
    }
    for (from, to) in &edges {
        same.add_edge(NodeIndex::new(*from), NodeIndex::new(*to), ());
    }
    for door in &doors {
        same.add_edge(internet, NodeIndex::new(*door), ());
    }
    let reached = timed(seconds, "petgraph: what a group reaches", || {
        let mut search = Bfs::new(&same, internet);
        let mut reached = 0;
        while search.next(&same).is_some() {
            reached += 1;
        }
        anyhow::Ok(reached - 1)
    })?;
    let components = timed(seconds, "petgraph: clusters", || {
        anyhow::Ok(kosaraju_scc(&same))
    })?;
    let clusters = components.iter().filter(|of| of.len() > 1).count();
    let mut split = DiGraph::<(), ()>::with_capacity(count + edges.len(), 2 * edges.len());
    for _ in 0..count + edges.len() {
        split.add_node(());
    }
    for (number, (from, to)) in edges.iter().enumerate() {
        let middle = NodeIndex::new(count + number);
        split.add_edge(NodeIndex::new(*from), middle, ());
        split.add_edge(middle, NodeIndex::new(*to), ());
    }
    for door in &doors {
        split.add_edge(internet, NodeIndex::new(*door), ());
    }
    let dominators = timed(seconds, "petgraph: what to revoke first", || {
        anyhow::Ok(dominators::simple_fast(&split, internet))
    })?;
    // The immediate dominators that are edges: each frees at least the node that it dominates.
    let mut freeing = vec![false; edges.len()];
    for node in (0..groups).map(NodeIndex::new) {
        let edge = dominators.immediate_dominator(node);
        let edge = edge.and_then(|node| node.index().checked_sub(count));
        if let Some(freeing) = edge.and_then(|edge| freeing.get_mut(edge)) {
            *freeing = true;
        }
    }
    let freeing = freeing.into_iter().filter(|frees| *frees).count();
    Ok([
        ("petgraph reached", reached),
        ("petgraph clusters", clusters),
        ("petgraph freeing", freeing),
    ])
}

/// The highest resident size so far; 0 where the system does not tell.
fn peak_kb() -> anyhow::Result<usize> {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else {
        return Ok(0);
    };
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.map_or(Ok(0), str::parse)?)
}
