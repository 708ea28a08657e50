//! Calls of Security Hub whose requests and answers are the product's own JSON.
//!
//! The SDK's types of an AwsSecurityFinding were half of the whole function: thousands of members, of which the product
//! has forty, and readers with frames so deep that a usual stack overflows. So the SDK makes the call as one that it
//! does not model (endpoint, signature, retries, time-outs), the finding is sent as it was rendered and checked, and
//! the answer is read here.

use std::fmt::Debug;

use aws_config::SdkConfig;
use aws_sdk_securityhub::config::endpoint::{DefaultResolver, ParamsBuilder, ResolveEndpoint as _};
use aws_smithy_runtime_api::client::endpoint::EndpointResolverParams;
use serde::de::DeserializeOwned;

use super::unmodelled::{Call, Client, Service, named_endpoint};
use super::{CallError, Timeouts};

const SERVICE: Service = Service {
    id: "SecurityHub",
    name: "securityhub",
    version: aws_sdk_securityhub::meta::PKG_VERSION,
};

/// A call of Security Hub.
pub(super) const fn call(name: &'static str, method: &'static str, path: &'static str) -> Call {
    Call {
        name,
        method,
        path,
        target: None,
        content_type: "application/json",
    }
}

/// Makes calls of Security Hub in one Region, as the SDK's own client would.
#[derive(Debug, Clone)]
pub(super) struct HubClient {
    endpoint: ParamsBuilder,
    client: Client,
}

impl HubClient {
    pub(super) fn new(config: &SdkConfig) -> Self {
        let endpoints = DefaultResolver::new().into_shared_resolver();
        Self {
            endpoint: endpoint(config),
            client: Client::new(SERVICE, endpoints, config),
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
        let endpoint = EndpointResolverParams::new(endpoint);
        self.client.call(call, endpoint, request, timeouts).await
    }
}

/// What the SDK's own rules for Security Hub's endpoints go by: Region, FIPS, dual stack, and an endpoint that the
/// environment or the profile names.
fn endpoint(config: &SdkConfig) -> ParamsBuilder {
    endpoint_of_region(config).set_endpoint(named_endpoint(SERVICE, config))
}

/// The same without a named endpoint.
pub(super) fn endpoint_of_region(config: &SdkConfig) -> ParamsBuilder {
    ParamsBuilder::default()
        .set_region(config.region().map(ToString::to_string))
        .set_use_fips(config.use_fips())
        .set_use_dual_stack(config.use_dual_stack())
}

#[cfg(test)]
mod tests;
