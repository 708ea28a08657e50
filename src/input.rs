//! Security groups and network interfaces read from files, and kept in files that are read again.

mod cloudformation;
mod deployment;
mod describe;
mod document;
mod error;
mod interfaces;
mod kind;
mod members;
mod parallel;
mod saved;
mod seen;
mod snapshot;
mod strict;
pub mod terraform;
#[cfg(test)]
mod tests;
mod text;
mod value;
mod walk;
mod words;

pub use cloudformation::{
    CloudFormationError, Parameters, Reading, Templates, read_change_set, read_parameters,
    read_templates,
};
pub use deployment::deployment_kind;
pub use describe::GroupReader;
pub use document::parse_group;
pub use error::{InputError, Location, Problem};
pub use interfaces::{interfaces_beside_groups, read_interfaces};
pub use saved::{SaveError, SavedScope};
pub use seen::{Identities, Identity, Seen, Sighting};
pub use snapshot::Snapshot;
