//! Bare actions: `{"action":"sweep"}`, `{"action":"evaluate","group_ids":["sg-…"]}`, both also for another account
//! (`"account":"…"`), and `{"action":"sweep-all"}`.
//!
//! A member that an action does not take is an error: a misspelt `group_ids` must not be passed over.

use serde_json::{Map, Value};

use super::member::{account, quote};
use super::{Action, Kind, Target, Trigger, TriggerError, group_id, unique};

pub(super) const MEMBER: &str = "action";
const GROUP_IDS: &str = "group_ids";
const ACCOUNT: &str = "account";

pub(super) fn classify(members: &Map<String, Value>) -> Result<Trigger, TriggerError> {
    let action = members.get(MEMBER).unwrap_or(&Value::Null);
    let action = match action.as_str() {
        Some("sweep") => {
            takes_only(&[MEMBER, ACCOUNT], members, "{\"action\":\"sweep\"}")?;
            Action::Sweep(None)
        }
        Some("sweep-all") => {
            takes_only(&[MEMBER], members, "{\"action\":\"sweep-all\"}")?;
            Action::SweepAll
        }
        Some("evaluate") => {
            let form = "{\"action\":\"evaluate\",\"group_ids\":[\"sg-…\"]}";
            takes_only(&[MEMBER, GROUP_IDS, ACCOUNT], members, form)?;
            Action::Evaluate(targets(members.get(GROUP_IDS))?)
        }
        _ => {
            return Err(TriggerError::Direct(format!(
                "action is {}, not \"sweep\", \"evaluate\" or \"sweep-all\"",
                quote(action)
            )));
        }
    };
    let account =
        account(members, ACCOUNT).map_err(|fault| TriggerError::Direct(fault.to_string()))?;
    Ok(Trigger {
        account,
        ..Trigger::new(Kind::Direct, action)
    })
}

fn takes_only(
    taken: &[&str],
    members: &Map<String, Value>,
    form: &str,
) -> Result<(), TriggerError> {
    let mut names = members.keys().map(String::as_str);
    match names.find(|name| !taken.contains(name)) {
        Some(unknown) => Err(TriggerError::Direct(format!(
            "unknown member {}: the form is {form}",
            quote(&Value::from(unknown))
        ))),
        None => Ok(()),
    }
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
    let target = |id: &Value| {
        let group_id = id.as_str().and_then(group_id);
        group_id.map(Target::GroupId).ok_or_else(|| {
            TriggerError::Direct(format!(
                "{} in group_ids is not a group id (sg-…)",
                quote(id)
            ))
        })
    };
    Ok(unique(ids.iter().map(target).collect::<Result<_, _>>()?))
}
