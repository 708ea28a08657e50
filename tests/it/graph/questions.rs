//! What is asked must be clear, and what is read whole.

use serde_json::json;

use super::{all_from, group, on, organisation, parse};
use crate::cli::{Run, run};

/// A source that no file has may have the id of a group: nothing can end at it.
#[test]
fn chains_end_at_groups_that_were_read() {
    let mut foreign = all_from(&["sg-0a"]);
    foreign["UserIdGroupPairs"][0]["UserId"] = json!("999999999999");
    let groups = [
        group("sg-0a", json!([])),
        group("sg-0b", json!([foreign, all_from(&["sg-0b"])])),
    ];
    for arguments in [
        &["reach", "--to", "sg-0a"][..],
        &["reach", "--from", "sg-0b", "--to", "sg-0a"],
        &["graph", "--to", "sg-0a"],
    ] {
        let Run { code, err, .. } = on(arguments, &groups, None);
        assert_eq!((code, err.as_str()), (0, ""), "{arguments:?}");
    }
    let Run { code, err, .. } = on(&["reach", "--from", "sg-0a"], &groups, None);
    assert!(code == 2 && err.contains("may be any of"), "{err}");
}

#[test]
fn what_is_meant_must_be_one() {
    let mut other = group("sg-0b", json!([]));
    other["GroupName"] = json!("Name-0A");
    let mut same_id = group("sg-0a", json!([]));
    same_id["OwnerId"] = json!("222222222222");
    let mut named = group("sg-0c", json!([]));
    named["GroupName"] = json!("name-0b");
    let groups = [group("sg-0a", json!([])), other, same_id, named.clone(), {
        named["GroupId"] = json!("sg-0d");
        named
    }];
    let said: Vec<_> = [
        &["reach", "--to", "sg-0a"][..],
        &["reach", "--to", "name-0b"],
        &["reach", "--to", "nobody"],
        &["reach", "--to", "level:restricted"],
        &["graph", "--to", "name-0b"],
        &["reach", "--from", "name-0b"],
    ]
    .iter()
    .map(|arguments| {
        let Run { code, out, err } = on(arguments, &groups, None);
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}");
        err
    })
    .collect();
    insta::assert_snapshot!(said.concat(), @r##"
    sg-trust: "sg-0a" may be any of sg-0a (name-0a) in account 111111111111, vpc-1; sg-0a (name-0a) in account 222222222222, vpc-1: give an id, or ACCOUNT/ID
    sg-trust: "name-0b" may be any of sg-0c (name-0b) in account 111111111111, vpc-1; sg-0d (name-0b) in account 111111111111, vpc-1: give an id, or ACCOUNT/ID
    sg-trust: there is no security group "nobody" among the 5 that were read: give an id or a name, as it is spelt
    sg-trust: level:restricted: the settings have no [sensitivity], which says how sensitive groups are (--policy FILE)
    sg-trust: "name-0b" may be any of sg-0c (name-0b) in account 111111111111, vpc-1; sg-0d (name-0b) in account 111111111111, vpc-1: give an id, or ACCOUNT/ID
    sg-trust: "name-0b" may be any of sg-0c (name-0b) in account 111111111111, vpc-1; sg-0d (name-0b) in account 111111111111, vpc-1: give an id, or ACCOUNT/ID
    "##);
    for meant in ["222222222222/sg-0a", "Name-0A", "sg-0d"] {
        let Run { code, err, .. } = on(&["reach", "--to", meant], &groups, None);
        assert_eq!((code, err.as_str()), (0, ""), "{meant}");
    }
    let levels: Vec<_> = ["level:secret", "level:confidential"]
        .iter()
        .map(|level| organisation("reach", &["--to", level]))
        .collect();
    assert_eq!((levels[0].code, levels[1].code), (2, 0));
    assert_eq!(
        levels[0].err,
        "sg-trust: level:secret: the levels are public, internal, confidential, restricted\n"
    );
    for usage in [
        &["reach"][..],
        &["reach", "--from", "internet", "--cut"],
        &["reach", "--to", "sg-0a", "--keep-exempt"],
        &["reach", "--to", "sg-0a", "--format", "dot"],
    ] {
        assert_eq!(on(usage, &groups, None).code, 2, "{usage:?}");
    }
}

#[test]
fn half_a_graph_passes_for_none() {
    let whole = json!({"SecurityGroups": [group("sg-0a", json!([])), group("sg-0b", json!([]))]})
        .to_string();
    let broken = format!("{whole}\n{{\"GroupId\":\"sg-0c\"}}\n");
    let graph = run(&["graph", "-", "--format", "json"], &broken);
    assert_eq!(
        (
            graph.code,
            parse(&graph)["groups"].as_array().unwrap().len()
        ),
        (2, 2)
    );
    let reach = run(&["reach", "-", "--from", "sg-0a", "--to", "sg-0b"], &broken);
    assert_eq!((reach.code, reach.out.as_str()), (2, ""));
    assert!(reach.err.ends_with("sg-trust: not all of what was given could be read, so what reaches what cannot be told\n"), "{}", reach.err);
    let paged = r#"{"NetworkInterfaces":[],"NextToken":"x"}"#;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("interfaces.json");
    std::fs::write(&path, paged).unwrap();
    assert_eq!(
        run(
            &["graph", "-", "--interfaces", path.to_str().unwrap()],
            &whole
        )
        .code,
        2
    );
    for missing in [
        "no-such-file.json",
        folder.path().join("nothing").to_str().unwrap(),
    ] {
        assert_eq!(run(&["graph", missing], "").code, 2);
    }
    // Two files of different moments: what either says counts, whatever their order.
    let later = json!([group("sg-0b", json!([all_from(&["sg-0a"])]))]).to_string();
    for input in [format!("{whole}\n{later}"), format!("{later}\n{whole}")] {
        let graph = run(&["graph", "-", "--format", "json"], &input);
        assert_eq!(
            (graph.code, parse(&graph)["edges"].as_array().unwrap().len()),
            (2, 1)
        );
        assert!(
            graph
                .err
                .contains("security group sg-0b came before and is not the same here"),
            "{}",
            graph.err
        );
    }
}
