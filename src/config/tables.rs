//! The tables of a settings file as TOML has them, before their values are checked.

use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;
use toml::value::Datetime;

pub(super) const SOURCES: &str =
    "\"self\", \"any\", \"same-account\", a group's id, or { id = \"sg-…\", account = \"…\" }";
pub(super) const ALLOWS: &str =
    "\"all-traffic\", { protocol = \"tcp\", ports = [[1024, 65535]] }, or a list of such tables";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) reading: Option<Spanned<String>>,
    pub(super) max_open_ports: Option<Spanned<Whole>>,
    pub(super) severity: Option<Spanned<String>>,
    pub(super) related_requirements: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) rule_ids: Option<bool>,
    pub(super) sensitivity: Option<SensitivityTable>,
    #[serde(default)]
    pub(super) exemption: Vec<ExemptionTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct SensitivityTable {
    pub(super) tag: Spanned<String>,
    pub(super) levels: Spanned<Vec<Spanned<String>>>,
    pub(super) default: Spanned<String>,
    pub(super) unseen: Option<Spanned<String>>,
    pub(super) raise: Option<Spanned<Vec<Spanned<String>>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct ExemptionTable {
    pub(super) id: Spanned<String>,
    pub(super) reason: Spanned<String>,
    pub(super) owner: Option<Spanned<String>>,
    pub(super) until: Option<Spanned<Datetime>>,
    pub(super) target: Spanned<TargetTable>,
    pub(super) source: Spanned<SourceValue>,
    pub(super) allow: Option<Spanned<AllowValue>>,
    #[serde(default)]
    pub(super) self_service: bool,
}

#[derive(Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a table such as { id = \"sg-…\" } or { tag = \"key=value\" }"
)]
pub(super) struct TargetTable {
    pub(super) id: Option<Spanned<String>>,
    pub(super) name: Option<Spanned<String>>,
    pub(super) vpc: Option<Spanned<String>>,
    pub(super) account: Option<Spanned<String>>,
    pub(super) tag: Option<Spanned<String>>,
    pub(super) default: Option<Spanned<bool>>,
}

/// A word, a group's id, or a table.
pub(super) enum SourceValue {
    Text(String),
    Table(SourceTable),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SourceTable {
    pub(super) id: Spanned<String>,
    pub(super) account: Spanned<String>,
}

/// A word, a table, or a list of tables.
pub(super) enum AllowValue {
    Text(String),
    Tables(Vec<AllowTable>),
}

#[derive(Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a table such as { protocol = \"tcp\", ports = [[1024, 65535]] }"
)]
pub(super) struct AllowTable {
    pub(super) protocol: Option<Spanned<ProtocolValue>>,
    pub(super) ports: Option<Spanned<Vec<Spanned<Vec<Whole>>>>>,
}

/// A whole number of any size.
#[derive(Debug, Clone, Copy)]
pub(super) struct Whole(pub(super) i128);

/// A name, or a number as text or as number.
pub(super) enum ProtocolValue {
    Text(String),
    Number(i128),
}

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = Whole;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a whole number")
            }

            fn visit_i64<E>(self, number: i64) -> Result<Whole, E> {
                Ok(Whole(number.into()))
            }

            fn visit_i128<E>(self, number: i128) -> Result<Whole, E> {
                Ok(Whole(number))
            }
        }
        deserializer.deserialize_any(Number)
    }
}

impl<'de> Deserialize<'de> for ProtocolValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = ProtocolValue;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a protocol's name or number")
            }

            fn visit_str<E>(self, text: &str) -> Result<ProtocolValue, E> {
                Ok(ProtocolValue::Text(text.to_owned()))
            }

            fn visit_i64<E>(self, number: i64) -> Result<ProtocolValue, E> {
                Ok(ProtocolValue::Number(number.into()))
            }

            fn visit_i128<E>(self, number: i128) -> Result<ProtocolValue, E> {
                Ok(ProtocolValue::Number(number))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl<'de> Deserialize<'de> for SourceValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = SourceValue;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(SOURCES)
            }

            fn visit_str<E>(self, text: &str) -> Result<SourceValue, E> {
                Ok(SourceValue::Text(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<SourceValue, A::Error> {
                SourceTable::deserialize(MapAccessDeserializer::new(map)).map(SourceValue::Table)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl<'de> Deserialize<'de> for AllowValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOfThree;
        impl<'de> Visitor<'de> for OneOfThree {
            type Value = AllowValue;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(ALLOWS)
            }

            fn visit_str<E>(self, text: &str) -> Result<AllowValue, E> {
                Ok(AllowValue::Text(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<AllowValue, A::Error> {
                let table = AllowTable::deserialize(MapAccessDeserializer::new(map))?;
                Ok(AllowValue::Tables(vec![table]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<AllowValue, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(seq)).map(AllowValue::Tables)
            }
        }
        deserializer.deserialize_any(OneOfThree)
    }
}
