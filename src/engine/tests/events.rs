//! The groups that events name.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::engine::Engine;
use crate::engine::clock::Clock;
use crate::engine::testing::*;
use crate::event;
use crate::finding::Finding;
use crate::model::GroupId;
use crate::policy::Settings;

engine_test!(an_event_is_one_look_and_one_import, {
    let source = FakeSource::of([vec![group(TARGET, &[ALL])]]);
    let store = FakeStore::default();
    let run = run(
        &source,
        &store,
        &rule_event("Authorize", ALL, 5, "arn:alice", "sgr-1"),
    )
    .await;
    assert_eq!(
        (run.outcome.failed, store.shows(TARGET)),
        (1, "FAILED opened by arn:alice".to_owned())
    );
    assert_eq!(source.called(), ["find"]);
    assert_eq!(store.called(), ["import 1"]);
});

engine_test!(an_old_observation_does_not_outdo_a_newer_one, {
    let store = FakeStore::default();
    let hub = Arc::clone(&store.findings);
    let mut slow = FakeSource::of([vec![group(TARGET, &[ALL])]]);
    // While the answer is on its way, the rule is revoked and another instance publishes what it sees.
    slow.meanwhile = Some(Box::new(move |_| {
        TestClock.pass(Duration::from_millis(3));
        let group = group(TARGET, &[]);
        let verdict = crate::policy::evaluate(
            &Settings::default(),
            &group,
            &crate::policy::ReferencedGroups::default(),
            jiff::civil::Date::MIN,
        );
        import(
            &mut hub.lock().unwrap(),
            &Finding::evaluated(&context(), TestClock.now(), group, verdict),
        );
    }));
    run(
        &slow,
        &store,
        &json!({"action": "evaluate", "group_ids": [TARGET]}),
    )
    .await;
    assert_eq!(store.shows(TARGET), "PASSED");
    run(&slow, &store, &json!({"action": "sweep"})).await;
    assert_eq!(store.shows(TARGET), "PASSED");
});

engine_test!(
    a_dummy_rule_that_comes_and_goes_does_not_hide_an_open_one,
    {
        // Authorized and revoked in one second, in either order; EC2 shows it or not.
        for (first, second) in [("Authorize", "Revoke"), ("Revoke", "Authorize")] {
            for shown in [&[ALL][..], &[ALL, SSH]] {
                let source = FakeSource::of([vec![group(TARGET, shown)]]);
                let store = FakeStore::default();
                let events = [
                    rule_event("Authorize", ALL, 9, "arn:alice", "sgr-1"),
                    rule_event(first, SSH, 5, "arn:mallory", "sgr-2"),
                    rule_event(second, SSH, 5, "arn:mallory", "sgr-2"),
                ];
                let run = run(&source, &store, &queue(&events)).await;
                assert!(failed(&run).is_empty(), "{first} {shown:?}");
                assert_eq!(store.shows(TARGET), "FAILED opened by arn:alice");
            }
        }
    }
);

engine_test!(
    only_the_message_that_ec2_contradicts_fails_and_a_shown_violation_is_published,
    {
        let source = FakeSource::of([vec![group(TARGET, &[ALL])]]);
        let store = FakeStore::default();
        let events = [
            rule_event("Authorize", ALL, 9, "arn:alice", "sgr-1"),
            rule_event("Authorize", SSH, 5, "arn:mallory", "sgr-2"),
        ];
        let run = run(&source, &store, &queue(&events)).await;
        assert_eq!(failed(&run), ["m1"]);
        assert!(run.failures[0].error.is_retryable());
        assert_eq!(
            run.failures[0].event_id.as_deref(),
            Some("AuthorizeSecurityGroupIngress-5-arn:mallory")
        );
        assert_eq!(store.shows(TARGET), "FAILED opened by arn:alice");
        assert_eq!(source.called(), ["find"; 4]);
    }
);

engine_test!(
    a_revoked_rule_that_ec2_still_shows_does_not_turn_a_fixed_finding_failed,
    {
        let source = FakeSource::of([vec![group(TARGET, &[ALL])]]);
        let store = FakeStore::default();
        let revoked = rule_event("Revoke", ALL, 5, "arn:alice", "sgr-1");
        let first = run(&source, &store, &queue(std::slice::from_ref(&revoked))).await;
        assert_eq!(
            (failed(&first), store.shows(TARGET)),
            (vec!["m0"], "nothing".to_owned())
        );
        // What fails without it is published as it is without it.
        let other = ("-1", -1, -1, "sg-0000000000000000a");
        let source = FakeSource::of([vec![group(TARGET, &[ALL, other])]]);
        let second = run(&source, &store, &queue(&[revoked])).await;
        assert_eq!(
            (failed(&second), store.shows(TARGET)),
            (vec!["m0"], "FAILED".to_owned())
        );
        let hub = store.findings.lock().unwrap();
        let violations = hub[&GroupId::new(TARGET)].violations();
        assert_eq!(violations.len(), 1);
        assert_eq!(
            violations[0].source.group_id,
            Some(GroupId::new("sg-0000000000000000a"))
        );
    }
);

engine_test!(a_replaced_rule_costs_no_error, {
    let mut source = FakeSource::of([vec![group(TARGET, &[ALL])]]);
    source.rules = vec![shown_rule("sgr-2")];
    let store = FakeStore::default();
    let run = run(
        &source,
        &store,
        &rule_event("Revoke", ALL, 1, "arn:terraform", "sgr-1"),
    )
    .await;
    assert!(run.failures.is_empty());
    assert_eq!(store.shows(TARGET), "FAILED");
    assert_eq!(source.called(), ["find", "rules"]);
});

engine_test!(a_pass_that_is_in_doubt_is_looked_at_again, {
    // Authorized and revoked in one second: EC2 shows the rule at the third look.
    let closed = vec![group(TARGET, &[])];
    let source = FakeSource::of([closed.clone(), closed, vec![group(TARGET, &[ALL])]]);
    let store = FakeStore::default();
    let events = [
        rule_event("Authorize", ALL, 5, "arn:alice", "sgr-1"),
        rule_event("Revoke", ALL, 5, "arn:bob", "sgr-0"),
    ];
    let run = run(&source, &store, &queue(&events)).await;
    assert!(run.failures.is_empty());
    assert_eq!(store.shows(TARGET), "FAILED opened by arn:alice");
    assert_eq!(source.called(), ["find"; 3]);
});

engine_test!(
    a_new_group_that_ec2_does_not_show_yet_is_not_taken_for_gone,
    {
        for looks_until_shown in 1..=3 {
            let mut looks = vec![Vec::new(); looks_until_shown];
            looks.push(vec![group(TARGET, &[])]);
            let source = FakeSource::of(looks);
            let store = FakeStore::default();
            let run = run(
                &source,
                &store,
                &json!({"action": "evaluate", "group_ids": [TARGET]}),
            )
            .await;
            assert_eq!((run.outcome.passed, run.outcome.archived), (1, 0));
            assert_eq!(store.shows(TARGET), "PASSED");
            assert_eq!(source.called().len(), looks_until_shown + 1);
        }
        let source = FakeSource::of([Vec::new()]);
        let store = FakeStore::default();
        run(
            &source,
            &store,
            &json!({"action": "evaluate", "group_ids": [TARGET]}),
        )
        .await;
        assert_eq!(
            (store.shows(TARGET), source.called()),
            ("GONE".to_owned(), vec!["find"; 4])
        );
    }
);

engine_test!(without_time_for_another_look_nothing_is_said_to_be_gone, {
    let source = FakeSource::of([Vec::new()]);
    let store = FakeStore::default();
    let settings = Settings::default();
    let engine = Engine {
        until: Some(TestClock.instant() + Duration::from_millis(1200)),
        ..engine(&settings, &source, &store)
    };
    let run = engine
        .handle(&event::read(
            &json!({"action": "evaluate", "group_ids": [TARGET]}),
        ))
        .await;
    assert!(run.failures[0].error.is_retryable());
    assert_eq!(store.shows(TARGET), "nothing");
});

engine_test!(a_deleted_group_is_archived_at_once, {
    let source = FakeSource::of([Vec::new()]);
    let store = FakeStore::default();
    run(&source, &store, &delete_event(1)).await;
    assert_eq!(
        (store.shows(TARGET), source.called()),
        ("GONE".to_owned(), vec!["find"])
    );
    // While EC2 still shows it, nothing is published: it would come back.
    let source = FakeSource::of([vec![group(TARGET, &[ALL])]]);
    let store = FakeStore::default();
    let run = run(&source, &store, &delete_event(1)).await;
    assert!(run.failures[0].error.is_retryable());
    assert_eq!(store.shows(TARGET), "nothing");
});

engine_test!(a_refused_finding_fails_its_own_messages_only, {
    let other = "sg-0000000000000000a";
    let source = FakeSource::of([vec![group(TARGET, &[ALL]), group(other, &[])]]);
    let store = FakeStore {
        refused: vec![TARGET],
        ..FakeStore::default()
    };
    let evaluate = |id: &str| json!({"action": "evaluate", "group_ids": [id]});
    let run = run(
        &source,
        &store,
        &queue(&[evaluate(TARGET), evaluate(other), json!({"nonsense": 1})]),
    )
    .await;
    assert_eq!(failed(&run), ["m0", "m2"]);
    assert!(!run.failures[0].error.is_retryable());
    assert_eq!(store.shows(other), "PASSED");
    assert_eq!((run.stats.published, run.stats.refused), (1, 1));
});

engine_test!(a_source_that_is_away_fails_every_message_as_retryable, {
    let source = FakeSource {
        fails_from: Some(1),
        ..FakeSource::default()
    };
    let store = FakeStore::default();
    let events = [
        rule_event("Authorize", ALL, 5, "arn:alice", "sgr-1"),
        json!({"action": "sweep"}),
    ];
    let run = run(&source, &store, &queue(&events)).await;
    assert_eq!(failed(&run), ["m0", "m1"]);
    assert!(
        run.failures
            .iter()
            .all(|failed| failed.error.is_retryable())
    );
    assert!(run.sweep.is_some_and(|sweep| !sweep.is_complete));
});
