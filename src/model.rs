//! Security groups and what they are made of, in EC2's own words: the SDK's types stay in `aws`.

mod group;
mod ids;
mod interface;
mod json;
pub mod planned;
pub mod ports;
mod protocol;
mod scope;
mod traffic;

pub use group::{GroupPair, IpPermission, IpRange, Ipv6Range, PrefixList, SecurityGroup};
pub use ids::{AccountId, GroupId, Partition, PeeringConnectionId, Region, RuleId, VpcId};
pub use interface::{
    Association, Attachment, InterfaceGroup, InterfaceKind, Ipv6Address, NetworkInterface,
    PrivateAddress,
};
pub use protocol::Protocol;
pub use scope::Scope;
pub use traffic::{GroupRule, Traffic};
