//! The Lambda function: its environment, what it answers, logs and measures.

mod answer;
pub mod environment;
pub mod handler;
pub mod log;
mod metrics;
mod redelivery;
mod timed;
