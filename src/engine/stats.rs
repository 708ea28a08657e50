//! What a run tells about itself: what the summary line of an invocation says, and the metrics.
//!
//! Metrics are lines in CloudWatch's embedded metric format
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>):
//! namespace `sg-trust`, dimension `FunctionName`.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::event::Trigger;
use crate::model::GroupId;
use crate::policy::exemption::{Usage, Warnings};

/// How many groups the summary line names.
const NAMED_GROUPS: usize = 20;
/// Most values of one metric in one line.
const VALUES: usize = 100;

/// What is known about a run, filled in while it goes on: when it fails, as far as it got.
#[derive(Debug, Clone, Default)]
pub struct RunStats {
    /// The first event's name: the call's, or its detail-type.
    pub event: Option<String>,
    /// The first event's id.
    pub event_id: Option<String>,
    /// The first groups and what became of each.
    pub groups: Vec<(GroupId, &'static str)>,
    /// Time spent waiting for EC2.
    pub fetching: Duration,
    /// Time spent waiting for Security Hub.
    pub publishing: Duration,
    /// Groups that were evaluated.
    pub evaluated: u64,
    /// Of these, those that failed.
    pub failed: u64,
    /// Findings that Security Hub took.
    pub published: u64,
    /// Findings that it refused, or that the product's own check refused.
    pub refused: u64,
    /// Findings that stood with a time that is still to come.
    pub from_future: u64,
    /// Events that made the function do nothing.
    pub ignored: u64,
    /// Of these, those of another account or Region.
    pub foreign: u64,
    /// Answers of EC2 that were older than an event.
    pub stale_reads: u64,
    /// From each event to its published findings, in milliseconds.
    pub event_ages: Vec<u64>,
    /// How long the sweep took, when there was one.
    pub sweep: Option<Duration>,
    /// Did it come to its end?
    pub sweep_succeeded: bool,
    /// FindingFilter exemptions the sweep found to be of use.
    pub usage: Usage,
    /// What the sweep says about the exemptions.
    pub exemptions: Warnings,
    /// Would it be of no use to ask for rules again?
    pub rules_are_refused: bool,
    /// Why the rules behind violations are not named, where they could not be had.
    pub rules_unknown: Option<String>,
}

impl RunStats {
    /// Notes an event.
    pub fn began(&mut self, trigger: &Trigger) {
        if self.event.is_none() && self.event_id.is_none() {
            self.event.clone_from(&trigger.event);
            self.event_id.clone_from(&trigger.record.id);
        }
    }

    /// Notes what became of a group.
    pub fn note(&mut self, id: &GroupId, what: &'static str) {
        if self.groups.len() < NAMED_GROUPS {
            self.groups.push((id.clone(), what));
        }
    }

    /// Notes how old an event was when its findings were published.
    pub fn answered(&mut self, event: Option<Timestamp>, now: Timestamp) {
        let age = event.and_then(|event| u64::try_from(now.duration_since(event).as_millis()).ok());
        if let Some(age) = age.filter(|_| self.event_ages.len() < VALUES) {
            self.event_ages.push(age);
        }
    }

    /// What somebody should look at, though it cost no finding.
    pub fn warnings(&self) -> impl Iterator<Item = &str> {
        let sentences = self.exemptions.sentences.iter();
        sentences.chain(&self.rules_unknown).map(String::as_str)
    }

    /// `sg-0aaa=FAILED sg-0bbb=PASSED`.
    #[must_use]
    pub fn verdicts(&self) -> String {
        let verdicts: Vec<_> = self
            .groups
            .iter()
            .map(|(id, what)| format!("{id}={what}"))
            .collect();
        verdicts.join(" ")
    }

    /// The line of metrics.
    #[must_use]
    pub fn metrics(&self, function_name: &str, is_cold: bool, now: Timestamp) -> Value {
        let count = |name, value: u64| (name, "Count", Value::from(value));
        let mut metrics = vec![
            count("GroupsEvaluated", self.evaluated),
            count("GroupsFailed", self.failed),
            count("FindingsPublished", self.published),
            count("FindingsRefused", self.refused),
            count("FindingsFromFuture", self.from_future),
            count("EventsIgnored", self.ignored),
            count("EventsForeign", self.foreign),
            count("StaleReads", self.stale_reads),
            count("ColdStart", u64::from(is_cold)),
        ];
        if !self.event_ages.is_empty() {
            metrics.push((
                "EventAge",
                "Milliseconds",
                Value::from(self.event_ages.clone()),
            ));
        }
        if let Some(sweep) = self.sweep {
            let milliseconds = u64::try_from(sweep.as_millis()).unwrap_or(u64::MAX);
            metrics.push(("SweepDuration", "Milliseconds", Value::from(milliseconds)));
            metrics.push(count("SweepSucceeded", u64::from(self.sweep_succeeded)));
            metrics.push(count("ExemptionsEnding", self.exemptions.ending));
        }
        let units: Vec<_> = metrics
            .iter()
            .map(|(name, unit, _)| json!({"Name": name, "Unit": unit}))
            .collect();
        let mut line = Map::new();
        line.insert(
            "_aws".to_owned(),
            json!({
                "Timestamp": now.as_millisecond(),
                "CloudWatchMetrics": [{"Namespace": "sg-trust", "Dimensions": [["FunctionName"]], "Metrics": units}],
            }),
        );
        line.insert("FunctionName".to_owned(), Value::from(function_name));
        line.extend(
            metrics
                .into_iter()
                .map(|(name, _, value)| (name.to_owned(), value)),
        );
        Value::Object(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_of_a_line_is_declared_with_its_unit() {
        let mut trace = RunStats {
            evaluated: 3,
            sweep: Some(Duration::from_millis(1500)),
            sweep_succeeded: true,
            ..RunStats::default()
        };
        let now = "2026-11-24T09:00:02Z".parse().unwrap();
        trace.answered(Some("2026-11-24T09:00:00.5Z".parse().unwrap()), now);
        let line = trace.metrics("sg-trust-lambda", true, now);
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(
            (&directive["Namespace"], &directive["Dimensions"]),
            (&json!("sg-trust"), &json!([["FunctionName"]]))
        );
        assert_eq!(line["FunctionName"], "sg-trust-lambda");
        assert_eq!(line["_aws"]["Timestamp"], 1_795_510_802_000_i64);
        let declared: Vec<_> = directive["Metrics"]
            .as_array()
            .unwrap()
            .iter()
            .map(|metric| metric["Name"].as_str().unwrap())
            .collect();
        assert_eq!(declared.len() + 2, line.as_object().unwrap().len());
        for name in declared {
            assert!(!line[name].is_null(), "{name}");
        }
        assert_eq!(
            (
                &line["EventAge"],
                &line["SweepDuration"],
                &line["SweepSucceeded"]
            ),
            (&json!([1500]), &json!(1500), &json!(1))
        );
    }
}
