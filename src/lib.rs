//! Tells which AWS security groups trust other security groups without restriction.
//!
//! One policy, [`AWS.SecurityGroup.RestrictsInterSecurityGroupTraffic`](policy::ID): a security group must not let
//! another security group reach all its ports.
//!
//! # The map
//!
//! A module uses only what stands above it in this table; `.ci/laws` checks it.
//!
//! | module | has | knows |
//! |---|---|---|
//! | [`text`] | text that others chose, made safe to show | nothing |
//! | [`model`] | ids, scope, groups, permissions, ports, in EC2's own words | text |
//! | [`input`] | groups read from files | model |
//! | [`event`] | what an event makes the product do | model |
//! | [`policy`] | the evaluation: a pure function of a group and the settings | model |
//! | [`config`] | `policy.toml` read into settings, with line and key of an error | policy |
//! | [`graph`] | who reaches what through groups that trust each other | policy, input |
//! | [`plan`] | the verdict on groups of a deployment that has not happened yet | policy, graph |
//! | [`finding`] | the result with its identity, lifecycle, attribution and fingerprint | policy, event |
//! | [`remediation`] | the commands that mend a violation; plans, carried out and undone | policy |
//! | [`report`] | sentences, and the formats: table, JSON, ASFF, SARIF, OCSF … | finding, remediation |
//! | [`engine`] | one invocation: read, decide, apply | finding |
//! | `aws` | EC2, Security Hub and STS on the AWS SDK (feature `aws`) | engine, report |
//! | `lambda` | the function: environment, handler, answer, log, metrics (feature `aws`) | engine, aws |
//!
//! `text` to `remediation`, and the decisions of `engine`, are pure: time, account and Region are arguments.

#[cfg(feature = "aws")]
pub mod aws;
pub mod config;
pub mod engine;
pub mod event;
pub mod finding;
pub mod graph;
pub mod input;
#[cfg(feature = "aws")]
pub mod lambda;
pub mod model;
pub mod plan;
pub mod policy;
pub mod remediation;
pub mod report;
pub mod text;
