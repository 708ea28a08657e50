//! Where security groups come from.
//!
//! [`GroupSource`] is EC2 in the function, and a [`Snapshot`] of an account on the command line. What a source answers
//! is an observation: the groups, and the moment the answer arrived.

use std::future::Future;
use std::io::BufRead;

use jiff::Timestamp;

use crate::model::{AccountId, GroupId, SecurityGroup, VpcId};
use crate::policy::Rule;

pub mod documents;

use documents::{Documents, InputError};

/// Which groups.
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

/// Groups as they were at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// The groups.
    pub groups: Vec<SecurityGroup>,
    /// When the answer arrived.
    pub at: Timestamp,
}

/// One page of all groups that the account owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// What it has.
    pub observation: Observation,
    /// What to ask the next page with; absent on the last.
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
    fn rules(&self, ids: &[GroupId])
    -> impl Future<Output = Result<Vec<Rule>, SourceError>> + Send;

    /// May an answer be older than the events that led to the question? Then it is worth asking again.
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
    /// Is it worth asking again?
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

/// The groups of an account as a file has them: the embedded default in place of EC2.
#[derive(Debug, Clone)]
pub struct Snapshot {
    groups: Vec<SecurityGroup>,
    account: Option<AccountId>,
    at: Timestamp,
}

impl Snapshot {
    /// Reads a snapshot: the same JSON that `check` takes. One bad document makes the whole unusable: a group that
    /// could not be read must not look like one that is gone.
    ///
    /// # Errors
    /// When a document cannot be read, or an id stands twice.
    pub fn read(name: &str, reader: impl BufRead, at: Timestamp) -> Result<Self, InputError> {
        let groups = Documents::new(name, reader).collect::<Result<Vec<_>, _>>()?;
        let mut ids: Vec<_> = groups.iter().map(|group| &group.group_id).collect();
        ids.sort_unstable();
        if let Some(twice) = ids.windows(2).find_map(|pair| {
            if let [a, b] = pair {
                (a == b).then_some(*a)
            } else {
                None
            }
        }) {
            return Err(InputError::of_file(
                name,
                format!("security group {twice} stands there twice: which is it?"),
            ));
        }
        Ok(Self {
            groups,
            account: None,
            at,
        })
    }

    /// The same, seen by the account that owns some of its groups.
    #[must_use]
    pub fn seen_by(mut self, account: AccountId) -> Self {
        self.account = Some(account);
        self
    }

    /// All groups in it.
    #[must_use]
    pub fn groups(&self) -> &[SecurityGroup] {
        &self.groups
    }

    fn observe(&self, owner: Owner, is_meant: impl Fn(&SecurityGroup) -> bool) -> Observation {
        let is_own = |group: &SecurityGroup| match (&group.owner_id, &self.account) {
            (Some(of_group), Some(account)) => of_group == account,
            _ => true,
        };
        let groups = self
            .groups
            .iter()
            .filter(|group| is_meant(group) && (owner == Owner::Any || is_own(group)));
        Observation {
            groups: groups.cloned().collect(),
            at: self.at,
        }
    }
}

impl GroupSource for Snapshot {
    async fn find(&self, query: Query<'_>, owner: Owner) -> Result<Observation, SourceError> {
        Ok(self.observe(owner, |group| match query {
            Query::Ids(ids) => ids.contains(&group.group_id),
            Query::Referencing(ids) => group
                .sources()
                .any(|source| ids.iter().any(|id| id.as_str() == source)),
            Query::Names(names) => names.iter().any(|name| group.is_named(name)),
            Query::DefaultGroupsOf(vpcs) => {
                group.group_name.as_deref() == Some("default")
                    && group.vpc_id.as_ref().is_some_and(|vpc| vpcs.contains(vpc))
            }
        }))
    }

    async fn rules(&self, _: &[GroupId]) -> Result<Vec<Rule>, SourceError> {
        Ok(Vec::new())
    }

    fn is_live(&self) -> bool {
        false
    }

    async fn page(&self, _after: Option<String>) -> Result<Page, SourceError> {
        Ok(Page {
            observation: self.observe(Owner::This, |_| true),
            next: None,
        })
    }
}
