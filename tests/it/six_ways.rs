//! One set of rules has one verdict, whichever of six ways it is written in.

use std::collections::BTreeSet;

use jiff::civil::Date;
use proptest::prelude::*;
use serde_json::{Value, json};
use sg_trust::input::{Parameters, Reading, Templates, read_change_set, read_templates, terraform};
use sg_trust::model::SecurityGroup;
use sg_trust::model::planned::Deployment;
use sg_trust::plan::{Ways, join, report};
use sg_trust::policy::{ReferencedGroups, Settings, Violation, evaluate};

/// A rule as people mean it; without a source it has a range of addresses.
#[derive(Debug, Clone)]
struct Rule {
    protocol: &'static str,
    ports: (i64, i64),
    source: Option<&'static str>,
}

const SELF: &str = "self";
const UNKNOWN: &str = "{{changeSet:KNOWN_AFTER_APPLY}}";

fn rule() -> impl Strategy<Value = Rule> {
    let ports = prop_oneof![
        Just((0, 65_535)),
        Just((1, 65_535)),
        Just((0, 32_767)),
        Just((32_768, 65_535)),
        Just((30_000, 65_000)),
        Just((443, 443)),
        Just((0, 0)),
    ];
    let types = prop_oneof![Just((-1, -1)), Just((8, 0)), Just((3, -1))];
    let rule = prop_oneof![
        5 => ports.clone().prop_map(|ports| ("tcp", ports)),
        2 => ports.clone().prop_map(|ports| ("udp", ports)),
        1 => ports.clone().prop_map(|ports| ("-1", ports)),
        1 => ports.prop_map(|ports| ("50", ports)),
        1 => types.clone().prop_map(|ports| ("icmp", ports)),
        1 => types.prop_map(|ports| ("icmpv6", ports)),
    ];
    let source = prop_oneof![
        1 => Just(None),
        3 => Just(Some("sg-0b")),
        2 => Just(Some("sg-0c")),
        2 => Just(Some(SELF)),
    ];
    (rule, source).prop_map(|((protocol, ports), source)| Rule {
        protocol,
        ports,
        source,
    })
}

/// The verdict, and each violation by source, protocol, reason and ports.
type Told = (String, BTreeSet<(String, String, String, Vec<(u16, u16)>)>);

fn told(verdict: &str, violations: &[&Violation]) -> Told {
    let violation = |violation: &&Violation| {
        let source = &violation.source;
        let id = source.group_id.as_ref().map(ToString::to_string);
        (
            if source.is_self {
                SELF.to_owned()
            } else {
                id.unwrap_or_default()
            },
            violation.protocol.to_string(),
            violation.reason.to_string(),
            violation.ports.intervals().to_vec(),
        )
    };
    (
        verdict.to_owned(),
        violations.iter().map(violation).collect(),
    )
}

/// As EC2 describes the group: without ports where the protocol has none.
fn described(rules: &[Rule]) -> Told {
    let permission = |rule: &Rule| {
        let pair = |source: &str| {
            let id = if source == SELF { "sg-0a" } else { source };
            json!([{"GroupId": id, "UserId": "123456789012"}])
        };
        let mut permission = json!({"IpProtocol": rule.protocol});
        match rule.source {
            Some(source) => permission["UserIdGroupPairs"] = pair(source),
            None => permission["IpRanges"] = json!([{"CidrIp": "10.0.0.0/8"}]),
        }
        if !["-1", "50"].contains(&rule.protocol) {
            permission["FromPort"] = rule.ports.0.into();
            permission["ToPort"] = rule.ports.1.into();
        }
        permission
    };
    let group = json!({"GroupId": "sg-0a", "OwnerId": "123456789012",
        "IpPermissions": rules.iter().map(permission).collect::<Vec<_>>()});
    let group: SecurityGroup = serde_json::from_value(group).unwrap();
    let verdict = evaluate(
        &Settings::default(),
        &group,
        &ReferencedGroups::default(),
        Date::MIN,
    );
    told(
        verdict.status.as_str(),
        &verdict.violations.iter().collect::<Vec<_>>(),
    )
}

fn planned(reading: &Reading, address: &str) -> Told {
    let settings = Settings::default();
    let reports = reading.deployments.iter();
    let reports = reports.map(|deployment| report(&settings, deployment, Date::MIN));
    let ways = Ways {
        unknown: &reading.unknown,
        values: &reading.values,
    };
    let report = join(reports.collect(), ways).unwrap();
    let group = report.groups.iter().find(|group| group.address == address);
    let group = group.unwrap();
    let violations: Vec<_> = group.violations.iter().map(|it| &it.violation).collect();
    told(group.verdict.as_str(), &violations)
}

const GROUP: &str = "aws_security_group.db";

/// A plan with the group, and with rules of their own, each with its expressions.
fn plan(ingress: Option<Vec<Value>>, rules: &[(String, Value, Value, Value)]) -> Told {
    let mut after = json!({"description": "Managed by Terraform", "name": "db", "tags": null});
    let mut unknown = json!({"arn": true, "egress": true, "id": true, "owner_id": true, "tags_all": true, "vpc_id": true});
    let mut expressions = json!({"name": {"constant_value": "db"}});
    match ingress {
        Some(blocks) => {
            unknown["ingress"] = blocks
                .iter()
                .map(|_| json!({"cidr_blocks": [false], "security_groups": [false]}))
                .collect();
            expressions["ingress"] = json!({"constant_value": blocks.clone()});
            after["ingress"] = blocks.into();
        }
        None => unknown["ingress"] = true.into(),
    }
    let change = |address: &str, after: Value, unknown: Value| {
        let (kind, name) = address.split_once('.').unwrap();
        json!({"address": address, "mode": "managed", "type": kind, "name": name,
            "provider_name": "registry.terraform.io/hashicorp/aws",
            "change": {"actions": ["create"], "before": null, "after": after, "after_unknown": unknown,
                "before_sensitive": false, "after_sensitive": {}}})
    };
    let configured = |address: &str, expressions: Value| {
        let (kind, name) = address.split_once('.').unwrap();
        json!({"address": address, "mode": "managed", "type": kind, "name": name, "provider_config_key": "aws",
            "expressions": expressions, "schema_version": 1})
    };
    let mut changes = vec![change(GROUP, after, unknown)];
    let mut resources = vec![configured(GROUP, expressions)];
    for (address, after, unknown, expressions) in rules {
        changes.push(change(address, after.clone(), unknown.clone()));
        resources.push(configured(address, expressions.clone()));
    }
    let plan = json!({"format_version": "1.2", "terraform_version": "1.11.4", "resource_changes": changes,
        "configuration": {"root_module": {"resources": resources}}, "complete": true, "errored": false});
    let deployment: Deployment =
        terraform::read_plan("plan.json", &plan.to_string(), None).unwrap();
    let reading = Reading {
        deployments: vec![deployment],
        unknown: Vec::new(),
        values: vec![Vec::new()],
    };
    planned(&reading, GROUP)
}

fn inline(rules: &[Rule]) -> Told {
    let block = |rule: &Rule| {
        let groups: Vec<_> = rule.source.into_iter().filter(|it| *it != SELF).collect();
        let ranges: Vec<_> = rule
            .source
            .is_none()
            .then_some("10.0.0.0/8")
            .into_iter()
            .collect();
        json!({"cidr_blocks": ranges, "description": "", "from_port": rule.ports.0, "ipv6_cidr_blocks": [],
            "prefix_list_ids": [], "protocol": rule.protocol, "security_groups": groups,
            "self": rule.source == Some(SELF), "to_port": rule.ports.1})
    };
    plan(Some(rules.iter().map(block).collect()), &[])
}

fn to_group() -> Value {
    json!({"references": ["aws_security_group.db.id", "aws_security_group.db"]})
}

fn rule_resources(rules: &[Rule]) -> Told {
    let resource = |(number, rule): (usize, &Rule)| {
        let is_self = rule.source == Some(SELF);
        let known = rule.source.filter(|_| !is_self);
        let ranges = rule.source.is_none().then(|| json!(["10.0.0.0/8"]));
        let mut after = json!({"cidr_blocks": ranges, "description": null, "from_port": rule.ports.0, "ipv6_cidr_blocks": null,
            "prefix_list_ids": null, "protocol": rule.protocol, "self": is_self, "to_port": rule.ports.1, "type": "ingress"});
        let mut unknown =
            json!({"id": true, "security_group_id": true, "security_group_rule_id": true});
        let mut expressions =
            json!({"security_group_id": to_group(), "type": {"constant_value": "ingress"}});
        match known {
            Some(source) => {
                after["source_security_group_id"] = source.into();
                expressions["source_security_group_id"] = json!({"constant_value": source});
            }
            // Terraform has it among the unknown values, whatever the rule's source is.
            None => unknown["source_security_group_id"] = true.into(),
        }
        (
            format!("aws_security_group_rule.r{number}"),
            after,
            unknown,
            expressions,
        )
    };
    plan(
        None,
        &rules.iter().enumerate().map(resource).collect::<Vec<_>>(),
    )
}

fn ingress_rule_resources(rules: &[Rule]) -> Told {
    let resource = |(number, rule): (usize, &Rule)| {
        let range = rule.source.is_none().then_some("10.0.0.0/8");
        let mut after = json!({"cidr_ipv4": range, "cidr_ipv6": null, "description": null, "from_port": rule.ports.0,
            "ip_protocol": rule.protocol, "prefix_list_id": null, "to_port": rule.ports.1});
        let mut unknown = json!({"arn": true, "id": true, "security_group_id": true, "security_group_rule_id": true});
        let mut expressions = json!({"security_group_id": to_group()});
        match rule.source {
            Some(SELF) => {
                unknown["referenced_security_group_id"] = true.into();
                expressions["referenced_security_group_id"] = to_group();
            }
            Some(source) => {
                after["referenced_security_group_id"] = source.into();
                expressions["referenced_security_group_id"] = json!({"constant_value": source});
            }
            None => after["referenced_security_group_id"] = Value::Null,
        }
        let address = format!("aws_vpc_security_group_ingress_rule.r{number}");
        (address, after, unknown, expressions)
    };
    plan(
        None,
        &rules.iter().enumerate().map(resource).collect::<Vec<_>>(),
    )
}

/// The properties of a rule, and whether it stands in the group.
fn properties(rule: &Rule) -> Value {
    let mut properties =
        json!({"IpProtocol": rule.protocol, "FromPort": rule.ports.0, "ToPort": rule.ports.1});
    match rule.source {
        Some(SELF) => {}
        Some(source) => properties["SourceSecurityGroupId"] = source.into(),
        None => properties["CidrIp"] = "10.0.0.0/8".into(),
    }
    properties
}

fn inline_properties(rules: &[Rule]) -> Vec<Value> {
    let inline = rules.iter().filter(|rule| rule.source != Some(SELF));
    inline.map(properties).collect()
}

fn of_itself(rules: &[Rule]) -> impl Iterator<Item = (String, Value)> {
    let own = rules.iter().filter(|rule| rule.source == Some(SELF));
    own.enumerate()
        .map(|(number, rule)| (format!("Rule{number}"), properties(rule)))
}

fn template(rules: &[Rule]) -> Told {
    let mut resources = json!({"Db": {"Type": "AWS::EC2::SecurityGroup",
        "Properties": {"GroupDescription": "db", "SecurityGroupIngress": inline_properties(rules)}}});
    for (id, mut properties) in of_itself(rules) {
        let db = json!({"Fn::GetAtt": ["Db", "GroupId"]});
        properties["GroupId"] = db.clone();
        properties["SourceSecurityGroupId"] = db;
        resources[id] = json!({"Type": "AWS::EC2::SecurityGroupIngress", "Properties": properties});
    }
    let text = json!({"Resources": resources}).to_string();
    let reading = read_templates(Templates {
        template: ("template.json", &text),
        before: None,
        parameters: &Parameters::new(),
    });
    planned(&reading.unwrap(), "Db")
}

fn change_set(rules: &[Rule]) -> Told {
    let add = |id: &str, kind: &str, properties: Value| {
        json!({"Type": "Resource", "ResourceChange": {"Action": "Add", "LogicalResourceId": id, "ResourceType": kind,
            "AfterContext": json!({"Properties": properties}).to_string()}})
    };
    let group = json!({"GroupDescription": "db", "SecurityGroupIngress": inline_properties(rules)});
    let mut changes = vec![add("Db", "AWS::EC2::SecurityGroup", group)];
    for (id, mut properties) in of_itself(rules) {
        properties["GroupId"] = UNKNOWN.into();
        properties["SourceSecurityGroupId"] = UNKNOWN.into();
        changes.push(add(&id, "AWS::EC2::SecurityGroupIngress", properties));
    }
    let text = json!({"Changes": changes, "Status": "CREATE_COMPLETE"}).to_string();
    planned(&read_change_set("change-set.json", &text).unwrap(), "Db")
}

proptest! {
    #[test]
    fn the_same_rules_have_the_same_verdict(rules in proptest::collection::vec(rule(), 0..6)) {
        let expected = described(&rules);
        for (way, told) in [
            ("inline", inline(&rules)),
            ("aws_security_group_rule", rule_resources(&rules)),
            ("aws_vpc_security_group_ingress_rule", ingress_rule_resources(&rules)),
            ("template", template(&rules)),
            ("change set", change_set(&rules)),
        ] {
            prop_assert_eq!(&told, &expected, "{}", way);
        }
    }
}
