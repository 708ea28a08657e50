//! From what each source reaches to the verdict.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::exemption::ExemptionMatch;
use super::reach::{Grant, Grants, PermissionCheck, Reach};
use super::{OpenRule, Reason, ReferencedGroups, Settings, Source, Verdict, Violation};
use crate::model::ports::{PortSet, clip, width};
use crate::model::{Protocol, SecurityGroup};

/// The day of a moment, as exemptions count days: in UTC.
#[must_use]
pub fn day_of(at: Timestamp) -> Date {
    TimeZone::UTC.to_datetime(at).date()
}

/// The verdict on a group on a day (in UTC), given what is known of the groups that it references.
#[must_use]
pub fn evaluate(
    settings: &Settings,
    group: &SecurityGroup,
    referenced: &ReferencedGroups,
    today: Date,
) -> Verdict {
    if is_clear(settings, group) {
        return Verdict::new(Vec::new());
    }
    let grants = Grants::of(group);
    let violations = grants
        .by_source()
        .flat_map(|reach| breaches(settings, reach))
        .map(|breach| {
            let mut violation = violation(settings, group, breach, referenced);
            apply_exemptions(settings, group, &mut violation, today);
            violation
        })
        .collect();
    Verdict::new(violations)
}

/// Whether no permission is a violation by itself, and the ports of all others together are too few for a union to be
/// one. This is so for most groups, and takes no memory.
fn is_clear(settings: &Settings, group: &SecurityGroup) -> bool {
    let mut ports = 0;
    for permission in &group.ip_permissions {
        match PermissionCheck::new(settings, permission) {
            PermissionCheck::Violates(_) => return false,
            PermissionCheck::Within(Some(range)) => {
                let pairs = permission.user_id_group_pairs.len();
                ports += u64::from(width(range)) * u64::try_from(pairs).unwrap_or(u64::MAX);
            }
            PermissionCheck::NotInterGroup | PermissionCheck::Within(None) => {}
        }
    }
    ports <= u64::from(settings.max_open_ports)
}

/// The grants of one source behind one violation.
struct Breach<'g, 'a> {
    protocol: &'a Protocol,
    reason: Reason,
    ports: PortSet,
    grants: Vec<&'g Grant<'a>>,
    /// Those of the grants that have to be revoked.
    revoked: Vec<&'g Grant<'a>>,
}

/// The violations of one source, by protocol and reason.
fn breaches<'g, 'a>(settings: &Settings, reach: Reach<'g, 'a>) -> Vec<Breach<'g, 'a>> {
    let mut breaches = Vec::new();
    for (protocol, grants) in reach.by_protocol() {
        for reason in [Reason::AllTraffic, Reason::AllPorts, Reason::WideRange] {
            let grants: Vec<_> = grants
                .iter()
                .filter(|grant| {
                    PermissionCheck::new(settings, grant.permission)
                        == PermissionCheck::Violates(reason)
                })
                .collect();
            if grants.is_empty() {
                continue;
            }
            let range =
                |grant: &&Grant<'_>| clip(grant.permission.from_port?, grant.permission.to_port?);
            let ports = match reason {
                Reason::AllTraffic => PortSet::all(),
                _ => grants.iter().filter_map(range).collect(),
            };
            breaches.push(Breach {
                protocol,
                reason,
                ports,
                revoked: grants.clone(),
                grants,
            });
        }
    }
    for union in reach.unions(settings) {
        if union.is_too_much {
            breaches.push(Breach {
                protocol: union.protocol,
                reason: Reason::SplitRanges,
                revoked: union.revoked(settings),
                ports: union.ports,
                grants: union.grants,
            });
        }
    }
    breaches.sort_by_key(|breach| (breach.protocol, breach.reason));
    breaches
}

fn violation(
    settings: &Settings,
    group: &SecurityGroup,
    breach: Breach<'_, '_>,
    referenced: &ReferencedGroups,
) -> Violation {
    let mut rules: Vec<_> = breach
        .revoked
        .iter()
        .map(|grant| OpenRule::of(grant))
        .collect();
    rules.sort();
    rules.dedup();
    let mut source = Source::of(group, &breach.grants).described_by(&breach.revoked);
    if let Some(name) = referenced.name(&source) {
        source.group_name = Some(name.to_owned());
    }
    let (levels, severity) = match &settings.sensitivity {
        None => (None, settings.severity),
        Some(sensitivity) => {
            let levels = sensitivity.levels(group, &source, referenced);
            let severity = sensitivity.severity(&levels, settings.severity);
            (Some(levels), severity)
        }
    };
    Violation {
        reason: breach.reason,
        protocol: breach.protocol.clone(),
        ports: breach.ports,
        severity,
        source,
        rules,
        exemption: None,
        exceeded: None,
        matched: Vec::new(),
        levels,
        rule_ids: Vec::new(),
    }
}

/// Notes which exemptions match a violation, and the first that covers it.
fn apply_exemptions(
    settings: &Settings,
    group: &SecurityGroup,
    violation: &mut Violation,
    today: Date,
) {
    for (number, exemption) in settings.exemptions.iter().enumerate() {
        match exemption.consider(group, violation, today) {
            ExemptionMatch::Differs(_) => continue,
            ExemptionMatch::Ended(_) => {}
            ExemptionMatch::Exceeded => {
                violation.exceeded.get_or_insert_with(|| exemption.clone());
            }
            ExemptionMatch::Covers => {
                violation.exemption.get_or_insert_with(|| exemption.clone());
            }
        }
        violation.matched.push(number);
    }
    if violation.exemption.is_some() {
        violation.exceeded = None;
    }
}
