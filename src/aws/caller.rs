//! Who calls: the account and partition of the credentials, for commands that no function's ARN tells.

use aws_config::SdkConfig;

use super::Failure;
use crate::model::{AccountId, Partition};

/// Account and partition of the credentials, by STS.
///
/// # Errors
/// When there are none, or STS does not take them.
pub async fn identity(config: &SdkConfig) -> Result<(Partition, AccountId), String> {
    let answer = aws_sdk_sts::Client::new(config)
        .get_caller_identity()
        .send()
        .await;
    let answer = answer.map_err(|error| match Failure::of(error) {
        Failure::Answer { code, message, .. } => format!("sts GetCallerIdentity: {message} ({code})"),
        Failure::NoAnswer(why) => format!("sts GetCallerIdentity: {why}"),
        Failure::NotMade(why) => format!(
            "no credentials: {why}: set AWS_PROFILE or AWS_ACCESS_KEY_ID, or sign in with `aws sso login`"
        ),
    })?;
    let partition = answer
        .arn
        .as_deref()
        .and_then(|arn| arn.split(':').nth(1))
        .map(Partition::new);
    let account = answer.account.map(AccountId::new);
    partition
        .zip(account)
        .ok_or_else(|| "sts GetCallerIdentity: an answer without account or ARN".to_owned())
}

/// The Regions that are enabled for the account, by EC2.
///
/// # Errors
/// When EC2 does not tell.
pub async fn enabled_regions(config: &SdkConfig) -> Result<Vec<crate::model::Region>, String> {
    let answer = super::ec2::client(config).describe_regions().send().await;
    let answer = answer.map_err(|error| match Failure::of(error) {
        Failure::Answer { code, message, .. } => format!("ec2 DescribeRegions: {message} ({code})"),
        Failure::NoAnswer(why) | Failure::NotMade(why) => format!("ec2 DescribeRegions: {why}"),
    })?;
    let mut regions: Vec<_> = answer
        .regions
        .unwrap_or_default()
        .into_iter()
        .filter_map(|region| region.region_name)
        .collect();
    regions.sort();
    Ok(regions.into_iter().map(crate::model::Region::new).collect())
}
