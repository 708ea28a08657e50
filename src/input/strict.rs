//! Reading that takes no member for absent which is only spelt in another way.
//!
//! serde ignores members that it does not know. Of a security group that would be dangerous: `ipPermissions`, as AWS
//! Config and CloudTrail spell it, read as "no permissions" would make a wrong PASSED. [`Strict`] stands between a format
//! and the derived types: where one of them ignores a member, at any depth, it compares the name with those that the
//! type knows.

use std::borrow::Cow;

use serde::de::{
    DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};
use serde::{Deserialize, forward_to_deserialize_any};

/// A deserializer in which a member whose name differs from a known one by case alone is an error.
pub(super) struct Strict<'a, D> {
    deserializer: D,
    place: Place<'a>,
}

/// Where a value stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    /// The member that it is the value, or part of the value, of.
    member: &'a str,
    /// The names that are known beside it.
    names: &'static [&'static str],
    rules: &'static Rules,
}

/// Rules that the types do not express.
pub(super) struct Rules {
    pub(super) required: &'static [Member],
    /// Names that are never ignored.
    pub(super) refused: &'static [&'static str],
    /// The command that prints what is read.
    pub(super) command: &'static str,
}

/// A member that every object in the value of another member must have.
pub(super) struct Member {
    pub(super) of: &'static str,
    pub(super) name: &'static str,
}

impl<D> Strict<'_, D> {
    pub(super) fn new(deserializer: D, rules: &'static Rules) -> Self {
        let place = Place {
            member: "",
            names: &[],
            rules,
        };
        Self {
            deserializer,
            place,
        }
    }
}

/// The known name that a name differs from by case alone.
pub(super) fn near_miss(name: &str, names: &[&'static str]) -> Option<&'static str> {
    let is_near = |known: &&&str| known.eq_ignore_ascii_case(name) && **known != name;
    names.iter().find(is_near).copied()
}

/// The error about a member that has a [`near_miss`].
pub(super) fn misspelt(known: &str, command: &str) -> String {
    format!(
        "must be spelt `{known}`, as `{command}` prints it (AWS Config and CloudTrail spell it otherwise): \
         ignoring it could hide a violation"
    )
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Strict<'_, D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let place = self.place;
        self.deserializer
            .deserialize_any(Inside { of: visitor, place })
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let place = self.place;
        self.deserializer
            .deserialize_option(Inside { of: visitor, place })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let Place { member, rules, .. } = self.place;
        let required = rules.required.iter().find(|required| required.of == member);
        let object = Object {
            visitor,
            names,
            rules,
            missing: required.map(|required| required.name),
        };
        self.deserializer.deserialize_struct(name, names, object)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let Place {
            member,
            names,
            rules,
        } = self.place;
        if let Some(known) = near_miss(member, names) {
            return Err(D::Error::custom(misspelt(known, rules.command)));
        }
        if rules.refused.contains(&member) {
            return Err(D::Error::custom("has no place here"));
        }
        self.deserializer.deserialize_ignored_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct newtype_struct
        seq tuple tuple_struct map enum identifier
    }
}

/// A visitor, seed or list whose values are read strictly.
struct Inside<'a, T> {
    of: T,
    place: Place<'a>,
}

impl<'de, T: DeserializeSeed<'de>> DeserializeSeed<'de> for Inside<'_, T> {
    type Value = T::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T::Value, D::Error> {
        let place = self.place;
        self.of.deserialize(Strict {
            deserializer,
            place,
        })
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Inside<'_, A> {
    type Error = A::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, A::Error> {
        let place = self.place;
        self.of.next_element_seed(Inside { of: seed, place })
    }
}

macro_rules! forward_visits {
    ($($method:ident($type:ty))*) => {$(
        fn $method<E: Error>(self, value: $type) -> Result<V::Value, E> {
            self.of.$method(value)
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Inside<'_, V> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.of.expecting(formatter)
    }

    forward_visits! {
        visit_bool(bool) visit_i64(i64) visit_u64(u64) visit_f64(f64) visit_str(&str) visit_borrowed_str(&'de str)
        visit_string(String)
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.of.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.of.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        let place = self.place;
        self.of.visit_some(Strict {
            deserializer,
            place,
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<V::Value, A::Error> {
        let place = self.place;
        self.of.visit_seq(Inside { of: list, place })
    }

    /// An object that is read as a map has names of its author's choice.
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        self.of.visit_map(map)
    }
}

/// The visitor of a derived type, which has to be an object: serde takes a list of its members' values for one, too.
struct Object<V> {
    visitor: V,
    names: &'static [&'static str],
    rules: &'static Rules,
    missing: Option<&'static str>,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Object<V> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.visitor.expecting(formatter)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_map(Members {
            map,
            names: self.names,
            rules: self.rules,
            missing: self.missing,
            name: Cow::Borrowed(""),
        })
    }
}

struct Members<'de, A> {
    map: A,
    names: &'static [&'static str],
    rules: &'static Rules,
    missing: Option<&'static str>,
    /// The name of the member whose value is next.
    name: Cow<'de, str>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Members<'de, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        let Some(Name(name)) = self.map.next_key()? else {
            return match self.missing {
                Some(missing) => Err(A::Error::missing_field(missing)),
                None => Ok(None),
            };
        };
        self.name = name;
        if self.missing == Some(&*self.name) {
            self.missing = None;
        }
        seed.deserialize((*self.name).into_deserializer()).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        let place = Place {
            member: &self.name,
            names: self.names,
            rules: self.rules,
        };
        self.map.next_value_seed(Inside { of: seed, place })
    }
}

/// The name of a member, without a copy where it has no escapes.
#[derive(Deserialize)]
pub(super) struct Name<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);
