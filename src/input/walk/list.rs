//! Lists: of groups, of answers of EC2, and the list of an answer.

use serde_json::Deserializer;

use super::{Cut, List, NOT_UTF_8, ON, Place, Step, Walk, not_json};
use crate::input::document::FileGroup;
use crate::input::error::Location;
use crate::input::members::Members;
use crate::input::value::{Value, first};
use crate::model::SecurityGroup;

impl<T, F: FnMut(SecurityGroup) -> T> Walk<'_, T, F> {
    pub(super) fn begin_list(&mut self, at: usize, is_answer: bool, outer: Option<usize>) {
        self.at = at;
        self.place = Place::List(List {
            used: 0,
            is_answer,
            outer,
        });
    }

    /// Where the elements begin, in an object whose first member is the list of its groups, as EC2's answer is.
    pub(super) fn answer(&self, at: usize) -> Result<Option<usize>, Cut> {
        let mut at = at;
        for token in [&b"{"[..], b"\"SecurityGroups\"", b":", b"["] {
            let (begin, _) = self.visible(at).ok_or(Cut)?;
            let rest = self.rest(begin);
            if !rest.starts_with(token) {
                return if token.starts_with(rest) {
                    Err(Cut)
                } else {
                    Ok(None)
                };
            }
            at = begin + token.len();
        }
        Ok(Some(at))
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
                return self.lose_separator(location, at, "not JSON: expected `,` or `]`");
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
        let step = self.lose_at(location, at, problem.to_owned());
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
                        self.push(location, Err(NOT_UTF_8.to_owned()));
                        end = behind;
                    }
                }
            } else if byte == b'}' {
                end = next + 1;
            } else {
                return self.lose_separator(location, next, "not JSON: expected `,` or `}`");
            }
        }
        self.at = end;
        self.place = match list.outer {
            Some(index) => Place::List(List {
                used: index + 1,
                is_answer: false,
                outer: None,
            }),
            None => Place::Between,
        };
        ON
    }
}
