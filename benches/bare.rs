//! The two AWS calls of one event and nothing else: what the warm function is measured against. `make bench` runs it.
//!
//! usage: bare COUNT. Makes both calls that often, after one that is not counted, and prints the seconds of each pair
//! as JSON. The HTTP client, its TLS and the credentials are the function's; so are the filters, and the finding is
//! about as large.

use std::io::Write as _;
use std::time::Instant;

use aws_sdk_ec2::types::Filter;
use aws_sdk_securityhub::types::{
    AwsEc2SecurityGroupDetails, AwsEc2SecurityGroupIpPermission,
    AwsEc2SecurityGroupUserIdGroupPair, AwsSecurityFinding, Compliance, ComplianceStatus,
    FindingProviderFields, FindingProviderSeverity, Recommendation, RecordState, Remediation,
    Resource, ResourceDetails, SeverityLabel,
};
use sg_trust::aws::{block_on, load_config};

const GROUP: &str = "sg-0123456789abcdef0";
const ACCOUNT: &str = "123456789012";
const TIME: &str = "2026-11-24T09:00:01.000Z";

fn main() -> anyhow::Result<()> {
    // Cargo adds options of its own.
    let count = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with("--"));
    let Some(count) = count else {
        writeln!(std::io::stderr(), "usage: bare COUNT (make bench gives it)")?;
        return Ok(());
    };
    let count: usize = count.parse()?;
    let seconds = block_on(measure(count))??;
    writeln!(std::io::stdout(), "{}", serde_json::to_string(&seconds)?)?;
    Ok(())
}

async fn measure(count: usize) -> anyhow::Result<Vec<f64>> {
    let config = load_config(None).await;
    let ec2 = aws_sdk_ec2::Client::new(&config);
    let security_hub = aws_sdk_securityhub::Client::new(&config);
    let finding = finding();
    let mut seconds = Vec::with_capacity(count);
    for _ in 0..=count {
        let began = Instant::now();
        ec2.describe_security_groups()
            .filters(filter("group-id", GROUP))
            .filters(filter("owner-id", ACCOUNT))
            .send()
            .await?;
        security_hub
            .batch_import_findings()
            .findings(finding.clone())
            .send()
            .await?;
        seconds.push(began.elapsed().as_secs_f64());
    }
    Ok(seconds.split_off(1))
}

fn filter(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}

fn finding() -> AwsSecurityFinding {
    let text = |length: usize| "x".repeat(length);
    let permission = AwsEc2SecurityGroupIpPermission::builder()
        .ip_protocol("-1")
        .user_id_group_pairs(
            AwsEc2SecurityGroupUserIdGroupPair::builder()
                .group_id("sg-0fedcba9876543210")
                .user_id(ACCOUNT)
                .build(),
        )
        .build();
    let group = AwsEc2SecurityGroupDetails::builder()
        .group_id(GROUP)
        .group_name("payments-db")
        .owner_id(ACCOUNT)
        .vpc_id("vpc-0aa11bb22cc33dd44")
        .ip_permissions(permission)
        .build();
    let resource = Resource::builder()
        .r#type("AwsEc2SecurityGroup")
        .id(format!(
            "arn:aws:ec2:us-east-1:{ACCOUNT}:security-group/{GROUP}"
        ))
        .region("us-east-1")
        .details(
            ResourceDetails::builder()
                .aws_ec2_security_group(group)
                .build(),
        )
        .build();
    let severity = FindingProviderSeverity::builder()
        .label(SeverityLabel::Low)
        .original("LOW")
        .build();
    let recommendation = Recommendation::builder()
        .text(text(300))
        .url("https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html")
        .build();
    AwsSecurityFinding::builder()
        .schema_version("2018-10-08")
        .id(format!("us-east-1/{ACCOUNT}/policy/{GROUP}"))
        .product_arn(format!(
            "arn:aws:securityhub:us-east-1:{ACCOUNT}:product/{ACCOUNT}/default"
        ))
        .generator_id("policy")
        .aws_account_id(ACCOUNT)
        .created_at(TIME)
        .updated_at(TIME)
        .title(text(90))
        .description(text(160))
        .finding_provider_fields(
            FindingProviderFields::builder()
                .severity(severity)
                .types("Software and Configuration Checks/AWS Security Best Practices")
                .build(),
        )
        .remediation(
            Remediation::builder()
                .recommendation(recommendation)
                .build(),
        )
        .compliance(
            Compliance::builder()
                .status(ComplianceStatus::Failed)
                .build(),
        )
        .record_state(RecordState::Active)
        .set_product_fields(Some(
            (0..12)
                .map(|number| (format!("sg-trust/{number}"), text(70)))
                .collect(),
        ))
        .resources(resource)
        .build()
}
