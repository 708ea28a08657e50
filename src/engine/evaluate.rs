//! From groups to verdicts, with what is known of the groups that they let in and of their rules.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::source::{GroupSource, Observed, Owner, Query};
use super::stats::RunStats;
use super::store::FindingStore;
use super::{Engine, EngineError};
use crate::finding::{Attribution, Cause, Finding, Seen, Subject};
use crate::model::{GroupId, GroupRule, SecurityGroup};
use crate::policy::{self, ReferencedGroups, Settings, Status, Verdict, day_of};

/// A group with the verdict on it.
#[derive(Debug, Clone)]
pub(super) struct Evaluated {
    pub(super) group: SecurityGroup,
    pub(super) at: Timestamp,
    pub(super) verdict: Verdict,
}

impl Evaluated {
    /// The group as events are held against it, with each answer about its rules.
    pub(super) fn seen<'a>(&'a self, at: Timestamp, rules: &'a [&'a [GroupRule]]) -> Seen<'a> {
        Seen {
            at,
            violations: &self.verdict.violations,
            egress: &self.group.ip_permissions_egress,
            rules,
        }
    }

    /// The subject of the group's finding.
    pub(super) fn subject(self) -> Subject {
        Subject::Evaluated(Box::new(self.group), self.verdict)
    }
}

/// The rules of groups, by their ids; what could not be had costs no finding.
#[derive(Debug, Default)]
pub(super) struct KnownRules {
    pub(super) rules: BTreeMap<GroupId, Vec<GroupRule>>,
    pub(super) stats: RunStats,
    /// Whether it would be of no use to ask again.
    pub(super) is_refused: bool,
}

impl KnownRules {
    pub(super) fn of(&self, group: &GroupId) -> &[GroupRule] {
        self.rules.get(group).map_or(&[], Vec::as_slice)
    }
}

/// Whether a group fails on a day, whatever is known of the groups that it lets in: those change severities only.
pub(super) fn fails(settings: &Settings, group: &SecurityGroup, at: Timestamp) -> bool {
    let unknown = ReferencedGroups::default();
    policy::evaluate(settings, group, &unknown, day_of(at)).status == Status::Failed
}

impl<S: GroupSource, K: FindingStore> Engine<'_, S, K> {
    /// Evaluates groups. With `[sensitivity]` and a violation also by what EC2 shows of the groups that are let in: of all of
    /// them, asked for at once.
    pub(super) async fn evaluate(
        &self,
        observed: Vec<Observed>,
    ) -> Result<Vec<Evaluated>, EngineError> {
        let mut referenced = ReferencedGroups::default();
        for Observed { group, .. } in &observed {
            referenced.add(self.settings, group);
        }
        let mut evaluated: Vec<_> = observed
            .into_iter()
            .map(|Observed { group, at }| {
                let verdict = policy::evaluate(self.settings, &group, &referenced, day_of(at));
                Evaluated { group, at, verdict }
            })
            .collect();
        let unknown: BTreeSet<_> = evaluated
            .iter()
            .flat_map(|one| referenced.unseen_sources(self.settings, &one.verdict))
            .collect();
        if unknown.is_empty() {
            return Ok(evaluated);
        }
        let unknown: Vec<_> = unknown.into_iter().collect();
        let sources = self.source.find(Query::Ids(&unknown), Owner::Any).await?;
        for Observed { group, .. } in &sources.groups {
            referenced.add(self.settings, group);
        }
        for one in &mut evaluated {
            if !one.verdict.violations.is_empty() {
                one.verdict =
                    policy::evaluate(self.settings, &one.group, &referenced, day_of(one.at));
            }
        }
        Ok(evaluated)
    }

    /// The rules of groups.
    pub(super) async fn known_rules(&self, groups: &[GroupId]) -> KnownRules {
        if groups.is_empty() {
            return KnownRules::default();
        }
        match self.source.rules(groups).await {
            Ok(all) => {
                let mut rules = BTreeMap::<_, Vec<_>>::new();
                for rule in all {
                    if let Some(group) = rule.group_id.clone() {
                        rules.entry(group).or_default().push(rule);
                    }
                }
                KnownRules {
                    rules,
                    ..KnownRules::default()
                }
            }
            Err(error) => KnownRules {
                is_refused: !error.is_retryable(),
                stats: RunStats::of_warning(format!(
                    "the rules of {} are not known by their ids: {error}",
                    groups.first().map_or_else(String::new, ToString::to_string)
                )),
                ..KnownRules::default()
            },
        }
    }

    /// The groups among those with these verdicts whose rules the settings want named.
    pub(super) fn wanting_rule_ids<'v>(
        &self,
        verdicts: impl Iterator<Item = (&'v GroupId, &'v Verdict)>,
    ) -> Vec<GroupId> {
        verdicts
            .filter(|(_, verdict)| self.wants_rule_ids(verdict))
            .map(|(id, _)| id.clone())
            .collect()
    }

    pub(super) fn wants_rule_ids(&self, verdict: &Verdict) -> bool {
        self.settings.rule_ids && verdict.status == Status::Failed
    }

    /// The subject with the ids of the rules behind its violations, where the settings want them.
    pub(super) fn with_rule_ids(&self, subject: Subject, rules: &[GroupRule]) -> Subject {
        match subject {
            Subject::Evaluated(group, verdict) if self.wants_rule_ids(&verdict) => {
                Subject::Evaluated(group, verdict.with_rule_ids(rules))
            }
            other => other,
        }
    }

    /// A finding about a group.
    pub(super) fn finding(
        &self,
        group_id: GroupId,
        subject: Subject,
        observed_at: Timestamp,
        attribution: Attribution,
        cause: Cause,
    ) -> Finding {
        Finding {
            context: Arc::clone(&self.context),
            observed_at,
            group_id,
            subject,
            attribution,
            cause,
        }
    }
}
