//! Configuration items of AWS Config. Of one that is too large only a summary comes.

use serde_json::Value;

use super::{Action, ChangeProof, Kind, Target, Trigger, group_id};

/// Resource type of a security group.
const SECURITY_GROUP: &str = "AWS::EC2::SecurityGroup";

pub(super) fn classify(detail: &Value, trigger: &mut Trigger) {
    trigger.kind = Kind::Config;
    let item = ["configurationItem", "configurationItemSummary"]
        .iter()
        .find_map(|name| detail.get(*name).filter(|item| item.is_object()));
    let member = |name: &str| item.and_then(|item| item.get(name)).and_then(Value::as_str);
    trigger.action = match (
        member("resourceType"),
        member("resourceId").and_then(group_id),
    ) {
        (Some(SECURITY_GROUP), Some(id)) => Action::Evaluate(vec![Target::GroupId(id)]),
        (Some(SECURITY_GROUP), None) => Action::Sweep(Some(
            "a configuration item that does not tell its security group".to_owned(),
        )),
        (Some(other), _) => Action::Ignore(format!(
            "a configuration item of a resource of type {other:?}"
        )),
        (None, _) => Action::Sweep(Some(
            "a configuration item that does not tell its resource".to_owned(),
        )),
    };
    trigger.record.time = member("configurationItemCaptureTime")
        .map(str::to_owned)
        .or(trigger.record.time.take());
    let change = detail
        .pointer("/configurationItemDiff/changeType")
        .or_else(|| item.and_then(|item| item.get("changeType")));
    let is_deleted = member("configurationItemStatus")
        .is_some_and(|status| status.starts_with("ResourceDeleted"))
        || change.and_then(Value::as_str) == Some("DELETE");
    trigger.proof = if is_deleted {
        ChangeProof::Deleted
    } else {
        ChangeProof::Nothing
    };
}
