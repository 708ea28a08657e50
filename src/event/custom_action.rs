//! Custom actions that somebody chose for findings in Security Hub: "check again now".
//!
//! The event arrives only in the account and Region where the action was chosen, which may be the administrator's: groups
//! of other accounts are evaluated by their own functions.

use serde_json::Value;

use super::{Action, Kind, Target, Trigger, group_of_arn, unique};
use crate::model::{AccountId, GroupId, Region};

pub(super) fn classify(detail: &Value, trigger: &mut Trigger) {
    trigger.kind = Kind::CustomAction;
    let groups = groups_of(detail);
    let is_here = |(region, account, _): &&(Region, AccountId, GroupId)| {
        trigger.account.as_ref().is_none_or(|own| own == account)
            && trigger.region.as_ref().is_none_or(|own| own == region)
    };
    let here = groups.iter().flatten().filter(is_here);
    let targets = unique(here.map(|(_, _, id)| Target::GroupId(id.clone())).collect());
    trigger.action = if groups.iter().any(Option::is_none) {
        Action::Sweep(Some(
            "a custom action for a finding that does not name its security group".to_owned(),
        ))
    } else if groups.is_empty() {
        Action::Ignore("a custom action for findings that are of no security group".to_owned())
    } else if targets.is_empty() {
        Action::Ignore("a custom action for security groups of other accounts or Regions: their own functions evaluate them".to_owned())
    } else {
        Action::Evaluate(targets)
    };
}

/// The security groups of the findings; `None` for each resource that cannot be read.
fn groups_of(detail: &Value) -> Vec<Option<(Region, AccountId, GroupId)>> {
    let Some(findings) = detail.get("findings").and_then(Value::as_array) else {
        return vec![None];
    };
    let mut groups = Vec::new();
    for finding in findings {
        let Some(resources) = finding.get("Resources").and_then(Value::as_array) else {
            groups.push(None);
            continue;
        };
        for resource in resources {
            let member = |name: &str| resource.get(name).and_then(Value::as_str);
            match member("Type") {
                Some("AwsEc2SecurityGroup") => groups.push(member("Id").and_then(group_of_arn)),
                Some(_) => {}
                None => groups.push(None),
            }
        }
    }
    groups
}
