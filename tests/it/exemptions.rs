//! Exemptions and the severity of sensitive groups: through the library, and through the command line.

use std::collections::BTreeMap;
use std::io::Write as _;

use jiff::civil::Date;
use proptest::prelude::*;
use serde_json::{Value, json};
use sg_trust::model::SecurityGroup;
use sg_trust::policy::{ReferencedGroups, Settings, Status, Verdict};

use crate::cli::{Run, run};
use crate::groups::{group, permissions};

const SENSITIVITY: &str = include_str!("../data/sensitivity.toml");
const SOURCES: &str = include_str!("../data/sources.json");

fn policy(text: &str) -> Settings {
    let file = sg_trust::config::read("policy.toml", text).unwrap();
    assert_eq!(file.refused, []);
    file.settings
}

fn evaluate(policy: &Settings, group: &Value, peers: &[Value], today: &str) -> Verdict {
    let group: SecurityGroup = serde_json::from_value(group.clone()).unwrap();
    let mut seen = ReferencedGroups::default();
    for peer in peers {
        seen.add(policy, &serde_json::from_value(peer.clone()).unwrap());
    }
    sg_trust::policy::evaluate(policy, &group, &seen, today.parse::<Date>().unwrap())
}

fn exemption() -> impl Strategy<Value = String> {
    let target = prop::sample::select(vec![
        r#"{ vpc = "vpc-1" }"#,
        r#"{ vpc = "vpc-2" }"#,
        r#"{ account = "111111111111", vpc = "vpc-1", tag = "a=b" }"#,
        r#"{ id = "sg-0a", name = "tar*" }"#,
    ]);
    let source = prop::sample::select(vec![
        r#""any""#,
        r#""self""#,
        r#""same-account""#,
        r#""sg-0b""#,
        r#"{ id = "sg-0c", account = "222222222222" }"#,
    ]);
    let until = prop::sample::select(vec!["", "until = 2026-11-23", "until = 2026-11-24"]);
    let allow = prop::sample::select(vec![
        r#""all-traffic""#,
        r#"{ protocol = "tcp", ports = [[0, 65535]] }"#,
        r#"[{ protocol = "tcp", ports = [[0, 40000]] }, { protocol = -1, ports = [[1, 65535]] }]"#,
    ]);
    (target, source, until, allow).prop_map(|(target, source, until, allow)| {
        format!("[[exemption]]\nid = \"ID\"\nreason = \"accepted by the board\"\ntarget = {target}\nsource = {source}\nallow = {allow}\n{until}\n")
    })
}

fn settings(exemptions: &[String]) -> Settings {
    let exemptions: Vec<_> = exemptions
        .iter()
        .enumerate()
        .map(|(number, text)| text.replace("ID", &number.to_string()))
        .collect();
    policy(&exemptions.concat())
}

fn level() -> impl Strategy<Value = Option<&'static str>> {
    prop::sample::select(vec![
        None,
        Some("public"),
        Some("Internal"),
        Some("confidential"),
        Some("restricted"),
        Some("unheard-of"),
    ])
}

fn tagged(id: &str, level: Option<&str>, permissions: &[Value]) -> Value {
    let tags: BTreeMap<_, _> = level
        .iter()
        .map(|level| ("DataClassification", level))
        .collect();
    json!({"GroupId": id, "OwnerId": "111111111111", "Tags": tags, "IpPermissions": permissions})
}

proptest! {
    /// What an exemption does not match stays as it is, and a group that passed stays passed.
    #[test]
    fn an_exemption_excuses_what_it_matches_and_nothing_else(
        permissions in permissions(), exemptions in prop::collection::vec(exemption(), 0..4), more in exemption()
    ) {
        let group = group(&permissions);
        let before = evaluate(&settings(&exemptions), &group, &[], "2026-11-24");
        let more = [exemptions, vec![more]].concat();
        let number = more.len() - 1;
        let after = evaluate(&settings(&more), &group, &[], "2026-11-24");
        prop_assert_eq!(before.status == Status::Passed, after.status == Status::Passed);
        prop_assert!(before.status != Status::Exempt || after.status == Status::Exempt);
        prop_assert_eq!(before.violations.len(), after.violations.len());
        for (was, is) in before.violations.iter().zip(&after.violations) {
            if is.matched.contains(&number) {
                prop_assert!(was.exemption.is_none() || was.exemption == is.exemption);
                prop_assert!(is.exemption.is_none() || is.exceeded.is_none());
            } else {
                prop_assert_eq!(was, is);
            }
        }
    }

    /// The nearer the source comes to the target, the less bad.
    #[test]
    fn a_more_sensitive_source_is_never_worse(target in level(), one in level(), other in level()) {
        let policy = policy(SENSITIVITY);
        let open = [json!({"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "sg-0b", "UserId": "111111111111"}]})];
        let severity = |source| {
            let verdict = evaluate(&policy, &tagged("sg-0a", target, &open), &[tagged("sg-0b", source, &[])], "2026-11-24");
            verdict.severity
        };
        let rank = |level: Option<&str>| {
            ["public", "internal", "confidential", "restricted"]
                .iter()
                .position(|name| level.is_some_and(|level| level.eq_ignore_ascii_case(name)))
                .unwrap_or(1)
        };
        if rank(one) <= rank(other) {
            prop_assert!(severity(one) >= severity(other));
        }
        let names = ["LOW", "MEDIUM", "HIGH", "CRITICAL"];
        prop_assert_eq!(severity(one).as_str(), names[rank(target).saturating_sub(rank(one))]);
    }

    /// Whatever the order in which groups come, a stream is evaluated as a snapshot is.
    #[test]
    fn a_stream_in_any_order_gives_what_a_whole_gives(
        levels in prop::collection::vec(level(), 6), edges in prop::collection::vec((0_usize..6, 0_usize..8), 0..12),
        order in Just((0..6).collect::<Vec<usize>>()).prop_shuffle()
    ) {
        let groups: Vec<_> = levels.iter().enumerate().map(|(n, level)| {
            let pairs: Vec<_> = edges.iter().filter(|(from, _)| *from == n)
                .map(|(_, to)| json!({"GroupId": format!("sg-0{to}"), "UserId": "111111111111"})).collect();
            let permissions = if pairs.is_empty() { vec![] } else { vec![json!({"IpProtocol": "-1", "UserIdGroupPairs": pairs})] };
            tagged(&format!("sg-0{n}"), *level, &permissions)
        }).collect();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(SENSITIVITY.as_bytes()).unwrap();
        let lines: Vec<_> = order.iter().map(|n| groups[*n].to_string()).collect();
        let Run { out, .. } = run(&["check", "-", "--format", "ndjson", "--policy", file.path().to_str().unwrap()], &lines.join("\n"));
        let streamed: BTreeMap<String, Value> = out.lines().map(|line| {
            let group: Value = serde_json::from_str(line).unwrap();
            (group["group_id"].as_str().unwrap().to_owned(), group)
        }).collect();
        prop_assert_eq!(streamed.len(), 6);
        let policy = policy(SENSITIVITY);
        for group in &groups {
            let verdict = evaluate(&policy, group, &groups, "2026-11-24");
            let of_stream = &streamed[group["GroupId"].as_str().unwrap()];
            prop_assert_eq!(&of_stream["severity"], verdict.severity.as_str());
            let target: SecurityGroup = serde_json::from_value(group.clone()).unwrap();
            let sentences: Vec<_> = verdict.violations.iter().map(|violation| json!(sg_trust::report::prose::describe_violation(&target, violation))).collect();
            let of_stream: Vec<_> = of_stream["violations"].as_array().unwrap().iter().map(|violation| violation["sentence"].clone()).collect();
            prop_assert_eq!(of_stream, sentences);
        }
    }
}

#[test]
fn the_severity_comes_from_both_ends_and_the_sentence_says_so() {
    let Run { code, out, .. } = run(
        &[
            "check",
            "-",
            "--policy",
            "tests/data/sensitivity.toml",
            "--format",
            "json",
        ],
        SOURCES,
    );
    assert_eq!(code, 1);
    let report: Value = serde_json::from_str(&out).unwrap();
    let group = report["groups"]
        .as_array()
        .unwrap()
        .iter()
        .find(|group| group["verdict"] == "FAILED")
        .unwrap();
    let said: Vec<_> = group["violations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|violation| {
            format!(
                "{} {}",
                violation["severity"].as_str().unwrap(),
                violation["sentence"].as_str().unwrap()
            )
        })
        .collect();
    insta::assert_snapshot!(said.join("\n"), @r#"
    LOW sg-0000000000000000a (payments-db, restricted) accepts all traffic from itself
    HIGH sg-0000000000000000a (payments-db, restricted) accepts all traffic from sg-0000000000000000b (web, internal), described as "until the migration is over"
    LOW sg-0000000000000000a (payments-db, restricted) accepts all traffic from sg-0000000000000000c (payments-app, restricted)
    CRITICAL sg-0000000000000000a (payments-db, restricted) accepts all traffic from sg-0000000000000000d
    CRITICAL sg-0000000000000000a (payments-db, restricted) accepts all traffic from sg-0000000000000000e in account 222222222222
    CRITICAL sg-0000000000000000a (payments-db, restricted) accepts all traffic from sg-0000000000000000f in account 222222222222 over pcx-0aa11bb22cc33dd44
    CRITICAL sg-0000000000000000a (payments-db, restricted) accepts all traffic from sg-00000000000000010 in account 222222222222 over pcx-0bb11bb22cc33dd44 (peering deleted)
    CRITICAL sg-0000000000000000a (payments-db, restricted) accepts all traffic from sg-00000000000000011 (owner unknown), described as "through the transit gateway"
    "#);
}

/// Its tags are not this account's: what they say must not make anything less severe.
#[test]
fn a_source_of_another_account_is_unseen_even_where_it_is_shown() {
    let foreign = json!([{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "sg-0b", "UserId": "222222222222"}]}]);
    let unknown = json!([{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "sg-0b"}]}]);
    let mut theirs = tagged("sg-0b", Some("restricted"), &[]);
    theirs["OwnerId"] = json!("222222222222");
    for permissions in [foreign, unknown] {
        let target = tagged("sg-0a", Some("restricted"), permissions.as_array().unwrap());
        let verdict = evaluate(
            &policy(SENSITIVITY),
            &target,
            &[theirs.clone()],
            "2026-11-24",
        );
        assert_eq!(
            verdict.severity.as_str(),
            "CRITICAL",
            "{:?}",
            verdict.violations
        );
    }
}

#[test]
fn the_order_of_lines_with_one_id_does_not_show() {
    let target = r#"{"GroupId":"sg-0a","OwnerId":"111111111111","Tags":{"DataClassification":"restricted"},"IpPermissions":[{"IpProtocol":"-1","UserIdGroupPairs":[{"GroupId":"sg-0b","UserId":"111111111111"}]}]}"#;
    let source = |level: &str| {
        format!(
            r#"{{"GroupId":"sg-0b","OwnerId":"111111111111","Tags":{{"DataClassification":"{level}"}},"IpPermissions":[]}}"#
        )
    };
    for lines in [
        [source("public"), source("restricted")],
        [source("restricted"), source("public")],
    ] {
        let input = format!("{}\n{}\n{target}", lines[0], lines[1]);
        let Run { out, .. } = run(
            &[
                "check",
                "-",
                "--format",
                "ndjson",
                "--policy",
                "tests/data/sensitivity.toml",
            ],
            &input,
        );
        assert!(out.contains(r#""severity":"CRITICAL""#), "{out}");
    }
}

#[test]
fn nobody_is_told_to_revoke_what_was_accepted() {
    let mut settings = tempfile::NamedTempFile::new().unwrap();
    let text = "[[exemption]]\nid = \"itself\"\nreason = \"EKS restores this rule\"\ntarget = { account = \"111111111111\" }\nsource = \"self\"\n";
    settings.write_all(text.as_bytes()).unwrap();
    let arguments = [
        "check",
        "-",
        "--policy",
        settings.path().to_str().unwrap(),
        "--format",
        "asff",
        "--region",
        "eu-west-1",
    ];
    let Run { out, .. } = run(&arguments, SOURCES);
    let findings: Value = serde_json::from_str(&out).unwrap();
    let failed = findings
        .as_array()
        .unwrap()
        .iter()
        .find(|finding| finding["Compliance"]["Status"] == "FAILED")
        .unwrap();
    let fields = failed["ProductFields"].as_object().unwrap();
    let exempt = fields
        .iter()
        .find(|(name, value)| {
            name.starts_with("sg-trust/violation/")
                && value.as_str().unwrap().contains("exemption itself")
        })
        .unwrap()
        .0;
    assert!(
        !fields.contains_key(&exempt.replace("violation", "fix")),
        "{fields:?}"
    );
    assert!(
        failed["Description"]
            .as_str()
            .unwrap()
            .contains("from itself (exempt: itself)."),
        "{failed}"
    );
}

#[test]
fn explain_tells_everything() {
    let mut settings = tempfile::NamedTempFile::new().unwrap();
    let exemptions = r#"
[[exemption]]
id = "itself"
reason = "members of the cluster talk to each other"
owner = "payments@example.com"
target = { account = "111111111111" }
source = "self"
[[exemption]]
id = "ended"
reason = "until the migration is over"
until = 2020-06-30
target = { id = "sg-0000000000000000a" }
source = "sg-0000000000000000b"
allow = "all-traffic"
[[exemption]]
id = "other-tier"
reason = "not about the database at all"
target = { vpc = "vpc-0aa11bb22cc33dd44", name = "web-*" }
source = "any"
allow = "all-traffic"
[[exemption]]
id = "https"
reason = "the web tier needs it until it is split"
target = { id = "sg-0000000000000000a" }
source = "same-account"
allow = [{ protocol = "tcp", ports = [[443, 443], [8000, 9000]] }, { protocol = 50, ports = [[0, 65535]] }]
"#;
    settings
        .write_all([SENSITIVITY, exemptions].concat().as_bytes())
        .unwrap();
    let path = settings.path().to_str().unwrap();
    let Run { code, out, .. } = run(
        &[
            "explain",
            "sg-0000000000000000a",
            "--groups",
            "-",
            "--policy",
            path,
        ],
        SOURCES,
    );
    assert_eq!(code, 1);
    let of_two: Vec<_> = out
        .split("\n\n")
        .filter(|block| {
            let block = block.split_whitespace().collect::<Vec<_>>().join(" ");
            block.contains("from itself") || block.contains("(web, internal)")
        })
        .flat_map(str::lines)
        .filter(|line| !line.contains("aws ec2"))
        .collect();
    insta::assert_snapshot!(of_two.join("\n"), @r#"
    sg-0000000000000000a (payments-db, restricted) accepts all traffic from itself [all-traffic]
      severity LOW: the setting `severity` is LOW; the group is restricted, the source is restricted:
        not less sensitive
      exemption itself covers it: members of the cluster talk to each other (owner
        payments@example.com)
      exemption ended does not cover it: the source is not sg-0000000000000000b
      exemption other-tier does not cover it: the group's name is not web-*
      exemption https does not reach as far: it allows only tcp 443, 8000-9000 and all protocol 50
        traffic
    sg-0000000000000000a (payments-db, restricted) accepts all traffic from sg-0000000000000000b (web,
      internal), described as "until the migration is over"; exemption https allows only tcp 443,
      8000-9000 and all protocol 50 traffic [all-traffic]
      severity HIGH: the setting `severity` is LOW; the group is restricted, the source is internal: 2
        levels less sensitive, which `raise` makes HIGH
      exemption itself does not cover it: the source is not the group itself
      exemption ended would cover it, but ended on 2020-06-30
      exemption other-tier does not cover it: the group's name is not web-*
      exemption https does not reach as far: it allows only tcp 443, 8000-9000 and all protocol 50
        traffic
      an exemption would need: allow = "all-traffic"
    "#);
    assert!(
        out.ends_with(
            "Severity CRITICAL: the highest of the violations that are not exempt (7 of 8).\n"
        ),
        "{out}"
    );
}

#[test]
fn an_exempt_group_is_shown_with_its_reason_and_warned_of() {
    let mut settings = tempfile::NamedTempFile::new().unwrap();
    let text = "[[exemption]]\nid = \"itself\"\nreason = \"EKS restores this rule\"\ntarget = { account = \"111111111111\" }\nsource = \"any\"\nallow = \"all-traffic\"\n\
        [[exemption]]\nid = \"gone\"\nreason = \"nothing is excused by this\"\ntarget = { vpc = \"vpc-0bb11bb22cc33dd44\" }\nsource = \"any\"\nallow = \"all-traffic\"\n";
    settings.write_all(text.as_bytes()).unwrap();
    let path = settings.path().to_str().unwrap();
    let Run { code, out, err } = run(&["check", "-", "--policy", path], SOURCES);
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("EXEMPT"), "{out}");
    assert!(
        out.contains("exempt by itself: EKS restores this rule"),
        "{out}"
    );
    assert!(
        out.contains("3 groups: 2 passed, 0 failed, 1 exempt"),
        "{out}"
    );
    assert_eq!(
        err,
        "sg-trust: exemption gone matched no violation: is it still needed, and is it right?\n"
    );
    let Run { out, .. } = run(
        &[
            "check",
            "-",
            "--policy",
            path,
            "--format",
            "asff",
            "--region",
            "eu-west-1",
        ],
        SOURCES,
    );
    assert!(out.contains("\"ReasonCode\": \"EXEMPTED\""), "{out}");
}

#[test]
fn a_tag_change_concerns_the_groups_that_reference_the_group() {
    let references = |more: &[&str]| {
        let arguments = [&["targets", "events/create-tags.json"], more].concat();
        run(&arguments, "").out.matches("\"referencing\"").count()
    };
    assert_eq!(references(&[]), 0);
    assert_eq!(references(&["--policy", "tests/data/sensitivity.toml"]), 2);
}
