//! The policy: a security group must not let another security group reach all its ports.
//!
//! [`Settings::evaluate`] is a pure function of a group, of what is known of the groups it lets in, of the day, and of the
//! settings: no clock, no I/O, no environment.
//!
//! # Why it matters
//!
//! Administrators tend to trust the groups of their own account. Where one group guards far more sensitive data than
//! another, a rule that opens everything between them is the path of a lateral movement (MITRE ATT&CK TA0008, T1210).
//!
//! # Readings
//!
//! [`Reading::Reference`] is the published detection, nothing more. [`Reading::Effective`] fails all that it fails, and
//! what opens as much in another spelling: nearly all ports, split ranges, `-1` with ports -1 to -1.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::model::ports::{PortSet, clip, width};
use crate::model::{
    AccountId, GroupPair, GroupRule, IpPermission, Protocol, SecurityGroup, Traffic,
};

pub mod exemption;
pub mod sensitivity;
pub mod settings;

use exemption::{Exemption, ExemptionMatch};
pub use sensitivity::{Levels, ReferencedGroups};
pub use settings::{Reading, Settings};

/// The policy's id, which is also the `GeneratorId` of its findings.
pub const ID: &str = "AWS.SecurityGroup.RestrictsInterSecurityGroupTraffic";
/// What the policy asks for, said of one group.
pub const DEMAND: &str = "should restrict traffic from other security groups";
/// MITRE ATT&CK tactic and technique: Lateral Movement, Exploitation of Remote Services.
pub const MITRE: &str = "TA0008:T1210";
/// Security Hub's finding types, from
/// <https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-format-type-taxonomy.html>.
pub const TYPES: [&str; 2] = [
    "Software and Configuration Checks/AWS Security Best Practices/Network Reachability",
    "TTPs/Lateral Movement",
];
/// Where AWS explains security group rules.
pub const REMEDIATION_URL: &str =
    "https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html";
/// What to do about a violation.
pub const REMEDIATION: &str = "Revoke the rule and allow only the ports that the source needs: the commands are in ProductFields sg-trust/fix/1.";
/// What to do about violations that are all exempt.
pub const REMEDIATION_EXEMPT: &str = "Nothing to do while the exemption holds. When it ends the finding turns FAILED: the commands that revoke the rule are in ProductFields sg-trust/fix/1.";
/// What to do when there is none.
pub const REMEDIATION_NONE: &str =
    "Nothing to do: no rule lets another security group reach all ports of this one.";

/// The day of a moment, as exemptions count days: in UTC.
#[must_use]
pub fn day_of(at: Timestamp) -> Date {
    TimeZone::UTC.to_datetime(at).date()
}

/// How bad a violation is, in Security Hub's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Severity {
    /// No issue was found. Of groups only: a violation is at least LOW.
    Informational,
    /// It does not require action on its own.
    Low,
    /// It must be addressed, not urgently.
    Medium,
    /// It must be addressed as a priority.
    High,
    /// It must be remediated immediately.
    Critical,
}

impl Severity {
    /// Security Hub's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Informational => "INFORMATIONAL",
            Self::Low => "LOW",
            Self::Medium => "MEDIUM",
            Self::High => "HIGH",
            Self::Critical => "CRITICAL",
        }
    }
}

/// What the evaluation of a group came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// No violation.
    Passed,
    /// A violation that no exemption covers.
    Failed,
    /// Violations, and an exemption for each.
    Exempt,
}

impl Status {
    /// The status by the word that users see.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Passed, Self::Failed, Self::Exempt]
            .into_iter()
            .find(|status| status.as_str() == word)
    }

    /// The word users see.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "PASSED",
            Self::Failed => "FAILED",
            Self::Exempt => "EXEMPT",
        }
    }
}

/// Why a permission is a violation, in the order of the policy's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// No port is given, or all protocols with -1 to -1.
    AllTraffic,
    /// Ports 0 to 65535.
    AllPorts,
    /// More ports than `max_open_ports`, in one permission.
    WideRange,
    /// More ports than `max_open_ports`, in several permissions together.
    SplitRanges,
}

impl Reason {
    /// The word users see.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AllTraffic => "all-traffic",
            Self::AllPorts => "all-ports",
            Self::WideRange => "wide-range",
            Self::SplitRanges => "split-ranges",
        }
    }
}

/// The evaluation of one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Passed, failed or exempt.
    pub status: Status,
    /// The highest over the violations that are not exempt; INFORMATIONAL without one.
    pub severity: Severity,
    /// By source, protocol and reason: the order of the input does not show.
    pub violations: Vec<Violation>,
}

impl Verdict {
    fn of(violations: Vec<Violation>) -> Self {
        let severity = violations
            .iter()
            .filter(|violation| violation.exemption.is_none())
            .map(|violation| violation.severity)
            .max();
        let status = match severity {
            Some(_) => Status::Failed,
            None if violations.is_empty() => Status::Passed,
            None => Status::Exempt,
        };
        Self {
            status,
            severity: severity.unwrap_or(Severity::Informational),
            violations,
        }
    }

    /// The violations with the most severe first, otherwise in their own order.
    #[must_use]
    pub fn most_severe_first(&self) -> Vec<&Violation> {
        let mut violations: Vec<_> = self.violations.iter().collect();
        violations.sort_by_key(|violation| {
            (
                violation.exemption.is_some(),
                std::cmp::Reverse(violation.severity),
            )
        });
        violations
    }
}

/// One source that reaches too much over one protocol, for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Why it is one.
    pub reason: Reason,
    /// Over which protocol.
    pub protocol: Protocol,
    /// The merged ports of the permissions behind it.
    pub ports: PortSet,
    /// How bad.
    pub severity: Severity,
    /// Whom the group lets in.
    pub source: Source,
    /// The permissions behind it, sorted, each once: what has to be revoked.
    pub traffic: Vec<Traffic>,
    /// The exemption that covers it: the first that does.
    pub exemption: Option<Exemption>,
    /// The numbers of all exemptions that match it, also of those that have ended.
    pub matched: Vec<usize>,
    /// The levels of group and source, with `[sensitivity]`.
    pub levels: Option<Levels>,
    /// The ids of the rules behind it, `sgr-…`, where they were asked for.
    pub rule_ids: Vec<String>,
}

impl Violation {
    /// Notes the ids of the rules behind it, of the rules of its group. None, unless every part of it has one: what is
    /// revoked by ids must be all of it.
    pub fn name_rules(&mut self, rules: &[&GroupRule]) {
        let behind = |traffic: &Traffic| {
            let is_behind = |rule: &&&GroupRule| {
                self.source.group_id.as_ref() == Some(&rule.source)
                    && rule.traffic.is_same_as(traffic)
            };
            let ids: Vec<_> = rules
                .iter()
                .filter(is_behind)
                .filter_map(|rule| rule.rule_id.clone())
                .collect();
            (!ids.is_empty()).then_some(ids)
        };
        let ids: Option<Vec<_>> = self.traffic.iter().map(behind).collect();
        self.rule_ids = ids.unwrap_or_default().concat();
        self.rule_ids.sort_unstable();
        self.rule_ids.dedup();
    }
}

/// A security group that a permission names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its id; absent only where EC2 names it by name alone.
    pub group_id: Option<String>,
    /// Its name, where known.
    pub group_name: Option<String>,
    /// Its account, where known.
    pub owner_id: Option<AccountId>,
    /// Its VPC, where it is peered.
    pub vpc_id: Option<String>,
    /// The peering connection to it.
    pub peering_connection_id: Option<String>,
    /// What became of the peering connection, when it is not active.
    pub stale_peering_status: Option<String>,
    /// What the rules say of themselves, in order.
    pub descriptions: Vec<String>,
    /// Is it the evaluated group itself?
    pub is_self: bool,
    /// Is its account another than the evaluated group's?
    pub is_foreign: bool,
}

/// What identifies a source: its id; without one, owner and name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct SourceKey<'a> {
    group_id: Option<&'a str>,
    owner: Option<&'a str>,
    name: Option<&'a str>,
}

impl<'a> SourceKey<'a> {
    fn of(pair: &'a GroupPair) -> Self {
        match pair.group_id.as_deref() {
            Some(id) => Self {
                group_id: Some(id),
                owner: None,
                name: None,
            },
            None => Self {
                group_id: None,
                owner: pair.user_id.as_ref().map(AccountId::as_str),
                name: pair.group_name.as_deref(),
            },
        }
    }
}

/// What the policy says of one permission by itself.
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

/// The ports that a source reaches over one protocol, in all its permissions that are no violation by themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Union {
    /// Who reaches them.
    pub source: Source,
    /// Over which protocol; the permissions for all protocols count with each.
    pub protocol: Protocol,
    /// FindingFilter.
    pub ports: PortSet,
    /// Are they more than `max_open_ports`?
    pub is_too_much: bool,
}

/// What stands behind a violation to be: one permission, for one of its sources. All with the same key are one violation.
struct Ground<'a> {
    key: (SourceKey<'a>, &'a Protocol, Reason),
    permission: &'a IpPermission,
    pair: &'a GroupPair,
}

/// A permission that is no violation by itself, for one of its sources.
struct Part<'a> {
    source: SourceKey<'a>,
    protocol: &'a Protocol,
    ports: (u16, u16),
    permission: &'a IpPermission,
    pair: &'a GroupPair,
}

/// What the policy says of a group on a day (in UTC), given what is known of the groups that it lets in.
#[must_use]
pub fn evaluate(
    settings: &Settings,
    group: &SecurityGroup,
    referenced: &ReferencedGroups,
    today: Date,
) -> Verdict {
    settings.evaluate(group, referenced, today)
}

impl Settings {
    /// What this policy says of a group on a day (in UTC), given what is known of the groups that it lets in.
    fn evaluate(&self, group: &SecurityGroup, peers: &ReferencedGroups, today: Date) -> Verdict {
        if self.is_clear(group) {
            return Verdict::of(Vec::new());
        }
        let mut grounds: Vec<Ground<'_>> = Vec::new();
        let mut parts: Vec<Part<'_>> = Vec::new();
        for permission in &group.ip_permissions {
            match self.judge(permission) {
                PermissionCheck::Violates(reason) => {
                    grounds.extend(permission.user_id_group_pairs.iter().map(|pair| Ground {
                        key: (SourceKey::of(pair), &permission.ip_protocol, reason),
                        permission,
                        pair,
                    }));
                }
                PermissionCheck::Within(Some(ports)) => parts.extend(Part::of(permission, ports)),
                PermissionCheck::NotInterGroup | PermissionCheck::Within(None) => {}
            }
        }
        self.find_split_ranges(parts, &mut grounds);
        grounds.sort_by_key(|ground| ground.key);
        let violations = grounds
            .chunk_by(|a, b| a.key == b.key)
            .filter_map(|grounds| {
                let mut violation = self.violation(group, grounds, peers)?;
                self.exempt(group, &mut violation, today);
                Some(violation)
            })
            .collect();
        Verdict::of(violations)
    }

    /// Is no permission a violation by itself, and are the ports of all others together too few for a union to be one? So
    /// it is with most groups.
    fn is_clear(&self, group: &SecurityGroup) -> bool {
        let mut ports = 0;
        for permission in &group.ip_permissions {
            match self.judge(permission) {
                PermissionCheck::Violates(_) => return false,
                PermissionCheck::Within(Some(range)) => {
                    let pairs = permission.user_id_group_pairs.len();
                    ports += u64::from(width(range)) * u64::try_from(pairs).unwrap_or(u64::MAX);
                }
                PermissionCheck::NotInterGroup | PermissionCheck::Within(None) => {}
            }
        }
        ports <= u64::from(self.max_open_ports)
    }

    /// Notes which exemptions match a violation, and the first that covers it.
    fn exempt(&self, group: &SecurityGroup, violation: &mut Violation, today: Date) {
        for (number, exemption) in self.exemptions.iter().enumerate() {
            match exemption.consider(group, &violation.source, today) {
                ExemptionMatch::Differs(_) => {}
                ExemptionMatch::Ended(_) => violation.matched.push(number),
                ExemptionMatch::Covers => {
                    violation.matched.push(number);
                    violation.exemption.get_or_insert_with(|| exemption.clone());
                }
            }
        }
    }

    /// What this policy says of one permission by itself.
    #[must_use]
    pub fn judge(&self, permission: &IpPermission) -> PermissionCheck {
        if !permission.is_inter_group() {
            return PermissionCheck::NotInterGroup;
        }
        let (Some(from), Some(to)) = (permission.from_port, permission.to_port) else {
            return PermissionCheck::Violates(Reason::AllTraffic);
        };
        let all_ports = (from, to) == (0, 65_535);
        if self.reading == Reading::Reference {
            return if all_ports {
                PermissionCheck::Violates(Reason::AllPorts)
            } else {
                PermissionCheck::Within(None)
            };
        }
        if permission.ip_protocol.is_all() && (from, to) == (-1, -1) {
            return PermissionCheck::Violates(Reason::AllTraffic);
        }
        if all_ports {
            return PermissionCheck::Violates(Reason::AllPorts);
        }
        if permission.ip_protocol.is_icmp() {
            return PermissionCheck::Within(None);
        }
        match clip(from, to) {
            Some(ports) if width(ports) > u32::from(self.max_open_ports) => {
                PermissionCheck::Violates(Reason::WideRange)
            }
            ports => PermissionCheck::Within(ports),
        }
    }

    /// What each source reaches in all its permissions that are no violation by themselves, in order: over all
    /// protocols, and when that is not too much already, over each other protocol together with these.
    #[must_use]
    pub fn unions(&self, group: &SecurityGroup) -> Vec<Union> {
        let mut parts = Vec::new();
        for permission in &group.ip_permissions {
            if let PermissionCheck::Within(Some(ports)) = self.judge(permission) {
                parts.extend(Part::of(permission, ports));
            }
        }
        let unions = self.unite(&mut parts);
        let union = |parts: Vec<&Part<'_>>| {
            let first = parts.first()?;
            let ports = parts.iter().map(|part| part.ports).collect();
            Some(Union {
                source: Source::of(group, parts.iter().map(|part| part.pair)),
                protocol: first.protocol.clone(),
                is_too_much: self.is_too_much(&ports),
                ports,
            })
        };
        unions.into_iter().filter_map(union).collect()
    }

    fn is_too_much(&self, ports: &PortSet) -> bool {
        ports.count() > u32::from(self.max_open_ports)
    }

    /// The parts that count together: of each source those of all protocols, and when these are not too much already,
    /// those of each other protocol with them behind.
    fn unite<'p, 'a>(&self, parts: &'p mut [Part<'a>]) -> Vec<Vec<&'p Part<'a>>> {
        let mut unions = Vec::new();
        parts.sort_by_key(|part| (part.source, part.protocol));
        for of_source in parts.chunk_by(|a, b| a.source == b.source) {
            let of_all: Vec<_> = of_source
                .iter()
                .filter(|part| part.protocol.is_all())
                .collect();
            let is_too_much = self.is_too_much(&of_all.iter().map(|part| part.ports).collect());
            let others = of_source
                .chunk_by(|a, b| a.protocol == b.protocol)
                .filter(|parts| !is_too_much && !parts.iter().any(|part| part.protocol.is_all()));
            let others: Vec<Vec<_>> = others
                .map(|parts| parts.iter().chain(of_all.iter().copied()).collect())
                .collect();
            unions.push(of_all);
            unions.extend(others);
        }
        unions.retain(|parts| !parts.is_empty());
        unions
    }

    /// The sources whose permissions reach too much only together.
    fn find_split_ranges<'a>(&self, mut parts: Vec<Part<'a>>, grounds: &mut Vec<Ground<'a>>) {
        for parts in self.unite(&mut parts) {
            let ports: PortSet = parts.iter().map(|part| part.ports).collect();
            if let Some(first) = parts.first().filter(|_| self.is_too_much(&ports)) {
                let key = (first.source, first.protocol, Reason::SplitRanges);
                grounds.extend(parts.iter().map(|part| Ground {
                    key,
                    permission: part.permission,
                    pair: part.pair,
                }));
            }
        }
    }

    fn violation(
        &self,
        group: &SecurityGroup,
        grounds: &[Ground<'_>],
        peers: &ReferencedGroups,
    ) -> Option<Violation> {
        let (_, protocol, reason) = grounds.first()?.key;
        let mut traffic: Vec<_> = grounds
            .iter()
            .map(|ground| Traffic::of(ground.permission))
            .collect();
        traffic.sort();
        traffic.dedup();
        let ports = match reason {
            Reason::AllTraffic => PortSet::all(),
            _ => traffic
                .iter()
                .filter_map(|traffic| clip(traffic.from_port?, traffic.to_port?))
                .collect(),
        };
        let mut source = Source::of(group, grounds.iter().map(|ground| ground.pair));
        if let Some(name) = peers.name(&source) {
            source.group_name = Some(name.to_owned());
        }
        let levels = self.levels(group, &source, peers);
        let severity = match (&self.sensitivity, &levels) {
            (Some(sensitivity), Some(levels)) => sensitivity.severity(levels, self.severity),
            _ => self.severity,
        };
        Some(Violation {
            reason,
            protocol: protocol.clone(),
            ports,
            severity,
            source,
            traffic,
            exemption: None,
            matched: Vec::new(),
            levels,
            rule_ids: Vec::new(),
        })
    }
}

impl<'a> Part<'a> {
    fn of(permission: &'a IpPermission, ports: (u16, u16)) -> impl Iterator<Item = Self> {
        permission.user_id_group_pairs.iter().map(move |pair| Self {
            source: SourceKey::of(pair),
            protocol: &permission.ip_protocol,
            ports,
            permission,
            pair,
        })
    }
}

impl Source {
    /// What the pairs that name one source say of it, whatever their order. Where they do not agree on its account, or
    /// one does not know it, it is not known.
    fn of<'a>(group: &SecurityGroup, pairs: impl Iterator<Item = &'a GroupPair> + Clone) -> Self {
        let least = |member: fn(&GroupPair) -> Option<&String>| {
            pairs.clone().filter_map(member).min().cloned()
        };
        let group_id = least(|pair| pair.group_id.as_ref());
        let is_self = group_id.as_deref() == Some(group.group_id.as_str());
        let mut owners = pairs.clone().map(|pair| pair.user_id.as_ref());
        let owner_id = owners
            .next()
            .flatten()
            .filter(|owner| owners.all(|other| other == Some(owner)))
            .cloned();
        let descriptions = pairs.clone().filter_map(|pair| pair.description.as_ref());
        let descriptions: BTreeSet<_> = descriptions.collect();
        Self {
            group_name: least(|pair| pair.group_name.as_ref()),
            vpc_id: least(|pair| pair.vpc_id.as_ref()),
            peering_connection_id: least(|pair| pair.vpc_peering_connection_id.as_ref()),
            stale_peering_status: least(|pair| {
                pair.peering_status
                    .as_ref()
                    .filter(|status| *status != "active")
            }),
            descriptions: descriptions.into_iter().cloned().collect(),
            is_foreign: !is_self
                && owner_id.is_some()
                && group.owner_id.is_some()
                && owner_id != group.owner_id,
            group_id,
            owner_id,
            is_self,
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}
