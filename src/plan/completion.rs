//! One way in which what is unknown may turn out, and the group that it makes.

use std::collections::{BTreeMap, HashMap};

use crate::model::planned::{
    GroupState, Owner, PlannedGroup, PlannedPermission, PlannedSource, Unknown, Value, Who,
};
use crate::model::{
    AccountId, GroupId, GroupPair, IpPermission, IpRange, Ipv6Range, PrefixList, Protocol,
    SecurityGroup, VpcId,
};

/// The groups of a deployment, to look sources up in.
#[derive(Debug)]
pub(super) struct Directory<'a> {
    groups: HashMap<&'a str, &'a PlannedGroup>,
    by_id: HashMap<&'a GroupId, &'a str>,
}

/// Whether a state is that before the deployment or that after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    Before,
    After,
}

impl<'a> Directory<'a> {
    pub(super) fn new(groups: &'a [PlannedGroup]) -> Self {
        let states = |group: &'a PlannedGroup| group.before.iter().chain(&group.after);
        let ids = |group: &'a PlannedGroup| {
            let address = group.address.as_str();
            states(group).filter_map(move |state| Some((state.group_id.as_ref()?, address)))
        };
        Self {
            groups: groups
                .iter()
                .map(|group| (group.address.as_str(), group))
                .collect(),
            by_id: groups.iter().flat_map(ids).collect(),
        }
    }

    pub(super) fn get(&self, address: &str) -> Option<&'a PlannedGroup> {
        self.groups.get(address).copied()
    }

    pub(super) fn state(&self, address: &str, moment: Moment) -> Option<&'a GroupState> {
        let group = self.get(address)?;
        match moment {
            Moment::Before => group.before.as_ref(),
            Moment::After => group.after.as_ref(),
        }
    }

    /// The address of the group with an id, before or after.
    pub(super) fn address_of(&self, id: &GroupId) -> Option<&'a str> {
        self.by_id.get(id).copied()
    }

    /// The id of a group; its address stands for the id of one that is created.
    pub(super) fn id(&self, address: &str, moment: Moment) -> GroupId {
        self.state(address, moment)
            .and_then(|state| state.group_id.clone())
            .unwrap_or_else(|| GroupId::new(address))
    }
}

/// What unknown ports and protocols, and what may be absent, turn out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Extent {
    /// As little as possible. The protocol is what an unknown one is, where the ports alone do not decide.
    Least(Protocol),
    /// As much as possible.
    Most,
    /// As many ports as one rule may have, from the bound that is known: what is no violation by itself, but as much
    /// as there can be in a union.
    Within(u16),
}

/// Who an unknown source turns out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Assigned {
    /// A group that nothing else names, of the target's account or of another.
    Fresh {
        is_own: bool,
    },
    /// One group for all that may be any, which nothing else names.
    Shared,
    Itself,
    Planned(String),
    Group(GroupId, Option<AccountId>),
}

/// One way in which what is unknown may turn out. With several groups for a source the way stands for several ways, one
/// for each group.
#[derive(Debug, Clone)]
pub(super) struct Way<'w> {
    pub(super) extent: Extent,
    /// By the source's key; a fresh group of the same account where it is missing.
    pub(super) sources: &'w BTreeMap<String, Vec<Assigned>>,
    pub(super) attributes: &'w Attributes,
}

/// What unknown attributes of the group turn out to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Attributes {
    pub(super) name: Option<String>,
    pub(super) vpc: Option<VpcId>,
    pub(super) tags: BTreeMap<String, String>,
    /// By the key of the owner; the key itself where it is missing.
    pub(super) accounts: BTreeMap<String, AccountId>,
}

/// A group as one way makes it.
#[derive(Debug, Clone)]
pub(super) struct Completed<'a> {
    pub(super) group: SecurityGroup,
    /// For each of its permissions the one that it was made of.
    pub(super) origins: Vec<&'a PlannedPermission>,
    /// What stands behind an id that is none.
    pub(super) unknown: HashMap<GroupId, &'a Unknown>,
}

/// The prefix of the ids that stand for unknown sources: no id or address begins so.
const FRESH: &str = "unknown: ";

pub(super) fn complete<'a>(
    directory: &Directory<'a>,
    address: &str,
    state: &'a GroupState,
    moment: Moment,
    way: &Way<'_>,
) -> Completed<'a> {
    let group_id = state
        .group_id
        .clone()
        .unwrap_or_else(|| GroupId::new(address));
    let mut made = Making {
        directory,
        address,
        moment,
        way,
        owner: account(&state.owner, way.attributes),
        group_id,
        unknown: HashMap::new(),
    };
    let mut permissions = Vec::with_capacity(state.permissions.len());
    let mut origins = Vec::with_capacity(state.permissions.len());
    for permission in state.all_permissions() {
        if let Some(made) = made.permission(permission) {
            permissions.push(made);
            origins.push(permission);
        }
    }
    let mut tags = way.attributes.tags.clone();
    for (key, value) in &state.tags.tags {
        if let Value::Known(value) = value {
            tags.insert(key.clone(), value.clone());
        }
    }
    Completed {
        group: SecurityGroup {
            group_id: made.group_id,
            group_name: match &state.group_name {
                Value::Known(name) => name.clone(),
                Value::Unknown(_) => way.attributes.name.clone(),
            },
            owner_id: Some(made.owner),
            vpc_id: match &state.vpc_id {
                Value::Known(vpc) => vpc.clone(),
                Value::Unknown(_) => way.attributes.vpc.clone(),
            },
            security_group_arn: None,
            ip_permissions: permissions,
            ip_permissions_egress: Vec::new(),
            tags,
        },
        origins,
        unknown: made.unknown,
    }
}

fn account(owner: &Owner, attributes: &Attributes) -> AccountId {
    match owner {
        Owner::Known(account) => account.clone(),
        Owner::Same(key) => match attributes.accounts.get(key) {
            Some(account) => account.clone(),
            None => AccountId::new(key.as_str()),
        },
    }
}

struct Making<'m, 'a> {
    directory: &'m Directory<'a>,
    address: &'m str,
    moment: Moment,
    way: &'m Way<'m>,
    group_id: GroupId,
    owner: AccountId,
    unknown: HashMap<GroupId, &'a Unknown>,
}

impl<'a> Making<'_, 'a> {
    fn permission(&mut self, planned: &'a PlannedPermission) -> Option<IpPermission> {
        let is_least = matches!(self.way.extent, Extent::Least(_));
        if is_least && planned.may_be_absent.is_some() {
            return None;
        }
        let (ip_protocol, from_port, to_port) = traffic(planned, &self.way.extent)?;
        let mut pairs = Vec::new();
        for source in &planned.sources {
            if !(is_least && source.may_be_absent.is_some()) {
                pairs.extend(self.pairs(source));
            }
        }
        let (ipv6, ipv4): (Vec<_>, Vec<_>) = planned
            .ranges
            .iter()
            .cloned()
            .partition(|range| range.contains(':'));
        Some(IpPermission {
            ip_protocol,
            from_port,
            to_port,
            user_id_group_pairs: pairs,
            ip_ranges: ipv4
                .into_iter()
                .map(|range| IpRange {
                    cidr_ip: Some(range),
                    description: None,
                })
                .collect(),
            ipv6_ranges: ipv6
                .into_iter()
                .map(|range| Ipv6Range {
                    cidr_ipv6: Some(range),
                    description: None,
                })
                .collect(),
            prefix_list_ids: planned
                .prefix_lists
                .iter()
                .map(|list| PrefixList {
                    prefix_list_id: Some(list.clone()),
                    description: None,
                })
                .collect(),
        })
    }

    fn pairs(&mut self, source: &'a PlannedSource) -> Vec<GroupPair> {
        match &source.who {
            Who::Itself => vec![self.itself()],
            Who::Planned(address) => vec![self.planned(address)],
            Who::Group {
                group_id,
                owner,
                peering,
            } => match self.directory.address_of(group_id) {
                // A group that is replaced has another id after the deployment.
                Some(address) if peering.is_none() => vec![self.planned(address)],
                _ => vec![GroupPair {
                    vpc_peering_connection_id: peering.clone(),
                    ..self.pair(group_id.clone(), owner.clone())
                }],
            },
            Who::Named { name, owner } => vec![GroupPair {
                group_name: Some(name.clone()),
                user_id: Some(owner.clone().unwrap_or_else(|| self.owner.clone())),
                ..GroupPair::default()
            }],
            Who::Unknown { unknown, key, .. } => {
                let fresh = [Assigned::Fresh { is_own: true }];
                let assigned = self.way.sources.get(key);
                let assigned = assigned.map_or(fresh.as_slice(), Vec::as_slice);
                assigned
                    .iter()
                    .map(|assigned| self.assigned(assigned, unknown, key))
                    .collect()
            }
        }
    }

    fn assigned(&mut self, assigned: &Assigned, unknown: &'a Unknown, key: &str) -> GroupPair {
        match assigned {
            Assigned::Itself => self.itself(),
            Assigned::Planned(address) => self.planned(address),
            Assigned::Group(id, owner) => self.pair(id.clone(), owner.clone()),
            Assigned::Shared => self.fresh(GroupId::new(FRESH), None, unknown),
            Assigned::Fresh { is_own } => {
                let owner = is_own.then(|| self.owner.clone());
                self.fresh(GroupId::new(format!("{FRESH}{key}")), owner, unknown)
            }
        }
    }

    fn fresh(&mut self, id: GroupId, owner: Option<AccountId>, unknown: &'a Unknown) -> GroupPair {
        self.unknown.entry(id.clone()).or_insert(unknown);
        GroupPair {
            group_id: Some(id),
            user_id: owner,
            ..GroupPair::default()
        }
    }

    fn itself(&self) -> GroupPair {
        self.pair(self.group_id.clone(), None)
    }

    fn pair(&self, id: GroupId, owner: Option<AccountId>) -> GroupPair {
        GroupPair {
            group_id: Some(id),
            user_id: Some(owner.unwrap_or_else(|| self.owner.clone())),
            ..GroupPair::default()
        }
    }

    fn planned(&self, address: &str) -> GroupPair {
        if address == self.address {
            return self.itself();
        }
        let state = self.directory.state(address, self.moment);
        let owner = state.map(|state| account(&state.owner, self.way.attributes));
        self.pair(self.directory.id(address, self.moment), owner)
    }
}

/// Protocol and ports, or none where the permission opens nothing. EC2 ignores the ports of every protocol but tcp, udp,
/// icmp and icmpv6.
fn traffic(
    planned: &PlannedPermission,
    extent: &Extent,
) -> Option<(Protocol, Option<i64>, Option<i64>)> {
    let protocol = match (&planned.protocol, extent) {
        (Value::Known(protocol), _) => protocol.clone(),
        (Value::Unknown(_), Extent::Least(protocol)) => protocol.clone(),
        (Value::Unknown(_), _) => Protocol::ALL,
    };
    if !protocol.has_port_members() {
        return Some((protocol, None, None));
    }
    let (from, to) = match (&planned.from_port, &planned.to_port) {
        (Value::Known(from), Value::Known(to)) => (*from, *to),
        // Without a port on one side it is all traffic, whatever the other is.
        (Value::Known(None), _) | (_, Value::Known(None)) => (None, None),
        (from, to) => {
            let known = |port: &Value<Option<i64>>| port.known().copied().flatten();
            let (from, to) = widest(&protocol, known(from), known(to), extent)?;
            (Some(from), Some(to))
        }
    };
    Some((protocol, from, to))
}

/// The range where one bound is unknown, or both are.
fn widest(
    protocol: &Protocol,
    from: Option<i64>,
    to: Option<i64>,
    extent: &Extent,
) -> Option<(i64, i64)> {
    // Types and codes end at 255.
    let last = if protocol.is_icmp() { 255 } else { 65_535 };
    let most = match extent {
        Extent::Least(_) => return None,
        Extent::Most => i64::from(u16::MAX) + 1,
        Extent::Within(most) => i64::from(*most),
    };
    Some(match (from, to) {
        (Some(from), None) if protocol.is_icmp() => (from, last),
        // Both bounds -1 are all traffic.
        (Some(-1), None) if *extent == Extent::Most => (-1, -1),
        (None, Some(-1)) if *extent == Extent::Most => (-1, -1),
        (Some(from), None) => (from, last.min(from.max(0) + most - 1)),
        (None, Some(to)) => (0.max(to.min(last) - most + 1), to),
        _ => (0, last.min(most - 1)),
    })
}
