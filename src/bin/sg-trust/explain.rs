//! `explain`: the verdict on one group, permission by permission.

use std::fmt::Write as _;

use anyhow::{Context as _, bail};
use comfy_table::{ContentArrangement, Table, presets};
use jiff::Timestamp;
use jiff::civil::Date;
use sg_trust::config::allow_line;
use sg_trust::model::ports::ALL_PORTS;
use sg_trust::model::{GroupPair, IpPermission, Region, SecurityGroup};
use sg_trust::policy::exemption::{Allow, ExemptionMatch};
use sg_trust::policy::reach::{Grants, PermissionCheck};
use sg_trust::policy::{
    Reading, Reason, ReferencedGroups, Settings, Source, Status, Verdict, Violation, day_of,
};
use sg_trust::remediation::command::Fix;
use sg_trust::remediation::plan::{Planner, Request};
use sg_trust::remediation::rule::GroupRules;
use sg_trust::report::fix::{describe_skipped, group_plan};
use sg_trust::report::prose::{
    describe_allow, describe_difference, describe_exemption, describe_group, describe_severity,
    describe_source, ranges,
};
use sg_trust::report::wrap;
use sg_trust::text::escape;

use crate::input;
use crate::region::{Regions, parse_region};
use crate::terminal::{Outcome, Terminal};

const EXAMPLES: &str = "\
Examples:
  sg-trust explain sg-0123456789abcdef0 --groups groups.json
  sg-trust explain payments-db --groups groups.json --region eu-west-1
  aws ec2 describe-security-groups | sg-trust explain sg-0123456789abcdef0 --groups -";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The security group: its id, or its name.
    #[arg(value_name = "SG")]
    group: String,
    /// A snapshot of the account: the output of `aws ec2 describe-security-groups`.
    #[arg(long, value_name = "FILE")]
    groups: String,
    /// The group's Region, for the commands; without it that of SecurityGroupArn, then AWS_REGION, then AWS_DEFAULT_REGION.
    #[arg(long, value_name = "REGION", value_parser = parse_region)]
    region: Option<Region>,
}

/// The width of a terminal, in columns.
const WIDTH: u16 = 100;

/// The group with this id; else the only one with this name.
pub(crate) fn find<'g>(
    groups: &'g [SecurityGroup],
    input: &str,
    wanted: &str,
) -> anyhow::Result<&'g SecurityGroup> {
    let by_id = groups
        .iter()
        .find(|group| group.group_id.as_str() == wanted);
    if let Some(group) = by_id {
        return Ok(group);
    }
    let by_name: Vec<_> = groups
        .iter()
        .filter(|group| group.is_named(wanted))
        .collect();
    match by_name.as_slice() {
        [] => bail!(
            "{input}: there is no security group with the id or the name {wanted:?} among the {} in it",
            groups.len()
        ),
        [group] => Ok(group),
        several => {
            let ids: Vec<_> = several
                .iter()
                .map(|group| group.group_id.as_str())
                .collect();
            bail!(
                "{input}: {} security groups have the name {wanted:?}: give the id of one, {}",
                several.len(),
                ids.join(", ")
            )
        }
    }
}

pub(crate) fn run(
    arguments: &Arguments,
    policy: &Settings,
    terminal: &mut Terminal,
) -> anyhow::Result<Outcome> {
    let (name, snapshot) = input::snapshot(&arguments.groups)?;
    let group = find(snapshot.groups(), name, &arguments.group)?;
    let group = &with_source_names(group.clone(), snapshot.groups());
    let mut referenced = ReferencedGroups::default();
    for group in snapshot.groups() {
        referenced.add(policy, group);
    }
    let today = day_of(Timestamp::now());
    let verdict = sg_trust::policy::evaluate(policy, group, &referenced, today);
    let region = Regions::optional(arguments.region.clone())
        .find(group)
        .with_context(|| format!("{name}: security group {}", group.group_id))?;
    let region = region.map(|(_, region)| region);
    let mut out = format!(
        "{}: {}, {}\n",
        describe_group(group),
        verdict.status,
        verdict.severity
    );
    let owner = group
        .owner_id
        .as_ref()
        .map_or("unknown", |owner| owner.as_str());
    let vpc = group.vpc_id.as_ref().map_or("none", |vpc| vpc.as_str());
    let _ = writeln!(
        out,
        "VPC {}, account {}, reading {}\n",
        escape(vpc),
        escape(owner),
        reading(policy)
    );
    out += &permissions(policy, group);
    out += &unions(policy, group);
    for violation in &verdict.violations {
        out += &describe(policy, group, violation, region.as_ref(), today)?;
    }
    out += &plan(policy, group, &referenced, today)?;
    let _ = writeln!(out, "{}", severity_words(&verdict));
    terminal.print_coloured(&out)?;
    Ok(Outcome::of_failed(u64::from(
        verdict.status == Status::Failed,
    )))
}

/// What `fix` would do to the group; nothing for one that is not FAILED.
fn plan(
    policy: &Settings,
    group: &SecurityGroup,
    referenced: &ReferencedGroups,
    today: Date,
) -> anyhow::Result<String> {
    let planner = Planner {
        settings: policy,
        referenced,
        today,
        account: None,
        region: None,
        request: &Request::default(),
    };
    let plan = planner.plan(&[GroupRules::described(group.clone())])?;
    let planned = plan.groups.iter().map(|group| group_plan(group, None));
    let kept = plan
        .skipped
        .iter()
        .filter(|skipped| skipped.status == Status::Failed);
    let kept = kept.map(|skipped| format!("\n{}", describe_skipped(skipped)));
    let text: String = planned.chain(kept).collect();
    if text.is_empty() {
        return Ok(text);
    }
    let id = escape(group.group_id.as_str());
    Ok(format!("What `sg-trust fix {id}` would do:\n{text}\n"))
}

/// A violation: its sentence, what to do, how severe and why, and the exemptions that were considered.
fn describe(
    policy: &Settings,
    group: &SecurityGroup,
    violation: &Violation,
    region: Option<&Region>,
    today: Date,
) -> anyhow::Result<String> {
    let sentence = sg_trust::report::prose::describe_violation(group, violation);
    let mut out = wrapped(&format!("{sentence} [{}]", violation.reason), "");
    let fix = Fix::new(&group.group_id, violation, region);
    if let Some(note) = fix.note {
        out += &wrapped(&format!("note: {}", escape(&note)), "  ");
    }
    // A command stays on one line, to be copied.
    let authorize = fix.authorize.map(|command| ("allow first", command));
    let revoke = fix.revoke.into_iter().map(|one| ("then revoke", one));
    for (what, text) in authorize.into_iter().chain(revoke) {
        let _ = writeln!(out, "  {what}: {}", escape(&text));
    }
    let origin = describe_severity(policy, violation);
    out += &wrapped(&format!("severity {}: {origin}", violation.severity), "  ");
    for exemption in &policy.exemptions {
        let id = escape(&exemption.id);
        let words = match exemption.consider(group, violation, today) {
            ExemptionMatch::Covers if violation.exemption.as_ref() == Some(exemption) => {
                format!("covers it: {}", describe_exemption(exemption))
            }
            ExemptionMatch::Covers => "would cover it too; the first that does counts".to_owned(),
            ExemptionMatch::Exceeded => format!(
                "does not reach as far: it allows only {}",
                describe_allow(&exemption.allow)
            ),
            ExemptionMatch::Ended(until) => format!("would cover it, but ended on {until}"),
            ExemptionMatch::Differs(difference) => {
                format!("does not cover it: {}", describe_difference(&difference))
            }
        };
        out += &wrapped(&format!("exemption {id} {words}"), "  ");
    }
    if violation.exemption.is_none() {
        let allow = Allow::just(&violation.protocol, &violation.ports);
        let line = allow_line(&allow)?;
        let _ = writeln!(out, "  an exemption would need: {}", escape(&line));
    }
    Ok(out + "\n")
}

/// The text over as many lines as it needs, those behind the first indented by two spaces more.
fn wrapped(text: &str, indent: &str) -> String {
    let words: Vec<_> = text.split(' ').map(str::to_owned).collect();
    let text = wrap(&words, &format!("  {indent}"));
    text.strip_prefix("  ").unwrap_or(&text).to_owned()
}

/// How the severity of a group came about.
fn severity_words(verdict: &Verdict) -> String {
    let exempt = verdict
        .violations
        .iter()
        .filter(|violation| violation.exemption.is_some())
        .count();
    let counted = verdict.violations.len() - exempt;
    let severity = verdict.severity;
    match (counted, exempt) {
        (0, 0) => format!("Severity {severity}: there is no violation."),
        (0, _) => format!("Severity {severity}: every violation is exempt."),
        (1, 0) => format!("Severity {severity}: that of the violation."),
        (_, 0) => format!("Severity {severity}: the highest of {counted} violations."),
        _ => format!(
            "Severity {severity}: the highest of the violations that are not exempt ({counted} of {}).",
            counted + exempt
        ),
    }
}

fn reading(policy: &Settings) -> &'static str {
    match policy.reading {
        Reading::Reference => "reference",
        Reading::Effective => "effective",
    }
}

/// Every inter-group permission, whether it violates and why or why not.
fn permissions(policy: &Settings, group: &SecurityGroup) -> String {
    let mut table = table(["PROTOCOL", "PORTS", "SOURCES", "BY ITSELF", "WHY"]);
    let mut others = 0_usize;
    for permission in &group.ip_permissions {
        let (by_itself, why) = match PermissionCheck::new(policy, permission) {
            PermissionCheck::NotInterGroup => {
                others += 1;
                continue;
            }
            PermissionCheck::Violates(reason) => {
                (format!("violates: {reason}"), why(reason, policy))
            }
            PermissionCheck::Within(ports) => (
                "no violation".to_owned(),
                why_not(permission, ports, policy),
            ),
        };
        let sources: Vec<_> = permission
            .user_id_group_pairs
            .iter()
            .map(|pair| source(pair, group))
            .collect();
        let protocol = if permission.ip_protocol.is_all() {
            "all".into()
        } else {
            escape(permission.ip_protocol.as_str())
        };
        table.add_row([
            protocol.into_owned(),
            ports_of(permission),
            sources.join("\n"),
            by_itself,
            why,
        ]);
    }
    let mut out = String::new();
    if table.is_empty() {
        let _ = writeln!(out, "No ingress permission names a security group.");
    } else {
        let _ = writeln!(
            out,
            "Ingress permissions that name a security group:\n{table}"
        );
    }
    if others > 0 {
        let _ = writeln!(
            out,
            "{others} more name none (address ranges, prefix lists): not looked at."
        );
    }
    out + "\n"
}

/// The ports of each source over each protocol together, of what does not violate by itself.
fn unions(policy: &Settings, group: &SecurityGroup) -> String {
    let mut table = table([
        "SOURCE",
        "PROTOCOL",
        "PORTS TOGETHER",
        "COUNT",
        "MORE THAN ALLOWED",
    ]);
    let grants = Grants::of(group);
    for union in grants.by_source().flat_map(|reach| reach.unions(policy)) {
        let verdict = if union.is_too_much {
            format!("yes: above {}", policy.max_open_ports)
        } else {
            format!("no: at most {}", policy.max_open_ports)
        };
        let protocol = if union.protocol.is_all() {
            "all".into()
        } else {
            escape(union.protocol.as_str())
        };
        let count = format!("{} of {ALL_PORTS}", union.ports.count());
        table.add_row([
            describe_source(&Source::of(group, &union.grants)),
            protocol.into_owned(),
            ranges(&union.ports),
            count,
            verdict,
        ]);
    }
    if table.is_empty() {
        return String::new();
    }
    format!(
        "Ports of a source in all its other permissions together (those for all protocols count for each):\n{table}\n\n"
    )
}

fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(WIDTH)
        .set_header(header);
    table
}

/// The group with the names of its sources, which EC2 tells only of some, from the groups of the snapshot.
fn with_source_names(mut group: SecurityGroup, all: &[SecurityGroup]) -> SecurityGroup {
    let pairs = group.ip_permissions.iter_mut();
    for pair in pairs.flat_map(|permission| &mut permission.user_id_group_pairs) {
        let is_meant = |other: &&SecurityGroup| {
            let has_owner = pair.user_id.is_none()
                || other.owner_id.is_none()
                || other.owner_id == pair.user_id;
            pair.group_id.as_ref() == Some(&other.group_id) && has_owner
        };
        if pair.group_name.is_none() {
            let source = all.iter().find(is_meant);
            pair.group_name = source.and_then(|source| source.group_name.clone());
        }
    }
    group
}

fn source(pair: &GroupPair, group: &SecurityGroup) -> String {
    match (&pair.group_id, &pair.group_name) {
        (Some(id), _) if *id == group.group_id => "itself".to_owned(),
        (Some(id), Some(name)) => format!("{} ({})", escape(id.as_str()), escape(name)),
        (Some(id), None) => escape(id.as_str()).into_owned(),
        (None, Some(name)) => escape(name).into_owned(),
        (None, None) => "unknown".to_owned(),
    }
}

fn ports_of(permission: &IpPermission) -> String {
    let word = |port: Option<i64>| port.map_or_else(|| "none".to_owned(), |port| port.to_string());
    match (permission.from_port, permission.to_port) {
        (None, None) => "not given".to_owned(),
        (Some(from), Some(to)) if from == to => from.to_string(),
        (from, to) => format!("{} to {}", word(from), word(to)),
    }
}

fn why(reason: Reason, policy: &Settings) -> String {
    match reason {
        Reason::AllTraffic => "no ports are given: every port is open".to_owned(),
        Reason::AllPorts => "ports 0 to 65535: every port is open".to_owned(),
        Reason::WideRange | Reason::SplitRanges => {
            format!("more than max_open_ports ({}) ports", policy.max_open_ports)
        }
    }
}

fn why_not(permission: &IpPermission, ports: Option<(u16, u16)>, policy: &Settings) -> String {
    if policy.reading == Reading::Reference {
        return "ports are given, and are not 0 to 65535".to_owned();
    }
    match ports {
        Some(_) => format!("at most max_open_ports ({}) ports", policy.max_open_ports),
        None if permission.ip_protocol.is_icmp() => "ICMP has types, not ports".to_owned(),
        None => "the range has no port".to_owned(),
    }
}
