//! What is unknown, in words, and how it can be made known.

use super::reference::{Part, parts};
use crate::model::planned::Unknown;

/// An attribute that is known only after the plan is applied.
pub(super) fn unknown(attribute: impl Into<String>, references: &[String]) -> Unknown {
    Unknown {
        attribute: attribute.into(),
        expression: (!references.is_empty()).then(|| references.join(", ")),
        advice: advice(references),
    }
}

fn advice(references: &[String]) -> String {
    for reference in references {
        let Some(parts) = parts(reference) else {
            continue;
        };
        let names: Vec<&str> = parts
            .iter()
            .filter_map(|part| match part {
                Part::Name(name) => Some(name.as_str()),
                Part::Key(_) => None,
            })
            .collect();
        match names.as_slice() {
            ["var", name, ..] => {
                return format!(
                    "write the value as a constant, or hand the variable {name} a value that does not depend on resources to be created"
                );
            }
            ["local", name, ..] => {
                return format!(
                    "plans leave local values out: give --source DIR, or write the value of local.{name} as a constant"
                );
            }
            ["each" | "count" | "path" | "terraform", ..] => {}
            ["data", data_type, name, ..] => {
                return format!(
                    "data.{data_type}.{name} is read only while the plan is applied: apply what it depends on first, then plan again"
                );
            }
            ["module", name, ..] => {
                return format!(
                    "apply module.{name} first (terraform apply -target=module.{name}), then plan again"
                );
            }
            [resource_type, name, ..] => {
                return format!(
                    "apply {resource_type}.{name} first (terraform apply -target={resource_type}.{name}), then plan again, or write the value as a constant"
                );
            }
            _ => {}
        }
    }
    "write the value as a constant, or check again after the plan is applied".to_owned()
}
