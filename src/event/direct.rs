//! The bare shapes: `{"action":"sweep"}` and `{"action":"evaluate","group_ids":["sg-…"]}`.

use serde_json::Value;

use super::{Action, ChangeProof, Kind, Record, Target, Trigger, TriggerError, group_id};

pub(super) fn classify(action: &Value, group_ids: Option<&Value>) -> Result<Trigger, TriggerError> {
    let action = match action.as_str() {
        Some("sweep") => Action::Sweep(None),
        Some("evaluate") => Action::Evaluate(targets(group_ids)?),
        _ => {
            return Err(TriggerError::Direct(format!(
                "action is {action}, not \"sweep\" or \"evaluate\""
            )));
        }
    };
    Ok(Trigger {
        kind: Kind::Direct,
        event: None,
        account: None,
        region: None,
        action,
        record: Record::default(),
        proof: ChangeProof::Nothing,
    })
}

fn targets(group_ids: Option<&Value>) -> Result<Vec<Target>, TriggerError> {
    let ids = group_ids
        .and_then(Value::as_array)
        .filter(|ids| !ids.is_empty())
        .ok_or_else(|| {
            TriggerError::Direct(
                "evaluate needs group_ids, a list of one group id or more".to_owned(),
            )
        })?;
    ids.iter()
        .map(|id| {
            let group_id = id.as_str().and_then(group_id);
            group_id.map(Target::GroupId).ok_or_else(|| {
                TriggerError::Direct(format!(
                    "{id} in group_ids has not the form of a group id (sg-…)"
                ))
            })
        })
        .collect()
}
