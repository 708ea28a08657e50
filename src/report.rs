//! Verdicts and findings as bytes: pure, no I/O.
//!
//! | format | module | for |
//! |---|---|---|
//! | ASFF | [`asff`] | Security Hub |
//! | JSON, one document or one group a line | [`json`] | scripts |
//! | table | [`table`] | people |
//! | JSON, table, Graphviz, Mermaid | [`graph`] | whoever asks about the trust graph |
//!
//! [`Report`] puts any of them together, group by group, so that nothing has to be held.

pub mod asff;
pub mod assessment;
pub mod graph;
pub mod json;
pub mod prose;
pub mod table;
pub mod targets;
mod writer;

pub use writer::{Format, Report, ReportError, Summary};
