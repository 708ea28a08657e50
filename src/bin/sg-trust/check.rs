//! `check`: evaluates security groups from JSON.

use std::cell::LazyCell;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use jiff::Timestamp;
use sg_trust::finding::{Context, Finding, Passed};
use sg_trust::input::describe::GroupReader;
use sg_trust::model::Scope;
use sg_trust::model::{GroupId, Partition, Region, SecurityGroup};
use sg_trust::policy::exemption::{self, Usage};
use sg_trust::policy::{ReferencedGroups, Settings, Verdict, day_of};
use sg_trust::report::{Format, Report};

use crate::terminal::{Outcome, Terminal, open};

const EXAMPLES: &str = "\
Examples:
  aws ec2 describe-security-groups | sg-trust check -
  aws ec2 describe-security-groups > groups.json && sg-trust check groups.json
  sg-trust check --format json groups.json | jq '.groups[] | select(.verdict == \"FAILED\").group_id'
  sg-trust check --format asff --region eu-west-1 groups.json

A file holds {\"SecurityGroups\":[…]} as the AWS CLI prints it, an array, one group, or one JSON document a line.
GroupReader that cannot be used are named, the others are evaluated, and the exit code is 2.";

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
    policy: &Settings,
    terminal: &mut Terminal,
) -> anyhow::Result<Outcome> {
    let mut check = Check {
        arguments,
        policy,
        of_environment: LazyCell::new(region_of_environment),
        report: Report::new(arguments.format.into()),
        peers: ReferencedGroups::default(),
        waiting: Waiting::default(),
        usage: Usage::default(),
        now: Timestamp::now(),
    };
    for path in &arguments.files {
        let (name, reader) = match open(path) {
            Ok(opened) => opened,
            Err(error) => {
                terminal.complain(&format!("{error:#}"));
                continue;
            }
        };
        for group in GroupReader::new(name, reader) {
            match group {
                Ok(group) => check.take(name, group, terminal)?,
                Err(error) => terminal.complain(&error.to_string()),
            }
        }
    }
    check.finish(terminal)
}

/// A run over groups as they come.
struct Check<'a> {
    arguments: &'a Arguments,
    policy: &'a Settings,
    /// A wrong AWS_REGION matters only where it is the last resort, and stands in what is printed.
    of_environment: LazyCell<anyhow::Result<Option<Region>>>,
    report: Report,
    peers: ReferencedGroups,
    waiting: Waiting<'a>,
    usage: Usage,
    now: Timestamp,
}

/// Groups with violations, held until the groups that they let in have come: with `[sensitivity]` the severity depends on
/// those.
#[derive(Default)]
struct Waiting<'a> {
    groups: BTreeMap<usize, Held<'a>>,
    /// By the groups that they wait for.
    waiters: HashMap<GroupId, Vec<usize>>,
    next: usize,
}

struct Held<'a> {
    input: &'a str,
    group: SecurityGroup,
    /// For how many groups it waits.
    waits_for: usize,
}

impl<'a> Waiting<'a> {
    fn hold(&mut self, input: &'a str, group: SecurityGroup, sources: BTreeSet<GroupId>) {
        let waits_for = sources.len();
        for source in sources {
            self.waiters.entry(source).or_default().push(self.next);
        }
        let held = Held {
            input,
            group,
            waits_for,
        };
        self.groups.insert(self.next, held);
        self.next += 1;
    }

    /// The groups that waited for this one alone.
    fn release(&mut self, came: &GroupId) -> Vec<Held<'a>> {
        let mut released = Vec::new();
        for number in self.waiters.remove(came).unwrap_or_default() {
            let Entry::Occupied(mut held) = self.groups.entry(number) else {
                continue;
            };
            held.get_mut().waits_for -= 1;
            if held.get().waits_for == 0 {
                released.push(held.remove());
            }
        }
        released
    }
}

impl<'a> Check<'a> {
    /// Prints a group, or holds it until its sources are known; and prints what waited for it.
    fn take(
        &mut self,
        input: &'a str,
        group: SecurityGroup,
        terminal: &mut Terminal,
    ) -> anyhow::Result<()> {
        self.policy.see(&mut self.peers, &group);
        let released = self.waiting.release(&group.group_id);
        let verdict = self.evaluate(&group);
        let unknown: BTreeSet<_> = self.policy.unknown_sources(&verdict, &self.peers).collect();
        if unknown.is_empty() {
            self.print(input, group, &verdict, terminal)?;
        } else {
            self.waiting.hold(input, group, unknown);
        }
        released
            .into_iter()
            .try_for_each(|held| self.print_held(held, terminal))
    }

    fn print_held(&mut self, held: Held<'a>, terminal: &mut Terminal) -> anyhow::Result<()> {
        let verdict = self.evaluate(&held.group);
        self.print(held.input, held.group, &verdict, terminal)
    }

    fn evaluate(&self, group: &SecurityGroup) -> Verdict {
        sg_trust::policy::evaluate(self.policy, group, &self.peers, day_of(self.now))
    }

    fn print(
        &mut self,
        input: &str,
        group: SecurityGroup,
        verdict: &Verdict,
        terminal: &mut Terminal,
    ) -> anyhow::Result<()> {
        self.usage.note(verdict);
        let format = self.arguments.format;
        let text = match format {
            FormatArgument::Asff => {
                let id = group.group_id.clone();
                let place = self.place_of(&group)?;
                let finding = self.finding(group, verdict, place);
                match finding.and_then(|finding| Ok(self.report.finding(&finding)?)) {
                    Ok(text) => text,
                    Err(error) => {
                        terminal.complain(&format!("{input}: security group {id}: {error:#}"));
                        return Ok(());
                    }
                }
            }
            _ => {
                // The Region is part of what is to be done, so only of a violation.
                let place = match verdict.violations.as_slice() {
                    [] => None,
                    _ => self.place_of(&group)?,
                };
                let region = place.as_ref().map(|(_, region)| region);
                self.report.group(&group, verdict, region)?
            }
        };
        print(format, &text, terminal)
    }

    fn place_of(&self, group: &SecurityGroup) -> anyhow::Result<Option<(Partition, Region)>> {
        let region = self.arguments.region.as_ref();
        if let Some(place) = region.map(with_partition).or_else(|| place_of(group)) {
            return Ok(Some(place));
        }
        match &*self.of_environment {
            Ok(region) => Ok(region.as_ref().map(with_partition)),
            Err(error) if self.arguments.format == FormatArgument::Asff => bail!("{error}"),
            Err(_) => Ok(None),
        }
    }

    fn finding(
        &self,
        group: SecurityGroup,
        verdict: &Verdict,
        place: Option<(Partition, Region)>,
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
            related_requirements: self.policy.related_requirements.clone(),
        });
        Ok(Finding::evaluated(
            &context,
            self.now,
            group,
            verdict.clone(),
        ))
    }

    /// Prints what still waits, for groups that did not come, and the end of the report; says what is to be said of the
    /// exemptions.
    fn finish(mut self, terminal: &mut Terminal) -> anyhow::Result<Outcome> {
        for held in std::mem::take(&mut self.waiting.groups).into_values() {
            self.print_held(held, terminal)?;
        }
        let failed = self.report.summary().failed;
        print(self.arguments.format, &self.report.finish()?, terminal)?;
        let warnings = exemption::warnings(
            &self.policy.exemptions,
            Some(&self.usage),
            None,
            day_of(self.now),
        );
        for warning in warnings.sentences {
            terminal.say(&warning);
        }
        Ok(Outcome::of_failed(failed))
    }
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
