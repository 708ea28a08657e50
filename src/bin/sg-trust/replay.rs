//! `replay`: the function's own code on an event, with a file in place of EC2 and stdout in place of Security Hub.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use sg_trust::engine::store::DiscardStore;
use sg_trust::engine::{Engine, RunResult};
use sg_trust::event::{self, Batch, Trigger};
use sg_trust::finding::{Context, Finding, Passed};
use sg_trust::input::Snapshot;
use sg_trust::model::Scope;
use sg_trust::model::{AccountId, Region};
use sg_trust::policy::Settings;

use crate::check::FormatArgument;
use crate::input::{self, read_event};
use crate::output::Writer;
use crate::region::{parse_region, place_of, region_of_environment, with_partition};
use crate::terminal::{Outcome, Terminal};

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
    policy: &Settings,
    terminal: &mut Terminal,
) -> anyhow::Result<Outcome> {
    if arguments.groups.as_deref() == Some("-") && arguments.event == "-" {
        bail!("standard input cannot be both the event and the groups");
    }
    let (event_name, event) = read_event(&arguments.event)?;
    let batch = event::read(&event);
    let mut out = Vec::new();
    let writer = Writer::new(FormatArgument::from(arguments.format).into(), &mut out);
    let handled = match &arguments.groups {
        Some(groups) => offline(arguments, groups, &batch, policy, &writer),
        None => live(arguments, &batch, policy, &writer),
    };
    let handled = handled.with_context(|| event_name.to_owned())?;
    let summary = writer.finish()?;
    for warning in handled.stats.all_warnings() {
        terminal.say(warning);
    }
    report(
        arguments,
        event_name,
        &out,
        handled,
        summary.failed,
        terminal,
    )
}

type Out<'a> = Writer<&'a mut Vec<u8>>;

fn offline(
    arguments: &Arguments,
    groups: &str,
    batch: &Batch,
    policy: &Settings,
    writer: &Out<'_>,
) -> anyhow::Result<RunResult> {
    let (_, snapshot) = input::snapshot(groups)?;
    let scope = scope(arguments, batch, &snapshot)?;
    let snapshot = snapshot.seen_by(scope.account.clone());
    let context = Arc::new(Context {
        scope,
        passed: Passed::default(),
        related_requirements: policy.related_requirements.clone(),
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    Ok(match arguments.format {
        // What would stand in the hub, which a sweep does not tell what it need not know.
        ReplayFormat::Asff => {
            runtime.block_on(Engine::new(policy, context, &snapshot, writer).handle(batch))
        }
        ReplayFormat::Table | ReplayFormat::Json => {
            let observer = |finding: &Finding| writer.write(std::slice::from_ref(finding));
            let pipeline = Engine::new(policy, context, &snapshot, &DiscardStore);
            runtime.block_on(
                Engine {
                    observer: Some(&observer),
                    ..pipeline
                }
                .handle(batch),
            )
        }
    })
}

#[cfg(not(feature = "aws"))]
fn live(_: &Arguments, _: &Batch, _: &Settings, _: &Out<'_>) -> anyhow::Result<RunResult> {
    bail!("{}", crate::terminal::NOT_BUILT_IN)
}

#[cfg(feature = "aws")]
fn live(
    arguments: &Arguments,
    batch: &Batch,
    policy: &Settings,
    writer: &Out<'_>,
) -> anyhow::Result<RunResult> {
    use sg_trust::aws::{Account, Timeouts};

    let of_events = triggers(batch).find_map(|trigger| trigger.region.clone());
    let region = arguments.region.clone().or(of_events);
    let observer = |finding: &Finding| writer.write(std::slice::from_ref(finding));
    sg_trust::aws::block_on(async {
        let account = Account::sign_in(region.as_ref()).await?;
        let context = crate::live::context(&account, policy);
        let source = account.source(Timeouts::SWEEP);
        Ok(if arguments.publish {
            let store = account.store(Timeouts::SWEEP).await?;
            let pipeline = Engine::new(policy, context, &source, &store);
            Engine {
                observer: Some(&observer),
                ..pipeline
            }
            .handle(batch)
            .await
        } else {
            let pipeline = Engine::new(policy, context, &source, &DiscardStore);
            Engine {
                observer: Some(&observer),
                ..pipeline
            }
            .handle(batch)
            .await
        })
    })?
}

fn triggers(batch: &Batch) -> impl Iterator<Item = &Trigger> {
    batch
        .messages
        .iter()
        .filter_map(|message| message.trigger.as_ref().ok())
}

/// Prints what came of an event.
fn report(
    arguments: &Arguments,
    event_name: &str,
    out: &[u8],
    handled: RunResult,
    failed: u64,
    terminal: &mut Terminal,
) -> anyhow::Result<Outcome> {
    let text = std::str::from_utf8(out)?;
    let ignored = handled.outcome.ignored.as_ref();
    match (arguments.format, ignored) {
        (ReplayFormat::Table, None) => terminal.print_coloured(text)?,
        (ReplayFormat::Table, Some(_)) => {}
        _ => terminal.print(text)?,
    }
    if let Some(reason) = ignored {
        terminal.say(&format!("{event_name}: ignored: {reason}"));
    }
    for failed in &handled.failures {
        terminal.complain(&format!("{event_name}: {}", failed.error));
    }
    Ok(Outcome::of_failed(failed))
}

/// Where the function would run: in the event's account and Region, else in the snapshot's.
fn scope(arguments: &Arguments, batch: &Batch, snapshot: &Snapshot) -> anyhow::Result<Scope> {
    let owners: BTreeSet<&AccountId> = snapshot
        .groups()
        .iter()
        .filter_map(|group| group.owner_id.as_ref())
        .collect();
    let account = match triggers(batch).find_map(|trigger| trigger.account.clone()) {
        Some(account) if owners.is_empty() || owners.contains(&account) => account,
        Some(account) => bail!(
            "the event is of account {account}, and the snapshot has no group of it: it is another account's"
        ),
        None if owners.len() == 1 => owners
            .into_iter()
            .next()
            .cloned()
            .context("the snapshot has no owner")?,
        None if owners.is_empty() => {
            bail!(
                "neither the event nor the snapshot says which account it is (no account, no OwnerId)"
            )
        }
        None => bail!(
            "the event names no account, and the snapshot has groups of {} accounts",
            owners.len()
        ),
    };
    let places: BTreeSet<_> = snapshot.groups().iter().filter_map(place_of).collect();
    let of_snapshot = places.first().cloned();
    let of_events = triggers(batch).find_map(|trigger| trigger.region.clone());
    let (partition, region) = match (of_events, of_snapshot) {
        (Some(region), Some(_)) => places.into_iter().find(|(_, of_groups)| *of_groups == region).with_context(|| {
            format!("the event is of region {region}, and the snapshot has no group there: it is another Region's")
        })?,
        (Some(region), None) => with_partition(&parse_region(region.as_str()).map_err(|why| anyhow!("region {region:?}: {why}"))?),
        (None, Some(place)) if places.len() == 1 => place,
        (None, Some(_)) => bail!("the event names no Region, and the snapshot has groups of {} Regions", places.len()),
        (None, None) => match arguments.region.clone() {
            Some(region) => with_partition(&region),
            None => region_of_environment()?
                .map(|region| with_partition(&region))
                .context("neither the event nor the snapshot names a Region: give --region, or set AWS_REGION")?,
        },
    };
    Ok(Scope {
        partition,
        region,
        account,
    })
}
