//! A violation as its section shows it: the sentence, why, the ports, the rules, exemptions and the commands.

use super::plans::{GroupFix, losers as losers_of};
use super::ports::PortsBar;
use super::text::Text;
use super::{Contents, Evaluated, count};
use crate::model::Traffic;
use crate::policy::exemption::ExemptionMatch;
use crate::policy::{OpenRule, Reason, Settings, Violation};
use crate::remediation::command::Fix;
use crate::report::prose::{
    describe_allow, describe_exemption, describe_severity, describe_violation,
};
use crate::text::escape;

#[derive(Debug)]
pub(super) struct ViolationView<'a> {
    pub(super) is_exempt: bool,
    pub(super) sentence: Text<String>,
    pub(super) why: Text<String>,
    pub(super) bar: PortsBar<'a>,
    /// What the rules are to the plan.
    pub(super) rules_are: &'static str,
    pub(super) rules: Vec<Text<String>>,
    /// Rules behind it that are not revoked.
    pub(super) kept: Vec<Text<String>>,
    pub(super) losers: Option<String>,
    pub(super) exemptions: Vec<Text<String>>,
    pub(super) authorize: Option<Text<String>>,
    pub(super) revoke: Text<String>,
    pub(super) note: Option<Text<String>>,
}

impl<'a> ViolationView<'a> {
    pub(super) fn new(
        contents: &Contents<'_>,
        one: &'a Evaluated,
        violation: &'a Violation,
        plan: Option<&GroupFix>,
    ) -> Self {
        let plan = plan.filter(|_| violation.exemption.is_none());
        let (revoked, kept): (Vec<_>, Vec<_>) = violation
            .rules
            .iter()
            .partition(|rule| plan.is_none_or(|plan| plan.revokes(rule, &violation.source)));
        let words = |rules: Vec<&OpenRule>| rules.into_iter().map(rule_words).map(Text).collect();
        let losers = plan.filter(|_| !revoked.is_empty());
        let settings = contents.settings;
        let fix = Fix::new(&one.group.group_id, violation, one.region.as_ref());
        Self {
            is_exempt: violation.exemption.is_some(),
            sentence: Text(describe_violation(&one.group, violation)),
            why: Text(why(settings, violation)),
            bar: PortsBar(&violation.ports),
            rules_are: match (plan.is_some(), revoked.len()) {
                (true, 1) => "Rule to revoke",
                (true, _) => "Rules to revoke",
                (false, 1) => "Its rule",
                (false, _) => "Its rules",
            },
            rules: words(revoked),
            kept: words(kept),
            losers: losers.and_then(|_| losers_of(contents, &violation.source)),
            exemptions: exemptions(contents, one, violation),
            authorize: fix.authorize.map(Text),
            revoke: Text(fix.revoke.join("\n")),
            note: fix.note.map(Text),
        }
    }
}

/// Why it is a violation, and how severe.
fn why(settings: &Settings, violation: &Violation) -> String {
    let most = count(usize::from(settings.max_open_ports));
    let open = match violation.reason {
        Reason::AllTraffic => "No ports are given: every port is open.".to_owned(),
        Reason::AllPorts => "Ports 0 to 65535 are given: every port is open.".to_owned(),
        Reason::WideRange => {
            format!("The range has more than the {most} ports that may be open (max_open_ports).")
        }
        Reason::SplitRanges => format!(
            "Its rules together open more than the {most} ports that may be open (max_open_ports)."
        ),
    };
    if settings.sensitivity.is_none() {
        return open;
    }
    let severity = describe_severity(settings, violation);
    format!("{open} Severity {}: {severity}.", violation.severity).replace('`', "")
}

/// `tcp 0-65535 over pcx-1 (peering deleted)`.
fn rule_words(rule: &OpenRule) -> String {
    let mut words = traffic_words(&rule.traffic);
    if let Some(connection) = &rule.pair.peering_connection_id {
        words += &format!(" over {}", escape(connection.as_str()));
    }
    if let Some(status) = rule.pair.stale_status() {
        words += &format!(" (peering {})", escape(status));
    }
    words
}

/// `all traffic`, `all tcp ports`, `tcp 22-443`.
fn traffic_words(traffic: &Traffic) -> String {
    let name = match traffic.protocol.as_str() {
        "-1" => None,
        name @ ("tcp" | "udp" | "icmp" | "icmpv6") => Some(name.to_owned()),
        number => Some(format!("protocol {}", escape(number))),
    };
    match (name, traffic.from_port, traffic.to_port) {
        (None, None | Some(-1), None | Some(-1)) => "all traffic".to_owned(),
        (Some(name), Some(0), Some(65_535)) => format!("all {name} ports"),
        (Some(name), None, None) => name,
        (name, from, to) => {
            let name = name.unwrap_or_else(|| "every protocol, ports".to_owned());
            let port =
                |port: Option<i64>| port.map_or_else(|| "none".to_owned(), |port| port.to_string());
            format!("{name} {}-{}", port(from), port(to))
        }
    }
}

/// The exemptions that match: the one that covers it, and those that would.
fn exemptions(
    contents: &Contents<'_>,
    one: &Evaluated,
    violation: &Violation,
) -> Vec<Text<String>> {
    let all = &contents.settings.exemptions;
    let matched = violation
        .matched
        .iter()
        .filter_map(|number| all.get(*number));
    let words = matched.filter_map(|exemption| {
        let id = escape(&exemption.id);
        match exemption.consider(&one.group, violation, contents.today) {
            ExemptionMatch::Covers if violation.exemption.as_ref() == Some(exemption) => {
                let end = match exemption.until {
                    Some(_) => "",
                    None => ", without an end",
                };
                Some(format!(
                    "Exemption {id}: {}{end}.",
                    describe_exemption(exemption)
                ))
            }
            ExemptionMatch::Covers | ExemptionMatch::Differs(_) => None,
            ExemptionMatch::Exceeded => Some(format!(
                "Exemption {id} does not reach as far: it allows only {}.",
                describe_allow(&exemption.allow)
            )),
            ExemptionMatch::Ended(until) => Some(format!(
                "Exemption {id} ended on {until}: {}.",
                describe_exemption(exemption)
            )),
        }
    });
    words.map(Text).collect()
}
