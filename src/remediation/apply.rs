//! What carrying out a plan does next, by its journal and the rules of today.

use super::journal::{Action, Journal, Mark, Outcome};
use super::rule::{GroupRules, IngressRule};

/// Groups as they were before the run: without the rules that it made, and with those that it may have revoked. What it
/// did itself is no change of the group.
#[must_use]
pub fn before(journal: &Journal, today: Vec<GroupRules>) -> Vec<GroupRules> {
    let group = |target: GroupRules| {
        let others = target.rules.into_iter();
        let mut rules: Vec<_> = others.filter(|rule| !journal.has_made(rule)).collect();
        for step in journal.steps_of(&target.group.group_id) {
            let is_there = |rule: &IngressRule| rule.rule_id == step.rule.rule_id;
            let may_be_revoked = step.action == Action::Revoke && step.mark != Mark::Untouched;
            if may_be_revoked && !rules.iter().any(is_there) {
                rules.push(step.rule.clone());
            }
        }
        GroupRules::new(target.group, rules)
    };
    today.into_iter().map(group).collect()
}

/// Whether EC2 shows everything that was done: a change takes a moment to be seen everywhere.
#[must_use]
pub fn is_settled(journal: &Journal, today: &[GroupRules]) -> bool {
    let is_shown = |step: &super::journal::Step, id: &Option<crate::model::RuleId>| {
        let mut of_group = today
            .iter()
            .filter(|target| target.group.group_id == step.group_id)
            .flat_map(|target| &target.rules);
        of_group.any(|rule| rule.rule_id == *id)
    };
    journal.steps().iter().all(|step| match &step.mark {
        Mark::Done(Outcome::Revoked | Outcome::Absent, _) => !is_shown(step, &step.rule.rule_id),
        Mark::Done(Outcome::Authorized, id) => is_shown(step, id),
        Mark::Done(Outcome::Exists, _) | Mark::Begun | Mark::Untouched => true,
    })
}
