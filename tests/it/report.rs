//! `report` on the command line.

use std::fs;

use serde_json::json;

use crate::cli::{Run, run};

const ORGANISATION: &str = "events/organisation";
const POLICY: &str = "events/organisation/policy.toml";
/// What only the HTML report says.
const MARKER: &[u8] = concat!("sg-trust ", env!("CARGO_PKG_VERSION"), " HTML report").as_bytes();

/// The report of the example organisation.
fn organisation(arguments: &[&str]) -> Run {
    let all = [
        &["report", ORGANISATION, "--policy", POLICY, "-o", "-"],
        arguments,
    ]
    .concat();
    run(&all, "")
}

fn on(input: &serde_json::Value, arguments: &[&str]) -> Run {
    run(
        &[&["report", "-", "-o", "-"], arguments].concat(),
        &input.to_string(),
    )
}

fn group(id: &str, source: &str) -> serde_json::Value {
    json!({"GroupId": id, "OwnerId": "1", "IpPermissions": [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": source, "UserId": "1"}]}]})
}

#[test]
fn the_same_input_makes_the_same_bytes() {
    let Run { code, out, err } = organisation(&[]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(organisation(&[]).out, out);
    assert!(!out.contains("As of"), "a time is shown");
}

#[test]
fn the_order_of_the_files_changes_no_byte() {
    let mut files: Vec<String> = fs::read_dir(ORGANISATION)
        .unwrap()
        .map(|entry| entry.unwrap().path().to_str().unwrap().to_owned())
        .filter(|file| file.ends_with(".json"))
        .collect();
    let expected = organisation(&[]).out;
    for _ in 0..files.len() {
        files.rotate_left(1);
        let mut arguments = vec!["report", "--policy", POLICY, "-o", "-"];
        arguments.extend(files.iter().map(String::as_str));
        assert_eq!(run(&arguments, "").out, expected);
    }
}

#[test]
fn a_file_is_written_and_nothing_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.html");
    let file = file.to_str().unwrap();
    let Run { code, out, err } = run(&["report", "events/account.json", "-o", file], "");
    assert_eq!((code, out.as_str(), err.as_str()), (0, "", ""));
    assert!(
        fs::read_to_string(file)
            .unwrap()
            .starts_with("<!doctype html>")
    );
    let missing = format!("{}/none/report.html", folder.path().display());
    let Run { code, err, .. } = run(&["report", "events/account.json", "-o", &missing], "");
    assert_eq!(code, 2);
    assert!(err.contains("the report cannot be written"), "{err}");
}

#[test]
fn the_moment_is_shown_and_decides_which_exemptions_have_ended() {
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("policy.toml");
    let settings = "[[exemption]]\nid = \"one\"\nreason = \"until the migration is done\"\nuntil = 2027-03-31\ntarget = { id = \"sg-1\" }\nsource = \"any\"\nallow = \"all-traffic\"\n";
    fs::write(&policy, settings).unwrap();
    let policy = policy.to_str().unwrap();
    let input = json!({"SecurityGroups": [group("sg-1", "sg-2")]});
    let page = |at: &str| on(&input, &["--policy", policy, "--at", at]).out;
    for (at, shown) in [
        ("2027-03-31", "2027-03-31 00:00 UTC"),
        ("2027-03-31T23:59:59Z", "2027-03-31 23:59 UTC"),
        ("2027-04-01T01:30:00+02:00", "2027-03-31 23:30 UTC"),
    ] {
        let page = page(at);
        assert!(page.contains(shown), "{at}");
        assert!(
            page.contains("data-group-id=\"sg-1\" data-verdict=\"EXEMPT\""),
            "{at}"
        );
        assert!(
            page.contains("until the migration is done (until 2027-03-31)"),
            "{at}"
        );
    }
    let page = page("2027-04-01");
    assert!(page.contains("data-group-id=\"sg-1\" data-verdict=\"FAILED\""));
    assert!(page.contains("Exemption one ended on 2027-03-31"));
    for wrong in ["tomorrow", "2027-02-30", "2027-03-31T12:00:00", "12:00", ""] {
        let Run { code, err, .. } = on(&input, &["--at", wrong]);
        assert_eq!(code, 2, "{wrong}");
        assert!(err.contains("not a day such as 2027-03-31"), "{err}");
    }
}

#[test]
fn what_cannot_be_read_is_in_the_report_and_in_the_exit_code() {
    let input = json!([group("sg-1", "sg-2"), {"GroupId": "sg-3", "ipPermissions": []}]);
    let Run { code, out, err } = on(&input, &[]);
    assert_eq!(code, 2);
    assert!(err.contains("ipPermissions"), "{err}");
    assert!(out.contains("This report is incomplete."), "{out}");
    assert!(out.contains("data-group-id=\"sg-1\" data-verdict=\"FAILED\""));
    let complaint = err.trim_end().strip_prefix("sg-trust: ").unwrap();
    assert!(out.contains(complaint), "{complaint}");
    let Run { code, out, .. } = run(&["report", "no-such-file.json", "-o", "-"], "");
    assert_eq!(code, 2);
    assert!(out.contains("no-such-file.json"));
}

#[test]
fn of_a_group_that_comes_twice_what_either_says_counts() {
    let closed = json!({"GroupId": "sg-1", "OwnerId": "1", "IpPermissions": []});
    for groups in [
        [group("sg-1", "sg-2"), closed.clone()],
        [closed, group("sg-1", "sg-2")],
    ] {
        let Run { code, out, .. } = on(&json!({"SecurityGroups": groups}), &[]);
        assert_eq!(code, 2);
        assert_eq!(out.matches("data-group-id=\"sg-1\"").count(), 1);
        assert!(out.contains("data-group-id=\"sg-1\" data-verdict=\"FAILED\""));
    }
}

#[test]
fn no_group_at_all_is_a_report_too() {
    let Run { code, out, .. } = on(
        &json!({"SecurityGroups": []}),
        &["--title", "Nothing <here>"],
    );
    assert_eq!(code, 0);
    assert!(
        out.contains("<title>Nothing &#60;here&#62;</title>"),
        "{out}"
    );
    assert!(out.contains("<h1>Nothing &lt;here&gt;</h1>"));
}

/// The section of a group, its markup taken out.
fn section(page: &str, id: &str) -> String {
    let (_, findings) = page.split_once("<section id=\"findings\"").unwrap();
    let heading = format!("<span class=\"id\">{id}</span>");
    let mut articles = findings.split("<article ").skip(1);
    let article = articles.find(|article| article.contains(&heading)).unwrap();
    let (article, _) = article.split_once("</article>").unwrap();
    let pieces = article.split('<').map(|piece| piece.split_once('>'));
    pieces.flatten().map(|(_, text)| text).collect()
}

fn interface(id: &str, groups: &[&str]) -> serde_json::Value {
    let groups: Vec<_> = groups.iter().map(|id| json!({"GroupId": id})).collect();
    json!({"NetworkInterfaceId": format!("eni-{id}"), "Attachment": {"InstanceId": format!("i-{id}")},
        "OwnerId": "1", "VpcId": "vpc-1", "Groups": groups})
}

fn in_vpc(id: &str, permissions: serde_json::Value) -> serde_json::Value {
    json!({"GroupId": id, "OwnerId": "1", "VpcId": "vpc-1", "IpPermissions": permissions})
}

fn all_from(pairs: &[serde_json::Value]) -> serde_json::Value {
    json!({"IpProtocol": "-1", "UserIdGroupPairs": pairs})
}

fn pair(id: &str) -> serde_json::Value {
    json!({"GroupId": id, "UserId": "1"})
}

#[test]
fn a_section_tells_the_plan_what_stays_and_who_loses_access() {
    let narrow = json!({"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "UserIdGroupPairs": [pair("sg-2"), pair("sg-3")]});
    let internet = json!({"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": [], "IpRanges": [{"CidrIp": "0.0.0.0/0"}]});
    let groups = json!([
        in_vpc(
            "sg-1",
            json!([
                all_from(&[pair("sg-2")]),
                all_from(&[pair("sg-9")]),
                narrow,
                internet
            ])
        ),
        in_vpc("sg-2", json!([all_from(&[pair("sg-2")])])),
        in_vpc("sg-3", json!([all_from(&[pair("sg-1")])])),
    ]);
    let interfaces = [interface("a", &["sg-2"]), interface("b", &["sg-2", "sg-3"])];
    let with = json!({"SecurityGroups": groups, "NetworkInterfaces": interfaces});
    let page = on(&with, &[]).out;
    let target = section(&page, "sg-1");
    for told in [
        "Rule to revoke: all traffic. 2 machines lose access.",
        "Rule to revoke: all traffic. Who loses access is not known: the source or its network interfaces were not read.",
        "Plan: revoke 2 rules; then the group is PASSED. Stays: 2 rules from 2 security groups, 1 rule from addresses.",
    ] {
        assert!(target.contains(told), "{told}\n{target}");
    }
    assert!(section(&page, "sg-2").contains("2 machines lose access to each other."));
    let unused = section(&page, "sg-3");
    assert!(
        unused.contains("Nobody loses access: no machine carries the source."),
        "{unused}"
    );
    assert!(
        unused.contains("Stays: nothing: it has no other ingress rule."),
        "{unused}"
    );
    let page = on(&json!({"SecurityGroups": groups}), &[]).out;
    assert!(!page.contains("access."), "nobody knows who carries what");
}

#[test]
fn a_plan_warns_of_a_tool_and_of_what_undo_cannot_give_back() {
    let stale = json!({"GroupId": "sg-2", "UserId": "1", "VpcPeeringConnectionId": "pcx-1", "PeeringStatus": "deleted"});
    let mut kept = in_vpc("sg-1", json!([all_from(&[stale])]));
    kept["Tags"] = json!([{"Key": "aws:cloudformation:stack-name", "Value": "<b>net"}]);
    let mut own = in_vpc("sg-2", json!([all_from(&[pair("sg-3")])]));
    own["Tags"] = json!([{"Key": "terraform", "Value": "false"}]);
    let page = on(&json!({"SecurityGroups": [kept, own]}), &[]).out;
    let section_of_stack = section(&page, "sg-1");
    for told in [
        "Nobody loses access: the peering connection does not work any more.",
        "Careful: a tool keeps this group (aws:cloudformation:stack-name=&lt;b&gt;net): the rules come back, so change it there.",
        "Careful: undo may not be able to give back 1 of these: the peering connection is deleted.",
    ] {
        assert!(
            section_of_stack.contains(told),
            "{told}\n{section_of_stack}"
        );
    }
    assert!(!section(&page, "sg-2").contains("Careful"));
}

#[test]
fn what_an_exempt_violation_needs_stays_in_the_plan() {
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("policy.toml");
    let settings = "max_open_ports = 100\n[[exemption]]\nid = \"dns\"\nreason = \"resolvers answer here\"\ntarget = { id = \"sg-1\" }\nsource = \"any\"\nallow = { protocol = \"udp\", ports = [[1, 200]] }\n";
    fs::write(&policy, settings).unwrap();
    let policy = ["--policy", policy.to_str().unwrap()];
    let rule = |protocol: &str, from: u16, to: u16| json!({"IpProtocol": protocol, "FromPort": from, "ToPort": to, "UserIdGroupPairs": [pair("sg-2")]});
    let exempt = in_vpc("sg-1", json!([rule("udp", 1, 200)]));
    let Run { out, err, .. } = on(&json!({"SecurityGroups": [exempt]}), &policy);
    assert_eq!(err, "");
    let exempt = section(&out, "sg-1");
    assert!(exempt.contains("Its rule: udp 1-200."), "{exempt}");
    assert!(
        !exempt.contains("Plan:") && !exempt.contains("Rule to revoke"),
        "{exempt}"
    );
    let both = in_vpc("sg-1", json!([rule("udp", 1, 200), rule("tcp", 1, 200)]));
    let both = section(&on(&json!({"SecurityGroups": [both]}), &policy).out, "sg-1");
    for told in [
        "Its rule: udp 1-200.",
        "Rule to revoke: tcp 1-200.",
        "Plan: revoke 1 rule; then the group is EXEMPT. Stays: 1 rule from 1 security group.",
    ] {
        assert!(both.contains(told), "{told}\n{both}");
    }
}

fn holds_the_report(program: &str) -> bool {
    let program = fs::read(program).unwrap();
    memchr::memmem::find(&program, MARKER).is_some()
}

#[test]
fn the_report_is_in_the_command_line_tool() {
    assert!(holds_the_report(env!("CARGO_BIN_EXE_sg-trust")));
}

#[cfg(feature = "aws")]
#[test]
fn the_report_is_not_in_the_function() {
    assert!(!holds_the_report(env!("CARGO_BIN_EXE_sg-trust-lambda")));
}
