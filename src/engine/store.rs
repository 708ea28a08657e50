//! Where findings go.
//!
//! [`FindingStore`] is Security Hub in the function, and a [`Writer`] on the command line.

use std::future::Future;
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use crate::finding::{Attribution, Finding};
use crate::model::{GroupId, VpcId};
use crate::policy::Status;
use crate::report::asff::InvalidFinding;
use crate::report::{Format, Report, ReportError, Summary};

/// A sink of findings.
pub trait FindingStore {
    /// Publishes findings. That one is refused does not keep the others from being published.
    fn publish(&self, findings: &[Finding]) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// A page of the product's own findings that stand there: the first, or the one after another.
    fn standing(
        &self,
        which: FindingFilter<'_>,
        after: Option<String>,
    ) -> impl Future<Output = Result<PublishedPage, StoreError>> + Send;
}

/// FindingFilter of the product's own findings.
#[derive(Debug, Clone, Copy)]
pub enum FindingFilter<'a> {
    /// The active ones.
    Active,
    /// Those of groups whose violations are all exempt.
    Exempt,
    /// The archived ones that were last updated after this moment.
    ArchivedAfter(Timestamp),
    /// The active ones of groups that were in one of these VPCs, at most [`VALUES`].
    InVpcs(&'a [VpcId]),
    /// Those of these groups, at most [`VALUES`].
    Of(&'a [GroupId]),
}

/// Most values of one filter of GetFindings.
pub const VALUES: usize = 20;

/// One of the product's own findings, as much of it as a sweep needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedFinding {
    /// The group.
    pub group_id: GroupId,
    /// The VPC that the group was in.
    pub vpc_id: Option<VpcId>,
    /// What it said of the group.
    pub verdict: Option<Status>,
    /// `sg-trust/digest`, which tells whether anything changed.
    pub digest: Option<u64>,
    /// `UpdatedAt`.
    pub updated_at: Option<Timestamp>,
    /// The events that led to it.
    pub event: Option<Box<Attribution>>,
}

/// Some of the product's own findings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PublishedPage {
    /// What it has.
    pub findings: Vec<PublishedFinding>,
    /// What to ask the next page with; absent on the last.
    pub next: Option<String>,
}

/// Takes every finding and keeps none: for where findings are only shown.
#[derive(Debug, Clone, Copy)]
pub struct DiscardStore;

impl FindingStore for DiscardStore {
    async fn publish(&self, _: &[Finding]) -> Result<(), StoreError> {
        Ok(())
    }

    async fn standing(
        &self,
        _: FindingFilter<'_>,
        _: Option<String>,
    ) -> Result<PublishedPage, StoreError> {
        Ok(PublishedPage::default())
    }
}

/// Findings that were not published.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The sink may take them later: a time-out, throttling, a fault of the service.
    #[error("{0}")]
    Unavailable(String),
    /// The sink will not take any, however often it is asked: a denied call, a hub that is off.
    #[error("{0}")]
    Rejected(String),
    /// These were refused; the others were taken.
    #[error("{} refused: {}", count(.0.len()), .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Refused(Vec<Refusal>),
    /// These were refused, and others were not taken because of an error.
    #[error("{error}; {}", Self::Refused(.refused.clone()))]
    Partly {
        /// The refused ones.
        refused: Vec<Refusal>,
        /// What became of the others.
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
    /// The finding's id.
    pub id: String,
    /// Security Hub's error code, or `InvalidFinding` when the product's own check refused it.
    pub code: String,
    /// What the code says.
    pub message: String,
    /// Is it worth sending again?
    pub is_retryable: bool,
}

impl From<InvalidFinding> for Refusal {
    fn from(unfit: InvalidFinding) -> Self {
        Self {
            message: unfit.faults.join(", "),
            id: unfit.id,
            code: "InvalidFinding".to_owned(),
            is_retryable: false,
        }
    }
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

    /// Is it worth sending again? Of refused findings: is any?
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

/// Writes a report of the findings.
#[derive(Debug)]
pub struct Writer<W>(Mutex<Inner<W>>);

#[derive(Debug)]
struct Inner<W> {
    report: Report,
    out: W,
}

impl<W: Write> Writer<W> {
    /// Of a format, to a place.
    #[must_use]
    pub fn new(format: Format, out: W) -> Self {
        Self(Mutex::new(Inner {
            report: Report::new(format),
            out,
        }))
    }

    /// Adds findings to the report.
    ///
    /// # Errors
    /// When one is not fit for the format, or the place does not take them.
    pub fn write(&self, findings: &[Finding]) -> Result<(), StoreError> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Inner { report, out } = &mut *inner;
        let mut refusals = Vec::new();
        for finding in findings {
            match report.finding(finding) {
                Ok(text) => out.write_all(text.as_bytes()).map_err(StoreError::Write)?,
                Err(ReportError::InvalidFinding(unfit)) => refusals.push(unfit.into()),
                Err(error) => return Err(StoreError::Rejected(error.to_string())),
            }
        }
        if refusals.is_empty() {
            Ok(())
        } else {
            Err(StoreError::Refused(refusals))
        }
    }

    /// Ends the report: how many groups came out how.
    ///
    /// # Errors
    /// When the place does not take the end.
    pub fn finish(self) -> Result<Summary, StoreError> {
        let Inner { report, mut out } = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        let summary = *report.summary();
        let end = report
            .finish()
            .map_err(|error| StoreError::Rejected(error.to_string()))?;
        out.write_all(end.as_bytes())
            .and_then(|()| out.flush())
            .map_err(StoreError::Write)?;
        Ok(summary)
    }
}

impl<W: Write + Send> FindingStore for Writer<W> {
    async fn publish(&self, findings: &[Finding]) -> Result<(), StoreError> {
        self.write(findings)
    }

    /// Nothing stands where nothing is kept.
    async fn standing(
        &self,
        _: FindingFilter<'_>,
        _: Option<String>,
    ) -> Result<PublishedPage, StoreError> {
        Ok(PublishedPage::default())
    }
}
