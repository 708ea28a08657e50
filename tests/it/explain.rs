//! `explain`: which group is meant, and in which Region.

use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr as _;

use crate::cli::{Run, run};

fn open(id: &str, name: &str, arn: Option<&str>) -> Value {
    json!({"GroupId": id, "GroupName": name, "OwnerId": "111111111111", "VpcId": "vpc-1", "SecurityGroupArn": arn,
        "IpPermissions": [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "sg-0f", "UserId": "111111111111"}]}]})
}

fn groups() -> String {
    json!({"SecurityGroups": [
        open("sg-0a", "payments-db", None),
        open("sg-0b", "default", None),
        open("sg-0c", "Default", None),
        open("sg-0d", "far", Some("arn:aws:ec2:eu-central-1:111111111111:security-group/sg-0d")),
    ]})
    .to_string()
}

fn explain(arguments: &[&str]) -> Run {
    run(
        &[&["explain", "--groups", "-"], arguments].concat(),
        &groups(),
    )
}

#[test]
fn a_group_is_found_by_its_id_or_its_name() {
    let by_id = explain(&["sg-0a"]);
    assert_eq!(by_id.code, 1);
    for name in ["payments-db", "PAYMENTS-DB"] {
        assert_eq!(explain(&[name]).out, by_id.out, "{name}");
    }
}

#[test]
fn a_name_of_several_groups_or_of_none_is_an_error() {
    let said: Vec<_> = ["default", "payments", "sg-0z", ""]
        .iter()
        .map(|name| {
            let Run { code, out, err } = explain(&[name]);
            assert_eq!((code, out.as_str()), (2, ""), "{name}");
            err
        })
        .collect();
    insta::assert_snapshot!(said.concat(), @r#"
    sg-trust: standard input: 2 security groups have the name "default": give the id of one, sg-0b, sg-0c
    sg-trust: standard input: there is no security group with the id or the name "payments" among the 4 in it
    sg-trust: standard input: there is no security group with the id or the name "sg-0z" among the 4 in it
    sg-trust: standard input: there is no security group with the id or the name "" among the 4 in it
    "#);
}

#[test]
fn the_commands_have_the_region_that_is_given() {
    let region = |arguments: &[&str]| {
        let Run { out, err, .. } = explain(arguments);
        let command = out
            .lines()
            .find(|line| line.contains("revoke-security-group-ingress"));
        let words = command.map(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        let words = words.ok_or(err)?;
        let at = words.iter().position(|word| word == "--region");
        Ok::<_, String>(at.map(|at| words[at + 1].clone()))
    };
    assert_eq!(region(&["sg-0a"]), Ok(None));
    assert_eq!(
        region(&["sg-0a", "--region", "eu-west-1"]),
        Ok(Some("eu-west-1".to_owned()))
    );
    assert_eq!(region(&["sg-0d"]), Ok(Some("eu-central-1".to_owned())));
    let contradicted = region(&["sg-0d", "--region", "eu-west-1"]).unwrap_err();
    insta::assert_snapshot!(contradicted, @"sg-trust: standard input: security group sg-0d: its SecurityGroupArn says eu-central-1, and --region says eu-west-1: leave --region out, or give it with the groups of that Region alone");
    assert_eq!(explain(&["sg-0a", "--region", "nonsense"]).code, 2);
}

/// Commands, and the line that an exemption needs, are there to be copied; the rest fits into a terminal.
#[test]
fn what_is_no_command_fits_into_100_columns() {
    let names = [
        "x",
        "the-web-frontend-of-the-shop-in-production",
        "ランニングシャツのグループ",
        "名 a",
    ];
    let pair = |name: &str| json!({"GroupId": "sg-0aaaaaaaaaaaaaaaa", "GroupName": name, "UserId": "123456789012"});
    let of_ports = |port: u16| json!({"IpProtocol": "udp", "FromPort": port, "ToPort": port + 5, "UserIdGroupPairs": names.map(pair)});
    let mut permissions: Vec<_> = (0..12).map(|place| of_ports(place * 5000)).collect();
    permissions.push(json!({"IpProtocol": "-1", "UserIdGroupPairs": names.map(pair)}));
    let group = json!({"GroupId": "sg-0123456789abcdef0", "GroupName": names[1], "IpPermissions": permissions});
    let Run { out, err, .. } = run(&["explain", names[1], "--groups", "-"], &group.to_string());
    let is_to_be_copied = |line: &str| line.contains(": aws ec2 ") || line.contains("allow = ");
    let wide: Vec<_> = out
        .lines()
        .filter(|line| line.width() > 100 && !is_to_be_copied(line))
        .collect();
    assert!(
        wide.is_empty() && out.contains("┄") | out.contains("─"),
        "{wide:#?}{err}"
    );
    for id in ["sg-0aaaaaaaaaaaaaaaa", "sg-0123456789abcdef0"] {
        assert!(out.contains(id), "{out}");
    }
}
