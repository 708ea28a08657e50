//! The formats that show the worst first and count what does not fit: SARIF, GitHub's annotations, Markdown.

use std::cmp::Reverse;

use super::assessment::{AssessedViolation, Assessment};
use super::worst::Worst;
use super::{Summary, github, markdown, sarif};
use crate::plan::Change;
use crate::policy::Severity;

/// The longest text of one entry, in UTF-16 code units: names and descriptions are of anybody's choice.
pub(super) const LONGEST: usize = 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RankedFormat {
    /// One SARIF log, for whom it is.
    Sarif(SarifReader),
    /// Workflow commands of GitHub Actions.
    Github,
    /// A table for a step's summary or a comment.
    Markdown,
}

/// Who reads a SARIF log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SarifReader {
    /// Whoever knows SARIF: suppressions, baselines and open results are written as SARIF has them.
    Any,
    /// GitHub's code scanning, which shows every result as an alert.
    Github,
}

/// How urgent an entry is: the first is the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    /// A violation of a live group, or one that a plan brings.
    Fails,
    /// A group that a plan changes, and of which it cannot be told.
    Open,
    /// A violation that stays.
    Stays,
    /// A group that a plan leaves as it is, and of which it cannot be told.
    StaysOpen,
    Accepted,
    /// A violation that a plan ends.
    Ends,
}

pub(super) type Rank = (Standing, Reverse<Severity>);

/// One entry of a report, with its place.
#[derive(Debug)]
pub struct Entry {
    pub(super) rank: Rank,
    /// Which of the format's lists it stands in.
    pub(super) list: usize,
    pub(super) text: String,
}

/// A report in the making.
#[derive(Debug)]
pub struct Ranking {
    format: RankedFormat,
    lists: Vec<Worst<Rank, String>>,
}

impl RankedFormat {
    /// What a group adds to the report.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn entries(self, group: &Assessment) -> serde_json::Result<Vec<Entry>> {
        match self {
            Self::Sarif(reader) => sarif::entries(group, reader),
            Self::Github => Ok(github::entries(group)),
            Self::Markdown => Ok(markdown::entries(group)),
        }
    }

    /// How many lists it has, and how many entries one holds.
    fn lists(self) -> (usize, usize) {
        match self {
            Self::Sarif(_) => (1, sarif::RESULTS),
            Self::Github => (github::KINDS.len(), github::ANNOTATIONS),
            Self::Markdown => (1, markdown::ROWS),
        }
    }
}

impl Ranking {
    /// An empty report.
    #[must_use]
    pub fn new(format: RankedFormat) -> Self {
        let (lists, most) = format.lists();
        Self {
            format,
            lists: (0..lists).map(|_| Worst::new(most)).collect(),
        }
    }

    pub fn add(&mut self, entries: Vec<Entry>) {
        for Entry { rank, list, text } in entries {
            if let Some(list) = self.lists.get_mut(list) {
                list.add(rank, text);
            }
        }
    }

    /// The whole report.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn finish(self, summary: &Summary) -> serde_json::Result<String> {
        let lists = self.lists.into_iter().map(|list| List {
            seen: list.seen(),
            texts: list.into_entries().collect(),
        });
        match self.format {
            RankedFormat::Sarif(_) => sarif::log(lists.collect(), summary),
            RankedFormat::Github => Ok(github::commands(lists.collect(), summary)),
            RankedFormat::Markdown => Ok(markdown::table(lists.collect(), summary)),
        }
    }
}

/// The entries of a list that are shown, and how many there are in all.
pub(super) struct List {
    pub(super) seen: u64,
    pub(super) texts: Vec<String>,
}

impl List {
    /// How many are not shown when so many are.
    pub(super) fn left_out(&self, shown: usize) -> u64 {
        self.seen
            .saturating_sub(u64::try_from(shown).unwrap_or(u64::MAX))
    }
}

impl Assessment {
    /// The rank of the entry that says that it cannot be told; none where it can.
    pub(super) fn open_rank(&self) -> Option<Rank> {
        let standing = if self.is_changed {
            Standing::Open
        } else {
            Standing::StaysOpen
        };
        self.is_open
            .then_some((standing, Reverse(Severity::Informational)))
    }
}

impl AssessedViolation {
    pub(super) fn rank(&self) -> Rank {
        let standing = match (&self.exemption, self.change) {
            (_, Some(Change::Fixed)) => Standing::Ends,
            (Some(_), _) => Standing::Accepted,
            (None, None | Some(Change::New | Change::Widened)) => Standing::Fails,
            (None, Some(Change::Existing | Change::Narrowed)) => Standing::Stays,
        };
        (standing, Reverse(self.severity))
    }
}
