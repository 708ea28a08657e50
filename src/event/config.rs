//! Configuration items of AWS Config, as EventBridge, Config's own SNS topic or the invocation of a rule delivers them.
//!
//! A change of a resource comes as its item, or as a summary when the item is too large. Config's other messages (a rule
//! was evaluated, a file was delivered) report no change.
//! Shapes: <https://docs.aws.amazon.com/config/latest/developerguide/notifications-for-AWS-Config.html>.

use serde_json::{Map, Value};

use super::member::{self, WrongMember};
use super::{Action, ChangeProof, Kind, Target, Trigger, group_id, unique};
use crate::model::GroupId;

const SECURITY_GROUP: &str = "AWS::EC2::SecurityGroup";

/// Where items stand; the list is in the oldest messages.
const ITEMS: [&str; 3] = [
    "configurationItem",
    "configurationItemSummary",
    "configurationItems",
];

/// The messages that carry items.
const CHANGES: [&str; 3] = [
    "ConfigurationItemChangeNotification",
    "OversizedConfigurationItemChangeNotification",
    "OversizedConfigurationItemChangeDeliveryFailed",
];

/// The messages that report no change of a resource.
const OTHERS: [&str; 6] = [
    "ComplianceChangeNotification",
    "ConfigRulesEvaluationStarted",
    "ConfigurationHistoryDeliveryCompleted",
    "ConfigurationSnapshotDeliveryCompleted",
    "ConfigurationSnapshotDeliveryFailed",
    "ConfigurationSnapshotDeliveryStarted",
];

/// The items in the `detail` of an event of EventBridge.
pub(super) fn classify(detail: &Value, trigger: &mut Trigger) {
    trigger.kind = Kind::Config;
    apply(detail.as_object(), trigger);
}

pub(super) fn is_message(document: &Map<String, Value>) -> bool {
    let mut members = ITEMS.iter().chain(&["messageType"]);
    members.any(|name| document.contains_key(*name))
}

/// A message of Config's own topic. It is of the account and Region of its item.
pub(super) fn classify_message(message: &Map<String, Value>) -> Result<Trigger, WrongMember> {
    let kind = member::text(message, "messageType")?;
    let mut trigger = Trigger::new(Kind::Config, Action::Sweep(None));
    trigger.event = kind.map(str::to_owned);
    trigger.record.time = message
        .get("notificationCreationTime")
        .and_then(Value::as_str)
        .map(str::to_owned);
    let items = items(Some(message));
    match kind {
        Some(kind) if items.is_empty() && OTHERS.contains(&kind) => {
            trigger.action = Action::Ignore(format!(
                "a message {kind:?} of AWS Config reports no change of a security group"
            ));
        }
        Some(kind) if items.is_empty() && !CHANGES.contains(&kind) => {
            let found = Value::from(kind);
            let expected = "a type of message that AWS Config is known to send";
            return Err(WrongMember::unexpected("messageType", &found, expected));
        }
        _ => apply(Some(message), &mut trigger),
    }
    let item = items.first().and_then(|item| item.as_object());
    let of_scope = item.unwrap_or(message);
    (trigger.account, trigger.region) =
        member::scope(of_scope, ["awsAccountId", "awsRegion"], &trigger.action)?;
    Ok(trigger)
}

fn items(message: Option<&Map<String, Value>>) -> Vec<&Value> {
    let found = ITEMS.iter().filter_map(|name| message?.get(*name));
    found
        .flat_map(|items| match items {
            Value::Array(items) => items.iter().collect(),
            Value::Null => Vec::new(),
            item => vec![item],
        })
        .collect()
}

/// The subject of a configuration item.
enum Subject<'a> {
    Group(GroupId),
    Other(&'a str),
    Unknown(&'static str),
}

fn subject(item: &Value) -> Subject<'_> {
    let id = text(item, "resourceId").and_then(group_id);
    match (text(item, "resourceType"), id) {
        (Some(SECURITY_GROUP), Some(id)) => Subject::Group(id),
        (Some(SECURITY_GROUP), None) => Subject::Unknown("security group"),
        (Some(other), _) => Subject::Other(other),
        (None, _) => Subject::Unknown("resource"),
    }
}

fn apply(message: Option<&Map<String, Value>>, trigger: &mut Trigger) {
    let items = items(message);
    trigger.action = action(&items);
    let captured = items
        .iter()
        .find_map(|item| text(item, "configurationItemCaptureTime"));
    if let Some(captured) = captured {
        trigger.record.time = Some(captured.to_owned());
    }
    let change = message
        .and_then(|message| message.get("configurationItemDiff"))
        .and_then(|diff| text(diff, "changeType"));
    let is_deleted = |item: &&Value| {
        text(item, "configurationItemStatus")
            .is_some_and(|status| status.starts_with("ResourceDeleted"))
            || change.or_else(|| text(item, "changeType")) == Some("DELETE")
    };
    if !items.is_empty() && items.iter().all(is_deleted) {
        trigger.proof = ChangeProof::Deleted;
    }
}

fn action(items: &[&Value]) -> Action {
    let mut groups = Vec::new();
    let mut other = None;
    for item in items {
        match subject(item) {
            Subject::Group(id) => groups.push(Target::GroupId(id)),
            Subject::Other(kind) => other = Some(kind),
            Subject::Unknown(what) => return unknown(what),
        }
    }
    match other {
        _ if !groups.is_empty() => Action::Evaluate(unique(groups)),
        Some(kind) => Action::Ignore(format!(
            "a configuration item of a resource of type {kind:?}"
        )),
        None => unknown("resource"),
    }
}

fn unknown(what: &str) -> Action {
    Action::Sweep(Some(format!(
        "a configuration item that does not name its {what}"
    )))
}

fn text<'a>(of: &'a Value, name: &str) -> Option<&'a str> {
    of.get(name).and_then(Value::as_str)
}
