//! Names, tags and events of an attacker's choice: safe wherever they are shown.

use serde_json::{Value, json};

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
    !text.contains(|character| character != '\n' && sg_trust::text::is_deceptive(character))
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
