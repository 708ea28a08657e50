//! `scan`: evaluates the live account, and keeps what it read.

use std::path::PathBuf;

use sg_trust::model::{AccountId, Region};
use sg_trust::policy::Settings;

use crate::output::FormatArguments;
use crate::region::parse_region;
use crate::scope::parse_account;
use crate::terminal::{Outcome, Terminal};

#[cfg(feature = "aws")]
mod accounts;
#[cfg(feature = "aws")]
mod one;

const EXAMPLES: &str = "\
Examples:
  sg-trust scan
  AWS_PROFILE=audit sg-trust scan --region eu-west-1 --region us-east-1 --format json
  sg-trust scan --all-regions
  sg-trust scan --publish
  sg-trust scan --all-regions --save organisation --interfaces && sg-trust graph organisation
  sg-trust scan --all-regions --interfaces --report report.html
  sg-trust scan --account 222222222222 --account 333333333333 --role-name audit/sg-trust-scan
  sg-trust scan --organization --role-name audit/sg-trust-scan --all-regions --save organisation

Credentials are the environment's, a profile's (AWS_PROFILE), or those of IAM Identity Center (`aws sso login`). \
SG_TRUST_PASSED=active keeps findings of groups that passed active, as it does for the function. Needs \
ec2:DescribeSecurityGroups; with the setting rule_ids ec2:DescribeSecurityGroupRules; with --all-regions \
ec2:DescribeRegions; with --interfaces ec2:DescribeNetworkInterfaces; with --publish securityhub:GetFindings and securityhub:BatchImportFindings. \
With --account or --organization the role in each account needs what reads, and you need sts:AssumeRole, and \
organizations:ListAccounts for --organization; your own account is read with your own credentials.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, group = clap::ArgGroup::new("keeps").multiple(true))]
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
    #[arg(long, value_name = "DIR", group = "keeps")]
    save: Option<PathBuf>,
    /// Writes the HTML report of what was read, as the command `report` does.
    #[arg(long, value_name = "FILE", group = "keeps")]
    report: Option<PathBuf>,
    /// Reads the network interfaces too: `graph`, `reach` and the report learn from them who carries a group.
    #[arg(long, requires = "keeps")]
    interfaces: bool,
    /// An account that is read through a role in it; may be repeated.
    #[arg(long = "account", value_name = "ACCOUNT", value_parser = parse_account, requires = "role_name", group = "whose")]
    accounts: Vec<AccountId>,
    /// Every active account of the organisation: for its management account and delegated administrators.
    #[arg(
        long,
        requires = "role_name",
        conflicts_with = "accounts",
        group = "whose"
    )]
    organization: bool,
    /// The role that is assumed in each account, by its name, with its path before it where it has one.
    #[arg(
        long,
        value_name = "NAME",
        requires = "whose",
        conflicts_with = "publish"
    )]
    role_name: Option<String>,
    /// How many accounts and Regions are read at once.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=64))]
    concurrency: u8,
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

    use sg_trust::aws::Account;
    use sg_trust::finding::Finding;
    use sg_trust::policy::exemption::Usage;
    use sg_trust::report::Format;

    use crate::output::Writer;
    use crate::report::write_live;

    let format = arguments.format.format()?;
    let account = Account::sign_in(arguments.regions.first()).await?;
    if let Some(role) = &arguments.role_name {
        return accounts::scan(arguments, role, &account, policy, terminal).await;
    }
    let regions = one::regions(&account, arguments).await?;
    let bar = one::progress();
    let mut failures = Vec::new();
    let mut usage = Usage::default();
    let mut said = Vec::new();
    let mut live = Vec::new();
    let writer = Writer::new(format, terminal.results(format == Format::Table));
    for region in regions {
        let account = account.in_region(&region);
        let observer = |finding: &Finding| {
            bar.inc(1);
            bar.set_message(format!(
                "{region}: {} security groups evaluated",
                bar.position()
            ));
            bar.suspend(|| writer.write(std::slice::from_ref(finding)))
        };
        let scanned = one::scan(&account, region.as_str(), arguments, policy, &observer).await?;
        usage.join(&scanned.usage);
        said.extend(scanned.said);
        failures.extend(scanned.failures);
        live.extend(scanned.live);
    }
    bar.finish_and_clear();
    let summary = writer.finish()?;
    let accounts = BTreeSet::from([account.scope().account.clone()]);
    // Where a Region failed, nobody knows what an exemption would have matched there.
    let usage = failures.is_empty().then_some(&usage);
    said.extend(one::alerts(policy, &accounts, usage));
    for message in said {
        terminal.say(&message);
    }
    if let Some(file) = &arguments.report {
        write_live(file, policy, live, &failures)?;
    }
    for failure in failures {
        terminal.complain(&failure);
    }
    Ok(Outcome::of_failed(summary.failed))
}
