use proptest::prelude::*;

use super::*;
use crate::model::Protocol;
use crate::model::ports::PortSet;
use crate::policy::exemption::{Allow, AllowedTraffic};

fn settings(text: &str) -> Settings {
    let SettingsFile { settings, refused } = super::read("policy.toml", text).unwrap();
    assert_eq!(refused, [], "{text}");
    settings
}

/// What is wrong with a text: the error, or why exemptions do not hold.
fn complaints(text: &str) -> String {
    match super::read("policy.toml", text) {
        Err(error) => error.to_string(),
        Ok(file) => {
            let reasons = file.refused.iter().flat_map(|refused| &refused.reasons);
            let reasons: Vec<_> = reasons.map(ToString::to_string).collect();
            assert!(!reasons.is_empty(), "nothing is wrong with {text:?}");
            reasons.join("\n")
        }
    }
}

fn all_complaints(texts: &[String]) -> String {
    let complaints: Vec<_> = texts.iter().map(|text| complaints(text)).collect();
    complaints.join("\n")
}

#[test]
fn no_settings_are_the_defaults() {
    assert_eq!(settings("# nothing\n"), Settings::default());
}

#[test]
fn settings_are_read_and_written_the_same() {
    let text = "reading = \"reference\"\nmax_open_ports = 1000\nseverity = \"HIGH\"\nrelated_requirements = []\nrule_ids = true\n";
    assert_eq!(settings(text).max_open_ports, 1000);
    assert_eq!(to_toml(&settings(text)).unwrap(), text);
    let shown = to_toml(&Settings::default()).unwrap();
    assert_eq!(settings(&shown), Settings::default());
}

#[test]
fn what_is_wrong_is_said_with_file_line_and_key() {
    let texts = [
        "max_ports = 1",
        "\n\nmax_open_ports = 0",
        "max_open_ports = 65536",
        "max_open_ports = 99999999999999999999",
        "max_open_ports = 1000.5",
        "max_open_ports = \"x\"",
        "severity = \"low\"",
        "severity = \"INFORMATIONAL\"",
        "severity = 3",
        "severity = ",
        "reading = \"both\"",
        "related_requirements = [\n  \"a\",\n  \"\",\n]",
        "related_requirements = \"a\"",
        "reading = \"effective\"\n\"max_open_ports\" = 0",
        "rule_ids = 1",
        "reading = \"effective\"\nreading = \"effective\"",
        "sensitivity = 3",
        "['sensitivity']\ntag = 3",
        "[sensitivity]\ntag = \"x\"",
        "[sensitivity]\ntag = \"x\"\ntag = \"y\"",
        "[sensitivity]\nlevels = \"\"\"\ntag = 3\nseverity = 4\n\"\"\"\ntag = 3",
        "[sensitivity]\ntag = \"x",
        "exemption = 3",
        "exemption = [3]",
        "[[exemption]]\nid = 'a\\b'\nreason = '''\ntarget = 3\n'''\nsource = 3",
        "just words",
        "[exemption\n",
    ];
    let texts = texts.map(str::to_owned);
    insta::assert_snapshot!(all_complaints(&texts), @r#"
    policy.toml:1: unknown field `max_ports`, expected one of `reading`, `max_open_ports`, `severity`, `related_requirements`, `rule_ids`, `sensitivity`, `exemption`
    policy.toml:3: max_open_ports: 0 is not between 1 and 65535
    policy.toml:1: max_open_ports: 65536 is not between 1 and 65535
    policy.toml:1: max_open_ports: 99999999999999999999 is not between 1 and 65535
    policy.toml:1: max_open_ports: it is 1000.5, and must be a whole number
    policy.toml:1: max_open_ports: it is the string "x", and must be a whole number
    policy.toml:1: severity: "low" is not LOW, MEDIUM, HIGH or CRITICAL
    policy.toml:1: severity: "INFORMATIONAL" is not LOW, MEDIUM, HIGH or CRITICAL
    policy.toml:1: severity: it is 3, and must be a string
    policy.toml:1: severity: string values must be quoted, expected literal string
    policy.toml:1: reading: "both" is not "effective" or "reference"
    policy.toml:3: related_requirements: "" is not 1 to 63 characters, as Security Hub takes them
    policy.toml:1: related_requirements: it is the string "a", and must be a list
    policy.toml:2: max_open_ports: 0 is not between 1 and 65535
    policy.toml:1: rule_ids: it is 1, and must be a boolean
    policy.toml:2: reading: duplicate key
    policy.toml:1: sensitivity: it is 3, and must be a table
    policy.toml:2: sensitivity.tag: it is 3, and must be a string
    policy.toml:1: sensitivity: `levels` is missing
    policy.toml:3: sensitivity.tag: duplicate key
    policy.toml:2: sensitivity.levels: it is the string "tag = 3\nseverity = 4\n", and must be a list
    policy.toml:2: sensitivity.tag: invalid basic string, expected `"`
    policy.toml:1: exemption: it is 3, and must be a list
    policy.toml:1: exemption: it is 3, and must be a table
    policy.toml:6: exemption.source: it is 3, and must be "self", "any", "same-account", a group's id, or { id = "sg-…", account = "…" }
    policy.toml:1: key with no value, expected `=`
    policy.toml:1: exemption: unclosed table, expected `]`
    "#);
    let many = format!("related_requirements = [{}]", "\"a\",".repeat(33));
    insta::assert_snapshot!(complaints(&many), @"policy.toml:1: related_requirements: 33 items, Security Hub takes 32");
}

const SENSITIVITY: &str = "[sensitivity]\ntag = \"Data\"\nlevels = [\"public\", \"Internal\", \"restricted\"]\ndefault = \"internal\"\n";
const EXEMPTION: &str = "[[exemption]]\nid = \"a\"\nreason = \"a reason that is long enough\"\ntarget = { vpc = \"vpc-0a\" }\nsource = \"any\"\nallow = \"all-traffic\"\n";

fn key_of(line: &str) -> Option<&str> {
    line.split_once('=').map(|(key, _)| key.trim())
}

/// The text with a line in place of the one that gives this key.
fn with(text: &str, line: &str) -> String {
    let key = key_of(line);
    let lines = text.lines().filter(|other| key_of(other) != key);
    lines
        .chain([line])
        .map(|line| format!("{line}\n"))
        .collect()
}

/// The text without the line that gives this key.
fn without(text: &str, key: &str) -> String {
    let lines = text.lines().filter(|line| key_of(line) != Some(key));
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn the_example_loads_and_all_of_it_is_right() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/policy.example.toml");
    let text = std::fs::read_to_string(path).unwrap();
    let read = settings(&text);
    let mut expected = Settings::default();
    expected.exemptions.clone_from(&read.exemptions);
    assert_eq!(read, expected, "the keys that are set have their defaults");
    assert_eq!(read.exemptions[0].id, "eks-cluster-self");
    // What is commented out is right too.
    let is_setting = |line: &str| {
        let line = line.strip_prefix("# ").unwrap_or(line);
        let is_key = |key: &str| {
            key.bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        };
        line.starts_with('[') || key_of(line).is_some_and(is_key)
    };
    let whole: String = text
        .lines()
        .filter(|line| is_setting(line))
        .map(|line| format!("{}\n", line.strip_prefix("# ").unwrap_or(line)))
        .collect();
    let read = settings(&whole);
    assert!(read.sensitivity.is_some());
    assert_eq!(read.exemptions.len(), 4);
    assert_eq!(settings(&to_toml(&read).unwrap()), read);
}

#[test]
fn sensitivity_has_defaults_and_is_checked() {
    let sensitivity = settings(SENSITIVITY).sensitivity.unwrap();
    assert_eq!(sensitivity.unseen, "public");
    assert_eq!(
        sensitivity.raise,
        [Severity::Medium, Severity::High, Severity::Critical]
    );
    let texts: Vec<_> = [
        "tag = \"\"",
        "levels = []",
        "levels = [\"a\", \"A\"]",
        "levels = [\"internal\", \"\"]",
        "default = \"secret\"",
        "unseen = \"secret\"",
        "raise = []",
        "raise = [\"HIGH\", \"LOW\"]",
        "raise = [\"INFORMATIONAL\"]",
        "rise = []",
    ]
    .iter()
    .map(|line| with(SENSITIVITY, line))
    .collect();
    insta::assert_snapshot!(all_complaints(&texts), @r#"
    policy.toml:4: sensitivity.tag: it is empty
    policy.toml:4: sensitivity.levels: it names no level
    policy.toml:4: sensitivity.levels: "A" stands there twice: levels are compared without case
    policy.toml:4: sensitivity.levels: a level without a name
    policy.toml:4: sensitivity.default: "secret" is not one of the levels
    policy.toml:5: sensitivity.unseen: "secret" is not one of the levels
    policy.toml:5: sensitivity.raise: it has no severity
    policy.toml:5: sensitivity.raise: it falls: a greater distance must not lower the severity
    policy.toml:5: sensitivity.raise: "INFORMATIONAL" is not LOW, MEDIUM, HIGH or CRITICAL
    policy.toml:5: sensitivity: unknown field `rise`, expected one of `tag`, `levels`, `default`, `unseen`, `raise`
    "#);
}

#[test]
fn exemptions_that_are_not_written_well_are_errors_of_the_file() {
    assert_eq!(settings(EXEMPTION).exemptions.len(), 1);
    let mut texts: Vec<_> = [
        "id = \"\"",
        "reason = \"too short\"",
        "reason = \"            \"",
        "reason = \"\u{3164}\u{3164}\u{3164}\u{3164}\u{3164}\u{3164}\u{3164}\u{3164}\u{3164}\u{3164}\"",
        "owner = \" \"",
        "until = \"2027-06-30\"",
        "until = 2027-02-30",
        "until = 2027-06-30T00:00:00Z",
        "target = { id = \"vpc-1\" }",
        "target = { vpc = \"sg-1\" }",
        "target = { account = \"1234\" }",
        "target = { account = 123456789012 }",
        "target = { vpc = \"vpc-0a\", tag = \"=x\" }",
        "target = { vpcs = \"vpc-0a\" }",
        "target = { default = \"yes\" }",
        "target = \"vpc-0a\"",
        "source = \"all\"",
        "source = 3",
        "source = { id = \"sg-1\" }",
        "source = { id = \"x\", account = \"111111111111\" }",
        "source = { account = \"111111111111\" }",
        "source = { id = \"sg-1\", account = \"1\" }",
        "self_service = \"yes\"",
        "selfservice = true",
        "allow = 3",
        "allow = true",
        "allow = { protocol = [], ports = [[0, 1]] }",
        "allow = { protocol = 99999999999999999999, ports = [[0, 1.5]] }",
        "allow = { protocol = \"tcp\", ports = \"0-1\" }",
        "allow = { protocol = \"tcp\", ports = [443] }",
        "allow = { protocol = \"tcp\", ports = [[\"a\", 1]] }",
        "allow = { protocol = \"tcp\", ports = [[0, 1]], port = 1 }",
        "allow = [\"all-traffic\"]",
    ]
    .iter()
    .map(|line| with(EXEMPTION, line))
    .collect();
    texts.push(without(EXEMPTION, "target"));
    texts.push(format!("{EXEMPTION}{EXEMPTION}"));
    insta::assert_snapshot!(all_complaints(&texts), @r#"
    policy.toml:6: exemption.id: it is empty
    policy.toml:6: exemption.reason: "too short" is shorter than 10 characters: say why the risk is accepted
    policy.toml:6: exemption.reason: "            " is shorter than 10 characters: say why the risk is accepted
    policy.toml:6: exemption.reason: "ㅤㅤㅤㅤㅤㅤㅤㅤㅤㅤ" is shorter than 10 characters: say why the risk is accepted
    policy.toml:7: exemption.owner: it is empty
    policy.toml:7: exemption.until: it is the string "2027-06-30", and must be a date without quotes
    policy.toml:7: exemption.until: invalid date, expected day between 01 and 28
    policy.toml:7: exemption.until: 2027-06-30T00:00:00Z is not a day such as 2027-06-30
    policy.toml:6: exemption.target.id: "vpc-1" is not a security group's id
    policy.toml:6: exemption.target.vpc: "sg-1" is not a VPC's id
    policy.toml:6: exemption.target.account: "1234" is not an account's 12 digits
    policy.toml:6: exemption.target.account: it is 123456789012, and must be a string
    policy.toml:6: exemption.target.tag: a tag is "key" or "key=value"
    policy.toml:6: exemption.target: unknown field `vpcs`, expected one of `id`, `name`, `vpc`, `account`, `tag`, `default`
    policy.toml:6: exemption.target.default: it is the string "yes", and must be a boolean
    policy.toml:6: exemption.target: it is the string "vpc-0a", and must be a table such as { id = "sg-…" } or { tag = "key=value" }
    policy.toml:6: exemption.source: "all" is not one of "self", "any", "same-account", a group's id, or { id = "sg-…", account = "…" }
    policy.toml:6: exemption.source: it is 3, and must be "self", "any", "same-account", a group's id, or { id = "sg-…", account = "…" }
    policy.toml:6: exemption.source: `account` is missing
    policy.toml:6: exemption.source.id: "x" is not a security group's id
    policy.toml:6: exemption.source: `id` is missing
    policy.toml:6: exemption.source.account: "1" is not an account's 12 digits
    policy.toml:7: exemption.self_service: it is the string "yes", and must be a boolean
    policy.toml:7: exemption: unknown field `selfservice`, expected one of `id`, `reason`, `owner`, `until`, `target`, `source`, `allow`, `self_service`
    policy.toml:6: exemption.allow: it is 3, and must be "all-traffic", { protocol = "tcp", ports = [[1024, 65535]] }, or a list of such tables
    policy.toml:6: exemption.allow: it is true, and must be "all-traffic", { protocol = "tcp", ports = [[1024, 65535]] }, or a list of such tables
    policy.toml:6: exemption.allow.protocol: it is a list, and must be a protocol's name or number
    policy.toml:6: exemption.allow.ports: it is 1.5, and must be a whole number
    policy.toml:6: exemption.allow.ports: it is the string "0-1", and must be a list
    policy.toml:6: exemption.allow.ports: it is 443, and must be a list
    policy.toml:6: exemption.allow.ports: it is the string "a", and must be a whole number
    policy.toml:6: exemption.allow: unknown field `port`, expected `protocol` or `ports`
    policy.toml:6: exemption.allow: it is the string "all-traffic", and must be a table such as { protocol = "tcp", ports = [[1024, 65535]] }
    policy.toml:1: exemption: `target` is missing
    policy.toml:8: exemption.id: another exemption has the id "a" too
    "#);
}

#[test]
fn an_exemption_that_excuses_more_than_it_may_does_not_hold() {
    let lines = [
        "target = {}",
        "target = { default = false }",
        "target = { name = \"web-*\" }",
        "target = { tag = \"team\" }",
        "target = { tag = \"team=a\", name = \"*\" }",
        "target = { account = \"111111111111\", name = \"web-*\" }",
        "target = { account = \"111111111111\", tag = \"team\" }",
        "target = { tag = \"aws:cloudformation:stack-name=web\" }",
        "allow = \"everything\"",
        "allow = []",
        "allow = { protocol = \"50\" }",
        "allow = [{ ports = [[0, 1]] }]",
        "allow = { protocol = \"tcp\", ports = [] }",
        "allow = { protocol = \"tcp\", ports = [[0]] }",
        "allow = { protocol = \"tcp\", ports = [[0, 1, 2]] }",
        "allow = { protocol = \"tcp\", ports = [[2, 1]] }",
        "allow = [{ protocol = \"tcp\", ports = [[0, 1]] }, { protocol = \"tcp\", ports = [[0, 65536]] }]",
        "allow = { protocol = \"http\", ports = [[0, 1]] }",
        "allow = { protocol = \"256\", ports = [[0, 1]] }",
        "allow = { protocol = -2, ports = [[0, 1]] }",
    ];
    let texts: Vec<_> = lines.iter().map(|line| with(EXEMPTION, line)).collect();
    for text in &texts {
        // The rest of the file counts.
        let other = EXEMPTION.replace("id = \"a\"", "id = \"b\"");
        let file = super::read(
            "policy.toml",
            &format!("severity = \"HIGH\"\n{text}{other}"),
        )
        .unwrap();
        assert_eq!(file.settings.severity, Severity::High);
        let ids: Vec<_> = file.settings.exemptions.iter().map(|one| &one.id).collect();
        assert_eq!(ids, ["b"], "{text}");
        assert_eq!(file.refused[0].id, "a");
    }
    insta::assert_snapshot!(all_complaints(&texts), @r#"
    policy.toml:6: exemption.target: exemption "a" does not hold: it matches every group: give at least one of id, name, vpc, account, tag and default
    policy.toml:6: exemption.target: exemption "a" does not hold: default can only be true: leave it out
    policy.toml:6: exemption.target: exemption "a" does not hold: it matches only by a name, so whoever may set that could excuse a group: match by id, vpc, default = true or a tag whose value AWS chooses (aws:eks:cluster-name, aws:autoscaling:groupName) too, or say self_service = true
    policy.toml:6: exemption.target: exemption "a" does not hold: it matches only by a tag that people choose, so whoever may set that could excuse a group: match by id, vpc, default = true or a tag whose value AWS chooses (aws:eks:cluster-name, aws:autoscaling:groupName) too, or say self_service = true
    policy.toml:6: exemption.target: exemption "a" does not hold: it matches only by a name and a tag that people choose, so whoever may set that could excuse a group: match by id, vpc, default = true or a tag whose value AWS chooses (aws:eks:cluster-name, aws:autoscaling:groupName) too, or say self_service = true
    policy.toml:6: exemption.target: exemption "a" does not hold: it matches only by a name (account narrows nothing: whoever could set that is in the account), so whoever may set that could excuse a group: match by id, vpc, default = true or a tag whose value AWS chooses (aws:eks:cluster-name, aws:autoscaling:groupName) too, or say self_service = true
    policy.toml:6: exemption.target: exemption "a" does not hold: it matches only by a tag that people choose (account narrows nothing: whoever could set that is in the account), so whoever may set that could excuse a group: match by id, vpc, default = true or a tag whose value AWS chooses (aws:eks:cluster-name, aws:autoscaling:groupName) too, or say self_service = true
    policy.toml:6: exemption.target: exemption "a" does not hold: it matches only by a tag that people choose, so whoever may set that could excuse a group: match by id, vpc, default = true or a tag whose value AWS chooses (aws:eks:cluster-name, aws:autoscaling:groupName) too, or say self_service = true
    policy.toml:6: exemption.allow: exemption "a" does not hold: "everything" is not "all-traffic", { protocol = "tcp", ports = [[1024, 65535]] }, or a list of such tables
    policy.toml:6: exemption.allow: exemption "a" does not hold: it allows nothing
    policy.toml:6: exemption.allow: exemption "a" does not hold: it has no `ports`: write "all-traffic", { protocol = "tcp", ports = [[1024, 65535]] }, or a list of such tables
    policy.toml:6: exemption.allow: exemption "a" does not hold: it has no `protocol`: write "all-traffic", { protocol = "tcp", ports = [[1024, 65535]] }, or a list of such tables
    policy.toml:6: exemption.allow.ports: exemption "a" does not hold: it has no range of ports
    policy.toml:6: exemption.allow.ports: exemption "a" does not hold: [0] is not a range of ports, first and last from 0 to 65535, such as [1024, 65535]
    policy.toml:6: exemption.allow.ports: exemption "a" does not hold: [0, 1, 2] is not a range of ports, first and last from 0 to 65535, such as [1024, 65535]
    policy.toml:6: exemption.allow.ports: exemption "a" does not hold: [2, 1] is not a range of ports, first and last from 0 to 65535, such as [1024, 65535]
    policy.toml:6: exemption.allow.ports: exemption "a" does not hold: [0, 65536] is not a range of ports, first and last from 0 to 65535, such as [1024, 65535]
    policy.toml:6: exemption.allow.protocol: exemption "a" does not hold: "http" is not "tcp", "udp", "icmp", "icmpv6", another protocol's number, or -1 for all of them
    policy.toml:6: exemption.allow.protocol: exemption "a" does not hold: "256" is not "tcp", "udp", "icmp", "icmpv6", another protocol's number, or -1 for all of them
    policy.toml:6: exemption.allow.protocol: exemption "a" does not hold: -2 is not "tcp", "udp", "icmp", "icmpv6", another protocol's number, or -1 for all of them
    "#);
    let both = with(
        &without(EXEMPTION, "allow"),
        "target = { name = \"web-*\" }",
    );
    insta::assert_snapshot!(complaints(&both), @r#"
    policy.toml:5: exemption.target: exemption "a" does not hold: it matches only by a name, so whoever may set that could excuse a group: match by id, vpc, default = true or a tag whose value AWS chooses (aws:eks:cluster-name, aws:autoscaling:groupName) too, or say self_service = true
    policy.toml:4: exemption.allow: exemption "a" does not hold: allow is missing. Write the widest traffic that is accepted: allow = "all-traffic", or for example allow = { protocol = "tcp", ports = [[1024, 65535]] }; `sg-trust explain` prints the line that a violation needs
    "#);
}

#[test]
fn what_nobody_can_choose_needs_no_self_service() {
    for line in [
        "target = { name = \"web-*\", vpc = \"vpc-0a\" }",
        "target = { tag = \"team\", id = \"sg-0a\" }",
        "target = { tag = \"aws:eks:cluster-name\" }",
        "target = { tag = \"aws:eks:cluster-name=prod-*\", name = \"eks-*\" }",
        "target = { tag = \"aws:autoscaling:groupName\" }",
        "target = { account = \"111111111111\" }",
        "target = { default = true }",
        "target = { default = true, name = \"default\", tag = \"team\" }",
    ] {
        assert_eq!(settings(&with(EXEMPTION, line)).exemptions.len(), 1);
    }
    let by_name = with(EXEMPTION, "target = { name = \"web-*\" }");
    let by_name = settings(&with(&by_name, "self_service = true"));
    assert!(by_name.exemptions[0].self_service);
}

#[test]
fn only_an_exemption_of_the_group_itself_may_leave_allow_out() {
    let text = without(EXEMPTION, "allow");
    for source in ["any", "same-account", "sg-0b"] {
        let text = with(&text, &format!("source = \"{source}\""));
        assert!(complaints(&text).contains("exemption.allow: "), "{text}");
    }
    let itself = settings(&with(&text, "source = \"self\""));
    assert_eq!(itself.exemptions[0].allow, Allow::AllTraffic);
    let narrower = "allow = { protocol = 6, ports = [[443, 443]] }";
    let narrower = settings(&with(&with(&text, "source = \"self\""), narrower));
    assert_ne!(narrower.exemptions[0].allow, Allow::AllTraffic);
}

fn port_set() -> impl Strategy<Value = PortSet> {
    let range = (any::<u16>(), any::<u16>()).prop_map(|(a, b)| (a.min(b), a.max(b)));
    prop::collection::vec(range, 1..4).prop_map(|ranges| ranges.into_iter().collect())
}

fn allow() -> impl Strategy<Value = Allow> {
    let protocol = prop_oneof![
        prop::sample::select(vec!["-1", "tcp", "udp", "icmp", "icmpv6", "50"])
            .prop_map(Protocol::new),
        (-1_i64..256).prop_map(Protocol::from_number)
    ];
    let traffic = (protocol, port_set());
    let traffic = traffic.prop_map(|(protocol, ports)| AllowedTraffic { protocol, ports });
    prop_oneof![
        Just(Allow::AllTraffic),
        prop::collection::vec(traffic, 1..4).prop_map(Allow::Traffic),
    ]
}

proptest! {
    /// `policy --show` prints what a file means, and `explain` the line that an exemption needs.
    #[test]
    fn what_is_allowed_is_written_as_it_is_read(allow in allow()) {
        let line = allow_line(&allow).unwrap();
        prop_assert!(!line.contains('\n'), "{line}");
        let read = settings(&with(EXEMPTION, &line));
        prop_assert_eq!(&read.exemptions[0].allow, &allow);
        prop_assert_eq!(settings(&to_toml(&read).unwrap()), read);
    }

    /// Any text is read or refused with a place in it.
    #[test]
    fn any_text_has_a_line(lines in prop::collection::vec(prop::sample::select(vec![
        "id = 1", "[[exemption]]", "[sensitivity]", "tag = \"\"\"", "\"\"\"", "target = {", "}", "allow = [", "]", "= 3", "a.b.c = 2", "severity = 'x",
        "[exemption.target]", "\u{feff}", "x = [[[[", "until = 2020-13-01", "reading = \"effective\"",
    ]), 0..8)) {
        if let Err(error) = super::read("policy.toml", &lines.join("\n")) {
            let error = error.to_string();
            let line = error.strip_prefix("policy.toml:").and_then(|rest| rest.split_once(':')).unwrap().0;
            prop_assert!((1..=lines.len().max(1)).contains(&line.parse::<usize>().unwrap()), "{error}");
            prop_assert!(!error.contains('\n'), "{error}");
        }
    }
}
