//! The events that tell of changes, as CloudTrail records them.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::changes::Tells;
use super::history::{RULES, What, is_default, name_of, source, vpc_of};
use crate::model::GroupId;

/// The event of a change, with its number as its id.
pub(super) fn event(
    number: usize,
    at: Timestamp,
    actor: u8,
    (id, what, tells): (&GroupId, &What, Tells),
) -> Value {
    let (call, request, response) = call(id, what, tells);
    // Whole seconds, as CloudTrail has them.
    let time = Timestamp::from_second(at.as_second()).unwrap().to_string();
    json!({"version": "0", "id": number.to_string(), "source": "aws.ec2", "detail-type": "AWS API Call via CloudTrail",
        "account": "123456789012", "region": "us-east-1", "time": time, "resources": [],
        "detail": {"eventSource": "ec2.amazonaws.com", "eventName": call, "eventTime": time,
            "eventID": number.to_string(), "awsRegion": "us-east-1", "userIdentity": {"arn": format!("arn:actor-{actor}")},
            "requestParameters": request, "responseElements": response}})
}

/// The name of a call, its request and its response.
fn call(id: &GroupId, what: &What, tells: Tells) -> (&'static str, Value, Value) {
    let answered = |rule_id: &str, rule: usize| {
        let (protocol, from, to, _) = RULES[rule];
        json!({"groupId": id.as_str(), "securityGroupRuleId": rule_id, "isEgress": false, "ipProtocol": protocol,
            "fromPort": from, "toPort": to, "referencedGroupInfo": {"groupId": source(id, rule)}})
    };
    let requested = |rule: usize| {
        let (protocol, from, to, _) = RULES[rule];
        let groups = json!({"items": [{"groupId": source(id, rule)}]});
        json!({"items": [{"ipProtocol": protocol, "fromPort": from, "toPort": to, "groups": groups}]})
    };
    let by_id = json!({"groupId": id.as_str()});
    match what {
        What::Added(rule_id, rule) | What::Removed(rule_id, rule) => {
            let (call, set) = if matches!(what, What::Added(..)) {
                ("AuthorizeSecurityGroupIngress", "securityGroupRuleSet")
            } else {
                ("RevokeSecurityGroupIngress", "revokedSecurityGroupRuleSet")
            };
            let done = json!({"_return": true});
            match tells {
                Tells::Ids => {
                    let rules = json!({"items": [answered(rule_id, *rule)]});
                    (call, by_id, json!({set: rules}))
                }
                Tells::Request => (
                    call,
                    json!({"groupId": id.as_str(), "ipPermissions": requested(*rule)}),
                    done,
                ),
                Tells::Name => (
                    call,
                    json!({"groupName": name_of(id), "ipPermissions": requested(*rule)}),
                    done,
                ),
                Tells::Nothing => (call, Value::Null, Value::Null),
            }
        }
        What::Modified(rule_id, rule) => {
            let (protocol, from, to, _) = RULES[*rule];
            let source = source(id, *rule);
            let rule = json!({"SecurityGroupRuleId": rule_id, "SecurityGroupRule": {
                "IpProtocol": protocol, "FromPort": from, "ToPort": to, "ReferencedGroupId": source}});
            let request = json!({"ModifySecurityGroupRulesRequest": {"GroupId": id.as_str(), "SecurityGroupRule": rule}});
            ("ModifySecurityGroupRules", request, json!({}))
        }
        What::Deleted if is_default(id) => (
            "DeleteVpc",
            json!({"vpcId": vpc_of(id)}),
            json!({"_return": true}),
        ),
        What::Deleted => ("DeleteSecurityGroup", by_id, json!({"_return": true})),
        What::Tagged => (
            "CreateTags",
            json!({"resourcesSet": {"items": [{"resourceId": id.as_str()}]}}),
            json!({"_return": true}),
        ),
        What::Created if is_default(id) => (
            "CreateVpc",
            json!({}),
            json!({"vpc": {"vpcId": vpc_of(id)}}),
        ),
        What::Created => ("CreateSecurityGroup", json!({}), by_id),
    }
}
