//! The trust graph: who reaches what through groups that trust each other.
//!
//! It is trust, not connectivity: egress, network ACLs, routes and address ranges are not read.
//!
//! | module | has |
//! |---|---|
//! | `build`, `assemble` | the graph made of groups and network interfaces, in any order |
//! | `trust` | the graph as data |
//! | `internet`, `addresses` | what faces the internet, by public addresses |
//! | `machines` | who carries which group |
//! | `passage` | as whom traffic goes on from a group |
//! | `walk` | the graph as it is walked |
//! | `questions` | reach, paths, clusters, what to revoke first, cuts |
//! | `answer` | the answer to whether one reaches the other |
//! | `overview` | the answers that a summary of a graph needs |
//! | `select` | groups by what a person writes |
//! | `revoke` | the fewest rules to revoke of a trust edge |
//! | `net` | the algorithms, on graphs of plain numbers |

mod addresses;
mod answer;
mod assemble;
mod build;
mod internet;
mod machines;
mod net;
mod overview;
mod passage;
mod questions;
mod revoke;
mod select;
#[cfg(test)]
mod tests;
mod trust;
mod walk;

pub use answer::{Answer, KeepExempt, Question, Reachable, Targets, Unreachable};
pub use build::{Builder, Differs};
pub use internet::Internet;
pub use overview::Overview;
pub use questions::{Hop, ReachCounts, Reaching, Removal};
pub use revoke::rules_to_revoke;
pub use select::{Candidates, SelectError};
pub use trust::{
    Carriers, End, Group, GroupIndex, Junction, SourceName, TrustEdge, TrustGraph, Unseen, Why,
};
pub use walk::{Origin, Trust, Walk};
