//! The terms of docs/graph.md, one by one.

use serde_json::{Value, json};

use super::{all_from, from_ranges, group, interface, is_reached, on, parse};
use crate::cli::{Run, run};

#[test]
fn a_chain_crosses_on_one_machine_and_not_on_two() {
    let groups = [
        group("sg-0a", json!([all_from(&["sg-0x"])])),
        group("sg-0b", json!([])),
        group("sg-0c", json!([all_from(&["sg-0b"])])),
        group("sg-0x", json!([from_ranges(&["0.0.0.0/0"])])),
    ];
    let others = [
        interface("eni-8", None, &["sg-0c"]),
        interface("eni-9", None, &["sg-0x"]),
    ];
    for (first, second, crosses) in [
        (
            interface("eni-1", Some("i-1"), &["sg-0a"]),
            interface("eni-2", Some("i-1"), &["sg-0b"]),
            true,
        ),
        (
            interface("eni-1", None, &["sg-0a", "sg-0b"]),
            interface("eni-2", None, &[]),
            true,
        ),
        (
            interface("eni-1", Some("i-1"), &["sg-0a"]),
            interface("eni-2", Some("i-2"), &["sg-0b"]),
            false,
        ),
        (
            interface("eni-1", None, &["sg-0a"]),
            interface("eni-2", None, &["sg-0b"]),
            false,
        ),
    ] {
        let interfaces = [&others[..], &[first, second]].concat();
        assert_eq!(
            is_reached(&groups, Some(&interfaces), "internet", "sg-0c"),
            crosses,
            "{interfaces:?}"
        );
    }
    assert!(!is_reached(&groups, None, "internet", "sg-0c"));
    // Interfaces in a file of their own are the same.
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str, value: &Value| {
        let path = folder.path().join(name);
        std::fs::write(&path, value.to_string()).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let machine = [
        &others[..],
        &[interface("eni-1", None, &["sg-0a", "sg-0b"])],
    ]
    .concat();
    let (groups, interfaces) = (
        at("groups.json", &json!(groups)),
        at("interfaces.json", &json!({"NetworkInterfaces": machine})),
    );
    let arguments = [
        "reach",
        &groups,
        "--interfaces",
        &interfaces,
        "--from",
        "internet",
        "--to",
        "name-0c",
    ];
    let Run { code, out, .. } = run(&arguments, "");
    assert_eq!(code, 1);
    assert!(out.contains("on eni-1 too"), "{out}");
}

#[test]
fn kinds_of_interfaces_are_told_apart() {
    let groups = [
        group("sg-0a", json!([from_ranges(&["0.0.0.0/0"])])),
        group("sg-0b", json!([all_from(&["sg-0a"])])),
    ];
    for (kind, goes_on) in [
        ("interface", true),
        ("something_new", true),
        ("lambda", false),
        ("nat_gateway", false),
        ("gateway_load_balancer_endpoint", false),
    ] {
        let mut first = interface("eni-1", None, &["sg-0a"]);
        first["InterfaceType"] = json!(kind);
        let interfaces = [first, interface("eni-2", None, &["sg-0b"])];
        assert_eq!(
            is_reached(&groups, Some(&interfaces), "internet", "sg-0b"),
            goes_on,
            "{kind}"
        );
        // Whoever carries it sends all the same.
        assert!(
            is_reached(&groups, Some(&interfaces), "sg-0a", "sg-0b"),
            "{kind}"
        );
    }
}

#[test]
fn a_latent_group_is_reached_and_is_no_stepping_stone() {
    let groups = [
        group("sg-0a", json!([from_ranges(&["0.0.0.0/0"])])),
        group("sg-0b", json!([all_from(&["sg-0a"])])),
        group("sg-0c", json!([all_from(&["sg-0b"])])),
    ];
    let attached = |ids: &[&str]| -> Vec<_> {
        ids.iter()
            .map(|id| interface(&id.replace("sg", "eni"), None, &[id]))
            .collect()
    };
    let (all, without) = (
        attached(&["sg-0a", "sg-0b", "sg-0c"]),
        attached(&["sg-0a", "sg-0c"]),
    );
    assert!(is_reached(&groups, Some(&all), "internet", "sg-0c"));
    assert!(is_reached(&groups, Some(&without), "internet", "sg-0b"));
    assert!(!is_reached(&groups, Some(&without), "internet", "sg-0c"));
    assert!(!is_reached(&groups, Some(&without), "sg-0b", "sg-0c"));
    let graph = parse(&on(&["graph", "--format", "json"], &groups, Some(&without)));
    assert_eq!(
        (
            &graph["groups"][1]["latent"],
            &graph["groups"][1]["reaches"]
        ),
        (&json!(true), &json!(0))
    );
    // Of another VPC nothing is known.
    let elsewhere: Vec<_> = without
        .iter()
        .cloned()
        .map(|mut one| {
            one["VpcId"] = json!("vpc-2");
            one["Groups"] = json!([]);
            one
        })
        .collect();
    assert!(is_reached(&groups, Some(&elsewhere), "internet", "sg-0c"));
    // The door of a latent group is none that the internet comes in by.
    let only = attached(&["sg-0b", "sg-0c"]);
    let graph = parse(&on(&["graph", "--format", "json"], &groups, Some(&only)));
    assert_eq!(graph["internet"]["reaches"], 0);
}

#[test]
fn internet_facing_is_more_than_an_eighth_of_public_addresses() {
    for (ranges, is_facing) in [
        (&["0.0.0.0/0"][..], true),
        (&["0.0.0.0/1", "128.0.0.0/1"], true),
        (&["10.0.0.0/8"], false),
        (&["203.0.113.0/24"], false),
        (&["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"], false),
    ] {
        let groups = [group("sg-0a", json!([from_ranges(ranges)]))];
        let graph = parse(&on(&["graph", "--format", "json"], &groups, None));
        assert_eq!(
            graph["groups"][0]["internet_facing"], is_facing,
            "{ranges:?}"
        );
    }
}

#[test]
fn exposed_is_told_by_addresses_and_asked_for() {
    let groups = [
        group("sg-0a", json!([from_ranges(&["0.0.0.0/0"])])),
        group("sg-0b", json!([all_from(&["sg-0a"])])),
    ];
    let private = [
        interface("eni-1", None, &["sg-0a"]),
        interface("eni-2", None, &["sg-0b"]),
    ];
    let mut public = private.clone();
    public[0]["Association"] = json!({"PublicIp": "198.51.100.1"});
    let exposed_only = [
        "reach",
        "--from",
        "internet",
        "--to",
        "sg-0b",
        "--exposed-only",
    ];
    assert_eq!(on(&exposed_only, &groups, Some(&private)).code, 0);
    assert_eq!(on(&exposed_only, &groups, Some(&public)).code, 1);
    let Run { code, err, .. } = on(&exposed_only, &groups, None);
    assert_eq!(code, 2);
    assert_eq!(
        err,
        "sg-trust: --exposed-only needs network interfaces: give --interfaces FILE, the output of `aws ec2 describe-network-interfaces`\n"
    );
}

#[test]
fn a_stale_peering_is_not_walked() {
    let over = |status: &str| json!({"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "sg-0a", "UserId": "111111111111", "VpcPeeringConnectionId": "pcx-1", "PeeringStatus": status}]});
    for (status, is_walked) in [("active", true), ("deleted", false), ("expired", false)] {
        let groups = [
            group("sg-0a", json!([])),
            group("sg-0b", json!([over(status)])),
        ];
        assert_eq!(
            is_reached(&groups, None, "sg-0a", "sg-0b"),
            is_walked,
            "{status}"
        );
        let graph = parse(&on(&["graph", "--format", "json"], &groups, None));
        let whys: Vec<_> = graph["unseen"]
            .as_array()
            .unwrap()
            .iter()
            .map(|unseen| &unseen["why"])
            .collect();
        assert_eq!(whys.len(), usize::from(!is_walked), "{status}: {whys:?}");
    }
}

#[test]
fn reach_follows_any_trust_unless_told_otherwise() {
    let groups = [
        group("sg-0a", json!([])),
        group(
            "sg-0b",
            json!([{"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "UserIdGroupPairs": [{"GroupId": "sg-0a", "UserId": "111111111111"}]}]),
        ),
    ];
    let reach = ["reach", "--from", "sg-0a", "--to", "sg-0b"];
    assert_eq!(on(&reach, &groups, None).code, 1);
    assert_eq!(
        on(&[&reach[..], &["--trust", "open"]].concat(), &groups, None).code,
        0
    );
    let icmp = [
        group("sg-0a", json!([])),
        group(
            "sg-0b",
            json!([{"IpProtocol": "icmp", "FromPort": -1, "ToPort": -1, "UserIdGroupPairs": [{"GroupId": "sg-0a", "UserId": "111111111111"}]}]),
        ),
    ];
    assert_eq!(on(&reach, &icmp, None).code, 0);
}

#[test]
fn a_cut_may_keep_what_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("policy.toml");
    std::fs::write(&policy, "[[exemption]]\nid = \"a\"\nreason = \"accepted by the board\"\ntarget = { id = \"sg-0c\" }\nsource = \"any\"\nallow = \"all-traffic\"\n").unwrap();
    let groups = [
        group("sg-0a", json!([from_ranges(&["0.0.0.0/0"])])),
        group("sg-0b", json!([all_from(&["sg-0a"])])),
        group("sg-0c", json!([all_from(&["sg-0b"])])),
        group("sg-0d", json!([all_from(&["sg-0c"])])),
    ];
    let cut = |to: &str, more: &[&str]| {
        let arguments = [
            "reach",
            "--policy",
            policy.to_str().unwrap(),
            "--from",
            "sg-0b",
            "--to",
            to,
            "--format",
            "json",
            "--cut",
        ];
        parse(&on(&[&arguments[..], more].concat(), &groups, None))["cut"].clone()
    };
    let pairs = |cut: &Value| -> Vec<String> {
        cut.as_array()
            .unwrap()
            .iter()
            .map(|pair| {
                format!(
                    "{}->{} {}",
                    pair["from"].as_str().unwrap(),
                    pair["to"].as_str().unwrap(),
                    pair["exempt"]
                )
            })
            .collect()
    };
    assert_eq!(pairs(&cut("sg-0c", &[])), ["sg-0b->sg-0c true"]);
    assert_eq!(cut("sg-0c", &["--keep-exempt"]), Value::Null);
    assert_eq!(
        pairs(&cut("sg-0d", &["--keep-exempt"])),
        ["sg-0c->sg-0d false"]
    );
    let direct = on(
        &[
            "reach", "--from", "internet", "--to", "sg-0a", "--format", "json", "--cut",
        ],
        &groups,
        None,
    );
    assert_eq!((direct.code, &parse(&direct)["cut"]), (1, &Value::Null));
    let apart = on(
        &[
            "reach", "--from", "sg-0d", "--to", "sg-0a", "--format", "json", "--cut",
        ],
        &groups,
        None,
    );
    assert_eq!((apart.code, &parse(&apart)["cut"]), (0, &json!([])));
    let graph = parse(&on(
        &[
            "graph",
            "--policy",
            policy.to_str().unwrap(),
            "--format",
            "json",
        ],
        &groups,
        None,
    ));
    let removal = |to: &str| {
        graph["revoke_first"]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["to"] == to)
            .unwrap()["exempt"]
            .clone()
    };
    assert_eq!(
        (removal("sg-0c"), removal("sg-0d")),
        (json!(true), json!(false))
    );
}
