//! The help of every command: it reads well in a terminal, and its examples are right.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use crate::cli::run;

/// What needs an account of AWS.
const LIVE: [&str; 8] = [
    "doctor",
    "retire",
    "scan",
    "undo",
    "--live",
    "--all-failed",
    "--apply",
    "--replace",
];

fn help(arguments: &[&str], columns: usize) -> String {
    let output = Command::new(assert_cmd::cargo::cargo_bin("sg-trust"))
        .args(arguments)
        .arg("--help")
        .env("COLUMNS", columns.to_string())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The help of every command that the help lists, and that help itself.
fn every_help(columns: usize) -> Vec<(String, String)> {
    let all = help(&[], 200);
    let (_, listed) = all.split_once("Commands:\n").unwrap();
    let (listed, _) = listed.split_once("\n\n").unwrap();
    let commands = listed
        .lines()
        .map(|line| line.split_whitespace().next().unwrap())
        .filter(|command| *command != "help");
    let of_commands = commands.map(|command| (command.to_owned(), help(&[command], columns)));
    let helps: Vec<_> = [(String::new(), help(&[], columns))]
        .into_iter()
        .chain(of_commands)
        .collect();
    assert!(helps.len() > 10, "{listed}");
    helps
}

/// A paragraph of more than one line would be broken twice: where it was written, and where the terminal ends.
#[test]
fn paragraphs_are_broken_by_the_terminal_alone() {
    for (command, help) in every_help(1000) {
        for paragraph in help.split("\n\n") {
            let is_prose = paragraph.lines().all(|line| {
                line.starts_with(|first: char| first.is_uppercase()) || line.len() > 100
            });
            let is_list = paragraph.lines().any(|line| line.starts_with(' '));
            assert!(
                is_list || (is_prose && paragraph.lines().count() == 1),
                "{command}: {paragraph}"
            );
        }
    }
    for (command, help) in every_help(80) {
        let examples = |line: &&str| !line.starts_with("  ");
        let longest = help
            .lines()
            .filter(examples)
            .map(|line| line.chars().count())
            .max();
        assert!(longest <= Some(80), "{command}: {longest:?}");
    }
}

fn examples() -> Vec<String> {
    let mut examples = Vec::new();
    for (_, help) in every_help(1000) {
        let (_, listed) = help.split_once("Examples:\n").unwrap();
        let (listed, _) = listed.split_once("\n\n").unwrap_or((listed, ""));
        examples.extend(listed.lines().map(|line| line.trim().to_owned()));
    }
    examples
}

fn program(folder: &Path, name: &str, script: &str) {
    let path = folder.join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Every example that needs no account, in a folder with the files that it names.
#[test]
fn examples_do_what_they_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for name in ["events", "tests"] {
        symlink(root.join(name), at(name)).unwrap();
    }
    // As an old AWS CLI prints them: without the ARNs, which tell the Region.
    let account = std::fs::read_to_string(root.join("events/account.json")).unwrap();
    let groups = account.replace("\"SecurityGroupArn\"", "\"Arn\"");
    for name in ["groups.json", "answer.json"] {
        std::fs::write(at(name), &groups).unwrap();
    }
    std::fs::write(at("interfaces.json"), r#"{"NetworkInterfaces":[]}"#).unwrap();
    std::fs::copy(root.join("events/authorize-ingress.json"), at("event.json")).unwrap();
    std::fs::copy(root.join("policy.example.toml"), at("policy.toml")).unwrap();
    let programs = at("programs");
    for folder in [
        &programs,
        &at(".zfunc"),
        &at(".local/share/bash-completion/completions"),
    ] {
        std::fs::create_dir_all(folder).unwrap();
    }
    program(
        &programs,
        "aws",
        "if [ $1 = cloudformation ]; then cat change-set.json; else cat answer.json; fi",
    );
    for (name, text) in [
        ("change-set.json", r#"{"Changes":[]}"#),
        ("production.json", "[]"),
        (
            "template.yaml",
            "Resources: {Topic: {Type: 'AWS::SNS::Topic'}}",
        ),
        (
            "deployed.yaml",
            "Resources: {Topic: {Type: 'AWS::SNS::Topic'}}",
        ),
    ] {
        std::fs::write(at(name), text).unwrap();
    }
    program(&programs, "jq", "cat");
    let plan = "tests/data/plans/no-op/plan.json";
    std::fs::copy(root.join(plan), at("plan.json")).unwrap();
    program(&programs, "terraform", &format!("cat {plan}"));
    program(&programs, "dot", "grep digraph");
    program(&programs, "man", "test -e .local/share/man/man1/$1.1");
    symlink(
        assert_cmd::cargo::cargo_bin("sg-trust"),
        programs.join("sg-trust"),
    )
    .unwrap();
    let mut ran = 0;
    for example in examples() {
        assert!(example.contains("sg-trust "), "{example}");
        if LIVE
            .iter()
            .any(|word| example.split_whitespace().any(|other| other == *word))
        {
            continue;
        }
        let output = Command::new("sh")
            .args(["-c", &example])
            .current_dir(folder.path())
            .env("HOME", folder.path())
            .env("PATH", format!("{}:/usr/bin:/bin", programs.display()))
            .env_remove("AWS_REGION")
            .output()
            .unwrap();
        let code = output.status.code().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert!(code < 2 && err.is_empty(), "{example}: {code} {err}");
        ran += 1;
    }
    assert!(ran >= 15, "{ran}");
    // What needs an account is at least understood.
    for example in [
        "scan --region eu-west-1 --region us-east-1 --format yaml",
        "retire",
    ] {
        let arguments: Vec<_> = example.split_whitespace().collect();
        assert!(
            run(&arguments, "")
                .err
                .contains("For more information, try '--help'")
        );
    }
}
