//! The examples that need no AWS do what the documentation shows.
//!
//! A block of `console` holds commands behind `$ `, each with its output below. It runs in a shell, in a copy of nothing:
//! the root of this repository, where the newcomer is. In what is shown `…` stands for any part of a line, and a line
//! that is only `…` for any number of lines.

use std::process::Command;

use assert_cmd::cargo::cargo_bin;
use serde_json::Value;

use super::page::Block;
use super::{page, pages, root};
use crate::cli::run;

/// The commands of a block, each with what is shown below it.
fn steps(block: &Block) -> Vec<(&str, Vec<&str>)> {
    let mut steps = Vec::<(&str, Vec<&str>)>::new();
    for line in block.text.lines() {
        match line.strip_prefix("$ ") {
            Some(command) => steps.push((command, Vec::new())),
            None => steps
                .last_mut()
                .unwrap_or_else(|| panic!("output before a command: {line}"))
                .1
                .push(line),
        }
    }
    steps
}

/// What the commands print, one after the other in one shell.
fn outputs(commands: &[&str]) -> Vec<String> {
    const END: &str = "--- the next command ---";
    let script: String = commands
        .iter()
        .map(|command| format!("{command}\n(exit $?)\necho '{END}'\n"))
        .collect();
    // The exit code of a command is still there for the next one, such as `echo $?`.
    let script = script.replace(
        &format!("(exit $?)\necho '{END}'\n"),
        &format!("code=$?\necho '{END}'\n(exit $code)\n"),
    );
    let folder = cargo_bin("sg-trust").parent().unwrap().to_owned();
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new("sh")
        .args(["-c", &format!("exec 2>&1\n{script}")])
        .current_dir(root())
        .env("PATH", format!("{}:{path}", folder.display()))
        .env_remove("AWS_REGION")
        .env_remove("AWS_DEFAULT_REGION")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut outputs: Vec<_> = text.split(&format!("{END}\n")).map(str::to_owned).collect();
    assert_eq!(outputs.pop().as_deref(), Some(""), "{text}");
    outputs
}

/// Whether a text is what is shown, in which `…` stands for any part of a line.
fn is_line(shown: &str, line: &str) -> bool {
    let mut parts = shown.split('…');
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let parts: Vec<_> = parts.collect();
    let Some((last, between)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in between {
        let Some(place) = rest.find(part) else {
            return false;
        };
        rest = &rest[place + part.len()..];
    }
    rest.ends_with(last)
}

/// Whether lines are what is shown, in which a line `…` stands for any number of them.
fn is_shown(shown: &[&str], lines: &[&str]) -> bool {
    match shown {
        [] => lines.is_empty(),
        ["…", rest @ ..] => (0..=lines.len()).any(|skipped| is_shown(rest, &lines[skipped..])),
        [first, rest @ ..] => {
            lines.first().is_some_and(|line| is_line(first, line)) && is_shown(rest, &lines[1..])
        }
    }
}

#[test]
fn every_example_that_needs_no_aws_prints_what_is_shown() {
    let mut checked = 0;
    for page in &pages() {
        for block in page.blocks_of("console") {
            let steps = steps(block);
            let commands: Vec<_> = steps.iter().map(|(command, _)| *command).collect();
            for ((command, shown), output) in steps.iter().zip(outputs(&commands)) {
                let lines: Vec<_> = output.lines().collect();
                assert!(
                    is_shown(shown, &lines),
                    "{}, block at line {}: `{command}` prints\n{output}",
                    page.path,
                    block.line
                );
                checked += 1;
            }
        }
    }
    assert!(checked > 5, "{checked}");
}

/// Whether a value has all that is shown of it; in a text `…` stands for any part of it.
fn has(value: &Value, shown: &Value) -> bool {
    match (value, shown) {
        (Value::Object(value), Value::Object(shown)) => shown
            .iter()
            .all(|(key, shown)| value.get(key).is_some_and(|value| has(value, shown))),
        (Value::Array(value), Value::Array(shown)) => {
            value.len() == shown.len()
                && value.iter().zip(shown).all(|(one, shown)| has(one, shown))
        }
        (Value::String(value), Value::String(shown)) => is_line(shown, value),
        _ => value == shown,
    }
}

#[test]
fn the_finding_that_is_shown_is_the_one_of_the_sample_event() {
    let replay = run(
        &[
            "replay",
            "events/authorize-ingress.json",
            "--groups",
            "events/account.json",
            "--format",
            "asff",
        ],
        "",
    );
    let findings: Value = serde_json::from_str(&replay.out).unwrap();
    for path in ["README.md", "docs/findings.md"] {
        let page = page(path);
        let shown: Vec<_> = page
            .blocks_of("json")
            .filter(|block| block.text.contains("\"RecordState\""))
            .collect();
        assert_eq!(shown.len(), 1, "{path}");
        let shown: Value = serde_json::from_str(&shown[0].text).unwrap();
        assert!(
            has(&findings[0], &shown),
            "{path}: the finding is {:#}",
            findings[0]
        );
    }
}

/// Every block of JSON can be read, but for what is left out.
#[test]
fn every_example_of_json_is_json() {
    for page in &pages() {
        for block in page.blocks_of("json") {
            let text = block.text.replace('…', "");
            if let Err(error) = serde_json::from_str::<Value>(&text) {
                panic!("{}, block at line {}: {error}", page.path, block.line);
            }
        }
    }
}

#[test]
fn what_is_left_out_matches_and_nothing_else_does() {
    assert!(is_line("a … c", "a b c") && is_line("a…", "a") && is_line("…", "x"));
    assert!(!is_line("a … c", "a b d") && !is_line("a", "ab") && !is_line("a…b…", "acd"));
    assert!(is_shown(&["a", "…", "c"], &["a", "b", "b", "c"]));
    assert!(!is_shown(&["a", "…", "c"], &["a", "b"]));
    assert!(!is_shown(&[], &["a"]));
    assert_eq!(outputs(&["(exit 3)", "echo $?"]), ["", "3\n"]);
}
