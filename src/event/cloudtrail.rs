//! EC2 calls as CloudTrail records them, in an event of EventBridge or by themselves (a log file, `lookup-events`).
//!
//! The record says who called, when and from where; [`call`] finds the groups that the call changed, and [`rules`] the
//! rules that it added or removed.

use serde_json::{Map, Value};

use super::member::{self, WrongMember};
use super::{Action, Kind, Record, Trigger, TriggerError};
use crate::model::AccountId;
use call::Call;
use serialized::scalar;

mod call;
mod rules;
mod serialized;
#[cfg(test)]
mod tests;

/// Members of which a record by itself has at least one.
pub(super) const MEMBERS: [&str; 2] = ["eventName", "eventSource"];

/// The account that received the record.
const RECIPIENT: &str = "recipientAccountId";

/// The record in the `detail` of an event of EventBridge.
pub(super) fn classify(detail: &Value, trigger: &mut Trigger) -> Result<(), TriggerError> {
    let Value::Object(record) = detail else {
        let fault = WrongMember::unexpected("detail", detail, "an object");
        return Err(TriggerError::CloudTrail(fault));
    };
    let call = read(record).map_err(|fault| TriggerError::CloudTrail(fault.within("detail")))?;
    apply(&call, record, trigger);
    let recipient = record.get(RECIPIENT).and_then(scalar);
    trigger.recipient = recipient.map(AccountId::new);
    Ok(())
}

/// A record by itself. It happened in the account that received it, and in its Region.
pub(super) fn classify_bare(record: &Map<String, Value>) -> Result<Trigger, TriggerError> {
    let call = read(record).map_err(TriggerError::CloudTrail)?;
    let mut trigger = Trigger::new(Kind::Cloudtrail, Action::Sweep(None));
    apply(&call, record, &mut trigger);
    (trigger.account, trigger.region) =
        member::scope(record, [RECIPIENT, "awsRegion"], &trigger.action)
            .map_err(TriggerError::CloudTrail)?;
    Ok(trigger)
}

fn read(record: &Map<String, Value>) -> Result<Call<'_>, WrongMember> {
    let service = member::required_text(record, "eventSource")?;
    let name = member::required_text(record, "eventName")?;
    Ok(Call::new(service, name, record))
}

fn apply(call: &Call<'_>, record: &Map<String, Value>, trigger: &mut Trigger) {
    trigger.kind = Kind::Cloudtrail;
    trigger.event = Some(call.name.to_owned());
    trigger.record = attribution(record, call.name, &trigger.record);
    trigger.action = if !call.is_of_ec2() {
        Action::Ignore(format!("{} of {} is not EC2's", call.name, call.service))
    } else if let Some(error) = error_code(record) {
        Action::Ignore(format!(
            "{} failed with {error}: nothing changed",
            call.name
        ))
    } else {
        trigger.proof = call.proof();
        call.action()
    };
}

/// The error that a call failed with. A member that says nothing is no error: the call may have changed something.
fn error_code(record: &Map<String, Value>) -> Option<String> {
    let code = record.get("errorCode")?;
    let says_nothing =
        code.is_null() || code.as_str() == Some("") || code.as_object().is_some_and(Map::is_empty);
    (!says_nothing).then(|| scalar(code).unwrap_or_else(|| member::quote(code)))
}

/// Who called, when and from where; id and time of the envelope where the record has none.
fn attribution(record: &Map<String, Value>, name: &str, envelope: &Record) -> Record {
    let member = |name: &str| record.get(name).and_then(scalar);
    let identity = record.get("userIdentity");
    let of_identity = |pointer: &str| {
        identity
            .and_then(|identity| identity.pointer(pointer))
            .and_then(scalar)
    };
    let on_behalf_of = of_identity("/onBehalfOf/userId").map(|user| {
        match of_identity("/onBehalfOf/identityStoreArn") {
            Some(store) => format!("{user} of {store}"),
            None => user,
        }
    });
    Record {
        name: Some(name.to_owned()),
        id: member("eventID").or_else(|| envelope.id.clone()),
        time: member("eventTime").or_else(|| envelope.time.clone()),
        actor: of_identity("/arn")
            .or_else(|| of_identity("/invokedBy"))
            .or_else(|| of_identity("/principalId")),
        source_ip: member("sourceIPAddress"),
        user_agent: member("userAgent"),
        source_identity: of_identity("/sessionContext/sourceIdentity")
            .or_else(|| of_identity("/sourceIdentity")),
        on_behalf_of,
    }
}
