//! The one call of SQS that the function makes itself: when messages that failed come back.
//!
//! Lambda's own poller leaves them hidden for the queue's visibility timeout, which is half an hour and more.
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibilityBatch.html>

use std::fmt;

use aws_config::SdkConfig;
use aws_sdk_securityhub::config::endpoint::{DefaultResolver, ResolveEndpoint as _};
use aws_smithy_runtime::client::orchestrator::endpoints::{
    StaticUriEndpointResolver, StaticUriEndpointResolverParams,
};
use aws_smithy_runtime_api::client::endpoint::SharedEndpointResolver;
use serde::Deserialize;
use serde_json::json;

use super::hub_client::endpoint_of_region;
use super::unmodelled::{Call, Client, Service, named_endpoint};
use super::{CallError, Timeouts};

pub(super) const SERVICE: Service = Service {
    id: "SQS",
    name: "sqs",
    // There is no client of SQS here: its user agent tells the version of this program.
    version: env!("CARGO_PKG_VERSION"),
};
const CALL: Call = Call {
    name: "ChangeMessageVisibilityBatch",
    method: "POST",
    path: "/",
    target: Some("AmazonSQS.ChangeMessageVisibilityBatch"),
    content_type: "application/x-amz-json-1.0",
};
/// Messages of one call: the most.
pub(super) const MOST: usize = 10;

/// A message that comes back to its queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redelivery {
    /// The queue's ARN.
    pub queue: String,
    pub receipt_handle: String,
    /// How long the message stays hidden from now on.
    pub seconds: u32,
}

/// Why messages do not come back before the queue's visibility timeout.
#[derive(Debug, thiserror::Error)]
pub enum NotDelayed {
    #[error("{0:?} is not the ARN of a queue")]
    NoQueue(String),
    #[error("sqs ChangeMessageVisibility")]
    Call(#[from] CallError),
    #[error("sqs ChangeMessageVisibility: {count} messages refused: {first}")]
    Refused { count: usize, first: String },
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Changed {
    failed: Option<Vec<Failed>>,
}

/// Why SQS did not take a message of a call.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Failed {
    code: Option<String>,
    message: Option<String>,
    sender_fault: bool,
}

impl Failed {
    /// Whether it is of no use to send the message again.
    pub(super) fn is_senders(&self) -> bool {
        self.sender_fault
    }
}

/// Hides messages for the given times. What fails does not cost the others; all that failed is returned.
pub(super) async fn delay(
    config: &SdkConfig,
    messages: &[Redelivery],
    timeouts: Timeouts,
) -> Vec<NotDelayed> {
    let endpoint = match endpoint(config).await {
        Ok(endpoint) => endpoint,
        Err(error) => return vec![error.into()],
    };
    let resolver = SharedEndpointResolver::new(StaticUriEndpointResolver::uri(&endpoint));
    let client = Client::new(SERVICE, resolver, config);
    let mut failed = Vec::new();
    for of_queue in messages.chunk_by(|one, other| one.queue == other.queue) {
        for some in of_queue.chunks(MOST) {
            failed.extend(delay_some(&client, &endpoint, some, timeouts).await.err());
        }
    }
    failed
}

async fn delay_some(
    client: &Client,
    endpoint: &str,
    messages: &[Redelivery],
    timeouts: Timeouts,
) -> Result<(), NotDelayed> {
    let Some(first) = messages.first() else {
        return Ok(());
    };
    let url =
        url(endpoint, &first.queue).ok_or_else(|| NotDelayed::NoQueue(first.queue.clone()))?;
    let entries: Vec<_> = messages
        .iter()
        .enumerate()
        .map(|(number, message)| {
            json!({"Id": number.to_string(), "ReceiptHandle": message.receipt_handle, "VisibilityTimeout": message.seconds})
        })
        .collect();
    let request = json!({"QueueUrl": url, "Entries": entries}).to_string();
    let params = StaticUriEndpointResolverParams::new().into();
    let changed: Changed = client
        .call(CALL, params, request.into_bytes(), timeouts)
        .await?;
    let failed = changed.failed.unwrap_or_default();
    match failed.first() {
        None => Ok(()),
        Some(first) => Err(NotDelayed::Refused {
            count: failed.len(),
            first: first.to_string(),
        }),
    }
}

/// The address of a queue by its ARN, `arn:<partition>:sqs:<region>:<account>:<name>`.
pub(super) fn url(endpoint: &str, arn: &str) -> Option<String> {
    let mut parts = arn.split(':').skip(2);
    parts.next().filter(|service| *service == "sqs")?;
    let (account, name) = (parts.nth(1)?, parts.next()?);
    let is_whole = !account.is_empty() && !name.is_empty() && parts.next().is_none();
    is_whole.then(|| format!("{}/{account}/{name}", endpoint.trim_end_matches('/')))
}

/// The address of SQS: the one that the environment or the profile names, else by the rules that both services share,
/// Security Hub's with the other name. One rule differs: GovCloud's usual endpoints of SQS are FIPS endpoints.
/// <https://docs.aws.amazon.com/general/latest/gr/sqs-service.html>
pub(super) async fn endpoint(config: &SdkConfig) -> Result<String, CallError> {
    if let Some(named) = named_endpoint(SERVICE, config) {
        return Ok(named);
    }
    let params = endpoint_of_region(config).build();
    let params = params.map_err(|error| CallError::Endpoint {
        source: error.into(),
    })?;
    let of_hub = DefaultResolver::new().resolve_endpoint(&params).await;
    let of_hub = of_hub.map_err(|source| CallError::Endpoint { source })?;
    let url = of_hub.url().replacen("securityhub", SERVICE.name, 1);
    let is_govcloud = config
        .region()
        .is_some_and(|region| region.as_ref().starts_with("us-gov-"));
    Ok(if is_govcloud && !url.ends_with(".api.aws") {
        url.replacen("sqs-fips", "sqs", 1)
    } else {
        url
    })
}

impl fmt::Display for Failed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.code.as_deref().unwrap_or("no code");
        let message = self.message.as_deref().unwrap_or("no message");
        write!(formatter, "{message} ({code})")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::aws::describe;
    use crate::aws::testing::config;

    const ARN: &str = "arn:aws:sqs:eu-west-1:111111111111:sg-trust-changes";

    fn messages(count: u32, queue: &str) -> Vec<Redelivery> {
        let message = |number| Redelivery {
            queue: queue.to_owned(),
            receipt_handle: format!("handle-{number}"),
            seconds: 60 + number,
        };
        (0..count).map(message).collect()
    }

    #[tokio::test]
    async fn ten_messages_of_one_queue_are_one_call() {
        let (config, requests) =
            config(|_, _| (200, r#"{"Successful":[],"Failed":[]}"#.to_owned()));
        let mut all = messages(11, ARN);
        all.extend(messages(1, &format!("{ARN}-2")));
        assert!(delay(&config, &all, Timeouts::EVENT).await.is_empty());
        let requests = requests.lock().unwrap();
        let sent: Vec<(Value, String)> = requests
            .iter()
            .map(|sent| {
                assert_eq!(sent.uri, "https://sqs.eu-west-1.amazonaws.com/");
                assert_eq!(
                    sent.headers["x-amz-target"],
                    "AmazonSQS.ChangeMessageVisibilityBatch"
                );
                assert_eq!(sent.headers["content-type"], "application/x-amz-json-1.0");
                assert!(sent.headers["authorization"].contains("/eu-west-1/sqs/aws4_request"));
                let body: Value = serde_json::from_str(&sent.body).unwrap();
                (
                    body["Entries"].clone(),
                    body["QueueUrl"].as_str().unwrap().to_owned(),
                )
            })
            .collect();
        let url = "https://sqs.eu-west-1.amazonaws.com/111111111111/sg-trust-changes";
        let counts: Vec<_> = sent
            .iter()
            .map(|(entries, url)| (entries.as_array().unwrap().len(), url.as_str()))
            .collect();
        assert_eq!(
            counts,
            [(10, url), (1, url), (1, format!("{url}-2").as_str())]
        );
        assert_eq!(
            sent[1].0[0],
            json!({"Id": "0", "ReceiptHandle": "handle-10", "VisibilityTimeout": 70})
        );
    }

    #[tokio::test]
    async fn what_fails_is_told_and_does_not_cost_the_others() {
        let (config, requests) = config(|number, _| {
            match number {
            0 => (400, r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"gone"}"#.to_owned()),
            _ => (200, r#"{"Failed":[{"Id":"0","Code":"ReceiptHandleIsInvalid","Message":"old","SenderFault":true}]}"#.to_owned()),
        }
        });
        let failed = delay(&config, &messages(12, ARN), Timeouts::EVENT).await;
        let said: Vec<_> = failed.iter().map(|error| describe(error)).collect();
        assert_eq!(
            said,
            [
                "sqs ChangeMessageVisibility: gone (QueueDoesNotExist)",
                "sqs ChangeMessageVisibility: 1 messages refused: old (ReceiptHandleIsInvalid)"
            ]
        );
        assert_eq!(requests.lock().unwrap().len(), 2);
    }

    #[tokio::test]
    async fn what_is_no_queue_is_not_called() {
        let (config, requests) = config(|_, _| (200, "{}".to_owned()));
        for arn in [
            "",
            "arn:aws:sqs:eu-west-1:1",
            "arn:aws:kinesis:eu-west-1:111111111111:stream",
            "arn:aws:sqs:eu-west-1::a",
            "arn:aws:sqs:r:1:a:b",
        ] {
            let failed = delay(&config, &messages(1, arn), Timeouts::EVENT).await;
            assert!(
                matches!(failed.as_slice(), [NotDelayed::NoQueue(_)]),
                "{arn}: {failed:?}"
            );
        }
        assert!(requests.lock().unwrap().is_empty());
    }

    /// The measure is the rule set of SQS's own endpoints.
    #[tokio::test]
    async fn the_endpoint_is_that_of_partition_fips_and_dual_stack() {
        for (region, fips, dual_stack, host) in [
            ("us-east-1", false, false, "sqs.us-east-1.amazonaws.com"),
            (
                "cn-north-1",
                false,
                false,
                "sqs.cn-north-1.amazonaws.com.cn",
            ),
            (
                "us-iso-east-1",
                false,
                false,
                "sqs.us-iso-east-1.c2s.ic.gov",
            ),
            ("us-east-1", true, false, "sqs-fips.us-east-1.amazonaws.com"),
            ("eu-west-1", false, true, "sqs.eu-west-1.api.aws"),
            ("us-east-1", true, true, "sqs-fips.us-east-1.api.aws"),
            (
                "us-gov-west-1",
                true,
                false,
                "sqs.us-gov-west-1.amazonaws.com",
            ),
            (
                "us-gov-west-1",
                true,
                true,
                "sqs-fips.us-gov-west-1.api.aws",
            ),
        ] {
            let (config, _) = config(|_, _| (200, "{}".to_owned()));
            let config = config
                .into_builder()
                .region(aws_config::Region::new(region))
                .use_fips(fips)
                .use_dual_stack(dual_stack)
                .build();
            assert_eq!(endpoint(&config).await.unwrap(), format!("https://{host}"));
            let config = config
                .into_builder()
                .endpoint_url("http://localhost:1")
                .build();
            assert_eq!(endpoint(&config).await.unwrap(), "http://localhost:1");
        }
    }
}
