//! Security groups of a deployment that has not happened yet: what stands before it, what after it, and what is known
//! only once it is done.
//!
//! # How a reader produces them
//!
//! A reader (`input::terraform`, …) gives one [`PlannedGroup`] for each security group that the file has, manages, or
//! adds rules to. It unites inline rules and rules of their own in [`GroupState::permissions`], each with the address
//! and the position of the resource that has it, as they are written: [`crate::plan`] makes EC2 permissions of them
//! (it drops the ports of protocols without ports) and fills in what is unknown.
//!
//! * A scalar that is unknown is a [`Value::Unknown`]. A list or a block that is unknown as a whole is
//!   [`PlannedPermission::anything`], or a source that [may be absent](PlannedSource::may_be_absent).
//! * A source that is known to be there, but not who it is, is a [`Who::Unknown`]: the same `key` is the same source.
//!   Its `candidates`, when there are any, are all that it can be.
//! * A source in the same file is a [`Who::Planned`] by its address, whether its id is known or not.
//! * What is there only if something unknown is true [may be absent](PlannedPermission::may_be_absent).

mod same;

use std::collections::BTreeMap;
use std::fmt;

pub(crate) use same::remove;

use super::{AccountId, GroupId, PeeringConnectionId, Protocol, VpcId};

/// Where a resource stands in a file that people edit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// As it is given, or relative to the folder of the sources; with `/`.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, where known.
    pub column: Option<usize>,
}

/// What is known only after the deployment, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Unknown {
    /// Of its resource: `ingress[0].to_port`.
    pub attribute: String,
    /// What the value comes from, as the file has it: `var.port`.
    pub expression: Option<String>,
    /// How to make it known.
    pub advice: String,
}

/// A value that is known, or is not yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<T> {
    Known(T),
    Unknown(Unknown),
}

/// What the deployment does with a group itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The group stays as it is.
    Keep,
    Create,
    Update,
    Replace,
    Delete,
    /// The group stays, and is no longer managed.
    Forget,
    /// The group is managed elsewhere, or not at all: only rules of it are known.
    Outside,
}

/// A security group before and after a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedGroup {
    /// `module.db.aws_security_group.db`, a logical id, or the group's id where the file has only rules of it.
    pub address: String,
    pub position: Option<Position>,
    pub action: Action,
    /// Whether the deployment changes the group or a rule of it.
    pub is_changed: bool,
    /// Absent of a group that is created.
    pub before: Option<GroupState>,
    /// Absent of a group that is deleted.
    pub after: Option<GroupState>,
}

/// The account that owns a group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    Known(AccountId),
    /// Not known; owners with the same key are the same account.
    Same(String),
}

/// A group's tags.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PlannedTags {
    pub tags: BTreeMap<String, Value<String>>,
    /// Why there may be others, or other values.
    pub others: Option<Unknown>,
}

/// A group at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupState {
    /// Absent until the group is created.
    pub group_id: Option<GroupId>,
    pub group_name: Value<Option<String>>,
    /// Whether the name must not be shown.
    pub is_name_sensitive: bool,
    pub owner: Owner,
    pub vpc_id: Value<Option<VpcId>>,
    pub tags: PlannedTags,
    pub permissions: Vec<PlannedPermission>,
    /// [Anything](PlannedPermission::anything), where the group may have rules that are not among the permissions.
    pub unlisted: Option<Box<PlannedPermission>>,
}

/// An ingress rule as it is written, with all its sources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedPermission {
    /// The address of the resource that has the rule: the group's own for an inline one.
    pub rule: String,
    pub position: Option<Position>,
    /// Why the permission may not be there at all.
    pub may_be_absent: Option<Unknown>,
    pub protocol: Value<Protocol>,
    pub from_port: Value<Option<i64>>,
    pub to_port: Value<Option<i64>>,
    pub sources: Vec<PlannedSource>,
    /// Address ranges of either family, as far as they are known.
    pub ranges: Vec<String>,
    pub prefix_lists: Vec<String>,
    /// Whether its values must not be shown.
    pub is_sensitive: bool,
}

/// A security group that a permission names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedSource {
    pub who: Who,
    /// Why the source may not be there at all.
    pub may_be_absent: Option<Unknown>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// The group that has the permission.
    Itself,
    /// A group of the same file, by its address.
    Planned(String),
    Group {
        group_id: GroupId,
        /// Absent where it is the target's.
        owner: Option<AccountId>,
        /// Where the group is reached over a peering connection.
        peering: Option<PeeringConnectionId>,
    },
    /// A group of which only the name is known.
    Named {
        name: String,
        owner: Option<AccountId>,
    },
    Unknown {
        unknown: Unknown,
        /// The expression in its scope: two sources of one key are one group.
        key: String,
        /// The addresses of all groups that it can be; empty when it can be any.
        candidates: Vec<String>,
    },
}

/// A resource that may make or change security groups and that no reader reads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NotRead {
    pub address: String,
    pub resource_type: String,
    pub why: String,
}

/// What kind of file a deployment was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeploymentKind {
    Terraform,
    Template,
    ChangeSet,
}

/// Everything that a reader finds in one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    pub kind: DeploymentKind,
    /// By address, each once.
    pub groups: Vec<PlannedGroup>,
    pub not_read: Vec<NotRead>,
    /// What a reader of the verdicts must know, in sentences.
    pub notes: Vec<String>,
}

impl DeploymentKind {
    /// The word in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Terraform => "terraform",
            Self::Template => "cloudformation",
            Self::ChangeSet => "change-set",
        }
    }
}

impl Action {
    /// The word in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Create => "create",
            Self::Update => "update",
            Self::Replace => "replace",
            Self::Delete => "delete",
            Self::Forget => "forget",
            Self::Outside => "outside",
        }
    }
}

impl<T> Value<T> {
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown(_) => None,
        }
    }

    pub fn unknown(&self) -> Option<&Unknown> {
        match self {
            Self::Known(_) => None,
            Self::Unknown(unknown) => Some(unknown),
        }
    }
}

impl<T> From<T> for Value<T> {
    fn from(value: T) -> Self {
        Self::Known(value)
    }
}

impl PlannedSource {
    /// One that is certainly there.
    #[must_use]
    pub fn new(who: Who) -> Self {
        Self {
            who,
            may_be_absent: None,
        }
    }

    /// Groups that are not known, or none: a list that is unknown as a whole.
    #[must_use]
    pub fn unknown_list(unknown: Unknown, key: String, candidates: Vec<String>) -> Self {
        Self {
            may_be_absent: Some(unknown.clone()),
            who: Who::Unknown {
                unknown,
                key,
                candidates,
            },
        }
    }

    /// All that is not known of it.
    pub fn unknowns(&self) -> impl Iterator<Item = &Unknown> {
        let who = match &self.who {
            Who::Unknown { unknown, .. } => Some(unknown),
            _ => None,
        };
        self.may_be_absent.iter().chain(who)
    }
}

impl PlannedPermission {
    /// Rules of which nothing is known, not even whether there are any.
    #[must_use]
    pub fn anything(rule: String, position: Option<Position>, unknown: Unknown) -> Self {
        Self {
            sources: vec![PlannedSource::unknown_list(
                unknown.clone(),
                format!("{rule}: {}", unknown.attribute),
                Vec::new(),
            )],
            rule,
            position,
            may_be_absent: Some(unknown.clone()),
            protocol: Value::Unknown(unknown.clone()),
            from_port: Value::Unknown(unknown.clone()),
            to_port: Value::Unknown(unknown),
            ranges: Vec::new(),
            prefix_lists: Vec::new(),
            is_sensitive: false,
        }
    }

    /// All traffic from the group itself, as EC2 makes it for the default group of a new VPC.
    #[must_use]
    pub fn from_itself(rule: String, position: Option<Position>) -> Self {
        Self {
            rule,
            position,
            may_be_absent: None,
            protocol: Value::Known(Protocol::ALL),
            from_port: Value::Known(None),
            to_port: Value::Known(None),
            sources: vec![PlannedSource::new(Who::Itself)],
            ranges: Vec::new(),
            prefix_lists: Vec::new(),
            is_sensitive: false,
        }
    }

    /// All that is not known of it.
    pub fn unknowns(&self) -> impl Iterator<Item = &Unknown> {
        self.may_be_absent
            .iter()
            .chain(self.protocol.unknown())
            .chain(self.from_port.unknown())
            .chain(self.to_port.unknown())
            .chain(self.sources.iter().flat_map(PlannedSource::unknowns))
    }
}

impl GroupState {
    /// The permissions, and what may be beside them.
    pub fn all_permissions(&self) -> impl Iterator<Item = &PlannedPermission> {
        self.permissions.iter().chain(self.unlisted.as_deref())
    }

    /// All that is not known of the group and bears on its verdict; the same is told once.
    #[must_use]
    pub fn unknowns(&self) -> Vec<&Unknown> {
        let mut seen = Vec::new();
        let of_rules = self
            .all_permissions()
            .filter(|permission| !permission.sources.is_empty())
            .flat_map(PlannedPermission::unknowns);
        for unknown in of_rules {
            if !seen.contains(&unknown) {
                seen.push(unknown);
            }
        }
        seen
    }
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.file, self.line)
    }
}
