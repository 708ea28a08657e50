//! `replay`: the function's own code on an event, with a file in place of EC2 and stdout in place of Security Hub.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use serde_json::Value;
use sg_trust::finding::{Context, Passed, Scope};
use sg_trust::model::{AccountId, Partition, Region};
use sg_trust::pipeline::{Pipeline, PipelineError};
use sg_trust::policy::Policy;
use sg_trust::sink::Writer;
use sg_trust::source::Snapshot;
use sg_trust::telemetry::Trace;
use sg_trust::trigger;

use crate::check::{FormatArgument, parse_region, place_of, region_of_environment};
use crate::terminal::{Outcome, Terminal, open, read_event};

const EXAMPLES: &str = "\
Examples:
  sg-trust replay events/authorize-ingress.json --groups events/account.json
  sg-trust replay events/authorize-ingress.json --groups events/account.json --format asff
  sg-trust replay events/schedule.json --groups groups.json --format json
  sg-trust replay event.json --live
  sg-trust replay event.json --live --publish

An event that is ignored exits 0 with the reason on stderr. Account and Region are the event's; where it has none, the
snapshot's.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// A file with an event; `-` is standard input.
    #[arg(value_name = "EVENT")]
    event: String,
    /// A snapshot of the account: the output of `aws ec2 describe-security-groups`.
    #[arg(long, value_name = "FILE", required_unless_present = "live")]
    groups: Option<String>,
    /// Against the real account, with the credentials of the environment, a profile or IAM Identity Center.
    #[arg(long, conflicts_with = "groups")]
    live: bool,
    /// Publishes in Security Hub what it prints.
    #[arg(long, requires = "live")]
    publish: bool,
    /// How to print what would be published.
    #[arg(long, value_enum, default_value_t = ReplayFormat::Table)]
    format: ReplayFormat,
    /// The Region, where neither the event nor the snapshot names one; without it AWS_REGION. With --live it goes before
    /// the event's.
    #[arg(long, value_name = "REGION", value_parser = parse_region)]
    region: Option<Region>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum ReplayFormat {
    /// Columns for people.
    Table,
    /// One document: groups and a summary.
    Json,
    /// One array of Security Hub findings.
    Asff,
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
    policy: &Policy,
    terminal: &mut Terminal,
) -> anyhow::Result<Outcome> {
    if arguments.groups.as_deref() == Some("-") && arguments.event == "-" {
        bail!("standard input cannot be both the event and the groups");
    }
    let (event_name, event) = read_event(&arguments.event)?;
    match &arguments.groups {
        Some(groups) => offline(arguments, groups, event_name, &event, policy, terminal),
        None => live(arguments, event_name, &event, policy, terminal),
    }
}

fn offline(
    arguments: &Arguments,
    groups: &str,
    event_name: &str,
    event: &Value,
    policy: &Policy,
    terminal: &mut Terminal,
) -> anyhow::Result<Outcome> {
    let (name, reader) = open(groups)?;
    let snapshot = Snapshot::read(name, reader, Timestamp::now())?;
    let scope = scope(arguments, event, &snapshot).with_context(|| event_name.to_owned())?;
    let snapshot = snapshot.seen_by(scope.account.clone());
    let context = Context {
        scope,
        passed: Passed::default(),
        related_requirements: policy.related_requirements.clone(),
    };
    let mut out = Vec::new();
    let sink = Writer::new(FormatArgument::from(arguments.format).into(), &mut out);
    let pipeline = Pipeline {
        policy,
        context: Arc::new(context),
        source: &snapshot,
        sink: &sink,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    let handled = runtime.block_on(pipeline.handle(event, &mut Trace::default()));
    let summary = sink.finish()?;
    report(
        arguments,
        event_name,
        &out,
        handled,
        summary.failed,
        terminal,
    )
}

#[cfg(not(feature = "aws"))]
fn live(
    _: &Arguments,
    _: &str,
    _: &Value,
    _: &Policy,
    _: &mut Terminal,
) -> anyhow::Result<Outcome> {
    bail!("{}", crate::terminal::NOT_BUILT_IN)
}

#[cfg(feature = "aws")]
fn live(
    arguments: &Arguments,
    event_name: &str,
    event: &Value,
    policy: &Policy,
    terminal: &mut Terminal,
) -> anyhow::Result<Outcome> {
    use sg_trust::aws::Patience;
    use sg_trust::sink::Both;

    use crate::live::Account;

    let of_event = trigger::classify(event)
        .with_context(|| event_name.to_owned())?
        .region;
    let region = arguments.region.clone().or(of_event);
    let mut out = Vec::new();
    let sink = Writer::new(FormatArgument::from(arguments.format).into(), &mut out);
    let handled = crate::live::runtime()?.block_on(async {
        let account = Account::find(region.as_ref()).await?;
        let region = account
            .region()
            .context("no Region: give --region, or set AWS_REGION")?;
        let place = account.place(region, policy, Patience::SWEEP);
        let mut trace = Trace::default();
        let both = Both(&sink, &place.hub);
        anyhow::Ok(if arguments.publish {
            Pipeline {
                policy,
                context: place.context,
                source: &place.source,
                sink: &both,
            }
            .handle(event, &mut trace)
            .await
        } else {
            Pipeline {
                policy,
                context: place.context,
                source: &place.source,
                sink: &sink,
            }
            .handle(event, &mut trace)
            .await
        })
    })?;
    let summary = sink.finish()?;
    report(
        arguments,
        event_name,
        &out,
        handled,
        summary.failed,
        terminal,
    )
}

/// Prints what came of an event.
fn report(
    arguments: &Arguments,
    event_name: &str,
    out: &[u8],
    handled: Result<sg_trust::pipeline::Outcome, PipelineError>,
    failed: u64,
    terminal: &mut Terminal,
) -> anyhow::Result<Outcome> {
    let text = std::str::from_utf8(out)?;
    let ignored = handled
        .as_ref()
        .ok()
        .and_then(|outcome| outcome.ignored.as_ref());
    match (arguments.format, ignored) {
        (ReplayFormat::Table, None) => terminal.print_coloured(text)?,
        (ReplayFormat::Table, Some(_)) => {}
        _ => terminal.print(text)?,
    }
    if let Some(reason) = ignored {
        terminal.say(&format!("{event_name}: ignored: {reason}"));
    }
    if let Err(error) = handled {
        terminal.complain(&format!("{event_name}: {:#}", anyhow::Error::from(error)));
    }
    Ok(Outcome::of_failed(failed))
}

/// Where the function would run: in the event's account and Region, else in the snapshot's.
fn scope(arguments: &Arguments, event: &Value, snapshot: &Snapshot) -> anyhow::Result<Scope> {
    let trigger = trigger::classify(event)?;
    let owners: BTreeSet<&AccountId> = snapshot
        .groups()
        .iter()
        .filter_map(|group| group.owner_id.as_ref())
        .collect();
    let account = match (trigger.account, owners.len()) {
        (Some(account), _) => account,
        (None, 1) => owners
            .into_iter()
            .next()
            .cloned()
            .context("the snapshot has no owner")?,
        (None, 0) => bail!(
            "neither the event nor the snapshot says which account it is (no account, no OwnerId)"
        ),
        (None, _) => bail!(
            "the event names no account, and the snapshot has groups of {} accounts",
            owners.len()
        ),
    };
    let of_snapshot = snapshot.groups().iter().find_map(place_of);
    let of_event = trigger.region.map(|region| {
        let of_same = of_snapshot
            .clone()
            .filter(|(_, of_groups)| *of_groups == region);
        of_same.unwrap_or_else(|| (Partition::of(&region), region))
    });
    let other = match arguments.region.clone() {
        Some(region) => Some(region),
        None if of_event.is_none() && of_snapshot.is_none() => region_of_environment()?,
        None => None,
    };
    let of_other = other.map(|region| (Partition::of(&region), region));
    let (partition, region) = of_event.or(of_snapshot).or(of_other).context(
        "neither the event nor the snapshot names a Region: give --region, or set AWS_REGION",
    )?;
    Ok(Scope {
        partition,
        region,
        account,
    })
}
