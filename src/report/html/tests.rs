use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::graph::Builder;
use crate::model::SecurityGroup;
use crate::policy::exemption::{Allow, Exemption, SourceMatch, TargetMatch};

fn page(settings: &Settings, groups: Vec<SecurityGroup>, title: Option<&str>) -> String {
    let today = date(2026, 11, 24);
    let mut builder = Builder::new(settings, today);
    for group in &groups {
        let _ = builder.group(group, None);
    }
    let graph = builder.finish();
    let evaluated = evaluate_all(
        settings,
        groups.into_iter().map(|group| (group, None)),
        today,
    );
    html(&Contents {
        settings,
        groups: &evaluated,
        graph: &graph,
        title,
        at: None,
        today,
        troubles: &[],
    })
    .unwrap()
}

fn group(json: serde_json::Value) -> SecurityGroup {
    serde_json::from_value(json).unwrap()
}

/// A group in which every text is this one, let in by another.
fn named(text: &str) -> Vec<SecurityGroup> {
    let pair = serde_json::json!({"GroupId": "sg-2", "GroupName": text, "UserId": text, "VpcId": text, "Description": text,
        "VpcPeeringConnectionId": text, "PeeringStatus": text});
    let other = serde_json::json!({"GroupId": format!("sg-9{text}"), "Description": text});
    let permissions = serde_json::json!([
        {"IpProtocol": "-1", "UserIdGroupPairs": [pair, other]},
        {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}], "PrefixListIds": [{"PrefixListId": text}]},
    ]);
    let tags = serde_json::json!([{"Key": "aws:cloudformation:stack-name", "Value": text}]);
    vec![
        group(
            serde_json::json!({"GroupId": "sg-1", "GroupName": text, "OwnerId": text, "VpcId": text, "IpPermissions": permissions, "Tags": tags}),
        ),
        group(
            serde_json::json!({"GroupId": format!("sg-9{text}"), "GroupName": text, "OwnerId": text, "IpPermissions": permissions}),
        ),
    ]
}

fn settings(text: &str) -> Settings {
    let exemption = |id: &str| Exemption {
        id: id.to_owned(),
        reason: text.to_owned(),
        owner: Some(text.to_owned()),
        until: None,
        self_service: false,
        target: TargetMatch {
            id: Some(crate::model::GroupId::new("sg-1")),
            ..TargetMatch::default()
        },
        source: SourceMatch::Any,
        allow: Allow::AllTraffic,
    };
    Settings {
        exemptions: vec![exemption(text)],
        ..Settings::default()
    }
}

/// The tags of a page with their attributes' names, as a browser reads them.
fn tags(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = page;
    while let Some((_, from)) = rest.split_once('<') {
        let mut is_quoted = false;
        let end = from.find(|character| {
            is_quoted ^= character == '"';
            character == '>' && !is_quoted
        });
        let (tag, after) = from.split_at(end.unwrap_or(from.len()));
        let mut parts = tag.split('"');
        let mut words = parts.next().unwrap_or_default().to_owned();
        while let (Some(_), Some(outside)) = (parts.next(), parts.next()) {
            words += outside;
        }
        found.push(words);
        rest = after;
        for raw in ["script", "style"] {
            if found.last().is_some_and(|tag| tag == raw) {
                rest = rest
                    .split_once(&format!("</{raw}"))
                    .map_or("", |(_, after)| after);
            }
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_of_others_makes_a_tag_or_an_attribute(text in "([<>\"'&/=\\[\\]{}!-]|script|onload|style|bdi|\\PC|\u{202e}|\n|א){1,14}") {
        let title = Some(text.as_str());
        let found = tags(&page(&settings(&text), named(&text), title));
        // `bdi` isolates what is foreign, so that its number depends on the text.
        let but_isolated = |page: Vec<String>| -> Vec<String> { page.into_iter().filter(|tag| !tag.ends_with("bdi")).collect() };
        let plain = "x".repeat(text.chars().count());
        let expected = tags(&page(&settings(&plain), named(&plain), Some(&plain)));
        prop_assert_eq!(but_isolated(found), but_isolated(expected), "{:?}", text);
    }

    #[test]
    fn the_order_of_the_input_changes_no_byte(seed in prop::collection::vec((0_usize..12, 0_usize..12, 0_usize..4), 1..40), swaps in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..20)) {
        let mut groups: Vec<_> = (0..12_usize).map(|number| {
            let permissions: Vec<_> = seed.iter().filter(|(target, ..)| *target == number).map(|(_, source, kind)| {
                let pairs = serde_json::json!([{"GroupId": format!("sg-{source}"), "UserId": "1"}]);
                match kind {
                    0 => serde_json::json!({"IpProtocol": "-1", "UserIdGroupPairs": pairs}),
                    1 => serde_json::json!({"IpProtocol": "tcp", "FromPort": 0, "ToPort": 32000, "UserIdGroupPairs": pairs}),
                    2 => serde_json::json!({"IpProtocol": "tcp", "FromPort": 32001, "ToPort": 65535, "UserIdGroupPairs": pairs}),
                    _ => serde_json::json!({"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "UserIdGroupPairs": [], "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}),
                }
            }).collect();
            group(serde_json::json!({"GroupId": format!("sg-{number}"), "GroupName": format!("g{}", number % 5), "OwnerId": "1", "IpPermissions": permissions}))
        }).collect();
        let settings = Settings::default();
        // The same group twice, and once with other rules: what either says counts.
        groups.push(groups[3].clone());
        groups.push(SecurityGroup { ip_permissions: groups[5].ip_permissions.clone(), group_name: Some("other".to_owned()), ..groups[4].clone() });
        let before = page(&settings, groups.clone(), None);
        for (one, other) in swaps {
            let (one, other) = (one.index(groups.len()), other.index(groups.len()));
            groups.swap(one, other);
        }
        for group in &mut groups {
            group.ip_permissions.reverse();
        }
        prop_assert_eq!(page(&settings, groups, None), before);
    }
}

/// What a section says of a plan, without who loses access.
fn told(plan: &crate::remediation::plan::GroupPlan) -> String {
    format!(
        "<b>Plan:</b> revoke {}; then the group is {}. Stays: {}.",
        crate::report::fix::count_of(plan.revoke.len(), "rule"),
        plan.after,
        crate::report::fix::describe_stays(plan)
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_section_has_the_plan_of_fix_and_a_command_for_each_of_its_rules(seed in prop::collection::vec((0_u8..3, 0_u8..6, 0_u16..4, 0_u16..4), 1..8), exempt in any::<bool>()) {
        let bounds = [0_u16, 60, 32_000, 65_535];
        let permissions: Vec<_> = seed.iter().map(|(source, kind, from, to)| {
            let protocol = ["-1", "tcp", "udp", "-1", "tcp", "udp"][usize::from(*kind)];
            let (from, to) = (bounds[usize::from(*from.min(to))], bounds[usize::from(*from.max(to))]);
            let pairs = serde_json::json!([{"GroupId": format!("sg-{source}"), "UserId": "1"}]);
            match kind {
                0 => serde_json::json!({"IpProtocol": "-1", "UserIdGroupPairs": pairs}),
                _ => serde_json::json!({"IpProtocol": protocol, "FromPort": from, "ToPort": to, "UserIdGroupPairs": pairs}),
            }
        }).collect();
        let target = group(serde_json::json!({"GroupId": "sg-1", "OwnerId": "1", "IpPermissions": permissions}));
        let mut settings = settings("why");
        let mut of_udp = settings.exemptions.remove(0);
        of_udp.allow = Allow::just(&crate::model::Protocol::new("udp"), &crate::model::ports::PortSet::all());
        settings.exemptions.extend(exempt.then_some(of_udp));
        let planner = crate::remediation::plan::Planner {
            settings: &settings,
            referenced: &crate::policy::ReferencedGroups::default(),
            today: date(2026, 11, 24),
            account: None,
            region: None,
            request: &crate::remediation::plan::Request::default(),
        };
        let mut rules = crate::remediation::rule::IngressRule::all_of(&target);
        rules.sort();
        rules.dedup();
        let plan = planner.plan(&[crate::remediation::rule::GroupRules::new(target.clone(), rules)]).unwrap();
        let page = page(&settings, vec![target], None);
        match plan.groups.first() {
            Some(plan) => {
                prop_assert!(page.contains(&told(plan)), "{}\n{}", told(plan), page);
                for rule in &plan.revoke {
                    let traffic = &rule.traffic;
                    let ports = traffic.from_port.zip(traffic.to_port).filter(|_| !traffic.protocol.is_all()).map_or_else(String::new, |(from, to)| format!("\"FromPort\":{from},\"ToPort\":{to},"));
                    let permission = format!("{{\"IpProtocol\":\"{}\",{ports}", traffic.protocol);
                    prop_assert!(page.lines().any(|line| line.contains("revoke-security-group-ingress") && line.contains(&permission)), "{}", permission);
                }
            }
            None => prop_assert!(!page.contains("<b>Plan:</b> revoke 1") && !page.contains("then the group is")),
        }
    }
}

#[test]
fn json_in_the_page_holds_no_tag() {
    let page = page(&Settings::default(), named("</script><script>"), None);
    let (_, data) = page.split_once("id=\"data\">").unwrap();
    let (data, _) = data.split_once("</script>").unwrap();
    assert!(!data.contains('<'), "{data}");
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    assert_eq!(data["nodes"][0][0], "</script><script>");
}

#[test]
fn numbers_have_their_thousands_apart() {
    for (number, words) in [
        (0, "0"),
        (999, "999"),
        (1_000, "1\u{202f}000"),
        (65_536, "65\u{202f}536"),
        (1_234_567, "1\u{202f}234\u{202f}567"),
    ] {
        assert_eq!(count(number), words);
    }
}
