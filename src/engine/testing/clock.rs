//! The clock of the tests.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::pin::pin;
use std::task::{self, Poll, Waker};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::engine::clock::{Clock, Wait};

/// A clock whose time passes only where everything waits for it. Each thread has its own: the tests run on one thread each.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct TestClock;

thread_local! {
    static BEGAN: Instant = Instant::now();
    static ELAPSED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    static WAITS: RefCell<BTreeSet<Duration>> = const { RefCell::new(BTreeSet::new()) };
}

impl TestClock {
    /// Begins anew.
    pub(in crate::engine) fn reset(self) {
        ELAPSED.set(Duration::ZERO);
        WAITS.take();
    }

    /// The time of day after it has run so long.
    pub(in crate::engine) fn at(self, elapsed: Duration) -> Timestamp {
        let start: Timestamp = "2026-11-24T09:00:00.25Z".parse().unwrap();
        start + elapsed
    }

    /// How long it has run.
    pub(in crate::engine) fn elapsed(self) -> Duration {
        ELAPSED.get()
    }

    /// Lets time pass while nobody runs.
    pub(in crate::engine) fn pass(self, time: Duration) {
        ELAPSED.set(ELAPSED.get() + time);
    }

    /// When the first of those that wait goes on.
    pub(in crate::engine) fn next(self) -> Option<Duration> {
        WAITS.with_borrow(|waits| waits.first().copied())
    }

    /// Goes on to a moment.
    pub(in crate::engine) fn advance(self, to: Duration) {
        ELAPSED.set(ELAPSED.get().max(to));
        WAITS.with_borrow_mut(|waits| waits.retain(|wait| *wait > ELAPSED.get()));
    }

    /// Runs a future to its end, and jumps over what it waits for.
    pub(in crate::engine) fn run<F: Future>(self, future: F) -> F::Output {
        let mut future = pin!(future);
        let mut context = task::Context::from_waker(Waker::noop());
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return output;
            }
            self.advance(self.next().expect("it waits for something"));
        }
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        self.at(self.elapsed())
    }

    fn instant(&self) -> Instant {
        BEGAN.with(|began| *began + self.elapsed())
    }

    fn sleep(&self, wait: Duration) -> Wait<'_> {
        let until = self.elapsed() + wait;
        Box::pin(std::future::poll_fn(move |_| {
            if ELAPSED.get() >= until {
                return Poll::Ready(());
            }
            WAITS.with_borrow_mut(|waits| waits.insert(until));
            Poll::Pending
        }))
    }
}
