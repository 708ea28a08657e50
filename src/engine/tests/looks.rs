//! Answers that EC2 gives late, in doubt, or not at all.

use std::time::Duration;

use serde_json::json;

use crate::engine::Engine;
use crate::engine::clock::Clock;
use crate::engine::testing::*;
use crate::event;
use crate::policy::Settings;

const OTHER: &str = "sg-0000000000000000a";

engine_test!(
    every_message_about_a_new_group_that_ec2_does_not_show_yet_comes_again,
    {
        let source = FakeSource::of([Vec::new()]);
        let store = FakeStore::default();
        let created = call_event(
            "CreateSecurityGroup",
            &json!({}),
            &json!({"groupId": TARGET}),
            9,
            "arn:alice",
        );
        let events = [
            created,
            rule_event("Authorize", ALL, 8, "arn:alice", "sgr-1"),
            json!({"action": "evaluate", "group_ids": [TARGET]}),
        ];
        let run = run(&source, &store, &queue(&events)).await;
        assert_eq!(failed(&run), ["m0", "m1"]);
        assert_eq!(store.shows(TARGET), "nothing");
    }
);

engine_test!(
    every_message_that_says_that_a_shown_group_is_gone_comes_again,
    {
        let source = FakeSource::of([vec![group(TARGET, &[])]]);
        let store = FakeStore::default();
        let events = [delete_event(9), delete_event(1), delete_event(300)];
        let run = run(&source, &store, &queue(&events)).await;
        assert_eq!(failed(&run), ["m0", "m1"]);
    }
);

engine_test!(a_look_that_fails_costs_only_those_that_it_was_for, {
    // The second look is for the passing group alone.
    let mut source = FakeSource::of([vec![group(TARGET, &[]), group(OTHER, &[ALL])]]);
    source.fails_from = Some(2);
    let store = FakeStore::default();
    let events = [
        rule_event("Authorize", ALL, 5, "arn:alice", "sgr-1"),
        json!({"action": "evaluate", "group_ids": [OTHER]}),
    ];
    let run = run(&source, &store, &queue(&events)).await;
    assert_eq!(failed(&run), ["m0"]);
    assert!(run.failures[0].error.is_retryable());
    assert_eq!(
        (store.shows(TARGET), store.shows(OTHER)),
        ("nothing".to_owned(), "FAILED".to_owned())
    );
    let mut warnings = run.stats.warnings.iter().map(String::as_str);
    assert_eq!(
        warnings.next(),
        Some("ec2 was not asked again: ec2 is away")
    );
});

engine_test!(
    a_violation_that_ec2_showed_is_published_though_another_look_fails,
    {
        let mut source = FakeSource::of([vec![group(TARGET, &[ALL])]]);
        source.fails_from = Some(2);
        let store = FakeStore::default();
        let event = rule_event("Authorize", SSH, 5, "arn:alice", "sgr-1");
        let run = run(&source, &store, &queue(&[event])).await;
        assert_eq!(
            (failed(&run), store.shows(TARGET)),
            (vec!["m0"], "FAILED".to_owned())
        );
    }
);

engine_test!(without_another_look_nothing_that_is_in_doubt_passes, {
    let opposite = [
        rule_event("Authorize", ALL, 5, "arn:alice", "sgr-1"),
        rule_event("Revoke", ALL, 5, "arn:bob", "sgr-0"),
    ];
    let settings = Settings::default();
    for seconds in [1, 2, 3, 5, 30] {
        let source = FakeSource::of([vec![group(TARGET, &[])]]);
        let store = FakeStore::default();
        let engine = Engine {
            until: Some(TestClock.instant() + Duration::from_secs(seconds)),
            ..engine(&settings, &source, &store)
        };
        let run = engine.handle(&event::read(&queue(&opposite))).await;
        // The waits take 3.5 s, and a call needs another second.
        if seconds < 5 {
            assert_eq!(failed(&run), ["m0", "m1"], "{seconds} s");
            assert_eq!(store.shows(TARGET), "nothing");
        } else {
            assert!(run.failures.is_empty(), "{seconds} s");
            assert_eq!(store.shows(TARGET), "PASSED");
        }
    }
});

engine_test!(
    an_egress_rule_does_not_stand_for_an_ingress_rule_of_its_effect,
    {
        // The inbound rule was opened, EC2 shows the outbound one only.
        let mut stale = group(TARGET, &[SSH]);
        stale.ip_permissions_egress = group(TARGET, &[ALL]).ip_permissions;
        let mut fresh = group(TARGET, &[ALL]);
        fresh
            .ip_permissions_egress
            .clone_from(&stale.ip_permissions_egress);
        let modified = queue(&[modify_event(ALL, 5, "arn:mallory", "sgr-1")]);
        // Its id tells that it is an inbound rule: what passes is withheld.
        let mut source = FakeSource::of([vec![stale.clone()]]);
        source.rules = vec![shown_rule("sgr-1")];
        let store = FakeStore::default();
        let withheld = run(&source, &store, &modified).await;
        assert_eq!(
            (failed(&withheld), store.shows(TARGET)),
            (vec!["m0"], "nothing".to_owned())
        );
        // Its id is not told: it is looked at again.
        let source = FakeSource::of([vec![stale.clone()], vec![stale.clone()], vec![fresh]]);
        let run_again = run(&source, &store, &modified).await;
        assert!(run_again.failures.is_empty());
        assert_eq!(source.called(), ["find", "rules", "find", "find"]);
        assert!(store.shows(TARGET).starts_with("FAILED"));
        // It is an outbound rule.
        let source = FakeSource::of([vec![stale]]);
        let store = FakeStore::default();
        let passed = run(&source, &store, &modified).await;
        assert!(passed.failures.is_empty());
        assert_eq!(store.shows(TARGET), "PASSED");
    }
);

engine_test!(
    a_group_in_a_vpc_that_is_gone_is_not_published_whoever_asks_for_it,
    {
        let mut default = group(TARGET, &[("-1", -1, -1, TARGET)]);
        default.group_name = Some("default".to_owned());
        let event = |call: &str, request, response, seconds_ago| {
            call_event(call, &request, &response, seconds_ago, "arn:alice")
        };
        let created = event(
            "CreateVpc",
            json!({}),
            json!({"vpc": {"vpcId": "vpc-1"}}),
            9,
        );
        let deleted = event(
            "DeleteVpc",
            json!({"vpcId": "vpc-1"}),
            json!({"_return": true}),
            2,
        );
        let tagged = rule_event("Revoke", SSH, 5, "arn:alice", "sgr-1");
        for asked in [created, tagged] {
            // EC2 still shows it, and the hub has no finding of it yet that would tell in which VPC it is.
            let source = FakeSource::of([vec![default.clone()]]);
            let store = FakeStore::default();
            let run = run(&source, &store, &queue(&[asked, deleted.clone()])).await;
            assert_eq!(
                (failed(&run), store.shows(TARGET)),
                (vec!["m1"], "nothing".to_owned())
            );
        }
    }
);
