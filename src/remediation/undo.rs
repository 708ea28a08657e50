//! What undoing a run does next, by its journal and the rules of today.

use std::collections::BTreeMap;

use super::journal::{Action, Journal, Mark, Outcome, Step};
use super::rule::{GroupRules, IngressRule};
use crate::model::{GroupId, RuleId};

/// One call of an undo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndoStep {
    pub group_id: GroupId,
    /// The number of the step that it undoes.
    pub number: usize,
    pub action: UndoAction,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UndoAction {
    /// Makes the rule anew: what is there already is refused as a duplicate.
    Restore(Box<IngressRule>),
    /// Gives a rule that is there again its tags.
    Tag(RuleId, BTreeMap<String, String>),
    /// Revokes a rule that the run made.
    Withdraw(RuleId),
}

/// What has to be done, group by group: first what gives access back, then what takes away what the run had allowed.
///
/// A rule id is never used twice, and EC2 shows changes late: where the rule still stands by the id that was revoked, the
/// answer is an old one, or the call was never made. Making the rule anew is right in the one case and refused in the
/// other.
#[must_use]
pub fn steps(journal: &Journal, today: &[GroupRules]) -> Vec<UndoStep> {
    let mut steps = Vec::new();
    for group_id in journal.group_ids() {
        if !is_there(today, &group_id) {
            continue;
        }
        let rules = rules_of(today, &group_id);
        let undo = |step: &Step| {
            let action = match step.action {
                Action::Revoke => restore(step, &rules),
                Action::Authorize => withdraw(journal, step, &rules),
            }?;
            Some(UndoStep {
                group_id: group_id.clone(),
                number: step.number,
                action,
            })
        };
        let (revoked, authorized): (Vec<_>, Vec<_>) = journal
            .steps_of(&group_id)
            .partition(|step| step.action == Action::Revoke);
        steps.extend(revoked.into_iter().chain(authorized).filter_map(undo));
    }
    steps
}

fn is_there(today: &[GroupRules], group_id: &GroupId) -> bool {
    let mut groups = today.iter().map(|target| &target.group.group_id);
    groups.any(|id| id == group_id)
}

/// The groups that are gone with rules that the run may have revoked.
#[must_use]
pub fn gone(journal: &Journal, today: &[GroupRules]) -> Vec<GroupId> {
    let is_touched = |id: &GroupId| {
        journal
            .steps_of(id)
            .any(|step| step.mark != Mark::Untouched)
    };
    let mut ids = journal.group_ids();
    ids.retain(|id| is_touched(id) && !is_there(today, id));
    ids
}

fn rules_of<'a>(today: &'a [GroupRules], group_id: &GroupId) -> Vec<&'a IngressRule> {
    let of_group = today
        .iter()
        .filter(|target| target.group.group_id == *group_id);
    of_group.flat_map(|target| &target.rules).collect()
}

fn restore(step: &Step, rules: &[&IngressRule]) -> Option<UndoAction> {
    if step.mark == Mark::Untouched {
        return None;
    }
    let is_anew =
        |rule: &&&IngressRule| rule.has_effect_of(&step.rule) && rule.rule_id != step.rule.rule_id;
    let Some(rule) = rules.iter().find(is_anew) else {
        return Some(UndoAction::Restore(Box::new(restorable(&step.rule))));
    };
    let missing = missing_tags(&step.rule, rule);
    let id = rule.rule_id.clone()?;
    (!missing.is_empty()).then_some(UndoAction::Tag(id, missing))
}

/// The rule as it can be made: tags under `aws:` are AWS's own.
fn restorable(rule: &IngressRule) -> IngressRule {
    let tags = rule.tags.clone().map(|mut tags| {
        tags.retain(|key, _| !key.starts_with("aws:"));
        tags
    });
    IngressRule {
        tags,
        ..rule.clone()
    }
}

fn missing_tags(wanted: &IngressRule, shown: &IngressRule) -> BTreeMap<String, String> {
    let mut tags = restorable(wanted).tags.unwrap_or_default();
    tags.retain(|key, value| shown.tags.as_ref().and_then(|tags| tags.get(key)) != Some(value));
    tags
}

fn withdraw(journal: &Journal, step: &Step, rules: &[&IngressRule]) -> Option<UndoAction> {
    if journal.is_withdrawn(step) {
        return None;
    }
    match &step.mark {
        Mark::Done(Outcome::Authorized, Some(id)) => Some(UndoAction::Withdraw(id.clone())),
        Mark::Begun => {
            let mut rules = rules.iter();
            let made =
                rules.find(|rule| rule.has_effect_of(&step.rule) && journal.has_made(rule))?;
            made.rule_id.clone().map(UndoAction::Withdraw)
        }
        Mark::Done(..) | Mark::Untouched => None,
    }
}

/// Whether a rule may have been made of which the answer is lost, and that EC2 does not show: then it is worth looking
/// again.
#[must_use]
pub fn is_in_doubt(journal: &Journal, today: &[GroupRules]) -> bool {
    journal.steps().iter().any(|step| {
        let rules = rules_of(today, &step.group_id);
        step.action == Action::Authorize
            && step.mark == Mark::Begun
            && !rules.iter().any(|rule| rule.has_effect_of(&step.rule))
    })
}

/// The rules that the run may have revoked and that EC2 does not show again: either they are missing, or it shows them
/// late.
#[must_use]
pub fn missing<'a>(journal: &'a Journal, today: &[GroupRules]) -> Vec<&'a Step> {
    let is_missing = |step: &&Step| {
        let was_revoked = matches!(step.mark, Mark::Done(Outcome::Revoked, _));
        let rules = rules_of(today, &step.group_id);
        let is_group_there = is_there(today, &step.group_id);
        let is_shown = rules.iter().any(|rule| {
            rule.has_effect_of(&step.rule) && !(was_revoked && rule.rule_id == step.rule.rule_id)
        });
        step.action == Action::Revoke && step.mark != Mark::Untouched && is_group_there && !is_shown
    };
    journal.steps().iter().filter(is_missing).collect()
}
