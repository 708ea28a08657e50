//! Envelopes around events: SQS and SNS records, SNS in SQS, lists, and the failure records of Lambda.
//!
//! Each message stands by itself: one that cannot be read does not cost the others.

use serde_json::{Map, Value};

use super::{Action, Target, Trigger, TriggerError, classify};

/// How many envelopes may stand in one another: SNS in SQS in a failure record in a queue, and some to spare.
const DEPTH: usize = 8;

/// What one invocation brought.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// What it came in.
    pub shape: Shape,
    /// The events, in their order.
    pub messages: Vec<Message>,
}

/// What events come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One event by itself.
    Single,
    /// Records of SQS: each can fail alone, by its id.
    Sqs,
    /// Records of SNS, or a list.
    Several,
}

/// One event, or what is wrong with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// SQS's `messageId`, where it came from there.
    pub sqs_id: Option<String>,
    /// The event.
    pub trigger: Result<Trigger, TriggerError>,
}

impl Batch {
    /// The events that could be read.
    pub fn triggers(&self) -> impl Iterator<Item = &Trigger> {
        let triggers = self.messages.iter();
        triggers.filter_map(|message| message.trigger.as_ref().ok())
    }

    /// Leaves out what counts only with `[sensitivity]` in the settings.
    pub fn forget_references(&mut self) {
        for message in &mut self.messages {
            if let Ok(Trigger {
                action: Action::Evaluate(targets),
                ..
            }) = &mut message.trigger
            {
                targets.retain(|target| !matches!(target, Target::Referencing(_)));
            }
        }
    }
}

/// Every event in what the function was given.
#[must_use]
pub fn read(event: &Value) -> Batch {
    let mut messages = Vec::new();
    collect(event, None, DEPTH, &mut messages);
    let records = event
        .get("Records")
        .and_then(Value::as_array)
        .filter(|_| event.get("detail-type").is_none());
    let shape = match records {
        Some(records) if records.iter().any(is_sqs) => Shape::Sqs,
        None if event.is_object() && !is_failure_record(event) => Shape::Single,
        // A failure record of one event is that event.
        None if event.is_object() && messages.len() == 1 => Shape::Single,
        _ => Shape::Several,
    };
    Batch { shape, messages }
}

fn collect(event: &Value, sqs_id: Option<&str>, depth: usize, messages: &mut Vec<Message>) {
    let mut push = |trigger| {
        messages.push(Message {
            sqs_id: sqs_id.map(str::to_owned),
            trigger,
        })
    };
    let Some(depth) = depth.checked_sub(1) else {
        return push(Err(TriggerError::TooDeep(DEPTH)));
    };
    match event {
        Value::Array(events) => events
            .iter()
            .for_each(|event| collect(event, sqs_id, depth, messages)),
        Value::Object(members) => {
            if let (Some(Value::Array(records)), false) =
                (members.get("Records"), members.contains_key("detail-type"))
            {
                records
                    .iter()
                    .for_each(|record| collect_record(record, sqs_id, depth, messages));
            } else if let (true, Some(payload)) =
                (is_failure_record(event), members.get("requestPayload"))
            {
                collect(payload, sqs_id, depth, messages);
            } else if let Some(text) = sns_message(members) {
                collect_text(text, sqs_id, depth, messages);
            } else {
                push(classify(event));
            }
        }
        _ => push(Err(TriggerError::UnknownShape)),
    }
}

fn collect_record(record: &Value, sqs_id: Option<&str>, depth: usize, messages: &mut Vec<Message>) {
    let id = record
        .get("messageId")
        .and_then(Value::as_str)
        .filter(|_| is_sqs(record));
    // Of records within records the outermost can be named.
    let sqs_id = sqs_id.or(id);
    let before = messages.len();
    let text = if is_sqs(record) {
        record.get("body").ok_or("an SQS record without a body")
    } else {
        record
            .pointer("/Sns/Message")
            .ok_or("a record that is neither SQS's nor SNS's")
    };
    match text.and_then(|text| text.as_str().ok_or("a record whose message is not a text")) {
        Ok(text) => collect_text(text, sqs_id, depth, messages),
        Err(what) => messages.push(Message {
            sqs_id: sqs_id.map(str::to_owned),
            trigger: Err(TriggerError::Record(what)),
        }),
    }
    if messages.len() == before {
        messages.push(Message {
            sqs_id: sqs_id.map(str::to_owned),
            trigger: Err(TriggerError::Record("a message without an event in it")),
        });
    }
}

fn collect_text(text: &str, sqs_id: Option<&str>, depth: usize, messages: &mut Vec<Message>) {
    match serde_json::from_str(text) {
        Ok(event) => collect(&event, sqs_id, depth, messages),
        Err(error) => messages.push(Message {
            sqs_id: sqs_id.map(str::to_owned),
            trigger: Err(TriggerError::NotJson(error.to_string())),
        }),
    }
}

fn is_sqs(record: &Value) -> bool {
    record.get("eventSource").and_then(Value::as_str) == Some("aws:sqs")
        || record.get("messageId").is_some()
}

/// What a destination for failures is sent: <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html>.
fn is_failure_record(event: &Value) -> bool {
    event.get("requestPayload").is_some() && event.get("requestContext").is_some()
}

/// The message of SNS's own envelope, as it stands in SQS without raw delivery.
fn sns_message(members: &Map<String, Value>) -> Option<&str> {
    members
        .get("Type")
        .and_then(Value::as_str)
        .filter(|kind| *kind == "Notification")?;
    members.get("Message")?.as_str()
}
