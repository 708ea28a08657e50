//! Verdicts and findings as bytes: pure, no I/O.
//!
//! | format | module | for |
//! |---|---|---|
//! | ASFF | [`asff`] | Security Hub |
//! | JSON, one document or one group a line | [`json`] | scripts |
//! | table | [`table`] | people |
//! | OCSF | [`ocsf`] | data lakes |
//! | SARIF, workflow commands, Markdown | [`ranked`] | code hosts |
//! | HTML | [`html`] | whoever would rather look than read |
//! | JSON, table, Graphviz, Mermaid | [`graph`] | whoever asks about the trust graph |
//!
//! [`Report`] puts any of them together, group by group, so that nothing has to be held.

pub mod asff;
pub mod assessment;
mod columns;
pub mod fix;
mod github;
pub mod graph;
pub mod html;
pub mod json;
mod markdown;
pub mod ocsf;
pub mod plan;
pub mod prose;
pub mod ranked;
mod sarif;
pub mod table;
pub mod targets;
mod worst;
mod writer;

pub use columns::wrap;
pub use ranked::{RankedFormat, SarifReader};
pub use writer::{Format, Piece, Report, ReportError, Summary};
