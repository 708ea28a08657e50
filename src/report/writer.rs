//! Any format, put together group by group.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde::Serialize;

use super::assessment::{Assessment, Origin};
use super::ranked::{Entry, RankedFormat, Ranking};
use super::{asff, json, ocsf, table};
use crate::finding::{Finding, Subject};
use crate::model::SecurityGroup;
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
    /// One array of OCSF events.
    Ocsf,
    /// The worst first, at the end.
    Ranked(RankedFormat),
}

/// A group as a part of a report.
#[derive(Debug)]
pub enum Piece {
    /// To be written at its place.
    Text(String),
    /// To be kept until the end.
    Entries(Vec<Entry>),
}

impl Format {
    /// Whether it shows findings, which need a Region and an account, and not groups.
    #[must_use]
    pub fn is_of_findings(self) -> bool {
        matches!(self, Self::Asff | Self::Ocsf)
    }

    /// A group as a part of a report, in any format that is not of findings.
    ///
    /// # Errors
    /// When the group cannot be written in the format.
    pub fn group(
        self,
        group: &SecurityGroup,
        verdict: &Verdict,
        origin: Origin<'_>,
    ) -> Result<Piece, ReportError> {
        let line = || json::Group::new(group, verdict, origin.region).to_line();
        Ok(match self {
            Self::Table => Piece::Text(table::group(group, verdict, origin.region)),
            Self::Json => Piece::Text(line()?),
            Self::Ndjson => Piece::Text(line()? + "\n"),
            Self::Ranked(format) => {
                Piece::Entries(format.entries(&Assessment::live(group, verdict, origin))?)
            }
            Self::Asff | Self::Ocsf => return Err(ReportError::NeedsFinding),
        })
    }

    /// The finding of a group that was evaluated, as a part of a report.
    ///
    /// # Errors
    /// When the finding cannot be written in the format.
    pub fn finding(self, finding: &Finding) -> Result<Piece, ReportError> {
        let text = match (&finding.subject, self) {
            (_, Self::Asff) => json::to_pretty(&asff::render(finding)?)?,
            (_, Self::Ocsf) => json::to_pretty(&ocsf::render(finding))?,
            (Subject::Evaluated(group, verdict), _) => {
                let scope = &finding.context.scope;
                let origin = Origin {
                    file: None,
                    partition: Some(&scope.partition),
                    region: Some(&scope.region),
                };
                return self.group(group, verdict, origin);
            }
            (Subject::Gone | Subject::Retired, Self::Table) => {
                table::gone(finding.group_id.as_str())
            }
            (Subject::Gone | Subject::Retired, _) => String::new(),
        };
        Ok(Piece::Text(text))
    }
}

/// The number of groups of each verdict.
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
    /// Groups of a plan of which it cannot be told.
    #[serde(skip)]
    pub cannot_tell: u64,
    /// Groups that are gone.
    #[serde(skip)]
    pub archived: u64,
}

impl Summary {
    /// Adds what was counted of others.
    pub fn add(&mut self, other: &Self) {
        self.groups += other.groups;
        self.passed += other.passed;
        self.failed += other.failed;
        self.exempt += other.exempt;
        self.cannot_tell += other.cannot_tell;
        self.archived += other.archived;
    }

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
    /// The format has findings, not groups.
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
    /// Of a format that shows the worst first.
    ranking: Option<Ranking>,
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
            ranking: match format {
                Format::Ranked(format) => Some(Ranking::new(format)),
                _ => None,
            },
        }
    }

    #[must_use]
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Adds a group that was evaluated: what is to be written, in two parts.
    pub fn add(&mut self, status: Status, piece: Piece) -> (Cow<'static, str>, String) {
        self.summary.count(status);
        self.place(piece)
    }

    fn place(&mut self, piece: Piece) -> (Cow<'static, str>, String) {
        match piece {
            Piece::Text(text) => (self.separator(&text), text),
            Piece::Entries(entries) => {
                if let Some(ranking) = &mut self.ranking {
                    ranking.add(entries);
                }
                (Cow::Borrowed(""), String::new())
            }
        }
    }

    /// Adds a finding.
    ///
    /// # Errors
    /// When the finding cannot be written in the format.
    pub fn finding(&mut self, finding: &Finding) -> Result<String, ReportError> {
        let piece = self.format.finding(finding)?;
        let (before, text) = match &finding.subject {
            Subject::Evaluated(_, verdict) => self.add(verdict.status, piece),
            Subject::Gone | Subject::Retired => {
                self.summary.archived += 1;
                if matches!(self.format, Format::Json | Format::Ndjson) {
                    self.gone.push(finding.group_id.as_str().to_owned());
                    return Ok(String::new());
                }
                self.place(piece)
            }
        };
        Ok(before.into_owned() + &text)
    }

    /// Ends the report.
    ///
    /// # Errors
    /// When the end cannot be written as JSON.
    pub fn finish(mut self) -> Result<String, ReportError> {
        let is_empty = !self.is_begun;
        Ok(match (self.format, self.ranking.take()) {
            (_, Some(ranking)) => ranking.finish(&self.summary)?,
            (Format::Table, _) if is_empty => table::totals(&self.summary),
            (Format::Table, _) => format!("\n{}", table::totals(&self.summary)),
            (Format::Json, _) => {
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
            (Format::Asff | Format::Ocsf, _) if is_empty => "[]\n".to_owned(),
            (Format::Asff | Format::Ocsf, _) => "\n]\n".to_owned(),
            (Format::Ndjson | Format::Ranked(_), _) => String::new(),
        })
    }

    fn begin(&mut self) -> String {
        self.is_begun = true;
        match self.format {
            Format::Json => format!("{{\"version\":1,\"policy\":\"{}\",\"groups\":[", policy::ID),
            Format::Asff | Format::Ocsf => "[".to_owned(),
            Format::Table => table::heading(),
            Format::Ndjson | Format::Ranked(_) => String::new(),
        }
    }

    fn separator(&mut self, element: &str) -> Cow<'static, str> {
        match (self.format, self.is_begun) {
            (Format::Json | Format::Asff | Format::Ocsf, false) => Cow::Owned(self.begin() + "\n"),
            (Format::Json | Format::Asff | Format::Ocsf, true) => Cow::Borrowed(",\n"),
            (Format::Table, false) if !element.is_empty() => Cow::Owned(self.begin()),
            _ => Cow::Borrowed(""),
        }
    }
}
