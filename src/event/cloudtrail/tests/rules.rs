//! The rules that calls add and remove, as EC2 shows them after it.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::{GROUP, SOURCE, groups, trigger};
use crate::event::{ChangeProof, Trigger};
use crate::model::{GroupRule, IpPermission, RuleId, Traffic};

fn rule(protocol: Value, port: Value) -> Value {
    json!({"IpProtocol": protocol, "FromPort": port, "ToPort": port, "ReferencedGroupId": SOURCE})
}

fn added(trigger: &Trigger) -> &[GroupRule] {
    match &trigger.proof {
        ChangeProof::Existed { added, removed } if removed.is_empty() => added,
        other => panic!("{other:?}"),
    }
}

fn removed(trigger: &Trigger) -> &[GroupRule] {
    match &trigger.proof {
        ChangeProof::Existed { added, removed } if added.is_empty() => removed,
        other => panic!("{other:?}"),
    }
}

proptest! {
    #[test]
    fn a_modified_rule_is_the_same_however_it_is_written(
        protocol in select(vec![("tcp", json!("tcp")), ("tcp", json!(6)), ("tcp", json!("6")), ("50", json!("50")), ("50", json!(50)), ("-1", json!(-1)), ("-1", json!("-1"))]),
        port in select(vec![json!(443), json!("443"), json!(443.0)]),
        is_one in any::<bool>(),
        is_old in any::<bool>(),
    ) {
        let (name, protocol) = protocol;
        let port = if name == "tcp" { port } else { json!(-1) };
        let update = json!({"SecurityGroupRule": rule(protocol, port), "SecurityGroupRuleId": "sgr-1", "tag": 1});
        let updates = if is_one { update } else if is_old { json!({"items": [update]}) } else { json!([update]) };
        let trigger = trigger(
            "ModifySecurityGroupRules",
            &json!({"ModifySecurityGroupRulesRequest": {"GroupId": GROUP, "SecurityGroupRule": updates}}),
            &Value::Null,
        );
        let [rule] = added(&trigger) else { return Err(TestCaseError::fail("one rule")) };
        prop_assert_eq!((&rule.rule_id, rule.is_ingress), (&Some(RuleId::new("sgr-1")), None));
        prop_assert_eq!(&rule.traffic, &as_described(name));
    }
}

/// Traffic as DescribeSecurityGroups writes it: without ports where the protocol has none.
fn as_described(protocol: &str) -> Traffic {
    let permission: IpPermission = match protocol {
        "tcp" => serde_json::from_value(
            json!({"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "UserIdGroupPairs": []}),
        ),
        other => serde_json::from_value(json!({"IpProtocol": other, "UserIdGroupPairs": []})),
    }
    .unwrap();
    Traffic::of(&permission)
}

/// CloudTrail writes -1 for the ports of a protocol that has none, in the rules of responses.
fn answered(protocol: &str, source: &Value) -> Value {
    let mut rule = json!({"groupOwnerId": "123456789012", "groupId": GROUP, "securityGroupRuleId": "sgr-1", "isEgress": false,
        "ipProtocol": protocol, "fromPort": -1, "toPort": -1});
    rule.as_object_mut()
        .unwrap()
        .extend(source.as_object().unwrap().clone());
    json!({"items": [rule]})
}

#[test]
fn a_protocol_without_ports_is_that_of_the_group_in_every_call() {
    for protocol in ["50", "112", "0", "-1"] {
        let permission = json!({"groupId": GROUP, "ipPermissions": {"items": [
            {"ipProtocol": protocol, "groups": {"items": [{"groupId": SOURCE}]}}]}});
        let in_words = json!({"_return": true});
        let authorized = json!({"securityGroupRuleSet": answered(protocol, &json!({"referencedGroupInfo": {"groupId": SOURCE}}))});
        let revoked = json!({"revokedSecurityGroupRuleSet": answered(protocol, &json!({"referencedGroupId": SOURCE}))});
        for (response, id) in [(&authorized, Some("sgr-1")), (&in_words, None)] {
            let trigger = trigger("AuthorizeSecurityGroupIngress", &permission, response);
            assert_rule(added(&trigger), protocol, id, Some(true));
        }
        for (response, id) in [(&revoked, Some("sgr-1")), (&in_words, None)] {
            let trigger = trigger("RevokeSecurityGroupIngress", &permission, response);
            assert_rule(removed(&trigger), protocol, id, Some(true));
        }
        let update = json!({"tag": 1, "SecurityGroupRuleId": "sgr-1", "SecurityGroupRule": rule(json!(protocol), json!(-1))});
        let request = json!({"ModifySecurityGroupRulesRequest": {"GroupId": GROUP, "SecurityGroupRule": update}});
        let trigger = trigger("ModifySecurityGroupRules", &request, &Value::Null);
        assert_rule(added(&trigger), protocol, Some("sgr-1"), None);
    }
}

fn assert_rule(rules: &[GroupRule], protocol: &str, id: Option<&str>, is_ingress: Option<bool>) {
    let [rule] = rules else {
        panic!("{rules:?}");
    };
    assert_eq!(rule.rule_id, id.map(RuleId::new));
    assert_eq!(rule.is_ingress, is_ingress);
    assert_eq!(rule.source.as_str(), SOURCE);
    assert_eq!(rule.traffic, as_described(protocol));
}

#[test]
fn rules_that_are_not_for_groups_or_cannot_be_read_are_not_expected_of_ec2() {
    let egress = json!({"groupId": GROUP, "isEgress": true, "ipProtocol": "-1", "referencedGroupInfo": {"groupId": SOURCE}});
    let of_range =
        json!({"groupId": GROUP, "isEgress": false, "ipProtocol": "-1", "cidrIpv4": "0.0.0.0/0"});
    let odd_protocol = json!({"groupId": GROUP, "isEgress": false, "ipProtocol": ["tcp"], "referencedGroupInfo": {"groupId": SOURCE}});
    let odd_port = json!({"groupId": GROUP, "isEgress": false, "ipProtocol": "tcp", "fromPort": "http", "toPort": 80, "referencedGroupInfo": {"groupId": SOURCE}});
    for answered in [egress, of_range, odd_protocol, odd_port] {
        let response = json!({"securityGroupRuleSet": {"items": [answered]}});
        let trigger = trigger(
            "AuthorizeSecurityGroupIngress",
            &json!({"groupId": GROUP}),
            &response,
        );
        assert_eq!(added(&trigger), [], "{answered}");
        assert_eq!(trigger.action, groups(&[GROUP]));
    }
}
