//! "Check again now": a custom action that somebody chose for findings in Security Hub.
//!
//! The event arrives only in the account and Region where it was clicked, which may be the administrator's: groups of
//! other accounts are evaluated by their own functions.

use serde_json::Value;

use super::{Action, Kind, Target, Trigger, group_of_arn};

pub(super) fn classify(detail: &Value, trigger: &mut Trigger) {
    trigger.kind = Kind::CustomAction;
    let findings = detail
        .get("findings")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let resources = findings
        .filter_map(|finding| finding.get("Resources")?.as_array())
        .flatten();
    let groups: Vec<_> = resources
        .filter(|resource| {
            resource.get("Type").and_then(Value::as_str) == Some("AwsEc2SecurityGroup")
        })
        .map(|resource| {
            resource
                .get("Id")
                .and_then(Value::as_str)
                .and_then(group_of_arn)
        })
        .collect();
    let mut targets = Vec::new();
    for (region, account, id) in groups.iter().flatten() {
        let is_here = trigger.account.as_ref().is_none_or(|own| own == account)
            && trigger.region.as_ref().is_none_or(|own| own == region);
        let target = Target::GroupId(id.clone());
        if is_here && !targets.contains(&target) {
            targets.push(target);
        }
    }
    trigger.action = if groups.iter().any(Option::is_none) {
        Action::Sweep(Some(
            "a custom action for a finding that does not tell its security group".to_owned(),
        ))
    } else if groups.is_empty() {
        Action::Ignore("a custom action for findings that are of no security group".to_owned())
    } else if targets.is_empty() {
        Action::Ignore("a custom action for security groups of other accounts or Regions: their own functions evaluate them".to_owned())
    } else {
        Action::Evaluate(targets)
    };
}
