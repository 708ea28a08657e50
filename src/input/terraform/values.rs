//! The values of one resource at one moment.

use std::fmt;

use serde_json::{Map, Value as Json};

use super::world::{Planned, World};
use crate::input::InputError;
use crate::model::Protocol;
use crate::model::planned::{Unknown, Value};

/// An attribute, as the plan has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Attribute<'v> {
    Known(&'v Json),
    Null,
    /// It is known only after the plan is applied, or the plan does not tell it.
    Unknown,
}

/// The values of a resource, or of a block of it.
#[derive(Debug, Clone)]
pub(super) struct Values<'v> {
    /// The resource and the block within it, for messages: `aws_security_group.a: ingress[0]`.
    pub(super) place: String,
    members: &'v Map<String, Json>,
    unknown: &'v Json,
    sensitive: &'v Json,
    file: &'v str,
}

/// A list of texts of which some may be unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Texts {
    pub(super) known: Vec<String>,
    /// Whether there may be others.
    pub(super) has_unknown: bool,
}

impl Texts {
    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty() && !self.has_unknown
    }
}

const NOTHING: &Json = &Json::Null;

impl<'v> Values<'v> {
    /// Before the plan; none of what does not exist yet.
    pub(super) fn before(
        world: &World<'v>,
        resource: &'v Planned<'_>,
    ) -> Result<Option<Self>, InputError> {
        let change = &resource.change;
        Self::of(
            world,
            resource,
            &change.before,
            NOTHING,
            &change.before_sensitive,
        )
    }

    /// After it; none of what is destroyed.
    pub(super) fn after(
        world: &World<'v>,
        resource: &'v Planned<'_>,
    ) -> Result<Option<Self>, InputError> {
        let change = &resource.change;
        Self::of(
            world,
            resource,
            &change.after,
            &change.after_unknown,
            &change.after_sensitive,
        )
    }

    fn of(
        world: &World<'v>,
        resource: &'v Planned<'_>,
        value: &'v Json,
        unknown: &'v Json,
        sensitive: &'v Json,
    ) -> Result<Option<Self>, InputError> {
        match value {
            Json::Null => Ok(None),
            Json::Object(members) => Ok(Some(Self {
                place: resource.address.to_owned(),
                members,
                unknown,
                sensitive,
                file: world.file,
            })),
            _ => Err(world.error(resource.address, "its values are no object")),
        }
    }

    pub(super) fn error(&self, name: &str, problem: impl fmt::Display) -> InputError {
        InputError::of_file(self.file, format!("{}: {name}: {problem}", self.place))
    }

    pub(super) fn get(&self, name: &str) -> Attribute<'v> {
        let is_unknown = match self.unknown {
            Json::Bool(unknown) => *unknown,
            unknown => unknown.get(name) == Some(&Json::Bool(true)),
        };
        match self.members.get(name) {
            _ if is_unknown => Attribute::Unknown,
            None => Attribute::Unknown,
            Some(Json::Null) => Attribute::Null,
            Some(value) => Attribute::Known(value),
        }
    }

    /// Whether an attribute, or a part of it, must not be shown.
    pub(super) fn is_sensitive(&self, name: &str) -> bool {
        match self.sensitive {
            Json::Bool(sensitive) => *sensitive,
            sensitive => sensitive.get(name).is_some_and(super::resolve::has_true),
        }
    }

    /// Whether anything within must not be shown.
    pub(super) fn has_sensitive(&self) -> bool {
        super::resolve::has_true(self.sensitive)
    }

    /// Whether anything within is unknown.
    pub(super) fn has_unknown(&self) -> bool {
        super::resolve::has_true(self.unknown)
    }

    pub(super) fn text(&self, name: &str) -> Result<Attribute<'v>, InputError> {
        match self.get(name) {
            Attribute::Known(value) if !value.is_string() => {
                Err(self.error(name, "a text is expected"))
            }
            Attribute::Known(Json::String(text)) if text.is_empty() => Ok(Attribute::Null),
            other => Ok(other),
        }
    }

    /// A text as a value; `unknown` says why it is not known.
    pub(super) fn text_value(
        &self,
        name: &str,
        unknown: impl FnOnce() -> Unknown,
    ) -> Result<Value<Option<String>>, InputError> {
        Ok(match self.text(name)? {
            Attribute::Known(value) => Value::Known(value.as_str().map(str::to_owned)),
            Attribute::Null => Value::Known(None),
            Attribute::Unknown => Value::Unknown(unknown()),
        })
    }

    pub(super) fn protocol(
        &self,
        name: &str,
        unknown: impl FnOnce() -> Unknown,
    ) -> Result<Value<Protocol>, InputError> {
        Ok(match self.get(name) {
            Attribute::Known(Json::String(text)) => Value::Known(protocol(text)),
            Attribute::Known(Json::Number(number)) => match number.as_i64() {
                Some(number) => Value::Known(Protocol::from_number(number)),
                None => return Err(self.error(name, "this is no number of a protocol")),
            },
            Attribute::Known(_) => {
                return Err(self.error(name, "the name or number of a protocol is expected"));
            }
            // Without a protocol EC2 takes all.
            Attribute::Null => Value::Known(Protocol::ALL),
            Attribute::Unknown => Value::Unknown(unknown()),
        })
    }

    pub(super) fn port(
        &self,
        name: &str,
        unknown: impl FnOnce() -> Unknown,
    ) -> Result<Value<Option<i64>>, InputError> {
        let bad = || self.error(name, "a whole number is expected");
        Ok(match self.get(name) {
            Attribute::Known(Json::Number(number)) => {
                Value::Known(Some(whole(number).ok_or_else(bad)?))
            }
            Attribute::Known(Json::String(text)) => {
                Value::Known(Some(text.trim().parse().map_err(|_| bad())?))
            }
            Attribute::Known(_) => return Err(bad()),
            Attribute::Null => Value::Known(None),
            Attribute::Unknown => Value::Unknown(unknown()),
        })
    }

    /// Null is false.
    pub(super) fn flag(
        &self,
        name: &str,
        unknown: impl FnOnce() -> Unknown,
    ) -> Result<Value<bool>, InputError> {
        Ok(match self.get(name) {
            Attribute::Known(Json::Bool(flag)) => Value::Known(*flag),
            Attribute::Known(Json::String(text)) if text == "true" || text == "false" => {
                Value::Known(text == "true")
            }
            Attribute::Known(_) => return Err(self.error(name, "true or false is expected")),
            Attribute::Null => Value::Known(false),
            Attribute::Unknown => Value::Unknown(unknown()),
        })
    }

    /// A list of texts; null is empty.
    pub(super) fn texts(&self, name: &str) -> Result<Texts, InputError> {
        let list = match self.get(name) {
            Attribute::Known(Json::Array(list)) => list,
            Attribute::Known(_) => return Err(self.error(name, "a list of texts is expected")),
            Attribute::Null => return Ok(Texts::default()),
            Attribute::Unknown => {
                return Ok(Texts {
                    known: Vec::new(),
                    has_unknown: true,
                });
            }
        };
        let unknown = self.unknown.get(name);
        let mut texts = Texts {
            known: Vec::with_capacity(list.len()),
            has_unknown: unknown.is_some_and(super::resolve::has_true),
        };
        for (place, value) in list.iter().enumerate() {
            let is_unknown =
                unknown.and_then(|unknown| unknown.get(place)) == Some(&Json::Bool(true));
            match value {
                Json::String(text) => texts.known.push(text.clone()),
                Json::Null if is_unknown => {}
                _ => return Err(self.error(name, "a list of texts is expected")),
            }
        }
        Ok(texts)
    }

    /// The blocks of a name; none where they are unknown as a whole.
    pub(super) fn blocks(&self, name: &str) -> Result<Option<Vec<Self>>, InputError> {
        let list = match self.get(name) {
            Attribute::Known(Json::Array(list)) => list,
            Attribute::Known(_) => return Err(self.error(name, "a list of blocks is expected")),
            Attribute::Null => return Ok(Some(Vec::new())),
            Attribute::Unknown => return Ok(None),
        };
        let part = |of: &'v Json, place: usize| match of {
            Json::Bool(_) => of,
            of => of.get(name).map_or(NOTHING, |of| match of {
                Json::Bool(_) => of,
                of => of.get(place).unwrap_or(NOTHING),
            }),
        };
        let mut blocks = Vec::with_capacity(list.len());
        for (place, value) in list.iter().enumerate() {
            let Json::Object(members) = value else {
                return Err(self.error(name, "a list of blocks is expected"));
            };
            blocks.push(Self {
                place: format!("{}: {name}[{place}]", self.place),
                members,
                unknown: part(self.unknown, place),
                sensitive: part(self.sensitive, place),
                file: self.file,
            });
        }
        Ok(Some(blocks))
    }

    pub(super) fn object(&self, name: &str) -> Result<Option<&'v Map<String, Json>>, InputError> {
        match self.get(name) {
            Attribute::Known(Json::Object(members)) => Ok(Some(members)),
            Attribute::Known(_) => Err(self.error(name, "an object is expected")),
            Attribute::Null | Attribute::Unknown => Ok(None),
        }
    }

    /// Whether a member of an object is unknown.
    pub(super) fn unknown_members(&self, name: &str) -> Vec<&'v str> {
        let Some(Json::Object(members)) = self.unknown.get(name) else {
            return Vec::new();
        };
        let unknown = members
            .iter()
            .filter(|(_, unknown)| super::resolve::has_true(unknown));
        unknown.map(|(key, _)| key.as_str()).collect()
    }
}

/// `all` is the AWS provider's own word.
fn protocol(text: &str) -> Protocol {
    if text.trim().eq_ignore_ascii_case("all") {
        Protocol::ALL
    } else {
        Protocol::new(text)
    }
}

fn whole(number: &serde_json::Number) -> Option<i64> {
    if let Some(number) = number.as_i64() {
        return Some(number);
    }
    let float = number.as_f64()?;
    let is_whole = float.fract() == 0.0 && float.abs() < 1e15;
    // Exact: it is whole and small.
    is_whole
        .then(|| format!("{float:.0}").parse().ok())
        .flatten()
}
