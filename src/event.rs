//! The events that reach the product, and what each makes it do. One file a kind of event.
//!
//! [`classify`] and [`read`] are pure and take any JSON. An event is a hint, never the truth: it says which groups to
//! fetch, and what was fetched decides. So nothing here guesses: an event that changed something but does not say what
//! becomes a sweep of the account, never "no change".
//!
//! The structs of `aws_lambda_events` are not used: its CloudTrail record refuses real events (`sessionIssuer: {}`) and
//! drops `errorCode`, and its errors do not name the member that is wrong.

use std::collections::HashSet;
use std::hash::Hash;

use jiff::Timestamp;
use serde_json::Value;

use crate::model::{AccountId, GroupId, GroupRule, Region, VpcId};

mod batch;
mod cloudtrail;
mod config;
mod config_rule;
mod custom_action;
mod direct;
mod error;
mod eventbridge;
mod member;
mod other;
mod tag_change;

pub use batch::{Batch, Message, Origin, Shape, read};
pub use error::TriggerError;
pub use member::WrongMember;

/// What an event is, what it makes the product do, and what it tells about itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Trigger {
    pub kind: Kind,
    /// The name of CloudTrail's call, the detail-type of EventBridge, or the type of AWS Config's message.
    pub event: Option<String>,
    /// Where it happened; without it, where it is read.
    pub account: Option<AccountId>,
    pub region: Option<Region>,
    /// `recipientAccountId` in the record of CloudTrail within an envelope: the envelope's account, unless one is forged.
    pub recipient: Option<AccountId>,
    pub action: Action,
    pub record: Record,
    pub proof: ChangeProof,
}

impl Trigger {
    /// An event that says nothing but what to do.
    fn new(kind: Kind, action: Action) -> Self {
        Self {
            kind,
            event: None,
            account: None,
            region: None,
            recipient: None,
            action,
            record: Record::default(),
            proof: ChangeProof::Nothing,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An EC2 call that CloudTrail recorded.
    Cloudtrail,
    /// A schedule of EventBridge.
    Schedule,
    /// A message of AWS Config: a configuration item, or the invocation of a custom rule.
    Config,
    TagChange,
    /// A custom action that somebody chose for findings in Security Hub.
    CustomAction,
    /// A bare `{"action": …}`.
    Direct,
    /// Any other event of EventBridge.
    Other,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    Evaluate(Vec<Target>),
    /// Evaluate every group of the account; the reason, where the event names no target.
    Sweep(Option<String>),
    /// Have every member account swept.
    SweepAll,
    /// Nothing, for this reason.
    Ignore(String),
}

/// A group, or groups, that an event concerns.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    GroupId(GroupId),
    /// The group of this name in the default VPC.
    GroupName(String),
    /// The default group of a VPC.
    DefaultGroupOf(VpcId),
    /// The groups of a VPC that was deleted: it took its default group along.
    GroupsOfVpc(VpcId),
    /// Every group with a rule that names this one: its tags tell how bad their violations are. Counts only with
    /// `[sensitivity]` in the settings.
    Referencing(GroupId),
}

/// What an event proves about the groups that it names, as of its time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ChangeProof {
    /// Nothing: it is not a record of a change.
    #[default]
    Nothing,
    /// The group existed.
    Existed {
        /// The rules for groups that were added to it: ingress rules, and those of which it is not known whether they
        /// are. Their ids are those of the response, where it gives them.
        added: Vec<GroupRule>,
        /// The ingress rules for groups that were removed from it.
        removed: Vec<GroupRule>,
    },
    Deleted,
}

impl ChangeProof {
    /// The group existed, and none of its ingress rules for groups changed.
    #[must_use]
    pub fn existed() -> Self {
        Self::Existed {
            added: Vec::new(),
            removed: Vec::new(),
        }
    }
}

/// Who did it, when and from where: carried into the finding. Others choose these texts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    /// `eventName`.
    pub name: Option<String>,
    /// CloudTrail's `eventID`, else the envelope's `id`.
    pub id: Option<String>,
    /// `eventTime`, else the envelope's `time`, as it stands in the event.
    pub time: Option<String>,
    /// `userIdentity.arn`, else the service or principal that called.
    pub actor: Option<String>,
    /// `sourceIPAddress`: an address, or a service's name.
    pub source_ip: Option<String>,
    /// `userAgent`.
    pub user_agent: Option<String>,
    /// `sourceIdentity`: the person behind the role session, where the session was given one.
    pub source_identity: Option<String>,
    /// `onBehalfOf`: the person of IAM Identity Center.
    pub on_behalf_of: Option<String>,
}

impl Record {
    /// The time of the event, when it can be read.
    #[must_use]
    pub fn moment(&self) -> Option<Timestamp> {
        self.time.as_deref()?.parse().ok()
    }
}

/// The values in their order, each once.
fn unique<T: Clone + Eq + Hash>(mut values: Vec<T>) -> Vec<T> {
    let mut seen = HashSet::with_capacity(values.len());
    values.retain(|value| seen.insert(value.clone()));
    values
}

/// A change of the tags of groups concerns them, and the groups that let them in.
fn tagged(ids: Vec<GroupId>) -> Vec<Target> {
    let referencing = ids.clone().into_iter().map(Target::Referencing);
    ids.into_iter()
        .map(Target::GroupId)
        .chain(referencing)
        .collect()
}

/// What one event makes the product do; events within other documents are [`read`].
///
/// # Errors
/// When it is no event of a known shape; never for an event that is merely not ours.
pub fn classify(event: &Value) -> Result<Trigger, TriggerError> {
    let Value::Object(members) = event else {
        return Err(TriggerError::unknown_shape(event));
    };
    let has_any = |names: &[&str]| names.iter().any(|name| members.contains_key(*name));
    if has_any(&eventbridge::MEMBERS) {
        eventbridge::classify(members)
    } else if has_any(&[direct::MEMBER]) {
        direct::classify(members)
    } else if has_any(&[config_rule::MEMBER]) {
        config_rule::classify(members)
    } else if config::is_message(members) {
        config::classify_message(members).map_err(TriggerError::Config)
    } else if let Some(what) = other::name(members) {
        Err(TriggerError::NotAnEvent(what))
    } else if has_any(&cloudtrail::MEMBERS) {
        cloudtrail::classify_bare(members)
    } else {
        Err(TriggerError::unknown_shape(event))
    }
}

/// Longest id that is taken for one: EC2's have 21 characters at most. A filter refuses a value that is too long, and a
/// refused filter fails the call for every other event of its batch.
const LONGEST_ID: usize = 64;

fn group_id(text: &str) -> Option<GroupId> {
    GroupId::parse(text).filter(|_| text.len() <= LONGEST_ID)
}

fn vpc_id(text: &str) -> Option<VpcId> {
    VpcId::parse(text).filter(|_| text.len() <= LONGEST_ID)
}

/// The group in an ARN of one, with its Region and account: `arn:aws:ec2:<region>:<account>:security-group/<id>`.
fn group_of_arn(arn: &str) -> Option<(Region, AccountId, GroupId)> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", _, "ec2", region, account, group] = parts.as_slice() else {
        return None;
    };
    let id = group_id(group.strip_prefix("security-group/")?)?;
    Some((Region::new(*region), AccountId::new(*account), id))
}
