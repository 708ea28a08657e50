//! Where security groups come from.
//!
//! [`GroupSource`] is EC2 in the function, and a [`Snapshot`](crate::input::Snapshot) of an account on the command line. What a source answers
//! is an observation: the groups, each with the moment before the request was sent.

use std::future::Future;

use jiff::Timestamp;

use crate::model::{GroupId, GroupRule, SecurityGroup, VpcId};

/// Which groups are read.
#[derive(Debug, Clone, Copy)]
pub enum Query<'a> {
    /// Those with these ids. What is not there is absent from the answer, and no error.
    Ids(&'a [GroupId]),
    /// Those that let in one of the groups with these ids.
    Referencing(&'a [GroupId]),
    /// Those of these names in the default VPC, without regard to case, as EC2 compares names.
    Names(&'a [String]),
    /// The default groups of VPCs.
    DefaultGroupsOf(&'a [VpcId]),
}

/// Whose groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// Those that the account owns: in a shared VPC it also sees those of others, whose own function evaluates them.
    This,
    /// All that the account sees.
    Any,
}

/// A group as EC2 showed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// The group.
    pub group: SecurityGroup,
    /// The moment before the request was sent whose answer shows it.
    pub at: Timestamp,
}

/// The answer to a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// The groups.
    pub groups: Vec<Observed>,
    /// The moment before the first request was sent: what is absent was absent then, or later.
    pub at: Timestamp,
}

/// One page of all groups that the account owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The groups.
    pub groups: Vec<Observed>,
    /// The token of the next page; absent on the last.
    pub next: Option<String>,
}

/// A source of security groups.
pub trait GroupSource {
    /// The groups that the query asks for, all of them, in any order.
    fn find(
        &self,
        query: Query<'_>,
        owner: Owner,
    ) -> impl Future<Output = Result<Observation, SourceError>> + Send;

    /// The ingress rules for groups that the groups with these ids have, each with its id; none where they are not known.
    fn rules(
        &self,
        ids: &[GroupId],
    ) -> impl Future<Output = Result<Vec<GroupRule>, SourceError>> + Send;

    /// Whether an answer may be older than the events that led to the question: then it is worth asking again.
    fn is_live(&self) -> bool;

    /// A page of all groups that the account owns: the first, or the one after another.
    fn page(&self, after: Option<String>)
    -> impl Future<Output = Result<Page, SourceError>> + Send;
}

/// A source that does not answer.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It may answer later: a time-out, throttling, a fault of the service.
    #[error("{0}")]
    Unavailable(String),
    /// It will not answer however often it is asked: a denied call, credentials that are not valid.
    #[error("{0}")]
    Refused(String),
}

impl SourceError {
    /// Whether it is worth asking again.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}
