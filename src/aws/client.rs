//! The configuration that every client shares: credentials, Region, endpoints, retries, HTTP and TLS.
//!
//! TLS is rustls with *ring*: aws-lc gathers entropy for 45 ms and more at every cold start.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::{
    HttpConnectorSettings, SharedHttpConnector, http_client_fn,
};

use super::timeouts::{CONNECT, Timeouts};
use crate::model::Region;

/// Attempts of one operation, the first included.
pub(super) const ATTEMPTS: u32 = 4;

/// Loads the configuration. The Region is the given one, else that of `AWS_REGION`, `AWS_DEFAULT_REGION` (which the
/// SDK does not read) or the profile.
///
/// It is public for the benchmark of bare calls only.
pub async fn load_config(region: Option<&Region>) -> SdkConfig {
    let connector = Arc::new(OnceLock::new());
    let of_client = Arc::clone(&connector);
    let http_client = http_client_fn(move |_, _| of_client.get_or_init(new_connector).clone());
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http_client)
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
        .timeout_config(Timeouts::of_clients());
    let region = region
        .map(|region| region.as_str().to_owned())
        .or_else(|| variable("AWS_REGION"))
        .or_else(|| variable("AWS_DEFAULT_REGION"));
    if let Some(region) = region {
        loader = loader.region(aws_config::Region::new(region));
    }
    // The SDK asks the environment first. Where it has everything, as in Lambda, the other providers are not made: that
    // takes as long as the rest of the configuration.
    if variable("AWS_ACCESS_KEY_ID").is_some() && variable("AWS_SECRET_ACCESS_KEY").is_some() {
        loader = loader.credentials_provider(EnvironmentVariableCredentialsProvider::new());
    }
    let config = loader.load().await;
    // Reading the system's root certificates takes as long as the rest of the start, so a thread does it meanwhile.
    // Without a thread the first call does it.
    let beside = std::thread::Builder::new().spawn(move || {
        connector.get_or_init(new_connector);
    });
    drop(beside);
    config
}

/// The value of a variable; none if it is blank.
fn variable(name: &str) -> Option<String> {
    std::env::var(name)
        .ok()
        .filter(|value| !value.trim().is_empty())
}

/// The one connector of all clients, with one pool of connections.
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

/// Where bundles of root certificates usually are: Amazon Linux, Debian, SUSE, Alpine and macOS.
const BUNDLES: [&str; 5] = [
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The system's root certificates (`SSL_CERT_FILE` names their file). If `SSL_CERT_FILE` names no file, a usual bundle
/// serves instead of no certificate at all.
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
