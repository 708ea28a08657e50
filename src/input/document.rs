//! One JSON document: a group, a list, an answer of EC2, or a document of another kind, which is named.

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::error::{InputError, Problem};
use super::kind::{kind, not_groups};
use super::members::Members;
use super::strict::{Member, Rules, Strict};
use super::words::{explain, words};
use crate::model::SecurityGroup;
use crate::text::truncate;

pub(super) const DESCRIBE_GROUPS: &str = "aws ec2 describe-security-groups";

/// The output of every AWS CLI and SDK has the pairs of an ingress permission, null where there are none. Only a
/// projection (`--query`) leaves them out, and makes PASSED of FAILED.
const OF_FILES: Rules = Rules {
    required: &[Member {
        of: "IpPermissions",
        name: "UserIdGroupPairs",
    }],
    refused: &["SecurityGroups", "NextToken"],
    command: DESCRIBE_GROUPS,
};
const LENIENT: Rules = Rules {
    required: &[],
    refused: &[],
    command: DESCRIBE_GROUPS,
};
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

/// A document that cannot be used.
pub(super) struct Unusable {
    /// The number of lines between the beginning of the document and what is wrong.
    pub(super) lines: usize,
    pub(super) problem: Problem,
}

impl<P: Into<Problem>> From<P> for Unusable {
    fn from(problem: P) -> Self {
        Self {
            lines: 0,
            problem: problem.into(),
        }
    }
}

/// Reads text that is one JSON value.
pub(super) fn read(json: &str) -> Result<Document<'_>, Unusable> {
    match json.as_bytes().first() {
        Some(b'[') => Ok(Document::List(parse(json)?)),
        Some(b'{') => object(json),
        _ => Err(not_groups(&format!("it is {}", truncate(json, 40))).into()),
    }
}

fn parse<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, Unusable> {
    serde_json::from_str(json).map_err(|error| words(&error).into())
}

fn object(json: &str) -> Result<Document<'_>, Unusable> {
    let members: Members<'_> = parse(json)?;
    if let Some(groups) = members.groups()? {
        return Ok(Document::List(groups));
    }
    let is_rule = members.has("SecurityGroupRuleId");
    if is_rule || !members.has("GroupId") && !members.has("IpPermissions") {
        return Err(kind(&members).into());
    }
    match serde_json::from_str(json) {
        Ok(FileGroup(group)) => Ok(Document::Group(Box::new(group))),
        Err(error) => Err(Unusable {
            lines: error.line().saturating_sub(1),
            problem: explain(json, &members, &OF_FILES).into(),
        }),
    }
}
