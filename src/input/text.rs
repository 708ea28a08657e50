//! The text of a file as it is read, with the place up to which it was used.

use std::io::{BufRead, ErrorKind};

use super::error::{InputError, Problem};
use super::walk::{Chunk, Item, List, Place, walk};
use crate::model::SecurityGroup;

/// The part of a file that was read and not used yet.
#[derive(Debug)]
pub(super) struct Text<R> {
    reader: R,
    pub(super) bytes: Vec<u8>,
    /// The line that it begins on, from 1.
    line: usize,
    pub(super) place: Place,
    pub(super) is_end: bool,
    /// Whether the last reading brought as much as it could: there may be more at once.
    pub(super) has_more: bool,
    has_document: bool,
    failure: Option<Problem>,
    /// The most that is read at once. A reading that brings less took all that there was: whoever writes the file is slower
    /// than its reader.
    pub(super) at_once: usize,
}

const AT_ONCE: usize = 1 << 16;
/// Counts the elements of a list from a place before which their number is not known yet.
pub(super) const RELATIVE: usize = 1 << 62;

impl<R: BufRead> Text<R> {
    pub(super) fn new(reader: R) -> Self {
        let mut text = Self {
            reader,
            bytes: Vec::new(),
            line: 1,
            place: Place::Between,
            is_end: false,
            has_more: true,
            has_document: false,
            failure: None,
            at_once: AT_ONCE,
        };
        while text.bytes.len() < 3 && !text.is_end {
            text.read();
        }
        if text.bytes.starts_with(b"\xef\xbb\xbf") {
            text.bytes.drain(..3);
        }
        if text.bytes.starts_with(b"\xff\xfe") || text.bytes.starts_with(b"\xfe\xff") {
            text.fail(Problem::Utf16);
            text.bytes.clear();
        }
        text
    }

    fn fail(&mut self, problem: Problem) {
        self.failure = Some(problem);
        self.is_end = true;
    }

    /// Reads once.
    fn read(&mut self) {
        match self.reader.fill_buf() {
            Ok([]) => self.is_end = true,
            Ok(more) => {
                let more = more.get(..self.at_once).unwrap_or(more);
                let length = more.len();
                self.bytes.extend_from_slice(more);
                self.reader.consume(length);
                self.has_more = length == self.at_once;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => self.fail(Problem::Unreadable(error.to_string())),
        }
        self.has_more &= !self.is_end;
    }

    /// Reads on while there is more at once, up to a length.
    pub(super) fn read_ready(&mut self, length: usize) {
        while self.has_more && self.bytes.len() < length {
            self.read();
        }
    }

    /// Finds what stands in the text; when nothing does, more is read. None at the end.
    pub(super) fn advance<T>(
        &mut self,
        work: impl FnMut(SecurityGroup) -> T,
    ) -> Option<Vec<Item<T>>> {
        let is_whole = !matches!(self.place, Place::List(_));
        if self.is_end && self.bytes.is_empty() && is_whole {
            return None;
        }
        let chunk = walk(&self.bytes, self.is_end, self.place, work);
        let used = chunk.used;
        let items = self.accept(chunk);
        self.bytes.drain(..used);
        if used == 0 {
            // What goes on is looked at again from its beginning, so twice as much is read each time.
            let length = self.bytes.len() * 2;
            self.read();
            while self.bytes.len() < length && !self.is_end {
                self.read();
            }
        }
        Some(items)
    }

    /// Moves on behind what was found in the text that stands at its place: its items with their lines in the file.
    pub(super) fn accept<T>(&mut self, chunk: Chunk<T>) -> Vec<Item<T>> {
        let before = match self.place {
            Place::List(list) => list.used,
            _ => 0,
        };
        let absolute = |index: usize| match index.checked_sub(RELATIVE) {
            Some(index) => before + index,
            None => index,
        };
        let mut items = chunk.items;
        for Item { location, .. } in &mut items {
            location.line += self.line;
            location.group = location.group.map(absolute);
        }
        self.place = match chunk.place {
            Place::List(list) => Place::List(List {
                used: absolute(list.used),
                ..list
            }),
            place => place,
        };
        self.line += chunk.lines;
        self.has_document |= chunk.has_document;
        items
    }

    /// The error about the file as a whole, at its end.
    pub(super) fn ending(&mut self, file: &str) -> Option<InputError> {
        let problem = match self.failure.take() {
            Some(problem) => problem,
            None if self.has_document => return None,
            None => Problem::Empty,
        };
        // Once is enough.
        self.has_document = true;
        Some(InputError::of_file(file, problem))
    }
}
