//! Large graphs.

use std::process::Command;

use serde_json::json;

use super::{all_from, group, on, parse};
use crate::cli::{Run, run};

#[test]
fn a_large_drawing_is_warned_of() {
    let groups: Vec<_> = (0..400)
        .map(|number| {
            group(
                &format!("sg-{number}"),
                json!([all_from(&[&format!("sg-{}", number + 1)])]),
            )
        })
        .collect();
    for format in ["dot", "mermaid"] {
        let Run { code, err, .. } = on(&["graph", "--format", format], &groups, None);
        assert_eq!(
            (code, err.as_str()),
            (
                0,
                "sg-trust: a drawing of 400 edges shows little: --format table tells what matters, `sg-trust reach` tells about one group\n"
            )
        );
    }
}

/// A chain of 300 000 groups, with a stack of 1 MiB.
#[test]
fn a_very_long_chain_needs_no_stack() {
    const LENGTH: usize = 300_000;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chain.json");
    let mut text = String::with_capacity(LENGTH * 150);
    for number in 0..LENGTH {
        let rule = match number {
            0 => r#"{"IpProtocol":"tcp","FromPort":443,"ToPort":443,"UserIdGroupPairs":[],"IpRanges":[{"CidrIp":"0.0.0.0/0"}]}"#.to_owned(),
            _ => format!(r#"{{"IpProtocol":"-1","UserIdGroupPairs":[{{"GroupId":"sg-{}"}}]}}"#, number - 1),
        };
        text += &format!("{{\"GroupId\":\"sg-{number}\",\"IpPermissions\":[{rule}]}}\n");
    }
    std::fs::write(&path, text).unwrap();
    let last = format!("sg-{}", LENGTH - 1);
    let program = assert_cmd::cargo::cargo_bin("sg-trust");
    let within = |arguments: &[&str]| {
        let output = Command::new("sh")
            .args(["-c", "ulimit -s 1024; exec \"$@\"", "sh"])
            .arg(&program)
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.code().is_some(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let file = path.to_str().unwrap();
    let reach = within(&["reach", file, "--from", "internet", "--to", &last, "--cut"]);
    assert!(
        reach.contains("by 299999 trust edges") && reach.contains("The smallest cut: 1 trust edge"),
        "{reach}"
    );
    let graph = within(&["graph", file]);
    assert!(
        graph.contains("The internet reaches 300000 groups"),
        "{graph}"
    );
    assert!(
        graph.contains("was not counted: there are more than 20 000 components"),
        "{graph}"
    );
}

#[test]
fn nothing_is_counted_above_the_cap() {
    for (count, is_counted) in [(20_000, true), (20_001, false)] {
        let lines: String = (0..count)
            .map(|number| format!("{{\"GroupId\":\"sg-{number:05}\",\"IpPermissions\":[]}}\n"))
            .collect();
        let graph = parse(&run(&["graph", "-", "--format", "json"], &lines));
        assert_eq!(graph["groups"][0]["reaches"].is_null(), !is_counted);
        assert_eq!(graph["groups"][0]["reached_by"].is_null(), !is_counted);
        assert_eq!(graph["groups"].as_array().unwrap().len(), count);
    }
}
