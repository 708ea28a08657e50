//! Canned answers in place of AWS, for tests of the edge: real requests, no network, no waiting.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_ec2::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

use super::client::ATTEMPTS;
use super::timeouts::Timeouts;
use crate::model::{AccountId, Partition, Region, Scope};

/// A request as it was sent.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) uri: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

/// The requests as they were sent.
pub(crate) type Requests = Arc<Mutex<Vec<Request>>>;

/// An answer: HTTP status, and body.
pub(crate) type Answer = (u16, String);

struct Canned<F> {
    requests: Requests,
    answer: F,
    /// The Date of every answer.
    date: Option<String>,
}

impl<F> fmt::Debug for Canned<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Canned")
    }
}

impl<F> HttpConnector for Canned<F>
where
    F: Fn(usize, &str) -> Result<Answer, ConnectorError> + Send + Sync,
{
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let body = String::from_utf8(request.body().bytes().unwrap().to_vec()).unwrap();
        let mut requests = self.requests.lock().unwrap();
        let answer = (self.answer)(requests.len(), &body);
        let headers = request.headers().iter();
        requests.push(Request {
            method: request.method().to_owned(),
            uri: request.uri().to_owned(),
            headers: headers
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            body,
        });
        HttpConnectorFuture::ready(answer.map(|(status, answer)| {
            let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(answer));
            if let Some(date) = &self.date {
                response.headers_mut().insert("date", date.clone());
            }
            response
        }))
    }
}

/// Never answers.
#[derive(Debug)]
struct Silent;

impl HttpConnector for Silent {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(std::future::pending())
    }
}

/// A configuration whose HTTP client answers by the number of the request and its body.
pub(crate) fn config(
    answer: impl Fn(usize, &str) -> Answer + Send + Sync + 'static,
) -> (SdkConfig, Requests) {
    config_of_connector(move |number, body| Ok(answer(number, body)))
}

/// The same for a connection that may fail.
pub(crate) fn config_of_connector(
    answer: impl Fn(usize, &str) -> Result<Answer, ConnectorError> + Send + Sync + 'static,
) -> (SdkConfig, Requests) {
    let requests = Requests::default();
    let canned = Canned {
        requests: Arc::clone(&requests),
        answer,
        date: None,
    };
    (config_with(canned), requests)
}

/// A configuration whose answers have this Date.
pub(crate) fn config_dated(
    date: Timestamp,
    answer: impl Fn(&str) -> Answer + Send + Sync + 'static,
) -> SdkConfig {
    let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&date);
    config_with(Canned {
        requests: Requests::default(),
        answer: move |_, body: &str| Ok(answer(body)),
        date: Some(date.unwrap()),
    })
}

/// A configuration whose HTTP client never answers.
pub(crate) fn silent_config() -> SdkConfig {
    config_with(Silent)
}

fn config_with(connector: impl HttpConnector + 'static) -> SdkConfig {
    let connector = SharedHttpConnector::new(connector);
    let credentials = Credentials::new("AKID", "secret", Some("token".to_owned()), None, "test");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(aws_config::Region::new("eu-west-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(ATTEMPTS)
                .with_initial_backoff(Duration::from_millis(1)),
        )
        .timeout_config(Timeouts::of_clients())
        .http_client(http_client_fn(move |_, _| connector.clone()))
        .build()
}

pub(crate) fn scope() -> Scope {
    Scope {
        partition: Partition::new("aws"),
        region: Region::new("eu-west-1"),
        account: AccountId::new("111111111111"),
    }
}
