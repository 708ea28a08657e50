//! FindingFilter events there are, what they look like, and what each makes the product do.
//!
//! [`classify`] is pure and takes any JSON. An event is a hint, never the truth: it says which groups to fetch, and
//! what was fetched decides. So nothing here guesses: an event that changed something but does not say what becomes a
//! sweep of the account, never "no change".
//!
//! The typed CloudTrail structs of `aws_lambda_events` are not used on purpose: they refuse real events
//! (`sessionIssuer: {}`), drop `errorCode`, and an error before the handler cannot be explained to anyone. Its
//! envelopes are right, and used.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::model::{AccountId, GroupId, GroupRule, Region, VpcId};

mod batch;
mod cloudtrail;
mod config;
mod custom_action;
mod direct;
mod envelope;
mod tag_change;

pub use batch::{Batch, Message, Shape, read};

/// What an event is, what it makes the product do, and what it tells about itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Trigger {
    /// FindingFilter kind of event.
    pub kind: Kind,
    /// The call's name (CloudTrail), or the event's detail-type.
    pub event: Option<String>,
    /// The envelope's account: where it happened.
    pub account: Option<AccountId>,
    /// The envelope's Region.
    pub region: Option<Region>,
    /// What it makes the product do.
    pub action: Action,
    /// Who did it, when and from where.
    pub record: Record,
    /// What it proves about its groups.
    pub proof: ChangeProof,
}

/// The kinds of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// An EC2 call that CloudTrail recorded.
    Cloudtrail,
    /// A schedule of EventBridge.
    Schedule,
    /// A configuration item of AWS Config.
    Config,
    /// A change of tags.
    TagChange,
    /// A custom action that somebody chose for findings in Security Hub.
    CustomAction,
    /// A bare `{"action": …}`.
    Direct,
    /// Any other event of EventBridge.
    Other,
}

/// What an event makes the product do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Evaluate these.
    Evaluate(Vec<Target>),
    /// Evaluate every group of the account; the reason, where the event names no target.
    Sweep(Option<String>),
    /// Nothing, for this reason.
    Ignore(String),
}

/// A group, or groups, that an event concerns.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// The group with this id.
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
        /// Rules for groups that were added to it: ingress rules, and those of which that is not known.
        added: Vec<GroupRule>,
        /// Ingress rules for groups that were taken from it.
        removed: Vec<GroupRule>,
    },
    /// The group was deleted.
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

/// Who did it, when, from where: carried into the finding. Data of others' choice.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    /// `eventName`.
    pub name: Option<String>,
    /// CloudTrail's `eventID`, else the envelope's `id`.
    pub id: Option<String>,
    /// `eventTime` as it stands in the event.
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
    /// The moment of the event, when it gives a readable one.
    #[must_use]
    pub fn moment(&self) -> Option<Timestamp> {
        self.time.as_deref()?.parse().ok()
    }
}

/// JSON that is no event, or one that is broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TriggerError {
    /// None of the shapes that are known.
    #[error(
        "no known shape of an event: expected an EventBridge event (with source, detail-type and detail), \
         {{\"action\":\"sweep\"}}, {{\"action\":\"evaluate\",\"group_ids\":[\"sg-…\"]}}, or such events in SQS or SNS \
         records, in a list, or in a failure record of Lambda"
    )]
    UnknownShape,
    /// It looks like an event of EventBridge but is none.
    #[error("not a well-formed EventBridge event: {0}")]
    Envelope(String),
    /// It looks like a record of CloudTrail but is none.
    #[error("not a well-formed CloudTrail record: {0}")]
    CloudTrail(&'static str),
    /// A message whose text is no JSON.
    #[error("the message is not JSON: {0}")]
    NotJson(String),
    /// A record of SQS or SNS without what it should carry.
    #[error("not a well-formed record: {0}")]
    Record(&'static str),
    /// Envelopes in envelopes, deeper than any service nests them.
    #[error("envelopes within more than {0} envelopes")]
    TooDeep(usize),
    /// A bare action that cannot be carried out.
    #[error("not a well-formed action: {0}")]
    Direct(String),
}

/// A change of the tags of groups concerns them, and the groups that let them in.
fn tagged(ids: Vec<GroupId>) -> Vec<Target> {
    let referencing = ids.clone().into_iter().map(Target::Referencing);
    ids.into_iter()
        .map(Target::GroupId)
        .chain(referencing)
        .collect()
}

/// What one event, in no envelope but EventBridge's, is and makes the product do.
///
/// # Errors
/// When it is no event of a known shape; never for an event that is merely not ours.
pub fn classify(event: &Value) -> Result<Trigger, TriggerError> {
    let Value::Object(members) = event else {
        return Err(TriggerError::UnknownShape);
    };
    if ["detail-type", "source", "detail"]
        .iter()
        .any(|name| members.contains_key(*name))
    {
        return envelope::classify(event);
    }
    if let Some(action) = members.get("action") {
        return direct::classify(action, members.get("group_ids"));
    }
    Err(TriggerError::UnknownShape)
}

/// Longest id that is taken for one: EC2's have 21 characters at most. A filter takes no value of any length, so a longer
/// one would fail the call for every other event of its batch.
const LONGEST_ID: usize = 64;

/// The id of a group, when the text has the form of one.
fn group_id(text: &str) -> Option<GroupId> {
    GroupId::parse(text).filter(|_| text.len() <= LONGEST_ID)
}

/// The id of a VPC, when the text has the form of one.
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
