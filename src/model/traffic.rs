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

    /// Whether a permission has a rule of this effect.
    #[must_use]
    pub fn is_in(&self, permission: &IpPermission) -> bool {
        let mut pairs = permission.user_id_group_pairs.iter();
        self.traffic.is_same_as(&Traffic::of(permission))
            && pairs.any(|pair| pair.group_id.as_ref() == Some(&self.source))
    }

    /// Whether both let the same source in with the same traffic.
    #[must_use]
    pub fn has_same_effect(&self, other: &Self) -> bool {
        self.source == other.source && self.traffic.is_same_as(&other.traffic)
    }
}

/// Protocol and ports of a permission, as EC2 has them: a rule is revoked by exactly these.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Traffic {
    /// The protocol.
    pub protocol: Protocol,
    /// First port, absent for all traffic.
    pub from_port: Option<i64>,
    /// Last port, absent for all traffic.
    pub to_port: Option<i64>,
}

impl Traffic {
    /// Of one permission or rule. DescribeSecurityGroupRules and CloudTrail write -1 to -1 for the ports of a protocol
    /// without ports, DescribeSecurityGroups leaves them out.
    #[must_use]
    pub fn new(protocol: Protocol, from_port: Option<i64>, to_port: Option<i64>) -> Self {
        if !protocol.has_port_members() && (from_port, to_port) == (Some(-1), Some(-1)) {
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

    /// Whether it is the same to EC2, which ignores the ports of a rule for a protocol without ports.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        self == other || self.protocol == other.protocol && !self.protocol.has_port_members()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn traffic(protocol: &str, ports: Option<i64>) -> Traffic {
        Traffic::new(Protocol::new(protocol), ports, ports)
    }

    /// DescribeSecurityGroups leaves out the ports of such a protocol, DescribeSecurityGroupRules and CloudTrail write
    /// -1, and a request may have any.
    #[test]
    fn a_protocol_without_ports_is_the_same_however_its_ports_are_written() {
        for protocol in ["-1", "50", "112", "0", "255"] {
            assert_eq!(traffic(protocol, None), traffic(protocol, Some(-1)));
            for ports in [None, Some(-1), Some(0), Some(443)] {
                let other = traffic(protocol, ports);
                assert!(traffic(protocol, Some(-1)).is_same_as(&other), "{other:?}");
            }
        }
        assert!(!traffic("50", None).is_same_as(&traffic("51", None)));
        assert!(!traffic("50", None).is_same_as(&traffic("-1", None)));
    }

    #[test]
    fn ports_and_types_tell_rules_apart() {
        for protocol in ["tcp", "udp", "icmp", "icmpv6"] {
            assert_ne!(traffic(protocol, None), traffic(protocol, Some(-1)));
            assert!(!traffic(protocol, Some(-1)).is_same_as(&traffic(protocol, Some(8))));
        }
    }
}
