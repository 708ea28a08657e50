//! `report`: one HTML file for whoever would rather look than read.

use std::path::Path;

use anyhow::Context as _;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use sg_trust::graph::TrustGraph;
use sg_trust::model::{Region, SecurityGroup};
use sg_trust::policy::{Settings, day_of};
use sg_trust::report::html::{Contents, evaluate_all, html};

use crate::terminal::{Outcome, Terminal};
use crate::trust::{Files, ReadGraph};

const EXAMPLES: &str = "\
Examples:
  sg-trust report groups.json -o report.html
  sg-trust report events/organisation --policy events/organisation/policy.toml -o report.html
  sg-trust report groups.json --interfaces interfaces.json --title 'Payments, March' --at 2027-03-31 -o report.html

The file fetches nothing: it works from a mail attachment, printed, and without JavaScript. \
The same input makes the same bytes: the report shows no time but that of --at. \
Without --at exemptions end as of today. \
The exit code is 0, whatever the groups came to; 2 when a file cannot be used: the report is made of the others, and says so.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    page: Page,
    /// The file to write; `-` is standard output.
    #[arg(short = 'o', long = "output", value_name = "FILE")]
    output: String,
}

/// What the page says about itself.
#[derive(Debug, Default, clap::Args)]
struct Page {
    /// The title of the report.
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// The moment that the report shows, and as of which exemptions have ended: 2027-03-31, or 2027-03-31T12:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    at: Option<Timestamp>,
}

impl Page {
    /// The day as of which exemptions have ended, in UTC.
    fn today(&self) -> Date {
        day_of(self.at.unwrap_or_else(Timestamp::now))
    }
}

/// A moment, or the beginning of a day in UTC.
fn parse_moment(text: &str) -> Result<Timestamp, String> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    let day = text
        .parse::<Date>()
        .ok()
        .filter(|_| !text.contains(['T', 't', ' ', ':']));
    let begin = day.and_then(|day| TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)).ok());
    begin.ok_or_else(|| {
        "not a day such as 2027-03-31, nor a moment such as 2027-03-31T12:00:00Z".to_owned()
    })
}

pub(crate) fn run(
    arguments: &Arguments,
    policy: &Settings,
    terminal: &mut Terminal,
) -> anyhow::Result<Outcome> {
    let today = arguments.page.today();
    let mut groups = Vec::new();
    let ReadGraph { graph, troubles } =
        arguments
            .files
            .read_with(policy, today, terminal, &mut |group, region| {
                groups.push((group.clone(), region.cloned()));
            })?;
    let read = Read {
        groups,
        graph,
        troubles,
    };
    let text = read.html(&arguments.page, policy)?;
    if arguments.output == "-" {
        terminal.print(&text)?;
    } else {
        write(Path::new(&arguments.output), &text)?;
    }
    Ok(Outcome::Nothing)
}

/// What a report is made of.
struct Read {
    groups: Vec<(SecurityGroup, Option<Region>)>,
    graph: TrustGraph,
    troubles: Vec<String>,
}

impl Read {
    /// The report.
    fn html(mut self, page: &Page, policy: &Settings) -> anyhow::Result<String> {
        let today = page.today();
        let groups = evaluate_all(policy, self.groups, today);
        // The order of the files does not show.
        self.troubles.sort();
        Ok(html(&Contents {
            settings: policy,
            groups: &groups,
            graph: &self.graph,
            title: page.title.as_deref(),
            at: page.at,
            today,
            troubles: &self.troubles,
        })?)
    }
}

fn write(output: &Path, text: &str) -> anyhow::Result<()> {
    let unwritable = || format!("{}: the report cannot be written", output.display());
    std::fs::write(output, text).with_context(unwritable)
}

/// What `scan` read of a Region.
#[cfg(feature = "aws")]
pub(crate) struct Live {
    pub(crate) region: Region,
    pub(crate) groups: Vec<SecurityGroup>,
    pub(crate) interfaces: Option<Vec<sg_trust::model::NetworkInterface>>,
}

/// Writes the report of live accounts, with what could not be read of it.
#[cfg(feature = "aws")]
pub(crate) fn write_live(
    output: &Path,
    policy: &Settings,
    read: Vec<Live>,
    failures: &[String],
) -> anyhow::Result<()> {
    let page = Page::default();
    let mut builder = sg_trust::graph::Builder::new(policy, page.today());
    let mut groups = Vec::new();
    let mut troubles = failures.to_vec();
    for live in read {
        let region = live.region;
        for group in live.groups {
            if let Err(differs) = builder.group(&group, Some(region.clone())) {
                troubles.push(format!("{region}: {differs}"));
            }
            groups.push((group, Some(region.clone())));
        }
        for interface in live.interfaces.into_iter().flatten() {
            builder.interface(interface);
        }
    }
    let report = Read {
        groups,
        graph: builder.finish(),
        troubles,
    };
    write(output, &report.html(&page, policy)?)
}
