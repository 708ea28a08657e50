//! The time as a run sees it. Runs wait between looks; the clock of the tests jumps over the waits.

use std::pin::Pin;
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// A wait under way.
pub type Wait<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Tells the time, and lets it pass.
pub trait Clock: Sync {
    /// The time of day: what findings are dated by.
    fn now(&self) -> Timestamp;

    /// The same moment as durations are measured: this clock is never set.
    fn instant(&self) -> Instant;

    /// Waits.
    fn sleep(&self, wait: Duration) -> Wait<'_>;
}

/// The machine's clock, and tokio's timer.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn instant(&self) -> Instant {
        Instant::now()
    }

    fn sleep(&self, wait: Duration) -> Wait<'_> {
        Box::pin(tokio::time::sleep(wait))
    }
}
