//! Findings as a report on a place to write to: the store of findings where nothing is published.

use std::io::Write;
use std::sync::{Mutex, PoisonError};

use sg_trust::engine::store::{FindingFilter, FindingStore, PublishedPage, Refusal, StoreError};
use sg_trust::finding::{Finding, Subject};
use sg_trust::report::asff::InvalidFinding;
use sg_trust::report::assessment::Origin;
use sg_trust::report::{Format, RankedFormat, Report, ReportError, SarifReader, Summary};

// No doc comment: clap would show it in place of the command's own.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct FormatArguments {
    /// How to print the result.
    #[arg(long = "format", value_name = "FORMAT", value_enum, default_value_t = FormatArgument::Table)]
    argument: FormatArgument,
    /// Leaves out of SARIF what this code host cannot show: it would count every result as an alert.
    #[arg(long, value_enum, value_name = "HOST")]
    sarif_for: Option<CodeHost>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum FormatArgument {
    /// Columns for people.
    Table,
    /// One document: groups and a summary.
    Json,
    /// One group a line, no summary.
    Ndjson,
    /// One array of Security Hub findings.
    Asff,
    /// One array of OCSF 1.6.0 Compliance Findings.
    Ocsf,
    /// One SARIF 2.1.0 log, for code hosts and editors.
    Sarif,
    /// Annotations of a GitHub Actions step.
    Github,
    /// A table for a step's summary or a comment.
    Markdown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum CodeHost {
    /// Code scanning of GitHub.
    Github,
}

impl FormatArguments {
    /// # Errors
    /// When SARIF is for somebody, and the format is another.
    pub(crate) fn format(self) -> anyhow::Result<Format> {
        let is_sarif = self.argument == FormatArgument::Sarif;
        anyhow::ensure!(
            self.sarif_for.is_none() || is_sarif,
            "--sarif-for needs --format sarif"
        );
        Ok(match self.sarif_for {
            Some(CodeHost::Github) => Format::Ranked(RankedFormat::Sarif(SarifReader::Github)),
            None => self.argument.into(),
        })
    }
}

impl From<FormatArgument> for Format {
    fn from(argument: FormatArgument) -> Self {
        match argument {
            FormatArgument::Table => Self::Table,
            FormatArgument::Json => Self::Json,
            FormatArgument::Ndjson => Self::Ndjson,
            FormatArgument::Asff => Self::Asff,
            FormatArgument::Ocsf => Self::Ocsf,
            FormatArgument::Sarif => Self::Ranked(RankedFormat::Sarif(SarifReader::Any)),
            FormatArgument::Github => Self::Ranked(RankedFormat::Github),
            FormatArgument::Markdown => Self::Ranked(RankedFormat::Markdown),
        }
    }
}

/// A finding that the format does not take.
fn refusal(finding: &Finding, invalid: &InvalidFinding) -> Refusal {
    Refusal {
        group_id: Some(finding.group_id.clone()),
        id: invalid.id.clone(),
        code: "InvalidFinding".to_owned(),
        message: invalid.faults.join(", "),
        is_retryable: false,
    }
}

/// Writes a report of the findings.
#[derive(Debug)]
pub(crate) struct Writer<W>(Mutex<Inner<W>>);

#[derive(Debug)]
struct Inner<W> {
    format: Format,
    report: Report,
    out: W,
    /// Whether the Region of the findings is known: commands show it.
    shows_region: bool,
}

impl<W: Write> Writer<W> {
    /// Of a format, to a place.
    pub(crate) fn new(format: Format, out: W) -> Self {
        Self(Mutex::new(Inner {
            format,
            report: Report::new(format),
            out,
            shows_region: true,
        }))
    }

    /// The same for findings whose Region is not known: their commands have none. For ASFF it must be known.
    pub(crate) fn without_region(self) -> Self {
        let inner = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        Self(Mutex::new(Inner {
            shows_region: false,
            ..inner
        }))
    }

    /// Adds findings to the report.
    ///
    /// # Errors
    /// When one is not fit for the format, or the place does not take them.
    pub(crate) fn write(&self, findings: &[Finding]) -> Result<(), StoreError> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Inner {
            format,
            report,
            out,
            shows_region,
        } = &mut *inner;
        let mut refusals = Vec::new();
        for finding in findings {
            let text = match &finding.subject {
                Subject::Evaluated(group, verdict) if !*shows_region => {
                    let piece = format.group(group, verdict, Origin::default());
                    piece.map(|piece| {
                        let (before, text) = report.add(verdict.status, piece);
                        before.into_owned() + &text
                    })
                }
                _ => report.finding(finding),
            };
            match text {
                Ok(text) => out.write_all(text.as_bytes()).map_err(StoreError::Write)?,
                Err(ReportError::InvalidFinding(invalid)) => {
                    refusals.push(refusal(finding, &invalid))
                }
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
    pub(crate) fn finish(self) -> Result<Summary, StoreError> {
        let Inner {
            report, mut out, ..
        } = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
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

    async fn published(
        &self,
        _: FindingFilter<'_>,
        _: Option<String>,
    ) -> Result<PublishedPage, StoreError> {
        Ok(PublishedPage::default())
    }
}
