//! Who carries which group, from network interfaces.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{AccountId, GroupId, InterfaceKind, NetworkInterface, VpcId};

/// The machines of some network interfaces: an instance with all its interfaces, else one interface.
#[derive(Debug, Clone, Default)]
pub(super) struct Machines(BTreeMap<String, BTreeMap<String, Interface>>);

/// One interface. When it was read several times, whatever any reading says counts.
#[derive(Debug, Clone, Default)]
pub(super) struct Interface {
    pub(super) owners: BTreeSet<AccountId>,
    pub(super) vpcs: BTreeSet<VpcId>,
    pub(super) groups: BTreeSet<GroupId>,
    pub(super) kinds: BTreeSet<InterfaceKind>,
    pub(super) has_public_v4: bool,
    pub(super) has_public_v6: bool,
}

impl Machines {
    pub(super) fn add(&mut self, interface: NetworkInterface) {
        let machine = interface.machine().to_owned();
        let (kind, has_public_v4, has_public_v6) = (
            interface.kind(),
            interface.has_public_v4(),
            interface.has_public_v6(),
        );
        let of_machine = self.0.entry(machine).or_default();
        let known = of_machine
            .entry(interface.network_interface_id)
            .or_default();
        known.owners.extend(interface.owner_id);
        known.vpcs.extend(interface.vpc_id);
        known
            .groups
            .extend(interface.groups.into_iter().map(|group| group.group_id));
        known.kinds.insert(kind);
        known.has_public_v4 |= has_public_v4;
        known.has_public_v6 |= has_public_v6;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The machines with their interfaces, by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, Vec<&Interface>)> {
        self.0
            .iter()
            .map(|(name, interfaces)| (name.as_str(), interfaces.values().collect()))
    }

    /// The VPCs of which an interface was read, each with the owners of these interfaces. A participant of a shared VPC
    /// sees only its own interfaces, which tell nothing of the others' groups.
    pub(super) fn vpcs(&self) -> BTreeMap<&VpcId, VpcOwners<'_>> {
        let mut vpcs: BTreeMap<&VpcId, VpcOwners<'_>> = BTreeMap::new();
        for interface in self.0.values().flat_map(BTreeMap::values) {
            for vpc in &interface.vpcs {
                let owners = vpcs.entry(vpc).or_default();
                owners.known.extend(&interface.owners);
                owners.is_unknown |= interface.owners.is_empty();
            }
        }
        vpcs
    }
}

/// The accounts whose interfaces in a VPC were read.
#[derive(Debug, Default)]
pub(super) struct VpcOwners<'a> {
    known: BTreeSet<&'a AccountId>,
    is_unknown: bool,
}

impl VpcOwners<'_> {
    /// Whether the interfaces of an account may be among them.
    pub(super) fn include(&self, account: Option<&AccountId>) -> bool {
        self.is_unknown || account.is_none_or(|account| self.known.contains(account))
    }
}
