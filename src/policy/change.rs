//! What a plan does to a violation.

use std::fmt;

/// A violation after a plan is applied, compared with the violations before it, by target, source and protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Change {
    /// The source had no violation over this protocol.
    New,
    /// It had one, and reaches more.
    Widened,
    /// It had the same.
    Existing,
    /// It had one, and reaches less, still too much.
    Narrowed,
    /// It had one, and has none.
    Fixed,
}

impl Change {
    /// The word users see.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Widened => "widened",
            Self::Existing => "existing",
            Self::Narrowed => "narrowed",
            Self::Fixed => "fixed",
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}
