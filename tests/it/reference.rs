//! Properties of both readings, against the policy's text written down once more, in another way.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use proptest::prelude::*;
use serde_json::Value;
use sg_trust::model::SecurityGroup;
use sg_trust::policy::reach::Grants;
use sg_trust::policy::{Reading, ReferencedGroups, Settings, Status, Verdict};
use sg_trust::report::json;

use crate::groups::{group, permission, permissions};

fn evaluate(group: &Value, policy: &Settings) -> Verdict {
    let group: SecurityGroup = serde_json::from_value(group.clone()).unwrap();
    sg_trust::policy::evaluate(policy, &group, &ReferencedGroups::default(), Date::MIN)
}

fn reference() -> Settings {
    Settings {
        reading: Reading::Reference,
        ..Settings::default()
    }
}

fn with_most(max_open_ports: u16) -> Settings {
    Settings {
        max_open_ports,
        ..Settings::default()
    }
}

/// The published detection, step by step.
fn is_compliant_as_published(group: &Value) -> bool {
    for permission in group["IpPermissions"].as_array().into_iter().flatten() {
        let has_pairs = permission["UserIdGroupPairs"]
            .as_array()
            .is_some_and(|pairs| !pairs.is_empty());
        if !has_pairs {
            continue;
        }
        if permission["FromPort"].is_null() || permission["ToPort"].is_null() {
            return false;
        }
        if permission["FromPort"] == 0 && permission["ToPort"] == 65_535 {
            return false;
        }
    }
    true
}

/// The protocol's name.
fn protocol_of(permission: &Value) -> String {
    let protocol = match &permission["IpProtocol"] {
        Value::String(text) => text.to_lowercase(),
        Value::Number(number) => number.to_string(),
        _ => "-1".to_owned(),
    };
    let protocol = match protocol.as_str() {
        "6" => "tcp",
        "17" => "udp",
        "1" => "icmp",
        "58" => "icmpv6",
        other => other,
    };
    protocol.to_owned()
}

type Source = (Option<String>, Option<String>);
type Key = (Option<String>, Option<String>, String, u8);

/// The effective reading with one flag a port, and no interval in sight.
fn violations_port_by_port(group: &Value, most: usize) -> BTreeSet<Key> {
    let mut found = BTreeSet::new();
    let mut open: BTreeMap<Source, BTreeMap<String, Vec<bool>>> = BTreeMap::new();
    for permission in group["IpPermissions"].as_array().into_iter().flatten() {
        let protocol = protocol_of(permission);
        let protocol = protocol.as_str();
        let (from, to) = (
            permission["FromPort"].as_i64(),
            permission["ToPort"].as_i64(),
        );
        let is_icmp = protocol.starts_with("icmp");
        for pair in permission["UserIdGroupPairs"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let id = pair["GroupId"].as_str().map(str::to_owned);
            let owner = pair["UserId"]
                .as_str()
                .map(str::to_owned)
                .filter(|_| id.is_none());
            let source = (id, owner);
            let mut add = |reason| {
                found.insert((
                    source.0.clone(),
                    source.1.clone(),
                    protocol.to_owned(),
                    reason,
                ))
            };
            let (Some(from), Some(to)) = (from, to) else {
                add(0);
                continue;
            };
            if !is_icmp && from == -1 && to == -1 {
                add(0);
                continue;
            }
            if from == 0 && to == 65_535 {
                add(1);
                continue;
            }
            if is_icmp {
                continue;
            }
            let ports: Vec<bool> = (0..=65_535)
                .map(|port| from <= port && port <= to)
                .collect();
            if ports.iter().filter(|is_open| **is_open).count() > most {
                add(2);
                continue;
            }
            let of_protocol = open
                .entry(source)
                .or_default()
                .entry(protocol.to_owned())
                .or_insert_with(|| vec![false; 65_536]);
            of_protocol
                .iter_mut()
                .zip(&ports)
                .for_each(|(all, one)| *all |= one);
        }
    }
    for ((id, owner), protocols) in open {
        let nothing = vec![false; 65_536];
        let of_all = protocols.get("-1").unwrap_or(&nothing);
        let mut add =
            |protocol: &str| found.insert((id.clone(), owner.clone(), protocol.to_owned(), 3));
        if of_all.iter().filter(|is_open| **is_open).count() > most {
            add("-1");
            continue;
        }
        for (protocol, own) in protocols.iter().filter(|(protocol, _)| *protocol != "-1") {
            if own.iter().zip(of_all).filter(|(a, b)| **a || **b).count() > most {
                add(protocol);
            }
        }
    }
    found
}

fn keys(verdict: &Verdict) -> Vec<Key> {
    let keys = verdict.violations.iter().map(|violation| {
        let id = violation
            .source
            .group_id
            .as_ref()
            .map(|id| id.as_str().to_owned());
        let owner = violation
            .source
            .owner_id
            .as_ref()
            .map(|owner| owner.as_str().to_owned())
            .filter(|_| id.is_none());
        (
            id,
            owner,
            violation.protocol.as_str().to_owned(),
            violation.reason as u8,
        )
    });
    keys.collect()
}

fn line(group: &Value, policy: &Settings) -> String {
    let group: SecurityGroup = serde_json::from_value(group.clone()).unwrap();
    let verdict =
        sg_trust::policy::evaluate(policy, &group, &ReferencedGroups::default(), Date::MIN);
    json::to_line(&json::Group::new(&group, &verdict, None)).unwrap()
}

fn turned_around(group: &Value) -> Value {
    let mut group = group.clone();
    let reverse = |list: &mut Value| {
        list.as_array_mut()
            .into_iter()
            .for_each(|list| list.reverse())
    };
    reverse(&mut group["Tags"]);
    reverse(&mut group["IpPermissions"]);
    for permission in group["IpPermissions"].as_array_mut().unwrap() {
        reverse(&mut permission["UserIdGroupPairs"]);
    }
    group
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn the_reference_reading_is_the_published_logic(permissions in permissions()) {
        let group = group(&permissions);
        let is_compliant = evaluate(&group, &reference()).status == Status::Passed;
        prop_assert_eq!(is_compliant, is_compliant_as_published(&group));
    }

    #[test]
    fn the_effective_reading_fails_whatever_the_reference_fails(permissions in permissions(), most in 1_u16..) {
        let group = group(&permissions);
        if evaluate(&group, &reference()).status == Status::Failed {
            prop_assert_eq!(evaluate(&group, &with_most(most)).status, Status::Failed);
        }
    }

    #[test]
    fn adding_a_permission_never_turns_failed_into_passed(permissions in permissions(), more in permission(), at in 0_usize..8) {
        let policies = [reference(), Settings::default(), with_most(1000)];
        let mut longer = permissions.clone();
        longer.insert(at.min(permissions.len()), more);
        for policy in policies {
            if evaluate(&group(&permissions), &policy).status == Status::Failed {
                prop_assert_eq!(evaluate(&group(&longer), &policy).status, Status::Failed);
            }
        }
    }

    #[test]
    fn lowering_max_open_ports_never_turns_failed_into_passed(permissions in permissions(), most in 2_u16..) {
        if evaluate(&group(&permissions), &with_most(most)).status == Status::Failed {
            prop_assert_eq!(evaluate(&group(&permissions), &with_most(most - 1)).status, Status::Failed);
        }
    }

    #[test]
    fn the_order_of_the_input_does_not_show(permissions in permissions()) {
        let group = group(&permissions);
        for policy in [reference(), Settings::default(), with_most(500)] {
            prop_assert_eq!(line(&group, &policy), line(&turned_around(&group), &policy));
        }
        prop_assert_eq!(crate::asff::digest(&group), crate::asff::digest(&turned_around(&group)));
    }

    #[test]
    fn violations_come_in_their_order_each_once(permissions in permissions()) {
        let found = keys(&evaluate(&group(&permissions), &Settings::default()));
        let mut sorted = found.clone();
        sorted.sort();
        sorted.dedup();
        prop_assert_eq!(found, sorted);
    }
}

/// What each source reaches, with one flag a port.
fn reach_port_by_port(group: &Value) -> BTreeMap<(Source, String), Vec<bool>> {
    let mut reach = BTreeMap::new();
    for permission in group["IpPermissions"].as_array().into_iter().flatten() {
        let protocol = protocol_of(permission);
        let is_icmp = protocol.starts_with("icmp");
        let ports = (
            permission["FromPort"].as_i64(),
            permission["ToPort"].as_i64(),
        );
        let opens = |port: i64| match ports {
            _ if is_icmp => false,
            (Some(-1), Some(-1)) => true,
            (Some(from), Some(to)) => from <= port && port <= to,
            _ => true,
        };
        let pairs = permission["UserIdGroupPairs"].as_array();
        for pair in pairs.into_iter().flatten() {
            let id = pair["GroupId"].as_str().map(str::to_owned);
            let owner = pair["UserId"].as_str().map(str::to_owned);
            let source = (id.clone(), owner.filter(|_| id.is_none()));
            let flags = reach
                .entry((source, protocol.clone()))
                .or_insert_with(|| vec![false; 65_536]);
            for (port, is_open) in (0..).zip(flags) {
                *is_open |= opens(port);
            }
        }
    }
    reach
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_source_reaches_what_flags_for_every_port_say(permissions in permissions()) {
        let group = group(&permissions);
        let expected = reach_port_by_port(&group);
        let group: SecurityGroup = serde_json::from_value(group).unwrap();
        let grants = Grants::of(&group);
        let mut found = BTreeMap::new();
        for reach in grants.by_source() {
            let key = reach.grants()[0].source;
            let source = (key.group_id.map(|id| id.as_str().to_owned()), key.owner.map(|owner| owner.as_str().to_owned()));
            for (protocol, ports) in reach.ports() {
                let mut flags = vec![false; 65_536];
                for (first, last) in ports.intervals() {
                    flags[usize::from(*first)..=usize::from(*last)].fill(true);
                }
                prop_assert!(found.insert((source.clone(), protocol.as_str().to_owned()), flags).is_none());
            }
        }
        prop_assert!(found == expected);
    }

    #[test]
    fn the_effective_reading_finds_what_flags_for_every_port_find(permissions in permissions(), most in prop::sample::select(vec![1_u16, 1000, 40_000, 65_000, 65_534, 65_535])) {
        let group = group(&permissions);
        let found: BTreeSet<_> = keys(&evaluate(&group, &with_most(most))).into_iter().collect();
        prop_assert_eq!(found, violations_port_by_port(&group, usize::from(most)));
    }
}

#[test]
fn the_default_limit_lies_where_the_policy_says() {
    let ranges = |ranges: &[(i64, i64)]| {
        let permissions: Vec<_> = ranges
            .iter()
            .map(|(from, to)| serde_json::json!({"IpProtocol": "tcp", "FromPort": from, "ToPort": to, "UserIdGroupPairs": [{"GroupId": "sg-0b"}]}))
            .collect();
        evaluate(&group(&permissions), &Settings::default()).status
    };
    for failing in [
        &[(1, 65_535)][..],
        &[(0, 65_534)],
        &[(0, 32_767), (32_768, 65_535)],
        &[(0, 21), (23, 65_535)],
        &[(0, 65_000)],
        &[(-1, -1)],
    ] {
        assert_eq!(ranges(failing), Status::Failed, "{failing:?}");
    }
    for passing in [
        &[(1024, 65_535)][..],
        &[(0, 64_999)],
        &[(443, 443), (8443, 8443)],
        &[(80, 22)],
    ] {
        assert_eq!(ranges(passing), Status::Passed, "{passing:?}");
    }
}
