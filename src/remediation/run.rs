//! Carries out a plan and undoes it: each call stands in the journal before it is made. What the calls are made on is a
//! [`RuleEdge`], where the journal stands is a [`Log`].

use std::io;

use super::apply;
use super::journal::{Action, Entry, Journal, Mark, Outcome, Step};
use super::plan::document::Difference;
use super::plan::{DocumentError, Plan, PlanDocument, PlanError, Planner};
use super::rule::GroupRules;
use super::undo::{self, UndoAction, UndoStep};
use crate::model::{GroupId, RuleId};

mod edge;
#[cfg(test)]
mod tests;

pub use edge::{CallFailure, Log, Mode, RuleEdge};

/// How often a call is made that gets no answer, or finds EC2 busy.
const ATTEMPTS: u32 = 6;
/// How often EC2 is looked at until it shows what was done.
const LOOKS: u32 = 8;

/// How often EC2 is looked at for a rule of which nobody knows whether it was made.
const LOOKS_IN_DOUBT: u32 = 5;

/// A run that stops.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("the groups are not as the plan has them")]
    Changed(Vec<Difference>),
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    Document(#[from] DocumentError),
    #[error("{0}")]
    Look(#[source] CallFailure),
    #[error("the dry run of {call} on security group {group_id} says no: {failure}")]
    DryRun {
        call: &'static str,
        group_id: GroupId,
        failure: CallFailure,
    },
    #[error("{call} on security group {group_id}: {failure}")]
    Call {
        call: &'static str,
        group_id: GroupId,
        failure: CallFailure,
    },
    #[error(
        "security group {0} has the rule to allow already, and EC2 does not show it yet: run the same command again in a minute"
    )]
    NotShown(GroupId),
    #[error("the undo file cannot be written")]
    Log(#[from] io::Error),
}

async fn with_patience<E: RuleEdge, T>(
    edge: &E,
    call: impl AsyncFn() -> Result<T, CallFailure>,
) -> Result<T, CallFailure> {
    let mut attempt = 1;
    loop {
        match call().await {
            Err(failure) if failure.is_retryable() && attempt < ATTEMPTS => {
                edge.pause(attempt).await;
                attempt += 1;
            }
            end => return end,
        }
    }
}

/// These groups as EC2 shows them.
///
/// # Errors
/// When EC2 does not answer.
pub async fn look<E: RuleEdge>(edge: &E, ids: &[GroupId]) -> Result<Vec<GroupRules>, RunError> {
    let looked = with_patience(edge, async || edge.targets(ids).await).await;
    looked.map_err(RunError::Look)
}

/// Describes the groups of a plan again, and makes the plan anew: it must be the same. The planner's request must be the
/// document's.
///
/// # Errors
/// When anything in the plan changed, but by what the journal says.
pub async fn check<E: RuleEdge>(
    edge: &E,
    planner: &Planner<'_>,
    expected: &PlanDocument,
    journal: Option<&Journal>,
) -> Result<Plan, RunError> {
    let ids: Vec<_> = expected
        .groups
        .iter()
        .map(|group| group.group_id.clone())
        .collect();
    let mut today = look(edge, &ids).await?;
    if let Some(journal) = journal {
        today = apply::before(journal, today);
    }
    let plan = planner.plan(&today)?;
    let mut document = PlanDocument::of(&plan)?.in_place_of(expected)?;
    if expected.is_offline() {
        document = document.offline()?;
    }
    if document.digest != expected.digest {
        return Err(RunError::Changed(expected.differences(&document)));
    }
    Ok(plan)
}

/// Asks EC2 whether it would allow every call.
///
/// # Errors
/// When it would not, of one.
pub async fn dry_run<E: RuleEdge>(edge: &E, steps: &[Step]) -> Result<(), RunError> {
    for step in steps {
        let made = with_patience(edge, async || {
            call(edge, step, Mode::DryRun).await.map(drop)
        });
        accept_dry_run(made.await, name_of(step.action), &step.group_id)?;
    }
    Ok(())
}

fn accept_dry_run(
    made: Result<(), CallFailure>,
    call: &'static str,
    group_id: &GroupId,
) -> Result<(), RunError> {
    match made {
        // The call itself is prepared for these.
        Ok(()) | Err(CallFailure::Duplicate | CallFailure::NotFound) => Ok(()),
        Err(failure) => Err(RunError::DryRun {
            call,
            group_id: group_id.clone(),
            failure,
        }),
    }
}

fn name_of(action: Action) -> &'static str {
    match action {
        Action::Authorize => "AuthorizeSecurityGroupIngress",
        Action::Revoke => "RevokeSecurityGroupIngress",
    }
}

/// The call of a step. The id of the rule that it made.
async fn call<E: RuleEdge>(
    edge: &E,
    step: &Step,
    mode: Mode,
) -> Result<Option<RuleId>, CallFailure> {
    match step.action {
        Action::Authorize => edge.authorize(&step.group_id, &step.rule, mode).await,
        Action::Revoke => {
            let id = step.rule.rule_id.as_ref().ok_or_else(|| {
                CallFailure::Refused(
                    "the plan has no rule id, which is needed to revoke".to_owned(),
                )
            })?;
            edge.revoke(&step.group_id, id, mode).await?;
            Ok(None)
        }
    }
}

/// Makes the calls of the steps, each one told to the journal before and after.
///
/// # Errors
/// At the first call that fails for good. What was done stands in the journal.
pub async fn carry_out<E: RuleEdge, L: Log>(
    edge: &E,
    journal: &Journal,
    log: &mut L,
) -> Result<(), RunError> {
    for step in journal.remaining() {
        let (number, action, group_id) = (step.number, step.action, step.group_id.clone());
        if step.mark == Mark::Untouched {
            log.append(Entry::Begun {
                step: number,
                action,
                group_id: group_id.clone(),
            })?;
        }
        let made = with_patience(edge, async || call(edge, &step, Mode::Real).await).await;
        let (outcome, rule_id) = match (action, made) {
            (Action::Revoke, Ok(_)) => (Outcome::Revoked, step.rule.rule_id.clone()),
            (Action::Revoke, Err(CallFailure::NotFound)) => {
                (Outcome::Absent, step.rule.rule_id.clone())
            }
            (Action::Authorize, Ok(Some(id))) => (Outcome::Authorized, Some(id)),
            (Action::Authorize, Ok(None) | Err(CallFailure::Duplicate)) => {
                whose(edge, journal, &step).await?
            }
            (_, Err(failure)) => {
                return Err(RunError::Call {
                    call: name_of(action),
                    group_id,
                    failure,
                });
            }
        };
        log.append(Entry::Done {
            step: number,
            action,
            group_id,
            outcome,
            rule_id,
        })?;
    }
    Ok(())
}

/// Whose the rule is that is there already: this run's, when the answer to its call was lost, or somebody else's.
async fn whose<E: RuleEdge>(
    edge: &E,
    journal: &Journal,
    step: &Step,
) -> Result<(Outcome, Option<RuleId>), RunError> {
    for attempt in 1..=LOOKS {
        let today = look(edge, std::slice::from_ref(&step.group_id)).await?;
        let mut rules = today.iter().flat_map(|target| &target.rules);
        if let Some(rule) = rules.find(|rule| rule.has_effect_of(&step.rule)) {
            let outcome = if journal.has_made(rule) {
                Outcome::Authorized
            } else {
                Outcome::Exists
            };
            return Ok((outcome, rule.rule_id.clone()));
        }
        edge.pause(attempt).await;
    }
    Err(RunError::NotShown(step.group_id.clone()))
}

/// The groups of a run as EC2 shows them, after it shows what was done, or at last as it shows them.
///
/// # Errors
/// When EC2 does not answer.
pub async fn settled<E: RuleEdge>(
    edge: &E,
    journal: &Journal,
) -> Result<Vec<GroupRules>, RunError> {
    let ids = journal.group_ids();
    look_until(edge, &ids, LOOKS, |today| apply::is_settled(journal, today)).await
}

async fn look_until<E: RuleEdge>(
    edge: &E,
    ids: &[GroupId],
    looks: u32,
    is_enough: impl Fn(&[GroupRules]) -> bool,
) -> Result<Vec<GroupRules>, RunError> {
    let mut today = look(edge, ids).await?;
    for attempt in 1..looks {
        if is_enough(&today) {
            break;
        }
        edge.pause(attempt).await;
        today = look(edge, ids).await?;
    }
    Ok(today)
}

/// What undoing a run has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndoPlan {
    pub steps: Vec<UndoStep>,
    /// Groups that are gone: their rules cannot be given back.
    pub gone: Vec<GroupId>,
}

/// What undoing a run has to do, after a dry run of all of it.
///
/// # Errors
/// When EC2 does not answer, or would not allow a call.
pub async fn plan_undo<E: RuleEdge>(edge: &E, journal: &Journal) -> Result<UndoPlan, RunError> {
    let ids = journal.group_ids();
    let today = look_until(edge, &ids, LOOKS_IN_DOUBT, |today| {
        !undo::is_in_doubt(journal, today)
    })
    .await?;
    let steps = undo::steps(journal, &today);
    for step in &steps {
        let made = with_patience(edge, async || {
            undo_call(edge, step, Mode::DryRun).await.map(drop)
        });
        accept_dry_run(made.await, undo_name(step), &step.group_id)?;
    }
    let gone = undo::gone(journal, &today);
    Ok(UndoPlan { steps, gone })
}

async fn undo_call<E: RuleEdge>(
    edge: &E,
    step: &UndoStep,
    mode: Mode,
) -> Result<Option<RuleId>, CallFailure> {
    match &step.action {
        UndoAction::Restore(rule) => edge.authorize(&step.group_id, rule, mode).await,
        UndoAction::Tag(id, tags) => edge.tag(id, tags, mode).await.map(|()| None),
        UndoAction::Withdraw(id) => edge.revoke(&step.group_id, id, mode).await.map(|()| None),
    }
}

fn undo_name(step: &UndoStep) -> &'static str {
    match step.action {
        UndoAction::Restore(_) => "AuthorizeSecurityGroupIngress",
        UndoAction::Tag(..) => "CreateTags",
        UndoAction::Withdraw(_) => "RevokeSecurityGroupIngress",
    }
}

/// Makes the calls of an undo. A rule that cannot be given back costs no other rule, but nothing is taken away from its
/// group then. The failures.
///
/// # Errors
/// When the journal cannot be written, or EC2 does not answer.
pub async fn undo<E: RuleEdge, L: Log>(
    edge: &E,
    journal: &Journal,
    steps: &[UndoStep],
    log: &mut L,
) -> Result<Vec<RunError>, RunError> {
    log.append(Entry::Undoing)?;
    let mut failures = undo_all(edge, steps, log).await?;
    let ids = journal.group_ids();
    let today = look_until(edge, &ids, LOOKS, |today| {
        undo::missing(journal, today).is_empty()
    })
    .await?;
    // What was there already, as a duplicate, may lack its tags.
    let late: Vec<_> = undo::steps(journal, &today)
        .into_iter()
        .filter(|step| matches!(step.action, UndoAction::Tag(..)))
        .collect();
    failures.extend(undo_all(edge, &late, log).await?);
    if failures.is_empty() {
        for step in undo::missing(journal, &today) {
            failures.push(RunError::NotShown(step.group_id.clone()));
        }
    }
    if failures.is_empty() {
        log.append(Entry::Undone)?;
    }
    Ok(failures)
}

async fn undo_all<E: RuleEdge, L: Log>(
    edge: &E,
    steps: &[UndoStep],
    log: &mut L,
) -> Result<Vec<RunError>, RunError> {
    let mut failures = Vec::new();
    let mut failed: Vec<&GroupId> = Vec::new();
    for step in steps {
        let takes_away = matches!(step.action, UndoAction::Withdraw(_));
        if takes_away && failed.contains(&&step.group_id) {
            continue;
        }
        let (number, group_id) = (step.number, step.group_id.clone());
        let made = with_patience(edge, async || undo_call(edge, step, Mode::Real).await).await;
        match (&step.action, made) {
            (UndoAction::Restore(_), Ok(rule_id)) => log.append(Entry::Restored {
                step: number,
                group_id,
                rule_id,
            })?,
            (UndoAction::Restore(_), Err(CallFailure::Duplicate)) => {
                log.append(Entry::Restored {
                    step: number,
                    group_id,
                    rule_id: None,
                })?
            }
            (UndoAction::Withdraw(id), Ok(_) | Err(CallFailure::NotFound)) => {
                log.append(Entry::Withdrawn {
                    step: number,
                    group_id,
                    rule_id: id.clone(),
                })?;
            }
            (UndoAction::Tag(..), Ok(_)) => {}
            (_, Err(failure)) => {
                failed.push(&step.group_id);
                failures.push(RunError::Call {
                    call: undo_name(step),
                    group_id,
                    failure,
                });
            }
        }
    }
    Ok(failures)
}
