//! What a run tells about itself. Each stage returns its own counts, and the caller adds them; nothing decides on them.

use jiff::Timestamp;

use crate::event::Trigger;
use crate::finding::{Finding, Lifecycle};
use crate::model::GroupId;
use crate::policy::exemption::{Alert, Usage};

/// The summary line names at most so many groups.
const NAMED_GROUPS: usize = 20;
/// Most values of one metric in one line
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).
const VALUES: usize = 100;
/// At most so many warnings of one run are kept.
const WARNINGS: usize = 100;

/// The counts of a run; when it failed, as far as it got.
#[derive(Debug, Clone, Default)]
pub struct RunStats {
    /// The first groups and what became of each.
    pub groups: Vec<(GroupId, Lifecycle)>,
    /// Groups that were evaluated.
    pub evaluated: u64,
    /// Of these, those that failed.
    pub failed: u64,
    /// Findings that Security Hub took.
    pub published: u64,
    /// Findings that it refused, or that the product's own check refused.
    pub refused: u64,
    /// Published findings whose time is still to come.
    pub from_future: u64,
    /// Events that made the function do nothing.
    pub ignored: u64,
    /// Of these, those of another account or Region.
    pub foreign: u64,
    /// Messages that were refused: see [`RefusedMessage`](super::route::RefusedMessage).
    pub refused_events: u64,
    /// Sweeps of member accounts that were put on the work queue.
    pub queued_sweeps: u64,
    /// Answers of EC2 that were older than an event.
    pub stale_reads: u64,
    /// From each event to its published findings, in milliseconds.
    pub event_ages: Vec<u64>,
    /// Exemptions that somebody should look at, when there was a sweep.
    pub exemptions: Vec<Alert>,
    /// Which exemptions the sweep found to be of use.
    pub usage: Usage,
    /// Faults that cost no finding.
    pub warnings: Vec<String>,
}

impl RunStats {
    /// The counts of one evaluated, or gone, group.
    #[must_use]
    pub fn of_finding(finding: &Finding) -> Self {
        let lifecycle = finding.lifecycle();
        Self {
            groups: vec![(finding.group_id.clone(), lifecycle)],
            evaluated: u64::from(matches!(
                lifecycle,
                Lifecycle::Passed | Lifecycle::Failed | Lifecycle::Exempt
            )),
            failed: u64::from(lifecycle == Lifecycle::Failed),
            ..Self::default()
        }
    }

    /// The ages of the events at the moment when their findings were published.
    #[must_use]
    pub fn of_events<'t>(events: impl IntoIterator<Item = &'t Trigger>, now: Timestamp) -> Self {
        let ages = events.into_iter().filter_map(|event| {
            let moment = event.record.moment()?;
            u64::try_from(now.duration_since(moment).as_millis()).ok()
        });
        Self {
            event_ages: ages.take(VALUES).collect(),
            ..Self::default()
        }
    }

    /// A warning.
    #[must_use]
    pub fn of_warning(warning: String) -> Self {
        Self {
            warnings: vec![warning],
            ..Self::default()
        }
    }

    /// Both runs' counts together.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        let room = |most: usize, has: usize| most.saturating_sub(has);
        let groups = room(NAMED_GROUPS, self.groups.len());
        self.groups.extend(other.groups.into_iter().take(groups));
        let ages = room(VALUES, self.event_ages.len());
        self.event_ages
            .extend(other.event_ages.into_iter().take(ages));
        let warnings = room(WARNINGS, self.warnings.len());
        self.warnings
            .extend(other.warnings.into_iter().take(warnings));
        self.evaluated += other.evaluated;
        self.failed += other.failed;
        self.published += other.published;
        self.refused += other.refused;
        self.from_future += other.from_future;
        self.ignored += other.ignored;
        self.foreign += other.foreign;
        self.refused_events += other.refused_events;
        self.queued_sweeps += other.queued_sweeps;
        self.stale_reads += other.stale_reads;
        self.exemptions.extend(other.exemptions);
        self.usage.join(&other.usage);
        self
    }

    /// `sg-0aaa=FAILED sg-0bbb=PASSED`.
    #[must_use]
    pub fn verdicts(&self) -> String {
        let verdicts: Vec<_> = self
            .groups
            .iter()
            .map(|(id, lifecycle)| format!("{id}={}", lifecycle.as_str()))
            .collect();
        verdicts.join(" ")
    }
}
