//! Calls of Security Hub whose requests and answers are the product's own JSON.
//!
//! The SDK's types of an AwsSecurityFinding were half of the whole function: thousands of members, of which the product
//! has forty, and readers with frames so deep that a usual stack overflows. So the SDK makes the call as one that it
//! does not model (endpoint, signature, retries, time-outs), the finding is sent as it was rendered and checked, and
//! the answer is read here.

use std::fmt::Debug;
use std::time::Instant;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_runtime::auth::SigV4OperationSigningConfig;
use aws_runtime::auth::sigv4::{self, SigV4AuthScheme};
use aws_runtime::invocation_id::InvocationIdInterceptor;
use aws_runtime::recursion_detection::RecursionDetectionInterceptor;
use aws_runtime::request_info::RequestInfoInterceptor;
use aws_runtime::retries::classifiers::AwsErrorCodeClassifier;
use aws_runtime::service_clock_skew::{ServiceClockSkewClassifier, ServiceClockSkewInterceptor};
use aws_runtime::user_agent::{ApiMetadata, UserAgentInterceptor};
use aws_sdk_securityhub::config::endpoint::{DefaultResolver, ParamsBuilder, ResolveEndpoint as _};
use aws_smithy_runtime::client::http::connection_poisoning::ConnectionPoisoningInterceptor;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime::client::retries::RetryPartition;
use aws_smithy_runtime::client::retries::classifiers::{
    HttpStatusCodeClassifier, TransientErrorClassifier,
};
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::auth::{AuthSchemeOptionResolverParams, SharedAuthScheme};
use aws_smithy_runtime_api::client::endpoint::EndpointResolverParams;
use aws_smithy_runtime_api::client::interceptors::SharedInterceptor;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::{SharedRuntimePlugin, StaticRuntimePlugin};
use aws_smithy_runtime_api::shared::IntoShared as _;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::Layer;
use aws_smithy_types::error::ErrorMetadata;
use aws_types::SigningName;
use aws_types::region::SigningRegion;
use aws_types::service_config::ServiceConfigKey;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{CallError, Timeouts};

/// The service's name in signatures and in the SDK's user agent.
const SERVICE: &str = "securityhub";

/// A call, by its name and where its request goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    pub(super) name: &'static str,
    pub(super) method: &'static str,
    pub(super) path: &'static str,
}

/// Makes calls of Security Hub in one Region, as the SDK's own client would.
#[derive(Debug, Clone)]
pub(super) struct HubClient {
    behavior_version: Option<BehaviorVersion>,
    endpoint: ParamsBuilder,
    plugin: SharedRuntimePlugin,
}

impl HubClient {
    pub(super) fn new(config: &SdkConfig) -> Self {
        let plugin = StaticRuntimePlugin::new()
            .with_config(settings(config).freeze())
            .with_runtime_components(components(config));
        Self {
            behavior_version: config.behavior_version(),
            endpoint: endpoint(config),
            plugin: plugin.into_shared(),
        }
    }

    /// Makes a call with a JSON request, and reads its JSON answer.
    pub(super) async fn call<A>(
        &self,
        call: Call,
        request: Vec<u8>,
        timeouts: Timeouts,
    ) -> Result<A, CallError>
    where
        A: DeserializeOwned + Debug + Send + Sync + 'static,
    {
        let endpoint = self.endpoint.clone().build();
        let endpoint = endpoint.map_err(|error| CallError::Endpoint {
            source: error.into(),
        })?;
        let mut settings = Layer::new("sg_trust::Call");
        settings.store_put(EndpointResolverParams::new(endpoint));
        let mut operation = Operation::builder()
            .service_name("SecurityHub")
            .operation_name(call.name)
            .timeout_config(timeouts.config_at(Instant::now()))
            .runtime_plugin(StaticRuntimePlugin::new().with_config(settings.freeze()))
            .runtime_plugin(self.plugin.clone());
        if let Some(version) = self.behavior_version {
            operation = operation.behavior_version(version);
        }
        let operation = operation
            .serializer(move |request: Vec<u8>| {
                let length = request.len();
                let mut http = HttpRequest::new(SdkBody::from(request));
                http.set_method(call.method)?;
                http.set_uri(call.path)?;
                if length > 0 {
                    let headers = http.headers_mut();
                    headers.insert("content-type", "application/json");
                    headers.insert("content-length", length.to_string());
                }
                Ok(http)
            })
            .deserializer(read::<A>)
            .build();
        Ok(operation.invoke(request).await?)
    }
}

/// What the calls of a client have in common, as far as it is data.
fn settings(config: &SdkConfig) -> Layer {
    let mut settings = Layer::new("sg_trust::HubClient");
    settings.store_put(ApiMetadata::new(
        SERVICE,
        aws_sdk_securityhub::meta::PKG_VERSION,
    ));
    settings.store_put(AuthSchemeOptionResolverParams::new(()));
    settings.store_put(SigV4OperationSigningConfig::default());
    settings.store_put(SigningName::from_static(SERVICE));
    if let Some(region) = config.region() {
        settings.store_put(RetryPartition::new(format!("{SERVICE}-{region}")));
        settings.store_put(SigningRegion::from(region.clone()));
    }
    settings.store_or_unset(config.retry_config().cloned());
    settings.store_or_unset(config.app_name().cloned());
    settings
}

/// What the calls of a client have in common, as far as it does something.
fn components(config: &SdkConfig) -> RuntimeComponentsBuilder {
    let mut components = RuntimeComponentsBuilder::new("sg_trust::HubClient");
    components
        .set_http_client(config.http_client())
        .set_identity_cache(config.identity_cache())
        .set_time_source(config.time_source())
        .set_sleep_impl(config.sleep_impl())
        .set_endpoint_resolver(Some(DefaultResolver::new().into_shared_resolver()))
        .set_auth_scheme_option_resolver(Some(StaticAuthSchemeOptionResolver::new(vec![
            sigv4::SCHEME_ID,
        ])))
        .push_auth_scheme(SharedAuthScheme::new(SigV4AuthScheme::new()))
        .push_retry_classifier(HttpStatusCodeClassifier::default())
        .push_retry_classifier(TransientErrorClassifier::<ErrorMetadata>::new())
        .push_retry_classifier(AwsErrorCodeClassifier::<ErrorMetadata>::new())
        .push_retry_classifier(ServiceClockSkewClassifier::<ErrorMetadata>::new())
        .push_interceptor(SharedInterceptor::permanent(
            ConnectionPoisoningInterceptor::new(),
        ))
        .push_interceptor(ServiceClockSkewInterceptor::new())
        .push_interceptor(RequestInfoInterceptor::new())
        .push_interceptor(UserAgentInterceptor::new())
        .push_interceptor(InvocationIdInterceptor::new())
        .push_interceptor(SharedInterceptor::permanent(
            RecursionDetectionInterceptor::new(),
        ));
    if let Some(credentials) = config.credentials_provider() {
        components.set_identity_resolver(sigv4::SCHEME_ID, credentials);
    }
    components
}

/// What the SDK's own rules for Security Hub's endpoints go by: Region, FIPS, dual stack, and an endpoint that the
/// environment or the profile names, for Security Hub or for all services.
fn endpoint(config: &SdkConfig) -> ParamsBuilder {
    let key = ServiceConfigKey::builder()
        .service_id("SecurityHub")
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build();
    let of_service = config
        .service_config()
        .zip(key.ok())
        .and_then(|(settings, key)| settings.load_config(key));
    ParamsBuilder::default()
        .set_region(config.region().map(ToString::to_string))
        .set_use_fips(config.use_fips())
        .set_use_dual_stack(config.use_dual_stack())
        .set_endpoint(of_service.or_else(|| config.endpoint_url().map(ToOwned::to_owned)))
}

/// Reads an answer. The SDK does not ask again for one that is whole and cannot be read.
fn read<A: DeserializeOwned>(
    response: &HttpResponse,
) -> Result<A, OrchestratorError<ErrorMetadata>> {
    let body = response.body().bytes().unwrap_or_default();
    if response.status().is_success() {
        return serde_json::from_slice(body)
            .map_err(|error| OrchestratorError::other(format!("{} bytes: {error}", body.len())));
    }
    Err(OrchestratorError::operation(error_in(
        body,
        response.headers().get("x-amzn-errortype"),
    )))
}

/// The code and message of an error in AWS's JSON protocol
/// (<https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html#operation-error-serialization>); no code if
/// something else than AWS answered.
fn error_in(body: &[u8], type_header: Option<&str>) -> ErrorMetadata {
    let body: Map<String, Value> = serde_json::from_slice(body).unwrap_or_default();
    let member = |names: &[&str]| names.iter().find_map(|name| body.get(*name)?.as_str());
    let mut error = ErrorMetadata::builder();
    if let Some(code) = type_header.or_else(|| member(&["code", "__type"])) {
        // `namespace#Code:http://…`
        let code = code.split_once(':').map_or(code, |(code, _)| code);
        error = error.code(code.split_once('#').map_or(code, |(_, code)| code));
    }
    if let Some(message) = member(&["message", "Message", "errorMessage"]) {
        error = error.message(message);
    }
    error.build()
}

#[cfg(test)]
mod tests;
