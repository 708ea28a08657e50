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
    /// Whether it waited for others to make a batch with.
    is_gathered: bool,
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
        is_gathered: false,
    };
    let mut due: Vec<_> = messages.map(due).collect();
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
                    is_gathered: false,
                    ..*failed
                };
                if again.attempts < ATTEMPTS {
                    due.push(again);
                } else {
                    wrong.push(format!("{failed:?} never comes to its end"));
                }
            }
        }
        if let Some(batch) = take_batch(world, &mut due) {
            let instance = usize::try_from(world.below(3)).unwrap();
            let messages = batch.iter().map(|due| due.message).collect();
            let task = Box::pin(invoke(world, world.next_run(), messages, swept[instance]));
            tasks.push((instance, batch, task));
            continue;
        }
        let next_due = due.iter().map(|due| due.at).min();
        let waits = TestClock.next().filter(|_| !tasks.is_empty());
        match next_due.into_iter().chain(waits).min() {
            Some(next) => TestClock.advance(next),
            None => return wrong,
        }
    }
}

/// The next batch, if a message is due. Some wait a little for others first, as a queue's window gathers them.
fn take_batch(world: &World, due: &mut Vec<Due>) -> Option<Vec<Due>> {
    let now = TestClock.elapsed();
    let (mut batch, others): (Vec<_>, Vec<_>) = due.drain(..).partition(|due| due.at <= now);
    *due = others;
    if batch.iter().any(|due| !due.is_gathered) && world.below(2) == 0 {
        let window = Duration::from_millis(1 + world.below(5_000));
        due.extend(batch.iter().map(|one| Due {
            at: now + window,
            is_gathered: true,
            ..*one
        }));
        return None;
    }
    for index in (1..batch.len()).rev() {
        let other = usize::try_from(world.below(u64::try_from(index).unwrap() + 1)).unwrap();
        batch.swap(index, other);
    }
    let most = 1 + usize::try_from(world.below(10)).unwrap();
    due.extend(batch.drain(most.min(batch.len())..));
    (!batch.is_empty()).then_some(batch)
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
