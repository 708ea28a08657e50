//! Security groups read from files.

mod describe;
mod document;
mod error;
mod parallel;
mod snapshot;
mod strict;
#[cfg(test)]
mod tests;
mod text;
mod walk;

pub use describe::GroupReader;
pub use document::parse_group;
pub use error::{InputError, Location};
pub use snapshot::Snapshot;
