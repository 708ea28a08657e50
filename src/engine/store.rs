//! Where findings are kept: [`FindingStore`] is Security Hub in the function. It knows no format.

use std::future::Future;
use std::io;

use jiff::Timestamp;

use crate::finding::{Attribution, Finding, Fingerprint, Lifecycle};
use crate::model::{GroupId, VpcId};

/// Most values of one filter ([`FindingFilter`]): GetFindings takes 20
/// (<https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_AwsSecurityFindingFilters.html>).
pub const FILTER_VALUES: usize = 20;
/// Findings of one call of BatchImportFindings
/// (<https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchImportFindings.html>).
pub const IMPORT: usize = 100;

/// A store of findings.
pub trait FindingStore {
    /// Publishes findings. One that is refused does not keep the others from being published.
    fn publish(&self, findings: &[Finding]) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// A page of the product's own published findings: the first, or the one after another.
    fn published(
        &self,
        filter: FindingFilter<'_>,
        after: Option<String>,
    ) -> impl Future<Output = Result<PublishedPage, StoreError>> + Send;
}

/// Which of the product's own findings.
#[derive(Debug, Clone, Copy)]
pub enum FindingFilter<'a> {
    /// The active ones.
    Active,
    /// Those of groups whose violations are all exempt.
    Exempt,
    /// The archived ones that were last updated after this moment.
    ArchivedAfter(Timestamp),
    /// Those that an event published at or after this moment.
    ByEventSince(Timestamp),
    /// The active ones of groups that were in one of these VPCs, at most [`FILTER_VALUES`].
    InVpcs(&'a [VpcId]),
    /// Those of these groups, at most [`FILTER_VALUES`].
    Of(&'a [GroupId]),
}

/// One of the product's own findings, as it was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedFinding {
    /// The group.
    pub group_id: GroupId,
    /// The VPC that the group was in.
    pub vpc_id: Option<VpcId>,
    /// The stage of its life; absent where somebody else's import left one that does not fit together.
    pub lifecycle: Option<Lifecycle>,
    /// The digest of its content, if it stands there as it was published.
    pub fingerprint: Option<Fingerprint>,
    /// `UpdatedAt`.
    pub updated_at: Option<Timestamp>,
    /// The events behind it.
    pub attribution: Attribution,
}

/// Some of the product's own findings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PublishedPage {
    pub findings: Vec<PublishedFinding>,
    /// The token of the next page; absent on the last.
    pub next: Option<String>,
}

/// Findings that were not published, or could not be read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store may answer later: a time-out, throttling, a fault of the service.
    #[error("{0}")]
    Unavailable(String),
    /// The store refuses, however often it is asked: a denied call, a hub that is off.
    #[error("{0}")]
    Rejected(String),
    /// These findings were refused; the others were taken.
    #[error("{} refused: {}", count(.0.len()), .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Refused(Vec<Refusal>),
    /// These findings were refused, and others were not taken because of an error.
    #[error("{error}; {}", Self::Refused(.refused.clone()))]
    Partly {
        /// The refused ones.
        refused: Vec<Refusal>,
        #[source]
        error: Box<StoreError>,
    },
    /// The place to write to is closed.
    #[error("cannot write")]
    Write(#[source] io::Error),
}

/// One finding that was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{id} ({code}: {message})")]
pub struct Refusal {
    /// The group that the finding is about; unknown where the answer names a finding that was not sent.
    pub group_id: Option<GroupId>,
    /// The finding's id, as the answer names it.
    pub id: String,
    /// Security Hub's error code, or `InvalidFinding` when the product's own check refused it.
    pub code: String,
    /// The meaning of the code.
    pub message: String,
    /// Whether it is worth sending again.
    pub is_retryable: bool,
}

fn count(findings: usize) -> String {
    if findings == 1 {
        "1 finding".to_owned()
    } else {
        format!("{findings} findings")
    }
}

impl StoreError {
    /// An error that some findings met, beside those that were refused.
    #[must_use]
    pub fn with(refused: Vec<Refusal>, error: Self) -> Self {
        if refused.is_empty() {
            error
        } else {
            Self::Partly {
                refused,
                error: Box::new(error),
            }
        }
    }

    /// Whether it is worth trying again; of refused findings, whether any is.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unavailable(_) => true,
            Self::Refused(refusals) => refusals.iter().any(|refusal| refusal.is_retryable),
            Self::Partly { refused, error } => {
                error.is_retryable() || refused.iter().any(|refusal| refusal.is_retryable)
            }
            Self::Rejected(_) | Self::Write(_) => false,
        }
    }
}

/// Takes every finding and keeps none: for where findings are only shown.
#[derive(Debug, Clone, Copy)]
pub struct DiscardStore;

impl FindingStore for DiscardStore {
    async fn publish(&self, _: &[Finding]) -> Result<(), StoreError> {
        Ok(())
    }

    async fn published(
        &self,
        _: FindingFilter<'_>,
        _: Option<String>,
    ) -> Result<PublishedPage, StoreError> {
        Ok(PublishedPage::default())
    }
}
