//! `policy`: shows the effective settings, or validates a settings file.

use anyhow::Context as _;
use sg_trust::policy::Settings;

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

/// Reads a settings file.
pub(crate) fn read(file: &str) -> anyhow::Result<Settings> {
    let (name, text) = crate::input::read(file).context("settings")?;
    Ok(sg_trust::config::read(name, &text)?)
}

pub(crate) fn run(
    arguments: &Arguments,
    policy: &Settings,
    terminal: &mut Terminal,
) -> anyhow::Result<Outcome> {
    match &arguments.check {
        Some(file) => {
            read(file)?;
            terminal.print(&format!("{file}: valid\n"))?;
        }
        None => terminal.print(&sg_trust::config::to_toml(policy)?)?,
    }
    Ok(Outcome::Nothing)
}
