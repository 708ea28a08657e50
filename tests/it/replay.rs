//! `replay` against a snapshot: which account and Region it runs in, and what it says when an event or a snapshot is wrong.

use assert_cmd::Command;
use serde_json::{Value, json};

const ACCOUNT: &str = "events/account.json";
const OWN: &str = "123456789012";
const OTHER: &str = "210987654321";

struct Run {
    code: i32,
    out: String,
    err: String,
}

fn replay(arguments: &[&str], environment: &[(&str, &str)], input: &str) -> Run {
    let output = Command::cargo_bin("sg-trust")
        .unwrap()
        .arg("replay")
        .args(arguments)
        .env_remove("AWS_REGION")
        .env_remove("AWS_DEFAULT_REGION")
        .envs(environment.iter().copied())
        .write_stdin(input)
        .output()
        .unwrap();
    Run {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn summary(run: &Run) -> Value {
    serde_json::from_str::<Value>(&run.out).unwrap()["summary"].clone()
}

/// A snapshot of one open group, which tells neither its Region nor, when asked, its owner.
fn snapshot(owner: Option<&str>) -> String {
    json!({"SecurityGroups": [{"GroupId": "sg-0123456789abcdef0", "OwnerId": owner,
        "IpPermissions": [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "sg-0fedcba9876543210"}]}]}]})
    .to_string()
}

#[test]
fn the_bare_actions_of_the_samples_can_be_replayed() {
    for (event, groups) in [("events/sweep.json", 6), ("events/evaluate.json", 2)] {
        let run = replay(
            &[
                event,
                "--groups",
                ACCOUNT,
                "--account",
                OWN,
                "--format",
                "json",
            ],
            &[],
            "",
        );
        assert_eq!(run.code, 1, "{}", run.err);
        assert_eq!(summary(&run)["groups"], groups, "{event}");
        let run = replay(&[event, "--groups", ACCOUNT], &[], "");
        assert_eq!((run.code, run.out.as_str()), (2, ""));
        insta::allow_duplicates! {
            insta::assert_snapshot!(run.err.replace(event, "EVENT"), @"sg-trust: EVENT: the event names no account, and the snapshot has groups of 123456789012, 210987654321: say which is meant with --account");
        }
    }
}

#[test]
fn an_account_that_neither_event_nor_snapshot_tells_is_given() {
    let run = replay(
        &["events/evaluate.json", "--groups", "-"],
        &[],
        &snapshot(None),
    );
    assert_eq!((run.code, run.out.as_str()), (2, ""));
    insta::assert_snapshot!(run.err, @"sg-trust: events/evaluate.json: neither the event nor the snapshot names an account (no account, no OwnerId): give it with --account");
    let arguments = ["events/evaluate.json", "--groups", "-", "--account", OWN];
    let run = replay(&arguments, &[], &snapshot(None));
    assert_eq!(run.code, 1, "{}", run.err);
}

#[test]
fn an_account_that_contradicts_event_or_snapshot_is_an_error() {
    let arguments = [
        "events/authorize-ingress.json",
        "--groups",
        ACCOUNT,
        "--account",
        OTHER,
    ];
    let run = replay(&arguments, &[], "");
    assert_eq!(run.code, 2);
    insta::assert_snapshot!(run.err, @"sg-trust: events/authorize-ingress.json: --account is 210987654321, and the event is of account 123456789012");
    let arguments = ["events/evaluate.json", "--groups", "-", "--account", OTHER];
    let run = replay(&arguments, &[], &snapshot(Some(OWN)));
    assert_eq!(run.code, 2);
    insta::assert_snapshot!(run.err, @"sg-trust: events/evaluate.json: --account is 210987654321, and the snapshot has groups of account 123456789012");
    let arguments = ["events/evaluate.json", "--groups", "-", "--account", "1234"];
    let run = replay(&arguments, &[], &snapshot(Some(OWN)));
    assert!(
        run.code == 2 && run.err.contains("12 digits"),
        "{}",
        run.err
    );
}

#[test]
fn a_table_and_json_need_no_region() {
    for format in ["table", "json"] {
        for environment in [&[][..], &[("AWS_REGION", "nonsense")]] {
            let arguments = ["events/evaluate.json", "--groups", "-", "--format", format];
            let run = replay(&arguments, environment, &snapshot(Some(OWN)));
            assert_eq!((run.code, run.err.as_str()), (1, ""), "{format}");
            assert!(
                run.out.contains("revoke-security-group-ingress") && !run.out.contains("--region"),
                "{}",
                run.out
            );
        }
        let arguments = ["events/evaluate.json", "--groups", "-", "--format", format];
        let environment = [("AWS_DEFAULT_REGION", "eu-west-1")];
        let run = replay(&arguments, &environment, &snapshot(Some(OWN)));
        assert!(run.out.contains("--region eu-west-1"), "{}", run.out);
    }
}

#[test]
fn findings_need_a_region() {
    let arguments = ["events/evaluate.json", "--groups", "-", "--format", "asff"];
    let run = replay(&arguments, &[], &snapshot(Some(OWN)));
    assert_eq!((run.code, run.out.as_str()), (2, ""));
    insta::assert_snapshot!(run.err, @"sg-trust: events/evaluate.json: neither the event nor the snapshot names a Region: give it with --region, or set AWS_REGION or AWS_DEFAULT_REGION");
    let run = replay(
        &arguments,
        &[("AWS_REGION", "nonsense")],
        &snapshot(Some(OWN)),
    );
    assert!(
        run.code == 2 && run.err.contains("AWS_REGION is \"nonsense\""),
        "{}",
        run.err
    );
    let of_default = [("AWS_DEFAULT_REGION", "eu-west-1")];
    let of_both = [
        ("AWS_REGION", "eu-west-2"),
        ("AWS_DEFAULT_REGION", "eu-west-1"),
    ];
    for (environment, more, region) in [
        (&of_default[..], &[][..], "eu-west-1"),
        (&of_both, &[], "eu-west-2"),
        (&of_both, &["--region", "eu-west-3"], "eu-west-3"),
    ] {
        let run = replay(
            &[&arguments[..], more].concat(),
            environment,
            &snapshot(Some(OWN)),
        );
        let findings: Value = serde_json::from_str(&run.out).unwrap();
        assert_eq!(findings[0]["Resources"][0]["Region"], region, "{}", run.err);
    }
    // The event's, and the group's own, go before the environment's.
    for event in ["events/authorize-ingress.json", "events/evaluate.json"] {
        let arguments = [
            event,
            "--groups",
            ACCOUNT,
            "--account",
            OWN,
            "--format",
            "asff",
        ];
        let run = replay(&arguments, &of_both, "");
        let findings: Value = serde_json::from_str(&run.out).unwrap();
        assert_eq!(
            findings[0]["Resources"][0]["Region"], "us-east-1",
            "{event}"
        );
    }
}

#[test]
fn a_region_that_contradicts_event_or_snapshot_is_an_error() {
    for event in ["events/authorize-ingress.json", "events/evaluate.json"] {
        let arguments = [
            event,
            "--groups",
            ACCOUNT,
            "--account",
            OWN,
            "--region",
            "eu-west-1",
        ];
        let run = replay(&arguments, &[], "");
        assert_eq!((run.code, run.out.as_str()), (2, ""));
        assert!(
            run.err.contains("--region is eu-west-1, and the ") && run.err.contains("us-east-1"),
            "{}",
            run.err
        );
    }
}

#[test]
fn an_error_of_the_event_is_reported_before_one_of_the_snapshot() {
    for event in ["malformed-time", "malformed-action", "malformed-shape"] {
        let path = format!("events/{event}.json");
        for groups in [
            "/nowhere/at/all.json",
            "events/malformed-shape.json",
            ACCOUNT,
        ] {
            let run = replay(&[&path, "--groups", groups], &[], "");
            assert_eq!((run.code, run.out.as_str()), (2, ""));
            assert!(
                run.err.starts_with(&format!("sg-trust: {path}: no"))
                    && run.err.lines().count() == 1,
                "{}",
                run.err
            );
        }
    }
    let run = replay(
        &[
            "events/sqs-with-unreadable.json",
            "--groups",
            "/nowhere.json",
        ],
        &[],
        "",
    );
    insta::assert_snapshot!(run.err, @r#"
    sg-trust: events/sqs-with-unreadable.json: message 2: body is not JSON: it is "not json"
    sg-trust: events/sqs-with-unreadable.json: message 3: no known shape of an event: found an object with "hello"; expected an EventBridge event (source, detail-type, detail), a CloudTrail record (eventSource, eventName), a message of AWS Config (messageType), {"action":"sweep"}, {"action":"evaluate","group_ids":["sg-…"]}, or such documents in SQS or SNS records, in a list, or in a failure record of Lambda
    sg-trust: /nowhere.json: cannot be opened: No such file or directory (os error 2)
    "#);
    assert_eq!((run.code, run.out.as_str()), (2, ""));
}

#[test]
fn a_snapshot_without_groups_is_no_snapshot() {
    let run = replay(
        &["events/authorize-ingress.json", "--groups", "-"],
        &[],
        r#"{"SecurityGroups": null}"#,
    );
    assert_eq!((run.code, run.out.as_str()), (2, ""), "{}", run.err);
    assert!(run.err.contains("SecurityGroups"), "{}", run.err);
}

/// The function sees the groups of its Region only.
#[test]
fn groups_of_another_region_are_not_evaluated() {
    let mut account: Value = serde_json::from_slice(&std::fs::read(ACCOUNT).unwrap()).unwrap();
    let groups = account["SecurityGroups"].as_array_mut().unwrap();
    let mut elsewhere = groups[0].clone();
    elsewhere["GroupId"] = json!("sg-0eeeeeeeeeeeeeee1");
    elsewhere["SecurityGroupArn"] =
        json!("arn:aws:ec2:eu-west-1:123456789012:security-group/sg-0eeeeeeeeeeeeeee1");
    groups.push(elsewhere);
    let input = account.to_string();
    let arguments = ["events/schedule.json", "--groups", "-", "--format", "json"];
    let run = replay(&arguments, &[], &input);
    assert_eq!(summary(&run)["groups"], 6, "{}", run.err);
    // A bare action does not tell which Region is meant.
    let arguments = [
        "events/sweep.json",
        "--groups",
        "-",
        "--account",
        OWN,
        "--format",
        "json",
    ];
    let run = replay(&arguments, &[], &input);
    assert_eq!((run.code, run.out.as_str()), (2, ""));
    insta::assert_snapshot!(run.err, @"sg-trust: events/sweep.json: the event names no Region, and the snapshot has groups of eu-west-1, us-east-1: say which is meant with --region");
    let run = replay(
        &[&arguments[..], &["--region", "eu-west-1"]].concat(),
        &[],
        &input,
    );
    assert_eq!(summary(&run)["groups"], 1, "{}", run.err);
}

#[test]
fn records_of_another_account_in_a_log_file_are_left_to_its_own_function() {
    let arguments = [
        "events/cloudtrail-log-file.json",
        "--groups",
        ACCOUNT,
        "--format",
        "json",
    ];
    let run = replay(&[&arguments[..], &["--account", OWN]].concat(), &[], "");
    assert_eq!(run.code, 1, "{}", run.err);
    assert_eq!(summary(&run)["groups"], 1);
    let run = replay(&arguments, &[], "");
    insta::assert_snapshot!(run.err, @"sg-trust: events/cloudtrail-log-file.json: the events are of 123456789012, 210987654321, and the snapshot has groups of each: say which is meant with --account");
}

#[test]
fn what_a_document_of_another_kind_holds_is_replayed_as_the_event_is() {
    let of = |event: &str| {
        let path = format!("events/{event}.json");
        let run = replay(&[&path, "--groups", ACCOUNT, "--format", "asff"], &[], "");
        assert_eq!(run.err, "", "{event}");
        let mut findings: Value = serde_json::from_str(&run.out).unwrap();
        for finding in findings.as_array_mut().unwrap() {
            for time in ["CreatedAt", "UpdatedAt", "LastObservedAt"] {
                finding[time] = Value::Null;
            }
        }
        (run.code, findings)
    };
    assert_eq!(of("cloudtrail-record"), of("authorize-ingress"));
    for item in [
        "config-notification",
        "config-notification-oversized",
        "config-notification-sns",
        "config-notification-sns-as-documented",
        "config-notification-sns-in-sqs",
        "config-rule",
        "config-rule-oversized",
    ] {
        assert_eq!(of(item), of("config-item"), "{item}");
    }
    assert_eq!(of("config-notification-deleted"), of("config-item-deleted"));
    assert_eq!(of("config-rule-scheduled"), of("schedule"));
}
