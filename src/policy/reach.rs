//! Which ports a source reaches on a group, over which protocol, and by which permissions. The verdict, `explain` and
//! everything else that asks this reads it here.

use std::ops::RangeInclusive;

use super::{OpenRule, Reading, Reason, Settings};
use crate::model::ports::{ALL_PORTS, PortSet, clip, width};
use crate::model::{AccountId, GroupId, GroupPair, IpPermission, Protocol, SecurityGroup};

/// The policy's verdict on one permission by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PermissionCheck {
    /// It names no security group.
    NotInterGroup,
    /// It is a violation, whatever else the group allows.
    Violates(Reason),
    /// It is none by itself; these are its ports, which count in the union of its source (none for ICMP and for an
    /// empty range, and none in the reference reading, which looks at no union).
    Within(Option<(u16, u16)>),
}

impl PermissionCheck {
    #[must_use]
    pub fn new(settings: &Settings, permission: &IpPermission) -> Self {
        if !permission.is_inter_group() {
            return Self::NotInterGroup;
        }
        let (Some(from), Some(to)) = (permission.from_port, permission.to_port) else {
            return Self::Violates(Reason::AllTraffic);
        };
        let all_ports = (from, to) == (0, 65_535);
        if settings.reading == Reading::Reference {
            return if all_ports {
                Self::Violates(Reason::AllPorts)
            } else {
                Self::Within(None)
            };
        }
        if (from, to) == (-1, -1) && !permission.ip_protocol.is_icmp() {
            return Self::Violates(Reason::AllTraffic);
        }
        if all_ports {
            return Self::Violates(Reason::AllPorts);
        }
        if permission.ip_protocol.is_icmp() {
            return Self::Within(None);
        }
        match clip(from, to) {
            Some(ports) if width(ports) > u32::from(settings.max_open_ports) => {
                Self::Violates(Reason::WideRange)
            }
            ports => Self::Within(ports),
        }
    }
}

/// The ports that a permission opens: every port where none is given. None for ICMP, which has types instead, and for a
/// range without a port.
#[must_use]
pub fn open_ports(permission: &IpPermission) -> Option<(u16, u16)> {
    if permission.ip_protocol.is_icmp() {
        return None;
    }
    match (permission.from_port, permission.to_port) {
        (Some(-1), Some(-1)) => Some((0, u16::MAX)),
        (Some(from), Some(to)) => clip(from, to),
        _ => Some((0, u16::MAX)),
    }
}

/// The key of a source: its id; without one, owner and name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceKey<'a> {
    pub group_id: Option<&'a GroupId>,
    pub owner: Option<&'a AccountId>,
    pub name: Option<&'a str>,
}

impl<'a> SourceKey<'a> {
    fn of(pair: &'a GroupPair) -> Self {
        match &pair.group_id {
            Some(id) => Self {
                group_id: Some(id),
                owner: None,
                name: None,
            },
            None => Self {
                group_id: None,
                owner: pair.user_id.as_ref(),
                name: pair.group_name.as_deref(),
            },
        }
    }
}

/// A permission, for one of the sources that it names.
#[derive(Debug, Clone, Copy)]
pub struct Grant<'a> {
    pub source: SourceKey<'a>,
    pub permission: &'a IpPermission,
    pub pair: &'a GroupPair,
}

/// Everything that a group grants to other groups: by source, then by protocol and ports.
#[derive(Debug, Clone)]
pub struct Grants<'a>(Vec<Grant<'a>>);

impl<'a> Grants<'a> {
    #[must_use]
    pub fn of(group: &'a SecurityGroup) -> Self {
        let mut grants: Vec<_> = group
            .ip_permissions
            .iter()
            .flat_map(|permission| {
                permission
                    .user_id_group_pairs
                    .iter()
                    .map(move |pair| Grant {
                        source: SourceKey::of(pair),
                        permission,
                        pair,
                    })
            })
            .collect();
        grants.sort_by_key(|grant| {
            let IpPermission {
                ip_protocol,
                from_port,
                to_port,
                ..
            } = grant.permission;
            (grant.source, ip_protocol, from_port, to_port)
        });
        Self(grants)
    }

    /// The reach of each source, in the order of the sources.
    pub fn by_source(&self) -> impl Iterator<Item = Reach<'_, 'a>> {
        self.0
            .chunk_by(|a, b| a.source == b.source)
            .map(|grants| Reach { grants })
    }
}

/// The grants of one source on a group, at least one, by protocol and ports.
#[derive(Debug, Clone, Copy)]
pub struct Reach<'g, 'a> {
    grants: &'g [Grant<'a>],
}

/// Grants of one source whose ports count together.
#[derive(Debug, Clone)]
pub struct Union<'g, 'a> {
    pub protocol: &'a Protocol,
    pub grants: Vec<&'g Grant<'a>>,
    pub ports: PortSet,
    /// Whether they are more than `max_open_ports`.
    pub is_too_much: bool,
}

impl<'g, 'a> Union<'g, 'a> {
    /// The grants that have to be revoked. Those that the other revoked ones cover may stay, the smallest first, then by
    /// first port and protocol, while all that stays together is no more than `max_open_ports`: so 443 stays beside
    /// 1-32767.
    #[must_use]
    pub fn revoked(&self, settings: &Settings) -> Vec<&'g Grant<'a>> {
        let rule = |grant: &Grant<'a>| {
            let IpPermission {
                ip_protocol,
                from_port,
                to_port,
                ..
            } = grant.permission;
            let range = from_port.and_then(|from| clip(from, (*to_port)?));
            (range.map(width), from_port, ip_protocol, to_port)
        };
        let mut grants = self.grants.clone();
        grants.sort_by_key(|grant| rule(grant));
        let mut tally = Tally::default();
        // The same protocol and ports over several peering connections are one rule.
        let rules: Vec<_> = grants
            .chunk_by(|a, b| rule(a) == rule(b))
            .filter_map(|grants| {
                let IpPermission {
                    from_port, to_port, ..
                } = grants.first()?.permission;
                let (first, last) = clip((*from_port)?, (*to_port)?)?;
                Some((usize::from(first)..=usize::from(last), grants))
            })
            .collect();
        for (range, _) in &rules {
            tally.revoke(range);
        }
        let most = usize::from(settings.max_open_ports);
        rules
            .into_iter()
            .filter(|(range, _)| !tally.leave_out(range, most))
            .flat_map(|(_, grants)| grants.iter().copied())
            .collect()
    }
}

/// By port: how many revoked rules open it, and whether a rule that stays does.
struct Tally {
    revoked: Vec<u32>,
    stays: Vec<bool>,
    /// The number of ports that stay.
    count: usize,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            revoked: vec![0; ALL_PORTS as usize],
            stays: vec![false; ALL_PORTS as usize],
            count: 0,
        }
    }
}

impl Tally {
    fn revoke(&mut self, range: &RangeInclusive<usize>) {
        let ports = self.revoked.get_mut(range.clone()).unwrap_or_default();
        ports.iter_mut().for_each(|count| *count += 1);
    }

    /// Leaves a revoked rule out, if the other revoked ones cover it and no more than `most` ports stay then. Gives back
    /// whether it did.
    fn leave_out(&mut self, range: &RangeInclusive<usize>, most: usize) -> bool {
        let (Some(revoked), Some(stays)) = (
            self.revoked.get_mut(range.clone()),
            self.stays.get_mut(range.clone()),
        ) else {
            return false;
        };
        let more = stays.iter().filter(|stays| !**stays).count();
        if self.count + more > most || revoked.iter().any(|count| *count < 2) {
            return false;
        }
        revoked.iter_mut().for_each(|count| *count -= 1);
        stays.fill(true);
        self.count += more;
        true
    }
}

impl<'g, 'a> Reach<'g, 'a> {
    #[must_use]
    pub fn grants(&self) -> &'g [Grant<'a>] {
        self.grants
    }

    /// The rules that grant it, sorted, each once.
    #[must_use]
    pub fn rules(&self) -> Vec<OpenRule> {
        let mut rules: Vec<_> = self.grants.iter().map(OpenRule::of).collect();
        rules.sort();
        rules.dedup();
        rules
    }

    /// The ports that it opens, by protocol in the order of the protocols as text. ICMP has types instead: its set is
    /// empty, and so is that of a range without a port.
    #[must_use]
    pub fn ports(&self) -> Vec<(Protocol, PortSet)> {
        self.by_protocol()
            .map(|(protocol, grants)| {
                let ranges = grants
                    .iter()
                    .filter_map(|grant| open_ports(grant.permission));
                (protocol.clone(), ranges.collect())
            })
            .collect()
    }

    /// The grants of each protocol, in the order of the protocols as text.
    pub fn by_protocol(&self) -> impl Iterator<Item = (&'a Protocol, &'g [Grant<'a>])> {
        self.grants
            .chunk_by(|a, b| a.permission.ip_protocol == b.permission.ip_protocol)
            .filter_map(|grants| Some((&grants.first()?.permission.ip_protocol, grants)))
    }

    /// The unions of the grants that are no violation by themselves: of those for all protocols, and when that is not
    /// too much already, of those of each other protocol with them.
    #[must_use]
    pub fn unions(&self, settings: &Settings) -> Vec<Union<'g, 'a>> {
        type Part<'g, 'a> = (&'g Grant<'a>, (u16, u16));
        let within = |grants: &'g [Grant<'a>]| -> Vec<Part<'g, 'a>> {
            grants
                .iter()
                .filter_map(
                    |grant| match PermissionCheck::new(settings, grant.permission) {
                        PermissionCheck::Within(Some(ports)) => Some((grant, ports)),
                        _ => None,
                    },
                )
                .collect()
        };
        let unite = |protocol: &'a Protocol, parts: &[Part<'g, 'a>]| {
            let ports: PortSet = parts.iter().map(|(_, ports)| *ports).collect();
            Union {
                protocol,
                grants: parts.iter().map(|(grant, _)| *grant).collect(),
                is_too_much: ports.count() > u32::from(settings.max_open_ports),
                ports,
            }
        };
        let mut unions = Vec::new();
        let mut of_all = Vec::new();
        if let Some((protocol, grants)) = self.by_protocol().find(|(one, _)| one.is_all()) {
            of_all = within(grants);
            unions.extend((!of_all.is_empty()).then(|| unite(protocol, &of_all)));
        }
        if unions.iter().any(|union| union.is_too_much) {
            return unions;
        }
        for (protocol, grants) in self.by_protocol().filter(|(one, _)| !one.is_all()) {
            let mut parts = within(grants);
            if !parts.is_empty() {
                parts.extend(&of_all);
                unions.push(unite(protocol, &parts));
            }
        }
        unions
    }
}
