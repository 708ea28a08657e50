//! `man`: the man pages, made from the same definitions as the help.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::CommandFactory as _;

use crate::terminal::Outcome;

const EXAMPLES: &str = "\
Examples:
  sg-trust man ~/.local/share/man/man1 && man sg-trust-check

The folder is made where it is missing. It gets sg-trust.1, and one page for each command, such as sg-trust-check.1.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The folder.
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let folder = &arguments.folder;
    std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(crate::Arguments::command(), folder))
        .with_context(|| format!("{}: the man pages cannot be written", folder.display()))?;
    Ok(Outcome::Nothing)
}
