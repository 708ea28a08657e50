//! `sg-trust plan`: the verdict before it is deployed.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use jiff::Timestamp;
use jiff::civil::Date;
use sg_trust::input::terraform::{self, Sources};
use sg_trust::input::{
    InputError, Parameters, Reading, Snapshot, Templates, deployment_kind, read_change_set,
    read_parameters, read_templates,
};
use sg_trust::model::planned::{Deployment, DeploymentKind};
use sg_trust::plan::{FailOn, PlanReport, Ways, join, overlay, reach_changes, report};
use sg_trust::policy::{Settings, day_of};

use crate::input::{open, shown, snapshot};
use crate::terminal::{Outcome, Terminal};

mod format;

use format::FormatArguments;

const EXAMPLES: &str = "\
Examples:
  terraform show -json tfplan | sg-trust plan -
  sg-trust plan plan.json
  sg-trust plan --fail-on any --format json plan.json
  sg-trust plan --before deployed.yaml --parameters production.json template.yaml
  aws cloudformation describe-change-set --change-set-name ARN --include-property-values | sg-trust plan -

Exit codes: 0 nothing to report; 1 a violation that --fail-on names, or a group that the plan changes and of which nobody \
can tell; 2 the command could not do its job.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Files with plans, each told by its content: the output of `terraform show -json` or `tofu show -json`, a template of
    /// CloudFormation, or the answer of `aws cloudformation describe-change-set --include-property-values`; `-` is standard
    /// input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// The folder with the .tf files that the plan was made of, for lines and for what plans leave out; by default the
    /// plan's own folder, when it has some.
    #[arg(long, value_name = "DIR")]
    source: Option<PathBuf>,
    /// The groups of the account as they are, which the plan is laid over: the output of `aws ec2
    /// describe-security-groups`, or a directory of such files.
    #[arg(long, value_name = "SNAPSHOT")]
    groups: Option<String>,
    /// The parameters of a template, as the AWS CLI takes them: [{"ParameterKey":"…","ParameterValue":"…"}].
    #[arg(long, value_name = "FILE")]
    parameters: Option<String>,
    /// The template that the stack has now: what is there already is not new.
    #[arg(long, value_name = "TEMPLATE")]
    before: Option<String>,
    /// Which violations make the exit code 1.
    #[arg(long, value_name = "WHICH", value_enum, default_value_t = FailOnArgument::New)]
    fail_on: FailOnArgument,
    /// Does not fail for groups of which nobody can tell before the deployment.
    #[arg(long)]
    allow_cannot_tell: bool,
    #[command(flatten)]
    format: FormatArguments,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum FailOnArgument {
    /// New and widened violations.
    New,
    /// Every violation that stands after the deployment.
    Any,
    /// None.
    None,
}

impl From<FailOnArgument> for FailOn {
    fn from(argument: FailOnArgument) -> Self {
        match argument {
            FailOnArgument::New => Self::New,
            FailOnArgument::Any => Self::Any,
            FailOnArgument::None => Self::None,
        }
    }
}

pub(crate) fn run(
    arguments: &Arguments,
    policy: &Settings,
    terminal: &mut Terminal,
) -> anyhow::Result<Outcome> {
    let format = arguments.format.format()?;
    let given = Given {
        snapshot: match &arguments.groups {
            Some(path) => Some(snapshot(path)?.1),
            None => None,
        },
        parameters: match &arguments.parameters {
            Some(path) => {
                let (name, text) = text_of(path)?;
                read_parameters(name, &text)?
            }
            None => Parameters::new(),
        },
        before: match &arguments.before {
            Some(path) => Some((path.as_str(), text_of(path)?.1)),
            None => None,
        },
        today: day_of(Timestamp::now()),
    };
    let mut is_failed = false;
    let mut reports = Vec::new();
    for file in &arguments.files {
        match arguments.read(file, &given, terminal) {
            Ok(reading) => {
                let Some(report) = given.report(policy, reading) else {
                    continue;
                };
                is_failed |= report.fails(arguments.fail_on.into(), arguments.allow_cannot_tell);
                for note in &report.notes {
                    terminal.say(&format!("{file}: {note}"));
                }
                reports.push(report);
            }
            Err(error) => terminal.complain(&format!("{error:#}")),
        }
    }
    format::print(format, &reports, terminal)?;
    Ok(Outcome::of_failed(u64::from(is_failed)))
}

/// What is given beside the files.
struct Given<'a> {
    snapshot: Option<Snapshot>,
    parameters: Parameters,
    before: Option<(&'a str, String)>,
    today: Date,
}

impl Given<'_> {
    /// The report of a file: of each way in which it may turn out, put together.
    fn report(&self, policy: &Settings, reading: Reading) -> Option<PlanReport> {
        let report = |deployment| match &self.snapshot {
            Some(snapshot) => {
                let groups = snapshot.groups();
                let laid = overlay(deployment, groups);
                let reach = reach_changes(policy, &laid, groups, self.today);
                PlanReport {
                    reach: Some(reach),
                    ..report(policy, &laid, self.today)
                }
            }
            None => report(policy, &deployment, self.today),
        };
        let reports = reading.deployments.into_iter().map(report).collect();
        let ways = Ways {
            unknown: &reading.unknown,
            values: &reading.values,
        };
        join(reports, ways)
    }
}

/// One way alone.
fn only(deployment: Deployment) -> Reading {
    Reading {
        deployments: vec![deployment],
        unknown: Vec::new(),
        values: vec![Vec::new()],
    }
}

/// A file, or standard input, as text.
fn text_of(path: &str) -> anyhow::Result<(&str, String)> {
    let (name, mut reader) = open(path)?;
    let mut bytes = Vec::new();
    reader
        .read_to_end(&mut bytes)
        .with_context(|| format!("{name}: cannot be read"))?;
    let text = String::from_utf8(bytes).map_err(|_| not_text(name))?;
    Ok((name, text))
}

impl Arguments {
    fn read(
        &self,
        path: &str,
        given: &Given<'_>,
        terminal: &mut Terminal,
    ) -> anyhow::Result<Reading> {
        let (name, text) = text_of(path)?;
        let kind = deployment_kind(name, &text)?;
        let is_template = kind == DeploymentKind::Template;
        anyhow::ensure!(
            is_template || (self.parameters.is_none() && self.before.is_none()),
            "{name}: --parameters and --before are for templates of CloudFormation, and this is none"
        );
        Ok(match kind {
            DeploymentKind::Terraform => {
                let sources = self.sources(path, terminal)?;
                only(terraform::read_plan(name, &text, sources.as_ref())?)
            }
            DeploymentKind::Template => {
                let shown = shown(name);
                let before = given.before.as_ref();
                read_templates(Templates {
                    template: (shown.as_deref().unwrap_or(name), &text),
                    before: before.map(|(file, text)| (*file, text.as_str())),
                    parameters: &given.parameters,
                })?
            }
            DeploymentKind::ChangeSet => read_change_set(name, &text)?,
        })
    }

    /// The `.tf` files: those of `--source`, or those beside the plan when there are some.
    fn sources(&self, path: &str, terminal: &mut Terminal) -> anyhow::Result<Option<Sources>> {
        if let Some(folder) = &self.source {
            return Ok(Some(Sources::read(folder)?));
        }
        let beside = match path {
            "-" => Path::new("."),
            path => match Path::new(path).parent() {
                Some(folder) if !folder.as_os_str().is_empty() => folder,
                _ => Path::new("."),
            },
        };
        if !Sources::are_in(beside) {
            return Ok(None);
        }
        match Sources::read(beside) {
            Ok(sources) => Ok(Some(sources)),
            // Nobody asked for them.
            Err(error) => {
                terminal.say(&format!("the files beside {path} are not used: {error}"));
                Ok(None)
            }
        }
    }
}

fn not_text(name: &str) -> InputError {
    InputError::of_file(
        name,
        "it is no text: a plan file of Terraform has to be printed with `terraform show -json PLANFILE`",
    )
}
