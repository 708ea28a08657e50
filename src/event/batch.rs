//! The documents that hold events: SQS and SNS records, SNS in SQS, lists, failure records of Lambda, log files of
//! CloudTrail and answers of `lookup-events`.
//!
//! Each message stands by itself: one that cannot be read does not cost the others.

use serde_json::{Map, Value};

use super::member::WrongMember;
use super::{Action, Target, Trigger, TriggerError, classify, eventbridge, other};

/// The most envelopes that may stand in one another: SNS in SQS in a failure record in a queue, and some to spare.
const DEPTH: usize = 8;

/// The input of one invocation.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    pub shape: Shape,
    /// The messages in their order.
    pub messages: Vec<Message>,
}

/// The ways in which the messages of a batch can fail.
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
    pub origin: Origin,
    pub trigger: Result<Trigger, TriggerError>,
}

/// How a message came to the function. Of records within records the outermost counts: AWS wrote that one, and the
/// sender wrote what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin<Arn = String> {
    /// In what the function was invoked with, outside every record.
    Invocation,
    /// In a record of SQS, with its `eventSourceARN` where it has one.
    Queue(Option<Arn>),
    /// In a notification of SNS.
    Topic,
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
    fn new(within: Within<'_>, trigger: Result<Trigger, TriggerError>) -> Self {
        Self {
            sqs_id: within.sqs_id.map(str::to_owned),
            origin: match within.origin {
                Origin::Invocation => Origin::Invocation,
                Origin::Queue(arn) => Origin::Queue(arn.map(str::to_owned)),
                Origin::Topic => Origin::Topic,
            },
            trigger,
        }
    }
}

/// Every event in what the function was given.
#[must_use]
pub fn read(document: &Value) -> Batch {
    let within = Within {
        sqs_id: None,
        origin: Origin::Invocation,
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

/// The content of a document.
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
    origin: Origin<&'a str>,
    /// The number of envelopes that it may still hold.
    depth: usize,
}

impl<'a> Within<'a> {
    fn messages(self, document: &Value) -> Vec<Message> {
        let Some(depth) = self.depth.checked_sub(1) else {
            return self.failed(TriggerError::TooDeep(DEPTH));
        };
        let inside = Within { depth, ..self };
        match Document::of(document) {
            Document::Event => vec![Message::new(self, classify(document))],
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
            let arn = record.get("eventSourceARN").and_then(Value::as_str);
            let inside = Within {
                sqs_id: self.sqs_id.or(id),
                ..self.by(Origin::Queue(arn))
            };
            inside.held("body", record.get("body"))
        } else if let Some(notification) = record.get("Sns") {
            let inside = self.by(Origin::Topic);
            inside.held("Message", notification.get("Message"))
        } else if record.get("eventSource").is_some() {
            self.messages(record)
        } else {
            self.failed(TriggerError::NotAnEvent(other::RECORD))
        }
    }

    /// Within a record of that origin, unless it stands in another record.
    fn by(self, origin: Origin<&'a str>) -> Self {
        match self.origin {
            Origin::Invocation => Within { origin, ..self },
            Origin::Queue(_) | Origin::Topic => self,
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
                self.failed(TriggerError::Envelope(WrongMember::missing(name)))
            }
            Some(other) => self.failed(TriggerError::Envelope(WrongMember::unexpected(
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
        vec![Message::new(self, Err(error))]
    }
}

fn is_sqs(record: &Value) -> bool {
    record.get("eventSource").and_then(Value::as_str) == Some("aws:sqs")
        || record.get("messageId").is_some()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// A document, and for each event in it the SQS id that it fails by and whether it can be read.
    type Sample = (Value, Vec<(Option<String>, bool)>);

    fn leaf() -> impl Strategy<Value = Sample> {
        prop_oneof![
            Just(json!({"action": "sweep"})),
            Just(json!({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}})),
            Just(json!({"hello": "world"})),
            Just(json!({"action": "sweep", "account": "123456789012"})),
            Just(json!({"action": "sweep", "groups": []})),
        ]
        .prop_map(|event| {
            let is_read = classify(&event).is_ok();
            (event, vec![(None, is_read)])
        })
    }

    fn all(samples: &[Sample]) -> Vec<(Option<String>, bool)> {
        samples
            .iter()
            .flat_map(|(_, events)| events.clone())
            .collect()
    }

    fn each(samples: &[Sample], document: impl Fn(&Value) -> Value) -> Vec<Value> {
        samples.iter().map(|(inner, _)| document(inner)).collect()
    }

    /// Documents around documents, as services nest them.
    fn around(inner: impl Strategy<Value = Sample> + Clone) -> impl Strategy<Value = Sample> {
        let several = prop::collection::vec(inner.clone(), 1..3);
        prop_oneof![
            several.clone().prop_map(|samples| (Value::Array(each(&samples, Value::clone)), all(&samples))),
            several.clone().prop_map(|samples| {
                let records = each(&samples, |inner| json!({"EventSource": "aws:sns", "Sns": {"Message": inner.to_string()}}));
                (json!({"Records": records}), all(&samples))
            }),
            (several, any::<u32>()).prop_map(|(samples, seed)| {
                let id = |number: usize| format!("message-{seed}-{number}");
                let records = samples.iter().enumerate().map(|(number, (inner, _))| json!({"messageId": id(number), "eventSource": "aws:sqs", "body": inner.to_string()}));
                let events = samples.iter().enumerate().flat_map(|(number, (_, events))| {
                    events.iter().map(move |(_, is_read)| (Some(id(number)), *is_read))
                });
                (json!({"Records": records.collect::<Vec<_>>()}), events.collect())
            }),
            inner.clone().prop_map(|(inner, events)| (json!({"Type": "Notification", "Message": inner.to_string()}), events)),
            inner.prop_map(|(inner, events)| (json!({"requestContext": {"condition": "RetriesExhausted"}, "requestPayload": inner}), events)),
        ]
    }

    fn nested() -> impl Strategy<Value = Sample> {
        leaf().prop_recursive(6, 32, 3, |inner| around(inner.boxed()))
    }

    proptest! {
        #[test]
        fn every_event_is_found_in_its_order_and_fails_by_the_outermost_id((document, expected) in nested()) {
            let batch = read(&document);
            let found: Vec<_> = batch.messages.iter().map(|message| (message.sqs_id.clone(), message.trigger.is_ok())).collect();
            prop_assert_eq!(found, expected);
            // Only records of SQS at the outside can fail one by one.
            let is_of_sqs = document.pointer("/Records/0/body").is_some();
            prop_assert_eq!(batch.shape == Shape::Sqs, is_of_sqs);
            prop_assert!(batch.shape != Shape::Single || batch.messages.len() == 1);
        }
    }

    #[test]
    fn the_outermost_record_tells_where_a_message_came_from() {
        let sqs = |arn: &str, inner: &Value| json!({"Records": [{"messageId": "1", "eventSourceARN": arn, "body": inner.to_string()}]});
        let sns = |inner: &Value| json!({"Records": [{"EventSource": "aws:sns", "Sns": {"Message": inner.to_string()}}]});
        let failure = |inner: &Value| json!({"requestContext": {}, "requestPayload": inner});
        let sweep = json!({"action": "sweep"});
        let queue = |arn: &str| Origin::Queue(Some(arn.to_owned()));
        for (document, origin) in [
            (sweep.clone(), Origin::Invocation),
            (json!([sweep]), Origin::Invocation),
            (failure(&sweep), Origin::Invocation),
            (sqs("theirs", &sweep), queue("theirs")),
            (sqs("theirs", &sqs("ours", &sweep)), queue("theirs")),
            (
                sqs("theirs", &failure(&sqs("ours", &sweep))),
                queue("theirs"),
            ),
            (json!([sqs("theirs", &sweep)]), queue("theirs")),
            (sqs("theirs", &sns(&sweep)), queue("theirs")),
            (sns(&sweep), Origin::Topic),
            (sns(&sqs("ours", &sweep)), Origin::Topic),
            (
                json!({"Records": [{"messageId": "1", "body": sweep.to_string()}]}),
                Origin::Queue(None),
            ),
        ] {
            let [message] = read(&document).messages.try_into().unwrap();
            assert_eq!(message.origin, origin, "{document}");
        }
    }

    #[test]
    fn envelopes_end_somewhere() {
        let nest = |times: usize| {
            (0..times).fold(
                json!({"action": "sweep"}),
                |inner, _| json!({"Type": "Notification", "Message": inner.to_string()}),
            )
        };
        assert!(read(&nest(DEPTH - 1)).messages[0].trigger.is_ok());
        assert_eq!(
            read(&nest(DEPTH)).messages[0].trigger,
            Err(TriggerError::TooDeep(DEPTH))
        );
    }

    #[test]
    fn a_message_that_holds_no_event_is_an_error() {
        for (document, error) in [
            (
                json!({"Records": [{"messageId": "1", "body": "[]"}]}),
                "there is no event in body",
            ),
            (
                json!({"Records": [{"messageId": "1"}]}),
                "not a well-formed record: body is missing",
            ),
            (
                json!({"Records": [{"messageId": "1", "body": 5}]}),
                "not a well-formed record: body is 5, not JSON in a string",
            ),
            (
                json!({"Records": [{"messageId": "1", "body": ""}]}),
                "body is not JSON: it is empty",
            ),
            (
                json!({"Records": [{"messageId": "1", "body": "{\"action\": sweep}"}]}),
                "body is not JSON: wrong at line 1, column 12 of \"{\\\"action\\\": sweep}\"",
            ),
            (
                json!({"Records": [{"Sns": {}}]}),
                "not a well-formed record: Message is missing",
            ),
            (
                json!({"Events": [{"EventId": "1"}]}),
                "not a well-formed record: CloudTrailEvent is missing",
            ),
            (
                json!({"CloudTrailEvent": "{}"}),
                "no known shape of an event: found an empty object; ",
            ),
            (
                json!({"requestContext": {}, "requestPayload": null}),
                "not a well-formed record: requestPayload is missing",
            ),
        ] {
            let messages = read(&document).messages;
            let [
                Message {
                    trigger: Err(found),
                    ..
                },
            ] = messages.as_slice()
            else {
                panic!("{document}: {messages:?}");
            };
            assert!(found.to_string().starts_with(error), "{document}: {found}");
        }
    }
}
