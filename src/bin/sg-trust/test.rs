//! `test`: the tests of a policy file in Panther's format, against this evaluator in the reference reading.

use anyhow::Context as _;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use sg_trust::input::parse_group;
use sg_trust::policy::{Reading, ReferencedGroups, Settings, Status, day_of};

use crate::input::read;
use crate::terminal::{Outcome, Terminal};

const EXAMPLES: &str = "\
Examples:
  sg-trust test tests/data/panther-tests.yml

A file has a list `Tests`, each with Name, ExpectedResult (true: compliant) and Resource (a security group). The \
reading is always `reference`: the published detection, nothing more. Exits 1 if any result differs.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Files with tests; `-` is standard input.
    #[arg(required = true, value_name = "FILE.yml")]
    files: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct File {
    tests: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Case {
    name: String,
    expected_result: bool,
    resource: Value,
}

pub(crate) fn run(arguments: &Arguments, terminal: &mut Terminal) -> anyhow::Result<Outcome> {
    // The published detection knows neither exemptions nor levels.
    let policy = Settings {
        reading: Reading::Reference,
        ..Settings::default()
    };
    let today = day_of(Timestamp::now());
    let (mut passed, mut failed) = (0_u64, 0_u64);
    for path in &arguments.files {
        let (name, cases) = match cases(path) {
            Ok(cases) => cases,
            Err(error) => {
                terminal.complain(&format!("{error:#}"));
                continue;
            }
        };
        for case in cases {
            let test = format!("{name}: test {}", case.name);
            let group = match parse_group(&test, &case.resource) {
                Ok(group) => group,
                Err(error) => {
                    terminal.complain(&error.to_string());
                    continue;
                }
            };
            let verdict =
                sg_trust::policy::evaluate(&policy, &group, &ReferencedGroups::default(), today);
            let is_compliant = verdict.status != Status::Failed;
            let case_name = sg_trust::text::escape(&case.name);
            if is_compliant == case.expected_result {
                passed += 1;
                terminal.print(&format!("ok      {case_name}\n"))?;
            } else {
                failed += 1;
                let sentences: Vec<_> = verdict
                    .violations
                    .iter()
                    .map(|violation| sg_trust::report::prose::describe_violation(&group, violation))
                    .collect();
                let why = if sentences.is_empty() {
                    "no violation".to_owned()
                } else {
                    sentences.join("; ")
                };
                terminal.print(&format!(
                    "FAILED  {case_name}: expected {}, got {is_compliant} ({why})\n",
                    case.expected_result
                ))?;
            }
        }
    }
    terminal.print(&format!("{passed} passed, {failed} failed\n"))?;
    Ok(Outcome::of_failed(failed))
}

fn cases(path: &str) -> anyhow::Result<(&str, Vec<Case>)> {
    let (name, text) = read(path)?;
    let file: File = serde_saphyr::from_str(&text)
        .with_context(|| format!("{name}: not a policy file with a list `Tests`"))?;
    anyhow::ensure!(!file.tests.is_empty(), "{name}: the list `Tests` is empty");
    Ok((name, file.tests))
}
