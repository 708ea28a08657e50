//! `check`: evaluates security groups from JSON.

use std::cell::LazyCell;
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use jiff::Timestamp;
use sg_trust::finding::{Context, Finding, Passed, Scope};
use sg_trust::model::{Partition, Region, SecurityGroup};
use sg_trust::policy::Policy;
use sg_trust::render::{Format, Report};
use sg_trust::source::documents::Documents;

use crate::terminal::{Outcome, Terminal, open};

const EXAMPLES: &str = "\
Examples:
  aws ec2 describe-security-groups | sg-trust check -
  aws ec2 describe-security-groups > groups.json && sg-trust check groups.json
  sg-trust check --format json groups.json | jq '.groups[] | select(.verdict == \"FAILED\").group_id'
  sg-trust check --format asff --region eu-west-1 groups.json

A file holds {\"SecurityGroups\":[…]} as the AWS CLI prints it, an array, one group, or one JSON document a line.
Documents that cannot be used are named, the others are evaluated, and the exit code is 2.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Files with security groups; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// How to print the result.
    #[arg(long, value_enum, default_value_t = FormatArgument::Table)]
    format: FormatArgument,
    /// The groups' Region, for commands and findings; without it that of SecurityGroupArn, then AWS_REGION.
    #[arg(long, value_name = "REGION", value_parser = parse_region)]
    region: Option<Region>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum FormatArgument {
    /// Columns for people.
    Table,
    /// One document: groups and a summary.
    Json,
    /// One group a line, no summary.
    Ndjson,
    /// One array of Security Hub findings.
    Asff,
}

impl From<FormatArgument> for Format {
    fn from(argument: FormatArgument) -> Self {
        match argument {
            FormatArgument::Table => Self::Table,
            FormatArgument::Json => Self::Json,
            FormatArgument::Ndjson => Self::Ndjson,
            FormatArgument::Asff => Self::Asff,
        }
    }
}

/// A Region's code.
pub(crate) fn parse_region(text: &str) -> Result<Region, String> {
    let region = Region::new(text);
    if region.is_well_formed() {
        Ok(region)
    } else {
        Err("not a Region's code, such as eu-west-1".to_owned())
    }
}

/// The Region that `AWS_REGION` names.
pub(crate) fn region_of_environment() -> anyhow::Result<Option<Region>> {
    match std::env::var("AWS_REGION") {
        Ok(text) if !text.is_empty() => {
            Ok(Some(parse_region(&text).map_err(|problem| {
                anyhow!("AWS_REGION is {text:?}: {problem}")
            })?))
        }
        _ => Ok(None),
    }
}

/// Partition and Region that a group's ARN names.
pub(crate) fn place_of(group: &SecurityGroup) -> Option<(Partition, Region)> {
    let mut parts = group.security_group_arn.as_deref()?.split(':');
    let (Some("arn"), Some(partition), Some("ec2"), Some(region)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    let partition = Some(Partition::new(partition)).filter(Partition::is_well_formed)?;
    Some((partition, parse_region(region).ok()?))
}

pub(crate) fn run(
    arguments: &Arguments,
    policy: &Policy,
    terminal: &mut Terminal,
) -> anyhow::Result<Outcome> {
    // A wrong AWS_REGION matters only where it is the last resort, and stands in what is printed.
    let of_environment = LazyCell::new(region_of_environment);
    let mut report = Report::new(arguments.format.into());
    let now = Timestamp::now();
    for path in &arguments.files {
        let (name, reader) = match open(path) {
            Ok(opened) => opened,
            Err(error) => {
                terminal.complain(&format!("{error:#}"));
                continue;
            }
        };
        for group in Documents::new(name, reader) {
            let group = match group {
                Ok(group) => group,
                Err(error) => {
                    terminal.complain(&error.to_string());
                    continue;
                }
            };
            let mut place = arguments
                .region
                .as_ref()
                .map(with_partition)
                .or_else(|| place_of(&group));
            if place.is_none() {
                match &*of_environment {
                    Ok(region) => place = region.as_ref().map(with_partition),
                    Err(error) if arguments.format == FormatArgument::Asff => bail!("{error}"),
                    Err(_) => {}
                }
            }
            let text = match arguments.format {
                FormatArgument::Asff => {
                    let id = group.group_id.clone();
                    match finding(policy, group, place, now)
                        .and_then(|finding| Ok(report.finding(&finding)?))
                    {
                        Ok(text) => text,
                        Err(error) => {
                            terminal.complain(&format!("{name}: security group {id}: {error:#}"));
                            continue;
                        }
                    }
                }
                _ => report.group(
                    &group,
                    &policy.evaluate(&group),
                    place.as_ref().map(|(_, region)| region),
                )?,
            };
            print(arguments.format, &text, terminal)?;
        }
    }
    let failed = report.summary().failed;
    print(arguments.format, &report.finish()?, terminal)?;
    Ok(Outcome::of_failed(failed))
}

fn print(format: FormatArgument, text: &str, terminal: &mut Terminal) -> anyhow::Result<()> {
    if format == FormatArgument::Table {
        terminal.print_coloured(text)
    } else {
        terminal.print(text)
    }
}

/// A Region with the partition that its code tells.
pub(crate) fn with_partition(region: &Region) -> (Partition, Region) {
    (Partition::of(region), region.clone())
}

fn finding(
    policy: &Policy,
    group: SecurityGroup,
    place: Option<(Partition, Region)>,
    now: Timestamp,
) -> anyhow::Result<Finding> {
    let (partition, region) =
        place.context("its Region is not known: give --region, or set AWS_REGION, or keep SecurityGroupArn in the input")?;
    let account = group
        .owner_id
        .clone()
        .context("it has no OwnerId: the account of a finding is the group's owner")?;
    let context = Arc::new(Context {
        scope: Scope {
            partition,
            region,
            account,
        },
        passed: Passed::default(),
        related_requirements: policy.related_requirements.clone(),
    });
    let verdict = policy.evaluate(&group);
    Ok(Finding::evaluated(&context, now, group, verdict))
}
