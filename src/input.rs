//! Security groups read from files.

pub mod describe;
mod snapshot;

pub use snapshot::Snapshot;
