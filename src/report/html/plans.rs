//! What `fix` would do to a FAILED group, as far as its violations do not say it: who loses access, what stays, and who
//! keeps the group.

use super::text::Text;
use super::{Contents, Evaluated, plural};
use crate::model::Region;
use crate::policy::{OpenRule, ReferencedGroups, Source, Status, Violation};
use crate::remediation::command::Fix;
use crate::remediation::plan::{GroupPlan, Mended, PlanError, Planner, Request};
use crate::remediation::rule::{GroupRules, IngressRule};
use crate::report::fix::{
    count_of, describe_hard_to_restore, describe_manager, describe_stays, describe_with_id,
};

/// The plan for a FAILED group; without one, exemptions accept every rule that would have to be revoked.
#[derive(Debug)]
pub(super) struct GroupFix(Option<GroupPlan>);

#[derive(Debug)]
pub(super) struct PlanView {
    pub(super) summary: Text<String>,
    pub(super) careful: Vec<Text<String>>,
    /// What is a violation only once the other rules are gone.
    pub(super) further: Vec<Further>,
}

#[derive(Debug)]
pub(super) struct Further {
    pub(super) rules: Text<String>,
    pub(super) revoke: Text<String>,
}

impl GroupFix {
    /// Also for a group that a tool keeps, which `fix` leaves alone unless it is told otherwise.
    pub(super) fn new(
        contents: &Contents<'_>,
        referenced: &ReferencedGroups,
        one: &Evaluated,
    ) -> Result<Option<Self>, PlanError> {
        if one.verdict.status != Status::Failed {
            return Ok(None);
        }
        let planner = Planner {
            settings: contents.settings,
            referenced,
            today: contents.today,
            account: None,
            region: None,
            request: &Request {
                even_managed: true,
                ..Request::default()
            },
        };
        // Of a group that comes twice a rule may stand in both descriptions.
        let mut rules = IngressRule::all_of(&one.group);
        rules.sort_unstable();
        rules.dedup();
        let plan = planner.plan(&[GroupRules::new(one.group.clone(), rules)])?;
        Ok(Some(Self(plan.groups.into_iter().next())))
    }

    /// Whether a rule behind a violation is revoked: not where an exempt violation needs it too.
    pub(super) fn revokes(&self, rule: &OpenRule, source: &Source) -> bool {
        let revoked = self.0.iter().flat_map(|plan| &plan.revoke);
        revoked
            .into_iter()
            .any(|revoked| revoked.is_behind(rule, source))
    }

    pub(super) fn view(&self, violations: &[Violation], region: Option<&Region>) -> PlanView {
        let Some(plan) = &self.0 else {
            return PlanView {
                summary: Text(
                    "revoke nothing; exemptions accept the rules that would have to be revoked."
                        .to_owned(),
                ),
                careful: Vec::new(),
                further: Vec::new(),
            };
        };
        let manager = plan
            .managed_by
            .as_deref()
            .map(|tag| format!("{}, so change it there", describe_manager(tag)));
        let careful = manager.into_iter().chain(describe_hard_to_restore(plan));
        let further = plan
            .mended
            .iter()
            .filter(|mended| !is_told(mended, violations));
        PlanView {
            summary: Text(format!(
                "revoke {}; then the group is {}. Stays: {}.",
                count_of(plan.revoke.len(), "rule"),
                plan.after,
                describe_stays(plan)
            )),
            careful: careful.map(Text).collect(),
            further: further
                .map(|mended| {
                    let rules: Vec<_> = mended.rules.iter().map(describe_with_id).collect();
                    let fix = Fix::new(&plan.group.group_id, &mended.violation, region);
                    Further {
                        rules: Text(rules.join("; ")),
                        revoke: Text(fix.revoke.join("\n")),
                    }
                })
                .collect(),
        }
    }
}

/// Whether the violations of the group as it is tell every rule.
fn is_told(mended: &Mended, violations: &[Violation]) -> bool {
    mended.rules.iter().all(|rule| {
        let mut failed = violations.iter().filter(|one| one.exemption.is_none());
        failed.any(|violation| {
            let mut rules = violation.rules.iter();
            rules.any(|told| rule.is_behind(told, &violation.source))
        })
    })
}

/// Who loses access with the rules of a violation, where network interfaces were read.
pub(super) fn losers(contents: &Contents<'_>, source: &Source) -> Option<String> {
    let mut pairs = source.pairs.iter();
    if pairs.all(|pair| pair.stale_status().is_some()) {
        return Some(
            "Nobody loses access: the peering connection does not work any more.".to_owned(),
        );
    }
    if !contents.graph.has_interfaces() {
        return None;
    }
    let Some(machines) = machines(contents, source) else {
        return Some(
            "Who loses access is not known: the source or its network interfaces were not read."
                .to_owned(),
        );
    };
    Some(match (machines, source.is_self) {
        (0, _) => "Nobody loses access: no machine carries the source.".to_owned(),
        (1, true) => "Nobody else loses access: 1 machine alone carries the group.".to_owned(),
        (1, false) => "1 machine loses access.".to_owned(),
        (count, true) => format!(
            "{} lose access to each other.",
            plural(count, "machine", "machines")
        ),
        (count, false) => format!("{} lose access.", plural(count, "machine", "machines")),
    })
}

/// How many machines carry a source, where that is known.
fn machines(contents: &Contents<'_>, source: &Source) -> Option<usize> {
    let id = source.group_id.as_ref()?;
    let groups = contents.graph.groups();
    let first = groups.partition_point(|group| group.group_id < *id);
    let is_meant = |owner: Option<_>| {
        let mut pairs = source.pairs.iter().map(|pair| pair.owner_id.as_ref());
        pairs.any(|of_pair| of_pair.is_none() || owner.is_none() || of_pair == owner)
    };
    let same = groups
        .iter()
        .skip(first)
        .take_while(|group| group.group_id == *id);
    let mut meant = same.filter(|group| is_meant(group.owner_id.as_ref()));
    let only = meant.next().filter(|_| meant.next().is_none());
    Some(only?.carriers?.machines as usize)
}
