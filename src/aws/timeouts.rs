//! How long a call may take.

use std::time::{Duration, Instant};

use aws_config::timeout::TimeoutConfig;

/// The limit for opening a connection.
pub(super) const CONNECT: Duration = Duration::from_secs(2);

/// The time limits of the calls of one run. The SDK has no operation time-out of its own.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    attempt: Duration,
    operation: Duration,
    until: Option<Instant>,
}

impl Timeouts {
    /// For the few small calls of one event.
    pub const EVENT: Self = Self {
        attempt: Duration::from_secs(3),
        operation: Duration::from_secs(8),
        until: None,
    };
    /// For the many large calls of a sweep.
    pub const SWEEP: Self = Self {
        attempt: Duration::from_secs(20),
        operation: Duration::from_secs(60),
        until: None,
    };

    /// The same limits, and no call goes on after this moment.
    #[must_use]
    pub fn until(self, until: Option<Instant>) -> Self {
        Self { until, ..self }
    }

    /// Every client has the limits of [`Self::EVENT`].
    pub(super) fn of_clients() -> TimeoutConfig {
        config(Self::EVENT.attempt, Self::EVENT.operation)
    }

    /// The limits of a call that starts now, where they differ from those that every client is made with.
    pub(super) fn override_at(self, now: Instant) -> Option<TimeoutConfig> {
        let (attempt, operation) = self.limits_at(now);
        let differ = (attempt, operation) != (Self::EVENT.attempt, Self::EVENT.operation);
        differ.then(|| config(attempt, operation))
    }

    /// The limits of a call that starts now.
    pub(super) fn config_at(self, now: Instant) -> TimeoutConfig {
        let (attempt, operation) = self.limits_at(now);
        config(attempt, operation)
    }

    /// The limits of one attempt and of the whole operation.
    fn limits_at(self, now: Instant) -> (Duration, Duration) {
        let left = self
            .until
            .map_or(self.operation, |until| until.saturating_duration_since(now));
        // The SDK takes a time-out of zero for none.
        let operation = left.clamp(Duration::from_millis(1), self.operation);
        (self.attempt.min(operation), operation)
    }
}

fn config(attempt: Duration, operation: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .operation_attempt_timeout(attempt)
        .operation_timeout(operation)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_call_goes_on_after_the_end_of_the_run() {
        let now = Instant::now();
        let seconds = Duration::from_secs;
        for (left, attempt, operation) in [
            (seconds(300), seconds(20), seconds(60)),
            (seconds(30), seconds(20), seconds(30)),
            (seconds(5), seconds(5), seconds(5)),
            (
                Duration::ZERO,
                Duration::from_millis(1),
                Duration::from_millis(1),
            ),
        ] {
            let timeouts = Timeouts::SWEEP.until(Some(now + left));
            assert_eq!(timeouts.limits_at(now), (attempt, operation), "{left:?}");
        }
        let over = Timeouts::SWEEP.until(Some(now));
        assert_eq!(
            over.limits_at(now + seconds(1)),
            (Duration::from_millis(1), Duration::from_millis(1))
        );
    }

    #[test]
    fn an_events_call_with_time_left_needs_no_limits_of_its_own() {
        let now = Instant::now();
        let later = |seconds| Some(now + Duration::from_secs(seconds));
        assert!(Timeouts::EVENT.override_at(now).is_none());
        assert!(Timeouts::EVENT.until(later(9)).override_at(now).is_none());
        assert!(Timeouts::EVENT.until(later(7)).override_at(now).is_some());
        assert!(Timeouts::SWEEP.override_at(now).is_some());
    }
}
