//! The sweeps of member accounts, put on the queue that the function works off itself.
//!
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html>

use aws_config::SdkConfig;
use aws_smithy_runtime::client::orchestrator::endpoints::{
    StaticUriEndpointResolver, StaticUriEndpointResolverParams,
};
use aws_smithy_runtime_api::client::endpoint::SharedEndpointResolver;
use serde::Deserialize;
use serde_json::{Value, json};

use super::queue::{self, Failed, MOST, SERVICE};
use super::unmodelled::{Call, Client};
use super::{CallError, Timeouts};
use crate::model::AccountId;

const CALL: Call = Call {
    name: "SendMessageBatch",
    method: "POST",
    path: "/",
    target: Some("AmazonSQS.SendMessageBatch"),
    content_type: "application/x-amz-json-1.0",
};
/// How often messages are sent that SQS says it may take later.
const ATTEMPTS: usize = 3;

/// Whether a text is the ARN of a queue of SQS.
#[must_use]
pub fn is_queue_arn(text: &str) -> bool {
    text.starts_with("arn:") && queue::url("", text).is_some()
}

/// Why sweeps were not put on the queue.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotSent {
    #[error("{0:?} is not the ARN of a queue")]
    NoQueue(String),
    #[error("sqs SendMessageBatch")]
    Call(#[from] CallError),
    #[error("sqs SendMessageBatch: {} accounts refused, the first {account}: {why}", .count)]
    Refused {
        count: usize,
        account: AccountId,
        why: Failed,
    },
}

impl NotSent {
    pub(super) fn is_retryable(&self) -> bool {
        match self {
            Self::NoQueue(_) => false,
            Self::Call(error) => error.is_retryable(),
            Self::Refused { why, .. } => !why.is_senders(),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Sent {
    /// What the answer does not name was not taken.
    #[serde(default)]
    successful: Vec<Taken>,
    #[serde(default)]
    failed: Vec<NotTaken>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Taken {
    id: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NotTaken {
    id: String,
    #[serde(flatten)]
    why: Failed,
}

/// Puts the sweep of each account on the queue. A sweep that is put there twice does no harm, so after an error all may be
/// sent again.
pub(super) async fn send_sweeps(
    config: &SdkConfig,
    queue: &str,
    accounts: &[AccountId],
    timeouts: Timeouts,
) -> Result<(), NotSent> {
    let endpoint = queue::endpoint(config).await?;
    let url = queue::url(&endpoint, queue).ok_or_else(|| NotSent::NoQueue(queue.to_owned()))?;
    let resolver = SharedEndpointResolver::new(StaticUriEndpointResolver::uri(&endpoint));
    let client = Client::new(SERVICE, resolver, config);
    for some in accounts.chunks(MOST) {
        send_some(&client, &url, some, timeouts).await?;
    }
    Ok(())
}

async fn send_some(
    client: &Client,
    url: &str,
    accounts: &[AccountId],
    timeouts: Timeouts,
) -> Result<(), NotSent> {
    let mut left: Vec<&AccountId> = accounts.iter().collect();
    let mut attempt = 0;
    loop {
        attempt += 1;
        // An account is its message's id.
        let entries: Vec<_> = left.iter().map(|account| entry(account)).collect();
        let request = json!({"QueueUrl": url, "Entries": entries}).to_string();
        let params = StaticUriEndpointResolverParams::new().into();
        let sent: Sent = client
            .call(CALL, params, request.into_bytes(), timeouts)
            .await?;
        left.retain(|account| {
            !sent
                .successful
                .iter()
                .any(|taken| taken.id == account.as_str())
        });
        let Some(first) = left.first() else {
            return Ok(());
        };
        let why = sent
            .failed
            .into_iter()
            .find(|failed| failed.id == first.as_str());
        let error = NotSent::Refused {
            count: left.len(),
            account: (*first).clone(),
            why: why.map(|failed| failed.why).unwrap_or_default(),
        };
        if attempt == ATTEMPTS || !error.is_retryable() {
            return Err(error);
        }
    }
}

fn entry(account: &AccountId) -> Value {
    let body = json!({"action": "sweep", "account": account}).to_string();
    json!({"Id": account, "MessageBody": body})
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::aws::describe;
    use crate::aws::testing::{Answer, Requests, config};
    use crate::event::{self, Action};

    const QUEUE: &str = "arn:aws:sqs:eu-west-1:111111111111:work";

    fn accounts(count: usize) -> Vec<AccountId> {
        (0..count)
            .map(|number| AccountId::new(format!("2222222222{number:02}")))
            .collect()
    }

    fn ids(request: &Value) -> Vec<String> {
        let entries = request["Entries"].as_array().unwrap();
        entries
            .iter()
            .map(|entry| entry["Id"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Sends to a queue that takes what it is told to.
    async fn send(
        count: usize,
        answer: impl Fn(usize, Vec<String>) -> Answer + Send + Sync + 'static,
    ) -> (Result<(), NotSent>, Requests) {
        let (config, requests) =
            config(move |number, body| answer(number, ids(&serde_json::from_str(body).unwrap())));
        let result = send_sweeps(&config, QUEUE, &accounts(count), Timeouts::EVENT).await;
        (result, requests)
    }

    fn taken(ids: &[String], failed: &[(&str, bool)]) -> Answer {
        let successful: Vec<_> = ids
            .iter()
            .map(|id| json!({"Id": id, "MessageId": "m"}))
            .collect();
        let failed: Vec<_> = failed
            .iter()
            .map(|(id, is_senders)| json!({"Id": id, "Code": "Because", "Message": "no", "SenderFault": is_senders}))
            .collect();
        (
            200,
            json!({"Successful": successful, "Failed": failed}).to_string(),
        )
    }

    #[tokio::test]
    async fn every_account_is_sent_once_ten_in_a_call() {
        let (result, requests) = send(23, |_, ids| taken(&ids, &[])).await;
        result.unwrap();
        let requests = requests.lock().unwrap();
        assert_eq!(requests.len(), 3);
        let mut sent = BTreeSet::new();
        for request in requests.iter() {
            let request: Value = serde_json::from_str(&request.body).unwrap();
            assert_eq!(
                request["QueueUrl"],
                "https://sqs.eu-west-1.amazonaws.com/111111111111/work"
            );
            for entry in request["Entries"].as_array().unwrap() {
                let body = entry["MessageBody"].as_str().unwrap();
                let batch = event::read(&serde_json::from_str(body).unwrap());
                let [trigger] = batch.triggers().collect::<Vec<_>>().try_into().unwrap();
                assert_eq!(trigger.action, Action::Sweep(None));
                assert!(sent.insert(trigger.account.clone().unwrap()));
            }
        }
        assert_eq!(sent, accounts(23).into_iter().collect());
    }

    #[tokio::test]
    async fn what_may_be_taken_later_is_sent_again_alone() {
        let (result, requests) = send(3, |number, ids| match number {
            0 => taken(&ids[..1], &[("222222222201", false)]),
            _ => taken(&ids, &[]),
        })
        .await;
        result.unwrap();
        let requests = requests.lock().unwrap();
        let again: Value = serde_json::from_str(&requests[1].body).unwrap();
        // What the answer did not account for is sent again too.
        assert_eq!(ids(&again), ["222222222201", "222222222202"]);
    }

    #[tokio::test]
    async fn what_is_not_taken_is_an_error() {
        let (result, requests) =
            send(2, |_, ids| taken(&ids[..1], &[("222222222201", true)])).await;
        let error = result.unwrap_err();
        assert!(!error.is_retryable());
        insta::assert_snapshot!(describe(&error), @"sqs SendMessageBatch: 1 accounts refused, the first 222222222201: no (Because)");
        assert_eq!(requests.lock().unwrap().len(), 1);
        let (result, requests) = send(1, |_, _| taken(&[], &[("222222222200", false)])).await;
        assert!(result.unwrap_err().is_retryable());
        assert_eq!(requests.lock().unwrap().len(), ATTEMPTS);
        let (result, _) = send(1, |_, _| {
            (
                403,
                r#"{"__type":"AccessDenied","message":"no"}"#.to_owned(),
            )
        })
        .await;
        assert!(!result.unwrap_err().is_retryable());
    }
}
