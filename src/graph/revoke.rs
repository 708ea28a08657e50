//! The fewest rules of a trust edge to revoke, so that it is no longer walked.

use std::collections::BTreeMap;

use super::Trust;
use crate::model::ports::{PortSet, clip, width};
use crate::model::{GroupPair, IpPermission, Protocol};
use crate::policy::reach::{PermissionCheck, open_ports};
use crate::policy::{OpenRule, Settings};

/// Of how many rules of one protocol the fewest are found. EC2 allows at most 1 000 rules a group.
const MOST_RULES: usize = 200;
/// Of how many rules for all protocols with ports every choice is tried: EC2 has none.
const MOST_FOR_ALL: usize = 8;

type Range = (u16, u16);

/// The rules to revoke, sorted. By open trust: the fewest after which the policy finds no violation; what is needed
/// beside them stays. By any trust: those with a port.
#[must_use]
pub fn rules_to_revoke(settings: &Settings, trust: Trust, rules: &[OpenRule]) -> Vec<OpenRule> {
    let permissions: Vec<_> = rules.iter().map(permission).collect();
    let is_revoked: Vec<bool> = match trust {
        Trust::Any => permissions
            .iter()
            .map(|permission| open_ports(permission).is_some())
            .collect(),
        Trust::Open => fewest(settings, &permissions),
    };
    let both = rules.iter().zip(is_revoked);
    both.filter(|(_, is_revoked)| *is_revoked)
        .map(|(rule, _)| rule.clone())
        .collect()
}

/// The permission that has a rule alone.
fn permission(rule: &OpenRule) -> IpPermission {
    IpPermission {
        ip_protocol: rule.traffic.protocol.clone(),
        from_port: rule.traffic.from_port,
        to_port: rule.traffic.to_port,
        user_id_group_pairs: vec![GroupPair::default()],
        ..IpPermission::default()
    }
}

/// Rules that are no violation by themselves, by their places.
type Within = Vec<(usize, Range)>;

fn fewest(settings: &Settings, permissions: &[IpPermission]) -> Vec<bool> {
    let mut stays = vec![false; permissions.len()];
    let mut by_protocol: BTreeMap<&Protocol, Within> = BTreeMap::new();
    for (place, permission) in permissions.iter().enumerate() {
        match PermissionCheck::new(settings, permission) {
            PermissionCheck::Violates(_) => {}
            PermissionCheck::Within(Some(range)) => {
                let protocol = &permission.ip_protocol;
                by_protocol
                    .entry(protocol)
                    .or_default()
                    .push((place, range));
            }
            PermissionCheck::Within(None) | PermissionCheck::NotInterGroup => {
                keep(&mut stays, [place])
            }
        }
    }
    let for_all = by_protocol.remove(&Protocol::ALL).unwrap_or_default();
    let most = u32::from(settings.max_open_ports);
    let kept = choices(&for_all)
        .filter_map(|kept| keep_most(most, &kept, by_protocol.values()))
        .max_by_key(Vec::len);
    keep(&mut stays, kept.unwrap_or_default());
    stays.into_iter().map(|stays| !stays).collect()
}

fn keep(stays: &mut [bool], places: impl IntoIterator<Item = usize>) {
    for place in places {
        if let Some(stays) = stays.get_mut(place) {
            *stays = true;
        }
    }
}

/// The choices among the rules for all protocols: every one, or none when there are too many.
fn choices(rules: &Within) -> impl Iterator<Item = Within> {
    let count = if rules.len() > MOST_FOR_ALL {
        0
    } else {
        rules.len()
    };
    (0_u32..1 << count).map(move |bits| {
        let rules = rules.iter().take(count).enumerate();
        rules
            .filter(|(bit, _)| bits >> bit & 1 == 1)
            .map(|(_, rule)| *rule)
            .collect()
    })
}

/// As many rules as may stay beside those for all protocols; none when these are too much by themselves.
fn keep_most<'a>(
    most: u32,
    for_all: &Within,
    others: impl Iterator<Item = &'a Within>,
) -> Option<Vec<usize>> {
    let base: PortSet = for_all.iter().map(|(_, range)| *range).collect();
    let left = most.checked_sub(base.count())?;
    let mut kept: Vec<usize> = for_all.iter().map(|(place, _)| *place).collect();
    for rules in others {
        kept.extend(keep_most_of(rules, &base, left));
    }
    Some(kept)
}

/// As many rules of one protocol as may stay, with no more than `left` ports outside `base`; of as many the ones with
/// the fewest ports.
///
/// What stays is a set of disjoint spans, each of which keeps every rule within it. So, from the lowest port up: for
/// each port at which a rule ends and each number of rules, the spans that cost the fewest ports.
fn keep_most_of(rules: &Within, base: &PortSet, left: u32) -> Vec<usize> {
    if outside(base, rules.iter().map(|(_, range)| *range)) <= left {
        return rules.iter().map(|(place, _)| *place).collect();
    }
    if rules.len() > MOST_RULES {
        return keep_smallest(rules, base, left);
    }
    let mut ends: Vec<u16> = rules.iter().map(|(_, range)| range.1).collect();
    let mut starts: Vec<u16> = rules.iter().map(|(_, range)| range.0).collect();
    for ports in [&mut ends, &mut starts] {
        ports.sort_unstable();
        ports.dedup();
    }
    // By the number of ends behind which all spans lie: by the number of rules that stay, ports and spans.
    let mut best: Vec<BTreeMap<usize, (u32, Vec<Range>)>> =
        vec![BTreeMap::from([(0, (0, Vec::new()))])];
    for end in &ends {
        let mut cheapest = best.last().cloned().unwrap_or_default();
        for start in starts.iter().filter(|start| *start <= end) {
            let span = (*start, *end);
            let inside = rules
                .iter()
                .filter(|(_, range)| is_within(*range, span))
                .count();
            let ports = outside(base, [span]);
            let before = best.get(ends.iter().filter(|end| *end < start).count());
            for (count, (cost, spans)) in before.into_iter().flatten() {
                let cost = cost + ports;
                let known = cheapest
                    .get(&(count + inside))
                    .map_or(u32::MAX, |(cost, _)| *cost);
                if cost <= left && cost < known {
                    let spans = spans.iter().copied().chain([span]).collect();
                    cheapest.insert(count + inside, (cost, spans));
                }
            }
        }
        best.push(cheapest);
    }
    let spans = best.pop().and_then(|mut cheapest| cheapest.pop_last());
    let spans = spans.map(|(_, (_, spans))| spans).unwrap_or_default();
    let stays = |range: Range| spans.iter().any(|span| is_within(range, *span));
    let staying = rules.iter().filter(|(_, range)| stays(*range));
    staying.map(|(place, _)| *place).collect()
}

fn keep_smallest(rules: &Within, base: &PortSet, left: u32) -> Vec<usize> {
    let mut sorted = rules.clone();
    sorted.sort_by_key(|(place, range)| (width(*range), *place));
    let mut kept: Within = Vec::new();
    for rule in sorted {
        let with = kept.iter().chain([&rule]).map(|(_, range)| *range);
        if outside(base, with) <= left {
            kept.push(rule);
        }
    }
    kept.into_iter().map(|(place, _)| place).collect()
}

fn is_within(inner: Range, outer: Range) -> bool {
    outer.0 <= inner.0 && inner.1 <= outer.1
}

/// The number of ports of these ranges that are not in the base.
fn outside(base: &PortSet, ranges: impl IntoIterator<Item = Range>) -> u32 {
    let ports: PortSet = ranges.into_iter().collect();
    let overlap = |(first, last): &Range| -> u32 {
        let both = base
            .intervals()
            .iter()
            .filter_map(|(from, to)| clip(i64::from(*first.max(from)), i64::from(*last.min(to))));
        both.map(width).sum()
    };
    ports.count() - ports.intervals().iter().map(overlap).sum::<u32>()
}

#[cfg(test)]
mod tests {
    use jiff::civil::Date;
    use proptest::prelude::*;

    use super::*;
    use crate::model::{GroupId, SecurityGroup, Traffic};
    use crate::policy::{Reading, ReferencedGroups, SourcePair, Status, evaluate};

    fn group(rules: &[OpenRule]) -> SecurityGroup {
        let mut group: SecurityGroup =
            serde_json::from_str(r#"{"GroupId":"sg-0a","IpPermissions":[]}"#).unwrap();
        group.ip_permissions = rules.iter().map(permission).collect();
        for permission in &mut group.ip_permissions {
            permission.user_id_group_pairs[0].group_id = Some(GroupId::new("sg-0b"));
        }
        group
    }

    fn is_open(settings: &Settings, rules: &[OpenRule]) -> bool {
        let verdict = evaluate(
            settings,
            &group(rules),
            &ReferencedGroups::default(),
            Date::MIN,
        );
        verdict.status != Status::Passed
    }

    fn rule(protocol: &str, from: i64, to: i64) -> OpenRule {
        OpenRule {
            traffic: Traffic::new(Protocol::new(protocol), Some(from), Some(to)),
            pair: SourcePair {
                owner_id: None,
                vpc_id: None,
                peering_connection_id: None,
                peering_status: None,
            },
        }
    }

    fn revoked(rules: &[OpenRule]) -> Vec<String> {
        let revoked = rules_to_revoke(&Settings::default(), Trust::Open, rules);
        let words = revoked.iter().map(|rule| {
            let Traffic {
                protocol,
                from_port,
                to_port,
            } = &rule.traffic;
            format!(
                "{protocol} {}-{}",
                from_port.unwrap_or(-1),
                to_port.unwrap_or(-1)
            )
        });
        words.collect()
    }

    #[test]
    fn needed_rules_stay() {
        let (low, high) = (rule("tcp", 1, 32_767), rule("tcp", 32_768, 65_535));
        let https = rule("tcp", 443, 443);
        assert_eq!(revoked(&[low, https, high]), ["tcp 32768-65535"]);
        let all = rule("-1", -1, -1);
        let icmp = rule("icmp", 8, 0);
        assert_eq!(revoked(&[all, icmp, rule("tcp", 22, 22)]), ["-1 -1--1"]);
        let any = rules_to_revoke(
            &Settings::default(),
            Trust::Any,
            &[rule("icmp", 8, 0), rule("tcp", 22, 22)],
        );
        assert_eq!(any, [rule("tcp", 22, 22)]);
    }

    fn rules() -> impl Strategy<Value = Vec<OpenRule>> {
        let protocol = prop::sample::select(vec!["tcp", "tcp", "tcp", "udp", "-1", "icmp", "50"]);
        let port = prop_oneof![
            Just(0_i64),
            Just(10_000),
            Just(30_000),
            Just(65_535),
            0_i64..65_536
        ];
        let one = (protocol, port.clone(), port, prop::bool::weighted(0.05)).prop_map(
            |(protocol, from, to, is_all)| {
                if is_all {
                    rule(protocol, -1, -1)
                } else {
                    rule(protocol, from.min(to), from.max(to))
                }
            },
        );
        prop::collection::vec(one, 1..9)
    }

    proptest! {
        #[test]
        fn no_fewer_rules_close_it(rules in rules(), most in prop_oneof![Just(65_000_u16), 1_u16..65_535], is_reference in prop::bool::weighted(0.1)) {
            let mut rules = rules;
            rules.sort();
            rules.dedup();
            let settings = Settings {
                max_open_ports: most,
                reading: if is_reference { Reading::Reference } else { Reading::Effective },
                ..Settings::default()
            };
            let without = |revoked: &[OpenRule]| -> Vec<_> { rules.iter().filter(|rule| !revoked.contains(rule)).cloned().collect() };
            let revoked = rules_to_revoke(&settings, Trust::Open, &rules);
            prop_assert!(!is_open(&settings, &without(&revoked)));
            let choices = (0_u32..1 << rules.len()).map(|bits| rules.iter().enumerate().filter(|(bit, _)| bits >> bit & 1 == 1).map(|(_, rule)| rule.clone()).collect::<Vec<_>>());
            let fewest = choices.filter(|choice| !is_open(&settings, &without(choice))).map(|choice| choice.len()).min();
            prop_assert_eq!(Some(revoked.len()), fewest);
        }
    }
}
