//! Changes of tags as the tagging service reports them. The ARN of the group is in `resources` of the envelope.

use serde_json::Value;

use super::{Action, Kind, Trigger, group_of_arn, tagged};
use crate::text::{escape, truncate};

pub(super) fn classify(detail: &Value, resources: &[&str], trigger: &mut Trigger) {
    trigger.kind = Kind::TagChange;
    let member = |name: &str| detail.get(name).and_then(Value::as_str);
    let groups: Option<Vec<_>> = resources.iter().map(|arn| group_of_arn(arn)).collect();
    trigger.action = match (member("service"), member("resource-type"), groups) {
        (Some("ec2"), Some("security-group"), Some(groups)) if !groups.is_empty() => {
            Action::Evaluate(tagged(groups.into_iter().map(|(_, _, id)| id).collect()))
        }
        (Some(service), Some(kind), _) if (service, kind) != ("ec2", "security-group") => {
            let what = escape(service).into_owned() + " " + &escape(kind);
            Action::Ignore(format!(
                "the tags of another resource than a security group changed: {}",
                truncate(&what, 80)
            ))
        }
        _ => Action::Sweep(Some(
            "a change of tags that does not name its security group".to_owned(),
        )),
    };
}
