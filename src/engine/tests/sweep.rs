//! Sweeps, alone and beside events.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use jiff::civil::Date;
use serde_json::{Value, json};

use crate::engine::Engine;
use crate::engine::clock::Clock;
use crate::engine::testing::*;
use crate::event;
use crate::finding::{Attribution, Cause, Finding, Seen};
use crate::policy::{self, ReferencedGroups, Settings};

engine_test!(
    a_sweep_keeps_the_opener_while_his_violation_stands_and_drops_him_when_it_is_gone,
    {
        let store = FakeStore::default();
        let open = FakeSource::of([vec![group(TARGET, &[ALL])]]);
        run(
            &open,
            &store,
            &rule_event("Authorize", ALL, 5, "arn:alice", "sgr-1"),
        )
        .await;
        let other = ("tcp", 0, 65_535, "sg-0000000000000000a");
        let both = FakeSource::of([vec![group(TARGET, &[ALL, other])]]);
        run(&both, &store, &json!({"action": "sweep"})).await;
        assert_eq!(store.shows(TARGET), "FAILED opened by arn:alice");
        let another = FakeSource::of([vec![group(TARGET, &[other])]]);
        run(&another, &store, &json!({"action": "sweep"})).await;
        assert_eq!(store.shows(TARGET), "FAILED");
    }
);

engine_test!(
    what_an_event_publishes_while_a_sweep_runs_keeps_its_opener,
    {
        // After the page of the sweep was asked for, and before, but after the sweep read the hub.
        for before in [Duration::ZERO, Duration::from_micros(1500)] {
            let store = FakeStore::default();
            let hub = Arc::clone(&store.findings);
            let mut source = FakeSource::of([vec![group(TARGET, &[ALL])]]);
            source.meanwhile = Some(Box::new(move |_| {
                let group = group(TARGET, &[ALL]);
                let unknown = ReferencedGroups::default();
                let verdict = policy::evaluate(&Settings::default(), &group, &unknown, Date::MIN);
                let authorized =
                    event::read(&rule_event("Authorize", ALL, 1, "arn:alice", "sgr-1"));
                let events: Vec<_> = authorized.triggers().collect();
                let at = TestClock.now() - before;
                let mut finding = Finding::evaluated(&context(), at, group, verdict);
                let seen = Seen {
                    at,
                    violations: finding.violations(),
                    egress: &[],
                    rules: &[],
                };
                finding.attribution = Attribution::of(&events, seen);
                finding.cause = Cause::Event;
                import(&mut hub.lock().unwrap(), &finding);
                TestClock.pass(Duration::from_millis(3));
            }));
            run(&source, &store, &json!({"action": "sweep"})).await;
            assert_eq!(store.shows(TARGET), "FAILED opened by arn:alice");
        }
    }
);

engine_test!(a_sweep_reads_events_only_of_findings_that_carry_some, {
    let store = FakeStore::default();
    let ids: Vec<_> = (0..50).map(|number| format!("sg-{number:017}")).collect();
    let groups: Vec<_> = ids.iter().map(|id| group(id, &[ALL])).collect();
    let source = FakeSource::of([groups]);
    run(&source, &store, &json!({"action": "sweep"})).await;
    store.calls.lock().unwrap().clear();
    // Other settings: every finding differs.
    let settings = Settings {
        severity: crate::policy::Severity::High,
        ..Settings::default()
    };
    run_with(&settings, &source, &store, &json!({"action": "sweep"})).await;
    assert_eq!(store.called(), ["Active", "ByEventSince", "import 50"]);
    store.calls.lock().unwrap().clear();
    run_with(&settings, &source, &store, &json!({"action": "sweep"})).await;
    assert_eq!(store.called(), ["Active"]);
});

engine_test!(a_refused_extra_look_does_not_end_the_sweep, {
    let store = FakeStore {
        rejects_extra_filters: true,
        ..FakeStore::default()
    };
    let source = FakeSource::of([vec![group(TARGET, &[ALL])]]);
    let run = run(&source, &store, &json!({"action": "sweep"})).await;
    assert!(run.failures.is_empty());
    assert_eq!(store.shows(TARGET), "FAILED");
    assert!(
        run.stats
            .warnings
            .iter()
            .any(|warning| warning.contains("the filter is not valid"))
    );
});

engine_test!(a_deletion_beside_a_sweep_archives_though_the_hub_lags, {
    let store = FakeStore::default();
    let open = FakeSource::of([vec![group(TARGET, &[ALL])]]);
    run(
        &open,
        &store,
        &rule_event("Authorize", ALL, 5, "arn:alice", "sgr-1"),
    )
    .await;
    *store.lagging.lock().unwrap() = Some(Vec::new());
    let gone = FakeSource::of([Vec::new()]);
    let run = run(
        &gone,
        &store,
        &queue(&[delete_event(1), json!({"action": "sweep"})]),
    )
    .await;
    assert!(failed(&run).is_empty());
    assert_eq!(
        (run.outcome.archived, store.shows(TARGET)),
        (1, "GONE".to_owned())
    );
});

engine_test!(
    an_event_that_does_not_name_its_target_is_covered_by_a_sweep_a_minute_later_only,
    {
        let settings = Settings::default();
        let unknown = call_event(
            "AuthorizeSecurityGroupIngress",
            &Value::Null,
            &Value::Null,
            30,
            "arn:alice",
        );
        for (sweep_began_after, ignored) in [(0, false), (59, false), (60, true)] {
            let source = FakeSource::of([Vec::new()]);
            let store = FakeStore::default();
            let event = TestClock.now() - SignedDuration::from_secs(30);
            let engine = Engine {
                swept_since: Some(event + SignedDuration::from_secs(sweep_began_after)),
                ..engine(&settings, &source, &store)
            };
            let run = engine.handle(&event::read(&unknown)).await;
            assert_eq!(
                run.outcome.ignored.is_some(),
                ignored,
                "{sweep_began_after} s"
            );
            assert_eq!(run.sweep.is_none(), ignored);
        }
    }
);

engine_test!(events_that_do_not_name_their_target_share_one_sweep, {
    let unknown = call_event(
        "AuthorizeSecurityGroupIngress",
        &Value::Null,
        &Value::Null,
        30,
        "arn:alice",
    );
    let source = FakeSource::of([vec![group(TARGET, &[ALL])]]);
    let store = FakeStore::default();
    let run = run(&source, &store, &queue(&vec![unknown; 8])).await;
    assert!(failed(&run).is_empty());
    assert_eq!(source.called(), ["page"]);
});

engine_test!(a_sweep_leaves_to_the_events_what_they_name, {
    let source = FakeSource::of([vec![group(TARGET, &[ALL])]]);
    let store = FakeStore::default();
    let batch = queue(&[
        rule_event("Revoke", ALL, 5, "arn:alice", "sgr-1"),
        json!({"action": "sweep"}),
    ]);
    let run = run(&source, &store, &batch).await;
    // EC2 still shows the revoked rule: neither the event nor the sweep publishes it.
    assert_eq!(
        (failed(&run), store.shows(TARGET)),
        (vec!["m0"], "nothing".to_owned())
    );
});

engine_test!(a_sweep_that_runs_out_of_time_says_how_far_it_got, {
    let source = FakeSource::of([vec![group(TARGET, &[ALL])]]);
    let store = FakeStore::default();
    let settings = Settings::default();
    let engine = Engine {
        until: Some(TestClock.instant() + Duration::from_millis(500)),
        ..engine(&settings, &source, &store)
    };
    let run = engine.sweep(&BTreeSet::new()).await;
    let error = run.end.unwrap_err();
    assert!(error.is_retryable());
    insta::assert_snapshot!(error, @"out of time during the sweep, reading the published findings: 0 groups evaluated, 0 findings published; the next sweep goes on");
});
