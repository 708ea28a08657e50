//! The local clock, compared with EC2's.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_ec2::config::interceptors::AfterDeserializationInterceptorContextRef;
use aws_sdk_ec2::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_ec2::error::BoxError;
use jiff::{SignedDuration, Timestamp};

use crate::engine::source::SourceError;

/// The clock may be wrong by so much: EC2 tells whole seconds, and its answer takes a moment.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(5);

/// The lead of the local clock over EC2's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockOffset(SignedDuration);

impl ClockOffset {
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

/// Reads the Date of an answer, which tells whole seconds, and notes how far the local clock is from it.
#[derive(Debug, Clone, Default)]
pub(super) struct DateHeader(Arc<Mutex<Option<ClockOffset>>>);

impl DateHeader {
    /// The difference that was noted; none before an answer with a Date.
    pub(super) fn offset(&self) -> Option<ClockOffset> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Intercept for DateHeader {
    fn name(&self) -> &'static str {
        "DateHeader"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        if let Some(date) = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok()) {
            let offset = ClockOffset(Timestamp::now().duration_since(date.timestamp()));
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(offset);
        }
        Ok(())
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
            let offset = ClockOffset(SignedDuration::from_millis(milliseconds));
            assert_eq!(offset.is_right(), is_right, "{milliseconds}");
            assert_eq!(offset.check().is_ok(), is_right, "{milliseconds}");
        }
    }

    #[test]
    fn the_error_says_how_wrong_the_clock_is_and_what_to_do() {
        let error = |seconds| ClockOffset(SignedDuration::from_secs(seconds)).check();
        insta::assert_snapshot!(error(90).unwrap_err(), @"the local clock is 90 s ahead of that of EC2: set it (ntp), then publish");
        insta::assert_snapshot!(error(-3600).unwrap_err(), @"the local clock is 3600 s behind that of EC2: set it (ntp), then publish");
    }
}
