//! Every file in `events/`: what it makes the function do, and what a replay of it comes to.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;
use serde_json::Value;
use sg_trust::event::{Action, Target, Trigger, classify, read};
use sg_trust::model::GroupId;
use sg_trust::report::targets::Invocation;

use crate::cli::{Run, run};

macro_rules! unknown_shape {
    ($found:literal) => {
        concat!(
            "no known shape of an event: found ",
            $found,
            "; expected an EventBridge event (source, detail-type, detail), a CloudTrail record (eventSource, eventName), \
             a message of AWS Config (messageType), {\"action\":\"sweep\"}, {\"action\":\"evaluate\",\"group_ids\":[\"sg-…\"]}, \
             or such documents in SQS or SNS records, in a list, or in a failure record of Lambda"
        )
    };
}

/// File, and what `targets` says: the action, then its targets or its reason.
const EVENTS: &[(&str, &str)] = &[
    ("associate-vpc", "evaluate group_id sg-0123456789abcdef0"),
    ("authorize-egress", "evaluate group_id sg-0123456789abcdef0"),
    (
        "authorize-ingress",
        "evaluate group_id sg-0123456789abcdef0",
    ),
    ("authorize-ingress-by-name", "evaluate group_name web"),
    (
        "authorize-ingress-denied",
        "ignore AuthorizeSecurityGroupIngress failed with Client.UnauthorizedOperation: nothing changed",
    ),
    (
        "authorize-ingress-dry-run",
        "ignore AuthorizeSecurityGroupIngress failed with Client.DryRunOperation: nothing changed",
    ),
    (
        "authorize-ingress-error-code-null",
        "evaluate group_id sg-0123456789abcdef0",
    ),
    (
        "authorize-ingress-odd-id",
        "sweep AuthorizeSecurityGroupIngress does not say what it changed (\"sg-0123; rm -rf /\" is not a group id)",
    ),
    (
        "authorize-ingress-parameters-null",
        "sweep AuthorizeSecurityGroupIngress does not say what it changed (its parameters were left out)",
    ),
    (
        "authorize-ingress-parameters-omitted",
        "sweep AuthorizeSecurityGroupIngress does not say what it changed (its parameters name no group)",
    ),
    (
        "authorize-ingress-rule-set-only",
        "evaluate group_id sg-0123456789abcdef0",
    ),
    ("by-a-service", "evaluate group_id sg-0123456789abcdef0"),
    (
        "by-a-service-alone",
        "evaluate group_id sg-0123456789abcdef0",
    ),
    (
        "by-a-web-identity",
        "evaluate group_id sg-0123456789abcdef0",
    ),
    (
        "by-identity-center",
        "evaluate group_id sg-0123456789abcdef0",
    ),
    (
        "create-default-vpc",
        "evaluate default_group_of vpc-0aa11bb22cc33dd44",
    ),
    (
        "create-security-group",
        "evaluate group_id sg-0123456789abcdef0",
    ),
    (
        "create-tags",
        "evaluate group_id sg-0123456789abcdef0, group_id sg-0fedcba9876543210",
    ),
    (
        "create-tags-others",
        "ignore CreateTags of resources that are no security groups",
    ),
    (
        "create-vpc",
        "evaluate default_group_of vpc-0aa11bb22cc33dd44",
    ),
    (
        "create-vpc-response",
        "evaluate default_group_of vpc-0aa11bb22cc33dd44",
    ),
    (
        "delete-security-group",
        "evaluate group_id sg-0deadbeefdeadbeef",
    ),
    (
        "delete-security-group-by-name",
        "evaluate group_name old-web",
    ),
    (
        "delete-security-group-by-name-answered",
        "evaluate group_id sg-0deadbeefdeadbeef",
    ),
    ("delete-tags", "evaluate group_id sg-0123456789abcdef0"),
    ("delete-vpc", "evaluate groups_of_vpc vpc-0deadbeefdeadbeef"),
    ("disassociate-vpc", "evaluate group_id sg-0123456789abcdef0"),
    (
        "evaluate",
        "evaluate group_id sg-0123456789abcdef0, group_id sg-0fedcba9876543210",
    ),
    (
        "instance-state",
        "ignore an event \"EC2 Instance State-change Notification\" of \"aws.ec2\" changes no security group",
    ),
    (
        "malformed-action",
        "error not a well-formed action: action is \"destroy\", not \"sweep\", \"evaluate\" or \"sweep-all\"",
    ),
    (
        "malformed-cut",
        "error not a JSON document: it is cut off in a string at line 1 column 108",
    ),
    (
        "malformed-detail",
        "error not a well-formed CloudTrail record: detail is \"not an object\", not an object",
    ),
    (
        "malformed-group-ids",
        "error not a well-formed action: \"i-0123456789abcdef0\" in group_ids is not a group id (sg-…)",
    ),
    (
        "malformed-group-ids-missing",
        "error not a well-formed action: evaluate needs group_ids, a list of one group id or more",
    ),
    (
        "malformed-no-detail",
        "error not a well-formed EventBridge event: detail is missing",
    ),
    (
        "malformed-no-event-name",
        "error not a well-formed CloudTrail record: detail.eventName is missing",
    ),
    (
        "malformed-no-event-source",
        "error not a well-formed CloudTrail record: detail.eventSource is missing",
    ),
    ("modify-rules", "evaluate group_id sg-0123456789abcdef0"),
    (
        "modify-rules-empty-wrapper",
        "sweep ModifySecurityGroupRules does not say what it changed (its parameters were left out)",
    ),
    (
        "modify-rules-several",
        "evaluate group_id sg-0123456789abcdef0",
    ),
    ("other-account", "evaluate group_id sg-0123456789abcdef0"),
    ("revoke-egress", "evaluate group_id sg-0123456789abcdef0"),
    ("revoke-ingress", "evaluate group_id sg-0123456789abcdef0"),
    (
        "revoke-ingress-by-rule-id",
        "evaluate group_id sg-0123456789abcdef0",
    ),
    (
        "run-instances",
        "ignore RunInstances changes no security group",
    ),
    ("schedule", "sweep"),
    ("scheduler", "sweep"),
    (
        "securityhub-imported",
        "ignore an event \"Security Hub Findings - Imported\" of \"aws.securityhub\" changes no security group",
    ),
    ("sweep", "sweep"),
    ("sweep-account", "sweep"),
    ("sweep-all", "sweep-all"),
    (
        "update-rule-descriptions-egress",
        "evaluate group_id sg-0123456789abcdef0",
    ),
    (
        "update-rule-descriptions-ingress",
        "evaluate group_id sg-0123456789abcdef0",
    ),
    (
        "update-rule-descriptions-ingress-request",
        "evaluate group_id sg-0123456789abcdef0",
    ),
    (
        "wickr",
        "ignore an event \"AWS API Call via CloudTrail\" of \"aws.wickr\" changes no security group",
    ),
    (
        "wickr-as-ec2",
        "ignore CreateSecurityGroup of wickr.amazonaws.com is not EC2's",
    ),
    ("config-item", "evaluate group_id sg-0123456789abcdef0"),
    (
        "config-item-deleted",
        "evaluate group_id sg-0deadbeefdeadbeef",
    ),
    (
        "config-item-empty",
        "sweep a configuration item that does not name its resource",
    ),
    (
        "config-item-odd-id",
        "sweep a configuration item that does not name its security group",
    ),
    (
        "config-item-other",
        "ignore a configuration item of a resource of type \"AWS::EC2::Instance\"",
    ),
    (
        "config-item-oversized",
        "evaluate group_id sg-0123456789abcdef0",
    ),
    (
        "config-item-oversized-type",
        "evaluate group_id sg-0123456789abcdef0",
    ),
    (
        "custom-action",
        "evaluate group_id sg-0123456789abcdef0, group_id sg-0fedcba9876543210",
    ),
    (
        "custom-action-odd",
        "sweep a custom action for a finding that does not name its security group",
    ),
    (
        "custom-action-other",
        "ignore a custom action for findings that are of no security group",
    ),
    (
        "custom-action-other-account",
        "ignore a custom action for security groups of other accounts or Regions: their own functions evaluate them",
    ),
    ("failure-record", "evaluate group_id sg-0123456789abcdef0"),
    (
        "list",
        "evaluate group_id sg-0123456789abcdef0 | evaluate group_id sg-0123456789abcdef0, group_id sg-0fedcba9876543210 | ignore AuthorizeSecurityGroupIngress failed with Client.UnauthorizedOperation: nothing changed",
    ),
    (
        "list-with-malformed",
        concat!(
            "evaluate group_id sg-0123456789abcdef0, group_id sg-0fedcba9876543210 | error ",
            unknown_shape!("3"),
            " | error ",
            unknown_shape!("an object with \"hello\"")
        ),
    ),
    (
        "malformed-record",
        "error not an event but a record of another service than SQS, SNS and CloudTrail",
    ),
    (
        "malformed-shape",
        concat!("error ", unknown_shape!("an object with \"hello\"")),
    ),
    (
        "sns",
        "evaluate group_id sg-0123456789abcdef0 | evaluate group_id sg-0deadbeefdeadbeef",
    ),
    (
        "sns-in-sqs",
        "evaluate group_id sg-0123456789abcdef0 | sweep",
    ),
    (
        "central",
        "evaluate group_id sg-0b000000000000003 | evaluate group_id sg-0a000000000000001 | evaluate group_id sg-0c000000000000001",
    ),
    (
        "central-refused",
        "evaluate group_id sg-0b000000000000003 | evaluate group_id sg-0b000000000000003 | sweep",
    ),
    (
        "sqs",
        "evaluate group_id sg-0123456789abcdef0 | evaluate group_id sg-0123456789abcdef0, group_id sg-0fedcba9876543210 | ignore RunInstances changes no security group",
    ),
    (
        "sqs-failure-record",
        "evaluate group_id sg-0123456789abcdef0",
    ),
    (
        "sqs-with-unreadable",
        concat!(
            "evaluate group_id sg-0123456789abcdef0 | error body is not JSON: it is \"not json\" | error ",
            unknown_shape!("an object with \"hello\"")
        ),
    ),
    ("tag-change", "evaluate group_id sg-0123456789abcdef0"),
    (
        "tag-change-no-arn",
        "sweep a change of tags that does not name its security group",
    ),
    (
        "tag-change-other",
        "ignore the tags of another resource than a security group changed: ec2 instance",
    ),
    (
        "tag-change-version-number",
        "evaluate group_id sg-0123456789abcdef0",
    ),
    (
        "tag-change-version-text",
        "evaluate group_id sg-0123456789abcdef0",
    ),
    (
        "authorize-ingress-protocol-50",
        "evaluate group_id sg-0123456789abcdef0",
    ),
    (
        "update-rule-descriptions-egress-request-by-name",
        "evaluate group_name web",
    ),
    (
        "update-rule-descriptions-ingress-by-name",
        "evaluate group_name web",
    ),
    (
        "cloudtrail-log-file",
        "evaluate group_id sg-0123456789abcdef0 | ignore RunInstances changes no security group | evaluate group_id sg-0deadbeefdeadbeef | evaluate group_id sg-0123456789abcdef0, group_id sg-0fedcba9876543210",
    ),
    (
        "cloudtrail-log-file-delivered",
        "error not an event but a notification that CloudTrail delivered a log file, which is not read: send CloudTrail's calls through EventBridge",
    ),
    (
        "cloudtrail-lookup-events",
        "evaluate group_id sg-0123456789abcdef0 | evaluate group_id sg-0123456789abcdef0",
    ),
    (
        "cloudtrail-other-service",
        "ignore CreateUser of iam.amazonaws.com is not EC2's",
    ),
    (
        "cloudtrail-record",
        "evaluate group_id sg-0123456789abcdef0",
    ),
    (
        "config-notification",
        "evaluate group_id sg-0123456789abcdef0",
    ),
    (
        "config-notification-deleted",
        "evaluate group_id sg-0deadbeefdeadbeef",
    ),
    (
        "config-notification-list",
        "evaluate group_id sg-0123456789abcdef0, group_id sg-0fedcba9876543210",
    ),
    (
        "config-notification-other",
        "ignore a configuration item of a resource of type \"AWS::IAM::User\"",
    ),
    (
        "config-notification-others",
        "ignore a message \"ComplianceChangeNotification\" of AWS Config reports no change of a security group | ignore a message \"ConfigRulesEvaluationStarted\" of AWS Config reports no change of a security group | ignore a message \"ConfigurationHistoryDeliveryCompleted\" of AWS Config reports no change of a security group | ignore a message \"ConfigurationSnapshotDeliveryCompleted\" of AWS Config reports no change of a security group",
    ),
    (
        "config-notification-oversized",
        "evaluate group_id sg-0123456789abcdef0",
    ),
    (
        "config-notification-sns",
        "evaluate group_id sg-0123456789abcdef0 | ignore a message \"ComplianceChangeNotification\" of AWS Config reports no change of a security group",
    ),
    (
        "config-notification-sns-as-documented",
        "evaluate group_id sg-0123456789abcdef0",
    ),
    (
        "config-notification-sns-in-sqs",
        "evaluate group_id sg-0123456789abcdef0 | evaluate group_id sg-0123456789abcdef0",
    ),
    (
        "config-notification-unknown",
        "error not a well-formed message of AWS Config: messageType is \"SomethingNew\", not a type of message that AWS Config is known to send",
    ),
    (
        "config-notification-unreadable-region",
        "error not a well-formed message of AWS Config: awsRegion is \"nonsense\", not the code of a Region such as eu-west-1",
    ),
    ("config-rule", "evaluate group_id sg-0123456789abcdef0"),
    (
        "config-rule-oversized",
        "evaluate group_id sg-0123456789abcdef0",
    ),
    ("config-rule-scheduled", "sweep"),
    ("config-rule-snapshot", "sweep"),
    (
        "malformed-account",
        "error not a well-formed EventBridge event: account is 123456789012, not a string",
    ),
    (
        "malformed-action-misspelt",
        "error not a well-formed action: unknown member \"groupIds\": the form is {\"action\":\"evaluate\",\"group_ids\":[\"sg-…\"]}",
    ),
    (
        "malformed-action-sweep-groups",
        "error not a well-formed action: unknown member \"group_ids\": the form is {\"action\":\"sweep\"}",
    ),
    (
        "malformed-cloudtrail-record",
        "error not a well-formed CloudTrail record: eventName is missing",
    ),
    (
        "malformed-config-rule",
        "error invokingEvent is not JSON: it is cut off after 37 bytes (\"{\\\"configurationItem\\\": {\\\"resourceType\\\"\")",
    ),
    (
        "malformed-no-detail-type",
        "error not a well-formed EventBridge event: detail-type is missing",
    ),
    (
        "malformed-region",
        "error not a well-formed EventBridge event: region is \"nonsense\", not the code of a Region such as eu-west-1",
    ),
    (
        "malformed-time",
        "error not a well-formed EventBridge event: time is \"2026-11-24T09:00:00\", not a time with its zone such as 2026-11-24T09:00:00Z",
    ),
    (
        "s3-notification",
        "error not an event but a notification of S3 about an object, which is not read: send CloudTrail's calls through EventBridge, or give the contents of a log file to `sg-trust replay`",
    ),
    (
        "s3-test-event",
        "error not an event but a notification of S3 about an object, which is not read: send CloudTrail's calls through EventBridge, or give the contents of a log file to `sg-trust replay`",
    ),
    (
        "security-groups",
        "error not an event but the answer of describe-security-groups: give it to `sg-trust check`, or to `replay --groups`",
    ),
];

fn path_of(name: &str) -> String {
    format!("{}/events/{name}.json", env!("CARGO_MANIFEST_DIR"))
}

fn files() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("events");
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|name| name != "account")
        .collect();
    names.sort();
    names
}

fn said(targets: &Value) -> String {
    if let Some(messages) = targets["messages"].as_array() {
        assert_eq!(targets["kind"], "batch");
        return messages.iter().map(said).collect::<Vec<_>>().join(" | ");
    }
    if let Some(error) = targets["error"].as_str() {
        return format!("error {error}");
    }
    let named: Vec<_> = targets["targets"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|target| target.as_object().unwrap())
        .map(|(kind, name)| format!("{kind} {}", name.as_str().unwrap()))
        .collect();
    let reason = targets["reason"].as_str().unwrap_or_default();
    let said = format!(
        "{} {}{reason}",
        targets["action"].as_str().unwrap(),
        named.join(", ")
    );
    said.trim_end().to_owned()
}

#[test]
fn every_event_does_what_the_table_says() {
    let expected: BTreeMap<_, _> = EVENTS.iter().copied().collect();
    for name in files() {
        let path = path_of(&name);
        let Run { code, out, err } = run(&["targets", &path], "");
        let said = match code {
            _ if !out.is_empty() => {
                let said = said(&serde_json::from_str(&out).unwrap());
                assert_eq!(
                    code,
                    if said.contains("error ") { 2 } else { 0 },
                    "{name}: {said}"
                );
                said
            }
            2 => format!(
                "error {}",
                err.trim_end()
                    .strip_prefix(&format!("sg-trust: {path}: "))
                    .unwrap()
            ),
            other => panic!("{name} exits {other}"),
        };
        assert_eq!(
            expected.get(name.as_str()).copied(),
            Some(said.as_str()),
            "{name}"
        );
    }
    assert_eq!(
        files().len(),
        expected.len(),
        "every row of the table has its file"
    );
}

/// Version 1: members may be added, never changed.
#[test]
fn the_output_of_targets_is_version_1_to_the_letter() {
    let Run { out, .. } = run(&["targets", &path_of("authorize-ingress")], "");
    insta::assert_snapshot!(out, @r#"
    {
      "version": 1,
      "kind": "cloudtrail",
      "event": "AuthorizeSecurityGroupIngress",
      "event_id": "0d0d0d0d-1111-4222-8333-444444444444",
      "account": "123456789012",
      "region": "us-east-1",
      "actor": "arn:aws:sts::123456789012:assumed-role/dev/alice",
      "action": "evaluate",
      "targets": [
        {
          "group_id": "sg-0123456789abcdef0"
        }
      ],
      "reason": null
    }
    "#);
    let Run { out, .. } = run(&["targets", &path_of("sqs-with-unreadable")], "");
    let shown: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (
            &shown["version"],
            &shown["kind"],
            &shown["messages"][0]["version"]
        ),
        (&Value::from(1), &Value::from("batch"), &Value::from(1))
    );
    assert_eq!(shown["messages"][1].as_object().unwrap().len(), 1);
    for (name, target) in [
        ("create-tags", "group_id"),
        ("authorize-ingress-by-name", "group_name"),
        ("create-vpc", "default_group_of"),
        ("delete-vpc", "groups_of_vpc"),
    ] {
        let Run { out, .. } = run(&["targets", &path_of(name)], "");
        let shown: Value = serde_json::from_str(&out).unwrap();
        assert!(shown["targets"][0][target].is_string(), "{out}");
    }
    let arguments = [
        "targets",
        "--policy",
        "tests/data/sensitivity.toml",
        &path_of("create-tags"),
    ];
    let Run { out, .. } = run(&arguments, "");
    assert_eq!(out.matches("\"referencing\"").count(), 2, "{out}");
}

/// What `targets` says of where each message happened: kind, name, account and Region.
fn of_what(name: &str) -> String {
    let event = std::fs::read_to_string(path_of(name)).unwrap();
    let batch = read(&serde_json::from_str(&event).unwrap());
    let shown = serde_json::to_value(Invocation::from(&batch)).unwrap();
    let messages = shown["messages"].as_array().cloned().unwrap_or(vec![shown]);
    let said = messages.iter().map(|message| {
        let member = |name: &str| message[name].as_str().unwrap_or("-").to_owned();
        ["kind", "event", "account", "region"].map(member).join(" ")
    });
    said.collect::<Vec<_>>().join("\n")
}

#[test]
fn an_event_is_of_its_own_account_and_region_whatever_it_comes_in() {
    for (name, expected) in [
        (
            "schedule",
            "schedule Scheduled Event 123456789012 us-east-1",
        ),
        ("sweep", "direct - - -"),
        ("sweep-account", "direct - 123456789012 -"),
        (
            "cloudtrail-record",
            "cloudtrail AuthorizeSecurityGroupIngress 123456789012 us-east-1",
        ),
        (
            "cloudtrail-log-file",
            "cloudtrail AuthorizeSecurityGroupIngress 123456789012 us-east-1\n\
             cloudtrail RunInstances 123456789012 us-east-1\n\
             cloudtrail DeleteSecurityGroup 123456789012 us-east-1\n\
             cloudtrail CreateTags 210987654321 us-east-1",
        ),
        (
            "config-notification",
            "config ConfigurationItemChangeNotification 123456789012 us-east-1",
        ),
        (
            "config-notification-oversized",
            "config OversizedConfigurationItemChangeNotification 123456789012 us-east-1",
        ),
        // A resource without a Region.
        (
            "config-notification-other",
            "config ConfigurationItemChangeNotification 123456789012 -",
        ),
        (
            "config-rule",
            "config ConfigurationItemChangeNotification 123456789012 us-east-1",
        ),
        (
            "config-rule-scheduled",
            "config ScheduledNotification 123456789012 us-east-1",
        ),
        (
            "config-rule-snapshot",
            "config ConfigurationSnapshotDeliveryCompleted 123456789012 us-east-1",
        ),
    ] {
        assert_eq!(of_what(name), expected, "{name}");
    }
}

#[test]
fn who_did_it_is_found_whoever_it_was() {
    let actor_of = |name: &str| {
        let event: Value =
            serde_json::from_str(&std::fs::read_to_string(path_of(name)).unwrap()).unwrap();
        classify(&event).unwrap().record
    };
    assert_eq!(
        actor_of("authorize-ingress").actor.unwrap(),
        "arn:aws:sts::123456789012:assumed-role/dev/alice"
    );
    assert_eq!(
        actor_of("by-a-service-alone").actor.unwrap(),
        "elasticmapreduce.amazonaws.com"
    );
    assert_eq!(
        actor_of("by-a-web-identity").source_identity.unwrap(),
        "alice@example.com"
    );
    let on_behalf_of = actor_of("by-identity-center").on_behalf_of.unwrap();
    assert_eq!(
        on_behalf_of,
        "9067000000-0aa1 of arn:aws:identitystore::123456789012:identitystore/d-9067000000"
    );
}

/// What a replay against `events/account.json` publishes: `group state/status` each, or why not.
fn replayed(name: &str) -> String {
    let account = path_of("account");
    let Run { code, out, err } = run(
        &[
            "replay",
            &path_of(name),
            "--groups",
            &account,
            "--format",
            "asff",
        ],
        "",
    );
    let findings: Vec<Value> = serde_json::from_str(&out).unwrap();
    let mut said: Vec<_> = findings
        .iter()
        .map(|finding| {
            let id = finding["Id"].as_str().unwrap().rsplit('/').next().unwrap();
            let opened = if finding["ProductFields"]["sg-trust/opened-by"].is_string() {
                " opened"
            } else {
                ""
            };
            format!(
                "{id} {}/{}{opened}",
                finding["Compliance"]["Status"].as_str().unwrap(),
                finding["RecordState"].as_str().unwrap()
            )
        })
        .collect();
    said.extend(
        err.lines()
            .map(|line| line.rsplit(".json: ").next().unwrap().to_owned()),
    );
    format!("{code}: {}", said.join("; "))
}

#[test]
fn a_replay_publishes_what_the_function_would() {
    let target = "sg-0123456789abcdef0 FAILED/ACTIVE";
    for (name, expected) in [
        ("authorize-ingress", format!("1: {target} opened")),
        ("modify-rules", format!("1: {target} opened")),
        ("modify-rules-several", format!("1: {target} opened")),
        ("by-a-web-identity", format!("1: {target} opened")),
        // Another rule than the one in violation, an egress rule, a revoked rule, a tag: they did not open the group.
        ("authorize-ingress-error-code-null", format!("1: {target}")),
        ("authorize-egress", format!("1: {target}")),
        ("revoke-ingress", format!("1: {target}")),
        ("by-a-service", format!("1: {target}")),
        ("create-tags", format!("1: {target}; sg-0fedcba9876543210 PASSED/ARCHIVED")),
        ("authorize-ingress-by-name", "0: sg-0fedcba9876543210 PASSED/ARCHIVED".to_owned()),
        ("delete-security-group", "0: sg-0deadbeefdeadbeef NOT_AVAILABLE/ARCHIVED".to_owned()),
        ("create-vpc", "1: sg-0aaaaaaaaaaaaaaa4 FAILED/ACTIVE".to_owned()),
        ("authorize-ingress-denied", "0: ignored: AuthorizeSecurityGroupIngress failed with Client.UnauthorizedOperation: nothing changed".to_owned()),
    ] {
        assert_eq!(replayed(name), expected, "{name}");
    }
}

#[test]
fn an_invocation_without_events_says_so() {
    for nothing in ["[]", r#"{"Records":[]}"#] {
        let Run { code, err, .. } = run(
            &[
                "replay",
                "-",
                "--groups",
                &path_of("account"),
                "--region",
                "us-east-1",
            ],
            nothing,
        );
        // Without an event it is not known which of the snapshot's accounts is meant.
        assert_eq!(code, 2, "{err}");
        let Run { code, out, .. } = run(&["targets", "-"], nothing);
        assert!(code == 0 && out.contains("\"messages\": []"), "{out}");
    }
    let own = std::fs::read_to_string(path_of("account"))
        .unwrap()
        .replace("210987654321", "123456789012");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), own).unwrap();
    let Run { code, err, .. } = run(
        &["replay", "-", "--groups", file.path().to_str().unwrap()],
        "[]",
    );
    assert!(
        code == 0 && err.contains("there is no event in it"),
        "{code} {err}"
    );
}

#[test]
fn a_sweep_covers_every_group_of_the_account_and_no_other() {
    for name in ["schedule", "scheduler", "authorize-ingress-parameters-null"] {
        let said = replayed(name);
        assert_eq!(said.matches("FAILED/ACTIVE").count(), 4, "{said}");
        assert!(
            !said.contains("PASSED"),
            "a passed group needs no finding in an empty hub: {said}"
        );
        let Run { code, out, .. } = run(
            &[
                "replay",
                &path_of(name),
                "--groups",
                &path_of("account"),
                "--format",
                "json",
            ],
            "",
        );
        let report: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(
            (code, &report["summary"]),
            (
                1,
                &serde_json::json!({"groups": 6, "passed": 2, "failed": 4, "exempt": 0})
            )
        );
        assert!(!out.contains("sg-0ccccccccccccccc1\""), "{out}");
    }
}

#[test]
fn a_batch_evaluates_each_group_once_and_a_bad_message_costs_only_itself() {
    let target = "sg-0123456789abcdef0 FAILED/ACTIVE opened";
    assert_eq!(
        replayed("sqs"),
        format!("1: {target}; sg-0fedcba9876543210 PASSED/ARCHIVED")
    );
    assert_eq!(
        replayed("sns"),
        format!("1: {target}; sg-0deadbeefdeadbeef NOT_AVAILABLE/ARCHIVED")
    );
    assert_eq!(replayed("failure-record"), format!("1: {target}"));
    assert!(
        replayed("sqs-with-unreadable")
            .starts_with(&format!("2: {target}; message 2: body is not JSON"))
    );
    let swept = replayed("sns-in-sqs");
    assert_eq!(swept.matches("sg-0123456789abcdef0").count(), 1, "{swept}");
    assert!(swept.contains(target), "{swept}");
}

fn mutated() -> impl Strategy<Value = Value> {
    let events: Vec<Value> = files()
        .iter()
        .filter_map(|name| {
            serde_json::from_str(&std::fs::read_to_string(path_of(name)).unwrap()).ok()
        })
        .collect();
    let junk = prop::sample::select(vec![
        Value::Null,
        Value::from(""),
        Value::from("sg-1\u{0}"),
        Value::from("sg-0; rm"),
        Value::from(-1),
        Value::from(true),
        serde_json::json!([]),
        serde_json::json!({}),
        serde_json::json!({"items": [null, {"groupId": ["sg-1"]}]}),
        serde_json::json!([{"groupId": "sgr-1"}]),
    ]);
    (
        prop::sample::select(events),
        any::<prop::sample::Index>(),
        junk,
    )
        .prop_map(|(mut event, place, junk)| {
            let mut pointers = Vec::new();
            collect_pointers(&event, String::new(), &mut pointers);
            if let Some(value) = event.pointer_mut(&pointers[place.index(pointers.len())]) {
                *value = junk;
            }
            event
        })
}

fn collect_pointers(value: &Value, at: String, pointers: &mut Vec<String>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| {
            collect_pointers(
                value,
                format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")),
                pointers,
            );
        }),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, value)| {
                collect_pointers(value, format!("{at}/{index}"), pointers)
            });
        }
        _ => {}
    }
    pointers.push(at);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn a_mutated_event_never_panics_and_never_names_what_is_no_group(event in mutated()) {
        for message in read(&event).messages {
            let Ok(Trigger { action: Action::Evaluate(targets), .. }) = message.trigger else { continue };
            prop_assert!(!targets.is_empty());
            for target in targets {
                if let Target::GroupId(id) = target {
                    prop_assert!(GroupId::parse(id.as_str()).is_some(), "{}", id);
                }
            }
        }
    }
}
