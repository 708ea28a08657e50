//! The trust graph for other tools: Graphviz and Mermaid. Names are chosen by others: nothing in them is markup here.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{end_name, not_read, ports_words};
use crate::graph::{End, Junction, TrustEdge, Walk};
use crate::text::escape;

/// Beyond so many edges a drawing shows nothing.
pub const MANY_EDGES: usize = 300;

/// The edges that are walked, with the groups at their ends; the doors that the internet reaches; the machines by which a
/// chain comes from one of these groups to another.
#[derive(Debug)]
pub struct Drawing<'a> {
    edges: Vec<TrustEdge<'a>>,
    /// From the internet: the door, and the ports that it admits.
    doors: Vec<(usize, String)>,
    points: BTreeMap<usize, End<'a>>,
    junctions: Vec<Junction<'a>>,
}

impl<'a> Drawing<'a> {
    #[must_use]
    pub fn new(walk: &Walk<'a>) -> Self {
        let graph = walk.graph();
        let edges = walk.walked_edges();
        let mut points = BTreeMap::new();
        for edge in &edges {
            points.insert(graph.place_of(edge.from), edge.from);
            points.insert(edge.to.place(), End::Group(edge.to, edge.target));
        }
        let mut doors = Vec::new();
        for &door in walk.internet_doors() {
            if let Some(group) = graph.group(door) {
                points.insert(door.place(), End::Group(door, group));
                doors.push((door.place(), ports_words(&group.internet.ports())));
            }
        }
        let junctions = graph.junctions(|place| points.contains_key(&place));
        Self {
            edges,
            doors,
            points,
            junctions,
        }
    }

    /// The number of edges.
    #[must_use]
    pub fn edges(&self) -> usize {
        self.edges.len() + self.doors.len()
    }

    /// For Graphviz.
    #[must_use]
    pub fn dot(&self, graph: &Walk<'_>) -> String {
        let mut out = "digraph trust {\n".to_owned() + &comment("//");
        out += "  rankdir=LR;\n  node [shape=box];\n";
        if !self.doors.is_empty() {
            out += "  internet [shape=ellipse];\n";
        }
        for (place, end) in &self.points {
            let style = match end {
                End::Group(_, group) if group.is_latent() => ", style=dotted",
                End::Group(..) => "",
                End::Outside(_) => ", style=dashed",
            };
            let _ = writeln!(
                out,
                "  n{place} [label=\"{}\"{style}];",
                dot_text(&end_name(*end))
            );
        }
        for (door, ports) in &self.doors {
            let _ = writeln!(
                out,
                "  internet -> n{door} [label=\"{}\"];",
                dot_text(ports)
            );
        }
        for edge in &self.edges {
            let style = match (edge.is_open, edge.is_exempt) {
                (true, false) => "color=red, penwidth=2",
                (true, true) => "color=red, style=dashed",
                (false, _) => "color=gray40",
            };
            let (from, to) = (graph.graph().place_of(edge.from), edge.to.place());
            let label = dot_text(&ports_words(edge.ports));
            let _ = writeln!(out, "  n{from} -> n{to} [label=\"{label}\", {style}];");
        }
        for (number, junction) in self.junctions.iter().enumerate() {
            let label = dot_text(&junction_words(junction));
            let _ = writeln!(
                out,
                "  m{number} [label=\"{label}\", shape=plain, fontcolor=gray40];"
            );
            for door in &junction.doors {
                let _ = writeln!(out, "  n{door} -> m{number} [style=dotted];");
            }
            for key in &junction.keys {
                let _ = writeln!(out, "  m{number} -> n{key} [style=dotted];");
            }
        }
        out + "}\n"
    }

    /// For Mermaid.
    #[must_use]
    pub fn mermaid(&self, graph: &Walk<'_>) -> String {
        let mut out = "flowchart LR\n".to_owned() + &comment("%%");
        if !self.doors.is_empty() {
            out += "  internet([internet])\n";
        }
        for (place, end) in &self.points {
            let _ = writeln!(out, "  n{place}[\"{}\"]", mermaid_text(&end_name(*end)));
        }
        for (door, ports) in &self.doors {
            let _ = writeln!(out, "  internet -->|\"{}\"| n{door}", mermaid_text(ports));
        }
        for edge in &self.edges {
            let arrow = match (edge.is_open, edge.is_exempt) {
                (true, false) => "==>",
                (true, true) => "-.->",
                (false, _) => "-->",
            };
            let (from, to) = (graph.graph().place_of(edge.from), edge.to.place());
            let label = mermaid_text(&ports_words(edge.ports));
            let _ = writeln!(out, "  n{from} {arrow}|\"{label}\"| n{to}");
        }
        for (number, junction) in self.junctions.iter().enumerate() {
            let label = mermaid_text(&junction_words(junction));
            let _ = writeln!(out, "  m{number}([\"{label}\"])");
            for door in &junction.doors {
                let _ = writeln!(out, "  n{door} -.-> m{number}");
            }
            for key in &junction.keys {
                let _ = writeln!(out, "  m{number} -.-> n{key}");
            }
        }
        out
    }
}

/// What the drawing is not.
fn comment(mark: &str) -> String {
    let line = |line: &str| format!("  {mark} {line}\n");
    not_read().lines().map(line).collect()
}

fn junction_words(junction: &Junction<'_>) -> String {
    let machine = escape(junction.machine);
    match junction.more {
        0 => machine.into_owned(),
        more => format!("{machine} and {more} more"),
    }
}

/// Text for a quoted string of Graphviz, where `\` begins an escape and `&` an HTML entity.
fn dot_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in escape(text).chars() {
        match character {
            '"' => out += "\\\"",
            '\\' => out += "\\\\",
            '&' => out += "&amp;",
            other => out.push(other),
        }
    }
    out
}

/// Text for a quoted string of Mermaid, which knows markup, entities and directives within it: everything in ASCII but
/// letters, digits and a few marks is written as an entity.
fn mermaid_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in escape(text).chars() {
        let is_plain = !character.is_ascii()
            || character.is_ascii_alphanumeric()
            || " -_.,:/()".contains(character);
        if is_plain {
            out.push(character);
        } else {
            let _ = write!(out, "#{};", u32::from(character));
        }
    }
    out
}
