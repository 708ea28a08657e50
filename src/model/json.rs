//! How members of EC2's objects are read from JSON: null is absent, so are an empty text and an empty list.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error, Expected, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Null is the default.
pub(super) fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// An id or another text; an empty one is absent.
pub(super) fn text<'de, D: Deserializer<'de>, T: Deserialize<'de> + AsRef<str>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let text: Option<T> = Option::deserialize(deserializer)?;
    Ok(text.filter(|text| !text.as_ref().is_empty()))
}

/// A text that must be there and not be empty.
pub(super) fn required<'de, D: Deserializer<'de>, T: Deserialize<'de> + AsRef<str>>(
    deserializer: D,
) -> Result<T, D::Error> {
    text(deserializer)?.ok_or_else(|| D::Error::custom("must not be empty"))
}

/// A list: null is an empty one.
pub(super) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    struct List<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for List<T> {
        type Value = Vec<T>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a list")
        }

        fn visit_unit<E: Error>(self) -> Result<Vec<T>, E> {
            Ok(Vec::new())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Vec<T>, A::Error> {
            let mut list = Vec::new();
            while let Some(element) = elements.next_element()? {
                if list.is_empty() {
                    // Most lists have one element, and a vector would make room for four.
                    list.reserve_exact(1);
                }
                list.push(element);
            }
            Ok(list)
        }
    }
    deserializer.deserialize_any(List(PhantomData))
}

/// A port, or an ICMP type or code. Some tools write every number as a float: `22.0` is 22.
pub(super) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    struct Whole;
    impl Visitor<'_> for Whole {
        type Value = Option<i64>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a whole number")
        }

        fn visit_unit<E: Error>(self) -> Result<Option<i64>, E> {
            Ok(None)
        }

        fn visit_i64<E: Error>(self, number: i64) -> Result<Option<i64>, E> {
            Ok(Some(number))
        }

        fn visit_u64<E: Error>(self, number: u64) -> Result<Option<i64>, E> {
            let is_too_large = |_| E::invalid_value(Unexpected::Unsigned(number), &self);
            i64::try_from(number).map(Some).map_err(is_too_large)
        }

        fn visit_f64<E: Error>(self, number: f64) -> Result<Option<i64>, E> {
            whole(number, &self).map(Some)
        }
    }
    deserializer.deserialize_any(Whole)
}

/// A float that is a whole number.
pub(super) fn whole<E: Error>(number: f64, expected: &dyn Expected) -> Result<i64, E> {
    // Floats beyond this are not exact, and no port or protocol is near.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() < EXACT {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "it is whole and small enough"
        )]
        return Ok(number as i64);
    }
    Err(E::invalid_value(Unexpected::Float(number), expected))
}

/// Tags as an object, or as EC2's list of `{Key, Value}`.
pub(super) fn tags<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase", expecting = "a tag, {Key, Value}")]
    struct Tag {
        key: String,
        #[serde(default, deserialize_with = "or_default")]
        value: String,
    }
    struct Tags;
    impl<'de> Visitor<'de> for Tags {
        type Value = BTreeMap<String, String>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("an object, or a list of {Key, Value}")
        }

        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok(BTreeMap::new())
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut tags = BTreeMap::new();
            while let Some((key, value)) = map.next_entry::<String, Option<String>>()? {
                tags.insert(key, value.unwrap_or_default());
            }
            Ok(tags)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut tags = BTreeMap::new();
            while let Some(Tag { key, value }) = list.next_element()? {
                tags.insert(key, value);
            }
            Ok(tags)
        }
    }
    deserializer.deserialize_any(Tags)
}

/// Tags as EC2's list of `{Key, Value}`.
pub(super) fn list_of_tags<S: Serializer>(
    tags: &BTreeMap<String, String>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Tag<'a> {
        key: &'a str,
        value: &'a str,
    }
    serializer.collect_seq(tags.iter().map(|(key, value)| Tag { key, value }))
}
