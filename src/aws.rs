//! EC2 and Security Hub: the only place that knows the AWS SDK.
//!
//! Clients are made once and share one HTTP client. TLS is rustls with *ring*: with aws-lc it would gather entropy for
//! 45 ms and more at every cold start. Retries are the SDK's standard ones; every operation ends, at the latest when the
//! invocation does.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::{
    HttpConnectorSettings, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::model::Region;

pub mod caller;
mod calls;
pub mod ec2;
mod findings;
pub mod probe;
pub mod securityhub;
#[cfg(test)]
mod testing;

/// Attempts of one operation, the first included.
const ATTEMPTS: u32 = 4;
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(2);

/// How long the calls of one run may take: EC2's and Security Hub's own answers take far less.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    attempt: Duration,
    operation: Duration,
    until: Option<Instant>,
}

impl Timeouts {
    /// For the few calls of one event.
    pub const EVENT: Self = Self {
        attempt: Duration::from_secs(3),
        operation: Duration::from_secs(8),
        until: None,
    };
    /// For the many large calls of a sweep.
    pub const SWEEP: Self = Self {
        attempt: Duration::from_secs(20),
        operation: Duration::from_secs(60),
        until: None,
    };

    /// The same, but no longer than until then.
    #[must_use]
    pub fn until(self, until: Option<Instant>) -> Self {
        Self { until, ..self }
    }

    /// The time-outs of a call that starts now, where they are not those that every client has.
    fn other_timeouts(self) -> Option<TimeoutConfig> {
        let left = self.until.map_or(self.operation, |until| {
            until.saturating_duration_since(Instant::now())
        });
        // A time-out of nothing at all would be none.
        let operation = left.clamp(Duration::from_millis(1), self.operation);
        let attempt = self.attempt.min(operation);
        let are_others = (attempt, operation) != (Self::EVENT.attempt, Self::EVENT.operation);
        are_others.then(|| timeouts(attempt, operation))
    }
}

fn timeouts(attempt: Duration, operation: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .operation_attempt_timeout(attempt)
        .operation_timeout(operation)
        .build()
}

/// The configuration that all clients share: credentials, Region, endpoints, retries, HTTP. The Region is the given
/// one, else the environment's or the profile's.
pub async fn load(region: Option<&Region>) -> SdkConfig {
    let connector = Arc::new(OnceLock::new());
    let of_client = Arc::clone(&connector);
    let http_client = http_client_fn(move |_, _| of_client.get_or_init(new_connector).clone());
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http_client)
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
        .timeout_config(timeouts(Timeouts::EVENT.attempt, Timeouts::EVENT.operation));
    // The SDK asks the environment first. Where it has all, as in Lambda, those who would be asked next are not made:
    // that takes as long as the rest of the configuration.
    let region = region
        .map(|region| region.as_str().to_owned())
        .or_else(|| variable("AWS_REGION"));
    if let Some(region) = region {
        loader = loader.region(aws_config::Region::new(region));
    }
    if variable("AWS_ACCESS_KEY_ID").is_some() && variable("AWS_SECRET_ACCESS_KEY").is_some() {
        loader = loader.credentials_provider(EnvironmentVariableCredentialsProvider::new());
    }
    let config = loader.load().await;
    // To read the system's root certificates takes as long as all the rest of the start, so it is done beside it. Without
    // a thread the first call does it.
    let beside = std::thread::Builder::new().spawn(move || {
        connector.get_or_init(new_connector);
    });
    drop(beside);
    config
}

/// What a variable says, unless it says nothing.
fn variable(name: &str) -> Option<String> {
    std::env::var(name)
        .ok()
        .filter(|value| !value.trim().is_empty())
}

/// One HTTP client has one pool of connections.
fn new_connector() -> SharedHttpConnector {
    let settings = HttpConnectorSettings::builder().connect_timeout(CONNECT);
    SharedHttpConnector::new(
        Connector::builder()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .tls_context(tls_context())
            .proxy_config(ProxyConfig::from_env())
            .connector_settings(settings.build())
            .build(),
    )
}

/// Bundles of root certificates by their usual paths: Amazon Linux, Debian, SUSE, Alpine and macOS.
const BUNDLES: [&str; 5] = [
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The system's root certificates (`SSL_CERT_FILE` names their file). Where `SSL_CERT_FILE` names none that is there,
/// a usual bundle instead of no certificate at all.
fn tls_context() -> TlsContext {
    let named = std::env::var_os("SSL_CERT_FILE");
    let bundle = match named {
        Some(path) if !Path::new(&path).is_file() => {
            BUNDLES.iter().find_map(|path| std::fs::read(path).ok())
        }
        _ => None,
    };
    let roots = match bundle {
        Some(pem) => TrustStore::empty().with_pem_certificate(pem),
        None => TrustStore::default(),
    };
    TlsContext::builder()
        .with_trust_store(roots)
        .build()
        .unwrap_or_default()
}

/// Runs async work to its end, on this thread.
///
/// # Errors
/// When the system gives no way to wait for the network.
pub fn block_on<T>(work: impl Future<Output = T>) -> io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(work))
}

/// What went wrong with a call, before anybody knows what it means to the caller.
enum Failure {
    /// AWS answered with an error of this code.
    Answer {
        code: String,
        message: String,
        status: u16,
    },
    /// There was no answer, or none that can be read.
    NoAnswer(String),
    /// The call was never made: no credentials, no Region.
    NotMade(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer { code, message, .. } => write!(formatter, "{message} ({code})"),
            Self::NoAnswer(why) | Self::NotMade(why) => formatter.write_str(why),
        }
    }
}

impl Failure {
    fn of<E: ProvideErrorMetadata + StdError + Send + Sync + 'static>(
        error: SdkError<E, aws_smithy_runtime_api::client::orchestrator::HttpResponse>,
    ) -> Self {
        match error {
            SdkError::ServiceError(service) => {
                let status = service.raw().status().as_u16();
                let error = service.err();
                match error.code() {
                    Some(code) => Self::Answer {
                        code: code.to_owned(),
                        message: error.message().unwrap_or("no message").to_owned(),
                        status,
                    },
                    None => Self::NoAnswer(format!(
                        "an answer with HTTP status {status} that is not AWS's"
                    )),
                }
            }
            SdkError::TimeoutError(_) => Self::NoAnswer("no answer in time".to_owned()),
            SdkError::ConstructionFailure(_) => Self::NotMade(causes(&error)),
            SdkError::DispatchFailure(failure) if failure.is_timeout() => {
                Self::NoAnswer("no answer in time".to_owned())
            }
            // Credentials are looked for when a call is dispatched: without any, none is made.
            SdkError::DispatchFailure(failure)
                if failure.is_user()
                    || failure.is_other()
                        && chain(failure.as_connector_error()).contains("credential") =>
            {
                Self::NotMade(chain(failure.as_connector_error()))
            }
            SdkError::DispatchFailure(failure) => {
                Self::NoAnswer(chain(failure.as_connector_error()))
            }
            other => Self::NoAnswer(causes(&other)),
        }
    }
}

/// An error with all its causes on one line.
fn causes(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let of_cause = error.to_string();
        if !text.ends_with(&of_cause) {
            text = format!("{text}: {of_cause}");
        }
        cause = error.source();
    }
    text
}

fn chain(error: Option<&(impl StdError + 'static)>) -> String {
    error.map_or_else(|| "the connection failed".to_owned(), |error| causes(error))
}

/// Codes by which any AWS service says that it may answer later.
const LATER: [&str; 20] = [
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
    // Credentials that have run out are replaced.
    "ExpiredTokenException",
];

/// Is an answer with this code, or this HTTP status, worth another try later?
fn is_later(code: &str, status: u16) -> bool {
    status >= 500 || LATER.contains(&code) || ["ExpiredToken", "RequestExpired"].contains(&code)
}
