//! One binary of integration tests: the command line, the sample events, and properties of the policy.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail loudly"
)]

mod asff;
mod central;
mod cli;
mod corpus;
mod docs;
mod exemptions;
mod explain;
mod fix;
mod formats;
mod graph;
mod groups;
mod help;
mod hostile;
mod plan;
mod reference;
mod remediation;
mod replay;
mod report;
mod settings;
mod six_ways;
