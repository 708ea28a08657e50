//! `targets`: what an event makes the function do, and why.

use anyhow::Context as _;
use sg_trust::render::json;
use sg_trust::render::targets::Targets;
use sg_trust::trigger;

use crate::terminal::{Outcome, Terminal, read_event};

const EXAMPLES: &str = "\
Examples:
  sg-trust targets events/authorize-ingress.json
  sg-trust targets - < event.json | jq -r '.action, .targets[]'

Never needs AWS. JSON that is no event exits 2.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// A file with an event; `-` is standard input.
    #[arg(value_name = "EVENT")]
    event: String,
}

pub(crate) fn run(arguments: &Arguments, terminal: &mut Terminal) -> anyhow::Result<Outcome> {
    let (name, event) = read_event(&arguments.event)?;
    let trigger = trigger::classify(&event).with_context(|| name.to_owned())?;
    terminal.print(&(json::to_pretty(&Targets::from(&trigger))? + "\n"))?;
    Ok(Outcome::Nothing)
}
