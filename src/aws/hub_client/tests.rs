use std::time::Instant;

use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_types::service_config::ServiceConfigKey;
use serde_json::{Value, json};

use super::*;
use crate::aws::describe;
use crate::aws::testing::{Answer, Request, config, config_of_connector, silent_config};

const CALL: Call = super::call("GetFindings", "POST", "/findings");

async fn call(config: &SdkConfig) -> Result<Value, CallError> {
    let request = br#"{"MaxResults":1}"#.to_vec();
    HubClient::new(config)
        .call(CALL, request, Timeouts::EVENT)
        .await
}

fn found() -> Answer {
    (200, r#"{"Findings":[]}"#.to_owned())
}

/// What is sent with a configuration that was changed.
async fn sent(
    change: impl FnOnce(aws_types::sdk_config::Builder) -> aws_types::sdk_config::Builder,
) -> Request {
    let (config, requests) = config(|_, _| found());
    let config = change(config.into_builder()).build();
    assert_eq!(call(&config).await.unwrap(), json!({"Findings": []}));
    requests.lock().unwrap().remove(0)
}

#[tokio::test]
async fn a_call_is_signed_and_sent_as_json() {
    let sent = sent(|config| config).await;
    assert_eq!(sent.method, "POST");
    assert_eq!(
        sent.uri,
        "https://securityhub.eu-west-1.amazonaws.com/findings"
    );
    assert_eq!(sent.body, r#"{"MaxResults":1}"#);
    let header = |name: &str| sent.headers.get(name).map(String::as_str);
    assert_eq!(header("content-type"), Some("application/json"));
    assert_eq!(header("content-length"), Some("16"));
    assert_eq!(header("x-amz-security-token"), Some("token"));
    let authorization = header("authorization").unwrap();
    assert!(
        authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKID/")
            && authorization.contains("/eu-west-1/securityhub/aws4_request, SignedHeaders=")
            && ["content-type", "host", "x-amz-date", "x-amz-security-token"]
                .iter()
                .all(|name| authorization.contains(name)),
        "{authorization}"
    );
    assert!(header("user-agent").is_some_and(|agent| agent.contains("aws-sdk-rust")));
    assert_eq!(header("amz-sdk-request"), Some("attempt=1; max=4"));
    assert!(header("amz-sdk-invocation-id").is_some());
}

/// The SDK's own client is the measure: the same signature but for what is the call's own.
#[tokio::test]
async fn a_call_is_made_as_the_sdks_client_makes_it() {
    let (config, requests) = config(|_, _| found());
    call(&config).await.unwrap();
    aws_sdk_securityhub::Client::new(&config)
        .get_findings()
        .max_results(1)
        .send()
        .await
        .unwrap();
    let requests = requests.lock().unwrap();
    let [own, of_sdk] = requests.as_slice() else {
        panic!("{requests:?}")
    };
    assert_eq!((&own.method, &own.uri), (&of_sdk.method, &of_sdk.uri));
    assert_eq!(own.body, of_sdk.body);
    let names = |request: &Request| request.headers.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(own), names(of_sdk));
    let signed = |request: &Request| {
        let authorization = request.headers["authorization"].clone();
        let (rest, _) = authorization.split_once("Signature=").unwrap();
        rest.to_owned()
    };
    assert_eq!(signed(own), signed(of_sdk));
}

#[tokio::test]
async fn the_endpoint_is_that_of_partition_fips_and_dual_stack() {
    for (region, fips, dual_stack, host) in [
        (
            "us-east-1",
            false,
            false,
            "securityhub.us-east-1.amazonaws.com",
        ),
        (
            "cn-north-1",
            false,
            false,
            "securityhub.cn-north-1.amazonaws.com.cn",
        ),
        (
            "us-gov-west-1",
            false,
            false,
            "securityhub.us-gov-west-1.amazonaws.com",
        ),
        (
            "us-iso-east-1",
            false,
            false,
            "securityhub.us-iso-east-1.c2s.ic.gov",
        ),
        (
            "eusc-de-east-1",
            false,
            false,
            "securityhub.eusc-de-east-1.amazonaws.eu",
        ),
        (
            "us-east-1",
            true,
            false,
            "securityhub-fips.us-east-1.amazonaws.com",
        ),
        ("eu-west-1", false, true, "securityhub.eu-west-1.api.aws"),
        (
            "us-east-1",
            true,
            true,
            "securityhub-fips.us-east-1.api.aws",
        ),
    ] {
        let sent = sent(|config| {
            config
                .region(aws_config::Region::new(region))
                .use_fips(fips)
                .use_dual_stack(dual_stack)
        })
        .await;
        assert_eq!(sent.uri, format!("https://{host}/findings"));
        let scope = format!("/{region}/securityhub/aws4_request");
        assert!(sent.headers["authorization"].contains(&scope), "{sent:?}");
    }
}

#[derive(Debug)]
struct OfService(&'static str);

impl aws_types::service_config::LoadServiceConfig for OfService {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let is_asked_for = key.service_id() == "SecurityHub"
            && key.env() == "AWS_ENDPOINT_URL"
            && key.profile() == "endpoint_url";
        is_asked_for.then(|| self.0.to_owned())
    }
}

#[tokio::test]
async fn an_endpoint_for_security_hub_goes_before_one_for_all_services() {
    let of_all = sent(|config| config.endpoint_url("http://localhost:1")).await;
    assert_eq!(of_all.uri, "http://localhost:1/findings");
    let of_hub = sent(|config| {
        let config = config.service_config(OfService("http://localhost:2/hub"));
        config.endpoint_url("http://localhost:1")
    })
    .await;
    assert_eq!(of_hub.uri, "http://localhost:2/hub/findings");
}

#[tokio::test]
async fn what_may_pass_is_tried_again() {
    for (status, body) in [
        (500, r#"{"__type":"InternalException"}"#),
        (503, "<html>unavailable</html>"),
        (429, r#"{"__type":"TooManyRequestsException"}"#),
        (400, r#"{"code":"LimitExceededException"}"#),
    ] {
        let (config, requests) = config(move |number, _| match number {
            3 => found(),
            _ => (status, body.to_owned()),
        });
        assert!(call(&config).await.is_ok(), "{status} {body}");
        let requests = requests.lock().unwrap();
        assert_eq!(requests.len(), 4, "{status} {body}");
        let attempts: Vec<_> = requests
            .iter()
            .map(|sent| &sent.headers["amz-sdk-request"])
            .collect();
        assert_eq!(
            attempts,
            [
                "attempt=1; max=4",
                "attempt=2; max=4",
                "attempt=3; max=4",
                "attempt=4; max=4"
            ]
        );
        assert!(requests.iter().all(|sent| sent.body == requests[0].body));
    }
    let (config, requests) = config_of_connector(|number, _| match number {
        0 => Err(ConnectorError::io("reset".into())),
        1 => Err(ConnectorError::timeout("slow".into())),
        _ => Ok(found()),
    });
    assert!(call(&config).await.is_ok());
    assert_eq!(requests.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn what_is_final_is_tried_once() {
    for (status, body, code) in [
        (
            400,
            r#"{"__type":"InvalidInputException","Message":"m"}"#,
            "InvalidInputException",
        ),
        (
            401,
            r#"{"code":"com.amazonaws#InvalidAccessException:http://x","message":"m","Message":"n"}"#,
            "InvalidAccessException",
        ),
        (
            403,
            r#"{"__type":"AccessDeniedException","errorMessage":"m","code":7}"#,
            "AccessDeniedException",
        ),
    ] {
        let (config, requests) = config(move |_, _| (status, body.to_owned()));
        let error = call(&config).await.unwrap_err();
        assert_eq!(error.code(), Some(code), "{error:?}");
        assert_eq!(error.to_string(), format!("m ({code})"));
        assert_eq!(requests.lock().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_asked_for_once() {
    let (config, requests) = config(|_, _| (200, r#"{"Findings":["#.to_owned()));
    let error = call(&config).await.unwrap_err();
    insta::assert_snapshot!(describe(&error), @"an answer that cannot be read: 13 bytes: EOF while parsing a list at line 1 column 13");
    assert!(error.is_retryable());
    assert_eq!(requests.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn no_answer_ends_with_the_run() {
    let config = silent_config();
    let until = Instant::now() + std::time::Duration::from_millis(50);
    let timeouts = Timeouts::SWEEP.until(Some(until));
    let answer: Result<Value, _> = HubClient::new(&config)
        .call(CALL, Vec::new(), timeouts)
        .await;
    let error = answer.unwrap_err();
    assert!(matches!(error, CallError::TimedOut), "{error:?}");
}
