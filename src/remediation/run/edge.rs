//! What a run is made on and where its journal stands.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;

use crate::model::{GroupId, RuleId};
use crate::remediation::journal::Entry;
use crate::remediation::rule::{Disagreement, GroupRules, IngressRule};

/// Whether a call changes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// EC2's `DryRun`: it only says whether the call would be allowed.
    DryRun,
    Real,
}

/// A call that did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum CallFailure {
    /// The rule is there already.
    #[error("the rule is there already")]
    Duplicate,
    /// The rule is not there.
    #[error("the rule is not there")]
    NotFound,
    /// Nobody knows whether it did: it is worth another attempt.
    #[error("{0}")]
    Unavailable(String),
    /// It did not, however often it is made.
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Disagreement(#[from] Disagreement),
}

impl CallFailure {
    pub(super) fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Disagreement(_))
    }
}

/// EC2, as far as rules are read and changed.
pub trait RuleEdge {
    /// These groups with all their ingress rules. A group that is gone is absent.
    fn targets(
        &self,
        ids: &[GroupId],
    ) -> impl Future<Output = Result<Vec<GroupRules>, CallFailure>>;

    /// Makes a rule with its description and tags. The id of the new rule, where the answer tells it.
    fn authorize(
        &self,
        group: &GroupId,
        rule: &IngressRule,
        mode: Mode,
    ) -> impl Future<Output = Result<Option<RuleId>, CallFailure>>;

    /// Revokes a rule by its id.
    fn revoke(
        &self,
        group: &GroupId,
        rule: &RuleId,
        mode: Mode,
    ) -> impl Future<Output = Result<(), CallFailure>>;

    /// Gives a rule tags.
    fn tag(
        &self,
        rule: &RuleId,
        tags: &BTreeMap<String, String>,
        mode: Mode,
    ) -> impl Future<Output = Result<(), CallFailure>>;

    /// Waits before another attempt: longer each time.
    fn pause(&self, attempt: u32) -> impl Future<Output = ()>;
}

/// Where the journal stands. An entry that is appended is there after a crash.
pub trait Log {
    /// # Errors
    /// When it may not be there after a crash.
    fn append(&mut self, entry: Entry) -> io::Result<()>;
}
