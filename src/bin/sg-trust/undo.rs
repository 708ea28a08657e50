//! `undo`: gives back what `fix --apply` revoked, then takes away what it had allowed.

use crate::terminal::{Outcome, Terminal};

const EXAMPLES: &str = "\
Examples:
  sg-trust undo sg-trust-undo-20261124T221000Z.json
  sg-trust undo undo.json --yes

What was revoked is given back first, with its description and tags, then what was allowed in its place is revoked. \
The rules get new ids. It may be run again at any time. Needs ec2:DescribeSecurityGroups, \
ec2:DescribeSecurityGroupRules, ec2:AuthorizeSecurityGroupIngress, ec2:RevokeSecurityGroupIngress and ec2:CreateTags.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The undo file that `fix --apply` wrote.
    #[arg(value_name = "FILE")]
    file: String,
    /// Undoes it without a question.
    #[arg(long)]
    yes: bool,
}

#[cfg(not(feature = "aws"))]
pub(crate) fn run(_: &Arguments, _: &mut Terminal) -> anyhow::Result<Outcome> {
    anyhow::bail!("{}", crate::terminal::NOT_BUILT_IN)
}

#[cfg(feature = "aws")]
pub(crate) fn run(arguments: &Arguments, terminal: &mut Terminal) -> anyhow::Result<Outcome> {
    if !arguments.yes {
        terminal.ensure_can_ask()?;
    }
    sg_trust::aws::block_on(undo(arguments, terminal))?
}

#[cfg(feature = "aws")]
async fn undo(arguments: &Arguments, terminal: &mut Terminal) -> anyhow::Result<Outcome> {
    use anyhow::Context as _;
    use sg_trust::aws::{Account, Timeouts};
    use sg_trust::remediation::run;
    use sg_trust::remediation::undo::UndoAction;
    use sg_trust::report::fix::count_of;

    use crate::fix::journal::{self, JournalFile};

    let path = arguments.file.as_str();
    let (journal, file) = journal::open(path)?.with_context(|| format!("{path}: no such file"))?;
    let plan = &journal.plan;
    let account = Account::sign_in(plan.region.as_ref()).await?;
    let own = &account.scope().account;
    anyhow::ensure!(
        plan.account.as_ref().is_none_or(|account| account == own),
        "{path}: it is of another account, and the credentials are those of {own}"
    );
    let edge = account.source(Timeouts::SWEEP);
    let run::UndoPlan { steps, gone } = run::plan_undo(&edge, &journal).await?;
    for group in &gone {
        terminal.complain(&format!(
            "security group {group} is gone: its rules cannot be given back"
        ));
    }
    let count =
        |is_one: fn(&UndoAction) -> bool| steps.iter().filter(|step| is_one(&step.action)).count();
    let restored = count(|action| matches!(action, UndoAction::Restore(_)));
    let withdrawn = count(|action| matches!(action, UndoAction::Withdraw(_)));
    let what = format!(
        "give back {}, revoke {} that the run had allowed",
        count_of(restored, "rule"),
        count_of(withdrawn, "rule"),
    );
    let place = format!("account {own}, Region {}", account.scope().region);
    if steps.is_empty() && !gone.is_empty() {
        return Ok(Outcome::Nothing);
    }
    if steps.is_empty() {
        terminal.print(&format!(
            "Nothing to undo in {place}: every rule of {path} is there.\n"
        ))?;
        return Ok(Outcome::Nothing);
    }
    terminal.print(&format!("Undo in {place}: {what}\n"))?;
    if !arguments.yes {
        terminal.confirm("Undo it?")?;
    }
    let mut log = JournalFile::new(file, journal.clone(), terminal);
    let failures = run::undo(&edge, &journal, &steps, &mut log).await?;
    drop(log);
    for failure in &failures {
        terminal.complain(&failure.to_string());
    }
    if failures.is_empty() {
        terminal.print(
            "The groups have their rules again. Rules that were given back have new ids.\n",
        )?;
    } else {
        terminal.complain(&format!("{path}: not all of it is undone: run it again"));
    }
    Ok(Outcome::Nothing)
}
