//! Any format, put together group by group.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde::Serialize;

use super::{asff, json, table};
use crate::finding::{Finding, Subject};
use crate::model::{Region, SecurityGroup};
use crate::policy::{self, Status, Verdict};

/// The formats of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Table,
    /// One JSON document.
    Json,
    /// One group a line.
    Ndjson,
    /// One array of Security Hub findings.
    Asff,
}

impl Format {
    /// A group as an element of a report, in any format but ASFF, which has findings.
    ///
    /// # Errors
    /// When the group cannot be written in the format.
    pub fn group(
        self,
        group: &SecurityGroup,
        verdict: &Verdict,
        region: Option<&Region>,
    ) -> Result<String, ReportError> {
        let line = || json::Group::new(group, verdict, region).to_line();
        match self {
            Self::Table => Ok(table::group(group, verdict, region)),
            Self::Json => Ok(line()?),
            Self::Ndjson => Ok(line()? + "\n"),
            Self::Asff => Err(ReportError::NeedsFinding),
        }
    }

    /// The finding of a group that was evaluated, as an element of a report.
    ///
    /// # Errors
    /// When the finding cannot be written in the format.
    pub fn finding(self, finding: &Finding) -> Result<String, ReportError> {
        match &finding.subject {
            Subject::Evaluated(group, verdict) if self != Self::Asff => {
                self.group(group, verdict, Some(&finding.context.scope.region))
            }
            _ => Ok(json::to_pretty(&asff::render(finding)?)?),
        }
    }
}

/// How many groups came out how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Summary {
    /// Groups that were evaluated.
    pub groups: u64,
    /// Those without a violation.
    pub passed: u64,
    /// Those with a violation that no exemption covers.
    pub failed: u64,
    /// Those with violations, all exempt.
    pub exempt: u64,
    /// Groups that are gone.
    #[serde(skip)]
    pub archived: u64,
}

impl Summary {
    /// Counts one group.
    pub fn count(&mut self, status: Status) {
        self.groups += 1;
        match status {
            Status::Passed => self.passed += 1,
            Status::Failed => self.failed += 1,
            Status::Exempt => self.exempt += 1,
        }
    }
}

/// A group or a finding that cannot be written in the format.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// ASFF has findings, not groups.
    #[error("a group has no place in a report of findings")]
    NeedsFinding,
    /// The finding is not one that Security Hub takes.
    #[error(transparent)]
    InvalidFinding(#[from] asff::InvalidFinding),
    /// It is not to be had as JSON.
    #[error("cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}

/// A report in the making: what each call returns is to be written behind what was returned before.
#[derive(Debug)]
pub struct Report {
    format: Format,
    summary: Summary,
    gone: Vec<String>,
    is_begun: bool,
}

impl Report {
    /// An empty report.
    #[must_use]
    pub fn new(format: Format) -> Self {
        Self {
            format,
            summary: Summary::default(),
            gone: Vec::new(),
            is_begun: false,
        }
    }

    /// What was counted so far.
    #[must_use]
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Adds a group that was evaluated, in any format but ASFF, which has findings.
    ///
    /// # Errors
    /// When the group cannot be written in the format.
    pub fn group(
        &mut self,
        group: &SecurityGroup,
        verdict: &Verdict,
        region: Option<&Region>,
    ) -> Result<String, ReportError> {
        let element = self.format.group(group, verdict, region)?;
        Ok(self.before(verdict.status, &element).into_owned() + &element)
    }

    /// Counts a group that was evaluated: what to write before its element.
    pub fn before(&mut self, status: Status, element: &str) -> Cow<'static, str> {
        self.summary.count(status);
        self.separator(element)
    }

    /// Adds a finding.
    ///
    /// # Errors
    /// When the finding cannot be written in the format.
    pub fn finding(&mut self, finding: &Finding) -> Result<String, ReportError> {
        if let Subject::Evaluated(_, verdict) = &finding.subject {
            let element = self.format.finding(finding)?;
            return Ok(self.before(verdict.status, &element).into_owned() + &element);
        }
        self.summary.archived += 1;
        let element = match self.format {
            Format::Asff => self.format.finding(finding)?,
            Format::Table => table::gone(finding.group_id.as_str()),
            Format::Json | Format::Ndjson => {
                self.gone.push(finding.group_id.as_str().to_owned());
                return Ok(String::new());
            }
        };
        Ok(self.separator(&element).into_owned() + &element)
    }

    /// Ends the report.
    ///
    /// # Errors
    /// When the end cannot be written as JSON.
    pub fn finish(mut self) -> Result<String, ReportError> {
        let is_empty = !self.is_begun;
        Ok(match self.format {
            Format::Table if is_empty => table::totals(&self.summary),
            Format::Table => format!("\n{}", table::totals(&self.summary)),
            Format::Json => {
                let begin = if is_empty {
                    self.begin()
                } else {
                    String::new()
                };
                let mut end = format!("{begin}],\"summary\":{}", json::to_line(&self.summary)?);
                if !self.gone.is_empty() {
                    let _ = write!(end, ",\"archived\":{}", json::to_line(&self.gone)?);
                }
                end + "}\n"
            }
            Format::Asff if is_empty => "[]\n".to_owned(),
            Format::Asff => "\n]\n".to_owned(),
            Format::Ndjson => String::new(),
        })
    }

    fn begin(&mut self) -> String {
        self.is_begun = true;
        match self.format {
            Format::Json => format!("{{\"version\":1,\"policy\":\"{}\",\"groups\":[", policy::ID),
            Format::Asff => "[".to_owned(),
            Format::Table => table::heading(),
            Format::Ndjson => String::new(),
        }
    }

    fn separator(&mut self, element: &str) -> Cow<'static, str> {
        match (self.format, self.is_begun) {
            (Format::Json | Format::Asff, false) => Cow::Owned(self.begin() + "\n"),
            (Format::Json | Format::Asff, true) => Cow::Borrowed(",\n"),
            (Format::Table, false) if !element.is_empty() => Cow::Owned(self.begin()),
            _ => Cow::Borrowed(""),
        }
    }
}
