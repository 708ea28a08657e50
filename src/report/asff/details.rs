//! The group as a finding shows it: tags and details, as far as Security Hub takes them.

use std::collections::BTreeMap;

use super::types::{GroupDetails, IpRange, Ipv6Range, Pair, Permission, PrefixListId};
use super::{MEMBER_BYTES, TAG_KEY, TAG_VALUE, TAGS};
use crate::finding::Finding;
use crate::model::{GroupPair, IpPermission, SecurityGroup};
use crate::text::utf16_len;

/// The tags that Security Hub takes: the others are left out.
pub(super) fn tags(group: &SecurityGroup) -> BTreeMap<String, String> {
    let fits = |key: &str, value: &str| {
        has_text(key)
            && utf16_len(key) <= TAG_KEY
            && has_text(value)
            && value.len() <= TAG_VALUE
            && value.bytes().all(is_tag_byte)
    };
    let fitting = group.tags.iter().filter(|(key, value)| fits(key, value));
    fitting
        .take(TAGS)
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// Whether the value of a tag may hold a character.
pub(super) fn is_tag_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b" .:+=@_/-".contains(&byte)
}

pub(super) fn details(finding: &Finding, group: Option<&SecurityGroup>) -> GroupDetails {
    let Some(group) = group else {
        return GroupDetails {
            group_id: finding.group_id.as_str().to_owned(),
            ..GroupDetails::default()
        };
    };
    GroupDetails {
        group_name: member(group.group_name.as_deref()),
        group_id: finding.group_id.as_str().to_owned(),
        owner_id: member(group.owner_id.as_ref().map(|owner| owner.as_str())),
        vpc_id: member(group.vpc_id.as_ref().map(|vpc| vpc.as_str())),
        ip_permissions: permissions(group.ip_permissions.iter()),
        ip_permissions_egress: permissions(group.ip_permissions_egress.iter()),
    }
}

/// Sorted, since EC2 promises no order.
pub(super) fn permissions<'a>(
    permissions: impl Iterator<Item = &'a IpPermission>,
) -> Vec<Permission> {
    sorted(permissions.map(|permission| {
        Permission {
            ip_protocol: permission.ip_protocol.as_str().to_owned(),
            from_port: permission
                .from_port
                .and_then(|port| i32::try_from(port).ok()),
            to_port: permission.to_port.and_then(|port| i32::try_from(port).ok()),
            user_id_group_pairs: sorted(
                permission
                    .user_id_group_pairs
                    .iter()
                    .map(pair)
                    .filter(|pair| *pair != Pair::default()),
            ),
            ip_ranges: sorted(permission.ip_ranges.iter().filter_map(|range| {
                Some(IpRange {
                    cidr_ip: member(range.cidr_ip.as_deref())?,
                })
            })),
            ipv6_ranges: sorted(permission.ipv6_ranges.iter().filter_map(|range| {
                Some(Ipv6Range {
                    cidr_ipv6: member(range.cidr_ipv6.as_deref())?,
                })
            })),
            prefix_list_ids: sorted(permission.prefix_list_ids.iter().filter_map(|list| {
                Some(PrefixListId {
                    prefix_list_id: member(list.prefix_list_id.as_deref())?,
                })
            })),
        }
    }))
}

fn pair(pair: &GroupPair) -> Pair {
    Pair {
        group_id: member(pair.group_id.as_ref().map(|id| id.as_str())),
        group_name: member(pair.group_name.as_deref()),
        peering_status: member(pair.peering_status.as_deref()),
        user_id: member(pair.user_id.as_ref().map(|user| user.as_str())),
        vpc_id: member(pair.vpc_id.as_ref().map(|id| id.as_str())),
        vpc_peering_connection_id: member(
            pair.vpc_peering_connection_id
                .as_ref()
                .map(|id| id.as_str()),
        ),
    }
}

fn sorted<T: Ord>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut items: Vec<_> = items.collect();
    items.sort();
    items
}

/// The text when Security Hub takes it: not empty, not only white space, not too long.
fn member(text: Option<&str>) -> Option<String> {
    text.filter(|text| has_text(text) && text.len() <= MEMBER_BYTES)
        .map(str::to_owned)
}

pub(super) fn has_text(text: &str) -> bool {
    text.contains(|character: char| !character.is_whitespace())
}
