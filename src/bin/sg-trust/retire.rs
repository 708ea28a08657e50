//! `retire`: archives the product's own active findings, before it is removed.
//!
//! With the operator's credentials, never by the function: whoever may invoke it could hide everything.

use sg_trust::model::Region;

use crate::check::parse_region;
use crate::terminal::{Outcome, Terminal};

const EXAMPLES: &str = "\
Examples:
  sg-trust retire --region eu-west-1 --yes

Nothing else would archive them once the function is gone. Needs securityhub:GetFindings and
securityhub:BatchImportFindings. Remove the function, its rule and its schedule first, or it publishes them anew.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The Region; without it that of the environment or the profile.
    #[arg(long, value_name = "REGION", value_parser = parse_region)]
    region: Option<Region>,
    /// Yes, archive them all.
    #[arg(long, required = true)]
    yes: bool,
}

#[cfg(not(feature = "aws"))]
pub(crate) fn run(_: &Arguments, _: &mut Terminal) -> anyhow::Result<Outcome> {
    anyhow::bail!("{}", crate::terminal::NOT_BUILT_IN)
}

#[cfg(feature = "aws")]
pub(crate) fn run(arguments: &Arguments, terminal: &mut Terminal) -> anyhow::Result<Outcome> {
    use anyhow::Context as _;
    use sg_trust::aws::Timeouts;
    use sg_trust::engine::Engine;
    use sg_trust::policy::Settings;

    use crate::live::Account;

    let policy = Settings::default();
    let archived = sg_trust::aws::block_on(async {
        let account = Account::find(arguments.region.as_ref()).await?;
        let region = account
            .region()
            .context("no Region: give --region, or set AWS_REGION")?;
        let place = account.place(region, &policy, Timeouts::SWEEP);
        place.check_clock().await?;
        anyhow::Ok(
            Engine::new(&policy, place.context, &place.source, &place.hub)
                .retire()
                .await?,
        )
    })??;
    let findings = if archived == 1 { "finding" } else { "findings" };
    terminal.print(&format!("{archived} {findings} archived\n"))?;
    Ok(Outcome::Nothing)
}
