//! The files that a command reads: `-` is standard input.

use std::fs::File;
use std::io::{self, BufRead, BufReader};

use anyhow::Context as _;
use jiff::Timestamp;
use sg_trust::input::Snapshot;

const BUFFER: usize = 1 << 16;

/// Opens a file, or standard input for `-`; the name is for messages.
pub(crate) fn open(path: &str) -> anyhow::Result<(&str, Box<dyn BufRead>)> {
    if path == "-" {
        let reader = BufReader::with_capacity(BUFFER, io::stdin().lock());
        return Ok(("standard input", Box::new(reader)));
    }
    let file = File::open(path).with_context(|| format!("{path}: cannot be opened"))?;
    Ok((path, Box::new(BufReader::with_capacity(BUFFER, file))))
}

/// Reads a file, or standard input for `-`, as text.
pub(crate) fn read(path: &str) -> anyhow::Result<(&str, String)> {
    let (name, mut reader) = open(path)?;
    let mut text = String::new();
    reader
        .read_to_string(&mut text)
        .with_context(|| format!("{name}: cannot be read"))?;
    Ok((name, text))
}

/// Reads an event.
pub(crate) fn read_event(path: &str) -> anyhow::Result<(&str, serde_json::Value)> {
    let (name, text) = read(path)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let event =
        serde_json::from_str(text).with_context(|| format!("{name}: not a JSON document"))?;
    Ok((name, event))
}

/// Reads the groups of an account; the name is for messages.
pub(crate) fn snapshot(path: &str) -> anyhow::Result<(&str, Snapshot)> {
    let (name, reader) = open(path)?;
    Ok((name, Snapshot::read(name, reader, Timestamp::now())?))
}
