//! Files of every shape, whole and broken, read in portions and on several cores.

use std::io::BufReader;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::GroupReader;
use crate::model::SecurityGroup;

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

/// Whole messages: what is wrong, where, and what to do.
#[test]
fn messages_tell_what_is_wrong_and_what_to_do() {
    let mut said = String::new();
    for text in [
        "",
        "An error occurred (AuthFailure) when calling the DescribeSecurityGroups operation\n",
        "SecurityGroups:\n- Description: default\n  GroupId: sg-1\n",
        "- GroupId: sg-1\n  IpPermissions: []\n",
        "------------------\n|DescribeSecurityGroups|\n",
        "SECURITYGROUPS\tdefault\tsg-1\n",
        "<DescribeSecurityGroupsResponse>\n",
        r#"{"SecurityGroups":[],"NextToken":"eyJ"}"#,
        r#"{"NextToken":"eyJ","SecurityGroups":[]}"#,
        r#"{"SecurityGroups":null}"#,
        r#"{"SecurityGroups":{}}"#,
        r#"{"SecurityGroups":[],"SecurityGroups":[]}"#,
        r#"{"securityGroups":[]}"#,
        r#"{"nextToken":"x","SecurityGroups":[]}"#,
        r#"{"SecurityGroups":[],"GroupId":"sg-1","IpPermissions":[]}"#,
        r#"{"GroupId":"sg-1","IpPermissions":[],"NextToken":"x"}"#,
        "null",
        "3",
        "{}",
        r#"{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7}"#,
        r#"{"data":{"SecurityGroups":[]}}"#,
        r#"{"SecurityGroupRules":[{"SecurityGroupRuleId":"sgr-1","GroupId":"sg-1"}]}"#,
        r#"[{"SecurityGroupRuleId":"sgr-1","GroupId":"sg-1"}]"#,
        r#"{"NetworkInterfaces":[],"Other":1}"#,
        r#"{"version":"0","detail-type":"AWS API Call via CloudTrail","detail":{}}"#,
        r#"{"eventVersion":"1","eventSource":"ec2.amazonaws.com","eventName":"X"}"#,
        r#"{"Records":[]}"#,
        r#"{"resourceType":"AWS::EC2::SecurityGroup","configuration":{}}"#,
        r#"{"format_version":"1.2","terraform_version":"1.9","planned_values":{}}"#,
        r#"{"AWSTemplateFormatVersion":"2010-09-09","Resources":{}}"#,
        r#"{"version":1,"policy":"x","groups":[]}"#,
        r#"{"groupId":"sg-1","ipPermissions":[]}"#,
        r#"{"GroupId":"sg-1"}"#,
        r#"{"GroupId":"","IpPermissions":[]}"#,
        r#"{"GroupId":null,"IpPermissions":[]}"#,
        r#"{"GroupId":7,"IpPermissions":[]}"#,
        r#"{"IpPermissions":[]}"#,
        r#"{"GroupId":"sg-1","ipPermissions":[]}"#,
        r#"{"GroupId":"sg-1","IpPermissions":[],"IpPermissions":[]}"#,
        r#"{"GroupId":"sg-1","IpPermissions":{}}"#,
        r#"{"GroupId":"sg-1","IpPermissions":[null]}"#,
        r#"{"GroupId":"sg-1","IpPermissions":[["tcp"]]}"#,
        r#"{"GroupId":"sg-1","IpPermissions":[{"IpProtocol":"-1"}]}"#,
        r#"{"GroupId":"sg-1","IpPermissions":[{"IpProtocol":"-1","UserIdGroupPair":[{"GroupId":"sg-2"}]}]}"#,
        r#"{"GroupId":"sg-1","IpPermissions":[{"userIdGroupPairs":[{}]}]}"#,
        r#"{"GroupId":"sg-1","IpPermissions":[{"UserIdGroupPairs":null,"FROMPORT":1}]}"#,
        r#"{"GroupId":"sg-1","IpPermissions":[{"UserIdGroupPairs":[{"GroupId":"sg-2"},{"groupId":"sg-2"}]}]}"#,
        r#"{"GroupId":"sg-1","IpPermissions":[{"UserIdGroupPairs":null,"FromPort":"0"}]}"#,
        r#"{"GroupId":"sg-1","IpPermissions":[{"UserIdGroupPairs":null,"FromPort":22.5}]}"#,
        r#"{"GroupId":"sg-1","IpPermissions":[{"UserIdGroupPairs":null,"ToPort":true}]}"#,
        r#"{"GroupId":"sg-1","IpPermissions":[{"UserIdGroupPairs":{}}]}"#,
        r#"{"GroupId":"sg-1","IpPermissions":[{"UserIdGroupPairs":null,"IpProtocol":[]}]}"#,
        r#"{"GroupId":"sg-1","IpPermissions":[],"Tags":[{"key":"a"}]}"#,
        r#"{"GroupId":"sg-1","IpPermissions":[],"Tags":"a"}"#,
        r#"{"GroupId":"sg-1","IpPermissions":[],"OwnerId":123456789012}"#,
        r#"[{"GroupId":"sg-1"},[[]],{"SecurityGroups":[3]}]"#,
        "{'SecurityGroups': []}",
        "[\n{\"GroupId\":\"sg-1\",\n\"IpPermissions\":[\n{\"UserIdGroupPairs\":null,\"FromPort\":\"x\"}]}]",
    ] {
        let (ids, errors) = read(text);
        assert!(ids.is_empty() && !errors.is_empty(), "{text}: {errors:?}");
        said += &format!("> {}\n", text.trim());
        for error in errors {
            said += &format!("    {error}\n");
        }
    }
    insta::assert_snapshot!(said, @r#"
    > 
        f: no JSON document: it is empty (did the command that should fill it fail?)
    > An error occurred (AuthFailure) when calling the DescribeSecurityGroups operation
        f:1: not JSON: it begins with `An error occurred (AuthFailure) when calling the DescribeSe…`: give the output of `aws ec2 describe-security-groups`
    > SecurityGroups:
    - Description: default
      GroupId: sg-1
        f:1: not JSON: it looks like YAML: give the output of `aws ec2 describe-security-groups` with `--output json`
    > - GroupId: sg-1
      IpPermissions: []
        f:1: not JSON: it looks like YAML: give the output of `aws ec2 describe-security-groups` with `--output json`
    > ------------------
    |DescribeSecurityGroups|
        f:1: not JSON: it looks like a table: give the output of `aws ec2 describe-security-groups` with `--output json`
    > SECURITYGROUPS	default	sg-1
        f:1: not JSON: it looks like the text format of the AWS CLI: give the output of `aws ec2 describe-security-groups` with `--output json`
    > <DescribeSecurityGroupsResponse>
        f:1: not JSON: it looks like XML: give the output of `aws ec2 describe-security-groups` with `--output json`
    > {"SecurityGroups":[],"NextToken":"eyJ"}
        f:1: there is a NextToken: this is one page of several, and the others are missing (leave out --no-paginate, --max-items and --max-results)
    > {"NextToken":"eyJ","SecurityGroups":[]}
        f:1: there is a NextToken: this is one page of several, and the others are missing (leave out --no-paginate, --max-items and --max-results)
    > {"SecurityGroups":null}
        f:1: `SecurityGroups` is null, not a list: give the output of `aws ec2 describe-security-groups` as it is
    > {"SecurityGroups":{}}
        f:1: `SecurityGroups` is {}, not a list: give the output of `aws ec2 describe-security-groups` as it is
    > {"SecurityGroups":[],"SecurityGroups":[]}
        f:1: `SecurityGroups` stands there twice
    > {"securityGroups":[]}
        f:1: `securityGroups` must be spelt `SecurityGroups`, as `aws ec2 describe-security-groups` prints it (AWS Config and CloudTrail spell it otherwise): ignoring it could hide a violation
    > {"nextToken":"x","SecurityGroups":[]}
        f:1: `nextToken` must be spelt `NextToken`, as `aws ec2 describe-security-groups` prints it (AWS Config and CloudTrail spell it otherwise): ignoring it could hide a violation
    > {"SecurityGroups":[],"GroupId":"sg-1","IpPermissions":[]}
        f:1: it has `SecurityGroups` and members of a security group: give one or the other
    > {"GroupId":"sg-1","IpPermissions":[],"NextToken":"x"}
        f:1: there is a NextToken: this is one page of several, and the others are missing (leave out --no-paginate, --max-items and --max-results)
    > null
        f:1: neither a security group nor an answer with `SecurityGroups` (it is null): give the output of `aws ec2 describe-security-groups`, an array of groups, or one
    > 3
        f:1: neither a security group nor an answer with `SecurityGroups` (it is 3): give the output of `aws ec2 describe-security-groups`, an array of groups, or one
    > {}
        f:1: neither a security group nor an answer with `SecurityGroups` (it is an empty object): give the output of `aws ec2 describe-security-groups`, an array of groups, or one
    > {"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7}
        f:1: neither a security group nor an answer with `SecurityGroups` (it has `a`, `b`, `c`, `d`, `e` and 2 more members): give the output of `aws ec2 describe-security-groups`, an array of groups, or one
    > {"data":{"SecurityGroups":[]}}
        f:1: the groups are inside `data`: give that alone, as with `jq .data`
    > {"SecurityGroupRules":[{"SecurityGroupRuleId":"sgr-1","GroupId":"sg-1"}]}
        f:1: it is the answer of describe-security-group-rules, which has rules without their groups: give the output of `aws ec2 describe-security-groups`
    > [{"SecurityGroupRuleId":"sgr-1","GroupId":"sg-1"}]
        f:1: group [0]: it is a rule of describe-security-group-rules: give the output of `aws ec2 describe-security-groups`
    > {"NetworkInterfaces":[],"Other":1}
        f:1: it is the answer of describe-network-interfaces: give it to `sg-trust graph` or `sg-trust reach` with --interfaces
    > {"version":"0","detail-type":"AWS API Call via CloudTrail","detail":{}}
        f:1: it is an event of EventBridge: give it to `sg-trust targets` or `sg-trust replay`
    > {"eventVersion":"1","eventSource":"ec2.amazonaws.com","eventName":"X"}
        f:1: it is a CloudTrail record: give it to `sg-trust targets` or `sg-trust replay`
    > {"Records":[]}
        f:1: it is a CloudTrail log file, or a batch of SQS or SNS: give it to `sg-trust targets` or `sg-trust replay`
    > {"resourceType":"AWS::EC2::SecurityGroup","configuration":{}}
        f:1: it is an item of AWS Config: give it to `sg-trust targets` or `sg-trust replay`
    > {"format_version":"1.2","terraform_version":"1.9","planned_values":{}}
        f:1: it is a plan or state of Terraform, not groups as they are in EC2: give the output of `aws ec2 describe-security-groups`
    > {"AWSTemplateFormatVersion":"2010-09-09","Resources":{}}
        f:1: it is a template of CloudFormation, not groups as they are in EC2: give the output of `aws ec2 describe-security-groups`
    > {"version":1,"policy":"x","groups":[]}
        f:1: it is a report of sg-trust: give the output of `aws ec2 describe-security-groups`
    > {"groupId":"sg-1","ipPermissions":[]}
        f:1: `groupId` must be spelt `GroupId`, as `aws ec2 describe-security-groups` prints it (AWS Config and CloudTrail spell it otherwise): ignoring it could hide a violation
    > {"GroupId":"sg-1"}
        f:1: security group sg-1 has no `IpPermissions` (null would do): without it nothing can be said about the group
    > {"GroupId":"","IpPermissions":[]}
        f:1: a security group: GroupId must not be empty
    > {"GroupId":null,"IpPermissions":[]}
        f:1: a security group: GroupId must not be empty
    > {"GroupId":7,"IpPermissions":[]}
        f:1: a security group: GroupId is 7, and must be a string
    > {"IpPermissions":[]}
        f:1: a security group has no `GroupId`: give the output of `aws ec2 describe-security-groups`, whole
    > {"GroupId":"sg-1","ipPermissions":[]}
        f:1: security group sg-1: ipPermissions must be spelt `IpPermissions`, as `aws ec2 describe-security-groups` prints it (AWS Config and CloudTrail spell it otherwise): ignoring it could hide a violation
    > {"GroupId":"sg-1","IpPermissions":[],"IpPermissions":[]}
        f:1: security group sg-1 has `IpPermissions` twice
    > {"GroupId":"sg-1","IpPermissions":{}}
        f:1: security group sg-1: IpPermissions is an object, and must be a list
    > {"GroupId":"sg-1","IpPermissions":[null]}
        f:1: security group sg-1: IpPermissions[0] is null, and must be a permission
    > {"GroupId":"sg-1","IpPermissions":[["tcp"]]}
        f:1: security group sg-1: IpPermissions[0] is a list, and must be a permission
    > {"GroupId":"sg-1","IpPermissions":[{"IpProtocol":"-1"}]}
        f:1: security group sg-1: IpPermissions[0] has no `UserIdGroupPairs` (null would do): a --query that leaves it out hides the groups that are let in; give the output of `aws ec2 describe-security-groups`, whole
    > {"GroupId":"sg-1","IpPermissions":[{"IpProtocol":"-1","UserIdGroupPair":[{"GroupId":"sg-2"}]}]}
        f:1: security group sg-1: IpPermissions[0] has no `UserIdGroupPairs` (null would do): a --query that leaves it out hides the groups that are let in; give the output of `aws ec2 describe-security-groups`, whole
    > {"GroupId":"sg-1","IpPermissions":[{"userIdGroupPairs":[{}]}]}
        f:1: security group sg-1: IpPermissions[0].userIdGroupPairs must be spelt `UserIdGroupPairs`, as `aws ec2 describe-security-groups` prints it (AWS Config and CloudTrail spell it otherwise): ignoring it could hide a violation
    > {"GroupId":"sg-1","IpPermissions":[{"UserIdGroupPairs":null,"FROMPORT":1}]}
        f:1: security group sg-1: IpPermissions[0].FROMPORT must be spelt `FromPort`, as `aws ec2 describe-security-groups` prints it (AWS Config and CloudTrail spell it otherwise): ignoring it could hide a violation
    > {"GroupId":"sg-1","IpPermissions":[{"UserIdGroupPairs":[{"GroupId":"sg-2"},{"groupId":"sg-2"}]}]}
        f:1: security group sg-1: IpPermissions[0].UserIdGroupPairs[1].groupId must be spelt `GroupId`, as `aws ec2 describe-security-groups` prints it (AWS Config and CloudTrail spell it otherwise): ignoring it could hide a violation
    > {"GroupId":"sg-1","IpPermissions":[{"UserIdGroupPairs":null,"FromPort":"0"}]}
        f:1: security group sg-1: IpPermissions[0].FromPort is the string "0", and must be a whole number
    > {"GroupId":"sg-1","IpPermissions":[{"UserIdGroupPairs":null,"FromPort":22.5}]}
        f:1: security group sg-1: IpPermissions[0].FromPort is 22.5, and must be a whole number
    > {"GroupId":"sg-1","IpPermissions":[{"UserIdGroupPairs":null,"ToPort":true}]}
        f:1: security group sg-1: IpPermissions[0].ToPort is true, and must be a whole number
    > {"GroupId":"sg-1","IpPermissions":[{"UserIdGroupPairs":{}}]}
        f:1: security group sg-1: IpPermissions[0].UserIdGroupPairs is an object, and must be a list
    > {"GroupId":"sg-1","IpPermissions":[{"UserIdGroupPairs":null,"IpProtocol":[]}]}
        f:1: security group sg-1: IpPermissions[0].IpProtocol is a list, and must be a protocol's name or number
    > {"GroupId":"sg-1","IpPermissions":[],"Tags":[{"key":"a"}]}
        f:1: security group sg-1: Tags[0].key must be spelt `Key`, as `aws ec2 describe-security-groups` prints it (AWS Config and CloudTrail spell it otherwise): ignoring it could hide a violation
    > {"GroupId":"sg-1","IpPermissions":[],"Tags":"a"}
        f:1: security group sg-1: Tags is the string "a", and must be an object, or a list of {Key, Value}
    > {"GroupId":"sg-1","IpPermissions":[],"OwnerId":123456789012}
        f:1: security group sg-1: OwnerId is 123456789012, and must be a string
    > [{"GroupId":"sg-1"},[[]],{"SecurityGroups":[3]}]
        f:1: group [0]: security group sg-1 has no `IpPermissions` (null would do): without it nothing can be said about the group
        f:1: answer [1]: group [0]: a list within the list of an answer: its elements must be security groups
        f:1: answer [2]: group [0]: neither a security group nor an answer with `SecurityGroups` (it is 3): give the output of `aws ec2 describe-security-groups`, an array of groups, or one
    > {'SecurityGroups': []}
        f:1: not JSON: key must be a string
    > [
    {"GroupId":"sg-1",
    "IpPermissions":[
    {"UserIdGroupPairs":null,"FromPort":"x"}]}]
        f:4: group [0]: security group sg-1: IpPermissions[0].FromPort is the string "x", and must be a whole number
    "#);
    let (_, errors) = read(b"\xff\xfe{\0}\0");
    insta::assert_snapshot!(errors.concat(), @r#"f: it is UTF-16 (as > writes in Windows PowerShell): save it as UTF-8"#);
    let (_, errors) = read(b"[{\"GroupId\":\"\xff\",\"IpPermissions\":[]}]");
    insta::assert_snapshot!(errors.concat(), @r#"f:1: group [0]: it is not UTF-8: save the file as UTF-8"#);
}

#[test]
fn text_that_is_no_json_is_one_error() {
    let yaml = format!(
        "SecurityGroups:\n{}",
        "- Description: x\n  GroupId: sg-1\n  IpPermissions: []\n".repeat(60)
    );
    let garbage = "x".repeat(300_000);
    for text in [yaml, "nonsense\n".repeat(100), garbage] {
        let (ids, errors) = read(&text);
        assert!(ids.is_empty() && errors.len() == 1, "{errors:?}");
        let (ids, _) = read(format!("{text}\n{}\n", group("sg-a")));
        assert_eq!(ids, ["sg-a"]);
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
