//! Whom a violation lets in, and by which rules.

use std::collections::BTreeSet;

use super::reach::Grant;
use crate::model::{
    AccountId, GroupId, GroupPair, PeeringConnectionId, SecurityGroup, Traffic, VpcId,
};

/// The status of a peering connection over which traffic passes.
const ACTIVE: &str = "active";

/// A rule behind a violation: protocol and ports, for the source over one peering connection or none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpenRule {
    pub traffic: Traffic,
    pub pair: SourcePair,
}

/// One of the ways in which permissions name a source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourcePair {
    pub owner_id: Option<AccountId>,
    pub vpc_id: Option<VpcId>,
    pub peering_connection_id: Option<PeeringConnectionId>,
    /// `active`, or what became of the peering connection.
    pub peering_status: Option<String>,
}

/// A security group that a permission names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its id; absent only where EC2 names it by name alone.
    pub group_id: Option<GroupId>,
    /// Its name, where known.
    pub group_name: Option<String>,
    /// Its account, where all pairs know it and agree.
    pub owner_id: Option<AccountId>,
    /// Every distinct way in which permissions name it, those over an active peering connection first: at least one.
    pub pairs: Vec<SourcePair>,
    /// The descriptions of the rules to be revoked, in order.
    pub descriptions: Vec<String>,
    /// Whether it is the evaluated group itself.
    pub is_self: bool,
    /// Whether a pair knows its account to be another than the evaluated group's.
    pub is_foreign: bool,
}

fn stale(peering_status: Option<&str>) -> Option<&str> {
    peering_status.filter(|status| *status != ACTIVE)
}

/// Whether a permission names a source over a peering connection that is not active.
#[must_use]
pub fn is_stale(pair: &GroupPair) -> bool {
    stale(pair.peering_status.as_deref()).is_some()
}

impl OpenRule {
    pub(super) fn of(grant: &Grant<'_>) -> Self {
        Self {
            traffic: Traffic::of(grant.permission),
            pair: SourcePair::of(grant.pair),
        }
    }
}

impl SourcePair {
    fn of(pair: &GroupPair) -> Self {
        Self {
            owner_id: pair.user_id.clone(),
            vpc_id: pair.vpc_id.clone(),
            peering_connection_id: pair.vpc_peering_connection_id.clone(),
            peering_status: pair.peering_status.clone(),
        }
    }

    /// The status of the peering connection, when it is not active.
    #[must_use]
    pub fn stale_status(&self) -> Option<&str> {
        stale(self.peering_status.as_deref())
    }

    fn rank(&self) -> u8 {
        match self.peering_status.as_deref() {
            Some(ACTIVE) => 0,
            None => 1,
            Some(_) => 2,
        }
    }
}

impl Source {
    /// The source of grants, whatever their order. At least one is given, and all have the same source.
    #[must_use]
    pub fn of(group: &SecurityGroup, grants: &[&Grant<'_>]) -> Self {
        let pairs = || grants.iter().map(|grant| grant.pair);
        let group_id = pairs().find_map(|pair| pair.group_id.clone());
        let is_self = group_id.as_ref() == Some(&group.group_id);
        let mut owners = pairs().map(|pair| pair.user_id.as_ref());
        let owner_id = owners
            .next()
            .flatten()
            .filter(|owner| owners.all(|other| other == Some(owner)))
            .cloned();
        let is_foreign = |pair: &GroupPair| {
            let owners = pair.user_id.as_ref().zip(group.owner_id.as_ref());
            owners.is_some_and(|(one, other)| one != other)
        };
        let mut distinct: Vec<_> = pairs().map(SourcePair::of).collect();
        distinct.sort_by(|a, b| (a.rank(), a).cmp(&(b.rank(), b)));
        distinct.dedup();
        Self {
            group_name: pairs()
                .filter_map(|pair| pair.group_name.as_ref())
                .min()
                .cloned(),
            is_foreign: !is_self && pairs().any(is_foreign),
            pairs: distinct,
            descriptions: Vec::new(),
            group_id,
            owner_id,
            is_self,
        }
    }

    /// With what these grants say about themselves.
    pub(super) fn described_by(mut self, grants: &[&Grant<'_>]) -> Self {
        let descriptions = grants
            .iter()
            .filter_map(|grant| grant.pair.description.as_ref());
        let descriptions: BTreeSet<_> = descriptions.collect();
        self.descriptions = descriptions.into_iter().cloned().collect();
        self
    }

    /// The way to name it that stands for all: over an active peering connection, if there is one.
    #[must_use]
    pub fn main_pair(&self) -> Option<&SourcePair> {
        self.pairs.first()
    }
}
