//! Any format, put together group by group.

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
        self.summary.count(verdict.status);
        match self.format {
            Format::Table => Ok(self.begin_table(table::group(group, verdict, region))),
            Format::Json => {
                let line = json::to_line(&json::Group::new(group, verdict, region))?;
                Ok(self.element(&line))
            }
            Format::Ndjson => Ok(json::to_line(&json::Group::new(group, verdict, region))? + "\n"),
            Format::Asff => Err(ReportError::NeedsFinding),
        }
    }

    /// Adds a finding.
    ///
    /// # Errors
    /// When the finding cannot be written in the format.
    pub fn finding(&mut self, finding: &Finding) -> Result<String, ReportError> {
        let as_asff = self.format == Format::Asff;
        match &finding.subject {
            Subject::Evaluated(group, verdict) if !as_asff => {
                return self.group(group, verdict, Some(&finding.context.scope.region));
            }
            Subject::Evaluated(_, verdict) => self.summary.count(verdict.status),
            Subject::Gone | Subject::Retired => self.summary.archived += 1,
        }
        match self.format {
            Format::Asff => {
                let rendered = asff::render(finding)?;
                let text = json::to_pretty(&rendered)?;
                Ok(self.element(&text))
            }
            Format::Table => Ok(self.begin_table(table::gone(finding.group_id.as_str()))),
            Format::Json | Format::Ndjson => {
                self.gone.push(finding.group_id.as_str().to_owned());
                Ok(String::new())
            }
        }
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
                    self.traffic()
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

    fn traffic(&mut self) -> String {
        self.is_begun = true;
        match self.format {
            Format::Json => format!("{{\"version\":1,\"policy\":\"{}\",\"groups\":[", policy::ID),
            Format::Asff => "[".to_owned(),
            Format::Table => table::heading(),
            Format::Ndjson => String::new(),
        }
    }

    fn element(&mut self, text: &str) -> String {
        let before = if self.is_begun {
            ",\n".to_owned()
        } else {
            self.traffic() + "\n"
        };
        before + text
    }

    fn begin_table(&mut self, block: String) -> String {
        if block.is_empty() || self.is_begun {
            block
        } else {
            self.traffic() + &block
        }
    }
}
