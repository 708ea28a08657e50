//! The function's log: JSON lines, as CloudWatch takes them.
//!
//! `AWS_LAMBDA_LOG_LEVEL` and `AWS_LAMBDA_LOG_FORMAT` mean what AWS says they mean
//! (<https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-advanced.html>); without them it is INFO
//! and JSON. No filter directives: reading them costs at every cold start.

use lambda_runtime::tracing::subscriber::filter::LevelFilter;
use lambda_runtime::tracing::subscriber::fmt;

/// From now on, what is logged goes to stdout.
pub fn start() {
    let is_text = std::env::var("AWS_LAMBDA_LOG_FORMAT")
        .is_ok_and(|format| format.eq_ignore_ascii_case("text"));
    let level = level(&std::env::var("AWS_LAMBDA_LOG_LEVEL").unwrap_or_default());
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
