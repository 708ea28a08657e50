//! One invocation over several accounts: each part of the batch by an engine with the credentials of its account. What
//! fails in one account fails only its own messages.

use std::sync::Arc;
use std::time::Instant;

use futures_util::stream::{self, StreamExt as _};
use jiff::Timestamp;

use super::{Function, Timed, Times};
use crate::aws::{Clients, Timeouts};
use crate::engine::route::{Members, Part, Routed};
use crate::engine::store::DiscardStore;
use crate::engine::{Engine, EngineError, MemberError, RunResult};
use crate::event::{Action, Batch, Trigger};
use crate::finding::Context;
use crate::input::Snapshot;
use crate::model::{AccountId, Scope};

/// Accounts that are worked for at once.
const AT_ONCE: usize = 5;

impl Function {
    /// Does what the messages of a batch ask for, in the function's own account and those of members.
    pub(super) async fn run_batch(
        &self,
        batch: &Batch,
        own: &Scope,
        until: Instant,
    ) -> (RunResult, Times) {
        let members = self.environment.members.as_ref();
        let members = members.map(|(_, members)| members);
        let routed = Routed::new(batch.clone(), own, members);
        let runs = routed.parts.iter();
        let runs = runs.map(|part| self.run_within(part, own, until));
        let mut runs: Vec<_> = stream::iter(runs).buffered(AT_ONCE).collect().await;
        if let (Some(part), Some(members)) = (&routed.sweep_all, members) {
            runs.push((self.sweep_all(part, members, until).await, Times::default()));
        }
        let (results, times): (Vec<_>, Vec<_>) = runs.into_iter().unzip();
        let times = times.into_iter().fold(Times::default(), Times::and);
        (routed.join(results), times)
    }

    /// What came of a part, also where its account took all the time that there was.
    async fn run_within(&self, part: &Part, own: &Scope, until: Instant) -> (RunResult, Times) {
        let failed = |error: EngineError| (part.failed(error), Times::default());
        let run = self.run_part(part, own, until);
        let run = match tokio::time::timeout_at(until.into(), run).await {
            Ok(Ok(run)) => run,
            Ok(Err(error)) => failed(error.into()),
            Err(_) => failed(EngineError::NoTimeLeft),
        };
        let account = &part.scope.account;
        let is_final = |run: &RunResult| {
            let failures = run.failures.iter();
            failures.clone().any(|failed| !failed.error.is_retryable())
        };
        if is_final(&run.0)
            && let Some(members) = &self.members
        {
            // The role may have been made anew: its old credentials would fail for an hour.
            members.forget(account);
        }
        if let Some(sweep) = run.0.sweep.filter(|sweep| sweep.is_complete) {
            self.process()
                .swept_since
                .insert(account.clone(), sweep.since);
        }
        run
    }

    async fn run_part(
        &self,
        part: &Part,
        own: &Scope,
        until: Instant,
    ) -> Result<(RunResult, Times), MemberError> {
        let context = Arc::new(self.context(&part.scope));
        let settings = &self.environment.settings;
        if !part.asks_for_something() {
            let nothing = Snapshot::empty(Timestamp::now());
            let engine = Engine::new(settings, context, &nothing, &DiscardStore);
            let result = engine.handle(&part.batch).await;
            return Ok((part.renumbered(result), Times::default()));
        }
        let is_sweep = |event: &Trigger| matches!(event.action, Action::Sweep(_));
        let timeouts = if part.batch.triggers().any(is_sweep) {
            Timeouts::SWEEP
        } else {
            Timeouts::EVENT
        }
        .until(Some(until));
        let clients = self.clients_of(&part.scope, own).await?;
        let source = Timed::new(clients.source(&part.scope, timeouts));
        let store = Timed::new(clients.hub(&part.scope, timeouts));
        let engine = Engine {
            until: Some(until),
            swept_since: self.swept_since(&part.scope.account),
            ..Engine::new(settings, context, &source, &store)
        };
        let result = engine.handle(&part.batch).await;
        let times = Times {
            fetch: source.spent(),
            publish: store.spent(),
            ..Times::default()
        };
        Ok((part.renumbered(result), times))
    }

    async fn clients_of(&self, scope: &Scope, own: &Scope) -> Result<Clients, MemberError> {
        match &self.members {
            Some(members) if scope.account != own.account => members.clients(scope).await,
            _ => Ok(self.clients.clone()),
        }
    }

    fn context(&self, scope: &Scope) -> Context {
        Context {
            scope: scope.clone(),
            passed: self.environment.passed,
            related_requirements: self.environment.settings.related_requirements.clone(),
        }
    }

    fn swept_since(&self, account: &AccountId) -> Option<Timestamp> {
        self.process().swept_since.get(account).copied()
    }

    /// Puts the sweep of every member on the work queue.
    async fn sweep_all(&self, part: &Part, members: &Members, until: Instant) -> RunResult {
        let timeouts = Timeouts::SWEEP.until(Some(until));
        let send = async {
            let queue = members.work_queue.as_deref().ok_or_else(|| {
                let why = "sweep-all needs SG_TRUST_WORK_QUEUE, the ARN of the queue for the sweeps of members";
                MemberError::Refused(why.to_owned())
            })?;
            let accounts = match &members.accounts {
                Some(accounts) => accounts.clone(),
                None => self.clients.active_accounts(timeouts).await?,
            };
            let accounts: Vec<_> = accounts.into_iter().collect();
            self.clients.send_sweeps(queue, &accounts, timeouts).await?;
            Ok::<_, MemberError>(accounts.len())
        };
        match tokio::time::timeout_at(until.into(), send).await {
            Ok(Ok(sweeps)) => part.queued(sweeps),
            Ok(Err(error)) => part.failed(error),
            Err(_) => part.failed(EngineError::NoTimeLeft),
        }
    }
}
