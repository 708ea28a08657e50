//! Calls that the SDK makes without modelling them: credentials, signature, retries, time-outs and connections are the
//! SDK's; the request and the answer are JSON of the product's own.

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
use aws_smithy_runtime::client::http::connection_poisoning::ConnectionPoisoningInterceptor;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime::client::retries::RetryPartition;
use aws_smithy_runtime::client::retries::classifiers::{
    HttpStatusCodeClassifier, TransientErrorClassifier,
};
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::auth::{AuthSchemeOptionResolverParams, SharedAuthScheme};
use aws_smithy_runtime_api::client::endpoint::{EndpointResolverParams, SharedEndpointResolver};
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

/// A service of AWS.
#[derive(Debug, Clone, Copy)]
pub(super) struct Service {
    /// Its id in settings, such as `AWS_ENDPOINT_URL_SECURITYHUB`.
    pub(super) id: &'static str,
    /// Its name in signatures and in the SDK's user agent.
    pub(super) name: &'static str,
    /// The version of its client that the SDK's user agent tells.
    pub(super) version: &'static str,
}

/// A call, by its name and where its request goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    pub(super) name: &'static str,
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    /// `X-Amz-Target`, of services that take every call at one address.
    pub(super) target: Option<&'static str>,
    pub(super) content_type: &'static str,
}

/// Makes calls of one service in one Region, as the SDK's own client would.
#[derive(Debug, Clone)]
pub(super) struct Client {
    service: Service,
    behavior_version: Option<BehaviorVersion>,
    plugin: SharedRuntimePlugin,
}

impl Client {
    pub(super) fn new(
        service: Service,
        endpoints: SharedEndpointResolver,
        config: &SdkConfig,
    ) -> Self {
        let plugin = StaticRuntimePlugin::new()
            .with_config(settings(service, config).freeze())
            .with_runtime_components(components(endpoints, config));
        Self {
            service,
            behavior_version: config.behavior_version(),
            plugin: plugin.into_shared(),
        }
    }

    /// Makes a call with a JSON request, and reads its JSON answer.
    pub(super) async fn call<A>(
        &self,
        call: Call,
        endpoint: EndpointResolverParams,
        request: Vec<u8>,
        timeouts: Timeouts,
    ) -> Result<A, CallError>
    where
        A: DeserializeOwned + Debug + Send + Sync + 'static,
    {
        let mut settings = Layer::new("sg_trust::Call");
        settings.store_put(endpoint);
        let mut operation = Operation::builder()
            .service_name(self.service.id)
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
                let headers = http.headers_mut();
                if length > 0 {
                    headers.insert("content-type", call.content_type);
                    headers.insert("content-length", length.to_string());
                }
                if let Some(target) = call.target {
                    headers.insert("x-amz-target", target);
                }
                Ok(http)
            })
            .deserializer(read::<A>)
            .build();
        Ok(operation.invoke(request).await?)
    }
}

/// The endpoint that the environment or the profile names, for this service or for all.
pub(super) fn named_endpoint(service: Service, config: &SdkConfig) -> Option<String> {
    let key = ServiceConfigKey::builder()
        .service_id(service.id)
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build();
    let of_service = config
        .service_config()
        .zip(key.ok())
        .and_then(|(settings, key)| settings.load_config(key));
    of_service.or_else(|| config.endpoint_url().map(ToOwned::to_owned))
}

/// The data that the calls of a client share.
fn settings(service: Service, config: &SdkConfig) -> Layer {
    let mut settings = Layer::new("sg_trust::Unmodelled");
    settings.store_put(ApiMetadata::new(service.name, service.version));
    settings.store_put(AuthSchemeOptionResolverParams::new(()));
    settings.store_put(SigV4OperationSigningConfig::default());
    settings.store_put(SigningName::from_static(service.name));
    if let Some(region) = config.region() {
        settings.store_put(RetryPartition::new(format!("{}-{region}", service.name)));
        settings.store_put(SigningRegion::from(region.clone()));
    }
    settings.store_or_unset(config.retry_config().cloned());
    settings.store_or_unset(config.app_name().cloned());
    settings
}

/// The behaviour that the calls of a client share.
fn components(endpoints: SharedEndpointResolver, config: &SdkConfig) -> RuntimeComponentsBuilder {
    let mut components = RuntimeComponentsBuilder::new("sg_trust::Unmodelled");
    components
        .set_http_client(config.http_client())
        .set_identity_cache(config.identity_cache())
        .set_time_source(config.time_source())
        .set_sleep_impl(config.sleep_impl())
        .set_endpoint_resolver(Some(endpoints))
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
mod tests {
    use super::*;

    #[test]
    fn the_header_names_the_error_where_it_is_there() {
        let error = error_in(
            br#"{"message":"m"}"#,
            Some("AccessDeniedException:http://x"),
        );
        assert_eq!(
            (error.code(), error.message()),
            (Some("AccessDeniedException"), Some("m"))
        );
        let error = error_in(b"", Some("Throttled"));
        assert_eq!((error.code(), error.message()), (Some("Throttled"), None));
        let error = error_in(b"<html>", None);
        assert_eq!((error.code(), error.message()), (None, None));
    }
}
