//! Security groups from JSON, as `check` takes it: the output of `aws ec2 describe-security-groups`, an array, one bare
//! group, or one such document a line.
//!
//! Lines are read one by one, so memory does not grow with their number. A bad document is an error with its place;
//! the others still come. A document that was cut in the middle ends where the next complete one begins.

use std::collections::VecDeque;
use std::fmt;
use std::io::BufRead;

use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
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
pub struct Documents<R> {
    file: String,
    reader: R,
    /// Lines that were read ahead, with their line feeds.
    ahead: VecDeque<Vec<u8>>,
    /// The number of the last line taken, from 1.
    line: usize,
    /// Groups of the last document.
    ready: VecDeque<Result<SecurityGroup, InputError>>,
    /// Behind a document that was cut: what does not parse alone belongs to it.
    is_lost: bool,
    /// How many documents had no end.
    endless: usize,
    has_document: bool,
    is_done: bool,
}

impl<R: BufRead> Documents<R> {
    /// Of a reader; the name is for errors.
    pub fn new(file: &str, reader: R) -> Self {
        Self {
            file: file.to_owned(),
            reader,
            ahead: VecDeque::new(),
            line: 0,
            ready: VecDeque::new(),
            is_lost: false,
            endless: 0,
            has_document: false,
            is_done: false,
        }
    }

    fn error(&self, line: usize, problem: impl Into<String>) -> InputError {
        InputError {
            file: self.file.clone(),
            line: Some(line),
            index: None,
            problem: problem.into(),
        }
    }

    fn read_line(&mut self) -> Result<Option<Vec<u8>>, InputError> {
        if let Some(line) = self.ahead.pop_front() {
            self.line += 1;
            return Ok(Some(line));
        }
        let mut line = Vec::new();
        let read = self.reader.read_until(b'\n', &mut line);
        let read = read
            .map_err(|error| InputError::of_file(&self.file, format!("cannot be read: {error}")))?;
        if read == 0 {
            return Ok(None);
        }
        self.line += 1;
        if self.line == 1 {
            if line.starts_with(b"\xff\xfe") || line.starts_with(b"\xfe\xff") {
                return Err(self.error(
                    1,
                    "it is UTF-16 (as PowerShell's > writes): save it as UTF-8",
                ));
            }
            if let Some(rest) = line.strip_prefix(b"\xef\xbb\xbf") {
                line = rest.to_vec();
            }
        }
        Ok(Some(line))
    }

    /// Makes the groups of the next document ready; false at the end.
    fn advance(&mut self) -> Result<bool, InputError> {
        let Some(text) = self.read_line()? else {
            return Ok(false);
        };
        if text.trim_ascii().is_empty() {
            return Ok(true);
        }
        let line = self.line;
        self.has_document = true;
        // Text that is checked as a whole is read faster than bytes that are checked piece by piece.
        let document = match std::str::from_utf8(&text) {
            Ok(text) => serde_json::from_str::<Document<'_>>(text),
            Err(_) => serde_json::from_slice(&text),
        };
        match document {
            Ok(document) => {
                self.is_lost = false;
                self.take(document, &text, line);
            }
            Err(error) => match serde_json::from_slice::<&RawValue>(&text) {
                Err(incomplete) if incomplete.is_eof() && self.may_begin(&text) => {
                    self.gather(text, line)?
                }
                _ if self.is_lost && !text.starts_with(b"{") => {}
                complete => {
                    let error = complete.err().unwrap_or(error);
                    self.ready.push_back(Err(self.parse_error(line, &error)));
                }
            },
        }
        Ok(true)
    }

    /// May a document of several lines begin here? Behind one that was cut only at the margin, and not again and again
    /// when none comes to its end.
    fn may_begin(&self, text: &[u8]) -> bool {
        /// How many documents may turn out to have no end.
        const ENDLESS: usize = 16;
        !self.is_lost
            || (text.starts_with(b"{") || text.starts_with(b"[")) && self.endless < ENDLESS
    }

    /// A document of several lines: more and more lines, until it is complete or cannot become so.
    fn gather(&mut self, mut text: Vec<u8>, start: usize) -> Result<(), InputError> {
        let mut line_lengths = vec![text.len()];
        let mut is_end = false;
        loop {
            let wanted = line_lengths.len() * 2;
            while line_lengths.len() < wanted && !is_end {
                match self.read_line()? {
                    Some(line) => {
                        line_lengths.push(line.len());
                        text.extend_from_slice(&line);
                    }
                    None => is_end = true,
                }
            }
            let mut values = serde_json::Deserializer::from_slice(&text).into_iter::<&RawValue>();
            let first = values.next();
            let length = values.byte_offset();
            match first {
                Some(Ok(raw)) => {
                    self.is_lost = false;
                    self.parse_document(raw.get(), start);
                    let rest = text.get(length..).unwrap_or_default();
                    self.put_back(rest);
                    return Ok(());
                }
                Some(Err(error)) if error.is_eof() && !is_end => {}
                other => {
                    let error = match other {
                        Some(Err(error)) if !error.is_eof() => {
                            let InputError { line, problem, .. } = self.parse_error(start, &error);
                            let line = line.filter(|line| *line != start);
                            let place = line.map(|line| format!(" (at line {line})")).unwrap_or_default();
                            self.error(start, format!("{problem}{place}"))
                        }
                        _ => self.error(start, "the JSON document that begins here is cut off: of it, only what stands whole on a line of its own was evaluated"),
                    };
                    self.ready.push_back(Err(error));
                    self.is_lost = true;
                    self.endless += usize::from(is_end);
                    let first_line = line_lengths.first().copied().unwrap_or_default();
                    self.put_back(text.get(first_line..).unwrap_or_default());
                    return Ok(());
                }
            }
        }
    }

    fn put_back(&mut self, rest: &[u8]) {
        let lines: Vec<_> = rest
            .split_inclusive(|byte| *byte == b'\n')
            .map(<[u8]>::to_vec)
            .collect();
        // The rest of a line that ends a document counts as that line again.
        self.line -= lines.len();
        for line in lines.into_iter().rev() {
            self.ahead.push_front(line);
        }
    }

    fn parse_document(&mut self, text: &str, start: usize) {
        match serde_json::from_str::<Document<'_>>(text) {
            Ok(document) => self.take(document, text.as_bytes(), start),
            Err(error) => self.ready.push_back(Err(self.parse_error(start, &error))),
        }
    }

    fn take(&mut self, document: Document<'_>, text: &[u8], start: usize) {
        match document {
            Document::Group(group) => self.ready.push_back(Ok(*group)),
            Document::Groups(elements) => {
                for (index, element) in elements.into_iter().enumerate() {
                    let group =
                        serde_json::from_str::<SecurityGroup>(element.get()).map_err(|error| {
                            // Where the element stands in the text: only for the number of its line.
                            let offset = (element.get().as_ptr() as usize)
                                .saturating_sub(text.as_ptr() as usize);
                            let before = text.get(..offset).unwrap_or_default();
                            let line = start + before.iter().filter(|byte| **byte == b'\n').count();
                            InputError {
                                index: Some(index),
                                ..self.parse_error(line, &error)
                            }
                        });
                    self.ready.push_back(group);
                }
            }
        }
    }

    /// The parser's error at its line in the file, without the place that the parser adds.
    fn parse_error(&self, start: usize, error: &serde_json::Error) -> InputError {
        let text = error.to_string();
        let problem = text
            .rsplit_once(" at line ")
            .map_or(text.as_str(), |(problem, _)| problem);
        let problem = if error.is_data() {
            problem.to_owned()
        } else {
            format!("not JSON: {problem}")
        };
        self.error(start + error.line().saturating_sub(1), problem)
    }
}

impl<R: BufRead> Iterator for Documents<R> {
    type Item = Result<SecurityGroup, InputError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(group) = self.ready.pop_front() {
                return Some(group);
            }
            if self.is_done {
                return None;
            }
            match self.advance() {
                Ok(true) => {}
                Ok(false) => {
                    self.is_done = true;
                    if !self.has_document {
                        let problem = "no JSON document: it is empty (did the command that should fill it fail?)";
                        return Some(Err(InputError::of_file(&self.file, problem.to_owned())));
                    }
                }
                Err(error) => {
                    self.is_done = true;
                    return Some(Err(error));
                }
            }
        }
    }
}

/// One JSON document; the groups of a list are still text, so that one bad group does not cost the others.
enum Document<'a> {
    Group(Box<SecurityGroup>),
    Groups(Vec<&'a RawValue>),
}

/// The members of a document: those of an answer of EC2, and those of a bare group.
const NAMES: [&str; 10] = {
    let [a, b, c, d, e, f, g, h] = GroupMembers::NAMES;
    ["SecurityGroups", "NextToken", a, b, c, d, e, f, g, h]
};

impl<'de> Deserialize<'de> for Document<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shape;
        impl<'de> Visitor<'de> for Shape {
            type Value = Document<'de>;

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
                let mut groups: Option<Vec<&'de RawValue>> = None;
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
                                .next_value::<Option<&RawValue>>()?
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
        for group in Documents::new("f", text) {
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
    fn a_broken_document_of_many_lines_is_one_error() {
        let broken = pretty(&format!("[{},{}]", group("sg-a"), group("sg-b"))).replacen(
            "\"sg-b\",",
            "\"sg-b\",,",
            1,
        );
        let (ids, errors) = read(broken.as_bytes());
        assert_eq!((ids.len(), errors.len()), (0, 1), "{errors:?}");
    }

    #[test]
    fn what_holds_no_groups_is_an_error() {
        let page = format!(
            r#"{{"SecurityGroups":[{}],"NextToken":"eyJ"}}"#,
            group("sg-a")
        );
        for (text, says) in [
            ("", "no JSON document"),
            ("\n \n", "no JSON document"),
            (page.as_str(), "NextToken"),
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

    proptest! {
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
