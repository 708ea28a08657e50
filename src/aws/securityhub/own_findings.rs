//! The product's own findings: how GetFindings is asked for them, and what is read of the answer.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::aws::findings::ReadFinding;
use crate::engine::store::{FindingFilter, PublishedFinding};
use crate::finding::{Fingerprint, Lifecycle, id_of};
use crate::model::{GroupId, Scope, VpcId};
use crate::policy;
use crate::report::asff;

/// The end of a filter for times to come.
const END_OF_TIME: &str = "9999-12-31T23:59:59.999Z";

/// The finding, when it is the product's own and what was asked for. Other tools' findings are never touched,
/// whatever the filters let through.
pub(super) fn published(
    scope: &Scope,
    finding: ReadFinding,
    filter: FindingFilter<'_>,
) -> Option<PublishedFinding> {
    let Scope {
        region, account, ..
    } = scope;
    let is_own = finding.product_arn.as_deref() == Some(scope.product_arn().as_str())
        && finding.generator_id.as_deref() == Some(policy::ID)
        && finding.aws_account_id.as_deref() == Some(account.as_str());
    let id = finding.id?;
    let group_id =
        GroupId::parse(id.strip_prefix(&format!("{region}/{account}/{}/", policy::ID))?)?;
    let fields = finding.product_fields.unwrap_or_default();
    let is_active = finding.record_state.as_deref() == Some(asff::record_state(true));
    let status = finding.compliance.and_then(|compliance| compliance.status);
    let vpc_id = fields.get(asff::VPC).map(VpcId::new);
    let updated_at: Option<Timestamp> = finding.updated_at.and_then(|updated| updated.parse().ok());
    let is_asked_for = match filter {
        FindingFilter::Active => is_active,
        FindingFilter::Exempt => {
            !is_active && status.as_deref() == Some(asff::compliance_status(Lifecycle::Exempt))
        }
        FindingFilter::ArchivedAfter(moment) => {
            !is_active && updated_at.is_some_and(|updated| updated > moment)
        }
        FindingFilter::ByEventSince(moment) => {
            fields.get(asff::PUBLISHED_BY).map(String::as_str) == Some(asff::BY_EVENT)
                && updated_at.is_some_and(|updated| updated >= moment)
        }
        FindingFilter::InVpcs(vpcs) => {
            is_active && vpc_id.as_ref().is_some_and(|vpc| vpcs.contains(vpc))
        }
        FindingFilter::Of(ids) => ids.contains(&group_id),
    };
    let lifecycle = fields
        .get(asff::VERDICT)
        .and_then(|word| Lifecycle::parse(word));
    // Whoever may import findings of the default product may overwrite this one: a compliance status that does not go
    // with the stage of life was not published by us, whatever digest stands there.
    let is_as_published = lifecycle
        .is_some_and(|lifecycle| status.as_deref() == Some(asff::compliance_status(lifecycle)));
    (is_own && is_asked_for).then(|| PublishedFinding {
        group_id,
        vpc_id,
        lifecycle,
        fingerprint: fields
            .get(asff::DIGEST)
            .filter(|_| is_as_published)
            .and_then(|digest| Fingerprint::parse(digest)),
        updated_at,
        attribution: asff::attribution_in(&fields),
    })
}

/// The product's own findings of a kind, as GetFindings filters them.
pub(super) fn filters(scope: &Scope, filter: FindingFilter<'_>) -> Value {
    let active = || equals([asff::record_state(true)]);
    let archived = || equals([asff::record_state(false)]);
    let since = |moment: Timestamp| json!([{"Start": format!("{moment:.3}"), "End": END_OF_TIME}]);
    let field =
        |key: &str, value: &str| json!({"Key": key, "Value": value, "Comparison": "EQUALS"});
    let mut filters = json!({
        "ProductArn": equals([scope.product_arn()]),
        "GeneratorId": equals([policy::ID]),
        "AwsAccountId": equals([scope.account.as_str()]),
    });
    let of_kind = match filter {
        FindingFilter::Active => json!({"RecordState": active()}),
        FindingFilter::Exempt => json!({
            "RecordState": archived(),
            "ComplianceStatus": equals([asff::compliance_status(Lifecycle::Exempt)]),
        }),
        FindingFilter::ArchivedAfter(moment) => json!({
            "RecordState": archived(),
            "UpdatedAt": since(moment),
        }),
        FindingFilter::ByEventSince(moment) => json!({
            "UpdatedAt": since(moment),
            "ProductFields": [field(asff::PUBLISHED_BY, asff::BY_EVENT)],
        }),
        FindingFilter::InVpcs(vpcs) => {
            let in_vpcs: Vec<_> = vpcs
                .iter()
                .map(|vpc| field(asff::VPC, vpc.as_str()))
                .collect();
            json!({"RecordState": active(), "ProductFields": in_vpcs})
        }
        FindingFilter::Of(ids) => {
            json!({"Id": equals(ids.iter().map(|id| id_of(scope, id)))})
        }
    };
    if let (Some(filters), Value::Object(of_kind)) = (filters.as_object_mut(), of_kind) {
        filters.extend(of_kind);
    }
    filters
}

/// A filter for any of these.
fn equals(values: impl IntoIterator<Item = impl Into<String>>) -> Value {
    let one = |value: String| json!({"Value": value, "Comparison": "EQUALS"});
    values.into_iter().map(|value| one(value.into())).collect()
}
