//! `replay` against the snapshots of an organisation: the function that works for all of its accounts, without AWS.

use serde_json::{Value, json};

use crate::cli::{Run, run};

const ORGANISATION: &str = "events/organisation";

fn replay(event: &str, more: &[&str]) -> Run {
    let arguments = [
        "replay",
        event,
        "--groups",
        ORGANISATION,
        "--format",
        "asff",
    ];
    run(&[&arguments, more].concat(), "")
}

/// Account and group of each finding, in order.
fn findings(out: &str) -> Vec<(String, String)> {
    let findings: Vec<Value> = serde_json::from_str(out).unwrap();
    let told = findings.iter().map(|finding| {
        let account = finding["AwsAccountId"].as_str().unwrap();
        let id = finding["Id"].as_str().unwrap();
        assert!(id.starts_with(&format!("eu-west-1/{account}/")), "{id}");
        (
            account.to_owned(),
            id.rsplit('/').next().unwrap().to_owned(),
        )
    });
    told.collect()
}

fn of(account: &str, group: &str) -> (String, String) {
    (account.to_owned(), group.to_owned())
}

#[test]
fn each_account_of_a_batch_has_its_findings() {
    let Run { code, out, err } = replay("events/central.json", &[]);
    assert_eq!((code, err.as_str()), (1, ""));
    assert_eq!(
        findings(&out),
        [
            of("111111111111", "sg-0a000000000000001"),
            of("222222222222", "sg-0b000000000000003"),
            of("333333333333", "sg-0c000000000000001"),
        ]
    );
}

#[test]
fn what_is_forged_has_no_finding() {
    let Run { code, out, err } = replay("events/central-refused.json", &[]);
    assert_eq!(code, 2, "{err}");
    assert_eq!(findings(&out), [of("222222222222", "sg-0b000000000000003")]);
    let lines: Vec<_> = err.lines().collect();
    assert_eq!(lines.len(), 2, "{err}");
    assert!(
        lines[0].contains("the record in it was received by 333333333333"),
        "{err}"
    );
    assert!(
        lines[1].contains("the function's own work queue only"),
        "{err}"
    );
}

#[test]
fn a_sweep_of_all_sweeps_every_account_of_the_directory() {
    let Run { code, out, err } = replay("events/sweep-all.json", &["--region", "eu-west-1"]);
    assert_eq!((code, err.as_str()), (1, ""));
    let all = findings(&out);
    for account in ["111111111111", "222222222222", "333333333333"] {
        let one = json!({"action": "sweep", "account": account}).to_string();
        let arguments = [
            "replay",
            "-",
            "--groups",
            ORGANISATION,
            "--format",
            "asff",
            "--region",
            "eu-west-1",
        ];
        let Run { out, .. } = run(&arguments, &one);
        let own = all.iter().filter(|(of, _)| of == account).cloned();
        assert_eq!(findings(&out), own.collect::<Vec<_>>(), "{account}");
        assert!(!findings(&out).is_empty());
    }
}

#[test]
fn the_same_id_in_two_accounts_is_two_groups() {
    let folder = tempfile::tempdir().unwrap();
    let (id, source) = ("sg-0123456789abcdef0", "sg-0fedcba9876543210");
    for (account, is_open) in [("111111111111", true), ("222222222222", false)] {
        let pairs = if is_open {
            json!([{"GroupId": source, "UserId": account}])
        } else {
            json!([])
        };
        let permission = json!({"IpProtocol": "-1", "UserIdGroupPairs": pairs});
        let group = json!({"GroupId": id, "OwnerId": account, "IpPermissions": [permission]});
        let file = folder.path().join(format!("{account}_eu-west-1.json"));
        std::fs::write(file, json!({"SecurityGroups": [group]}).to_string()).unwrap();
    }
    let events: Vec<_> = ["111111111111", "222222222222", "333333333333"]
        .map(|account| json!({"action": "evaluate", "group_ids": [id], "account": account}))
        .into();
    let folder = folder.path().to_str().unwrap();
    let arguments = [
        "replay",
        "-",
        "--groups",
        folder,
        "--format",
        "json",
        "--region",
        "eu-west-1",
    ];
    let Run { code, out, err } = run(&arguments, &Value::from(events).to_string());
    assert_eq!(code, 2);
    assert_eq!(err.lines().count(), 1, "{err}");
    assert!(
        err.contains("has no groups of account 333333333333"),
        "{err}"
    );
    let shown: Value = serde_json::from_str(&out).unwrap();
    let groups = shown["groups"].as_array().unwrap().iter();
    let verdicts: Vec<_> = groups
        .map(|group| (&group["owner_id"], &group["verdict"]))
        .collect();
    assert_eq!(
        verdicts,
        [
            (&json!("111111111111"), &json!("FAILED")),
            (&json!("222222222222"), &json!("PASSED"))
        ]
    );
}

#[test]
fn a_table_tells_whose_each_group_is() {
    let Run { out, .. } = run(
        &["replay", "events/central.json", "--groups", ORGANISATION],
        "",
    );
    let headings: Vec<_> = out
        .lines()
        .filter(|line| line.starts_with("account "))
        .collect();
    assert_eq!(
        headings,
        ["111111111111", "222222222222", "333333333333"]
            .map(|account| format!("account {account}, region eu-west-1"))
    );
}

#[test]
fn an_event_without_an_account_needs_to_know_whose_it_is() {
    let Run { code, err, .. } = replay("events/sweep.json", &["--region", "eu-west-1"]);
    assert_eq!(code, 2);
    assert!(
        err.contains("say with --account which is the function's own"),
        "{err}"
    );
    let Run { code, out, .. } = replay(
        "events/sweep.json",
        &["--region", "eu-west-1", "--account", "222222222222"],
    );
    assert_eq!(code, 1);
    assert!(
        findings(&out)
            .iter()
            .all(|(account, _)| account == "222222222222")
    );
}
