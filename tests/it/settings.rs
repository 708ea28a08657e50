//! Settings files through the command line: what is refused, and what is said about exemptions.

use std::path::PathBuf;

use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cli::{Run, run};
use crate::groups::{group, permissions};

/// A settings file of this name in a folder of its own.
struct SettingsFile {
    _folder: TempDir,
    path: PathBuf,
}

impl SettingsFile {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy.toml");
        std::fs::write(&path, text).unwrap();
        Self {
            _folder: folder,
            path,
        }
    }

    fn path(&self) -> &str {
        self.path.to_str().unwrap()
    }
}

fn exemption(id: &str, rest: &str) -> String {
    format!("[[exemption]]\nid = \"{id}\"\nreason = \"accepted by the board\"\n{rest}\n")
}

/// What is said, without the folder of the settings file.
fn said(err: &str, file: &SettingsFile) -> String {
    err.replace(file.path(), "policy.toml")
}

/// Evaluates a group with these settings.
fn check(text: &str, group: &Value) -> (Run, Value) {
    let file = SettingsFile::new(text);
    let arguments = ["check", "-", "--format", "ndjson", "--policy", file.path()];
    let mut run = run(&arguments, &group.to_string());
    run.err = said(&run.err, &file);
    let checked = serde_json::from_str(&run.out).unwrap();
    (run, checked)
}

fn open(protocol: &str, from: i64, to: i64) -> Value {
    group(&[
        json!({"IpProtocol": protocol, "FromPort": from, "ToPort": to,
        "UserIdGroupPairs": [{"GroupId": "sg-0b", "UserId": "111111111111"}]}),
    ])
}

const TO_SG_0A: &str = "target = { id = \"sg-0a\" }\nsource = \"any\"";

#[test]
fn a_wider_rule_than_was_accepted_fails_again_and_the_sentence_names_the_exemption() {
    let accepted = exemption(
        "ephemeral",
        &format!("{TO_SG_0A}\nallow = {{ protocol = \"tcp\", ports = [[1024, 65535]] }}"),
    );
    let text = format!("max_open_ports = 1000\n{accepted}");
    let verdicts: Vec<_> = [
        open("tcp", 1024, 65_535),
        open("tcp", 60_000, 62_000),
        open("tcp", 1023, 65_535),
        open("tcp", 0, 65_535),
        open("udp", 60_000, 62_000),
        open("-1", 60_000, 62_000),
    ]
    .iter()
    .map(|group| {
        let (run, checked) = check(&text, group);
        assert_eq!(run.err, "");
        let sentence = checked["violations"][0]["sentence"].as_str().unwrap();
        format!("{} {sentence}", checked["verdict"].as_str().unwrap())
    })
    .collect();
    insta::assert_snapshot!(verdicts.join("\n"), @r#"
    EXEMPT sg-0a (target) accepts 64512 of 65536 tcp ports (1024-65535) from sg-0b
    EXEMPT sg-0a (target) accepts 2001 of 65536 tcp ports (60000-62000) from sg-0b
    FAILED sg-0a (target) accepts 64513 of 65536 tcp ports (1023-65535) from sg-0b; exemption ephemeral allows only tcp 1024-65535
    FAILED sg-0a (target) accepts all tcp ports from sg-0b; exemption ephemeral allows only tcp 1024-65535
    FAILED sg-0a (target) accepts 2001 of 65536 udp ports (60000-62000) from sg-0b; exemption ephemeral allows only tcp 1024-65535
    FAILED sg-0a (target) accepts 2001 of 65536 ports (60000-62000) from sg-0b; exemption ephemeral allows only tcp 1024-65535
    "#);
}

#[test]
fn an_exemption_without_allow_does_not_hold_and_the_rest_goes_on() {
    let text = exemption("old", TO_SG_0A)
        + &exemption("itself", "target = { vpc = \"vpc-1\" }\nsource = \"self\"");
    let (run, checked) = check(&text, &open("tcp", 0, 65_535));
    assert_eq!(run.code, 2);
    assert_eq!(checked["verdict"], "FAILED");
    insta::assert_snapshot!(run.err, @r#"
    sg-trust: policy.toml:5: exemption.allow: exemption "old" does not hold: allow is missing. Write the widest traffic that is accepted: allow = "all-traffic", or for example allow = { protocol = "tcp", ports = [[1024, 65535]] }; `sg-trust explain` prints the line that a violation needs
    sg-trust: exemption itself matched no violation: is it still needed, and is it right?
    "#);
    let file = SettingsFile::new(&text);
    let Run { code, out, err } = super::cli::run(&["policy", "--check", file.path()], "");
    assert_eq!((code, out.as_str()), (2, ""));
    assert_eq!(
        said(&err, &file),
        run.err.lines().next().unwrap().to_owned() + "\n"
    );
}

#[test]
fn every_fault_of_every_exemption_is_told() {
    let text = exemption("a", "target = { name = \"web-*\" }\nsource = \"any\"")
        + &exemption(
            "b",
            "target = { account = \"111111111111\", tag = \"aws:cloudformation:stack-name=web\" }\nsource = \"self\"",
        );
    let file = SettingsFile::new(&text);
    let Run { code, err, .. } = run(&["policy", "--show", "--policy", file.path()], "");
    assert_eq!(code, 2);
    insta::assert_snapshot!(said(&err, &file), @r#"
    sg-trust: policy.toml:4: exemption.target: exemption "a" does not hold: it matches only by a name, so whoever may set that could excuse a group: match by id, vpc, default = true or a tag whose value AWS chooses (aws:eks:cluster-name, aws:autoscaling:groupName) too, or say self_service = true
    sg-trust: policy.toml:5: exemption.allow: exemption "a" does not hold: allow is missing. Write the widest traffic that is accepted: allow = "all-traffic", or for example allow = { protocol = "tcp", ports = [[1024, 65535]] }; `sg-trust explain` prints the line that a violation needs
    sg-trust: policy.toml:9: exemption.target: exemption "b" does not hold: it matches only by a tag that people choose (account narrows nothing: whoever could set that is in the account), so whoever may set that could excuse a group: match by id, vpc, default = true or a tag whose value AWS chooses (aws:eks:cluster-name, aws:autoscaling:groupName) too, or say self_service = true
    "#);
}

#[test]
fn an_exemption_that_has_ended_is_a_warning_of_policy_check() {
    let text = exemption(
        "past",
        &format!("{TO_SG_0A}\nallow = \"all-traffic\"\nuntil = 2020-06-30"),
    ) + &exemption(
        "future",
        &format!("{TO_SG_0A}\nallow = \"all-traffic\"\nuntil = 9999-06-30"),
    );
    let file = SettingsFile::new(&text);
    let Run { code, out, err } = run(&["policy", "--check", file.path()], "");
    assert_eq!(
        (code, said(&out, &file).as_str()),
        (0, "policy.toml: valid\n")
    );
    insta::assert_snapshot!(err, @"sg-trust: exemption past ended on 2020-06-30: remove it, or renew it with a reason");
}

#[test]
fn exemptions_of_accounts_that_were_not_evaluated_are_not_warned_of() {
    let of_account = |account: &str| {
        let rest = format!(
            "target = {{ account = \"{account}\" }}\nsource = \"any\"\nallow = \"all-traffic\""
        );
        exemption(account, &rest)
            + &exemption(
                &format!("{account}-past"),
                &format!("{rest}\nuntil = 2020-06-30"),
            )
    };
    let text = of_account("111111111111") + &of_account("999999999999");
    let (run, _) = check(&text, &group(&[]));
    insta::assert_snapshot!(run.err, @r#"
    sg-trust: exemption 111111111111 matched no violation: is it still needed, and is it right?
    sg-trust: exemption 111111111111-past ended on 2020-06-30: remove it, or renew it with a reason
    "#);
}

#[test]
fn nothing_is_called_unused_when_a_part_of_the_input_was_not_read() {
    let text = exemption("unused", "target = { vpc = \"vpc-9\" }\nsource = \"self\"")
        + &exemption(
            "past",
            "target = { vpc = \"vpc-9\" }\nsource = \"self\"\nuntil = 2020-06-30",
        );
    let file = SettingsFile::new(&text);
    let arguments = ["check", "-", "--policy", file.path()];
    for (input, is_whole) in [
        (format!("{}\n", group(&[])), true),
        (
            format!("{}\n{{\"GroupId\":\"sg-0c\"}}\n", group(&[])),
            false,
        ),
        ("{\"SecurityGroups\":[]}".to_owned(), false),
    ] {
        let Run { err, .. } = run(&arguments, &input);
        assert!(err.contains("exemption past ended on 2020-06-30"), "{err}");
        assert_eq!(
            err.contains("exemption unused matched no violation"),
            is_whole,
            "{err}"
        );
    }
}

/// The line that `explain` prints for each violation that no exemption covers.
fn needed(explained: &str) -> Vec<&str> {
    let lines = explained.lines();
    lines
        .filter_map(|line| line.trim().strip_prefix("an exemption would need: "))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// What `explain` prints is enough, and not more than one port less would be.
    #[test]
    fn the_printed_line_covers_the_violation(permissions in permissions()) {
        let group = group(&permissions);
        let explained = run(&["explain", "sg-0a", "--groups", "-"], &group.to_string()).out;
        let (_, checked) = check("", &group);
        let violations = checked["violations"].as_array().unwrap();
        prop_assert_eq!(needed(&explained).len(), violations.len());
        for (line, violation) in needed(&explained).into_iter().zip(violations) {
            let exempting = exemption("a", &format!("{TO_SG_0A}\n{line}"));
            let (run, excused) = check(&exempting, &group);
            prop_assert!(!run.err.contains("does not hold"), "{}", run.err);
            let same = |one: &&Value| ["source", "protocol", "reason"].iter().all(|member| one[*member] == violation[*member]);
            let excused = excused["violations"].as_array().unwrap().iter().find(same).unwrap();
            prop_assert_eq!(&excused["exemption"], "a");
            let Some((before, last)) = line.rsplit_once("65535]]") else { continue };
            let narrower = exemption("a", &format!("{TO_SG_0A}\n{before}65534]]{last}"));
            let (_, failed) = check(&narrower, &group);
            let failed = failed["violations"].as_array().unwrap().iter().find(same).unwrap();
            prop_assert!(failed["exemption"].is_null(), "{}", failed);
            prop_assert!(failed["sentence"].as_str().unwrap().contains("; exemption a allows only "), "{}", failed);
        }
    }
}
