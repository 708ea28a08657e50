//! `targets`: what an event makes the function do, and why.

use sg_trust::policy::Settings;
use sg_trust::report::json;
use sg_trust::report::targets::Invocation;

use crate::events;
use crate::terminal::{Outcome, Terminal};

const EXAMPLES: &str = "\
Examples:
  sg-trust targets events/authorize-ingress.json
  sg-trust targets - < event.json | jq -r '.action, .targets[]'

Never needs AWS. With [sensitivity] in the settings, a change of tags also evaluates the groups that reference the \
changed one. A document that is no event exits 2.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// A file with an event; `-` is standard input.
    #[arg(value_name = "EVENT")]
    event: String,
}

pub(crate) fn run(
    arguments: &Arguments,
    policy: &Settings,
    terminal: &mut Terminal,
) -> anyhow::Result<Outcome> {
    let (name, mut batch) = events::read(&arguments.event)?;
    if policy.sensitivity.is_none() {
        batch.forget_references();
    }
    terminal.print(&(json::to_pretty(&Invocation::from(&batch))? + "\n"))?;
    events::complain(name, &batch, terminal);
    Ok(Outcome::Nothing)
}
