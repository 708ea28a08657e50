//! `policy`: shows the effective settings, or validates a settings file.

use anyhow::Context as _;
use jiff::Timestamp;
use sg_trust::config::SettingsFile;
use sg_trust::policy::exemption::alerts;
use sg_trust::policy::{Settings, day_of};
use sg_trust::report::prose::describe_alert;

use crate::terminal::{Outcome, Terminal};

const EXAMPLES: &str = "\
Examples:
  sg-trust policy --show
  sg-trust policy --show --policy policy.toml --reading reference
  sg-trust policy --check policy.toml";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[group(required = true, multiple = false)]
pub(crate) struct Arguments {
    /// Prints the effective settings.
    #[arg(long)]
    show: bool,
    /// Validates a settings file.
    #[arg(long, value_name = "FILE")]
    check: Option<String>,
}

/// Reads a settings file, and complains of exemptions in it that do not hold.
pub(crate) fn read(file: &str, terminal: &mut Terminal) -> anyhow::Result<Settings> {
    let (name, text) = crate::input::read(file).context("settings")?;
    let SettingsFile { settings, refused } = sg_trust::config::read(name, &text)?;
    for reason in refused.iter().flat_map(|exemption| &exemption.reasons) {
        terminal.complain(&reason.to_string());
    }
    Ok(settings)
}

/// Validates a settings file.
fn check(file: &str, terminal: &mut Terminal) -> anyhow::Result<()> {
    let settings = read(file, terminal)?;
    for alert in alerts(&settings.exemptions, None, None, day_of(Timestamp::now())) {
        terminal.say(&describe_alert(&alert));
    }
    if !terminal.has_trouble() {
        terminal.print(&format!("{file}: valid\n"))?;
    }
    Ok(())
}

pub(crate) fn run(
    arguments: &Arguments,
    policy: &Settings,
    terminal: &mut Terminal,
) -> anyhow::Result<Outcome> {
    match &arguments.check {
        Some(file) => check(file, terminal)?,
        None => terminal.print(&sg_trust::config::to_toml(policy)?)?,
    }
    Ok(Outcome::Nothing)
}
