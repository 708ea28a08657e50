//! Lists: of groups, of answers of EC2, and the list of an answer.

use compact_str::CompactString;
use serde::de::IgnoredAny;
use serde_json::Deserializer;

use super::{Cut, List, ON, Place, Step, Walk, not_json};
use crate::input::document::FileGroup;
use crate::input::error::{Location, Problem};
use crate::input::members::{Members, OF_GROUP};
use crate::input::value::{Value, first};
use crate::model::SecurityGroup;

impl<T, F: FnMut(SecurityGroup) -> T> Walk<'_, T, F> {
    pub(super) fn begin_list(&mut self, at: usize, is_answer: bool, outer: Option<usize>) {
        self.at = at;
        self.place = Place::List(List {
            used: 0,
            is_answer,
            has_answers: false,
            outer,
        });
    }

    /// Where the elements begin, in an object that has a list of groups and before it nothing that speaks against an answer
    /// of EC2.
    pub(super) fn answer(&self, object: usize) -> Result<Option<usize>, Cut> {
        let mut at = object + 1;
        loop {
            let (key, _) = self.visible(at).ok_or(Cut)?;
            let (name, behind) = match self.value::<CompactString>(key) {
                Value::Whole(name, behind) => (name, behind),
                Value::Cut => return Err(Cut),
                Value::Other(_) | Value::Broken(_) => return Ok(None),
            };
            let (colon, byte) = self.visible(behind).ok_or(Cut)?;
            if byte != b':' || OF_GROUP.contains(&name.as_str()) {
                return Ok(None);
            }
            let (value, byte) = self.visible(colon + 1).ok_or(Cut)?;
            if name == "SecurityGroups" {
                let is_answer = byte == b'[' && self.may_begin_answer(object, key);
                return Ok(is_answer.then_some(value + 1));
            }
            let behind = match self.value::<IgnoredAny>(value) {
                Value::Whole(_, behind) => behind,
                Value::Cut => return Err(Cut),
                Value::Other(_) | Value::Broken(_) => return Ok(None),
            };
            at = match self.visible(behind).ok_or(Cut)? {
                (comma, b',') => comma + 1,
                _ => return Ok(None),
            };
        }
    }

    /// Whether the members of an object before one of them may stand in an answer.
    fn may_begin_answer(&self, object: usize, member: usize) -> bool {
        let before = self.bytes.get(object..member).unwrap_or_default();
        let before = before.trim_ascii_end();
        let members = [before.strip_suffix(b",").unwrap_or(before), b"}"].concat();
        let members = serde_json::from_slice::<Members<'_>>(&members);
        members.is_ok_and(|members| members.check_answer(1).is_ok())
    }

    /// The next element of a list, or its end.
    pub(super) fn element(&mut self, list: List) -> Step {
        let Some((mut at, mut byte)) = self.visible(self.at) else {
            return self.cut_off(self.bytes.len());
        };
        if byte == b']' {
            return self.end_of_list(list, at);
        }
        if list.used > 0 {
            if byte != b',' {
                let location = self.location(at);
                return self.lose_separator(location, at, "expected `,` or `]`");
            }
            (at, byte) = match self.visible(at + 1) {
                Some(element) => element,
                None => return self.cut_off(self.bytes.len()),
            };
        }
        let inner = match byte {
            b'[' => Some((at + 1, false)),
            b'{' => match self.answer(at) {
                Ok(inner) => inner.map(|inner| (inner, true)),
                Err(Cut) => return self.cut_off(at),
            },
            _ => None,
        };
        if let (Some((at, is_answer)), false, None) = (inner, list.is_answer, list.outer) {
            self.begin_list(at, is_answer, Some(list.used));
            return ON;
        }
        let location = self.location(at);
        let end = match self.value::<FileGroup>(at) {
            // A number may go on.
            Value::Whole(_, end) | Value::Other(end)
                if end == self.bytes.len() && byte != b'{' && byte != b'[' =>
            {
                return self.cut_off(at);
            }
            Value::Whole(FileGroup(group), end) => {
                self.push(location, Ok(group));
                end
            }
            Value::Other(end) => {
                self.other(location, list.is_answer, at, end);
                end
            }
            Value::Broken(error) => return self.lose(at, not_json(&error)),
            Value::Cut => return self.cut_off(at),
        };
        self.at = end;
        self.place = Place::List(List {
            used: list.used + 1,
            ..list
        });
        ON
    }

    /// What stands where a separator should, at the beginning of a line, may be a document.
    fn lose_separator(&mut self, location: Location, at: usize, problem: &str) -> Step {
        let step = self.lose_at(location, at, Problem::NotJson(problem.to_owned()));
        let before = self.bytes.get(..at).unwrap_or_default();
        if before.last() != Some(&b'\n') {
            return step;
        }
        self.at = at;
        self.place = Place::Lost { in_line: false };
        ON
    }

    /// Behind the list of an answer, its other members tell whether it is all of it.
    fn end_of_list(&mut self, list: List, at: usize) -> Step {
        let mut end = at + 1;
        if list.is_answer {
            let Some((next, byte)) = self.visible(end) else {
                return self.cut_off(at);
            };
            let location = Location {
                group: None,
                ..self.location(next)
            };
            if byte == b',' {
                let members = [b"{", self.rest(next + 1)].concat();
                let text = || Deserializer::from_slice(&members);
                match first::<_, Members<'_>>(text(), text).behind(next) {
                    Value::Whole(members, behind) => {
                        if let Err(problem) = members.check_answer(1) {
                            self.push(location, Err(problem));
                        }
                        end = behind;
                    }
                    Value::Cut => return self.cut_off(at),
                    Value::Broken(error) => return self.lose_at(location, next, not_json(&error)),
                    Value::Other(behind) => {
                        self.push(location, Err(Problem::NotUtf8));
                        end = behind;
                    }
                }
            } else if byte == b'}' {
                end = next + 1;
            } else {
                return self.lose_separator(location, next, "expected `,` or `}`");
            }
        }
        self.at = end;
        self.place = match list.outer {
            Some(index) => Place::List(List {
                used: index + 1,
                is_answer: false,
                has_answers: true,
                outer: None,
            }),
            None => Place::Between,
        };
        ON
    }
}
