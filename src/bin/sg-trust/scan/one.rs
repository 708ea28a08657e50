//! One account in one Region.

use std::collections::BTreeSet;
use std::time::Duration;

use indicatif::ProgressBar;
use jiff::Timestamp;
use sg_trust::aws::ec2::Ec2;
use sg_trust::aws::{Account, Timeouts};
use sg_trust::engine::store::DiscardStore;
use sg_trust::engine::{Engine, Observer, SweepRun};
use sg_trust::input::SavedScope;
use sg_trust::model::{AccountId, Region};
use sg_trust::policy::exemption::{self, Usage};
use sg_trust::policy::{Settings, day_of};
use sg_trust::report::prose::describe_alert;

use super::Arguments;
use crate::recorder::{Recorder, keep, recorded};
use crate::report::Live;

/// What came of a scan beside its findings.
#[derive(Default)]
pub(super) struct Scanned {
    pub(super) usage: Usage,
    /// What was kept, and warnings.
    pub(super) said: Vec<String>,
    pub(super) failures: Vec<String>,
    /// What was read, where a report is wanted of it.
    pub(super) live: Option<Live>,
}

/// The Regions that are scanned in an account.
pub(super) async fn regions(
    account: &Account,
    arguments: &Arguments,
) -> anyhow::Result<Vec<Region>> {
    let regions = match (&arguments.regions, arguments.all_regions) {
        (_, true) => account.enabled_regions().await?,
        (given, false) if !given.is_empty() => given.clone(),
        _ => vec![account.scope().region.clone()],
    };
    anyhow::ensure!(
        !regions.is_empty(),
        "no Region to scan: EC2 names none that is enabled for the account"
    );
    Ok(regions)
}

pub(super) fn progress() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

/// Evaluates every group of the account's Region, and keeps what was read where that is wanted. Messages begin with the
/// name.
///
/// # Errors
/// When there is no directory to keep it in.
pub(super) async fn scan(
    account: &Account,
    name: &str,
    arguments: &Arguments,
    policy: &Settings,
    observer: &Observer<'_>,
) -> anyhow::Result<Scanned> {
    let file = match &arguments.save {
        Some(directory) => Some(SavedScope::new(directory, account.scope())?),
        None => None,
    };
    let source = Recorder::new(
        account.source(Timeouts::SWEEP),
        account.scope(),
        file.is_some() || arguments.report.is_some(),
    );
    let mut scanned = Scanned::default();
    let swept = async {
        let run = sweep(account, &source, policy, arguments.publish, observer).await?;
        scanned.usage.join(&run.stats.usage);
        let warnings = run.stats.warnings.iter();
        scanned
            .said
            .extend(warnings.map(|why| format!("{name}: {why}")));
        run.end?;
        if file.is_none() && arguments.report.is_none() {
            return Ok(());
        }
        let live = recorded(&source, account.scope(), arguments.interfaces).await?;
        if let Some(file) = &file {
            scanned.said.push(keep(&live, file)?);
        }
        scanned.live = arguments.report.is_some().then_some(live);
        anyhow::Ok(())
    };
    if let Err(error) = swept.await {
        scanned.failures.push(format!("{name}: {error:#}"));
        scanned
            .failures
            .extend(file.and_then(|file| removed(name, &file)));
    }
    Ok(scanned)
}

/// Removes what an earlier scan has kept: it would pass for what is there now.
pub(super) fn removed(name: &str, file: &SavedScope) -> Option<String> {
    match file.remove() {
        Ok(true) => Some(format!(
            "{name}: {} of an earlier scan was removed",
            file.path().display()
        )),
        Ok(false) => None,
        Err(error) => Some(format!("{name}: {:#}", anyhow::Error::from(error))),
    }
}

/// What exemptions somebody should look at. Without `usage` it is not known which are of use.
pub(super) fn alerts(
    policy: &Settings,
    accounts: &BTreeSet<AccountId>,
    usage: Option<&Usage>,
) -> Vec<String> {
    let today = day_of(Timestamp::now());
    let alerts = exemption::alerts(&policy.exemptions, Some(accounts), usage, today);
    alerts.iter().map(describe_alert).collect()
}

async fn sweep(
    account: &Account,
    source: &Recorder<Ec2>,
    policy: &Settings,
    publish: bool,
    observer: &Observer<'_>,
) -> anyhow::Result<SweepRun> {
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
