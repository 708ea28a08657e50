//! `graph --format json`: version 1. Keys may be added, never changed.

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use super::{NOT_READ, commands, trust_word};
use crate::graph::{GroupIndex, Overview, TrustEdge, TrustGraph, Walk};
use crate::model::Protocol;
use crate::model::ports::PortSet;
use crate::policy::Settings;
use crate::report::json::to_line;

pub(super) const VERSION: u8 = 1;

#[derive(Debug, Serialize)]
struct Graph<'a> {
    version: u8,
    trust: &'static str,
    interfaces: bool,
    groups: Vec<Group<'a>>,
    edges: Vec<Edge<'a>>,
    clusters: Vec<Vec<&'a str>>,
    internet: Internet,
    revoke_first: Vec<Removal<'a>>,
    unseen: Vec<Unseen<'a>>,
    not_read: [&'static str; 4],
    exposed_only: bool,
    /// The group towards which `revoke_first` is told.
    to: Option<&'a str>,
    cannot_tell: Vec<CannotTell<'a>>,
}

#[derive(Debug, Serialize)]
struct Group<'a> {
    group_id: &'a str,
    group_name: Option<&'a str>,
    owner_id: Option<&'a str>,
    region: Option<&'a str>,
    vpc_id: Option<&'a str>,
    level: Option<&'a str>,
    internet_facing: bool,
    exposed: Option<bool>,
    machines: Option<u32>,
    latent: Option<bool>,
    reaches: Option<u32>,
    reached_by: Option<u32>,
    hops_from_internet: Option<u32>,
}

#[derive(Debug, Serialize)]
struct Edge<'a> {
    from: Option<&'a str>,
    from_owner: Option<&'a str>,
    to: &'a str,
    to_owner: Option<&'a str>,
    open: bool,
    exempt: bool,
    protocols: Protocols<'a>,
}

/// Ports by protocol.
#[derive(Debug)]
pub(super) struct Protocols<'a>(pub(super) &'a [(Protocol, PortSet)]);

#[derive(Debug, Serialize)]
struct Internet {
    reaches: usize,
}

#[derive(Debug, Serialize)]
struct Removal<'a> {
    from: Option<&'a str>,
    to: &'a str,
    frees: usize,
    exempt: bool,
    commands: Vec<String>,
    from_owner: Option<&'a str>,
    to_owner: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Unseen<'a> {
    group_id: Option<&'a str>,
    owner_id: Option<&'a str>,
    why: &'static str,
    referenced_by: Vec<&'a str>,
    /// Only where there is no id.
    group_name: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct CannotTell<'a> {
    group_id: &'a str,
    owner_id: Option<&'a str>,
    /// Prefix lists, and ranges that are none.
    ranges: Vec<&'a str>,
}

impl Serialize for Protocols<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (protocol, ports) in self.0 {
            map.serialize_entry(protocol.as_str(), ports.intervals())?;
        }
        map.end()
    }
}

/// The output of `graph`: one line.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn graph(
    walk: &Walk<'_>,
    overview: &Overview<'_>,
    settings: &Settings,
    to: Option<GroupIndex>,
) -> serde_json::Result<String> {
    let graph = walk.graph();
    let id = |index: GroupIndex| id_of(graph, index);
    let groups = graph.indices().zip(graph.groups());
    let document = Graph {
        version: VERSION,
        trust: trust_word(walk.trust()),
        interfaces: graph.has_interfaces(),
        groups: groups
            .map(|(index, group)| Group::new(index, group, overview))
            .collect(),
        edges: graph.edges().into_iter().map(Edge::new).collect(),
        clusters: clusters(graph, overview),
        internet: Internet {
            reaches: overview.reached_from_internet(),
        },
        revoke_first: overview
            .removals
            .iter()
            .map(|removal| Removal {
                from: text(removal.edge.from.group_id()),
                to: removal.edge.target.group_id.as_str(),
                frees: removal.frees,
                exempt: removal.edge.is_exempt,
                commands: commands(settings, walk.trust(), &removal.edge),
                from_owner: text(removal.edge.from.owner_id()),
                to_owner: text(removal.edge.target.owner_id.as_ref()),
            })
            .collect(),
        unseen: graph
            .unseen()
            .iter()
            .map(|unseen| Unseen {
                group_id: text(unseen.source.group_id.as_ref()),
                owner_id: text(unseen.source.owner_id.as_ref()),
                why: unseen.why.as_str(),
                referenced_by: unseen
                    .referenced_by
                    .iter()
                    .copied()
                    .filter_map(id)
                    .collect(),
                group_name: unseen.source.group_name.as_deref(),
            })
            .collect(),
        not_read: NOT_READ,
        exposed_only: walk.is_exposed_only(),
        to: to.and_then(id),
        cannot_tell: graph
            .groups()
            .iter()
            .filter(|group| !group.internet.unknown.is_empty())
            .map(|group| CannotTell {
                group_id: group.group_id.as_str(),
                owner_id: text(group.owner_id.as_ref()),
                ranges: group.internet.unknown.iter().map(String::as_str).collect(),
            })
            .collect(),
    };
    Ok(to_line(&document)? + "\n")
}

pub(super) fn text<T: AsRef<str>>(id: Option<&T>) -> Option<&str> {
    id.map(AsRef::as_ref)
}

pub(super) fn id_of(graph: &TrustGraph, index: GroupIndex) -> Option<&str> {
    graph.group(index).map(|group| group.group_id.as_str())
}

/// Each by the ids of its groups, sorted.
fn clusters<'a>(graph: &'a TrustGraph, overview: &Overview<'_>) -> Vec<Vec<&'a str>> {
    let ids = |cluster: &Vec<GroupIndex>| {
        cluster
            .iter()
            .filter_map(|index| id_of(graph, *index))
            .collect()
    };
    overview.clusters.iter().map(ids).collect()
}

impl<'a> Group<'a> {
    fn new(index: GroupIndex, group: &'a crate::graph::Group, overview: &Overview<'_>) -> Self {
        let place = index.place();
        let counts = overview.counts.as_ref();
        Self {
            group_id: group.group_id.as_str(),
            group_name: group.group_name.as_deref(),
            owner_id: text(group.owner_id.as_ref()),
            region: text(group.region.as_ref()),
            vpc_id: text(group.vpc_id.as_ref()),
            level: group.level.as_deref(),
            internet_facing: group.internet.is_facing(),
            exposed: group.carriers.map(|carriers| carriers.is_exposed),
            machines: group.carriers.map(|carriers| carriers.machines),
            latent: group.carriers.map(|carriers| carriers.is_latent()),
            reaches: counts.and_then(|counts| counts.reaches.get(place).copied()),
            reached_by: counts.and_then(|counts| counts.reached_by.get(place).copied()),
            hops_from_internet: overview.hops_from_internet.get(place).copied().flatten(),
        }
    }
}

impl<'a> Edge<'a> {
    fn new(edge: TrustEdge<'a>) -> Self {
        Self {
            from: text(edge.from.group_id()),
            from_owner: text(edge.from.owner_id()),
            to: edge.target.group_id.as_str(),
            to_owner: text(edge.target.owner_id.as_ref()),
            open: edge.is_open,
            exempt: edge.is_exempt,
            protocols: Protocols(edge.ports),
        }
    }
}
