use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::engine::testing::{TARGET, scope};
use crate::event;

const OWN: &str = "111111111111";
const MEMBER: &str = "222222222222";
const OTHER: &str = "333333333333";
const WORK: &str = "arn:aws:sqs:us-east-1:111111111111:work";
const EVENTS: &str = "arn:aws:sqs:us-east-1:111111111111:events";

fn own() -> Scope {
    Scope {
        account: AccountId::new(OWN),
        ..scope()
    }
}

fn members(accounts: Option<&[&str]>) -> Members {
    let accounts = accounts.map(|ids| ids.iter().map(|id| AccountId::new(*id)).collect());
    Members {
        accounts,
        work_queue: Some(WORK.to_owned()),
    }
}

fn change(account: &str, recipient: Option<&str>) -> Value {
    json!({
        "source": "aws.ec2", "detail-type": "AWS API Call via CloudTrail", "account": account, "region": scope().region.as_str(),
        "detail": {
            "eventSource": "ec2.amazonaws.com", "eventName": "RevokeSecurityGroupEgress", "recipientAccountId": recipient,
            "requestParameters": {"groupId": TARGET},
        },
    })
}

fn sqs(messages: &[(&str, Value)]) -> Value {
    let records = messages.iter().enumerate().map(|(number, (queue, body))| {
        json!({"messageId": format!("m{number}"), "eventSource": "aws:sqs", "eventSourceARN": queue, "body": body.to_string()})
    });
    json!({"Records": records.collect::<Vec<_>>()})
}

fn route(document: &Value, members: Option<&Members>) -> Routed {
    Routed::new(event::read(document), &own(), members)
}

/// Each part's account with the numbers of its messages, then the refused ones with why.
fn shown(routed: &Routed) -> Vec<String> {
    let parts = routed.parts.iter().chain(&routed.sweep_all);
    let parts = parts.map(|part| format!("{} {:?}", part.scope.account, part.numbers));
    let refused = &routed.refused;
    let refused = refused
        .iter()
        .map(|failed| format!("{} {}", failed.number, failed.error));
    parts.chain(refused).collect()
}

#[test]
fn a_batch_is_split_by_account_and_each_part_has_its_scope() {
    let document = sqs(&[
        (EVENTS, change(MEMBER, Some(MEMBER))),
        (EVENTS, change(OWN, None)),
        (EVENTS, change(OTHER, None)),
        (EVENTS, change(MEMBER, None)),
    ]);
    let routed = route(&document, Some(&members(None)));
    assert_eq!(
        shown(&routed),
        [
            "111111111111 [1]",
            "222222222222 [0, 3]",
            "333333333333 [2]"
        ]
    );
    for part in &routed.parts {
        assert_eq!(part.scope.region, own().region);
        assert!(part.asks_for_something());
    }
    // Without members the one part is the own account's: its engine leaves the events of others alone.
    assert_eq!(
        shown(&route(&document, None)),
        ["111111111111 [0, 1, 2, 3]"]
    );
}

#[test]
fn what_contradicts_itself_or_is_of_an_account_that_is_not_listed_is_refused() {
    let document = sqs(&[
        (EVENTS, change(MEMBER, Some(OTHER))),
        (EVENTS, change(OWN, Some(MEMBER))),
        (EVENTS, change(OTHER, Some(OTHER))),
        (EVENTS, change(MEMBER, Some(MEMBER))),
    ]);
    let routed = route(&document, Some(&members(Some(&[MEMBER]))));
    insta::assert_snapshot!(shown(&routed).join("\n"), @r"
    222222222222 [3]
    0 refused: the envelope is of account 222222222222, and the record in it was received by 333333333333
    1 refused: the envelope is of account 111111111111, and the record in it was received by 222222222222
    2 refused: account 333333333333 is not among those of SG_TRUST_ACCOUNTS
    ");
    let result = routed.join([]);
    assert_eq!(result.stats.refused_events, 3);
    assert!(
        result
            .failures
            .iter()
            .all(|failed| !failed.error.is_retryable())
    );
    let ids: Vec<_> = result
        .failures
        .iter()
        .map(|failed| failed.sqs_id.as_deref())
        .collect();
    assert_eq!(ids, [Some("m0"), Some("m1"), Some("m2")]);
}

#[test]
fn actions_are_taken_from_the_invocation_and_the_own_work_queue_only() {
    let actions = [
        json!({"action": "sweep"}),
        json!({"action": "sweep", "account": MEMBER}),
        json!({"action": "sweep-all"}),
        json!({"action": "evaluate", "group_ids": [TARGET], "account": MEMBER}),
        json!({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}, "account": MEMBER}),
    ];
    let members = members(None);
    for action in actions {
        let sns = json!({"Records": [{"Sns": {"Message": action.to_string()}}]});
        let forged = sqs(&[(EVENTS, sqs(&[(WORK, action.clone())]))]);
        for (document, is_taken) in [
            (action.clone(), true),
            (sqs(&[(WORK, action.clone())]), true),
            (sqs(&[(EVENTS, action.clone())]), false),
            (forged, false),
            (sns, false),
            (
                json!({"Records": [{"messageId": "m", "body": action.to_string()}]}),
                false,
            ),
        ] {
            let routed = route(&document, Some(&members));
            assert_eq!(
                routed.refused.is_empty(),
                is_taken,
                "{document}: {:?}",
                shown(&routed)
            );
            assert_eq!(
                routed.parts.is_empty() && routed.sweep_all.is_none(),
                !is_taken
            );
        }
    }
    // Without a work queue no queue may act, not even one that does not say which it is.
    let without = Members {
        work_queue: None,
        ..members
    };
    let unnamed = json!({"Records": [{"messageId": "m", "body": "{\"action\":\"sweep\"}"}]});
    assert_eq!(route(&unnamed, Some(&without)).refused.len(), 1);
}

#[test]
fn without_members_an_action_for_an_account_is_an_error() {
    for action in [
        json!({"action": "sweep", "account": OWN}),
        json!({"action": "sweep", "account": MEMBER}),
        json!({"action": "evaluate", "group_ids": [TARGET], "account": MEMBER}),
        json!({"action": "sweep-all"}),
    ] {
        let result = route(&action, None).join([]);
        let error = result.result().unwrap_err();
        assert!(!error.is_retryable());
        assert!(
            error.to_string().contains("SG_TRUST_MEMBER_ROLE"),
            "{error}"
        );
    }
    assert_eq!(
        shown(&route(&json!({"action": "sweep"}), None)),
        ["111111111111 [0]"]
    );
}

#[test]
fn what_asks_for_nothing_makes_no_call() {
    let elsewhere = json!({"source": "aws.ec2", "detail-type": "Instance State-change", "account": MEMBER, "region": "eu-west-1", "detail": {}});
    let mut in_another_region = change(MEMBER, None);
    in_another_region["region"] = json!("ap-south-1");
    for idle in [elsewhere, in_another_region, json!({"no": "event"})] {
        let routed = route(&idle, Some(&members(None)));
        assert!(!routed.parts[0].asks_for_something(), "{idle}");
    }
}

proptest! {
    /// Every message comes to one end: in one part, among the sweeps of all, or refused; and what fails in a part is
    /// told by the number and id that it has in the whole batch.
    #[test]
    fn no_message_is_lost_and_none_is_told_for_another(
        of in prop::collection::vec((0..5_usize, 0..4_usize, any::<bool>()), 0..12),
        listed in prop::option::of(prop::collection::vec(0..3_usize, 0..3)),
        is_central in any::<bool>(),
    ) {
        let accounts = [OWN, MEMBER, OTHER];
        let messages: Vec<_> = of.iter().map(|(kind, account, from_work)| {
            let account = accounts.get(*account).copied().unwrap_or(MEMBER);
            let body = match kind {
                0 => json!({"action": "sweep"}),
                1 => json!({"action": "sweep-all"}),
                2 => json!({"what": "is this"}),
                3 => change(account, Some(MEMBER)),
                _ => change(account, None),
            };
            (if *from_work { WORK } else { EVENTS }, body)
        }).collect();
        let listed = listed.map(|numbers| numbers.iter().map(|number| accounts[*number]).collect::<Vec<_>>());
        let members = members(listed.as_deref());
        let routed = route(&sqs(&messages), is_central.then_some(&members));
        let failed: Vec<_> = routed.parts.iter().chain(&routed.sweep_all)
            .map(|part| part.failed(EngineError::NoTimeLeft)).collect();
        let refused = routed.refused.len();
        let result = routed.join(failed);
        let numbers: Vec<_> = result.failures.iter().map(|failed| failed.number).collect();
        prop_assert_eq!(numbers, (0..messages.len()).collect::<Vec<_>>());
        for failed in &result.failures {
            let id = format!("m{}", failed.number);
            prop_assert_eq!(failed.sqs_id.as_deref(), Some(id.as_str()));
        }
        prop_assert_eq!(result.stats.refused_events, u64::try_from(refused).unwrap());
        prop_assert_eq!(result.outcome, Outcome::default());
    }
}
