//! The documents that hold events: SQS and SNS records, SNS in SQS, lists, failure records of Lambda, log files of
//! CloudTrail and answers of `lookup-events`.
//!
//! Each message stands by itself: one that cannot be read does not cost the others.

use serde_json::{Map, Value};

use super::member::WrongMember;
use super::{Action, Target, Trigger, TriggerError, classify, eventbridge, other};

/// How many envelopes may stand in one another: SNS in SQS in a failure record in a queue, and some to spare.
const DEPTH: usize = 8;

/// What one invocation was given.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    pub shape: Shape,
    /// The messages in their order.
    pub messages: Vec<Message>,
}

/// How the messages of a batch can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One event: it fails as a whole.
    Single,
    /// Records of SQS: each can fail alone, by its id.
    Sqs,
    /// Several events that can only fail together: records of SNS, a list, a log file.
    Several,
}

/// One event, or why it cannot be read.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// `messageId` of the SQS record that the message is in; of records within records the outermost, which can be named.
    pub sqs_id: Option<String>,
    pub trigger: Result<Trigger, TriggerError>,
}

impl Batch {
    /// The events that could be read.
    pub fn triggers(&self) -> impl Iterator<Item = &Trigger> {
        let triggers = self.messages.iter();
        triggers.filter_map(|message| message.trigger.as_ref().ok())
    }

    /// Removes the targets that count only with `[sensitivity]` in the settings.
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

impl Message {
    fn new(sqs_id: Option<&str>, trigger: Result<Trigger, TriggerError>) -> Self {
        Self {
            sqs_id: sqs_id.map(str::to_owned),
            trigger,
        }
    }
}

/// Every event in what the function was given.
#[must_use]
pub fn read(document: &Value) -> Batch {
    let within = Within {
        sqs_id: None,
        depth: DEPTH,
    };
    let messages = within.messages(document);
    let shape = match Document::of(document) {
        Document::Records(records) if records.iter().any(is_sqs) => Shape::Sqs,
        Document::Event | Document::Envelope { .. } if messages.len() == 1 => Shape::Single,
        _ => Shape::Several,
    };
    Batch { shape, messages }
}

/// What a document holds.
enum Document<'a> {
    Event,
    List(&'a [Value]),
    Records(&'a [Value]),
    /// The answer of `aws cloudtrail lookup-events`.
    LookedUp(&'a [Value]),
    /// One document in a member of another.
    Envelope {
        name: &'static str,
        inner: &'a Value,
    },
}

impl<'a> Document<'a> {
    fn of(document: &'a Value) -> Self {
        let members = match document {
            Value::Array(documents) => return Self::List(documents),
            Value::Object(members) => members,
            _ => return Self::Event,
        };
        // An event of EventBridge may have members of any name in its detail, but none of these beside it.
        if members.contains_key(eventbridge::DETAIL_TYPE) {
            return Self::Event;
        }
        let list = |name: &str| members.get(name).and_then(Value::as_array);
        if let Some(records) = list("Records") {
            Self::Records(records)
        } else if let Some(events) = list("Events") {
            Self::LookedUp(events)
        } else if let Some((name, inner)) = enveloped(members) {
            Self::Envelope { name, inner }
        } else {
            Self::Event
        }
    }
}

/// The document in a failure record of Lambda, in SNS's own envelope (as it stands in SQS without raw delivery), or in an
/// event of `lookup-events`.
/// Failure records: <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html>.
fn enveloped(members: &Map<String, Value>) -> Option<(&'static str, &Value)> {
    if members.contains_key("requestContext")
        && let Some(payload) = members.get("requestPayload")
    {
        return Some(("requestPayload", payload));
    }
    if members.get("Type").and_then(Value::as_str) == Some("Notification")
        && let Some(message) = members.get("Message")
    {
        return Some(("Message", message));
    }
    members
        .get("CloudTrailEvent")
        .map(|record| ("CloudTrailEvent", record))
}

/// Where a document stands.
#[derive(Clone, Copy)]
struct Within<'a> {
    sqs_id: Option<&'a str>,
    /// How many envelopes it may still hold.
    depth: usize,
}

impl<'a> Within<'a> {
    fn messages(self, document: &Value) -> Vec<Message> {
        let Some(depth) = self.depth.checked_sub(1) else {
            return self.failed(TriggerError::TooDeep(DEPTH));
        };
        let inside = Within { depth, ..self };
        match Document::of(document) {
            Document::Event => vec![Message::new(self.sqs_id, classify(document))],
            Document::List(documents) => documents
                .iter()
                .flat_map(|document| inside.messages(document))
                .collect(),
            Document::Records(records) => records
                .iter()
                .flat_map(|record| inside.record(record))
                .collect(),
            Document::LookedUp(events) => events
                .iter()
                .flat_map(|event| inside.held("CloudTrailEvent", event.get("CloudTrailEvent")))
                .collect(),
            Document::Envelope { name, inner } => inside.held(name, Some(inner)),
        }
    }

    fn record(self, record: &Value) -> Vec<Message> {
        if is_sqs(record) {
            let id = record.get("messageId").and_then(Value::as_str);
            let sqs_id = self.sqs_id.or(id);
            Within { sqs_id, ..self }.held("body", record.get("body"))
        } else if let Some(notification) = record.get("Sns") {
            self.held("Message", notification.get("Message"))
        } else if record.get("eventSource").is_some() {
            self.messages(record)
        } else {
            self.failed(TriggerError::NotAnEvent(other::RECORD))
        }
    }

    /// The messages in a member that holds a document, as JSON in a string or as it is.
    fn held(self, name: &'static str, inner: Option<&Value>) -> Vec<Message> {
        let messages = match inner {
            Some(Value::String(text)) => match serde_json::from_str(text) {
                Ok(document) => self.messages(&document),
                Err(error) => self.failed(TriggerError::not_json(name, text, &error)),
            },
            Some(document @ (Value::Object(_) | Value::Array(_))) => self.messages(document),
            None | Some(Value::Null) => {
                self.failed(TriggerError::Record(WrongMember::missing(name)))
            }
            Some(other) => self.failed(TriggerError::Record(WrongMember::unexpected(
                name,
                other,
                "JSON in a string",
            ))),
        };
        if messages.is_empty() {
            return self.failed(TriggerError::Empty(name));
        }
        messages
    }

    fn failed(self, error: TriggerError) -> Vec<Message> {
        vec![Message::new(self.sqs_id, Err(error))]
    }
}

fn is_sqs(record: &Value) -> bool {
    record.get("eventSource").and_then(Value::as_str) == Some("aws:sqs")
        || record.get("messageId").is_some()
}
