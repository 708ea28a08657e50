//! Many accounts, each through a role in it: so many accounts and Regions at once, printed in the order of their names.
//! What fails is named, and the others are done.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::sync::{Mutex, PoisonError};

use anyhow::Context as _;
use futures_util::stream::{self, StreamExt as _};
use sg_trust::aws::{Account, MemberRole};
use sg_trust::finding::{Finding, Subject};
use sg_trust::input::SavedScope;
use sg_trust::model::{AccountId, Scope};
use sg_trust::policy::{Settings, Status};
use sg_trust::report::table::totals;
use sg_trust::report::{Format, Summary};

use super::Arguments;
use super::one::{self, Scanned};
use crate::output::Writer;
use crate::report::write_live;
use crate::terminal::{Outcome, Results, Terminal};

/// What came of one account in one Region, or of an account that could not be entered.
struct ScopeResult {
    name: String,
    /// Absent where the account could not be entered.
    findings: Option<Vec<Finding>>,
    scanned: Scanned,
}

pub(super) async fn scan(
    arguments: &Arguments,
    role: &str,
    own: &Account,
    policy: &Settings,
    terminal: &mut Terminal,
) -> anyhow::Result<Outcome> {
    let format = arguments.format.format()?;
    let role = MemberRole::parse(role).with_context(|| {
        format!("--role-name is {role:?}: it must be the path and name of a role, such as audit/sg-trust-scan")
    })?;
    let accounts: BTreeSet<AccountId> = if arguments.organization {
        own.organization_accounts().await?
    } else {
        arguments.accounts.iter().cloned().collect()
    };
    let at_once = usize::from(arguments.concurrency);
    let bar = one::progress();
    let entered = stream::iter(&accounts)
        .map(|account| enter(arguments, &role, own, account))
        .buffered(at_once);
    let mut scopes = entered
        .flat_map(stream::iter)
        .map(|entered| read(entered, arguments, policy))
        .buffered(at_once);
    let mut all = Scanned::default();
    let mut live = Vec::new();
    let (mut done, mut failed) = (0_u64, 0_u64);
    let mut total = Summary::default();
    let mut printer = Printer::new(format, terminal);
    while let Some(scope) = scopes.next().await {
        let ScopeResult {
            name,
            findings,
            scanned,
        } = scope?;
        failed += u64::from(!scanned.failures.is_empty());
        all.usage.join(&scanned.usage);
        all.said.extend(scanned.said);
        all.failures.extend(scanned.failures);
        live.extend(scanned.live);
        if let Some(findings) = findings {
            done += 1;
            let mut summary = Summary::default();
            for verdict in findings.iter().filter_map(status) {
                summary.count(verdict);
                total.count(verdict);
            }
            bar.suspend(|| printer.print(&name, &findings))?;
            all.said
                .push(format!("{name}: {}", totals(&summary).trim()));
        }
        let so_far = totals(&total);
        bar.set_message(format!("{done} accounts and Regions: {}", so_far.trim()));
    }
    drop(scopes);
    bar.finish_and_clear();
    printer.finish()?;
    let usage = all.failures.is_empty().then_some(&all.usage);
    all.said.extend(one::alerts(policy, &accounts, usage));
    for message in &all.said {
        terminal.say(message);
    }
    if let Some(file) = &arguments.report {
        write_live(file, policy, live, &all.failures)?;
    }
    for failure in &all.failures {
        terminal.complain(failure);
    }
    terminal.say(&format!(
        "{} accounts, {done} accounts and Regions, {failed} failed: {}",
        accounts.len(),
        totals(&total).trim()
    ));
    Ok(Outcome::of_failed(total.failed))
}

fn status(finding: &Finding) -> Option<Status> {
    match &finding.subject {
        Subject::Evaluated(_, verdict) => Some(verdict.status),
        Subject::Gone | Subject::Retired => None,
    }
}

/// An account in one Region that is read next, or an account that could not be entered.
type Entered = Result<Account, ScopeResult>;

/// The account in each of its Regions; with the own account's credentials where it is that.
async fn enter(
    arguments: &Arguments,
    role: &MemberRole,
    own: &Account,
    account: &AccountId,
) -> Vec<Entered> {
    let regions = async {
        let entered = if *account == own.scope().account {
            own.clone()
        } else {
            own.assume(account, role).await?
        };
        let regions = one::regions(&entered, arguments).await?;
        let in_regions = regions.iter().map(|region| entered.in_region(region));
        anyhow::Ok(in_regions.collect::<Vec<_>>())
    };
    match regions.await {
        Ok(scopes) => scopes.into_iter().map(Ok).collect(),
        Err(error) => {
            let mut failures = vec![format!("{account}: {error:#}")];
            failures.extend(removed(arguments, account));
            let scanned = Scanned {
                failures,
                ..Scanned::default()
            };
            vec![Err(ScopeResult {
                name: account.to_string(),
                findings: None,
                scanned,
            })]
        }
    }
}

/// Removes every file that an earlier scan has kept of an account: nobody knows what is true of it now.
fn removed(arguments: &Arguments, account: &AccountId) -> Vec<String> {
    let directory = arguments.save.as_deref();
    let files = directory.and_then(|directory| SavedScope::of_account(directory, account).ok());
    let files = files.unwrap_or_default();
    files
        .iter()
        .filter_map(|file| one::removed(account.as_str(), file))
        .collect()
}

async fn read(
    entered: Entered,
    arguments: &Arguments,
    policy: &Settings,
) -> anyhow::Result<ScopeResult> {
    let account = match entered {
        Ok(account) => account,
        Err(refused) => return Ok(refused),
    };
    let Scope {
        account: id,
        region,
        ..
    } = account.scope();
    let name = format!("{id} {region}");
    let findings = Mutex::new(Vec::new());
    let observer = |finding: &Finding| {
        let mut findings = findings.lock().unwrap_or_else(PoisonError::into_inner);
        findings.push(finding.clone());
        Ok(())
    };
    let scanned = one::scan(&account, &name, arguments, policy, &observer).await?;
    let findings = findings
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    Ok(ScopeResult {
        name,
        findings: Some(findings),
        scanned,
    })
}

/// A document is one for all. A table does not show whose a group is, so each account and Region has one of its own.
enum Printer<'t> {
    Tables(&'t mut Terminal),
    Document(Writer<Results<'t>>),
}

impl<'t> Printer<'t> {
    fn new(format: Format, terminal: &'t mut Terminal) -> Self {
        match format {
            Format::Table => Self::Tables(terminal),
            format => Self::Document(Writer::new(format, terminal.results(false))),
        }
    }

    fn print(&mut self, name: &str, findings: &[Finding]) -> anyhow::Result<()> {
        match self {
            Self::Document(writer) => writer.write(findings)?,
            Self::Tables(terminal) => {
                let mut results = terminal.results(true);
                writeln!(results, "{name}")?;
                let writer = Writer::new(Format::Table, results);
                writer.write(findings)?;
                writer.finish()?;
                terminal.print("\n")?;
            }
        }
        Ok(())
    }

    fn finish(self) -> anyhow::Result<()> {
        if let Self::Document(writer) = self {
            writer.finish()?;
        }
        Ok(())
    }
}
