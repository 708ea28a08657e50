//! The one rule for all calls, whichever of EC2's serialisers wrote them.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use super::super::{Action, ChangeProof, Target, Trigger, classify};
use super::call::{CALLS, Naming};

mod rules;

const GROUP: &str = "sg-0123456789abcdef0";
const SOURCE: &str = "sg-0fedcba9876543210";

fn record(name: &str, request: &Value, response: &Value) -> Value {
    json!({"eventSource": "ec2.amazonaws.com", "eventName": name, "recipientAccountId": "123456789012",
        "awsRegion": "us-east-1", "requestParameters": request, "responseElements": response})
}

fn trigger(name: &str, request: &Value, response: &Value) -> Trigger {
    classify(&record(name, request, response)).unwrap()
}

fn action(name: &str, request: &Value, response: &Value) -> Action {
    trigger(name, request, response).action
}

fn groups(ids: &[&str]) -> Action {
    let targets = ids
        .iter()
        .map(|id| Target::GroupId(super::super::group_id(id).unwrap()));
    Action::Evaluate(targets.collect())
}

fn named(name: &str) -> Naming {
    CALLS.iter().find(|(call, _)| *call == name).unwrap().1
}

/// The calls that name a group, by id or by name.
fn group_calls() -> impl Strategy<Value = &'static str> {
    let calls = CALLS
        .iter()
        .filter(|(_, naming)| matches!(naming, Naming::Id | Naming::IdOrName));
    select(calls.map(|(name, _)| *name).collect::<Vec<_>>())
}

/// A name with its letters in any case.
fn recased(name: &'static str) -> impl Strategy<Value = String> {
    prop::collection::vec(any::<bool>(), name.len()).prop_map(move |upper| {
        let letters = name.chars().zip(upper);
        letters
            .map(|(letter, upper)| {
                if upper {
                    letter.to_ascii_uppercase()
                } else {
                    letter.to_ascii_lowercase()
                }
            })
            .collect()
    })
}

/// What says nothing.
fn nothing() -> impl Strategy<Value = Value> {
    select(vec![Value::Null, json!(""), json!({})])
}

/// Members that hold the ids of sources, and others that say nothing of the group that the call changed.
fn noise() -> impl Strategy<Value = Map<String, Value>> {
    let permission = json!({"ipProtocol": "-1", "groups": {"items": [{"groupId": SOURCE, "groupName": "source"}]}});
    let members = select(vec![
        ("ipPermissions", json!({"items": [permission]})),
        ("IpPermissions", permission.clone()),
        (
            "SecurityGroupRule",
            json!([{"tag": 1, "SecurityGroupRule": {"ReferencedGroupId": SOURCE}}]),
        ),
        (
            "SecurityGroupRuleDescription",
            json!({"tag": 1, "SecurityGroupRuleId": "sgr-1", "GroupId": SOURCE}),
        ),
        ("dryRun", json!(false)),
        ("sourceSecurityGroupName", json!("source")),
        ("referencedGroupInfo", json!({"groupId": SOURCE})),
    ]);
    prop::collection::vec(members, 0..4).prop_map(|members| {
        members
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    })
}

/// Members in no wrapper, or in that of the call, beside nothing else.
fn wrapped(members: Map<String, Value>, wrapper: Option<String>) -> Value {
    match wrapper {
        Some(name) => json!({name: members}),
        None => Value::Object(members),
    }
}

fn wrapper(call: &'static str, kind: &'static str) -> impl Strategy<Value = Option<String>> {
    let upper = format!("{call}{kind}");
    let lower = upper.to_ascii_lowercase();
    select(vec![None, Some(upper), Some(lower)])
}

/// A call with its request in or out of a wrapper, and one member of any case in it.
fn call_with(
    member: &'static str,
) -> impl Strategy<Value = (&'static str, Map<String, Value>, Option<String>, String)> {
    group_calls().prop_flat_map(move |call| {
        (
            Just(call),
            noise(),
            wrapper(call, "Request"),
            recased(member),
        )
    })
}

proptest! {
    #[test]
    fn the_id_at_the_top_is_the_group_and_a_deeper_one_is_a_source(
        (call, mut members, wrapper, name) in call_with("groupId"),
        empty in nothing(),
    ) {
        // One of the same name in another case that says nothing is passed over.
        members.insert("GROUPID".to_owned(), empty);
        members.insert(name, json!(GROUP));
        prop_assert_eq!(action(call, &wrapped(members, wrapper), &Value::Null), groups(&[GROUP]));
    }

    #[test]
    fn an_id_in_the_response_is_the_group_where_the_request_has_none(
        ((call, members, in_request, _), in_response, name) in call_with("groupId").prop_flat_map(|call| {
            let in_response = wrapper(call.0, "Response");
            (Just(call), in_response, recased("groupId"))
        }),
    ) {
        let response = wrapped(Map::from_iter([(name, json!(GROUP))]), in_response);
        prop_assert_eq!(action(call, &wrapped(members, in_request), &response), groups(&[GROUP]));
    }

    #[test]
    fn the_rules_of_the_response_are_those_of_the_group(
        (call, members, wrapper, _) in call_with("groupId"),
        set in select(vec!["securityGroupRuleSet", "revokedSecurityGroupRuleSet", "SecurityGroupRuleSet"]),
        as_list in any::<bool>(),
    ) {
        let rule = json!({"groupId": GROUP, "referencedGroupInfo": {"groupId": SOURCE}, "securityGroupRuleId": "sgr-1"});
        let set_of = if as_list { json!({"items": [rule, rule]}) } else { rule };
        prop_assert_eq!(action(call, &wrapped(members, wrapper), &json!({set: set_of})), groups(&[GROUP]));
    }

    #[test]
    fn a_name_is_the_group_of_the_default_vpc_for_the_calls_that_take_one(
        (call, mut members, wrapper, name) in call_with("groupName"),
        has_vpc in any::<bool>(),
    ) {
        members.insert(name, json!("web"));
        if has_vpc {
            members.insert("vpcId".to_owned(), json!("vpc-1"));
        }
        let action = action(call, &wrapped(members, wrapper), &json!({"_return": true}));
        if named(call) == Naming::IdOrName && !has_vpc {
            prop_assert_eq!(action, Action::Evaluate(vec![Target::GroupName("web".to_owned())]));
        } else {
            prop_assert!(matches!(&action, Action::Sweep(Some(_))), "{:?}", action);
        }
    }

    #[test]
    fn a_call_that_names_no_group_is_a_sweep_with_the_reason(
        (call, members, wrapper, _) in call_with("groupId"),
        (empty, other, keeps) in (nothing(), nothing(), any::<bool>()),
    ) {
        let request = if keeps { wrapped(members, wrapper) } else { wrapper.map_or(empty.clone(), |name| json!({name: empty})) };
        let action = action(call, &request, &other);
        prop_assert!(
            matches!(&action, Action::Sweep(Some(reason)) if reason.starts_with(call)),
            "{:?}", action
        );
    }

    #[test]
    fn an_id_that_has_not_the_form_of_one_is_a_sweep(
        (call, mut members, wrapper, name) in call_with("groupId"),
        odd in select(vec![json!("sg-"), json!("sgr-1"), json!("sg-1;rm"), json!("SG-1"), json!(5), json!([GROUP]), json!({"items": [GROUP]}), json!(true), json!("vpc-1")]),
    ) {
        members.insert(name, odd);
        members.insert("groupName".to_owned(), json!("web"));
        let action = action(call, &wrapped(members, wrapper), &Value::Null);
        prop_assert!(matches!(&action, Action::Sweep(Some(_))), "{:?}", action);
    }

    #[test]
    fn a_call_with_an_error_changed_nothing_and_one_without_is_never_ignored(
        (call, mut members, wrapper, name) in call_with("groupId"),
        code in prop_oneof![nothing().prop_map(|code| (code, false)), select(vec![json!("Client.DryRunOperation"), json!(5), json!(["x"]), json!(false)]).prop_map(|code| (code, true))],
    ) {
        members.insert(name, json!(GROUP));
        let mut record = record(call, &wrapped(members, wrapper), &Value::Null);
        let (code, is_error) = code;
        record["errorCode"] = code;
        let is_ignored = matches!(classify(&record).unwrap().action, Action::Ignore(_));
        prop_assert_eq!(is_ignored, is_error);
    }

    #[test]
    fn tagged_groups_are_found_among_other_resources(
        call in select(vec!["CreateTags", "DeleteTags"]),
        ids in prop::collection::vec(select(vec!["i-1", "sgr-0123", "vpc-1", GROUP, SOURCE, "sg-1"]), 1..8),
        set in recased("resourcesSet"),
        id_name in recased("resourceId"),
        is_old in any::<bool>(),
    ) {
        let resources: Vec<_> = ids.iter().map(|id| json!({&id_name: id})).collect();
        let resources = match resources.as_slice() {
            [only] if !is_old => only.clone(),
            _ if is_old => json!({"items": resources}),
            _ => json!(resources),
        };
        let mut expected: Vec<&str> = Vec::new();
        for id in ids {
            if id.starts_with("sg-") && !expected.contains(&id) {
                expected.push(id);
            }
        }
        let action = action(call, &json!({set: resources}), &Value::Null);
        if expected.is_empty() {
            prop_assert!(matches!(&action, Action::Ignore(_)), "{:?}", action);
        } else {
            let Action::Evaluate(targets) = action else { return Err(TestCaseError::fail("not evaluated")) };
            let found = targets.iter().filter_map(|target| match target { Target::GroupId(id) => Some(id.as_str()), _ => None });
            prop_assert_eq!(found.collect::<Vec<_>>(), expected);
        }
    }
}

#[test]
fn the_vpc_counts_only_for_the_calls_of_vpcs() {
    let vpc = |id: Value| json!({"vpc": {"vpcId": id, "isDefault": true}});
    for (call, response) in [
        ("CreateVpc", vpc(json!("vpc-1"))),
        (
            "CreateVpc",
            json!({"CreateVpcResponse": vpc(json!("vpc-1"))}),
        ),
        (
            "CreateDefaultVpc",
            json!({"CreateDefaultVpcResponse": {"Vpc": {"VpcId": "vpc-1"}}}),
        ),
    ] {
        let Action::Evaluate(targets) = action(call, &json!({}), &response) else {
            panic!("{call} {response}");
        };
        assert!(matches!(&targets[..], [Target::DefaultGroupOf(vpc)] if vpc.as_str() == "vpc-1"));
    }
    let Action::Evaluate(targets) = action("DeleteVpc", &json!({"vpcId": "vpc-1"}), &Value::Null)
    else {
        panic!("DeleteVpc");
    };
    assert!(matches!(&targets[..], [Target::GroupsOfVpc(vpc)] if vpc.as_str() == "vpc-1"));
    for (call, request, response) in [
        (
            "CreateVpc",
            json!({"cidrBlock": "10.0.0.0/16"}),
            Value::Null,
        ),
        ("CreateVpc", json!({"vpcId": "vpc-1"}), json!({"vpc": {}})),
        ("CreateDefaultVpc", Value::Null, vpc(json!("subnet-1"))),
        ("DeleteVpc", json!({"vpcId": ""}), Value::Null),
        (
            "CreateSecurityGroup",
            json!({"groupName": "web", "vpcId": "vpc-1"}),
            Value::Null,
        ),
        ("CreateTags", json!({"resourcesSet": {}}), Value::Null),
        (
            "CreateTags",
            json!({"resourcesSet": {"items": []}}),
            Value::Null,
        ),
        (
            "DeleteTags",
            json!({"resourcesSet": {"items": [{"resourceId": null}]}}),
            Value::Null,
        ),
        ("CreateTags", json!({"resourcesSet": "i-1"}), Value::Null),
    ] {
        let action = action(call, &request, &response);
        assert!(
            matches!(&action, Action::Sweep(Some(_))),
            "{call} {request}: {action:?}"
        );
    }
}

#[test]
fn a_record_by_itself_is_of_the_account_that_received_it() {
    let mut record = record(
        "DeleteSecurityGroup",
        &json!({"groupId": GROUP}),
        &Value::Null,
    );
    record["userIdentity"] =
        json!({"accountId": "999999999999", "arn": "arn:aws:iam::999999999999:user/x"});
    record["eventTime"] = json!("2026-11-24T09:00:01Z");
    record["eventID"] = json!("id");
    let trigger = classify(&record).unwrap();
    assert_eq!(trigger.account.unwrap().as_str(), "123456789012");
    assert_eq!(trigger.region.unwrap().as_str(), "us-east-1");
    assert_eq!(trigger.record.id.as_deref(), Some("id"));
    assert!(trigger.record.moment().is_some());
    assert_eq!(trigger.proof, ChangeProof::Deleted);
}
