//! The commands that the documentation names are those that the command line has.

use std::collections::{BTreeMap, BTreeSet};

use super::page::Page;
use super::{assert_same, page, pages, text_of};
use crate::cli::run;

const USAGE: &str = "docs/usage.md";
/// Where `usage.md` documents the options of every command.
const EVERY_COMMAND: &str = "Options of every command";

/// A command as its help shows it.
#[derive(Debug, Default)]
struct Help {
    commands: BTreeSet<String>,
    /// `--format`, with the values that it may have.
    options: BTreeMap<String, BTreeSet<String>>,
    /// `FILE`, with the values that it may have.
    arguments: BTreeMap<String, BTreeSet<String>>,
}

impl Help {
    fn of(command: &[String]) -> Self {
        let mut words: Vec<&str> = command.iter().map(String::as_str).collect();
        words.push("--help");
        let help = run(&words, "");
        assert_eq!(help.code, 0, "{command:?}: {}", help.err);
        Self::read(&help.out)
    }

    fn read(text: &str) -> Self {
        let mut help = Self::default();
        let mut section = "";
        let mut last = String::new();
        for line in text.lines() {
            let word = line.trim_start();
            let indent = line.len() - word.len();
            if indent == 0 && !line.is_empty() {
                section = line.trim_end_matches(':');
                continue;
            }
            match section {
                "Commands" if indent == 2 => {
                    let name = word.split_whitespace().next().unwrap();
                    help.commands.insert(name.to_owned());
                }
                "Options" | "Settings" | "Arguments" => {
                    let into = if section == "Arguments" {
                        &mut help.arguments
                    } else {
                        &mut help.options
                    };
                    if let Some(name) = name_of(section, word).filter(|_| indent <= 6) {
                        last.clone_from(&name);
                        into.insert(name, BTreeSet::new());
                    }
                    if let Some(values) = into.get_mut(&last) {
                        values.extend(values_in(word, indent));
                    }
                }
                _ => {}
            }
        }
        help
    }
}

/// `--format` of `--format <FORMAT>` or `-f, --format`; `FILE` of `<FILE>...`.
fn name_of(section: &str, line: &str) -> Option<String> {
    if section == "Arguments" {
        let (name, _) = line
            .strip_prefix(['<', '['])
            .and_then(|rest| rest.split_once(['>', ']']))?;
        return Some(name.to_owned());
    }
    line.split([' ', ',', '='])
        .find(|word| word.starts_with("--"))
        .filter(|_| line.starts_with('-'))
        .map(|word| word.trim_end_matches("...").to_owned())
}

/// The values that a line of help names: `- json: One document`, or `[possible values: bash, zsh]`.
fn values_in(line: &str, indent: usize) -> Vec<String> {
    if let Some(list) = line.strip_prefix("[possible values: ") {
        return list
            .trim_end_matches(']')
            .split(", ")
            .map(str::to_owned)
            .collect();
    }
    let is_value = indent > 6 && line.starts_with("- ");
    let value = line
        .get(2..)
        .and_then(|rest| rest.split([':', ' ']).next())
        .filter(|_| is_value);
    value.map(str::to_owned).into_iter().collect()
}

/// Every command with its help, by its words: `[]`, `["check"]`.
fn commands() -> BTreeMap<Vec<String>, Help> {
    let mut commands = BTreeMap::new();
    let mut left = vec![Vec::new()];
    while let Some(command) = left.pop() {
        let help = Help::of(&command);
        for name in help.commands.iter().filter(|name| *name != "help") {
            let mut words = command.clone();
            words.push(name.clone());
            left.push(words);
        }
        commands.insert(command, help);
    }
    assert!(commands.len() > 10, "{:?}", commands.keys());
    commands
}

/// The options of every command: those of the program itself.
fn common(commands: &BTreeMap<Vec<String>, Help>) -> BTreeSet<String> {
    commands[&Vec::new()].options.keys().cloned().collect()
}

/// The rows of the tables below a heading: what the first cell names, and the code in the whole row.
fn rows(usage: &Page, heading: &str, first: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut rows = BTreeMap::new();
    for row in usage
        .tables_of(heading, first)
        .flat_map(super::page::Table::body)
    {
        let codes: BTreeSet<_> = row.iter().flat_map(|cell| cell.spans.clone()).collect();
        for span in &row[0].spans {
            for name in span.split([' ', ',']).filter(|word| word.starts_with("--")) {
                rows.insert(name.to_owned(), codes.clone());
            }
        }
    }
    rows
}

#[test]
fn every_command_option_and_value_is_documented_in_usage() {
    let usage = page(USAGE);
    let commands = commands();
    let common = common(&commands);
    let headings: BTreeSet<_> = usage
        .headings
        .iter()
        .map(|heading| heading.text.clone())
        .collect();
    let of_every = rows(&usage, EVERY_COMMAND, "option");
    assert_same(EVERY_COMMAND, &common, &of_every.keys().cloned().collect());
    for (command, help) in &commands {
        let name = command.join(" ");
        let heading = if command.is_empty() {
            EVERY_COMMAND
        } else {
            assert!(
                headings.contains(&name),
                "docs/usage.md has no heading {name:?}"
            );
            &name
        };
        let documented = rows(&usage, heading, "option");
        if !command.is_empty() {
            let own = help
                .options
                .keys()
                .filter(|option| !common.contains(*option))
                .cloned()
                .collect();
            assert_same(&name, &own, &documented.keys().cloned().collect());
        }
        for (option, values) in &help.options {
            let Some(codes) = documented.get(option) else {
                continue;
            };
            let undocumented: Vec<_> = values.difference(codes).collect();
            assert!(
                undocumented.is_empty(),
                "{name} {option}: not documented: {undocumented:?}"
            );
        }
        let spans: Vec<_> = usage
            .spans
            .iter()
            .filter(|span| span.heading == *heading)
            .map(|span| span.text.as_str())
            .collect();
        let names = |argument: &str| {
            let mut words = spans
                .iter()
                .flat_map(|span| span.split(|character: char| !character.is_alphanumeric()));
            words.any(|word| word == argument)
        };
        for (argument, values) in &help.arguments {
            let argument = argument.split('.').next().unwrap();
            assert!(
                names(argument),
                "{name}: the argument {argument} is not documented"
            );
            let undocumented: Vec<_> = values
                .iter()
                .filter(|value| !spans.contains(&value.as_str()))
                .collect();
            assert!(
                undocumented.is_empty(),
                "{name} {argument}: not documented: {undocumented:?}"
            );
        }
    }
}

#[test]
fn every_heading_with_a_command_in_usage_is_one() {
    let usage = page(USAGE);
    let commands = commands();
    let documented = usage
        .tables
        .iter()
        .filter(|table| table.is_of("option") && table.heading != EVERY_COMMAND)
        .map(|table| &table.heading);
    for heading in documented {
        let command: Vec<_> = heading.split(' ').map(str::to_owned).collect();
        assert!(commands.contains_key(&command), "{heading:?}");
    }
}

/// What a stand-in for a value means to the command line.
fn stand_in(word: &str) -> &str {
    match word {
        "REGION" => "eu-west-1",
        "ACCOUNT" => "123456789012",
        "SHELL" => "bash",
        "COMMAND" => "check",
        other => other,
    }
}

/// The commands of sg-trust in a line of a shell, each as its words.
fn calls_in(line: &str) -> Vec<Vec<String>> {
    let line = line.trim().trim_start_matches("$ ");
    let line = line.split(" #").next().unwrap_or(line);
    let Some(words) = shlex::split(line) else {
        return Vec::new();
    };
    let is_end =
        |word: &&String| ["|", "||", "&&", ";", ">", "<", ">>", "2>"].contains(&word.as_str());
    let mut calls = Vec::new();
    let mut words = words.iter().peekable();
    while let Some(word) = words.next() {
        let is_ours = word == "sg-trust" || word.ends_with("/sg-trust");
        if is_ours {
            let call: Vec<_> = std::iter::from_fn(|| words.next_if(|word| !is_end(word)))
                .map(|word| stand_in(word).to_owned())
                .filter(|word| !word.starts_with('…'))
                .collect();
            calls.push(call);
        }
    }
    calls
}

/// A command line is right when `--help` behind it prints help: what stands before is read first.
fn fault_of(call: &[String]) -> Option<String> {
    let mut words: Vec<&str> = call.iter().map(String::as_str).collect();
    words.push("--help");
    let answer = run(&words, "");
    (answer.code != 0).then_some(answer.err)
}

#[test]
fn every_command_that_the_documentation_shows_is_accepted() {
    let mut faults = Vec::new();
    let mut checked = 0;
    for page in &pages() {
        // What was true of a release stays in its notes.
        if page.path == "CHANGELOG.md" {
            continue;
        }
        let of_spans = page
            .spans
            .iter()
            .filter(|span| span.text.contains("sg-trust ") && !span.text.contains('['))
            .map(|span| (span.line, span.text.as_str()));
        let of_blocks = page
            .blocks
            .iter()
            .filter(|block| block.language == "sh")
            .flat_map(|block| block.text.lines().map(|line| (block.line, line)));
        for (line, text) in of_spans.chain(of_blocks) {
            for call in calls_in(text) {
                checked += 1;
                if let Some(fault) = fault_of(&call) {
                    faults.push(format!("{}:{line}: {text}: {fault}", page.path));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(checked > 20, "{checked}");
}

#[test]
fn every_option_that_usage_names_is_one() {
    /// Of the AWS CLI.
    const OTHERS: [&str; 1] = ["--query"];
    let known: BTreeSet<_> = commands()
        .into_values()
        .flat_map(|help| help.options.into_keys())
        .collect();
    let usage = page(USAGE);
    let named = usage
        .spans
        .iter()
        .filter_map(|span| span.text.split(' ').next())
        .filter(|word| word.starts_with("--") && !OTHERS.contains(word));
    for option in named {
        assert!(known.contains(option), "{option}");
    }
}

/// `make help` lists what has `##` behind its name.
fn make_targets() -> BTreeSet<String> {
    text_of("Makefile")
        .lines()
        .filter_map(|line| line.split_once(':'))
        .filter(|(name, rest)| !name.contains([' ', '\t', '$']) && rest.contains("## "))
        .map(|(name, _)| name.to_owned())
        .collect()
}

#[test]
fn every_make_target_that_the_documentation_shows_is_one() {
    let mut targets = make_targets();
    assert!(
        targets.contains("run") && targets.contains("test"),
        "{targets:?}"
    );
    // Made by others, and named where the tests' packages are explained.
    targets.extend(["venv", "venv-infra", "venv-report"].map(str::to_owned));
    let mut faults = Vec::new();
    for page in &pages() {
        let of_spans = page.spans.iter().map(|span| span.text.as_str());
        let of_blocks = page
            .blocks
            .iter()
            .filter(|block| block.language == "sh")
            .flat_map(|block| block.text.lines());
        for text in of_spans.chain(of_blocks) {
            let text = text.split(" #").next().unwrap_or(text);
            let words = text.strip_prefix("make ").into_iter();
            for target in words.flat_map(str::split_whitespace) {
                if target.contains(['=', '"', '…']) {
                    break;
                }
                if !targets.contains(target) {
                    faults.push(format!("{}: make {target}", page.path));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn man_pages_and_completions_have_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let made = run(&["man", folder.path().to_str().unwrap()], "");
    assert_eq!((made.code, made.err.as_str()), (0, ""));
    let commands = commands();
    let expected: BTreeSet<_> = commands
        .keys()
        .map(|command| {
            format!(
                "{}.1",
                [&["sg-trust".to_owned()], &command[..]].concat().join("-")
            )
        })
        .collect();
    let pages: BTreeSet<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(pages, expected);
    for (command, help) in &commands {
        let name = format!(
            "{}.1",
            [&["sg-trust".to_owned()], &command[..]].concat().join("-")
        );
        let text = std::fs::read_to_string(folder.path().join(&name)).unwrap();
        // In the source of a page a hyphen of an option is `\-`.
        let text = text.replace("\\-", "-");
        for option in help.options.keys() {
            assert!(text.contains(option.as_str()), "{name}: {option}");
        }
    }
    let completions: Vec<String> = vec!["completions".to_owned()];
    let shells = &commands[&completions].arguments["SHELL"];
    assert_eq!(shells.len(), 5, "{shells:?}");
    for shell in shells {
        let script = run(&["completions", shell], "");
        assert_eq!(script.code, 0, "{shell}: {}", script.err);
        for (command, help) in &commands {
            for word in command.iter().chain(help.options.keys()) {
                let word = word.trim_start_matches('-');
                assert!(script.out.contains(word), "{shell}: {word}");
            }
        }
    }
}

#[test]
fn a_wrong_option_command_or_value_is_noticed() {
    for wrong in [
        "sg-trust check --formats json x",
        "sg-trust chek x",
        "aws x | sg-trust check --format xml -",
        "sg-trust scan --region Frankfurt",
    ] {
        let calls = calls_in(wrong);
        assert_eq!(calls.len(), 1, "{wrong}");
        assert!(fault_of(&calls[0]).is_some(), "{wrong}");
    }
    let calls = calls_in("$ AWS_PROFILE=a sg-trust check - > x && sg-trust man F   # why");
    assert_eq!(calls, [vec!["check", "-"], vec!["man", "F"]]);
}
