//! Findings of random groups: whatever the group, the finding is one that Security Hub takes.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use proptest::prelude::*;
use serde_json::{Value, json};
use sg_trust::event::Record;
use sg_trust::finding::{Attribution, Context, Finding, OpenedRule, Opener, Passed, Subject};
use sg_trust::model::{
    AccountId, GroupId, Partition, Protocol, Region, RuleId, Scope, SecurityGroup,
};
use sg_trust::policy::{ReferencedGroups, Settings};
use sg_trust::report::asff::{Asff, render};

use crate::groups::{group, permissions};

fn context() -> Arc<Context> {
    Arc::new(Context {
        scope: Scope {
            partition: Partition::new("aws"),
            region: Region::new("eu-west-1"),
            account: AccountId::new("111111111111"),
        },
        passed: Passed::Archive,
        related_requirements: Settings::default().related_requirements,
    })
}

pub(crate) fn finding(group: &Value) -> Finding {
    let group: SecurityGroup = serde_json::from_value(group.clone()).unwrap();
    let verdict = sg_trust::policy::evaluate(
        &Settings::default(),
        &group,
        &ReferencedGroups::default(),
        Date::MIN,
    );
    Finding::evaluated(&context(), Timestamp::UNIX_EPOCH, group, verdict)
}

pub(crate) fn asff(group: &Value) -> Asff {
    render(&finding(group)).unwrap()
}

pub(crate) fn digest(group: &Value) -> String {
    asff(group).product_fields["sg-trust/digest"].clone()
}

#[test]
fn the_digest_tells_what_changed_in_the_account() {
    let base = group(&[
        json!({"IpProtocol": "tcp", "FromPort": 1, "ToPort": 65_535, "UserIdGroupPairs": [{"GroupId": "sg-0b"}]}),
    ]);
    let mut other_name = base.clone();
    other_name["GroupName"] = json!("renamed");
    let mut other_egress = base.clone();
    other_egress["IpPermissionsEgress"] = json!([]);
    let mut other_tag = base.clone();
    other_tag["Tags"] = json!({"a": "z"});
    for other in [other_name, other_egress, other_tag] {
        assert_ne!(digest(&base), digest(&other), "{other}");
    }
    let mut later = finding(&base);
    later.observed_at = "2026-11-24T09:00:00.5Z".parse().unwrap();
    let later = render(&later).unwrap();
    assert_eq!(later.updated_at, "2026-11-24T09:00:00.500Z");
    assert_eq!(later.product_fields["sg-trust/digest"], digest(&base));
}

#[test]
fn ten_violations_are_listed_and_all_are_counted() {
    let pairs: Vec<_> = (0..12)
        .map(|n| json!({"GroupId": format!("sg-0{n:02}"), "UserId": "111111111111"}))
        .collect();
    let asff = asff(&group(&[
        json!({"IpProtocol": "-1", "UserIdGroupPairs": pairs}),
    ]));
    let listed = |kind: &str| {
        asff.product_fields
            .keys()
            .filter(|key| key.starts_with(&format!("sg-trust/{kind}/")))
            .count()
    };
    assert_eq!((listed("violation"), listed("fix")), (10, 10));
    assert_eq!(asff.product_fields["sg-trust/violations"], "12");
    assert!(asff.description.len() <= 1024);
}

#[test]
fn a_description_that_is_cut_counts_the_rest() {
    let pairs: Vec<_> = (0..60)
        .map(|n| json!({"GroupId": format!("sg-{n:017}"), "UserId": "222222222222"}))
        .collect();
    let asff = asff(&group(&[
        json!({"IpProtocol": "-1", "UserIdGroupPairs": pairs}),
    ]));
    let sentences = asff.description.matches(" accepts ").count();
    assert!(
        asff.description
            .ends_with(&format!(" And {} more.", 60 - sentences)),
        "{}",
        asff.description
    );
    assert!(sentences > 5);
}

#[test]
fn a_finding_that_is_too_large_keeps_what_matters() {
    let ranges: Vec<_> = (0..9000)
        .map(|n| json!({"CidrIp": format!("10.{}.{}.0/24", n / 256, n % 256)}))
        .collect();
    let many_ranges =
        json!({"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": ranges});
    let violation = json!({"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "sg-0b", "UserId": "111111111111"}]});
    let small = asff(&group(&[many_ranges, violation.clone()]));
    let details = &small.resources[0].details.aws_ec2_security_group;
    assert_eq!(details.ip_permissions.len(), 1);
    assert_eq!(details.ip_permissions[0].ip_protocol, "-1");
    assert!(
        small.product_fields["sg-trust/details"].starts_with("only the permissions in violation")
    );

    let pairs: Vec<_> = (0..6000)
        .map(|n| json!({"GroupId": format!("sg-{n:017}"), "UserId": "222222222222"}))
        .collect();
    let smaller = asff(&group(&[
        violation,
        json!({"IpProtocol": "-1", "UserIdGroupPairs": pairs}),
    ]));
    assert!(
        smaller.resources[0]
            .details
            .aws_ec2_security_group
            .ip_permissions
            .is_empty()
    );
    assert!(smaller.product_fields["sg-trust/details"].starts_with("no permissions"));
    assert_eq!(smaller.product_fields["sg-trust/violations"], "6001");
    assert!(serde_json::to_vec(&smaller).unwrap().len() <= 200_000);
}

#[test]
fn a_finding_that_cannot_be_right_is_refused_with_what_is_wrong() {
    let mut finding = finding(&group(&[]));
    Arc::make_mut(&mut finding.context).scope.account = AccountId::new("my-account");
    let error = render(&finding).unwrap_err().to_string();
    assert!(error.contains("AwsAccountId is not 12 digits"), "{error}");
}

#[test]
fn partitions_that_the_model_does_not_know_are_left_out() {
    for (partition, shown) in [
        ("aws", true),
        ("aws-cn", true),
        ("aws-us-gov", true),
        ("aws-iso", false),
        ("aws-eusc", false),
    ] {
        let mut finding = finding(&group(&[]));
        Arc::make_mut(&mut finding.context).scope.partition = Partition::new(partition);
        let asff = render(&finding).unwrap();
        assert_eq!(asff.resources[0].partition.is_some(), shown, "{partition}");
        assert!(
            asff.product_arn.starts_with(&format!("arn:{partition}:"))
                && asff.resources[0]
                    .id
                    .starts_with(&format!("arn:{partition}:"))
        );
    }
}

fn has_no_empty_text(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(items) => !items.is_empty() && items.iter().all(has_no_empty_text),
        Value::Object(members) => !members.is_empty() && members.values().all(has_no_empty_text),
        _ => true,
    }
}

proptest! {
    /// `render` ends with the product's own check, so that it answers at all is the property.
    #[test]
    fn any_group_makes_a_finding(
        permissions in permissions(),
        name in "\\PC{0,255}|[\u{0}-\u{1f}👩‍💻 ]{0,40}",
        tags in prop::collection::btree_map(any::<String>(), any::<String>(), 0..60),
        vpc in any::<Option<String>>(),
    ) {
        let mut group = group(&permissions);
        group["GroupName"] = json!(name);
        group["Tags"] = json!(tags);
        group["VpcId"] = json!(vpc);
        let asff = asff(&group);
        prop_assert!(has_no_empty_text(&serde_json::to_value(&asff).unwrap()));
    }
}

/// Product fields are at most 50: a finding with all that there can be, and too large as well, must not be refused.
#[test]
fn a_finding_with_everything_in_it_is_one_that_security_hub_takes() {
    let text = |what: &str| Some(what.to_owned());
    let record = Record {
        name: text("AuthorizeSecurityGroupIngress"),
        id: text("0d0d0d0d-1111-4222-8333-444444444444"),
        time: text("2026-11-24T09:00:01Z"),
        actor: text("arn:aws:sts::111111111111:assumed-role/dev/alice"),
        source_ip: text("198.51.100.7"),
        user_agent: text("aws-cli/2"),
        source_identity: text("alice"),
        on_behalf_of: text("111111111111"),
    };
    let pairs: Vec<_> = (0..12)
        .map(|n| json!({"GroupId": format!("sg-0{n:02}"), "UserId": "111111111111"}))
        .collect();
    let ranges: Vec<_> = (0..9_000)
        .map(|n| json!({"CidrIp": format!("10.{}.{}.0/24", n / 256, n % 256)}))
        .collect();
    let group =
        group(&[json!({"IpProtocol": "-1", "UserIdGroupPairs": pairs, "IpRanges": ranges})]);
    let mut finding = finding(&group);
    let Subject::Evaluated(_, verdict) = &mut finding.subject else {
        unreachable!("it was evaluated")
    };
    for (number, violation) in verdict.violations.iter_mut().enumerate() {
        violation.rule_ids = vec![RuleId::new(format!("sgr-{number}"))];
    }
    finding.attribution = Attribution {
        last: Some(record.clone()),
        opener: Some(Opener {
            record,
            rule: OpenedRule {
                source: GroupId::new("sg-000"),
                protocol: Protocol::ALL,
            },
        }),
    };
    let fields = render(&finding).unwrap().product_fields;
    assert_eq!(fields.len(), 50);
    assert!(fields.contains_key("sg-trust/opened-by"));
}
