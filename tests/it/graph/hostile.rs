//! Names that others chose are no markup in any format.

use serde_json::json;

use super::{all_from, from_ranges, on};
use crate::cli::Run;

/// A drawing without what it says about itself, which must be there.
fn without_comment(mark: &str, drawing: &str) -> String {
    let comment = format!(
        "  {mark} It is trust, not connectivity. Not read: egress rules, network ACLs, routes, address ranges other\n  {mark} than the whole internet.\n"
    );
    assert_eq!(drawing.matches(&comment).count(), 1, "{drawing}");
    drawing.replace(&comment, "")
}

#[test]
fn hostile_names_are_no_markup() {
    let names = [
        "a\"]; evil [label=\"x",
        "back\\slash\\",
        "line\nbreak",
        "<script>alert(1)</script>",
        "%%{init: {\"theme\":\"x\"}}%%",
        "]-->|x| n0",
        "\u{1b}[31mred",
        "\u{202e}abc",
        "&lt;b&gt;&amp;",
        "#quot;",
        "`code`",
        "end",
        "\\N\\G",
        "]]]",
        "\u{2028}\u{2029}",
        "👩‍💻é",
    ];
    let groups: Vec<_> = names.iter().enumerate().map(|(number, name)| {
        let source = format!("sg-{:02}", (number + 1) % names.len());
        json!({"GroupId": format!("sg-{number:02}"), "GroupName": name, "OwnerId": name, "VpcId": name, "IpPermissions": [all_from(&[]), {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": source}, {"GroupId": format!("{name}x"), "UserId": name}]}, from_ranges(&["0.0.0.0/0"])]})
    }).collect();
    for arguments in [
        &["graph"][..],
        &["graph", "--format", "json"],
        &["graph", "--format", "dot"],
        &["graph", "--format", "mermaid"],
        &["reach", "--from", "internet", "--to", "sg-03"],
        &["reach", "--to", "sg-03"],
        &[
            "reach", "--from", "internet", "--to", "sg-03", "--cut", "--format", "json",
        ],
    ] {
        let Run { code, out, err } = on(arguments, &groups, None);
        assert!(code < 2, "{err}");
        for line in out.lines() {
            assert_eq!(sg_trust::text::escape(line), line, "{arguments:?}");
        }
    }
    let dot = without_comment("//", &on(&["graph", "--format", "dot"], &groups, None).out);
    for line in dot.lines() {
        let outside = without_strings(line, |text| {
            let mut characters = text.chars();
            while let Some(character) = characters.next() {
                match character {
                    '\\' => assert!(matches!(characters.next(), Some('"' | '\\')), "{line}"),
                    '&' => assert!(characters.as_str().starts_with("amp;"), "{line}"),
                    _ => {}
                }
            }
        });
        let is_known = |word: &str| {
            let name = word.trim_matches(|character: char| "[];,".contains(character));
            let node = name
                .strip_prefix(['n', 'm'])
                .is_some_and(|number| number.parse::<usize>().is_ok());
            node || [
                "",
                "digraph",
                "trust",
                "{",
                "}",
                "->",
                "internet",
                "node",
                "rankdir=LR",
                "shape=box",
                "shape=ellipse",
                "label=\"\"",
                "color=red",
                "penwidth=2",
                "style=dashed",
                "[label=\"\"",
            ]
            .contains(&name)
        };
        assert!(
            outside.split_whitespace().all(is_known),
            "{line} | {outside}"
        );
    }
    let mermaid = on(&["graph", "--format", "mermaid"], &groups, None).out;
    let mermaid = without_comment("%%", &mermaid);
    assert!(!mermaid.contains("%%"), "{mermaid}");
    for line in mermaid.lines() {
        let outside = without_strings(line, |text| {
            assert!(
                !text.contains(['<', '>', '{', '}', '`', '\\', '[', ']', '|', '%', '&']),
                "{line}"
            )
        });
        let is_known = |word: &str| {
            let nodes = word.replace("[\"\"]", "");
            let node = nodes
                .strip_prefix('n')
                .is_some_and(|number| number.parse::<usize>().is_ok());
            node || [
                "flowchart",
                "LR",
                "internet([internet])",
                "internet",
                "-->|\"\"|",
                "==>|\"\"|",
            ]
            .contains(&nodes.as_str())
        };
        assert!(
            outside.split_whitespace().all(is_known),
            "{line} | {outside}"
        );
    }
}

/// The line with its quoted strings emptied, each of which is looked at.
fn without_strings(line: &str, mut look: impl FnMut(&str)) -> String {
    let mut outside = String::new();
    let mut rest = line;
    while let Some((before, quoted)) = rest.split_once('"') {
        outside += before;
        let mut is_escaped = false;
        let end = quoted.find(|character: char| {
            let ends = character == '"' && !is_escaped;
            is_escaped = character == '\\' && !is_escaped;
            ends
        });
        let end = end.unwrap_or_else(|| panic!("a string without an end: {line}"));
        look(&quoted[..end]);
        outside += "\"\"";
        rest = &quoted[end + 1..];
    }
    outside + rest
}
