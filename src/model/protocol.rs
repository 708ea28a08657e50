//! IP protocols by name or number.

use std::borrow::Cow;
use std::fmt;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize};

use super::json::whole;

/// An IP protocol by the name that EC2 gives it: `tcp`, `udp`, `icmp`, `icmpv6`, another protocol's number in decimal,
/// or `-1` for all. A number that has a name is given the name (`6` is `tcp`). Absent means all: the reading that
/// cannot hide anything.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Protocol(Cow<'static, str>);

impl Protocol {
    /// All protocols, `-1`.
    pub const ALL: Self = Self(Cow::Borrowed("-1"));

    /// Reads EC2's or CloudTrail's spelling.
    #[must_use]
    pub fn new(text: &str) -> Self {
        match text {
            "-1" => return Self::ALL,
            "tcp" => return Self(Cow::Borrowed("tcp")),
            "udp" => return Self(Cow::Borrowed("udp")),
            _ => {}
        }
        let text = text.trim();
        if let Ok(number) = text.parse::<i64>() {
            return Self::from_number(number);
        }
        for name in ["tcp", "udp", "icmp", "icmpv6"] {
            if text.eq_ignore_ascii_case(name) {
                return Self(Cow::Borrowed(name));
            }
        }
        if text.is_empty() {
            Self::ALL
        } else {
            Self(Cow::Owned(text.to_ascii_lowercase()))
        }
    }

    /// From an IANA protocol number, or -1 for all.
    #[must_use]
    pub fn from_number(number: i64) -> Self {
        match number {
            -1 => Self::ALL,
            1 => Self(Cow::Borrowed("icmp")),
            6 => Self(Cow::Borrowed("tcp")),
            17 => Self(Cow::Borrowed("udp")),
            58 => Self(Cow::Borrowed("icmpv6")),
            other => Self(Cow::Owned(other.to_string())),
        }
    }

    /// The name, the number in decimal, or `-1`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it means all protocols.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.0 == "-1"
    }

    /// Whether a rule of this protocol has `FromPort` and `ToPort`: ports, or ICMP's types and codes. EC2 ignores what
    /// the rules of all other protocols, `-1` included, have there.
    #[must_use]
    pub fn has_port_members(&self) -> bool {
        matches!(self.as_str(), "tcp" | "udp" | "icmp" | "icmpv6")
    }

    /// Whether it has types and codes where other protocols have ports.
    #[must_use]
    pub fn is_icmp(&self) -> bool {
        self.0 == "icmp" || self.0 == "icmpv6"
    }
}

impl Default for Protocol {
    fn default() -> Self {
        Self::ALL
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Protocol {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrNumber;
        impl Visitor<'_> for NameOrNumber {
            type Value = Protocol;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a protocol's name or number")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Protocol, E> {
                Ok(Protocol::new(text))
            }

            fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Protocol, E> {
                Ok(Protocol::from_number(number))
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Protocol, E> {
                let number = i64::try_from(number);
                number.map(Protocol::from_number).map_err(E::custom)
            }

            fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Protocol, E> {
                whole(number, &self).map(Protocol::from_number)
            }
        }
        deserializer.deserialize_any(NameOrNumber)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_have_one_spelling() {
        for (text, name) in [
            ("6", "tcp"),
            ("TCP", "tcp"),
            ("17", "udp"),
            ("1", "icmp"),
            ("58", "icmpv6"),
            ("ICMPv6", "icmpv6"),
            ("-1", "-1"),
            ("", "-1"),
            ("50", "50"),
            (" 06 ", "tcp"),
        ] {
            assert_eq!(Protocol::new(text).as_str(), name, "{text:?}");
        }
        let read = |json: &str| serde_json::from_str::<Protocol>(json);
        for (json, name) in [
            ("6", "tcp"),
            ("-1", "-1"),
            ("6.0", "tcp"),
            ("\"udp\"", "udp"),
        ] {
            assert_eq!(read(json).unwrap().as_str(), name, "{json}");
        }
        for bad in ["6.5", "18446744073709551615", "1e300", "true", "[]"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
