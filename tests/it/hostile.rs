//! Names, tags and events of an attacker's choice: safe wherever they are shown.

use serde_json::{Value, json};
use sg_trust::event::{Action, Message, Target, read};
use sg_trust::report::json;
use sg_trust::report::targets::Invocation;

use crate::cli::{Run, run};

const HOSTILE: [&str; 10] = [
    "quote ' double \" back \\ tick `id` $(id)",
    "line\nfeed\r\ttab",
    "\u{1b}[31mred\u{1b}]0;title\u{7}",
    "c1 \u{9b}31m",
    "👩‍💻 emoji 🧨",
    "right \u{202e}ot-left\u{202c} \u{200f}\u{2066}x\u{2069}",
    "zero\u{200b}width\u{feff}",
    "<script>alert(1)</script>|*_[x](y)",
    "nul \u{0} inside",
    "line\u{2028}separator",
];

fn hostile_group(text: &str) -> String {
    let pair = json!({"GroupId": "sg-0b", "GroupName": text, "UserId": "222222222222", "VpcPeeringConnectionId": text, "PeeringStatus": text});
    json!({"GroupId": "sg-0a", "GroupName": text, "OwnerId": "111111111111", "VpcId": text, "Tags": {text: text, "ok": text},
           "IpPermissions": [{"IpProtocol": "-1", "UserIdGroupPairs": [pair, {"GroupName": text, "UserId": text}]}]})
    .to_string()
}

fn is_safe(text: &str) -> bool {
    text.lines()
        .flat_map(sg_trust::text::characters)
        .all(|(_, deceives)| !deceives)
}

#[test]
fn every_format_shows_hostile_names_safely() {
    let longest: String = "ö".repeat(255);
    for text in HOSTILE.into_iter().chain([longest.as_str()]) {
        let group = hostile_group(text);
        for format in ["table", "json", "ndjson", "asff"] {
            let Run { code, out, err } = run(
                &["check", "-", "--format", format, "--region", "eu-west-1"],
                &group,
            );
            assert_eq!(code, 1, "{format} {text:?}: {err}");
            assert!(is_safe(&out), "{format}: {out:?}");
            if format != "table" {
                serde_json::from_str::<Value>(&out).unwrap();
            }
        }
        let Run { out, err, .. } = run(&["explain", "sg-0a", "--groups", "-"], &group);
        assert!(is_safe(&out) && err.is_empty(), "{out:?} {err}");
    }
}

#[test]
fn json_gives_hostile_names_back() {
    for text in HOSTILE {
        let Run { out, .. } = run(&["check", "-", "--format", "ndjson"], &hostile_group(text));
        let group: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(group["group_name"], text);
        assert_eq!(group["vpc_id"], text);
    }
}

#[test]
fn messages_show_hostile_input_on_one_line() {
    for text in HOSTILE {
        let event = json!({"action": text}).to_string();
        let Run { code, err, .. } = run(&["targets", "-"], &event);
        assert_eq!(code, 2);
        assert!(
            is_safe(&err) && err.trim_end().lines().count() == 1,
            "{err:?}"
        );
        let group = json!({"GroupId": text}).to_string();
        let Run { code, err, .. } = run(&["check", "-"], &group);
        assert_eq!(code, 2);
        assert!(
            is_safe(&err) && err.trim_end().lines().count() == 1,
            "{err:?}"
        );
    }
}

/// What may stand where anything else should.
fn odd_values() -> Vec<Value> {
    let deep = (0..100).fold(json!(null), |inside, _| json!([inside]));
    vec![
        Value::Null,
        json!(true),
        json!(0),
        json!(-1),
        json!(18_446_744_073_709_551_615_u64),
        json!(1e308),
        json!(""),
        json!(" "),
        json!("sg-"),
        json!("sg-0; rm -rf /"),
        json!("sg-0123456789abcdef0\u{0}"),
        json!(format!("sg-{}", "a".repeat(100))),
        json!("\u{202e}\u{1b}[31m"),
        json!([]),
        json!({}),
        json!([null]),
        json!([[]]),
        json!({"items": null}),
        json!({"items": [null, 1, {"groupId": ["sg-0b"]}]}),
        json!({"Records": [{"messageId": {}, "body": "[]"}]}),
        deep,
    ]
}

/// Members by which an event tells that it is not about security groups, or not of here: with another value it may be ignored.
const TELLS_WHAT_IT_IS: [&str; 16] = [
    "account",
    "region",
    "source",
    "detail-type",
    "eventSource",
    "eventName",
    "errorCode",
    "resourcesSet",
    "items",
    "resourceId",
    "resourceType",
    "service",
    "resource-type",
    "findings",
    "Resources",
    "Type",
];

fn each_path(value: &Value, at: String, visit: &mut impl FnMut(String)) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let name = name.replace('~', "~0").replace('/', "~1");
                each_path(value, format!("{at}/{name}"), visit);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                each_path(value, format!("{at}/{index}"), visit);
            }
        }
        _ => {}
    }
    visit(at);
}

/// Every sample event that is not ignored, with every odd value in every place: it is never taken for "no change".
#[test]
fn an_event_with_anything_anywhere_is_read_and_never_taken_for_no_change() {
    let mut tried = 0;
    for file in std::fs::read_dir("events").unwrap() {
        let path = file.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let Ok(event) = serde_json::from_slice::<Value>(&std::fs::read(&path).unwrap()) else {
            continue;
        };
        let is_ignored = |message: &Message| matches!(&message.trigger, Ok(trigger) if matches!(trigger.action, Action::Ignore(_)));
        let is_plain = !read(&event).messages.iter().any(is_ignored);
        let mut paths = Vec::new();
        each_path(&event, String::new(), &mut |path| paths.push(path));
        for place in paths {
            for odd in odd_values() {
                let mut mutated = event.clone();
                *mutated.pointer_mut(&place).unwrap() = odd.clone();
                let batch = read(&mutated);
                let shown = json::to_pretty(&Invocation::from(&batch)).unwrap();
                let what = format!("{}{place} = {:.60}", path.display(), odd.to_string());
                assert!(is_safe(&shown), "{what}");
                tried += 1;
                let member = place
                    .rsplit('/')
                    .find(|part| part.parse::<u32>().is_err())
                    .unwrap();
                for message in &batch.messages {
                    if let Ok(trigger) = &message.trigger
                        && let Action::Evaluate(targets) = &trigger.action
                    {
                        assert!(
                            !targets.is_empty() && targets.iter().all(has_form),
                            "{what}: {targets:?}"
                        );
                    }
                    assert!(
                        !is_plain || !is_ignored(message) || TELLS_WHAT_IT_IS.contains(&member),
                        "{what}: {:?}",
                        message.trigger
                    );
                }
                assert!(
                    !batch.messages.is_empty() || ["", "Records", "Events"].contains(&member),
                    "{what}: nothing"
                );
            }
        }
    }
    assert!(tried > 20_000, "{tried}");
}

fn has_form(target: &Target) -> bool {
    match target {
        Target::GroupId(id) | Target::Referencing(id) => {
            id.as_str().starts_with("sg-") && id.as_str().len() <= 64
        }
        Target::DefaultGroupOf(vpc) | Target::GroupsOfVpc(vpc) => {
            vpc.as_str().starts_with("vpc-") && vpc.as_str().len() <= 64
        }
        Target::GroupName(name) => !name.is_empty(),
    }
}

fn targets(input: &[u8]) -> (i32, String) {
    let output = assert_cmd::Command::cargo_bin("sg-trust")
        .unwrap()
        .args(["targets", "-"])
        .write_stdin(input)
        .output()
        .unwrap();
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[test]
fn what_is_no_event_at_all_is_an_error_on_one_line() {
    for nothing in [
        b"[".repeat(10_000),
        [b"[".repeat(10_000), b"]".repeat(10_000)].concat(),
        [
            b"{\"detail\":".repeat(10_000),
            b"1".to_vec(),
            b"}".repeat(10_000),
        ]
        .concat(),
        b"{\"action\":\"\xff\xfe\"}".to_vec(),
        b"\xef\xbb\xbf".to_vec(),
        b"\0".to_vec(),
        b"{\"action\":\"sweep\"} {\"action\":\"sweep\"}".to_vec(),
        b"{\"action\":\"\\ud800\"}".to_vec(),
        vec![b' '; 1 << 20],
        Vec::new(),
    ] {
        let (code, err) = targets(&nothing);
        assert!(
            code == 2 && is_safe(&err) && err.trim_end().lines().count() == 1,
            "{code} {err:?}"
        );
    }
}

#[test]
fn of_two_members_of_one_name_the_last_counts_for_everybody() {
    let twice = |first: &str, last: &str| {
        let event = std::fs::read_to_string("events/authorize-ingress.json").unwrap();
        let event = event.replacen(
            "\"eventName\":",
            &format!("{first}, {last}, \"eventName\":"),
            1,
        );
        read(&serde_json::from_str(&event).unwrap())
            .messages
            .remove(0)
            .trigger
            .unwrap()
            .action
    };
    let (succeeded, failed) = (
        "\"errorCode\": null",
        "\"errorCode\": \"Client.UnauthorizedOperation\"",
    );
    assert!(matches!(twice(succeeded, failed), Action::Ignore(_)));
    assert!(matches!(twice(failed, succeeded), Action::Evaluate(_)));
}

#[test]
fn a_hundred_thousand_of_anything_are_read() {
    let id = |number: usize| format!("sg-{number:017x}");
    let tagged: Vec<_> = (0..100_000)
        .map(|number| json!({"resourceId": id(number)}))
        .collect();
    let answered: Vec<_> = (0..100_000)
        .map(|number| json!({"groupId": id(number)}))
        .collect();
    let clicked: Vec<_> = (0..100_000)
        .map(|number| json!({"Type": "AwsEc2SecurityGroup", "Id": format!("arn:aws:ec2:us-east-1:123456789012:security-group/{}", id(number))}))
        .collect();
    let event = |source: &str, detail_type: &str, detail: Value| json!({"source": source, "detail-type": detail_type, "detail": detail});
    let call = |name: &str, request: Value, response: Value| {
        let detail = json!({"eventSource": "ec2.amazonaws.com", "eventName": name, "requestParameters": request, "responseElements": response});
        event("aws.ec2", "AWS API Call via CloudTrail", detail)
    };
    for (event, count) in [
        (
            call(
                "CreateTags",
                json!({"resourcesSet": {"items": tagged}}),
                Value::Null,
            ),
            200_000,
        ),
        (
            call(
                "AuthorizeSecurityGroupIngress",
                json!({}),
                json!({"securityGroupRuleSet": {"items": answered}}),
            ),
            100_000,
        ),
        (
            event(
                "aws.securityhub",
                "Security Hub Findings - Custom Action",
                json!({"findings": [{"Resources": clicked}]}),
            ),
            100_000,
        ),
        (
            json!({"action": "evaluate", "group_ids": (0..100_000).map(id).collect::<Vec<_>>()}),
            100_000,
        ),
    ] {
        let trigger = read(&event).messages.remove(0).trigger.unwrap();
        assert!(matches!(trigger.action, Action::Evaluate(targets) if targets.len() == count));
    }
    let junk = Value::from(vec![json!(1); 100_000]);
    assert_eq!(read(&junk).messages.len(), 100_000);
}

#[test]
fn an_id_that_no_filter_takes_is_no_id() {
    let long = format!("sg-{}", "a".repeat(62));
    let Run { code, err, .. } = run(
        &["targets", "-"],
        &json!({"action": "evaluate", "group_ids": [long]}).to_string(),
    );
    assert!(code == 2 && err.contains("is not a group id"), "{err}");
    let event = std::fs::read_to_string("events/authorize-ingress.json").unwrap();
    let Run { code, out, .. } = run(
        &["targets", "-"],
        &event.replace("sg-0123456789abcdef0", &long),
    );
    assert!(code == 0 && out.contains("\"action\": \"sweep\""), "{out}");
}

/// Who did it, from where and with what is of others' choice as well.
#[test]
fn a_replay_shows_hostile_events_safely() {
    let long = "x'\u{202e}".repeat(13_000);
    for text in HOSTILE.into_iter().chain([long.as_str()]) {
        let mut event: Value =
            serde_json::from_slice(&std::fs::read("events/authorize-ingress.json").unwrap())
                .unwrap();
        let detail = &mut event["detail"];
        detail["userAgent"] = json!(text);
        detail["sourceIPAddress"] = json!(text);
        detail["eventID"] = json!(text);
        detail["userIdentity"]["arn"] =
            json!(format!("arn:aws:sts::123456789012:assumed-role/dev/{text}"));
        detail["userIdentity"]["sessionContext"]["sourceIdentity"] = json!(text);
        detail["userIdentity"]["onBehalfOf"] = json!({"userId": text, "identityStoreArn": text});
        for format in ["table", "json", "asff"] {
            let arguments = [
                "replay",
                "-",
                "--groups",
                "events/account.json",
                "--format",
                format,
            ];
            let Run { code, out, err } = run(&arguments, &event.to_string());
            assert_eq!((code, err.as_str()), (1, ""), "{format} {text:?}");
            assert!(is_safe(&out), "{format}: {out:?}");
            if format != "asff" {
                continue;
            }
            let finding = &serde_json::from_str::<Value>(&out).unwrap()[0];
            for text in finding["ProductFields"]
                .as_object()
                .unwrap()
                .values()
                .chain([&finding["Title"], &finding["Description"]])
            {
                assert!(
                    is_safe(text.as_str().unwrap()) && text.as_str().unwrap().lines().count() == 1,
                    "{text}"
                );
            }
        }
        event["detail"]["eventName"] = json!(text);
        let Run { code, out, err } = run(
            &["replay", "-", "--groups", "events/account.json"],
            &event.to_string(),
        );
        assert!(
            code == 0 && is_safe(&out) && is_safe(&err) && err.trim_end().lines().count() == 1,
            "{err:?}"
        );
    }
}
