//! Canned answers in place of AWS, for tests of the edge: real requests, no network, no waiting.

use std::fmt;
use std::sync::{Arc, Mutex};

use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_ec2::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;

use crate::model::Scope;
use crate::model::{AccountId, Partition, Region};

/// Requests as they were sent: path and body.
pub(crate) type Requests = Arc<Mutex<Vec<(String, String)>>>;

/// An answer: HTTP status, and body.
pub(crate) type Answer = (u16, String);

struct Canned<F> {
    requests: Requests,
    answer: F,
}

impl<F> fmt::Debug for Canned<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Canned")
    }
}

impl<F: Fn(usize, &str) -> Answer + Send + Sync> HttpConnector for Canned<F> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let body = String::from_utf8(request.body().bytes().unwrap_or_default().to_vec()).unwrap();
        let mut requests = self.requests.lock().unwrap();
        let (status, answer) = (self.answer)(requests.len(), &body);
        requests.push((request.uri().to_owned(), body));
        HttpConnectorFuture::ready(Ok(HttpResponse::new(
            status.try_into().unwrap(),
            SdkBody::from(answer),
        )))
    }
}

/// A configuration whose HTTP client answers by the number of the request and its body.
pub(crate) fn config(
    answer: impl Fn(usize, &str) -> Answer + Send + Sync + 'static,
) -> (SdkConfig, Requests) {
    let requests = Requests::default();
    let connector = SharedHttpConnector::new(Canned {
        requests: Arc::clone(&requests),
        answer,
    });
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(aws_config::Region::new("eu-west-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            "AKID", "secret", None, None, "test",
        )))
        .retry_config(
            aws_config::retry::RetryConfig::standard()
                .with_max_attempts(super::ATTEMPTS)
                .with_initial_backoff(std::time::Duration::from_millis(1)),
        )
        .http_client(http_client_fn(move |_, _| connector.clone()))
        .build();
    (config, requests)
}

pub(crate) fn scope() -> Scope {
    Scope {
        partition: Partition::new("aws"),
        region: Region::new("eu-west-1"),
        account: AccountId::new("111111111111"),
    }
}
