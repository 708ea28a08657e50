//! A plan to revoke rules, for a terminal of 100 columns. Colours are always written.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use owo_colors::OwoColorize as _;

use super::columns::wrap;
use super::prose;
use crate::model::{GroupId, Traffic};
use crate::policy::{Source, Status};
use crate::remediation::carriers::Carriers;
use crate::remediation::plan::{GroupPlan, Mended, Plan, Skipped, Why};
use crate::remediation::rule::{IngressRule, Peer, PeerGroup};
use crate::text::escape;

/// How many machines are named before the rest is counted.
const NAMED_MACHINES: usize = 3;
/// How many groups to which nothing is done are named before the rest is counted.
const NAMED_SKIPPED: usize = 20;

/// A plan. Without carriers nobody knows who loses access.
#[must_use]
pub fn plan(plan: &Plan, carriers: Option<&Carriers>) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{}", heading(plan).bold());
    for group in &plan.groups {
        out += &group_plan(group, carriers);
    }
    out + &skipped(&plan.skipped)
}

/// What is done, in one line.
#[must_use]
pub fn heading(plan: &Plan) -> String {
    let account = plan
        .account
        .as_ref()
        .map(|account| format!("account {account}"));
    let region = plan.region.as_ref().map(ToString::to_string);
    let place: Vec<_> = account.into_iter().chain(region).collect();
    let place = if place.is_empty() {
        String::new()
    } else {
        format!(" in {}", escape(&place.join(", ")))
    };
    if plan.groups.is_empty() {
        return format!("Nothing to revoke{place}.");
    }
    let first = match plan.authorized() {
        0 => String::new(),
        count => format!(", allow {count} first"),
    };
    format!(
        "Plan{place}: revoke {} of {}{first}",
        count_of(plan.revoked(), "rule"),
        count_of(plan.groups.len(), "security group"),
    )
}

/// `1 rule`, `2 rules`.
#[must_use]
pub fn count_of(count: usize, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{ending}")
}

/// What is done to one group.
#[must_use]
pub fn group_plan(plan: &GroupPlan, carriers: Option<&Carriers>) -> String {
    let group = &plan.group;
    let vpc = group.vpc_id.as_ref();
    let vpc = vpc.map_or_else(String::new, |vpc| format!(" in {}", escape(vpc.as_str())));
    let after = match plan.after {
        Status::Failed => "FAILED".red().bold().to_string(),
        Status::Passed | Status::Exempt => plan.after.green().bold().to_string(),
    };
    let mut out = String::new();
    let _ = writeln!(
        out,
        "\n{}{vpc}: {} now, {after} then",
        prose::describe_group(group).bold(),
        "FAILED".red().bold(),
    );
    if let Some(tag) = &plan.managed_by {
        out += &labelled(Label::Careful, &describe_manager(tag));
    }
    for rule in &plan.authorize {
        out += &rule_line(Label::Allow, rule);
    }
    for mended in &plan.mended {
        out += &mended_by(plan, mended, carriers);
    }
    out += &labelled(Label::Stays, &describe_stays(plan));
    for violation in &plan.exempt {
        let id = violation
            .exemption
            .as_ref()
            .map(|exemption| escape(&exemption.id));
        let text = format!(
            "exemption {} accepts {} of {}",
            id.unwrap_or_default(),
            prose::describe_traffic(violation.reason, &violation.protocol, &violation.ports),
            prose::describe_source(&violation.source),
        );
        out += &labelled(Label::Stays, &text);
    }
    let hard = describe_hard_to_restore(plan);
    out + &hard.map_or_else(String::new, |text| labelled(Label::Careful, &text))
}

/// That a tool brings the rules back: the one that this tag tells.
#[must_use]
pub fn describe_manager(tag: &str) -> String {
    format!(
        "a tool keeps this group ({}): the rules come back",
        escape(tag)
    )
}

/// What a line of a plan is about.
#[derive(Debug, Clone, Copy)]
enum Label {
    Because,
    Allow,
    Revoke,
    Loses,
    Stays,
    Careful,
    None,
}

/// The width of the labels with what stands before and behind them.
const LABEL_WIDTH: usize = 15;

/// A text behind its label, over as many lines as it needs.
fn labelled(label: Label, text: &str) -> String {
    let word = match label {
        Label::Because => "because",
        Label::Allow => "allow first",
        Label::Revoke => "revoke",
        Label::Loses => "loses it",
        Label::Stays => "stays",
        Label::Careful => "careful",
        Label::None => "",
    };
    let painted = match label {
        Label::Allow => word.green().to_string(),
        Label::Revoke => word.red().to_string(),
        Label::Careful => word.yellow().bold().to_string(),
        _ => word.dimmed().to_string(),
    };
    let indent = " ".repeat(LABEL_WIDTH);
    let words: Vec<_> = text.split(' ').map(str::to_owned).collect();
    let lines = wrap(&words, &indent);
    let text = lines.strip_prefix(&indent).unwrap_or(&lines);
    let padding = " ".repeat(LABEL_WIDTH.saturating_sub(2 + word.len()));
    format!("  {painted}{padding}{text}")
}

/// What `undo` may not be able to give back, if there is any.
#[must_use]
pub fn describe_hard_to_restore(plan: &GroupPlan) -> Option<String> {
    let rules: Vec<_> = plan.hard_to_restore().collect();
    let whys: BTreeSet<_> = rules
        .iter()
        .map(|rule| {
            let status = rule.peer.group().and_then(PeerGroup::stale_status);
            status.map_or_else(
                || "EC2 knows no owner of the source".to_owned(),
                |status| format!("the peering connection is {}", escape(status)),
            )
        })
        .collect();
    let whys: Vec<_> = whys.into_iter().collect();
    (!rules.is_empty()).then(|| {
        format!(
            "undo may not be able to give back {} of these: {}",
            rules.len(),
            whys.join(", ")
        )
    })
}

fn mended_by(plan: &GroupPlan, mended: &Mended, carriers: Option<&Carriers>) -> String {
    let violation = &mended.violation;
    let because = format!(
        "it accepts {} from {} [{}]",
        prose::describe_traffic(violation.reason, &violation.protocol, &violation.ports),
        prose::describe_source(&violation.source),
        violation.reason,
    );
    let mut out = labelled(Label::Because, &because);
    for rule in &mended.rules {
        out += &rule_line(Label::Revoke, rule);
    }
    if let Some(carriers) = carriers {
        let losers = losers(carriers, &violation.source, &plan.group.group_id);
        out += &labelled(Label::Loses, &losers);
    }
    out
}

/// Who loses access. Only the machines of the own account are known.
fn losers(carriers: &Carriers, source: &Source, target: &GroupId) -> String {
    let is_peered = source
        .pairs
        .iter()
        .any(|pair| pair.peering_connection_id.is_some());
    if source
        .pairs
        .iter()
        .all(|pair| pair.stale_status().is_some())
    {
        return "nobody: the peering connection does not work any more".to_owned();
    }
    let known = source.group_id.as_ref();
    let Some(id) = known.filter(|_| !source.is_foreign && !is_peered && source.owner_id.is_some())
    else {
        return "not known: the source is not among what was read".to_owned();
    };
    let machines = carriers.of(id);
    let count = machines.len();
    let named: Vec<_> = machines.take(NAMED_MACHINES).map(escape).collect();
    let mut names = named.join(", ");
    if count > NAMED_MACHINES {
        let _ = write!(names, " and {} more", count - NAMED_MACHINES);
    }
    let of_target = count_of(carriers.of(target).len(), "machine");
    match (count, source.is_self) {
        (0, true) => "nobody: nothing carries this group".to_owned(),
        (0, false) => format!("nobody: nothing carries {}", escape(id.as_str())),
        (_, true) => format!("{} among themselves: {names}", count_of(count, "machine")),
        (_, false) => format!(
            "{}, towards {of_target}: {names}",
            count_of(count, "machine")
        ),
    }
}

/// One rule with what it says about itself.
fn rule_line(label: Label, rule: &IngressRule) -> String {
    let mut out = labelled(label, &describe_with_id(rule));
    let description = rule.description.as_deref();
    let description = description.map(|text| format!("described as \"{}\"", escape(text)));
    let tags = rule.tags.iter().flatten();
    let tags: Vec<_> = tags
        .map(|(key, value)| format!("{}={}", escape(key), escape(value)))
        .collect();
    let tags = (!tags.is_empty()).then(|| format!("tags {}", tags.join(", ")));
    let notes: Vec<_> = description.into_iter().chain(tags).collect();
    if !notes.is_empty() {
        out += &labelled(Label::None, &notes.join("; "));
    }
    out
}

/// `sgr-0abc  tcp 443 from sg-0bbb (web)`: without an id where nobody knows it yet.
#[must_use]
pub fn describe_with_id(rule: &IngressRule) -> String {
    match &rule.rule_id {
        Some(id) => format!("{}  {}", escape(id.as_str()), describe_rule(rule)),
        None => describe_rule(rule),
    }
}

/// `tcp 443 from sg-0bbb (web)`.
#[must_use]
pub fn describe_rule(rule: &IngressRule) -> String {
    format!(
        "{} from {}",
        describe_traffic(&rule.traffic),
        describe_peer(&rule.peer)
    )
}

fn describe_traffic(traffic: &Traffic) -> String {
    let Traffic {
        protocol,
        from_port,
        to_port,
    } = traffic;
    let name = match protocol.as_str() {
        "-1" => "all traffic".to_owned(),
        name @ ("tcp" | "udp" | "icmp" | "icmpv6") => name.to_owned(),
        number => format!("protocol {}", escape(number)),
    };
    match (from_port, to_port) {
        (None, _) | (_, None) if protocol.is_all() => name,
        (None, _) | (_, None) => format!("all {name}"),
        (Some(-1), Some(-1)) if !protocol.is_all() => format!("all {name}"),
        (Some(kind), Some(code)) if protocol.is_icmp() => format!("{name} type {kind} code {code}"),
        (Some(from), Some(to)) if from == to => format!("{name} {from}"),
        (Some(from), Some(to)) => format!("{name} {from}-{to}"),
    }
}

fn describe_peer(peer: &Peer) -> String {
    match peer {
        Peer::Ipv4(text) | Peer::Ipv6(text) | Peer::PrefixList(text) => escape(text).into_owned(),
        Peer::Group(group) => {
            let id = group.group_id.as_ref().map(|id| id.as_str());
            let name = group.group_name.as_deref();
            let mut text = match (id, name) {
                (Some(id), Some(name)) => format!("{} ({})", escape(id), escape(name)),
                (Some(one), None) | (None, Some(one)) => escape(one).into_owned(),
                (None, None) => "a group without an id".to_owned(),
            };
            if let Some(connection) = &group.peering_connection_id {
                let _ = write!(text, " over {}", escape(connection.as_str()));
            }
            text
        }
    }
}

/// What stays, counted: all of it stands in the plan as a file.
#[must_use]
pub fn describe_stays(plan: &GroupPlan) -> String {
    let of_groups = plan.keeps.iter().filter(|rule| rule.peer.group().is_some());
    let of_groups: Vec<_> = of_groups.collect();
    let of_others = plan.keeps.len() - of_groups.len();
    if plan.keeps.is_empty() {
        return "nothing: it has no other ingress rule".to_owned();
    }
    let sources: BTreeSet<_> = of_groups
        .iter()
        .map(|rule| describe_peer(&rule.peer))
        .collect();
    let mut parts = Vec::new();
    if !of_groups.is_empty() {
        parts.push(format!(
            "{} from {}",
            count_of(of_groups.len(), "rule"),
            count_of(sources.len(), "security group"),
        ));
    }
    if of_others > 0 {
        parts.push(format!("{} from addresses", count_of(of_others, "rule")));
    }
    parts.join(", ")
}

fn skipped(skipped: &[Skipped]) -> String {
    if skipped.is_empty() {
        return String::new();
    }
    let mut out = format!("\n{}\n", "Not touched".bold());
    for one in skipped.iter().take(NAMED_SKIPPED) {
        out += &describe_skipped(one);
    }
    if skipped.len() > NAMED_SKIPPED {
        let _ = writeln!(out, "  and {} more", skipped.len() - NAMED_SKIPPED);
    }
    out
}

/// A group to which nothing is done, and why.
#[must_use]
pub fn describe_skipped(skipped: &Skipped) -> String {
    let name = skipped.group_name.as_deref();
    let name = name.map_or_else(String::new, |name| format!(" ({})", escape(name)));
    let why = match &skipped.why {
        Why::Passed => "PASSED: it has no violation".to_owned(),
        Why::Exempt(ids) => format!("accepted by {}", escape(&ids.join(", "))),
        Why::OtherSources => "no violation by the source that is asked for".to_owned(),
        Why::Managed(tag) => format!(
            "FAILED, but a tool keeps it ({}) and would bring the rules back: change it there, or add --even-managed",
            escape(tag)
        ),
        Why::Foreign(owner) => format!(
            "account {} owns it: only that account changes it",
            escape(owner.as_str())
        ),
        Why::Protected => {
            "FAILED, but exemptions accept the rules that would have to be revoked".to_owned()
        }
    };
    let text = format!("{}{name}: {why}", escape(skipped.group_id.as_str()));
    let words: Vec<_> = text.split(' ').map(str::to_owned).collect();
    let lines = wrap(&words, "    ");
    lines.strip_prefix("  ").unwrap_or(&lines).to_owned()
}
