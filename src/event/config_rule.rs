//! The invocation of a custom rule of AWS Config: what triggers it stands as JSON in the string `invokingEvent`.
//!
//! A change of a resource is handled as its configuration item is. A rule with a schedule, or one that is evaluated when a
//! snapshot was delivered, asks about every resource: that is a sweep. Config waits for an answer (PutEvaluations with the
//! `resultToken`), which this product does not give: its findings stand in Security Hub.
//! Shapes: <https://docs.aws.amazon.com/config/latest/developerguide/evaluate-config_develop-rules_example-events.html>.

use serde_json::{Map, Value};

use super::member::{self, WrongMember};
use super::{Action, Kind, Trigger, TriggerError, config};
use crate::model::Region;

pub(super) const MEMBER: &str = "invokingEvent";

/// The messages that ask about every resource.
const OF_EVERYTHING: [&str; 2] = [
    "ScheduledNotification",
    "ConfigurationSnapshotDeliveryCompleted",
];

pub(super) fn classify(invocation: &Map<String, Value>) -> Result<Trigger, TriggerError> {
    let text = member::required_text(invocation, MEMBER).map_err(TriggerError::Config)?;
    let message =
        serde_json::from_str(text).map_err(|error| TriggerError::not_json(MEMBER, text, &error))?;
    let Value::Object(message) = message else {
        let fault = WrongMember::unexpected(MEMBER, &message, "an object");
        return Err(TriggerError::Config(fault));
    };
    let of_message = match member::text(&message, "messageType") {
        Ok(Some(kind)) if OF_EVERYTHING.contains(&kind) => {
            of_everything(kind, &message, invocation)
        }
        _ => config::classify_message(&message),
    };
    of_message.map_err(|fault| TriggerError::Config(fault.within(MEMBER)))
}

/// The message does not tell its Region, so it is that of the rule; nor, in a snapshot's, the account.
fn of_everything(
    kind: &str,
    message: &Map<String, Value>,
    invocation: &Map<String, Value>,
) -> Result<Trigger, WrongMember> {
    let account = member::account(message, "awsAccountId")?;
    let account = match account {
        Some(account) => Some(account),
        None => member::account(invocation, "accountId")?,
    };
    let rule = invocation.get("configRuleArn").and_then(Value::as_str);
    let region = rule.and_then(|arn| arn.split(':').nth(3)).map(Region::new);
    Ok(Trigger {
        event: Some(kind.to_owned()),
        account,
        region: region.filter(Region::is_well_formed),
        ..Trigger::new(Kind::Config, Action::Sweep(None))
    })
}
