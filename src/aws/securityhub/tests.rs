use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::*;
use crate::aws::testing::{Answer, Requests, config, scope};
use crate::event::Record;
use crate::finding::{Attribution, Cause, Context, OpenedRule, Opener, Passed, Subject};
use crate::model::{GroupId, SecurityGroup};
use crate::policy::{ReferencedGroups, Settings};
use crate::report::asff;

fn hub(answer: impl Fn(usize, &str) -> Answer + Send + Sync + 'static) -> (SecurityHub, Requests) {
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
        "[[exemption]]\nid = \"a\"\nreason = \"accepted by the board\"\ntarget = { vpc = \"vpc-1\" }\nsource = \"any\"\nallow = \"all-traffic\"",
    )
    .unwrap()
    .settings;
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
