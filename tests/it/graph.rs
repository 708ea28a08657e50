//! `graph` and `reach` on the command line.
#![expect(clippy::panic, clippy::string_slice, reason = "a test may fail loudly")]

mod hostile;
mod organisation;
mod promises;
mod questions;
mod size;
mod terms;

use serde_json::{Value, json};

use crate::cli::{Run, run};

const ORGANISATION: &str = "events/organisation";

const POLICY: &str = "events/organisation/policy.toml";

/// A command on the example organisation with its settings.
fn organisation(command: &str, arguments: &[&str]) -> Run {
    let all = [&[command, ORGANISATION, "--policy", POLICY], arguments].concat();
    run(&all, "")
}

fn parse(run: &Run) -> Value {
    serde_json::from_str(&run.out)
        .unwrap_or_else(|error| panic!("{error}: {} {}", run.out, run.err))
}

fn group(id: &str, permissions: Value) -> Value {
    json!({"GroupId": id, "GroupName": id.replace("sg-", "name-"), "OwnerId": "111111111111", "VpcId": "vpc-1", "IpPermissions": permissions})
}

/// A permission for all traffic from these groups.
fn all_from(sources: &[&str]) -> Value {
    let pairs: Vec<_> = sources
        .iter()
        .map(|id| json!({"GroupId": id, "UserId": "111111111111"}))
        .collect();
    json!({"IpProtocol": "-1", "UserIdGroupPairs": pairs})
}

fn from_ranges(ranges: &[&str]) -> Value {
    let ranges: Vec<_> = ranges
        .iter()
        .map(|range| json!({"CidrIp": range}))
        .collect();
    json!({"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "UserIdGroupPairs": [], "IpRanges": ranges})
}

fn interface(id: &str, instance: Option<&str>, groups: &[&str]) -> Value {
    let groups: Vec<_> = groups.iter().map(|id| json!({"GroupId": id})).collect();
    json!({"NetworkInterfaceId": id, "VpcId": "vpc-1", "OwnerId": "111111111111", "Groups": groups,
        "Attachment": instance.map(|instance| json!({"InstanceId": instance}))})
}

/// A command on groups and interfaces.
fn on(command: &[&str], groups: &[Value], interfaces: Option<&[Value]>) -> Run {
    let mut answer = json!({"SecurityGroups": groups});
    if let Some(interfaces) = interfaces {
        answer["NetworkInterfaces"] = json!(interfaces);
    }
    run(
        &[&[command[0], "-"], &command[1..]].concat(),
        &answer.to_string(),
    )
}

fn is_reached(groups: &[Value], interfaces: Option<&[Value]>, from: &str, to: &str) -> bool {
    let Run { code, err, .. } = on(&["reach", "--from", from, "--to", to], groups, interfaces);
    assert!(code < 2, "{err}");
    code == 1
}

fn organisation_groups() -> (Vec<Value>, Vec<Value>) {
    let (mut groups, mut interfaces) = (Vec::new(), Vec::new());
    for file in std::fs::read_dir(ORGANISATION).unwrap() {
        let path = file.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            let answer: Value =
                serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
            groups.extend(answer["SecurityGroups"].as_array().unwrap().clone());
            interfaces.extend(answer["NetworkInterfaces"].as_array().unwrap().clone());
        }
    }
    (groups, interfaces)
}
