//! Findings to Security Hub.
//!
//! A 200 answer may name findings that were not taken: each is an error, with its id, code and message. What may be
//! taken later is sent once more, alone.

use self::outgoing::{Outgoing, calls};
use super::findings;
use super::hub_client::HubClient;
use super::rate_limit::HubLimits;
use super::{CallError, Timeouts, describe};
use crate::engine::store::{FindingFilter, FindingStore, PublishedPage, Refusal, StoreError};
use crate::finding::Finding;
use crate::model::Scope;

mod outgoing;
mod own_findings;
#[cfg(test)]
mod tests;

/// Codes of findings that are refused for good.
const PERMANENT: [&str; 2] = ["InvalidInput", "InvalidAccess"];

/// Security Hub in one account and Region.
#[derive(Debug)]
pub struct SecurityHub {
    client: HubClient,
    scope: Scope,
    timeouts: Timeouts,
    pub(super) limits: HubLimits,
}

impl SecurityHub {
    /// Of the client's account and Region.
    pub(super) fn new(
        client: HubClient,
        scope: Scope,
        timeouts: Timeouts,
        limits: HubLimits,
    ) -> Self {
        Self {
            client,
            scope,
            timeouts,
            limits,
        }
    }

    /// Sends one call's findings; those that were not taken, with why.
    async fn import(&self, findings: &[&Outgoing]) -> Result<Vec<Refusal>, StoreError> {
        self.limits.imports.turn().await;
        let texts: Vec<_> = findings.iter().map(|finding| &*finding.json).collect();
        let answer = self
            .client
            .import_findings(&texts, self.timeouts)
            .await
            .map_err(|failure| self.error("BatchImportFindings", failure))?;
        let refused: Vec<_> = answer
            .failed_findings
            .unwrap_or_default()
            .into_iter()
            .map(|failed| {
                let code = failed.error_code.unwrap_or_else(|| "Unknown".to_owned());
                let sent = findings
                    .iter()
                    .find(|finding| Some(&finding.id) == failed.id.as_ref());
                Refusal {
                    group_id: sent.map(|finding| finding.group_id.clone()),
                    id: failed.id.unwrap_or_else(|| "of an unknown id".to_owned()),
                    message: failed
                        .error_message
                        .unwrap_or_else(|| "no message".to_owned()),
                    is_retryable: !PERMANENT.contains(&code.as_str()),
                    code,
                }
            })
            .collect();
        // What the answer does not account for may not have been taken.
        let taken = usize::try_from(answer.success_count.unwrap_or_default()).unwrap_or_default();
        if taken + refused.len() < findings.len() {
            let (sent, named) = (findings.len(), refused.len());
            let why = format!(
                "of {sent} findings the answer says that {taken} were taken, and names {named} that were not"
            );
            let error = self.error("BatchImportFindings", CallError::Unexpected(why));
            return Err(StoreError::with(refused, error));
        }
        Ok(refused)
    }

    /// The same, and once more for those that may be taken later.
    async fn import_persistently(&self, findings: &[Outgoing]) -> Result<Vec<Refusal>, StoreError> {
        let findings: Vec<_> = findings.iter().collect();
        let (later, mut refused): (Vec<_>, Vec<_>) = self
            .import(&findings)
            .await?
            .into_iter()
            .partition(|refusal| refusal.is_retryable);
        let is_later = |finding: &&Outgoing| {
            later
                .iter()
                .any(|refusal| refusal.group_id.as_ref() == Some(&finding.group_id))
        };
        let again: Vec<_> = findings.into_iter().filter(is_later).collect();
        if again.is_empty() {
            refused.extend(later);
        } else {
            // One that names none of the findings that were sent cannot be sent again.
            let (sent, unknown): (Vec<_>, Vec<_>) = later
                .into_iter()
                .partition(|refusal| refusal.group_id.is_some());
            refused.extend(unknown);
            refused.extend(self.import(&again).await.unwrap_or(sent));
        }
        Ok(refused)
    }

    fn error(&self, operation: &str, error: CallError) -> StoreError {
        let Scope {
            region, account, ..
        } = &self.scope;
        let place = format!("account {account}, region {region}");
        let call = format!("security hub {operation} in {place}");
        let text = describe(&error);
        let text = match error.code() {
            _ if error.is_configuration() => {
                format!("{call} could not be called: {text}: check the credentials and the Region")
            }
            _ if error.is_retryable() => format!("{call}: {text}"),
            Some("InvalidAccessException") => format!(
                "security hub is not enabled in {place} ({text}): enable Security Hub CSPM there \
                 (aws securityhub enable-security-hub --region {region}), or remove this function from the Region"
            ),
            Some("AccessDeniedException" | "AccessDenied") => format!(
                "security hub denies {operation} in {place} ({text}). The four causes: the role lacks \
                 securityhub:{operation} on {} (or a policy above denies it); \
                 the credentials are of another account; the Region or partition is another; or Security Hub CSPM is \
                 not enabled there",
                self.scope.product_arn()
            ),
            _ => format!("{call}: {text}"),
        };
        if error.is_retryable() {
            StoreError::Unavailable(text)
        } else {
            StoreError::Rejected(text)
        }
    }
}

impl FindingStore for SecurityHub {
    async fn publish(&self, findings: &[Finding]) -> Result<(), StoreError> {
        let mut refused: Vec<Refusal> = Vec::new();
        let mut fitting = Vec::with_capacity(findings.len());
        for finding in findings {
            match Outgoing::of(finding) {
                Ok(outgoing) => fitting.push(outgoing),
                Err(refusal) => refused.push(refusal),
            }
        }
        let mut failure: Option<StoreError> = None;
        for call in calls(fitting) {
            match self.import_persistently(&call).await {
                Ok(of_call) => refused.extend(of_call),
                // The others may be taken all the same. Of several errors the one that may pass decides.
                Err(error) if failure.as_ref().is_none_or(|first| !first.is_retryable()) => {
                    failure = Some(error)
                }
                Err(_) => {}
            }
        }
        match failure {
            Some(error) => Err(StoreError::with(refused, error)),
            None if refused.is_empty() => Ok(()),
            None => Err(StoreError::Refused(refused)),
        }
    }

    async fn published(
        &self,
        filter: FindingFilter<'_>,
        after: Option<String>,
    ) -> Result<PublishedPage, StoreError> {
        self.limits.reads.turn().await;
        let filters = own_findings::filters(&self.scope, filter);
        let page = self
            .client
            .get_findings(&filters, findings::MOST, after, self.timeouts)
            .await
            .map_err(|failure| self.error("GetFindings", failure))?;
        Ok(PublishedPage {
            findings: page
                .findings
                .into_iter()
                .filter_map(|finding| own_findings::published(&self.scope, finding, filter))
                .collect(),
            next: page.next_token.filter(|token| !token.is_empty()),
        })
    }
}
