//! Directed graphs of plain numbers, and what is asked of them: shortest ways, components, dominators, cuts.
//!
//! Nothing here recurses: a chain of any length fits on any stack. Nothing here knows security groups: [`super::trust`]
//! makes these graphs of them.

mod components;
mod counts;
mod cut;
mod dominators;
mod rows;
#[cfg(test)]
mod tests;
mod ways;

pub(super) use components::Components;
pub(super) use counts::count_reached;
pub(super) use cut::minimum_cut;
pub(super) use dominators::Dominators;
pub(super) use rows::{Arc, EdgeId, Node, NodeMap, Rows};
pub(super) use ways::{Ways, reached};
