//! `fix`: a plan to revoke exactly the rules behind violations, and with `--apply` the plan carried out.

use std::collections::BTreeSet;

use anyhow::{Context as _, bail, ensure};
use jiff::Timestamp;
use sg_trust::input::{Snapshot, interfaces_beside_groups};
use sg_trust::model::{AccountId, GroupId, NetworkInterface, Region, SecurityGroup};
use sg_trust::policy::{ReferencedGroups, Settings, day_of};
use sg_trust::remediation::carriers::Carriers;
use sg_trust::remediation::plan::{Plan, PlanDocument, Planner, Request};
use sg_trust::remediation::rule::GroupRules;
use sg_trust::remediation::{plan::Why, replace};
use sg_trust::report::fix as text;

use crate::explain::with_source_names;
use crate::input;
use crate::region::{parse_region, place_of, region_of_environment};
use crate::terminal::{Outcome, Terminal};

const EXAMPLES: &str = "\
Examples:
  sg-trust fix sg-0123456789abcdef0 --groups groups.json
  sg-trust fix sg-0123456789abcdef0 --groups groups.json --replace tcp:443,5432 --out plan.json

Without --apply nothing is changed, and the exit code is 0, or 2 when no plan can be made. \
Exempt violations, groups of other accounts, and groups that a stack or Terraform owns are not touched.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The security groups: their ids, or their names.
    #[arg(value_name = "SG")]
    groups: Vec<String>,
    /// Every group that is FAILED.
    #[arg(long, conflicts_with = "groups")]
    all_failed: bool,
    /// A file with security groups, or a directory of such files, in place of the live account.
    #[arg(long = "groups", value_name = "FILE")]
    file: Option<String>,
    /// The Region; without it that of the groups' ARNs, AWS_REGION, AWS_DEFAULT_REGION or the profile.
    #[arg(long, value_name = "REGION", value_parser = parse_region)]
    region: Option<Region>,
    /// Only violations by this source, a security group's id; may be given several times.
    #[arg(long = "source", value_name = "ID", value_parser = parse_source)]
    sources: Vec<GroupId>,
    /// What to allow from each source before its rules are revoked: PROTO:PORT[-PORT],…
    #[arg(long, value_name = "PORTS")]
    replace: Option<String>,
    /// Also groups that AWS CloudFormation or Terraform owns, as their tags tell.
    #[arg(long)]
    even_managed: bool,
    /// Writes the plan as JSON to a file; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<String>,
}

fn parse_source(text: &str) -> Result<GroupId, String> {
    GroupId::parse(text)
        .ok_or_else(|| "not a security group's id, such as sg-0123456789abcdef0".to_owned())
}

pub(crate) fn run(
    arguments: &Arguments,
    policy: &Settings,
    terminal: &mut Terminal,
) -> anyhow::Result<Outcome> {
    ensure!(
        !arguments.groups.is_empty() || arguments.all_failed,
        "name the security groups, or give --all-failed"
    );
    let Some(file) = &arguments.file else {
        bail!("give --groups FILE");
    };
    let (plan, carriers) = offline(arguments, policy, file)?;
    show(&plan, carriers.as_ref(), arguments.out.as_deref(), terminal)?;
    Ok(Outcome::Nothing)
}

impl Arguments {
    fn request(&self) -> anyhow::Result<Request> {
        let replace = self.replace.as_deref().map(replace::parse).transpose();
        Ok(Request {
            sources: self.sources.clone(),
            replace: replace.context("--replace")?.unwrap_or_default(),
            even_managed: self.even_managed,
        })
    }
}

/// Prints a plan, and writes it where that is asked for.
fn show(
    plan: &Plan,
    carriers: Option<&Carriers>,
    out: Option<&str>,
    terminal: &mut Terminal,
) -> anyhow::Result<()> {
    let document = PlanDocument::of(plan)?;
    match out {
        Some("-") => return terminal.print(&document.to_json()?),
        Some(file) => std::fs::write(file, document.to_json()?)
            .with_context(|| format!("{file}: the plan cannot be written"))?,
        None => {}
    }
    terminal.print_coloured(&text::plan(plan, carriers))?;
    if !plan.groups.is_empty() {
        terminal.print(&format!(
            "\nNothing was changed. Digest {}.\n",
            document.digest
        ))?;
    }
    Ok(())
}

/// The plan for groups of a file, and who carries groups, if the file tells that.
fn offline(
    arguments: &Arguments,
    policy: &Settings,
    file: &str,
) -> anyhow::Result<(Plan, Option<Carriers>)> {
    let request = arguments.request()?;
    let (name, snapshot, interfaces) = read(file)?;
    let chosen = choose(snapshot.groups(), &arguments.groups, name)?;
    let mut referenced = ReferencedGroups::default();
    for group in snapshot.groups() {
        policy.see(&mut referenced, group);
    }
    let planner = Planner {
        settings: policy,
        referenced: &referenced,
        today: day_of(Timestamp::now()),
        account: None,
        region: None,
        request: &request,
    };
    let targets: Vec<_> = chosen
        .into_iter()
        .map(|group| GroupRules::described(with_source_names(group.clone(), snapshot.groups())))
        .collect();
    let plan = planner.plan(&targets)?;
    let plan = without_passed(plan, arguments.all_failed);
    let account = one_account(&plan)?;
    let region = one_region(&plan, arguments.region.as_ref())?;
    let plan = Plan {
        account,
        region,
        ..plan
    };
    let carriers = (!interfaces.is_empty()).then(|| interfaces.iter().collect());
    Ok((plan, carriers))
}

/// The groups of a file or directory, and the network interfaces beside them.
fn read(file: &str) -> anyhow::Result<(&str, Snapshot, Vec<NetworkInterface>)> {
    let mut snapshot = Snapshot::empty(Timestamp::now());
    let mut interfaces = Vec::new();
    for path in input::files(file)? {
        let (name, text) = input::read(&path)?;
        snapshot.add(name, text.as_bytes())?;
        for interface in interfaces_beside_groups(name, &text) {
            interfaces.push(interface?);
        }
    }
    let name = if file == "-" { "standard input" } else { file };
    Ok((name, snapshot, interfaces))
}

/// The groups that are named, or all.
pub(crate) fn choose<'g>(
    groups: &'g [SecurityGroup],
    names: &[String],
    input: &str,
) -> anyhow::Result<Vec<&'g SecurityGroup>> {
    if names.is_empty() {
        return Ok(groups.iter().collect());
    }
    let mut chosen: Vec<&SecurityGroup> = Vec::new();
    for name in names {
        let group = crate::explain::find(groups, input, name)?;
        if !chosen.iter().any(|one| one.group_id == group.group_id) {
            chosen.push(group);
        }
    }
    Ok(chosen)
}

/// The plan without the groups that passed, where nobody named them.
fn without_passed(mut plan: Plan, all_failed: bool) -> Plan {
    if all_failed {
        plan.skipped
            .retain(|one| !matches!(one.why, Why::Passed | Why::OtherSources));
    }
    plan
}

/// The account that owns the groups of a plan.
fn one_account(plan: &Plan) -> anyhow::Result<Option<AccountId>> {
    let owners = plan
        .groups
        .iter()
        .filter_map(|group| group.group.owner_id.as_ref());
    let owners: BTreeSet<_> = owners.collect();
    ensure!(
        owners.len() < 2,
        "the groups belong to {} accounts, and a plan is for one: name the groups of one account, or give the files of one",
        owners.len()
    );
    Ok(owners.into_iter().next().cloned())
}

/// The Region of the groups of a plan.
fn one_region(plan: &Plan, given: Option<&Region>) -> anyhow::Result<Option<Region>> {
    let places = plan
        .groups
        .iter()
        .filter_map(|group| place_of(&group.group));
    let regions: BTreeSet<_> = places.map(|(_, region)| region).collect();
    let all: Vec<_> = regions.iter().map(Region::as_str).collect();
    match (all.as_slice(), given) {
        ([], Some(given)) => Ok(Some(given.clone())),
        ([], None) => Ok(region_of_environment().ok().flatten()),
        ([one], Some(given)) if *one != given.as_str() => {
            bail!("the groups' SecurityGroupArn says {one}, and --region says {given}")
        }
        ([_], _) => Ok(regions.into_iter().next()),
        (several, _) => bail!(
            "the groups are in {} Regions ({}), and a plan is for one: name the groups of one Region, or give its file",
            several.len(),
            several.join(", ")
        ),
    }
}
