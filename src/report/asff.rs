//! The AWS Security Finding Format: what Security Hub takes with `BatchImportFindings`.
//!
//! Security Hub refuses what does not fit, and the SDK checks nothing. So [`render`] cuts texts on character
//! boundaries, leaves out what is empty or has no place, and [`render`] ends with [`check`](fn@check): a finding with
//! a fault does not leave.
//!
//! Names, lengths, patterns and enums are those of the service model of `securityhub`; the syntax is explained at
//! <https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-format-syntax.html>.

use std::io;

use crate::finding::{Finding, Lifecycle, Subject};
use crate::model::{IpPermission, Traffic};
use crate::policy::{self, Status, Verdict};
use crate::report::prose::describe_exemption_within;

mod check;
mod details;
mod fields;
mod recommendation;
pub(super) mod texts;
mod types;

pub use check::{InvalidFinding, check};
use details::{details, permissions, tags};
pub use fields::attribution_in;
use fields::{field, product_fields};
use texts::{description, title};
pub use types::*;

/// The product field with the digest of everything that the account and the verdict determine.
pub const DIGEST: &str = "sg-trust/digest";
/// The product field with the VPC, for when the VPC goes.
pub const VPC: &str = "sg-trust/vpc";
/// The product field with what made the product publish: an event, or a run over all groups.
pub const PUBLISHED_BY: &str = "sg-trust/published-by";
/// Its value where an event did.
pub const BY_EVENT: &str = "event";
/// The product field with the verdict.
pub const VERDICT: &str = "sg-trust/verdict";

/// Longest `Title`.
const TITLE: usize = 256;
/// Longest `Description`.
const DESCRIPTION: usize = 1024;
/// Longest value of a product field.
const PRODUCT_FIELD: usize = 2048;
/// The reason code of an exempt group, how many reasons there are at most, and how long each.
const EXEMPTED: &str = "EXEMPTED";
const REASONS: usize = 20;
const REASON: usize = 2048;
/// Most product fields.
const PRODUCT_FIELDS: usize = 50;
/// At most so many violations, rules and fixes are listed among the product fields.
const LISTED: usize = 10;
/// Largest finding in bytes of JSON. AWS takes 240 KB; the rest is room for its own fields.
const FINDING_BYTES: usize = 200_000;
/// Largest string member, in bytes.
const MEMBER_BYTES: usize = 32_767;
/// Most tags of a resource, and the longest key and value.
const TAGS: usize = 50;
const TAG_KEY: usize = 128;
const TAG_VALUE: usize = 256;

/// The finding as Security Hub takes it, checked.
///
/// # Errors
/// When it has a fault that could not be mended by cutting or leaving out, such as an account id that is none.
pub fn render(finding: &Finding) -> Result<Asff, InvalidFinding> {
    let mut asff = unfinished(finding);
    shrink(&mut asff, finding);
    let faults = check(&asff);
    if faults.is_empty() {
        Ok(asff)
    } else {
        Err(InvalidFinding {
            id: asff.id,
            faults,
        })
    }
}

fn unfinished(finding: &Finding) -> Asff {
    let context = &finding.context;
    let scope = &context.scope;
    let (partition, region, account) = (
        scope.partition.as_str(),
        scope.region.as_str(),
        scope.account.as_str(),
    );
    let moment = format!("{:.3}", finding.observed_at);
    let severity = finding.severity().as_str();
    let (group, verdict) = match &finding.subject {
        Subject::Evaluated(group, verdict) => (Some(&**group), Some(verdict)),
        Subject::Gone | Subject::Retired => (None, None),
    };
    let owner = group
        .and_then(|group| group.owner_id.as_ref())
        .unwrap_or(&scope.account);
    let product_fields = product_fields(finding, group, verdict);
    Asff {
        schema_version: "2018-10-08",
        id: finding.id(),
        product_arn: scope.product_arn(),
        product_name: env!("CARGO_PKG_NAME"),
        generator_id: policy::ID,
        aws_account_id: account.to_owned(),
        created_at: moment.clone(),
        updated_at: moment.clone(),
        last_observed_at: moment,
        finding_provider_fields: FindingProviderFields {
            severity: SeverityFields {
                label: severity,
                original: severity,
            },
            types: policy::TYPES,
        },
        title: title(finding, group),
        description: description(finding, group),
        remediation: Remediation {
            recommendation: Recommendation {
                text: recommendation::text(finding, verdict, &product_fields),
                url: policy::REMEDIATION_URL,
            },
        },
        compliance: Compliance {
            status: compliance_status(finding.lifecycle()),
            related_requirements: context.related_requirements.clone(),
            status_reasons: status_reasons(verdict),
        },
        record_state: record_state(finding.is_active()),
        product_fields,
        resources: [Resource {
            kind: "AwsEc2SecurityGroup",
            id: format!(
                "arn:{partition}:ec2:{region}:{owner}:security-group/{}",
                finding.group_id
            ),
            partition: ["aws", "aws-cn", "aws-us-gov"]
                .contains(&partition)
                .then(|| partition.to_owned()),
            region: region.to_owned(),
            tags: group.map(tags).unwrap_or_default(),
            details: Details {
                aws_ec2_security_group: details(finding, group),
            },
        }],
    }
}

/// `Compliance.Status` of a finding in a stage of its life.
#[must_use]
pub fn compliance_status(lifecycle: Lifecycle) -> &'static str {
    match lifecycle {
        Lifecycle::Passed => "PASSED",
        Lifecycle::Failed => "FAILED",
        Lifecycle::Exempt => "WARNING",
        Lifecycle::Gone | Lifecycle::Retired => "NOT_AVAILABLE",
    }
}

/// `RecordState` of a finding that is active, or not.
#[must_use]
pub fn record_state(is_active: bool) -> &'static str {
    if is_active { "ACTIVE" } else { "ARCHIVED" }
}

/// Why an exempt group is: each exemption once, as many as fit.
fn status_reasons(verdict: Option<&Verdict>) -> Vec<StatusReason> {
    let mut reasons = Vec::new();
    let Some(verdict) = verdict.filter(|verdict| verdict.status == Status::Exempt) else {
        return reasons;
    };
    for exemption in verdict
        .violations
        .iter()
        .filter_map(|violation| violation.exemption.as_ref())
    {
        let reason = StatusReason {
            reason_code: EXEMPTED,
            description: describe_exemption_within(exemption, REASON),
        };
        if reasons.len() < REASONS && !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    reasons
}

/// A finding that is too large keeps of the details only the permissions in violation; when that is not enough, none.
fn shrink(asff: &mut Asff, finding: &Finding) {
    let Subject::Evaluated(group, verdict) = &finding.subject else {
        return;
    };
    let in_violation = |permission: &&IpPermission| {
        let traffic = Traffic::of(permission);
        verdict.violations.iter().any(|violation| {
            violation.rules.iter().any(|rule| rule.traffic == traffic)
                && permission
                    .user_id_group_pairs
                    .iter()
                    .any(|pair| pair.group_id == violation.source.group_id)
        })
    };
    let fewer: [(&str, &dyn Fn() -> Vec<Permission>); 2] = [
        (
            "only the permissions in violation: the finding would be too large for Security Hub",
            &|| permissions(group.ip_permissions.iter().filter(in_violation)),
        ),
        (
            "no permissions: the finding would be too large for Security Hub",
            &Vec::new,
        ),
    ];
    for (what, kept) in fewer {
        if size(asff) <= FINDING_BYTES {
            return;
        }
        let [
            Resource {
                details:
                    Details {
                        aws_ec2_security_group: details,
                    },
                ..
            },
        ] = &mut asff.resources;
        details.ip_permissions = kept();
        details.ip_permissions_egress = Vec::new();
        if asff.product_fields.len() >= PRODUCT_FIELDS {
            // The rules of the least severe violation make room.
            asff.product_fields
                .remove(&field(&format!("rule/{LISTED}")));
        }
        asff.product_fields
            .insert(field("details"), what.to_owned());
    }
}

/// The finding's bytes, as JSON.
fn size(asff: &Asff) -> usize {
    struct Count(usize);
    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    serde_json::to_writer(&mut count, asff).map_or(usize::MAX, |()| count.0)
}
