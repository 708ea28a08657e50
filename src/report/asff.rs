//! The AWS Security Finding Format: what Security Hub takes with `BatchImportFindings`.
//!
//! Security Hub refuses what does not fit, and the SDK checks nothing. So [`render`] cuts texts on character
//! boundaries, leaves out what is empty or has no place, and [`render`] ends with [`check`](fn@check): a finding with
//! a fault does not leave.
//!
//! Names, lengths, patterns and enums are those of the service model of `securityhub`; the syntax is explained at
//! <https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-format-syntax.html>.

use std::collections::{BTreeMap, HashMap};
use std::io;

use super::prose;
use crate::event::Record;
use crate::finding::{Attribution, Cause, Finding, Lifecycle, OpenedRule, Opener, Subject};
use crate::model::{GroupPair, IpPermission, RuleId, SecurityGroup, Traffic};
use crate::policy::{self, Status, Verdict, Violation};
use crate::remediation::command::Fix;
use crate::text::{escape, truncate, utf16_len};

mod check;
mod types;

pub use check::{InvalidFinding, check};
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
/// How many violations, rules and fixes are listed among the product fields, of which there may be 50.
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
                text: match verdict.map(|verdict| verdict.status) {
                    Some(Status::Failed) => policy::REMEDIATION,
                    Some(Status::Exempt) => policy::REMEDIATION_EXEMPT,
                    Some(Status::Passed) | None => policy::REMEDIATION_NONE,
                },
                url: policy::REMEDIATION_URL,
            },
        },
        compliance: Compliance {
            status: compliance_status(finding.lifecycle()),
            related_requirements: context.related_requirements.clone(),
            status_reasons: status_reasons(verdict),
        },
        record_state: record_state(finding.is_active()),
        product_fields: product_fields(finding, group, verdict),
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
            description: exemption.words_within(REASON),
        };
        if reasons.len() < REASONS && !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    reasons
}

/// `Security group sg-0aaa (payments-db) should …`, the name cut so that the rest stays.
fn title(finding: &Finding, group: Option<&SecurityGroup>) -> String {
    let id = escape(finding.group_id.as_str());
    let Some(name) = group.and_then(|group| group.group_name.as_deref()) else {
        return format!("Security group {id} {}", policy::DEMAND);
    };
    let room = TITLE.saturating_sub(utf16_len(&format!(
        "Security group {id} () {}",
        policy::DEMAND
    )));
    format!(
        "Security group {id} ({}) {}",
        truncate(&escape(name), room),
        policy::DEMAND
    )
}

/// The sentences of the violations, most severe first, as many as fit, and who opened the group, where known.
fn description(finding: &Finding, group: Option<&SecurityGroup>) -> String {
    let (Some(group), Subject::Evaluated(_, verdict)) = (group, &finding.subject) else {
        let id = escape(finding.group_id.as_str());
        return match finding.subject {
            Subject::Retired => {
                format!("sg-trust was removed: it does not evaluate {id} any more.")
            }
            _ => format!("{id} does not exist any more."),
        };
    };
    if verdict.violations.is_empty() {
        return truncate(
            &format!(
                "{} lets no other security group reach all its ports.",
                prose::name_of(group)
            ),
            DESCRIPTION,
        )
        .into_owned();
    }
    let opener = finding.attribution.opener.as_ref();
    let opener = opener.and_then(|opener| opener.record.actor.as_deref());
    let closing = opener
        .map(|actor| format!(" Opened by {}.", truncate(&escape(actor), 300)))
        .unwrap_or_default();
    let sentences: Vec<_> = verdict
        .most_severe_first()
        .iter()
        .map(|violation| match &violation.exemption {
            Some(exemption) => {
                format!(
                    "{} (exempt: {}).",
                    prose::violation(group, violation),
                    escape(&exemption.id)
                )
            }
            None => format!("{}.", prose::violation(group, violation)),
        })
        .collect();
    let count = sentences.len();
    let more = |left: usize| {
        if left == 0 {
            String::new()
        } else {
            format!(" And {left} more.")
        }
    };
    let mut text = String::new();
    for (index, sentence) in sentences.iter().enumerate() {
        let gap = if text.is_empty() { "" } else { " " };
        let rest = more(count - index - 1);
        if utf16_len(&text)
            + utf16_len(gap)
            + utf16_len(sentence)
            + utf16_len(&rest)
            + utf16_len(&closing)
            <= DESCRIPTION
        {
            text = text + gap + sentence;
        } else if text.is_empty() {
            let room = DESCRIPTION.saturating_sub(utf16_len(&rest) + utf16_len(&closing));
            return format!("{}{rest}{closing}", truncate(sentence, room));
        } else {
            return text + &more(count - index) + &closing;
        }
    }
    text + &closing
}

fn field(name: &str) -> String {
    format!("{}/{name}", env!("CARGO_PKG_NAME"))
}

fn product_fields(
    finding: &Finding,
    group: Option<&SecurityGroup>,
    verdict: Option<&Verdict>,
) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    let mut put = |name: &str, value: &str| {
        if has_text(value) {
            fields.insert(field(name), truncate(value, PRODUCT_FIELD).into_owned());
        }
    };
    put("policy", policy::ID);
    put("version", env!("CARGO_PKG_VERSION"));
    put("mitre", policy::MITRE);
    put("verdict", finding.lifecycle().as_str());
    put("digest", &finding.fingerprint().to_string());
    put("published-by", published_by(finding.cause));
    if let Some(vpc) = group.and_then(|group| group.vpc_id.as_ref()) {
        put("vpc", &escape(vpc.as_str()));
    }
    if let (Some(group), Some(verdict)) = (group, verdict) {
        put("violations", &verdict.violations.len().to_string());
        for (number, violation) in (1..).zip(verdict.most_severe_first().into_iter().take(LISTED)) {
            put(&format!("violation/{number}"), &evidence_of(violation));
            if verdict.status == Status::Failed && violation.exemption.is_some() {
                // Nobody is told to revoke what was accepted.
                continue;
            }
            let revoke = Fix::new(
                &group.group_id,
                violation,
                Some(&finding.context.scope.region),
            )
            .revoke;
            put(&format!("rule/{number}"), &joined(&violation.rule_ids));
            if let Some(revoke) = revoke.filter(|revoke| utf16_len(revoke) <= PRODUCT_FIELD) {
                put(&format!("fix/{number}"), &revoke);
            }
        }
    }
    for (name, value) in event_fields(&finding.attribution) {
        put(name, &escape(&value));
    }
    fields
}

/// The ids, with a space between.
fn joined(ids: &[RuleId]) -> String {
    let ids: Vec<_> = ids.iter().map(RuleId::as_str).collect();
    ids.join(" ")
}

fn published_by(cause: Cause) -> &'static str {
    match cause {
        Cause::Event => BY_EVENT,
        Cause::Sweep => "sweep",
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

/// `all-traffic protocol -1 ports 0-65535 source sg-0bbb`.
fn evidence_of(violation: &Violation) -> String {
    let source = &violation.source;
    let name = match (&source.group_id, &source.group_name) {
        (Some(id), _) => escape(id.as_str()).into_owned(),
        (None, Some(name)) => format!("named {}", escape(name)),
        (None, None) => "unknown".to_owned(),
    };
    let exemption = violation
        .exemption
        .as_ref()
        .map(|exemption| format!(" exemption {}", escape(&exemption.id)))
        .unwrap_or_default();
    let rest = format!(" source {name}{exemption}");
    let ports = format!(
        "{} protocol {} ports {}",
        violation.reason,
        escape(violation.protocol.as_str()),
        violation.ports
    );
    format!(
        "{}{rest}",
        truncate(&ports, PRODUCT_FIELD.saturating_sub(utf16_len(&rest)))
    )
}

/// The product fields of the last event, of who opened the group, and what of a record each has.
type EventField = (&'static str, fn(&Record) -> &Option<String>);
const LAST_EVENT: [EventField; 8] = [
    ("last-event-name", |record| &record.name),
    ("last-event-id", |record| &record.id),
    ("last-event-time", |record| &record.time),
    ("last-event-actor", |record| &record.actor),
    ("last-event-source-ip", |record| &record.source_ip),
    ("last-event-user-agent", |record| &record.user_agent),
    ("last-event-source-identity", |record| {
        &record.source_identity
    }),
    ("last-event-on-behalf-of", |record| &record.on_behalf_of),
];
const OPENED: [EventField; 3] = [
    ("opened-by", |record| &record.actor),
    ("opened-at", |record| &record.time),
    ("opened-event-id", |record| &record.id),
];

const OPENED_RULE: &str = "opened-rule";

/// What led to this evaluation, and who opened the group, where an event tells.
fn event_fields(attribution: &Attribution) -> Vec<(&'static str, String)> {
    let value = |record: &Record, (name, of): &EventField| Some((*name, of(record).clone()?));
    let last = attribution.last.iter();
    let mut fields: Vec<_> = last
        .flat_map(|record| LAST_EVENT.iter().filter_map(|field| value(record, field)))
        .collect();
    if let Some(Opener { record, rule }) = &attribution.opener {
        fields.extend(OPENED.iter().filter_map(|field| value(record, field)));
        fields.push((OPENED_RULE, rule.to_string()));
    }
    fields
}

/// The events that a finding's product fields tell: the way back. An opener without the rule that he opened is none: it
/// could not be told whether the rule still stands.
#[must_use]
pub fn attribution_in(fields: &HashMap<String, String>) -> Attribution {
    let value = |name: &str| fields.get(&field(name)).cloned();
    let last = Record {
        name: value("last-event-name"),
        id: value("last-event-id"),
        time: value("last-event-time"),
        actor: value("last-event-actor"),
        source_ip: value("last-event-source-ip"),
        user_agent: value("last-event-user-agent"),
        source_identity: value("last-event-source-identity"),
        on_behalf_of: value("last-event-on-behalf-of"),
    };
    let record = Record {
        actor: value("opened-by"),
        time: value("opened-at"),
        id: value("opened-event-id"),
        ..Record::default()
    };
    let rule = value(OPENED_RULE).and_then(|rule| OpenedRule::parse(&rule));
    Attribution {
        last: Some(last).filter(|last| *last != Record::default()),
        opener: rule
            .filter(|_| record != Record::default())
            .map(|rule| Opener { record, rule }),
    }
}

/// The tags that Security Hub takes: the others are left out.
fn tags(group: &SecurityGroup) -> BTreeMap<String, String> {
    let fits = |key: &str, value: &str| {
        has_text(key)
            && utf16_len(key) <= TAG_KEY
            && has_text(value)
            && value.len() <= TAG_VALUE
            && value.bytes().all(is_tag_byte)
    };
    let fitting = group.tags.iter().filter(|(key, value)| fits(key, value));
    fitting
        .take(TAGS)
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// What the value of a tag may hold.
fn is_tag_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b" .:+=@_/-".contains(&byte)
}

fn details(finding: &Finding, group: Option<&SecurityGroup>) -> GroupDetails {
    let Some(group) = group else {
        return GroupDetails {
            group_id: finding.group_id.as_str().to_owned(),
            ..GroupDetails::default()
        };
    };
    GroupDetails {
        group_name: member(group.group_name.as_deref()),
        group_id: finding.group_id.as_str().to_owned(),
        owner_id: member(group.owner_id.as_ref().map(|owner| owner.as_str())),
        vpc_id: member(group.vpc_id.as_ref().map(|vpc| vpc.as_str())),
        ip_permissions: permissions(group.ip_permissions.iter()),
        ip_permissions_egress: permissions(group.ip_permissions_egress.iter()),
    }
}

/// Sorted, since EC2 promises no order.
fn permissions<'a>(permissions: impl Iterator<Item = &'a IpPermission>) -> Vec<Permission> {
    sorted(permissions.map(|permission| {
        Permission {
            ip_protocol: permission.ip_protocol.as_str().to_owned(),
            from_port: permission
                .from_port
                .and_then(|port| i32::try_from(port).ok()),
            to_port: permission.to_port.and_then(|port| i32::try_from(port).ok()),
            user_id_group_pairs: sorted(
                permission
                    .user_id_group_pairs
                    .iter()
                    .map(pair)
                    .filter(|pair| *pair != Pair::default()),
            ),
            ip_ranges: sorted(permission.ip_ranges.iter().filter_map(|range| {
                Some(IpRange {
                    cidr_ip: member(range.cidr_ip.as_deref())?,
                })
            })),
            ipv6_ranges: sorted(permission.ipv6_ranges.iter().filter_map(|range| {
                Some(Ipv6Range {
                    cidr_ipv6: member(range.cidr_ipv6.as_deref())?,
                })
            })),
            prefix_list_ids: sorted(permission.prefix_list_ids.iter().filter_map(|list| {
                Some(PrefixListId {
                    prefix_list_id: member(list.prefix_list_id.as_deref())?,
                })
            })),
        }
    }))
}

fn pair(pair: &GroupPair) -> Pair {
    Pair {
        group_id: member(pair.group_id.as_ref().map(|id| id.as_str())),
        group_name: member(pair.group_name.as_deref()),
        peering_status: member(pair.peering_status.as_deref()),
        user_id: member(pair.user_id.as_ref().map(|user| user.as_str())),
        vpc_id: member(pair.vpc_id.as_ref().map(|id| id.as_str())),
        vpc_peering_connection_id: member(
            pair.vpc_peering_connection_id
                .as_ref()
                .map(|id| id.as_str()),
        ),
    }
}

fn sorted<T: Ord>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut items: Vec<_> = items.collect();
    items.sort();
    items
}

/// The text when Security Hub takes it: not empty, not only white space, not too long.
fn member(text: Option<&str>) -> Option<String> {
    text.filter(|text| has_text(text) && text.len() <= MEMBER_BYTES)
        .map(str::to_owned)
}

fn has_text(text: &str) -> bool {
    text.contains(|character: char| !character.is_whitespace())
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
