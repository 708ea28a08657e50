//! Tells which AWS security groups trust other security groups without restriction.
//!
//! One policy, [`AWS.SecurityGroup.RestrictsInterSecurityGroupTraffic`](policy::ID): a security group must not let
//! another security group reach all its ports.
//!
//! # Layout
//!
//! ```text
//! event JSON ──trigger──▶ Trigger ──source──▶ SecurityGroups ──policy──▶ Verdict ──finding──▶ Finding ──sink──▶ Security Hub
//!              (pure)               (I/O edge)               (pure)              (pure)              (I/O edge)
//!                         └────────────── pipeline: the only place that knows all of them ──────────────┘
//! ```
//!
//! | module | has |
//! |---|---|
//! | [`model`] | a security group, in EC2's own words and shapes |
//! | [`trigger`] | what an event makes the product do: classification, no I/O |
//! | [`policy`] | the evaluation: a pure function of a group and the settings |
//! | [`finding`] | the result with its identity and state, before any format |
//! | [`render`] | findings and verdicts as ASFF, JSON, or a table |
//! | [`source`] | where groups come from: the trait, and an account snapshot in a file |
//! | [`sink`] | where findings go: the trait, and a writer |
//! | [`pipeline`] | one event from its JSON to its published findings |
//! | `aws` | EC2, Security Hub and the Lambda function, on the AWS SDK (feature `aws`) |
//! | [`telemetry`] | what a run tells about itself |
//! | [`text`] | text that others chose, made fit to be shown |
//!
//! `model`, `trigger`, `policy`, `finding` and `render` are synchronous and pure: time, account and Region come in as
//! arguments, so that a test of any of them needs no fake.

#[cfg(feature = "aws")]
pub mod aws;
pub mod finding;
pub mod model;
pub mod pipeline;
pub mod policy;
pub mod render;
pub mod sink;
pub mod source;
pub mod telemetry;
pub mod text;
pub mod trigger;
