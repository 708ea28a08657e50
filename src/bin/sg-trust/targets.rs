//! `targets`: what an event makes the function do, and why.

use sg_trust::event::{self, Message, Shape};
use sg_trust::policy::Settings;
use sg_trust::report::json;
use sg_trust::report::targets::Invocation;

use crate::input::read_event;
use crate::terminal::{Outcome, Terminal};

const EXAMPLES: &str = "\
Examples:
  sg-trust targets events/authorize-ingress.json
  sg-trust targets - < event.json | jq -r '.action, .targets[]'

Never needs AWS. What a tag change means to the groups that reference the changed one is shown with settings that have
[sensitivity]. JSON that is no event exits 2.";

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
    let (name, event) = read_event(&arguments.event)?;
    let mut batch = event::read(&event);
    if policy.sensitivity.is_none() {
        batch.forget_references();
    }
    if let (
        Shape::Single,
        [
            Message {
                trigger: Err(error),
                ..
            },
        ],
    ) = (batch.shape, batch.messages.as_slice())
    {
        anyhow::bail!("{name}: {error}");
    }
    terminal.print(&(json::to_pretty(&Invocation::from(&batch))? + "\n"))?;
    for (number, message) in (1..).zip(&batch.messages) {
        if let Err(error) = &message.trigger {
            terminal.complain(&format!("{name}: message {number}: {error}"));
        }
    }
    Ok(Outcome::Nothing)
}
