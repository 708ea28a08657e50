//! Whom a finding names.

use crate::config;
use crate::engine::testing::*;
use crate::finding::OpenedRule;
use crate::policy::Settings;

engine_test!(a_rule_that_was_modified_is_opened_by_whoever_modified_it, {
    let source = FakeSource::of([vec![group(TARGET, &[ALL])]]);
    let store = FakeStore::default();
    let modified = modify_event(ALL, 5, "arn:bob", "sgr-1");
    run(&source, &store, &modified).await;
    assert_eq!(store.shows(TARGET), "FAILED opened by arn:bob");
});

engine_test!(
    whoever_modifies_an_egress_rule_did_not_open_the_ingress_rule_of_its_effect,
    {
        let mut shown = group(TARGET, &[ALL]);
        shown.ip_permissions_egress = shown.ip_permissions.clone();
        let source = FakeSource::of([vec![shown]]);
        let store = FakeStore::default();
        let modified = modify_event(ALL, 5, "arn:bob", "sgr-2");
        run(&source, &store, &modified).await;
        assert_eq!(store.shows(TARGET), "FAILED");
        assert_eq!(source.called(), ["find"]);
    }
);

engine_test!(
    rules_that_were_known_by_their_ids_before_the_last_look_tell_whose_a_rule_is,
    {
        // The first look shows the outbound rule, which the event is about; the second an inbound rule of the same effect.
        let mut first = group(TARGET, &[SSH]);
        first.ip_permissions_egress = group(TARGET, &[ALL]).ip_permissions;
        let mut source = FakeSource::of([vec![first], vec![group(TARGET, &[ALL])]]);
        source.rules = vec![shown_rule("sgr-9")];
        let store = FakeStore::default();
        let modified = modify_event(ALL, 5, "arn:bob", "sgr-2");
        run(&source, &store, &modified).await;
        assert_eq!(store.shows(TARGET), "FAILED");
        assert_eq!(source.called(), ["find", "rules", "find"]);
    }
);

engine_test!(
    whoever_added_a_rule_that_was_another_one_at_any_look_is_not_named,
    {
        let settings = Settings {
            rule_ids: true,
            ..Settings::default()
        };
        let (own, other) = (vec![shown_rule("sgr-1")], vec![shown_rule("sgr-9")]);
        for (earlier, later, opener) in [
            (&own, &own, " opened by arn:alice"),
            (&own, &other, ""),
            (&other, &own, ""),
            (&other, &vec![], ""),
        ] {
            // Only its id tells whether the rule that Bob revoked was replaced by another: the rules are asked for.
            let mut source = FakeSource::of([vec![group(TARGET, &[ALL, SSH])]]);
            source.rules = earlier.clone();
            source.later_rules = Some(later.clone());
            let store = FakeStore::default();
            let events = [
                rule_event("Authorize", ALL, 5, "arn:alice", "sgr-1"),
                rule_event("Revoke", SSH, 5, "arn:bob", "sgr-2"),
            ];
            run_with(&settings, &source, &store, &queue(&events)).await;
            let asked = source
                .called()
                .iter()
                .filter(|call| **call == "rules")
                .count();
            assert_eq!((store.shows(TARGET), asked), (format!("FAILED{opener}"), 2));
        }
    }
);

engine_test!(
    whoever_added_a_rule_that_another_modified_since_did_not_open_the_one_that_stands,
    {
        let source = FakeSource::of([vec![group(TARGET, &[SSH, ALL])]]);
        let store = FakeStore::default();
        let events = [
            rule_event("Authorize", ALL, 50, "arn:alice", "sgr-1"),
            modify_event(SSH, 40, "arn:bob", "sgr-1"),
        ];
        run(&source, &store, &queue(&events)).await;
        assert_eq!(store.shows(TARGET), "FAILED");
    }
);

engine_test!(
    a_rule_that_was_modified_and_revoked_without_its_id_is_nobodys_when_it_stands_again,
    {
        let source = FakeSource::of([vec![group(TARGET, &[ALL])]]);
        let store = FakeStore::default();
        let mut revoked = rule_event("Revoke", ALL, 100, "arn:bob", "sgr-1");
        let rules = "/detail/responseElements/revokedSecurityGroupRuleSet/items/0";
        let rule = revoked.pointer_mut(rules).unwrap().as_object_mut().unwrap();
        rule.remove("securityGroupRuleId");
        let events = [modify_event(ALL, 290, "arn:alice", "sgr-1"), revoked];
        run(&source, &store, &queue(&events)).await;
        // Whoever added it anew is not known.
        assert_eq!(store.shows(TARGET), "FAILED");
    }
);

engine_test!(
    a_rule_that_was_revoked_by_its_id_does_not_come_back_whatever_the_seconds_say,
    {
        let source = FakeSource::of([vec![group(TARGET, &[ALL])]]);
        let store = FakeStore::default();
        let events = [
            rule_event("Revoke", ALL, 5, "arn:bob", "sgr-1"),
            rule_event("Authorize", ALL, 5, "arn:alice", "sgr-1"),
        ];
        run(&source, &store, &queue(&events)).await;
        assert_eq!(store.shows(TARGET), "FAILED");
    }
);

engine_test!(
    where_rules_are_known_by_their_ids_a_young_event_is_held_against_them,
    {
        let settings = Settings {
            rule_ids: true,
            ..Settings::default()
        };
        for (shown, opener) in [("sgr-1", " opened by arn:alice"), ("sgr-9", "")] {
            let mut source = FakeSource::of([vec![group(TARGET, &[ALL])]]);
            source.rules = vec![shown_rule(shown)];
            let store = FakeStore::default();
            let event = rule_event("Authorize", ALL, 5, "arn:alice", "sgr-1");
            run_with(&settings, &source, &store, &event).await;
            assert_eq!(store.shows(TARGET), format!("FAILED{opener}"));
        }
    }
);

engine_test!(
    whoever_opened_what_is_exempt_did_not_open_what_the_group_fails_for,
    {
        let text = r#"
[[exemption]]
id = "itself"
reason = "it may let itself in"
target = { id = "sg-0123456789abcdef0" }
source = "self"
"#;
        let settings = config::read("policy.toml", text).unwrap().settings;
        let itself = ("-1", -1, -1, TARGET);
        for (rules, shown) in [
            (&[ALL, itself][..], "FAILED"),
            (&[itself], "EXEMPT opened by arn:alice"),
        ] {
            let source = FakeSource::of([vec![group(TARGET, rules)]]);
            let store = FakeStore::default();
            let event = rule_event("Authorize", itself, 5, "arn:alice", "sgr-1");
            run_with(&settings, &source, &store, &event).await;
            assert_eq!(store.shows(TARGET), shown);
        }
    }
);

engine_test!(
    an_old_event_does_not_name_its_actor_unless_its_very_rule_is_still_there,
    {
        let days_ago = 2 * 24 * 3600;
        for (shown, opener) in [("sgr-1", " opened by arn:alice"), ("sgr-9", "")] {
            let mut source = FakeSource::of([vec![group(TARGET, &[ALL])]]);
            source.rules = vec![shown_rule(shown)];
            let store = FakeStore::default();
            run(
                &source,
                &store,
                &rule_event("Authorize", ALL, days_ago, "arn:alice", "sgr-1"),
            )
            .await;
            assert_eq!(store.shows(TARGET), format!("FAILED{opener}"));
            assert_eq!(source.called(), ["find", "rules"]);
        }
    }
);

#[test]
fn an_opened_rule_reads_back() {
    let rule = OpenedRule::parse("sg-0bbb tcp").unwrap();
    assert_eq!(rule.to_string(), "sg-0bbb tcp");
    assert_eq!(OpenedRule::parse("sg-0bbb"), None);
}
