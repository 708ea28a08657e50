//! The answer that formats render.

use std::collections::BTreeSet;

use jiff::civil::Date;

use super::assess::{Assessment, Found, Rules, Verdict, assess};
use super::change::{Change, Opened, SourceKey};
use super::completion::{Attributes, Directory, Extent, Moment, Way, complete};
use super::ways::Sources;
use crate::model::planned::{
    Action, Deployment, DeploymentKind, GroupState, NotRead, PlannedGroup, PlannedPermission,
    Position, Unknown, Value,
};
use crate::model::{GroupId, Protocol};
use crate::policy::{ReferencedGroups, Settings, Severity, Violation};

/// What a deployment does to the groups of one file.
#[derive(Debug, Clone)]
pub struct PlanReport {
    pub kind: DeploymentKind,
    /// By address.
    pub groups: Vec<GroupReport>,
    /// Whom the internet reaches, before and after; absent without a snapshot of the account.
    pub reach: Option<Vec<ReachChange>>,
    pub not_read: Vec<NotRead>,
    pub notes: Vec<String>,
}

/// A group, by its verdict after the deployment.
#[derive(Debug, Clone)]
pub struct GroupReport {
    pub address: String,
    /// After the deployment; before it, of a group that is deleted.
    pub group_id: Option<GroupId>,
    /// Absent where it is not known or must not be shown.
    pub group_name: Option<String>,
    pub action: Action,
    pub is_changed: bool,
    pub verdict: Verdict,
    /// Absent of a group that is created.
    pub before: Option<Verdict>,
    /// Absent where nobody can tell.
    pub severity: Option<Severity>,
    pub position: Option<Position>,
    /// Certain ones first, those that are fixed last.
    pub violations: Vec<ViolationReport>,
    /// What the verdict, or a violation that may be, depends on.
    pub unknown: Vec<Unknown>,
}

/// A violation, and what the deployment does to it.
#[derive(Debug, Clone)]
pub struct ViolationReport {
    pub change: Change,
    /// Whether it is there whatever turns out.
    pub is_certain: bool,
    pub violation: Violation,
    pub source: SourceLabel,
    /// The rules behind it; the first stands for all.
    pub rules: Vec<RuleOrigin>,
    /// Whether its ports and protocol must not be shown.
    pub is_sensitive: bool,
}

/// Whom a violation lets in, as people find it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceLabel {
    /// Of a group of the same file.
    pub address: Option<String>,
    pub group_id: Option<GroupId>,
    /// Why nobody knows who it is.
    pub unknown: Option<Unknown>,
    pub is_self: bool,
}

/// A resource that has a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RuleOrigin {
    pub address: String,
    pub position: Option<Position>,
}

/// How many trust edges the internet is away from a group: 0 for one that faces it, absent when it does not reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReachChange {
    pub address: String,
    pub group_id: Option<GroupId>,
    pub group_name: Option<String>,
    pub before: Option<u32>,
    pub after: Option<u32>,
}

/// How many groups have which verdict, and how many violations that no exemption covers become what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    pub groups: u64,
    pub passed: u64,
    pub failed: u64,
    pub exempt: u64,
    pub cannot_tell: u64,
    pub new: u64,
    pub widened: u64,
    pub existing: u64,
    pub narrowed: u64,
    pub fixed: u64,
}

/// Which violations a deployment must not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailOn {
    /// New and widened ones.
    New,
    /// Existing ones too.
    Any,
    None,
}

/// Evaluates all groups of a deployment, before and after it.
#[must_use]
pub fn report(settings: &Settings, deployment: &Deployment, today: Date) -> PlanReport {
    let directory = Directory::new(&deployment.groups);
    let [before, after] = [Moment::Before, Moment::After]
        .map(|moment| referenced(settings, &directory, &deployment.groups, moment));
    let rules = |referenced| Rules {
        settings,
        directory: &directory,
        referenced,
        today,
    };
    let (before, after) = (rules(&before), rules(&after));
    let mut groups: Vec<_> = deployment
        .groups
        .iter()
        .map(|group| GroupReport::new(before, after, group))
        .filter(GroupReport::is_told)
        .collect();
    groups.sort_by(|a, b| a.address.cmp(&b.address));
    PlanReport {
        kind: deployment.kind,
        groups,
        reach: None,
        not_read: deployment.not_read.clone(),
        notes: deployment.notes.clone(),
    }
}

/// What is known of the groups that others let in.
fn referenced(
    settings: &Settings,
    directory: &Directory<'_>,
    groups: &[PlannedGroup],
    moment: Moment,
) -> ReferencedGroups {
    let mut referenced = ReferencedGroups::default();
    if settings.sensitivity.is_none() {
        return referenced;
    }
    let (sources, attributes) = (Sources::default(), Attributes::default());
    let way = Way {
        extent: Extent::Least(Protocol::ALL),
        sources: &sources,
        attributes: &attributes,
    };
    for group in groups {
        if let Some(state) = directory.state(&group.address, moment) {
            let bare = GroupState {
                permissions: Vec::new(),
                unlisted: None,
                ..state.clone()
            };
            let completed = complete(directory, &group.address, &bare, moment, &way);
            referenced.add(settings, &completed.group);
        }
    }
    referenced
}

impl GroupReport {
    fn new(before: Rules<'_>, after: Rules<'_>, group: &PlannedGroup) -> Self {
        let address = group.address.as_str();
        let directory = after.directory;
        let was = group.before.as_ref();
        let was = was.map(|state| assess(before, address, state, Moment::Before));
        let is = group.after.as_ref();
        let is = is.map(|state| assess(after, address, state, Moment::After));
        let (was_certain, was_possible) = found(was.as_ref());
        let opened_before = Opened::new(was_certain, address, directory);
        let told_before: Vec<_> = was_certain.iter().chain(was_possible).cloned().collect();
        let maybe_before = Opened::new(&told_before, address, directory);
        let (certain, possible) = found(is.as_ref());
        let opened = Opened::new(certain, address, directory);
        let maybe_opened = Opened::new(possible, address, directory);
        let key = |found: &Found<'_>| SourceKey::of(found, address, directory);
        let told = |found: &Found<'_>, change, is_certain| {
            ViolationReport::new(found, key(found), directory, change, is_certain)
        };
        let change = |opened: &Opened, before: &Opened, found: &Found<'_>| {
            let violation = &found.violation;
            let is_exempt = violation.exemption.is_some();
            opened.change(before, &key(found), &violation.protocol, is_exempt)
        };
        let mut violations: Vec<_> = certain
            .iter()
            .map(|found| told(found, change(&opened, &opened_before, found), true))
            .collect();
        violations.extend(
            possible
                .iter()
                .map(|found| told(found, change(&maybe_opened, &maybe_before, found), false)),
        );
        let is_fixed = |found: &&Found<'_>| {
            let (source, protocol) = (key(found), &found.violation.protocol);
            !opened.has(&source, protocol) && !maybe_opened.has(&source, protocol)
        };
        violations.extend(
            was_certain
                .iter()
                .filter(is_fixed)
                .map(|found| told(found, Change::Fixed, true)),
        );
        let verdict = is.as_ref().map_or(Verdict::Passed, |is| is.verdict);
        let state = group.after.as_ref().or(group.before.as_ref());
        Self {
            address: address.to_owned(),
            group_id: state.and_then(|state| state.group_id.clone()),
            group_name: state.and_then(shown_name),
            action: group.action,
            is_changed: group.is_changed,
            verdict,
            before: was.map(|was| was.verdict),
            severity: match &is {
                Some(is) => is.severity,
                None => Some(Severity::Informational),
            },
            position: group.position.clone(),
            unknown: unknown(group.after.as_ref(), verdict, possible),
            violations,
        }
    }

    /// Whether there is anything to tell: of a group that is deleted, what that fixes; of a group that is managed
    /// elsewhere, what is changed, or known to fail.
    fn is_told(&self) -> bool {
        match self.action {
            Action::Delete => !self.violations.is_empty(),
            Action::Outside => self.is_changed || self.verdict != Verdict::CannotTell,
            _ => true,
        }
    }

    /// Whether a violation that no exemption covers becomes this.
    fn has(&self, is_meant: impl Fn(Change) -> bool, is_certain: bool) -> bool {
        self.violations.iter().any(|violation| {
            violation.counts() && violation.is_certain == is_certain && is_meant(violation.change)
        })
    }

    /// Whether the deployment may make the group worse, and nobody can tell.
    #[must_use]
    pub fn is_unclear(&self) -> bool {
        let is_worse = |change| matches!(change, Change::New | Change::Widened);
        self.is_changed
            && match self.verdict {
                Verdict::CannotTell => true,
                Verdict::Failed => self.has(is_worse, false),
                Verdict::Passed | Verdict::Exempt => false,
            }
    }
}

/// What is certain of a state, and what may be.
fn found<'s, 'a>(assessment: Option<&'s Assessment<'a>>) -> (&'s [Found<'a>], &'s [Found<'a>]) {
    assessment.map_or((&[], &[]), |is| (&is.certain, &is.possible))
}

fn shown_name(state: &GroupState) -> Option<String> {
    match &state.group_name {
        Value::Known(name) if !state.is_name_sensitive => name.clone(),
        _ => None,
    }
}

/// What is unknown where it matters.
fn unknown(after: Option<&GroupState>, verdict: Verdict, possible: &[Found<'_>]) -> Vec<Unknown> {
    let Some(state) = after else {
        return Vec::new();
    };
    if verdict != Verdict::CannotTell && possible.is_empty() {
        return Vec::new();
    }
    let mut seen = BTreeSet::new();
    let of_rules = possible
        .iter()
        .flat_map(|found| found.rules.iter().flat_map(|rule| rule.unknowns()));
    let mut unknown: Vec<Unknown> = of_rules
        .filter(|unknown| seen.insert(*unknown))
        .cloned()
        .collect();
    if unknown.is_empty() {
        unknown.extend(state.unknowns().into_iter().cloned());
    }
    if unknown.is_empty() {
        // Only exemptions ask for these.
        let attributes = state
            .group_name
            .unknown()
            .into_iter()
            .chain(state.vpc_id.unknown())
            .chain(state.tags.tags.values().filter_map(Value::unknown))
            .chain(&state.tags.others);
        unknown.extend(attributes.cloned());
    }
    unknown
}

impl ViolationReport {
    fn new(
        found: &Found<'_>,
        key: SourceKey,
        directory: &Directory<'_>,
        change: Change,
        is_certain: bool,
    ) -> Self {
        let source = &found.violation.source;
        let address = match key {
            SourceKey::Address(address) => Some(address),
            SourceKey::Id(_) | SourceKey::Named(..) => None,
        };
        let id = source.group_id.as_ref().filter(|id| {
            // An address stands for the id of a group that is not there yet.
            found.unknown_source.is_none()
                && directory.get(id.as_str()).is_none_or(|group| {
                    let mut states = group.before.iter().chain(&group.after);
                    states.any(|state| state.group_id.as_ref() == Some(id))
                })
        });
        let mut rules: Vec<RuleOrigin> = found.rules.iter().map(|rule| origin(rule)).collect();
        rules.dedup();
        Self {
            change,
            is_certain,
            source: SourceLabel {
                address,
                group_id: id.cloned(),
                unknown: found.unknown_source.cloned(),
                is_self: source.is_self,
            },
            rules,
            is_sensitive: found.rules.iter().any(|rule| rule.is_sensitive),
            violation: found.violation.clone(),
        }
    }

    /// Whether no exemption covers it.
    #[must_use]
    pub fn counts(&self) -> bool {
        self.violation.exemption.is_none()
    }
}

fn origin(rule: &PlannedPermission) -> RuleOrigin {
    RuleOrigin {
        address: rule.rule.clone(),
        position: rule.position.clone(),
    }
}

impl PlanReport {
    #[must_use]
    pub fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        for group in &self.groups {
            summary.groups += 1;
            *match group.verdict {
                Verdict::Passed => &mut summary.passed,
                Verdict::Failed => &mut summary.failed,
                Verdict::Exempt => &mut summary.exempt,
                Verdict::CannotTell => &mut summary.cannot_tell,
            } += 1;
            let counted = group
                .violations
                .iter()
                .filter(|violation| violation.counts() && violation.is_certain);
            for violation in counted {
                *match violation.change {
                    Change::New => &mut summary.new,
                    Change::Widened => &mut summary.widened,
                    Change::Existing => &mut summary.existing,
                    Change::Narrowed => &mut summary.narrowed,
                    Change::Fixed => &mut summary.fixed,
                } += 1;
            }
        }
        summary
    }

    /// Whether the deployment must not go on.
    #[must_use]
    pub fn fails(&self, fail_on: FailOn, allow_cannot_tell: bool) -> bool {
        let is_meant = |change: Change| match fail_on {
            FailOn::None => false,
            FailOn::New => matches!(change, Change::New | Change::Widened),
            FailOn::Any => change != Change::Fixed,
        };
        fail_on != FailOn::None
            && self.groups.iter().any(|group| {
                group.has(is_meant, true) || (!allow_cannot_tell && group.is_unclear())
            })
    }
}
