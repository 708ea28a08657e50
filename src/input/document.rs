//! One JSON document: a group, a list, an answer of EC2, or a document of another kind, which is named.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::error::InputError;
use super::strict::{Member, Rules, Strict, misspelt, near_miss};
use crate::model::SecurityGroup;
use crate::text::truncate;

/// The output of every AWS CLI and SDK has the pairs of an ingress permission, null where there are none. Only a
/// projection (`--query`) leaves them out, and makes PASSED of FAILED.
const OF_FILES: Rules = Rules {
    required: &[Member {
        of: "IpPermissions",
        name: "UserIdGroupPairs",
    }],
    refused: &["SecurityGroups", "NextToken"],
};
const LENIENT: Rules = Rules {
    required: &[],
    refused: &[],
};
/// The members by which a group is known.
const OF_GROUP: [&str; 8] = [
    "GroupId",
    "GroupName",
    "OwnerId",
    "VpcId",
    "SecurityGroupArn",
    "IpPermissions",
    "IpPermissionsEgress",
    "Tags",
];
const GIVE_GROUPS: &str = "give the output of `aws ec2 describe-security-groups`";
const GIVE_EVENT: &str = "give it to `sg-trust targets` or `sg-trust replay`";
/// Longest description of what is wrong, in UTF-16 units: a value of the file may stand in it.
const PROBLEM: usize = 600;

/// A group as a file has it.
pub(super) struct FileGroup(pub(super) SecurityGroup);

impl<'de> Deserialize<'de> for FileGroup {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        SecurityGroup::deserialize(Strict::new(deserializer, &OF_FILES)).map(Self)
    }
}

/// The group that another file than one of groups has, in which a permission may lack members: that of a test, say. The
/// name is for errors.
///
/// # Errors
/// When it is no security group.
pub fn parse_group(name: &str, value: &Value) -> Result<SecurityGroup, InputError> {
    let json = value.to_string();
    let strict = Strict::new(value, &LENIENT);
    SecurityGroup::deserialize(strict).map_err(|error| {
        let problem = match serde_json::from_str::<Members<'_>>(&json) {
            Ok(members) => explain(&json, &members, &LENIENT),
            Err(_) => format!("it {}", words(&error)),
        };
        InputError::of_file(name, problem)
    })
}

pub(super) enum Document<'a> {
    Group(Box<SecurityGroup>),
    /// The elements of a list or of an answer.
    List(Vec<&'a RawValue>),
}

/// What is wrong with a document.
pub(super) struct Problem {
    /// How many lines after the document's first it shows.
    pub(super) lines: usize,
    pub(super) text: String,
}

impl From<String> for Problem {
    fn from(text: String) -> Self {
        Self { lines: 0, text }
    }
}

/// Reads text that is one JSON value.
pub(super) fn read(json: &str) -> Result<Document<'_>, Problem> {
    match json.as_bytes().first() {
        Some(b'[') => Ok(Document::List(parse(json)?)),
        Some(b'{') => object(json),
        _ => Err(not_groups(&format!("it is {}", truncate(json, 40))).into()),
    }
}

fn parse<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, Problem> {
    serde_json::from_str(json).map_err(|error| Problem::from(words(&error)))
}

fn object(json: &str) -> Result<Document<'_>, Problem> {
    let members: Members<'_> = parse(json)?;
    if let Some(groups) = members.groups()? {
        return Ok(Document::List(groups));
    }
    let is_rule = members.has("SecurityGroupRuleId");
    if is_rule || !members.has("GroupId") && !members.has("IpPermissions") {
        return Err(members.kind().into());
    }
    match serde_json::from_str(json) {
        Ok(FileGroup(group)) => Ok(Document::Group(Box::new(group))),
        Err(error) => Err(Problem {
            lines: error.line().saturating_sub(1),
            text: explain(json, &members, &OF_FILES),
        }),
    }
}

/// The members of an object in their order, each as often as it stands there.
pub(super) struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Members<'a> {
    fn get(&self, name: &str) -> Option<&'a RawValue> {
        let mut members = self.0.iter();
        members
            .find(|(own, _)| own == name)
            .map(|(_, value)| *value)
    }

    fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The list of groups, if it is an answer of EC2.
    fn groups(&self) -> Result<Option<Vec<&'a RawValue>>, String> {
        self.check_answer(0)?;
        let Some(groups) = self.get("SecurityGroups") else {
            return Ok(None);
        };
        match groups.get().as_bytes().first() {
            Some(b'[') => serde_json::from_str(groups.get())
                .map(Some)
                .map_err(|error| words(&error)),
            _ => Err(format!(
                "`SecurityGroups` is {}, not a list: {GIVE_GROUPS} as it is",
                truncate(groups.get(), 40)
            )),
        }
    }

    /// Checks what must not stand beside a list of groups, or behind `lists` of them.
    pub(super) fn check_answer(&self, lists: usize) -> Result<(), String> {
        let token = self.get("NextToken").map(RawValue::get);
        if token.is_some_and(|token| token != "null" && token != "\"\"") {
            return Err(
                "there is a NextToken: this is one page of several, and the others are missing (leave out --no-paginate, --max-items and --max-results)"
                    .to_owned(),
            );
        }
        let names = self.0.iter().map(|(name, _)| &**name);
        for name in names.clone() {
            if let Some(known) = near_miss(name, &["SecurityGroups", "NextToken"]) {
                return Err(format!("`{name}` {}", misspelt(known)));
            }
        }
        let more = names
            .clone()
            .filter(|name| *name == "SecurityGroups")
            .count();
        match lists + more {
            0 => Ok(()),
            1 if !names.clone().any(|name| OF_GROUP.contains(&name)) => Ok(()),
            1 => Err(
                "it has `SecurityGroups` and members of a security group: give one or the other"
                    .to_owned(),
            ),
            _ => Err("`SecurityGroups` stands there twice".to_owned()),
        }
    }

    /// The kind of a document that holds no groups, and what to do with it.
    fn kind(&self) -> String {
        const KINDS: [(&[&str], &str, &str); 15] = [
            (
                &["SecurityGroupRules"],
                "the answer of describe-security-group-rules, which has rules without their groups",
                GIVE_GROUPS,
            ),
            (
                &["SecurityGroupRuleId"],
                "a rule of describe-security-group-rules",
                GIVE_GROUPS,
            ),
            (&["detail-type"], "an event of EventBridge", GIVE_EVENT),
            (
                &["eventSource", "eventName"],
                "a CloudTrail record",
                GIVE_EVENT,
            ),
            (
                &["Records"],
                "a CloudTrail log file, or a batch of SQS or SNS",
                GIVE_EVENT,
            ),
            (
                &["Events"],
                "an answer of CloudTrail's lookup-events",
                GIVE_EVENT,
            ),
            (
                &["configurationItem"],
                "a notification of AWS Config",
                GIVE_EVENT,
            ),
            (&["configurationItems"], "a file of AWS Config", GIVE_GROUPS),
            (
                &["configuration", "resourceType"],
                "an item of AWS Config",
                GIVE_EVENT,
            ),
            (
                &["terraform_version"],
                "a plan or state of Terraform, not groups as they are in EC2",
                GIVE_GROUPS,
            ),
            (
                &["planned_values"],
                "a plan of Terraform, not groups as they are in EC2",
                GIVE_GROUPS,
            ),
            (
                &["AWSTemplateFormatVersion"],
                "a template of CloudFormation, not groups as they are in EC2",
                GIVE_GROUPS,
            ),
            (
                &["Resources"],
                "a template of CloudFormation, not groups as they are in EC2",
                GIVE_GROUPS,
            ),
            (&["GeneratorId"], "a finding of Security Hub", GIVE_GROUPS),
            (
                &["version", "policy", "groups"],
                "a report of sg-trust",
                GIVE_GROUPS,
            ),
        ];
        let is_of = |names: &[&str]| names.iter().all(|name| self.has(name));
        if let Some((_, kind, advice)) = KINDS.iter().find(|(names, ..)| is_of(names)) {
            return format!("it is {kind}: {advice}");
        }
        for (name, _) in &self.0 {
            if let Some(known) = near_miss(name, &OF_GROUP) {
                return format!("`{name}` {}", misspelt(known));
            }
        }
        if let Some(name) = self.wrapper() {
            return format!(
                "the groups are inside `{name}`: give that alone, as with `jq .{name}`"
            );
        }
        let names: Vec<_> = self.0.iter().map(|(name, _)| format!("`{name}`")).collect();
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
    fn wrapper(&self) -> Option<&str> {
        let has_groups = |value: &&RawValue| {
            let members = serde_json::from_str::<Members<'_>>(value.get());
            members.is_ok_and(|members| members.has("SecurityGroups"))
        };
        let (name, _) = self.0.iter().find(|(_, value)| has_groups(value))?;
        Some(name)
    }
}

fn not_groups(found: &str) -> String {
    format!(
        "neither a security group nor an answer with `SecurityGroups` ({found}): {GIVE_GROUPS}, an array of groups, or one"
    )
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(Name(name)) = map.next_key()? {
                    members.push((name, map.next_value()?));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// What is wrong with a group: which group, which member, and what it should be.
fn explain(json: &str, members: &Members<'_>, rules: &'static Rules) -> String {
    let id = members.get("GroupId");
    let id = id.and_then(|id| serde_json::from_str::<String>(id.get()).ok());
    let group = match id.as_deref() {
        Some(id) if !id.is_empty() => format!("security group {}", truncate(id, 80)),
        _ => "a security group".to_owned(),
    };
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let strict = Strict::new(&mut deserializer, rules);
    let Err(error) = serde_path_to_error::deserialize::<_, SecurityGroup>(strict) else {
        return group;
    };
    let path = error.path().to_string();
    let place = match path.trim_end_matches(['.', '?']) {
        "" => group,
        path => format!("{group}: {path}"),
    };
    let problem = words(error.inner());
    let problem = match problem.split_once(" field `") {
        Some(("missing", name)) => {
            let name = name.trim_end_matches('`');
            format!("{place} has no `{name}`{}", advice(name))
        }
        Some(("duplicate", name)) => format!("{place} has `{name} twice"),
        _ => format!("{place} {problem}"),
    };
    truncate(&problem, PROBLEM).into_owned()
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

fn advice(missing: &str) -> String {
    match missing {
        "GroupId" => format!(": {GIVE_GROUPS}, whole"),
        "IpPermissions" => {
            " (null would do): without it nothing can be said about the group".to_owned()
        }
        "UserIdGroupPairs" => format!(
            " (null would do): a --query that leaves it out hides the groups that are let in; {GIVE_GROUPS}, whole"
        ),
        _ => String::new(),
    }
}

/// A parser's message without its position and in the words of JSON.
pub(super) fn words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text
        .rsplit_once(" at line ")
        .map_or(text.as_str(), |(problem, _)| problem);
    let wrong = text
        .strip_prefix("invalid type: ")
        .or_else(|| text.strip_prefix("invalid value: "));
    let Some((found, expected)) = wrong.and_then(|wrong| wrong.rsplit_once(", expected ")) else {
        return truncate(text, PROBLEM).into_owned();
    };
    let found = match found.split_once(' ') {
        Some(("string", value)) => Cow::Owned(format!("the string {}", truncate(value, 80))),
        Some(("integer" | "boolean", value)) => Cow::Borrowed(value.trim_matches('`')),
        Some(("floating", value)) => {
            Cow::Borrowed(value.trim_start_matches("point ").trim_matches('`'))
        }
        _ => match found {
            "map" => "an object".into(),
            "sequence" => "a list".into(),
            other => other.into(),
        },
    };
    format!("is {found}, and must be {expected}")
}
