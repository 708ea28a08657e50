//! The product fields of a finding, and the way back from them.

use std::collections::{BTreeMap, HashMap};

use super::PRODUCT_FIELD;
use super::details::has_text;
use super::{BY_EVENT, LISTED};
use crate::event::Record;
use crate::finding::{Attribution, Cause, Finding, OpenedRule, Opener};
use crate::model::{RuleId, SecurityGroup};
use crate::policy::{self, Status, Verdict, Violation};
use crate::remediation::command::Fix;
use crate::text::{escape, truncate, utf16_len};

pub(super) fn field(name: &str) -> String {
    format!("{}/{name}", env!("CARGO_PKG_NAME"))
}

pub(super) fn product_fields(
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
    if let Some(verdict) = verdict {
        let mut fixes = LISTED;
        put("violations", &verdict.violations.len().to_string());
        for (number, violation) in (1..).zip(verdict.most_severe_first().into_iter().take(LISTED)) {
            put(&format!("violation/{number}"), &evidence_of(violation));
            if verdict.status == Status::Failed && violation.exemption.is_some() {
                // Nobody is told to revoke what was accepted.
                continue;
            }
            put(&format!("rule/{number}"), &joined(&violation.rule_ids));
            let commands = fix(finding, violation).revoke;
            let fit = commands.iter().all(|one| utf16_len(one) <= PRODUCT_FIELD);
            if !fit || commands.len() > fixes {
                continue;
            }
            fixes -= commands.len();
            for (part, command) in (1..).zip(&commands) {
                put(&fix_field(number, part), command);
            }
        }
    }
    for (name, value) in event_fields(&finding.attribution) {
        put(name, &escape(&value));
    }
    fields
}

/// The name of the field with a command that revokes a violation, or with a further part of it.
pub(super) fn fix_field(violation: usize, part: usize) -> String {
    match part {
        1 => format!("fix/{violation}"),
        part => format!("fix/{violation}/{part}"),
    }
}

pub(super) fn fix(finding: &Finding, violation: &Violation) -> Fix {
    let region = &finding.context.scope.region;
    Fix::new(&finding.group_id, violation, Some(region))
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

/// The event that led to this evaluation, and whoever opened the group, where an event tells.
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
