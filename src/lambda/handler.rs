//! The handler: one invocation, from its event to its answer.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use lambda_runtime::tracing::{info, warn};
use lambda_runtime::{Diagnostic, LambdaEvent};
use serde_json::Value;
use tokio::sync::OnceCell;

use super::answer::{Answer, HandlerError, answer};
use super::environment::{self, Environment, StartError};
use super::log::{self, InvocationLog, Times};
use super::metrics::{self, Measured};
use super::redelivery;
use super::timed::Timed;
use crate::aws::{AccountError, Caller, Clients, MemberAccounts, Timeouts, describe};
use crate::engine::RunResult;
use crate::event::{self, Batch};
use crate::model::{AccountId, Partition, Region, Scope};
use crate::text::escape;

mod accounts;

/// The limit for prewarming.
const PREWARM_MOST: Duration = Duration::from_secs(1);
/// The invocation answers that its time has run out when so much is left.
const MARGIN: Duration = Duration::from_millis(500);

/// How long bringing back messages may take in an invocation that has run out of time: a part of [`MARGIN`].
const REDELIVERY: Duration = Duration::from_millis(300);

/// The time of an invocation where an emulator, which gives no function ARN, gives no deadline that means anything.
const EMULATED: Duration = Duration::from_secs(300);

/// The function, made once, before the first event.
#[derive(Debug)]
pub struct Function {
    environment: Environment,
    clients: Clients,
    /// The accounts that it works for beside its own, if any.
    members: Option<MemberAccounts>,
    local_scope: OnceCell<Scope>,
    process: Mutex<Process>,
}

/// The state that one invocation leaves to the next.
#[derive(Debug, Default)]
struct Process {
    is_warm: bool,
    /// When the last sweep of an account began that came to its end.
    swept_since: HashMap<AccountId, Timestamp>,
}

impl Function {
    /// The function in this process's environment.
    ///
    /// # Errors
    /// When the environment has a wrong value.
    pub async fn start() -> Result<Self, StartError> {
        let binary = std::env::current_exe().ok();
        let environment = Environment::read(
            environment::of_process,
            binary.as_deref().and_then(Path::parent),
        )?;
        log::refused_exemptions(&environment.refused);
        Ok(Self::new(environment, Clients::load(None).await))
    }

    /// The function with given clients.
    #[must_use]
    pub fn new(environment: Environment, clients: Clients) -> Self {
        let role = environment.members.as_ref().map(|(role, _)| role.clone());
        Self {
            members: role.map(|role| MemberAccounts::new(clients.clone(), role)),
            environment,
            clients,
            local_scope: OnceCell::new(),
            process: Mutex::default(),
        }
    }

    /// Opens both connections while the function initialises. What comes of it is only logged.
    pub async fn prewarm(&self) {
        if !self.environment.prewarm {
            return;
        }
        for (service, outcome) in self.clients.prewarm(PREWARM_MOST).await {
            match outcome {
                Ok(()) => info!(service, "prewarmed"),
                Err(error) => {
                    warn!(service, why = %escape(&describe(&error)), "prewarming failed: the first event connects itself")
                }
            }
        }
    }

    /// Answers one invocation: the outcome of its event, or for records of SQS the messages that failed.
    ///
    /// # Errors
    /// For whatever might hide a missed evaluation: `Retryable` or `NonRetryable`.
    pub async fn handle(&self, event: LambdaEvent<Value>) -> Result<Answer, Diagnostic> {
        let began = Instant::now();
        let context = &event.context;
        let is_emulated = !is_function_arn(&context.invoked_function_arn);
        let until = began
            + if is_emulated {
                EMULATED
            } else {
                time_left(context.deadline)
            };
        let batch = event::read(&event.payload);
        let first = batch.triggers().next();
        let log = |times| InvocationLog {
            request_id: &context.request_id,
            event: first.and_then(|event| event.event.as_deref()),
            event_id: first.and_then(|event| event.record.id.as_deref()),
            times,
        };
        let run = self.run(&batch, &context.invoked_function_arn, until);
        let result = match run.await {
            Ok((run, times)) => {
                let total = began.elapsed();
                log(Times { total, ..times }).run(&run);
                let retryable = run
                    .failures
                    .iter()
                    .filter(|failed| failed.error.is_retryable());
                let ids: BTreeSet<_> = retryable
                    .clone()
                    .filter_map(|failed| failed.sqs_id.as_deref())
                    .collect();
                self.log_metrics(Measured {
                    stats: run.stats.clone(),
                    sweep: run.sweep,
                    failed_messages: run.failures.len(),
                    not_retryable_messages: run.failures.len() - retryable.count(),
                    ..Measured::default()
                });
                self.bring_back(&event.payload, &ids, until).await;
                answer(run)
            }
            Err(failure) => {
                log(Times {
                    total: began.elapsed(),
                    ..Times::default()
                })
                .failed(&failure);
                let failed_messages = batch.messages.len();
                let is_retryable = failure.is_retryable();
                self.log_metrics(Measured {
                    failed_messages,
                    not_retryable_messages: if is_retryable { 0 } else { failed_messages },
                    ..Measured::default()
                });
                if is_retryable {
                    let messages = batch.messages.iter();
                    let ids = messages.filter_map(|message| message.sqs_id.as_deref());
                    self.bring_back(&event.payload, &ids.collect(), until).await;
                }
                Err(failure)
            }
        };
        Ok(result?)
    }

    async fn run(
        &self,
        batch: &Batch,
        function_arn: &str,
        until: Instant,
    ) -> Result<(RunResult, Times), HandlerError> {
        let scope = self.scope(function_arn).await?;
        Ok(self.run_batch(batch, &scope, until).await)
    }

    /// Has failed messages of a queue come back before the queue's visibility timeout is over. Where that fails they come
    /// back then.
    async fn bring_back(&self, event: &Value, ids: &BTreeSet<&str>, until: Instant) {
        let messages = redelivery::of_messages(event, ids);
        if messages.is_empty() {
            return;
        }
        let least = Instant::now() + REDELIVERY;
        let timeouts = Timeouts::EVENT.until(Some(until.max(least)));
        for error in self.clients.delay(&messages, timeouts).await {
            warn!(why = %escape(&describe(&error)), "failed messages only come back after the queue's visibility timeout");
        }
    }

    fn process(&self) -> MutexGuard<'_, Process> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log_metrics(&self, measured: Measured) {
        let is_cold = !std::mem::replace(&mut self.process().is_warm, true);
        if let Some(name) = &self.environment.metrics {
            let measured = Measured {
                is_cold,
                refused_exemptions: self.environment.refused.len(),
                ..measured
            };
            metrics::write(name, &measured, Timestamp::now());
        }
    }

    /// Account, Region and partition of the function. An emulator may give no ARN at all: then those of the
    /// credentials, asked for once.
    async fn scope(&self, arn: &str) -> Result<Scope, HandlerError> {
        if is_function_arn(arn) {
            return scope_of(arn).ok_or_else(|| HandlerError::NoFunction(arn.to_owned()));
        }
        let ask = || async {
            let region = self.clients.region().ok_or(AccountError::NoRegion)?;
            let Caller { partition, account } = self.clients.caller().await?;
            warn!(%account, "not invoked by Lambda (no function ARN): account and partition are those of the credentials");
            Ok(Scope {
                partition,
                region,
                account,
            })
        };
        self.local_scope.get_or_try_init(ask).await.cloned()
    }
}

/// Lambda always gives an ARN; emulators such as cargo-lambda's do not.
fn is_function_arn(arn: &str) -> bool {
    arn.starts_with("arn:")
}

/// Partition, Region and account of `arn:<partition>:lambda:<region>:<account>:function:…`.
fn scope_of(arn: &str) -> Option<Scope> {
    let mut parts = arn.split(':').skip(1);
    let partition = Partition::new(parts.next()?);
    parts.next().filter(|service| *service == "lambda")?;
    let region = Some(Region::new(parts.next()?)).filter(Region::is_well_formed)?;
    let account = Some(AccountId::new(parts.next()?)).filter(AccountId::is_well_formed)?;
    Some(Scope {
        partition,
        region,
        account,
    })
}

/// The time that the invocation may use, without the time that it needs to answer.
fn time_left(deadline_ms: u64) -> Duration {
    let deadline = Duration::from_millis(deadline_ms);
    let now =
        Duration::from_millis(u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default());
    let left = deadline.saturating_sub(now);
    left.saturating_sub(MARGIN.min(left / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scope_is_the_functions() {
        let scope = scope_of(
            "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:sg-trust-lambda:live",
        )
        .unwrap();
        assert_eq!(
            (
                scope.partition.as_str(),
                scope.region.as_str(),
                scope.account.as_str()
            ),
            ("aws-us-gov", "us-gov-west-1", "123456789012")
        );
        for wrong in [
            "arn:aws:s3:::bucket",
            "arn:aws:lambda:us-east-1:1234:function:f",
            "arn:aws:lambda::123456789012:function:f",
            "arn:",
        ] {
            assert!(scope_of(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn time_runs_out_before_the_deadline() {
        let in_ten_seconds = u64::try_from(Timestamp::now().as_millisecond()).unwrap() + 10_000;
        let left = time_left(in_ten_seconds);
        assert!(
            left > Duration::from_secs(8) && left <= Duration::from_millis(9_500),
            "{left:?}"
        );
        assert_eq!(time_left(0), Duration::ZERO);
    }
}
