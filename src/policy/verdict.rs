//! What an evaluation comes to: verdicts, violations, severities, and whom a violation lets in.

use std::cmp::Reverse;
use std::fmt;

use super::exemption::Exemption;
use super::sensitivity::Levels;
use super::source::{OpenRule, Source};
use crate::model::ports::PortSet;
use crate::model::{GroupId, GroupRule, Protocol, RuleId, Traffic};

/// The severity of a violation. A group without one is `Informational`; a violation is at least `Low`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// No issue was found.
    Informational,
    /// It does not require action on its own.
    Low,
    /// It must be addressed, not urgently.
    Medium,
    /// It must be addressed as a priority.
    High,
    /// It must be remediated immediately.
    Critical,
}

impl Severity {
    /// The word users see, and set.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Informational => "INFORMATIONAL",
            Self::Low => "LOW",
            Self::Medium => "MEDIUM",
            Self::High => "HIGH",
            Self::Critical => "CRITICAL",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The group has no violation.
    Passed,
    /// It has a violation that no exemption covers.
    Failed,
    /// It has violations, and an exemption covers each.
    Exempt,
}

impl Status {
    /// The status by the word that users see.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Passed, Self::Failed, Self::Exempt]
            .into_iter()
            .find(|status| status.as_str() == word)
    }

    /// The word users see.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "PASSED",
            Self::Failed => "FAILED",
            Self::Exempt => "EXEMPT",
        }
    }
}

/// Why a permission is a violation, in the order of the policy's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// No port is given, or ports -1 to -1.
    AllTraffic,
    /// Ports 0 to 65535.
    AllPorts,
    /// More ports than `max_open_ports`, in one permission.
    WideRange,
    /// More ports than `max_open_ports`, in several permissions together.
    SplitRanges,
}

impl Reason {
    /// The word users see.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AllTraffic => "all-traffic",
            Self::AllPorts => "all-ports",
            Self::WideRange => "wide-range",
            Self::SplitRanges => "split-ranges",
        }
    }
}

/// The evaluation of one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub status: Status,
    /// The highest over the violations that are not exempt; INFORMATIONAL without one.
    pub severity: Severity,
    /// By source, protocol and reason: the order of the input does not show.
    pub violations: Vec<Violation>,
}

impl Verdict {
    pub(super) fn new(violations: Vec<Violation>) -> Self {
        let severity = violations
            .iter()
            .filter(|violation| violation.exemption.is_none())
            .map(|violation| violation.severity)
            .max();
        let status = match severity {
            Some(_) => Status::Failed,
            None if violations.is_empty() => Status::Passed,
            None => Status::Exempt,
        };
        Self {
            status,
            severity: severity.unwrap_or(Severity::Informational),
            violations,
        }
    }

    /// The verdict with the ids of the rules behind its violations: none where one of the rules has none, since what is
    /// revoked by ids must be all of it.
    #[must_use]
    pub fn with_rule_ids(self, rules: &[GroupRule]) -> Self {
        let named = |violation: Violation| Violation {
            rule_ids: rule_ids(&violation, rules),
            ..violation
        };
        Self {
            violations: self.violations.into_iter().map(named).collect(),
            ..self
        }
    }

    /// The violations, those that are not exempt first, the most severe first, otherwise in their own order.
    #[must_use]
    pub fn most_severe_first(&self) -> Vec<&Violation> {
        let mut violations: Vec<_> = self.violations.iter().collect();
        violations
            .sort_by_key(|violation| (violation.exemption.is_some(), Reverse(violation.severity)));
        violations
    }
}

/// One source that reaches too much over one protocol, for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    pub reason: Reason,
    pub protocol: Protocol,
    /// The merged ports of all permissions behind it, also of those that need not be revoked.
    pub ports: PortSet,
    pub severity: Severity,
    /// Whom the group lets in.
    pub source: Source,
    /// The rules that have to be revoked, sorted, each once.
    pub rules: Vec<OpenRule>,
    /// The exemption that covers it: the first that does.
    pub exemption: Option<Exemption>,
    /// Without one: the first that would cover it if it allowed as much.
    pub exceeded: Option<Exemption>,
    /// The numbers of all exemptions that match it, also of those that have ended or do not allow as much.
    pub matched: Vec<usize>,
    /// The levels of group and source, with `[sensitivity]`.
    pub levels: Option<Levels>,
    /// The ids of the rules behind it, where they were asked for.
    pub rule_ids: Vec<RuleId>,
}

impl Violation {
    /// Whether one of the rules behind it has this source and this traffic.
    #[must_use]
    pub fn has_rule(&self, source: &GroupId, traffic: &Traffic) -> bool {
        self.source.group_id.as_ref() == Some(source)
            && self
                .rules
                .iter()
                .any(|rule| rule.traffic.is_same_as(traffic))
    }
}

/// The ids of the rules behind a violation, among the rules of its group. None, unless every rule behind it has one:
/// what is revoked by ids must be all of it.
fn rule_ids(violation: &Violation, rules: &[GroupRule]) -> Vec<RuleId> {
    let behind = |rule: &OpenRule| {
        let is_behind = |one: &&GroupRule| {
            violation.source.group_id.as_ref() == Some(&one.source)
                && one.traffic.is_same_as(&rule.traffic)
        };
        let ids: Vec<_> = rules
            .iter()
            .filter(is_behind)
            .filter_map(|rule| rule.rule_id.clone())
            .collect();
        // One rule a pair: over each peering connection there is another.
        let alike = violation
            .rules
            .iter()
            .filter(|other| other.traffic.is_same_as(&rule.traffic));
        (ids.len() >= alike.count()).then_some(ids)
    };
    let Some(ids) = violation
        .rules
        .iter()
        .map(behind)
        .collect::<Option<Vec<_>>>()
    else {
        return Vec::new();
    };
    let mut ids = ids.concat();
    ids.sort_unstable();
    ids.dedup();
    ids
}

impl fmt::Display for Severity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::Date;

    use super::*;
    use crate::model::SecurityGroup;
    use crate::policy::{ReferencedGroups, Settings, evaluate};

    /// EC2 describes such a permission without ports; its rules and CloudTrail's records have -1 to -1.
    #[test]
    fn a_rule_of_a_protocol_without_ports_is_found_again() {
        let group = r#"{"GroupId":"sg-0a","IpPermissions":[{"IpProtocol":"50","UserIdGroupPairs":[{"GroupId":"sg-0b"}]}]}"#;
        let group: SecurityGroup = serde_json::from_str(group).unwrap();
        let verdict = evaluate(
            &Settings::default(),
            &group,
            &ReferencedGroups::default(),
            Date::MIN,
        );
        let rule = GroupRule {
            rule_id: Some(RuleId::new("sgr-1")),
            group_id: None,
            is_ingress: Some(true),
            source: GroupId::new("sg-0b"),
            traffic: Traffic::new(Protocol::new("50"), Some(-1), Some(-1)),
        };
        let violation = &verdict.violations[0];
        assert_eq!(
            rule_ids(violation, std::slice::from_ref(&rule)),
            [RuleId::new("sgr-1")]
        );
        assert!(violation.has_rule(&rule.source, &rule.traffic));
        let other = GroupRule {
            traffic: Traffic::new(Protocol::new("51"), Some(-1), Some(-1)),
            ..rule
        };
        assert!(rule_ids(violation, std::slice::from_ref(&other)).is_empty());
        assert!(!violation.has_rule(&other.source, &other.traffic));
    }
}
