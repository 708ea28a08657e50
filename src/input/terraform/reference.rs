//! References and addresses: `module.db["a.b"].aws_security_group.db[0].id`.

use serde_json::Value as Json;

/// The key of an instance that `count` or `for_each` made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Key {
    Number(u64),
    Text(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Name(String),
    Key(Key),
}

impl Key {
    pub(super) fn of(json: &Json) -> Option<Self> {
        match json {
            Json::Number(number) => number.as_u64().map(Self::Number),
            Json::String(text) => Some(Self::Text(text.clone())),
            _ => None,
        }
    }
}

/// The parts of a reference or an address; none where it is not well-formed.
pub(super) fn parts(text: &str) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let (key, after) = key(inner)?;
            parts.push(Part::Key(key));
            rest = after;
        } else {
            let name = rest.strip_prefix('.').unwrap_or(rest);
            if name.len() == rest.len() && !parts.is_empty() {
                return None;
            }
            let end = name.find(['.', '[']).unwrap_or(name.len());
            let (name, after) = name.split_at_checked(end)?;
            if name.is_empty() {
                return None;
            }
            parts.push(Part::Name(name.to_owned()));
            rest = after;
        }
    }
    (!parts.is_empty()).then_some(parts)
}

/// A key and what follows its bracket.
fn key(text: &str) -> Option<(Key, &str)> {
    if !text.starts_with('"') {
        let (number, after) = text.split_once(']')?;
        return Some((Key::Number(number.parse().ok()?), after));
    }
    // Keys are quoted as JSON quotes texts, but for `${` and `%{`, which no group needs.
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<String>();
    let key = stream.next()?.ok()?;
    let after = text.get(stream.byte_offset()..)?.strip_prefix(']')?;
    Some((Key::Text(key), after))
}

/// All references within an expression, or within blocks of expressions, without those that only begin others.
pub(super) fn references(expression: &Json) -> Vec<String> {
    let mut all = Vec::new();
    collect(expression, &mut all);
    let is_beginning = |text: &str, of: &str| {
        of.strip_prefix(text)
            .is_some_and(|rest| rest.starts_with(['.', '[']))
    };
    let mut references: Vec<String> = Vec::new();
    for (place, text) in all.iter().enumerate() {
        // The parents of a reference follow it, the longest first.
        let is_parent = all
            .get(..place)
            .and_then(<[String]>::last)
            .is_some_and(|before| is_beginning(text, before));
        if !is_parent && !references.contains(text) {
            references.push(text.clone());
        }
    }
    references
}

fn collect(expression: &Json, all: &mut Vec<String>) {
    match expression {
        Json::Object(members) => {
            for (name, member) in members {
                match (name.as_str(), member) {
                    ("constant_value", _) => {}
                    ("references", Json::Array(texts)) => {
                        all.extend(texts.iter().filter_map(Json::as_str).map(str::to_owned));
                    }
                    _ => collect(member, all),
                }
            }
        }
        Json::Array(members) => members.iter().for_each(|member| collect(member, all)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_may_hold_what_separates_parts() {
        let name = |text: &str| Part::Name(text.to_owned());
        let text = |text: &str| Part::Key(Key::Text(text.to_owned()));
        assert_eq!(
            parts(r#"module.a["x.y]\""].aws_security_group.b[3].id"#),
            Some(vec![
                name("module"),
                name("a"),
                text("x.y]\""),
                name("aws_security_group"),
                name("b"),
                Part::Key(Key::Number(3)),
                name("id")
            ])
        );
        for bad in ["", ".", "a..b", "a[", "a[x]", "a[\"x]", "a]b[", "[0]x"] {
            assert_eq!(parts(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_only_begins_a_reference_is_none() {
        let expression = json!({"references": ["aws_x.a[0].id", "aws_x.a[0]", "aws_x.a", "aws_x.a", "each.key", "var.b", "aws_x.a.id"]});
        // Behind another reference the whole resource is one.
        assert_eq!(
            references(&expression),
            [
                "aws_x.a[0].id",
                "aws_x.a",
                "each.key",
                "var.b",
                "aws_x.a.id"
            ]
        );
        let blocks = json!([{"from_port": {"constant_value": 1}, "security_groups": {"references": ["var.x.y", "var.x"]}}]);
        assert_eq!(references(&blocks), ["var.x.y"]);
    }
}
