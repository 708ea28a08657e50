//! The Lambda function: its environment, what it answers, logs and measures.

pub mod handler;
pub mod log;
