use super::super::{Timeouts, client};
use super::*;
use crate::aws::testing::{Answer, Requests, config, scope};
use crate::model::{AccountId, PeeringConnectionId, Protocol, Traffic, VpcId};
use crate::remediation::rule::PeerGroup;

fn ec2(answer: impl Fn(usize, &str) -> Answer + Send + Sync + 'static) -> (Ec2, Requests) {
    let (config, requests) = config(answer);
    let ec2 = Ec2::new(client(&config), scope(), Timeouts::EVENT);
    (ec2, requests)
}

fn error(code: &str) -> Answer {
    let body = format!(
        "<Response><Errors><Error><Code>{code}</Code><Message>because</Message></Error></Errors><RequestID>r</RequestID></Response>"
    );
    (400, body)
}

fn done(operation: &str, rest: &str) -> Answer {
    let body = format!("<{operation}Response><requestId>r</requestId>{rest}</{operation}Response>");
    (200, body)
}

fn rule() -> IngressRule {
    IngressRule {
        peer: Peer::Group(PeerGroup {
            group_id: Some(GroupId::new("sg-0b")),
            owner_id: Some(AccountId::new("222222222222")),
            group_name: Some("web".to_owned()),
            vpc_id: Some(VpcId::new("vpc-2")),
            peering_connection_id: Some(PeeringConnectionId::new("pcx-1")),
            peering_status: Some("active".to_owned()),
        }),
        traffic: Traffic::new(Protocol::new("tcp"), Some(0), Some(65_535)),
        rule_id: Some(RuleId::new("sgr-1")),
        description: Some("for web".to_owned()),
        tags: Some([("team".to_owned(), "web".to_owned())].into()),
    }
}

/// The parameters of the requests, but the operation's version.
fn sent(requests: &Requests) -> Vec<String> {
    let of = |body: &str| {
        let pairs = body.split('&').filter(|pair| !pair.starts_with("Version="));
        pairs.collect::<Vec<_>>().join(" ")
    };
    let requests = requests.lock().unwrap();
    requests.iter().map(|request| of(&request.body)).collect()
}

#[tokio::test]
async fn a_rule_is_made_whole_and_revoked_by_its_id_alone() {
    let (ec2, requests) = ec2(|call, _| match call {
        0 => done(
            "AuthorizeSecurityGroupIngress",
            "<return>true</return><securityGroupRuleSet><item><securityGroupRuleId>sgr-9</securityGroupRuleId></item></securityGroupRuleSet>",
        ),
        1 => done("RevokeSecurityGroupIngress", "<return>true</return>"),
        _ => done("CreateTags", "<return>true</return>"),
    });
    let group = GroupId::new("sg-0a");
    let made = ec2.authorize(&group, &rule(), Mode::Real).await.unwrap();
    assert_eq!(made, Some(RuleId::new("sgr-9")));
    let id = RuleId::new("sgr-1");
    ec2.revoke(&group, &id, Mode::Real).await.unwrap();
    let tags = rule().tags.unwrap();
    ec2.tag(&id, &tags, Mode::Real).await.unwrap();
    insta::assert_snapshot!(sent(&requests).join("\n"), @r"
    Action=AuthorizeSecurityGroupIngress GroupId=sg-0a IpPermissions.1.IpProtocol=tcp IpPermissions.1.FromPort=0 IpPermissions.1.ToPort=65535 IpPermissions.1.Groups.1.Description=for%20web IpPermissions.1.Groups.1.UserId=222222222222 IpPermissions.1.Groups.1.GroupId=sg-0b IpPermissions.1.Groups.1.VpcId=vpc-2 IpPermissions.1.Groups.1.VpcPeeringConnectionId=pcx-1 TagSpecification.1.ResourceType=security-group-rule TagSpecification.1.Tag.1.Key=team TagSpecification.1.Tag.1.Value=web DryRun=false
    Action=RevokeSecurityGroupIngress GroupId=sg-0a SecurityGroupRuleId.1=sgr-1 DryRun=false
    Action=CreateTags DryRun=false ResourceId.1=sgr-1 Tag.1.Key=team Tag.1.Value=web
    ");
}

#[tokio::test]
async fn a_dry_run_that_was_none_is_told() {
    let group = GroupId::new("sg-0a");
    let id = RuleId::new("sgr-1");
    let (dry, requests) = ec2(|_, _| error("DryRunOperation"));
    dry.revoke(&group, &id, Mode::DryRun).await.unwrap();
    assert_eq!(
        dry.authorize(&group, &rule(), Mode::DryRun).await.unwrap(),
        None
    );
    assert!(
        sent(&requests)
            .iter()
            .all(|sent| sent.contains("DryRun=true"))
    );
    let (real, _) = ec2(|_, _| done("RevokeSecurityGroupIngress", "<return>true</return>"));
    let told = real.revoke(&group, &id, Mode::DryRun).await.unwrap_err();
    insta::assert_snapshot!(told, @"ec2 RevokeSecurityGroupIngress: a dry run was answered as if it was none, so the change may have been made: look at the group");
}

#[tokio::test]
async fn what_is_there_or_gone_already_and_what_is_denied_is_told_apart() {
    let group = GroupId::new("sg-0a");
    let id = RuleId::new("sgr-1");
    let failure = async |code: &'static str| {
        let (ec2, _) = ec2(move |_, _| error(code));
        ec2.revoke(&group, &id, Mode::Real).await.unwrap_err()
    };
    assert!(matches!(
        failure("InvalidPermission.Duplicate").await,
        CallFailure::Duplicate
    ));
    for code in [
        "InvalidPermission.NotFound",
        "InvalidSecurityGroupRuleId.NotFound",
    ] {
        assert!(
            matches!(failure(code).await, CallFailure::NotFound),
            "{code}"
        );
    }
    assert!(matches!(
        failure("RequestLimitExceeded").await,
        CallFailure::Unavailable(_)
    ));
    for code in [
        "RulesPerSecurityGroupLimitExceeded",
        "InvalidGroup.NotFound",
        "DryRunOperation",
    ] {
        assert!(
            matches!(failure(code).await, CallFailure::Refused(_)),
            "{code}"
        );
    }
    insta::assert_snapshot!(failure("UnauthorizedOperation").await, @"ec2 RevokeSecurityGroupIngress in account 111111111111, region eu-west-1: because (UnauthorizedOperation): whoever runs this command needs the policy of docs/remediation.md");
    let (no, _) = ec2(|_, _| done("RevokeSecurityGroupIngress", "<return>false</return>"));
    let told = no.revoke(&group, &id, Mode::Real).await;
    assert!(matches!(told, Err(CallFailure::Refused(_))));
}

#[tokio::test]
async fn rules_are_read_with_all_that_an_undo_needs() {
    let (ec2, _) = ec2(|_, body| {
        if body.contains("Action=DescribeSecurityGroups&") {
            return done(
                "DescribeSecurityGroups",
                "<securityGroupInfo><item><ownerId>111111111111</ownerId><groupId>sg-0a</groupId><ipPermissions><item><ipProtocol>tcp</ipProtocol>\
                 <fromPort>0</fromPort><toPort>65535</toPort><groups><item><userId>222222222222</userId><groupId>sg-0b</groupId><groupName>web</groupName>\
                 <vpcId>vpc-2</vpcId><vpcPeeringConnectionId>pcx-1</vpcPeeringConnectionId><peeringStatus>active</peeringStatus>\
                 <description>for web</description></item></groups></item></ipPermissions></item></securityGroupInfo>",
            );
        }
        done(
            "DescribeSecurityGroupRules",
            "<securityGroupRuleSet><item><securityGroupRuleId>sgr-1</securityGroupRuleId><groupId>sg-0a</groupId><isEgress>false</isEgress>\
             <ipProtocol>tcp</ipProtocol><fromPort>0</fromPort><toPort>65535</toPort><referencedGroupInfo><groupId>sg-0b</groupId>\
             <userId>222222222222</userId><vpcId>vpc-2</vpcId><vpcPeeringConnectionId>pcx-1</vpcPeeringConnectionId><peeringStatus>active</peeringStatus>\
             </referencedGroupInfo><tagSet><item><key>team</key><value>web</value></item></tagSet></item>\
             <item><securityGroupRuleId>sgr-2</securityGroupRuleId><groupId>sg-0a</groupId><isEgress>true</isEgress><ipProtocol>-1</ipProtocol>\
             <fromPort>-1</fromPort><toPort>-1</toPort><cidrIpv4>0.0.0.0/0</cidrIpv4></item></securityGroupRuleSet>",
        )
    });
    let targets = ec2.targets(&[GroupId::new("sg-0a")]).await.unwrap();
    assert_eq!(targets.len(), 1);
    assert_eq!(targets[0].rules, [rule()]);
}
