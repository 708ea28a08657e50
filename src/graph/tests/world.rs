//! Random accounts, and what is true of them by brute force.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{build, interface};
use crate::graph::{Trust, TrustGraph};
use crate::model::{InterfaceKind, NetworkInterface, SecurityGroup};

/// What a test makes groups and interfaces of, by numbers.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) groups: Vec<Spec>,
    pub(super) rules: Vec<(usize, usize, Kind)>,
    pub(super) interfaces: Vec<Card>,
}

#[derive(Debug, Clone)]
pub(super) struct Spec {
    pub(super) vpc: u8,
    pub(super) faces_internet: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Card {
    pub(super) machine: Option<u8>,
    pub(super) vpc: u8,
    pub(super) groups: BTreeSet<usize>,
    pub(super) kind: InterfaceKind,
    pub(super) is_public: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    All,
    AllPorts,
    Halves,
    Port,
    Icmp,
    Stale,
    OwnerUnknown,
}

impl Kind {
    pub(super) fn is_walked(self, trust: Trust) -> bool {
        match self {
            Self::All | Self::AllPorts | Self::Halves | Self::OwnerUnknown => true,
            Self::Port => trust == Trust::Any,
            Self::Icmp | Self::Stale => false,
        }
    }

    pub(super) fn permissions(self, source: usize) -> Vec<Value> {
        let mut pair = json!({"GroupId": id(source), "UserId": owner(source)});
        let ranges: &[(&str, Option<(i64, i64)>)] = match self {
            Self::All | Self::OwnerUnknown | Self::Stale => &[("-1", None)],
            Self::AllPorts => &[("tcp", Some((0, 65_535)))],
            Self::Halves => &[("tcp", Some((0, 40_000))), ("tcp", Some((30_000, 65_535)))],
            Self::Port => &[("tcp", Some((443, 443)))],
            Self::Icmp => &[("icmp", None)],
        };
        if self == Self::OwnerUnknown {
            pair.as_object_mut().unwrap().remove("UserId");
        }
        if self == Self::Stale {
            pair["VpcPeeringConnectionId"] = json!("pcx-1");
            pair["PeeringStatus"] = json!("deleted");
        }
        let permission = |(protocol, ports): &(&str, Option<(i64, i64)>)| match ports {
            Some((from, to)) => {
                json!({"IpProtocol": protocol, "FromPort": from, "ToPort": to, "UserIdGroupPairs": [pair]})
            }
            None => json!({"IpProtocol": protocol, "UserIdGroupPairs": [pair]}),
        };
        ranges.iter().map(permission).collect()
    }
}

pub(super) fn id(number: usize) -> String {
    format!("sg-{number:02}")
}

pub(super) fn owner(number: usize) -> &'static str {
    ["111111111111", "222222222222"][number % 2]
}

pub(super) fn world(most_rules: usize) -> impl Strategy<Value = World> {
    use Kind::{All, AllPorts, Halves, Icmp, OwnerUnknown, Port, Stale};
    let kind = prop::sample::select(vec![
        All,
        All,
        AllPorts,
        AllPorts,
        Halves,
        Port,
        Icmp,
        Stale,
        OwnerUnknown,
    ]);
    (1_usize..=12).prop_flat_map(move |count| {
        let spec = (0_u8..3, prop::bool::weighted(0.2)).prop_map(|(vpc, faces_internet)| Spec {
            vpc,
            faces_internet,
        });
        let machine = prop::option::weighted(0.7, 0_u8..5);
        let interface_kind = prop::sample::select(vec![
            InterfaceKind::Machine,
            InterfaceKind::Machine,
            InterfaceKind::Machine,
            InterfaceKind::Sender,
            InterfaceKind::Passage,
        ]);
        let card = (
            machine,
            0_u8..2,
            prop::collection::btree_set(0..count, 0..4),
            interface_kind,
            any::<bool>(),
        )
            .prop_map(|(machine, vpc, groups, kind, is_public)| Card {
                machine,
                vpc,
                groups,
                kind,
                is_public,
            });
        let rule = (0..count, 0..count, kind.clone());
        (
            prop::collection::vec(spec, count),
            prop::collection::vec(rule, 0..most_rules),
            prop_oneof![Just(Vec::new()), prop::collection::vec(card, 1..8)],
        )
            .prop_map(|(groups, rules, interfaces)| World {
                groups,
                rules,
                interfaces,
            })
    })
}

impl World {
    pub(super) fn security_groups(&self) -> Vec<SecurityGroup> {
        let group = |(number, spec): (usize, &Spec)| {
            let rules = self.rules.iter().filter(|(_, to, _)| *to == number);
            let mut permissions: Vec<_> = rules
                .flat_map(|(from, _, kind)| kind.permissions(*from))
                .collect();
            if spec.faces_internet {
                permissions.push(json!({"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "UserIdGroupPairs": [], "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}));
            }
            let group = json!({"GroupId": id(number), "OwnerId": owner(number), "VpcId": format!("vpc-{}", spec.vpc), "IpPermissions": permissions});
            serde_json::from_value(group).unwrap()
        };
        self.groups.iter().enumerate().map(group).collect()
    }

    pub(super) fn network_interfaces(&self) -> Vec<NetworkInterface> {
        let interface = |(number, card): (usize, &Card)| {
            let groups: Vec<_> = card.groups.iter().map(|group| id(*group)).collect();
            interface(json!({
                "NetworkInterfaceId": format!("eni-{number}"),
                "InterfaceType": match card.kind {
                    InterfaceKind::Machine => "interface",
                    InterfaceKind::Sender => "lambda",
                    InterfaceKind::Passage => "nat_gateway",
                },
                "Attachment": card.machine.map(|machine| json!({"InstanceId": format!("i-{machine}")})),
                "VpcId": format!("vpc-{}", card.vpc),
                "Groups": groups.iter().map(|group| json!({"GroupId": group})).collect::<Vec<_>>(),
                "Association": card.is_public.then(|| json!({"PublicIp": "198.51.100.1"})),
            }))
        };
        self.interfaces.iter().enumerate().map(interface).collect()
    }

    pub(super) fn graph(&self) -> TrustGraph {
        build(&self.security_groups(), &self.network_interfaces())
    }

    /// The machines, with the groups that let traffic in and those as which it is sent on.
    pub(super) fn machines(&self) -> Vec<(BTreeSet<usize>, BTreeSet<usize>)> {
        let mut machines: BTreeMap<String, Vec<&Card>> = BTreeMap::new();
        for (number, card) in self.interfaces.iter().enumerate() {
            let name = card
                .machine
                .map_or(format!("eni-{number}"), |machine| format!("i-{machine}"));
            machines.entry(name).or_default().push(card);
        }
        let machine = |cards: Vec<&Card>| {
            let doors = cards
                .iter()
                .filter(|card| card.kind != InterfaceKind::Sender);
            let doors = doors.flat_map(|card| card.groups.clone()).collect();
            let sends_on = cards.iter().any(|card| card.kind == InterfaceKind::Machine);
            let keys = cards
                .iter()
                .filter(|_| sends_on)
                .flat_map(|card| card.groups.clone())
                .collect();
            (doors, keys)
        };
        machines.into_values().map(machine).collect()
    }

    pub(super) fn is_attached(&self, group: usize) -> bool {
        self.interfaces
            .iter()
            .any(|card| card.groups.contains(&group))
    }

    pub(super) fn is_latent(&self, group: usize) -> bool {
        let is_read = self
            .interfaces
            .iter()
            .any(|card| card.vpc == self.groups[group].vpc);
        is_read && !self.is_attached(group)
    }

    /// The pairs that are walked.
    pub(super) fn pairs(&self, trust: Trust) -> BTreeSet<(usize, usize)> {
        let rules = self.rules.iter();
        let walked =
            rules.filter(|(from, _, kind)| kind.is_walked(trust) && !self.is_latent(*from));
        walked.map(|(from, to, _)| (*from, *to)).collect()
    }

    /// The doors reached from these keys and doors, one trust edge after another: with the number of edges.
    pub(super) fn doors(
        &self,
        pairs: &BTreeSet<(usize, usize)>,
        keys: &[usize],
        doors: &[usize],
    ) -> BTreeMap<usize, u32> {
        let mut reached: BTreeMap<usize, u32> = doors.iter().map(|door| (*door, 0)).collect();
        let mut keys: BTreeSet<usize> = keys.iter().copied().collect();
        let machines = self.machines();
        let mut hops = 0;
        loop {
            for door in reached.keys() {
                if !self.is_attached(*door) && !self.is_latent(*door) {
                    keys.insert(*door);
                }
                for (inward, outward) in &machines {
                    if inward.contains(door) {
                        keys.extend(outward);
                    }
                }
            }
            hops += 1;
            let new: Vec<_> = pairs
                .iter()
                .filter(|(from, to)| keys.contains(from) && !reached.contains_key(to))
                .collect();
            if new.is_empty() {
                return reached;
            }
            reached.extend(new.into_iter().map(|(_, to)| (*to, hops)));
        }
    }

    pub(super) fn internet_doors(&self) -> Vec<usize> {
        let faces = |group: &usize| self.groups[*group].faces_internet && !self.is_latent(*group);
        (0..self.groups.len()).filter(faces).collect()
    }
}
