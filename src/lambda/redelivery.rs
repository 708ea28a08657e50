//! When messages of a queue that failed come back: pure, from the event as Lambda gave it.
//!
//! Lambda leaves a failed message hidden for the queue's visibility timeout, six times the function's own timeout. What
//! may pass when it is tried again, above all an answer of EC2 that was behind its own event, comes back sooner.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::aws::Redelivery;

/// Seconds until a message comes back, by how often it was received. What fails again and again waits longer, so that
/// it survives half an hour of a service that does not answer; the queue gives up after the fifth time.
const SECONDS: [u32; 4] = [60, 60, 300, 900];

/// The messages with these ids, each with its time. Records that do not say how they were received are left to Lambda.
pub(super) fn of_messages(event: &Value, ids: &BTreeSet<&str>) -> Vec<Redelivery> {
    let records = event.get("Records").and_then(Value::as_array);
    let record = |record: &Value| {
        let member = |name: &str| record.get(name).and_then(Value::as_str);
        member("messageId").filter(|id| ids.contains(id))?;
        Some(Redelivery {
            queue: member("eventSourceARN")?.to_owned(),
            receipt_handle: member("receiptHandle")?.to_owned(),
            seconds: seconds(received(record)),
        })
    };
    records.into_iter().flatten().filter_map(record).collect()
}

/// How often the message was received, this time included.
fn received(record: &Value) -> usize {
    let count = record.pointer("/attributes/ApproximateReceiveCount");
    let count = count
        .and_then(Value::as_str)
        .and_then(|count| count.parse().ok());
    count.unwrap_or(1)
}

fn seconds(received: usize) -> u32 {
    let [first, .., last] = SECONDS;
    match received {
        0 => first,
        count => SECONDS.get(count - 1).copied().unwrap_or(last),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const QUEUE: &str = "arn:aws:sqs:us-east-1:123456789012:sg-trust-changes";

    fn record(id: &str, received: Value) -> Value {
        json!({"messageId": id, "receiptHandle": format!("handle-{id}"), "body": "{}", "eventSource": "aws:sqs", "eventSourceARN": QUEUE,
               "attributes": {"ApproximateReceiveCount": received}})
    }

    #[test]
    fn only_the_messages_that_were_named_come_back() {
        let event = json!({"Records": [record("a", json!("1")), record("b", json!("1"))]});
        let wanted = Redelivery {
            queue: QUEUE.to_owned(),
            receipt_handle: "handle-b".to_owned(),
            seconds: 60,
        };
        assert_eq!(of_messages(&event, &BTreeSet::from(["b", "c"])), [wanted]);
        assert!(of_messages(&event, &BTreeSet::new()).is_empty());
    }

    #[test]
    fn a_message_comes_back_after_a_minute_and_later_when_it_fails_again() {
        for (received, seconds) in [
            (json!("1"), 60),
            (json!("2"), 60),
            (json!("3"), 300),
            (json!("4"), 900),
            (json!("1000"), 900),
            (json!("0"), 60),
            (json!("-1"), 60),
            (json!(null), 60),
        ] {
            let event = json!({"Records": [record("a", received.clone())]});
            let messages = of_messages(&event, &BTreeSet::from(["a"]));
            assert_eq!(messages[0].seconds, seconds, "{received}");
        }
    }

    #[test]
    fn what_does_not_say_how_it_was_received_is_left_to_lambda() {
        for missing in ["messageId", "receiptHandle", "eventSourceARN"] {
            let mut record = record("a", json!("1"));
            record.as_object_mut().unwrap().remove(missing);
            let event = json!({"Records": [record]});
            assert!(
                of_messages(&event, &BTreeSet::from(["a"])).is_empty(),
                "{missing}"
            );
        }
        for event in [
            json!(null),
            json!([]),
            json!({"Records": 7}),
            json!({"Records": [7]}),
        ] {
            assert!(
                of_messages(&event, &BTreeSet::from(["a"])).is_empty(),
                "{event}"
            );
        }
    }
}
