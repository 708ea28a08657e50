//! A plan carried out: shown, confirmed, described again, dry-run, done step by step, and evaluated again.

use std::fmt::Write as _;

use anyhow::{Context as _, ensure};
use owo_colors::OwoColorize as _;
use sg_trust::policy::{ReferencedGroups, Settings, Status};
use sg_trust::remediation::journal::{Action, Journal};
use sg_trust::remediation::plan::document::Difference;
use sg_trust::remediation::plan::{Plan, PlanDocument, Request};
use sg_trust::remediation::rule::GroupRules;
use sg_trust::remediation::run::{self, RunError};
use sg_trust::report::fix::{self as text, count_of, describe_with_id};
use sg_trust::report::prose::{describe_group, describe_violation};

use super::Arguments;
use super::journal::{self, JournalFile};
use super::live::{Live, Planned};
use crate::input;
use crate::terminal::{Outcome, Terminal};

/// What is carried out.
struct Run {
    planned: Planned,
    /// What the groups must still be like.
    expected: PlanDocument,
    request: Request,
    /// The journal of a run that was interrupted.
    begun: Option<(Journal, std::fs::File)>,
}

pub(super) async fn run(
    arguments: &Arguments,
    plan_file: Option<&str>,
    settings: &Settings,
    terminal: &mut Terminal,
) -> anyhow::Result<Outcome> {
    let document = plan_file.map(read_plan).transpose()?;
    let begun = match arguments.undo_file.as_deref() {
        Some(path) => journal::open(path)?,
        None => None,
    };
    let live = Live::sign_in(arguments.region.as_ref(), settings).await?;
    let run = match (begun, document) {
        (Some(begun), document) => go_on(arguments, &live, begun, document.as_ref()).await?,
        (None, Some(document)) => {
            live.ensure_is_place(
                plan_file.unwrap_or_default(),
                document.account.as_ref(),
                document.region.as_ref(),
            )?;
            let request = document.request();
            let plan = check(&live, &request, &document, None).await?;
            Run::new(&live, plan, document, request).await?
        }
        (None, None) => {
            let request = arguments.request()?;
            let names = arguments.names();
            let planned = live.plan(&names, arguments.all_failed, &request).await?;
            let expected = PlanDocument::of(&planned.plan)?;
            Run {
                planned,
                expected,
                request,
                begun: None,
            }
        }
    };
    let shown = text::plan(&run.planned.plan, run.planned.carriers.as_ref());
    terminal.print_coloured(&shown)?;
    let skipped = run.planned.plan.skipped.iter();
    let skipped = skipped.filter(|one| one.status == Status::Failed).count();
    if run.planned.plan.groups.is_empty() {
        return Ok(Outcome::of_failed(u64::try_from(skipped)?));
    }
    if !arguments.yes {
        terminal.confirm(&question(&run, &live))?;
    }
    let failed = carry_out(arguments, &live, run, terminal).await?;
    Ok(Outcome::of_failed(u64::try_from(failed + skipped)?))
}

impl Run {
    /// The plan is shown with the names of the sources, which no plan in a file has.
    async fn new(
        live: &Live<'_>,
        plan: Plan,
        expected: PlanDocument,
        request: Request,
    ) -> anyhow::Result<Self> {
        let groups = plan.groups.iter().map(|group| {
            let rules = group.revoke.iter().chain(&group.keeps);
            GroupRules::new(group.group.clone(), rules.cloned().collect())
        });
        let targets = live.with_names(groups.collect()).await;
        let none = ReferencedGroups::default();
        let plan = live.planner(&request, &none).plan(&targets)?;
        let carriers = live.carriers(&plan).await;
        Ok(Self {
            planned: Planned { plan, carriers },
            expected,
            request,
            begun: None,
        })
    }
}

fn read_plan(file: &str) -> anyhow::Result<PlanDocument> {
    let (name, text) = input::read(file).context(
        "--apply takes a plan that `sg-trust fix --out` wrote; groups are named before it",
    )?;
    PlanDocument::parse(&text).with_context(|| name.to_owned())
}

/// A run that was interrupted. Its plan is the journal's; what the command line asks for must be the same.
async fn go_on(
    arguments: &Arguments,
    live: &Live<'_>,
    begun: (Journal, std::fs::File),
    document: Option<&PlanDocument>,
) -> anyhow::Result<Run> {
    let (journal, _) = &begun;
    let path = arguments.undo_file.as_deref().unwrap_or_default();
    ensure!(
        !journal.is_undone,
        "{path}: this run was undone: give another --undo-file"
    );
    let plan = &journal.plan;
    live.ensure_is_place(path, plan.account.as_ref(), plan.region.as_ref())?;
    let other = || format!("{path}: the undo file of another plan: give another --undo-file");
    match document {
        Some(document) => ensure!(document.digest == journal.shown, other()),
        None => {
            let names = arguments.names();
            let is_id = |name: &String| sg_trust::model::GroupId::parse(name).is_some();
            let is_named =
                |id: &sg_trust::model::GroupId| names.iter().any(|name| name == id.as_str());
            let are_named = !names.iter().all(is_id) || journal.group_ids().iter().all(is_named);
            ensure!(
                plan.request() == arguments.request()? && (arguments.all_failed || are_named),
                other()
            );
        }
    }
    let request = plan.request();
    let expected = plan.clone();
    let plan = check(live, &request, &expected, Some(journal)).await?;
    let run = Run::new(live, plan, expected, request).await?;
    Ok(Run {
        begun: Some(begun),
        ..run
    })
}

/// Describes the groups again: they must be as the plan has them.
async fn check(
    live: &Live<'_>,
    request: &Request,
    expected: &PlanDocument,
    journal: Option<&Journal>,
) -> anyhow::Result<Plan> {
    let none = ReferencedGroups::default();
    let planner = live.planner(request, &none);
    match run::check(&live.edge, &planner, expected, journal).await {
        Err(RunError::Changed(differences)) => Err(anyhow::anyhow!(changed(&differences))),
        checked => Ok(checked?),
    }
}

fn changed(differences: &[Difference]) -> String {
    let mut text =
        "refused, and nothing was changed now, since the plan is not that of today:".to_owned();
    for Difference {
        group_id,
        gone,
        new,
        is_planned,
    } in differences
    {
        let gone = gone
            .iter()
            .map(|rule| format!("gone is {}", describe_with_id(rule)));
        let new = new
            .iter()
            .map(|rule| format!("new is {}", describe_with_id(rule)));
        let mut what: Vec<_> = gone.chain(new).collect();
        if !is_planned {
            what = vec!["there is nothing to revoke any more, or an exemption, a tag or the settings forbid it".to_owned()];
        } else if what.is_empty() {
            what.push(
                "what has to be revoked or allowed is another, by the settings or the tags"
                    .to_owned(),
            );
        }
        let _ = write!(text, " security group {group_id}: {};", what.join(", "));
    }
    text + " make a new plan"
}

fn question(run: &Run, live: &Live<'_>) -> String {
    let plan = &run.planned.plan;
    let place = format!("account {}, {}", live.scope.account, live.scope.region);
    let revoke = format!(
        "{} of {} in {place}",
        count_of(plan.revoked(), "rule"),
        count_of(plan.groups.len(), "security group"),
    );
    match (&run.begun, plan.authorized()) {
        (Some((journal, _)), _) => format!(
            "Go on with this plan, of which {} of {} are left, in {place}?",
            journal.remaining().len(),
            count_of(journal.steps().len(), "step"),
        ),
        (None, 0) => format!("Revoke {revoke}?"),
        (None, count) => format!("Allow {} and revoke {revoke}?", count_of(count, "rule")),
    }
}

/// Does what is left to do. The number of groups that are FAILED afterwards.
async fn carry_out(
    arguments: &Arguments,
    live: &Live<'_>,
    run: Run,
    terminal: &mut Terminal,
) -> anyhow::Result<usize> {
    let before = run.begun.as_ref().map(|(journal, _)| journal);
    let plan = check(live, &run.request, &run.expected, before).await?;
    let time = live.now.strftime("%Y%m%dT%H%M%SZ").to_string();
    let (path, journal, file) = match run.begun {
        Some((journal, file)) => {
            let path = arguments.undo_file.clone().unwrap_or_default();
            run::dry_run(&live.edge, &journal.remaining()).await?;
            (path, journal, file)
        }
        None => {
            let path = arguments.undo_file.clone();
            let path = path.unwrap_or_else(|| format!("sg-trust-undo-{time}.json"));
            let digest: String = run.expected.digest.chars().take(12).collect();
            let journal = Journal::new(
                format!("{time}-{digest}"),
                run.expected.digest,
                PlanDocument::of(&plan)?,
            )?;
            run::dry_run(&live.edge, &journal.remaining()).await?;
            let file = journal::create(&path, &journal)?;
            (path, journal, file)
        }
    };
    let left = journal.remaining();
    let count = |action| left.iter().filter(|step| step.action == action).count();
    terminal.print(&format!(
        "\nA dry run allows all of it. Undo file: {path}\n{} to allow, {} to revoke:\n",
        count_of(count(Action::Authorize), "rule"),
        count_of(count(Action::Revoke), "rule"),
    ))?;
    let mut log = JournalFile::new(file, journal.clone(), terminal);
    run::carry_out(&live.edge, &journal, &mut log)
        .await
        .with_context(|| {
            format!(
                "stopped: what was done stands in {path}: the same command with --undo-file {path} goes on, and `sg-trust undo {path}` undoes it"
            )
        })?;
    let journal = log.into_journal();
    let failed = verdicts(live, &run.request, &journal, terminal).await?;
    terminal.print(&format!("\nTo undo it: sg-trust undo {path}\n"))?;
    Ok(failed)
}

/// Evaluates the groups again and prints the verdicts. How many are FAILED.
async fn verdicts(
    live: &Live<'_>,
    request: &Request,
    journal: &Journal,
    terminal: &mut Terminal,
) -> anyhow::Result<usize> {
    let today = run::settled(&live.edge, journal).await?;
    let today = live.with_names(today).await;
    let none = ReferencedGroups::default();
    let planner = live.planner(request, &none);
    let mut failed = 0;
    let mut out = "\n".to_owned();
    for target in &today {
        let verdict = planner.verdict(target);
        let word = match verdict.status {
            Status::Failed => verdict.status.red().bold().to_string(),
            Status::Passed | Status::Exempt => verdict.status.green().bold().to_string(),
        };
        let _ = writeln!(out, "{word}  {}", describe_group(&target.group));
        if verdict.status == Status::Failed {
            failed += 1;
            let left = verdict
                .violations
                .iter()
                .filter(|one| one.exemption.is_none());
            for violation in left {
                let _ = writeln!(out, "  {}", describe_violation(&target.group, violation));
            }
        }
    }
    terminal.print_coloured(&out)?;
    Ok(failed)
}
