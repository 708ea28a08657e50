//! The trust graph as data: groups, the trust edges between them, and the machines that carry them.

use std::collections::BTreeMap;
use std::fmt;

use super::internet::Internet;
use crate::model::ports::PortSet;
use crate::model::{AccountId, GroupId, GroupPair, Protocol, Region, VpcId};
use crate::policy::OpenRule;

/// A group of a [`TrustGraph`], by its place in [`TrustGraph::groups`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupIndex(pub(super) u32);

impl GroupIndex {
    /// The place in [`TrustGraph::groups`].
    #[must_use]
    pub fn place(self) -> usize {
        self.0 as usize
    }
}

/// Who lets in whom.
#[derive(Debug, Clone)]
pub struct TrustGraph {
    /// By id, then owner: the order of the input does not show.
    pub(super) groups: Vec<Group>,
    /// Sources that no file has, numbered behind the groups.
    pub(super) outside: Vec<SourceName>,
    /// By source, then target.
    pub(super) edges: Vec<Edge>,
    /// The labels of edges: many edges share one.
    pub(super) carried: Vec<Carried>,
    /// By name.
    pub(super) machines: Vec<Machine>,
    pub(super) unseen: Vec<Unseen>,
    pub(super) has_interfaces: bool,
}

/// A security group, with what the graph needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub group_id: GroupId,
    pub group_name: Option<String>,
    pub owner_id: Option<AccountId>,
    pub region: Option<Region>,
    pub vpc_id: Option<VpcId>,
    /// The level of its sensitivity, with `[sensitivity]`.
    pub level: Option<String>,
    pub internet: Internet,
    /// Who carries it; absent in a VPC of which no interface was read.
    pub carriers: Option<Carriers>,
}

/// Who carries a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Carriers {
    pub machines: u32,
    /// Whether the internet reaches it at a public address of the right family.
    pub is_exposed: bool,
}

impl Carriers {
    /// Whether nobody carries it: it is reached, and reaches nothing.
    #[must_use]
    pub fn is_latent(self) -> bool {
        self.machines == 0
    }
}

impl Group {
    /// Whether it is known that nobody carries it.
    #[must_use]
    pub fn is_latent(&self) -> bool {
        self.carriers.is_some_and(Carriers::is_latent)
    }

    /// Whether it is known that the internet reaches it at a public address.
    #[must_use]
    pub fn is_exposed(&self) -> bool {
        self.carriers.is_some_and(|carriers| carriers.is_exposed)
    }
}

/// A source as permissions name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceName {
    pub group_id: Option<GroupId>,
    pub owner_id: Option<AccountId>,
    /// Only where there is no id.
    pub group_name: Option<String>,
}

impl SourceName {
    pub(super) fn of(pair: &GroupPair) -> Self {
        Self {
            group_id: pair.group_id.clone(),
            owner_id: pair.user_id.clone(),
            group_name: pair.group_name.clone().filter(|_| pair.group_id.is_none()),
        }
    }
}

impl fmt::Display for SourceName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.group_id.as_ref().map(|id| id.as_str());
        formatter.write_str(id.or(self.group_name.as_deref()).unwrap_or("unknown"))
    }
}

/// A trust edge: the target's ingress names the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Edge {
    /// A group, or beyond the groups one of the sources outside.
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) carried: u32,
    pub(super) openness: Openness,
}

/// The policy's verdict on an edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Openness {
    /// The policy finds a violation.
    pub(super) is_open: bool,
    /// There is one of another protocol than ICMP.
    pub(super) is_walked: bool,
    /// Exemptions cover every violation.
    pub(super) is_exempt: bool,
}

impl Openness {
    /// Of two edges with the same ends.
    pub(super) fn with(self, other: Self) -> Self {
        Self {
            is_open: self.is_open || other.is_open,
            is_walked: self.is_walked || other.is_walked,
            is_exempt: (self.is_open || other.is_open)
                && [self, other]
                    .iter()
                    .all(|one| one.is_exempt || !one.is_open),
        }
    }
}

/// The rules of an edge, those over a stale peering connection left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Carried {
    pub(super) rules: Vec<OpenRule>,
    pub(super) ports: Vec<(Protocol, PortSet)>,
}

impl Carried {
    /// Whether it has a port of tcp, udp or another protocol than ICMP.
    pub(super) fn has_port(&self) -> bool {
        self.ports.iter().any(|(_, ports)| !ports.is_empty())
    }
}

/// An instance with all its interfaces, or an interface by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Machine {
    pub(super) name: String,
    /// The groups through which traffic comes in.
    pub(super) doors: Vec<u32>,
    /// The groups, and sources outside, as which it may send on what came in.
    pub(super) keys: Vec<u32>,
}

/// A source that no file has, or whose peering connection is not active.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unseen {
    pub source: SourceName,
    pub why: Why,
    /// The groups that name it, in their order.
    pub referenced_by: Vec<GroupIndex>,
}

/// Why a source is not seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    OtherAccount,
    Peering,
    /// Not walked, whether a file has the source or not.
    StalePeering,
    NotInSnapshot,
}

impl Why {
    /// The word in the JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OtherAccount => "other-account",
            Self::Peering => "peering",
            Self::StalePeering => "stale-peering",
            Self::NotInSnapshot => "not-in-snapshot",
        }
    }
}

/// One end of a trust edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End<'a> {
    Group(GroupIndex, &'a Group),
    Outside(&'a SourceName),
}

/// A trust edge with what it carries.
#[derive(Debug, Clone, Copy)]
pub struct TrustEdge<'a> {
    pub from: End<'a>,
    pub to: GroupIndex,
    pub target: &'a Group,
    /// Whether the policy finds a violation.
    pub is_open: bool,
    /// Whether exemptions cover every violation.
    pub is_exempt: bool,
    /// By protocol; a set without a port for ICMP.
    pub ports: &'a [(Protocol, PortSet)],
    pub rules: &'a [OpenRule],
}

impl<'a> End<'a> {
    #[must_use]
    pub fn group_id(self) -> Option<&'a GroupId> {
        match self {
            Self::Group(_, group) => Some(&group.group_id),
            Self::Outside(source) => source.group_id.as_ref(),
        }
    }

    #[must_use]
    pub fn group_name(self) -> Option<&'a str> {
        match self {
            Self::Group(_, group) => group.group_name.as_deref(),
            Self::Outside(source) => source.group_name.as_deref(),
        }
    }

    #[must_use]
    pub fn owner_id(self) -> Option<&'a AccountId> {
        match self {
            Self::Group(_, group) => group.owner_id.as_ref(),
            Self::Outside(source) => source.owner_id.as_ref(),
        }
    }
}

/// Machines that carry the same groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Junction<'a> {
    /// The first of them.
    pub machine: &'a str,
    /// The number of further ones.
    pub more: usize,
    /// The groups through which traffic comes in, as [`TrustGraph::place_of`] numbers them.
    pub doors: Vec<usize>,
    /// The groups as which it may be sent on.
    pub keys: Vec<usize>,
}

impl TrustGraph {
    /// The groups, by id and owner.
    #[must_use]
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    #[must_use]
    pub fn group(&self, index: GroupIndex) -> Option<&Group> {
        self.groups.get(index.place())
    }

    pub fn indices(&self) -> impl ExactSizeIterator<Item = GroupIndex> + Clone + use<> {
        let count = u32::try_from(self.groups.len()).unwrap_or(u32::MAX);
        (0..count).map(GroupIndex)
    }

    /// The trust edges, by the id and owner of the source, then by those of the target. A source over a stale peering
    /// connection is none: it is among the [`unseen`](Self::unseen).
    #[must_use]
    pub fn edges(&self) -> Vec<TrustEdge<'_>> {
        let mut edges: Vec<_> = self
            .edges
            .iter()
            .filter_map(|edge| self.edge(edge))
            .collect();
        let key = |end: End<'_>| (end.group_id().cloned(), end.owner_id().cloned());
        if !self.outside.is_empty() {
            // Those of sources outside stand last so far.
            edges.sort_by_cached_key(|edge| (key(edge.from), edge.to));
        }
        edges
    }

    pub(super) fn edge(&self, edge: &Edge) -> Option<TrustEdge<'_>> {
        let carried = self.carried.get(edge.carried as usize)?;
        let to = GroupIndex(edge.to);
        Some(TrustEdge {
            from: self.end(edge.from)?,
            to,
            target: self.group(to)?,
            is_open: edge.openness.is_open,
            is_exempt: edge.openness.is_exempt,
            ports: &carried.ports,
            rules: &carried.rules,
        })
    }

    pub(super) fn end(&self, number: u32) -> Option<End<'_>> {
        let index = GroupIndex(number);
        if let Some(group) = self.group(index) {
            return Some(End::Group(index, group));
        }
        let outside = (number as usize).checked_sub(self.groups.len())?;
        self.outside.get(outside).map(End::Outside)
    }

    /// The sources that no file has, over a connection that is not known to be stale.
    #[must_use]
    pub fn outside(&self) -> &[SourceName] {
        &self.outside
    }

    /// Sources that no file has, and those over a stale peering connection.
    #[must_use]
    pub fn unseen(&self) -> &[Unseen] {
        &self.unseen
    }

    /// The number of an end: a group's place, and behind the groups those of the sources outside.
    #[must_use]
    pub fn place_of(&self, end: End<'_>) -> usize {
        match end {
            End::Group(index, _) => index.place(),
            End::Outside(source) => {
                let place = self
                    .outside
                    .binary_search(source)
                    .unwrap_or_else(|place| place);
                self.groups.len() + place
            }
        }
    }

    /// The machines by which a chain comes from one of these groups to another, those that join the same ones together.
    #[must_use]
    pub fn junctions(&self, is_wanted: impl Fn(usize) -> bool) -> Vec<Junction<'_>> {
        let wanted = |places: &[u32]| -> Vec<usize> {
            let places = places.iter().map(|place| *place as usize);
            places.filter(|place| is_wanted(*place)).collect()
        };
        type Ends = (Vec<usize>, Vec<usize>);
        let mut junctions: BTreeMap<Ends, (&str, usize)> = BTreeMap::new();
        for machine in &self.machines {
            let (doors, keys) = (wanted(&machine.doors), wanted(&machine.keys));
            if doors.is_empty() || keys.len() < 2 {
                continue;
            }
            let same = junctions.entry((doors, keys));
            same.and_modify(|(_, more)| *more += 1)
                .or_insert((&machine.name, 0));
        }
        let junction = |((doors, keys), (machine, more))| Junction {
            machine,
            more,
            doors,
            keys,
        };
        junctions.into_iter().map(junction).collect()
    }

    /// Whether network interfaces were read.
    #[must_use]
    pub fn has_interfaces(&self) -> bool {
        self.has_interfaces
    }
}
