//! Calls of Security Hub whose request and answer are JSON that this crate writes and reads itself.
//!
//! The SDK's code for an AwsSecurityFinding is half of the whole function: thousands of members, of which the product
//! has forty, and readers with frames so deep that a usual stack overflows. So the SDK makes the call (endpoint,
//! signature, retries, time-outs, errors), what is sent is the finding as it was rendered and checked, and the answer
//! is read here. The SDK has no call without types; the one with the smallest is DescribeHub, which becomes the call
//! that is meant before it is sent.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use aws_sdk_securityhub::Client;
use aws_sdk_securityhub::config::interceptors::{
    AfterDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextMut,
};
use aws_sdk_securityhub::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_securityhub::error::BoxError;
use aws_smithy_types::body::SdkBody;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{CallError, Timeouts};

/// A call, by its name and the path that it is posted to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    pub(super) name: &'static str,
    pub(super) path: &'static str,
}

impl Call {
    /// Makes the call, and reads its answer.
    pub(super) async fn make<A>(
        self,
        client: &Client,
        request: &impl Serialize,
        patience: Timeouts,
    ) -> Result<A, CallError>
    where
        A: DeserializeOwned + std::fmt::Debug + Send + Sync + 'static,
    {
        let request = serde_json::to_vec(request).map_err(|error| CallError::Request {
            source: error.into(),
        })?;
        let answer = Arc::new(Mutex::new(None));
        let mut call = client
            .describe_hub()
            .customize()
            .interceptor(RewriteOperation {
                call: self,
                request,
                answer: Arc::clone(&answer),
            });
        if let Some(timeouts) = patience.override_at(Instant::now()) {
            call = call.config_override(
                aws_sdk_securityhub::config::Builder::new().timeout_config(timeouts),
            );
        }
        call.send().await?;
        let answer = answer.lock().unwrap_or_else(PoisonError::into_inner).take();
        answer.ok_or_else(|| CallError::Unexpected("no answer was read".to_owned()))
    }
}

/// Makes a call the one that is meant, and reads its answer.
#[derive(Debug)]
struct RewriteOperation<A> {
    call: Call,
    request: Vec<u8>,
    answer: Arc<Mutex<Option<A>>>,
}

impl<A: DeserializeOwned + std::fmt::Debug + Send + Sync> Intercept for RewriteOperation<A> {
    fn name(&self) -> &'static str {
        self.call.name
    }

    fn modify_before_retry_loop(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        request.set_method("POST")?;
        request.set_uri(self.call.path)?;
        let headers = request.headers_mut();
        headers.insert("content-type", "application/json");
        headers.insert("content-length", self.request.len().to_string());
        *request.body_mut() = SdkBody::from(self.request.as_slice());
        Ok(())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // What is an error already stays the one that it is.
        if context.output_or_error().is_ok() {
            let body = context.response().body().bytes().unwrap_or_default();
            let answer = serde_json::from_slice(body)
                .map_err(|error| format!("an answer of {} bytes: {error}", body.len()))?;
            *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::aws::testing::config;

    const CALL: Call = Call {
        name: "GetFindings",
        path: "/findings",
    };

    #[tokio::test]
    async fn a_call_is_signed_and_sent_as_json() {
        let (config, requests) = config(|_, _| (200, r#"{"Findings":[]}"#.to_owned()));
        let client = Client::new(&config);
        let request = json!({"MaxResults": 1});
        let answer: Value = CALL.make(&client, &request, Timeouts::EVENT).await.unwrap();
        assert_eq!(answer, json!({"Findings": []}));
        let sent = requests.lock().unwrap().remove(0);
        assert_eq!(sent.method, "POST");
        assert_eq!(
            sent.uri,
            "https://securityhub.eu-west-1.amazonaws.com/findings"
        );
        assert_eq!(sent.body, r#"{"MaxResults":1}"#);
        let header = |name: &str| sent.headers.get(name).map(String::as_str);
        assert_eq!(header("content-type"), Some("application/json"));
        assert_eq!(header("content-length"), Some("16"));
        assert_eq!(header("x-amz-security-token"), Some("token"));
        let authorization = header("authorization").unwrap();
        assert!(
            authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKID/")
                && authorization.contains("/eu-west-1/securityhub/aws4_request, SignedHeaders=")
                && ["content-type", "host", "x-amz-date", "x-amz-security-token"]
                    .iter()
                    .all(|name| authorization.contains(name)),
            "{authorization}"
        );
        assert!(header("user-agent").is_some_and(|agent| agent.contains("aws-sdk-rust")));
        assert_eq!(header("amz-sdk-request"), Some("attempt=1; max=4"));
        assert!(header("amz-sdk-invocation-id").is_some());
    }
}
