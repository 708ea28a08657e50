//! Findings to Security Hub.
//!
//! A 200 answer may name findings that were not taken: each is an error, with its id, code and message. What may be
//! taken later is sent once more, alone.

use jiff::Timestamp;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::findings::{self, ReadFinding};
use super::hub_client::HubClient;
use super::rate_limit::HubLimits;
use super::{CallError, Timeouts, describe};
use crate::engine::store::{
    FindingFilter, FindingStore, PublishedFinding, PublishedPage, Refusal, StoreError,
};
use crate::finding::{Finding, Fingerprint, Lifecycle, id_of};
use crate::model::Scope;
use crate::model::{GroupId, VpcId};
use crate::policy;
use crate::report::asff;

/// Findings of one call, and their bytes: AWS takes 100, and 6 MB.
const CALL_FINDINGS: usize = 100;
const CALL_BYTES: usize = 5_000_000;

/// The end of a filter for what is to come.
const END_OF_TIME: &str = "9999-12-31T23:59:59.999Z";

/// Codes of findings that are refused for good.
const PERMANENT: [&str; 2] = ["InvalidInput", "InvalidAccess"];

/// Security Hub in one account and Region.
#[derive(Debug)]
pub struct SecurityHub {
    client: HubClient,
    scope: Scope,
    patience: Timeouts,
    limits: HubLimits,
}

impl SecurityHub {
    /// Of the client's account and Region.
    pub(super) fn new(
        client: HubClient,
        scope: Scope,
        patience: Timeouts,
        limits: HubLimits,
    ) -> Self {
        Self {
            client,
            scope,
            patience,
            limits,
        }
    }

    #[cfg(test)]
    pub(super) fn shares_rates_with(&self, other: &Self) -> bool {
        self.limits.is_shared_with(&other.limits)
    }

    /// Sends one call's findings; those that were not taken, with why.
    async fn import(&self, findings: &[&Outgoing]) -> Result<Vec<Refusal>, StoreError> {
        self.limits.imports.turn().await;
        let texts: Vec<_> = findings.iter().map(|finding| &*finding.json).collect();
        let answer = self
            .client
            .import_findings(&texts, self.patience)
            .await
            .map_err(|failure| self.error("BatchImportFindings", failure))?;
        let refused: Vec<_> = answer
            .failed_findings
            .unwrap_or_default()
            .into_iter()
            .map(|failed| {
                let code = failed.error_code.unwrap_or_else(|| "Unknown".to_owned());
                let sent = findings
                    .iter()
                    .find(|finding| Some(&finding.id) == failed.id.as_ref());
                Refusal {
                    group_id: sent.map(|finding| finding.group_id.clone()),
                    id: failed.id.unwrap_or_else(|| "of an unknown id".to_owned()),
                    message: failed
                        .error_message
                        .unwrap_or_else(|| "no message".to_owned()),
                    is_retryable: !PERMANENT.contains(&code.as_str()),
                    code,
                }
            })
            .collect();
        // What the answer does not account for may not have been taken.
        let taken = usize::try_from(answer.success_count.unwrap_or_default()).unwrap_or_default();
        if taken + refused.len() < findings.len() {
            let (sent, named) = (findings.len(), refused.len());
            let why = format!(
                "of {sent} findings the answer says that {taken} were taken, and names {named} that were not"
            );
            let error = self.error("BatchImportFindings", CallError::Unexpected(why));
            return Err(StoreError::with(refused, error));
        }
        Ok(refused)
    }

    /// The same, and once more for those that may be taken later.
    async fn import_persistently(&self, findings: &[Outgoing]) -> Result<Vec<Refusal>, StoreError> {
        let findings: Vec<_> = findings.iter().collect();
        let (later, mut refused): (Vec<_>, Vec<_>) = self
            .import(&findings)
            .await?
            .into_iter()
            .partition(|refusal| refusal.is_retryable);
        let is_later = |finding: &&Outgoing| {
            later
                .iter()
                .any(|refusal| refusal.group_id.as_ref() == Some(&finding.group_id))
        };
        let again: Vec<_> = findings.into_iter().filter(is_later).collect();
        if again.is_empty() {
            refused.extend(later);
        } else {
            // One that names none of the findings that were sent cannot be sent again.
            let (sent, unknown): (Vec<_>, Vec<_>) = later
                .into_iter()
                .partition(|refusal| refusal.group_id.is_some());
            refused.extend(unknown);
            refused.extend(self.import(&again).await.unwrap_or(sent));
        }
        Ok(refused)
    }

    fn error(&self, operation: &str, error: CallError) -> StoreError {
        let Scope {
            region, account, ..
        } = &self.scope;
        let place = format!("account {account}, region {region}");
        let call = format!("security hub {operation} in {place}");
        let text = describe(&error);
        let text = match error.code() {
            _ if error.is_configuration() => {
                format!("{call} could not be called: {text}: check the credentials and the Region")
            }
            _ if error.is_retryable() => format!("{call}: {text}"),
            Some("InvalidAccessException") => format!(
                "security hub is not enabled in {place} ({text}): enable Security Hub CSPM there \
                 (aws securityhub enable-security-hub --region {region}), or remove this function from the Region"
            ),
            Some("AccessDeniedException" | "AccessDenied") => format!(
                "security hub denies {operation} in {place} ({text}). The four causes: the role lacks \
                 securityhub:{operation} on {} (or a policy above denies it); \
                 the credentials are of another account; the Region or partition is another; or Security Hub CSPM is \
                 not enabled there",
                self.scope.product_arn()
            ),
            _ => format!("{call}: {text}"),
        };
        if error.is_retryable() {
            StoreError::Unavailable(text)
        } else {
            StoreError::Rejected(text)
        }
    }
}

impl SecurityHub {
    /// The finding, when it is the product's own and what was asked for. Other tools' findings are never touched,
    /// whatever the filters let through.
    fn published_finding(
        &self,
        finding: ReadFinding,
        filter: FindingFilter<'_>,
    ) -> Option<PublishedFinding> {
        let Scope {
            region, account, ..
        } = &self.scope;
        let is_own = finding.product_arn.as_deref() == Some(self.scope.product_arn().as_str())
            && finding.generator_id.as_deref() == Some(policy::ID)
            && finding.aws_account_id.as_deref() == Some(account.as_str());
        let id = finding.id?;
        let group_id =
            GroupId::parse(id.strip_prefix(&format!("{region}/{account}/{}/", policy::ID))?)?;
        let fields = finding.product_fields.unwrap_or_default();
        let is_active = finding.record_state.as_deref() == Some(asff::record_state(true));
        let status = finding.compliance.and_then(|compliance| compliance.status);
        let vpc_id = fields.get(asff::VPC).map(VpcId::new);
        let updated_at: Option<Timestamp> =
            finding.updated_at.and_then(|updated| updated.parse().ok());
        let is_asked_for = match filter {
            FindingFilter::Active => is_active,
            FindingFilter::Exempt => {
                !is_active && status.as_deref() == Some(asff::compliance_status(Lifecycle::Exempt))
            }
            FindingFilter::ArchivedAfter(moment) => {
                !is_active && updated_at.is_some_and(|updated| updated > moment)
            }
            FindingFilter::ByEventSince(moment) => {
                fields.get(asff::PUBLISHED_BY).map(String::as_str) == Some(asff::BY_EVENT)
                    && updated_at.is_some_and(|updated| updated >= moment)
            }
            FindingFilter::InVpcs(vpcs) => {
                is_active && vpc_id.as_ref().is_some_and(|vpc| vpcs.contains(vpc))
            }
            FindingFilter::Of(ids) => ids.contains(&group_id),
        };
        let lifecycle = fields
            .get(asff::VERDICT)
            .and_then(|word| Lifecycle::parse(word));
        // Whoever may import findings of the default product may overwrite this one: a compliance status that does not go
        // with the stage of life was not published by us, whatever digest stands there.
        let is_as_published = lifecycle
            .is_some_and(|lifecycle| status.as_deref() == Some(asff::compliance_status(lifecycle)));
        (is_own && is_asked_for).then(|| PublishedFinding {
            group_id,
            vpc_id,
            lifecycle,
            fingerprint: fields
                .get(asff::DIGEST)
                .filter(|_| is_as_published)
                .and_then(|digest| Fingerprint::parse(digest)),
            updated_at,
            attribution: asff::attribution_in(&fields),
        })
    }

    /// The product's own findings of a kind, as GetFindings filters them.
    fn filters(&self, filter: FindingFilter<'_>) -> Value {
        let active = || equals([asff::record_state(true)]);
        let archived = || equals([asff::record_state(false)]);
        let since =
            |moment: Timestamp| json!([{"Start": format!("{moment:.3}"), "End": END_OF_TIME}]);
        let field =
            |key: &str, value: &str| json!({"Key": key, "Value": value, "Comparison": "EQUALS"});
        let mut filters = json!({
            "ProductArn": equals([self.scope.product_arn()]),
            "GeneratorId": equals([policy::ID]),
            "AwsAccountId": equals([self.scope.account.as_str()]),
        });
        let of_kind = match filter {
            FindingFilter::Active => json!({"RecordState": active()}),
            FindingFilter::Exempt => json!({
                "RecordState": archived(),
                "ComplianceStatus": equals([asff::compliance_status(Lifecycle::Exempt)]),
            }),
            FindingFilter::ArchivedAfter(moment) => json!({
                "RecordState": archived(),
                "UpdatedAt": since(moment),
            }),
            FindingFilter::ByEventSince(moment) => json!({
                "UpdatedAt": since(moment),
                "ProductFields": [field(asff::PUBLISHED_BY, asff::BY_EVENT)],
            }),
            FindingFilter::InVpcs(vpcs) => {
                let in_vpcs: Vec<_> = vpcs
                    .iter()
                    .map(|vpc| field(asff::VPC, vpc.as_str()))
                    .collect();
                json!({"RecordState": active(), "ProductFields": in_vpcs})
            }
            FindingFilter::Of(ids) => {
                json!({"Id": equals(ids.iter().map(|id| id_of(&self.scope, id)))})
            }
        };
        if let (Some(filters), Value::Object(of_kind)) = (filters.as_object_mut(), of_kind) {
            filters.extend(of_kind);
        }
        filters
    }
}

/// A filter for any of these.
fn equals(values: impl IntoIterator<Item = impl Into<String>>) -> Value {
    let one = |value: String| json!({"Value": value, "Comparison": "EQUALS"});
    values.into_iter().map(|value| one(value.into())).collect()
}

impl FindingStore for SecurityHub {
    async fn publish(&self, findings: &[Finding]) -> Result<(), StoreError> {
        let mut refused: Vec<Refusal> = Vec::new();
        let mut fitting = Vec::with_capacity(findings.len());
        for finding in findings {
            match Outgoing::of(finding) {
                Ok(outgoing) => fitting.push(outgoing),
                Err(refusal) => refused.push(refusal),
            }
        }
        let mut failure: Option<StoreError> = None;
        for call in calls(fitting) {
            match self.import_persistently(&call).await {
                Ok(of_call) => refused.extend(of_call),
                // The others may be taken all the same. Of several errors the one that may pass decides.
                Err(error) if failure.as_ref().is_none_or(|first| !first.is_retryable()) => {
                    failure = Some(error)
                }
                Err(_) => {}
            }
        }
        match failure {
            Some(error) => Err(StoreError::with(refused, error)),
            None if refused.is_empty() => Ok(()),
            None => Err(StoreError::Refused(refused)),
        }
    }

    async fn published(
        &self,
        filter: FindingFilter<'_>,
        after: Option<String>,
    ) -> Result<PublishedPage, StoreError> {
        self.limits.reads.turn().await;
        let filters = self.filters(filter);
        let page = self
            .client
            .get_findings(&filters, findings::MOST, after, self.patience)
            .await
            .map_err(|failure| self.error("GetFindings", failure))?;
        Ok(PublishedPage {
            findings: page
                .findings
                .into_iter()
                .filter_map(|finding| self.published_finding(finding, filter))
                .collect(),
            next: page.next_token.filter(|token| !token.is_empty()),
        })
    }
}

/// A finding as it is sent: what was rendered and checked, to the letter.
#[derive(Debug)]
struct Outgoing {
    group_id: GroupId,
    id: String,
    json: Box<RawValue>,
}

impl Outgoing {
    fn of(finding: &Finding) -> Result<Self, Refusal> {
        let group_id = &finding.group_id;
        let refusal = |message: String| Refusal {
            group_id: Some(group_id.clone()),
            id: finding.id(),
            code: "InvalidFinding".to_owned(),
            message,
            is_retryable: false,
        };
        let asff = asff::render(finding).map_err(|invalid| refusal(invalid.faults.join(", ")))?;
        let json =
            serde_json::value::to_raw_value(&asff).map_err(|error| refusal(error.to_string()))?;
        Ok(Self {
            group_id: group_id.clone(),
            id: asff.id,
            json,
        })
    }
}

/// Findings in calls of no more than AWS takes.
fn calls(findings: Vec<Outgoing>) -> Vec<Vec<Outgoing>> {
    let mut calls: Vec<Vec<Outgoing>> = Vec::new();
    let mut bytes = 0;
    for finding in findings {
        let size = finding.json.get().len();
        match calls.last_mut() {
            Some(call) if call.len() < CALL_FINDINGS && bytes + size <= CALL_BYTES => {
                bytes += size;
                call.push(finding);
            }
            _ => {
                bytes = size;
                calls.push(vec![finding]);
            }
        }
    }
    calls
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use jiff::civil::Date;

    use super::*;
    use crate::aws::testing::{Answer, Requests, config, scope};
    use crate::event::Record;
    use crate::finding::{Attribution, Cause, Context, OpenedRule, Opener, Passed, Subject};
    use crate::model::{GroupId, SecurityGroup};
    use crate::policy::{ReferencedGroups, Settings};

    fn hub(
        answer: impl Fn(usize, &str) -> Answer + Send + Sync + 'static,
    ) -> (SecurityHub, Requests) {
        let (config, requests) = config(answer);
        (
            SecurityHub::new(
                HubClient::new(&config),
                scope(),
                Timeouts::EVENT,
                HubLimits::new(Instant::now()),
            ),
            requests,
        )
    }

    fn context() -> Arc<Context> {
        let related_requirements = Settings::default().related_requirements;
        Arc::new(Context {
            scope: scope(),
            passed: Passed::Archive,
            related_requirements,
        })
    }

    fn gone(count: usize) -> Vec<Finding> {
        (0..count)
            .map(|number| Finding {
                context: context(),
                observed_at: Timestamp::UNIX_EPOCH,
                group_id: GroupId::new(format!("sg-{number:03}")),
                subject: Subject::Gone,
                attribution: Attribution::default(),
                cause: Cause::Sweep,
            })
            .collect()
    }

    fn taken() -> Answer {
        (
            200,
            r#"{"FailedCount":0,"SuccessCount":100,"FailedFindings":[]}"#.to_owned(),
        )
    }

    fn failed(ids: &[(&str, &str)]) -> Answer {
        let failed: Vec<_> = ids
            .iter()
            .map(|(id, code)| json!({"Id": format!("eu-west-1/111111111111/AWS.SecurityGroup.RestrictsInterSecurityGroupTraffic/{id}"), "ErrorCode": code, "ErrorMessage": "because"}))
            .collect();
        (
            200,
            json!({"FailedCount": failed.len(), "SuccessCount": 100, "FailedFindings": failed})
                .to_string(),
        )
    }

    fn sent(requests: &Requests) -> Vec<Vec<Value>> {
        let of = |body: &str| {
            serde_json::from_str::<Value>(body).unwrap()["Findings"]
                .as_array()
                .unwrap()
                .clone()
        };
        requests
            .lock()
            .unwrap()
            .iter()
            .map(|request| of(&request.body))
            .collect()
    }

    #[tokio::test]
    async fn what_is_sent_is_the_rendered_finding_to_the_letter() {
        let group: SecurityGroup = serde_json::from_value(json!({
            "GroupId": "sg-0a", "GroupName": "payments-db", "OwnerId": "111111111111", "VpcId": "vpc-1", "Tags": {"team": "payments"},
            "IpPermissions": [{"IpProtocol": "tcp", "FromPort": 0, "ToPort": 65535, "IpRanges": [{"CidrIp": "10.0.0.0/8"}],
                "Ipv6Ranges": [{"CidrIpv6": "::/0"}], "PrefixListIds": [{"PrefixListId": "pl-1"}],
                "UserIdGroupPairs": [{"GroupId": "sg-0b", "GroupName": "web", "UserId": "222222222222", "VpcId": "vpc-2",
                    "VpcPeeringConnectionId": "pcx-1", "PeeringStatus": "active"}]}],
            "IpPermissionsEgress": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]}))
        .unwrap();
        let verdict = crate::policy::evaluate(
            &Settings::default(),
            &group,
            &ReferencedGroups::default(),
            Date::MIN,
        );
        let exempting = crate::config::read(
            "policy.toml",
            "[[exemption]]\nid = \"a\"\nreason = \"accepted by the board\"\ntarget = { vpc = \"vpc-1\" }\nsource = \"any\"",
        )
        .unwrap();
        let of_exempt =
            crate::policy::evaluate(&exempting, &group, &ReferencedGroups::default(), Date::MIN);
        assert_eq!(of_exempt.status, crate::policy::Status::Exempt);
        let moment = Timestamp::UNIX_EPOCH;
        let exempt = Finding::evaluated(&context(), moment, group.clone(), of_exempt);
        let mut finding = Finding::evaluated(&context(), moment, group, verdict);
        let record = Record {
            name: Some("AuthorizeSecurityGroupIngress".to_owned()),
            actor: Some("arn:alice".to_owned()),
            ..Record::default()
        };
        finding.attribution = Attribution {
            last: Some(record.clone()),
            opener: Some(Opener {
                record,
                rule: OpenedRule::parse("sg-0b tcp").unwrap(),
            }),
        };
        let findings = [finding, exempt, gone(1).remove(0)];
        let (hub, requests) = hub(|_, _| taken());
        hub.publish(&findings).await.unwrap();
        let rendered: Vec<_> = findings
            .iter()
            .map(|finding| serde_json::to_value(asff::render(finding).unwrap()).unwrap())
            .collect();
        assert_eq!(sent(&requests), [rendered]);
        assert!(
            requests.lock().unwrap()[0]
                .uri
                .ends_with("/findings/import")
        );
    }

    #[tokio::test]
    async fn a_hundred_findings_go_into_one_call() {
        let (hub, requests) = hub(|_, _| taken());
        hub.publish(&gone(250)).await.unwrap();
        let sizes: Vec<_> = sent(&requests).iter().map(Vec::len).collect();
        assert_eq!(sizes, [100, 100, 50]);
    }

    #[test]
    fn calls_stay_under_six_megabytes() {
        let finding = |number: usize| Outgoing {
            group_id: GroupId::new(number.to_string()),
            id: number.to_string(),
            json: serde_json::value::to_raw_value(&"x".repeat(190_000 - 2)).unwrap(),
        };
        let findings = (0..60).map(finding).collect();
        let sizes: Vec<_> = calls(findings).iter().map(Vec::len).collect();
        assert_eq!(sizes, [26, 26, 8]);
    }

    #[tokio::test]
    async fn refused_findings_are_errors_with_id_code_and_message() {
        let (hub, requests) = hub(|_, _| failed(&[("sg-001", "InvalidInput")]));
        let error = hub.publish(&gone(3)).await.unwrap_err();
        let text = error.to_string();
        assert!(
            !error.is_retryable() && text.contains("/sg-001 (InvalidInput: because)"),
            "{text}"
        );
        assert_eq!(requests.lock().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn what_may_be_taken_later_is_sent_once_more_alone() {
        let (hub, requests) = hub(|number, _| {
            if number == 0 {
                failed(&[("sg-001", "InternalError"), ("sg-002", "InvalidAccess")])
            } else {
                taken()
            }
        });
        let error = hub.publish(&gone(4)).await.unwrap_err();
        assert!(
            !error.is_retryable()
                && error.to_string().contains("sg-002")
                && !error.to_string().contains("sg-001"),
            "{error}"
        );
        let sizes: Vec<_> = sent(&requests).iter().map(Vec::len).collect();
        assert_eq!(sizes, [4, 1]);
    }

    #[tokio::test]
    async fn an_answer_that_tells_no_findings_is_not_one_that_there_are_none() {
        for (body, is_answer) in [
            ("", false),
            ("{}", false),
            (r#"{"NextToken":"more"}"#, false),
            (r#"{"Findings":[]}"#, true),
        ] {
            let (hub, _) = hub(move |_, _| (200, body.to_owned()));
            let answer = FindingStore::published(&hub, FindingFilter::Active, None).await;
            assert_eq!(answer.is_ok(), is_answer, "{body:?}: {answer:?}");
            if let Err(error) = answer {
                assert!(error.is_retryable(), "{error}");
            }
        }
    }

    #[tokio::test]
    async fn a_call_that_fails_does_not_keep_the_next_from_being_made() {
        let (hub, requests) = hub(|number, _| {
            if number == 0 {
                (
                    403,
                    r#"{"__type":"AccessDeniedException","Message":"no"}"#.to_owned(),
                )
            } else {
                taken()
            }
        });
        let error = hub.publish(&gone(150)).await.unwrap_err();
        assert!(!error.is_retryable());
        assert_eq!(requests.lock().unwrap().len(), 2);
    }

    #[tokio::test]
    async fn every_error_is_of_its_kind_and_says_where() {
        let exception =
            |code: &str| format!(r#"{{"__type":"{code}","Message":"because","Code":"{code}"}}"#);
        for (status, body, is_retryable, says) in [
            (
                401,
                exception("InvalidAccessException"),
                false,
                "is not enabled in account 111111111111, region eu-west-1",
            ),
            (
                403,
                exception("AccessDeniedException"),
                false,
                "The four causes",
            ),
            (
                400,
                exception("InvalidInputException"),
                false,
                "because (InvalidInputException)",
            ),
            (
                429,
                exception("TooManyRequestsException"),
                true,
                "TooManyRequestsException",
            ),
            (
                429,
                exception("LimitExceededException"),
                true,
                "LimitExceededException",
            ),
            (
                500,
                exception("InternalException"),
                true,
                "InternalException",
            ),
            (
                503,
                "<html>unavailable</html>".to_owned(),
                true,
                "security hub BatchImportFindings",
            ),
            (
                200,
                "not json".to_owned(),
                true,
                "security hub BatchImportFindings",
            ),
            (
                200,
                r#"{"FailedCount":0,"SuccessCo"#.to_owned(),
                true,
                "security hub BatchImportFindings",
            ),
            (
                200,
                "{}".to_owned(),
                true,
                "of 2 findings the answer says that 0 were taken",
            ),
            (
                200,
                r#"{"FailedCount":2,"SuccessCount":0,"FailedFindings":[]}"#.to_owned(),
                true,
                "of 2 findings the answer says that 0 were taken",
            ),
        ] {
            let (hub, _) = hub(move |_, _| (status, body.clone()));
            let error = hub.publish(&gone(2)).await.unwrap_err();
            let text = error.to_string();
            assert_eq!(error.is_retryable(), is_retryable, "{text}");
            assert!(
                text.contains(says) && text.contains("account 111111111111"),
                "{text}"
            );
        }
    }
}
