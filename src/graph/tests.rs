//! Every answer about random accounts equals brute force over what they were made of.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::model::{InterfaceKind, NetworkInterface, SecurityGroup};
use crate::policy::Settings;

/// What a test makes groups and interfaces of, by numbers.
#[derive(Debug, Clone)]
struct World {
    groups: Vec<Spec>,
    rules: Vec<(usize, usize, Kind)>,
    interfaces: Vec<Card>,
}

#[derive(Debug, Clone)]
struct Spec {
    vpc: u8,
    faces_internet: bool,
}

#[derive(Debug, Clone)]
struct Card {
    machine: Option<u8>,
    vpc: u8,
    groups: BTreeSet<usize>,
    kind: InterfaceKind,
    is_public: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    All,
    AllPorts,
    Halves,
    Port,
    Icmp,
    Stale,
    OwnerUnknown,
}

impl Kind {
    fn is_walked(self, trust: Trust) -> bool {
        match self {
            Self::All | Self::AllPorts | Self::Halves | Self::OwnerUnknown => true,
            Self::Port => trust == Trust::Any,
            Self::Icmp | Self::Stale => false,
        }
    }

    fn permissions(self, source: usize) -> Vec<Value> {
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

fn id(number: usize) -> String {
    format!("sg-{number:02}")
}

fn owner(number: usize) -> &'static str {
    ["111111111111", "222222222222"][number % 2]
}

fn world(most_rules: usize) -> impl Strategy<Value = World> {
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
    fn security_groups(&self) -> Vec<SecurityGroup> {
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

    fn network_interfaces(&self) -> Vec<NetworkInterface> {
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

    fn graph(&self) -> TrustGraph {
        build(&self.security_groups(), &self.network_interfaces())
    }

    /// The machines, with the groups that let traffic in and those as which it is sent on.
    fn machines(&self) -> Vec<(BTreeSet<usize>, BTreeSet<usize>)> {
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

    fn is_attached(&self, group: usize) -> bool {
        self.interfaces
            .iter()
            .any(|card| card.groups.contains(&group))
    }

    fn is_latent(&self, group: usize) -> bool {
        let is_read = self
            .interfaces
            .iter()
            .any(|card| card.vpc == self.groups[group].vpc);
        is_read && !self.is_attached(group)
    }

    /// The pairs that are walked.
    fn pairs(&self, trust: Trust) -> BTreeSet<(usize, usize)> {
        let rules = self.rules.iter();
        let walked =
            rules.filter(|(from, _, kind)| kind.is_walked(trust) && !self.is_latent(*from));
        walked.map(|(from, to, _)| (*from, *to)).collect()
    }

    /// The doors reached from these keys and doors, one trust edge after another: with the number of edges.
    fn doors(
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

    fn internet_doors(&self) -> Vec<usize> {
        let faces = |group: &usize| self.groups[*group].faces_internet && !self.is_latent(*group);
        (0..self.groups.len()).filter(faces).collect()
    }
}

fn build(groups: &[SecurityGroup], interfaces: &[NetworkInterface]) -> TrustGraph {
    let settings = Settings::default();
    let mut builder = Builder::new(&settings, Date::MIN);
    for group in groups {
        builder.group(group, None).unwrap();
    }
    for interface in interfaces {
        builder.interface(interface.clone());
    }
    builder.finish()
}

fn number(index: GroupIndex) -> usize {
    index.0 as usize
}

fn index(number: usize) -> GroupIndex {
    GroupIndex(u32::try_from(number).unwrap())
}

fn ends(edge: &TrustEdge<'_>) -> (usize, usize) {
    let End::Group(from, _) = edge.from else {
        panic!("every source is in the files")
    };
    (number(from), number(edge.to))
}

/// The groups without the rules of an edge that are to be revoked.
fn revoke(groups: &[SecurityGroup], edge: &TrustEdge<'_>, trust: Trust) -> Vec<SecurityGroup> {
    let revoked = rules_to_revoke(&Settings::default(), trust, edge.rules);
    let source = edge.from.group_id().unwrap();
    let mut groups = groups.to_vec();
    let target = groups
        .iter_mut()
        .find(|group| group.group_id == edge.target.group_id)
        .unwrap();
    for permission in &mut target.ip_permissions {
        let traffic = crate::model::Traffic::of(permission);
        permission.user_id_group_pairs.retain(|pair| {
            let is_rule = |rule: &&crate::policy::OpenRule| {
                rule.traffic == traffic
                    && rule.pair.owner_id == pair.user_id
                    && rule.pair.peering_connection_id == pair.vpc_peering_connection_id
            };
            pair.group_id.as_ref() != Some(source) || !revoked.iter().any(|rule| is_rule(&rule))
        });
    }
    groups
}

const BOTH: [Trust; 2] = [Trust::Open, Trust::Any];

/// A group names itself, and shares a machine with one that it names: whoever gets in has both keys, but nobody names
/// the other.
#[test]
fn two_keys_are_no_cluster_without_two_doors() {
    let pairs = json!([{"GroupId": "sg-a"}, {"GroupId": "sg-b"}]);
    let groups = [
        group(json!({"GroupId": "sg-a", "VpcId": "vpc-1", "IpPermissions": all_from(pairs)})),
        group(json!({"GroupId": "sg-b", "VpcId": "vpc-1", "IpPermissions": []})),
    ];
    let card = interface(
        json!({"NetworkInterfaceId": "eni-1", "Groups": [{"GroupId": "sg-a"}, {"GroupId": "sg-b"}]}),
    );
    let graph = build(&groups, &[card]);
    assert!(Walk::new(&graph, Trust::Open, false).clusters().is_empty());
}

proptest! {
    #[test]
    fn reach_is_brute_forces(world in world(30)) {
        let graph = world.graph();
        for trust in BOTH {
            let pairs = world.pairs(trust);
            let walk = Walk::new(&graph, trust, false);
            let from_internet = world.doors(&pairs, &[], &world.internet_doors());
            let found: BTreeMap<_, _> = walk.reached(Origin::Internet).into_iter().map(|(group, hops)| (number(group), hops)).collect();
            prop_assert_eq!(&found, &from_internet);
            let counts = walk.counts().unwrap();
            let mut reached_by = vec![0; world.groups.len()];
            for from in 0..world.groups.len() {
                let reached = world.doors(&pairs, &[from], &[]);
                let found: BTreeMap<_, _> = walk.reached(Origin::Group(index(from))).into_iter().map(|(group, hops)| (number(group), hops)).collect();
                prop_assert_eq!(&found, &reached);
                let others: Vec<_> = reached.keys().filter(|to| **to != from).collect();
                prop_assert_eq!(counts.reaches[from] as usize, others.len());
                for to in others {
                    reached_by[*to] += 1;
                }
                for to in 0..world.groups.len() {
                    let reaching = walk.reaching(&[index(to)]);
                    let hops = reaching.groups.iter().find(|(group, _)| number(*group) == from).map(|(_, hops)| *hops);
                    prop_assert_eq!(hops, reached.get(&to).copied());
                    prop_assert_eq!(reaching.internet, from_internet.get(&to).copied());
                }
            }
            prop_assert_eq!(counts.reached_by, reached_by);
        }
    }

    #[test]
    fn groups_are_labelled_by_the_machines(world in world(4)) {
        for (place, group) in world.graph().groups().iter().enumerate() {
            let is_known = world.is_attached(place) || world.is_latent(place);
            prop_assert_eq!(group.carriers.is_some(), is_known);
            prop_assert_eq!(group.is_latent(), world.is_latent(place));
            let cards = || world.interfaces.iter().filter(|card| card.groups.contains(&place));
            prop_assert_eq!(group.is_exposed(), world.groups[place].faces_internet && cards().any(|card| card.is_public));
            let machines: BTreeSet<_> = world.interfaces.iter().enumerate().filter(|(_, card)| card.groups.contains(&place)).map(|(number, card)| card.machine.map_or(100 + number, usize::from)).collect();
            prop_assert_eq!(group.carriers.map_or(0, |carriers| carriers.machines) as usize, machines.len());
        }
    }

    #[test]
    fn clusters_all_reach_each_other(world in world(30)) {
        let graph = world.graph();
        for trust in BOTH {
            let pairs = world.pairs(trust);
            let reach: Vec<_> = (0..world.groups.len()).map(|from| world.doors(&pairs, &[from], &[])).collect();
            // Whom nothing enters is in effect nobody else, however much it reaches and is reached.
            let machines = world.machines();
            let is_entered = |group: usize| {
                let is_carried = machines.iter().any(|(doors, keys)| doors.contains(&group) && keys.contains(&group));
                is_carried || !world.is_attached(group) && !world.is_latent(group)
            };
            let are_one = |a: usize, b: usize| a == b || is_entered(a) && is_entered(b) && reach[a].contains_key(&b) && reach[b].contains_key(&a);
            let sets: BTreeSet<Vec<usize>> = (0..world.groups.len()).map(|a| (0..world.groups.len()).filter(|b| are_one(a, *b)).collect()).collect();
            let expected: Vec<_> = sets.into_iter().filter(|set| set.len() > 1).collect();
            let walk = Walk::new(&graph, trust, false);
            let clusters: Vec<Vec<_>> = walk.clusters().into_iter().map(|cluster| cluster.into_iter().map(number).collect()).collect();
            prop_assert_eq!(clusters, expected);
        }
    }

    #[test]
    fn a_path_is_a_shortest_way(world in world(30)) {
        let graph = world.graph();
        for trust in BOTH {
            let pairs = world.pairs(trust);
            let walk = Walk::new(&graph, trust, false);
            let open = Walk::new(&graph, Trust::Open, false);
            let open_pairs = world.pairs(Trust::Open);
            let origins = std::iter::once(Origin::Internet).chain(graph.indices().map(Origin::Group));
            for (origin, to) in origins.flat_map(|origin| graph.indices().map(move |to| (origin, to))) {
                let expected = match origin {
                    Origin::Group(from) => world.doors(&pairs, &[number(from)], &[]),
                    _ => world.doors(&pairs, &[], &world.internet_doors()),
                };
                let path = walk.path(origin, &[to]);
                let edges = path.as_ref().map(|hops| hops.iter().filter(|hop| matches!(hop, Hop::Edge { .. })).count());
                prop_assert_eq!(edges, expected.get(&number(to)).map(|hops| *hops as usize));
                let Some(path) = path else { continue };
                // Every hop goes on where the one before ended, on the machine that is named.
                let mut at = match origin { Origin::Group(from) => Some(from), _ => None };
                let mut restricted = 0;
                for hop in &path {
                    match hop {
                        Hop::Internet(door) => {
                            prop_assert!(world.internet_doors().contains(&number(*door)));
                            at = Some(*door);
                        }
                        Hop::Edge { edge, machine } => {
                            let (from, to) = ends(edge);
                            prop_assert!(pairs.contains(&(from, to)));
                            prop_assert_eq!(machine.is_some(), at != Some(index(from)));
                            if let Some(machine) = machine {
                                let names = |card: &(usize, &Card)| card.1.machine.map_or(format!("eni-{}", card.0), |machine| format!("i-{machine}")) == *machine;
                                let cards: Vec<_> = world.interfaces.iter().enumerate().filter(names).collect();
                                prop_assert!(cards.iter().any(|(_, card)| card.groups.contains(&number(at.unwrap()))));
                                prop_assert!(cards.iter().any(|(_, card)| card.groups.contains(&from)));
                            }
                            restricted += u32::from(!open_pairs.contains(&(from, to)));
                            at = Some(edge.to);
                        }
                    }
                }
                prop_assert_eq!(at, Some(to));
                let least = walk.restricted_hops(origin, &[to]).unwrap();
                prop_assert!(least <= restricted);
                prop_assert_eq!(least == 0, open.path(origin, &[to]).is_some());
            }
        }
    }

    #[test]
    fn chokes_are_what_every_path_takes(world in world(24), origin in 0_usize..13, target in 0_usize..12) {
        let target = target % world.groups.len();
        let from = origin.checked_sub(1).map(|from| from % world.groups.len());
        let origin = from.map_or(Origin::Internet, |from| Origin::Group(index(from)));
        let graph = world.graph();
        for trust in BOTH {
            let pairs = world.pairs(trust);
            let is_reached = |pairs: &BTreeSet<(usize, usize)>| match from {
                Some(from) => world.doors(pairs, &[from], &[]),
                None => world.doors(pairs, &[], &world.internet_doors()),
            }.contains_key(&target);
            let without = |pair: &(usize, usize)| pairs.iter().filter(|other| *other != pair).copied().collect();
            let expected: BTreeSet<_> = pairs.iter().filter(|pair| is_reached(&pairs) && !is_reached(&without(pair))).copied().collect();
            let walk = Walk::new(&graph, trust, false);
            let chokes: Vec<_> = walk.chokes(origin, &[index(target)]).iter().map(ends).collect();
            prop_assert_eq!(chokes.iter().copied().collect::<BTreeSet<_>>(), expected);
            let path = walk.path(origin, &[index(target)]).unwrap_or_default();
            let on_path = path.iter().filter_map(|hop| match hop { Hop::Edge { edge, .. } => Some(ends(edge)), Hop::Internet(_) => None });
            prop_assert_eq!(on_path.filter(|edge| chokes.contains(edge)).collect::<Vec<_>>(), chokes);
        }
    }

    /// The revoked rules free as many groups as was promised, and no other edge frees any.
    #[test]
    fn removals_free_what_they_promise(world in world(16), target in 0_usize..12) {
        let target = target % world.groups.len();
        let graph = world.graph();
        let groups = world.security_groups();
        for trust in BOTH {
            let walk = Walk::new(&graph, trust, false);
            let list = |removals: Vec<Removal<'_>>| removals.iter().map(|removal| (ends(&removal.edge), removal.frees)).collect::<Vec<_>>();
            let (from_internet, towards) = (list(walk.removals_from_internet()), list(walk.removals_towards(index(target))));
            let (mut expected_from_internet, mut expected_towards) = (Vec::new(), Vec::new());
            let others = |walk: &Walk<'_>| walk.reaching(&[index(target)]).groups.iter().filter(|(group, _)| number(*group) != target).count();
            for edge in graph.edges().iter().filter(|edge| world.pairs(trust).contains(&ends(edge))) {
                let without = build(&revoke(&groups, edge, trust), &world.network_interfaces());
                let after = Walk::new(&without, trust, false);
                let frees = walk.reached(Origin::Internet).len() - after.reached(Origin::Internet).len();
                expected_from_internet.extend((frees > 0).then_some((ends(edge), frees)));
                let frees = others(&walk) - others(&after);
                expected_towards.extend((frees > 0).then_some((ends(edge), frees)));
            }
            for (found, mut expected) in [(from_internet, expected_from_internet), (towards, expected_towards)] {
                expected.sort_by_key(|(ends, frees)| (std::cmp::Reverse(*frees), *ends));
                prop_assert_eq!(found, expected);
            }
        }
    }

    #[test]
    fn a_cut_separates_and_is_smallest(world in world(11), target in 0_usize..12) {
        let target = target % world.groups.len();
        let graph = world.graph();
        for trust in BOTH {
            let pairs: Vec<_> = world.pairs(trust).into_iter().collect();
            let walk = Walk::new(&graph, trust, false);
            for origin in [Origin::Internet, Origin::Group(index(0))] {
                let is_reached = |kept: &BTreeSet<(usize, usize)>| match origin {
                    Origin::Group(_) => world.doors(kept, &[0], &[]),
                    _ => world.doors(kept, &[], &world.internet_doors()),
                }.contains_key(&target);
                let sets = (0_u32..1 << pairs.len()).map(|bits| pairs.iter().enumerate().filter(|(bit, _)| bits >> bit & 1 == 1).map(|(_, pair)| *pair).collect::<BTreeSet<_>>());
                let most = sets.filter(|kept| !is_reached(kept)).map(|kept| kept.len()).max();
                let cut = walk.cut(origin, &[index(target)], false);
                prop_assert_eq!(cut.as_ref().map(|cut| pairs.len() - cut.len()), most);
                if let Some(cut) = cut {
                    let cut: BTreeSet<_> = cut.iter().map(ends).collect();
                    let kept = pairs.iter().filter(|pair| !cut.contains(pair)).copied().collect();
                    prop_assert!(!is_reached(&kept));
                }
            }
        }
    }

    #[test]
    fn the_order_does_not_show(world in world(20), seed in any::<u64>()) {
        let graph = world.graph();
        let mut groups = world.security_groups();
        let mut interfaces = world.network_interfaces();
        let turn = usize::try_from(seed % 13).unwrap();
        groups.reverse();
        let by = turn % groups.len();
        groups.rotate_left(by);
        interfaces.reverse();
        for group in &mut groups {
            group.ip_permissions.reverse();
        }
        let other = build(&groups, &interfaces);
        prop_assert_eq!(graph.groups(), other.groups());
        prop_assert_eq!(graph.unseen(), other.unseen());
        prop_assert_eq!(format!("{:?}", graph.edges()), format!("{:?}", other.edges()));
        let say = |graph: &TrustGraph| {
            let walk = Walk::new(graph, Trust::Any, false);
            let paths: Vec<_> = graph.indices().map(|to| walk.path(Origin::Internet, &[to])).collect();
            let cuts: Vec<_> = graph.indices().map(|to| walk.cut(Origin::Internet, &[to], true)).collect();
            format!("{:?} {:?} {:?} {:?}", paths, cuts, walk.removals_from_internet(), walk.clusters())
        };
        prop_assert_eq!(say(&graph), say(&other));
    }
}

fn group(json: Value) -> SecurityGroup {
    serde_json::from_value(json).unwrap()
}

fn interface(json: Value) -> NetworkInterface {
    serde_json::from_value(json).unwrap()
}

fn all_from(pairs: Value) -> Value {
    json!([{"IpProtocol": "-1", "UserIdGroupPairs": pairs}])
}

fn reached(graph: &TrustGraph, from: &str) -> Vec<String> {
    let place = graph
        .groups()
        .iter()
        .position(|group| group.group_id.as_str() == from)
        .unwrap();
    let walk = Walk::new(graph, Trust::Open, false);
    let reached = walk.reached(Origin::Group(index(place))).into_iter();
    reached
        .map(|(to, _)| graph.group(to).unwrap().group_id.to_string())
        .collect()
}

#[test]
fn the_same_id_in_two_accounts_never_mixes() {
    let one = |owner: &str, id: &str, pairs: Value| {
        group(
            json!({"GroupId": id, "OwnerId": owner, "VpcId": "vpc-1", "IpPermissions": all_from(pairs)}),
        )
    };
    let groups = [
        one("111111111111", "sg-a", json!([])),
        one("222222222222", "sg-a", json!([])),
        one(
            "111111111111",
            "sg-b",
            json!([{"GroupId": "sg-a", "UserId": "222222222222"}]),
        ),
        one("111111111111", "sg-c", json!([{"GroupId": "sg-a"}])),
        one(
            "111111111111",
            "sg-d",
            json!([{"GroupId": "sg-a", "UserId": "333333333333"}]),
        ),
    ];
    let graph = build(&groups, &[]);
    let edges: Vec<_> = graph
        .edges()
        .iter()
        .map(|edge| {
            format!(
                "{} {} -> {}",
                edge.from.group_id().unwrap(),
                edge.from.owner_id().unwrap(),
                edge.target.group_id
            )
        })
        .collect();
    assert_eq!(
        edges,
        [
            "sg-a 111111111111 -> sg-c",
            "sg-a 222222222222 -> sg-b",
            "sg-a 222222222222 -> sg-c",
            "sg-a 333333333333 -> sg-d",
        ]
    );
    assert_eq!(graph.unseen().len(), 1);
    assert_eq!(
        (graph.unseen()[0].why, graph.outside().len()),
        (Why::OtherAccount, 1)
    );
}

#[test]
fn unseen_sources_say_why() {
    let pairs = json!([
        {"GroupId": "sg-x1", "UserId": "222222222222"},
        {"GroupId": "sg-x2", "UserId": "111111111111", "VpcPeeringConnectionId": "pcx-1", "PeeringStatus": "active"},
        {"GroupId": "sg-x3", "UserId": "111111111111", "VpcPeeringConnectionId": "pcx-2", "PeeringStatus": "deleted"},
        {"GroupId": "sg-x4", "UserId": "111111111111"},
        {"GroupId": "sg-b", "UserId": "111111111111", "VpcPeeringConnectionId": "pcx-2", "PeeringStatus": "expired"},
        {"GroupName": "web", "UserId": "111111111111"},
    ]);
    let groups = [
        group(
            json!({"GroupId": "sg-a", "OwnerId": "111111111111", "VpcId": "vpc-1", "IpPermissions": all_from(pairs)}),
        ),
        group(
            json!({"GroupId": "sg-b", "OwnerId": "111111111111", "VpcId": "vpc-1", "IpPermissions": []}),
        ),
    ];
    let graph = build(&groups, &[]);
    let unseen: Vec<_> = graph
        .unseen()
        .iter()
        .map(|unseen| format!("{} {}", unseen.source, unseen.why.as_str()))
        .collect();
    assert_eq!(
        unseen,
        [
            "web not-in-snapshot",
            "sg-b stale-peering",
            "sg-x1 other-account",
            "sg-x2 peering",
            "sg-x3 stale-peering",
            "sg-x4 not-in-snapshot"
        ]
    );
    assert!(reached(&graph, "sg-b").is_empty());
    assert_eq!(graph.edges().len(), 4);
}

#[test]
fn a_source_without_an_id_is_found_by_name_in_the_same_vpc() {
    let named = |id: &str, vpc: &str| {
        group(
            json!({"GroupId": id, "GroupName": "Web", "OwnerId": "111111111111", "VpcId": vpc, "IpPermissions": []}),
        )
    };
    let target = group(
        json!({"GroupId": "sg-a", "OwnerId": "111111111111", "VpcId": "vpc-1", "IpPermissions": all_from(json!([{"GroupName": "web", "UserId": "111111111111"}]))}),
    );
    let graph = build(
        &[named("sg-b", "vpc-1"), named("sg-c", "vpc-2"), target],
        &[],
    );
    assert_eq!(reached(&graph, "sg-b"), ["sg-a"]);
    assert!(reached(&graph, "sg-c").is_empty());
    assert!(graph.unseen().is_empty());
}

#[test]
fn a_group_that_no_file_has_joins_chains_by_its_machine() {
    let groups = [
        group(
            json!({"GroupId": "sg-a", "OwnerId": "111111111111", "VpcId": "vpc-1", "IpPermissions": []}),
        ),
        group(
            json!({"GroupId": "sg-b", "OwnerId": "111111111111", "VpcId": "vpc-1", "IpPermissions": all_from(json!([{"GroupId": "sg-x", "UserId": "222222222222"}]))}),
        ),
        group(
            json!({"GroupId": "sg-c", "OwnerId": "111111111111", "VpcId": "vpc-1", "IpPermissions": [{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "UserIdGroupPairs": [], "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]}),
        ),
    ];
    let card = |id: &str, groups: &[&str]| {
        let groups: Vec<_> = groups.iter().map(|id| json!({"GroupId": id})).collect();
        interface(
            json!({"NetworkInterfaceId": id, "OwnerId": "222222222222", "VpcId": "vpc-1", "Groups": groups}),
        )
    };
    let graph = build(
        &groups,
        &[card("eni-1", &["sg-c", "sg-x"]), card("eni-2", &["sg-b"])],
    );
    let walk = Walk::new(&graph, Trust::Open, false);
    let reached: Vec<_> = walk
        .reached(Origin::Internet)
        .into_iter()
        .map(|(group, hops)| (number(group), hops))
        .collect();
    assert_eq!(reached, [(1, 1), (2, 0)]);
    // sg-a is of an account whose interfaces nobody read.
    assert!(graph.groups()[0].carriers.is_none());
    assert!(walk.reached(Origin::Outside(0)).len() == 1);
}

#[test]
fn what_came_twice_counts_once_and_differences_are_said() {
    let one = |pairs: Value| {
        group(
            json!({"GroupId": "sg-a", "OwnerId": "111111111111", "IpPermissions": all_from(pairs)}),
        )
    };
    let settings = Settings::default();
    let mut builder = Builder::new(&settings, Date::MIN);
    let first = one(json!([{"GroupId": "sg-a"}]));
    assert!(builder.group(&first, None).is_ok());
    assert!(builder.group(&first, None).is_ok());
    let error = builder
        .group(&one(json!([{"GroupId": "sg-b"}])), None)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "security group sg-a came before and is not the same here: the files are of different moments. What either says counts"
    );
    let graph = builder.finish();
    assert_eq!((graph.groups().len(), graph.edges().len()), (1, 2));
}
