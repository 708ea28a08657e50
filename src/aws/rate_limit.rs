//! Keeps calls below the rates that an account may make in a Region.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The limits of Security Hub's API
/// (<https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub_limits.html>). Clones share what is left:
/// one for each account and Region in a process, so that they hold from one invocation to the next.
#[derive(Debug, Clone)]
pub(super) struct HubLimits {
    /// BatchImportFindings: 10 calls a second, 30 at once.
    pub(super) imports: Arc<RateLimiter>,
    /// GetFindings: 3 calls a second, 6 at once.
    pub(super) reads: Arc<RateLimiter>,
}

impl HubLimits {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            imports: Arc::new(RateLimiter::new(10.0, 30.0, now)),
            reads: Arc::new(RateLimiter::new(3.0, 6.0, now)),
        }
    }
}

/// A token bucket: so many calls at once, and so many a second.
#[derive(Debug)]
pub(super) struct RateLimiter {
    per_second: f64,
    burst: f64,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy)]
struct State {
    /// The number of calls that may be made at once; below zero while calls wait for their turn.
    tokens: f64,
    at: Instant,
}

impl RateLimiter {
    fn new(per_second: f64, burst: f64, now: Instant) -> Self {
        let state = State {
            tokens: burst,
            at: now,
        };
        Self {
            per_second,
            burst,
            state: Mutex::new(state),
        }
    }

    /// Waits until a call may be made.
    pub(super) async fn turn(&self) {
        let wait = self.reserve(Instant::now());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }

    /// Takes the next turn, and says how long it is until then. Turns are given in the order of the calls.
    fn reserve(&self, now: Instant) -> Duration {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let since = now.saturating_duration_since(state.at).as_secs_f64();
        let tokens = (state.tokens + since * self.per_second).min(self.burst) - 1.0;
        *state = State {
            tokens,
            at: state.at.max(now),
        };
        Duration::from_secs_f64((-tokens / self.per_second).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When each of so many calls is made, in milliseconds, if all are asked for at a moment.
    fn turns(limiter: &RateLimiter, count: usize, now: Instant) -> Vec<u128> {
        (0..count)
            .map(|_| (limiter.reserve(now) + Duration::from_micros(500)).as_millis())
            .collect()
    }

    #[test]
    fn a_burst_is_immediate_and_what_follows_is_paced() {
        let now = Instant::now();
        let limiter = RateLimiter::new(10.0, 3.0, now);
        assert_eq!(turns(&limiter, 6, now), [0, 0, 0, 100, 200, 300]);
    }

    #[test]
    fn turns_come_back_with_time_and_never_more_than_a_burst() {
        let now = Instant::now();
        let limiter = RateLimiter::new(10.0, 3.0, now);
        turns(&limiter, 3, now);
        let later = now + Duration::from_millis(250);
        assert_eq!(turns(&limiter, 4, later), [0, 0, 50, 150]);
        let much_later = now + Duration::from_secs(3600);
        assert_eq!(turns(&limiter, 4, much_later), [0, 0, 0, 100]);
    }

    #[test]
    fn no_window_has_more_calls_than_the_limit() {
        let start = Instant::now();
        let limiter = RateLimiter::new(10.0, 30.0, start);
        let mut made = Vec::new();
        for number in 0..500_u64 {
            // Now and then the caller does something else first.
            let now = start + Duration::from_millis(number * 13 + (number / 50) * 700);
            made.push(now + limiter.reserve(now));
        }
        for (index, first) in made.iter().enumerate() {
            let within = made[index..]
                .iter()
                .take_while(|call| **call < *first + Duration::from_secs(1))
                .count();
            assert!(within <= 41, "{within} calls in the second after {index}");
        }
    }

    #[test]
    fn clones_of_the_limits_share_what_is_left() {
        let now = Instant::now();
        let limits = HubLimits::new(now);
        let clone = limits.clone();
        turns(&limits.reads, 6, now);
        assert!(clone.reads.reserve(now) > Duration::ZERO);
        assert_eq!(clone.imports.reserve(now), Duration::ZERO);
    }

    /// A clock that goes back must not give turns away, nor take them.
    #[test]
    fn an_earlier_moment_changes_nothing() {
        let now = Instant::now() + Duration::from_secs(10);
        let limiter = RateLimiter::new(10.0, 1.0, now);
        limiter.reserve(now);
        let earlier = now - Duration::from_secs(5);
        assert_eq!(turns(&limiter, 2, earlier), [100, 200]);
        assert_eq!(turns(&limiter, 1, now), [300]);
    }
}
