//! A file read on several cores, with the order kept.
//!
//! The text is cut into batches where a whole group seems to begin: each is worked on as if it began there. That is a
//! guess. It is checked when the batch before has come to its end: where that did not end at the cut, the text behind is
//! worked on anew from the true place. So what comes out is what one core would find.

use std::collections::VecDeque;
use std::io::BufRead;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use memchr::memrchr_iter;

use super::describe::GroupReader;
use super::error::{InputError, Location};
use super::text::{RELATIVE, Text};
use super::value::begins_group;
use super::walk::{Chunk, Item, List, Place, walk};
use crate::model::SecurityGroup;

/// The length of a batch: long enough that handing it over costs nothing, short enough to stay in the cache.
const BATCH: usize = 1 << 18;
/// More cores than this wait for the reading.
const CORES: usize = 8;
/// So many places are tried for a cut, and so far from the end of a batch.
const TRIES: usize = 64;
const TRIED: usize = 1 << 16;

struct Job<T> {
    bytes: Arc<Vec<u8>>,
    place: Place,
    result: SyncSender<Chunk<T>>,
}

/// A batch that is worked on.
struct Flight<T> {
    bytes: Arc<Vec<u8>>,
    place: Place,
    result: Receiver<Chunk<T>>,
}

impl<R: BufRead> GroupReader<R> {
    /// Applies `work` to each group, on as many cores as there are, and hands what comes of it, and every error, to `take`
    /// in the order of the file. Ends with the file or with the first error of `take`.
    ///
    /// # Errors
    /// Those of `take`.
    pub fn for_each<T: Send, E>(
        self,
        work: impl Fn(SecurityGroup) -> T + Sync,
        take: impl FnMut(Location, Result<T, InputError>) -> Result<(), E>,
    ) -> Result<(), E> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        self.for_each_on(cores.min(CORES), BATCH, work, take)
    }

    pub(super) fn for_each_on<T: Send, E>(
        mut self,
        cores: usize,
        batch: usize,
        work: impl Fn(SecurityGroup) -> T + Sync,
        mut take: impl FnMut(Location, Result<T, InputError>) -> Result<(), E>,
    ) -> Result<(), E> {
        let file = self.file;
        self.text.at_once = batch / 4;
        let mut take_all = |items: Vec<Item<T>>| {
            let mut items = items.into_iter();
            items.try_for_each(|Item { location, content }| {
                let error = |problem| InputError::at(&file, location, problem);
                take(location, content.map_err(error))
            })
        };
        let (jobs, queue) = mpsc::channel::<Job<T>>();
        let queue = Mutex::new(queue);
        let worker = || {
            loop {
                let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
                let Ok(job) = job else { return };
                // Nobody waits for what was begun in the wrong place.
                let _ = job.result.send(walk(&job.bytes, false, job.place, &work));
            }
        };
        thread::scope(|scope| {
            // Ends the workers, whatever way this is left.
            let jobs = jobs;
            let mut workers = 0;
            let mut ahead = Ahead::new(batch);
            loop {
                self.text.read_ready(batch);
                if cores > 1
                    && ahead.flights.len() < 2 * cores
                    && let Some(job) = ahead.cut(&mut self.text)
                {
                    if workers < cores {
                        scope.spawn(worker);
                        workers += 1;
                    }
                    // There is a worker to take it.
                    let _ = jobs.send(job);
                } else if let Some(flight) = ahead.flights.pop_front() {
                    let Ok(chunk) = flight.result.recv() else {
                        // The worker panicked, and so does the scope.
                        return Ok(());
                    };
                    let items = ahead.land(&mut self.text, &flight.bytes, chunk);
                    take_all(items)?;
                } else {
                    match self.text.advance(&work) {
                        Some(items) => take_all(items)?,
                        None => break,
                    }
                    ahead.place = self.text.place;
                }
            }
            Ok(())
        })?;
        match self.text.ending(&file) {
            Some(error) => take(Location::default(), Err(error)),
            None => Ok(()),
        }
    }
}

/// The batches that are worked on ahead of the place up to which the file was used.
struct Ahead<T> {
    batch: usize,
    flights: VecDeque<Flight<T>>,
    /// Where the text behind the last batch seems to begin.
    place: Place,
    landed: usize,
    missed: usize,
}

impl<T> Ahead<T> {
    fn new(batch: usize) -> Self {
        Self {
            batch,
            flights: VecDeque::new(),
            place: Place::Between,
            landed: 0,
            missed: 0,
        }
    }

    /// Takes a batch off the text, where a place to cut it is found.
    fn cut<R>(&mut self, text: &mut Text<R>) -> Option<Job<T>> {
        // In a file where the guesses are wrong they cost more than they bring.
        if text.bytes.len() < self.batch || self.missed > 4 + self.landed / 4 {
            return None;
        }
        let (end, next) = cut(&text.bytes, self.place)?;
        let mut rest = Vec::with_capacity(text.bytes.len());
        rest.extend_from_slice(text.bytes.get(end..)?);
        text.bytes.truncate(end);
        let bytes = Arc::new(std::mem::replace(&mut text.bytes, rest));
        let (sender, result) = mpsc::sync_channel(1);
        let place = std::mem::replace(&mut self.place, next);
        self.flights.push_back(Flight {
            bytes: Arc::clone(&bytes),
            place,
            result,
        });
        Some(Job {
            bytes,
            place,
            result: sender,
        })
    }

    /// Moves the text on behind a batch, which began where it should. If it did not end where the next begins, what was
    /// begun behind it is taken back.
    fn land<R: BufRead>(
        &mut self,
        text: &mut Text<R>,
        bytes: &[u8],
        chunk: Chunk<T>,
    ) -> Vec<Item<T>> {
        let rest = bytes.get(chunk.used..).unwrap_or_default();
        let items = text.accept(chunk);
        let next = self
            .flights
            .front()
            .map_or(self.place, |flight| flight.place);
        if rest.is_empty() && is_as_guessed(text.place, next) {
            self.landed += 1;
            if self.flights.is_empty() {
                self.place = text.place;
            }
            return items;
        }
        self.missed += 1;
        let behind = std::mem::take(&mut text.bytes);
        text.bytes = rest.to_vec();
        for flight in self.flights.drain(..) {
            text.bytes.extend_from_slice(&flight.bytes);
        }
        text.bytes.extend_from_slice(&behind);
        self.place = text.place;
        items
    }
}

fn is_as_guessed(place: Place, guess: Place) -> bool {
    match (place, guess) {
        (Place::List(list), Place::List(guess)) => {
            let kind = |list: List| (list.is_answer, list.has_answers, list.outer);
            list.used > 0 && kind(list) == kind(guess)
        }
        _ => place == guess,
    }
}

/// Where to cut a text that begins at a place, and the place behind: before its last whole group.
fn cut(bytes: &[u8], place: Place) -> Option<(usize, Place)> {
    let from = bytes.len().saturating_sub(TRIED);
    let mut tries = memrchr_iter(b'{', bytes.get(from..)?)
        .map(|at| from + at)
        .filter_map(|at| Some((at, cut_before(bytes.get(..at)?, place)?)))
        .take(TRIES);
    let (_, cut) = tries.find(|(at, _)| bytes.get(*at..).is_some_and(begins_group))?;
    Some(cut)
}

/// Where to cut if a group begins behind this text.
fn cut_before(bytes: &[u8], place: Place) -> Option<(usize, Place)> {
    match place {
        Place::Between => (bytes.last() == Some(&b'\n')).then_some((bytes.len(), place)),
        Place::List(list) => {
            let before = bytes.trim_ascii_end().strip_suffix(b",")?.trim_ascii_end();
            let next = List {
                used: RELATIVE,
                ..list
            };
            (before.last() == Some(&b'}')).then_some((before.len(), Place::List(next)))
        }
        Place::Lost { .. } => None,
    }
}
