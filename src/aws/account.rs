//! The clients of one Region, and the account that the credentials belong to.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use aws_config::SdkConfig;
use aws_config::identity::IdentityCache;
use aws_credential_types::provider::SharedCredentialsProvider;

use super::assume_role::{MemberAccounts, MemberRole};
use super::client::load_config;
use super::clock::{ClockError, ClockOffset};
use super::ec2::{self, Ec2};
use super::errors::{CallError, describe};
use super::hub_client::HubClient;
use super::probe::{self, Probes};
use super::queue::{self, NotDelayed, Redelivery};
use super::rate_limit::HubLimits;
use super::securityhub::SecurityHub;
use super::timeouts::Timeouts;
use super::{organization, work_queue};
use crate::engine::MemberError;
use crate::engine::source::SourceError;
use crate::model::{AccountId, Partition, Region, Scope};

/// The clients of EC2 and Security Hub in one Region. A process makes them once: they share one HTTP client, its
/// connections, and what is left of Security Hub's rates.
#[derive(Debug, Clone)]
pub struct Clients {
    config: SdkConfig,
    ec2: aws_sdk_ec2::Client,
    hub: HubClient,
    limits: HubLimits,
}

/// Partition and account of credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub partition: Partition,
    pub account: AccountId,
}

impl Clients {
    /// Loads credentials and settings from the environment or a profile. The Region is the given one, else that of
    /// `AWS_REGION`, `AWS_DEFAULT_REGION` or the profile.
    pub async fn load(region: Option<&Region>) -> Self {
        Self::new(load_config(region).await)
    }

    pub(super) fn new(config: SdkConfig) -> Self {
        Self {
            ec2: ec2::client(&config),
            hub: HubClient::new(&config),
            limits: HubLimits::new(Instant::now()),
            config,
        }
    }

    /// The Region, if one is known.
    #[must_use]
    pub fn region(&self) -> Option<Region> {
        self.config
            .region()
            .map(|region| Region::new(region.as_ref()))
    }

    /// Clients of another Region, with the same credentials and HTTP client.
    fn in_region(&self, region: &Region) -> Self {
        let region = aws_config::Region::new(region.as_str().to_owned());
        Self::new(self.config.to_builder().region(region).build())
    }

    /// The clients of another account in the same Region: other credentials, which the provider keeps itself, and other
    /// rates.
    pub(super) fn with_credentials(
        &self,
        credentials: SharedCredentialsProvider,
        limits: HubLimits,
    ) -> Self {
        let config = self.config.to_builder();
        let config = config
            .credentials_provider(credentials)
            .identity_cache(IdentityCache::no_cache());
        Self {
            limits,
            ..Self::new(config.build())
        }
    }

    /// The active accounts of the organisation.
    ///
    /// # Errors
    /// When the account may not list them.
    pub async fn active_accounts(
        &self,
        timeouts: Timeouts,
    ) -> Result<BTreeSet<AccountId>, MemberError> {
        let accounts = organization::active_accounts(&self.config, timeouts).await;
        accounts.map_err(|error| {
            let text = format!("organizations ListAccounts: {}", describe(&error));
            if error.is_retryable() {
                MemberError::Unavailable(text)
            } else {
                MemberError::Refused(format!(
                    "{text}: only the management account and delegated administrators may list the accounts; \
                     elsewhere name them"
                ))
            }
        })
    }

    /// Puts the sweep of each account on a queue.
    ///
    /// # Errors
    /// When the queue does not take all of them.
    pub async fn send_sweeps(
        &self,
        queue: &str,
        accounts: &[AccountId],
        timeouts: Timeouts,
    ) -> Result<(), MemberError> {
        let sent = work_queue::send_sweeps(&self.config, queue, accounts, timeouts).await;
        sent.map_err(|error| {
            let text = format!("{queue}: {}", describe(&error));
            if error.is_retryable() {
                MemberError::Unavailable(text)
            } else {
                MemberError::Refused(text)
            }
        })
    }

    /// STS in this Region.
    pub(super) fn sts(&self) -> aws_sdk_sts::Client {
        aws_sdk_sts::Client::new(&self.config)
    }

    /// EC2 as the account of this scope sees it.
    #[must_use]
    pub fn source(&self, scope: &Scope, timeouts: Timeouts) -> Ec2 {
        Ec2::new(self.ec2.clone(), scope.clone(), timeouts)
    }

    /// Security Hub of this scope. Lambda's clock is right; a command gets its store from [`Account::store`], which
    /// checks the clock.
    pub(crate) fn hub(&self, scope: &Scope, timeouts: Timeouts) -> SecurityHub {
        SecurityHub::new(
            self.hub.clone(),
            scope.clone(),
            timeouts,
            self.limits.clone(),
        )
    }

    /// Hides messages of queues for the given times, and returns what failed.
    pub async fn delay(&self, messages: &[Redelivery], timeouts: Timeouts) -> Vec<NotDelayed> {
        queue::delay(&self.config, messages, timeouts).await
    }

    /// Opens the connections to EC2 and Security Hub, each within this time. The name of each service, and how it went.
    pub async fn prewarm(&self, limit: Duration) -> [(&'static str, Result<(), CallError>); 2] {
        let (of_ec2, of_hub) = tokio::join!(
            tokio::time::timeout(limit, ec2::prewarm(&self.ec2)),
            tokio::time::timeout(limit, self.hub.describe_hub(Timeouts::EVENT)),
        );
        [("ec2", of_ec2), ("securityhub", of_hub)].map(|(service, outcome)| {
            let outcome = outcome.unwrap_or(Err(CallError::TimedOut));
            (service, outcome)
        })
    }

    /// Partition and account of the credentials, by STS.
    ///
    /// # Errors
    /// When there are no credentials, or STS refuses them.
    pub async fn caller(&self) -> Result<Caller, AccountError> {
        let answer = self.sts().get_caller_identity().send().await;
        let answer = answer.map_err(|error| match CallError::from(error) {
            error @ CallError::Credentials { .. } => AccountError::NoCredentials(error),
            error => AccountError::Identity(error),
        })?;
        let partition = answer.arn.as_deref().and_then(|arn| arn.split(':').nth(1));
        match (partition.map(Partition::new), answer.account) {
            (Some(partition), Some(account)) => Ok(Caller {
                partition,
                account: AccountId::new(account),
            }),
            _ => Err(AccountError::Identity(CallError::Unexpected(
                "an answer without account or ARN".to_owned(),
            ))),
        }
    }
}

/// The account of an operator's credentials, in one Region.
#[derive(Debug, Clone)]
pub struct Account {
    clients: Clients,
    scope: Scope,
}

impl Account {
    /// The account of the environment's credentials, a profile's, or those of IAM Identity Center.
    ///
    /// # Errors
    /// When there are no credentials that STS accepts, or no Region.
    pub async fn sign_in(region: Option<&Region>) -> Result<Self, AccountError> {
        Self::of(Clients::load(region).await).await
    }

    async fn of(clients: Clients) -> Result<Self, AccountError> {
        let region = clients.region().ok_or(AccountError::NoRegion)?;
        if !region.is_well_formed() {
            return Err(AccountError::InvalidRegion(region));
        }
        let Caller { partition, account } = clients.caller().await?;
        let scope = Scope {
            partition,
            region,
            account,
        };
        Ok(Self { clients, scope })
    }

    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The same account in another Region.
    #[must_use]
    pub fn in_region(&self, region: &Region) -> Self {
        Self {
            clients: self.clients.in_region(region),
            scope: Scope {
                region: region.clone(),
                ..self.scope.clone()
            },
        }
    }

    /// Another account in the same Region, by a role in it that these credentials may assume.
    ///
    /// # Errors
    /// When the role cannot be assumed.
    pub async fn assume(
        &self,
        account: &AccountId,
        role: &MemberRole,
    ) -> Result<Self, MemberError> {
        let scope = Scope {
            account: account.clone(),
            ..self.scope.clone()
        };
        let members = MemberAccounts::new(self.clients.clone(), role.clone());
        let clients = members.clients(&scope).await?;
        Ok(Self { clients, scope })
    }

    /// The active accounts of the organisation.
    ///
    /// # Errors
    /// When the account may not list them.
    pub async fn organization_accounts(&self) -> Result<BTreeSet<AccountId>, MemberError> {
        self.clients.active_accounts(Timeouts::SWEEP).await
    }

    /// The Regions that are enabled for the account, in alphabetical order.
    ///
    /// # Errors
    /// When EC2 does not tell.
    pub async fn enabled_regions(&self) -> Result<Vec<Region>, AccountError> {
        let answer = self.clients.ec2.describe_regions().send().await;
        let answer = answer.map_err(|error| AccountError::Regions(error.into()))?;
        let mut regions: Vec<_> = answer
            .regions
            .unwrap_or_default()
            .into_iter()
            .filter_map(|region| region.region_name)
            .collect();
        regions.sort();
        Ok(regions.into_iter().map(Region::new).collect())
    }

    /// Where the account's groups come from.
    #[must_use]
    pub fn source(&self, timeouts: Timeouts) -> Ec2 {
        self.clients.source(&self.scope, timeouts)
    }

    /// Where findings are published. Findings that a wrong clock dates into the future would block every later verdict
    /// of the function, so there is no store without a right clock.
    ///
    /// # Errors
    /// When the local clock is wrong, or EC2 does not tell the time.
    pub async fn store(&self, timeouts: Timeouts) -> Result<SecurityHub, ClockError> {
        self.clock_offset().await?.check()?;
        Ok(self.clients.hub(&self.scope, timeouts))
    }

    /// The difference between the local clock and EC2's.
    ///
    /// # Errors
    /// When EC2 does not answer.
    pub async fn clock_offset(&self) -> Result<ClockOffset, SourceError> {
        self.source(Timeouts::EVENT).clock_offset().await
    }

    /// Whether these credentials may do what the product does.
    pub async fn probe(&self) -> Probes {
        probe::actions(&self.clients.ec2, &self.clients.hub, &self.scope).await
    }
}

/// Why it is not known whose account this is, or where.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    #[error("no Region: give --region, set AWS_REGION, or give the profile one")]
    NoRegion,
    #[error("{:?} is not a Region's code, such as eu-west-1: give --region, or correct AWS_REGION, AWS_DEFAULT_REGION or the profile", .0.as_str())]
    InvalidRegion(Region),
    #[error("{}: set AWS_PROFILE or AWS_ACCESS_KEY_ID, or sign in with `aws sso login`", describe(.0))]
    NoCredentials(CallError),
    #[error("sts GetCallerIdentity")]
    Identity(#[source] CallError),
    #[error("ec2 DescribeRegions")]
    Regions(#[source] CallError),
}

impl AccountError {
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::NoRegion | Self::InvalidRegion(_) => false,
            Self::NoCredentials(error) | Self::Identity(error) | Self::Regions(error) => {
                error.is_retryable()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::{SignedDuration, Timestamp};

    use super::*;
    use crate::aws::testing::{Answer, config, config_dated, scope};

    fn clients(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Clients {
        Clients::new(config(move |_, body| answer(body)).0)
    }

    fn identity() -> Answer {
        let body = "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws-cn:iam::222222222222:user/alice</Arn>\
                    <UserId>u</UserId><Account>222222222222</Account></GetCallerIdentityResult></GetCallerIdentityResponse>";
        (200, body.to_owned())
    }

    #[tokio::test]
    async fn the_account_and_partition_are_those_of_the_credentials() {
        let account = Account::of(clients(|_| identity())).await.unwrap();
        let scope = account.scope();
        assert_eq!(scope.account.as_str(), "222222222222");
        assert_eq!(scope.partition.as_str(), "aws-cn");
        assert_eq!(scope.region.as_str(), "eu-west-1");
        let elsewhere = account.in_region(&Region::new("us-east-1"));
        assert_eq!(elsewhere.scope().region.as_str(), "us-east-1");
        assert_eq!(elsewhere.clients.region(), Some(Region::new("us-east-1")));
    }

    #[tokio::test]
    async fn without_a_region_no_call_is_made() {
        let (config, requests) = config(|_, _| identity());
        let without = config.to_builder().region(None).build();
        let error = Account::of(Clients::new(without)).await.unwrap_err();
        insta::assert_snapshot!(error, @"no Region: give --region, set AWS_REGION, or give the profile one");
        let wrong = aws_config::Region::new("Frankfurt");
        let wrong = config.to_builder().region(wrong).build();
        let error = Account::of(Clients::new(wrong)).await.unwrap_err();
        insta::assert_snapshot!(error, @r#""Frankfurt" is not a Region's code, such as eu-west-1: give --region, or correct AWS_REGION, AWS_DEFAULT_REGION or the profile"#);
        assert!(requests.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn credentials_that_sts_refuses_are_an_error_with_its_words() {
        let refused = clients(|_| {
            let body = "<ErrorResponse><Error><Code>InvalidClientTokenId</Code><Message>The security token is invalid.</Message></Error></ErrorResponse>";
            (403, body.to_owned())
        });
        let error = Account::of(refused).await.unwrap_err();
        assert!(!error.is_retryable());
        insta::assert_snapshot!(describe(&error), @"sts GetCallerIdentity: The security token is invalid. (InvalidClientTokenId)");
    }

    #[tokio::test]
    async fn regions_are_sorted() {
        let clients = clients(|body| {
            if body.starts_with("Action=GetCallerIdentity") {
                return identity();
            }
            let body = "<DescribeRegionsResponse><regionInfo><item><regionName>us-east-1</regionName></item>\
                        <item><regionName>eu-west-1</regionName></item></regionInfo></DescribeRegionsResponse>";
            (200, body.to_owned())
        });
        let account = Account::of(clients).await.unwrap();
        let regions = account.enabled_regions().await.unwrap();
        assert_eq!(regions, ["eu-west-1", "us-east-1"].map(Region::new));
    }

    async fn store(clients: Clients) -> Result<SecurityHub, ClockError> {
        let account = Account::of(clients).await.unwrap();
        account.store(Timeouts::EVENT).await
    }

    fn groups(body: &str) -> Answer {
        if body.starts_with("Action=GetCallerIdentity") {
            return identity();
        }
        let body = "<DescribeSecurityGroupsResponse></DescribeSecurityGroupsResponse>";
        (200, body.to_owned())
    }

    #[tokio::test]
    async fn there_is_no_store_with_a_wrong_clock() {
        for (seconds, is_right) in [(-60, false), (-20, false), (3, true), (60, false)] {
            let date = Timestamp::now() + SignedDuration::from_secs(seconds);
            let store = store(Clients::new(config_dated(date, groups))).await;
            assert_eq!(store.is_ok(), is_right, "{seconds}: {store:?}");
            if let Err(error) = store {
                assert!(matches!(error, ClockError::Wrong(_)), "{error:?}");
            }
        }
    }

    #[tokio::test]
    async fn there_is_no_store_where_ec2_does_not_tell_the_time() {
        let error = store(clients(groups)).await.unwrap_err();
        insta::assert_snapshot!(error, @"ec2 DescribeSecurityGroups in account 222222222222, region eu-west-1: an answer without a Date");
        assert!(error.is_retryable());
    }

    /// The rates are shared by all invocations; another Region has rates of its own.
    #[tokio::test]
    async fn stores_of_one_region_share_its_rates() {
        let clients = clients(|_| (200, r#"{"Findings":[]}"#.to_owned()));
        let hub = |clients: &Clients| clients.hub(&scope(), Timeouts::EVENT);
        let (first, second) = (hub(&clients), hub(&clients.clone()));
        let elsewhere = hub(&clients.in_region(&Region::new("us-east-1")));
        let are_shared = |one: &SecurityHub, other: &SecurityHub| {
            Arc::ptr_eq(&one.limits.imports, &other.limits.imports)
                && Arc::ptr_eq(&one.limits.reads, &other.limits.reads)
        };
        assert!(are_shared(&first, &second));
        assert!(!are_shared(&first, &elsewhere));
    }
}
