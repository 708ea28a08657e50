//! Which rules of which groups are revoked, what is allowed first, and what stays. A pure function of the groups with
//! their rules, the settings, the day and what is asked for.

use std::collections::BTreeSet;

use jiff::civil::Date;

use super::managed::managed_by;
use super::rule::{GroupRules, IngressRule, Peer};
use crate::model::{AccountId, GroupId, Region, SecurityGroup, Traffic, VpcId};
use crate::policy::{ReferencedGroups, Settings, Source, Status, Verdict, Violation, evaluate};

pub mod document;
#[cfg(test)]
pub(super) mod tests;

pub use document::{DocumentError, PlanDocument};

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Request {
    /// Only violations by these sources; without any, all.
    pub sources: Vec<GroupId>,
    /// What is allowed from each source before its rules are revoked.
    pub replace: Vec<Traffic>,
    /// Also groups that a stack or Terraform owns.
    pub even_managed: bool,
}

/// What a plan is made with beside the groups.
#[derive(Debug, Clone, Copy)]
pub struct Planner<'a> {
    pub settings: &'a Settings,
    pub referenced: &'a ReferencedGroups,
    pub today: Date,
    /// Whose groups are changed; without one, nobody's groups are foreign.
    pub account: Option<&'a AccountId>,
    pub region: Option<&'a Region>,
    pub request: &'a Request,
}

/// What is done to which groups, in the order of their ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub account: Option<AccountId>,
    pub region: Option<Region>,
    pub request: Request,
    pub groups: Vec<GroupPlan>,
    /// The groups to which nothing is done.
    pub skipped: Vec<Skipped>,
}

/// What is done to one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupPlan {
    /// As it is before.
    pub group: SecurityGroup,
    pub managed_by: Option<String>,
    /// The violations whose rules are revoked, each with the rules that it gives reason for.
    pub mended: Vec<Mended>,
    /// Violations that an exemption accepts: nothing is done about them.
    pub exempt: Vec<Violation>,
    /// The rules to revoke, sorted, each once.
    pub revoke: Vec<IngressRule>,
    /// The rules to allow before.
    pub authorize: Vec<IngressRule>,
    /// All other ingress rules.
    pub keeps: Vec<IngressRule>,
    /// What the group is afterwards.
    pub after: Status,
}

/// A violation and the rules by which it is mended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mended {
    pub violation: Violation,
    pub rules: Vec<IngressRule>,
}

/// A group to which nothing is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    pub group_id: GroupId,
    pub group_name: Option<String>,
    pub vpc_id: Option<VpcId>,
    pub status: Status,
    pub why: Why,
}

/// Why nothing is done to a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    Passed,
    /// Exemptions with these ids accept its violations.
    Exempt(Vec<String>),
    /// None of the sources that are asked for violates.
    OtherSources,
    /// The tag that tells that a tool keeps it as it is.
    Managed(String),
    /// Another account owns it.
    Foreign(AccountId),
    /// Exemptions accept the rules that would have to be revoked.
    Protected,
}

/// A plan that cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    #[error(
        "--replace: what it allows from {source_id} would leave security group {group_id} FAILED: name fewer ports"
    )]
    ReplaceFails {
        group_id: GroupId,
        source_id: String,
    },
    #[error(
        "--replace: it allows a rule from {source_id} that security group {group_id} has already, and that would be revoked: name other ports"
    )]
    ReplaceIsRevoked {
        group_id: GroupId,
        source_id: String,
    },
}

impl Planner<'_> {
    /// The plan for some groups.
    ///
    /// # Errors
    /// When what is allowed in place of the revoked rules is too much itself.
    pub fn plan(&self, targets: &[GroupRules]) -> Result<Plan, PlanError> {
        let mut targets: Vec<_> = targets.iter().collect();
        targets.sort_by_key(|target| (&target.group.group_id, &target.group.owner_id));
        let (mut groups, mut skipped) = (Vec::new(), Vec::new());
        for target in targets {
            match self.group(target)? {
                Ok(group) => groups.push(group),
                Err((status, why)) => skipped.push(Skipped {
                    group_id: target.group.group_id.clone(),
                    group_name: target.group.group_name.clone(),
                    vpc_id: target.group.vpc_id.clone(),
                    status,
                    why,
                }),
            }
        }
        Ok(Plan {
            account: self.account.cloned(),
            region: self.region.cloned(),
            request: self.request.clone(),
            groups,
            skipped,
        })
    }

    /// The verdict on a group with its rules.
    #[must_use]
    pub fn verdict(&self, target: &GroupRules) -> Verdict {
        evaluate(self.settings, &target.group, self.referenced, self.today)
    }

    /// The plan for one group, or why nothing is done to it.
    fn group(&self, target: &GroupRules) -> Result<Result<GroupPlan, (Status, Why)>, PlanError> {
        let group = &target.group;
        let verdict = self.verdict(target);
        let skip = |why| Ok(Err((verdict.status, why)));
        let foreign = group.owner_id.as_ref().zip(self.account);
        if let Some((owner, _)) = foreign.filter(|(owner, account)| owner != account) {
            return skip(Why::Foreign(owner.clone()));
        }
        let is_meant = |violation: &&Violation| self.is_meant(&violation.source);
        if verdict.violations.is_empty() {
            return skip(Why::Passed);
        }
        let meant: Vec<_> = verdict.violations.iter().filter(is_meant).collect();
        if meant.is_empty() {
            return skip(Why::OtherSources);
        }
        let mut exemptions = meant.iter().map(|violation| violation.exemption.as_ref());
        if exemptions.all(|exemption| exemption.is_some()) {
            let ids = meant.iter().filter_map(|one| one.exemption.as_ref());
            let ids: BTreeSet<_> = ids.map(|exemption| exemption.id.clone()).collect();
            return skip(Why::Exempt(ids.into_iter().collect()));
        }
        let managed_by = managed_by(&group.tags);
        if let Some(tag) = managed_by.clone().filter(|_| !self.request.even_managed) {
            return skip(Why::Managed(tag));
        }
        let (revoked, mended) = self.revoked(target);
        if revoked.is_empty() {
            return skip(Why::Protected);
        }
        let authorize = self.authorize(target, &revoked, &mended)?;
        let after = self.after(target, &revoked, &authorize)?;
        let exempt = |violation: &&Violation| violation.exemption.is_some();
        let rules = |is_revoked: bool| {
            let rules = target.rules.iter().enumerate();
            let rules = rules.filter(|(place, _)| revoked.contains(place) == is_revoked);
            let mut rules: Vec<_> = rules.map(|(_, rule)| rule.clone()).collect();
            rules.sort();
            rules
        };
        Ok(Ok(GroupPlan {
            group: group.clone(),
            managed_by,
            mended,
            exempt: verdict.violations.iter().filter(exempt).cloned().collect(),
            revoke: rules(true),
            authorize,
            keeps: rules(false),
            after,
        }))
    }

    fn is_meant(&self, source: &Source) -> bool {
        let asked = &self.request.sources;
        asked.is_empty()
            || source
                .group_id
                .as_ref()
                .is_some_and(|id| asked.contains(id))
    }

    /// The rules to revoke, by their places: those behind the violations, then those behind what is a violation without
    /// these, and so on. A rule behind an exempt violation stays.
    fn revoked(&self, target: &GroupRules) -> (BTreeSet<usize>, Vec<Mended>) {
        let mut revoked = BTreeSet::new();
        let mut mended = Vec::new();
        loop {
            let left = target.changed(|place| revoked.contains(&place), &[]);
            let verdict = self.verdict(&left);
            let (exempt, failed): (Vec<_>, Vec<_>) = verdict
                .violations
                .into_iter()
                .partition(|violation| violation.exemption.is_some());
            let protected: BTreeSet<_> = exempt
                .iter()
                .flat_map(|violation| places(target, violation))
                .collect();
            let mut found = BTreeSet::new();
            for violation in failed {
                if !self.is_meant(&violation.source) {
                    continue;
                }
                let places: BTreeSet<_> = places(target, &violation)
                    .into_iter()
                    .filter(|place| !revoked.contains(place) && !protected.contains(place))
                    .collect();
                if places.is_empty() {
                    continue;
                }
                let rules = places.iter().filter_map(|place| target.rules.get(*place));
                mended.push(Mended {
                    rules: rules.cloned().collect(),
                    violation,
                });
                found.extend(places);
            }
            if found.is_empty() {
                return (revoked, mended);
            }
            revoked.extend(found);
        }
    }

    /// The rules to allow in place of those that are revoked: for each source over each way that still carries traffic,
    /// unless the group has the rule.
    fn authorize(
        &self,
        target: &GroupRules,
        revoked: &BTreeSet<usize>,
        mended: &[Mended],
    ) -> Result<Vec<IngressRule>, PlanError> {
        let mut authorize: Vec<IngressRule> = Vec::new();
        let of_mended = mended.iter().flat_map(|mended| &mended.rules);
        for rule in of_mended {
            let Some(peer) = rule
                .peer
                .group()
                .filter(|peer| peer.stale_status().is_none())
            else {
                continue;
            };
            for traffic in &self.request.replace {
                let new = IngressRule {
                    peer: Peer::Group(peer.clone()),
                    traffic: traffic.clone(),
                    rule_id: None,
                    description: None,
                    tags: None,
                };
                let has = |one: &&IngressRule| one.has_effect_of(&new);
                if authorize.iter().any(|one| has(&one)) {
                    continue;
                }
                match target.rules.iter().position(|one| has(&one)) {
                    Some(place) if revoked.contains(&place) => {
                        return Err(PlanError::ReplaceIsRevoked {
                            group_id: target.group.group_id.clone(),
                            source_id: name_of(&new),
                        });
                    }
                    Some(_) => {}
                    None => authorize.push(new),
                }
            }
        }
        authorize.sort();
        Ok(authorize)
    }

    /// What the group is afterwards.
    fn after(
        &self,
        target: &GroupRules,
        revoked: &BTreeSet<usize>,
        authorize: &[IngressRule],
    ) -> Result<Status, PlanError> {
        let fails = |verdict: &Verdict| {
            let mut violations = verdict.violations.iter();
            let failed =
                violations.find(|one| one.exemption.is_none() && self.is_meant(&one.source));
            failed.map(|violation| violation.source.group_id.clone())
        };
        let is_revoked = |place: usize| revoked.contains(&place);
        let without = self.verdict(&target.changed(is_revoked, &[]));
        let with = self.verdict(&target.changed(is_revoked, authorize));
        match (fails(&without), fails(&with)) {
            (None, Some(source)) => Err(PlanError::ReplaceFails {
                group_id: target.group.group_id.clone(),
                source_id: source.map_or_else(|| "a source".to_owned(), |id| id.to_string()),
            }),
            _ => Ok(with.status),
        }
    }
}

/// The rules behind a violation, by their places.
fn places(target: &GroupRules, violation: &Violation) -> Vec<usize> {
    let is_behind = |rule: &IngressRule| {
        let mut rules = violation.rules.iter();
        rules.any(|behind| rule.is_behind(behind, &violation.source))
    };
    let rules = target.rules.iter().enumerate();
    rules
        .filter(|(_, rule)| is_behind(rule))
        .map(|(place, _)| place)
        .collect()
}

fn name_of(rule: &IngressRule) -> String {
    let id = rule.peer.group().and_then(|group| group.group_id.as_ref());
    id.map_or_else(|| "a source".to_owned(), |id| id.to_string())
}

impl Plan {
    /// How many rules are revoked.
    #[must_use]
    pub fn revoked(&self) -> usize {
        self.groups.iter().map(|group| group.revoke.len()).sum()
    }

    /// How many rules are allowed first.
    #[must_use]
    pub fn authorized(&self) -> usize {
        self.groups.iter().map(|group| group.authorize.len()).sum()
    }
}

impl GroupPlan {
    /// The rules to revoke that EC2 may refuse to give back: over a peering connection that is gone, or for a group of
    /// which it tells no owner, since it is gone or behind a transit gateway.
    pub fn hard_to_restore(&self) -> impl Iterator<Item = &IngressRule> {
        self.revoke.iter().filter(|rule| {
            let group = rule.peer.group();
            group.is_some_and(|group| group.stale_status().is_some() || group.owner_id.is_none())
        })
    }
}
