//! What stands in a piece of text: a pure function from the text, and the place where it begins, to groups and errors.
//!
//! A document that is broken in its middle ends there. Behind it reading goes on with the next line that begins with
//! `{` or `[`: in a file of lines that is the next line, and of an indented document nothing looks like it.

mod list;

use std::ops::ControlFlow;

use memchr::{memchr, memchr_iter};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Deserializer;

use super::document::{self, Document, FileGroup, Unusable};
use super::error::{Location, Problem};
use super::kind::other_format;
use super::value::{Value, first};
use super::words::words;
use crate::model::SecurityGroup;

/// Where a text begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Between documents.
    Between,
    /// Behind a broken document: at the beginning of a line, or not.
    Lost {
        in_line: bool,
    },
    List(List),
}

/// A list of which some elements were used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct List {
    pub(super) used: usize,
    /// Whether it is the list of an answer of EC2.
    pub(super) is_answer: bool,
    /// Whether an answer stood in it.
    pub(super) has_answers: bool,
    /// Its index, when it stands in a list itself.
    pub(super) outer: Option<usize>,
}

/// What was found in a text.
pub(super) struct Chunk<T> {
    /// In the order of the text; lines are counted from 0 at its beginning.
    pub(super) items: Vec<Item<T>>,
    /// How many bytes were used; the rest needs more text behind it.
    pub(super) used: usize,
    pub(super) lines: usize,
    /// Where the rest begins.
    pub(super) place: Place,
    pub(super) has_document: bool,
}

#[derive(Debug)]
pub(super) struct Item<T> {
    pub(super) location: Location,
    pub(super) content: Result<T, Problem>,
}

/// Applies `work` to each group of a text. At the end of the file everything is used.
pub(super) fn walk<T>(
    bytes: &[u8],
    is_end: bool,
    place: Place,
    work: impl FnMut(SecurityGroup) -> T,
) -> Chunk<T> {
    let mut walk = Walk {
        bytes,
        text: None,
        is_end,
        at: 0,
        place,
        counted: 0,
        lines: 0,
        items: Vec::with_capacity(bytes.len() / GROUP),
        has_document: false,
        work,
    };
    // A text that is checked as a whole is read faster than bytes whose strings are checked one by one.
    match std::str::from_utf8(bytes) {
        Ok(text) => walk.text = Some(text),
        Err(error) if error.error_len().is_none() && !is_end => {
            walk.bytes = bytes.get(..error.valid_up_to()).unwrap_or_default();
            walk.text = std::str::from_utf8(walk.bytes).ok();
        }
        Err(_) => {}
    }
    while walk.step().is_continue() {}
    let (used, lines) = (walk.at, walk.line(walk.at));
    Chunk {
        items: walk.items,
        used,
        lines,
        place: walk.place,
        has_document: walk.has_document,
    }
}

struct Walk<'t, T, F> {
    bytes: &'t [u8],
    /// The same, where it is UTF-8.
    text: Option<&'t str>,
    is_end: bool,
    at: usize,
    place: Place,
    /// Up to where lines were counted, and how many.
    counted: usize,
    lines: usize,
    items: Vec<Item<T>>,
    has_document: bool,
    work: F,
}

/// Whether there is more to find in the text.
type Step = ControlFlow<()>;
const ON: Step = Step::Continue(());
const NEEDS_MORE: Step = Step::Break(());

/// How long a group is, for a guess at how many there are.
const GROUP: usize = 1 << 10;
/// The longest line without JSON that is waited for as a whole.
const LINE: usize = 1 << 16;

impl<T, F: FnMut(SecurityGroup) -> T> Walk<'_, T, F> {
    fn step(&mut self) -> Step {
        match self.place {
            Place::Between => match self.visible(self.at) {
                Some((at, _)) => {
                    self.at = at;
                    self.document(false)
                }
                None => {
                    self.at = self.bytes.len();
                    NEEDS_MORE
                }
            },
            Place::Lost { in_line: true } => self.skip_line(),
            Place::Lost { in_line: false } => match self.bytes.get(self.at) {
                Some(b'{' | b'[') => self.document(true),
                Some(_) => self.skip_line(),
                None => NEEDS_MORE,
            },
            Place::List(list) => self.element(list),
        }
    }

    fn rest(&self, at: usize) -> &[u8] {
        self.bytes.get(at..).unwrap_or_default()
    }

    /// The first byte from a place on that is no white space.
    fn visible(&self, at: usize) -> Option<(usize, u8)> {
        let is_visible = |byte: &u8| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        let blank = self.rest(at).iter().position(is_visible)?;
        Some((at + blank, *self.rest(at).get(blank)?))
    }

    /// The line of a place, counted from the last one that was asked for.
    fn line(&mut self, at: usize) -> usize {
        let lines = |text: Option<&[u8]>| memchr_iter(b'\n', text.unwrap_or_default()).count();
        self.lines += lines(self.bytes.get(self.counted..at));
        self.lines -= lines(self.bytes.get(at..self.counted));
        self.counted = at;
        self.lines
    }

    fn location(&mut self, at: usize) -> Location {
        let (answer, group) = match self.place {
            Place::List(list) if list.has_answers && self.bytes.get(at) != Some(&b'{') => {
                (Some(list.used), None)
            }
            Place::List(list) => (list.outer, Some(list.used)),
            _ => (None, None),
        };
        Location {
            line: self.line(at),
            answer,
            group,
        }
    }

    fn push(&mut self, location: Location, content: Result<SecurityGroup, Problem>) {
        let content = content.map(&mut self.work);
        self.items.push(Item { location, content });
    }

    fn skip_line(&mut self) -> Step {
        let end = memchr(b'\n', self.rest(self.at));
        self.at = end.map_or(self.bytes.len(), |end| self.at + end + 1);
        let in_line = end.is_none();
        self.place = Place::Lost { in_line };
        if in_line { NEEDS_MORE } else { ON }
    }

    /// Where the text is to be continued: if there is more, it is needed; if not, the document is cut off.
    fn cut_off(&mut self, at: usize) -> Step {
        if self.is_end {
            self.lose(at, Problem::CutOff)
        } else {
            NEEDS_MORE
        }
    }

    /// The document is broken at a place.
    fn lose(&mut self, at: usize, problem: Problem) -> Step {
        let location = self.location(at);
        self.lose_at(location, at, problem)
    }

    fn lose_at(&mut self, location: Location, at: usize, problem: Problem) -> Step {
        self.push(location, Err(problem));
        self.at = at;
        self.place = Place::Lost { in_line: true };
        self.skip_line()
    }

    fn value<V: DeserializeOwned>(&self, at: usize) -> Value<V> {
        match self.text.and_then(|text| text.get(at..)) {
            Some(text) => first(Deserializer::from_str(text), || {
                Deserializer::from_str(text)
            }),
            None => {
                let rest = self.rest(at);
                first(Deserializer::from_slice(rest), || {
                    Deserializer::from_slice(rest)
                })
            }
        }
        .behind(at)
    }

    /// A document, of which a list is only begun. `is_lost`: it may be a line of a broken list.
    fn document(&mut self, is_lost: bool) -> Step {
        let at = self.at;
        self.has_document = true;
        let list = match self.rest(at).first() {
            Some(b'[') => Some((at + 1, false)),
            Some(b'{') => match self.answer(at) {
                Ok(list) => list.map(|list| (list, true)),
                Err(Cut) if self.is_end => None,
                Err(Cut) => return NEEDS_MORE,
            },
            _ => return self.no_document(),
        };
        if let Some((at, is_answer)) = list {
            self.begin_list(at, is_answer, None);
            return ON;
        }
        let value = self.value::<FileGroup>(at);
        if let (true, Value::Whole(_, end) | Value::Other(end)) = (is_lost, &value) {
            match self.visible(*end) {
                Some((_, b',' | b']' | b'}')) => return self.skip_line(),
                None if !self.is_end => return NEEDS_MORE,
                _ => {}
            }
        }
        let location = Location {
            line: self.line(at),
            ..Location::default()
        };
        match value {
            Value::Whole(FileGroup(group), end) => {
                self.push(location, Ok(group));
                self.at = end;
            }
            Value::Other(end) => {
                self.other(location, false, at, end);
                self.at = end;
            }
            Value::Broken(error) => return self.lose(at, not_json(&error)),
            Value::Cut => return self.cut_off(at),
        }
        self.place = Place::Between;
        ON
    }

    /// A line that begins no document: one value, or no JSON.
    fn no_document(&mut self) -> Step {
        let at = self.at;
        let rest = self.rest(at);
        let head = rest.get(..LINE).unwrap_or(rest);
        let line = match memchr(b'\n', head) {
            Some(end) => head.get(..end).unwrap_or(head),
            None if head.len() < LINE && !self.is_end => return NEEDS_MORE,
            None => head,
        };
        let line = String::from_utf8_lossy(line).into_owned();
        match first::<_, IgnoredAny>(Deserializer::from_str(&line), || {
            Deserializer::from_str(&line)
        }) {
            Value::Whole(_, length) => {
                let location = self.location(at);
                if let Err(unusable) = document::read(line.get(..length).unwrap_or(&line)) {
                    self.push(location, Err(unusable.problem));
                }
                self.at = at + length;
                ON
            }
            _ => self.lose(at, Problem::NotJson(other_format(&line))),
        }
    }

    /// A value that is no group by itself. `in_answer`: it stands in the list of an answer.
    fn other(&mut self, location: Location, in_answer: bool, at: usize, end: usize) {
        let value = self.bytes.get(at..end).unwrap_or_default();
        match std::str::from_utf8(value) {
            Ok(json) => self.documents(location, in_answer, json),
            Err(_) => self.push(location, Err(Problem::NotUtf8)),
        }
    }

    fn documents(&mut self, location: Location, in_answer: bool, json: &str) {
        let elements = match document::read(json) {
            Ok(Document::Group(group)) => return self.push(location, Ok(*group)),
            Ok(Document::List(elements)) => elements,
            Err(Unusable { lines, problem }) => {
                let line = location.line + lines;
                return self.push(Location { line, ..location }, Err(problem));
            }
        };
        if in_answer || location.answer.is_some() {
            return self.push(location, Err(Problem::ListInAnswer));
        }
        for (index, element) in elements.into_iter().enumerate() {
            let within = Location {
                answer: location.group,
                group: Some(index),
                ..location
            };
            self.documents(within, json.starts_with('{'), element.get());
        }
    }
}

fn not_json(error: &serde_json::Error) -> Problem {
    let below = match error.line() {
        0 | 1 => String::new(),
        2 => " (on the next line)".to_owned(),
        line => format!(" ({} lines below)", line - 1),
    };
    Problem::NotJson(words(error) + &below)
}

/// The text ends before it can be told what stands there.
struct Cut;
