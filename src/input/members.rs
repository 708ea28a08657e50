//! The members of a JSON object, before it is known what it is.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::document::DESCRIBE_GROUPS;
use super::error::Problem;
use super::kind::GIVE_GROUPS;
use super::strict::{Name, misspelt, near_miss};
use super::words::words;
use crate::text::truncate;

/// The members by which a group is known.
pub(super) const OF_GROUP: [&str; 8] = [
    "GroupId",
    "GroupName",
    "OwnerId",
    "VpcId",
    "SecurityGroupArn",
    "IpPermissions",
    "IpPermissionsEgress",
    "Tags",
];
/// The members of an object in their order, each as often as it stands there.
pub(super) struct Members<'a>(pub(super) Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Members<'a> {
    pub(super) fn get(&self, name: &str) -> Option<&'a RawValue> {
        let mut members = self.0.iter();
        members
            .find(|(own, _)| own == name)
            .map(|(_, value)| *value)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The list of groups, if it is an answer of EC2.
    pub(super) fn groups(&self) -> Result<Option<Vec<&'a RawValue>>, Problem> {
        self.check_answer(0)?;
        let Some(groups) = self.get("SecurityGroups") else {
            return Ok(None);
        };
        match groups.get().as_bytes().first() {
            Some(b'[') => serde_json::from_str(groups.get())
                .map(Some)
                .map_err(|error| words(&error).into()),
            _ => Err(Problem::Content(format!(
                "`SecurityGroups` is {}, not a list: {GIVE_GROUPS} as it is",
                truncate(groups.get(), 40)
            ))),
        }
    }

    /// Checks what must not stand beside a list of groups, or behind `lists` of them.
    pub(super) fn check_answer(&self, lists: usize) -> Result<(), Problem> {
        self.check_pages()?;
        let names = self.0.iter().map(|(name, _)| &**name);
        for name in names.clone() {
            if let Some(known) = near_miss(name, &["SecurityGroups", "NextToken"]) {
                let problem = format!("`{name}` {}", misspelt(known, DESCRIBE_GROUPS));
                return Err(problem.into());
            }
        }
        let more = names
            .clone()
            .filter(|name| *name == "SecurityGroups")
            .count();
        match lists + more {
            0 => Ok(()),
            1 if !names.clone().any(|name| OF_GROUP.contains(&name)) => Ok(()),
            1 => Err(Problem::GroupWithGroups),
            _ => Err(Problem::TwoLists),
        }
    }

    /// Checks that an answer is not one page of several.
    pub(super) fn check_pages(&self) -> Result<(), Problem> {
        let token = self.get("NextToken").map(RawValue::get);
        match token {
            None | Some("null" | "\"\"") => Ok(()),
            Some(_) => Err(Problem::OnePage),
        }
    }
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
