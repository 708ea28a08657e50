//! Random security groups as JSON, close to where decisions change.

use proptest::prelude::*;
use serde_json::{Value, json};

fn port() -> impl Strategy<Value = Value> {
    let edges: Vec<Value> = [
        -1, 0, 1, 22, 80, 1023, 1024, 32_767, 32_768, 65_534, 65_535, 65_536,
    ]
    .map(Value::from)
    .to_vec();
    prop_oneof![6 => prop::sample::select(edges), 2 => (0_i64..=65_535).prop_map(Value::from), 2 => Just(Value::Null)]
}

fn protocol() -> impl Strategy<Value = Value> {
    let spellings: Vec<Value> = [
        json!("-1"),
        json!("tcp"),
        json!("6"),
        json!("udp"),
        json!("icmp"),
        json!("58"),
        json!("50"),
        json!("TCP"),
        json!(17),
        json!(null),
    ]
    .to_vec();
    prop::sample::select(spellings)
}

fn pair() -> impl Strategy<Value = Value> {
    let id = prop::sample::select(vec![
        json!("sg-0a"),
        json!("sg-0b"),
        json!("sg-0c"),
        json!("sg-0d"),
        json!(null),
    ]);
    let user = prop::sample::select(vec![
        json!("111111111111"),
        json!("222222222222"),
        json!(null),
    ]);
    let peering = prop_oneof![
        4 => Just(json!({})),
        1 => Just(json!({"VpcId": "vpc-2", "VpcPeeringConnectionId": "pcx-1", "PeeringStatus": "active"})),
        1 => Just(json!({"VpcId": "vpc-3", "VpcPeeringConnectionId": "pcx-2", "PeeringStatus": "deleted"})),
    ];
    let description = prop::sample::select(vec![json!(null), json!("web"), json!("until Friday")]);
    (id, user, peering, description).prop_map(|(id, user, mut pair, description)| {
        pair["GroupId"] = id;
        pair["UserId"] = user;
        pair["GroupName"] = json!(null);
        pair["Description"] = description;
        pair
    })
}

pub(crate) fn permission() -> impl Strategy<Value = Value> {
    permission_of(pair())
}

pub(crate) fn permission_of(pair: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    let pairs = prop_oneof![
        1 => Just(Value::Null),
        5 => prop::collection::vec(pair, 0..4).prop_map(Value::from),
    ];
    let range = prop_oneof![
        3 => (port(), port()).prop_map(|(from, to)| (from, to)),
        1 => Just((json!(null), json!(null))),
        1 => Just((json!(0), json!(65_535))),
        1 => Just((json!(-1), json!(-1))),
        1 => (0_i64..3, 65_000_i64..65_536).prop_map(|(from, to)| (json!(from), json!(to))),
        1 => (0_i64..40_000).prop_map(|to| (json!(0), json!(to))),
        1 => (25_000_i64..60_000).prop_map(|from| (json!(from), json!(65_535))),
    ];
    (protocol(), range, pairs).prop_map(|(protocol, (from, to), pairs)| {
        json!({"IpProtocol": protocol, "FromPort": from, "ToPort": to, "UserIdGroupPairs": pairs,
               "IpRanges": [{"CidrIp": "10.0.0.0/8"}], "Ipv6Ranges": null})
    })
}

pub(crate) fn permissions() -> impl Strategy<Value = Vec<Value>> {
    prop::collection::vec(permission(), 0..7)
}

pub(crate) fn group(permissions: &[Value]) -> Value {
    json!({"GroupId": "sg-0a", "GroupName": "target", "OwnerId": "111111111111", "VpcId": "vpc-1",
           "Tags": [{"Key": "a", "Value": "b"}, {"Key": "c", "Value": "d"}], "IpPermissions": permissions,
           "IpPermissionsEgress": [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "sg-0e"}]}]})
}
