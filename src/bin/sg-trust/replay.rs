//! `replay`: the function's own code on an event, with a file in place of EC2 and stdout in place of Security Hub.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use sg_trust::engine::route::{Part, Routed};
use sg_trust::engine::store::DiscardStore;
use sg_trust::engine::{Engine, EngineError, RunResult};
use sg_trust::event::Batch;
use sg_trust::finding::{Context, Finding, Passed};
use sg_trust::input::Snapshot;
use sg_trust::model::{AccountId, Region};
use sg_trust::policy::Settings;
use sg_trust::report::prose::describe_alert;

use crate::output::{FormatArgument, Writer};
use crate::region::{parse_region, place_of};
use crate::scope::{Given, Place, parse_account};
use crate::terminal::{Outcome, Terminal};
use crate::{events, input};

mod organisation;

const EXAMPLES: &str = "\
Examples:
  sg-trust replay events/authorize-ingress.json --groups events/account.json
  sg-trust replay events/authorize-ingress.json --groups events/account.json --format asff
  sg-trust replay events/schedule.json --groups groups.json --format json
  sg-trust replay events/sweep.json --groups events/account.json --account 123456789012
  sg-trust replay events/central.json --groups events/organisation
  sg-trust replay event.json --live
  sg-trust replay event.json --live --publish

An event that is ignored exits 0 with the reason on stderr. Account and Region are the event's; where it has none, \
those of the groups. A directory of snapshots stands for the accounts of an organisation, and the replay for the \
function that works for all of them.";

const USAGE: &str = "sg-trust replay [OPTIONS] --groups <FILE> <EVENT>
       sg-trust replay [OPTIONS] --live [--publish] <EVENT>";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, override_usage = USAGE)]
pub(crate) struct Arguments {
    /// A file with an event; `-` is standard input.
    #[arg(value_name = "EVENT")]
    event: String,
    /// The groups of the account: the output of `aws ec2 describe-security-groups`. A directory has the groups of many
    /// accounts.
    #[arg(long, value_name = "FILE", required_unless_present = "live")]
    groups: Option<String>,
    /// Runs against the real account, with the credentials of the environment, a profile or IAM Identity Center.
    #[arg(long, conflicts_with = "groups")]
    live: bool,
    /// Publishes in Security Hub what it prints.
    #[arg(long, requires = "live")]
    publish: bool,
    /// How to print what would be published.
    #[arg(long, value_enum, default_value_t = ReplayFormat::Table)]
    format: ReplayFormat,
    /// The account, where neither the event nor the groups name one.
    #[arg(long, value_name = "ACCOUNT", conflicts_with = "live", value_parser = parse_account)]
    account: Option<AccountId>,
    /// The Region, where neither the event nor the groups name one; without it AWS_REGION, then AWS_DEFAULT_REGION. Only
    /// ASFF needs one. With --live it goes before the event's.
    #[arg(long, value_name = "REGION", value_parser = parse_region)]
    region: Option<Region>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ReplayFormat {
    /// Columns for people.
    Table,
    /// One document: groups and a summary.
    Json,
    /// One array of Security Hub findings.
    Asff,
}

impl Arguments {
    fn writer<'o>(&self, out: &'o mut Vec<u8>) -> Writer<&'o mut Vec<u8>> {
        Writer::new(FormatArgument::from(self.format).into(), out)
    }
}

impl From<ReplayFormat> for FormatArgument {
    fn from(format: ReplayFormat) -> Self {
        match format {
            ReplayFormat::Table => Self::Table,
            ReplayFormat::Json => Self::Json,
            ReplayFormat::Asff => Self::Asff,
        }
    }
}

pub(crate) fn run(
    arguments: &Arguments,
    policy: &Settings,
    terminal: &mut Terminal,
) -> anyhow::Result<Outcome> {
    if arguments.groups.as_deref() == Some("-") && arguments.event == "-" {
        bail!("standard input cannot be both the event and the groups");
    }
    let (name, batch) = events::read(&arguments.event)?;
    let unreadable = events::complain(name, &batch, terminal);
    if unreadable > 0 && unreadable == batch.messages.len() {
        return Ok(Outcome::Nothing);
    }
    let mut out = Vec::new();
    let replayed = match &arguments.groups {
        Some(groups) if Path::new(groups).is_dir() => {
            organisation::replay(arguments, groups, &batch, policy, &mut out)
        }
        Some(groups) => offline(arguments, groups, (name, &batch), policy, &mut out),
        None => live(arguments, (name, &batch), policy, &mut out),
    };
    let (result, failed) = replayed?;
    print(arguments, name, &out, &result, terminal)?;
    Ok(Outcome::of_failed(failed))
}

/// What the engine did, and how many groups failed.
type Replayed = (RunResult, u64);

fn offline(
    arguments: &Arguments,
    groups: &str,
    (name, batch): (&str, &Batch),
    policy: &Settings,
    out: &mut Vec<u8>,
) -> anyhow::Result<Replayed> {
    let (_, snapshot) = input::snapshot(groups)?;
    let given = Given {
        account: arguments.account.as_ref(),
        region: arguments.region.as_ref(),
        needs_region: arguments.format == ReplayFormat::Asff,
    };
    let Place {
        scope,
        is_region_known,
    } = Place::find(&given, batch, &snapshot).with_context(|| name.to_owned())?;
    let snapshot = snapshot
        .only(|group| place_of(group).is_none_or(|(_, own)| own == scope.region))
        .seen_by(scope.account.clone());
    let writer = arguments.writer(out);
    let writer = if is_region_known {
        writer
    } else {
        writer.without_region()
    };
    let routed = Routed::new(batch.clone(), &scope, None);
    let results = routed.parts.iter();
    let results: Vec<_> = results
        .map(|part| part_of(arguments, part, &snapshot, policy, &writer))
        .collect::<Result<_, _>>()?;
    Ok((routed.join(results), writer.finish()?.failed))
}

/// What the function would make of the messages for one account.
fn part_of(
    arguments: &Arguments,
    part: &Part,
    snapshot: &Snapshot,
    policy: &Settings,
    writer: &Writer<&mut Vec<u8>>,
) -> anyhow::Result<RunResult> {
    let context = Arc::new(Context {
        scope: part.scope.clone(),
        passed: Passed::default(),
        related_requirements: policy.related_requirements.clone(),
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    let result = match arguments.format {
        // What would stand in the hub, which a sweep does not tell what it need not know.
        ReplayFormat::Asff => {
            runtime.block_on(Engine::new(policy, context, snapshot, writer).handle(&part.batch))
        }
        ReplayFormat::Table | ReplayFormat::Json => {
            let observer = |finding: &Finding| writer.write(std::slice::from_ref(finding));
            let engine = Engine {
                observer: Some(&observer),
                ..Engine::new(policy, context, snapshot, &DiscardStore)
            };
            runtime.block_on(engine.handle(&part.batch))
        }
    };
    Ok(part.renumbered(result))
}

#[cfg(not(feature = "aws"))]
fn live(
    _: &Arguments,
    _: (&str, &Batch),
    _: &Settings,
    _: &mut Vec<u8>,
) -> anyhow::Result<Replayed> {
    bail!("{}", crate::terminal::NOT_BUILT_IN)
}

#[cfg(feature = "aws")]
fn live(
    arguments: &Arguments,
    (name, batch): (&str, &Batch),
    policy: &Settings,
    out: &mut Vec<u8>,
) -> anyhow::Result<Replayed> {
    use sg_trust::aws::{Account, Timeouts};

    let of_events = batch.triggers().find_map(|trigger| trigger.region.clone());
    let region = arguments.region.clone().or(of_events);
    let writer = arguments.writer(out);
    let observer = |finding: &Finding| writer.write(std::slice::from_ref(finding));
    let result = sg_trust::aws::block_on(async {
        let account = Account::sign_in(region.as_ref()).await?;
        let context = crate::live::context(&account, policy)?;
        let source = account.source(Timeouts::SWEEP);
        let routed = Routed::new(batch.clone(), account.scope(), None);
        let mut results = Vec::new();
        for part in &routed.parts {
            let context = Arc::clone(&context);
            let result = if arguments.publish {
                let store = account.store(Timeouts::SWEEP).await?;
                let engine = Engine {
                    observer: Some(&observer),
                    ..Engine::new(policy, context, &source, &store)
                };
                engine.handle(&part.batch).await
            } else {
                let engine = Engine {
                    observer: Some(&observer),
                    ..Engine::new(policy, context, &source, &DiscardStore)
                };
                engine.handle(&part.batch).await
            };
            results.push(part.renumbered(result));
        }
        anyhow::Ok(routed.join(results))
    })?;
    let result = result.with_context(|| name.to_owned())?;
    Ok((result, writer.finish()?.failed))
}

/// Prints what came of the events.
fn print(
    arguments: &Arguments,
    name: &str,
    out: &[u8],
    result: &RunResult,
    terminal: &mut Terminal,
) -> anyhow::Result<()> {
    for alert in &result.stats.exemptions {
        terminal.say(&describe_alert(alert));
    }
    for warning in &result.stats.warnings {
        terminal.say(warning);
    }
    let text = std::str::from_utf8(out)?;
    let ignored = result.outcome.ignored.as_ref();
    match (arguments.format, ignored) {
        (ReplayFormat::Table, None) => terminal.print_coloured(text)?,
        (ReplayFormat::Table, Some(_)) => {}
        _ => terminal.print(text)?,
    }
    if let Some(reason) = ignored {
        terminal.say(&format!("{name}: ignored: {reason}"));
    }
    for failed in &result.failures {
        // What cannot be read was said before.
        if !matches!(*failed.error, EngineError::Event(_)) {
            terminal.complain(&format!("{name}: {}", failed.error));
        }
    }
    Ok(())
}
