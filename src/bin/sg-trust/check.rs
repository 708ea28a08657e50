//! `check`: evaluates security groups from JSON.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use anyhow::Context as _;
use jiff::Timestamp;
use sg_trust::finding::{Context, Finding, Passed};
use sg_trust::input::GroupReader;
use sg_trust::model::Scope;
use sg_trust::model::{GroupId, Partition, Region, SecurityGroup};
use sg_trust::policy::exemption::{self, Usage};
use sg_trust::policy::{ReferencedGroups, Settings, Verdict, day_of};
use sg_trust::report::{Format, Report};

use crate::input::open;
use crate::region::{Regions, parse_region};
use crate::terminal::{Outcome, Terminal};

const EXAMPLES: &str = "\
Examples:
  aws ec2 describe-security-groups | sg-trust check -
  aws ec2 describe-security-groups > groups.json && sg-trust check groups.json
  sg-trust check --format json groups.json | jq '.groups[] | select(.verdict == \"FAILED\").group_id'
  sg-trust check --format asff --region eu-west-1 groups.json

A file holds {\"SecurityGroups\":[…]} as the AWS CLI prints it, an array, one group, or one JSON document a line. \
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
    /// The Region of groups whose SecurityGroupArn does not tell it; without it AWS_REGION, then AWS_DEFAULT_REGION.
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

pub(crate) fn run(
    arguments: &Arguments,
    policy: &Settings,
    terminal: &mut Terminal,
) -> anyhow::Result<Outcome> {
    let mut check = Check {
        arguments,
        policy,
        regions: match arguments.format {
            FormatArgument::Asff => Regions::new(arguments.region.clone()),
            _ => Regions::optional(arguments.region.clone()),
        },
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
            // Nobody reads what would be printed, and nothing more can change the exit code for the better.
            if terminal.is_closed() && check.report.summary().failed > 0 {
                return Ok(Outcome::Failed);
            }
        }
    }
    check.finish(terminal)
}

/// A run over groups as they come.
struct Check<'a> {
    arguments: &'a Arguments,
    policy: &'a Settings,
    regions: Regions,
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
        let id = group.group_id.clone();
        let format = self.arguments.format;
        let place = self.regions.find(&group);
        let text = match format {
            FormatArgument::Asff => place
                .and_then(|place| self.finding(group, verdict, place))
                .and_then(|finding| Ok(self.report.finding(&finding)?)),
            _ => place.and_then(|place| {
                let region = place.as_ref().map(|(_, region)| region);
                Ok(self.report.group(&group, verdict, region)?)
            }),
        };
        match text {
            Ok(text) => print(format, &text, terminal),
            Err(error) => {
                terminal.complain(&format!("{input}: security group {id}: {error:#}"));
                Ok(())
            }
        }
    }

    fn finding(
        &self,
        group: SecurityGroup,
        verdict: &Verdict,
        place: Option<(Partition, Region)>,
    ) -> anyhow::Result<Finding> {
        let (partition, region) =
            place.context("its Region is not known: give --region, set AWS_REGION, or keep SecurityGroupArn in the input")?;
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
