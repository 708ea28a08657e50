//! What of the internet a group admits: address ranges of its ingress permissions, port by port.

use std::collections::BTreeSet;

use super::addresses::{ALL_V4, ALL_V6, Range, is_internet_v4, is_internet_v6, parse_v4, parse_v6};
use crate::model::ports::{PortSet, clip};
use crate::model::{IpPermission, Protocol, SecurityGroup};
use crate::policy::reach::open_ports;

/// Of how many permissions with small ranges the ports are told apart. EC2 allows 1 000 rules a group.
const MOST_PERMISSIONS: usize = 2_000;

/// The addresses and prefix lists that a group admits.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Internet {
    /// The tcp and udp ports that the internet reaches over IPv4.
    pub v4: Vec<(Protocol, PortSet)>,
    /// The same over IPv6.
    pub v6: Vec<(Protocol, PortSet)>,
    /// Prefix lists, and ranges that are none: whether they hold the internet cannot be told.
    pub unknown: BTreeSet<String>,
    /// Whether it admits other address ranges than the whole internet, by another protocol than ICMP.
    pub has_other_ranges: bool,
}

/// The ports of a permission with the ranges that it admits, of one family.
struct Opening {
    ports: (u16, u16),
    ranges: Vec<Range>,
}

impl Internet {
    #[must_use]
    pub fn of(group: &SecurityGroup) -> Self {
        let mut internet = Self::default();
        let permissions = group.ip_permissions.iter();
        for permission in permissions.filter(|permission| !permission.ip_protocol.is_icmp()) {
            let lists = permission.prefix_list_ids.iter();
            let lists = lists.filter_map(|list| list.prefix_list_id.clone());
            internet.unknown.extend(lists);
            let unreadable =
                |(text, range): (&str, Option<Range>)| range.is_none().then(|| text.to_owned());
            internet
                .unknown
                .extend(v4_ranges(permission).filter_map(unreadable));
            internet
                .unknown
                .extend(v6_ranges(permission).filter_map(unreadable));
            internet.has_other_ranges |= v4_ranges(permission)
                .any(|(_, range)| range != Some(ALL_V4))
                || v6_ranges(permission).any(|(_, range)| range != Some(ALL_V6))
                || !permission.prefix_list_ids.is_empty();
        }
        internet.v4 = facing(
            group,
            |permission| {
                v4_ranges(permission)
                    .filter_map(|(_, range)| range)
                    .collect()
            },
            is_internet_v4,
        );
        internet.v6 = facing(
            group,
            |permission| {
                v6_ranges(permission)
                    .filter_map(|(_, range)| range)
                    .collect()
            },
            is_internet_v6,
        );
        internet
    }

    /// Whether the internet reaches a tcp or udp port.
    #[must_use]
    pub fn is_facing(&self) -> bool {
        !self.v4.is_empty() || !self.v6.is_empty()
    }

    /// The ports that the internet reaches, over either family.
    #[must_use]
    pub fn ports(&self) -> Vec<(Protocol, PortSet)> {
        let both = || self.v4.iter().chain(&self.v6);
        [TCP, UDP]
            .into_iter()
            .map(Protocol::new)
            .filter_map(|protocol| {
                let of_protocol = both().filter(|(one, _)| *one == protocol);
                let intervals = of_protocol.flat_map(|(_, ports)| ports.intervals());
                let ports: PortSet = intervals.copied().collect();
                (!ports.is_empty()).then_some((protocol, ports))
            })
            .collect()
    }

    /// Counts what another description of the same group admits too.
    pub(super) fn unite(&mut self, other: Self) {
        for (own, others) in [(&mut self.v4, other.v4), (&mut self.v6, other.v6)] {
            for (protocol, ports) in others {
                match own.iter_mut().find(|(one, _)| *one == protocol) {
                    Some((_, has)) => {
                        let both = has.intervals().iter().chain(ports.intervals());
                        *has = both.copied().collect();
                    }
                    None => own.push((protocol, ports)),
                }
            }
            own.sort_by(|a, b| a.0.cmp(&b.0));
        }
        self.unknown.extend(other.unknown);
        self.has_other_ranges |= other.has_other_ranges;
    }
}

const TCP: &str = "tcp";
const UDP: &str = "udp";

/// The tcp and udp ports whose ranges together are the internet.
fn facing(
    group: &SecurityGroup,
    ranges: impl Fn(&IpPermission) -> Vec<Range>,
    is_internet: fn(&[Range]) -> bool,
) -> Vec<(Protocol, PortSet)> {
    let mut facing = Vec::new();
    for name in [TCP, UDP] {
        let permissions = group.ip_permissions.iter().filter(|permission| {
            permission.ip_protocol.is_all() || permission.ip_protocol.as_str() == name
        });
        let openings: Vec<_> = permissions
            .filter_map(|permission| {
                let ranges = ranges(permission);
                let ports = open_ports(permission).filter(|_| !ranges.is_empty())?;
                Some(Opening { ports, ranges })
            })
            .collect();
        let ports = facing_ports(&openings, is_internet);
        if !ports.is_empty() {
            facing.push((Protocol::new(name), ports));
        }
    }
    facing
}

fn facing_ports(openings: &[Opening], is_internet: fn(&[Range]) -> bool) -> PortSet {
    let (large, small): (Vec<_>, Vec<_>) = openings
        .iter()
        .partition(|opening| is_internet(&opening.ranges));
    let mut facing: Vec<_> = large.iter().map(|opening| opening.ports).collect();
    let ranges_of = |openings: &mut dyn Iterator<Item = &&Opening>| -> Vec<Range> {
        openings
            .flat_map(|opening| opening.ranges.iter().copied())
            .collect()
    };
    if is_internet(&ranges_of(&mut small.iter())) {
        if small.len() > MOST_PERMISSIONS {
            facing.extend(small.iter().map(|opening| opening.ports));
            return facing.into_iter().collect();
        }
        // Between two of these ports nothing begins and nothing ends.
        let mut begins: Vec<u32> = small
            .iter()
            .flat_map(|opening| [u32::from(opening.ports.0), u32::from(opening.ports.1) + 1])
            .collect();
        begins.sort_unstable();
        begins.dedup();
        for bounds in begins.windows(2) {
            let (Some(&first), Some(&next)) = (bounds.first(), bounds.last()) else {
                continue;
            };
            let Some(segment) = clip(i64::from(first), i64::from(next) - 1) else {
                continue;
            };
            let mut over = small
                .iter()
                .filter(|opening| opening.ports.0 <= segment.0 && segment.1 <= opening.ports.1);
            if is_internet(&ranges_of(&mut over)) {
                facing.push(segment);
            }
        }
    }
    facing.into_iter().collect()
}

fn v4_ranges(permission: &IpPermission) -> impl Iterator<Item = (&str, Option<Range>)> {
    let texts = permission
        .ip_ranges
        .iter()
        .filter_map(|range| range.cidr_ip.as_deref());
    texts.map(|text| (text, parse_v4(text)))
}

fn v6_ranges(permission: &IpPermission) -> impl Iterator<Item = (&str, Option<Range>)> {
    let texts = permission
        .ipv6_ranges
        .iter()
        .filter_map(|range| range.cidr_ipv6.as_deref());
    texts.map(|text| (text, parse_v6(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn internet(permissions: &str) -> Internet {
        let group = format!(r#"{{"GroupId":"sg-1","IpPermissions":[{permissions}]}}"#);
        Internet::of(&serde_json::from_str(&group).unwrap())
    }

    fn tcp(ports: (u16, u16), member: &str, range: &str) -> String {
        let (list, key) = if member == "v4" {
            ("IpRanges", "CidrIp")
        } else {
            ("Ipv6Ranges", "CidrIpv6")
        };
        format!(
            r#"{{"IpProtocol":"tcp","FromPort":{},"ToPort":{},"UserIdGroupPairs":[],"{list}":[{{"{key}":"{range}"}}]}}"#,
            ports.0, ports.1
        )
    }

    #[test]
    fn only_more_public_addresses_than_an_eighth_are_the_internet() {
        for (ranges, is_facing) in [
            (["0.0.0.0/0"].as_slice(), true),
            (&["0.0.0.0/1", "128.0.0.0/1"], true),
            (&["0.0.0.0/1"], true),
            (&["5.0.0.0/7"], true),
            (&["5.0.0.0/8"], false),
            (&["5.0.0.0/8", "6.0.0.0/32"], true),
            (&["5.0.0.0/8", "5.1.0.0/16"], false),
            (&["10.0.0.0/8"], false),
            (&["10.0.0.0/7"], false),
            (
                &[
                    "100.64.0.0/10",
                    "172.16.0.0/12",
                    "192.168.0.0/16",
                    "127.0.0.0/8",
                    "224.0.0.0/3",
                ],
                false,
            ),
            (&["203.0.113.0/24"], false),
            (&["198.51.100.7/0"], true),
        ] {
            let permissions: Vec<_> = ranges
                .iter()
                .map(|range| tcp((443, 443), "v4", range))
                .collect();
            let internet = internet(&permissions.join(","));
            assert_eq!(internet.is_facing(), is_facing, "{ranges:?}");
            assert!(internet.v6.is_empty());
        }
        for (ranges, is_facing) in [
            (["::/0"].as_slice(), true),
            (&["::/1", "8000::/1"], true),
            (&["8000::/1"], false),
            (&["2a00::/31"], true),
            (&["2a00::/32"], false),
            (&["2a00::/32", "2a01::/32"], true),
            (
                &[
                    "fc00::/7",
                    "fe80::/10",
                    "ff00::/8",
                    "2001:db8::/32",
                    "3fff::/20",
                ],
                false,
            ),
        ] {
            let permissions: Vec<_> = ranges
                .iter()
                .map(|range| tcp((443, 443), "v6", range))
                .collect();
            let internet = internet(&permissions.join(","));
            assert_eq!(internet.is_facing(), is_facing, "{ranges:?}");
            assert!(internet.v4.is_empty());
        }
    }

    #[test]
    fn ranges_count_together_port_by_port() {
        let apart = [
            tcp((1, 80), "v4", "5.0.0.0/8"),
            tcp((81, 90), "v4", "6.0.0.0/8"),
        ]
        .join(",");
        assert!(!internet(&apart).is_facing());
        let over = [
            tcp((1, 80), "v4", "5.0.0.0/8"),
            tcp((70, 90), "v4", "6.0.0.0/8"),
        ]
        .join(",");
        assert_eq!(
            internet(&over).ports(),
            [(Protocol::new("tcp"), PortSet::from_iter([(70, 80)]))]
        );
        let beside = format!("{over},{}", tcp((22, 22), "v6", "::/0"));
        assert_eq!(
            internet(&beside).ports(),
            [(
                Protocol::new("tcp"),
                PortSet::from_iter([(22, 22), (70, 80)])
            )]
        );
    }

    #[test]
    fn only_tcp_and_udp_face_the_internet() {
        let of = |protocol: &str, ports: &str| {
            internet(&format!(
                r#"{{"IpProtocol":"{protocol}"{ports},"IpRanges":[{{"CidrIp":"0.0.0.0/0"}}]}}"#
            ))
        };
        let all = PortSet::all();
        let both = [
            (Protocol::new("tcp"), all.clone()),
            (Protocol::new("udp"), all),
        ];
        assert_eq!(of("-1", "").ports(), both);
        assert_eq!(of("-1", r#","FromPort":-1,"ToPort":-1"#).ports(), both);
        assert_eq!(
            of("udp", r#","FromPort":53,"ToPort":53"#).ports(),
            [(Protocol::new("udp"), PortSet::from_iter([(53, 53)]))]
        );
        for (protocol, ports) in [
            ("icmp", ""),
            ("icmpv6", ""),
            ("50", ""),
            ("tcp", r#","FromPort":9,"ToPort":8"#),
        ] {
            assert!(!of(protocol, ports).is_facing(), "{protocol}");
        }
    }

    #[test]
    fn what_cannot_be_told_is_listed() {
        let found = internet(
            r#"{"IpProtocol":"tcp","FromPort":1,"ToPort":2,"PrefixListIds":[{"PrefixListId":"pl-1"}],"IpRanges":[{"CidrIp":"0.0.0.0"},{"CidrIp":"1.2.3.4/33"}]}"#,
        );
        let unknown: Vec<_> = found.unknown.iter().map(String::as_str).collect();
        assert_eq!(unknown, ["0.0.0.0", "1.2.3.4/33", "pl-1"]);
        assert!(!found.is_facing() && found.has_other_ranges);
        assert!(internet(&tcp((1, 1), "v4", "10.0.0.0/8")).has_other_ranges);
        assert!(!internet(&tcp((1, 1), "v4", "0.0.0.0/0")).has_other_ranges);
        assert!(!internet(&tcp((1, 1), "v6", "::/0")).has_other_ranges);
    }

    #[test]
    fn a_group_of_very_many_permissions_is_read_in_time() {
        let many: Vec<_> = (0..60_000_u32)
            .map(|number| {
                let port = u16::try_from(number).unwrap();
                tcp(
                    (port, port + 1),
                    "v4",
                    &format!("{}.{}.0.0/12", 1 + number / 256 % 9, number % 256),
                )
            })
            .collect();
        assert!(internet(&many.join(",")).is_facing());
    }
}
