//! From groups to findings: the verdict, by what is known of both ends, and the rules behind it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{Engine, EngineError, timed};
use crate::engine::source::{GroupSource, Owner, Query};
use crate::engine::stats::RunStats;
use crate::engine::store::FindingStore;
use crate::finding::{Finding, Subject};
use crate::model::{GroupId, SecurityGroup};
use crate::policy::{ReferencedGroups, Status, Verdict, day_of};

impl<S: GroupSource, K: FindingStore> Engine<'_, S, K> {
    /// Evaluates groups as they were at a moment. With `[sensitivity]` and a violation also by what EC2 shows of the
    /// groups that are let in: of all of them, asked for at once.
    pub(super) async fn judge(
        &self,
        observed: Vec<(SecurityGroup, Timestamp)>,
        trace: &mut RunStats,
    ) -> Result<Vec<Finding>, EngineError> {
        let mut peers = ReferencedGroups::default();
        for (group, _) in &observed {
            self.policy.see(&mut peers, group);
        }
        let mut findings: Vec<_> = observed
            .into_iter()
            .map(|(group, at)| {
                let verdict = crate::policy::evaluate(self.policy, &group, &peers, day_of(at));
                Finding::evaluated(&self.context, at, group, verdict)
            })
            .collect();
        let mut unknown = BTreeSet::new();
        for finding in &findings {
            if let Subject::Evaluated(_, verdict) = &finding.subject {
                unknown.extend(self.policy.unknown_sources(verdict, &peers));
            }
        }
        if unknown.is_empty() {
            return Ok(findings);
        }
        let unknown: Vec<_> = unknown.into_iter().collect();
        let sources = self.find(Query::Ids(&unknown), Owner::Any, trace).await?;
        for group in &sources.groups {
            self.policy.see(&mut peers, group);
        }
        for finding in &mut findings {
            let today = day_of(finding.observed_at);
            if let Subject::Evaluated(group, verdict) = &mut finding.subject
                && !verdict.violations.is_empty()
            {
                *verdict = crate::policy::evaluate(self.policy, group, &peers, today);
            }
        }
        Ok(findings)
    }

    /// Names the rules behind violations by their ids, where the settings want it. That they cannot be had costs no
    /// finding.
    pub(super) async fn name_rules(&self, findings: Vec<&mut Finding>, trace: &mut RunStats) {
        if !self.policy.rule_ids {
            return;
        }
        let mut failed: BTreeMap<GroupId, &mut Verdict> = findings
            .into_iter()
            .filter_map(|finding| match &mut finding.subject {
                Subject::Evaluated(_, verdict) if verdict.status == Status::Failed => {
                    Some((finding.group_id.clone(), verdict))
                }
                _ => None,
            })
            .collect();
        let ids: Vec<_> = failed.keys().cloned().collect();
        if ids.is_empty() || trace.rules_are_refused {
            return;
        }
        match timed(self.source.rules(&ids), &mut trace.fetching).await {
            Ok(rules) => {
                for (id, verdict) in &mut failed {
                    let of_group: Vec<_> = rules
                        .iter()
                        .filter(|rule| rule.group_id.as_ref() == Some(id))
                        .collect();
                    for violation in &mut verdict.violations {
                        violation.name_rules(&of_group);
                    }
                }
            }
            Err(error) => {
                // What is refused once is refused again: a sweep need not ask for every page.
                trace.rules_are_refused = !error.is_retryable();
                trace.rules_unknown =
                    Some(format!("the rules in violation are not named: {error}"));
            }
        }
    }
}
