//! Protocol and ports, and the rules that let a security group in.

use super::{GroupId, IpPermission, Protocol, RuleId};

/// A rule that lets a security group in, as an event or `DescribeSecurityGroupRules` tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRule {
    /// `SecurityGroupRuleId`, `sgr-…`, where it is told.
    pub rule_id: Option<RuleId>,
    /// The group that has the rule, where it is told.
    pub group_id: Option<GroupId>,
    /// Whether it is an ingress rule; unknown of a modified one, since the call does not say.
    pub is_ingress: Option<bool>,
    /// The id of the source.
    pub source: GroupId,
    /// Protocol and ports.
    pub traffic: Traffic,
}

impl GroupRule {
    /// Whether the two are one rule, modified in between or not, or rules of the same effect.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        let has_same_id = self.rule_id.is_some() && self.rule_id == other.rule_id;
        has_same_id || self.is_ingress == other.is_ingress && self.has_same_effect(other)
    }

    /// Whether both let the same source in with the same traffic.
    #[must_use]
    pub fn has_same_effect(&self, other: &Self) -> bool {
        self.source == other.source && self.traffic.is_same_as(&other.traffic)
    }
}

/// Protocol and ports of a permission, as EC2 has them: a rule is revoked by exactly these.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Traffic {
    /// The protocol.
    pub protocol: Protocol,
    /// First port, absent for all traffic.
    pub from_port: Option<i64>,
    /// Last port, absent for all traffic.
    pub to_port: Option<i64>,
}

impl Traffic {
    /// Of one permission or rule. All protocols with ports -1 to -1 is how some of EC2's answers write "no ports".
    #[must_use]
    pub fn new(protocol: Protocol, from_port: Option<i64>, to_port: Option<i64>) -> Self {
        if protocol.is_all() && (from_port, to_port) == (Some(-1), Some(-1)) {
            return Self {
                protocol,
                from_port: None,
                to_port: None,
            };
        }
        Self {
            protocol,
            from_port,
            to_port,
        }
    }

    /// Is it the same to EC2, which takes no notice of the ports of a rule for all protocols?
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        self == other || self.protocol.is_all() && other.protocol.is_all()
    }

    /// Of a permission.
    #[must_use]
    pub fn of(permission: &IpPermission) -> Self {
        Self::new(
            permission.ip_protocol.clone(),
            permission.from_port,
            permission.to_port,
        )
    }
}
