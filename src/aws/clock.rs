//! The local clock, compared with EC2's.

use std::fmt;

use jiff::SignedDuration;

use crate::engine::source::SourceError;

/// How wrong the clock may be: EC2 tells whole seconds, and its answer takes a moment.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(5);

/// How far the local clock is ahead of EC2's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockOffset(SignedDuration);

impl ClockOffset {
    pub(super) fn new(offset: SignedDuration) -> Self {
        Self(offset)
    }

    /// Whether findings may be dated by this clock.
    #[must_use]
    pub fn is_right(self) -> bool {
        self.0.abs() <= TOLERANCE
    }

    pub(super) fn check(self) -> Result<(), ClockError> {
        if self.is_right() {
            Ok(())
        } else {
            Err(ClockError::Wrong(self))
        }
    }
}

impl fmt::Display for ClockOffset {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = if self.0.is_positive() {
            "ahead of"
        } else {
            "behind"
        };
        let seconds = self.0.abs().as_secs();
        write!(
            formatter,
            "the local clock is {seconds} s {direction} that of EC2"
        )
    }
}

/// Why findings must not be published with the local clock.
#[derive(Debug, thiserror::Error)]
pub enum ClockError {
    #[error("{0}: set it (ntp), then publish")]
    Wrong(ClockOffset),
    #[error(transparent)]
    Unknown(#[from] SourceError),
}

impl ClockError {
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Wrong(_) => false,
            Self::Unknown(error) => error.is_retryable(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_within_five_seconds_is_right() {
        for (milliseconds, is_right) in [
            (0, true),
            (5_000, true),
            (-5_000, true),
            (5_001, false),
            (-5_001, false),
            (i64::MIN, false),
        ] {
            let offset = ClockOffset::new(SignedDuration::from_millis(milliseconds));
            assert_eq!(offset.is_right(), is_right, "{milliseconds}");
            assert_eq!(offset.check().is_ok(), is_right, "{milliseconds}");
        }
    }

    #[test]
    fn the_error_says_how_wrong_the_clock_is_and_what_to_do() {
        let error = |seconds| ClockOffset::new(SignedDuration::from_secs(seconds)).check();
        insta::assert_snapshot!(error(90).unwrap_err(), @"the local clock is 90 s ahead of that of EC2: set it (ntp), then publish");
        insta::assert_snapshot!(error(-3600).unwrap_err(), @"the local clock is 3600 s behind that of EC2: set it (ntp), then publish");
    }
}
