//! Which account each message of an invocation is for, and which messages are refused.
//!
//! Without [`Members`] the function works for its own account only. With them a batch is split by account, each part is
//! run by an engine of that account, and the results are put together again. Whoever may send to the queue chooses what
//! a message claims, so nobody but the schedule and the function itself may ask for an action.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::plan::Failures;
use super::stats::RunStats;
use super::{EngineError, FailedMessage, Outcome, RunResult, SweepEnd, failed_message};
use crate::event::{Action, Batch, Kind, Message, Origin, Shape, Trigger};
use crate::model::{AccountId, Scope};

/// The accounts that the function works for beside its own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Members {
    /// Those that are worked for; without it every account in which the role can be assumed.
    pub accounts: Option<BTreeSet<AccountId>>,
    /// The ARN of the queue that the function itself sends actions to.
    pub work_queue: Option<String>,
}

/// Why a message is refused. It is not evaluated, however often it comes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RefusedMessage {
    #[error(
        "an action with `account` and `sweep-all` need a function that works for member accounts (SG_TRUST_MEMBER_ROLE): \
         this one works for {0} only"
    )]
    NoMembers(AccountId),
    #[error(
        "refused: the envelope is of account {envelope}, and the record in it was received by {recipient}"
    )]
    Contradiction {
        envelope: AccountId,
        recipient: AccountId,
    },
    #[error("refused: account {0} is not among those of SG_TRUST_ACCOUNTS")]
    NotListed(AccountId),
    #[error(
        "refused: actions and schedules are taken from the schedule and the function's own work queue only, and this one \
         came from {0}"
    )]
    ForeignAction(String),
}

/// The messages of a batch for one account.
#[derive(Debug, PartialEq)]
pub struct Part {
    pub scope: Scope,
    pub batch: Batch,
    /// The number that each message of the part has in the whole batch.
    numbers: Vec<usize>,
}

/// A batch, split by account.
#[derive(Debug)]
pub struct Routed {
    shape: Shape,
    /// What each account's engine is given; the own account's first.
    pub parts: Vec<Part>,
    /// The messages that ask for a sweep of every member.
    pub sweep_all: Option<Part>,
    refused: Vec<FailedMessage>,
}

impl Routed {
    /// Splits a batch. `own` is the function's account and Region.
    #[must_use]
    pub fn new(batch: Batch, own: &Scope, members: Option<&Members>) -> Self {
        let shape = batch.shape;
        let is_empty = batch.messages.is_empty();
        let mut parts: BTreeMap<(bool, AccountId), Part> = BTreeMap::new();
        let mut sweep_all: Option<Part> = None;
        let mut refused = Vec::new();
        let new_part = |account: &AccountId| Part::new(shape, own, account);
        for (number, message) in batch.messages.into_iter().enumerate() {
            match destination(&message, own, members) {
                Ok(Destination::Account(account)) => parts
                    .entry((account != own.account, account.clone()))
                    .or_insert_with(|| new_part(&account))
                    .push(number, message),
                Ok(Destination::EveryAccount) => sweep_all
                    .get_or_insert_with(|| new_part(&own.account))
                    .push(number, message),
                Err(why) => {
                    refused.push(failed_message(number, &message, Arc::new(why.into())));
                }
            }
        }
        if is_empty {
            // The engine says so.
            parts.insert((false, own.account.clone()), new_part(&own.account));
        }
        Self {
            shape,
            parts: parts.into_values().collect(),
            sweep_all,
            refused,
        }
    }

    /// What came of the whole batch, from what came of its parts.
    #[must_use]
    pub fn join(self, results: impl IntoIterator<Item = RunResult>) -> RunResult {
        let refused = self.refused.len();
        let stats = RunStats {
            refused_events: u64::try_from(refused).unwrap_or(u64::MAX),
            ..RunStats::default()
        };
        let none = RunResult {
            shape: self.shape,
            outcome: Outcome::default(),
            failures: self.refused,
            sweep: None,
            stats,
        };
        let mut reasons = BTreeSet::new();
        let mut joined = results.into_iter().fold(none, |joined, mut result| {
            reasons.extend(result.outcome.ignored.take());
            joined.and(result)
        });
        joined.failures.sort_by_key(|failed| failed.number);
        let is_swept = joined.sweep.is_some_and(|sweep| sweep.is_complete);
        let outcome = &joined.outcome;
        let has_done = outcome.evaluated + outcome.archived + joined.stats.queued_sweeps > 0;
        if !has_done && !is_swept && joined.failures.is_empty() && !reasons.is_empty() {
            let reasons: Vec<_> = reasons.into_iter().collect();
            joined.outcome.ignored = Some(reasons.join("; "));
        }
        joined
    }
}

impl Part {
    fn new(shape: Shape, own: &Scope, account: &AccountId) -> Self {
        Self {
            scope: Scope {
                account: account.clone(),
                ..own.clone()
            },
            batch: Batch {
                shape,
                messages: Vec::new(),
            },
            numbers: Vec::new(),
        }
    }

    fn push(&mut self, number: usize, message: Message) {
        self.numbers.push(number);
        self.batch.messages.push(message);
    }

    /// Whether a message of it asks for anything in this Region. For others no call of AWS is made.
    #[must_use]
    pub fn asks_for_something(&self) -> bool {
        self.batch.triggers().any(|event| {
            let region = event.region.as_ref();
            !matches!(event.action, Action::Ignore(_))
                && region.is_none_or(|region| region == &self.scope.region)
        })
    }

    /// What the account's engine made of the part, with its messages numbered as in the whole batch.
    #[must_use]
    pub fn renumbered(&self, mut result: RunResult) -> RunResult {
        for failed in &mut result.failures {
            if let Some(number) = self.numbers.get(failed.number) {
                failed.number = *number;
            }
        }
        result
    }

    /// The result where nothing of the part could be done.
    pub fn failed(&self, error: impl Into<EngineError>) -> RunResult {
        let failures = Failures::of(0..self.batch.messages.len(), error);
        self.renumbered(RunResult {
            failures: super::failed_messages(&self.batch, failures),
            ..RunResult::nothing(self.batch.shape)
        })
    }

    /// The result of a part that asked for sweeps, which were put on the work queue.
    #[must_use]
    pub fn queued(&self, sweeps: usize) -> RunResult {
        RunResult {
            stats: RunStats {
                queued_sweeps: u64::try_from(sweeps).unwrap_or(u64::MAX),
                ..RunStats::default()
            },
            ..RunResult::nothing(self.batch.shape)
        }
    }
}

impl RunResult {
    fn nothing(shape: Shape) -> Self {
        Self {
            shape,
            outcome: Outcome::default(),
            failures: Vec::new(),
            sweep: None,
            stats: RunStats::default(),
        }
    }

    /// Both results together; the failures keep the numbers that they have.
    fn and(mut self, other: Self) -> Self {
        self.failures.extend(other.failures);
        Self {
            shape: self.shape,
            outcome: self.outcome.add(other.outcome),
            failures: self.failures,
            sweep: SweepEnd::of_both(self.sweep, other.sweep),
            stats: self.stats.and(other.stats),
        }
    }
}

impl SweepEnd {
    /// The sweeps of two accounts: from the first beginning, and complete when both are.
    fn of_both(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        let (Some(one), Some(other)) = (one, other) else {
            return one.or(other);
        };
        Some(Self {
            since: one.since.min(other.since),
            took: one.took.max(other.took),
            is_complete: one.is_complete && other.is_complete,
        })
    }
}

enum Destination {
    Account(AccountId),
    EveryAccount,
}

fn destination(
    message: &Message,
    own: &Scope,
    members: Option<&Members>,
) -> Result<Destination, RefusedMessage> {
    let own = &own.account;
    let to = |account: &AccountId| Ok(Destination::Account(account.clone()));
    let Ok(event) = &message.trigger else {
        // The engine says what is wrong with it.
        return to(own);
    };
    let Some(members) = members else {
        let is_for_members = event.action == Action::SweepAll
            || event.kind == Kind::Direct && event.account.is_some();
        // The engine ignores events of other accounts.
        return if is_for_members {
            Err(RefusedMessage::NoMembers(own.clone()))
        } else {
            to(own)
        };
    };
    if is_action(event) && !members.may_act(&message.origin) {
        return Err(RefusedMessage::ForeignAction(describe(&message.origin)));
    }
    if event.action == Action::SweepAll {
        return Ok(Destination::EveryAccount);
    }
    let account = event.account.as_ref().unwrap_or(own);
    match &event.recipient {
        Some(recipient) if recipient != account => Err(RefusedMessage::Contradiction {
            envelope: account.clone(),
            recipient: recipient.clone(),
        }),
        _ if account != own && !members.has(account) => {
            Err(RefusedMessage::NotListed(account.clone()))
        }
        _ => to(account),
    }
}

impl Members {
    fn has(&self, account: &AccountId) -> bool {
        let accounts = self.accounts.as_ref();
        accounts.is_none_or(|accounts| accounts.contains(account))
    }

    /// Whether actions are taken from there.
    fn may_act(&self, origin: &Origin) -> bool {
        match origin {
            Origin::Invocation => true,
            Origin::Queue(arn) => arn.is_some() && *arn == self.work_queue,
            Origin::Topic => false,
        }
    }
}

/// Whether the event is what the schedule or an operator asks for, not what happened to a group.
fn is_action(event: &Trigger) -> bool {
    matches!(event.kind, Kind::Direct | Kind::Schedule)
}

fn describe(origin: &Origin) -> String {
    match origin {
        Origin::Invocation => "the invocation".to_owned(),
        Origin::Queue(Some(arn)) => format!("the queue {arn}"),
        Origin::Queue(None) => "a queue without an eventSourceARN".to_owned(),
        Origin::Topic => "a topic of SNS".to_owned(),
    }
}

#[cfg(test)]
mod tests;
