//! The verdict before it is deployed: groups as a deployment would leave them, held against what stands today.
//!
//! What is unknown has three values. `assess` runs the unchanged evaluation on the ways in which it may turn out: a
//! group is FAILED when it fails in all of them, PASSED when in none, and otherwise nobody can tell.
//!
//! | module | has |
//! |---|---|
//! | `completion` | one way in which what is unknown may turn out, and the group that it makes |
//! | `ways` | the ways that decide |
//! | `assess` | the verdict over them |
//! | `change` | what is new, widened, existing, narrowed or fixed |
//! | `overlay` | a deployment laid over the groups of the account |
//! | `reach` | whom the internet reaches, before and after |
//! | `report` | the answer that formats render |
//! | `join` | one report of several deployments, of which one will be |
//!
//! A reader makes the groups; [`crate::model::planned`] says how.

mod assess;
mod change;
mod completion;
mod join;
mod overlay;
mod reach;
mod report;
#[cfg(test)]
mod tests;
mod ways;

pub use assess::Verdict;
pub use change::Change;
pub use join::{Ways, join};
pub use overlay::overlay;
pub use reach::reach_changes;
pub use report::{
    FailOn, GroupReport, PlanReport, ReachChange, RuleOrigin, SourceLabel, Summary,
    ViolationReport, report,
};
