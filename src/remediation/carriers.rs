//! Who carries a security group, from network interfaces: these lose access when its rules are revoked.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{GroupId, NetworkInterface};

/// The machines that carry each group: instances, else single interfaces.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Carriers(BTreeMap<GroupId, BTreeSet<String>>);

impl<'a> FromIterator<&'a NetworkInterface> for Carriers {
    fn from_iter<I: IntoIterator<Item = &'a NetworkInterface>>(interfaces: I) -> Self {
        let mut carriers: BTreeMap<GroupId, BTreeSet<String>> = BTreeMap::new();
        for interface in interfaces {
            for group in &interface.groups {
                let machines = carriers.entry(group.group_id.clone()).or_default();
                machines.insert(interface.machine().to_owned());
            }
        }
        Self(carriers)
    }
}

impl Carriers {
    /// In the order of their ids.
    pub fn of(&self, group: &GroupId) -> impl ExactSizeIterator<Item = &str> {
        let machines = self.0.get(group).map(BTreeSet::iter).unwrap_or_default();
        machines.map(String::as_str)
    }
}
