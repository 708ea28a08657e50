//! The verdict over all ways in which what is unknown may turn out.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::completion::{Attributes, Completed, Directory, Extent, Moment, Way, complete};
use super::ways::{self, Sources};
use crate::model::planned::{GroupState, PlannedPermission, Unknown};
use crate::model::{GroupId, Protocol, Traffic};
use crate::policy::{ReferencedGroups, Settings, Severity, Status, Violation, evaluate};

/// The verdict on a group of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Passed,
    Failed,
    Exempt,
    /// It depends on what is known only after the deployment.
    CannotTell,
}

/// How all groups are evaluated.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules<'a> {
    pub(super) settings: &'a Settings,
    pub(super) directory: &'a Directory<'a>,
    pub(super) referenced: &'a ReferencedGroups,
    pub(super) today: Date,
}

/// A violation of one way, with where it comes from.
#[derive(Debug, Clone)]
pub(super) struct Found<'a> {
    pub(super) violation: Violation,
    /// What is unknown of the source, where it is not known.
    pub(super) unknown_source: Option<&'a Unknown>,
    /// The planned permissions behind it.
    pub(super) rules: Vec<&'a PlannedPermission>,
}

/// What the policy says of one state of a group.
#[derive(Debug, Clone)]
pub(super) struct Assessment<'a> {
    pub(super) verdict: Verdict,
    /// Absent where nobody can tell.
    pub(super) severity: Option<Severity>,
    /// What is a violation whatever turns out.
    pub(super) certain: Vec<Found<'a>>,
    /// What may be one.
    pub(super) possible: Vec<Found<'a>>,
}

impl Verdict {
    /// The word in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "PASSED",
            Self::Failed => "FAILED",
            Self::Exempt => "EXEMPT",
            Self::CannotTell => "CANNOT_TELL",
        }
    }
}

/// The verdict on a state of the group with this address.
pub(super) fn assess<'a>(
    rules: Rules<'a>,
    address: &str,
    state: &'a GroupState,
    moment: Moment,
) -> Assessment<'a> {
    let Rules {
        settings,
        directory,
        ..
    } = rules;
    let attributes = ways::attributes(settings, directory, state, moment);
    let run = |extent: Extent, sources: &Sources, attributes: &Attributes| {
        let way = Way {
            extent,
            sources,
            attributes,
        };
        Run::new(rules, address, state, moment, &way)
    };
    let told = ways::told(state);
    let none = Attributes::default();
    let plain = attributes.first().unwrap_or(&none);
    let has_unknown = state
        .all_permissions()
        .any(|permission| permission.unknowns().next().is_some());
    let least = run(Extent::Least(icmp()), &told, plain);
    if !has_unknown && attributes.len() == 1 {
        return Assessment {
            verdict: least.status.into(),
            severity: Some(least.severity),
            certain: least.found,
            possible: Vec::new(),
        };
    }
    let most = run(Extent::Most, &told, plain);
    let mut statuses = Statuses::default();
    let apart = ways::apart(settings, state);
    let protocols = ways::least_protocols(settings, state);
    let together = ways::together(state);
    let mut extents = vec![Extent::Most];
    if !settings.exemptions.is_empty() {
        extents.push(Extent::Within(settings.max_open_ports));
    }
    for attributes in &attributes {
        for sources in &apart {
            for protocol in &protocols {
                statuses.note(run(Extent::Least(protocol.clone()), sources, attributes).status);
            }
        }
        for extent in &extents {
            statuses.note(run(extent.clone(), &together, attributes).status);
        }
    }
    let verdict = statuses.verdict();
    let possible = match verdict {
        Verdict::Passed | Verdict::Exempt => {
            return Assessment {
                verdict,
                severity: Some(Severity::Informational),
                certain: least.found,
                possible: Vec::new(),
            };
        }
        // What only a union of sources that may be the same fails is told where nothing else is.
        Verdict::CannotTell if most.status != Status::Failed => {
            run(Extent::Most, &together, plain).found
        }
        Verdict::CannotTell | Verdict::Failed => most.found,
    };
    let certain = match verdict {
        Verdict::Failed => least.found,
        _ => least
            .found
            .into_iter()
            .filter(|found| found.violation.exemption.is_some())
            .collect(),
    };
    let is_new = |found: &Found<'_>| !certain.iter().any(|known| known.covers(found));
    Assessment {
        verdict,
        severity: (verdict == Verdict::Failed).then_some(least.severity),
        possible: possible.into_iter().filter(is_new).collect(),
        certain,
    }
}

fn icmp() -> Protocol {
    Protocol::new("icmp")
}

/// Which verdicts the ways lead to.
#[derive(Debug, Default)]
struct Statuses {
    failed: bool,
    passed: bool,
    exempt: bool,
}

impl Statuses {
    fn note(&mut self, status: Status) {
        match status {
            Status::Failed => self.failed = true,
            Status::Passed => self.passed = true,
            Status::Exempt => self.exempt = true,
        }
    }

    fn verdict(&self) -> Verdict {
        match (self.failed, self.passed || self.exempt) {
            (true, true) => Verdict::CannotTell,
            (true, false) => Verdict::Failed,
            (false, _) if self.exempt => Verdict::Exempt,
            (false, _) => Verdict::Passed,
        }
    }
}

impl From<Status> for Verdict {
    fn from(status: Status) -> Self {
        match status {
            Status::Passed => Self::Passed,
            Status::Failed => Self::Failed,
            Status::Exempt => Self::Exempt,
        }
    }
}

impl Found<'_> {
    /// Whether another violation says no more than this one.
    fn covers(&self, other: &Self) -> bool {
        self.violation.source.group_id == other.violation.source.group_id
            && self.violation.source.group_name == other.violation.source.group_name
            && self.violation.protocol == other.violation.protocol
            && self.violation.ports.covers(&other.violation.ports)
    }
}

/// The evaluation of one way.
struct Run<'a> {
    status: Status,
    severity: Severity,
    found: Vec<Found<'a>>,
}

impl<'a> Run<'a> {
    fn new(
        rules: Rules<'a>,
        address: &str,
        state: &'a GroupState,
        moment: Moment,
        way: &Way<'_>,
    ) -> Self {
        let completed = complete(rules.directory, address, state, moment, way);
        let verdict = evaluate(
            rules.settings,
            &completed.group,
            rules.referenced,
            rules.today,
        );
        if verdict.violations.is_empty() {
            return Self {
                status: verdict.status,
                severity: verdict.severity,
                found: Vec::new(),
            };
        }
        let behind = Behind::new(&completed);
        let rules: Vec<_> = verdict
            .violations
            .iter()
            .map(|one| behind.rules(one))
            .collect();
        let unknown = completed.unknown;
        let found = verdict
            .violations
            .into_iter()
            .zip(rules)
            .map(|(violation, rules)| {
                let id = violation.source.group_id.as_ref();
                Found {
                    unknown_source: id.and_then(|id| unknown.get(id).copied()),
                    violation,
                    rules,
                }
            })
            .collect();
        Self {
            status: verdict.status,
            severity: verdict.severity,
            found,
        }
    }
}

/// The planned permissions by what a violation tells of its rules.
struct Behind<'a>(BTreeMap<(Option<GroupId>, Traffic), Vec<&'a PlannedPermission>>);

impl<'a> Behind<'a> {
    fn new(completed: &Completed<'a>) -> Self {
        let mut by_rule: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let permissions = completed.group.ip_permissions.iter();
        for (permission, origin) in permissions.zip(&completed.origins) {
            let traffic = Traffic::of(permission);
            for pair in &permission.user_id_group_pairs {
                let rules: &mut Vec<&PlannedPermission> = by_rule
                    .entry((pair.group_id.clone(), traffic.clone()))
                    .or_default();
                if !rules.iter().any(|known| std::ptr::eq(*known, *origin)) {
                    rules.push(origin);
                }
            }
        }
        Self(by_rule)
    }

    fn rules(&self, violation: &Violation) -> Vec<&'a PlannedPermission> {
        let mut behind: Vec<&PlannedPermission> = Vec::new();
        for rule in &violation.rules {
            let key = (violation.source.group_id.clone(), rule.traffic.clone());
            for origin in self.0.get(&key).into_iter().flatten() {
                if !behind.iter().any(|known| std::ptr::eq(*known, *origin)) {
                    behind.push(origin);
                }
            }
        }
        behind
    }
}
