//! The rules of a log: a reason is one, and that it cannot be told is another.

use super::types::{self, Message, Tags};
use crate::policy::{self, Reason};

/// The rule of a group of which it cannot be told.
const OPEN: Rule = Rule {
    reason: None,
    name: "CannotTell",
    short: "Whether a security group trusts another without restriction depends on a value that is not known before the apply",
    help: "Make the value known, as the result says, and look at the plan again.",
};

const RULES: [Rule; 5] = [
    Rule {
        reason: Some(Reason::AllTraffic),
        name: "AllTraffic",
        short: "A security group accepts all traffic from a security group",
        help: NARROW,
    },
    Rule {
        reason: Some(Reason::AllPorts),
        name: "AllPorts",
        short: "A security group accepts all ports of a protocol from a security group",
        help: NARROW,
    },
    Rule {
        reason: Some(Reason::WideRange),
        name: "WideRange",
        short: "A security group accepts nearly all ports from a security group, in one rule",
        help: NARROW,
    },
    Rule {
        reason: Some(Reason::SplitRanges),
        name: "SplitRanges",
        short: "A security group accepts nearly all ports from a security group, in several rules together",
        help: NARROW,
    },
    OPEN,
];

const NARROW: &str = "First allow only the protocol and the ports that the source needs, then remove the rule: the other order is \
an outage. Whoever controls a machine with the source group reaches every port of the machines with this one, also those \
that nobody meant to offer. Where the risk is accepted, write an exemption with a reason and an end into the settings.";

struct Rule {
    reason: Option<Reason>,
    name: &'static str,
    short: &'static str,
    help: &'static str,
}

/// The place of a reason's rule, or of the one for what cannot be told.
pub(super) fn index(reason: Option<Reason>) -> Option<usize> {
    RULES.iter().position(|rule| rule.reason == reason)
}

pub(super) fn id(reason: Option<Reason>) -> &'static str {
    reason.map_or("cannot-tell", Reason::as_str)
}

pub(super) fn all() -> Vec<types::Rule> {
    let rule = |rule: Rule| types::Rule {
        id: id(rule.reason),
        name: rule.name,
        short_description: Message {
            text: format!("{}.", rule.short),
        },
        help: Message {
            text: rule.help.to_owned(),
        },
        help_uri: policy::REMEDIATION_URL,
        properties: Tags {
            tags: ["security", policy::MITRE],
        },
    };
    RULES.into_iter().map(rule).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_rule() {
        let reasons = [
            Reason::AllTraffic,
            Reason::AllPorts,
            Reason::WideRange,
            Reason::SplitRanges,
        ];
        let reasons = reasons.into_iter().map(Some).chain([None]);
        assert_eq!(
            reasons.map(index).collect::<Vec<_>>(),
            [Some(0), Some(1), Some(2), Some(3), Some(4)]
        );
    }
}
