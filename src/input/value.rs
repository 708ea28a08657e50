//! One value at the beginning of a text that goes on behind it.

use serde::de::{Deserialize, IgnoredAny};
use serde_json::de::{Deserializer, Read};

use super::document::FileGroup;

pub(super) enum Value<T> {
    /// The wanted value, and its end.
    Whole(T, usize),
    /// JSON of another type, and its end.
    Other(usize),
    Broken(serde_json::Error),
    /// It goes on behind the text.
    Cut,
}

impl<T> Value<T> {
    /// The same counted from another place, where the text begins.
    pub(super) fn behind(self, at: usize) -> Self {
        match self {
            Self::Whole(value, length) => Self::Whole(value, at + length),
            Self::Other(length) => Self::Other(at + length),
            other => other,
        }
    }
}

/// Reads what a text begins with. What is wrong for its type may be JSON all the same: `again` reads from the beginning.
pub(super) fn first<'de, R: Read<'de>, T: Deserialize<'de>>(
    text: Deserializer<R>,
    again: impl FnOnce() -> Deserializer<R>,
) -> Value<T> {
    let mut values = text.into_iter::<T>();
    match values.next() {
        Some(Ok(value)) => return Value::Whole(value, values.byte_offset()),
        Some(Err(error)) if !error.is_eof() => {}
        _ => return Value::Cut,
    }
    let mut values = again().into_iter::<IgnoredAny>();
    match values.next() {
        Some(Ok(IgnoredAny)) => Value::Other(values.byte_offset()),
        Some(Err(error)) if !error.is_eof() => Value::Broken(error),
        _ => Value::Cut,
    }
}

/// Whether a text begins with a whole group.
pub(super) fn begins_group(text: &[u8]) -> bool {
    let mut groups = Deserializer::from_slice(text).into_iter::<FileGroup>();
    matches!(groups.next(), Some(Ok(_)))
}
