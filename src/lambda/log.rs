//! The function's log: JSON lines, as CloudWatch takes them.
//!
//! `AWS_LAMBDA_LOG_LEVEL` and `AWS_LAMBDA_LOG_FORMAT` mean what AWS says they mean
//! (<https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-advanced.html>); without them it is INFO
//! and JSON. No filter directives: reading them costs at every cold start.

use std::sync::Arc;
use std::time::Duration;

use lambda_runtime::tracing::subscriber::filter::LevelFilter;
use lambda_runtime::tracing::subscriber::fmt;
use lambda_runtime::tracing::{error, info, warn};

use super::answer::{HandlerError, TEXT, shown};
use crate::config::RefusedExemption;
use crate::engine::stats::RunStats;
use crate::engine::{FailedMessage, Outcome, RunResult};
use crate::report::prose::describe_alert;

/// Longest name or id of an event in a line of the log.
const NAME: usize = 256;
/// Failed messages of one invocation that have a line of their own in the log.
const LOGGED: usize = 100;

/// From now on, what is logged goes to stdout.
pub fn start() {
    let is_text = std::env::var("AWS_LAMBDA_LOG_FORMAT")
        .is_ok_and(|format| format.eq_ignore_ascii_case("text"));
    let level =
        std::env::var("AWS_LAMBDA_LOG_LEVEL").map_or(LevelFilter::INFO, |name| level(&name));
    let subscriber = fmt().with_target(false).with_max_level(level);
    if is_text {
        subscriber.without_time().with_ansi(false).init();
    } else {
        subscriber
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .init();
    }
}

fn level(name: &str) -> LevelFilter {
    match name.to_ascii_uppercase().as_str() {
        "TRACE" => LevelFilter::TRACE,
        "DEBUG" => LevelFilter::DEBUG,
        "WARN" => LevelFilter::WARN,
        "ERROR" | "FATAL" => LevelFilter::ERROR,
        _ => LevelFilter::INFO,
    }
}

/// Where the time of an invocation went.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Times {
    pub(super) fetch: Duration,
    pub(super) publish: Duration,
    pub(super) total: Duration,
}

/// The lines of one invocation.
#[derive(Debug, Clone, Copy)]
pub(super) struct InvocationLog<'a> {
    pub(super) request_id: &'a str,
    /// Name and id of the first event.
    pub(super) event: Option<&'a str>,
    pub(super) event_id: Option<&'a str>,
    pub(super) times: Times,
}

impl Times {
    /// Both times together.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            fetch: self.fetch + other.fetch,
            publish: self.publish + other.publish,
            total: self.total + other.total,
        }
    }
}

impl InvocationLog<'_> {
    /// The lines of a run: one for each failed message, and one summary, also of a run that failed in part.
    pub(super) fn run(&self, run: &RunResult) {
        let alerts = run.stats.exemptions.iter().map(describe_alert);
        for warning in alerts.chain(run.stats.warnings.iter().cloned()) {
            warn!(
                request_id = self.request_id,
                warning = %shown(&warning, TEXT),
                "look at this"
            );
        }
        for failed in run.failures.iter().take(LOGGED) {
            self.failed_message(failed);
        }
        let more = run.failures.len().saturating_sub(LOGGED);
        if more > 0 {
            error!(request_id = self.request_id, more, "more messages failed");
        }
        self.summary(&run.outcome, run.failures.len(), &run.stats);
    }

    /// An invocation that did not get as far as a run.
    pub(super) fn failed(&self, failure: &HandlerError) {
        error!(
            request_id = self.request_id,
            event = self.event.map(name).as_deref(),
            event_id = self.event_id.map(name).as_deref(),
            error_type = failure.error_type(),
            error = %shown(&failure.to_string(), TEXT),
            total_ms = milliseconds(self.times.total),
            "failed"
        );
    }

    fn failed_message(&self, failed: &FailedMessage) {
        let failure = HandlerError::Engine(Arc::clone(&failed.error));
        error!(
            request_id = self.request_id,
            message_id = failed.sqs_id.as_deref().map(name).as_deref(),
            event = failed.event.as_deref().map(name).as_deref(),
            event_id = failed.event_id.as_deref().map(name).as_deref(),
            account = failed.account.as_ref().map(|account| account.as_str()),
            error_type = failure.error_type(),
            error = %shown(&failure.to_string(), TEXT),
            "failed"
        );
    }

    fn summary(&self, outcome: &Outcome, failed_messages: usize, stats: &RunStats) {
        let Outcome {
            evaluated,
            passed,
            failed,
            exempt,
            archived,
            ignored,
        } = outcome;
        info!(
            request_id = self.request_id,
            event = self.event.map(name).as_deref(),
            event_id = self.event_id.map(name).as_deref(),
            groups = stats.verdicts(),
            evaluated,
            passed,
            failed,
            exempt,
            archived,
            failed_messages,
            queued_sweeps = Some(stats.queued_sweeps).filter(|sweeps| *sweeps > 0),
            ignored = ignored.as_deref().map(|why| shown(why, TEXT)),
            fetch_ms = milliseconds(self.times.fetch),
            publish_ms = milliseconds(self.times.publish),
            total_ms = milliseconds(self.times.total),
            "{}",
            if failed_messages == 0 {
                "done"
            } else {
                "done in part"
            }
        );
    }
}

/// Exemptions of the settings file that do not hold: said once, at the start.
pub(super) fn refused_exemptions(refused: &[RefusedExemption]) {
    for exemption in refused {
        for reason in &exemption.reasons {
            error!(
                exemption = %shown(&exemption.id, NAME),
                error = %shown(&reason.to_string(), TEXT),
                "exemption refused"
            );
        }
    }
}

fn name(text: &str) -> String {
    shown(text, NAME)
}

fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
