//! A network interface in the words of EC2's `DescribeNetworkInterfaces`, with what tells who carries a security group.
//!
//! Source of names and types:
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_NetworkInterface.html>.

use super::{AccountId, GroupId, VpcId};

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkInterface {
    pub interface_id: String,
    /// The instance that it is attached to.
    pub instance_id: Option<String>,
    /// `InterfaceType`.
    pub kind: InterfaceKind,
    pub owner_id: Option<AccountId>,
    pub vpc_id: Option<VpcId>,
    pub groups: Vec<GroupId>,
    /// Whether it has a public IPv4 address.
    pub has_public_v4: bool,
    /// Whether it has a public IPv6 address.
    pub has_public_v6: bool,
}

/// How traffic passes an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum InterfaceKind {
    /// Traffic comes in, and what runs there may send on: an instance, a load balancer, whatever is not known.
    Machine,
    /// Nothing comes in from outside: a Lambda function only sends.
    Sender,
    /// Traffic comes in, and nothing that runs there can be taken over: NAT gateways and endpoints of Gateway Load
    /// Balancers.
    Passage,
}

impl InterfaceKind {
    /// The kind of an `InterfaceType`. Absent and unknown types count as machines, which hides no chain.
    #[must_use]
    pub fn of(interface_type: Option<&str>) -> Self {
        match interface_type {
            Some("lambda") => Self::Sender,
            // EC2's reference has natGateway, its answers nat_gateway.
            Some("nat_gateway" | "natGateway" | "gateway_load_balancer_endpoint") => Self::Passage,
            _ => Self::Machine,
        }
    }
}
