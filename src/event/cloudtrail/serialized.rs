//! Members as EC2's two serialisers write them.
//!
//! The old one writes camelCase names, a list as `{"items":[…]}` and an empty one as `{}`. The new one writes PascalCase
//! names, a list of one as an object and a longer one as an array, and numbers for some strings. Names are therefore
//! compared without case, and null, `""` and `{}` are as good as absent.

use serde_json::{Map, Value};

/// The first member of this name that says something.
pub(super) fn member<'a>(of: Option<&'a Map<String, Value>>, name: &str) -> Option<&'a Value> {
    of?.iter()
        .filter(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
        .find(|value| !is_empty(value))
}

pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

/// The elements of a list; nothing when the value is no list.
pub(super) fn list(value: &Value) -> Option<Vec<&Value>> {
    let Value::Object(members) = value else {
        return value.as_array().map(|elements| elements.iter().collect());
    };
    let items = members
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("items"))
        .map(|(_, items)| items);
    match items {
        None if members.is_empty() => Some(Vec::new()),
        None => Some(vec![value]),
        Some(Value::Array(elements)) => Some(elements.iter().collect()),
        Some(Value::Object(only)) if !only.is_empty() => Some(items.into_iter().collect()),
        Some(other) => is_empty(other).then(Vec::new),
    }
}

/// A string, or what one serialiser writes for one.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}
