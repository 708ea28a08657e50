//! The trust graph of small accounts.

mod properties;
mod world;

use jiff::civil::Date;
use serde_json::{Value, json};

use super::*;
use crate::model::{NetworkInterface, SecurityGroup};
use crate::policy::Settings;

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
