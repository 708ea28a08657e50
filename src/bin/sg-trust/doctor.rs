//! `doctor`: says in words what is missing for the product to work here, and what it cannot tell.

mod commands;

use sg_trust::model::{AccountId, Region};
use sg_trust::policy::Settings;

#[cfg(not(feature = "aws"))]
use self::commands::Place;
use crate::region::parse_region;
use crate::scope::parse_account;
use crate::terminal::{Outcome, Terminal};

const EXAMPLES: &str = "\
Examples:
  sg-trust doctor
  sg-trust doctor --region eu-west-1 --policy policy.toml
  sg-trust doctor --member 222222222222

Asks with your credentials, by dry runs; nothing is changed. Exits 1 if anything is missing.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The Region; without it that of the environment or the profile.
    #[arg(long, value_name = "REGION", value_parser = parse_region)]
    region: Option<Region>,
    /// Looks at a member account of central mode, through the role that SG_TRUST_MEMBER_ROLE names (else
    /// security/sg-trust-member). That role trusts the central function's role only: ask with its credentials.
    #[arg(long, value_name = "ACCOUNT", value_parser = parse_account)]
    member: Option<AccountId>,
}

#[cfg(not(feature = "aws"))]
pub(crate) fn run(
    arguments: &Arguments,
    _: &Settings,
    _: bool,
    terminal: &mut Terminal,
) -> anyhow::Result<Outcome> {
    let region = arguments.region.as_ref();
    let place = Place {
        partition: "aws".to_owned(),
        region: region.map_or_else(|| "REGION".to_owned(), ToString::to_string),
        account: arguments
            .member
            .as_ref()
            .map_or_else(|| "ACCOUNT".to_owned(), ToString::to_string),
    };
    let questions = commands::asked_with_aws(&place);
    for question in questions.iter().chain(&commands::never_asked(&place)) {
        terminal.print(&format!(
            "?        {}\n         {}\n",
            question.what, question.command
        ))?;
    }
    anyhow::bail!(
        "these are the commands that tell: {}",
        crate::terminal::NOT_BUILT_IN
    )
}

#[cfg(feature = "aws")]
pub(crate) fn run(
    arguments: &Arguments,
    policy: &Settings,
    settings_are_given: bool,
    terminal: &mut Terminal,
) -> anyhow::Result<Outcome> {
    sg_trust::aws::block_on(live::examine(
        arguments,
        policy,
        settings_are_given,
        terminal,
    ))?
}

#[cfg(feature = "aws")]
mod live {
    use std::fmt::Write as _;

    use anyhow::Context as _;
    use owo_colors::OwoColorize as _;
    use sg_trust::aws::probe::{Probe, Probes};
    use sg_trust::aws::{Account, MemberRole, describe};
    use sg_trust::model::{AccountId, Scope};
    use sg_trust::policy::Settings;
    use sg_trust::text::escape;

    use super::Arguments;
    use super::commands::{self, Place};
    use crate::terminal::{Outcome, Terminal};

    const INTERFACES: &str = "ec2:DescribeNetworkInterfaces";

    const VARIABLE: &str = "SG_TRUST_MEMBER_ROLE";
    /// The role of infra/member.yaml.
    const MEMBER_ROLE: &str = "security/sg-trust-member";

    /// What was found out, line by line.
    #[derive(Default)]
    struct Report {
        text: String,
        missing: u64,
    }

    impl Report {
        fn good(&mut self, what: &str) {
            let _ = writeln!(self.text, "{}       {}", "ok".green(), escape(what));
        }

        fn missing(&mut self, what: &str, remedy: &str) {
            self.missing += 1;
            let _ = writeln!(
                self.text,
                "{}  {}\n         {}",
                "missing".red().bold(),
                escape(what),
                escape(remedy)
            );
        }

        fn unclear(&mut self, what: &str, command: &str) {
            let _ = writeln!(
                self.text,
                "{}        {}\n         {}",
                "?".yellow(),
                escape(what),
                escape(command)
            );
        }
    }

    pub(super) async fn examine(
        arguments: &Arguments,
        policy: &Settings,
        settings_are_given: bool,
        terminal: &mut Terminal,
    ) -> anyhow::Result<Outcome> {
        let mut report = Report::default();
        match Account::sign_in(arguments.region.as_ref()).await {
            Err(error) => report.missing(
                &format!("the credentials or the Region: {}", describe(&error)),
                "try: aws sts get-caller-identity",
            ),
            Ok(account) => {
                let scope = account.scope();
                report.good(&format!(
                    "credentials of account {}, partition {}; region {}",
                    scope.account, scope.partition, scope.region
                ));
                match &arguments.member {
                    None => own(&mut report, policy, &account).await,
                    Some(id) => member(&mut report, policy, &account, id).await?,
                }
            }
        }
        report.good(match settings_are_given {
            true => "the settings file",
            false => "the settings: the built-in defaults (--policy FILE looks at a file)",
        });
        terminal.print_coloured(&report.text)?;
        Ok(Outcome::of_failed(report.missing))
    }

    async fn own(report: &mut Report, policy: &Settings, account: &Account) {
        let scope = account.scope();
        match account.clock_offset().await {
            Ok(offset) if offset.is_right() => report.good("the clock is EC2's"),
            Ok(offset) => report.missing(
                &offset.to_string(),
                "set it (ntp): no command publishes until then",
            ),
            Err(error) => report.unclear(&format!("the clock: {error}"), "try: date -u"),
        }
        let probes = account.probe().await;
        hub(report, scope, &probes);
        permissions(report, scope, policy, &probes);
        unknown(report, scope);
    }

    /// Reports what a member account of central mode lacks.
    async fn member(
        report: &mut Report,
        policy: &Settings,
        own: &Account,
        id: &AccountId,
    ) -> anyhow::Result<()> {
        let name = std::env::var(VARIABLE).unwrap_or_else(|_| MEMBER_ROLE.to_owned());
        let role = MemberRole::parse(&name).with_context(|| {
            format!("{VARIABLE} is {name:?}: it must be the path and name of a role")
        })?;
        let account = match own.assume(id, &role).await {
            Ok(account) => account,
            Err(error) => {
                report.missing(
                    &format!("the role of the member: {error}"),
                    "deploy infra/member.yaml there (its Region RoleRegion first), and ask with the credentials of the central function's role",
                );
                return Ok(());
            }
        };
        let scope = account.scope();
        report.good(&format!(
            "the role {} can be assumed",
            role.arn(&scope.partition, id)
        ));
        let mut probes = account.probe().await;
        // The role may not call DescribeHub, which the function never does there: GetFindings tells the same.
        if let Some(read) = probes.get("securityhub:GetFindings").cloned() {
            probes.insert("securityhub:DescribeHub", read);
        }
        hub(report, scope, &probes);
        probes.remove("securityhub:DescribeHub");
        probes.remove(INTERFACES);
        permissions(report, scope, policy, &probes);
        let region = &scope.region;
        for (what, command) in [
            (
                "whether a trail logs write management events there: without one no event comes",
                format!("in the member: aws cloudtrail describe-trails --region {region}"),
            ),
            (
                "whether its rule is enabled, and sends to the central queue of this Region",
                format!(
                    "in the member: aws events list-targets-by-rule --rule sg-trust-changes --region {region}"
                ),
            ),
            (
                "whether EventBridge can deliver there: what it cannot stands in the member's queue, with why",
                format!(
                    "in the member: aws sqs get-queue-attributes --attribute-names ApproximateNumberOfMessages --queue-url <UndeliveredQueueUrl> --region {region}"
                ),
            ),
        ] {
            report.unclear(what, &command);
        }
        Ok(())
    }

    /// Reports whether Security Hub CSPM is on.
    fn hub(report: &mut Report, scope: &Scope, probes: &Probes) {
        let of_hub = |probe: &&Probe| matches!(probe, Probe::NotEnabled(_));
        let place = format!("in account {}, region {}", scope.account, scope.region);
        match (probes.values().find(of_hub), probes.get("securityhub:DescribeHub")) {
            (Some(Probe::NotEnabled(said)), _) => report.missing(
                &format!("Security Hub CSPM is not enabled {place}: {said}"),
                &format!(
                    "enable it: aws securityhub enable-security-hub --no-enable-default-standards --region {}",
                    scope.region
                ),
            ),
            (_, Some(Probe::Allowed)) => {
                report.good(&format!("Security Hub CSPM is enabled {place}"));
            }
            _ => report.unclear(
                &format!("whether Security Hub CSPM is enabled {place}: nothing may be asked of it"),
                &format!("try: aws securityhub describe-hub --region {}", scope.region),
            ),
        }
    }

    /// May the credentials do what the product does?
    fn permissions(report: &mut Report, scope: &Scope, policy: &Settings, probes: &Probes) {
        let is_hub_known_to_be_on = probes.get("securityhub:DescribeHub") == Some(&Probe::Allowed);
        for (action, probe) in probes {
            if *action == "ec2:DescribeSecurityGroupRules" && !policy.rule_ids {
                continue;
            }
            let resource = resource(action, scope);
            // The function has no such action, and is no worse without it.
            if *action == INTERFACES {
                match probe {
                    Probe::Allowed => {
                        report.good(&format!("{action}, for `sg-trust scan --interfaces` only"))
                    }
                    Probe::Denied(said) | Probe::NotEnabled(said) | Probe::Unclear(said) => report
                        .unclear(
                            &format!("{action}: {said}"),
                            "only `sg-trust scan --interfaces` needs it, never the function",
                        ),
                }
                continue;
            }
            match probe {
                Probe::Allowed => report.good(action),
                // Said already.
                Probe::NotEnabled(_) => {}
                Probe::Unclear(said) => report.unclear(
                    &format!("{action}: {said}"),
                    "no answer that tells: try again, and look at the network",
                ),
                Probe::Denied(said) => {
                    let causes = if action.starts_with("ec2:") || is_hub_known_to_be_on {
                        "account, Region and partition are right"
                    } else {
                        "or Security Hub CSPM is not enabled, which it answers with the same error"
                    };
                    report.missing(
                        &format!("{action}: {said}"),
                        &format!(
                            "allow it on {resource}, and see that no policy above (service control policy, permissions boundary) denies it; {causes}"
                        ),
                    );
                }
            }
        }
    }

    fn resource(action: &str, scope: &Scope) -> String {
        let Scope {
            partition,
            region,
            account,
        } = scope;
        let hub = format!("arn:{partition}:securityhub:{region}:{account}");
        match action {
            "securityhub:BatchImportFindings" => format!("{hub}:product/{account}/default"),
            action if action.starts_with("securityhub:") => format!("{hub}:hub/default"),
            _ => "resource *".to_owned(),
        }
    }

    /// What nobody can tell from here, with the command that tells it.
    fn unknown(report: &mut Report, scope: &Scope) {
        let place = Place {
            partition: scope.partition.to_string(),
            region: scope.region.to_string(),
            account: scope.account.to_string(),
        };
        for question in commands::never_asked(&place) {
            report.unclear(&question.what, &question.command);
        }
    }
}
