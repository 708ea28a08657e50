//! `reach --format json`: version 1. Keys may be added, never changed.

use serde::{Serialize, Serializer};

use super::json::{Protocols, VERSION, id_of, text};
use super::{NOT_READ, commands, trust_word};
use crate::graph::{
    Answer, GroupIndex, Hop, Origin, Question, SourceName, TrustEdge, TrustGraph, Walk,
};
use crate::model::Protocol;
use crate::model::ports::PortSet;
use crate::policy::Settings;
use crate::report::json::to_line;

#[derive(Debug, Serialize)]
struct Reach<'a> {
    version: u8,
    from: Option<&'a str>,
    to: Option<&'a str>,
    trust: &'static str,
    /// Null for a one-sided question.
    reachable: Option<bool>,
    path: Vec<Step<'a>>,
    groups: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cut: Option<Option<Vec<Cut<'a>>>>,
    interfaces: bool,
    exposed_only: bool,
    restricted_hops: Option<u32>,
    /// The pairs that every path takes.
    chokes: Vec<Cut<'a>>,
    /// Who reaches the target and is in no file.
    unseen_sources: Vec<UnseenSource<'a>>,
    /// Whether the internet reaches the target, for a question about the target alone.
    internet: Option<bool>,
    /// When there is no path: groups on the way that admit address ranges.
    admit_ranges: Vec<&'a str>,
    not_read: [&'static str; 4],
}

#[derive(Debug, Serialize)]
struct Step<'a> {
    from: Option<&'a str>,
    to: &'a str,
    protocols: OwnedProtocols,
    from_owner: Option<&'a str>,
    to_owner: Option<&'a str>,
    open: bool,
    exempt: bool,
    /// The machine that carries this source and the target of the step before.
    machine: Option<&'a str>,
}

#[derive(Debug)]
struct OwnedProtocols(Vec<(Protocol, PortSet)>);

#[derive(Debug, Serialize)]
struct Cut<'a> {
    from: Option<&'a str>,
    to: &'a str,
    from_owner: Option<&'a str>,
    to_owner: Option<&'a str>,
    exempt: bool,
    commands: Vec<String>,
}

#[derive(Debug, Serialize)]
struct UnseenSource<'a> {
    group_id: Option<&'a str>,
    owner_id: Option<&'a str>,
    group_name: Option<&'a str>,
}

impl Serialize for OwnedProtocols {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Protocols(&self.0).serialize(serializer)
    }
}

/// The output of `reach`: one line.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn reach(
    walk: &Walk<'_>,
    question: &Question,
    answer: &Answer<'_>,
    settings: &Settings,
) -> serde_json::Result<String> {
    let graph = walk.graph();
    let (from, to) = match question {
        Question::Between { from, to, .. } => (Some(*from), Some(to)),
        Question::From(from) => (Some(*from), None),
        Question::To(to) => (None, Some(to)),
    };
    let cut = |edge: &TrustEdge<'_>| commands(settings, walk.trust(), edge);
    let cuts = |edges: &[TrustEdge<'_>]| edges.iter().map(cut).collect::<Vec<_>>();
    let mut document = Reach {
        version: VERSION,
        from: from.and_then(|origin| origin_id(graph, origin)),
        to: to.map(|targets| targets.label.as_str()),
        trust: trust_word(walk.trust()),
        reachable: None,
        path: Vec::new(),
        groups: Vec::new(),
        cut: None,
        interfaces: graph.has_interfaces(),
        exposed_only: walk.is_exposed_only(),
        restricted_hops: None,
        chokes: Vec::new(),
        unseen_sources: Vec::new(),
        internet: None,
        admit_ranges: Vec::new(),
        not_read: NOT_READ,
    };
    let ids = |groups: &[(GroupIndex, u32)]| -> Vec<&str> {
        groups
            .iter()
            .filter_map(|(index, _)| id_of(graph, *index))
            .collect()
    };
    match answer {
        Answer::Reachable(found) => {
            document.reachable = Some(true);
            document.path = found
                .path
                .iter()
                .filter_map(|hop| Step::new(graph, hop))
                .collect();
            document.restricted_hops = Some(found.restricted_hops);
            document.chokes = Cut::all(&found.chokes, cuts(&found.chokes));
            document.cut = found
                .cut
                .as_ref()
                .map(|cut| cut.as_ref().map(|cut| Cut::all(cut, cuts(cut))));
        }
        Answer::Unreachable(found) => {
            document.reachable = Some(false);
            document.cut = found.has_cut.then(|| Some(Vec::new()));
            document.unseen_sources = found
                .outside
                .iter()
                .map(|source| UnseenSource::new(source))
                .collect();
            let groups = found.with_ranges.iter();
            document.admit_ranges = groups.filter_map(|index| id_of(graph, *index)).collect();
        }
        Answer::Reached(groups) => document.groups = ids(groups),
        Answer::Reaching(reaching) => {
            document.groups = ids(&reaching.groups);
            document.unseen_sources = reaching
                .outside
                .iter()
                .map(|(source, _)| UnseenSource::new(source))
                .collect();
            document.internet = Some(reaching.internet.is_some());
        }
    }
    Ok(to_line(&document)? + "\n")
}

fn origin_id(graph: &TrustGraph, origin: Origin) -> Option<&str> {
    match origin {
        Origin::Internet => Some("internet"),
        Origin::Group(index) => id_of(graph, index),
        Origin::Outside(place) => {
            let source = graph.outside().get(place)?;
            text(source.group_id.as_ref()).or(source.group_name.as_deref())
        }
    }
}

impl<'a> Step<'a> {
    fn new(graph: &'a TrustGraph, hop: &Hop<'a>) -> Option<Self> {
        Some(match hop {
            Hop::Internet(door) => {
                let group = graph.group(*door)?;
                Self {
                    from: Some("internet"),
                    to: group.group_id.as_str(),
                    protocols: OwnedProtocols(group.internet.ports()),
                    from_owner: None,
                    to_owner: text(group.owner_id.as_ref()),
                    open: false,
                    exempt: false,
                    machine: None,
                }
            }
            Hop::Edge { edge, machine } => Self {
                from: text(edge.from.group_id()),
                to: edge.target.group_id.as_str(),
                protocols: OwnedProtocols(edge.ports.to_vec()),
                from_owner: text(edge.from.owner_id()),
                to_owner: text(edge.target.owner_id.as_ref()),
                open: edge.is_open,
                exempt: edge.is_exempt,
                machine: *machine,
            },
        })
    }
}

impl<'a> Cut<'a> {
    fn all(edges: &[TrustEdge<'a>], commands: Vec<Vec<String>>) -> Vec<Self> {
        let both = edges.iter().zip(commands);
        both.map(|(edge, commands)| Self {
            from: text(edge.from.group_id()),
            to: edge.target.group_id.as_str(),
            from_owner: text(edge.from.owner_id()),
            to_owner: text(edge.target.owner_id.as_ref()),
            exempt: edge.is_exempt,
            commands,
        })
        .collect()
    }
}

impl<'a> UnseenSource<'a> {
    fn new(source: &'a SourceName) -> Self {
        Self {
            group_id: text(source.group_id.as_ref()),
            owner_id: text(source.owner_id.as_ref()),
            group_name: source.group_name.as_deref(),
        }
    }
}
