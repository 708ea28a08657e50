//! `fix`: a plan to revoke exactly the rules behind violations, and with `--apply` the plan carried out.

use anyhow::{Context as _, bail};
use sg_trust::model::{GroupId, Region, SecurityGroup};
use sg_trust::policy::Settings;
use sg_trust::remediation::carriers::Carriers;
use sg_trust::remediation::plan::{Plan, PlanDocument, Request, Why};
use sg_trust::remediation::replace;
use sg_trust::report::fix as text;

use crate::region::parse_region;
use crate::terminal::{Outcome, Terminal};

#[cfg(feature = "aws")]
mod apply;
#[cfg(feature = "aws")]
pub(crate) mod journal;
#[cfg(feature = "aws")]
mod live;
mod offline;

const EXAMPLES: &str = "\
Examples:
  sg-trust fix sg-0123456789abcdef0 --groups groups.json
  sg-trust fix sg-0123456789abcdef0 --region eu-west-1 --replace tcp:443,5432
  sg-trust fix --all-failed --region eu-west-1 --out plan.json
  sg-trust fix --apply plan.json --region eu-west-1
  sg-trust undo sg-trust-undo-20261124T221000Z.json

Without --apply nothing is changed, and the exit code is 0; 2 when no plan can be made. With --apply it is 1 when a \
group is still FAILED. Exempt violations, groups of other accounts, and groups that a stack or Terraform owns are not \
touched. Credentials are the operator's own; docs/remediation.md has the IAM policy.";

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
    #[arg(long = "groups", value_name = "FILE", conflicts_with = "apply")]
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
    #[arg(long, value_name = "FILE", conflicts_with = "apply")]
    out: Option<String>,
    /// Carries the plan out: the one of this file, or that for the groups that are named.
    #[arg(long, value_name = "PLAN", num_args = 0..=1, default_missing_value = "")]
    apply: Option<String>,
    /// Carries it out without a question.
    #[arg(long, requires = "apply")]
    yes: bool,
    /// The journal by which the run is undone, or goes on after it was interrupted; without it
    /// sg-trust-undo-TIME.json in the working directory.
    #[arg(long, value_name = "FILE", requires = "apply")]
    undo_file: Option<String>,
}

fn parse_source(text: &str) -> Result<GroupId, String> {
    let id = GroupId::parse(text);
    id.ok_or_else(|| "not a security group's id, such as sg-0123456789abcdef0".to_owned())
}

/// What is to be planned or carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work<'a> {
    Plan,
    Apply,
    ApplyFile(&'a str),
}

pub(crate) fn run(
    arguments: &Arguments,
    policy: &Settings,
    terminal: &mut Terminal,
) -> anyhow::Result<Outcome> {
    let names = arguments.names();
    let work = arguments.work();
    let is_chosen = !names.is_empty() || arguments.all_failed;
    match work {
        Work::ApplyFile(file) if is_chosen || arguments.has_request() => bail!(
            "{file}: a plan says itself which groups, sources and ports it is about: leave them out, or leave the plan out"
        ),
        Work::Plan | Work::Apply if !is_chosen => {
            bail!("name the security groups, or give --all-failed")
        }
        _ => {}
    }
    if work != Work::Plan && !arguments.yes {
        terminal.ensure_can_ask()?;
    }
    if let Some(file) = &arguments.file {
        let (plan, carriers) = offline::plan(arguments, policy, file)?;
        show(&plan, carriers.as_ref(), arguments.out.as_deref(), terminal)?;
        return Ok(Outcome::Nothing);
    }
    run_live(arguments, work, policy, terminal)
}

#[cfg(not(feature = "aws"))]
fn run_live(_: &Arguments, _: Work<'_>, _: &Settings, _: &mut Terminal) -> anyhow::Result<Outcome> {
    bail!("without --groups FILE: {}", crate::terminal::NOT_BUILT_IN)
}

#[cfg(feature = "aws")]
fn run_live(
    arguments: &Arguments,
    work: Work<'_>,
    policy: &Settings,
    terminal: &mut Terminal,
) -> anyhow::Result<Outcome> {
    sg_trust::aws::block_on(async {
        match work {
            Work::Plan => {
                let live = live::Live::sign_in(arguments.region.as_ref(), policy).await?;
                let request = arguments.request()?;
                let names = arguments.names();
                let planned = live.plan(&names, arguments.all_failed, &request).await?;
                let out = arguments.out.as_deref();
                show(&planned.plan, planned.carriers.as_ref(), out, terminal)?;
                Ok(Outcome::Nothing)
            }
            Work::Apply => apply::run(arguments, None, policy, terminal).await,
            Work::ApplyFile(file) => apply::run(arguments, Some(file), policy, terminal).await,
        }
    })?
}

impl Arguments {
    /// `--apply sg-…` names a group, and not a plan.
    fn work(&self) -> Work<'_> {
        match self.apply.as_deref() {
            None => Work::Plan,
            Some(text) if text.is_empty() || GroupId::parse(text).is_some() => Work::Apply,
            Some(file) => Work::ApplyFile(file),
        }
    }

    fn names(&self) -> Vec<String> {
        let after_apply = self.apply.iter();
        let after_apply = after_apply.filter(|text| GroupId::parse(text).is_some());
        self.groups.iter().chain(after_apply).cloned().collect()
    }

    fn has_request(&self) -> bool {
        !self.sources.is_empty() || self.replace.is_some() || self.even_managed
    }

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
        let digest = &document.digest;
        terminal.print(&format!("\nNothing was changed. Digest {digest}\n"))?;
    }
    Ok(())
}

/// The groups that are named, or all.
fn choose<'g>(
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
