//! The envelope of EventBridge, and what it holds.
//!
//! Account and Region are the envelope's, never the caller's (`userIdentity.accountId`).

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use serde::Deserialize as _;
use serde_json::Value;

use super::{
    Action, ChangeProof, Kind, Record, Trigger, TriggerError, cloudtrail, config, custom_action,
    tag_change,
};
use crate::model::{AccountId, Region};

pub(super) fn classify(event: &Value) -> Result<Trigger, TriggerError> {
    let event = EventBridgeEvent::<Value>::deserialize(event)
        .map_err(|error| TriggerError::Envelope(error.to_string()))?;
    let mut trigger = Trigger {
        kind: Kind::Other,
        event: Some(event.detail_type.clone()),
        account: event.account.map(AccountId::new),
        region: event.region.map(Region::new),
        action: Action::Sweep(None),
        record: Record {
            id: event.id,
            ..Record::default()
        },
        proof: ChangeProof::Nothing,
    };
    match (event.source.as_str(), event.detail_type.as_str()) {
        ("aws.ec2", "AWS API Call via CloudTrail") => {
            cloudtrail::classify(&event.detail, &mut trigger)?
        }
        ("aws.events" | "aws.scheduler", "Scheduled Event") => trigger.kind = Kind::Schedule,
        ("aws.config", "Config Configuration Item Change") => {
            config::classify(&event.detail, &mut trigger)
        }
        ("aws.config", oversized) if oversized.starts_with("Oversized") => {
            config::classify(&event.detail, &mut trigger)
        }
        ("aws.tag", "Tag Change on Resource") => {
            tag_change::classify(
                &event.detail,
                &event.resources.unwrap_or_default(),
                &mut trigger,
            );
        }
        ("aws.securityhub", "Security Hub Findings - Custom Action") => {
            custom_action::classify(&event.detail, &mut trigger)
        }
        (source, detail_type) => {
            trigger.action = Action::Ignore(format!(
                "an event {detail_type:?} of {source:?} changes no security group"
            ));
        }
    }
    Ok(trigger)
}
