//! The Lambda function: from its environment to its answer.
//!
//! | variable | values | means |
//! |---|---|---|
//! | `SG_TRUST_POLICY_FILE` | a path | the settings; else `policy.toml` beside the binary, else the defaults |
//! | `SG_TRUST_PASSED` | `archive` (default), `active` | what becomes of the finding of a group that passed |
//! | `SG_TRUST_PREWARM` | `on` (default), `off` | opens the connections before the first event |
//! | `SG_TRUST_METRICS` | `on` (default), `off` | logs metrics in CloudWatch's embedded metric format |

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aws_lambda_events::event::sqs::SqsBatchResponse;
use jiff::Timestamp;
use lambda_runtime::tracing::{error, info, warn};
use lambda_runtime::{Diagnostic, LambdaEvent};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::aws::{AccountError, Caller, Clients, Timeouts, describe};
use crate::engine::stats::RunStats;
use crate::engine::{Engine, EngineError, Outcome, RunResult};
use crate::event::{self, Action, Message, Shape};
use crate::finding::{Context, Passed};
use crate::model::Scope;
use crate::model::{AccountId, Partition, Region};
use crate::policy::Settings;
use crate::text::{escape, truncate};

const POLICY_FILE: &str = "SG_TRUST_POLICY_FILE";
const PASSED: &str = "SG_TRUST_PASSED";
const PREWARM: &str = "SG_TRUST_PREWARM";
const METRICS: &str = "SG_TRUST_METRICS";
/// Lambda's own variable.
const FUNCTION_NAME: &str = "AWS_LAMBDA_FUNCTION_NAME";
/// The error type of what may pass when it is tried again.
const RETRYABLE: &str = "Retryable";
/// The settings file beside the binary.
const POLICY_FILE_NAME: &str = "policy.toml";

/// How long prewarming may take.
const PREWARM_MOST: Duration = Duration::from_secs(1);
/// What is left of the invocation's time when it answers that it has run out.
const MARGIN: Duration = Duration::from_millis(500);

/// Longest text of an answer or of a line of the log: whoever sends an event chooses what some of them say, and neither
/// Lambda nor CloudWatch takes any length.
const TEXT: usize = 16_384;
/// Longest name or id of an event in a line of the log.
const NAME: usize = 256;
/// Failed messages of one invocation that have a line of their own in the log.
const LOGGED: usize = 100;

/// How long an invocation may take where an emulator, which gives no function ARN, gives no deadline that means anything.
const EMULATED: Duration = Duration::from_secs(300);

/// A start that cannot succeed.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A variable has a value that is none of its own.
    #[error("{name} is {value:?}: it must be {values}")]
    Variable {
        /// The variable's name.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        values: &'static str,
    },
    /// The settings file cannot be read.
    #[error("{path}: cannot be read (from {POLICY_FILE}, or beside the binary)")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// The settings file cannot be used.
    #[error(transparent)]
    Settings(#[from] crate::config::SettingsError),
}

/// What the environment says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    policy: Settings,
    passed: Passed,
    prewarm: bool,
    /// The name of the function in the metrics; without one there are none.
    metrics: Option<String>,
}

/// The function, made once, before the first event.
#[derive(Debug)]
pub struct Function {
    environment: Environment,
    clients: Clients,
    local_scope: OnceCell<Scope>,
    process: Mutex<Process>,
}

/// What Lambda is answered.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// What was done.
    Outcome(Outcome),
    /// The messages of SQS that failed: the others are done.
    Messages(SqsBatchResponse),
}

/// What one invocation leaves to the next.
#[derive(Debug, Default)]
struct Process {
    is_warm: bool,
    /// When the last sweep began that came to its end.
    covered_since: Option<Timestamp>,
}

impl Environment {
    /// Reads the variables, by their names.
    ///
    /// # Errors
    /// When one has a wrong value, or the settings file cannot be used.
    pub fn read(
        variable: impl Fn(&str) -> Option<String>,
        beside: Option<&Path>,
    ) -> Result<Self, StartError> {
        let given = |name: &str| variable(name).filter(|value| !value.is_empty());
        let file = match given(POLICY_FILE) {
            Some(path) => Some(PathBuf::from(path)),
            // A link that leads nowhere is there, and cannot be read.
            None => beside
                .map(|folder| folder.join(POLICY_FILE_NAME))
                .filter(|path| path.symlink_metadata().is_ok()),
        };
        let policy = match file {
            Some(path) => {
                let name = path.display().to_string();
                let text =
                    std::fs::read_to_string(&path).map_err(|cause| StartError::Unreadable {
                        path: name.clone(),
                        cause,
                    })?;
                crate::config::read(&name, &text)?
            }
            None => Settings::default(),
        };
        let choose =
            |name: &'static str, values: &'static str, first: &str, second: &str| match given(name)
            {
                None => Ok(true),
                Some(value) if value == first => Ok(true),
                Some(value) if value == second => Ok(false),
                Some(value) => Err(StartError::Variable {
                    name,
                    value,
                    values,
                }),
            };
        let archive = choose(PASSED, "`archive` or `active`", "archive", "active")?;
        let prewarm = choose(PREWARM, "`on` or `off`", "on", "off")?;
        let metrics = choose(METRICS, "`on` or `off`", "on", "off")?;
        Ok(Self {
            policy,
            passed: if archive {
                Passed::Archive
            } else {
                Passed::Active
            },
            prewarm,
            metrics: metrics.then(|| given(FUNCTION_NAME)).flatten(),
        })
    }
}

impl Function {
    /// The function in this process's environment.
    ///
    /// # Errors
    /// When the environment has a wrong value.
    pub async fn start() -> Result<Self, StartError> {
        let binary = std::env::current_exe().ok();
        let environment = Environment::read(
            |name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()),
            binary.as_deref().and_then(Path::parent),
        )?;
        Ok(Self::new(environment, Clients::load(None).await))
    }

    /// The function with given clients.
    #[must_use]
    pub fn new(environment: Environment, clients: Clients) -> Self {
        Self {
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
        let is_emulated = !is_function_arn(&event.context.invoked_function_arn);
        let until = began
            + if is_emulated {
                EMULATED
            } else {
                time_left(event.context.deadline)
            };
        let mut trace = RunStats::default();
        let answer =
            tokio::time::timeout_at(until.into(), self.run(&event, until, &mut trace)).await;
        let answer = answer.unwrap_or(Err(Failure::OutOfTime));
        for warning in trace.warnings() {
            warn!(request_id = %event.context.request_id, warning = %escape(warning), "look at this");
        }
        let summary = Summary {
            trace: &trace,
            request_id: &event.context.request_id,
            total: began.elapsed(),
        };
        let answer = match answer {
            Ok(handled) => self.answer(handled, &summary),
            Err(failure) => {
                summary.log_failure(&failure);
                Err(failure.into())
            }
        };
        self.log_metrics(&trace);
        answer
    }

    async fn run(
        &self,
        event: &LambdaEvent<Value>,
        until: Instant,
        trace: &mut RunStats,
    ) -> Result<RunResult, Failure> {
        let scope = self.scope(&event.context.invoked_function_arn).await?;
        let covered_since = self.process().covered_since;
        let batch = event::read(&event.payload);
        let is_sweep = |message: &Message| matches!(&message.trigger, Ok(trigger) if matches!(trigger.action, Action::Sweep(_)));
        let patience = if batch.messages.iter().any(is_sweep) {
            Timeouts::SWEEP
        } else {
            Timeouts::EVENT
        }
        .until(Some(until));
        let source = self.clients.source(&scope, patience);
        let sink = self.clients.hub(&scope, patience);
        let context = Arc::new(Context {
            scope,
            passed: self.environment.passed,
            related_requirements: self.environment.policy.related_requirements.clone(),
        });
        let pipeline = Engine {
            until: Some(until),
            covered_since,
            ..Engine::new(&self.environment.policy, context, &source, &sink)
        };
        Ok(pipeline.handle(&batch, trace).await)
    }

    /// The answer to Lambda. Every failure is logged; what Lambda is told depends on what the events came in.
    fn answer(&self, mut handled: RunResult, summary: &Summary<'_>) -> Result<Answer, Diagnostic> {
        handled.outcome.ignored = handled.outcome.ignored.map(|why| shown(&why, TEXT));
        if handled.swept_since.is_some() {
            self.process().covered_since = handled.swept_since;
        }
        for failed in handled.failures.iter().take(LOGGED) {
            summary.log_failure(&Failure::Engine(Arc::clone(&failed.error)));
        }
        let more = handled.failures.len().saturating_sub(LOGGED);
        if more > 0 {
            error!(
                request_id = summary.request_id,
                more, "more messages failed"
            );
        }
        if handled.failures.is_empty() {
            summary.log(&handled.outcome);
        }
        let ids: Option<BTreeSet<_>> = handled
            .failures
            .iter()
            .map(|failed| failed.sqs_id.clone())
            .collect();
        match (handled.shape, ids) {
            (Shape::Sqs, Some(ids)) => {
                let mut response = SqsBatchResponse::default();
                ids.into_iter().for_each(|id| response.add_failure(id));
                Ok(Answer::Messages(response))
            }
            // A message of SQS that has no id cannot be named: the whole batch has to come again.
            _ => Ok(Answer::Outcome(handled.result().map_err(Failure::Engine)?)),
        }
    }

    fn process(&self) -> MutexGuard<'_, Process> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log_metrics(&self, trace: &RunStats) {
        let is_cold = !std::mem::replace(&mut self.process().is_warm, true);
        if let Some(name) = &self.environment.metrics {
            // CloudWatch reads a line of its own; where stdout is closed nobody does.
            let _ = writeln!(
                std::io::stdout(),
                "{}",
                trace.metrics(name, is_cold, Timestamp::now())
            );
        }
    }

    /// Account, Region and partition of the function. An emulator may give no ARN at all: then those of the
    /// credentials, asked for once.
    async fn scope(&self, arn: &str) -> Result<Scope, Failure> {
        if is_function_arn(arn) {
            return scope_of(arn).ok_or_else(|| Failure::NoFunction(arn.to_owned()));
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

/// How long the invocation may go on, before what is left is needed to answer.
fn time_left(deadline_ms: u64) -> Duration {
    let deadline = Duration::from_millis(deadline_ms);
    let now =
        Duration::from_millis(u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default());
    let left = deadline.saturating_sub(now);
    left.saturating_sub(MARGIN.min(left / 2))
}

/// An invocation that did not come to its end.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Engine(Arc<EngineError>),
    #[error("the time of the invocation ran out before everything was evaluated and published")]
    OutOfTime,
    #[error("{0:?} is not the ARN of a function: it does not tell account and Region")]
    NoFunction(String),
    #[error("the function does not know its account and Region: {}", describe(.0))]
    Scope(#[from] AccountError),
}

impl Failure {
    fn error_type(&self) -> &'static str {
        let is_retryable = match self {
            Self::Engine(error) => error.is_retryable(),
            Self::OutOfTime => true,
            Self::NoFunction(_) => false,
            Self::Scope(error) => error.is_retryable(),
        };
        if is_retryable {
            RETRYABLE
        } else {
            "NonRetryable"
        }
    }
}

impl From<Failure> for Diagnostic {
    fn from(failure: Failure) -> Self {
        Self {
            error_type: failure.error_type().to_owned(),
            error_message: shown(&failure.to_string(), TEXT),
        }
    }
}

/// The line that every invocation logs.
struct Summary<'a> {
    trace: &'a RunStats,
    request_id: &'a str,
    total: Duration,
}

impl Summary<'_> {
    fn log(&self, outcome: &Outcome) {
        let Outcome {
            evaluated,
            passed,
            failed,
            exempt,
            archived,
            ignored,
        } = outcome;
        info!(
            request_id = self.request_id,
            event = self.trace.event.as_deref().map(name).as_deref(),
            event_id = self.trace.event_id.as_deref().map(name).as_deref(),
            groups = self.trace.verdicts(),
            evaluated,
            passed,
            failed,
            exempt,
            archived,
            ignored = ignored.as_deref(),
            fetch_ms = milliseconds(self.trace.fetching),
            publish_ms = milliseconds(self.trace.publishing),
            total_ms = milliseconds(self.total),
            "done"
        );
    }

    fn log_failure(&self, failure: &Failure) {
        error!(
            request_id = self.request_id,
            event = self.trace.event.as_deref().map(name).as_deref(),
            event_id = self.trace.event_id.as_deref().map(name).as_deref(),
            groups = self.trace.verdicts(),
            error_type = failure.error_type(),
            error = %shown(&failure.to_string(), TEXT),
            fetch_ms = milliseconds(self.trace.fetching),
            publish_ms = milliseconds(self.trace.publishing),
            total_ms = milliseconds(self.total),
            "failed"
        );
    }
}

/// A text that others chose, on one line and no longer than that.
fn shown(text: &str, most: usize) -> String {
    truncate(&escape(text), most).into_owned()
}

fn name(text: &str) -> String {
    shown(text, NAME)
}

fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Environment, String> {
        let variables: HashMap<_, _> = variables.iter().copied().collect();
        Environment::read(
            |name| variables.get(name).map(|value| (*value).to_owned()),
            None,
        )
        .map_err(|error| error.to_string())
    }

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
    fn wrong_variables_fail_with_their_names() {
        assert_eq!(
            read(&[]).unwrap(),
            Environment {
                policy: Settings::default(),
                passed: Passed::Archive,
                prewarm: true,
                metrics: None,
            }
        );
        let environment = read(&[(PASSED, "active"), (PREWARM, "off"), (POLICY_FILE, "")]).unwrap();
        assert_eq!(
            (environment.passed, environment.prewarm),
            (Passed::Active, false)
        );
        for (name, value) in [
            (PASSED, "Active"),
            (PREWARM, "yes"),
            (POLICY_FILE, "/nowhere/policy.toml"),
        ] {
            let error = read(&[(name, value)]).unwrap_err();
            assert!(error.contains(name), "{error}");
        }
    }

    #[test]
    fn the_settings_beside_the_binary_are_read() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("policy.toml"), "severity = \"HIGH\"").unwrap();
        let environment = Environment::read(|_| None, Some(folder.path())).unwrap();
        assert_eq!(environment.policy.severity, crate::policy::Severity::High);
        std::fs::write(folder.path().join("policy.toml"), "severity = 3").unwrap();
        let error = Environment::read(|_| None, Some(folder.path()))
            .unwrap_err()
            .to_string();
        assert!(error.contains("policy.toml:1: severity"), "{error}");
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
