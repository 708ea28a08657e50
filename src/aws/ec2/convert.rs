//! EC2's types in the product's own.

use aws_sdk_ec2::types;

use crate::model::{
    AccountId, Association, Attachment, GroupId, GroupPair, GroupRule, InterfaceGroup,
    IpPermission, IpRange, Ipv6Address, Ipv6Range, NetworkInterface, PeeringConnectionId,
    PrefixList, PrivateAddress, Protocol, RuleId, SecurityGroup, Traffic, VpcId,
};
use crate::remediation::rule::{IngressRule, Peer, PeerGroup};

/// A group; none if it has no id.
pub(super) fn group(group: types::SecurityGroup) -> Option<SecurityGroup> {
    Some(SecurityGroup {
        group_id: GroupId::new(text(group.group_id)?),
        group_name: text(group.group_name),
        owner_id: text(group.owner_id).map(AccountId::new),
        vpc_id: text(group.vpc_id).map(VpcId::new),
        security_group_arn: text(group.security_group_arn),
        ip_permissions: permissions(group.ip_permissions),
        ip_permissions_egress: permissions(group.ip_permissions_egress),
        tags: group
            .tags
            .unwrap_or_default()
            .into_iter()
            .filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default())))
            .collect(),
    })
}

/// An ingress rule whose source is a group; none for any other rule.
pub(super) fn rule(rule: types::SecurityGroupRule) -> Option<GroupRule> {
    let protocol = Protocol::new(rule.ip_protocol.as_deref().unwrap_or_default());
    let (from, to) = (rule.from_port.map(i64::from), rule.to_port.map(i64::from));
    (rule.is_egress == Some(false)).then_some(GroupRule {
        rule_id: Some(text(rule.security_group_rule_id).map(RuleId::new)?),
        group_id: Some(text(rule.group_id).map(GroupId::new)?),
        is_ingress: Some(true),
        source: text(rule.referenced_group_info?.group_id).map(GroupId::new)?,
        traffic: Traffic::new(protocol, from, to),
    })
}

/// An ingress rule with the group that has it; none for an egress rule.
pub(super) fn ingress_rule(rule: types::SecurityGroupRule) -> Option<(GroupId, IngressRule)> {
    if rule.is_egress != Some(false) {
        return None;
    }
    let protocol = Protocol::new(rule.ip_protocol.as_deref().unwrap_or_default());
    let (from, to) = (rule.from_port.map(i64::from), rule.to_port.map(i64::from));
    let peer = match (rule.referenced_group_info, rule.cidr_ipv4, rule.cidr_ipv6) {
        (Some(group), _, _) => Peer::Group(PeerGroup {
            group_id: text(group.group_id).map(GroupId::new),
            owner_id: text(group.user_id).map(AccountId::new),
            group_name: None,
            vpc_id: text(group.vpc_id).map(VpcId::new),
            peering_connection_id: text(group.vpc_peering_connection_id)
                .map(PeeringConnectionId::new),
            peering_status: text(group.peering_status),
        }),
        (None, Some(range), _) => Peer::Ipv4(range),
        (None, None, Some(range)) => Peer::Ipv6(range),
        (None, None, None) => Peer::PrefixList(text(rule.prefix_list_id)?),
    };
    let tags = rule.tags.unwrap_or_default().into_iter();
    let made = IngressRule {
        peer,
        traffic: Traffic::new(protocol, from, to),
        rule_id: Some(text(rule.security_group_rule_id).map(RuleId::new)?),
        description: text(rule.description),
        tags: Some(
            tags.filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default())))
                .collect(),
        ),
    };
    Some((text(rule.group_id).map(GroupId::new)?, made))
}

fn text(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

fn permissions(permissions: Option<Vec<types::IpPermission>>) -> Vec<IpPermission> {
    let permission = |permission: types::IpPermission| IpPermission {
        ip_protocol: permission
            .ip_protocol
            .as_deref()
            .map(Protocol::new)
            .unwrap_or_default(),
        from_port: permission.from_port.map(i64::from),
        to_port: permission.to_port.map(i64::from),
        user_id_group_pairs: permission
            .user_id_group_pairs
            .unwrap_or_default()
            .into_iter()
            .map(pair)
            .collect(),
        ip_ranges: permission
            .ip_ranges
            .unwrap_or_default()
            .into_iter()
            .map(|range| IpRange {
                cidr_ip: text(range.cidr_ip),
                description: text(range.description),
            })
            .collect(),
        ipv6_ranges: permission
            .ipv6_ranges
            .unwrap_or_default()
            .into_iter()
            .map(|range| Ipv6Range {
                cidr_ipv6: text(range.cidr_ipv6),
                description: text(range.description),
            })
            .collect(),
        prefix_list_ids: permission
            .prefix_list_ids
            .unwrap_or_default()
            .into_iter()
            .map(|list| PrefixList {
                prefix_list_id: text(list.prefix_list_id),
                description: text(list.description),
            })
            .collect(),
    };
    permissions
        .unwrap_or_default()
        .into_iter()
        .map(permission)
        .collect()
}

fn pair(pair: types::UserIdGroupPair) -> GroupPair {
    GroupPair {
        group_id: text(pair.group_id).map(GroupId::new),
        group_name: text(pair.group_name),
        user_id: text(pair.user_id).map(AccountId::new),
        vpc_id: text(pair.vpc_id).map(VpcId::new),
        vpc_peering_connection_id: text(pair.vpc_peering_connection_id)
            .map(PeeringConnectionId::new),
        peering_status: text(pair.peering_status),
        description: text(pair.description),
    }
}

/// A network interface; none if it, or a group on it, has no id.
pub(super) fn interface(interface: types::NetworkInterface) -> Option<NetworkInterface> {
    let groups = interface.groups.unwrap_or_default().into_iter();
    let groups = groups.map(|group| {
        Some(InterfaceGroup {
            group_id: text(group.group_id).map(GroupId::new)?,
        })
    });
    let attachment = interface.attachment;
    Some(NetworkInterface {
        network_interface_id: text(interface.network_interface_id)?,
        interface_type: interface
            .interface_type
            .and_then(|kind| text(Some(kind.as_str().to_owned()))),
        owner_id: text(interface.owner_id).map(AccountId::new),
        vpc_id: text(interface.vpc_id).map(VpcId::new),
        groups: groups.collect::<Option<_>>()?,
        attachment: Attachment {
            instance_id: text(attachment.and_then(|attachment| attachment.instance_id)),
        },
        association: association(interface.association),
        private_ip_addresses: interface
            .private_ip_addresses
            .unwrap_or_default()
            .into_iter()
            .map(|address| PrivateAddress {
                association: association(address.association),
            })
            .collect(),
        ipv6_addresses: interface
            .ipv6_addresses
            .unwrap_or_default()
            .into_iter()
            .map(|address| Ipv6Address {
                ipv6_address: text(address.ipv6_address),
            })
            .collect(),
    })
}

fn association(association: Option<types::NetworkInterfaceAssociation>) -> Association {
    let (public, carrier) = association
        .map(|association| (association.public_ip, association.carrier_ip))
        .unwrap_or_default();
    Association {
        public_ip: text(public),
        carrier_ip: text(carrier),
    }
}
