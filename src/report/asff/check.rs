//! The product's own check of a finding before it leaves: Security Hub would refuse the whole finding for any of these.

use super::details::{has_text, is_tag_byte};
use super::{
    Asff, DESCRIPTION, FINDING_BYTES, PRODUCT_FIELD, PRODUCT_FIELDS, TAG_KEY, TAG_VALUE, TAGS,
    TITLE, size,
};
use crate::model::{AccountId, GroupId, Partition, Region};
use crate::text::utf16_len;

/// A finding that Security Hub would not take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("finding {id} is not one that security hub takes: {}", faults.join("; "))]
pub struct InvalidFinding {
    /// The finding's id.
    pub id: String,
    pub faults: Vec<String>,
}

/// The members of a finding that Security Hub would refuse.
#[must_use]
pub fn check(asff: &Asff) -> Vec<String> {
    let mut faults = Vec::new();
    let mut need = |is_right: bool, what: &str| {
        if !is_right {
            faults.push(what.to_owned());
        }
    };
    let [resource] = &asff.resources;
    let account = asff.aws_account_id.as_str();
    let region = resource.region.as_str();
    need(
        AccountId::new(account).is_well_formed(),
        "AwsAccountId is not 12 digits",
    );
    need(
        Region::new(region).is_well_formed(),
        "the Region has not the form of one",
    );
    let partition = asff.product_arn.split(':').nth(1).unwrap_or_default();
    need(
        Partition::new(partition).is_well_formed(),
        "the partition has not the form of one",
    );
    need(
        asff.product_arn
            == format!("arn:{partition}:securityhub:{region}:{account}:product/{account}/default"),
        "ProductArn is not the default product of the account",
    );
    need(
        fits(&asff.id, 512) && !asff.id.starts_with("arn:") && asff.id != asff.generator_id,
        "Id is not 1 to 512 characters",
    );
    need(fits(&asff.title, TITLE), "Title is not 1 to 256 characters");
    need(
        fits(&asff.description, DESCRIPTION),
        "Description is not 1 to 1024 characters",
    );
    need(
        fits(&asff.remediation.recommendation.text, 512),
        "Remediation.Recommendation.Text is not 1 to 512 characters",
    );
    need(
        asff.compliance.related_requirements.len() <= 32
            && asff
                .compliance
                .related_requirements
                .iter()
                .all(|text| fits(text, 63)),
        "Compliance.RelatedRequirements is more than 32, or one is not 1 to 63 characters",
    );
    need(
        is_group_arn(&resource.id, partition, region),
        "Resources[0].Id is not the ARN of a security group of an account",
    );
    need(
        resource.tags.len() <= TAGS
            && resource.tags.iter().all(|(key, value)| {
                fits(key, TAG_KEY) && fits(value, TAG_VALUE) && value.bytes().all(is_tag_byte)
            }),
        "Resources[0].Tags has more than 50, or one with a key or value that has no place",
    );
    need(
        asff.product_fields.len() <= PRODUCT_FIELDS
            && asff.product_fields.iter().all(|(key, value)| {
                fits(key, 128) && !key.starts_with("aws/") && fits(value, PRODUCT_FIELD)
            }),
        "ProductFields has more than 50 pairs, or one that is not 1 to 2048 characters",
    );
    let digest = asff
        .product_fields
        .get(super::DIGEST)
        .map(String::as_str)
        .unwrap_or_default();
    need(
        digest.len() == 16 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "sg-trust/digest is missing",
    );
    let is_exempt = asff.compliance.status == "WARNING";
    need(
        is_exempt != asff.compliance.status_reasons.is_empty()
            && asff
                .compliance
                .status_reasons
                .iter()
                .all(|reason| has_text(&reason.description)),
        "Compliance.StatusReasons does not go with the compliance status",
    );
    let is_informational = asff.finding_provider_fields.severity.label == "INFORMATIONAL";
    let is_failed = asff.compliance.status == "FAILED";
    need(
        is_failed != is_informational,
        "the severity does not go with the compliance status",
    );
    need(
        !is_failed || asff.record_state == "ACTIVE",
        "a FAILED finding is not ACTIVE",
    );
    need(
        size(asff) <= FINDING_BYTES,
        "it is larger than 200000 bytes",
    );
    faults
}

/// Whether the text shows something and is no longer than `most`, in UTF-16 code units.
fn fits(text: &str, most: usize) -> bool {
    has_text(text) && utf16_len(text) <= most
}

fn is_group_arn(arn: &str, partition: &str, region: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", of_partition, "ec2", of_region, owner, group] = parts.as_slice() else {
        return false;
    };
    let id = group
        .strip_prefix("security-group/")
        .and_then(GroupId::parse);
    (*of_partition, *of_region) == (partition, region)
        && AccountId::new(*owner).is_well_formed()
        && id.is_some()
        && arn.len() <= 512
}
