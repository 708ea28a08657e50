//! Random files, whole and cut, read in portions and on several cores.

use super::*;

/// Documents of every shape, with groups `sg-N`, in every layout.
fn document() -> impl Strategy<Value = String> {
    let filler = prop::sample::select(vec![
        "",
        "}",
        "]},{\"GroupId\":\"sg-fake\",\"IpPermissions\":[]}",
        "\\\"",
        "\u{e9}\u{1f9e8}",
    ]);
    (0_usize..6, filler, 0_u8..6, 0_u8..3).prop_map(|(count, filler, shape, layout)| {
        let group = json!({"Description": filler, "GroupId": "sg-N", "GroupName": filler, "Tags": [{"Key": filler, "Value": "}"}],
            "IpPermissions": [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "sg-x"}, {"GroupId": filler}], "IpRanges": [{"CidrIp": "0.0.0.0/0"}, {}]}]});
        let groups = vec![group.clone(); count];
        let document = match shape {
            0 => json!({"SecurityGroups": groups}),
            1 => json!(groups),
            2 => json!({"NextToken": null, "SecurityGroups": groups, "ResponseMetadata": {}}),
            3 => json!([{"SecurityGroups": groups}, {"SecurityGroups": []}]),
            4 => json!([[], groups]),
            _ => group,
        };
        match layout {
            0 => document.to_string(),
            1 => serde_json::to_string_pretty(&document).unwrap(),
            _ => document.to_string().replace("},{\"Desc", "},\n{\"Desc").replace(":[{", ": [\n {"),
        }
    })
}

/// A file of such documents, with its number of groups: they are numbered in the order of the file.
fn file() -> impl Strategy<Value = (String, usize)> {
    let separator = prop::sample::select(vec!["\n", "\r\n", "\n\n"]);
    prop::collection::vec((document(), separator), 0..8).prop_map(|documents| {
        let (mut text, mut number) = (String::new(), 0);
        for (document, separator) in documents {
            for part in document.split_inclusive("sg-N") {
                text += &part.replace("sg-N", &format!("sg-{number}"));
                number += usize::from(part.ends_with("sg-N"));
            }
            text += separator;
        }
        (text, number)
    })
}

proptest! {
    #[test]
    fn every_group_of_every_document_comes_once_and_in_order((text, count) in file()) {
        let (ids, errors) = read(&text);
        let expected: Vec<_> = (0..count).map(|number| format!("sg-{number}")).collect();
        let no_document = text.is_empty();
        prop_assert_eq!(ids, expected);
        prop_assert_eq!(errors.len(), usize::from(no_document), "{:?}", errors);
    }

    #[test]
    fn neither_portions_nor_cores_show((text, _) in file(), cuts in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..40), 0..3), size in 1_usize..300) {
        // Whole files, and files from which something is missing.
        let mut bytes = text.into_bytes();
        for (at, length) in cuts {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes.drain(at..bytes.len().min(at + length));
            }
        }
        let whole: Vec<_> = GroupReader::new("f", bytes.as_slice()).collect();
        let in_portions: Vec<_> = GroupReader::new("f", BufReader::with_capacity(size, bytes.as_slice())).collect();
        prop_assert_eq!(&whole, &in_portions);
        for batch in [40 + size, 2000] {
            prop_assert_eq!(&whole, &read_on_cores(&bytes, batch), "{}", batch);
        }
    }

    #[test]
    fn what_stands_before_a_cut_comes((text, count) in file(), at in any::<prop::sample::Index>()) {
        prop_assume!(!text.is_empty());
        let mut at = at.index(text.len());
        while !text.is_char_boundary(at) { at -= 1; }
        let (ids, _) = read(text.split_at(at).0);
        let all: Vec<_> = (0..count).map(|number| format!("sg-{number}")).collect();
        let (whole, _) = read(&text);
        prop_assert!(whole.starts_with(&all));
        // A list that is not the first member of its answer is not read before its end comes: of one that is cut, only a
        // line that is a whole document by itself comes.
        let is_read_late = text.contains(r#""ResponseMetadata":{},"SecurityGroups": ["#);
        let mut rest = all.iter();
        let is_in_order = ids.iter().all(|id| rest.any(|other| other == id));
        prop_assert!(all.starts_with(&ids) || is_read_late && is_in_order, "{:?}", ids);
    }

    #[test]
    fn anything_is_read_without_a_panic_and_the_same_in_portions(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "{", "}", "[", "]", ",", ":", "\n", " ", "\"", "1", "null", "\u{e9}", "\"SecurityGroups\"", "\"GroupId\":\"sg-1\"", "\"IpPermissions\":[]",
            "{\"GroupId\":\"sg-2\",\"IpPermissions\":[]}", "{\"SecurityGroups\":[", "[{\"GroupId\":\"sg-3\",\"IpPermissions\":null}", "]}\n",
            "{\"GroupId\":\"sg-4\",\n\"IpPermissions\":[\n]}\n", "\n{\"GroupId\":\"sg-5\",\"IpPermissions\":[]}",
        ]), 0..14),
        size in 1_usize..9,
    ) {
        let text = pieces.concat();
        let whole: Vec<_> = GroupReader::new("f", text.as_bytes()).collect();
        let in_portions: Vec<_> = GroupReader::new("f", BufReader::with_capacity(size, text.as_bytes())).collect();
        prop_assert_eq!(&whole, &in_portions);
        prop_assert_eq!(&whole, &read_on_cores(text.as_bytes(), size * 8));
        // What is JSON has no error that comes from how it is read.
        let is_json = serde_json::Deserializer::from_str(&text).into_iter::<serde::de::IgnoredAny>().all(|value| value.is_ok());
        let not_json = whole.iter().any(|group| matches!(group, Err(error) if error.to_string().contains("JSON:") || error.to_string().contains("cut off")));
        prop_assert!(!(is_json && not_json), "{:?}", whole);
    }

    #[test]
    fn a_cut_line_costs_only_itself(cut_line in 0_usize..5, at in 1_usize..80) {
        let mut lines: Vec<_> = (0..5).map(|n| group(&format!("sg-{n}"))).collect();
        let at = at.min(lines[cut_line].len() - 1);
        lines[cut_line].truncate(at);
        let (ids, errors) = read(lines.join("\n"));
        let expected: Vec<_> = (0..5).filter(|n| *n != cut_line).map(|n| format!("sg-{n}")).collect();
        prop_assert_eq!(ids, expected);
        prop_assert_eq!(errors.len(), 1);
    }
}
