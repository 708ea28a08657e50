use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::aws::testing::{Answer, Request, Requests, config, scope};
use crate::aws::{Timeouts, securityhub::SecurityHub};
use crate::engine::store::{FindingFilter, FindingStore as _};

/// STS that gives each account its own key with so many seconds to live, and a hub without findings.
fn members(seconds: i64, session_of: fn(&str) -> &str) -> (MemberAccounts, Requests) {
    let (config, requests) = config(move |number, body| answer(number, body, seconds, session_of));
    let role = MemberRole::parse("security/sg-trust-member").unwrap();
    (MemberAccounts::new(Clients::new(config), role), requests)
}

fn answer(number: usize, body: &str, seconds: i64, session_of: fn(&str) -> &str) -> Answer {
    if !body.starts_with("Action=AssumeRole") {
        return (200, r#"{"Findings":[]}"#.to_owned());
    }
    let account = body.split("iam%3A%3A").nth(1).unwrap().get(..12).unwrap();
    let end = Timestamp::now() + SignedDuration::from_secs(seconds);
    let session = session_of(account);
    let body = format!(
        "<AssumeRoleResponse><AssumeRoleResult><AssumedRoleUser><AssumedRoleId>a:sg-trust</AssumedRoleId>\
         <Arn>arn:aws:sts::{session}:assumed-role/sg-trust-member/sg-trust</Arn></AssumedRoleUser>\
         <Credentials><AccessKeyId>KEY{number}OF{account}</AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
         <SessionToken>t</SessionToken><Expiration>{end:.0}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
    );
    (200, body)
}

fn of(account: &str) -> Scope {
    Scope {
        account: AccountId::new(account),
        ..scope()
    }
}

async fn read(members: &MemberAccounts, account: &str) -> SecurityHub {
    let scope = of(account);
    let hub = members
        .clients(&scope)
        .await
        .unwrap()
        .hub(&scope, Timeouts::EVENT);
    hub.published(FindingFilter::Active, None).await.unwrap();
    hub
}

/// What was called with which key, in the order of the calls.
fn called(requests: &Requests) -> Vec<(String, String)> {
    let name = |request: &Request| match request.uri.contains("securityhub") {
        true => "GetFindings".to_owned(),
        false => "AssumeRole".to_owned(),
    };
    let key = |request: &Request| {
        let signed = request.headers["authorization"]
            .split("Credential=")
            .nth(1)
            .unwrap();
        signed.split('/').next().unwrap().to_owned()
    };
    let requests = requests.lock().unwrap();
    requests
        .iter()
        .map(|request| (name(request), key(request)))
        .collect()
}

fn expected(calls: &[(&str, &str)]) -> Vec<(String, String)> {
    calls
        .iter()
        .map(|(name, key)| ((*name).to_owned(), (*key).to_owned()))
        .collect()
}

#[tokio::test]
async fn each_account_has_its_own_credentials_and_they_are_kept() {
    let (members, requests) = members(3600, |account| account);
    for account in ["222222222222", "333333333333", "222222222222"] {
        read(&members, account).await;
    }
    assert_eq!(
        called(&requests),
        expected(&[
            ("AssumeRole", "AKID"),
            ("GetFindings", "KEY0OF222222222222"),
            ("AssumeRole", "AKID"),
            ("GetFindings", "KEY2OF333333333333"),
            ("GetFindings", "KEY0OF222222222222"),
        ])
    );
    let requests = requests.lock().unwrap();
    let sent: BTreeMap<_, _> = requests[0]
        .body
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .collect();
    assert_eq!(
        sent["RoleArn"],
        "arn%3Aaws%3Aiam%3A%3A222222222222%3Arole%2Fsecurity%2Fsg-trust-member"
    );
    assert_eq!(sent["RoleSessionName"], "sg-trust");
    assert_eq!(requests[0].uri, "https://sts.eu-west-1.amazonaws.com/");
}

#[tokio::test]
async fn credentials_are_renewed_five_minutes_before_their_end() {
    for (seconds, assumed) in [(290, 2), (310, 1)] {
        let (members, requests) = members(seconds, |account| account);
        let scope = of("222222222222");
        members.clients(&scope).await.unwrap();
        members.clients(&scope).await.unwrap();
        assert_eq!(requests.lock().unwrap().len(), assumed, "{seconds}");
    }
    // Within one invocation too: the client asks for them at each call.
    let (members, requests) = members(290, |account| account);
    let hub = read(&members, "222222222222").await;
    hub.published(FindingFilter::Active, None).await.unwrap();
    let keys: Vec<_> = called(&requests)
        .into_iter()
        .filter(|(name, _)| name == "GetFindings")
        .map(|(_, key)| key)
        .collect();
    assert_eq!(keys.len(), 2);
    assert_ne!(keys[0], keys[1]);
}

#[tokio::test]
async fn rates_are_an_accounts_own_and_last_from_one_invocation_to_the_next() {
    let (members, _) = members(3600, |account| account);
    let first = read(&members, "222222222222").await;
    let again = read(&members, "222222222222").await;
    let other = read(&members, "333333333333").await;
    assert!(Arc::ptr_eq(&first.limits.reads, &again.limits.reads));
    assert!(!Arc::ptr_eq(&first.limits.reads, &other.limits.reads));
    // A forgotten session is assumed anew, within the same rates.
    members.forget(&AccountId::new("222222222222"));
    let anew = read(&members, "222222222222").await;
    assert!(Arc::ptr_eq(&first.limits.reads, &anew.limits.reads));
}

#[tokio::test]
async fn accounts_whose_credentials_are_over_are_not_kept() {
    let (members, _) = members(1, |account| account);
    for number in 0..50 {
        members
            .clients(&of(&format!("2222222222{number:02}")))
            .await
            .unwrap();
    }
    assert_eq!(members.all().len(), 1);
}

#[tokio::test]
async fn credentials_of_another_account_are_not_taken() {
    let (members, _) = members(3600, |_| "999999999999");
    let error = members.clients(&of("222222222222")).await.unwrap_err();
    insta::assert_snapshot!(error, @"account 222222222222: sts AssumeRole of arn:aws:iam::222222222222:role/security/sg-trust-member: an answer with credentials of 999999999999");
}

#[tokio::test]
async fn a_role_that_is_refused_says_what_to_do() {
    let (config, requests) = config(|_, _| {
        let body = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not authorized</Message></Error></ErrorResponse>";
        (403, body.to_owned())
    });
    let role = MemberRole::parse("sg-trust-member").unwrap();
    let members = MemberAccounts::new(Clients::new(config), role);
    let error = members.clients(&of("222222222222")).await.unwrap_err();
    assert!(!error.is_retryable());
    insta::assert_snapshot!(error, @"account 222222222222: sts AssumeRole of arn:aws:iam::222222222222:role/sg-trust-member: not authorized (AccessDenied): the role is not there or does not trust these credentials (infra/member.yaml makes it), these credentials may not assume it, or the account is suspended");
    assert_eq!(requests.lock().unwrap().len(), 1);
}

#[test]
fn a_role_has_a_path_and_a_name() {
    for good in [
        "sg-trust-member",
        "security/sg-trust-member",
        "a/b/c",
        "a+=,.@_-b",
    ] {
        assert!(MemberRole::parse(good).is_some(), "{good}");
    }
    let long = "a".repeat(NAME + 1);
    for bad in [
        "",
        "/a",
        "a/",
        "a//b",
        "a b",
        "arn:aws:iam::1:role/a",
        "a*",
        &long,
    ] {
        assert!(MemberRole::parse(bad).is_none(), "{bad}");
    }
}
