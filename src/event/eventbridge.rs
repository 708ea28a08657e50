//! Events of EventBridge: the envelope, and which kind of event it holds.
//!
//! Account and Region are the envelope's: `userIdentity.accountId` in a CloudTrail record is the caller's account.
//! The envelope is read member by member, not by a derived type, so that a message names the member that is wrong.

use serde_json::{Map, Value};

use super::member::{self, WrongMember};
use super::{
    Action, Kind, Record, Trigger, TriggerError, cloudtrail, config, custom_action, tag_change,
};

pub(super) const DETAIL_TYPE: &str = "detail-type";
/// The members of which an event of EventBridge has at least one.
pub(super) const MEMBERS: [&str; 3] = [DETAIL_TYPE, "source", "detail"];

pub(super) fn classify(event: &Map<String, Value>) -> Result<Trigger, TriggerError> {
    let Envelope {
        source,
        detail_type,
        detail,
        mut trigger,
    } = Envelope::read(event).map_err(TriggerError::EventBridge)?;
    match (source, detail_type) {
        ("aws.ec2", "AWS API Call via CloudTrail") => cloudtrail::classify(detail, &mut trigger)?,
        ("aws.events" | "aws.scheduler", "Scheduled Event") => trigger.kind = Kind::Schedule,
        ("aws.config", "Config Configuration Item Change") => {
            config::classify(detail, &mut trigger)
        }
        ("aws.config", oversized) if oversized.starts_with("Oversized") => {
            config::classify(detail, &mut trigger)
        }
        ("aws.tag", "Tag Change on Resource") => {
            let resources = resources(event).map_err(TriggerError::EventBridge)?;
            tag_change::classify(detail, &resources, &mut trigger)
        }
        ("aws.securityhub", "Security Hub Findings - Custom Action") => {
            custom_action::classify(detail, &mut trigger)
        }
        _ => {
            trigger.action = Action::Ignore(format!(
                "an event {detail_type:?} of {source:?} changes no security group"
            ));
        }
    }
    Ok(trigger)
}

struct Envelope<'a> {
    source: &'a str,
    detail_type: &'a str,
    detail: &'a Value,
    /// The trigger that the envelope alone gives: a sweep, since nothing is known of its target.
    trigger: Trigger,
}

impl<'a> Envelope<'a> {
    fn read(event: &'a Map<String, Value>) -> Result<Self, WrongMember> {
        let source = member::required_text(event, "source")?;
        let detail_type = member::required_text(event, DETAIL_TYPE)?;
        let record = Record {
            id: member::text(event, "id")?.map(str::to_owned),
            time: member::time(event, "time")?.map(str::to_owned),
            ..Record::default()
        };
        Ok(Self {
            source,
            detail_type,
            detail: event
                .get("detail")
                .ok_or_else(|| WrongMember::missing("detail"))?,
            trigger: Trigger {
                event: Some(detail_type.to_owned()),
                account: member::account(event, "account")?,
                region: member::region(event, "region")?,
                record,
                ..Trigger::new(Kind::Other, Action::Sweep(None))
            },
        })
    }
}

fn resources(event: &Map<String, Value>) -> Result<Vec<&str>, WrongMember> {
    let Some(resources) = event.get("resources").filter(|list| !list.is_null()) else {
        return Ok(Vec::new());
    };
    let list = resources
        .as_array()
        .and_then(|list| list.iter().map(Value::as_str).collect());
    list.ok_or_else(|| WrongMember::unexpected("resources", resources, "a list of ARNs"))
}
