//! The accounts of the organisation, which its management account and delegated administrators may list.
//!
//! <https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListAccounts.html>

use std::collections::BTreeSet;

use aws_config::SdkConfig;
use aws_smithy_runtime::client::orchestrator::endpoints::{
    StaticUriEndpointResolver, StaticUriEndpointResolverParams,
};
use aws_smithy_runtime_api::client::endpoint::SharedEndpointResolver;
use serde::Deserialize;
use serde_json::json;

use super::unmodelled::{Call, Client, Service, named_endpoint};
use super::{CallError, Timeouts};
use crate::model::{AccountId, Partition, Region};

const SERVICE: Service = Service {
    id: "Organizations",
    name: "organizations",
    // There is no client of Organizations here: its user agent tells the version of this program.
    version: env!("CARGO_PKG_VERSION"),
};
const CALL: Call = Call {
    name: "ListAccounts",
    method: "POST",
    path: "/",
    target: Some("AWSOrganizationsV20161128.ListAccounts"),
    content_type: "application/x-amz-json-1.1",
};
/// Accounts of one answer: the most.
const MOST: u32 = 20;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    /// An answer that does not tell its accounts, if only that there are none, is no answer.
    accounts: Vec<Account>,
    next_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Account {
    id: AccountId,
    /// What follows `Status`, which AWS retires in September 2026.
    state: Option<String>,
    status: Option<String>,
}

impl Account {
    fn is_active(&self) -> bool {
        self.state
            .as_ref()
            .or(self.status.as_ref())
            .map(String::as_str)
            == Some("ACTIVE")
    }
}

/// The active accounts of the organisation.
pub(super) async fn active_accounts(
    config: &SdkConfig,
    timeouts: Timeouts,
) -> Result<BTreeSet<AccountId>, CallError> {
    let (region, endpoint) = endpoint(config);
    let region = aws_config::Region::new(region);
    let config = config.to_builder().region(region).build();
    let resolver = SharedEndpointResolver::new(StaticUriEndpointResolver::uri(&endpoint));
    let client = Client::new(SERVICE, resolver, &config);
    let mut active = BTreeSet::new();
    let mut after: Option<String> = None;
    loop {
        let mut request = json!({"MaxResults": MOST});
        if let (Some(members), Some(token)) = (request.as_object_mut(), after) {
            members.insert("NextToken".to_owned(), token.into());
        }
        let params = StaticUriEndpointResolverParams::new().into();
        let request = request.to_string().into_bytes();
        let page: Page = client.call(CALL, params, request, timeouts).await?;
        let accounts = page.accounts.into_iter();
        active.extend(
            accounts
                .filter(Account::is_active)
                .map(|account| account.id),
        );
        after = page.next_token.filter(|token| !token.is_empty());
        if after.is_none() {
            return Ok(active);
        }
    }
}

/// The one Region of a partition in which Organizations is, and its address there
/// (<https://docs.aws.amazon.com/general/latest/gr/ao.html>).
fn endpoint(config: &SdkConfig) -> (&'static str, String) {
    let region = config.region().map(|region| Region::new(region.as_ref()));
    let partition = region.as_ref().map(Partition::of);
    let (region, domain) = match partition.as_ref().map_or("aws", Partition::as_str) {
        "aws-cn" => ("cn-northwest-1", "amazonaws.com.cn"),
        "aws-us-gov" => ("us-gov-west-1", "amazonaws.com"),
        "aws-iso" => ("us-iso-east-1", "c2s.ic.gov"),
        "aws-iso-b" => ("us-isob-east-1", "sc2s.sgov.gov"),
        "aws-iso-f" => ("us-isof-south-1", "csp.hci.ic.gov"),
        "aws-eusc" => ("eusc-de-east-1", "amazonaws.eu"),
        _ => ("us-east-1", "amazonaws.com"),
    };
    let has_fips = config.use_fips() == Some(true) && domain == "amazonaws.com";
    let fips = if has_fips { "-fips" } else { "" };
    let usual = || match region {
        // GovCloud's only endpoint is a FIPS endpoint.
        "us-gov-west-1" => format!("https://organizations.{region}.{domain}"),
        _ => format!("https://organizations{fips}.{region}.{domain}"),
    };
    (
        region,
        named_endpoint(SERVICE, config).unwrap_or_else(usual),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::describe;
    use crate::aws::testing::config;

    #[tokio::test]
    async fn the_active_accounts_of_all_pages_are_listed() {
        let (config, requests) = config(|number, _| {
            let page = match number {
                0 => {
                    r#"{"Accounts":[{"Id":"111111111111","Status":"ACTIVE","State":"ACTIVE"},{"Id":"222222222222","Status":"SUSPENDED"}],"NextToken":"n"}"#
                }
                1 => r#"{"Accounts":[],"NextToken":"m"}"#,
                _ => {
                    r#"{"Accounts":[{"Id":"333333333333","Status":"ACTIVE"},{"Id":"444444444444","Status":"ACTIVE","State":"PENDING_CLOSURE"},{"Id":"555555555555","State":"ACTIVE"}]}"#
                }
            };
            (200, page.to_owned())
        });
        let active = active_accounts(&config, Timeouts::EVENT).await.unwrap();
        let expected = ["111111111111", "333333333333", "555555555555"].map(AccountId::new);
        assert_eq!(active, expected.into());
        let requests = requests.lock().unwrap();
        let tokens: Vec<_> = requests
            .iter()
            .map(|sent| {
                serde_json::from_str::<serde_json::Value>(&sent.body).unwrap()["NextToken"].clone()
            })
            .collect();
        assert_eq!(tokens, [json!(null), json!("n"), json!("m")]);
        let sent = &requests[0];
        assert_eq!(sent.uri, "https://organizations.us-east-1.amazonaws.com/");
        assert_eq!(
            sent.headers["x-amz-target"],
            "AWSOrganizationsV20161128.ListAccounts"
        );
        assert_eq!(sent.headers["content-type"], "application/x-amz-json-1.1");
        assert!(sent.headers["authorization"].contains("/us-east-1/organizations/aws4_request"));
    }

    #[tokio::test]
    async fn a_refused_list_is_no_empty_list() {
        for (status, body, said) in [
            (
                400,
                r#"{"__type":"AccessDeniedException","Message":"You don't have permissions"}"#,
                "You don't have permissions (AccessDeniedException)",
            ),
            (200, "{}", "an answer that cannot be read"),
        ] {
            let (config, _) = config(move |_, _| (status, body.to_owned()));
            let error = active_accounts(&config, Timeouts::EVENT).await.unwrap_err();
            assert!(describe(&error).starts_with(said), "{error:?}");
        }
    }

    #[test]
    fn the_endpoint_is_the_partitions() {
        for (region, fips, host) in [
            ("eu-west-1", false, "organizations.us-east-1.amazonaws.com"),
            (
                "eu-west-1",
                true,
                "organizations-fips.us-east-1.amazonaws.com",
            ),
            (
                "cn-north-1",
                false,
                "organizations.cn-northwest-1.amazonaws.com.cn",
            ),
            (
                "us-gov-east-1",
                true,
                "organizations.us-gov-west-1.amazonaws.com",
            ),
        ] {
            let (config, _) = config(|_, _| (200, "{}".to_owned()));
            let config = config
                .into_builder()
                .region(aws_config::Region::new(region))
                .use_fips(fips)
                .build();
            assert_eq!(endpoint(&config).1, format!("https://{host}"), "{region}");
        }
    }
}
