//! `PLAN.json`, version 1: a plan as one person makes it and another applies it. Keys may be added, never changed.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Plan, Request};
use crate::model::{
    AccountId, GroupId, PeeringConnectionId, Protocol, Region, RuleId, Traffic, VpcId,
};
use crate::remediation::rule::{IngressRule, Peer, PeerGroup};

const VERSION: u32 = 1;

/// A plan as a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanDocument {
    version: u32,
    pub account: Option<AccountId>,
    pub region: Option<Region>,
    /// SHA-256 of everything else.
    pub digest: String,
    #[serde(default)]
    sources: Vec<GroupId>,
    #[serde(default)]
    replace: Vec<PortsDocument>,
    #[serde(default)]
    even_managed: bool,
    pub groups: Vec<GroupDocument>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct PortsDocument {
    protocol: String,
    from_port: Option<i64>,
    to_port: Option<i64>,
}

/// What is done to one group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupDocument {
    pub group_id: GroupId,
    pub revoke: Vec<RuleDocument>,
    pub authorize: Vec<RuleDocument>,
    pub keeps: Vec<RuleDocument>,
    pub managed_by: Option<String>,
}

/// A rule, whole: it can be made again from this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleDocument {
    pub rule_id: Option<RuleId>,
    protocol: String,
    from_port: Option<i64>,
    to_port: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<SourceDocument>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cidr_ipv4: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cidr_ipv6: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    prefix_list_id: Option<String>,
    description: Option<String>,
    tags: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct SourceDocument {
    group_id: Option<GroupId>,
    /// Only where there is no id.
    group_name: Option<String>,
    owner_id: Option<AccountId>,
    vpc_id: Option<VpcId>,
    peering_connection_id: Option<PeeringConnectionId>,
    peering_status: Option<String>,
}

/// How a group differs from what a plan says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub group_id: GroupId,
    /// Rules of the plan that the group does not have, or not so.
    pub gone: Vec<IngressRule>,
    /// Rules that the plan does not know.
    pub new: Vec<IngressRule>,
    /// Whether there is anything to do to it still.
    pub is_planned: bool,
}

/// A document that is no plan that can be applied.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    #[error("not a plan of `sg-trust fix --out`: {0}")]
    NotAPlan(#[source] serde_json::Error),
    #[error("a plan without a JSON form")]
    Json(#[from] serde_json::Error),
    #[error("a plan of version {0}, and this sg-trust knows version {VERSION}: make the plan anew")]
    Version(u32),
    #[error(
        "the plan was changed after it was made: its digest is not that of what stands in it. Make the plan anew"
    )]
    Changed,
    #[error("a rule in it lets in nobody: make the plan anew")]
    NoPeer,
}

impl PlanDocument {
    /// The plan as a document.
    ///
    /// # Errors
    /// Never in practice: every value of a plan has a JSON form.
    pub fn of(plan: &Plan) -> Result<Self, DocumentError> {
        let groups = plan.groups.iter().map(|group| {
            let rules = |rules: &[IngressRule]| rules.iter().map(RuleDocument::of).collect();
            let keeps = group.keeps.iter().map(|rule| RuleDocument::of(rule).kept());
            GroupDocument {
                group_id: group.group.group_id.clone(),
                revoke: rules(&group.revoke),
                authorize: rules(&group.authorize),
                keeps: keeps.collect(),
                managed_by: group.managed_by.clone(),
            }
        });
        let Request {
            sources,
            replace,
            even_managed,
        } = &plan.request;
        Self {
            version: VERSION,
            account: plan.account.clone(),
            region: plan.region.clone(),
            digest: String::new(),
            sources: sources.clone(),
            replace: replace.iter().map(PortsDocument::of).collect(),
            even_managed: *even_managed,
            groups: groups.collect(),
        }
        .with_digest()
    }

    /// Reads a document.
    ///
    /// # Errors
    /// When it is no plan, or was changed after it was made.
    pub fn parse(text: &str) -> Result<Self, DocumentError> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let Version { version } = serde_json::from_str(text).map_err(DocumentError::NotAPlan)?;
        if version != VERSION {
            return Err(DocumentError::Version(version));
        }
        let document: Self = serde_json::from_str(text).map_err(DocumentError::NotAPlan)?;
        document.checked()
    }

    /// The document, if its digest is that of its contents and every rule can be made again.
    ///
    /// # Errors
    /// When that is not so.
    pub fn checked(self) -> Result<Self, DocumentError> {
        if self.digest != self.computed_digest()? {
            return Err(DocumentError::Changed);
        }
        for rule in self.groups.iter().flat_map(|group| {
            let both = group.revoke.iter().chain(&group.authorize);
            both.chain(&group.keeps)
        }) {
            rule.rule()?;
        }
        Ok(self)
    }

    /// What it was asked with.
    #[must_use]
    pub fn request(&self) -> Request {
        Request {
            sources: self.sources.clone(),
            replace: self.replace.iter().map(PortsDocument::traffic).collect(),
            even_managed: self.even_managed,
        }
    }

    /// Whether it was made from files, which tell no rule ids.
    #[must_use]
    pub fn is_offline(&self) -> bool {
        let mut rules = self.groups.iter().flat_map(|group| &group.revoke);
        rules.any(|rule| rule.rule_id.is_none())
    }

    /// The same as far as files would have told: without rule ids and tags.
    ///
    /// # Errors
    /// As of [`Self::of`].
    pub fn offline(mut self) -> Result<Self, DocumentError> {
        for group in &mut self.groups {
            let rules = group.revoke.iter_mut().chain(&mut group.keeps);
            for rule in rules.chain(&mut group.authorize) {
                rule.rule_id = None;
                rule.tags = None;
            }
            // Without ids the order is that of the rules themselves.
            group.revoke.sort_by_key(RuleDocument::order);
            group.keeps.sort_by_key(RuleDocument::order);
        }
        self.with_digest()
    }

    /// The same, for a place that a file did not tell.
    ///
    /// # Errors
    /// As of [`Self::of`].
    pub fn in_place_of(mut self, other: &Self) -> Result<Self, DocumentError> {
        self.account.clone_from(&other.account);
        self.region.clone_from(&other.region);
        self.with_digest()
    }

    /// Where the other document, which is newer, differs.
    #[must_use]
    pub fn differences(&self, newer: &Self) -> Vec<Difference> {
        let find = |groups: &[GroupDocument], id: &GroupId| {
            let found = groups.iter().find(|group| group.group_id == *id);
            found.map_or_else(Vec::new, GroupDocument::rules)
        };
        let differs = |group: &&GroupDocument, others: &[GroupDocument]| !others.contains(group);
        let own = self.groups.iter();
        let others = newer.groups.iter();
        let own = own.filter(|group| differs(group, &newer.groups));
        let others = others.filter(|group| differs(group, &self.groups));
        let ids: BTreeSet<_> = own.chain(others).map(|group| &group.group_id).collect();
        let difference = |id: &GroupId| {
            let (before, now) = (find(&self.groups, id), find(&newer.groups, id));
            let without = |rules: &[IngressRule], others: &[IngressRule]| -> Vec<_> {
                let missing = rules.iter().filter(|rule| !others.contains(rule));
                missing.cloned().collect()
            };
            Difference {
                group_id: id.clone(),
                gone: without(&before, &now),
                new: without(&now, &before),
                is_planned: newer.groups.iter().any(|group| group.group_id == *id),
            }
        };
        ids.into_iter().map(difference).collect()
    }

    /// The document as text, ended by a newline.
    ///
    /// # Errors
    /// As of [`Self::of`].
    pub fn to_json(&self) -> Result<String, DocumentError> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    fn with_digest(self) -> Result<Self, DocumentError> {
        Ok(Self {
            digest: self.computed_digest()?,
            ..self
        })
    }

    fn computed_digest(&self) -> Result<String, DocumentError> {
        let plain = Self {
            digest: String::new(),
            ..self.clone()
        };
        let digest = Sha256::digest(serde_json::to_vec(&plain)?);
        Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

impl GroupDocument {
    /// All its rules that can be made again.
    fn rules(&self) -> Vec<IngressRule> {
        let rules = self.revoke.iter().chain(&self.keeps);
        rules.filter_map(|rule| rule.rule().ok()).collect()
    }
}

impl PortsDocument {
    fn of(traffic: &Traffic) -> Self {
        Self {
            protocol: traffic.protocol.to_string(),
            from_port: traffic.from_port,
            to_port: traffic.to_port,
        }
    }

    fn traffic(&self) -> Traffic {
        Traffic::new(Protocol::new(&self.protocol), self.from_port, self.to_port)
    }
}

impl RuleDocument {
    #[must_use]
    pub fn of(rule: &IngressRule) -> Self {
        let mut document = Self {
            rule_id: rule.rule_id.clone(),
            protocol: rule.traffic.protocol.to_string(),
            from_port: rule.traffic.from_port,
            to_port: rule.traffic.to_port,
            source: None,
            cidr_ipv4: None,
            cidr_ipv6: None,
            prefix_list_id: None,
            description: rule.description.clone(),
            tags: rule.tags.clone(),
        };
        match &rule.peer {
            Peer::Group(group) => document.source = Some(SourceDocument::of(group)),
            Peer::Ipv4(range) => document.cidr_ipv4 = Some(range.clone()),
            Peer::Ipv6(range) => document.cidr_ipv6 = Some(range.clone()),
            Peer::PrefixList(list) => document.prefix_list_id = Some(list.clone()),
        }
        document
    }

    /// As one that stays: it need not be made again, and files do not tell everything about it.
    fn kept(mut self) -> Self {
        self.tags = None;
        if self.source.is_none() {
            self.description = None;
        }
        self
    }

    fn order(&self) -> Option<(Peer, Traffic, Option<String>)> {
        let rule = self.rule().ok()?;
        Some((rule.peer, rule.traffic, rule.description))
    }

    /// The rule.
    ///
    /// # Errors
    /// When it lets in nobody.
    pub fn rule(&self) -> Result<IngressRule, DocumentError> {
        let group = self
            .source
            .as_ref()
            .map(|source| Peer::Group(source.group()));
        let ipv4 = self.cidr_ipv4.clone().map(Peer::Ipv4);
        let ipv6 = self.cidr_ipv6.clone().map(Peer::Ipv6);
        let list = self.prefix_list_id.clone().map(Peer::PrefixList);
        Ok(IngressRule {
            peer: group
                .or(ipv4)
                .or(ipv6)
                .or(list)
                .ok_or(DocumentError::NoPeer)?,
            traffic: Traffic::new(Protocol::new(&self.protocol), self.from_port, self.to_port),
            rule_id: self.rule_id.clone(),
            description: self.description.clone(),
            tags: self.tags.clone(),
        })
    }
}

impl SourceDocument {
    fn of(group: &PeerGroup) -> Self {
        Self {
            group_id: group.group_id.clone(),
            group_name: group
                .group_name
                .clone()
                .filter(|_| group.group_id.is_none()),
            owner_id: group.owner_id.clone(),
            vpc_id: group.vpc_id.clone(),
            peering_connection_id: group.peering_connection_id.clone(),
            peering_status: group.peering_status.clone(),
        }
    }

    fn group(&self) -> PeerGroup {
        PeerGroup {
            group_id: self.group_id.clone(),
            group_name: self.group_name.clone(),
            owner_id: self.owner_id.clone(),
            vpc_id: self.vpc_id.clone(),
            peering_connection_id: self.peering_connection_id.clone(),
            peering_status: self.peering_status.clone(),
        }
    }
}
