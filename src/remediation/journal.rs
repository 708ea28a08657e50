//! The undo file: a journal of JSON lines. The first line is the plan, whole; each call has a line before it and one
//! after it. Whatever stops the program, what it may have done stands there.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::plan::{DocumentError, PlanDocument};
use super::rule::IngressRule;
use crate::model::{GroupId, RuleId};

const VERSION: u32 = 1;

/// A line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Entry {
    Planned {
        version: u32,
        /// Names this run: it stands in the description of every rule that the run adds.
        run: String,
        /// The digest of the plan that was shown. It differs from that of the plan here where that was made from files.
        shown: String,
        plan: PlanDocument,
    },
    /// The call of a step is about to be made.
    Begun {
        step: usize,
        action: Action,
        group_id: GroupId,
    },
    Done {
        step: usize,
        action: Action,
        group_id: GroupId,
        outcome: Outcome,
        rule_id: Option<RuleId>,
    },
    /// From here on the plan is undone.
    Undoing,
    /// The rule that a step revoked is there again, by a new id where it was made anew.
    Restored {
        step: usize,
        group_id: GroupId,
        rule_id: Option<RuleId>,
    },
    /// The rule that a step allowed is gone again.
    Withdrawn {
        step: usize,
        group_id: GroupId,
        rule_id: RuleId,
    },
    Undone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Authorize,
    Revoke,
}

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Revoked,
    /// There was nothing to revoke any more.
    Absent,
    Authorized,
    /// Somebody else had allowed it already.
    Exists,
}

/// One call of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub number: usize,
    pub action: Action,
    pub group_id: GroupId,
    /// One to authorise is described by the run.
    pub rule: IngressRule,
    pub mark: Mark,
}

/// How far a step is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    Untouched,
    /// The call may have been made.
    Begun,
    Done(Outcome, Option<RuleId>),
}

/// A journal as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Journal {
    pub run: String,
    pub shown: String,
    pub plan: PlanDocument,
    pub is_undone: bool,
    steps: Vec<Step>,
    /// The steps whose rules an undo took away, by their numbers.
    withdrawn: BTreeSet<usize>,
}

/// A file that is no journal to go on with.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("it holds no whole plan: nothing was done by it. Remove it, or give another file")]
    NoPlan,
    #[error("line {line} is not one of an undo file: {source}")]
    Line {
        line: usize,
        source: serde_json::Error,
    },
    #[error("line {0} does not belong there")]
    Misplaced(usize),
    #[error("an undo file of version {0}, and this sg-trust knows version {VERSION}")]
    Version(u32),
    #[error("its plan cannot be used: {0}")]
    Plan(#[from] DocumentError),
}

impl Entry {
    /// As a line, ended by a newline.
    ///
    /// # Errors
    /// Never in practice: every value of it has a JSON form.
    pub fn to_line(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self).map(|line| line + "\n")
    }
}

impl Journal {
    /// A journal in which nothing is done yet.
    ///
    /// # Errors
    /// When a rule of the plan cannot be made again.
    pub fn new(run: String, shown: String, plan: PlanDocument) -> Result<Self, JournalError> {
        let mut steps: Vec<Step> = Vec::new();
        for group in &plan.groups {
            let authorize = group.authorize.iter().map(|rule| (Action::Authorize, rule));
            let revoke = group.revoke.iter().map(|rule| (Action::Revoke, rule));
            for (action, rule) in authorize.chain(revoke) {
                let mut rule = rule.rule()?;
                if action == Action::Authorize {
                    rule.description = Some(description_of(&run));
                }
                steps.push(Step {
                    number: steps.len(),
                    action,
                    group_id: group.group_id.clone(),
                    rule,
                    mark: Mark::Untouched,
                });
            }
        }
        Ok(Self {
            run,
            shown,
            plan,
            is_undone: false,
            steps,
            withdrawn: BTreeSet::new(),
        })
    }

    /// Its first entry.
    #[must_use]
    pub fn planned(&self) -> Entry {
        Entry::Planned {
            version: VERSION,
            run: self.run.clone(),
            shown: self.shown.clone(),
            plan: self.plan.clone(),
        }
    }

    /// Reads a journal, and tells how many bytes of it are whole lines: what stands behind them was cut off while it was
    /// written, and the call that it tells of was not made, or is as good as not told of.
    ///
    /// # Errors
    /// When it is no journal, or its plan is not whole.
    pub fn parse(text: &str) -> Result<(Self, usize), JournalError> {
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let mut journal: Option<Self> = None;
        let lines = text.get(..whole).unwrap_or_default().lines().enumerate();
        for (number, line) in lines {
            let number = number + 1;
            let entry = serde_json::from_str(line).map_err(|source| JournalError::Line {
                line: number,
                source,
            })?;
            journal = Some(match (journal, entry) {
                (
                    None,
                    Entry::Planned {
                        version,
                        run,
                        shown,
                        plan,
                    },
                ) => {
                    if version != VERSION {
                        return Err(JournalError::Version(version));
                    }
                    Self::new(run, shown, plan.checked()?)?
                }
                (Some(journal), entry) => {
                    let journal = journal.with(entry);
                    journal.ok_or(JournalError::Misplaced(number))?
                }
                (None, _) => return Err(JournalError::Misplaced(number)),
            });
        }
        Ok((journal.ok_or(JournalError::NoPlan)?, whole))
    }

    /// The journal with one more entry; none when the entry does not belong to it.
    #[must_use]
    pub fn with(mut self, entry: Entry) -> Option<Self> {
        match entry {
            Entry::Planned { .. } => return None,
            Entry::Begun { step, .. } => {
                let step = self.steps.get_mut(step)?;
                if step.mark == Mark::Untouched {
                    step.mark = Mark::Begun;
                }
            }
            Entry::Done {
                step,
                outcome,
                rule_id,
                ..
            } => self.steps.get_mut(step)?.mark = Mark::Done(outcome, rule_id),
            Entry::Undoing | Entry::Undone => self.is_undone = true,
            Entry::Restored { step, .. } => {
                self.steps.get(step)?;
            }
            Entry::Withdrawn { step, .. } => {
                self.steps.get(step)?;
                self.withdrawn.insert(step);
            }
        }
        Some(self)
    }

    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The steps of a group.
    pub fn steps_of(&self, group: &GroupId) -> impl Iterator<Item = &Step> {
        self.steps
            .iter()
            .filter(move |step| step.group_id == *group)
    }

    /// The steps that are not done, in their order.
    #[must_use]
    pub fn remaining(&self) -> Vec<Step> {
        let is_done = |step: &&Step| !matches!(step.mark, Mark::Done(..));
        self.steps.iter().filter(is_done).cloned().collect()
    }

    /// Whether this run made a rule: by what its answer told, or by the rule's description.
    #[must_use]
    pub fn has_made(&self, rule: &IngressRule) -> bool {
        let by_id = |step: &Step| {
            let Mark::Done(Outcome::Authorized, id) = &step.mark else {
                return false;
            };
            id.is_some() && *id == rule.rule_id
        };
        rule.description.as_deref() == Some(description_of(&self.run).as_str())
            || self.steps.iter().any(by_id)
    }

    /// Whether an undo took away the rule that a step made.
    #[must_use]
    pub fn is_withdrawn(&self, step: &Step) -> bool {
        self.withdrawn.contains(&step.number)
    }

    /// The groups that it changes.
    #[must_use]
    pub fn group_ids(&self) -> Vec<GroupId> {
        let groups = self.plan.groups.iter();
        groups.map(|group| group.group_id.clone()).collect()
    }

    /// How many steps have an action.
    #[must_use]
    pub fn count(&self, action: Action) -> usize {
        let steps = self.steps.iter();
        steps.filter(|step| step.action == action).count()
    }
}

/// What the rules that a run adds say about themselves: so they are known even where the answer was lost. In the
/// characters that EC2 takes.
#[must_use]
pub fn description_of(run: &str) -> String {
    format!("added by sg-trust fix {run}")
}
