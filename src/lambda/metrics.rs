//! The function's metrics: lines in CloudWatch's embedded metric format
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>),
//! namespace `sg-trust`, dimension `FunctionName`.

use std::io::Write as _;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::engine::SweepEnd;
use crate::engine::stats::RunStats;

/// The measurements of one invocation.
#[derive(Debug, Default)]
pub(super) struct Measured {
    pub(super) stats: RunStats,
    pub(super) sweep: Option<SweepEnd>,
    pub(super) is_cold: bool,
    /// Messages that did not come to their end.
    pub(super) failed_messages: usize,
    /// Of these, those for which trying again is of no use.
    pub(super) not_retryable_messages: usize,
    /// Exemptions of the settings file that do not hold.
    pub(super) refused_exemptions: usize,
}

/// Writes the line of metrics of one invocation.
pub(super) fn write(function_name: &str, measured: &Measured, now: Timestamp) {
    // CloudWatch reads a line of its own; where stdout is closed nobody does.
    let _ = writeln!(std::io::stdout(), "{}", line(function_name, measured, now));
}

fn line(function_name: &str, measured: &Measured, now: Timestamp) -> Value {
    let Measured {
        stats,
        sweep,
        is_cold,
        failed_messages,
        not_retryable_messages,
        refused_exemptions,
    } = measured;
    let count = |name, value: u64| (name, "Count", Value::from(value));
    let size = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let mut metrics = vec![
        count("GroupsEvaluated", stats.evaluated),
        count("GroupsFailed", stats.failed),
        count("FindingsPublished", stats.published),
        count("FindingsRefused", stats.refused),
        count("FindingsFromFuture", stats.from_future),
        count("EventsIgnored", stats.ignored),
        count("EventsForeign", stats.foreign),
        count("EventsRefused", stats.refused_events),
        count("MessagesFailed", size(*failed_messages)),
        count("MessagesNotRetryable", size(*not_retryable_messages)),
        count("StaleReads", stats.stale_reads),
        count("ExemptionsRefused", size(*refused_exemptions)),
        count("ColdStart", u64::from(*is_cold)),
    ];
    let milliseconds = "Milliseconds";
    if !stats.event_ages.is_empty() {
        let ages = Value::from(stats.event_ages.clone());
        metrics.push(("EventAge", milliseconds, ages));
    }
    if let Some(sweep) = sweep {
        let took = u64::try_from(sweep.took.as_millis()).unwrap_or(u64::MAX);
        metrics.push(("SweepDuration", milliseconds, Value::from(took)));
        metrics.push(count("SweepSucceeded", u64::from(sweep.is_complete)));
        let ending = stats.exemptions.iter().filter(|alert| alert.is_ending());
        metrics.push(count("ExemptionsEnding", size(ending.count())));
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_metric_of_a_line_is_declared_with_its_unit() {
        let now = "2026-11-24T09:00:02Z".parse().unwrap();
        let measured = Measured {
            stats: RunStats {
                evaluated: 3,
                event_ages: vec![1500],
                ..RunStats::default()
            },
            sweep: Some(SweepEnd {
                since: now,
                took: Duration::from_millis(1500),
                is_complete: true,
            }),
            is_cold: true,
            ..Measured::default()
        };
        let line = line("sg-trust-lambda", &measured, now);
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
