//! One report of several deployments, of which nobody can tell which it will be.

use std::collections::BTreeMap;

use super::assess::Verdict;
use super::report::{GroupReport, PlanReport, ViolationReport};
use crate::model::planned::Unknown;

/// Several deployments, of which one will be.
#[derive(Debug, Clone, Copy)]
pub struct Ways<'a> {
    /// What they differ by.
    pub unknown: &'a [Unknown],
    /// For each of them, and each of what they differ by, the number of the value that it has.
    pub values: &'a [Vec<usize>],
}

/// The report of what will be, whichever of several deployments it will be. A group is FAILED when it fails in all that
/// have it.
#[must_use]
pub fn join(reports: Vec<PlanReport>, ways: Ways<'_>) -> Option<PlanReport> {
    let mut by_address: BTreeMap<String, Vec<(usize, GroupReport)>> = BTreeMap::new();
    let mut joined: Option<PlanReport> = None;
    for (number, mut report) in reports.into_iter().enumerate() {
        for group in std::mem::take(&mut report.groups) {
            let known = by_address.entry(group.address.clone()).or_default();
            known.push((number, group));
        }
        match &mut joined {
            None => joined = Some(report),
            Some(joined) => {
                add(&mut joined.not_read, report.not_read);
                add(&mut joined.notes, report.notes);
            }
        }
    }
    let groups = by_address.into_values();
    Some(PlanReport {
        groups: groups.filter_map(|group| one(group, ways)).collect(),
        ..joined?
    })
}

fn add<T: PartialEq>(known: &mut Vec<T>, more: Vec<T>) {
    for one in more {
        if !known.contains(&one) {
            known.push(one);
        }
    }
}

/// The group as it is in all ways that have it.
fn one(mut group: Vec<(usize, GroupReport)>, ways: Ways<'_>) -> Option<GroupReport> {
    if group.len() < 2 {
        return group.pop().map(|(_, group)| group);
    }
    let verdict = verdict(group.iter().map(|(_, way)| way.verdict))?;
    let before = self::verdict(group.iter().filter_map(|(_, way)| way.before));
    let severities = group.iter().filter_map(|(_, way)| way.severity);
    let severity = severities.max().filter(|_| verdict != Verdict::CannotTell);
    let is_changed = group.iter().any(|(_, way)| way.is_changed);
    let mut unknown = Vec::new();
    for (_, way) in &group {
        add(&mut unknown, way.unknown.clone());
    }
    let deciding = ways.unknown.iter().enumerate();
    let deciding = deciding.filter(|(place, _)| decides(*place, &group, ways.values));
    unknown.extend(deciding.map(|(_, unknown)| unknown.clone()));
    let violations = violations(&group, verdict);
    let (_, first) = group.swap_remove(0);
    Some(GroupReport {
        is_changed,
        verdict,
        before,
        severity,
        violations,
        unknown,
        ..first
    })
}

/// Whether two ways that differ by this alone differ in what they say of the group.
fn decides(place: usize, group: &[(usize, GroupReport)], values: &[Vec<usize>]) -> bool {
    let mut by_others: BTreeMap<Vec<usize>, Vec<&GroupReport>> = BTreeMap::new();
    for (number, way) in group {
        let Some(values) = values.get(*number) else {
            continue;
        };
        let mut others = values.clone();
        if place < others.len() {
            others.remove(place);
        }
        by_others.entry(others).or_default().push(way);
    }
    let differ = |ways: &[&GroupReport]| {
        let [first, others @ ..] = ways else {
            return false;
        };
        others.iter().any(|other| {
            first.verdict != other.verdict
                || first.violations.len() != other.violations.len()
                || first.violations.iter().any(|one| !has(other, one))
        })
    };
    by_others.values().any(|ways| differ(ways))
}

fn has(group: &GroupReport, violation: &ViolationReport) -> bool {
    group.violations.iter().any(|one| is_same(one, violation))
}

/// All violations of all ways: those of every way are certain.
fn violations(group: &[(usize, GroupReport)], verdict: Verdict) -> Vec<ViolationReport> {
    let is_certain_in = |way: &GroupReport, violation: &ViolationReport| {
        let mut same = way.violations.iter().filter(|one| is_same(one, violation));
        same.any(|one| one.is_certain)
    };
    let mut all: Vec<ViolationReport> = Vec::new();
    for violation in group.iter().flat_map(|(_, way)| &way.violations) {
        if !all.iter().any(|known| is_same(known, violation)) {
            let mut ways = group.iter().map(|(_, way)| way);
            all.push(ViolationReport {
                is_certain: ways.all(|way| is_certain_in(way, violation)),
                ..violation.clone()
            });
        }
    }
    let is_told = all.iter().any(|it| it.is_certain && it.counts());
    if verdict == Verdict::Failed && !is_told {
        // It fails in every way, by other rules in each: those of the first way stand for the others.
        let first = group.first().map(|(_, first)| first);
        for violation in &mut all {
            violation.is_certain = first.is_some_and(|first| is_certain_in(first, violation));
        }
    }
    all.sort_by_key(|violation| !violation.is_certain);
    all
}

fn is_same(one: &ViolationReport, other: &ViolationReport) -> bool {
    one.change == other.change
        && one.source == other.source
        && one.violation.reason == other.violation.reason
        && one.violation.protocol == other.violation.protocol
        && one.violation.ports == other.violation.ports
        && one.violation.exemption == other.violation.exemption
}

fn verdict(verdicts: impl Iterator<Item = Verdict>) -> Option<Verdict> {
    verdicts.reduce(|one, other| match (one, other) {
        (one, other) if one == other => one,
        (Verdict::Passed, Verdict::Exempt) | (Verdict::Exempt, Verdict::Passed) => Verdict::Exempt,
        _ => Verdict::CannotTell,
    })
}
