//! `fix` on files: what a person sees, and what is refused.

use serde_json::{Value, json};

use crate::cli::{Run, run};

fn pair(source: &str, description: Option<&str>) -> Value {
    json!({"GroupId": source, "UserId": "111111111111", "Description": description})
}

fn group(id: &str, name: &str, permissions: &Value) -> Value {
    json!({"GroupId": id, "GroupName": name, "OwnerId": "111111111111", "VpcId": "vpc-0123456789abcdef0",
        "SecurityGroupArn": format!("arn:aws:ec2:eu-west-1:111111111111:security-group/{id}"), "IpPermissions": permissions})
}

fn over_deleted_peering(from: u16, to: u16) -> Value {
    json!({"IpProtocol": "tcp", "FromPort": from, "ToPort": to, "UserIdGroupPairs": [{"GroupId": "sg-0dddddddddddddddd",
        "UserId": "222222222222", "VpcId": "vpc-9", "VpcPeeringConnectionId": "pcx-0123456789abcdef0", "PeeringStatus": "deleted"}]})
}

fn account() -> Value {
    let (db, web, batch) = (
        "sg-0aaaaaaaaaaaaaaaa",
        "sg-0bbbbbbbbbbbbbbbb",
        "sg-0cccccccccccccccc",
    );
    let open = json!({"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.0.0.0/8"}],
        "UserIdGroupPairs": [pair(web, Some("legacy \u{1b}[31m")), pair(batch, None)]});
    let needed = json!({"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "UserIdGroupPairs": [pair(web, None)]});
    let mut managed = group(
        "sg-0eeeeeeeeeeeeeeee",
        "net",
        &json!([{"IpProtocol": "-1", "UserIdGroupPairs": [pair(batch, None)]}]),
    );
    managed["Tags"] = json!([{"Key": "ManagedBy", "Value": "Terraform"}]);
    let machine = |id: &str, group: &str| json!({"NetworkInterfaceId": id, "Groups": [{"GroupId": group}], "VpcId": "vpc-0123456789abcdef0"});
    json!({"SecurityGroups": [
        group(db, "payments-db", &json!([open, over_deleted_peering(1, 32_000), over_deleted_peering(32_001, 65_535), needed])),
        group(web, "web", &json!([])),
        group(batch, "batch", &json!([{"IpProtocol": "-1", "UserIdGroupPairs": [pair(batch, None)]}])),
        managed,
    ], "NetworkInterfaces": [machine("eni-1", web), machine("eni-2", db), machine("eni-3", batch), machine("eni-4", batch)]})
}

fn fix(arguments: &[&str]) -> Run {
    run(
        &[&["fix", "--groups", "-"], arguments].concat(),
        &account().to_string(),
    )
}

#[test]
fn a_plan_fits_into_100_columns_and_tells_who_loses_what() {
    let Run { code, out, err } = fix(&["--all-failed", "--replace", "tcp:443,5432"]);
    assert_eq!((code, err.as_str()), (0, ""));
    let long: Vec<_> = out
        .lines()
        .filter(|line| line.chars().count() > 100)
        .collect();
    assert!(long.is_empty(), "{long:?}");
    insta::assert_snapshot!(out, @r#"
    Plan in account 111111111111, eu-west-1: revoke 5 rules of 2 security groups, allow 5 first

    sg-0aaaaaaaaaaaaaaaa (payments-db) in vpc-0123456789abcdef0: FAILED now, PASSED then
      allow first  tcp 443 from sg-0bbbbbbbbbbbbbbbb (web)
      allow first  tcp 443 from sg-0cccccccccccccccc (batch)
      allow first  tcp 5432 from sg-0cccccccccccccccc (batch)
      because      it accepts all traffic from sg-0bbbbbbbbbbbbbbbb (web) [all-traffic]
      revoke       all traffic from sg-0bbbbbbbbbbbbbbbb (web)
                   described as "legacy \u{1b}[31m"
      loses it     1 machine, towards 1 machine: eni-1
      because      it accepts all traffic from sg-0cccccccccccccccc (batch) [all-traffic]
      revoke       all traffic from sg-0cccccccccccccccc (batch)
      loses it     2 machines, towards 1 machine: eni-3, eni-4
      because      it accepts 65535 of 65536 tcp ports (1-65535) from sg-0dddddddddddddddd in account
                   222222222222 over pcx-0123456789abcdef0 (peering deleted) [split-ranges]
      revoke       tcp 1-32000 from sg-0dddddddddddddddd over pcx-0123456789abcdef0
      revoke       tcp 32001-65535 from sg-0dddddddddddddddd over pcx-0123456789abcdef0
      loses it     nobody: the peering connection does not work any more
      stays        1 rule from 1 security group, 1 rule from addresses
      careful      undo may not be able to give back 2 of these: the peering connection is deleted

    sg-0cccccccccccccccc (batch) in vpc-0123456789abcdef0: FAILED now, PASSED then
      allow first  tcp 443 from sg-0cccccccccccccccc (batch)
      allow first  tcp 5432 from sg-0cccccccccccccccc (batch)
      because      it accepts all traffic from itself [all-traffic]
      revoke       all traffic from sg-0cccccccccccccccc (batch)
      loses it     2 machines among themselves: eni-3, eni-4
      stays        nothing: it has no other ingress rule

    Not touched
      sg-0eeeeeeeeeeeeeeee (net): FAILED, but a tool keeps it (ManagedBy=Terraform) and would bring
        the rules back: change it there, or add --even-managed

    Nothing was changed. Digest f6b7677c7f663b477417c8484a2d96d9c9d81c6d106e2169ef2f6dd174748f0c
    "#);
}

#[test]
fn what_cannot_be_planned_is_said() {
    let said: Vec<_> = [
        &["sg-0zzz"][..],
        &["sg-0aaaaaaaaaaaaaaaa", "--replace", "tcp:1-65535"],
        &["sg-0aaaaaaaaaaaaaaaa", "--replace", "443"],
        &["sg-0aaaaaaaaaaaaaaaa", "--region", "us-east-1"],
        &[],
    ]
    .iter()
    .map(|arguments| {
        let Run { code, out, err } = fix(arguments);
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}");
        err
    })
    .collect();
    insta::assert_snapshot!(said.concat(), @r#"
    sg-trust: standard input: there is no security group with the id or the name "sg-0zzz" among the 4 in it
    sg-trust: --replace: what it allows from sg-0bbbbbbbbbbbbbbbb would leave security group sg-0aaaaaaaaaaaaaaaa FAILED: name fewer ports
    sg-trust: --replace: "443" names no ports: write PROTO:PORT[-PORT], such as tcp:443,8000-8010 or tcp:443,udp:53
    sg-trust: the groups' SecurityGroupArn says eu-west-1, and --region says us-east-1
    sg-trust: name the security groups, or give --all-failed
    "#);
}

#[test]
fn a_group_to_which_nothing_is_done_is_named_with_the_reason() {
    let Run { code, out, .. } = fix(&[
        "web",
        "net",
        "payments-db",
        "--source",
        "sg-0fffffffffffffff",
    ]);
    assert_eq!(code, 0);
    insta::assert_snapshot!(out, @r#"
    Nothing to revoke.

    Not touched
      sg-0aaaaaaaaaaaaaaaa (payments-db): no violation by the source that is asked for
      sg-0bbbbbbbbbbbbbbbb (web): PASSED: it has no violation
      sg-0eeeeeeeeeeeeeeee (net): no violation by the source that is asked for
    "#);
}

#[test]
fn without_a_terminal_nobody_is_asked_and_nothing_is_done() {
    let Run { code, err, .. } = run(&["fix", "sg-0a", "--apply"], "");
    assert_eq!(code, 2);
    insta::assert_snapshot!(err, @"sg-trust: nobody can be asked here, since this is no terminal: look at the plan, then add --yes");
    let both = run(&["fix", "sg-0a", "--apply", "plan.json", "--yes"], "");
    assert_eq!(both.code, 2);
    assert!(both.err.contains("leave them out"), "{}", both.err);
}

#[test]
fn a_plan_is_the_same_document_whatever_the_order_of_the_file() {
    let mut turned = account();
    for list in ["SecurityGroups", "NetworkInterfaces"] {
        turned[list].as_array_mut().unwrap().reverse();
    }
    turned["SecurityGroups"][3]["IpPermissions"]
        .as_array_mut()
        .unwrap()
        .reverse();
    let plan = |account: &Value| {
        run(
            &["fix", "--groups", "-", "--all-failed", "--out", "-"],
            &account.to_string(),
        )
    };
    let (one, other) = (plan(&account()), plan(&turned));
    assert_eq!((one.code, &one.out), (0, &other.out));
    let document: Value = serde_json::from_str(&one.out).unwrap();
    assert_eq!(document["version"], 1);
    assert_eq!(document["account"], "111111111111");
    assert_eq!(document["region"], "eu-west-1");
    assert_eq!(document["digest"].as_str().unwrap().len(), 64);
    let group = &document["groups"][0];
    assert_eq!(group["revoke"][0]["rule_id"], Value::Null);
    assert_eq!(group["managed_by"], Value::Null);
    assert_eq!(group["keeps"].as_array().unwrap().len(), 2);
}
