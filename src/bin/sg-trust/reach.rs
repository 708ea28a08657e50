//! `reach`: whether one reaches the other through groups that trust each other.

use sg_trust::graph::{Answer, KeepExempt, Question};
use sg_trust::policy::Settings;
use sg_trust::report::graph::{reach, reach_json};

use crate::terminal::{Outcome, Terminal};
use crate::trust::{Input, TrustArgument, find_origin, find_targets, walk};

const EXAMPLES: &str = "\
Examples:
  sg-trust reach events/organisation --from internet --to payments-db
  sg-trust reach events/organisation --from internet --to payments-db --cut
  sg-trust reach events/organisation --policy events/organisation/policy.toml --from internet --to level:restricted
  sg-trust reach events/organisation --to payments-db
  sg-trust reach events/organisation --from 222222222222/ci-runner --trust open

It is trust, not connectivity: egress rules, network ACLs, routes and address ranges are not read. \
Exit codes: 1 when --from reaches --to, 0 when it does not, 2 when that cannot be told. With one of the two it is 0.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[command(group = clap::ArgGroup::new("ends").args(["from", "to"]).multiple(true).required(true))]
pub(crate) struct Arguments {
    #[command(flatten)]
    input: Input,
    /// Where chains begin: `internet`, an id, a name, or ACCOUNT/ID; without it, everything that reaches --to.
    #[arg(long, value_name = "SG")]
    from: Option<String>,
    /// Where chains end: an id, a name, ACCOUNT/ID, or `level:` and a level; without it, everything that --from reaches.
    #[arg(long, value_name = "SG")]
    to: Option<String>,
    /// Which trust is followed.
    #[arg(long, value_enum, default_value_t = TrustArgument::Any)]
    trust: TrustArgument,
    /// Finds the smallest set of trust edges to revoke, so that --from no longer reaches --to.
    #[arg(long, requires = "from", requires = "to")]
    cut: bool,
    /// Leaves exempt trust edges out of the cut.
    #[arg(long, requires = "cut")]
    keep_exempt: bool,
    /// How to print the result.
    #[arg(long, value_enum, default_value_t = FormatArgument::Table)]
    format: FormatArgument,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum FormatArgument {
    /// The path hop by hop, for people.
    Table,
    /// One document.
    Json,
}

pub(crate) fn run(
    arguments: &Arguments,
    policy: &Settings,
    terminal: &mut Terminal,
) -> anyhow::Result<Outcome> {
    let read = arguments.input.read(policy, terminal)?;
    anyhow::ensure!(
        read.troubles.is_empty(),
        "not all of what was given could be read, so what reaches what cannot be told"
    );
    let graph = &read.graph;
    let from = arguments.from.as_deref();
    let from = from.map(|from| find_origin(graph, from)).transpose()?;
    let to = arguments.to.as_deref();
    let to = to.map(|to| find_targets(graph, policy, to)).transpose()?;
    let cut = arguments.cut.then_some(KeepExempt(arguments.keep_exempt));
    let question = match (from, to) {
        (Some(from), Some(to)) => Question::Between { from, to, cut },
        (Some(from), None) => Question::From(from),
        (None, Some(to)) => Question::To(to),
        (None, None) => anyhow::bail!("give --from, --to, or both"),
    };
    let walk = walk(graph, arguments.trust, &arguments.input);
    let answer = walk.answer(&question);
    match arguments.format {
        FormatArgument::Table => {
            terminal.print_coloured(&reach::reach(&walk, &question, &answer, policy))?;
        }
        FormatArgument::Json => {
            terminal.print(&reach_json::reach(&walk, &question, &answer, policy)?)?;
        }
    }
    Ok(match answer {
        Answer::Reachable(_) => Outcome::Failed,
        _ => Outcome::Nothing,
    })
}
