//! What Lambda is answered, and the errors it is told.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_lambda_events::event::sqs::SqsBatchResponse;
use lambda_runtime::Diagnostic;
use serde::Serialize;

use crate::aws::{AccountError, describe};
use crate::engine::{EngineError, Outcome, RunResult};
use crate::event::Shape;
use crate::text::{escape, truncate};

/// Longest text of an answer or of a line of the log: whoever sends an event chooses what some of them say, and neither
/// Lambda nor CloudWatch takes any length.
pub(super) const TEXT: usize = 16_384;
/// The error type of what may pass when it is tried again.
const RETRYABLE: &str = "Retryable";

/// The answer to Lambda.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// The counts for the function's answer.
    Outcome(Outcome),
    /// The messages of SQS that failed: the others are done.
    Messages(SqsBatchResponse),
}

/// An invocation, or a message of it, that did not come to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum HandlerError {
    #[error("{0}")]
    Engine(Arc<EngineError>),
    #[error("{0:?} is not the ARN of a function: it does not tell account and Region")]
    NoFunction(String),
    #[error("the function does not know its account and Region: {}", describe(.0))]
    Scope(#[from] AccountError),
}

impl HandlerError {
    /// Whether it is worth trying again.
    pub(super) fn is_retryable(&self) -> bool {
        match self {
            Self::Engine(error) => error.is_retryable(),
            Self::NoFunction(_) => false,
            Self::Scope(error) => error.is_retryable(),
        }
    }

    pub(super) fn error_type(&self) -> &'static str {
        if self.is_retryable() {
            RETRYABLE
        } else {
            "NonRetryable"
        }
    }
}

impl From<HandlerError> for Diagnostic {
    fn from(error: HandlerError) -> Self {
        Self {
            error_type: error.error_type().to_owned(),
            error_message: shown(&error.to_string(), TEXT),
        }
    }
}

/// The answer to Lambda, which depends on what the events came in.
pub(super) fn answer(mut run: RunResult) -> Result<Answer, HandlerError> {
    run.outcome.ignored = run.outcome.ignored.map(|why| shown(&why, TEXT));
    let ids: Option<BTreeSet<_>> = run
        .failures
        .iter()
        .map(|failed| failed.sqs_id.clone())
        .collect();
    match (run.shape, ids) {
        (Shape::Sqs, Some(ids)) => {
            let mut response = SqsBatchResponse::default();
            ids.into_iter().for_each(|id| response.add_failure(id));
            Ok(Answer::Messages(response))
        }
        // A message of SQS that has no id cannot be named: the whole batch has to come again.
        _ => run
            .result()
            .map(Answer::Outcome)
            .map_err(HandlerError::Engine),
    }
}

/// A text that others chose, on one line and no longer than that.
pub(super) fn shown(text: &str, most: usize) -> String {
    truncate(&escape(text), most).into_owned()
}
