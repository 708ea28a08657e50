//! Why a document cannot be read as an event.

use serde_json::Value;

use super::member::{WrongMember, quote};
use crate::text::truncate;

/// Most of a document's members that a message names.
const NAMED_MEMBERS: usize = 8;
/// Longest quotation of a text in a message, in UTF-16 code units.
const QUOTED: usize = 80;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TriggerError {
    /// The document has none of the known shapes; the text says what was found instead.
    #[error(
        "no known shape of an event: found {0}; expected an EventBridge event (source, detail-type, detail), a \
         CloudTrail record (eventSource, eventName), a message of AWS Config (messageType), {{\"action\":\"sweep\"}}, \
         {{\"action\":\"evaluate\",\"group_ids\":[\"sg-…\"]}}, or such documents in SQS or SNS records, in a list, or \
         in a failure record of Lambda"
    )]
    UnknownShape(String),
    /// The document is known, and is no event of the function; the text says what it is and what to do.
    #[error("not an event but {0}")]
    NotAnEvent(&'static str),
    #[error("not a well-formed EventBridge event: {0}")]
    EventBridge(WrongMember),
    #[error("not a well-formed CloudTrail record: {0}")]
    CloudTrail(WrongMember),
    #[error("not a well-formed message of AWS Config: {0}")]
    Config(WrongMember),
    #[error("not a well-formed record: {0}")]
    Envelope(WrongMember),
    #[error("there is no event in {0}")]
    Empty(&'static str),
    #[error("not a well-formed action: {0}")]
    Direct(String),
    /// A string that should hold JSON.
    #[error("{member} is not JSON: {reason}")]
    NotJson {
        member: &'static str,
        reason: String,
    },
    /// Services nest at most a notification in a queue's message in a failure record in a queue's message.
    #[error("more than {0} envelopes within one another")]
    TooDeep(usize),
}

impl TriggerError {
    pub(super) fn unknown_shape(document: &Value) -> Self {
        Self::UnknownShape(match document {
            Value::Object(members) if members.is_empty() => "an empty object".to_owned(),
            Value::Object(members) => {
                let mut names: Vec<_> = members
                    .keys()
                    .take(NAMED_MEMBERS)
                    .map(|name| format!("{:?}", truncate(name, QUOTED)))
                    .collect();
                if members.len() > NAMED_MEMBERS {
                    names.push("…".to_owned());
                }
                format!("an object with {}", names.join(", "))
            }
            Value::Array(_) => "a list".to_owned(),
            other => quote(other),
        })
    }

    pub(super) fn not_json(member: &'static str, text: &str, error: &serde_json::Error) -> Self {
        let quoted = format!("{:?}", truncate(text, QUOTED));
        let looks_like_json = text.trim_start().starts_with(['{', '[']);
        let reason = if text.trim().is_empty() {
            "it is empty".to_owned()
        } else if !looks_like_json {
            format!("it is {quoted}")
        } else if error.is_eof() {
            format!("it is cut off after {} bytes ({quoted})", text.len())
        } else {
            let (line, column) = (error.line(), error.column());
            format!("wrong at line {line}, column {column} of {quoted}")
        };
        Self::NotJson { member, reason }
    }
}
