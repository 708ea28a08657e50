//! The JSON that scripts read: version 1. Keys may be added, never changed.

use std::io;

use serde::Serialize;
use serde_json::ser::{CharEscape, Formatter};

use super::prose;
use crate::model::{Region, SecurityGroup};
use crate::policy::{SourcePair, Verdict, Violation};
use crate::remediation::command::Fix;
use crate::text::{characters, is_deceptive, is_plain};

/// One element of `groups`, and one line of ndjson.
#[derive(Debug, Serialize)]
pub struct Group<'a> {
    group_id: &'a str,
    group_name: Option<&'a str>,
    owner_id: Option<&'a str>,
    vpc_id: Option<&'a str>,
    verdict: &'static str,
    severity: &'static str,
    violations: Vec<GroupViolation<'a>>,
}

/// One element of `violations`.
#[derive(Debug, Serialize)]
pub(super) struct GroupViolation<'a> {
    reason: &'static str,
    protocol: &'a str,
    ports: &'a [(u16, u16)],
    open_ports: u32,
    severity: &'static str,
    sentence: String,
    exemption: Option<&'a str>,
    source: GroupSource<'a>,
    fix: GroupFix,
}

#[derive(Debug, Serialize)]
struct GroupSource<'a> {
    group_id: Option<&'a str>,
    group_name: Option<&'a str>,
    owner_id: Option<&'a str>,
    vpc_id: Option<&'a str>,
    peering_connection_id: Option<&'a str>,
    #[serde(rename = "self")]
    is_self: bool,
    pairs: Vec<GroupPair<'a>>,
}

#[derive(Debug, Serialize)]
struct GroupPair<'a> {
    owner_id: Option<&'a str>,
    vpc_id: Option<&'a str>,
    peering_connection_id: Option<&'a str>,
    peering_status: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct GroupFix {
    revoke: Option<String>,
    authorize: Option<String>,
    note: Option<String>,
}

impl<'a> Group<'a> {
    /// A group with what the policy says of it; the Region, where known, goes into the commands.
    #[must_use]
    pub fn new(group: &'a SecurityGroup, verdict: &'a Verdict, region: Option<&Region>) -> Self {
        Self {
            group_id: group.group_id.as_str(),
            group_name: group.group_name.as_deref(),
            owner_id: group.owner_id.as_ref().map(|owner| owner.as_str()),
            vpc_id: group.vpc_id.as_ref().map(|vpc| vpc.as_str()),
            verdict: verdict.status.as_str(),
            severity: verdict.severity.as_str(),
            violations: verdict
                .violations
                .iter()
                .map(|violation| GroupViolation::new(group, violation, region))
                .collect(),
        }
    }
}

impl Group<'_> {
    /// The group on one line, as [`to_line`] writes it.
    pub fn to_line(&self) -> serde_json::Result<String> {
        let length = 256 + 1024 * self.violations.len();
        write_with(self, length, || serde_json::ser::CompactFormatter)
    }
}

impl<'a> GroupViolation<'a> {
    pub(super) fn new(
        group: &SecurityGroup,
        violation: &'a Violation,
        region: Option<&Region>,
    ) -> Self {
        let source = &violation.source;
        let fix = Fix::new(&group.group_id, violation, region);
        let pairs: Vec<_> = source.pairs.iter().map(GroupPair::new).collect();
        let main = source.main_pair().map(GroupPair::new);
        Self {
            reason: violation.reason.as_str(),
            protocol: violation.protocol.as_str(),
            ports: violation.ports.intervals(),
            open_ports: violation.ports.count(),
            severity: violation.severity.as_str(),
            sentence: prose::describe_violation(group, violation),
            exemption: violation
                .exemption
                .as_ref()
                .map(|exemption| exemption.id.as_str()),
            source: GroupSource {
                group_id: source.group_id.as_ref().map(|id| id.as_str()),
                group_name: source.group_name.as_deref(),
                owner_id: main.as_ref().and_then(|pair| pair.owner_id),
                vpc_id: main.as_ref().and_then(|pair| pair.vpc_id),
                peering_connection_id: main.as_ref().and_then(|pair| pair.peering_connection_id),
                is_self: source.is_self,
                pairs,
            },
            fix: GroupFix {
                revoke: (!fix.revoke.is_empty()).then(|| fix.revoke.join("\n")),
                authorize: fix.authorize,
                note: fix.note,
            },
        }
    }
}

impl<'a> GroupPair<'a> {
    fn new(pair: &'a SourcePair) -> Self {
        Self {
            owner_id: pair.owner_id.as_ref().map(|owner| owner.as_str()),
            vpc_id: pair.vpc_id.as_ref().map(|id| id.as_str()),
            peering_connection_id: pair.peering_connection_id.as_ref().map(|id| id.as_str()),
            peering_status: pair.peering_status.as_deref(),
        }
    }
}

/// Compact JSON on one line in which no character deceives a terminal or an editor: they are written `\u202e`, which
/// every JSON reader turns back.
pub fn to_line<T: Serialize>(value: &T) -> serde_json::Result<String> {
    write_with(value, 256, || serde_json::ser::CompactFormatter)
}

/// The same over several lines, for people.
pub fn to_pretty<T: Serialize>(value: &T) -> serde_json::Result<String> {
    write_with(value, 256, serde_json::ser::PrettyFormatter::new)
}

fn write_with<T: Serialize, F: Formatter>(
    value: &T,
    length: usize,
    formatter: impl Fn() -> F,
) -> serde_json::Result<String> {
    let text = write(value, length, formatter())?;
    // To look at the whole once is faster than to look at each text; hardly any has to be written anew.
    let is_plain = |plain, byte| plain & matches!(byte, b' '..=b'~' | b'\n');
    let deceives = |character| character != '\n' && is_deceptive(character);
    if text.bytes().fold(true, is_plain) || !text.contains(deceives) {
        Ok(text)
    } else {
        write(value, length, Visible(formatter()))
    }
}

fn write<T: Serialize, F: Formatter>(
    value: &T,
    length: usize,
    formatter: F,
) -> serde_json::Result<String> {
    let mut out = Vec::with_capacity(length);
    value.serialize(&mut serde_json::Serializer::with_formatter(
        &mut out, formatter,
    ))?;
    String::from_utf8(out).map_err(|error| serde::ser::Error::custom(error.to_string()))
}

/// A formatter that leaves the layout to another and writes deceptive characters as escapes.
struct Visible<F>(F);

impl<F: Formatter> Formatter for Visible<F> {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        if is_plain(fragment) || !fragment.contains(is_deceptive) {
            return writer.write_all(fragment.as_bytes());
        }
        for (character, deceives) in characters(fragment) {
            let mut units = [0; 2];
            if deceives {
                for unit in character.encode_utf16(&mut units) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            } else {
                write!(writer, "{character}")?;
            }
        }
        Ok(())
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }

    fn write_char_escape<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        self.0.write_char_escape(writer, escape)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn json_shows_every_character_and_gives_it_back(text in any::<String>()) {
            for json in [to_line(&text).unwrap(), to_pretty(&[&text]).unwrap()] {
                prop_assert!(json.lines().flat_map(characters).all(|(_, deceives)| !deceives), "{json:?}");
            }
            prop_assert_eq!(serde_json::from_str::<String>(&to_line(&text).unwrap()).unwrap(), text);
        }
    }
}
