//! How a violation is mended.

pub mod command;
