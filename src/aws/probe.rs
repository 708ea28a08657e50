//! What `doctor` asks AWS: may these credentials do what the product does? Nothing is changed by asking.
//!
//! EC2 has dry runs. Security Hub has none: what may be imported is found out with a finding that it must refuse, one
//! without a resource.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::findings::Imported;
use super::hub_client::HubClient;
use super::{CallError, Timeouts, describe};
use crate::model::Scope;
use crate::policy;

/// The outcome of probing one action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// It may be done.
    Allowed,
    /// It may not: what AWS said.
    Denied(String),
    /// Security Hub CSPM is not enabled: what AWS said.
    NotEnabled(String),
    /// There was no answer that tells.
    Unclear(String),
}

impl Probe {
    fn of<T>(outcome: Result<T, impl Into<CallError>>) -> Self {
        match outcome {
            Ok(_) => Self::Allowed,
            Err(error) => Self::of_error(&error.into()),
        }
    }

    fn of_error(error: &CallError) -> Self {
        let text = describe(error);
        match error.code() {
            Some("DryRunOperation") => Self::Allowed,
            Some("InvalidAccessException") => Self::NotEnabled(text),
            _ if error.is_retryable() => Self::Unclear(text),
            Some("UnauthorizedOperation" | "AccessDenied" | "AccessDeniedException") => {
                Self::Denied(text)
            }
            _ => Self::Unclear(text),
        }
    }
}

/// The outcome for each action, by its name in IAM.
pub type Probes = BTreeMap<&'static str, Probe>;

/// The outcome for each action that the product calls, by its name in IAM.
pub(super) async fn actions(ec2: &aws_sdk_ec2::Client, hub: &HubClient, scope: &Scope) -> Probes {
    let groups = ec2.describe_security_groups().dry_run(true).send();
    let rules = ec2.describe_security_group_rules().dry_run(true).send();
    let vpcs = ec2.describe_vpcs().dry_run(true).send();
    let interfaces = ec2.describe_network_interfaces().dry_run(true).send();
    let described = hub.describe_hub(Timeouts::EVENT);
    let own = json!({"GeneratorId": [{"Value": policy::ID, "Comparison": "EQUALS"}]});
    let read = hub.get_findings(&own, 1, None, Timeouts::EVENT);
    let refusable = [refusable(scope)];
    let imported = hub.import_findings(&refusable, Timeouts::EVENT);
    BTreeMap::from([
        ("ec2:DescribeSecurityGroups", Probe::of(groups.await)),
        ("ec2:DescribeSecurityGroupRules", Probe::of(rules.await)),
        ("ec2:DescribeNetworkInterfaces", Probe::of(interfaces.await)),
        ("ec2:DescribeVpcs", Probe::of(vpcs.await)),
        ("securityhub:DescribeHub", Probe::of(described.await)),
        ("securityhub:GetFindings", Probe::of(read.await)),
        ("securityhub:BatchImportFindings", of_import(imported.await)),
    ])
}

/// That the finding is refused as such means that the import was allowed.
fn of_import(outcome: Result<Imported, CallError>) -> Probe {
    let is_refusal = |code: &str| {
        [
            "InvalidInput",
            "InvalidInputException",
            "ValidationException",
        ]
        .contains(&code)
    };
    match outcome {
        Err(error) if error.code().is_some_and(is_refusal) => Probe::Allowed,
        Err(error) => Probe::of_error(&error),
        Ok(answer) => {
            let failed = answer
                .failed_findings
                .unwrap_or_default()
                .into_iter()
                .next();
            let code = failed.as_ref().and_then(|failed| failed.error_code.clone());
            let said = failed
                .and_then(|failed| failed.error_message)
                .unwrap_or_default();
            match code {
                Some(code) if is_refusal(&code) => Probe::Allowed,
                Some(code) if code == "InvalidAccess" => Probe::Denied(format!("{said} ({code})")),
                Some(code) => Probe::Unclear(format!("{said} ({code})")),
                None => Probe::Unclear("the finding was not refused, which it must be".to_owned()),
            }
        }
    }
}

/// A finding without a resource, which Security Hub must refuse.
fn refusable(scope: &Scope) -> Value {
    let Scope {
        region, account, ..
    } = scope;
    let moment = "1970-01-01T00:00:00.000Z";
    let text = "sg-trust doctor: a finding that must be refused";
    json!({
        "SchemaVersion": "2018-10-08",
        "Id": format!("{region}/{account}/{}/doctor", policy::ID),
        "ProductArn": scope.product_arn(),
        "GeneratorId": policy::ID,
        "AwsAccountId": account,
        "CreatedAt": moment,
        "UpdatedAt": moment,
        "Title": text,
        "Description": text,
        "Resources": [],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::ec2;
    use crate::aws::findings::NotImported;
    use crate::aws::testing::{config, scope};

    /// The outcome for each action when AWS answers so.
    async fn probes(
        answer: impl Fn(&str) -> (u16, String) + Send + Sync + 'static,
    ) -> BTreeMap<&'static str, Probe> {
        let (config, _) = config(move |_, body| answer(body));
        let hub = HubClient::new(&config);
        actions(&ec2::client(&config), &hub, &scope()).await
    }

    fn of_ec2(code: &str) -> String {
        format!(
            "<Response><Errors><Error><Code>{code}</Code><Message>m</Message></Error></Errors><RequestID>r</RequestID></Response>"
        )
    }

    #[tokio::test]
    async fn a_dry_run_and_a_refused_finding_mean_that_it_is_allowed() {
        let probes = probes(|body| {
            if body.starts_with("Action=") {
                (412, of_ec2("DryRunOperation"))
            } else if body.contains("doctor") {
                let failed = r#"{"FailedCount":1,"SuccessCount":0,"FailedFindings":[{"Id":"x","ErrorCode":"InvalidInput","ErrorMessage":"m"}]}"#;
                (200, failed.to_owned())
            } else if body.contains("Filters") {
                (200, r#"{"Findings":[]}"#.to_owned())
            } else {
                (200, r#"{"HubArn":"arn"}"#.to_owned())
            }
        })
        .await;
        assert_eq!(probes.len(), 7);
        assert!(
            probes.values().all(|probe| *probe == Probe::Allowed),
            "{probes:?}"
        );
    }

    #[test]
    fn a_finding_that_was_refused_for_another_reason_does_not_mean_that_it_is_allowed() {
        let answer = |code: &str| Imported {
            failed_findings: Some(vec![NotImported {
                id: Some("x".to_owned()),
                error_code: Some(code.to_owned()),
                error_message: Some("m".to_owned()),
            }]),
            ..Imported::default()
        };
        assert_eq!(of_import(Ok(answer("InvalidInput"))), Probe::Allowed);
        assert!(matches!(
            of_import(Ok(answer("InvalidAccess"))),
            Probe::Denied(_)
        ));
        assert!(matches!(
            of_import(Ok(answer("InternalError"))),
            Probe::Unclear(_)
        ));
        let taken = Imported {
            success_count: Some(1),
            ..Imported::default()
        };
        assert!(matches!(of_import(Ok(taken)), Probe::Unclear(_)));
    }

    #[tokio::test]
    async fn what_is_denied_is_told_from_what_is_off() {
        let probes = probes(|body| {
            if body.starts_with("Action=") {
                (403, of_ec2("UnauthorizedOperation"))
            } else {
                let off = r#"{"__type":"InvalidAccessException","Message":"not subscribed","Code":"InvalidAccessException"}"#;
                (401, off.to_owned())
            }
        })
        .await;
        let (of_ec2, of_hub): (Vec<_>, Vec<_>) = probes
            .into_iter()
            .partition(|(action, _)| action.starts_with("ec2:"));
        assert!(
            of_ec2
                .iter()
                .all(|(_, probe)| matches!(probe, Probe::Denied(_))),
            "{of_ec2:?}"
        );
        assert!(
            of_hub
                .iter()
                .all(|(_, probe)| matches!(probe, Probe::NotEnabled(_))),
            "{of_hub:?}"
        );
    }
}
