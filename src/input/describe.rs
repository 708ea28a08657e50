//! Security groups from JSON, as `check` takes it: the output of `aws ec2 describe-security-groups`, an array, one bare
//! group, or one such document a line.
//!
//! Groups come as they are read: memory grows neither with their number nor with the length of a list. A bad group or
//! document is an error with its place; the others still come. A document that was cut in the middle ends where the
//! next complete one begins.

use std::collections::VecDeque;
use std::fmt;
use std::io::{BufRead, ErrorKind};

use memchr::{memchr, memchr_iter};
use serde::de::{DeserializeOwned, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::model::{GroupMembers, MemberName, SecurityGroup, known};

/// A document, or a place of one, that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct InputError {
    file: String,
    line: Option<usize>,
    index: Option<usize>,
    problem: String,
}

impl InputError {
    /// About a file as a whole.
    #[must_use]
    pub fn of_file(file: &str, problem: String) -> Self {
        Self {
            file: file.to_owned(),
            line: None,
            index: None,
            problem,
        }
    }
}

impl fmt::Display for InputError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(formatter, ":{line}")?;
        }
        if let Some(index) = self.index {
            write!(formatter, ": group [{index}]")?;
        }
        write!(formatter, ": {}", self.problem)
    }
}

/// The groups of a file, one after another.
#[derive(Debug)]
pub struct GroupReader<R> {
    file: String,
    reader: R,
    /// What was read.
    buffer: Vec<u8>,
    /// Where in it begins what is still to be used.
    start: usize,
    /// The number of the line that this begins on, from 1.
    line: usize,
    is_read_to_end: bool,
    place: Place,
    /// Groups of a document that was read as a whole.
    ready: VecDeque<Result<SecurityGroup, InputError>>,
    /// How much was looked at in vain behind the first lines of documents that were cut, and of how many.
    in_vain: usize,
    cut: usize,
    has_document: bool,
    is_done: bool,
}

/// Where what is still to be used begins.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// At the beginning of the file.
    Beginning,
    /// Between documents.
    Between,
    /// Behind a document that was cut: what does not parse alone belongs to it.
    Lost,
    /// In a list of which so many elements were used: by itself, or that of an answer of EC2.
    List { used: usize, is_answer: bool },
}

/// Why there is no group.
enum Fault {
    /// An error, behind which the reading goes on.
    Error(InputError),
    /// Nothing more can be read.
    End(InputError),
}

/// What stands at a place.
enum Read<T> {
    /// What is wanted; it ends there.
    Whole(T, usize),
    /// JSON, but not what is wanted; it ends there.
    Other(serde_json::Error, usize),
    /// No JSON.
    Broken(serde_json::Error),
    /// Nothing that has an end.
    Cut,
}

/// How much is read ahead for the end of a line.
const CHUNK: usize = 1 << 16;
/// How much may be looked at in vain, when more than a few documents are cut: one without an end takes a look at all the
/// rest.
const IN_VAIN: usize = 1 << 26;
const FEW: usize = 16;
/// How an answer of EC2 begins, in as few characters as can be.
const ANSWER: &[u8] = br#"{"SecurityGroups":["#;
/// What is said of a document within the list of another.
const WITHIN: &str = "a document begins within a list: was the list cut off before it?";
const SECURITY_GROUPS: &[u8] = br#""SecurityGroups""#;

impl<R: BufRead> GroupReader<R> {
    /// Of a reader; the name is for errors.
    pub fn new(file: &str, reader: R) -> Self {
        Self {
            file: file.to_owned(),
            reader,
            buffer: Vec::new(),
            start: 0,
            line: 1,
            is_read_to_end: false,
            place: Place::Beginning,
            ready: VecDeque::new(),
            in_vain: 0,
            cut: 0,
            has_document: false,
            is_done: false,
        }
    }

    /// What is still to be used, from a place on.
    fn text(&self, at: usize) -> &[u8] {
        self.buffer.get(self.start + at..).unwrap_or_default()
    }

    /// Reads more, as much as there is; false at the end.
    fn read_more(&mut self) -> Result<bool, Fault> {
        if self.start >= CHUNK {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        while !self.is_read_to_end {
            match self.reader.fill_buf() {
                Ok([]) => self.is_read_to_end = true,
                Ok(more) => {
                    let length = more.len();
                    self.buffer.extend_from_slice(more);
                    self.reader.consume(length);
                    return Ok(true);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    let problem = format!("cannot be read: {error}");
                    return Err(Fault::End(InputError::of_file(&self.file, problem)));
                }
            }
        }
        Ok(false)
    }

    /// Uses so many bytes.
    fn take(&mut self, length: usize) {
        self.line += lines(self.text(0).get(..length).unwrap_or_default());
        self.start += length;
    }

    /// The first byte from a place on that is no white space, and where; none at the end.
    fn visible(&mut self, mut at: usize) -> Result<Option<(usize, u8)>, Fault> {
        loop {
            let is_visible = |byte: &u8| !b" \t\r\n".contains(byte);
            if let Some(blank) = self.text(at).iter().position(is_visible) {
                at += blank;
                return Ok(self.text(at).first().map(|byte| (at, *byte)));
            }
            at = self.text(0).len();
            if !self.read_more()? {
                return Ok(None);
            }
        }
    }

    /// Where the next line begins.
    fn next_line(&mut self) -> Result<usize, Fault> {
        let mut searched = 0;
        loop {
            if let Some(end) = memchr(b'\n', self.text(searched)) {
                return Ok(searched + end + 1);
            }
            searched = self.text(0).len();
            if !self.read_more()? {
                return Ok(searched);
            }
        }
    }

    /// The next value, read behind a beginning that it has been given.
    fn value<T: DeserializeOwned>(&mut self, beginning: &[u8]) -> Result<Read<T>, Fault> {
        loop {
            let text = self.text(0);
            let length = text.len();
            let read = match beginning {
                [] => read(text),
                _ => read::<T>(&[beginning, text].concat()).behind(beginning.len()),
            };
            let may_go_on = match &read {
                // A number may.
                Read::Whole(_, end) | Read::Other(_, end) => *end == length,
                Read::Broken(_) => false,
                Read::Cut => true,
            };
            if !may_go_on || self.is_read_to_end {
                return Ok(read);
            }
            while self.text(0).len() <= length * 2 && self.read_more()? {}
        }
    }

    /// An error about what is next.
    fn error(&self, problem: impl Into<String>) -> InputError {
        InputError {
            file: self.file.clone(),
            line: Some(self.line),
            index: match self.place {
                Place::List { used, .. } => Some(used),
                _ => None,
            },
            problem: problem.into(),
        }
    }

    /// The parser's error about what is next. It adds a place of its own, which counts from there.
    fn parse_error(&self, error: &serde_json::Error) -> InputError {
        let text = error.to_string();
        let problem = text
            .rsplit_once(" at line ")
            .map_or(text.as_str(), |(problem, _)| problem);
        let begins = self.error(problem);
        let further = error.line().saturating_sub(1);
        let line = begins.line.map(|line| line + further);
        if error.is_data() {
            return InputError { line, ..begins };
        }
        let end = match line {
            Some(line) if further > 0 => format!(" (at line {line})"),
            _ => String::new(),
        };
        let problem = format!("not JSON: {problem}{end}");
        InputError { problem, ..begins }
    }

    /// What is next is not JSON, or has no end. Behind its first line something else may begin.
    fn lose(&mut self, error: Option<&serde_json::Error>) -> Fault {
        let fault = match error {
            Some(error) => self.parse_error(error),
            None => self.error("the JSON document is cut off here: of the rest, only what stands whole on a line of its own is evaluated"),
        };
        let all = self.text(0).len();
        self.in_vain += match error.map(serde_json::Error::line) {
            None => all,
            Some(..=1) => 0,
            Some(line) => memchr_iter(b'\n', self.text(0))
                .nth(line - 1)
                .unwrap_or(all),
        };
        self.cut += 1;
        match self.next_line() {
            Ok(line) => self.take(line),
            Err(unreadable) => return unreadable,
        }
        // What is broken within a line is a bad line.
        self.place = match error {
            Some(error) if error.line() <= 1 => Place::Between,
            _ => Place::Lost,
        };
        Fault::Error(fault)
    }

    /// Uses the next value, read behind a beginning that it has been given. What is none is lost.
    fn take_value<T: DeserializeOwned>(&mut self, beginning: &[u8]) -> Result<T, Fault> {
        match self.value(beginning)? {
            Read::Whole(value, length) => {
                self.take(length);
                Ok(value)
            }
            Read::Other(error, length) => {
                let fault = self.parse_error(&error);
                self.take(length);
                Err(Fault::Error(fault))
            }
            Read::Broken(error) => Err(self.lose(Some(&error))),
            Read::Cut => Err(self.lose(None)),
        }
    }

    /// The next group, or the end.
    fn advance(&mut self) -> Result<Option<SecurityGroup>, Fault> {
        loop {
            if let Some(group) = self.ready.pop_front() {
                return group.map(Some).map_err(Fault::Error);
            }
            let group = match self.place {
                Place::Beginning => {
                    self.skip_mark()?;
                    self.place = Place::Between;
                    None
                }
                Place::List { used, is_answer } => self.element(used, is_answer)?,
                Place::Between | Place::Lost => match self.beginning()? {
                    Some(first) => self.document(first)?,
                    None => return Ok(None),
                },
            };
            if group.is_some() {
                return Ok(group);
            }
        }
    }

    fn skip_mark(&mut self) -> Result<(), Fault> {
        while self.text(0).len() < 3 && self.read_more()? {}
        if self.text(0).starts_with(b"\xff\xfe") || self.text(0).starts_with(b"\xfe\xff") {
            let problem = "it is UTF-16 (as PowerShell's > writes): save it as UTF-8";
            return Err(Fault::End(self.error(problem)));
        }
        if self.text(0).starts_with(b"\xef\xbb\xbf") {
            self.take(3);
        }
        Ok(())
    }

    /// Uses what stands before the next document, and gives its first byte.
    fn beginning(&mut self) -> Result<Option<u8>, Fault> {
        while let Some((at, first)) = self.visible(0)? {
            let is_lost = matches!(self.place, Place::Lost);
            let may_begin = matches!(first, b'{' | b'[');
            let before = self.text(0).get(..at).unwrap_or_default();
            let is_at_margin = before.last().is_none_or(|byte| *byte == b'\n');
            self.take(at);
            if !is_lost || may_begin && (is_at_margin || self.is_line_whole()?) {
                self.has_document = true;
                return Ok(Some(first));
            }
            let line = self.next_line()?;
            self.take(line);
        }
        Ok(None)
    }

    /// Is all up to the end of the line one JSON document?
    fn is_line_whole(&mut self) -> Result<bool, Fault> {
        let length = self.next_line()?;
        let line = self.text(0).get(..length).unwrap_or_default();
        Ok(serde_json::from_slice::<IgnoredAny>(line).is_ok())
    }

    /// A document by its first byte: a list is only begun.
    fn document(&mut self, first: u8) -> Result<Option<SecurityGroup>, Fault> {
        self.place = Place::Between;
        if first == b'{'
            && let Some((group, length)) = self.group_on_line()?
        {
            self.take(length);
            return Ok(Some(group));
        }
        if self.cut > FEW && self.in_vain > IN_VAIN && !self.is_line_whole()? {
            return Err(self.lose(None));
        }
        let list = match first {
            b'[' => Some(1),
            b'{' => self.list_of_answer()?,
            _ => None,
        };
        if let Some(at) = list {
            self.take(at);
            let is_answer = first == b'{';
            self.place = Place::List { used: 0, is_answer };
            return Ok(None);
        }
        let document = self.take_value(&[])?;
        self.ready_all(document);
        Ok(None)
    }

    /// A bare group that stands on one line, with its length.
    fn group_on_line(&mut self) -> Result<Option<(SecurityGroup, usize)>, Fault> {
        let find = |text: &[u8]| memchr(b'\n', text.get(..CHUNK).unwrap_or(text));
        let mut end = find(self.text(0));
        while end.is_none() && self.text(0).len() < CHUNK && self.read_more()? {
            end = find(self.text(0));
        }
        let line = self
            .text(0)
            .get(..end.unwrap_or_default())
            .unwrap_or_default();
        // Text that is checked as a whole is read faster than bytes that are checked piece by piece.
        let Ok(line) = std::str::from_utf8(line) else {
            return Ok(None);
        };
        let mut documents = serde_json::Deserializer::from_str(line).into_iter();
        Ok(match documents.next() {
            Some(Ok(Document::Group(group))) => Some((*group, documents.byte_offset())),
            _ => None,
        })
    }

    /// Where the elements begin, in an answer whose first member is the list of its groups: as EC2's is.
    fn list_of_answer(&mut self) -> Result<Option<usize>, Fault> {
        let Some((name, _)) = self.visible(1)? else {
            return Ok(None);
        };
        while self.text(name).len() < SECURITY_GROUPS.len() && self.read_more()? {}
        if !self.text(name).starts_with(SECURITY_GROUPS) {
            return Ok(None);
        }
        let Some((colon, b':')) = self.visible(name + SECURITY_GROUPS.len())? else {
            return Ok(None);
        };
        Ok(match self.visible(colon + 1)? {
            Some((list, b'[')) => Some(list + 1),
            _ => None,
        })
    }

    /// The next element of a list, or its end.
    fn element(&mut self, used: usize, is_answer: bool) -> Result<Option<SecurityGroup>, Fault> {
        let Some((mut at, mut byte)) = self.visible(0)? else {
            return Err(self.lose(None));
        };
        if byte == b']' {
            self.take(at + 1);
            return self.end_of_list(is_answer);
        }
        if used > 0 {
            if byte != b',' {
                self.take(at);
                let fault = self.error("not JSON: expected `,` or `]`");
                self.place = Place::Lost;
                return Err(Fault::Error(fault));
            }
            at += 1;
        }
        if let Some(element) = self.visible(at)? {
            (at, byte) = element;
        }
        self.take(at);
        if byte == b'[' || byte == b'{' && self.list_of_answer()?.is_some() {
            let fault = self.error(WITHIN);
            self.place = Place::Between;
            return Err(Fault::Error(fault));
        }
        let line = self.line;
        let element = self.take_value(&[]);
        // Of what was not lost the list goes on behind it.
        if matches!(self.place, Place::List { .. }) {
            let used = used + 1;
            self.place = Place::List { used, is_answer };
        }
        match element? {
            Document::Group(group) => Ok(Some(*group)),
            document => {
                self.ready_all(document);
                Err(Fault::Error(InputError {
                    line: Some(line),
                    index: Some(used),
                    ..self.error(WITHIN)
                }))
            }
        }
    }

    /// What stands behind the list of an answer tells whether it is all of it.
    fn end_of_list(&mut self, is_answer: bool) -> Result<Option<SecurityGroup>, Fault> {
        self.place = Place::Between;
        if !is_answer {
            return Ok(None);
        }
        self.take_value::<Document>(&[ANSWER, b"]"].concat())?;
        Ok(None)
    }

    fn ready_all(&mut self, document: Document) {
        match document {
            Document::Group(group) => self.ready.push_back(Ok(*group)),
            Document::Groups(elements) => {
                for (index, element) in elements.into_iter().enumerate() {
                    let group = serde_json::from_str(element.get()).map_err(|error| InputError {
                        line: None,
                        index: Some(index),
                        ..self.parse_error(&error)
                    });
                    self.ready.push_back(group);
                }
            }
        }
    }
}

fn lines(text: &[u8]) -> usize {
    memchr_iter(b'\n', text).count()
}

/// Reads what a text begins with.
fn read<T: DeserializeOwned>(text: &[u8]) -> Read<T> {
    let mut values = serde_json::Deserializer::from_slice(text).into_iter();
    match values.next() {
        None => Read::Cut,
        Some(Ok(value)) => Read::Whole(value, values.byte_offset()),
        Some(Err(error)) if error.is_eof() => Read::Cut,
        // What is wrong in the eyes of its reader may be JSON all the same.
        Some(Err(error)) => {
            let mut values = serde_json::Deserializer::from_slice(text).into_iter::<IgnoredAny>();
            match values.next() {
                Some(Ok(IgnoredAny)) => Read::Other(error, values.byte_offset()),
                Some(Err(error)) if !error.is_eof() => Read::Broken(error),
                _ => Read::Cut,
            }
        }
    }
}

impl<T> Read<T> {
    /// The same, counted from the end of a beginning.
    fn behind(self, beginning: usize) -> Self {
        match self {
            Self::Whole(value, end) => Self::Whole(value, end.saturating_sub(beginning)),
            Self::Other(error, end) => Self::Other(error, end.saturating_sub(beginning)),
            other => other,
        }
    }
}

impl<R: BufRead> Iterator for GroupReader<R> {
    type Item = Result<SecurityGroup, InputError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_done {
            return None;
        }
        match self.advance() {
            Ok(Some(group)) => Some(Ok(group)),
            Err(Fault::Error(error)) => Some(Err(error)),
            Err(Fault::End(error)) => {
                self.is_done = true;
                Some(Err(error))
            }
            Ok(None) => {
                self.is_done = true;
                let problem =
                    "no JSON document: it is empty (did the command that should fill it fail?)";
                (!self.has_document)
                    .then(|| Err(InputError::of_file(&self.file, problem.to_owned())))
            }
        }
    }
}

/// One JSON document; the groups of a list are still text, so that one bad group does not cost the others.
enum Document {
    Group(Box<SecurityGroup>),
    Groups(Vec<Box<RawValue>>),
}

/// The members of a document: those of an answer of EC2, and those of a bare group.
const NAMES: [&str; 10] = {
    let [a, b, c, d, e, f, g, h] = GroupMembers::NAMES;
    ["SecurityGroups", "NextToken", a, b, c, d, e, f, g, h]
};

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shape;
        impl<'de> Visitor<'de> for Shape {
            type Value = Document;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("the output of `aws ec2 describe-security-groups`, a list of security groups, or one")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut groups = Vec::new();
                while let Some(group) = list.next_element()? {
                    groups.push(group);
                }
                Ok(Document::Groups(groups))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut groups: Option<Vec<Box<RawValue>>> = None;
                let mut members = GroupMembers::default();
                while let Some(name) = map.next_key_seed(MemberName {
                    member: |name: &str| known(&NAMES, name),
                    known: &NAMES,
                    what: "a security group or an answer of EC2",
                })? {
                    match name {
                        Some("SecurityGroups") if groups.is_some() => {
                            return Err(A::Error::duplicate_field("SecurityGroups"));
                        }
                        Some("SecurityGroups") => {
                            groups = Some(map.next_value::<Option<_>>()?.unwrap_or_default())
                        }
                        Some("NextToken") => {
                            if map
                                .next_value::<Option<Box<RawValue>>>()?
                                .is_some_and(|token| token.get() != "\"\"")
                            {
                                return Err(A::Error::custom(
                                    "there is a NextToken: this is one page of several, the others are missing (leave out --no-paginate, --max-items and --max-results)",
                                ));
                            }
                        }
                        name => members.read(name, &mut map)?,
                    }
                }
                match groups {
                    Some(_) if !members.is_empty() => Err(A::Error::custom(
                        "`SecurityGroups` and the members of a security group in one object: which is it?",
                    )),
                    Some(groups) => Ok(Document::Groups(groups)),
                    None => Ok(Document::Group(Box::new(members.finish()?))),
                }
            }
        }
        deserializer.deserialize_any(Shape)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &[u8]) -> (Vec<String>, Vec<String>) {
        let (mut ids, mut errors) = (Vec::new(), Vec::new());
        for group in GroupReader::new("f", text) {
            match group {
                Ok(group) => ids.push(group.group_id.as_str().to_owned()),
                Err(error) => errors.push(error.to_string()),
            }
        }
        (ids, errors)
    }

    fn group(id: &str) -> String {
        format!(
            r#"{{"GroupId":"{id}","IpPermissions":[{{"IpProtocol":"-1","UserIdGroupPairs":[{{"GroupId":"sg-x"}}]}}]}}"#
        )
    }

    fn pretty(json: &str) -> String {
        serde_json::to_string_pretty(&serde_json::from_str::<serde_json::Value>(json).unwrap())
            .unwrap()
    }

    #[test]
    fn every_shape_gives_its_groups() {
        let (a, b) = (group("sg-a"), group("sg-b"));
        let answer = format!(r#"{{"SecurityGroups":[{a},{b}]}}"#);
        for text in [
            answer.clone(),
            pretty(&answer),
            format!("[{a},{b}]"),
            pretty(&format!("[{a},{b}]")),
            format!("{a}\n\n{b}"),
            format!("{a}\r\n{b}\r\n"),
            format!("{}\n{}", pretty(&a), pretty(&b)),
            format!("{a}\n{}\n", pretty(&b)),
            format!("{}\n{b}\n", pretty(&a)),
            format!("{}{b}\n", pretty(&a)),
            format!("\u{feff}{a}\n{b}"),
            format!("[\n{a},\n{b}\n]"),
            format!("{{\"SecurityGroups\":[{a}]}}\n{{\"SecurityGroups\":[{b}]}}\n"),
        ] {
            let (ids, errors) = read(text.as_bytes());
            assert_eq!(
                (ids, errors),
                (vec!["sg-a".to_owned(), "sg-b".to_owned()], vec![]),
                "{text}"
            );
        }
        for nothing in [
            "{\"SecurityGroups\":[]}",
            "[]",
            "{\"SecurityGroups\":null}",
            "{\"SecurityGroups\":[],\"NextToken\":null}",
        ] {
            assert_eq!(read(nothing.as_bytes()), (vec![], vec![]), "{nothing}");
        }
    }

    #[test]
    fn a_bad_document_is_named_and_the_others_come() {
        let (a, b, c) = (group("sg-a"), group("sg-b"), group("sg-c"));
        let cut_in_text = a.split_at(14).0;
        let cut_at_comma = a.split_at(17).0;
        let cut_in_list = "{\"GroupId\":\"sg-a\",\"IpPermissions\":[";
        for (text, place) in [
            (format!("{cut_in_text}\n{b}\n{c}\n"), "f:1:"),
            (format!("{cut_at_comma}\n{b}\n{c}\n"), "f:1:"),
            (format!("{cut_in_list}\n{b}\n{c}\n"), "f:1:"),
            (format!("{b}\n{cut_at_comma}\n{c}"), "f:2:"),
            (format!("{b}\n{c}\n{cut_in_list}"), "f:3:"),
            (format!("{b}\nnonsense\n{c}"), "f:2: not JSON"),
            (
                format!("{b}\n{{\"GroupId\":\"sg-a\"}}\n{c}"),
                "f:2: security group",
            ),
            (
                format!("{b}\n{}\n{c}", a.replace("IpPermissions", "ipPermissions")),
                "f:2: `ipPermissions` is not",
            ),
            (
                format!(
                    "{b}\n{}\n{c}",
                    pretty(&a.replace("IpPermissions", "ipPermissions"))
                ),
                "f:4: `ipPermissions` is not",
            ),
            (
                format!("[{b},{{\"GroupId\":\"sg-a\"}},{c}]"),
                "f:1: group [1]: security group",
            ),
            (
                pretty(&format!(
                    "{{\"SecurityGroups\":[{b},{{\"IpPermissions\":[]}},{c}]}}"
                )),
                "f:18: group [1]: a security group without",
            ),
            (format!("{b}\n3\n{c}"), "f:2: invalid type: integer"),
        ] {
            let (ids, errors) = read(text.as_bytes());
            assert_eq!(ids, ["sg-b", "sg-c"], "{text}\n{errors:?}");
            assert!(
                !errors.is_empty() && errors[0].starts_with(place),
                "{text}\n{errors:?}"
            );
        }
    }

    #[test]
    fn behind_a_cut_document_the_next_whole_ones_come() {
        let [a, b, c] = ["sg-a", "sg-b", "sg-c"].map(|id| pretty(&group(id)));
        for at in 1..a.len() {
            let text = format!("{}\n{b}\n{c}\n", a.split_at(at).0);
            let (ids, errors) = read(text.as_bytes());
            assert!(
                ids == ["sg-b", "sg-c"] && !errors.is_empty(),
                "cut at {at}: {ids:?} {errors:?}"
            );
        }
        let text = format!(
            "{{\"GroupId\":\"b\",\n{{\"GroupId\":\"c\",\n{}\n",
            group("sg-d")
        );
        let (ids, errors) = read(text.as_bytes());
        assert_eq!((ids.len(), errors.len()), (1, 2), "{errors:?}");
    }

    #[test]
    fn of_a_broken_list_what_stands_before_comes() {
        let broken = pretty(&format!("[{},{}]", group("sg-a"), group("sg-b"))).replacen(
            "\"sg-b\",",
            "\"sg-b\",,",
            1,
        );
        let (ids, errors) = read(broken.as_bytes());
        assert_eq!((ids.len(), errors.len()), (1, 1), "{errors:?}");
        let (a, b, c) = (group("sg-a"), group("sg-b"), group("sg-c"));
        for (text, expected, place) in [
            (
                format!("[{a},{b}\n{c}\n"),
                ["sg-a", "sg-b", "sg-c"].as_slice(),
                "f:2: group [2]: not JSON: expected `,` or `]`",
            ),
            (
                format!("[{a},\n{b}"),
                &["sg-a", "sg-b"],
                "f:2: group [2]: the JSON document is cut off",
            ),
            (
                format!("[{a},{}\n{c}\n", b.split_at(9).0),
                &["sg-a", "sg-c"],
                "f:1: group [1]: not JSON",
            ),
            (
                format!("[{a},{}\n{c}\n", b.split_at(17).0),
                &["sg-a", "sg-c"],
                "f:1: group [1]: not JSON",
            ),
            (
                format!("{{\"SecurityGroups\":[{a}],\n{c}\n"),
                &["sg-a", "sg-c"],
                "f:1: not JSON",
            ),
            (
                format!("{{\"SecurityGroups\":[{a}"),
                &["sg-a"],
                "f:1: group [1]: the JSON document is cut off",
            ),
            (
                format!("{{\"SecurityGroups\":[{a}],\"NextToken\":\"eyJ\"}}\n{b}"),
                &["sg-a", "sg-b"],
                "f:1: there is a NextToken",
            ),
            (
                format!("[{a},]\n{c}"),
                &["sg-a", "sg-c"],
                "f:1: group [1]: not JSON",
            ),
        ] {
            let (ids, errors) = read(text.as_bytes());
            assert_eq!(ids, expected, "{text} {errors:?}");
            assert!(
                errors.len() == 1 && errors[0].starts_with(place),
                "{text} {errors:?}"
            );
        }
    }

    #[test]
    fn a_document_behind_a_list_that_was_cut_is_not_its_element() {
        let [a, b, c] = ["sg-a", "sg-b", "sg-c"].map(group);
        let answers = |group: &str| {
            let answer = format!("{{\"SecurityGroups\":[{group}]}}");
            let other_order = format!("{{\"NextToken\":null,\"SecurityGroups\":[{group}]}}");
            let list = format!("[{group}]");
            [pretty(&answer), answer, pretty(&list), list, other_order]
        };
        for cut in [
            format!("[{a},\n"),
            format!("{{\"SecurityGroups\": [\n  {a},\n"),
        ] {
            for (of_b, of_c) in answers(&b).iter().zip(answers(&c)) {
                let text = format!("{cut}{of_b}\n{of_c}\n");
                let (ids, errors) = read(text.as_bytes());
                assert_eq!(ids, ["sg-a", "sg-b", "sg-c"], "{text}{errors:?}");
                assert!(errors[0].contains("was the list cut off"), "{errors:?}");
            }
        }
        let (ids, errors) = read(format!("[\n[{b}]\n{c}").as_bytes());
        assert_eq!((ids.len(), errors.len()), (2, 1), "{errors:?}");
    }

    #[test]
    fn a_bad_element_costs_only_itself() {
        let (a, c) = (group("sg-a"), group("sg-c"));
        let list_last =
            format!("{{\"GroupId\":\"sg-b\",\"IpPermissions\":[],\"SecurityGroups\":[{a}]}}");
        let bad_text = b"{\"GroupId\":\"sg-\xff\",\"IpPermissions\":[]}".as_slice();
        for bad in [list_last.as_bytes(), bad_text, b"3", b"null", b"\"sg-b\""] {
            let text = [b"[", a.as_bytes(), b",", bad, b",", c.as_bytes(), b"]"].concat();
            let (ids, errors) = read(&text);
            let shown = String::from_utf8_lossy(&text);
            assert_eq!((ids.len(), errors.len()), (2, 1), "{shown} {errors:?}");
            assert!(!ids.contains(&"sg-b".to_owned()), "{shown}");
        }
    }

    #[test]
    fn many_documents_without_an_end_do_not_keep_the_last_from_coming() {
        for cut in [
            "{\"GroupId\":\"sg-1\",\"IpPermissions\":[\n",
            "{\"SecurityGroups\":[\n",
            "{\"X\":[\n3\n,\n",
        ] {
            let text = format!("{}{}\n{}\n", cut.repeat(2000), group("sg-a"), group("sg-b"));
            let (ids, errors) = read(text.as_bytes());
            assert!(
                ids.ends_with(&["sg-b".to_owned()]) && !errors.is_empty(),
                "{cut}"
            );
        }
        let text = format!("{}{}\n", "{\"a\":[\n".repeat(50), group("sg-a"));
        let mut documents = GroupReader::new("f", text.as_bytes());
        (documents.in_vain, documents.cut) = (IN_VAIN + 1, FEW + 1);
        let (groups, errors): (Vec<_>, Vec<_>) = documents.partition(Result::is_ok);
        assert_eq!((groups.len(), errors.len()), (1, 50));
    }

    #[test]
    fn a_long_list_takes_no_memory() {
        let groups: Vec<_> = (0..20_000)
            .map(|number| group(&format!("sg-{number}")))
            .collect();
        let text = format!("{{\"SecurityGroups\":[{}]}}", groups.join(","));
        for text in [text.clone(), pretty(&text)] {
            let mut documents = GroupReader::new("f", text.as_bytes().chunked(8192));
            assert_eq!(documents.by_ref().filter(Result::is_ok).count(), 20_000);
            assert!(
                documents.buffer.capacity() < 8 * CHUNK,
                "{}",
                documents.buffer.capacity()
            );
        }
    }

    #[test]
    fn what_holds_no_groups_is_an_error() {
        for (text, says) in [
            ("", "no JSON document"),
            ("\n \n", "no JSON document"),
            (r#"{"SecurityGroups":[],"NextToken":"eyJ"}"#, "NextToken"),
            (r#"{"NextToken":"eyJ","SecurityGroups":[]}"#, "NextToken"),
            (
                r#"{"SecurityGroups":[],"SecurityGroups":[]}"#,
                "duplicate field",
            ),
            (r#"{"SecurityGroups":{}}"#, "invalid type: map"),
            ("{}", "without a `GroupId`"),
            (
                "{\"securityGroups\":[]}",
                "`securityGroups` is not a member",
            ),
            (
                "{\"nextToken\":\"x\",\"SecurityGroups\":[]}",
                "`nextToken` is not a member",
            ),
            ("An error occurred (AuthFailure)", "not JSON"),
            ("null", "invalid type: null"),
            (
                "{\"SecurityGroups\":[],\"GroupId\":\"sg-1\",\"IpPermissions\":[]}",
                "which is it?",
            ),
            (
                "{\"SecurityGroups\":null,\"IpPermissions\":[]}",
                "which is it?",
            ),
        ] {
            let (ids, errors) = read(text.as_bytes());
            assert!(
                ids.is_empty() && errors.len() == 1 && errors[0].contains(says),
                "{text}: {errors:?}"
            );
        }
        let (_, errors) = read(b"\xff\xfe{\0}\0");
        assert!(errors[0].contains("UTF-16"), "{errors:?}");
    }

    /// Hands out so many bytes at once.
    trait Chunked<'a> {
        fn chunked(self, size: usize) -> std::io::BufReader<&'a [u8]>;
    }

    impl<'a> Chunked<'a> for &'a [u8] {
        fn chunked(self, size: usize) -> std::io::BufReader<&'a [u8]> {
            std::io::BufReader::with_capacity(size, self)
        }
    }

    proptest! {
        /// In what portions a file is read does not show, whatever is in it.
        #[test]
        fn the_portions_do_not_show(
            pieces in prop::collection::vec(prop::sample::select(vec![
                "{", "}", "[", "]", ",", ":", "\n", " ", "\"", "1", "null", "\u{e9}", "\"SecurityGroups\"", "\"GroupId\":\"sg-1\"", "\"IpPermissions\":[]",
                "{\"GroupId\":\"sg-2\",\"IpPermissions\":[]}", "{\"SecurityGroups\":[", "[{\"GroupId\":\"sg-3\",\"IpPermissions\":null}", "]}\n",
                "{\"GroupId\":\"sg-4\",\n\"IpPermissions\":[\n]}\n",
            ]), 0..14),
            size in 1_usize..9,
        ) {
            let text = pieces.concat();
            let whole: Vec<_> = GroupReader::new("f", text.as_bytes()).collect();
            let in_portions: Vec<_> = GroupReader::new("f", text.as_bytes().chunked(size)).collect();
            prop_assert_eq!(&whole, &in_portions);
            // What is JSON line by line has no error that comes from how it is read.
            let is_json = serde_json::Deserializer::from_str(&text).into_iter::<IgnoredAny>().all(|value| value.is_ok());
            let not_json = whole.iter().any(|group| matches!(group, Err(error) if error.problem.contains("JSON:") || error.problem.contains("cut off")));
            prop_assert!(!(is_json && not_json), "{:?}", whole);
        }

        /// However lines are cut, what stands on a line of its own is evaluated, and a cut is an error.
        #[test]
        fn a_cut_line_costs_only_itself(cut_line in 0_usize..5, at in 1_usize..80) {
            let mut lines: Vec<_> = (0..5).map(|n| group(&format!("sg-{n}"))).collect();
            let at = at.min(lines[cut_line].len() - 1);
            lines[cut_line].truncate(at);
            let (ids, errors) = read(lines.join("\n").as_bytes());
            let expected: Vec<_> = (0..5).filter(|n| *n != cut_line).map(|n| format!("sg-{n}")).collect();
            prop_assert_eq!(ids, expected);
            prop_assert!(!errors.is_empty());
        }
    }
}
