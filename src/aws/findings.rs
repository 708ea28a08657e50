//! GetFindings, read by ourselves.
//!
//! The SDK's reader of an AwsSecurityFinding is a quarter of the whole function: five megabytes of code for thousands of
//! members, of which the product needs eight, and frames so deep that a usual stack overflows. So the SDK makes the call
//! (endpoint, signature, retries, time-outs, errors), and its answer is read here. The SDK has no call without a reader;
//! the one with the smallest is DescribeHub, which becomes GetFindings before it is sent.
//!
//! <https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_GetFindings.html>

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_securityhub::Client;
use aws_sdk_securityhub::config::interceptors::{
    AfterDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextMut,
};
use aws_sdk_securityhub::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_securityhub::error::BoxError;
use aws_smithy_types::body::SdkBody;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Failure, Patience};

/// A page of findings, whoever's they are.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Page {
    /// An answer that does not tell its findings, if only that there are none, is no answer.
    pub(super) findings: Vec<ReadFinding>,
    pub(super) next_token: Option<String>,
}

/// What the product needs of a finding that stands.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct ReadFinding {
    pub(super) id: Option<String>,
    pub(super) product_arn: Option<String>,
    pub(super) generator_id: Option<String>,
    pub(super) aws_account_id: Option<String>,
    pub(super) record_state: Option<String>,
    pub(super) updated_at: Option<String>,
    pub(super) compliance: Option<ReadCompliance>,
    pub(super) product_fields: Option<HashMap<String, String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct ReadCompliance {
    pub(super) status: Option<String>,
}

/// One page of the findings that the filters let through.
pub(super) async fn get(
    client: &Client,
    filters: &Value,
    most: u32,
    after: Option<String>,
    patience: Patience,
) -> Result<Page, Failure> {
    let mut request = json!({"Filters": filters, "MaxResults": most});
    if let (Some(token), Some(members)) = (after, request.as_object_mut()) {
        members.insert("NextToken".to_owned(), token.into());
    }
    let page = Arc::new(Mutex::new(None));
    let call = client
        .describe_hub()
        .customize()
        .interceptor(GetFindings {
            request: request.to_string(),
            page: Arc::clone(&page),
        })
        .config_override(
            aws_sdk_securityhub::config::Builder::new().timeout_config(patience.timeouts()),
        );
    call.send().await.map_err(Failure::of)?;
    let page = page.lock().unwrap_or_else(PoisonError::into_inner).take();
    page.ok_or_else(|| Failure::NoAnswer("no answer was read".to_owned()))
}

/// Makes a call GetFindings, and reads its answer.
#[derive(Debug)]
struct GetFindings {
    request: String,
    page: Arc<Mutex<Option<Page>>>,
}

impl Intercept for GetFindings {
    fn name(&self) -> &'static str {
        "GetFindings"
    }

    fn modify_before_retry_loop(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        request.set_method("POST")?;
        request.set_uri("/findings")?;
        let headers = request.headers_mut();
        headers.insert("content-type", "application/json");
        headers.insert("content-length", self.request.len().to_string());
        *request.body_mut() = SdkBody::from(self.request.as_str());
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
            let page = serde_json::from_slice(body)
                .map_err(|error| format!("an answer of {} bytes: {error}", body.len()))?;
            *self.page.lock().unwrap_or_else(PoisonError::into_inner) = Some(page);
        }
        Ok(())
    }
}
