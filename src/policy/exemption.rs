//! Exemptions: accepted risks, each with a reason and, where wanted, an end.
//!
//! An exemption covers a violation when its target matches the group, its source matches whom the group lets in, it
//! allows as much traffic, and it has not ended. It never hides a violation: the violation stays listed, with the
//! exemption's id.
//!
//! Which exemptions hold at all is decided where settings are read ([`config`](crate::config)).

use std::fmt;

use jiff::civil::Date;
use wildmatch::WildMatch;

use super::Violation;
use crate::model::ports::PortSet;
use crate::model::{AccountId, GroupId, Protocol, SecurityGroup, VpcId};

mod alert;

pub use alert::{Alert, Concern, Usage, alerts};

/// The name of every VPC's default group. EC2 reserves it: nobody can name another group so.
const DEFAULT_GROUP: &str = "default";

/// An accepted risk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exemption {
    /// Unique among the settings.
    pub id: String,
    /// Why the risk is accepted.
    pub reason: String,
    /// Who answers for it.
    pub owner: Option<String>,
    /// The last day on which it holds, in UTC; without one it has no end.
    pub until: Option<Date>,
    /// Whether it is meant that whoever may tag or name a group can excuse it.
    pub self_service: bool,
    /// Which groups it excuses.
    pub target: TargetMatch,
    /// For letting in whom.
    pub source: SourceMatch,
    /// The widest traffic that is accepted.
    pub allow: Allow,
}

/// Which groups: all matchers that are given must match, and one is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TargetMatch {
    pub id: Option<GroupId>,
    pub name: Option<Glob>,
    pub vpc: Option<VpcId>,
    pub account: Option<AccountId>,
    pub tag: Option<TagMatch>,
    /// Whether only VPCs' default groups match.
    pub default: bool,
}

/// `key`, or `key=value` with a glob as the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagMatch {
    pub key: String,
    /// Any value matches where none is given.
    pub value: Option<Glob>,
}

/// For letting in whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceMatch {
    /// The group itself.
    Itself,
    Any,
    /// A group of the same account; one of an unknown account is none.
    SameAccount,
    /// The group with this id, whatever its account.
    Id(GroupId),
    /// The group with this id in this account.
    Foreign {
        id: GroupId,
        account: AccountId,
    },
}

/// The widest traffic that an exemption accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allow {
    AllTraffic,
    /// Ports by protocol, `-1` for every protocol.
    Traffic(Vec<AllowedTraffic>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedTraffic {
    pub protocol: Protocol,
    pub ports: PortSet,
}

impl Allow {
    /// The narrowest one that covers a violation.
    #[must_use]
    pub fn just(protocol: &Protocol, ports: &PortSet) -> Self {
        if protocol.is_all() && *ports == PortSet::all() {
            return Self::AllTraffic;
        }
        Self::Traffic(vec![AllowedTraffic {
            protocol: protocol.clone(),
            ports: ports.clone(),
        }])
    }

    /// Whether the ports of a protocol lie within it.
    #[must_use]
    pub fn covers(&self, protocol: &Protocol, ports: &PortSet) -> bool {
        match self {
            Self::AllTraffic => true,
            Self::Traffic(allowed) => allowed
                .iter()
                .filter(|allowed| allowed.protocol.is_all() || allowed.protocol == *protocol)
                .flat_map(|allowed| allowed.ports.intervals().iter().copied())
                .collect::<PortSet>()
                .covers(ports),
        }
    }
}

/// A pattern of `*` (any characters) and `?` (one), for the whole of a text, with regard to case.
#[derive(Debug, Clone)]
pub struct Glob {
    text: String,
    pattern: WildMatch,
}

impl PartialEq for Glob {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Glob {}

impl Glob {
    /// Every text is a pattern.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            pattern: WildMatch::new(text),
        }
    }

    /// The pattern.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it matches the whole text.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.pattern.matches(text)
    }
}

impl TagMatch {
    /// `key`, or `key=value`, split at the first `=`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (key, value) = match text.split_once('=') {
            Some((key, value)) => (key, Some(Glob::new(value))),
            None => (text, None),
        };
        (!key.is_empty()).then(|| Self {
            key: key.to_owned(),
            value,
        })
    }
}

impl fmt::Display for TagMatch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(formatter, "{}={}", self.key, value.text),
            None => formatter.write_str(&self.key),
        }
    }
}

impl SourceMatch {
    /// One of the words, or a group's id.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "self" => Some(Self::Itself),
            "any" => Some(Self::Any),
            "same-account" => Some(Self::SameAccount),
            id => GroupId::parse(id).map(Self::Id),
        }
    }
}

/// Whether an exemption covers a violation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExemptionMatch<'a> {
    Covers,
    /// Target and source match, and it has not ended, but it does not allow as much.
    Exceeded,
    /// Target and source match, but it ended on this day.
    Ended(Date),
    /// Target or source does not match: the first matcher that does not.
    Differs(Difference<'a>),
}

/// A matcher of an exemption that does not match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference<'a> {
    TargetId(&'a GroupId),
    TargetName(&'a Glob),
    TargetVpc(&'a VpcId),
    TargetAccount(&'a AccountId),
    /// The group has no tag with this key.
    TargetHasNoTag(&'a str),
    /// The group's tag with this key has another value.
    TargetTag(&'a str, &'a Glob),
    TargetIsNoDefaultGroup,
    SourceIsNotItself,
    SourceIsNotOfSameAccount,
    SourceId(&'a GroupId),
    SourceForeign(&'a GroupId, &'a AccountId),
}

impl Exemption {
    /// Whether it covers a violation of a group on a day in UTC.
    #[must_use]
    pub fn consider(
        &self,
        group: &SecurityGroup,
        violation: &Violation,
        today: Date,
    ) -> ExemptionMatch<'_> {
        let difference = self
            .target
            .difference(group)
            .or_else(|| self.source.difference(group, violation));
        match (difference, self.until) {
            (Some(difference), _) => ExemptionMatch::Differs(difference),
            (None, Some(until)) if until < today => ExemptionMatch::Ended(until),
            (None, _) if self.allow.covers(&violation.protocol, &violation.ports) => {
                ExemptionMatch::Covers
            }
            (None, _) => ExemptionMatch::Exceeded,
        }
    }
}

impl TargetMatch {
    /// The first matcher that does not match.
    fn difference(&self, group: &SecurityGroup) -> Option<Difference<'_>> {
        let Self {
            id,
            name,
            vpc,
            account,
            tag,
            default,
        } = self;
        let group_name = group.group_name.as_deref();
        if let Some(id) = id.as_ref().filter(|id| **id != group.group_id) {
            return Some(Difference::TargetId(id));
        }
        if let Some(glob) = name
            .as_ref()
            .filter(|glob| !group_name.is_some_and(|name| glob.matches(name)))
        {
            return Some(Difference::TargetName(glob));
        }
        if let Some(vpc) = vpc
            .as_ref()
            .filter(|vpc| group.vpc_id.as_ref() != Some(*vpc))
        {
            return Some(Difference::TargetVpc(vpc));
        }
        if let Some(account) = account
            .as_ref()
            .filter(|account| group.owner_id.as_ref() != Some(*account))
        {
            return Some(Difference::TargetAccount(account));
        }
        if *default && group_name != Some(DEFAULT_GROUP) {
            return Some(Difference::TargetIsNoDefaultGroup);
        }
        let TagMatch { key, value } = tag.as_ref()?;
        match (group.tags.get(key), value) {
            (None, _) => Some(Difference::TargetHasNoTag(key)),
            (Some(has), Some(glob)) if !glob.matches(has) => Some(Difference::TargetTag(key, glob)),
            (Some(_), _) => None,
        }
    }
}

impl SourceMatch {
    /// Why it does not match.
    fn difference(&self, group: &SecurityGroup, violation: &Violation) -> Option<Difference<'_>> {
        let source = &violation.source;
        let has_id = |id: &GroupId| source.group_id.as_ref() == Some(id);
        let (matches, difference) = match self {
            Self::Any => return None,
            Self::Itself => (source.is_self, Difference::SourceIsNotItself),
            Self::SameAccount => (
                source.owner_id.is_some() && source.owner_id == group.owner_id,
                Difference::SourceIsNotOfSameAccount,
            ),
            Self::Id(id) => (has_id(id), Difference::SourceId(id)),
            Self::Foreign { id, account } => (
                has_id(id) && source.owner_id.as_ref() == Some(account),
                Difference::SourceForeign(id, account),
            ),
        };
        (!matches).then_some(difference)
    }
}

#[cfg(test)]
mod tests;
