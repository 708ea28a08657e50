//! What is wrong with a group, in words without the parser's.

use super::kind::GIVE_GROUPS;
use super::members::Members;
use super::strict::{Rules, Strict};
use crate::model::SecurityGroup;
use crate::text::{plain_problem, truncate};

/// Longest description of what is wrong, in UTF-16 units: a value of the file may stand in it.
const PROBLEM: usize = 600;

/// The error about a group: which group, which member, and what it should be.
pub(super) fn explain(json: &str, members: &Members<'_>, rules: &'static Rules) -> String {
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
    let problem = match problem
        .strip_prefix('`')
        .and_then(|rest| rest.split_once("` "))
    {
        Some((name, "is missing")) => format!("{place} has no `{name}`{}", advice(name)),
        Some((name, "stands there twice")) => format!("{place} has `{name}` twice"),
        _ => format!("{place} {problem}"),
    };
    truncate(&problem, PROBLEM).into_owned()
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
    truncate(&plain_problem(text, "an object"), PROBLEM).into_owned()
}
