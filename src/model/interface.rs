//! A network interface in the words and shapes of EC2's `DescribeNetworkInterfaces`, with the members that tell who
//! carries a security group.
//!
//! Source of names and types:
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_NetworkInterface.html>.

use core::net::Ipv6Addr;

use serde::{Deserialize, Serialize};

use super::json::{list, or_default, required, text};
use super::{AccountId, GroupId, VpcId};

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", expecting = "a network interface")]
pub struct NetworkInterface {
    /// Never empty.
    #[serde(deserialize_with = "required")]
    pub network_interface_id: String,
    #[serde(
        default,
        deserialize_with = "text",
        skip_serializing_if = "Option::is_none"
    )]
    pub interface_type: Option<String>,
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
    #[serde(deserialize_with = "list")]
    pub groups: Vec<InterfaceGroup>,
    #[serde(default, deserialize_with = "or_default")]
    pub attachment: Attachment,
    #[serde(default, deserialize_with = "or_default")]
    pub association: Association,
    #[serde(default, deserialize_with = "list")]
    pub private_ip_addresses: Vec<PrivateAddress>,
    #[serde(default, deserialize_with = "list")]
    pub ipv6_addresses: Vec<Ipv6Address>,
}

/// A security group on an interface (`GroupIdentifier`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(
    rename_all = "PascalCase",
    expecting = "a security group of an interface"
)]
pub struct InterfaceGroup {
    #[serde(deserialize_with = "required")]
    pub group_id: GroupId,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", default, expecting = "an attachment")]
pub struct Attachment {
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", default, expecting = "an association")]
pub struct Association {
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub public_ip: Option<String>,
    /// The address in a carrier's network, of a Wavelength Zone.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub carrier_ip: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", default, expecting = "a private address")]
pub struct PrivateAddress {
    #[serde(deserialize_with = "or_default")]
    pub association: Association,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", default, expecting = "an IPv6 address")]
pub struct Ipv6Address {
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub ipv6_address: Option<String>,
}

/// Whether traffic enters, leaves or passes through an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum InterfaceKind {
    /// Traffic comes in, and what runs there may send on: an instance, a load balancer, whatever is not known.
    Machine,
    /// Nothing comes in from outside: a Lambda function only sends.
    Sender,
    /// Traffic comes in, and nothing runs there that could be taken over: NAT gateways and endpoints of Gateway Load
    /// Balancers.
    Passage,
}

impl NetworkInterface {
    /// By `InterfaceType`. Absent and unknown types count as machines, which hides no chain.
    #[must_use]
    pub fn kind(&self) -> InterfaceKind {
        match self.interface_type.as_deref() {
            Some("lambda") => InterfaceKind::Sender,
            // EC2's reference has natGateway, its answers nat_gateway.
            Some("nat_gateway" | "natGateway" | "gateway_load_balancer_endpoint") => {
                InterfaceKind::Passage
            }
            _ => InterfaceKind::Machine,
        }
    }

    /// The instance that it is attached to, else itself.
    #[must_use]
    pub fn machine(&self) -> &str {
        let instance = self.attachment.instance_id.as_deref();
        instance.unwrap_or(&self.network_interface_id)
    }

    /// Whether it has a public IPv4 address.
    #[must_use]
    pub fn has_public_v4(&self) -> bool {
        let others = self.private_ip_addresses.iter();
        let mut associations = others
            .map(|address| &address.association)
            .chain([&self.association]);
        associations.any(|one| one.public_ip.is_some() || one.carrier_ip.is_some())
    }

    /// Whether it has a public IPv6 address: a global unicast one.
    #[must_use]
    pub fn has_public_v6(&self) -> bool {
        let texts = self.ipv6_addresses.iter();
        let mut addresses = texts.filter_map(|address| {
            let address = address.ipv6_address.as_deref()?;
            address.parse::<Ipv6Addr>().ok()
        });
        addresses.any(|address| u128::from(address) >> 125 == 1)
    }
}
