//! Whatever turns out agrees with what was told: every completion of random groups with random unknown parts.

use jiff::civil::Date;
use proptest::prelude::*;

use super::assess::{Rules, Verdict, assess};
use super::completion::{Directory, Moment};
use crate::model::planned::{
    Action, GroupState, Owner, PlannedGroup, PlannedPermission, PlannedSource, PlannedTags,
    Unknown, Value, Who,
};
use crate::model::ports::PortSet;
use crate::model::{AccountId, GroupId, Protocol, VpcId};
use crate::policy::exemption::{
    Allow, AllowedTraffic, Exemption, Glob, SourceMatch, TagMatch, TargetMatch,
};
use crate::policy::{Reading, ReferencedGroups, Settings};

const TARGET: &str = "aws_security_group.t";
const OTHERS: [&str; 2] = ["aws_security_group.a", "aws_security_group.b"];

fn unknown(attribute: &str) -> Unknown {
    Unknown {
        attribute: attribute.to_owned(),
        expression: None,
        advice: String::new(),
    }
}

fn state() -> GroupState {
    GroupState {
        group_id: None,
        group_name: Value::Known(Some("t".to_owned())),
        is_name_sensitive: false,
        owner: Owner::Same("aws".to_owned()),
        vpc_id: Value::Known(Some(VpcId::new("vpc-0"))),
        tags: PlannedTags::default(),
        permissions: Vec::new(),
        unlisted: None,
    }
}

fn group(address: &str, state: GroupState) -> PlannedGroup {
    PlannedGroup {
        address: address.to_owned(),
        position: None,
        action: Action::Create,
        is_changed: true,
        before: None,
        after: Some(state),
    }
}

/// The verdict on a state, beside two other groups of the same account.
fn verdict(settings: &Settings, target: &GroupState) -> Verdict {
    let mut groups = vec![group(TARGET, target.clone())];
    for address in OTHERS {
        let other = GroupState {
            owner: target.owner.clone(),
            ..state()
        };
        groups.push(group(address, other));
    }
    let directory = Directory::new(&groups);
    let referenced = ReferencedGroups::default();
    let rules = Rules {
        settings,
        directory: &directory,
        referenced: &referenced,
        today: Date::MIN,
    };
    let after = groups[0].after.as_ref().unwrap();
    assess(rules, TARGET, after, Moment::After).verdict
}

fn permission(protocol: Protocol, from: Option<i64>, to: Option<i64>) -> PlannedPermission {
    PlannedPermission {
        rule: "rule".to_owned(),
        position: None,
        may_be_absent: None,
        protocol: Value::Known(protocol),
        from_port: Value::Known(from),
        to_port: Value::Known(to),
        sources: Vec::new(),
        ranges: Vec::new(),
        prefix_lists: Vec::new(),
        is_sensitive: false,
    }
}

/// What a source can be.
fn who() -> impl Strategy<Value = Who> {
    let foreign = |id: &str, owner: Option<&str>| Who::Group {
        group_id: GroupId::new(id),
        owner: owner.map(AccountId::new),
        peering: None,
    };
    prop_oneof![
        Just(Who::Itself),
        Just(Who::Planned(OTHERS[0].to_owned())),
        Just(Who::Planned(OTHERS[1].to_owned())),
        Just(foreign("sg-1", None)),
        Just(foreign("sg-2", Some("222222222222"))),
        // One expression has one set of candidates.
        (0..3_u8).prop_map(|key| Who::Unknown {
            unknown: unknown("source"),
            key: format!("key{key}"),
            candidates: if key == 2 {
                OTHERS.map(str::to_owned).to_vec()
            } else {
                Vec::new()
            },
        }),
    ]
}

fn port(unknown_weight: u32) -> impl Strategy<Value = Value<Option<i64>>> {
    let known = [-1, 0, 1, 80, 700, 1000, 1500, 3000, 40_000, 65_000, 65_535];
    prop_oneof![
        6 => prop::sample::select(known.to_vec()).prop_map(|port| Value::Known(Some(port))),
        1 => Just(Value::Known(None)),
        unknown_weight => Just(Value::Unknown(unknown("port"))),
    ]
}

fn protocol(unknown_weight: u32) -> impl Strategy<Value = Value<Protocol>> {
    prop_oneof![
        8 => prop::sample::select(vec!["tcp", "tcp", "udp", "icmp", "-1", "50"]).prop_map(|name| Value::Known(Protocol::new(name))),
        unknown_weight => Just(Value::Unknown(unknown("protocol"))),
    ]
}

fn maybe_absent() -> impl Strategy<Value = Option<Unknown>> {
    prop_oneof![8 => Just(None), 1 => Just(Some(unknown("absent")))]
}

prop_compose! {
    fn source()(who in who(), may_be_absent in maybe_absent()) -> PlannedSource {
        PlannedSource { who, may_be_absent }
    }
}

prop_compose! {
    fn rule()(
        protocol in protocol(2), from_port in port(3), to_port in port(3),
        sources in prop::collection::vec(source(), 0..3), may_be_absent in maybe_absent(),
    ) -> PlannedPermission {
        PlannedPermission { protocol, from_port, to_port, sources, may_be_absent, ..permission(Protocol::ALL, None, None) }
    }
}

prop_compose! {
    fn target()(
        permissions in prop::collection::vec(rule(), 0..4),
        tag in prop::sample::select(vec![0, 1, 2, 3]), vpc in 0..3_u8, owner in any::<bool>(),
    ) -> GroupState {
        let mut tags = PlannedTags::default();
        match tag {
            1 => { tags.tags.insert("k".to_owned(), Value::Known("v1".to_owned())); }
            2 => { tags.tags.insert("k".to_owned(), Value::Unknown(unknown("tags.k"))); }
            3 => tags.others = Some(unknown("tags")),
            _ => {}
        }
        GroupState {
            permissions,
            tags,
            vpc_id: if vpc == 0 { Value::Unknown(unknown("vpc_id")) } else { Value::Known(Some(VpcId::new(format!("vpc-{vpc}")))) },
            owner: if owner { Owner::Known(AccountId::new("111111111111")) } else { Owner::Same("aws".to_owned()) },
            ..state()
        }
    }
}

fn exemption() -> impl Strategy<Value = Exemption> {
    let target = prop::sample::select(vec![
        TargetMatch {
            tag: TagMatch::parse("k"),
            ..TargetMatch::default()
        },
        TargetMatch {
            tag: TagMatch::parse("k=v*"),
            ..TargetMatch::default()
        },
        TargetMatch {
            vpc: Some(VpcId::new("vpc-1")),
            ..TargetMatch::default()
        },
        TargetMatch {
            account: Some(AccountId::new("111111111111")),
            ..TargetMatch::default()
        },
        TargetMatch {
            name: Some(Glob::new("t*")),
            ..TargetMatch::default()
        },
    ]);
    let source = prop::sample::select(vec![
        SourceMatch::Itself,
        SourceMatch::Any,
        SourceMatch::SameAccount,
        SourceMatch::Id(GroupId::new("sg-1")),
        SourceMatch::Foreign {
            id: GroupId::new("sg-2"),
            account: AccountId::new("222222222222"),
        },
    ]);
    let ports = |protocol: &str, first, last| AllowedTraffic {
        protocol: Protocol::new(protocol),
        ports: PortSet::from_iter([(first, last)]),
    };
    let allow = prop::sample::select(vec![
        Allow::AllTraffic,
        Allow::Traffic(vec![ports("tcp", 0, 2000)]),
        Allow::Traffic(vec![ports("tcp", 0, u16::MAX)]),
        Allow::Traffic(vec![ports("-1", 0, u16::MAX)]),
        Allow::Traffic(vec![ports("icmp", 0, u16::MAX), ports("udp", 0, 50_000)]),
    ]);
    (target, source, allow).prop_map(|(target, source, allow)| Exemption {
        id: "e".to_owned(),
        reason: "a good reason".to_owned(),
        owner: None,
        until: None,
        self_service: true,
        target,
        source,
        allow,
    })
}

prop_compose! {
    fn settings()(
        max_open_ports in prop::sample::select(vec![1000, 65_000]), is_reference in prop::bool::weighted(0.15),
        exemptions in prop_oneof![2 => Just(Vec::new()), 3 => prop::collection::vec(exemption(), 1..3)],
    ) -> Settings {
        let reading = if is_reference { Reading::Reference } else { Reading::Effective };
        Settings { max_open_ports, reading, exemptions, ..Settings::default() }
    }
}

/// All states that one unknown part can turn out to make of this one; none where nothing is unknown.
fn fill_one(settings: &Settings, state: &GroupState) -> Option<Vec<GroupState>> {
    let with = |change: &dyn Fn(&mut GroupState)| {
        let mut state = state.clone();
        change(&mut state);
        state
    };
    for (at, rule) in state.permissions.iter().enumerate() {
        if rule.may_be_absent.is_some() {
            return Some(vec![
                with(&|state| state.permissions[at].may_be_absent = None),
                with(&|state| drop(state.permissions.remove(at))),
            ]);
        }
        for (place, source) in rule.sources.iter().enumerate() {
            if source.may_be_absent.is_some() {
                return Some(vec![
                    with(&|state| state.permissions[at].sources[place].may_be_absent = None),
                    with(&|state| drop(state.permissions[at].sources.remove(place))),
                ]);
            }
        }
        if rule.protocol.unknown().is_some() {
            let protocols = ["tcp", "udp", "icmp", "icmpv6", "-1", "50"];
            let set = |name: &str| {
                with(&|state| state.permissions[at].protocol = Value::Known(Protocol::new(name)))
            };
            return Some(protocols.map(set).to_vec());
        }
        let is_icmp = rule.protocol.known().is_some_and(Protocol::is_icmp);
        let most = i64::from(settings.max_open_ports);
        let last = if is_icmp { 255 } else { 65_535 };
        let statics = [-1, 0, 80, 255, 1000, 40_000, 65_535];
        let allowed = |ports: Vec<i64>| -> Vec<i64> {
            ports.into_iter().filter(|port| *port <= last).collect()
        };
        if rule.from_port.unknown().is_some() {
            let mut ports = statics.to_vec();
            if let Some(Some(to)) = rule.to_port.known() {
                ports.extend([to + 1, (to - most + 1).max(0), to - 10]);
            }
            let set = |port: i64| {
                with(&|state| state.permissions[at].from_port = Value::Known(Some(port)))
            };
            let mut filled: Vec<_> = allowed(ports).into_iter().map(set).collect();
            if rule.to_port.known().is_some_and(|to| *to == Some(65_535)) && is_icmp {
                // What is empty: no type is above 255.
                filled.push(set(65_536));
            }
            return Some(filled);
        }
        if rule.to_port.unknown().is_some() {
            let mut ports = statics.to_vec();
            if let Some(Some(from)) = rule.from_port.known() {
                ports.extend([from - 1, from.max(&0) + most - 1, from + 10]);
            }
            let set =
                |port: i64| with(&|state| state.permissions[at].to_port = Value::Known(Some(port)));
            return Some(allowed(ports).into_iter().map(set).collect());
        }
        for source in &rule.sources {
            if let Who::Unknown {
                key, candidates, ..
            } = &source.who
            {
                let foreign = |id: &str, owner: Option<&str>| Who::Group {
                    group_id: GroupId::new(id),
                    owner: owner.map(AccountId::new),
                    peering: None,
                };
                let mut can_be: Vec<Who> = OTHERS
                    .map(|address| Who::Planned(address.to_owned()))
                    .to_vec();
                if candidates.is_empty() {
                    can_be.extend([
                        Who::Itself,
                        foreign("sg-1", None),
                        foreign("sg-2", Some("222222222222")),
                        foreign("sg-3", None),
                        foreign(&format!("sg-{key}"), None),
                        foreign(&format!("sg-{key}"), Some("999999999999")),
                    ]);
                }
                let set = |who: Who| {
                    with(&|state| {
                        let sources = state
                            .permissions
                            .iter_mut()
                            .flat_map(|rule| &mut rule.sources);
                        for source in sources {
                            if matches!(&source.who, Who::Unknown { key: same, .. } if same == key)
                            {
                                source.who = who.clone();
                            }
                        }
                    })
                };
                return Some(can_be.into_iter().map(set).collect());
            }
        }
    }
    if state.vpc_id.unknown().is_some() {
        let set = |vpc: &str| with(&|state| state.vpc_id = Value::Known(Some(VpcId::new(vpc))));
        return Some(["vpc-1", "vpc-9"].map(set).to_vec());
    }
    if state.tags.others.is_some() {
        let set = |value: Option<&str>| {
            with(&|state| {
                state.tags = PlannedTags::default();
                if let Some(value) = value {
                    let value = Value::Known(value.to_owned());
                    state.tags.tags.insert("k".to_owned(), value);
                }
            })
        };
        return Some([None, Some("v9"), Some("other")].map(set).to_vec());
    }
    if state
        .tags
        .tags
        .values()
        .any(|value| value.unknown().is_some())
    {
        let set = |value: &str| {
            with(&|state| {
                let value = Value::Known(value.to_owned());
                state.tags.tags.insert("k".to_owned(), value);
            })
        };
        return Some(["v9", "other"].map(set).to_vec());
    }
    if matches!(state.owner, Owner::Same(_)) {
        let set =
            |account: &str| with(&|state| state.owner = Owner::Known(AccountId::new(account)));
        return Some(
            ["111111111111", "222222222222", "333333333333"]
                .map(set)
                .to_vec(),
        );
    }
    None
}

/// The verdicts that completions lead to: all of them, or none where there are too many.
fn completions(settings: &Settings, target: &GroupState) -> Option<Vec<Verdict>> {
    const MOST: usize = 2_000;
    let mut open = vec![target.clone()];
    let mut verdicts = Vec::new();
    while let Some(state) = open.pop() {
        match fill_one(settings, &state) {
            Some(filled) => open.extend(filled),
            None => verdicts.push(verdict(settings, &state)),
        }
        if open.len() + verdicts.len() > MOST {
            return None;
        }
    }
    Some(verdicts)
}

proptest! {
    #![proptest_config(ProptestConfig { max_global_rejects: 100_000, ..ProptestConfig::default() })]

    #[test]
    fn every_completion_agrees_and_what_nobody_can_tell_turns_out_either_way(settings in settings(), target in target()) {
        let told = verdict(&settings, &target);
        let turned_out = completions(&settings, &target);
        prop_assume!(turned_out.is_some());
        let turned_out = turned_out.unwrap();
        let failed = turned_out.iter().filter(|verdict| **verdict == Verdict::Failed).count();
        match told {
            Verdict::Failed => prop_assert_eq!(failed, turned_out.len()),
            Verdict::Passed => prop_assert!(turned_out.iter().all(|verdict| *verdict == Verdict::Passed)),
            Verdict::Exempt => prop_assert_eq!(failed, 0),
            Verdict::CannotTell => prop_assert!(0 < failed && failed < turned_out.len(), "{} of {}", failed, turned_out.len()),
        }
    }
}
