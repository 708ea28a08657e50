//! A security group in the words and shapes of EC2's `DescribeSecurityGroups`.
//!
//! Source of names and types:
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_SecurityGroup.html>. Members that are not known are
//! ignored; `input` reads files more strictly.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::json::{list, list_of_tags, number, or_default, required, tags, text};
use super::{AccountId, GroupId, PeeringConnectionId, Protocol, VpcId};

/// A security group, with the members that the policy and the finding need.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", expecting = "a security group")]
pub struct SecurityGroup {
    /// Never empty.
    #[serde(deserialize_with = "required")]
    pub group_id: GroupId,
    /// Up to 255 characters of the owner's choice, so an attacker may have chosen them.
    #[serde(
        default,
        deserialize_with = "text",
        skip_serializing_if = "Option::is_none"
    )]
    pub group_name: Option<String>,
    /// The account that owns the group (in a shared VPC not always the caller's).
    #[serde(
        default,
        deserialize_with = "text",
        skip_serializing_if = "Option::is_none"
    )]
    pub owner_id: Option<AccountId>,
    #[serde(
        default,
        deserialize_with = "text",
        skip_serializing_if = "Option::is_none"
    )]
    pub vpc_id: Option<VpcId>,
    /// Names partition, Region and owner.
    #[serde(
        default,
        deserialize_with = "text",
        skip_serializing_if = "Option::is_none"
    )]
    pub security_group_arn: Option<String>,
    /// The ingress permissions.
    #[serde(deserialize_with = "list")]
    pub ip_permissions: Vec<IpPermission>,
    /// The policy never reads it; the finding shows it.
    #[serde(default, deserialize_with = "list")]
    pub ip_permissions_egress: Vec<IpPermission>,
    #[serde(
        default,
        deserialize_with = "tags",
        serialize_with = "list_of_tags",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub tags: BTreeMap<String, String>,
}

/// One permission: a protocol, a port range, and whom it admits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", default, expecting = "a permission")]
pub struct IpPermission {
    #[serde(deserialize_with = "or_default")]
    pub ip_protocol: Protocol,
    /// First port, or the ICMP type; absent for all traffic.
    #[serde(deserialize_with = "number", skip_serializing_if = "Option::is_none")]
    pub from_port: Option<i64>,
    /// Last port, or the ICMP code; absent for all traffic.
    #[serde(deserialize_with = "number", skip_serializing_if = "Option::is_none")]
    pub to_port: Option<i64>,
    /// The security groups that it admits.
    #[serde(deserialize_with = "list")]
    pub user_id_group_pairs: Vec<GroupPair>,
    #[serde(deserialize_with = "list")]
    pub ip_ranges: Vec<IpRange>,
    #[serde(deserialize_with = "list")]
    pub ipv6_ranges: Vec<Ipv6Range>,
    #[serde(deserialize_with = "list")]
    pub prefix_list_ids: Vec<PrefixList>,
}

/// A security group named in a permission (`UserIdGroupPair`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Deserialize, Serialize)]
#[serde(
    rename_all = "PascalCase",
    default,
    expecting = "a security group of a permission"
)]
pub struct GroupPair {
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub group_id: Option<GroupId>,
    /// EC2 gives it only for some.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub group_name: Option<String>,
    /// The account of the source. EC2 omits it for a deleted source and through a transit gateway.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub user_id: Option<AccountId>,
    /// The VPC of the source, where it is peered.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub vpc_id: Option<VpcId>,
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub vpc_peering_connection_id: Option<PeeringConnectionId>,
    /// `active`, or what became of the peering connection.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub peering_status: Option<String>,
    /// The rule's description, of its author's choice.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", default, expecting = "an IPv4 range")]
pub struct IpRange {
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub cidr_ip: Option<String>,
    /// The rule's description. Only EC2's answers have it: nothing reads it from a file.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", default, expecting = "an IPv6 range")]
pub struct Ipv6Range {
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub cidr_ipv6: Option<String>,
    /// The rule's description. Only EC2's answers have it: nothing reads it from a file.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", default, expecting = "a prefix list")]
pub struct PrefixList {
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub prefix_list_id: Option<String>,
    /// The rule's description. Only EC2's answers have it: nothing reads it from a file.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

impl IpPermission {
    /// Whether it admits a security group at all.
    #[must_use]
    pub fn is_inter_group(&self) -> bool {
        !self.user_id_group_pairs.is_empty()
    }
}

impl SecurityGroup {
    /// The ids of the groups that it lets in, as often as its permissions name them.
    pub fn sources(&self) -> impl Iterator<Item = &GroupId> {
        self.ip_permissions
            .iter()
            .flat_map(|permission| &permission.user_id_group_pairs)
            .filter_map(|pair| pair.group_id.as_ref())
    }

    /// Whether the group has this name, compared without regard to case as EC2 does.
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        self.group_name
            .as_deref()
            .is_some_and(|own| own.to_lowercase() == name.to_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<SecurityGroup, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn null_lists_are_empty_and_empty_texts_absent() {
        let group = read(
            r#"{"GroupId":"sg-1","GroupName":"","OwnerId":null,"IpPermissions":null,"IpPermissionsEgress":null,"Tags":null}"#,
        );
        let expected = SecurityGroup {
            group_id: GroupId::new("sg-1"),
            group_name: None,
            owner_id: None,
            vpc_id: None,
            security_group_arn: None,
            ip_permissions: Vec::new(),
            ip_permissions_egress: Vec::new(),
            tags: BTreeMap::new(),
        };
        assert_eq!(group, Ok(expected));
        let all_null = r#"{"IpProtocol":null,"FromPort":null,"ToPort":null,"UserIdGroupPairs":null,"IpRanges":null,"Ipv6Ranges":null,"PrefixListIds":null}"#;
        let group = read(&format!(
            r#"{{"GroupId":"sg-1","IpPermissions":[{all_null},{{}}]}}"#
        ));
        let defaults = [IpPermission::default(), IpPermission::default()];
        assert_eq!(group.unwrap().ip_permissions, defaults);
    }

    #[test]
    fn tags_come_as_an_object_or_as_a_list() {
        let map =
            read(r#"{"GroupId":"sg-1","IpPermissions":[],"Tags":{"a":"b","c":null}}"#).unwrap();
        let list = read(
            r#"{"GroupId":"sg-1","IpPermissions":[],"Tags":[{"Key":"c"},{"Key":"a","Value":"b"}]}"#,
        );
        assert_eq!(Ok(map), list);
    }

    #[test]
    fn a_float_without_a_fraction_is_a_whole_number() {
        let ports = |from: &str, to: &str| {
            let permission = format!(r#"{{"FromPort":{from},"ToPort":{to}}}"#);
            let permission: IpPermission = serde_json::from_str(&permission).ok()?;
            Some((permission.from_port, permission.to_port))
        };
        assert_eq!(ports("22.0", "2.2e1"), Some((Some(22), Some(22))));
        assert_eq!(ports("-1.0", "-0.0"), Some((Some(-1), Some(0))));
        for bad in [
            "22.5",
            "1e300",
            "18446744073709551615",
            "\"22\"",
            "true",
            "[]",
        ] {
            assert_eq!(ports(bad, "22"), None, "{bad}");
        }
    }
}
