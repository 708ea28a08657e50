//! `sg-trust plan`: the verdict before it is deployed.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use jiff::Timestamp;
use sg_trust::input::terraform::{self, Sources};
use sg_trust::input::{InputError, deployment_kind};
use sg_trust::model::planned::{Deployment, DeploymentKind};
use sg_trust::plan::{FailOn, PlanReport, overlay, reach_changes, report};
use sg_trust::policy::{Settings, day_of};
use sg_trust::report::plan::{json, table};

use crate::input::{open, snapshot};
use crate::terminal::{Outcome, Terminal};

const EXAMPLES: &str = "\
Examples:
  terraform show -json tfplan | sg-trust plan -
  sg-trust plan plan.json
  sg-trust plan --fail-on any --format json plan.json

Exit codes: 0 nothing to report; 1 a violation that --fail-on names, or a group that the plan changes and of which nobody \
can tell; 2 the command could not do its job.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Files with plans: the output of `terraform show -json` or `tofu show -json`; `-` is standard input.
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
    /// Which violations make the exit code 1.
    #[arg(long, value_name = "WHICH", value_enum, default_value_t = FailOnArgument::New)]
    fail_on: FailOnArgument,
    /// Does not fail for groups of which nobody can tell before the deployment.
    #[arg(long)]
    allow_cannot_tell: bool,
    /// The format of the results.
    #[arg(long, value_enum, default_value_t = FormatArgument::Table)]
    format: FormatArgument,
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum FormatArgument {
    /// Text for people.
    Table,
    /// One JSON document.
    Json,
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
    let mut is_failed = false;
    let snapshot = match &arguments.groups {
        Some(path) => Some(snapshot(path)?.1),
        None => None,
    };
    let today = day_of(Timestamp::now());
    for file in &arguments.files {
        match arguments.read(file, terminal) {
            Ok(deployment) => {
                let report = match &snapshot {
                    Some(snapshot) => {
                        let groups = snapshot.groups();
                        let laid = overlay(deployment, groups);
                        let reach = reach_changes(policy, &laid, groups, today);
                        PlanReport {
                            reach: Some(reach),
                            ..report(policy, &laid, today)
                        }
                    }
                    None => report(policy, &deployment, today),
                };
                is_failed |= report.fails(arguments.fail_on.into(), arguments.allow_cannot_tell);
                for note in &report.notes {
                    terminal.say(&format!("{file}: {note}"));
                }
                arguments.print(&report, terminal)?;
            }
            Err(error) => terminal.complain(&format!("{error:#}")),
        }
    }
    Ok(Outcome::of_failed(u64::from(is_failed)))
}

impl Arguments {
    fn read(&self, path: &str, terminal: &mut Terminal) -> anyhow::Result<Deployment> {
        let (name, mut reader) = open(path)?;
        let mut bytes = Vec::new();
        reader
            .read_to_end(&mut bytes)
            .with_context(|| format!("{name}: cannot be read"))?;
        let text = String::from_utf8(bytes).map_err(|_| not_text(name))?;
        let kind = deployment_kind(name, &text)?;
        let deployment = match kind {
            DeploymentKind::Terraform => {
                let sources = self.sources(path, terminal)?;
                terraform::read_plan(name, &text, sources.as_ref())?
            }
            DeploymentKind::Template | DeploymentKind::ChangeSet => {
                anyhow::bail!(
                    "{name}: templates and change sets of CloudFormation are not read yet"
                )
            }
        };
        Ok(deployment)
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

    fn print(&self, report: &PlanReport, terminal: &mut Terminal) -> anyhow::Result<()> {
        match self.format {
            FormatArgument::Table => terminal.print_coloured(&table::table(report)),
            FormatArgument::Json => terminal.print(&json::document(report)?),
        }
    }
}

fn not_text(name: &str) -> InputError {
    InputError::of_file(
        name,
        "it is no text: a plan file of Terraform has to be printed with `terraform show -json PLANFILE`",
    )
}
