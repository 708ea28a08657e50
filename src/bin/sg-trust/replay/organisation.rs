//! A replay against a directory of snapshots: the function that works for every account of an organisation.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;

use anyhow::bail;
use jiff::Timestamp;
use sg_trust::engine::route::{Members, Part, Routed};
use sg_trust::engine::{MemberError, RunResult};
use sg_trust::event::{self, Action, Batch};
use sg_trust::input::Snapshot;
use sg_trust::model::{AccountId, Scope};
use sg_trust::policy::Settings;

use super::{Arguments, ReplayFormat, Replayed, part_of};
use crate::input;
use crate::output::Writer;
use crate::region::place_of;
use crate::scope::{Given, Place};

/// The function's own account where nothing names it and nothing is of it.
const NO_ACCOUNT: &str = "000000000000";
/// As the function reads it.
const WORK_QUEUE: &str = "SG_TRUST_WORK_QUEUE";

/// The snapshots of a directory.
struct Directory<'a> {
    path: &'a str,
    files: Vec<File>,
}

struct File {
    name: String,
    snapshot: Snapshot,
}

impl<'a> Directory<'a> {
    fn read(path: &'a str) -> anyhow::Result<Self> {
        let mut files = Vec::new();
        for name in input::files(path)? {
            let (_, snapshot) = input::snapshot(&name)?;
            let name = Path::new(&name).file_name().unwrap_or_default();
            let name = name.to_string_lossy().into_owned();
            files.push(File { name, snapshot });
        }
        Ok(Self { path, files })
    }

    fn accounts(&self) -> BTreeSet<AccountId> {
        let groups = self.files.iter().flat_map(|file| file.snapshot.groups());
        groups.filter_map(|group| group.owner_id.clone()).collect()
    }

    /// The files of an account: those whose names begin with it, else those with groups that it owns. A file may also
    /// have groups of others, in a VPC that they share.
    fn of(&self, account: &AccountId) -> Vec<&Snapshot> {
        let by_name = |file: &&File| file.name.starts_with(account.as_str());
        let owns = |file: &&File| {
            let mut groups = file.snapshot.groups().iter();
            groups.any(|group| group.owner_id.as_ref() == Some(account))
        };
        let named: Vec<_> = self.files.iter().filter(by_name).collect();
        let files = if named.is_empty() {
            self.files.iter().filter(owns).collect()
        } else {
            named
        };
        files.into_iter().map(|file| &file.snapshot).collect()
    }
}

pub(super) fn replay(
    arguments: &Arguments,
    path: &str,
    batch: &Batch,
    policy: &Settings,
    out: &mut Vec<u8>,
) -> anyhow::Result<Replayed> {
    let directory = Directory::read(path)?;
    let accounts = directory.accounts();
    let own = own_account(arguments, batch, &accounts)?;
    let given = Given {
        account: arguments.account.as_ref(),
        region: arguments.region.as_ref(),
        needs_region: arguments.format == ReplayFormat::Asff,
    };
    let groups = directory
        .files
        .iter()
        .flat_map(|file| file.snapshot.groups());
    let groups: Vec<_> = groups.cloned().collect();
    let Place {
        scope: own,
        is_region_known,
    } = Place::of_account(own, &given, batch, &groups)?;
    let members = Members {
        accounts: None,
        work_queue: std::env::var(WORK_QUEUE).ok(),
    };
    let routed = Routed::new(batch.clone(), &own, Some(&members));
    // What the function puts on its work queue is what it is given next.
    let queued = routed
        .sweep_all
        .iter()
        .flat_map(|_| &accounts)
        .map(|account| {
            let sweep = serde_json::json!({"action": "sweep", "account": account});
            Routed::new(event::read(&sweep), &own, Some(&members))
        });
    let queued: Vec<_> = queued.collect();
    let of_queued = queued.iter().flat_map(|routed| &routed.parts);
    let parts: Vec<_> = routed.parts.iter().chain(of_queued).collect();
    // A table does not show whose a group is, so each account has one of its own; a document is one for all.
    let documents: Vec<_> = match arguments.format {
        ReplayFormat::Table => parts.chunks(1).collect(),
        ReplayFormat::Json | ReplayFormat::Asff => vec![parts.as_slice()],
    };
    let mut results = Vec::new();
    let mut failed = 0;
    for parts in documents {
        if let (ReplayFormat::Table, [part]) = (arguments.format, parts) {
            let before = if out.is_empty() { "" } else { "\n" };
            writeln!(out, "{before}{}", heading(part, is_region_known))?;
        }
        let writer = arguments.writer(out);
        let writer = if is_region_known {
            writer
        } else {
            writer.without_region()
        };
        for part in parts {
            results.push(run(arguments, part, &directory, policy, &writer)?);
        }
        failed += writer.finish()?.failed;
    }
    Ok((routed.join(results), failed))
}

fn heading(part: &Part, is_region_known: bool) -> String {
    let Scope {
        account, region, ..
    } = &part.scope;
    if is_region_known {
        format!("account {account}, region {region}")
    } else {
        format!("account {account}")
    }
}

/// The function's own account: what neither names an account nor has one is of it.
fn own_account(
    arguments: &Arguments,
    batch: &Batch,
    accounts: &BTreeSet<AccountId>,
) -> anyhow::Result<AccountId> {
    if let Some(given) = &arguments.account {
        return Ok(given.clone());
    }
    if let (Some(account), 1) = (accounts.first(), accounts.len()) {
        return Ok(account.clone());
    }
    let is_of_own = |action: &Action| matches!(action, Action::Evaluate(_) | Action::Sweep(_));
    let mut events = batch.triggers();
    if events.any(|event| event.account.is_none() && is_of_own(&event.action)) {
        bail!("the event names no account: say with --account which is the function's own");
    }
    Ok(AccountId::new(NO_ACCOUNT))
}

fn run(
    arguments: &Arguments,
    part: &Part,
    directory: &Directory<'_>,
    policy: &Settings,
    writer: &Writer<&mut Vec<u8>>,
) -> anyhow::Result<RunResult> {
    let account = &part.scope.account;
    let files = directory.of(account);
    if files.is_empty() && part.asks_for_something() {
        let path = directory.path;
        let why = format!("{path} has no groups of account {account}");
        return Ok(part.failed(MemberError::Refused(why)));
    }
    let snapshot = Snapshot::joined(Timestamp::now(), files)
        .only(|group| place_of(group).is_none_or(|(_, region)| region == part.scope.region))
        .seen_by(account.clone());
    part_of(arguments, part, &snapshot, policy, writer)
}
