//! Text that others chose, as the content of an element.
//!
//! Templates escape what they show by themselves; these types are for content alone, never for an attribute: they leave
//! quotes as they are, since a command is full of them.

use std::fmt::{self, Write as _};

use askama::filters::HtmlSafe;

use crate::text::{escape, is_plain};

/// A sentence or a command. Every run of characters beyond ASCII is isolated, so that none turns the words around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text<T>(pub(super) T);

/// A name, isolated from what stands around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Name<'a>(pub(super) &'a str);

/// An id: isolated only where it is none of AWS's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Id<'a>(pub(super) &'a str);

impl<T: AsRef<str>> HtmlSafe for Text<T> {}
impl HtmlSafe for Name<'_> {}
impl HtmlSafe for Id<'_> {}

fn write_markup(formatter: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let mut rest = text;
    while let Some(at) = rest.find(['&', '<', '>']) {
        let (before, from) = rest.split_at(at);
        formatter.write_str(before)?;
        let mut characters = from.chars();
        formatter.write_str(match characters.next() {
            Some('&') => "&amp;",
            Some('<') => "&lt;",
            _ => "&gt;",
        })?;
        rest = characters.as_str();
    }
    formatter.write_str(rest)
}

impl<T: AsRef<str>> fmt::Display for Text<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A text of several lines has only its own line breaks: what others chose was made one line before.
        for (number, line) in self.0.as_ref().split('\n').enumerate() {
            if number > 0 {
                formatter.write_char('\n')?;
            }
            write_isolated(formatter, &escape(line))?;
        }
        Ok(())
    }
}

fn write_isolated(formatter: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let mut rest = text;
    while let Some(at) = rest.find(|character: char| !character.is_ascii()) {
        let (before, from) = rest.split_at(at);
        write_markup(formatter, before)?;
        let (foreign, after) = from.split_at(
            from.find(|character: char| character.is_ascii())
                .unwrap_or(from.len()),
        );
        write!(formatter, "<bdi>{foreign}</bdi>")?;
        rest = after;
    }
    write_markup(formatter, rest)
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("<bdi>")?;
        write_markup(formatter, &escape(self.0))?;
        formatter.write_str("</bdi>")
    }
}

impl fmt::Display for Id<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_plain(self.0) {
            write_markup(formatter, self.0)
        } else {
            Name(self.0).fmt(formatter)
        }
    }
}
