//! The trust graph: who reaches what through groups that trust each other.
//!
//! It is trust, not connectivity: egress, network ACLs, routes and address ranges are not read.
//!
//! | module | has |
//! |---|---|
//! | `build`, `assemble` | the graph made of groups and network interfaces, in any order |
//! | `trust` | the graph as data |
//! | `internet`, `machines` | what faces the internet; who carries which group |
//! | `walk` | the questions: reach, paths, clusters, what to revoke first, cuts |
//! | `revoke` | the fewest rules to revoke of a trust edge |
//! | `net` | the algorithms, on graphs of plain numbers |

mod assemble;
mod build;
mod internet;
mod machines;
mod net;
mod revoke;
#[cfg(test)]
mod tests;
mod trust;
mod walk;

pub use build::{Builder, Differs};
pub use internet::Internet;
pub use revoke::rules_to_revoke;
pub use trust::{Carriers, End, Group, GroupIndex, SourceName, TrustEdge, TrustGraph, Unseen, Why};
pub use walk::{Hop, Origin, ReachCounts, Reaching, Removal, Trust, Walk};
