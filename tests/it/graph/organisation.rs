//! The example organisation, as a person sees it in a terminal.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::{ORGANISATION, POLICY, organisation, parse};
use crate::cli::{Run, run};

#[test]
fn the_summary_of_the_organisation_is_what_a_person_needs_first() {
    let Run { code, out, err } = organisation("graph", &[]);
    assert_eq!((code, err.as_str()), (0, ""));
    insta::assert_snapshot!(out, @r##"
    40 security groups of 3 accounts in 2 Regions; 56 trust edges: 20 open (1 exempt), 36 restricted.
    The internet reaches 15 groups: 5 internet-facing ones, and 10 more by chains. Open trust is followed.
    It is trust, not connectivity. Not read: egress rules, network ACLs, routes, address ranges other
    than the whole internet.

    2 of 4 restricted groups reached from the internet
      sg-0c000000000000002 (payments-db)  333333333333
        internet → ci-webhook = ci-runner → artifact-store → backup-agent → payments-db
      sg-0c000000000000003 (ledger-db)  333333333333
        internet → ci-webhook = ci-runner → artifact-store → backup-agent → ledger-db

    What to revoke first: how many groups the internet then no longer reaches
      8  sg-0b000000000000002 (ci-runner)       →  sg-0b000000000000003 (artifact-store)   all traffic
      4  sg-0b000000000000003 (artifact-store)  →  sg-0c000000000000004 (backup-agent)     all tcp ports
      2  sg-0b000000000000003 (artifact-store)  →  sg-0b000000000000004 (code-scanner)     all traffic
      1  sg-0b000000000000001 (ci-webhook)      →  sg-0b000000000000009 (migration-2023)   all traffic
      1  sg-0b000000000000003 (artifact-store)  →  sg-0b000000000000012 (registry-mirror)  all tcp ports
      and 5 more

    Clusters: groups that all reach each other are in effect one
      sg-0a000000000000006 (kafka-brokers), sg-0a000000000000007 (kafka-connect),
      sg-0a000000000000008 (schema-registry)

    Internet-facing groups, and how many groups are reached from their doors
      REACHES  GROUP                                  ACCOUNT       EXPOSED  ADMITS FROM THE INTERNET
            9  sg-0b000000000000001 (ci-webhook)      222222222222  yes      tcp 443
            1  sg-1a000000000000001 (dr-alb)          111111111111  yes      tcp 443
            0  sg-0a000000000000001 (shop-alb)        111111111111  yes      tcp 443
            0  sg-0a000000000000014 (mail-relay)      111111111111  no       tcp 25
            0  sg-0b000000000000005 (vpn-gateway)     222222222222  yes      udp 51820
            0  sg-0b000000000000009 (migration-2023)  222222222222  latent   tcp 3389

    Sources that no file has, or whose peering connection is stale
      SOURCE                             ACCOUNT       WHY               NAMED BY
      sg-0a000000000000012 (monitoring)  111111111111  stale peering     sg-0c000000000000007 (reporting)
      sg-0c000000000000999               333333333333  not in the files  sg-0c000000000000010 (batch)
      sg-0d000000000000007               999988887777  other account     sg-0c000000000000007 (reporting)

    Latent groups: on no network interface, so nothing goes on from them
      sg-0b000000000000009 (migration-2023)  222222222222

    Prefix lists: whether they hold the internet cannot be told
      sg-0a000000000000013 (cdn-origin)  111111111111  pl-4fa04526

    The commands for what to revoke first, in the same order
      aws ec2 revoke-security-group-ingress --region eu-west-1 --group-id sg-0b000000000000003 --ip-permissions '[{"IpProtocol":"-1","UserIdGroupPairs":[{"GroupId":"sg-0b000000000000002","UserId":"222222222222"}]}]'
      aws ec2 revoke-security-group-ingress --region eu-west-1 --group-id sg-0c000000000000004 --ip-permissions '[{"IpProtocol":"tcp","FromPort":0,"ToPort":65535,"UserIdGroupPairs":[{"GroupId":"sg-0b000000000000003","UserId":"222222222222","VpcId":"vpc-0b0000000000000a1","VpcPeeringConnectionId":"pcx-0bc00000000000001"}]}]'
      aws ec2 revoke-security-group-ingress --region eu-west-1 --group-id sg-0b000000000000004 --ip-permissions '[{"IpProtocol":"-1","UserIdGroupPairs":[{"GroupId":"sg-0b000000000000003","UserId":"222222222222"}]}]'
      aws ec2 revoke-security-group-ingress --region eu-west-1 --group-id sg-0b000000000000009 --ip-permissions '[{"IpProtocol":"-1","UserIdGroupPairs":[{"GroupId":"sg-0b000000000000001","UserId":"222222222222"}]}]'
      aws ec2 revoke-security-group-ingress --region eu-west-1 --group-id sg-0b000000000000012 --ip-permissions '[{"IpProtocol":"tcp","FromPort":0,"ToPort":65535,"UserIdGroupPairs":[{"GroupId":"sg-0b000000000000003","UserId":"222222222222"}]}]'
    "##);
}

#[test]
fn the_surprising_path_is_told_hop_by_hop() {
    let Run { code, out, .. } =
        organisation("reach", &["--from", "internet", "--to", "payments-db"]);
    assert_eq!(code, 1);
    insta::assert_snapshot!(out, @r##"
    sg-0c000000000000002 (payments-db) is reached from the internet by 3 trust edges:

      HOP  GROUP                                            ACCOUNT       LETS IN
           internet
           sg-0b000000000000001 (ci-webhook, public)        222222222222  tcp 443
      =    sg-0b000000000000002 (ci-runner)                 222222222222  on i-0b000000000000001 too
      1    sg-0b000000000000003 (artifact-store, internal)  222222222222  all traffic
      2    sg-0c000000000000004 (backup-agent, internal)    333333333333  all tcp ports
      3    sg-0c000000000000002 (payments-db, restricted)   333333333333  all traffic

    Open trust alone is enough for a path.

    No single trust edge is on every path: --cut finds the smallest set that is.

    It is trust, not connectivity. Not read: egress rules, network ACLs, routes, address ranges other
    than the whole internet.
    "##);
    let Run { code, out, .. } = organisation(
        "reach",
        &["--from", "internet", "--to", "payments-db", "--cut"],
    );
    assert_eq!(code, 1);
    let cut = out.split("The smallest cut").nth(1).unwrap();
    insta::assert_snapshot!(cut, @r##"
    : 2 trust edges to revoke
      sg-0c000000000000001 (payments-api)  →  sg-0c000000000000002 (payments-db)  tcp 5432
      sg-0c000000000000004 (backup-agent)  →  sg-0c000000000000002 (payments-db)  all traffic

      aws ec2 revoke-security-group-ingress --region eu-west-1 --group-id sg-0c000000000000002 --ip-permissions '[{"IpProtocol":"tcp","FromPort":5432,"ToPort":5432,"UserIdGroupPairs":[{"GroupId":"sg-0c000000000000001","UserId":"333333333333"}]}]'
      aws ec2 revoke-security-group-ingress --region eu-west-1 --group-id sg-0c000000000000002 --ip-permissions '[{"IpProtocol":"-1","UserIdGroupPairs":[{"GroupId":"sg-0c000000000000004","UserId":"333333333333"}]}]'

    It is trust, not connectivity. Not read: egress rules, network ACLs, routes, address ranges other
    than the whole internet.
    "##);
    let Run { code, out, .. } =
        organisation("reach", &["--from", "ci-runner", "--to", "orders-db"]);
    assert_eq!(code, 0);
    insta::assert_snapshot!(out, @r##"
    sg-0a000000000000005 (orders-db) is not reached from sg-0b000000000000002 (ci-runner) by any trust.
    It is trust, not connectivity. Not read: egress rules, network ACLs, routes, address ranges other
    than the whole internet.

    Groups on the way to it that admit address ranges, which were not read
      sg-0a000000000000012 (monitoring)
      sg-0a000000000000013 (cdn-origin)
    "##);
    let Run { code, out, .. } = organisation("reach", &["--to", "ledger-db", "--trust", "open"]);
    assert_eq!(code, 0);
    insta::assert_snapshot!(out, @r##"
    sg-0c000000000000003 (ledger-db) is reached from 3 groups by open trust.
    The internet reaches it by 3 trust edges.

      HOPS  GROUP                                            ACCOUNT
         1  sg-0c000000000000004 (backup-agent, internal)    333333333333
         2  sg-0b000000000000003 (artifact-store, internal)  222222222222
         3  sg-0b000000000000002 (ci-runner, internal)       222222222222

    It is trust, not connectivity. Not read: egress rules, network ACLs, routes, address ranges other
    than the whole internet.
    "##);
}

#[test]
fn tables_fit_a_terminal_of_a_hundred_columns() {
    for (command, arguments) in [
        ("graph", &[][..]),
        ("graph", &["--to", "payments-db"]),
        (
            "reach",
            &[
                "--from",
                "internet",
                "--to",
                "payments-db",
                "--trust",
                "open",
            ],
        ),
        (
            "reach",
            &["--from", "internet", "--to", "level:restricted", "--cut"],
        ),
        ("reach", &["--from", "ci-runner", "--to", "orders-db"]),
        ("reach", &["--from", "internet"]),
        ("reach", &["--to", "payments-db"]),
    ] {
        let Run { out, .. } = organisation(command, arguments);
        let is_prose = |line: &&str| !line.trim_start().starts_with("aws ec2 ");
        for line in out.lines().filter(is_prose) {
            assert!(
                line.chars().count() <= 102,
                "{command} {arguments:?}: {line}"
            );
        }
    }
}

#[test]
fn the_example_has_what_its_readers_look_for() {
    let graph = parse(&organisation("graph", &["--format", "json"]));
    let groups: BTreeMap<_, _> = graph["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| (group["group_name"].as_str().unwrap(), group))
        .collect();
    let owners: std::collections::BTreeSet<_> = groups
        .values()
        .map(|group| group["owner_id"].as_str().unwrap())
        .collect();
    assert_eq!((groups.len(), owners.len()), (40, 3));
    assert_eq!(graph["clusters"].as_array().unwrap().len(), 1);
    let latent: Vec<_> = groups
        .iter()
        .filter(|(_, group)| group["latent"] == true)
        .map(|(name, _)| *name)
        .collect();
    assert_eq!(latent, ["migration-2023"]);
    let whys: Vec<_> = graph["unseen"]
        .as_array()
        .unwrap()
        .iter()
        .map(|unseen| unseen["why"].as_str().unwrap())
        .collect();
    assert_eq!(whys, ["stale-peering", "not-in-snapshot", "other-account"]);
    assert_eq!(groups["payments-db"]["level"], "restricted");
    assert_eq!(groups["payments-db"]["hops_from_internet"], 3);
    // Without the machines that join two groups nothing of it is seen.
    let mut apart = String::new();
    for file in std::fs::read_dir(ORGANISATION).unwrap() {
        let path = file.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            let mut answer: Value =
                serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
            answer.as_object_mut().unwrap().remove("NetworkInterfaces");
            apart += &format!("{answer}\n");
        }
    }
    let by_name = [
        "reach",
        "-",
        "--from",
        "internet",
        "--to",
        "payments-db",
        "--trust",
        "open",
    ];
    assert_eq!(run(&by_name, &apart).code, 0);
}

#[test]
fn explain_names_the_sources_of_the_snapshot() {
    let Run { out, .. } = run(&["explain", "payments-db", "--groups", ORGANISATION], "");
    assert!(out.contains("sg-0c000000000000002 (payments-db) accepts all traffic from sg-0c000000000000004 (backup-agent)"), "{out}");
    assert!(Path::new(POLICY).is_file());
}
