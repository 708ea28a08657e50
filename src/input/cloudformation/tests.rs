//! Templates and change sets by the verdicts on what is read of them.

use std::fmt::Write as _;

use jiff::civil::Date;

use super::{Parameters, Reading, Templates, read_change_set, read_parameters, read_templates};
use crate::plan::{PlanReport, Ways, join, report};
use crate::policy::Settings;

fn told(reading: &Reading) -> PlanReport {
    let settings = Settings::default();
    let reports = reading.deployments.iter();
    let reports = reports.map(|deployment| report(&settings, deployment, Date::MIN));
    let ways = Ways {
        unknown: &reading.unknown,
        values: &reading.values,
    };
    join(reports.collect(), ways).unwrap()
}

/// A line for each group, its violations and what is unknown of it.
fn lines(reading: &Reading) -> String {
    let mut out = String::new();
    let report = told(reading);
    for group in &report.groups {
        let verdict = group.verdict.as_str();
        let before = group.before.map_or("-", |before| before.as_str());
        let position = group.position.as_ref();
        let position = position.map_or("-".to_owned(), ToString::to_string);
        let _ = writeln!(
            out,
            "{} {verdict}, before {before}, {}, {position}",
            group.address,
            group.action.as_str()
        );
        for violation in &group.violations {
            let label = &violation.source;
            let source = label.address.clone().unwrap_or_else(|| {
                let id = label.group_id.as_ref().map(ToString::to_string);
                id.unwrap_or_else(|| "?".to_owned())
            });
            let rule = &violation.rules[0];
            let position = rule.position.as_ref();
            let position = position.map_or("-".to_owned(), ToString::to_string);
            let _ = writeln!(
                out,
                "  {}{} {} {} from {source}: {} {position}",
                violation.change.as_str(),
                if violation.is_certain { "" } else { "?" },
                violation.violation.reason,
                violation.violation.protocol,
                rule.address
            );
        }
        for unknown in &group.unknown {
            let expression = unknown.expression.as_deref().unwrap_or("-");
            let _ = writeln!(
                out,
                "  {} = {expression}: {}",
                unknown.attribute, unknown.advice
            );
        }
    }
    for not_read in &report.not_read {
        let _ = writeln!(
            out,
            "not read: {} ({})",
            not_read.address, not_read.resource_type
        );
    }
    for note in &report.notes {
        let _ = writeln!(out, "{note}");
    }
    out
}

fn given(template: &str, parameters: &[(&str, &str)]) -> Reading {
    let parameters: Parameters = parameters
        .iter()
        .map(|(key, value)| ((*key).to_owned(), Some((*value).to_owned())))
        .collect();
    read_templates(Templates {
        template: ("t.yaml", template),
        before: None,
        parameters: &parameters,
    })
    .unwrap()
}

fn template(template: &str, parameters: &[(&str, &str)]) -> String {
    lines(&given(template, parameters))
}

fn before(before: &str, template: &str) -> String {
    let reading = read_templates(Templates {
        template: ("t.yaml", template),
        before: Some(("b.yaml", before)),
        parameters: &Parameters::new(),
    });
    lines(&reading.unwrap())
}

/// A template with one group and this one rule.
fn rule(rule: &str) -> String {
    let text = format!(
        "Resources:\n  Db:\n    Type: AWS::EC2::SecurityGroup\n    Properties:\n      GroupName: db\n      SecurityGroupIngress:\n        - {rule}\n  Web:\n    Type: AWS::EC2::SecurityGroup\n"
    );
    let text = template(&text, &[]);
    text.lines()
        .take_while(|line| !line.starts_with("Web"))
        .map(|line| format!("{line}\n"))
        .collect()
}

#[test]
fn ports_of_a_protocol_without_ports_open_everything() {
    insta::assert_snapshot!(rule("{IpProtocol: -1, FromPort: 80, ToPort: 80, SourceSecurityGroupId: !GetAtt Web.GroupId}"), @"
    Db FAILED, before -, create, t.yaml:2
      new all-traffic -1 from Web: Db t.yaml:7
    ");
    insta::assert_snapshot!(rule("{IpProtocol: '50', FromPort: 1, ToPort: 2, SourceSecurityGroupId: sg-0123}"), @"
    Db FAILED, before -, create, t.yaml:2
      new all-traffic 50 from sg-0123: Db t.yaml:7
    ");
    insta::assert_snapshot!(rule("{IpProtocol: tcp, FromPort: 80, ToPort: '80', SourceSecurityGroupId: sg-0123}"), @"Db PASSED, before -, create, t.yaml:2");
}

#[test]
fn a_rule_with_a_range_has_no_group_that_is_unknown() {
    insta::assert_snapshot!(rule("{IpProtocol: -1, CidrIp: 10.0.0.0/8, SourceSecurityGroupId: !ImportValue x}"), @"Db PASSED, before -, create, t.yaml:2");
    insta::assert_snapshot!(rule("{IpProtocol: -1, SourceSecurityGroupId: !ImportValue x}"), @"
    Db FAILED, before -, create, t.yaml:2
      new all-traffic -1 from ?: Db t.yaml:7
    ");
    insta::assert_snapshot!(rule("{IpProtocol: -1, CidrIp: 10.0.0.0/8, SourceSecurityGroupId: !Ref 'AWS::NoValue'}"), @"Db PASSED, before -, create, t.yaml:2");
}

#[test]
fn a_source_is_found_however_it_is_named() {
    for source in [
        "SourceSecurityGroupId: !Ref Web",
        "SourceSecurityGroupId: {Ref: Web}",
        "SourceSecurityGroupId: !GetAtt [Web, GroupId]",
        "SourceSecurityGroupId: {'Fn::GetAtt': Web.GroupId}",
        "SourceSecurityGroupId: !Sub '${Web.GroupId}'",
        "SourceSecurityGroupId: !Select [1, [a, !Ref Web]]",
        "SourceSecurityGroupName: !Ref Web",
    ] {
        let text = rule(&format!(
            "{{IpProtocol: tcp, FromPort: 0, ToPort: 65535, {source}}}"
        ));
        assert!(
            text.contains("new all-ports tcp from Web: Db t.yaml:7"),
            "{source}: {text}"
        );
    }
    let named = "Resources:\n  Db:\n    Type: AWS::EC2::SecurityGroup\n    Properties:\n      SecurityGroupIngress:\n        - {IpProtocol: tcp, FromPort: 0, ToPort: 32767, SourceSecurityGroupName: web}\n        - {IpProtocol: tcp, FromPort: 32768, ToPort: 65535, SourceSecurityGroupId: !GetAtt Web.GroupId}\n  Web:\n    Type: AWS::EC2::SecurityGroup\n    Properties: {GroupName: web}\n";
    assert!(template(named, &[]).contains("new split-ranges tcp from Web"));
}

const SEPARATE: &str = r#"{
  "Parameters": {
    "Port": {"Type": "Number", "Default": 443},
    "Peer": {"Type": "AWS::EC2::SecurityGroup::Id"},
    "Secret": {"Type": "String", "NoEcho": true, "Default": "x"}
  },
  "Resources": {
    "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}},
    "Db": {"Type": "AWS::EC2::SecurityGroup", "Properties": {"VpcId": {"Ref": "Vpc"}}},
    "Narrow": {"Type": "AWS::EC2::SecurityGroupIngress", "Properties":
      {"GroupId": {"Ref": "Db"}, "IpProtocol": "tcp", "FromPort": {"Ref": "Port"}, "ToPort": {"Ref": "Port"},
       "SourceSecurityGroupId": {"Ref": "Peer"}}},
    "Wide": {"Type": "AWS::EC2::SecurityGroupIngress", "Properties":
      {"GroupId": "sg-0a", "IpProtocol": "tcp", "FromPort": 0, "ToPort": 65535,
       "SourceSecurityGroupId": {"Fn::GetAtt": ["Vpc", "DefaultSecurityGroup"]}}},
    "Default": {"Type": "AWS::EC2::SecurityGroupIngress", "Properties":
      {"GroupId": {"Fn::GetAtt": ["Vpc", "DefaultSecurityGroup"]}, "IpProtocol": "udp", "FromPort": 0, "ToPort": 65535,
       "SourceSecurityGroupId": {"Ref": "Peer"}}}
  }
}"#;

#[test]
fn rules_of_their_own_join_their_group() {
    insta::assert_snapshot!(template(SEPARATE, &[("Peer", "sg-0b")]), @"
    Db PASSED, before -, create, t.yaml:9
    Vpc.DefaultSecurityGroup FAILED, before -, create, t.yaml:8
      new all-traffic -1 from Vpc.DefaultSecurityGroup: Vpc.DefaultSecurityGroup t.yaml:8
      new all-ports udp from sg-0b: Default t.yaml:16
    sg-0a FAILED, before CANNOT_TELL, outside, t.yaml:13
      new all-ports tcp from Vpc.DefaultSecurityGroup: Wide t.yaml:13
      existing? all-traffic -1 from ?: Wide t.yaml:13
      its other rules = -: give the account's groups with --groups
    The parameter Port has its default, 443.
    ");
    let without = template(SEPARATE, &[]);
    assert!(without.contains("Db PASSED"), "{without}");
    insta::assert_snapshot!(template(SEPARATE, &[("Port", "0")]).lines().next().unwrap(), @"Db PASSED, before -, create, t.yaml:9");
}

/// A group whose rule depends on a condition.
fn conditional(condition: &str, parameters: &[(&str, &str)]) -> String {
    let text = format!(
        "Parameters:\n  Env: {{Type: String, AllowedValues: [prod, dev]}}\n  Zone: {{Type: String}}\nConditions:\n  IsProd: !Equals [!Ref Env, prod]\n  IsDev: !Not [!Condition IsProd]\n  IsA: !Equals [!Ref Zone, a]\n  IsB: !Equals [!Ref Zone, b]\nResources:\n  Db:\n    Type: AWS::EC2::SecurityGroup\n    Properties:\n      SecurityGroupIngress:\n{condition}"
    );
    template(&text, parameters)
}

#[test]
fn both_branches_of_a_condition_count() {
    let ports = |name: &str, from: &str, to: &str| {
        format!(
            "        - {{IpProtocol: tcp, FromPort: !If [{name}, {from}, 443], ToPort: !If [{name}, {to}, 443], SourceSecurityGroupId: sg-0b}}\n"
        )
    };
    let one = ports("IsProd", "0", "65535");
    insta::assert_snapshot!(conditional(&one, &[]), @"
    Db CANNOT_TELL, before -, create, t.yaml:10
      new? all-ports tcp from sg-0b: Db t.yaml:14
      Conditions = !Ref Env: give the parameter's value with --parameters, or look at the change set
    ");
    insta::assert_snapshot!(conditional(&one, &[("Env", "dev")]), @"Db PASSED, before -, create, t.yaml:10");
    insta::assert_snapshot!(conditional(&one, &[("Env", "prod")]), @"
    Db FAILED, before -, create, t.yaml:10
      new all-ports tcp from sg-0b: Db t.yaml:14
    ");
    let both = "        - !If [IsProd, {IpProtocol: -1, SourceSecurityGroupId: sg-0b}, {IpProtocol: tcp, FromPort: 0, ToPort: 65535, SourceSecurityGroupId: sg-0c}]\n";
    insta::assert_snapshot!(conditional(both, &[]), @"
    Db FAILED, before -, create, t.yaml:10
      new all-traffic -1 from sg-0b: Db t.yaml:14
      new? all-ports tcp from sg-0c: Db t.yaml:14
      Conditions = !Ref Env: give the parameter's value with --parameters, or look at the change set
    ");
    // One half in each branch is never the whole.
    let halves = ports("IsProd", "0", "32767") + &ports("IsDev", "32768", "65535");
    assert!(conditional(&halves, &[]).starts_with("Db PASSED"));
    let halves = ports("IsA", "0", "32767") + &ports("IsB", "32768", "65535");
    assert!(conditional(&halves, &[]).starts_with("Db PASSED"));
    let halves = ports("IsProd", "0", "32767") + &ports("IsA", "32768", "65535");
    assert!(conditional(&halves, &[]).starts_with("Db CANNOT_TELL"));
}

#[test]
fn what_asks_for_itself_is_unknown() {
    let text = "Conditions:\n  A: !Equals [!If [A, x, y], x]\n  B: !Not [!Condition C]\n  C: !Not [!Condition B]\nMappings:\n  M: {K: {L: !FindInMap [M, K, L]}}\nResources:\n  Db:\n    Type: AWS::EC2::SecurityGroup\n    Properties:\n      VpcId: !GetAtt Db.VpcId\n      SecurityGroupIngress:\n        - {IpProtocol: tcp, FromPort: !If [A, 0, 1], ToPort: !FindInMap [M, K, L], SourceSecurityGroupId: sg-0b}\n        - !If [B, {IpProtocol: -1, SourceSecurityGroupId: sg-0c}, !Ref 'AWS::NoValue']\n";
    insta::assert_snapshot!(template(text, &[]), @"
    Db CANNOT_TELL, before -, create, t.yaml:8
      new? all-ports tcp from sg-0b: Db t.yaml:13
      new? all-traffic -1 from ?: Db t.yaml:14
      new? wide-range tcp from sg-0b: Db t.yaml:13
      SecurityGroupIngress[0].ToPort = !FindInMap [M, K, L]: make a change set and give the answer of `aws cloudformation describe-change-set --include-property-values`
      SecurityGroupIngress[1] = !If [B, {IpProtocol: -1, SourceSecurityGroupId: sg-0c}, !Ref AWS::NoValue]: make a change set and give the answer of `aws cloudformation describe-change-set --include-property-values`
      Conditions = !If [A, x, y]: give the parameter's value with --parameters, or look at the change set
    ");
}

#[test]
fn a_resource_whose_condition_is_false_is_not_made() {
    let text = "Parameters:\n  Env: {Type: String, Default: dev}\nConditions:\n  IsProd: !Equals [!Ref Env, prod]\nResources:\n  Db:\n    Type: AWS::EC2::SecurityGroup\n  Rule:\n    Type: AWS::EC2::SecurityGroupIngress\n    Condition: IsProd\n    Properties: {GroupId: !Ref Db, IpProtocol: -1, SourceSecurityGroupId: !Ref Db}\n  Other:\n    Type: AWS::EC2::SecurityGroup\n    Condition: IsProd\n";
    insta::assert_snapshot!(template(text, &[]), @"
    Db PASSED, before -, create, t.yaml:6
    The parameter Env has its default, dev.
    ");
    insta::assert_snapshot!(template(text, &[("Env", "prod")]), @"
    Db FAILED, before -, create, t.yaml:6
      new all-traffic -1 from Db: Rule t.yaml:8
    Other PASSED, before -, create, t.yaml:12
    ");
}

#[test]
fn what_only_the_deployment_tells_is_unknown_with_the_advice() {
    for source in [
        "{IpProtocol: tcp, FromPort: 0, ToPort: !Ref P, SourceSecurityGroupId: sg-0b}",
        "{IpProtocol: tcp, FromPort: 0, ToPort: '{{resolve:ssm:port}}', SourceSecurityGroupId: sg-0b}",
        "{IpProtocol: tcp, FromPort: 0, ToPort: !FindInMap [A, B, C], SourceSecurityGroupId: sg-0b}",
        "{IpProtocol: tcp, FromPort: 0, ToPort: 0xffff, SourceSecurityGroupId: sg-0b}",
        "{'Fn::Transform': {Name: 'AWS::Include'}}",
        "{'Fn::ForEach::X': [a, [b], {}]}",
    ] {
        let text = rule(source);
        assert!(text.starts_with("Db CANNOT_TELL"), "{source}: {text}");
    }
    let text = "Parameters:\n  Port: {Type: 'AWS::SSM::Parameter::Value<String>', Default: /port}\nTransform: [AWS::Serverless-2016-10-31]\nResources:\n  Db:\n    Type: AWS::EC2::SecurityGroup\n    Properties:\n      SecurityGroupIngress:\n        - {IpProtocol: tcp, FromPort: 1, ToPort: !Ref Port, SourceSecurityGroupId: sg-0b}\n  Net:\n    Type: AWS::CloudFormation::Stack\n    Properties: {TemplateURL: x, Parameters: {Group: !Ref App}}\n  App:\n    Type: AWS::EC2::SecurityGroup\n  'Fn::ForEach::Names':\n    - Name\n    - [a, b]\n    - '${Name}': {Type: AWS::SNS::Topic}\n  Eks:\n    Type: AWS::EKS::Cluster\n";
    insta::assert_snapshot!(template(text, &[]), @"
    App CANNOT_TELL, before -, create, t.yaml:13
      new? all-traffic -1 from ?: Net t.yaml:10
      AWS::CloudFormation::Stack = Net: make a change set and give the answer of `aws cloudformation describe-change-set --include-property-values`
    Db CANNOT_TELL, before -, create, t.yaml:5
      new? wide-range tcp from sg-0b: Db t.yaml:9
      SecurityGroupIngress[0].ToPort = !Ref Port: make a change set and give the answer of `aws cloudformation describe-change-set --include-property-values`
    Net CANNOT_TELL, before -, create, t.yaml:10
      new? all-traffic -1 from ?: Net t.yaml:10
      AWS::CloudFormation::Stack = Net: make a change set and give the answer of `aws cloudformation describe-change-set --include-property-values`
    not read: Net (AWS::CloudFormation::Stack)
    not read: Eks (AWS::EKS::Cluster)
    The parameter Port has its default, /port.
    ");
    let text = "Transform: My::Macro\nResources:\n  Db:\n    Type: AWS::EC2::SecurityGroup\n    Properties:\n      SecurityGroupIngress:\n        - {IpProtocol: -1, SourceSecurityGroupId: sg-0b}\n";
    insta::assert_snapshot!(template(text, &[]), @"
    Db CANNOT_TELL, before -, create, t.yaml:3
      new? all-traffic -1 from sg-0b: Db t.yaml:7
      new? all-traffic -1 from ?: Db t.yaml:3
      Transform = My::Macro: make a change set and give the answer of `aws cloudformation describe-change-set --include-property-values`
    not read: Transform (My::Macro)
    ");
}

#[test]
fn macros_within_a_group_or_its_rules_leave_it_open() {
    let group = "Type: AWS::EC2::SecurityGroup";
    let rule = "X: {Type: AWS::EC2::SecurityGroupIngress, Properties: {GroupId: !Ref Db, IpProtocol: tcp, FromPort: 1, ToPort: 2, CidrIp: 10.0.0.0/8";
    let include = "Fn::Transform: {Name: AWS::Include, Parameters: {Location: s3://a/b}}";
    for resources in [
        format!("Db: {{{group}, Properties: {{VpcId: v, {include}}}}}"),
        format!("Db: {{{group}, Properties: {{SecurityGroupIngress: [], {include}}}}}"),
        format!("Db: {{{group}, Properties: {{'Fn::ForEach::P': [A, [B], {{}}]}}}}"),
        format!("Db: {{{group}, {include}}}"),
        format!("Db: {{{group}}}\n  {rule}, {include}}}}}"),
        format!("Db: {{{group}}}\n  X: {{{include}}}"),
        format!("Db: {{{group}}}\n{include}"),
    ] {
        let text = template(&format!("Resources:\n  {resources}\n"), &[]);
        assert!(text.contains("Db CANNOT_TELL"), "{resources}: {text}");
    }
    // A macro elsewhere changes no group.
    let bucket = format!("X: {{Type: AWS::S3::Bucket, Properties: {{{include}}}}}");
    let text = template(&format!("Resources:\n  Db: {{{group}}}\n  {bucket}\n"), &[]);
    assert!(text.contains("Db PASSED"), "{text}");
}

#[test]
fn a_template_is_held_against_the_one_before_it() {
    let wide = "Resources:\n  Db:\n    Type: AWS::EC2::SecurityGroup\n    Properties:\n      SecurityGroupIngress:\n        - {IpProtocol: tcp, FromPort: 0, ToPort: 65535, SourceSecurityGroupId: sg-0b}\n";
    let narrow = wide.replace("FromPort: 0", "FromPort: 65000");
    let all = wide.replace("tcp, FromPort: 0, ToPort: 65535", "-1");
    insta::assert_snapshot!(before(wide, &format!("\n\n{wide}")), @"
    Db FAILED, before FAILED, keep, t.yaml:4
      existing all-ports tcp from sg-0b: Db t.yaml:8
    ");
    insta::assert_snapshot!(before(&narrow, wide), @"
    Db FAILED, before PASSED, update, t.yaml:2
      new all-ports tcp from sg-0b: Db t.yaml:6
    ");
    insta::assert_snapshot!(before(wide, &narrow), @"
    Db PASSED, before FAILED, update, t.yaml:2
      fixed all-ports tcp from sg-0b: Db b.yaml:6
    ");
    insta::assert_snapshot!(before(wide, &all), @"
    Db FAILED, before FAILED, update, t.yaml:2
      new all-traffic -1 from sg-0b: Db t.yaml:6
      fixed all-ports tcp from sg-0b: Db b.yaml:6
    ");
    insta::assert_snapshot!(before(wide, "Resources:\n  Other: {Type: AWS::EC2::SecurityGroup}\n"), @"
    Db PASSED, before FAILED, delete, -
      fixed all-ports tcp from sg-0b: Db b.yaml:6
    Other PASSED, before -, create, t.yaml:2
    ");
}

fn errors(texts: &[(&str, &str)]) -> String {
    let told = texts.iter().map(|(kind, text)| {
        let error = match *kind {
            "template" => read_templates(Templates {
                template: ("f", text),
                before: None,
                parameters: &Parameters::from([("Env".to_owned(), None)]),
            })
            .unwrap_err(),
            "parameters" => read_parameters("f", text).unwrap_err(),
            _ => read_change_set("f", text).unwrap_err(),
        };
        format!("{error}\n")
    });
    told.collect()
}

#[test]
fn what_cannot_be_used_is_told() {
    let told = errors(&[
        ("template", "a: ["),
        ("template", "Parameters: {}"),
        ("template", "Resources:\n  A: {Type: B}"),
        ("parameters", "{\"Env\": \"x\"}"),
        ("parameters", r#"[{"ParameterKey":"Env"}]"#),
        (
            "parameters",
            r#"[{"ParameterKey":"Env","ParameterValue":"a"},{"ParameterKey":"Env","ParameterValue":"b"}]"#,
        ),
        ("change set", "[]"),
        ("change set", r#"{"Changes":[],"NextToken":"x"}"#),
        (
            "change set",
            r#"{"Changes":[],"Status":"FAILED","StatusReason":"no updates"}"#,
        ),
        (
            "change set",
            r#"{"Changes":[{"ResourceChange":{"Action":"Add","LogicalResourceId":"Db","ResourceType":"AWS::EC2::SecurityGroup"}}]}"#,
        ),
        (
            "change set",
            r#"{"Changes":[{"ResourceChange":{"Action":"Add","LogicalResourceId":"Db","ResourceType":"AWS::EC2::SecurityGroup","AfterContext":"{"}}]}"#,
        ),
    ]);
    insta::assert_snapshot!(told, @r#"
    f:1:4: unclosed bracket '['
    f:1:1: it has no `Resources`: it is no template of CloudFormation
    f: it has no parameter "Env"
    f: no parameters as the AWS CLI takes them, [{"ParameterKey":"…","ParameterValue":"…"}]: invalid type: map, expected a sequence at line 1 column 0
    f: the parameter "Env" has neither ParameterValue nor UsePreviousValue
    f: the parameter "Env" stands there twice
    f: not an answer of `describe-change-set`: invalid length 0, expected struct Answer with 5 elements at line 1 column 2
    f: it has a `NextToken`: the answer was cut off, so ask for the rest too (the AWS CLI does without --no-paginate and --max-items)
    f: the change set is FAILED, not CREATE_COMPLETE: no updates
    f: Db has no `AfterContext`: ask with `describe-change-set --include-property-values`
    f: AfterContext of Db: line 1, column 1: unclosed bracket '{'
    "#);
}

fn change(action: &str, id: &str, kind: &str, before: &str, after: &str) -> serde_json::Value {
    let context = |properties: &str| match properties {
        "" => serde_json::Value::Null,
        properties => format!("{{\"Properties\":{properties}}}").into(),
    };
    serde_json::json!({"Type": "Resource", "ResourceChange": {
        "Action": action, "LogicalResourceId": id, "ResourceType": format!("AWS::EC2::{kind}"),
        "PhysicalResourceId": if action == "Add" { None } else { Some("sg-0a") },
        "BeforeContext": context(before), "AfterContext": context(after)}})
}

fn change_set(changes: &[serde_json::Value]) -> String {
    let answer = serde_json::json!({
        "StackId": "arn:aws:cloudformation:eu-west-1:123456789012:stack/s/1", "Status": "CREATE_COMPLETE",
        "Changes": changes});
    lines(&read_change_set("c.json", &answer.to_string()).unwrap())
}

#[test]
fn a_change_set_tells_what_is_new() {
    let inline = r#"{"GroupName":"db","SecurityGroupIngress":[{"IpProtocol":"-1","FromPort":"80","ToPort":"80","SourceSecurityGroupId":"{{changeSet:KNOWN_AFTER_APPLY}}"}]}"#;
    let rule = r#"{"GroupId":"{{changeSet:KNOWN_AFTER_APPLY}}","IpProtocol":"tcp","FromPort":"0","ToPort":"65535","SourceSecurityGroupId":"sg-0b"}"#;
    insta::assert_snapshot!(change_set(&[change("Add", "Db", "SecurityGroup", "", inline)]), @"
    Db FAILED, before -, create, -
      new all-traffic -1 from Db: Db -
    ");
    insta::assert_snapshot!(change_set(&[
        change("Add", "Db", "SecurityGroup", "", r#"{"GroupName":"db"}"#),
        change("Add", "Rule", "SecurityGroupIngress", "", rule),
    ]), @"
    Db FAILED, before -, create, -
      new all-ports tcp from sg-0b: Rule -
    ");
    insta::assert_snapshot!(change_set(&[
        change("Add", "Db", "SecurityGroup", "", r#"{"GroupName":"db"}"#),
        change("Add", "Web", "SecurityGroup", "", r#"{"GroupName":"web"}"#),
        change("Add", "Rule", "SecurityGroupIngress", "", rule),
    ]), @"
    Db CANNOT_TELL, before -, create, -
      new? all-ports tcp from sg-0b: Rule -
      GroupId = -: check the template, which names the group
    Rule FAILED, before CANNOT_TELL, outside, -
      new all-ports tcp from sg-0b: Rule -
      existing? all-traffic -1 from ?: Rule -
      its other rules = -: give the account's groups with --groups
    Web CANNOT_TELL, before -, create, -
      new? all-ports tcp from sg-0b: Rule -
      GroupId = -: check the template, which names the group
    ");
}

#[test]
fn a_change_set_does_not_list_what_stays() {
    let narrow = r#"{"SecurityGroupIngress":[{"IpProtocol":"tcp","FromPort":"443","ToPort":"443","SourceSecurityGroupId":"sg-0b"}]}"#;
    let wide = narrow.replace("\"443\",\"ToPort\":\"443\"", "\"0\",\"ToPort\":\"65535\"");
    insta::assert_snapshot!(change_set(&[change("Modify", "Db", "SecurityGroup", narrow, narrow)]), @"
    Db CANNOT_TELL, before CANNOT_TELL, update, -
      existing? all-traffic -1 from ?: Db -
      rules that do not change = -: a change set does not list them: give the account's groups with --groups
    ");
    insta::assert_snapshot!(change_set(&[change("Modify", "Db", "SecurityGroup", narrow, &wide)]), @"
    Db FAILED, before CANNOT_TELL, update, -
      new all-ports tcp from sg-0b: Db -
      existing? all-traffic -1 from ?: Db -
      rules that do not change = -: a change set does not list them: give the account's groups with --groups
    ");
    insta::assert_snapshot!(change_set(&[change("Remove", "Db", "SecurityGroup", &wide, "")]), @"
    Db PASSED, before FAILED, delete, -
      fixed all-ports tcp from sg-0b: Db -
    ");
    let rule = r#"{"GroupId":"sg-0c","IpProtocol":"tcp","FromPort":"0","ToPort":"65535","SourceSecurityGroupId":"sg-0b"}"#;
    insta::assert_snapshot!(change_set(&[change("Remove", "Rule", "SecurityGroupIngress", rule, "")]), @"
    sg-0c CANNOT_TELL, before FAILED, outside, -
      existing? all-traffic -1 from ?: sg-0c -
      fixed all-ports tcp from sg-0b: Rule -
      its other rules = -: give the account's groups with --groups
    ");
    insta::assert_snapshot!(change_set(&[change("Add", "Rule", "SecurityGroupIngress", "", rule)]), @"
    sg-0c FAILED, before CANNOT_TELL, outside, -
      new all-ports tcp from sg-0b: Rule -
      existing? all-traffic -1 from ?: sg-0c -
      its other rules = -: give the account's groups with --groups
    ");
}

/// Parts of templates, to be put together anyhow.
const PARTS: [&str; 26] = [
    "Resources:",
    "  Db:",
    "    Type: AWS::EC2::SecurityGroup",
    "    Properties:",
    "      SecurityGroupIngress:",
    "        - {IpProtocol: -1, SourceSecurityGroupId: !Ref Db}",
    "        - !If [A, !Ref Db, {}]",
    "Conditions:",
    "  A: !Equals [!Ref P, x]",
    "  B: !And [!Condition A, !Condition B]",
    "Parameters:",
    "  P: {Type: String}",
    "    GroupId: !GetAtt Db",
    "!Sub '${",
    "\\ud83d",
    "\"\\ud83d\\ude00\"",
    "&a [*a]",
    "{{{",
    "Fn::ForEach::X: [",
    "Ref: Ref",
    "Transform: !Sub '${P}'",
    "? ",
    "<<: *a",
    "\t",
    "'",
    "Mappings: {A: {B: {C: !FindInMap [A, B, C]}}}",
];

proptest::proptest! {
    #[test]
    fn no_text_panics(
        lines in proptest::collection::vec((0_usize..26, 0_usize..8), 0..14),
        cut in 0_usize..400,
    ) {
        let text: String = lines
            .iter()
            .map(|(part, indent)| format!("{}{}\n", " ".repeat(*indent), PARTS[*part]))
            .collect();
        let text: String = text.chars().skip(cut % 7).collect();
        let parameters = Parameters::new();
        let given = Templates { template: ("t", &text), before: Some(("b", &text)), parameters: &parameters };
        if let Ok(reading) = read_templates(given) {
            told(&reading);
        }
        let _ = read_parameters("p", &text);
        let _ = read_change_set("c", &text);
    }
}
