//! The command line of sg-trust.

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use sg_trust::policy::Reading;

mod check;
mod doctor;
mod evaluation;
mod events;
mod explain;
mod fix;
mod graph;
mod input;
#[cfg(feature = "aws")]
mod live;
mod man;
mod output;
mod plan;
mod policy;
mod reach;
#[cfg(feature = "aws")]
mod recorder;
mod region;
mod replay;
mod report;
mod retire;
mod scan;
mod scope;
mod targets;
mod terminal;
mod test;
mod trust;
mod undo;
mod waiting;

use terminal::{Outcome, Terminal};

const EXAMPLES: &str = "\
Examples:
  aws ec2 describe-security-groups | sg-trust check -
  sg-trust check --format json groups.json
  sg-trust replay events/authorize-ingress.json --groups events/account.json
  sg-trust explain sg-0123456789abcdef0 --groups groups.json
  sg-trust scan --all-regions

Exit codes: 0 nothing to report; 1 at least one FAILED group (or a failed test); 2 the command could not do its job \
(bad usage, unreadable input, an AWS error). 2 beats 1.";

/// Finds AWS security groups that trust other security groups without restriction.
///
/// The policy is AWS.SecurityGroup.RestrictsInterSecurityGroupTraffic: a security group must not let another security
/// group reach all its ports. The same evaluation runs as an AWS Lambda function that publishes findings in Security Hub.
#[derive(Debug, Parser)]
#[command(name = "sg-trust", version, after_help = EXAMPLES, arg_required_else_help = true)]
struct Arguments {
    #[command(flatten)]
    settings: SettingsArguments,
    #[command(subcommand)]
    command: Command,
}

/// The settings of the policy, the same for every command.
#[derive(Debug, clap::Args)]
struct SettingsArguments {
    /// The settings file (policy.toml); without it the built-in defaults.
    #[arg(
        long = "policy",
        value_name = "FILE",
        global = true,
        help_heading = "Settings"
    )]
    policy_file: Option<String>,
    /// Overrides the setting `reading`.
    #[arg(long, value_name = "READING", global = true, help_heading = "Settings")]
    reading: Option<ReadingArgument>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum ReadingArgument {
    /// Fails exactly what the published detection fails.
    Reference,
    /// Fails also what opens as many ports in another way.
    Effective,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Evaluates security groups from JSON.
    Check(check::Arguments),
    /// Runs the function's own code on an event, with a file in place of EC2 and stdout in place of Security Hub.
    Replay(replay::Arguments),
    /// Shows what an event makes the function do, and why.
    Targets(targets::Arguments),
    /// Runs the tests of a policy file in Panther's format, in the reference reading.
    Test(test::Arguments),
    /// Explains the verdict on one group, permission by permission.
    Explain(explain::Arguments),
    /// Plans which rules to revoke so that groups no longer fail, and revokes exactly these.
    Fix(fix::Arguments),
    /// Undoes what `fix --apply` did, by its undo file.
    Undo(undo::Arguments),
    /// Shows who reaches what through groups that trust each other, and what to revoke first.
    Graph(graph::Arguments),
    /// Tells whether one group, or the internet, reaches another by trust, hop by hop.
    Reach(reach::Arguments),
    /// Writes one HTML file that shows the verdicts, who reaches what, and what to revoke first.
    Report(report::Arguments),
    /// Tells the verdict before a deployment: on a plan of Terraform or OpenTofu.
    Plan(plan::Arguments),
    /// Evaluates the live account, in one Region or several.
    Scan(scan::Arguments),
    /// Archives all active findings of the product in Security Hub, before it is removed.
    Retire(retire::Arguments),
    /// Says what is missing for the product to work in this account and Region.
    Doctor(doctor::Arguments),
    /// Shows the effective settings, or validates a settings file.
    #[command(name = "policy")]
    Settings(policy::Arguments),
    /// Prints a completion script for a shell.
    #[command(
        after_help = "Examples:\n  sg-trust completions bash > ~/.local/share/bash-completion/completions/sg-trust\n  sg-trust completions zsh > ~/.zfunc/_sg-trust"
    )]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Writes the man pages of all commands into a folder.
    Man(man::Arguments),
}

impl SettingsArguments {
    /// The effective settings. Exemptions of the file that do not hold are complained of.
    fn read(&self, terminal: &mut Terminal) -> anyhow::Result<sg_trust::policy::Settings> {
        let mut policy = match &self.policy_file {
            Some(file) => policy::read(file, terminal)?,
            None => sg_trust::policy::Settings::default(),
        };
        match self.reading {
            Some(ReadingArgument::Reference) => policy.reading = Reading::Reference,
            Some(ReadingArgument::Effective) => policy.reading = Reading::Effective,
            None => {}
        }
        Ok(policy)
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut terminal = Terminal::new();
    let outcome = run(&arguments, &mut terminal);
    terminal.end(outcome)
}

fn run(arguments: &Arguments, terminal: &mut Terminal) -> anyhow::Result<Outcome> {
    let settings = &arguments.settings;
    // Settings that are given are read whatever the command: a mistake in them is never silent.
    let policy = settings.read(terminal)?;
    match &arguments.command {
        Command::Check(arguments) => check::run(arguments, &policy, terminal),
        Command::Replay(arguments) => replay::run(arguments, &policy, terminal),
        Command::Doctor(arguments) => {
            doctor::run(arguments, &policy, settings.policy_file.is_some(), terminal)
        }
        Command::Targets(arguments) => targets::run(arguments, &policy, terminal),
        Command::Test(arguments) => test::run(arguments, terminal),
        Command::Explain(arguments) => explain::run(arguments, &policy, terminal),
        Command::Fix(arguments) => fix::run(arguments, &policy, terminal),
        Command::Undo(arguments) => undo::run(arguments, terminal),
        Command::Graph(arguments) => graph::run(arguments, &policy, terminal),
        Command::Reach(arguments) => reach::run(arguments, &policy, terminal),
        Command::Report(arguments) => report::run(arguments, &policy, terminal),
        Command::Plan(arguments) => plan::run(arguments, &policy, terminal),
        Command::Scan(arguments) => scan::run(arguments, &policy, terminal),
        Command::Retire(arguments) => retire::run(arguments, terminal),
        Command::Settings(arguments) => policy::run(arguments, &policy, terminal),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Arguments::command(), "sg-trust", &mut script);
            terminal.print(&String::from_utf8(script)?)?;
            Ok(Outcome::Nothing)
        }
        Command::Man(arguments) => man::run(arguments),
    }
}
