//! A security group in EC2's own words and shapes, as `DescribeSecurityGroups` answers it.
//!
//! Not the SDK's types (those stay in `aws`), and not a lenient reading: a member whose name differs from EC2's only by
//! case is refused, because `ipPermissions` (AWS Config's and CloudTrail's spelling) read as "no permissions" would
//! be a wrong PASSED. Members that are not known are ignored, null lists are empty, empty strings are absent.
//!
//! Source of names and types:
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_SecurityGroup.html>.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

mod ids;
pub mod ports;
mod scope;
mod traffic;

pub use ids::{AccountId, GroupId, Partition, PeeringConnectionId, Region, RuleId, VpcId};
pub use scope::Scope;
pub use traffic::{GroupRule, Traffic};

/// A security group, with what the policy and the finding need of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityGroup {
    /// `GroupId`, never empty.
    pub group_id: GroupId,
    /// `GroupName`: up to 255 characters of the owner's choice, so data that an attacker may have chosen.
    pub group_name: Option<String>,
    /// `OwnerId`: the account that owns the group (in a shared VPC not always the caller's).
    pub owner_id: Option<AccountId>,
    /// `VpcId`.
    pub vpc_id: Option<VpcId>,
    /// `SecurityGroupArn`: names partition, Region and owner.
    pub security_group_arn: Option<String>,
    /// `IpPermissions`: what comes in.
    pub ip_permissions: Vec<IpPermission>,
    /// `IpPermissionsEgress`: what goes out. The policy never reads it; the finding shows it.
    pub ip_permissions_egress: Vec<IpPermission>,
    /// `Tags`, by key.
    pub tags: BTreeMap<String, String>,
}

/// One permission: a protocol, a port range, and whom it admits.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IpPermission {
    /// `IpProtocol`.
    pub ip_protocol: Protocol,
    /// `FromPort`: first port, or the ICMP type; absent for all traffic.
    pub from_port: Option<i64>,
    /// `ToPort`: last port, or the ICMP code; absent for all traffic.
    pub to_port: Option<i64>,
    /// `UserIdGroupPairs`: the security groups it admits.
    pub user_id_group_pairs: Vec<GroupPair>,
    /// `IpRanges`: the IPv4 ranges it admits.
    pub ip_ranges: Vec<IpRange>,
    /// `Ipv6Ranges`: the IPv6 ranges it admits.
    pub ipv6_ranges: Vec<Ipv6Range>,
    /// `PrefixListIds`: the prefix lists it admits.
    pub prefix_list_ids: Vec<PrefixList>,
}

/// A security group named in a permission (`UserIdGroupPair`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GroupPair {
    /// `GroupId` of the source.
    pub group_id: Option<GroupId>,
    /// `GroupName` of the source; EC2 gives it only for some.
    pub group_name: Option<String>,
    /// `UserId`: the account of the source. EC2 omits it for a deleted source and through a transit gateway.
    pub user_id: Option<AccountId>,
    /// `VpcId` of the source, where it is peered.
    pub vpc_id: Option<VpcId>,
    /// `VpcPeeringConnectionId`.
    pub vpc_peering_connection_id: Option<PeeringConnectionId>,
    /// `PeeringStatus`: `active`, or what became of the peering connection.
    pub peering_status: Option<String>,
    /// `Description` of the rule, of its author's choice.
    pub description: Option<String>,
}

/// An IPv4 range.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IpRange {
    /// `CidrIp`.
    pub cidr_ip: Option<String>,
}

/// An IPv6 range.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ipv6Range {
    /// `CidrIpv6`.
    pub cidr_ipv6: Option<String>,
}

/// A prefix list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PrefixList {
    /// `PrefixListId`.
    pub prefix_list_id: Option<String>,
}

/// An IP protocol by the name that EC2 gives it: `tcp`, `udp`, `icmp`, `icmpv6`, another protocol's number in decimal,
/// or `-1` for all. A number that has a name is given the name (`6` is `tcp`). Absent means all: the reading that
/// cannot hide anything.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Protocol(Cow<'static, str>);

impl Protocol {
    /// All protocols, `-1`.
    pub const ALL: Self = Self(Cow::Borrowed("-1"));

    /// Reads EC2's or CloudTrail's spelling.
    #[must_use]
    pub fn new(text: &str) -> Self {
        match text {
            "-1" => return Self::ALL,
            "tcp" => return Self(Cow::Borrowed("tcp")),
            "udp" => return Self(Cow::Borrowed("udp")),
            _ => {}
        }
        let text = text.trim();
        if let Ok(number) = text.parse::<i64>() {
            return Self::from_number(number);
        }
        for name in ["tcp", "udp", "icmp", "icmpv6"] {
            if text.eq_ignore_ascii_case(name) {
                return Self(Cow::Borrowed(name));
            }
        }
        if text.is_empty() {
            Self::ALL
        } else {
            Self(Cow::Owned(text.to_ascii_lowercase()))
        }
    }

    /// From an IANA protocol number, or -1 for all.
    #[must_use]
    pub fn from_number(number: i64) -> Self {
        match number {
            -1 => Self::ALL,
            1 => Self(Cow::Borrowed("icmp")),
            6 => Self(Cow::Borrowed("tcp")),
            17 => Self(Cow::Borrowed("udp")),
            58 => Self(Cow::Borrowed("icmpv6")),
            other => Self(Cow::Owned(other.to_string())),
        }
    }

    /// The name, the number in decimal, or `-1`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Is it all protocols?
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.0 == "-1"
    }

    /// Whether a rule of this protocol has `FromPort` and `ToPort`: ports, or ICMP's types and codes. EC2 ignores what
    /// the rules of all other protocols, `-1` included, have there.
    #[must_use]
    pub fn has_port_members(&self) -> bool {
        matches!(self.as_str(), "tcp" | "udp" | "icmp" | "icmpv6")
    }

    /// Whether it has types and codes where others have ports.
    #[must_use]
    pub fn is_icmp(&self) -> bool {
        self.0 == "icmp" || self.0 == "icmpv6"
    }
}

impl Default for Protocol {
    fn default() -> Self {
        Self::ALL
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl IpPermission {
    /// Does it admit a security group at all?
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

    /// Has it this name? Without regard to case, as EC2 compares names.
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        self.group_name
            .as_deref()
            .is_some_and(|own| own.to_lowercase() == name.to_lowercase())
    }
}

/// How the value of one member is read: null is its default.
trait Member<'de>: Default {
    fn read<A: MapAccess<'de>>(map: &mut A) -> Result<Self, A::Error>;
}

impl<'de, T: Deserialize<'de>> Member<'de> for Vec<T> {
    fn read<A: MapAccess<'de>>(map: &mut A) -> Result<Self, A::Error> {
        Ok(map.next_value::<Option<Self>>()?.unwrap_or_default())
    }
}

impl<'de> Member<'de> for Option<i64> {
    fn read<A: MapAccess<'de>>(map: &mut A) -> Result<Self, A::Error> {
        map.next_value()
    }
}

impl<'de> Member<'de> for Option<String> {
    fn read<A: MapAccess<'de>>(map: &mut A) -> Result<Self, A::Error> {
        Ok(map.next_value::<Self>()?.filter(|text| !text.is_empty()))
    }
}

macro_rules! newtype_member {
    ($($type:ident)*) => {$(
        impl<'de> Member<'de> for Option<$type> {
            fn read<A: MapAccess<'de>>(map: &mut A) -> Result<Self, A::Error> {
                Ok(Option::<String>::read(map)?.map($type::new))
            }
        }
    )*};
}
newtype_member!(AccountId GroupId PeeringConnectionId VpcId);

impl<'de> Member<'de> for Protocol {
    fn read<A: MapAccess<'de>>(map: &mut A) -> Result<Self, A::Error> {
        Ok(map.next_value::<Option<Self>>()?.unwrap_or_default())
    }
}

impl<'de> Member<'de> for BTreeMap<String, String> {
    fn read<A: MapAccess<'de>>(map: &mut A) -> Result<Self, A::Error> {
        Ok(map.next_value::<Option<Tags>>()?.unwrap_or_default().0)
    }
}

/// The name of a member: one of ours, or one to skip. One that differs from ours by case alone is an error.
pub(crate) struct MemberName<F> {
    /// The member of exactly this name.
    pub(crate) member: F,
    /// The names that are known.
    pub(crate) known: &'static [&'static str],
    /// What has these members, with its article.
    pub(crate) what: &'static str,
}

impl<'de, T, F: FnOnce(&str) -> Option<T>> DeserializeSeed<'de> for MemberName<F> {
    type Value = Option<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl<T, F: FnOnce(&str) -> Option<T>> Visitor<'_> for MemberName<F> {
    type Value = Option<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the name of a member of {}", self.what)
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Self::Value, E> {
        let member = (self.member)(name);
        if member.is_some() {
            return Ok(member);
        }
        let near = self
            .known
            .iter()
            .find(|known| known.eq_ignore_ascii_case(name));
        match near {
            Some(known) => Err(E::custom(format_args!(
                "`{name}` is not a member of {}, `{known}` is: this is not the output of \
                 `aws ec2 describe-security-groups` (AWS Config and CloudTrail spell it so), \
                 and reading it as absent could hide a violation",
                self.what
            ))),
            None => Ok(None),
        }
    }
}

/// The one of these names that is exactly this.
pub(crate) fn known(names: &[&'static str], name: &str) -> Option<&'static str> {
    names.iter().copied().find(|known| *known == name)
}

/// `Deserialize` for an object of EC2's: every member once, names to the letter, null as the default.
macro_rules! ec2_object {
    ($type:ident, $what:literal, { $($name:ident => $field:ident),+ $(,)? }) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                enum Member {
                    $($name),+
                }
                struct Object;
                impl<'de> Visitor<'de> for Object {
                    type Value = $type;

                    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                        formatter.write_str($what)
                    }

                    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<$type, A::Error> {
                        $(let mut $field = None;)+
                        let name = || MemberName {
                            member: |name: &str| match name {
                                $(stringify!($name) => Some(Member::$name),)+
                                _ => None,
                            },
                            known: &[$(stringify!($name)),+],
                            what: $what,
                        };
                        while let Some(member) = map.next_key_seed(name())? {
                            match member {
                                $(Some(Member::$name) => read_once(&mut map, &mut $field, stringify!($name))?,)+
                                None => { map.next_value::<IgnoredAny>()?; }
                            }
                        }
                        Ok($type { $($field: $field.unwrap_or_default()),+ })
                    }
                }
                deserializer.deserialize_map(Object)
            }
        }
    };
}

fn read_once<'de, A: MapAccess<'de>, T: Member<'de>>(
    map: &mut A,
    slot: &mut Option<T>,
    name: &'static str,
) -> Result<(), A::Error> {
    if slot.is_some() {
        return Err(A::Error::duplicate_field(name));
    }
    *slot = Some(T::read(map)?);
    Ok(())
}

ec2_object!(IpPermission, "an IP permission", {
    IpProtocol => ip_protocol,
    FromPort => from_port,
    ToPort => to_port,
    UserIdGroupPairs => user_id_group_pairs,
    IpRanges => ip_ranges,
    Ipv6Ranges => ipv6_ranges,
    PrefixListIds => prefix_list_ids,
});

ec2_object!(GroupPair, "a group pair", {
    GroupId => group_id,
    GroupName => group_name,
    UserId => user_id,
    VpcId => vpc_id,
    VpcPeeringConnectionId => vpc_peering_connection_id,
    PeeringStatus => peering_status,
    Description => description,
});

ec2_object!(IpRange, "an IPv4 range", { CidrIp => cidr_ip });
ec2_object!(Ipv6Range, "an IPv6 range", { CidrIpv6 => cidr_ipv6 });
ec2_object!(PrefixList, "a prefix list", { PrefixListId => prefix_list_id });

/// The members of a group as they come, before it is known whether it is one.
#[derive(Debug, Default)]
pub(crate) struct GroupMembers {
    group_id: Option<Option<GroupId>>,
    group_name: Option<Option<String>>,
    owner_id: Option<Option<AccountId>>,
    vpc_id: Option<Option<VpcId>>,
    security_group_arn: Option<Option<String>>,
    ip_permissions: Option<Vec<IpPermission>>,
    ip_permissions_egress: Option<Vec<IpPermission>>,
    tags: Option<BTreeMap<String, String>>,
}

impl GroupMembers {
    /// EC2's names of the members that are read.
    pub(crate) const NAMES: [&'static str; 8] = [
        "GroupId",
        "GroupName",
        "OwnerId",
        "VpcId",
        "SecurityGroupArn",
        "IpPermissions",
        "IpPermissionsEgress",
        "Tags",
    ];

    /// Was none of them given?
    pub(crate) fn is_empty(&self) -> bool {
        self.group_id.is_none()
            && self.group_name.is_none()
            && self.owner_id.is_none()
            && self.vpc_id.is_none()
            && self.security_group_arn.is_none()
            && self.ip_permissions.is_none()
            && self.ip_permissions_egress.is_none()
            && self.tags.is_none()
    }

    /// Reads the value of the member `name`, or skips it.
    pub(crate) fn read<'de, A: MapAccess<'de>>(
        &mut self,
        name: Option<&'static str>,
        map: &mut A,
    ) -> Result<(), A::Error> {
        match name {
            Some("GroupId") => read_once(map, &mut self.group_id, "GroupId"),
            Some("GroupName") => read_once(map, &mut self.group_name, "GroupName"),
            Some("OwnerId") => read_once(map, &mut self.owner_id, "OwnerId"),
            Some("VpcId") => read_once(map, &mut self.vpc_id, "VpcId"),
            Some("SecurityGroupArn") => {
                read_once(map, &mut self.security_group_arn, "SecurityGroupArn")
            }
            Some("IpPermissions") => read_once(map, &mut self.ip_permissions, "IpPermissions"),
            Some("IpPermissionsEgress") => {
                read_once(map, &mut self.ip_permissions_egress, "IpPermissionsEgress")
            }
            Some("Tags") => read_once(map, &mut self.tags, "Tags"),
            _ => map.next_value::<IgnoredAny>().map(drop),
        }
    }

    /// The group, when what makes one is there.
    pub(crate) fn finish<E: serde::de::Error>(self) -> Result<SecurityGroup, E> {
        let group_id = self
            .group_id
            .flatten()
            .ok_or_else(|| E::custom("a security group without a `GroupId`: give the output of `aws ec2 describe-security-groups`, whole"))?;
        let Some(ip_permissions) = self.ip_permissions else {
            return Err(E::custom(format_args!(
                "security group {group_id:?} has no member `IpPermissions` (null would do): without it nothing can be said about the group"
            )));
        };
        Ok(SecurityGroup {
            group_id,
            group_name: self.group_name.flatten(),
            owner_id: self.owner_id.flatten(),
            vpc_id: self.vpc_id.flatten(),
            security_group_arn: self.security_group_arn.flatten(),
            ip_permissions,
            ip_permissions_egress: self.ip_permissions_egress.unwrap_or_default(),
            tags: self.tags.unwrap_or_default(),
        })
    }
}

impl<'de> Deserialize<'de> for SecurityGroup {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Group;
        impl<'de> Visitor<'de> for Group {
            type Value = SecurityGroup;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a security group")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SecurityGroup, A::Error> {
                let mut members = GroupMembers::default();
                let name = || MemberName {
                    member: |name: &str| known(&GroupMembers::NAMES, name),
                    known: &GroupMembers::NAMES,
                    what: "a security group",
                };
                while let Some(name) = map.next_key_seed(name())? {
                    members.read(name, &mut map)?;
                }
                members.finish()
            }
        }
        deserializer.deserialize_map(Group)
    }
}

impl<'de> Deserialize<'de> for Protocol {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Protocol;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an IP protocol: its name or its number")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Protocol, E> {
                Ok(Protocol::new(text))
            }

            fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Protocol, E> {
                Ok(Protocol::from_number(number))
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Protocol, E> {
                i64::try_from(number)
                    .map(Protocol::from_number)
                    .map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Text)
    }
}

/// Tags as a map, or as EC2's list of `{Key, Value}`.
#[derive(Default)]
struct Tags(BTreeMap<String, String>);

#[derive(Default)]
struct Tag {
    key: Option<String>,
    value: Option<String>,
}

ec2_object!(Tag, "a tag", { Key => key, Value => value });

impl<'de> Deserialize<'de> for Tags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either(PhantomData<()>);
        impl<'de> Visitor<'de> for Either {
            type Value = Tags;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("tags: an object, or a list of {Key, Value}")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tags, A::Error> {
                let mut tags = BTreeMap::new();
                while let Some((key, value)) = map.next_entry::<String, Option<String>>()? {
                    tags.insert(key, value.unwrap_or_default());
                }
                Ok(Tags(tags))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tags, A::Error> {
                let mut tags = BTreeMap::new();
                while let Some(tag) = list.next_element::<Tag>()? {
                    let key = tag.key.ok_or_else(|| A::Error::missing_field("Key"))?;
                    tags.insert(key, tag.value.unwrap_or_default());
                }
                Ok(Tags(tags))
            }
        }
        deserializer.deserialize_any(Either(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<SecurityGroup, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn null_lists_are_empty_and_empty_strings_absent() {
        let group = read(
            r#"{"GroupId":"sg-1","GroupName":"","OwnerId":null,"IpPermissions":null,"Tags":null}"#,
        )
        .unwrap();
        assert_eq!(
            (
                group.group_name,
                group.owner_id,
                group.ip_permissions.len(),
                group.tags.len()
            ),
            (None, None, 0, 0)
        );
    }

    #[test]
    fn tags_come_as_a_map_or_as_a_list() {
        let map =
            read(r#"{"GroupId":"sg-1","IpPermissions":[],"Tags":{"a":"b","c":null}}"#).unwrap();
        let list = read(
            r#"{"GroupId":"sg-1","IpPermissions":[],"Tags":[{"Key":"c"},{"Key":"a","Value":"b"}]}"#,
        )
        .unwrap();
        assert_eq!(map, list);
    }

    #[test]
    fn a_name_that_differs_by_case_is_refused_at_every_depth() {
        for (json, wrong, right) in [
            (
                r#"{"GroupId":"sg-1","ipPermissions":[]}"#,
                "`ipPermissions`",
                "`IpPermissions`",
            ),
            (
                r#"{"groupId":"sg-1","IpPermissions":[]}"#,
                "`groupId`",
                "`GroupId`",
            ),
            (
                r#"{"GroupId":"sg-1","IpPermissions":[{"userIdGroupPairs":[{}]}]}"#,
                "`userIdGroupPairs`",
                "`UserIdGroupPairs`",
            ),
            (
                r#"{"GroupId":"sg-1","IpPermissions":[{"FROMPORT":1}]}"#,
                "`FROMPORT`",
                "`FromPort`",
            ),
            (
                r#"{"GroupId":"sg-1","IpPermissions":[{"UserIdGroupPairs":[{"groupId":"sg-2"}]}]}"#,
                "`groupId`",
                "`GroupId`",
            ),
            (
                r#"{"GroupId":"sg-1","IpPermissions":[],"Tags":[{"key":"a"}]}"#,
                "`key`",
                "`Key`",
            ),
        ] {
            let error = read(json).unwrap_err();
            assert!(
                error.contains(wrong) && error.contains(right),
                "{json}: {error}"
            );
        }
    }

    #[test]
    fn what_makes_no_group_is_refused() {
        for (json, says) in [
            (r#"{"IpPermissions":[]}"#, "without a `GroupId`"),
            (
                r#"{"GroupId":"","IpPermissions":[]}"#,
                "without a `GroupId`",
            ),
            (
                r#"{"GroupId":null,"IpPermissions":[]}"#,
                "without a `GroupId`",
            ),
            (r#"{"GroupId":"sg-1"}"#, "no member `IpPermissions`"),
            (
                r#"{"GroupId":"sg-1","IpPermissions":[],"IpPermissions":[]}"#,
                "duplicate field `IpPermissions`",
            ),
            (
                r#"{"GroupId":"sg-1","IpPermissions":[null]}"#,
                "expected an IP permission",
            ),
            (
                r#"{"GroupId":"sg-1","IpPermissions":[{"FromPort":"0"}]}"#,
                "expected i64",
            ),
            (
                r#"{"GroupId":"sg-1","IpPermissions":[{"UserIdGroupPairs":{}}]}"#,
                "expected a sequence",
            ),
            ("[]", "expected a security group"),
        ] {
            let error = read(json).unwrap_err();
            assert!(error.contains(says), "{json}: {error}");
        }
    }

    #[test]
    fn protocols_have_one_spelling() {
        for (text, name) in [
            ("6", "tcp"),
            ("TCP", "tcp"),
            ("17", "udp"),
            ("1", "icmp"),
            ("58", "icmpv6"),
            ("ICMPv6", "icmpv6"),
            ("-1", "-1"),
            ("", "-1"),
            ("50", "50"),
            (" 06 ", "tcp"),
        ] {
            assert_eq!(Protocol::new(text).as_str(), name, "{text:?}");
        }
        let group = read(r#"{"GroupId":"sg-1","IpPermissions":[{"IpProtocol":6},{"IpProtocol":-1},{"IpProtocol":null},{}]}"#).unwrap();
        let names: Vec<_> = group
            .ip_permissions
            .iter()
            .map(|permission| permission.ip_protocol.as_str())
            .collect();
        assert_eq!(names, ["tcp", "-1", "-1", "-1"]);
    }
}
