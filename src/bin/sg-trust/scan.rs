//! `scan`: evaluates the live account, and keeps what it read.

use std::path::PathBuf;

use sg_trust::model::Region;
use sg_trust::policy::Settings;

use crate::output::FormatArguments;
use crate::region::parse_region;
use crate::terminal::{Outcome, Terminal};

const EXAMPLES: &str = "\
Examples:
  sg-trust scan
  AWS_PROFILE=audit sg-trust scan --region eu-west-1 --region us-east-1 --format json
  sg-trust scan --all-regions
  sg-trust scan --publish
  sg-trust scan --all-regions --save organisation --interfaces && sg-trust graph organisation

Credentials are the environment's, a profile's (AWS_PROFILE), or those of IAM Identity Center (`aws sso login`). \
SG_TRUST_PASSED=active keeps findings of groups that passed active, as it does for the function. Needs \
ec2:DescribeSecurityGroups; with the setting rule_ids ec2:DescribeSecurityGroupRules; with --all-regions \
ec2:DescribeRegions; with --interfaces ec2:DescribeNetworkInterfaces; with --publish securityhub:GetFindings and securityhub:BatchImportFindings.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The Regions; without any, that of the environment or the profile.
    #[arg(long = "region", value_name = "REGION", value_parser = parse_region)]
    regions: Vec<Region>,
    /// Every Region that is enabled for the account.
    #[arg(long, conflicts_with = "regions")]
    all_regions: bool,
    /// Publishes the findings in Security Hub, as the function's sweep does.
    #[arg(long)]
    publish: bool,
    /// Keeps the groups of each Region in DIR/ACCOUNT_REGION.json, which every other command reads. A Region that could
    /// not be read whole loses its file.
    #[arg(long, value_name = "DIR")]
    save: Option<PathBuf>,
    /// Keeps the network interfaces too: `graph` and `reach` learn from them who carries a group.
    #[arg(long, requires = "save")]
    interfaces: bool,
    #[command(flatten)]
    format: FormatArguments,
}

#[cfg(not(feature = "aws"))]
pub(crate) fn run(_: &Arguments, _: &Settings, _: &mut Terminal) -> anyhow::Result<Outcome> {
    anyhow::bail!("{}", crate::terminal::NOT_BUILT_IN)
}

#[cfg(feature = "aws")]
pub(crate) fn run(
    arguments: &Arguments,
    policy: &Settings,
    terminal: &mut Terminal,
) -> anyhow::Result<Outcome> {
    sg_trust::aws::block_on(scan(arguments, policy, terminal))?
}

#[cfg(feature = "aws")]
async fn scan(
    arguments: &Arguments,
    policy: &Settings,
    terminal: &mut Terminal,
) -> anyhow::Result<Outcome> {
    use std::collections::BTreeSet;

    use jiff::Timestamp;
    use sg_trust::aws::{Account, Timeouts};
    use sg_trust::finding::Finding;
    use sg_trust::input::SavedScope;
    use sg_trust::policy::day_of;
    use sg_trust::policy::exemption::{self, Usage};
    use sg_trust::report::Format;
    use sg_trust::report::prose::describe_alert;

    use crate::output::Writer;
    use crate::recorder::{Recorder, keep};

    let format = arguments.format.format()?;
    let account = Account::sign_in(arguments.regions.first()).await?;
    let regions = match (&arguments.regions, arguments.all_regions) {
        (_, true) => account.enabled_regions().await?,
        (given, false) if !given.is_empty() => given.clone(),
        _ => vec![account.scope().region.clone()],
    };
    anyhow::ensure!(
        !regions.is_empty(),
        "no Region to scan: EC2 names none that is enabled for the account"
    );
    let bar = indicatif::ProgressBar::new_spinner();
    bar.enable_steady_tick(std::time::Duration::from_millis(120));
    let mut failures = Vec::new();
    let mut usage = Usage::default();
    let mut warnings = Vec::new();
    let mut kept = Vec::new();
    let writer = Writer::new(format, terminal.results(format == Format::Table));
    for region in regions {
        let account = account.in_region(&region);
        let file = match &arguments.save {
            Some(directory) => Some(SavedScope::new(directory, account.scope())?),
            None => None,
        };
        let source = Recorder::new(
            account.source(Timeouts::SWEEP),
            account.scope(),
            file.is_some(),
        );
        let observer = |finding: &Finding| {
            bar.inc(1);
            bar.set_message(format!(
                "{region}: {} security groups evaluated",
                bar.position()
            ));
            bar.suspend(|| writer.write(std::slice::from_ref(finding)))
        };
        let swept = async {
            let run = sweep(&account, &source, policy, arguments.publish, &observer).await?;
            usage.join(&run.stats.usage);
            let of_run = run.stats.warnings.iter();
            warnings.extend(of_run.map(|why| format!("{region}: {why}")));
            run.end?;
            if let Some(file) = &file {
                kept.push(keep(&source, file, arguments.interfaces).await?);
            }
            anyhow::Ok(())
        };
        if let Err(error) = swept.await {
            failures.push(format!("{region}: {error:#}"));
            // What an earlier scan has kept would pass for what is there now.
            match file.map(|file| (file.remove(), file)) {
                Some((Ok(true), file)) => failures.push(format!(
                    "{region}: {} of an earlier scan was removed",
                    file.path().display()
                )),
                Some((Err(error), _)) => {
                    failures.push(format!("{region}: {:#}", anyhow::Error::from(error)))
                }
                Some((Ok(false), _)) | None => {}
            }
        }
    }
    bar.finish_and_clear();
    let summary = writer.finish()?;
    // Where a Region failed, nobody knows what an exemption would have matched there.
    let usage = failures.is_empty().then_some(&usage);
    let today = day_of(Timestamp::now());
    let accounts = BTreeSet::from([account.scope().account.clone()]);
    let alerts = exemption::alerts(&policy.exemptions, Some(&accounts), usage, today);
    warnings.extend(alerts.iter().map(describe_alert));
    for warning in kept.into_iter().chain(warnings) {
        terminal.say(&warning);
    }
    for failure in failures {
        terminal.complain(&failure);
    }
    Ok(Outcome::of_failed(summary.failed))
}

#[cfg(feature = "aws")]
async fn sweep(
    account: &sg_trust::aws::Account,
    source: &crate::recorder::Recorder<sg_trust::aws::ec2::Ec2>,
    policy: &Settings,
    publish: bool,
    observer: &sg_trust::engine::Observer<'_>,
) -> anyhow::Result<sg_trust::engine::SweepRun> {
    use std::collections::BTreeSet;

    use sg_trust::aws::Timeouts;
    use sg_trust::engine::Engine;
    use sg_trust::engine::store::DiscardStore;

    let context = crate::live::context(account, policy)?;
    if publish {
        let store = account.store(Timeouts::SWEEP).await?;
        let engine = Engine::new(policy, context, source, &store);
        let engine = Engine {
            observer: Some(observer),
            ..engine
        };
        Ok(engine.sweep(&BTreeSet::new()).await)
    } else {
        let engine = Engine::new(policy, context, source, &DiscardStore);
        let engine = Engine {
            observer: Some(observer),
            ..engine
        };
        Ok(engine.sweep(&BTreeSet::new()).await)
    }
}
