use jiff::civil::Date;
use proptest::prelude::*;

use super::*;
use crate::model::{Protocol, RuleId};
use crate::remediation::rule::PeerGroup;

pub(in crate::remediation) const ACCOUNT: &str = "111111111111";

pub(in crate::remediation) fn group(id: &str) -> SecurityGroup {
    let json = format!(r#"{{"GroupId":"{id}","OwnerId":"{ACCOUNT}","IpPermissions":[]}}"#);
    serde_json::from_str(&json).unwrap()
}

pub(in crate::remediation) fn from_group(source: &str, pcx: Option<&str>) -> Peer {
    Peer::Group(PeerGroup {
        group_id: Some(GroupId::new(source)),
        owner_id: Some(AccountId::new(ACCOUNT)),
        peering_connection_id: pcx.map(crate::model::PeeringConnectionId::new),
        ..PeerGroup::default()
    })
}

pub(in crate::remediation) fn rule(
    number: usize,
    peer: Peer,
    protocol: &str,
    ports: Option<(i64, i64)>,
) -> IngressRule {
    let ports = ports.unzip();
    IngressRule {
        peer,
        traffic: Traffic::new(Protocol::new(protocol), ports.0, ports.1),
        rule_id: Some(RuleId::new(format!("sgr-{number}"))),
        description: number.is_multiple_of(2).then(|| format!("rule {number}")),
        tags: Some(
            number
                .is_multiple_of(3)
                .then(|| ("n".to_owned(), number.to_string()))
                .into_iter()
                .collect(),
        ),
    }
}

/// Rules of a group as EC2 could have them: no two of the same effect.
pub(in crate::remediation) fn rules() -> impl Strategy<Value = Vec<IngressRule>> {
    let source = prop::sample::select(vec!["sg-0a", "sg-0b", "sg-0b", "sg-0c"]);
    let pcx = prop_oneof![4 => Just(None), 1 => Just(Some("pcx-1"))];
    let range = prop_oneof![
        Just("10.0.0.0/8".to_owned()).prop_map(Peer::Ipv4),
        Just("::/0".to_owned()).prop_map(Peer::Ipv6),
        Just("pl-1".to_owned()).prop_map(Peer::PrefixList),
    ];
    let peer = prop_oneof![
        6 => (source, pcx).prop_map(|(source, pcx)| from_group(source, pcx)),
        1 => range,
    ];
    let port = || {
        prop_oneof![
            Just(0_i64),
            Just(443),
            Just(30_000),
            Just(65_535),
            0_i64..65_536
        ]
    };
    let protocol = prop::sample::select(vec!["tcp", "tcp", "udp", "-1", "icmp", "50"]);
    let all = prop::bool::weighted(0.2);
    let one = (peer, protocol, port(), port(), all);
    prop::collection::vec(one, 0..12).prop_map(|drawn| {
        let mut rules: Vec<IngressRule> = Vec::new();
        for (number, (peer, protocol, from, to, is_all)) in drawn.into_iter().enumerate() {
            let ports = (!is_all).then_some((from.min(to), from.max(to)));
            let new = rule(number, peer, protocol, ports);
            if !rules.iter().any(|one| one.has_effect_of(&new)) {
                rules.push(new);
            }
        }
        rules
    })
}

pub(in crate::remediation) fn with_planner<T>(
    settings: &Settings,
    request: &Request,
    work: impl FnOnce(&Planner<'_>) -> T,
) -> T {
    let account = AccountId::new(ACCOUNT);
    work(&Planner {
        settings,
        referenced: &ReferencedGroups::default(),
        today: Date::constant(2026, 11, 24),
        account: Some(&account),
        region: None,
        request,
    })
}

fn plan(settings: &Settings, request: &Request, target: &GroupRules) -> Result<Plan, PlanError> {
    with_planner(settings, request, |planner| {
        planner.plan(std::slice::from_ref(target))
    })
}

fn failed_sources(settings: &Settings, target: &GroupRules) -> BTreeSet<GroupId> {
    let verdict = with_planner(settings, &Request::default(), |planner| {
        planner.verdict(target)
    });
    let failed = verdict.violations.into_iter();
    failed
        .filter(|violation| violation.exemption.is_none())
        .filter_map(|violation| violation.source.group_id)
        .collect()
}

fn settings(most: u16) -> Settings {
    Settings {
        max_open_ports: most,
        ..Settings::default()
    }
}

/// Without a rule for all protocols the policy looks at the ports of tcp: what is too much only then is in the plan too.
#[test]
fn what_is_a_violation_only_after_the_first_revocations_is_revoked_too() {
    let from = || from_group("sg-0b", None);
    let ranges = [(0, 32_767), (32_768, 65_535)];
    let rules: Vec<_> = ["-1", "tcp"]
        .iter()
        .flat_map(|protocol| ranges.map(|ports| (*protocol, ports)))
        .enumerate()
        .map(|(number, (protocol, ports))| rule(number, from(), protocol, Some(ports)))
        .collect();
    let target = GroupRules::new(group("sg-0a"), rules);
    let plan = plan(&settings(65_000), &Request::default(), &target).unwrap();
    assert_eq!(plan.groups[0].revoke.len(), 4);
    assert_eq!(plan.groups[0].after, Status::Passed);
}

#[test]
fn what_is_allowed_instead_must_be_less_and_new() {
    let ports = |text: &str| Request {
        replace: crate::remediation::replace::parse(text).unwrap(),
        ..Request::default()
    };
    let halves = vec![
        rule(1, from_group("sg-0b", None), "tcp", Some((0, 32_767))),
        rule(2, from_group("sg-0b", None), "tcp", Some((32_768, 65_535))),
        rule(3, from_group("sg-0b", None), "tcp", Some((443, 443))),
    ];
    let target = GroupRules::new(group("sg-0a"), halves);
    let settings = settings(65_000);
    let told = |text: &str| plan(&settings, &ports(text), &target).map(|plan| plan.groups);
    let allowed = told("tcp:443,5432").unwrap();
    let allowed: Vec<_> = allowed[0]
        .authorize
        .iter()
        .map(|rule| rule.traffic.from_port)
        .collect();
    assert_eq!(allowed, [Some(5432)], "443 is allowed already");
    insta::assert_snapshot!(told("tcp:0-65534").unwrap_err(), @"--replace: what it allows from sg-0b would leave security group sg-0a FAILED: name fewer ports");
    insta::assert_snapshot!(told("tcp:0-32767").unwrap_err(), @"--replace: it allows a rule from sg-0b that security group sg-0a has already, and that would be revoked: name other ports");
}

#[test]
fn groups_that_must_not_be_touched_are_skipped_with_the_reason() {
    let open = vec![rule(1, from_group("sg-0b", None), "-1", None)];
    let settings = settings(65_000);
    let skipped = |group: SecurityGroup, request: &Request| {
        let target = GroupRules::new(group, open.clone());
        let plan = plan(&settings, request, &target).unwrap();
        plan.skipped.into_iter().map(|one| one.why).next()
    };
    let none = Request::default();
    let mut foreign = group("sg-0a");
    foreign.owner_id = Some(AccountId::new("222222222222"));
    assert_eq!(
        skipped(foreign.clone(), &none),
        Some(Why::Foreign(AccountId::new("222222222222")))
    );
    let mut managed = group("sg-0a");
    managed
        .tags
        .insert("ManagedBy".to_owned(), "Terraform".to_owned());
    assert_eq!(
        skipped(managed.clone(), &none),
        Some(Why::Managed("ManagedBy=Terraform".to_owned()))
    );
    let even_managed = Request {
        even_managed: true,
        ..Request::default()
    };
    assert_eq!(skipped(managed, &even_managed), None);
    assert!(skipped(foreign, &even_managed).is_some());
    let other = Request {
        sources: vec![GroupId::new("sg-0c")],
        ..Request::default()
    };
    assert_eq!(skipped(group("sg-0a"), &other), Some(Why::OtherSources));
}

#[test]
fn a_document_that_was_changed_is_refused() {
    let target = GroupRules::new(
        group("sg-0a"),
        vec![rule(1, from_group("sg-0b", None), "-1", None)],
    );
    let made = plan(&settings(65_000), &Request::default(), &target).unwrap();
    let text = PlanDocument::of(&made).unwrap().to_json().unwrap();
    assert_eq!(
        PlanDocument::parse(&text).unwrap(),
        PlanDocument::of(&made).unwrap()
    );
    for (from, to) in [
        ("sgr-1", "sgr-2"),
        (ACCOUNT, "222222222222"),
        ("sg-0a", "sg-0c"),
    ] {
        let changed = PlanDocument::parse(&text.replace(from, to));
        assert!(matches!(changed, Err(DocumentError::Changed)), "{from}");
    }
    let version = PlanDocument::parse(&text.replace("\"version\": 1", "\"version\": 2"));
    assert!(matches!(version, Err(DocumentError::Version(2))));
    assert!(matches!(
        PlanDocument::parse("{}"),
        Err(DocumentError::NotAPlan(_))
    ));
}

proptest! {
    #[test]
    fn afterwards_nobody_fails_whom_the_plan_is_about_and_nothing_else_is_touched(
        rules in rules(), most in prop_oneof![Just(65_000_u16), 1_u16..65_535], source in prop::option::of(prop::sample::select(vec!["sg-0a", "sg-0b", "sg-0c"])),
    ) {
        let settings = settings(most);
        let request = Request { sources: source.into_iter().map(GroupId::new).collect(), ..Request::default() };
        let is_asked = |id: &GroupId| request.sources.is_empty() || request.sources.contains(id);
        let target = GroupRules::new(group("sg-0a"), rules.clone());
        let before = failed_sources(&settings, &target);
        let made = plan(&settings, &request, &target).unwrap();
        let Some(of_group) = made.groups.first() else {
            prop_assert!(!before.iter().any(is_asked));
            return Ok(());
        };
        // Only rules of sources that fail and are asked for are revoked, and all others stay as they are.
        for rule in &of_group.revoke {
            let id = rule.peer.group().and_then(|group| group.group_id.clone()).unwrap();
            prop_assert!(before.contains(&id) && is_asked(&id));
        }
        let mut both: Vec<_> = of_group.revoke.iter().chain(&of_group.keeps).cloned().collect();
        both.sort();
        let mut all = rules.clone();
        all.sort();
        prop_assert_eq!(both, all);
        let after = GroupRules::new(group("sg-0a"), of_group.keeps.clone());
        let failed = failed_sources(&settings, &after);
        prop_assert!(!failed.iter().any(is_asked), "{:?}", failed);
        prop_assert_eq!(&failed, &before.iter().filter(|id| !is_asked(id)).cloned().collect());
        prop_assert_eq!(of_group.after == Status::Passed, failed.is_empty());
        // The plan of what is left has nothing to do.
        prop_assert!(plan(&settings, &request, &after).unwrap().groups.is_empty());
    }

    #[test]
    fn a_plan_from_files_is_the_plan_from_rules_without_ids_in_any_order(rules in rules(), seed in any::<u64>()) {
        let mut live = group("sg-0a");
        live.ip_permissions = {
            let described: Vec<_> = rules.iter().map(described).collect();
            let turn = usize::try_from(seed % 7).unwrap().min(described.len());
            [&described[turn..], &described[..turn]].concat()
        };
        let offline = GroupRules::described(live.clone());
        let joined = GroupRules::joined(live, rules.iter().cloned().map(without_description).collect()).unwrap();
        let settings = settings(65_000);
        let document = |target: &GroupRules| PlanDocument::of(&plan(&settings, &Request::default(), target).unwrap()).unwrap();
        prop_assert_eq!(document(&joined).offline().unwrap(), document(&offline).offline().unwrap());
        let by_rules = GroupRules::new(group("sg-0a"), rules);
        let verdict = |target: &GroupRules| with_planner(&settings, &Request::default(), |planner| planner.verdict(target));
        prop_assert_eq!(verdict(&joined), verdict(&offline));
        prop_assert_eq!(verdict(&by_rules).status, verdict(&offline).status);
    }
}

/// As the answer of rules is where it does not tell descriptions.
fn without_description(rule: IngressRule) -> IngressRule {
    IngressRule {
        description: None,
        ..rule
    }
}

fn described(rule: &IngressRule) -> crate::model::IpPermission {
    if let Some(permission) = rule.permission() {
        return permission;
    }
    let mut permission = crate::model::IpPermission {
        ip_protocol: rule.traffic.protocol.clone(),
        from_port: rule.traffic.from_port,
        to_port: rule.traffic.to_port,
        ..Default::default()
    };
    match &rule.peer {
        Peer::Group(_) => {}
        Peer::Ipv4(range) => permission.ip_ranges.push(crate::model::IpRange {
            cidr_ip: Some(range.clone()),
            description: None,
        }),
        Peer::Ipv6(range) => permission.ipv6_ranges.push(crate::model::Ipv6Range {
            cidr_ipv6: Some(range.clone()),
            description: None,
        }),
        Peer::PrefixList(list) => permission.prefix_list_ids.push(crate::model::PrefixList {
            prefix_list_id: Some(list.clone()),
            description: None,
        }),
    }
    permission
}
