//! Members of a document that must be what they are expected to be, and the faults that name them.

use std::fmt;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::Action;
use crate::model::{AccountId, Region};
use crate::text::truncate;

/// Longest quotation of a document in a message, in UTF-16 code units.
const QUOTED: usize = 80;

/// A member that is missing or not what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongMember {
    path: String,
    fault: Fault,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Fault {
    Missing,
    Unexpected {
        found: String,
        expected: &'static str,
    },
}

impl WrongMember {
    pub(super) fn missing(name: &str) -> Self {
        Self {
            path: name.to_owned(),
            fault: Fault::Missing,
        }
    }

    pub(super) fn unexpected(name: &str, found: &Value, expected: &'static str) -> Self {
        Self {
            path: name.to_owned(),
            fault: Fault::Unexpected {
                found: quote(found),
                expected,
            },
        }
    }

    /// The same fault, of a member of a member.
    pub(super) fn within(self, name: &str) -> Self {
        Self {
            path: format!("{name}.{}", self.path),
            ..self
        }
    }
}

impl fmt::Display for WrongMember {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        match &self.fault {
            Fault::Missing => write!(formatter, "{path} is missing"),
            Fault::Unexpected { found, expected } => {
                write!(formatter, "{path} is {found}, not {expected}")
            }
        }
    }
}

/// A string; null is as good as absent.
pub(super) fn text<'a>(
    members: &'a Map<String, Value>,
    name: &str,
) -> Result<Option<&'a str>, WrongMember> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(WrongMember::unexpected(name, other, "a string")),
    }
}

pub(super) fn required_text<'a>(
    members: &'a Map<String, Value>,
    name: &str,
) -> Result<&'a str, WrongMember> {
    text(members, name)?.ok_or_else(|| WrongMember::missing(name))
}

/// An account. A malformed one is an error: it would be taken for another account, whose events are ignored.
pub(super) fn account(
    members: &Map<String, Value>,
    name: &str,
) -> Result<Option<AccountId>, WrongMember> {
    let account = text(members, name)?.map(AccountId::new);
    match account {
        Some(account) if !account.is_well_formed() => {
            let found = Value::from(account.as_str());
            Err(WrongMember::unexpected(
                name,
                &found,
                "the 12 digits of an account",
            ))
        }
        account => Ok(account),
    }
}

/// A Region. A malformed one is an error, as a malformed account is.
pub(super) fn region(
    members: &Map<String, Value>,
    name: &str,
) -> Result<Option<Region>, WrongMember> {
    let region = text(members, name)?.map(Region::new);
    match region {
        Some(region) if !region.is_well_formed() => {
            let found = Value::from(region.as_str());
            Err(WrongMember::unexpected(
                name,
                &found,
                "the code of a Region such as eu-west-1",
            ))
        }
        region => Ok(region),
    }
}

/// Account and Region of a document. What is ignored may have none (AWS Config writes "global" for some resources), so
/// only a document that asks for something must have them well-formed.
pub(super) fn scope(
    members: &Map<String, Value>,
    [account_name, region_name]: [&str; 2],
    action: &Action,
) -> Result<(Option<AccountId>, Option<Region>), WrongMember> {
    let account = account(members, account_name);
    let region = region(members, region_name);
    match action {
        Action::Ignore(_) => Ok((account.unwrap_or(None), region.unwrap_or(None))),
        Action::Evaluate(_) | Action::Sweep(_) | Action::SweepAll => Ok((account?, region?)),
    }
}

pub(super) fn time<'a>(
    members: &'a Map<String, Value>,
    name: &str,
) -> Result<Option<&'a str>, WrongMember> {
    match text(members, name)? {
        Some(time) if time.parse::<Timestamp>().is_err() => Err(WrongMember::unexpected(
            name,
            &Value::from(time),
            "a time with its zone such as 2026-11-24T09:00:00Z",
        )),
        time => Ok(time),
    }
}

/// A value as JSON, cut to a length that fits into a sentence.
pub(super) fn quote(value: &Value) -> String {
    truncate(&value.to_string(), QUOTED).into_owned()
}
