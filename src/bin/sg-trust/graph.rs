//! `graph`: who reaches what through groups that trust each other.

use sg_trust::graph::Overview;
use sg_trust::policy::Settings;
use sg_trust::report::graph::drawing::{Drawing, MANY_EDGES};
use sg_trust::report::graph::{json, table};

use crate::terminal::{Outcome, Terminal};
use crate::trust::{Input, TrustArgument, walk};

const EXAMPLES: &str = "\
Examples:
  sg-trust graph events/organisation --policy events/organisation/policy.toml
  sg-trust graph groups.json --interfaces interfaces.json
  sg-trust graph events/organisation --to payments-db
  sg-trust graph events/organisation --format json | jq '.revoke_first[].commands[]'
  sg-trust graph events/organisation --format dot | dot -Tsvg > graph.svg

It is trust, not connectivity: egress rules, network ACLs, routes and address ranges are not read. \
Network interfaces beside the groups of a file are read too. \
The exit code is 0, whatever the graph looks like; 2 when a file cannot be used, or no single group is meant.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    input: Input,
    /// Which trust is followed.
    #[arg(long, value_enum, default_value_t = TrustArgument::Open)]
    trust: TrustArgument,
    /// Tells what to revoke first so that fewer groups reach this one: an id, a name, or ACCOUNT/ID.
    #[arg(long, value_name = "SG")]
    to: Option<String>,
    /// How to print the result.
    #[arg(long, value_enum, default_value_t = FormatArgument::Table)]
    format: FormatArgument,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum FormatArgument {
    /// A summary for people.
    Table,
    /// One document: groups, trust edges, and what a summary tells.
    Json,
    /// The trust that is followed, for Graphviz.
    Dot,
    /// The trust that is followed, for Mermaid.
    Mermaid,
}

pub(crate) fn run(
    arguments: &Arguments,
    policy: &Settings,
    terminal: &mut Terminal,
) -> anyhow::Result<Outcome> {
    let read = arguments.input.read(policy, terminal)?;
    let to = arguments.to.as_deref();
    let to = to.map(|to| read.graph.find_group(to)).transpose()?;
    let walk = walk(&read.graph, arguments.trust, &arguments.input);
    match arguments.format {
        FormatArgument::Table => {
            let overview = Overview::new(&walk, to);
            terminal.print_coloured(&table::graph(&walk, &overview, policy, to))?;
        }
        FormatArgument::Json => {
            let overview = Overview::new(&walk, to);
            terminal.print(&json::graph(&walk, &overview, policy, to)?)?;
        }
        FormatArgument::Dot | FormatArgument::Mermaid => {
            let drawing = Drawing::new(&walk);
            if drawing.edges() > MANY_EDGES {
                terminal.say(&format!(
                    "a drawing of {} edges shows little: --format table tells what matters, `sg-trust reach` tells about one group",
                    drawing.edges()
                ));
            }
            let text = match arguments.format {
                FormatArgument::Dot => drawing.dot(&walk),
                _ => drawing.mermaid(&walk),
            };
            terminal.print(&text)?;
        }
    }
    Ok(Outcome::Nothing)
}
