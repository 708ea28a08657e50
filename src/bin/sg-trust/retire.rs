//! `retire`: archives the product's own active findings, before it is removed.
//!
//! With the operator's credentials, never by the function: whoever may invoke it could hide everything.

use sg_trust::model::Region;

use crate::region::parse_region;
use crate::terminal::{Outcome, Terminal};

const EXAMPLES: &str = "\
Examples:
  sg-trust retire --region eu-west-1 --yes

Nothing else would archive them once the function is gone. Needs securityhub:GetFindings and \
securityhub:BatchImportFindings. Remove the function, its rule and its schedule first, or it publishes them anew.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The Region; without it that of the environment or the profile.
    #[arg(long, value_name = "REGION", value_parser = parse_region)]
    region: Option<Region>,
    /// Confirms that all of them are archived.
    #[arg(long, required = true)]
    yes: bool,
}

#[cfg(not(feature = "aws"))]
pub(crate) fn run(_: &Arguments, _: &mut Terminal) -> anyhow::Result<Outcome> {
    anyhow::bail!("{}", crate::terminal::NOT_BUILT_IN)
}

#[cfg(feature = "aws")]
pub(crate) fn run(arguments: &Arguments, terminal: &mut Terminal) -> anyhow::Result<Outcome> {
    use sg_trust::aws::{Account, Timeouts};
    use sg_trust::engine::Engine;
    use sg_trust::policy::Settings;

    let policy = Settings::default();
    let archived = sg_trust::aws::block_on(async {
        let account = Account::sign_in(arguments.region.as_ref()).await?;
        let context = crate::live::context(&account, &policy)?;
        let source = account.source(Timeouts::SWEEP);
        let store = account.store(Timeouts::SWEEP).await?;
        anyhow::Ok(
            Engine::new(&policy, context, &source, &store)
                .retire()
                .await?,
        )
    })??;
    let findings = if archived == 1 { "finding" } else { "findings" };
    terminal.print(&format!("{archived} {findings} archived\n"))?;
    Ok(Outcome::Nothing)
}
