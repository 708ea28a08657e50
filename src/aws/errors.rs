//! Why a call to AWS gave no result, by type.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_http::endpoint::ResolveEndpointError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// The reason that the SDK gives.
type Source = Box<dyn Error + Send + Sync>;

/// Why a call to AWS gave no result.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// AWS answered with an error.
    #[error("{message} ({code})")]
    Service {
        code: String,
        message: String,
        /// The HTTP status.
        status: u16,
    },
    /// Something else than AWS answered, such as a proxy.
    #[error("an answer with HTTP status {status} that is not AWS's")]
    Foreign { status: u16 },
    /// The answer cannot be read.
    #[error("an answer that cannot be read")]
    Unreadable {
        #[source]
        source: Source,
    },
    /// The answer can be read, and is not what AWS's API promises.
    #[error("{0}")]
    Unexpected(String),
    /// No answer came in time.
    #[error("no answer in time")]
    TimedOut,
    /// The request could not be sent, or the connection ended before the answer did.
    #[error("the connection failed")]
    Connection {
        #[source]
        source: Source,
    },
    /// There are no credentials, or they could not be loaded.
    #[error("no credentials")]
    Credentials {
        is_timeout: bool,
        #[source]
        source: Source,
    },
    /// The SDK knows no endpoint: there is no Region, or none with these settings.
    #[error("no endpoint")]
    Endpoint {
        #[source]
        source: Source,
    },
    /// The request could not be made.
    #[error("a request that cannot be made")]
    Request {
        #[source]
        source: Source,
    },
}

impl CallError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Service { code, status, .. } => {
                *status >= 500 || RETRYABLE.contains(&code.as_str())
            }
            Self::Foreign { .. }
            | Self::Unreadable { .. }
            | Self::Unexpected(_)
            | Self::TimedOut
            | Self::Connection { .. } => true,
            Self::Credentials { is_timeout, .. } => *is_timeout,
            Self::Endpoint { .. } | Self::Request { .. } => false,
        }
    }

    /// AWS's code for the error, where AWS answered.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Service { code, .. } => Some(code),
            _ => None,
        }
    }

    /// Whether no request was sent: nothing but another configuration helps.
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        matches!(
            self,
            Self::Credentials { .. } | Self::Endpoint { .. } | Self::Request { .. }
        )
    }
}

/// Codes by which AWS's services say that they may answer later. Status 500 and above says so as well.
const RETRYABLE: [&str; 22] = [
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "LimitExceededException",
    "BandwidthLimitExceeded",
    "SlowDown",
    "PriorRequestNotComplete",
    "TransactionInProgressException",
    "InternalError",
    "InternalException",
    "InternalFailure",
    "ServiceUnavailable",
    "Unavailable",
    "RequestTimeout",
    "RequestTimeoutException",
    "RequestExpired",
    // Lambda replaces credentials that have expired.
    "ExpiredToken",
    "ExpiredTokenException",
];

impl<E> From<SdkError<E, HttpResponse>> for CallError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    fn from(error: SdkError<E, HttpResponse>) -> Self {
        match error {
            SdkError::ServiceError(service) => {
                let status = service.raw().status().as_u16();
                let error = service.err();
                match error.code() {
                    Some(code) => Self::Service {
                        code: code.to_owned(),
                        message: error.message().unwrap_or("no message").to_owned(),
                        status,
                    },
                    None => Self::Foreign { status },
                }
            }
            SdkError::TimeoutError(_) => Self::TimedOut,
            SdkError::DispatchFailure(failure) if failure.is_timeout() => Self::TimedOut,
            SdkError::DispatchFailure(failure) => {
                // The SDK looks for credentials and the endpoint when it dispatches a request: that they are missing is
                // a dispatch failure like a broken connection, and only its causes tell.
                let cause = failure.as_connector_error().map(|error| error as _);
                let credentials = find::<CredentialsError>(cause);
                let is_endpoint = find::<ResolveEndpointError>(cause).is_some();
                let is_request = failure.is_user();
                let is_timeout = matches!(credentials, Some(CredentialsError::ProviderTimedOut(_)));
                let is_credentials = credentials.is_some();
                let source = source_of(SdkError::DispatchFailure::<E, HttpResponse>(failure));
                if is_credentials {
                    Self::Credentials { is_timeout, source }
                } else if is_endpoint {
                    Self::Endpoint { source }
                } else if is_request {
                    Self::Request { source }
                } else {
                    Self::Connection { source }
                }
            }
            SdkError::ConstructionFailure(_) => Self::Request {
                source: source_of(error),
            },
            // The enum may grow; what is not known is not known to be final.
            _ => Self::Unreadable {
                source: source_of(error),
            },
        }
    }
}

/// The cause that the SDK gives.
fn source_of<E>(error: SdkError<E, HttpResponse>) -> Source
where
    E: Error + Send + Sync + 'static,
{
    let source = error.into_source().unwrap_or_else(Into::into);
    // A connector error says no more than the variant that it becomes here.
    match source.downcast::<ConnectorError>() {
        Ok(connector) => connector.into_source(),
        Err(source) => source,
    }
}

/// The first of an error and its causes that is of a type.
fn find<'e, T: Error + 'static>(mut error: Option<&'e (dyn Error + 'static)>) -> Option<&'e T> {
    while let Some(current) = error {
        if let Some(found) = current.downcast_ref() {
            return Some(found);
        }
        error = current.source();
    }
    None
}

/// An error with all its causes on one line.
#[must_use]
pub fn describe(error: &(dyn Error + 'static)) -> String {
    let mut last = error.to_string();
    let mut line = last.clone();
    let mut cause = error.source();
    while let Some(current) = cause {
        let text = current.to_string();
        // Some errors repeat their cause.
        if !last.ends_with(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        last = text;
        cause = current.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use aws_config::SdkConfig;
    use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};

    use super::*;
    use crate::aws::Timeouts;
    use crate::aws::hub_client::HubClient;
    use crate::aws::testing::{config, config_of_connector};

    #[derive(Debug)]
    struct Without(fn() -> CredentialsError);

    impl ProvideCredentials for Without {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            future::ProvideCredentials::ready(Err((self.0)()))
        }
    }

    async fn error_of(config: &SdkConfig) -> CallError {
        let hub = HubClient::new(config);
        hub.describe_hub(Timeouts::EVENT).await.unwrap_err()
    }

    async fn error_without_credentials(error: fn() -> CredentialsError) -> CallError {
        let (config, requests) = config(|_, _| (200, "{}".to_owned()));
        let provider = SharedCredentialsProvider::new(Without(error));
        let config = config.to_builder().credentials_provider(provider).build();
        let error = error_of(&config).await;
        assert!(requests.lock().unwrap().is_empty());
        error
    }

    #[tokio::test]
    async fn missing_credentials_are_told_by_their_type() {
        let missing =
            error_without_credentials(|| CredentialsError::not_loaded("nothing set")).await;
        assert!(
            matches!(missing, CallError::Credentials { .. }),
            "{missing:?}"
        );
        assert!(!missing.is_retryable() && missing.is_configuration());
        insta::assert_snapshot!(describe(&missing), @"no credentials: the credential provider was not enabled: nothing set");
        let late = error_without_credentials(|| {
            CredentialsError::provider_timed_out(std::time::Duration::from_secs(1))
        })
        .await;
        assert!(late.is_retryable() && late.is_configuration(), "{late:?}");
    }

    #[tokio::test]
    async fn without_a_region_there_is_no_endpoint() {
        let (config, requests) = config(|_, _| (200, "{}".to_owned()));
        let config = config.to_builder().region(None).build();
        let error = error_of(&config).await;
        assert!(matches!(error, CallError::Endpoint { .. }), "{error:?}");
        assert!(!error.is_retryable() && error.is_configuration());
        assert!(requests.lock().unwrap().is_empty());
        insta::assert_snapshot!(describe(&error), @"no endpoint: Invalid Configuration: Missing Region");
    }

    /// The text of an error does not change its kind.
    #[tokio::test]
    async fn a_connection_fails_whatever_its_error_says() {
        type Fails = fn() -> ConnectorError;
        let io: Fails = || ConnectorError::io("reset by the credential proxy".into());
        let other: Fails = || ConnectorError::other("no credentials".into(), None);
        for fails in [io, other] {
            let (config, _) = config_of_connector(move |_, _| Err(fails()));
            let error = error_of(&config).await;
            assert!(matches!(error, CallError::Connection { .. }), "{error:?}");
            assert!(error.is_retryable() && !error.is_configuration());
        }
        let (config, requests) =
            config_of_connector(|_, _| Err(ConnectorError::timeout("slow".into())));
        let error = error_of(&config).await;
        assert!(matches!(error, CallError::TimedOut), "{error:?}");
        assert!(error.is_retryable());
        assert_eq!(requests.lock().unwrap().len(), 4);
    }

    #[tokio::test]
    async fn an_answer_is_told_by_code_and_status() {
        for (status, code, is_retryable) in [
            (400, "LimitExceededException", true),
            (400, "ExpiredTokenException", true),
            (400, "InvalidInputException", false),
            (403, "AccessDeniedException", false),
            (500, "Strange", true),
        ] {
            let body = format!(r#"{{"__type":"{code}"}}"#);
            let (config, _) = config(move |_, _| (status, body.clone()));
            let error = error_of(&config).await;
            assert_eq!(error.code(), Some(code), "{error:?}");
            assert_eq!(error.is_retryable(), is_retryable, "{error:?}");
            assert!(!error.is_configuration());
        }
    }

    #[tokio::test]
    async fn what_aws_did_not_answer_may_be_answered_later() {
        for (status, body) in [
            (403, "<html>forbidden</html>"),
            (200, "{"),
            (200, "{}"),
            (200, "[]"),
        ] {
            let (config, _) = config(move |_, _| (status, body.to_owned()));
            let error = error_of(&config).await;
            assert_eq!(error.code(), None, "{error:?}");
            assert!(error.is_retryable() && !error.is_configuration());
        }
    }

    #[derive(Debug, thiserror::Error)]
    #[error("outer: {0}")]
    struct Repeats(#[source] std::fmt::Error);

    #[test]
    fn causes_stand_on_one_line_each_once() {
        let source = Box::new(std::io::Error::other("the cable is out"));
        let error = CallError::Connection { source };
        assert_eq!(describe(&error), "the connection failed: the cable is out");
        let repeats = Repeats(std::fmt::Error);
        assert_eq!(describe(&repeats), repeats.to_string());
    }
}
