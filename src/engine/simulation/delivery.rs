//! Delivers the events of a history to several instances of the function, as a queue and Lambda do: late, repeatedly, in
//! batches of any order, side by side, and again a minute after they failed.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::checks;
use super::hub::Hub;
use super::world::{Ec2, World};
use crate::engine::clock::Clock as _;
use crate::engine::testing::{TestClock, engine, queue};
use crate::engine::{Engine, EngineError};
use crate::event;

/// How many instances of the function there are.
const INSTANCES: usize = 3;
/// After so many attempts a message goes to the dead-letter queue.
const ATTEMPTS: usize = 60;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Message {
    /// By its number in the history.
    Event(usize),
    Sweep,
}

/// A message on its way.
#[derive(Debug, Clone, Copy)]
struct Due {
    at: Duration,
    message: Message,
    attempts: usize,
}

/// One invocation, with what was wrong with it.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) number: usize,
    pub(super) messages: Vec<Message>,
    pub(super) failed: Vec<(Message, Arc<EngineError>)>,
    /// Whether it had little time.
    pub(super) is_short: bool,
    /// When its sweep began, if that came to its end.
    swept: Option<Timestamp>,
}

type Task<'w> = Pin<Box<dyn Future<Output = Run> + 'w>>;

/// When each event of a history is delivered.
pub(super) fn deliveries(world: &World) -> impl Iterator<Item = (Duration, Message)> + '_ {
    let of_event = |(number, event): (usize, &super::history::Event)| {
        let delivery = move |at: &Duration| (*at, Message::Event(number));
        event.deliveries.iter().map(delivery).collect::<Vec<_>>()
    };
    world.history.events.iter().enumerate().flat_map(of_event)
}

/// Delivers messages until all are done, and says what was wrong.
pub(super) fn deliver(
    world: &World,
    messages: impl Iterator<Item = (Duration, Message)>,
) -> Vec<String> {
    let due = |(at, message)| Due {
        at,
        message,
        attempts: 0,
    };
    let mut queue = Queue {
        due: messages.map(due).collect(),
        closes: None,
    };
    let mut wrong = Vec::new();
    let mut tasks: Vec<(usize, Vec<Due>, Task<'_>)> = Vec::new();
    let mut swept = [None; INSTANCES];
    let mut context = Context::from_waker(Waker::noop());
    loop {
        let mut ended = Vec::new();
        tasks.retain_mut(
            |(instance, batch, task)| match task.as_mut().poll(&mut context) {
                Poll::Pending => true,
                Poll::Ready(run) => {
                    ended.push((*instance, std::mem::take(batch), run));
                    false
                }
            },
        );
        for (instance, batch, run) in ended {
            wrong.extend(checks::of_run(world, &run));
            swept[instance] = run.swept.or(swept[instance]);
            let is_failed = |due: &&Due| run.failed.iter().any(|(one, _)| *one == due.message);
            for failed in batch.iter().filter(is_failed) {
                if checks::is_hopeless(world, &run, failed.message) {
                    continue;
                }
                let again = Due {
                    at: TestClock.elapsed() + Duration::from_millis(60_000 + world.below(5_000)),
                    attempts: failed.attempts + 1,
                    ..*failed
                };
                if again.attempts < ATTEMPTS {
                    queue.due.push(again);
                } else {
                    wrong.push(format!("{failed:?} never comes to its end"));
                }
            }
        }
        if let Some(batch) = queue.take_batch(world) {
            let instance = usize::try_from(world.below(3)).unwrap();
            let messages = batch.iter().map(|due| due.message).collect();
            let task = Box::pin(invoke(world, world.next_run(), messages, swept[instance]));
            tasks.push((instance, batch, task));
            continue;
        }
        let waits = TestClock.next().filter(|_| !tasks.is_empty());
        match queue.next().into_iter().chain(waits).min() {
            Some(next) => TestClock.advance(next),
            None => return wrong,
        }
    }
}

/// Messages on their way to the function. Those that are there wait for others while a window is open, as in a queue.
#[derive(Debug)]
struct Queue {
    due: Vec<Due>,
    closes: Option<Duration>,
}

impl Queue {
    /// The next batch, in any order.
    fn take_batch(&mut self, world: &World) -> Option<Vec<Due>> {
        let now = TestClock.elapsed();
        let is_there = |due: &Due| due.at <= now;
        if !self.due.iter().any(is_there) {
            self.closes = self.closes.filter(|closes| *closes > now);
            return None;
        }
        let closes = *self.closes.get_or_insert_with(|| {
            let window = [0, 100, 5_000, 20_000];
            let window = window[usize::try_from(world.below(4)).unwrap()];
            now + Duration::from_millis(world.below(window + 1))
        });
        if closes > now {
            return None;
        }
        let (mut batch, others): (Vec<_>, Vec<_>) = self.due.drain(..).partition(is_there);
        self.due = others;
        for index in (1..batch.len()).rev() {
            let other = usize::try_from(world.below(u64::try_from(index).unwrap() + 1)).unwrap();
            batch.swap(index, other);
        }
        let most = 1 + usize::try_from(world.below(10)).unwrap();
        let rest = batch.drain(most.min(batch.len())..);
        self.due.extend(rest);
        Some(batch)
    }

    /// When something happens next.
    fn next(&self) -> Option<Duration> {
        let now = TestClock.elapsed();
        let due = self.due.iter().map(|due| due.at);
        due.chain(self.closes).filter(|at| *at > now).min()
    }
}

async fn invoke(
    world: &World,
    number: usize,
    messages: Vec<Message>,
    swept: Option<Timestamp>,
) -> Run {
    let body = |message: &Message| match message {
        Message::Event(number) => world.history.events[*number].body.clone(),
        Message::Sweep => json!({"action": "sweep"}),
    };
    let bodies: Vec<_> = messages.iter().map(body).collect();
    let batch = event::read(&queue(&bodies));
    let source = Ec2 { world, run: number };
    let store = Hub { world, run: number };
    let seconds = match world.below(12) {
        0 => 1 + world.below(8),
        _ => 300,
    };
    let time = Duration::from_secs(seconds);
    let engine = Engine {
        until: Some(TestClock.instant() + time),
        swept_since: swept,
        context: Arc::clone(&world.context),
        ..engine(&world.settings, &source, &store)
    };
    let mut end = TestClock.sleep(time);
    let mut handled = Box::pin(engine.handle(&batch));
    let handled = std::future::poll_fn(|context| match handled.as_mut().poll(context) {
        Poll::Ready(result) => Poll::Ready(Some(result)),
        Poll::Pending => end.as_mut().poll(context).map(|()| None),
    })
    .await;
    let failed = match &handled {
        Some(result) => {
            let of = |failed: &crate::engine::FailedMessage| {
                let number = failed.sqs_id.as_ref().unwrap().strip_prefix('m').unwrap();
                let number: usize = number.parse().unwrap();
                (messages[number], Arc::clone(&failed.error))
            };
            result.failures.iter().map(of).collect()
        }
        None => {
            let why = Arc::new(EngineError::Stale("cut".to_owned()));
            messages
                .iter()
                .map(|one| (*one, Arc::clone(&why)))
                .collect()
        }
    };
    let sweep = handled.as_ref().and_then(|handled| handled.sweep);
    Run {
        number,
        messages,
        failed,
        is_short: seconds < 300,
        swept: sweep
            .filter(|sweep| sweep.is_complete)
            .map(|sweep| sweep.since),
    }
}
