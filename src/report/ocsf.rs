//! OCSF 1.6.0: a Compliance Finding (class 2003) with the profiles `cloud` and `datetime`.
//!
//! Source: <https://schema.ocsf.io/1.6.0/classes/compliance_finding?profiles=cloud,datetime>.

use super::asff::texts::{description, title};
use super::{json, prose};
use crate::finding::{Finding, Subject};
use crate::model::{Scope, SecurityGroup};
use crate::plan;
use crate::policy::{self, Severity, Source, Status, Verdict, Violation};

mod types;

pub use types::Event;
use types::{
    Account, Attack, Cloud, Compliance, Evidence, FindingInfo, Metadata, Product, Remediation,
    Resource, Tag, Uid,
};

/// What an event says of a finding, by its verdict or the end of its group: the ids of OCSF's enums with their captions.
struct State {
    activity: (u8, &'static str),
    status: (u8, &'static str),
    compliance: (u8, &'static str),
}

impl State {
    fn of(verdict: Option<plan::Verdict>) -> Self {
        let (create, close) = ((1, "Create"), (3, "Close"));
        let (activity, status, compliance) = match verdict {
            Some(plan::Verdict::Failed) => (create, (1, "New"), (3, "Fail")),
            Some(plan::Verdict::CannotTell) => (create, (1, "New"), (2, "Warning")),
            Some(plan::Verdict::Exempt) => (create, (3, "Suppressed"), (3, "Fail")),
            Some(plan::Verdict::Passed) => (close, (4, "Resolved"), (1, "Pass")),
            None => (close, (5, "Archived"), (0, "Unknown")),
        };
        Self {
            activity,
            status,
            compliance,
        }
    }
}

fn severity_id(severity: Severity) -> u8 {
    match severity {
        Severity::Informational => 1,
        Severity::Low => 2,
        Severity::Medium => 3,
        Severity::High => 4,
        Severity::Critical => 5,
    }
}

fn severity_caption(severity: Severity) -> &'static str {
    match severity {
        Severity::Informational => "Informational",
        Severity::Low => "Low",
        Severity::Medium => "Medium",
        Severity::High => "High",
        Severity::Critical => "Critical",
    }
}

/// The finding as an event.
#[must_use]
pub fn render(finding: &Finding) -> Event<'_> {
    let (group, verdict) = match &finding.subject {
        Subject::Evaluated(group, verdict) => (Some(&**group), Some(verdict)),
        Subject::Gone | Subject::Retired => (None, None),
    };
    let scope = &finding.context.scope;
    let state = State::of(verdict.map(|verdict| verdict.status.into()));
    let description = description(finding, group);
    let (time, time_dt) = (
        finding.observed_at.as_millisecond(),
        format!("{:.3}", finding.observed_at),
    );
    Event {
        activity_id: state.activity.0,
        activity_name: state.activity.1,
        category_uid: 2,
        category_name: "Findings",
        class_uid: 2003,
        class_name: "Compliance Finding",
        type_uid: 200_300 + u32::from(state.activity.0),
        type_name: format!("Compliance Finding: {}", state.activity.1),
        severity_id: severity_id(finding.severity()),
        severity: severity_caption(finding.severity()),
        status_id: state.status.0,
        status: state.status.1,
        time,
        time_dt: time_dt.clone(),
        message: description.clone(),
        metadata: Metadata {
            version: "1.6.0",
            profiles: ["cloud", "datetime"],
            event_code: policy::ID,
            product: Product {
                name: env!("CARGO_PKG_NAME"),
                vendor_name: env!("CARGO_PKG_NAME"),
                version: env!("CARGO_PKG_VERSION"),
                uid: scope.product_arn(),
            },
        },
        cloud: Cloud {
            provider: "AWS",
            cloud_partition: scope.partition.as_str(),
            region: scope.region.as_str(),
            account: Account {
                uid: scope.account.as_str(),
                kind: "AWS Account",
                type_id: 10,
            },
        },
        compliance: Compliance {
            control: policy::ID,
            requirements: &finding.context.related_requirements,
            status: state.compliance.1,
            status_id: state.compliance.0,
            status_details: verdict.map(reasons).unwrap_or_default(),
        },
        finding_info: FindingInfo {
            uid: finding.id(),
            title: title(finding, group),
            desc: description,
            types: policy::TYPES,
            attacks: [attack()],
            last_seen_time: time,
            last_seen_time_dt: time_dt,
        },
        remediation: Remediation {
            desc: remediation(verdict),
            references: [policy::REMEDIATION_URL],
        },
        resources: resources(finding, group, verdict),
        evidences: match (group, verdict) {
            (Some(group), Some(verdict)) => evidences(group, verdict, scope),
            _ => Vec::new(),
        },
    }
}

fn attack() -> Attack {
    let (tactic, technique) = policy::MITRE.split_once(':').unwrap_or((policy::MITRE, ""));
    Attack {
        tactic: Uid { uid: tactic },
        technique: Uid { uid: technique },
    }
}

/// Why violations are accepted: each exemption once.
fn reasons(verdict: &Verdict) -> Vec<String> {
    let mut reasons = Vec::new();
    for exemption in verdict
        .violations
        .iter()
        .filter_map(|violation| violation.exemption.as_ref())
    {
        let reason = prose::describe_exemption(exemption);
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    reasons
}

fn remediation(verdict: Option<&Verdict>) -> &'static str {
    match verdict.map(|verdict| verdict.status) {
        Some(Status::Failed) => {
            "First allow the ports that the source needs, then revoke the rule: the other order is an outage. The commands are \
             in evidences[].data.fix."
        }
        Some(Status::Exempt) => {
            "Nothing to do while the exemption holds. When it ends the finding fails."
        }
        Some(Status::Passed) | None => {
            "Nothing to do: no rule lets another security group reach all ports of this one."
        }
    }
}

fn arn(scope: &Scope, owner: &str, group_id: &str) -> String {
    let Scope {
        partition, region, ..
    } = scope;
    format!("arn:{partition}:ec2:{region}:{owner}:security-group/{group_id}")
}

/// The group, and whom it lets in.
fn resources<'a>(
    finding: &'a Finding,
    group: Option<&'a SecurityGroup>,
    verdict: Option<&'a Verdict>,
) -> Vec<Resource<'a>> {
    let scope = &finding.context.scope;
    let owner = group.and_then(|group| group.owner_id.as_ref());
    let resource = |uid, name, role_id, role| Resource {
        uid,
        name,
        kind: "AWS::EC2::SecurityGroup",
        region: scope.region.as_str(),
        cloud_partition: scope.partition.as_str(),
        role_id,
        role,
        tags: Vec::new(),
    };
    let target = Resource {
        tags: group.map(tags).unwrap_or_default(),
        ..resource(
            Some(arn(
                scope,
                owner.unwrap_or(&scope.account).as_str(),
                finding.group_id.as_str(),
            )),
            group.and_then(|group| group.group_name.as_deref()),
            1,
            "Target",
        )
    };
    let mut resources = vec![target];
    let sources = verdict.map_or(&[][..], |verdict| &verdict.violations);
    for Violation { source, .. } in sources {
        let uid = source_uid(scope, source);
        let is_new = !source.is_self && resources.iter().all(|other| other.uid != uid);
        if is_new && (uid.is_some() || source.group_name.is_some()) {
            resources.push(resource(uid, source.group_name.as_deref(), 4, "Related"));
        }
    }
    resources
}

/// The source's ARN where its account is known, else its id.
fn source_uid(scope: &Scope, source: &Source) -> Option<String> {
    let id = source.group_id.as_ref()?.as_str();
    let owner = source.owner_id.as_ref();
    Some(owner.map_or_else(|| id.to_owned(), |owner| arn(scope, owner.as_str(), id)))
}

fn tags(group: &SecurityGroup) -> Vec<Tag<'_>> {
    let tags = group.tags.iter();
    tags.map(|(name, value)| Tag { name, value }).collect()
}

fn evidences<'a>(
    group: &'a SecurityGroup,
    verdict: &'a Verdict,
    scope: &Scope,
) -> Vec<Evidence<'a>> {
    let violations = verdict.most_severe_first().into_iter();
    violations
        .map(|violation| Evidence {
            data: json::GroupViolation::new(group, violation, Some(&scope.region)),
        })
        .collect()
}
