//! A digest of what a finding says, by which the sweep knows that nothing changed.
//!
//! It covers what the account and the settings determine: the stage of life, the severity, the group as EC2 shows it, the
//! violations and their exemptions. It leaves out what changes although neither did: times, events, rule ids,
//! the sentences and the commands. EC2 promises no order, so permissions, sources and ranges are sorted first.

use std::fmt;

use sha2::{Digest as _, Sha256};

use super::{Context, Subject};
use crate::model::{GroupId, GroupPair, IpPermission, SecurityGroup};
use crate::policy::Violation;
use crate::policy::exemption::Exemption;

/// Goes into every digest: a digest of another meaning must differ.
const MEANING: &str = "sg-trust finding 2";

/// 64 bits of a SHA-256 digest; findings carry it as 16 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(u64);

impl Fingerprint {
    /// The digest of a finding about a group.
    #[must_use]
    pub fn of(context: &Context, group_id: &GroupId, subject: &Subject) -> Self {
        let lifecycle = subject.lifecycle();
        let mut encoder = Encoder::default();
        encoder.text(MEANING);
        encoder.text(lifecycle.as_str());
        encoder.number(u64::from(lifecycle.is_active(context.passed)));
        encoder.texts(&context.related_requirements);
        encoder.text(group_id.as_str());
        if let Subject::Evaluated(group, verdict) = subject {
            encoder.text(verdict.severity.as_str());
            encoder.group(group);
            encoder.number(count(verdict.violations.len()));
            for violation in &verdict.violations {
                encoder.violation(violation);
            }
        }
        encoder.finish()
    }

    /// The digest by its 16 hexadecimal digits.
    #[must_use]
    pub fn parse(digits: &str) -> Option<Self> {
        (digits.len() == 16)
            .then(|| u64::from_str_radix(digits, 16).ok())
            .flatten()
            .map(Self)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

fn count(items: usize) -> u64 {
    u64::try_from(items).unwrap_or(u64::MAX)
}

/// Writes values so that no two different ones give the same bytes: every text and list begins with its length.
#[derive(Default)]
struct Encoder(Sha256);

impl Encoder {
    fn finish(self) -> Fingerprint {
        let hash = self.0.finalize();
        Fingerprint(
            hash.iter()
                .take(8)
                .fold(0, |number, byte| number << 8 | u64::from(*byte)),
        )
    }

    fn number(&mut self, number: u64) {
        self.0.update(number.to_be_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(count(text.len()));
        self.0.update(text.as_bytes());
    }

    fn texts<T: AsRef<str>>(&mut self, texts: &[T]) {
        self.number(count(texts.len()));
        texts.iter().for_each(|text| self.text(text.as_ref()));
    }

    fn optional(&mut self, text: Option<&str>) {
        self.number(u64::from(text.is_some()));
        if let Some(text) = text {
            self.text(text);
        }
    }

    fn optional_port(&mut self, port: Option<i64>) {
        self.number(u64::from(port.is_some()));
        self.0.update(port.unwrap_or_default().to_be_bytes());
    }

    fn group(&mut self, group: &SecurityGroup) {
        self.optional(group.group_name.as_deref());
        self.optional(group.owner_id.as_ref().map(|owner| owner.as_str()));
        self.optional(group.vpc_id.as_ref().map(|vpc| vpc.as_str()));
        self.number(count(group.tags.len()));
        for (key, value) in &group.tags {
            self.text(key);
            self.text(value);
        }
        self.permissions(&group.ip_permissions);
        self.permissions(&group.ip_permissions_egress);
    }

    fn permissions(&mut self, permissions: &[IpPermission]) {
        let mut sorted: Vec<_> = permissions.iter().map(SortedPermission::of).collect();
        sorted.sort_unstable();
        self.number(count(sorted.len()));
        for permission in sorted {
            self.text(permission.protocol);
            self.optional_port(permission.ports.0);
            self.optional_port(permission.ports.1);
            self.number(count(permission.pairs.len()));
            for pair in &permission.pairs {
                pair.iter().for_each(|member| self.optional(*member));
            }
            for ranges in &permission.ranges {
                self.texts(ranges);
            }
        }
    }

    fn violation(&mut self, violation: &Violation) {
        let source = &violation.source;
        self.text(violation.reason.as_str());
        self.text(violation.protocol.as_str());
        self.text(violation.severity.as_str());
        self.optional(source.group_id.as_ref().map(|id| id.as_str()));
        if source.group_id.is_none() {
            self.optional(source.group_name.as_deref());
        }
        self.number(count(violation.ports.intervals().len()));
        for (first, last) in violation.ports.intervals() {
            self.number(u64::from(*first) << 16 | u64::from(*last));
        }
        self.number(u64::from(violation.exemption.is_some()));
        if let Some(exemption) = &violation.exemption {
            self.exemption(exemption);
        }
        let exceeded = violation.exceeded.as_ref();
        self.optional(exceeded.map(|exemption| exemption.id.as_str()));
    }

    fn exemption(&mut self, exemption: &Exemption) {
        self.text(&exemption.id);
        self.text(&exemption.reason);
        self.optional(exemption.owner.as_deref());
        let until = exemption.until.map(|until| until.to_string());
        self.optional(until.as_deref());
    }
}

/// A permission with everything in it in order.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct SortedPermission<'a> {
    protocol: &'a str,
    ports: (Option<i64>, Option<i64>),
    /// Id, name, account, VPC, peering connection and peering status of each source.
    pairs: Vec<[Option<&'a str>; 6]>,
    /// IPv4 ranges, IPv6 ranges, prefix lists.
    ranges: [Vec<&'a str>; 3],
}

impl<'a> SortedPermission<'a> {
    fn of(permission: &'a IpPermission) -> Self {
        let pair = |pair: &'a GroupPair| {
            [
                pair.group_id.as_ref().map(|id| id.as_str()),
                pair.group_name.as_deref(),
                pair.user_id.as_ref().map(|user| user.as_str()),
                pair.vpc_id.as_ref().map(|vpc| vpc.as_str()),
                pair.vpc_peering_connection_id
                    .as_ref()
                    .map(|peering| peering.as_str()),
                pair.peering_status.as_deref(),
            ]
        };
        let ranges = permission.ip_ranges.iter();
        let ranges_v6 = permission.ipv6_ranges.iter();
        let lists = permission.prefix_list_ids.iter();
        Self {
            protocol: permission.ip_protocol.as_str(),
            ports: (permission.from_port, permission.to_port),
            pairs: sorted(permission.user_id_group_pairs.iter().map(pair)),
            ranges: [
                sorted(ranges.filter_map(|range| range.cidr_ip.as_deref())),
                sorted(ranges_v6.filter_map(|range| range.cidr_ipv6.as_deref())),
                sorted(lists.filter_map(|list| list.prefix_list_id.as_deref())),
            ],
        }
    }
}

fn sorted<T: Ord>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut items: Vec<_> = items.collect();
    items.sort_unstable();
    items
}

#[cfg(test)]
mod tests {
    use jiff::civil::Date;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::finding::Passed;
    use crate::model::{AccountId, Partition, Region, Scope};
    use crate::policy::{self, ReferencedGroups, Settings};

    fn print(group: &Value, passed: Passed) -> Fingerprint {
        let context = Context {
            scope: Scope {
                partition: Partition::new("aws"),
                region: Region::new("eu-west-1"),
                account: AccountId::new("111111111111"),
            },
            passed,
            related_requirements: vec!["PCI".to_owned()],
        };
        let group: SecurityGroup = serde_json::from_value(group.clone()).unwrap();
        let unknown = ReferencedGroups::default();
        let verdict = policy::evaluate(&Settings::default(), &group, &unknown, Date::MIN);
        let id = group.group_id.clone();
        Fingerprint::of(&context, &id, &Subject::Evaluated(Box::new(group), verdict))
    }

    fn group() -> Value {
        json!({"GroupId": "sg-0a", "GroupName": "db", "OwnerId": "111111111111", "VpcId": "vpc-1", "Tags": {"a": "b"},
            "IpPermissions": [
                {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "sg-0b", "UserId": "111111111111", "Description": "x"}, {"GroupId": "sg-0c"}]},
                {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "UserIdGroupPairs": [], "IpRanges": [{"CidrIp": "10.0.0.0/8"}, {"CidrIp": "10.1.0.0/16"}]}],
            "IpPermissionsEgress": [{"IpProtocol": "-1", "UserIdGroupPairs": [], "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]})
    }

    #[test]
    fn a_fingerprint_has_sixteen_digits_and_reads_back() {
        let print = print(&group(), Passed::Archive);
        let digits = print.to_string();
        assert_eq!(
            (digits.len(), Fingerprint::parse(&digits)),
            (16, Some(print))
        );
        assert_eq!(Fingerprint::parse("12"), None);
    }

    #[test]
    fn whatever_a_finding_shows_changes_its_fingerprint() {
        let before = print(&group(), Passed::Archive);
        for (pointer, value) in [
            ("/GroupName", json!("other")),
            ("/OwnerId", json!("222222222222")),
            ("/VpcId", json!("vpc-2")),
            ("/Tags", json!({"a": "c"})),
            ("/IpPermissions/0/IpProtocol", json!("tcp")),
            (
                "/IpPermissions/0/UserIdGroupPairs/0/UserId",
                json!("222222222222"),
            ),
            (
                "/IpPermissions/0/UserIdGroupPairs/1/GroupId",
                json!("sg-0d"),
            ),
            ("/IpPermissions/1/FromPort", json!(21)),
            ("/IpPermissions/1/IpRanges/0/CidrIp", json!("10.2.0.0/16")),
            ("/IpPermissionsEgress", json!([])),
        ] {
            let mut other = group();
            *other.pointer_mut(pointer).unwrap() = value;
            assert_ne!(print(&other, Passed::Archive), before, "{pointer}");
        }
        let mut described = group();
        described["IpPermissions"][0]["UserIdGroupPairs"][0]["Description"] = json!("y");
        assert_eq!(
            print(&described, Passed::Archive),
            before,
            "a description shows in sentences only"
        );
        let mut passed = group();
        passed["IpPermissions"] = json!([]);
        assert_ne!(
            print(&passed, Passed::Archive),
            print(&passed, Passed::Active)
        );
    }

    proptest! {
        #[test]
        fn the_order_of_permissions_sources_and_ranges_does_not_matter(
            permissions in Just(group()["IpPermissions"].as_array().unwrap().clone()).prop_shuffle(),
            pairs in Just(group()["IpPermissions"][0]["UserIdGroupPairs"].as_array().unwrap().clone()).prop_shuffle(),
            ranges in Just(group()["IpPermissions"][1]["IpRanges"].as_array().unwrap().clone()).prop_shuffle(),
        ) {
            let mut shuffled = group();
            shuffled["IpPermissions"] = json!(permissions);
            for permission in shuffled["IpPermissions"].as_array_mut().unwrap() {
                if permission["IpProtocol"] == "-1" {
                    permission["UserIdGroupPairs"] = json!(pairs);
                } else {
                    permission["IpRanges"] = json!(ranges);
                }
            }
            prop_assert_eq!(print(&shuffled, Passed::Archive), print(&group(), Passed::Archive));
        }
    }
}
