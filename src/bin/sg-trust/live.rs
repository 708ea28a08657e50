//! What `scan` and `replay --live` have in common: a live account, with the operator's own credentials.

use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use aws_config::SdkConfig;
use sg_trust::aws::ec2::{self, Ec2};
use sg_trust::aws::securityhub::SecurityHub;
use sg_trust::aws::{self, Timeouts, caller};
use sg_trust::finding::{Context, Passed};
use sg_trust::model::Scope;
use sg_trust::model::{AccountId, Partition, Region};
use sg_trust::policy::Settings;

/// The account that the credentials are of.
pub(crate) struct Account {
    config: SdkConfig,
    partition: Partition,
    id: AccountId,
}

/// What AWS says of each action that the product calls, by its name in IAM.
pub(crate) type Probes = std::collections::BTreeMap<&'static str, sg_trust::aws::probe::Probe>;

/// The account in one Region: where its groups come from, where its findings go, and what they have in common.
pub(crate) struct Place {
    pub(crate) context: Arc<Context>,
    pub(crate) source: Ec2,
    pub(crate) hub: SecurityHub,
}

impl Account {
    /// By the environment's credentials, a profile's, or those of IAM Identity Center.
    pub(crate) async fn find(region: Option<&Region>) -> anyhow::Result<Self> {
        let config = aws::load(region).await;
        config
            .region()
            .context("no Region: give --region, set AWS_REGION, or give the profile one")?;
        let (partition, id) = caller::identity(&config)
            .await
            .map_err(|why| anyhow!(why))?;
        Ok(Self {
            config,
            partition,
            id,
        })
    }

    /// Its id.
    pub(crate) fn id(&self) -> &AccountId {
        &self.id
    }

    /// The Region that the environment or the profile names.
    pub(crate) fn region(&self) -> Option<Region> {
        self.config
            .region()
            .map(|region| Region::new(region.as_ref()))
    }

    /// The Regions that are enabled for the account.
    pub(crate) async fn regions(&self) -> anyhow::Result<Vec<Region>> {
        caller::enabled_regions(&self.config)
            .await
            .map_err(|why| anyhow!(why))
    }

    /// May these credentials do what the product does?
    pub(crate) async fn probe(&self, scope: &Scope) -> Probes {
        let config = self.config_in(&scope.region);
        let hub = aws_sdk_securityhub::Client::new(&config);
        sg_trust::aws::probe::actions(&ec2::client(&config), &hub, scope).await
    }

    fn config_in(&self, region: &Region) -> SdkConfig {
        let region = aws_config::Region::new(region.as_str().to_owned());
        self.config.to_builder().region(region).build()
    }

    /// The account in a Region.
    pub(crate) fn place(&self, region: Region, policy: &Settings, patience: Timeouts) -> Place {
        let config = self.config_in(&region);
        let scope = Scope {
            partition: self.partition.clone(),
            region: region.clone(),
            account: self.id.clone(),
        };
        Place {
            source: Ec2::new(ec2::client(&config), self.id.clone(), region, patience),
            hub: SecurityHub::new(
                aws_sdk_securityhub::Client::new(&config),
                scope.clone(),
                patience,
            ),
            context: Arc::new(Context {
                scope,
                passed: Passed::default(),
                related_requirements: policy.related_requirements.clone(),
            }),
        }
    }
}

impl Place {
    /// How far the local clock is ahead of EC2's.
    pub(crate) async fn clock_offset(&self) -> anyhow::Result<jiff::SignedDuration> {
        Ok(self.source.clock_offset().await?)
    }

    /// A local clock that is wrong would date findings into the future, and block every later verdict of the function.
    pub(crate) async fn check_clock(&self) -> anyhow::Result<()> {
        let offset = self.clock_offset().await?;
        anyhow::ensure!(is_right(offset), "{}", clock_words(offset));
        Ok(())
    }
}

/// Is the clock near enough to EC2's to date findings by it?
pub(crate) fn is_right(offset: jiff::SignedDuration) -> bool {
    offset.abs() <= jiff::SignedDuration::from_secs(5)
}

/// How wrong the clock is.
pub(crate) fn clock_words(offset: jiff::SignedDuration) -> String {
    let direction = if offset.is_positive() {
        "ahead of"
    } else {
        "behind"
    };
    format!(
        "the local clock is {} s {direction} that of EC2: set it (ntp), then publish",
        offset.abs().as_secs()
    )
}
