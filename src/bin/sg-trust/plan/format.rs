//! How `plan` prints its results.

use sg_trust::plan::PlanReport;
use sg_trust::report::assessment::{Assessment, summary};
use sg_trust::report::plan::{json, table};
use sg_trust::report::ranked::Ranking;
use sg_trust::report::{RankedFormat, SarifReader, Summary};

use crate::input::shown;
use crate::output::CodeHost;
use crate::terminal::Terminal;

// No doc comment: clap would show it in place of the command's own.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct FormatArguments {
    /// How to print the result.
    #[arg(long = "format", value_name = "FORMAT", value_enum, default_value_t = FormatArgument::Table)]
    argument: FormatArgument,
    /// Leaves out of SARIF what this code host cannot show: it would count every result as an alert.
    #[arg(long, value_enum, value_name = "HOST")]
    sarif_for: Option<CodeHost>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum FormatArgument {
    /// Text for people.
    Table,
    /// One JSON document.
    Json,
    /// One SARIF 2.1.0 log, for code hosts and editors.
    Sarif,
    /// Annotations of a GitHub Actions step.
    Github,
    /// A table for a step's summary or a comment.
    Markdown,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Format {
    Table,
    Json,
    Ranked(RankedFormat),
}

impl FormatArguments {
    /// # Errors
    /// When SARIF is for somebody, and the format is another.
    pub(super) fn format(self) -> anyhow::Result<Format> {
        let reader = match self.sarif_for {
            Some(CodeHost::Github) => SarifReader::Github,
            None => SarifReader::Any,
        };
        Ok(match self.argument {
            FormatArgument::Sarif => Format::Ranked(RankedFormat::Sarif(reader)),
            _ if self.sarif_for.is_some() => anyhow::bail!("--sarif-for needs --format sarif"),
            FormatArgument::Table => Format::Table,
            FormatArgument::Json => Format::Json,
            FormatArgument::Github => Format::Ranked(RankedFormat::Github),
            FormatArgument::Markdown => Format::Ranked(RankedFormat::Markdown),
        })
    }
}

/// Prints the reports of all files: those for code hosts as one.
pub(super) fn print(
    format: Format,
    reports: &[PlanReport],
    terminal: &mut Terminal,
) -> anyhow::Result<()> {
    let format = match format {
        Format::Table => {
            return reports
                .iter()
                .try_for_each(|report| terminal.print_coloured(&table::table(report)));
        }
        Format::Json => {
            return reports
                .iter()
                .try_for_each(|report| terminal.print(&json::document(report)?));
        }
        Format::Ranked(format) => format,
    };
    let mut ranking = Ranking::new(format);
    let mut totals = Summary::default();
    for report in reports {
        for group in &report.groups {
            let mut assessment = Assessment::planned(group);
            for place in assessment.places() {
                if let Some(file) = shown(&place.file) {
                    place.file = file;
                }
            }
            ranking.add(format.entries(&assessment)?);
        }
        totals.add(&summary(report));
    }
    terminal.print(&ranking.finish(&totals)?)
}
