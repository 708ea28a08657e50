//! Documents that hold no groups: what they are, and what to do with them.

use serde_json::value::RawValue;

use super::document::DESCRIBE_GROUPS;
use super::members::{Members, OF_GROUP};
use super::strict::{misspelt, near_miss};
use crate::text::truncate;

pub(super) const GIVE_GROUPS: &str = "give the output of `aws ec2 describe-security-groups`";
const GIVE_EVENT: &str = "give it to `sg-trust targets` or `sg-trust replay`";

/// Documents with events: the members by which they are known, and what they are.
const EVENTS: [(&str, &str); 6] = [
    ("detail-type", "an event of EventBridge"),
    ("eventSource eventName", "a CloudTrail record"),
    ("Records", "a CloudTrail log file, or a batch of SQS or SNS"),
    ("Events", "an answer of CloudTrail's lookup-events"),
    ("configurationItem", "a notification of AWS Config"),
    ("configuration resourceType", "an item of AWS Config"),
];
const TERRAFORM: &str =
    "a plan (for `sg-trust plan`) or a state of Terraform, not groups as they are in EC2";
const PLAN: &str = "a plan of Terraform (for `sg-trust plan`), not groups as they are in EC2";
const TEMPLATE: &str =
    "a template of CloudFormation (for `sg-trust plan`), not groups as they are in EC2";
const RULES: &str =
    "the answer of describe-security-group-rules, which has rules without their groups";
/// Documents with neither groups nor events.
const OTHERS: [(&str, &str); 9] = [
    ("SecurityGroupRules", RULES),
    (
        "SecurityGroupRuleId",
        "a rule of describe-security-group-rules",
    ),
    ("configurationItems", "a file of AWS Config"),
    ("terraform_version", TERRAFORM),
    ("planned_values", PLAN),
    ("AWSTemplateFormatVersion", TEMPLATE),
    ("Resources", TEMPLATE),
    ("GeneratorId", "a finding of Security Hub"),
    ("version policy groups", "a report of sg-trust"),
];
const INTERFACES: (&str, &str, &str) = (
    "NetworkInterfaces",
    "the answer of describe-network-interfaces",
    "give it to `sg-trust graph` or `sg-trust reach` with --interfaces",
);

/// The kinds of documents without groups, each with what to do with it.
fn kinds() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    let events = EVENTS
        .into_iter()
        .map(|(names, kind)| (names, kind, GIVE_EVENT));
    let others = OTHERS
        .into_iter()
        .map(|(names, kind)| (names, kind, GIVE_GROUPS));
    [INTERFACES].into_iter().chain(events).chain(others)
}

/// The kind of a document that holds no groups, and what to do with it.
pub(super) fn kind(members: &Members<'_>) -> String {
    let is_of = |names: &str| names.split(' ').all(|name| members.has(name));
    let of_kind = |(names, kind, advice): (&str, &str, &str)| {
        is_of(names).then(|| format!("it is {kind}: {advice}"))
    };
    if let Some(found) = kinds().find_map(of_kind) {
        return found;
    }
    for (name, _) in &members.0 {
        if let Some(known) = near_miss(name, &OF_GROUP) {
            return format!("`{name}` {}", misspelt(known, DESCRIBE_GROUPS));
        }
    }
    if let Some(name) = wrapper(members) {
        return format!("the groups are inside `{name}`: give that alone, as with `jq .{name}`");
    }
    let names: Vec<_> = members
        .0
        .iter()
        .map(|(name, _)| format!("`{name}`"))
        .collect();
    let found = match names.get(..5) {
        Some(first) if names.len() > 6 => {
            format!(
                "it has {} and {} more members",
                first.join(", "),
                names.len() - 5
            )
        }
        _ if names.is_empty() => "it is an empty object".to_owned(),
        _ => format!("it has {}", names.join(", ")),
    };
    not_groups(&found)
}

/// The member in whose value the groups are.
fn wrapper<'m>(members: &'m Members<'_>) -> Option<&'m str> {
    let has_groups = |value: &&RawValue| {
        let members = serde_json::from_str::<Members<'_>>(value.get());
        members.is_ok_and(|members| members.has("SecurityGroups"))
    };
    let (name, _) = members.0.iter().find(|(_, value)| has_groups(value))?;
    Some(name)
}

pub(super) fn not_groups(found: &str) -> String {
    format!(
        "neither a security group nor an answer with `SecurityGroups` ({found}): {GIVE_GROUPS}, an array of groups, or one"
    )
}

/// What text may be that is not JSON.
pub(super) fn other_format(line: &str) -> String {
    let line = line.trim_end();
    let key = line.trim_start_matches(['-', ' ']).split_once(':');
    let is_word = |word: &str| {
        word.chars()
            .all(|letter| letter.is_alphanumeric() || "_-\"'".contains(letter))
    };
    let guess = if line.len() > 4 && line.bytes().all(|byte| matches!(byte, b'-' | b'+'))
        || line.starts_with('|')
    {
        "a table"
    } else if line.starts_with('<') {
        "XML"
    } else if line == "---" || line.starts_with("- ") || key.is_some_and(|(word, _)| is_word(word))
    {
        "YAML"
    } else if line.contains('\t') {
        "the text format of the AWS CLI"
    } else {
        return format!("it begins with `{}`: {GIVE_GROUPS}", truncate(line, 60));
    };
    format!("it looks like {guess}: {GIVE_GROUPS} with `--output json`")
}
