//! Files of every shape, whole and broken, read in portions and on several cores.

use std::io::BufReader;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::GroupReader;
use crate::model::SecurityGroup;

mod messages;
mod properties;

type Read = (Vec<String>, Vec<String>);

fn read(text: impl AsRef<[u8]>) -> Read {
    sorted_out(GroupReader::new("f", text.as_ref()))
}

fn sorted_out(groups: impl Iterator<Item = Result<SecurityGroup, super::InputError>>) -> Read {
    let (mut ids, mut errors) = (Vec::new(), Vec::new());
    for group in groups {
        match group {
            Ok(group) => ids.push(group.group_id.as_str().to_owned()),
            Err(error) => errors.push(error.to_string()),
        }
    }
    (ids, errors)
}

fn read_on_cores(text: &[u8], batch: usize) -> Vec<Result<SecurityGroup, super::InputError>> {
    let mut all = Vec::new();
    let reader = BufReader::with_capacity(batch / 4, text);
    let done = GroupReader::new("f", reader).for_each_on(
        2,
        batch,
        |group| group,
        |_, group| {
            all.push(group);
            Ok::<_, std::convert::Infallible>(())
        },
    );
    assert!(done.is_ok());
    all
}

fn group(id: &str) -> String {
    format!(
        r#"{{"GroupId":"{id}","IpPermissions":[{{"IpProtocol":"-1","UserIdGroupPairs":[{{"GroupId":"sg-x"}}]}}]}}"#
    )
}

fn pretty(json: &str) -> String {
    serde_json::to_string_pretty(&serde_json::from_str::<Value>(json).unwrap()).unwrap()
}

#[test]
fn every_shape_gives_its_groups() {
    let (a, b) = (group("sg-a"), group("sg-b"));
    let answer = format!(r#"{{"SecurityGroups":[{a},{b}]}}"#);
    let of = |group: &str| format!(r#"{{"SecurityGroups":[{group}]}}"#);
    let late = |group: &str| {
        format!(r#"{{"NextToken":null,"Other":[1],"SecurityGroups":[{group}],"X":{{}}}}"#)
    };
    for text in [
        answer.clone(),
        pretty(&answer),
        format!("[{a},{b}]"),
        pretty(&format!("[{a},{b}]")),
        format!("{a}\n\n{b}"),
        format!("{a}\r\n{b}\r\n"),
        format!("{a} {b}"),
        format!("{}\n{}", pretty(&a), pretty(&b)),
        format!("{a}\n{}\n", pretty(&b)),
        format!("{}\n{b}\n", pretty(&a)),
        format!("{}{b}\n", pretty(&a)),
        format!("\u{feff}{a}\n{b}"),
        format!("[\n{a},\n{b}\n]"),
        format!("{}\n{}\n", of(&a), of(&b)),
        format!("{}{}", pretty(&of(&a)), pretty(&late(&b))),
        // `jq -s` of several answers, and of several arrays.
        format!("[{},{}]", of(&a), late(&b)),
        pretty(&format!("[{},{}]", of(&a), of(&b))),
        format!("[{},{b}]", of(&a)),
        format!("[{a},[],[{b}]]"),
        format!("[[{a}],[{b}]]"),
        format!("{{\"SecurityGroups\" : [ {a} , {b} ] , \"NextToken\" : \"\" }}"),
    ] {
        let expected = (vec!["sg-a".to_owned(), "sg-b".to_owned()], vec![]);
        assert_eq!(read(&text), expected, "{text}");
    }
    for nothing in [
        "{\"SecurityGroups\":[]}",
        "[]",
        "[[],[]]",
        "[{\"SecurityGroups\":[]}]",
        "{\"SecurityGroups\":[],\"NextToken\":null}",
    ] {
        assert_eq!(read(nothing), (vec![], vec![]), "{nothing}");
    }
}

#[test]
fn a_bad_document_is_named_and_the_others_come() {
    let (a, b, c) = (group("sg-a"), group("sg-b"), group("sg-c"));
    let misspelt = a.replace("IpPermissions", "ipPermissions");
    let cut_in_text = a.split_at(14).0;
    let cut_at_comma = a.split_at(17).0;
    let cut_in_list = "{\"GroupId\":\"sg-a\",\"IpPermissions\":[";
    for (text, place) in [
        (format!("{cut_in_text}\n{b}\n{c}\n"), "f:1: not JSON"),
        (format!("{cut_at_comma}\n{b}\n{c}\n"), "f:1: not JSON"),
        (format!("{cut_in_list}\n{b}\n{c}\n"), "f:1: not JSON"),
        (format!("{b}\n{cut_at_comma}\n{c}"), "f:2: not JSON"),
        (
            format!("{b}\n{c}\n{cut_in_list}"),
            "f:3: the JSON document is cut off",
        ),
        (format!("{b}\nnonsense\n{c}"), "f:2: not JSON"),
        (
            format!("{b}\n{{\"GroupId\":\"sg-a\"}}\n{c}"),
            "f:2: security group sg-a has no",
        ),
        (
            format!("{b}\n{misspelt}\n{c}"),
            "f:2: security group sg-a: ipPermissions must be",
        ),
        (
            format!("{b}\n{}\n{c}", pretty(&misspelt)),
            "f:4: security group sg-a: ipPermissions must be",
        ),
        (
            format!("[{b},{{\"GroupId\":\"sg-a\"}},{c}]"),
            "f:1: group [1]: security group sg-a has no",
        ),
        (
            pretty(&format!(
                "{{\"SecurityGroups\":[{b},{{\"IpPermissions\":[]}},{c}]}}"
            )),
            "f:18: group [1]: a security group has no `GroupId`",
        ),
        (
            format!("[{b},3,{c}]"),
            "f:1: group [1]: neither a security group",
        ),
        (
            format!("[[{b}],[3],[{c}]]"),
            "f:1: answer [1]: group [0]: neither a security group",
        ),
        (
            format!("{{\"SecurityGroups\":[{b},[],{c}]}}"),
            "f:1: group [1]: a list within the list of an answer",
        ),
        (
            format!("{{\"NextToken\":null,\"SecurityGroups\":[{b},[],{c}]}}"),
            "f:1: group [1]: a list within the list of an answer",
        ),
        (
            format!("{{\"SecurityGroups\":[{b},{{\"SecurityGroups\":[]}},{c}]}}"),
            "f:1: group [1]: a list within the list of an answer",
        ),
        (format!("{b}\n3\n{c}"), "f:2: neither a security group"),
        (format!("{{}} {b} {c}"), "f:1: neither a security group"),
        (
            format!("{b}\n\"GroupId\"\n{c}"),
            "f:2: neither a security group",
        ),
    ] {
        let (ids, errors) = read(&text);
        assert_eq!(ids, ["sg-b", "sg-c"], "{text}\n{errors:?}");
        assert!(
            errors.len() == 1 && errors[0].starts_with(place),
            "{text}\n{errors:?}"
        );
    }
}

#[test]
fn behind_a_broken_document_the_next_ones_come() {
    let [a, b, c] = ["sg-a", "sg-b", "sg-c"].map(|id| pretty(&group(id)));
    let answer = pretty(&format!("{{\"SecurityGroups\":[{}]}}", group("sg-b")));
    for at in 1..a.len() {
        for behind in [&b, &group("sg-b"), &answer] {
            let text = format!("{}\n{behind}\n{c}\n", a.split_at(at).0);
            let (ids, errors) = read(&text);
            assert!(
                ids == ["sg-b", "sg-c"] && errors.len() == 1,
                "cut at {at}: {ids:?} {errors:?}"
            );
        }
    }
    let text = format!(
        "{{\"GroupId\":\"b\",\n{{\"GroupId\":\"c\",\n{}\n",
        group("sg-d")
    );
    let (ids, errors) = read(&text);
    assert_eq!((ids.len(), errors.len()), (1, 2), "{errors:?}");
}

#[test]
fn of_a_broken_list_what_stands_before_comes() {
    let (a, b, c) = (group("sg-a"), group("sg-b"), group("sg-c"));
    let double_comma = |json: &str| json.replacen("\"sg-b\",", "\"sg-b\",,", 1);
    let all = format!("[{a},{b},{c}]");
    for (text, expected, place) in [
        (
            double_comma(&all),
            ["sg-a"].as_slice(),
            "f:1: group [1]: not JSON",
        ),
        (
            double_comma(&pretty(&all)),
            &["sg-a"],
            "f:15: group [1]: not JSON: key must be a string (on the next line)",
        ),
        (
            format!("[\n{a},\n{},\n{c}\n]\n", double_comma(&b)),
            &["sg-a"],
            "f:3: group [1]: not JSON",
        ),
        (
            format!("[{a},{b}\n{c}\n"),
            &["sg-a", "sg-b", "sg-c"],
            "f:2: group [2]: not JSON: expected `,` or `]`",
        ),
        (
            format!("[{a},\n{b}"),
            &["sg-a", "sg-b"],
            "f:2: group [2]: the JSON document is cut off",
        ),
        (
            format!("[{a},{}\n{c}\n", b.split_at(9).0),
            &["sg-a", "sg-c"],
            "f:1: group [1]: not JSON",
        ),
        (
            format!("[{a},{}\n{c}\n", b.split_at(17).0),
            &["sg-a", "sg-c"],
            "f:1: group [1]: not JSON",
        ),
        (
            format!("{{\"SecurityGroups\":[{a}],\n{c}\n"),
            &["sg-a", "sg-c"],
            "f:1: not JSON",
        ),
        (
            format!("{{\"SecurityGroups\":[{a}"),
            &["sg-a"],
            "f:1: group [1]: the JSON document is cut off",
        ),
        (
            format!("{{\"NextToken\":null,\"X\":[\"]\"],\"SecurityGroups\":[{a},\n{b},"),
            &["sg-a", "sg-b"],
            "f:2: group [2]: the JSON document is cut off",
        ),
        (
            format!(
                "[{{\"NextToken\":\"\",\n \"SecurityGroups\":[{a},{}",
                b.split_at(17).0
            ),
            &["sg-a"],
            "f:2: answer [0]: group [1]: the JSON document is cut off",
        ),
        (
            format!("{{\"SecurityGroups\":[{a}]"),
            &["sg-a"],
            "f:1: group [1]: the JSON document is cut off",
        ),
        (
            format!("{{\"SecurityGroups\":[{a}],\"NextToken\":\"eyJ\"}}\n{b}"),
            &["sg-a", "sg-b"],
            "f:1: there is a NextToken",
        ),
        (
            format!("[{{\"SecurityGroups\":[{a}],\"NextToken\":\"eyJ\"}},{b}]"),
            &["sg-a", "sg-b"],
            "f:1: answer [0]: there is a NextToken",
        ),
        (
            format!("[{a},]\n{c}"),
            &["sg-a", "sg-c"],
            "f:1: group [1]: not JSON",
        ),
        (
            format!("[{a}}}\n{c}"),
            &["sg-a", "sg-c"],
            "f:1: group [1]: not JSON: expected `,` or `]`",
        ),
    ] {
        let (ids, errors) = read(&text);
        assert_eq!(ids, expected, "{text} {errors:?}");
        assert!(
            errors.len() == 1 && errors[0].starts_with(place),
            "{text} {errors:?}"
        );
    }
}

#[test]
fn a_bad_element_costs_only_itself() {
    let (a, c) = (group("sg-a"), group("sg-c"));
    let both = format!("{{\"GroupId\":\"sg-b\",\"IpPermissions\":[],\"SecurityGroups\":[{a}]}}");
    let deep = [&b"["[..], &b"[".repeat(500), &b"]".repeat(501)].concat();
    for bad in [
        both.as_bytes(),
        b"{\"GroupId\":\"sg-\xff\",\"IpPermissions\":[]}",
        b"3",
        b"null",
        b"\"sg-b\"",
        &deep,
    ] {
        let text = [b"[", a.as_bytes(), b",", bad, b",", c.as_bytes(), b"]"].concat();
        let (ids, errors) = read(&text);
        let shown = String::from_utf8_lossy(&text);
        assert_eq!(
            (ids, errors.len()),
            (vec!["sg-a".to_owned(), "sg-c".to_owned()], 1),
            "{shown} {errors:?}"
        );
    }
}

#[test]
fn what_is_no_answer_in_a_list_of_answers_is_called_an_answer() {
    let answer = |id| format!(r#"{{"SecurityGroups":[{}]}}"#, group(id));
    for bad in ["null", "3", "[]", "\"x\""] {
        let text = format!(
            "[{},{},{bad},{}]",
            answer("sg-a"),
            answer("sg-b"),
            answer("sg-c")
        );
        let (ids, errors) = read(&text);
        assert_eq!(ids, ["sg-a", "sg-b", "sg-c"], "{errors:?}");
        let is_named = |error: &String| error.starts_with("f:1: answer [2]: neither");
        // An empty list has no elements to be wrong.
        assert!(
            errors.iter().all(is_named) && errors.is_empty() == (bad == "[]"),
            "{bad}: {errors:?}"
        );
    }
    let (_, errors) = read(format!("[{},null]", group("sg-a")));
    assert!(
        errors[0].starts_with("f:1: group [1]: neither"),
        "{errors:?}"
    );
}

#[test]
fn many_documents_without_an_end_do_not_keep_the_last_from_coming() {
    for cut in [
        "{\"GroupId\":\"sg-1\",\"IpPermissions\":[\n",
        "{\"X\":[\n3\n,\n",
        "{\"SecurityGroups\":[\n",
        "[\n",
    ] {
        let text = format!("{}{}\n{}\n", cut.repeat(2000), group("sg-a"), group("sg-b"));
        let (ids, errors) = read(&text);
        assert!(
            ids.ends_with(&["sg-b".to_owned()]) && !errors.is_empty(),
            "{cut}: {ids:?}"
        );
    }
}

#[test]
fn a_long_list_takes_no_memory() {
    let groups: Vec<_> = (0..20_000)
        .map(|number| group(&format!("sg-{number}")))
        .collect();
    let text = format!("{{\"SecurityGroups\":[{}]}}", groups.join(","));
    for text in [text.clone(), pretty(&text)] {
        let mut groups = GroupReader::new("f", BufReader::with_capacity(1 << 16, text.as_bytes()));
        assert_eq!(groups.by_ref().filter(Result::is_ok).count(), 20_000);
        let most = groups.text.bytes.capacity();
        assert!(most < 1 << 18, "{most}");
    }
}

#[test]
fn numbers_may_be_written_as_floats_and_ports_must_be_whole() {
    let text = r#"{"GroupId":"sg-1","IpPermissions":[{"IpProtocol":6.0,"FromPort":22.0,"ToPort":23.0,"UserIdGroupPairs":null}]}"#;
    let groups: Vec<_> = GroupReader::new("f", text.as_bytes()).flatten().collect();
    let permission = &groups[0].ip_permissions[0];
    let found = (
        permission.ip_protocol.as_str(),
        permission.from_port,
        permission.to_port,
    );
    assert_eq!(found, ("tcp", Some(22), Some(23)));
}
