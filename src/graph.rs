//! The trust graph: who reaches what through groups that trust each other.

mod net;
