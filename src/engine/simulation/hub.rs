//! Security Hub: it keeps the newest finding of each group, and its reads lag.

use super::world::{Sent, World};
use crate::engine::store::{
    FindingFilter, FindingStore, PublishedFinding, PublishedPage, Refusal, StoreError,
};
use crate::engine::testing::{is_meant, published, vpc_of};
use crate::finding::Finding;

/// Security Hub as one run sees it.
#[derive(Debug)]
pub(super) struct Hub<'w> {
    pub(super) world: &'w World,
    pub(super) run: usize,
}

impl Hub<'_> {
    async fn call<T>(&self, answer: impl FnOnce() -> T) -> Result<T, StoreError> {
        let unavailable = || StoreError::Unavailable("the hub is away".to_owned());
        self.world.travel().await;
        if self.world.fails(self.run) {
            return Err(unavailable());
        }
        let answer = answer();
        self.world.travel().await;
        // It is done, and the answer is lost.
        if self.world.fails(self.run) {
            return Err(unavailable());
        }
        Ok(answer)
    }
}

impl FindingStore for Hub<'_> {
    async fn publish(&self, findings: &[Finding]) -> Result<(), StoreError> {
        let over = |finding: &Finding| {
            let known = self.world.published(&finding.group_id)?;
            Some(known.observed_at)
        };
        self.world
            .sent
            .lock()
            .unwrap()
            .extend(findings.iter().map(|finding| Sent {
                run: self.run,
                finding: finding.clone(),
                over: over(finding),
            }));
        let import = || {
            let mut refused = Vec::new();
            for finding in findings {
                if self.world.fails(self.run) {
                    refused.push(Refusal {
                        group_id: Some(finding.group_id.clone()),
                        id: finding.id(),
                        code: "InternalException".to_owned(),
                        message: "because".to_owned(),
                        is_retryable: true,
                    });
                } else {
                    self.world.import(finding);
                }
            }
            refused
        };
        let refused = self.call(import).await?;
        let is_refused = |finding: &&Finding| {
            let mut refused = refused.iter();
            refused.any(|one| one.group_id.as_ref() == Some(&finding.group_id))
        };
        let taken = findings.iter().filter(|finding| !is_refused(finding));
        let taken = taken.map(|finding| (self.run, finding.group_id.clone()));
        self.world.taken.lock().unwrap().extend(taken);
        if refused.is_empty() {
            Ok(())
        } else {
            Err(StoreError::Refused(refused))
        }
    }

    async fn published(
        &self,
        filter: FindingFilter<'_>,
        _: Option<String>,
    ) -> Result<PublishedPage, StoreError> {
        let mut findings = self.call(|| self.world.read_hub()).await?;
        findings.retain(|finding| is_meant(filter, finding));
        let published = |finding: &Finding| PublishedFinding {
            vpc_id: vpc_of(finding),
            ..published(finding)
        };
        Ok(PublishedPage {
            findings: findings.iter().map(published).collect(),
            next: None,
        })
    }
}
