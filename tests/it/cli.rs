//! The command line as a script uses it: output, exit codes, messages.

use assert_cmd::Command;
use serde_json::Value;

pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

pub(crate) fn run(arguments: &[&str], input: &str) -> Run {
    let output = Command::cargo_bin("sg-trust")
        .unwrap()
        .args(arguments)
        .env_remove("AWS_REGION")
        .env_remove("AWS_DEFAULT_REGION")
        .write_stdin(input)
        .output()
        .unwrap();
    Run {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

const FAILED: &str = r#"{"GroupId":"sg-abc123","GroupName":"default","OwnerId":"123456789012","VpcId":"vpc-1","IpPermissions":[{"IpProtocol":"-1","UserIdGroupPairs":[{"GroupId":"sg-def123","UserId":"123456789012"}]}]}"#;
const PASSED: &str = r#"{"GroupId":"sg-0b","OwnerId":"123456789012","IpPermissions":null}"#;

#[test]
fn the_json_is_version_1_to_the_letter() {
    let Run { code, out, .. } = run(&["check", "-", "--format", "json"], FAILED);
    assert_eq!(code, 1);
    let expected = serde_json::json!({"version": 1, "policy": "AWS.SecurityGroup.RestrictsInterSecurityGroupTraffic",
        "groups": [{"group_id": "sg-abc123", "group_name": "default", "owner_id": "123456789012", "vpc_id": "vpc-1", "verdict": "FAILED", "severity": "LOW",
          "violations": [{"reason": "all-traffic", "protocol": "-1", "ports": [[0, 65535]], "open_ports": 65536,
            "severity": "LOW", "sentence": "sg-abc123 (default) accepts all traffic from sg-def123", "exemption": null,
            "source": {"group_id": "sg-def123", "group_name": null, "owner_id": "123456789012", "vpc_id": null, "peering_connection_id": null, "self": false,
                       "pairs": [{"owner_id": "123456789012", "vpc_id": null, "peering_connection_id": null, "peering_status": null}]},
            "fix": {"revoke": "aws ec2 revoke-security-group-ingress --group-id sg-abc123 --ip-permissions '[{\"IpProtocol\":\"-1\",\"UserIdGroupPairs\":[{\"GroupId\":\"sg-def123\",\"UserId\":\"123456789012\"}]}]'",
                    "authorize": "aws ec2 authorize-security-group-ingress --group-id sg-abc123 --ip-permissions '[{\"IpProtocol\":\"tcp\",\"FromPort\":FROM_PORT,\"ToPort\":TO_PORT,\"UserIdGroupPairs\":[{\"GroupId\":\"sg-def123\",\"UserId\":\"123456789012\"}]}]'", "note": null}}]}],
        "summary": {"groups": 1, "passed": 0, "failed": 1, "exempt": 0}});
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), expected);
}

#[test]
fn the_table_shows_what_failed_and_counts_the_rest() {
    let Run { code, out, .. } = run(&["check", "-"], &format!("{FAILED}\n{PASSED}\n"));
    assert_eq!(code, 1);
    insta::assert_snapshot!(out, @r#"
    VERDICT  SEVERITY       GROUP                 NAME                          VPC
    FAILED   LOW            sg-abc123             default                       vpc-1
      sg-abc123 (default) accepts all traffic from sg-def123 [all-traffic]
        allow first: aws ec2 authorize-security-group-ingress --group-id sg-abc123 --ip-permissions '[{"IpProtocol":"tcp","FromPort":FROM_PORT,"ToPort":TO_PORT,"UserIdGroupPairs":[{"GroupId":"sg-def123","UserId":"123456789012"}]}]'
        then revoke: aws ec2 revoke-security-group-ingress --group-id sg-abc123 --ip-permissions '[{"IpProtocol":"-1","UserIdGroupPairs":[{"GroupId":"sg-def123","UserId":"123456789012"}]}]'

    2 groups: 1 passed, 1 failed, 0 exempt
    "#);
    let Run { code, out, .. } = run(&["check", "-"], PASSED);
    assert_eq!(
        (code, out.as_str()),
        (0, "1 group: 1 passed, 0 failed, 0 exempt\n")
    );
}

#[test]
fn exit_codes_mean_something() {
    for (arguments, input, code) in [
        (&["check", "-"][..], PASSED.to_owned(), 0),
        (&["check", "-"], r#"{"SecurityGroups":[]}"#.to_owned(), 0),
        (&["check", "-"], FAILED.to_owned(), 1),
        (&["check", "-"], format!("{FAILED}\nnonsense\n"), 2),
        (&["check", "-"], String::new(), 2),
        (&["check", "/nowhere/at/all.json"], String::new(), 2),
        (&["check"], String::new(), 2),
        (&["no-such-command"], String::new(), 2),
        (&["check", "-", "--format", "xml"], String::new(), 2),
        (&["--help"], String::new(), 0),
        (&["check", "-", "--reading", "reference"], r#"{"GroupId":"sg-1","IpPermissions":[{"FromPort":1,"ToPort":65535,"IpProtocol":"tcp","UserIdGroupPairs":[{}]}]}"#.to_owned(), 0),
        (&["check", "-"], r#"{"GroupId":"sg-1","IpPermissions":[{"FromPort":1,"ToPort":65535,"IpProtocol":"tcp","UserIdGroupPairs":[{}]}]}"#.to_owned(), 1),
        (&["explain", "sg-0b", "--groups", "-"], PASSED.to_owned(), 0),
        (&["explain", "sg-abc123", "--groups", "-"], FAILED.to_owned(), 1),
        (&["explain", "sg-0c", "--groups", "-"], PASSED.to_owned(), 2),
        (&["explain", "sg-0b", "--groups", "-"], format!("{PASSED}\n{PASSED}"), 0),
    ] {
        let Run { code: actual, err, .. } = run(arguments, &input);
        assert_eq!(actual, code, "{arguments:?} {input}: {err}");
    }
}

#[test]
fn what_is_wrong_with_the_input_is_said() {
    for (input, says) in [
        ("", "no JSON document"),
        (
            r#"{"GroupId":"sg-1","ipPermissions":[]}"#,
            "standard input:1: security group sg-1: ipPermissions must be spelt `IpPermissions`",
        ),
        (
            r#"{"SecurityGroups":[],"NextToken":"x"}"#,
            "there is a NextToken",
        ),
        (
            r#"{"SecurityGroups":[{"GroupId":"sg-1"}]}"#,
            "standard input:1: group [0]: security group sg-1 has no `IpPermissions`",
        ),
    ] {
        let Run { code, err, .. } = run(&["check", "-"], input);
        assert!(code == 2 && err.contains(says), "{input}: {err}");
    }
}

#[test]
fn one_bad_document_does_not_cost_the_others() {
    let Run { code, out, err } = run(
        &["check", "-", "--format", "json"],
        &format!("{FAILED}\n{{\"GroupId\":\n{PASSED}\n"),
    );
    assert_eq!(code, 2);
    assert!(err.contains("standard input:2: "), "{err}");
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["summary"]["groups"], 2);
}

#[test]
fn asff_needs_a_region_and_an_owner() {
    let Run { code, err, out } = run(&["check", "-", "--format", "asff"], FAILED);
    assert!(
        code == 2 && err.contains("--region") && out == "[]\n",
        "{err} {out}"
    );
    let with_arn = FAILED.replace("\"VpcId\"", "\"SecurityGroupArn\":\"arn:aws-cn:ec2:cn-north-1:123456789012:security-group/sg-abc123\",\"VpcId\"");
    let Run { code, out, .. } = run(&["check", "-", "--format", "asff"], &with_arn);
    assert_eq!(code, 1);
    assert_eq!(
        serde_json::from_str::<Value>(&out).unwrap()[0]["Resources"][0]["Partition"],
        "aws-cn"
    );
    let without_owner = FAILED.replace("\"OwnerId\":\"123456789012\",", "");
    let Run { code, err, .. } = run(
        &["check", "-", "--format", "asff", "--region", "eu-west-1"],
        &without_owner,
    );
    assert!(code == 2 && err.contains("OwnerId"), "{err}");
}

#[test]
fn the_published_tests_pass_and_a_wrong_expectation_is_seen() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/panther-tests.yml");
    let Run { code, out, .. } = run(&["test", file], "");
    assert_eq!(code, 0);
    assert!(out.ends_with("3 passed, 0 failed\n"), "{out}");
    let wrong = std::fs::read_to_string(file)
        .unwrap()
        .replace("ExpectedResult: false", "ExpectedResult: true");
    let Run { code, out, .. } = run(&["test", "-"], &wrong);
    assert_eq!(code, 1);
    assert!(out.contains("FAILED  Security Group Does Not Restrict Inter Security Group Traffic: expected true, got false"), "{out}");
    let Run { code, .. } = run(&["test", "-"], "Tests: []");
    assert_eq!(code, 2);
}

#[test]
fn the_resource_of_a_test_may_lack_members_but_not_misspell_them() {
    let test = |resource: &str| {
        let file =
            format!("Tests:\n- Name: a \"test\"\n  ExpectedResult: true\n  Resource: {resource}\n");
        run(&["test", "-"], &file)
    };
    let Run { code, out, err } =
        test("{GroupId: sg-1, IpPermissions: [{IpProtocol: tcp, FromPort: 22.0}, {}]}");
    assert_eq!(
        (code, out.as_str()),
        (0, "ok      a \"test\"\n1 passed, 0 failed\n"),
        "{err}"
    );
    let mut said = String::new();
    for resource in [
        "{GroupId: sg-1, ipPermissions: []}",
        "{GroupId: sg-1, IpPermissions: [{userIdGroupPairs: []}]}",
        "{GroupId: sg-1, IpPermissions: [{FromPort: a}]}",
        "{GroupId: sg-1}",
        "[]",
        "3",
    ] {
        let Run { code, err, .. } = test(resource);
        assert_eq!(code, 2, "{resource}: {err}");
        said += &err;
    }
    insta::assert_snapshot!(said, @r#"
    sg-trust: standard input: test a "test": security group sg-1: ipPermissions must be spelt `IpPermissions`, as `aws ec2 describe-security-groups` prints it (AWS Config and CloudTrail spell it otherwise): ignoring it could hide a violation
    sg-trust: standard input: test a "test": security group sg-1: IpPermissions[0].userIdGroupPairs must be spelt `UserIdGroupPairs`, as `aws ec2 describe-security-groups` prints it (AWS Config and CloudTrail spell it otherwise): ignoring it could hide a violation
    sg-trust: standard input: test a "test": security group sg-1: IpPermissions[0].FromPort is the string "a", and must be a whole number
    sg-trust: standard input: test a "test": security group sg-1 has no `IpPermissions` (null would do): without it nothing can be said about the group
    sg-trust: standard input: test a "test": it is a list, and must be a security group
    sg-trust: standard input: test a "test": it is 3, and must be a security group
    "#);
}

#[test]
fn a_replay_prints_what_check_prints() {
    let events = concat!(env!("CARGO_MANIFEST_DIR"), "/events");
    let account = format!("{events}/account.json");
    let event = format!("{events}/authorize-ingress.json");
    let Run { code, out, .. } = run(
        &["replay", &event, "--groups", &account, "--format", "json"],
        "",
    );
    assert_eq!(code, 1);
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["version"], 1);
    assert_eq!(report["groups"][0]["group_id"], "sg-0123456789abcdef0");
    assert_eq!(
        report["summary"],
        serde_json::json!({"groups": 1, "passed": 0, "failed": 1, "exempt": 0})
    );
    let gone = format!("{events}/delete-security-group.json");
    let Run { code, out, .. } = run(
        &["replay", &gone, "--groups", &account, "--format", "json"],
        "",
    );
    assert_eq!(code, 0);
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        report["archived"],
        serde_json::json!(["sg-0deadbeefdeadbeef"])
    );
}

#[test]
fn a_bad_snapshot_is_refused_whole() {
    let event = concat!(env!("CARGO_MANIFEST_DIR"), "/events/authorize-ingress.json");
    let Run { code, out, err } = run(
        &["replay", event, "--groups", "-"],
        &format!("{FAILED}\n{{\"GroupId\":\"sg-0123456789abcdef0\"}}\n"),
    );
    assert_eq!((code, out.as_str()), (2, ""), "{err}");
    assert!(err.contains("IpPermissions"), "{err}");
}

#[test]
fn a_group_of_another_account_is_not_evaluated() {
    let events = concat!(env!("CARGO_MANIFEST_DIR"), "/events");
    let event = r#"{"action":"evaluate","group_ids":["sg-0ccccccccccccccc1"]}"#;
    let groups = std::fs::read_to_string(format!("{events}/account.json")).unwrap();
    let mut wrapped: Value = serde_json::from_str(
        &std::fs::read_to_string(format!("{events}/authorize-ingress.json")).unwrap(),
    )
    .unwrap();
    wrapped["detail"]["requestParameters"]["groupId"] = "sg-0ccccccccccccccc1".into();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), wrapped.to_string()).unwrap();
    let Run { code, out, err } = run(
        &[
            "replay",
            file.path().to_str().unwrap(),
            "--groups",
            "-",
            "--format",
            "asff",
        ],
        &groups,
    );
    assert_eq!((code, out.trim()), (0, "[]"));
    assert!(
        err.contains(
            "ignored: sg-0ccccccccccccccc1 belongs to 210987654321: its own function evaluates it"
        ),
        "{err}"
    );
    std::fs::write(file.path(), event).unwrap();
    let Run { code, err, .. } = run(
        &["replay", file.path().to_str().unwrap(), "--groups", "-"],
        &groups,
    );
    assert!(
        code == 2 && err.contains("groups of 123456789012, 210987654321"),
        "{err}"
    );
}

#[test]
fn settings_are_shown_and_checked() {
    let Run { code, out, .. } = run(&["policy", "--show", "--reading", "reference"], "");
    assert_eq!(code, 0);
    insta::assert_snapshot!(out, @r#"
    reading = "reference"
    max_open_ports = 65000
    severity = "LOW"
    related_requirements = ["PCI DSS v4.0.1/1.3.1", "PCI DSS v3.2.1/1.2.1", "NIST.800-53.r5 SC-7"]
    rule_ids = false
    "#);
    let Run { code, out, .. } = run(&["policy", "--show", "--policy", "policy.example.toml"], "");
    assert!(
        code == 0 && out.contains("id = \"eks-cluster-self\""),
        "{out}"
    );
    let Run {
        code, out: again, ..
    } = run(&["policy", "--show", "--policy", "-"], &out);
    assert_eq!((code, again), (0, out), "what is shown is a settings file");
    let Run { code, err, .. } = run(
        &["policy", "--check", "-"],
        "severity = \"HIGH\"\nmax_open_port = 3\n",
    );
    assert!(
        code == 2 && err.contains("standard input:2: unknown field `max_open_port`"),
        "{err}"
    );
    let Run { code, .. } = run(&["policy", "--check", "-"], "severity = \"HIGH\"\n");
    assert_eq!(code, 0);
}

#[test]
fn completions_come_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let Run { code, out, .. } = run(&["completions", shell], "");
        assert!(code == 0 && out.contains("replay"), "{shell}");
    }
}

#[test]
fn a_closed_pipe_is_quiet_and_the_exit_is_as_if_printed() {
    let binary = assert_cmd::cargo::cargo_bin("sg-trust");
    let head = |groups: &str, command: &str, exit: i32| {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), groups).unwrap();
        let (binary, file) = (binary.display(), file.path().display());
        let script = format!("set -o pipefail; '{binary}' {command} '{file}' | head -n 1");
        let output = std::process::Command::new("bash")
            .args(["-c", &script])
            .output()
            .unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(exit), "{command}: {err}");
        (String::from_utf8(output.stdout).unwrap(), err)
    };
    let numbered = |group: &str| -> String {
        let number = |n: usize| group.replace("sg-", &format!("sg-{n:x}")) + "\n";
        (0..3_000).map(number).collect()
    };
    let (failed, passed) = (numbered(FAILED), numbered(PASSED));
    let (out, err) = head(&failed, "check", 1);
    assert!(out.starts_with("VERDICT") && err.is_empty(), "{out} {err}");
    for format in ["ndjson", "json", "asff --region eu-west-1"] {
        let check = format!("check --format {format}");
        let (_, err) = head(&failed, &check, 1);
        assert!(err.is_empty(), "{err}");
        let (_, err) = head(&passed, &check, 0);
        assert!(err.is_empty(), "{err}");
        // The only FAILED group comes long after the reader went away.
        let (_, err) = head(&format!("{passed}{FAILED}\n"), &check, 1);
        assert!(err.is_empty(), "{err}");
        let (_, err) = head(&format!("{passed}nonsense\n{FAILED}\n"), &check, 2);
        assert_eq!(err.lines().count(), 1, "{err}");
    }
}

#[test]
fn no_color_is_written_where_none_is_wanted() {
    let output = Command::cargo_bin("sg-trust")
        .unwrap()
        .args(["check", "-"])
        .env("NO_COLOR", "1")
        .env("CLICOLOR_FORCE", "1")
        .write_stdin(FAILED)
        .output()
        .unwrap();
    assert!(!output.stdout.contains(&0x1b));
    let output = Command::cargo_bin("sg-trust")
        .unwrap()
        .args(["check", "-"])
        .env_remove("NO_COLOR")
        .env("CLICOLOR_FORCE", "1")
        .write_stdin(FAILED)
        .output()
        .unwrap();
    assert!(output.stdout.contains(&0x1b));
}

#[test]
fn a_snapshot_of_another_account_or_region_is_refused() {
    let events = concat!(env!("CARGO_MANIFEST_DIR"), "/events");
    let group = FAILED.replace("123456789012", "222222222222");
    for event in ["authorize-ingress", "delete-security-group"] {
        let Run { code, out, err } = run(
            &["replay", &format!("{events}/{event}.json"), "--groups", "-"],
            &group,
        );
        assert!(
            code == 2 && out.is_empty() && err.contains("another account's"),
            "{err}"
        );
    }
    let elsewhere = std::fs::read_to_string(format!("{events}/account.json"))
        .unwrap()
        .replace("us-east-1", "eu-west-1");
    let Run { code, out, err } = run(
        &[
            "replay",
            &format!("{events}/authorize-ingress.json"),
            "--groups",
            "-",
        ],
        &elsewhere,
    );
    assert!(
        code == 2 && out.is_empty() && err.contains("another Region's"),
        "{err}"
    );
}

#[test]
fn a_wrong_policy_file_is_never_silent() {
    let event = concat!(env!("CARGO_MANIFEST_DIR"), "/events/sweep.json");
    for arguments in [
        &["targets", event][..],
        &["check", "-"],
        &["completions", "bash"],
    ] {
        let Run { code, err, .. } = run(
            &[arguments, &["--policy", "/nowhere.toml"]].concat(),
            PASSED,
        );
        assert!(
            code == 2 && err.contains("/nowhere.toml"),
            "{arguments:?}: {err}"
        );
    }
}

fn with_environment(variables: &[(&str, &str)], arguments: &[&str], input: &str) -> Run {
    let output = Command::cargo_bin("sg-trust")
        .unwrap()
        .args(arguments)
        .env_remove("AWS_REGION")
        .env_remove("AWS_DEFAULT_REGION")
        .envs(variables.iter().copied())
        .write_stdin(input)
        .output()
        .unwrap();
    Run {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

const WITH_ARN: &str = r#"{"GroupId":"sg-0a","OwnerId":"123456789012","SecurityGroupArn":"arn:aws:ec2:us-east-1:123456789012:security-group/sg-0a","IpPermissions":[{"IpProtocol":"-1","UserIdGroupPairs":[{"GroupId":"sg-0a","UserId":"123456789012"}]}]}"#;

#[test]
fn a_wrong_region_in_the_environment_matters_only_where_it_is_asked() {
    let check = |arguments: &[&str]| {
        with_environment(&[("AWS_REGION", "nonsense")], arguments, FAILED).code
    };
    assert_eq!(check(&["check", "-"]), 1);
    assert_eq!(
        check(&["check", "-", "--format", "asff", "--region", "eu-west-1"]),
        1
    );
    assert_eq!(check(&["check", "-", "--format", "asff"]), 2);
}

#[test]
fn a_wrong_region_in_the_environment_leaves_the_array_whole() {
    let Run { code, out, err } = with_environment(
        &[("AWS_REGION", "nonsense")],
        &["check", "-", "--format", "asff"],
        &format!("{WITH_ARN}\n{FAILED}\n"),
    );
    let findings: Vec<Value> = serde_json::from_str(&out).unwrap();
    assert_eq!((code, findings.len()), (2, 1), "{err}");
    insta::assert_snapshot!(err, @r#"sg-trust: standard input:2: security group sg-abc123: AWS_REGION is "nonsense": not a Region's code, such as eu-west-1"#);
}

#[test]
fn the_region_is_the_arns_then_the_commands_then_the_environments() {
    let region = |variables: &[(&str, &str)], arguments: &[&str], group: &str| {
        let arguments = [&["check", "-", "--format", "asff"], arguments].concat();
        let Run { out, err, .. } = with_environment(variables, &arguments, group);
        let findings: Value = serde_json::from_str(&out).unwrap();
        findings[0]["Resources"][0]["Region"]
            .as_str()
            .unwrap_or(&err)
            .to_owned()
    };
    let both = [
        ("AWS_REGION", "eu-west-1"),
        ("AWS_DEFAULT_REGION", "eu-west-2"),
    ];
    assert_eq!(region(&both, &[], WITH_ARN), "us-east-1");
    assert_eq!(
        region(&both, &["--region", "eu-west-3"], FAILED),
        "eu-west-3"
    );
    assert_eq!(region(&both, &[], FAILED), "eu-west-1");
    assert_eq!(region(&both[1..], &[], FAILED), "eu-west-2");
    assert_eq!(
        region(&[("AWS_REGION", ""), both[1]], &[], FAILED),
        "eu-west-2"
    );
}

#[test]
fn a_region_that_contradicts_the_arn_is_an_error_of_the_group() {
    for format in ["asff", "table", "json"] {
        let arguments = ["check", "-", "--format", format, "--region", "eu-west-1"];
        let Run { code, out, err } = run(&arguments, &format!("{WITH_ARN}\n{FAILED}\n"));
        assert!(
            code == 2 && out.contains("sg-abc123") && !out.contains("sg-0a"),
            "{out} {err}"
        );
        assert_eq!(
            err,
            "sg-trust: standard input:1: security group sg-0a: its SecurityGroupArn says us-east-1, and --region says eu-west-1: \
             leave --region out, or give it with the groups of that Region alone\n"
        );
    }
}

#[test]
fn a_group_that_comes_twice_is_printed_once() {
    let twice = format!("{FAILED}\n{PASSED}\n");
    let pretty: Value = serde_json::from_str(FAILED).unwrap();
    let again = format!("{twice}[{PASSED}]\n{pretty:#}\n");
    for format in ["table", "json", "ndjson", "asff"] {
        let check = |input: &str| {
            run(
                &["check", "-", "--format", format, "--region", "eu-west-1"],
                input,
            )
        };
        let (once, again) = (check(&twice), check(&again));
        let without_times = |out: &str| -> Vec<String> {
            let lines = out.lines().filter(|line| !line.contains("At\": \""));
            lines.map(str::to_owned).collect()
        };
        assert_eq!((again.code, again.err.as_str()), (1, ""));
        assert_eq!(
            without_times(&again.out),
            without_times(&once.out),
            "{format}"
        );
    }
}

#[test]
fn of_different_groups_of_one_id_the_first_stands() {
    let other = FAILED.replace("sg-def123", "sg-0c");
    let of_other_owner = FAILED.replace(
        "\"OwnerId\":\"123456789012\"",
        "\"OwnerId\":\"222222222222\"",
    );
    for settings in [&[][..], &["--policy", "tests/data/sensitivity.toml"]] {
        let arguments = [&["check", "-", "--format", "json"], settings].concat();
        let Run { code, out, err } = run(
            &arguments,
            &format!("{FAILED}\n{other}\n{of_other_owner}\n"),
        );
        let report: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(
            (code, &report["summary"]["groups"]),
            (2, &Value::from(2)),
            "{err}"
        );
        assert!(out.contains("sg-def123") && !out.contains("sg-0c"), "{out}");
        assert_eq!(
            err,
            "sg-trust: standard input:2: security group sg-abc123 came before with other contents: the first counts\n"
        );
    }
    for arguments in [
        &["explain", "sg-abc123", "--groups", "-"][..],
        &[
            "replay",
            "events/schedule.json",
            "--groups",
            "-",
            "--account",
            "123456789012",
        ],
    ] {
        let Run { code, out, err } = run(arguments, &format!("{FAILED}\n{FAILED}\n{other}\n"));
        assert_eq!((code, out.as_str()), (2, ""));
        assert_eq!(
            err,
            "sg-trust: standard input:3: security group sg-abc123 stands there twice, with different contents: leave one out\n"
        );
    }
}

/// Larger than what one core takes at once.
#[test]
fn a_large_file_comes_in_its_order_on_however_many_cores() {
    let count = 2_000;
    let groups = (0..count).map(|number| {
        let group = if number % 3 == 0 { PASSED } else { FAILED };
        let group = group.replacen("sg-", &format!("sg-{number}-"), 1);
        let padding = format!("{{\"Description\":\"{}\",", "}],[{\\\"".repeat(60));
        group.replacen('{', &padding, 1)
    });
    let groups: Vec<String> = groups.collect();
    let document = format!("{{\"SecurityGroups\":[{}]}}", groups.join(","));
    let pretty: Value = serde_json::from_str(&document).unwrap();
    let mut broken = groups.clone();
    broken[1_000].truncate(500);
    broken[1_500] = "nonsense".to_owned();
    for (input, missing) in [
        (groups.join("\n"), vec![]),
        (broken.join("\n"), vec![1_000, 1_500]),
        (format!("{pretty:#}"), vec![]),
        (document, vec![]),
    ] {
        assert!(input.len() > 1 << 20);
        let Run { code, out, err } = run(&["check", "-", "--format", "ndjson"], &input);
        assert_eq!(
            (code, err.lines().count()),
            (1 + i32::from(!missing.is_empty()), missing.len()),
            "{err}"
        );
        for number in missing.iter().map(|number| number + 1) {
            assert!(
                err.contains(&format!("standard input:{number}: not JSON")),
                "{err}"
            );
        }
        let ids: Vec<String> = out
            .lines()
            .map(|line| {
                let group: Value = serde_json::from_str(line).unwrap();
                group["group_id"]
                    .as_str()
                    .unwrap()
                    .split('-')
                    .nth(1)
                    .unwrap()
                    .to_owned()
            })
            .collect();
        let expected: Vec<String> = (0..count)
            .filter(|number| !missing.contains(number))
            .map(|number| number.to_string())
            .collect();
        assert_eq!(ids, expected);
    }
}

#[test]
fn a_directory_means_its_json_files() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let empty = run(&["check", path], "");
    assert_eq!(
        (empty.code, empty.out.as_str()),
        (2, "0 groups: 0 passed, 0 failed, 0 exempt\n")
    );
    assert_eq!(
        empty.err,
        format!("sg-trust: {path}: the directory has no *.json\n")
    );
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    write("b_eu-west-1.json", FAILED);
    write("a_us-east-1.json", PASSED);
    write("c.json", "nonsense");
    write("notes.txt", "nonsense");
    let Run { code, out, err } = run(&["check", path, "--format", "ndjson"], "");
    let ids: Vec<Value> = out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["group_id"].clone())
        .collect();
    assert_eq!((code, ids), (2, vec!["sg-0b".into(), "sg-abc123".into()]));
    assert!(
        err.contains("c.json:1: not JSON") && err.lines().count() == 1,
        "{err}"
    );
    std::fs::remove_file(directory.path().join("c.json")).unwrap();
    for (arguments, code) in [
        (&["check", path][..], 1),
        (&["explain", "sg-abc123", "--groups", path], 1),
        (&["replay", "events/schedule.json", "--groups", path], 1),
    ] {
        let run = run(arguments, "");
        assert!(
            run.code == code && run.out.contains("sg-abc123"),
            "{}",
            run.err
        );
    }
}

#[test]
fn a_source_that_nothing_names_has_no_command() {
    let group =
        r#"{"GroupId":"sg-1","IpPermissions":[{"IpProtocol":"-1","UserIdGroupPairs":[{}]}]}"#;
    let Run { code, out, .. } = run(&["check", "-", "--format", "ndjson"], group);
    let group: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (code, &group["violations"][0]["fix"]["revoke"]),
        (1, &Value::Null)
    );
}

#[test]
fn explain_counts_ports_as_the_policy_does() {
    let by_name = |owner: &str, from: u32, to: u32| {
        format!(
            r#"{{"IpProtocol":"-1","FromPort":{from},"ToPort":{to},"UserIdGroupPairs":[{{"GroupName":"web","UserId":"{owner}"}}]}}"#
        )
    };
    let group = format!(
        r#"{{"GroupId":"sg-1","OwnerId":"111111111111","IpPermissions":[{},{}]}}"#,
        by_name("111111111111", 0, 40_000),
        by_name("222222222222", 40_001, 65_535)
    );
    let Run { code, out, .. } = run(&["explain", "sg-1", "--groups", "-"], &group);
    assert!(
        code == 0 && !out.contains("yes: above") && out.contains(" 222222222222 "),
        "{out}"
    );
}

/// Where it was built without AWS it cannot ask, but says what to ask.
#[cfg(not(feature = "aws"))]
#[test]
fn doctor_without_aws_names_the_commands_that_tell() {
    let Run { code, out, err } = run(&["doctor", "--region", "eu-west-1"], "");
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("built without AWS"), "{err}");
    for command in [
        "aws securityhub describe-hub --region eu-west-1",
        "aws cloudtrail get-trail-status --region eu-west-1 --name TRAIL_ARN",
        "aws iam simulate-principal-policy",
    ] {
        assert!(out.contains(command), "{out}");
    }
    let lines: Vec<_> = out.lines().collect();
    assert!(lines.chunks(2).all(|pair| matches!(pair, [what, command] if what.starts_with("? ") && command.trim_start().starts_with(['a', 'd']))), "{out}");
}
