//! Every answer about random accounts equals brute force.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::world::{Card, world};
use super::{build, index, number};
use crate::graph::{
    End, Hop, Origin, Removal, Trust, TrustEdge, TrustGraph, Walk, rules_to_revoke,
};
use crate::model::SecurityGroup;
use crate::policy::Settings;

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
