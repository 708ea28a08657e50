//! One account in one Region of one partition.

use super::{AccountId, Partition, Region};

/// Where findings stand: one account in one Region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The partition.
    pub partition: Partition,
    /// The Region.
    pub region: Region,
    /// The account.
    pub account: AccountId,
}

impl Scope {
    /// The default product of the account, under which it publishes findings of its own.
    #[must_use]
    pub fn product_arn(&self) -> String {
        let Self {
            partition,
            region,
            account,
        } = self;
        format!("arn:{partition}:securityhub:{region}:{account}:product/{account}/default")
    }
}
