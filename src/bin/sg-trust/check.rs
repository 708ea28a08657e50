//! `check`: evaluates security groups from JSON.

use std::collections::BTreeSet;
use std::io::Write as _;

use jiff::Timestamp;
use sg_trust::input::{GroupReader, InputError, Location, Seen, Sighting};
use sg_trust::model::Region;
use sg_trust::policy::exemption::{self, Usage};
use sg_trust::policy::{ReferencedGroups, Settings, day_of};
use sg_trust::report::prose::describe_alert;
use sg_trust::report::{Format, Report, Summary};

use crate::evaluation::{Begun, Element, Evaluation, Work};
use crate::input::{files, open, shown};
use crate::output::FormatArguments;
use crate::region::{Regions, parse_region};
use crate::terminal::{Outcome, Terminal};
use crate::waiting::{Held, Waiting};

const EXAMPLES: &str = "\
Examples:
  aws ec2 describe-security-groups | sg-trust check -
  aws ec2 describe-security-groups > groups.json && sg-trust check groups.json
  sg-trust check --format json groups.json | jq '.groups[] | select(.verdict == \"FAILED\").group_id'
  sg-trust check --format asff --region eu-west-1 groups.json

A file holds {\"SecurityGroups\":[…]} as the AWS CLI prints it, an array, one group, or one JSON document a line; \
of a directory the *.json are read. \
Documents that cannot be used are named, the others are evaluated, and the exit code is 2. \
A group that several files have is printed once.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Files with security groups, or directories of such files; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    #[command(flatten)]
    format: FormatArguments,
    /// The Region of groups whose SecurityGroupArn does not tell it; without it AWS_REGION, then AWS_DEFAULT_REGION.
    #[arg(long, value_name = "REGION", value_parser = parse_region)]
    region: Option<Region>,
}

pub(crate) fn run(
    arguments: &Arguments,
    policy: &Settings,
    terminal: &mut Terminal,
) -> anyhow::Result<Outcome> {
    let format = arguments.format.format()?;
    let seen = Seen::default();
    let evaluation = Evaluation {
        policy,
        regions: match format {
            Format::Asff | Format::Ocsf => Regions::new(arguments.region.clone()),
            _ => Regions::optional(arguments.region.clone()),
        },
        format,
        identities: seen.identities(),
        now: Timestamp::now(),
    };
    let mut check = Check {
        evaluation: &evaluation,
        format,
        report: Report::new(format),
        seen,
        referenced: ReferencedGroups::default(),
        waiting: Waiting::default(),
        usage: Usage::default(),
        is_whole: true,
        terminal,
    };
    let mut all = Vec::new();
    for path in &arguments.files {
        match files(path) {
            Ok(files) => all.extend(files),
            Err(error) => {
                check.is_whole = false;
                check.terminal.complain(&format!("{error:#}"));
            }
        }
    }
    for path in &all {
        match check.file(path) {
            Ok(()) => {}
            // Nothing more can change the exit code for the better.
            Err(Stop::NobodyReads) => return Ok(Outcome::Failed),
            Err(Stop::Failed(error)) => return Err(error),
        }
    }
    check.finish()
}

/// A run over groups as they come.
struct Check<'a> {
    evaluation: &'a Evaluation<'a>,
    format: Format,
    report: Report,
    seen: Seen,
    referenced: ReferencedGroups,
    waiting: Waiting<'a>,
    usage: Usage,
    /// Whether all of the input could be read.
    is_whole: bool,
    terminal: &'a mut Terminal,
}

/// Why a run ends before the last group.
enum Stop {
    /// The reader of the results went away, and a group failed.
    NobodyReads,
    Failed(anyhow::Error),
}

impl<'a> Check<'a> {
    fn file(&mut self, path: &'a str) -> Result<(), Stop> {
        let (name, reader) = match open(path) {
            Ok(opened) => opened,
            Err(error) => {
                self.is_whole = false;
                self.terminal.complain(&format!("{error:#}"));
                return Ok(());
            }
        };
        let evaluation = self.evaluation;
        let shown = shown(name);
        GroupReader::new(name, reader).for_each(
            |group| evaluation.begin(shown.as_deref(), group),
            |location, begun| {
                self.take(name, location, begun).map_err(Stop::Failed)?;
                if self.terminal.is_closed() && self.report.summary().failed > 0 {
                    return Err(Stop::NobodyReads);
                }
                Ok(())
            },
        )
    }
}

impl<'a> Check<'a> {
    /// Prints a group, or holds it until its sources are known, and prints what waited for it. Of groups of one owner and
    /// id the first is printed.
    fn take(
        &mut self,
        name: &'a str,
        location: Location,
        begun: Result<Begun, InputError>,
    ) -> anyhow::Result<()> {
        let begun = match begun {
            Ok(begun) => begun,
            Err(error) => {
                self.is_whole = false;
                self.terminal.complain(&error.to_string());
                return Ok(());
            }
        };
        let sighting = self.seen.note(begun.identity);
        let id = match &begun.work {
            Work::Done(element) => &element.group_id,
            Work::Waits(group) => &group.group_id,
        };
        if sighting == Sighting::Different {
            let problem =
                format!("security group {id} came before with other contents: the first counts");
            self.complain(name, location, problem);
        }
        match begun.work {
            Work::Done(element) if sighting == Sighting::First => {
                self.print(name, location, element)
            }
            Work::Done(_) => Ok(()),
            Work::Waits(group) => self.evaluate(
                Held {
                    name,
                    location,
                    group: *group,
                },
                sighting == Sighting::First,
            ),
        }
    }

    /// With `[sensitivity]`: a group is known to others whichever of several equal ids it has, and the least sensitive
    /// counts.
    fn evaluate(&mut self, held: Held<'a>, is_first: bool) -> anyhow::Result<()> {
        let policy = self.evaluation.policy;
        self.referenced.add(policy, &held.group);
        let released = self.waiting.release(&held.group.group_id);
        if is_first {
            let verdict = self.evaluation.verdict(&held.group, &self.referenced);
            let unseen = self.referenced.unseen_sources(policy, &verdict);
            let unknown: BTreeSet<_> = unseen.collect();
            if unknown.is_empty() {
                self.print_held(held)?;
            } else {
                self.waiting.hold(held, unknown);
            }
        }
        released
            .into_iter()
            .try_for_each(|held| self.print_held(held))
    }

    fn print_held(&mut self, held: Held<'a>) -> anyhow::Result<()> {
        let verdict = self.evaluation.verdict(&held.group, &self.referenced);
        let element = self
            .evaluation
            .element(shown(held.name).as_deref(), held.group, &verdict);
        self.print(held.name, held.location, element)
    }

    fn print(&mut self, name: &str, location: Location, element: Element) -> anyhow::Result<()> {
        self.usage.join(&element.usage);
        match element.piece {
            Ok(piece) => {
                let (before, text) = self.report.add(element.status, piece);
                write(self.terminal, self.format, &before)?;
                write(self.terminal, self.format, &text)
            }
            Err(error) => {
                let problem = format!("security group {}: {error:#}", element.group_id);
                self.complain(name, location, problem);
                Ok(())
            }
        }
    }

    fn complain(&mut self, name: &str, location: Location, problem: String) {
        let error = InputError::at(name, location, problem);
        self.is_whole = false;
        self.terminal.complain(&error.to_string());
    }

    /// Prints what still waits, for groups that did not come, and the end of the report; warns of exemptions.
    fn finish(mut self) -> anyhow::Result<Outcome> {
        for held in self.waiting.take() {
            self.print_held(held)?;
        }
        let Summary { groups, failed, .. } = *self.report.summary();
        write(self.terminal, self.format, &self.report.finish()?)?;
        let today = day_of(self.evaluation.now);
        let exemptions = &self.evaluation.policy.exemptions;
        // What could not be read might have needed an exemption.
        let is_whole = self.is_whole && groups > 0;
        let usage = is_whole.then_some(&self.usage);
        let alerts = exemption::alerts(exemptions, Some(self.usage.accounts()), usage, today);
        for alert in alerts {
            self.terminal.say(&describe_alert(&alert));
        }
        Ok(Outcome::of_failed(failed))
    }
}

fn write(terminal: &mut Terminal, format: Format, text: &str) -> anyhow::Result<()> {
    let for_people = format == Format::Table;
    terminal.results(for_people).write_all(text.as_bytes())?;
    Ok(())
}
