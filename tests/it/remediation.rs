//! What a violation says should be done, done: the printed commands are run on the group that they were printed for.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::cli::{Run, run};
use crate::groups::{group, permission_of};

/// The group as `check --format ndjson` prints it.
fn checked(group: &Value, more: &[&str]) -> Value {
    let arguments = [&["check", "-", "--format", "ndjson"], more].concat();
    let Run { out, err, .. } = run(&arguments, &group.to_string());
    serde_json::from_str(&out)
        .map_err(|error| format!("{error}: {err}"))
        .unwrap()
}

fn violations(checked: &Value) -> &[Value] {
    checked["violations"].as_array().unwrap()
}

/// The only violation.
fn the_violation(checked: &Value) -> &Value {
    assert_eq!(violations(checked).len(), 1, "{checked}");
    &violations(checked)[0]
}

/// The permissions that a command names.
fn permissions_in(command: &str) -> Vec<Value> {
    let words = shlex::split(command).unwrap();
    assert_eq!(words[..2], ["aws", "ec2"], "{command}");
    serde_json::from_str(words.last().unwrap()).unwrap()
}

/// The commands of a violation, one a line.
fn revokes(violation: &Value) -> Vec<Value> {
    let commands = violation["fix"]["revoke"].as_str().unwrap();
    commands.lines().flat_map(permissions_in).collect()
}

/// Takes a rule away as EC2 does: protocol, ports and every member of the pair that is given must be the rule's own.
/// Gives back whether there was one.
fn revoke(group: &mut Value, permission: &Value, pair: &Value) -> bool {
    let own_protocol = |protocol: &Value| match protocol {
        Value::Null => "-1".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let name = |protocol: &Value| match own_protocol(protocol).to_lowercase().as_str() {
        "6" => "tcp".to_owned(),
        "17" => "udp".to_owned(),
        "1" => "icmp".to_owned(),
        "58" => "icmpv6".to_owned(),
        other => other.to_owned(),
    };
    let has_no_ports = |protocol: &str| !["tcp", "udp", "icmp", "icmpv6"].contains(&protocol);
    let mut was_there = false;
    for own in group["IpPermissions"].as_array_mut().unwrap() {
        let protocol = name(&own["IpProtocol"]);
        let is_unwritten = |member: &str| {
            own[member] == -1 && permission[member].is_null() && has_no_ports(&protocol)
        };
        let ports = ["FromPort", "ToPort"];
        if protocol != name(&permission["IpProtocol"])
            || !ports
                .iter()
                .all(|member| own[*member] == permission[*member] || is_unwritten(member))
        {
            continue;
        }
        let Some(pairs) = own["UserIdGroupPairs"].as_array_mut() else {
            continue;
        };
        let before = pairs.len();
        let members = pair.as_object().unwrap();
        pairs.retain(|own| {
            let is_named = members.iter().all(|(member, value)| own[member] == *value)
                && ["VpcPeeringConnectionId", "UserId"]
                    .iter()
                    .all(|member| own[member].is_null() || members.contains_key(*member));
            !is_named
        });
        was_there |= pairs.len() < before;
    }
    was_there
}

fn revoke_all(group: &Value, permissions: &[Value]) -> Value {
    let mut group = group.clone();
    for permission in permissions {
        for pair in permission["UserIdGroupPairs"].as_array().unwrap() {
            assert!(
                revoke(&mut group, permission, pair),
                "no rule {permission} in {group}"
            );
        }
    }
    group
}

/// The ports that one source reaches over tcp, with one flag a port.
fn open_ports(permissions: &[(i64, i64)]) -> Vec<bool> {
    (0..=65_535)
        .map(|port| {
            permissions
                .iter()
                .any(|(from, to)| (from..=to).contains(&&port))
        })
        .collect()
}

fn count(permissions: &[(i64, i64)]) -> usize {
    open_ports(permissions).iter().filter(|open| **open).count()
}

fn tcp(ranges: &BTreeSet<(i64, i64)>) -> Value {
    let permissions: Vec<_> = ranges
        .iter()
        .map(|(from, to)| {
            json!({"IpProtocol": "tcp", "FromPort": from, "ToPort": to, "UserIdGroupPairs": [
                {"GroupId": "sg-0b", "UserId": "111111111111", "Description": format!("{from}-{to}")}]})
        })
        .collect();
    group(&permissions)
}

fn range() -> impl Strategy<Value = (i64, i64)> {
    prop_oneof![
        4 => (0_i64..=65_535, 0_i64..=65_535).prop_map(|(a, b)| (a.min(b), a.max(b))),
        2 => (0_i64..=65_535, 0_i64..200).prop_map(|(from, more)| (from, (from + more).min(65_535))),
        2 => (0_i64..=40_000).prop_map(|to| (0, to)),
        2 => (20_000_i64..=65_535).prop_map(|from| (from, 65_535)),
    ]
}

fn settings(max_open_ports: u16) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("max_open_ports = {max_open_ports}\n")).unwrap();
    file
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// After the revoke of a split-ranges violation few enough ports are left, no revoked rule could have stayed, and
    /// the sentence quotes the revoked rules alone.
    #[test]
    fn the_fix_of_split_ranges_revokes_what_it_must(
        ranges in prop::collection::btree_set(range(), 2..9), most in prop::sample::select(vec![1000_u16, 30_000, 50_000, 65_000])
    ) {
        let before = tcp(&ranges);
        let file = settings(most);
        let checked = checked(&before, &["--policy", file.path().to_str().unwrap()]);
        let most = usize::from(most);
        let Some(violation) = violations(&checked).iter().find(|one| one["reason"] == "split-ranges") else {
            return Ok(());
        };
        let together: Vec<_> = ranges.iter().copied().filter(|range| count(&[*range]) <= most).collect();
        let ports: Vec<(i64, i64)> = serde_json::from_value(violation["ports"].clone()).unwrap();
        prop_assert_eq!(open_ports(&ports), open_ports(&together), "the ports are those of the whole union");
        let ports_of = |permission: &Value| (permission["FromPort"].as_i64().unwrap(), permission["ToPort"].as_i64().unwrap());
        let revoked: BTreeSet<_> = revokes(violation).iter().map(ports_of).collect();
        prop_assert!(revoked.iter().all(|range| together.contains(range)));
        let left: Vec<_> = together.iter().copied().filter(|range| !revoked.contains(range)).collect();
        prop_assert!(count(&left) <= most, "{left:?} stays, which is too much");
        for range in &revoked {
            let others: Vec<_> = revoked.iter().copied().filter(|other| other != range).collect();
            let is_covered = count(&others) == count(&[&others[..], &[*range]].concat());
            let may_stay = count(&[&left[..], &[*range]].concat()) <= most;
            prop_assert!(!(is_covered && may_stay), "{range:?} is revoked for nothing, beside {others:?}");
        }
        let sentence = violation["sentence"].as_str().unwrap();
        for (from, to) in &together {
            let is_quoted = sentence.contains(&format!("\"{from}-{to}\""));
            prop_assert_eq!(is_quoted, revoked.contains(&(*from, *to)), "{}", sentence);
        }
    }

    /// Whatever a group is like, the printed commands name rules that it has, and take away every violation that can be
    /// named; those of the sources that passed stay.
    #[test]
    fn the_commands_take_away_what_violates(permissions in prop::collection::vec(permission_of(peered_pair()), 0..6)) {
        let mut group = group(&permissions);
        // A union for all protocols hides those of each protocol with it: at most a second look shows them.
        for look in 0..3 {
            let checked = checked(&group, &[]);
            if violations(&checked).is_empty() {
                prop_assert_eq!(&checked["verdict"], "PASSED");
                return Ok(());
            }
            prop_assert!(look < 2, "{}", checked);
            let mut named: BTreeMap<String, Value> = BTreeMap::new();
            for violation in violations(&checked) {
                for permission in revokes(violation) {
                    for pair in permission["UserIdGroupPairs"].as_array().unwrap() {
                        prop_assert_eq!(&pair["GroupId"], &violation["source"]["group_id"]);
                        let mut one = permission.clone();
                        one["UserIdGroupPairs"] = json!([pair]);
                        named.insert(one.to_string(), one);
                    }
                }
            }
            let permissions: Vec<_> = named.into_values().collect();
            group = revoke_all(&group, &permissions);
        }
    }
}

fn peered_pair() -> impl Strategy<Value = Value> {
    let id = prop::sample::select(vec!["sg-0a", "sg-0b", "sg-0c"]);
    let peering = prop::sample::select(vec![
        json!({}),
        json!({"VpcId": "vpc-2", "VpcPeeringConnectionId": "pcx-1", "PeeringStatus": "active"}),
        json!({"VpcId": "vpc-3", "VpcPeeringConnectionId": "pcx-2", "PeeringStatus": "deleted"}),
    ]);
    (id, peering, any::<bool>()).prop_map(|(id, peering, has_owner)| {
        let mut pair = peering;
        pair["GroupId"] = json!(id);
        if has_owner {
            pair["UserId"] = json!("222222222222");
        }
        pair
    })
}

fn one(permission: Value) -> Value {
    json!({"GroupId": "sg-0a", "OwnerId": "111111111111", "IpPermissions": [permission]})
}

#[test]
fn a_needed_rule_beside_a_half_of_all_ports_stays() {
    let group = tcp(&[(443, 443), (1, 32_767), (32_768, 65_535)].into());
    let checked = checked(&group, &[]);
    let violation = the_violation(&checked);
    insta::assert_snapshot!(violation["sentence"].as_str().unwrap(), @r#"sg-0a (target) accepts 65535 of 65536 tcp ports (1-65535) from sg-0b, described as "1-32767" and "32768-65535""#);
    let ports: Vec<_> = revokes(violation)
        .iter()
        .map(|one| one["FromPort"].clone())
        .collect();
    assert_eq!(ports, [1, 32_768]);
}

#[test]
fn every_peering_of_a_source_is_told_and_revoked() {
    let pair = |number: u8, status: &str| {
        json!({"GroupId": "sg-0b", "UserId": "222222222222", "VpcId": format!("vpc-{number}"),
        "VpcPeeringConnectionId": format!("pcx-{number}"), "PeeringStatus": status})
    };
    let group = one(
        json!({"IpProtocol": "-1", "UserIdGroupPairs": [pair(1, "deleted"), pair(2, "active")]}),
    );
    let checked = checked(&group, &[]);
    let violation = the_violation(&checked);
    insta::assert_snapshot!(violation["sentence"].as_str().unwrap(), @"sg-0a accepts all traffic from sg-0b in account 222222222222 over pcx-2 and pcx-1 (peering deleted)");
    let source = &violation["source"];
    assert_eq!(
        (&source["peering_connection_id"], &source["vpc_id"]),
        (&json!("pcx-2"), &json!("vpc-2"))
    );
    let told = |number: u8, status: &str| {
        json!({"owner_id": "222222222222", "vpc_id": format!("vpc-{number}"),
        "peering_connection_id": format!("pcx-{number}"), "peering_status": status})
    };
    assert_eq!(
        source["pairs"],
        json!([told(2, "active"), told(1, "deleted")])
    );
    let after = revoke_all(&group, &revokes(violation));
    assert_eq!(
        after["IpPermissions"][0]["UserIdGroupPairs"],
        json!([]),
        "{after}"
    );
    let authorized = permissions_to_fill_in(&violation["fix"]["authorize"]);
    assert_eq!(
        authorized[0]["UserIdGroupPairs"].as_array().unwrap().len(),
        1
    );
    assert_eq!(
        authorized[0]["UserIdGroupPairs"][0]["VpcPeeringConnectionId"],
        "pcx-2"
    );
}

#[test]
fn a_source_that_is_named_once_has_one_pair() {
    let checked = checked(
        &one(json!({"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "sg-0b"}]})),
        &[],
    );
    assert_eq!(
        violations(&checked)[0]["source"]["pairs"],
        json!([{"owner_id": null, "vpc_id": null, "peering_connection_id": null, "peering_status": null}])
    );
}

#[test]
fn a_known_account_stands_in_the_commands_though_the_group_has_none() {
    let group = json!({"GroupId": "sg-0a", "IpPermissions": [
        {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "sg-0b", "UserId": "222222222222"}]}]});
    let checked = checked(&group, &[]);
    let fix = &violations(&checked)[0]["fix"];
    for command in [&fix["revoke"], &fix["authorize"]] {
        assert!(
            command
                .as_str()
                .unwrap()
                .contains(r#""UserId":"222222222222""#),
            "{fix}"
        );
    }
}

/// The permissions that an authorize command names, with numbers for what is to be filled in.
fn permissions_to_fill_in(command: &Value) -> Vec<Value> {
    let command = command.as_str().unwrap();
    let filled = ["FROM_PORT", "TO_PORT", "ICMP_TYPE", "ICMP_CODE"]
        .iter()
        .fold(command.to_owned(), |text, place| text.replace(place, "443"));
    permissions_in(&filled)
}

#[test]
fn what_is_to_be_allowed_first_is_as_narrow_as_the_protocol_can_be() {
    for (protocol, placeholders, note) in [
        ("-1", Some(("FROM_PORT", "TO_PORT")), None),
        ("tcp", Some(("FROM_PORT", "TO_PORT")), None),
        ("icmp", Some(("ICMP_TYPE", "ICMP_CODE")), None),
        ("58", Some(("ICMP_TYPE", "ICMP_CODE")), None),
        ("50", None, Some("protocol 50 has no ports")),
    ] {
        let checked = checked(
            &one(
                json!({"IpProtocol": protocol, "UserIdGroupPairs": [{"GroupId": "sg-0b", "UserId": "111111111111"}]}),
            ),
            &[],
        );
        let fix = &violations(&checked)[0]["fix"];
        match placeholders {
            Some((from, to)) => {
                let ports = format!(r#""FromPort":{from},"ToPort":{to}"#);
                assert!(
                    fix["authorize"].as_str().unwrap().contains(&ports),
                    "{protocol}: {fix}"
                );
                let words = shlex::split(fix["authorize"].as_str().unwrap()).unwrap();
                let as_it_stands = serde_json::from_str::<Value>(words.last().unwrap());
                assert!(
                    as_it_stands.is_err(),
                    "the AWS CLI would run it as it stands"
                );
            }
            None => assert!(fix["authorize"].is_null(), "{protocol}: {fix}"),
        }
        match note {
            Some(note) => assert!(
                fix["note"].as_str().unwrap().contains(note),
                "{protocol}: {fix}"
            ),
            None => assert!(fix["note"].is_null(), "{protocol}: {fix}"),
        }
    }
}

#[test]
fn nothing_can_be_allowed_over_a_peering_that_is_gone() {
    let pair = json!({"GroupId": "sg-0b", "UserId": "222222222222", "VpcPeeringConnectionId": "pcx-1", "PeeringStatus": "deleted"});
    let checked = checked(
        &one(json!({"IpProtocol": "-1", "UserIdGroupPairs": [pair]})),
        &[],
    );
    let fix = &violations(&checked)[0]["fix"];
    assert!(fix["authorize"].is_null(), "{fix}");
    insta::assert_snapshot!(fix["note"].as_str().unwrap(), @"the peering connection pcx-1 is deleted: nothing can be allowed over it");
}

/// A finding's field has room for 2048 UTF-16 units.
#[test]
fn a_command_that_is_too_long_for_a_field_is_split() {
    for count in [1, 5, 10, 15, 20, 60, 200] {
        let pairs: Vec<_> = (0..count)
            .map(|number| json!({"GroupId": "sg-0123456789abcdef1", "UserId": "222222222222", "VpcId": format!("vpc-{number:017x}"),
                "VpcPeeringConnectionId": format!("pcx-{number:017x}"), "PeeringStatus": "active"}))
            .collect();
        let group = one(json!({"IpProtocol": "-1", "UserIdGroupPairs": pairs}));
        let checked = checked(&group, &["--region", "eu-west-1"]);
        let violation = the_violation(&checked);
        let commands: Vec<_> = violation["fix"]["revoke"]
            .as_str()
            .unwrap()
            .lines()
            .collect();
        for command in &commands {
            assert!(command.len() <= 2048, "{command}");
        }
        assert_eq!(commands.len() > 1, count > 10, "{count}");
        let after = revoke_all(&group, &revokes(violation));
        assert_eq!(
            after["IpPermissions"][0]["UserIdGroupPairs"],
            json!([]),
            "{after}"
        );
    }
}

#[test]
fn the_table_tells_what_to_allow_before_what_to_revoke() {
    let group = one(
        json!({"IpProtocol": "tcp", "UserIdGroupPairs": [{"GroupId": "sg-0b", "UserId": "111111111111"}]}),
    );
    let explained = run(&["explain", "sg-0a", "--groups", "-"], &group.to_string()).out;
    let table = run(&["check", "-"], &group.to_string()).out;
    for out in [table, explained] {
        let first = out.find("authorize-security-group-ingress").unwrap();
        let then = out.find("revoke-security-group-ingress").unwrap();
        assert!(first < then, "{out}");
    }
}

/// The only finding in what `check --format asff` prints.
fn finding(group: &Value, more: &[&str]) -> Value {
    let arguments = [
        &["check", "-", "--format", "asff", "--region", "eu-west-1"],
        more,
    ]
    .concat();
    let Run { out, err, .. } = run(&arguments, &group.to_string());
    let findings: Vec<Value> = serde_json::from_str(&out)
        .map_err(|error| format!("{error}: {err}"))
        .unwrap();
    let [finding] = <[Value; 1]>::try_from(findings).unwrap();
    finding
}

fn text_and_fixes(finding: &Value) -> (&str, BTreeSet<&str>) {
    let text = finding["Remediation"]["Recommendation"]["Text"]
        .as_str()
        .unwrap();
    let fields = finding["ProductFields"].as_object().unwrap();
    let fixes = fields.keys().map(String::as_str);
    (
        text,
        fixes
            .filter(|name| name.starts_with("sg-trust/fix/"))
            .collect(),
    )
}

#[test]
fn a_finding_points_to_no_command_that_it_does_not_have() {
    let named = |name: &str| json!({"GroupName": name, "UserId": "222222222222"});
    let peered = |count: u16| -> Vec<_> {
        let pair = |number| json!({"GroupId": "sg-0b", "UserId": "222222222222", "VpcPeeringConnectionId": format!("pcx-{number:017x}")});
        (0..count).map(pair).collect()
    };
    let many_sources: Vec<_> = (0..30)
        .map(|number| json!({"GroupId": format!("sg-0{number}")}))
        .collect();
    let exempting = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(exempting.path(), "[[exemption]]\nid = \"a\"\nreason = \"accepted by the board\"\ntarget = { id = \"sg-0a\" }\nsource = \"any\"\nallow = \"all-traffic\"\n").unwrap();
    let mut texts = BTreeSet::new();
    for (pairs, fixes) in [
        (vec![json!({"UserId": "222222222222"})], 0),
        (vec![named(&"'".repeat(255))], 1),
        (vec![named(&"'\u{1}".repeat(600))], 0),
        (vec![json!({}), json!({"GroupId": "sg-0b"})], 1),
        (peered(1), 1),
        (peered(40), 2),
        (peered(600), 0),
        (many_sources, 10),
    ] {
        let group = one(json!({"IpProtocol": "-1", "UserIdGroupPairs": pairs}));
        for more in [&[][..], &["--policy", exempting.path().to_str().unwrap()]] {
            let finding = finding(&group, more);
            let (text, names) = text_and_fixes(&finding);
            assert_eq!(names.len(), fixes, "{text}");
            assert_eq!(text.contains("sg-trust/fix/"), fixes > 0, "{text}");
            let words = text
                .split([' ', ','])
                .map(|word| word.trim_end_matches('.'));
            let pointed: Vec<_> = words.filter(|word| word.starts_with("sg-trust/")).collect();
            assert!(
                pointed.iter().all(|name| names.contains(name)),
                "{text}: {names:?}"
            );
            for name in names {
                let command = finding["ProductFields"][name].as_str().unwrap();
                assert!(shlex::split(command).is_some(), "{name} is cut: {command}");
            }
            if pairs_are_short(&group) {
                texts.insert(text.to_owned());
            }
        }
    }
    let texts: Vec<_> = texts.into_iter().collect();
    insta::assert_snapshot!(texts.join("\n"), @r#"
    First allow the ports that the source needs, then revoke the rule. No command is given: none can name the rule, or it is too long for a finding.
    First allow the ports that the source needs: aws ec2 authorize-security-group-ingress --region eu-west-1 --group-id sg-0a --ip-permissions '[{"IpProtocol":"tcp","FromPort":FROM_PORT,"ToPort":TO_PORT,"UserIdGroupPairs":[{"GroupId":"sg-0b","UserId":"222222222222","VpcPeeringConnectionId":"pcx-00000000000000000"}]}]' (fill in the ports). Then revoke the rule with the command in ProductFields sg-trust/fix/1.
    First allow the ports that the source needs: aws ec2 authorize-security-group-ingress --region eu-west-1 --group-id sg-0a --ip-permissions '[{"IpProtocol":"tcp","FromPort":FROM_PORT,"ToPort":TO_PORT,"UserIdGroupPairs":[{"GroupId":"sg-0b"}]}]' (fill in the ports). Then revoke the rule with the command in ProductFields sg-trust/fix/2.
    Nothing to do while the exemption holds. When it ends the finding turns FAILED.
    Nothing to do while the exemption holds. When it ends the finding turns FAILED: revoke the rule then with the command in ProductFields sg-trust/fix/1.
    Nothing to do while the exemption holds. When it ends the finding turns FAILED: revoke the rule then with the command in ProductFields sg-trust/fix/2.
    "#);
}

fn pairs_are_short(group: &Value) -> bool {
    group.to_string().len() < 250
}

#[test]
fn what_is_recommended_fits_the_protocol() {
    let texts: Vec<_> = ["tcp", "icmp", "50"]
        .iter()
        .map(|protocol| {
            let pair = json!({"GroupId": "sg-0b", "UserId": "111111111111"});
            let group = one(json!({"IpProtocol": protocol, "UserIdGroupPairs": [pair]}));
            let finding = finding(&group, &[]);
            text_and_fixes(&finding).0.to_owned()
        })
        .collect();
    insta::assert_snapshot!(texts.join("\n"), @r#"
    First allow the ports that the source needs: aws ec2 authorize-security-group-ingress --region eu-west-1 --group-id sg-0a --ip-permissions '[{"IpProtocol":"tcp","FromPort":FROM_PORT,"ToPort":TO_PORT,"UserIdGroupPairs":[{"GroupId":"sg-0b","UserId":"111111111111"}]}]' (fill in the ports). Then revoke the rule with the command in ProductFields sg-trust/fix/1.
    First allow the types and codes that the source needs: aws ec2 authorize-security-group-ingress --region eu-west-1 --group-id sg-0a --ip-permissions '[{"IpProtocol":"icmp","FromPort":ICMP_TYPE,"ToPort":ICMP_CODE,"UserIdGroupPairs":[{"GroupId":"sg-0b","UserId":"111111111111"}]}]' (fill in the types and codes). Then revoke the rule with the command in ProductFields sg-trust/fix/1.
    Revoke the rule with the command in ProductFields sg-trust/fix/1. Mind that protocol 50 has no ports, so nothing narrower can be allowed: make sure that nothing needs it before you revoke.
    "#);
}
