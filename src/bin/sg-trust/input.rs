//! The files that a command reads: `-` is standard input.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, anyhow};
use jiff::Timestamp;
use sg_trust::input::Snapshot;
use sg_trust::text::plain_problem;

const STANDARD_INPUT: &str = "standard input";
const BUFFER: usize = 1 << 16;

/// Opens a file, or standard input for `-`; the name is for messages.
pub(crate) fn open(path: &str) -> anyhow::Result<(&str, Box<dyn BufRead>)> {
    if path == "-" {
        let reader = BufReader::with_capacity(BUFFER, io::stdin().lock());
        return Ok((STANDARD_INPUT, Box::new(reader)));
    }
    let file = File::open(path).with_context(|| format!("{path}: cannot be opened"))?;
    Ok((path, Box::new(BufReader::with_capacity(BUFFER, file))))
}

/// The path of a file as others find it: relative to the working directory where the file is beneath it, else absolute,
/// with `/` between its parts. Standard input has none.
pub(crate) fn shown(path: &str) -> Option<String> {
    if path == STANDARD_INPUT {
        return None;
    }
    let (Ok(here), Some(absolute)) = (std::env::current_dir(), absolute(path)) else {
        return Some(path.to_owned());
    };
    let parts = absolute
        .strip_prefix(&here)
        .unwrap_or(&absolute)
        .components();
    let parts: Vec<_> = parts
        .map(|part| part.as_os_str().to_string_lossy())
        .collect();
    Some(parts.join("/").replacen("//", "/", 1))
}

/// The absolute path, without `.` and `..`.
fn absolute(path: &str) -> Option<PathBuf> {
    let mut parts = PathBuf::new();
    for part in std::path::absolute(path).ok()?.components() {
        match part {
            Component::ParentDir => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    Some(parts)
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
    let event = serde_json::from_str(text).map_err(|error| {
        let problem = plain_problem(&error.to_string(), "an object");
        anyhow!("{name}: not a JSON document: {problem}")
    })?;
    Ok((name, event))
}

/// The files that an argument names: itself, or the `*.json` of a directory in the order of their names.
pub(crate) fn files(path: &str) -> anyhow::Result<Vec<String>> {
    if !Path::new(path).is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let unreadable = || format!("{path}: the directory cannot be read");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).with_context(unreadable)? {
        let file = entry.with_context(unreadable)?.path();
        if file
            .extension()
            .is_some_and(|extension| extension == "json")
            && file.is_file()
        {
            let name = file.to_str().map(str::to_owned);
            files.push(name.with_context(|| format!("{}: not a name in UTF-8", file.display()))?);
        }
    }
    files.sort();
    anyhow::ensure!(!files.is_empty(), "{path}: the directory has no *.json");
    Ok(files)
}

/// Reads the groups of an account; the name is for messages.
pub(crate) fn snapshot(path: &str) -> anyhow::Result<(&str, Snapshot)> {
    let mut snapshot = Snapshot::empty(Timestamp::now());
    for file in files(path)? {
        let (name, reader) = open(&file)?;
        snapshot.add(name, reader)?;
    }
    let name = if path == "-" { STANDARD_INPUT } else { path };
    Ok((name, snapshot))
}
