use proptest::prelude::*;

use super::*;
use crate::policy::{ReferencedGroups, Settings, Status, Verdict};

const GROUP: &str = r#"{"GroupId":"sg-0aaa","GroupName":"pay $(id)'db","OwnerId":"111111111111","VpcId":"vpc-0a",
    "Tags":[{"Key":"team","Value":"pay=ments"},{"Key":"aws:eks:cluster-name","Value":"prod"}],
    "IpPermissions":[{"IpProtocol":"-1","UserIdGroupPairs":[PAIR]}]}"#;
const ITSELF: &str = r#"{"GroupId":"sg-0aaa","UserId":"111111111111"}"#;
const EQUAL: &str = r#"{"GroupId":"sg-0bbb","UserId":"111111111111"}"#;
const FOREIGN: &str = r#"{"GroupId":"sg-0bbb","UserId":"222222222222"}"#;
const UNKNOWN: &str = r#"{"GroupId":"sg-0bbb"}"#;

fn read(text: &str) -> Settings {
    let file = crate::config::read("policy.toml", text).unwrap();
    assert_eq!(file.refused, []);
    file.settings
}

fn policy(target: &str, source: &str, rest: &str) -> Settings {
    let allow = if rest.contains("allow") {
        ""
    } else {
        "allow = \"all-traffic\"\n"
    };
    let text = format!(
        "[[exemption]]\nid = \"a\"\nreason = \"accepted by the board\"\ntarget = {target}\nsource = {source}\nself_service = true\n{allow}{rest}"
    );
    read(&text)
}

fn verdict(policy: &Settings, pair: &str, today: &str) -> Verdict {
    let group: SecurityGroup = serde_json::from_str(&GROUP.replace("PAIR", pair)).unwrap();
    crate::policy::evaluate(
        policy,
        &group,
        &ReferencedGroups::default(),
        today.parse().unwrap(),
    )
}

fn status(policy: &Settings, pair: &str) -> Status {
    verdict(policy, pair, "2026-11-24").status
}

#[test]
fn every_matcher_of_the_target_must_match() {
    for (target, matches) in [
        (r#"{ id = "sg-0aaa" }"#, true),
        (r#"{ id = "sg-0aab" }"#, false),
        (r#"{ name = "pay*" }"#, true),
        (r#"{ name = "*" }"#, true),
        (r#"{ name = "pay $(id)'d?" }"#, true),
        (r#"{ name = "pay" }"#, false),
        (r#"{ name = "Pay*" }"#, false),
        (r#"{ name = "db" }"#, false),
        (r#"{ vpc = "vpc-0a" }"#, true),
        (r#"{ vpc = "vpc-0b" }"#, false),
        (r#"{ account = "111111111111" }"#, true),
        (r#"{ account = "222222222222" }"#, false),
        (r#"{ tag = "team" }"#, true),
        (r#"{ tag = "Team" }"#, false),
        (r#"{ tag = "tea*" }"#, false),
        (r#"{ tag = "team=pay=ments" }"#, true),
        (r#"{ tag = "team=pay*" }"#, true),
        (r#"{ tag = "team=" }"#, false),
        (r#"{ tag = "team=ments" }"#, false),
        (r#"{ tag = "aws:eks:cluster-name=prod" }"#, true),
        (r#"{ default = true }"#, false),
        (
            r#"{ id = "sg-0aaa", name = "pay*", vpc = "vpc-0a", account = "111111111111", tag = "team" }"#,
            true,
        ),
        (
            r#"{ id = "sg-0aab", name = "pay*", vpc = "vpc-0a", account = "111111111111", tag = "team" }"#,
            false,
        ),
        (
            r#"{ id = "sg-0aaa", name = "pax*", vpc = "vpc-0a", account = "111111111111", tag = "team" }"#,
            false,
        ),
        (
            r#"{ id = "sg-0aaa", name = "pay*", vpc = "vpc-0b", account = "111111111111", tag = "team" }"#,
            false,
        ),
        (
            r#"{ id = "sg-0aaa", name = "pay*", vpc = "vpc-0a", account = "111111111112", tag = "team" }"#,
            false,
        ),
        (
            r#"{ id = "sg-0aaa", name = "pay*", vpc = "vpc-0a", account = "111111111111", tag = "theme" }"#,
            false,
        ),
    ] {
        let expected = if matches {
            Status::Exempt
        } else {
            Status::Failed
        };
        assert_eq!(
            status(&policy(target, "\"any\"", ""), EQUAL),
            expected,
            "{target}"
        );
    }
}

#[test]
fn the_source_must_match() {
    for (source, of) in [
        ("\"any\"", [true, true, true, true]),
        ("\"self\"", [true, false, false, false]),
        ("\"same-account\"", [true, true, false, false]),
        ("\"sg-0bbb\"", [false, true, true, true]),
        (
            r#"{ id = "sg-0bbb", account = "222222222222" }"#,
            [false, false, true, false],
        ),
    ] {
        let policy = policy(r#"{ vpc = "vpc-0a" }"#, source, "");
        let is_exempt =
            [ITSELF, EQUAL, FOREIGN, UNKNOWN].map(|pair| status(&policy, pair) == Status::Exempt);
        assert_eq!(is_exempt, of, "{source}");
    }
}

#[test]
fn the_last_day_still_holds() {
    let policy = policy(r#"{ vpc = "vpc-0a" }"#, "\"any\"", "until = 2027-06-30");
    let until = "2027-06-30".parse().unwrap();
    for (today, status, concern) in [
        ("2027-05-30", Status::Exempt, None),
        (
            "2027-05-31",
            Status::Exempt,
            Some(Concern::EndsSoon { until, days: 30 }),
        ),
        (
            "2027-06-30",
            Status::Exempt,
            Some(Concern::EndsSoon { until, days: 0 }),
        ),
        ("2027-07-01", Status::Failed, Some(Concern::Ended { until })),
    ] {
        let verdict = verdict(&policy, EQUAL, today);
        assert_eq!(verdict.status, status, "{today}");
        let usage = usage(&verdict);
        let today = today.parse().unwrap();
        let alerts = alerts(&policy.exemptions, None, Some(&usage), today);
        let concerns: Vec<_> = alerts.iter().map(|alert| alert.concern).collect();
        assert_eq!(concerns, concern.into_iter().collect::<Vec<_>>());
    }
}

fn usage(verdict: &Verdict) -> Usage {
    let mut usage = Usage::default();
    let group: SecurityGroup = serde_json::from_str(&GROUP.replace("PAIR", EQUAL)).unwrap();
    usage.note(&group, verdict);
    usage
}

#[test]
fn each_violation_needs_an_exemption_of_its_own() {
    let policy = policy(r#"{ vpc = "vpc-0a" }"#, "\"self\"", "");
    let verdict = verdict(&policy, &format!("{ITSELF},{FOREIGN}"), "2026-11-24");
    assert_eq!(verdict.status, Status::Failed);
    let exemptions: Vec<_> = verdict
        .violations
        .iter()
        .map(|violation| violation.exemption.as_ref().map(|one| one.id.as_str()))
        .collect();
    assert_eq!(exemptions, [Some("a"), None]);
}

#[test]
fn of_several_the_first_that_holds_covers_and_all_count_as_used() {
    let one = |id: &str, rest: &str| {
        format!(
            "[[exemption]]\nid = \"{id}\"\nreason = \"accepted by the board\"\n{rest}\nsource = \"any\"\n"
        )
    };
    let all = "allow = \"all-traffic\"";
    let here = format!("target = {{ vpc = \"vpc-0a\" }}\n{all}");
    let text = [
        one("ended", &format!("until = 2020-01-01\n{here}")),
        one(
            "narrow",
            "target = { vpc = \"vpc-0a\" }\nallow = { protocol = \"tcp\", ports = [[0, 65535]] }",
        ),
        one("first", &here),
        one("second", &here),
        one("unused", &format!("target = {{ vpc = \"vpc-0b\" }}\n{all}")),
    ];
    let policy = read(&text.concat());
    let verdict = verdict(&policy, EQUAL, "2026-11-24");
    let violation = &verdict.violations[0];
    assert_eq!(violation.exemption.as_ref().unwrap().id, "first");
    assert_eq!(violation.exceeded, None);
    let today = "2026-11-24".parse().unwrap();
    let alerts = alerts(&policy.exemptions, None, Some(&usage(&verdict)), today);
    let ids: Vec<_> = alerts
        .iter()
        .map(|alert| (alert.id.as_str(), alert.concern))
        .collect();
    let until = "2020-01-01".parse().unwrap();
    assert_eq!(
        ids,
        [
            ("ended", Concern::Ended { until }),
            ("unused", Concern::Unused)
        ]
    );
}

#[test]
fn an_exemption_of_another_account_is_not_missed() {
    let policy = policy(r#"{ account = "333333333333" }"#, "\"any\"", "");
    let today = "2026-11-24".parse().unwrap();
    let count = |account: &str| {
        let accounts = [AccountId::new(account)].into();
        let usage = Usage::default();
        alerts(&policy.exemptions, Some(&accounts), Some(&usage), today).len()
    };
    assert_eq!((count("111111111111"), count("333333333333")), (0, 1));
}

#[test]
fn the_default_group_of_a_vpc_is_known_by_its_name() {
    let policy = policy("{ default = true }", "\"any\"", "");
    for (name, expected) in [
        ("default", Status::Exempt),
        ("Default", Status::Failed),
        ("default-2", Status::Failed),
    ] {
        let group = GROUP.replace("pay $(id)'db", name).replace("PAIR", EQUAL);
        let group: SecurityGroup = serde_json::from_str(&group).unwrap();
        let today = "2026-11-24".parse().unwrap();
        let verdict = crate::policy::evaluate(&policy, &group, &ReferencedGroups::default(), today);
        assert_eq!(verdict.status, expected, "{name}");
    }
}

/// A port-by-port reading of what an exemption allows.
fn is_allowed(allow: &Allow, protocol: &str, port: u16) -> bool {
    match allow {
        Allow::AllTraffic => true,
        Allow::Traffic(traffic) => traffic.iter().any(|one| {
            let mut ranges = one.ports.intervals().iter();
            ["-1", protocol].contains(&one.protocol.as_str())
                && ranges.any(|(first, last)| (first..=last).contains(&&port))
        }),
    }
}

fn ports() -> impl Strategy<Value = PortSet> {
    let range = (0_u16..40, 0_u16..40).prop_map(|(a, b)| (a.min(b) * 1680, a.max(b) * 1680 + 15));
    prop::collection::vec(range, 1..4).prop_map(|ranges| ranges.into_iter().collect())
}

fn protocol() -> impl Strategy<Value = Protocol> {
    prop::sample::select(vec!["-1", "tcp", "udp", "icmp", "50"]).prop_map(Protocol::new)
}

fn allow() -> impl Strategy<Value = Allow> {
    let traffic = (protocol(), ports());
    let traffic = traffic.prop_map(|(protocol, ports)| AllowedTraffic { protocol, ports });
    prop_oneof![
        1 => Just(Allow::AllTraffic),
        5 => prop::collection::vec(traffic, 1..4).prop_map(Allow::Traffic),
    ]
}

proptest! {
    #[test]
    fn what_is_allowed_is_allowed_port_by_port(allow in allow(), protocol in protocol(), ports in ports()) {
        let mut all = ports.intervals().iter().flat_map(|(first, last)| *first..=*last);
        let expected = all.all(|port| is_allowed(&allow, protocol.as_str(), port));
        prop_assert_eq!(allow.covers(&protocol, &ports), expected);
    }

    #[test]
    fn just_enough_is_enough_and_no_more(protocol in protocol(), ports in ports(), other in ports()) {
        let just = Allow::just(&protocol, &ports);
        prop_assert!(just.covers(&protocol, &ports));
        prop_assert_eq!(just.covers(&protocol, &other), ports.covers(&other));
        prop_assert_eq!(just.covers(&Protocol::new("17"), &ports), protocol.is_all() || protocol.as_str() == "udp");
    }
}

/// The pattern, by the definition of its two wildcards.
fn matches(pattern: &[char], text: &[char]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (None, Some(_)) => false,
        (Some(('*', rest)), None) => matches(rest, text),
        (Some(('*', rest)), Some((_, tail))) => matches(rest, text) || matches(pattern, tail),
        (Some(_), None) => false,
        (Some((wanted, rest)), Some((has, tail))) => {
            (*wanted == '?' || wanted == has) && matches(rest, tail)
        }
    }
}

proptest! {
    #[test]
    fn a_glob_is_its_two_wildcards(pattern in "[ab*?\\[\\n]{0,8}", text in "[abA\\[*?\\n]{0,8}") {
        let by_definition = matches(
            &pattern.chars().collect::<Vec<_>>(),
            &text.chars().collect::<Vec<_>>(),
        );
        prop_assert_eq!(Glob::new(&pattern).matches(&text), by_definition);
    }
}
