//! Ingress rules as `DescribeSecurityGroupRules` has them: each with an id, for one source.

use std::collections::BTreeMap;

use crate::model::{
    AccountId, GroupId, GroupPair, IpPermission, PeeringConnectionId, RuleId, SecurityGroup,
    Traffic, VpcId,
};
use crate::policy::{OpenRule, Source};

/// An ingress rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct IngressRule {
    pub peer: Peer,
    pub traffic: Traffic,
    /// Absent where the rule comes from a file.
    pub rule_id: Option<RuleId>,
    pub description: Option<String>,
    /// Absent where nobody asked for them.
    pub tags: Option<BTreeMap<String, String>>,
}

/// Whom a rule lets in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    Group(PeerGroup),
    Ipv4(String),
    Ipv6(String),
    PrefixList(String),
}

/// A security group that a rule lets in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct PeerGroup {
    pub group_id: Option<GroupId>,
    pub owner_id: Option<AccountId>,
    /// EC2 tells it only of some.
    pub group_name: Option<String>,
    pub vpc_id: Option<VpcId>,
    pub peering_connection_id: Option<PeeringConnectionId>,
    pub peering_status: Option<String>,
}

impl Peer {
    #[must_use]
    pub fn group(&self) -> Option<&PeerGroup> {
        match self {
            Self::Group(group) => Some(group),
            Self::Ipv4(_) | Self::Ipv6(_) | Self::PrefixList(_) => None,
        }
    }

    /// Whether EC2 takes both for the same peer.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Group(one), Self::Group(other)) => {
                let is_same_group = match (&one.group_id, &other.group_id) {
                    (None, None) => {
                        (&one.owner_id, &one.group_name) == (&other.owner_id, &other.group_name)
                    }
                    (one, other) => one == other,
                };
                is_same_group && one.peering_connection_id == other.peering_connection_id
            }
            (one, other) => one == other,
        }
    }
}

impl PeerGroup {
    fn of(pair: &GroupPair) -> Self {
        Self {
            group_id: pair.group_id.clone(),
            owner_id: pair.user_id.clone(),
            group_name: pair.group_name.clone(),
            vpc_id: pair.vpc_id.clone(),
            peering_connection_id: pair.vpc_peering_connection_id.clone(),
            peering_status: pair.peering_status.clone(),
        }
    }

    /// What became of its peering connection, when that is not active.
    #[must_use]
    pub fn stale_status(&self) -> Option<&str> {
        let status = self.peering_status.as_deref();
        status.filter(|status| *status != "active")
    }

    /// Whether a violation lets in this group.
    #[must_use]
    pub fn is(&self, source: &Source) -> bool {
        match (&self.group_id, &source.group_id) {
            (Some(id), Some(of_source)) => id == of_source,
            (None, None) => self.group_name == source.group_name,
            _ => false,
        }
    }
}

impl IngressRule {
    /// The rules of a group as `DescribeSecurityGroups` describes it: without ids and tags.
    #[must_use]
    pub fn all_of(group: &SecurityGroup) -> Vec<Self> {
        group.ip_permissions.iter().flat_map(Self::of).collect()
    }

    fn of(permission: &IpPermission) -> Vec<Self> {
        let rule = |peer, description| Self {
            peer,
            traffic: Traffic::of(permission),
            rule_id: None,
            description,
            tags: None,
        };
        let groups = permission
            .user_id_group_pairs
            .iter()
            .map(|pair| rule(Peer::Group(PeerGroup::of(pair)), pair.description.clone()));
        let ipv4 = permission
            .ip_ranges
            .iter()
            .filter_map(|range| Some(rule(Peer::Ipv4(range.cidr_ip.clone()?), None)));
        let ipv6 = permission
            .ipv6_ranges
            .iter()
            .filter_map(|range| Some(rule(Peer::Ipv6(range.cidr_ipv6.clone()?), None)));
        let lists = permission
            .prefix_list_ids
            .iter()
            .filter_map(|list| Some(rule(Peer::PrefixList(list.prefix_list_id.clone()?), None)));
        groups.chain(ipv4).chain(ipv6).chain(lists).collect()
    }

    /// Whether EC2 takes both for the same rule: it refuses the second one as a duplicate.
    #[must_use]
    pub fn has_effect_of(&self, other: &Self) -> bool {
        self.traffic.is_same_as(&other.traffic) && self.peer.is_same_as(&other.peer)
    }

    /// Whether it is one of the rules by which a violation lets in a source.
    #[must_use]
    pub fn is_behind(&self, rule: &OpenRule, source: &Source) -> bool {
        let Peer::Group(group) = &self.peer else {
            return false;
        };
        self.traffic.is_same_as(&rule.traffic)
            && group.is(source)
            && group.peering_connection_id == rule.pair.peering_connection_id
    }

    /// The permission that has this rule alone; none when it lets in no group, which the policy does not read.
    #[must_use]
    pub fn permission(&self) -> Option<IpPermission> {
        let group = self.peer.group()?;
        Some(IpPermission {
            ip_protocol: self.traffic.protocol.clone(),
            from_port: self.traffic.from_port,
            to_port: self.traffic.to_port,
            user_id_group_pairs: vec![GroupPair {
                group_id: group.group_id.clone(),
                group_name: group.group_name.clone(),
                user_id: group.owner_id.clone(),
                vpc_id: group.vpc_id.clone(),
                vpc_peering_connection_id: group.peering_connection_id.clone(),
                peering_status: group.peering_status.clone(),
                description: self.description.clone(),
            }],
            ..IpPermission::default()
        })
    }

    /// Whether both may be the same rule, of which one does not tell the peering connection.
    fn may_be(&self, other: &Self) -> bool {
        if self.has_effect_of(other) {
            return true;
        }
        let (Peer::Group(one), Peer::Group(another)) = (&self.peer, &other.peer) else {
            return false;
        };
        let is_told =
            one.peering_connection_id.is_some() && another.peering_connection_id.is_some();
        let is_same_group = one.group_id.is_some() && one.group_id == another.group_id;
        self.traffic.is_same_as(&other.traffic) && is_same_group && !is_told
    }

    /// With what another description of the same rule knows and this one does not.
    #[must_use]
    fn completed_by(self, other: &Self) -> Self {
        let peer = match (self.peer, &other.peer) {
            (Peer::Group(own), Peer::Group(other)) => Peer::Group(PeerGroup {
                group_id: own.group_id,
                owner_id: own.owner_id.or_else(|| other.owner_id.clone()),
                group_name: own.group_name.or_else(|| other.group_name.clone()),
                vpc_id: own.vpc_id.or_else(|| other.vpc_id.clone()),
                peering_connection_id: own
                    .peering_connection_id
                    .or_else(|| other.peering_connection_id.clone()),
                peering_status: own.peering_status.or_else(|| other.peering_status.clone()),
            }),
            (peer, _) => peer,
        };
        Self {
            peer,
            description: self.description.or_else(|| other.description.clone()),
            ..self
        }
    }
}

/// A group with its ingress rules. Its permissions are those of the rules that let in groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRules {
    pub group: SecurityGroup,
    pub rules: Vec<IngressRule>,
}

/// The two answers of EC2 about a group are of different moments.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "EC2 describes security group {0} and its rules differently: it has just been changed. Try again in a minute"
)]
pub struct Disagreement(pub GroupId);

impl GroupRules {
    /// A group as a file has it.
    #[must_use]
    pub fn described(group: SecurityGroup) -> Self {
        let rules = IngressRule::all_of(&group);
        Self::new(group, rules)
    }

    /// A group with rules, whatever permissions it has.
    #[must_use]
    pub fn new(group: SecurityGroup, rules: Vec<IngressRule>) -> Self {
        let permissions = rules.iter().filter_map(IngressRule::permission);
        Self {
            group: SecurityGroup {
                ip_permissions: permissions.collect(),
                ..group
            },
            rules,
        }
    }

    /// A group as `DescribeSecurityGroups` describes it, with the rules of `DescribeSecurityGroupRules`. What these lack,
    /// such as descriptions, is taken from the group.
    ///
    /// # Errors
    /// When the two answers do not let in the same groups.
    pub fn joined(group: SecurityGroup, rules: Vec<IngressRule>) -> Result<Self, Disagreement> {
        let described = IngressRule::all_of(&group);
        let is_in = |rule: &IngressRule, all: &[IngressRule]| {
            rule.peer.group().is_none() || all.iter().any(|other| other.may_be(rule))
        };
        let agree = rules.iter().all(|rule| is_in(rule, &described))
            && described.iter().all(|rule| is_in(rule, &rules));
        if !agree {
            return Err(Disagreement(group.group_id));
        }
        let complete = |rule: IngressRule| {
            let exactly = described.iter().find(|other| other.has_effect_of(&rule));
            let mut perhaps = described.iter().filter(|other| other.may_be(&rule));
            let only = perhaps.next().filter(|_| perhaps.next().is_none());
            match exactly.or(only) {
                Some(other) => rule.completed_by(other),
                None => rule,
            }
        };
        let rules = rules.into_iter().map(complete).collect();
        Ok(Self::new(group, rules))
    }

    /// With the names of the groups that it lets in, which EC2 tells only of some, where they are among these.
    #[must_use]
    pub fn with_names_of(mut self, groups: &[SecurityGroup]) -> Self {
        for rule in &mut self.rules {
            let Peer::Group(peer) = &mut rule.peer else {
                continue;
            };
            let is_meant = |group: &&SecurityGroup| {
                let agrees = peer.owner_id.is_none() || group.owner_id.is_none();
                peer.group_id.as_ref() == Some(&group.group_id)
                    && (agrees || peer.owner_id == group.owner_id)
            };
            if peer.group_name.is_none() {
                let group = groups.iter().find(is_meant);
                peer.group_name = group.and_then(|group| group.group_name.clone());
            }
        }
        Self::new(self.group, self.rules)
    }

    /// The group without some of its rules, by their places, and with others.
    #[must_use]
    pub fn changed(&self, is_revoked: impl Fn(usize) -> bool, more: &[IngressRule]) -> Self {
        let stays = self.rules.iter().enumerate();
        let stays = stays.filter(|(place, _)| !is_revoked(*place));
        let rules = stays
            .map(|(_, rule)| rule.clone())
            .chain(more.iter().cloned());
        Self::new(self.group.clone(), rules.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remediation::plan::tests::{from_group, group, rule};

    fn described(rules: &[IngressRule]) -> SecurityGroup {
        GroupRules::new(group("sg-0a"), rules.to_vec()).group
    }

    #[test]
    fn what_the_answer_of_rules_lacks_is_taken_from_the_group() {
        let whole = rule(2, from_group("sg-0b", Some("pcx-1")), "-1", None);
        let bare = IngressRule {
            description: None,
            ..rule(2, from_group("sg-0b", None), "-1", None)
        };
        let joined =
            GroupRules::joined(described(std::slice::from_ref(&whole)), vec![bare.clone()]);
        assert_eq!(
            joined.unwrap().rules.as_slice(),
            std::slice::from_ref(&whole)
        );
        // Of two connections nobody knows which one it is.
        let other = rule(4, from_group("sg-0b", Some("pcx-2")), "-1", None);
        let joined = GroupRules::joined(described(&[whole, other]), vec![bare.clone()]);
        assert_eq!(joined.unwrap().rules, [bare]);
    }

    #[test]
    fn answers_of_different_moments_are_refused() {
        let both = [
            rule(1, from_group("sg-0b", None), "-1", None),
            rule(2, from_group("sg-0c", None), "-1", None),
        ];
        for (group, rules) in [(&both[..1], &both[..]), (&both[..], &both[..1])] {
            let joined = GroupRules::joined(described(group), rules.to_vec());
            assert_eq!(joined, Err(Disagreement(GroupId::new("sg-0a"))));
        }
        let elsewhere = rule(1, from_group("sg-0b", Some("pcx-1")), "-1", None);
        let over_another = rule(1, from_group("sg-0b", Some("pcx-2")), "-1", None);
        assert!(GroupRules::joined(described(&[elsewhere]), vec![over_another]).is_err());
        assert!(GroupRules::joined(described(&[]), Vec::new()).is_ok());
    }
}
