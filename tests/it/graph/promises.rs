//! What is printed holds: commands do what they promise, the order does not show, the JSON is version 1.

use std::process::Command;

use serde_json::{Value, json};

use super::{POLICY, all_from, from_ranges, group, on, organisation_groups, parse};
use crate::cli::{Run, run};

/// The words of a command, as a shell reads them: the group and the permissions to revoke.
fn revoked(command: &str) -> (String, Vec<Value>) {
    let script = format!("set -- {command}\nfor word; do printf '%s\\0' \"$word\"; done");
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let words: Vec<_> = text.split_terminator('\0').collect();
    let after = |option: &str| words[words.iter().position(|word| *word == option).unwrap() + 1];
    assert_eq!(words[2], "revoke-security-group-ingress");
    (
        after("--group-id").to_owned(),
        serde_json::from_str(after("--ip-permissions")).unwrap(),
    )
}

/// Does to groups what EC2 does at a command: a rule is one protocol, ports and pair.
fn execute(groups: &mut [Value], command: &str) {
    let (id, permissions) = revoked(command);
    let group = groups
        .iter_mut()
        .find(|group| group["GroupId"] == id.as_str())
        .unwrap();
    for permission in permissions {
        for pair in permission["UserIdGroupPairs"].as_array().unwrap() {
            let mut found = 0;
            for own in group["IpPermissions"].as_array_mut().unwrap() {
                let same = |key: &str| {
                    own.get(key).unwrap_or(&Value::Null)
                        == permission.get(key).unwrap_or(&Value::Null)
                };
                if !["IpProtocol", "FromPort", "ToPort"]
                    .iter()
                    .all(|key| same(key))
                {
                    continue;
                }
                let pairs = own["UserIdGroupPairs"].as_array_mut().unwrap();
                let before = pairs.len();
                let is_pair = |own: &Value| {
                    ["GroupId", "UserId", "VpcPeeringConnectionId"]
                        .iter()
                        .all(|key| own.get(*key) == pair.get(*key))
                };
                pairs.retain(|own| !is_pair(own));
                found += before - pairs.len();
            }
            assert_eq!(found, 1, "InvalidPermission.NotFound: {command}");
        }
    }
}

#[test]
fn the_printed_commands_do_what_they_promise() {
    let (groups, interfaces) = organisation_groups();
    for trust in ["open", "any"] {
        for to in [None, Some("payments-db"), Some("ledger-db")] {
            let mut arguments = vec!["graph", "--format", "json", "--trust", trust];
            arguments.extend(to.iter().flat_map(|to| ["--to", to]));
            let before = parse(&on(&arguments, &groups, Some(&interfaces)));
            let count = |graph: &Value| match to {
                None => graph["internet"]["reaches"].as_u64().unwrap(),
                Some(to) => graph["groups"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .find(|group| group["group_name"] == to)
                    .unwrap()["reached_by"]
                    .as_u64()
                    .unwrap(),
            };
            let removals = before["revoke_first"].as_array().unwrap();
            assert!(!removals.is_empty(), "{trust} {to:?}");
            for removal in removals {
                let mut after = groups.clone();
                for command in removal["commands"].as_array().unwrap() {
                    execute(&mut after, command.as_str().unwrap());
                }
                let after = parse(&on(&arguments, &after, Some(&interfaces)));
                assert_eq!(
                    count(&before) - count(&after),
                    removal["frees"].as_u64().unwrap(),
                    "{trust} {to:?} {removal}"
                );
            }
        }
        let reach = [
            "reach",
            "--from",
            "internet",
            "--to",
            "payments-db",
            "--trust",
            trust,
            "--format",
            "json",
            "--cut",
        ];
        let found = parse(&on(&reach, &groups, Some(&interfaces)));
        let mut after = groups.clone();
        for pair in found["cut"].as_array().unwrap() {
            for command in pair["commands"].as_array().unwrap() {
                execute(&mut after, command.as_str().unwrap());
            }
        }
        assert_eq!(on(&reach, &after, Some(&interfaces)).code, 0);
    }
}

#[test]
fn the_order_of_the_input_changes_no_byte() {
    let folder = tempfile::tempdir().unwrap();
    let (mut groups, mut interfaces) = organisation_groups();
    let commands: [&[&str]; 7] = [
        &["graph", "--format", "table"],
        &["graph", "--format", "json"],
        &["graph", "--format", "dot", "--trust", "any"],
        &["graph", "--format", "mermaid"],
        &["graph", "--format", "json", "--to", "payments-db"],
        &[
            "reach",
            "--from",
            "internet",
            "--to",
            "payments-db",
            "--cut",
        ],
        &["reach", "--from", "internet", "--format", "json"],
    ];
    let mut first: Option<Vec<String>> = None;
    for turn in 0..4 {
        for group in &mut groups {
            let permissions = group["IpPermissions"].as_array_mut().unwrap();
            permissions.reverse();
            for permission in permissions {
                permission["UserIdGroupPairs"]
                    .as_array_mut()
                    .unwrap()
                    .reverse();
            }
        }
        groups.rotate_left(7);
        interfaces.rotate_left(11);
        if turn == 2 {
            groups.reverse();
            interfaces.reverse();
        }
        let (one, other) = groups.split_at(13 + turn);
        let paths: Vec<_> = [("b", one), ("a", other)]
            .iter()
            .map(|(name, groups)| {
                let path = folder.path().join(format!("{name}{turn}.json"));
                std::fs::write(&path, json!({"SecurityGroups": groups}).to_string()).unwrap();
                path.to_str().unwrap().to_owned()
            })
            .collect();
        let on_interfaces = folder.path().join(format!("interfaces{turn}"));
        std::fs::write(
            &on_interfaces,
            json!({"NetworkInterfaces": interfaces}).to_string(),
        )
        .unwrap();
        let outputs: Vec<_> = commands
            .iter()
            .map(|command| {
                let mut arguments = vec![
                    command[0],
                    &paths[turn % 2],
                    &paths[1 - turn % 2],
                    "--interfaces",
                    on_interfaces.to_str().unwrap(),
                    "--policy",
                    POLICY,
                ];
                arguments.extend(&command[1..]);
                let Run { out, err, code } = run(&arguments, "");
                assert!(code < 2, "{err}");
                out
            })
            .collect();
        match &first {
            None => first = Some(outputs),
            Some(first) => assert_eq!(first, &outputs),
        }
    }
}

#[test]
fn the_json_is_version_1_to_the_letter() {
    let groups = [
        group("sg-0a", json!([all_from(&["sg-0b"])])),
        group(
            "sg-0b",
            json!([from_ranges(&["0.0.0.0/0"]), {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 2, "UserIdGroupPairs": [{"GroupId": "sg-0f", "UserId": "999988887777"}]}]),
        ),
    ];
    let graph = parse(&on(&["graph", "--format", "json"], &groups, None));
    let expected = json!({"version": 1, "trust": "open", "interfaces": false,
        "groups": [
            {"group_id": "sg-0a", "group_name": "name-0a", "owner_id": "111111111111", "region": null, "vpc_id": "vpc-1", "level": null,
             "internet_facing": false, "exposed": null, "machines": null, "latent": null, "reaches": 0, "reached_by": 1, "hops_from_internet": 1},
            {"group_id": "sg-0b", "group_name": "name-0b", "owner_id": "111111111111", "region": null, "vpc_id": "vpc-1", "level": null,
             "internet_facing": true, "exposed": null, "machines": null, "latent": null, "reaches": 1, "reached_by": 0, "hops_from_internet": 0}],
        "edges": [
            {"from": "sg-0b", "from_owner": "111111111111", "to": "sg-0a", "to_owner": "111111111111", "open": true, "exempt": false, "protocols": {"-1": [[0, 65535]]}},
            {"from": "sg-0f", "from_owner": "999988887777", "to": "sg-0b", "to_owner": "111111111111", "open": false, "exempt": false, "protocols": {"tcp": [[1, 2]]}}],
        "clusters": [],
        "internet": {"reaches": 2},
        "revoke_first": [{"from": "sg-0b", "to": "sg-0a", "frees": 1, "exempt": false, "from_owner": "111111111111", "to_owner": "111111111111",
            "commands": [r#"aws ec2 revoke-security-group-ingress --group-id sg-0a --ip-permissions '[{"IpProtocol":"-1","UserIdGroupPairs":[{"GroupId":"sg-0b","UserId":"111111111111"}]}]'"#]}],
        "unseen": [{"group_id": "sg-0f", "owner_id": "999988887777", "why": "other-account", "referenced_by": ["sg-0b"], "group_name": null}],
        "not_read": ["egress rules", "network ACLs", "routes", "address ranges other than the whole internet"],
        "exposed_only": false, "to": null, "cannot_tell": []});
    assert_eq!(graph, expected);
    let reach = parse(&on(
        &[
            "reach", "--from", "internet", "--to", "sg-0a", "--format", "json",
        ],
        &groups,
        None,
    ));
    assert_eq!(
        reach["path"],
        json!([
        {"from": "internet", "from_owner": null, "to": "sg-0b", "to_owner": "111111111111", "protocols": {"tcp": [[443, 443]]}, "open": false, "exempt": false, "machine": null},
        {"from": "sg-0b", "from_owner": "111111111111", "to": "sg-0a", "to_owner": "111111111111", "protocols": {"-1": [[0, 65535]]}, "open": true, "exempt": false, "machine": null}])
    );
    assert_eq!(
        (&reach["reachable"], &reach["trust"], reach.get("cut")),
        (&json!(true), &json!("any"), None)
    );
    let one_sided = parse(&on(
        &["reach", "--to", "sg-0a", "--format", "json"],
        &groups,
        None,
    ));
    assert_eq!(
        (&one_sided["groups"], &one_sided["reachable"]),
        (&json!(["sg-0b"]), &json!(null))
    );
}
