//! What kind of deployment a file describes, by its content.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;

use super::InputError;
use crate::model::planned::DeploymentKind;

const NO_KIND: &str = "it is neither a plan of Terraform or OpenTofu (terraform show -json PLANFILE), nor a template or a change set of CloudFormation";

/// The kind of a file with a deployment.
///
/// # Errors
/// When it is none.
pub fn deployment_kind(file: &str, text: &str) -> Result<DeploymentKind, InputError> {
    let error = |problem: &str| Err(InputError::of_file(file, problem));
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim_start();
    if text.is_empty() {
        return error("it is empty: did the command that should have written it fail?");
    }
    if text.starts_with("PK\u{3}\u{4}") {
        return error(
            "it is a plan file of Terraform: print it with `terraform show -json PLANFILE`",
        );
    }
    if !text.starts_with('{') {
        return if text.lines().any(|line| line.starts_with("Resources:")) {
            Ok(DeploymentKind::Template)
        } else {
            error(NO_KIND)
        };
    }
    // Two documents in a row are the lines of `terraform plan -json`.
    let mut documents =
        serde_json::Deserializer::from_str(text).into_iter::<BTreeMap<String, IgnoredAny>>();
    let members = match documents.next() {
        Some(Ok(members)) => members,
        Some(Err(problem)) => {
            return Err(InputError::of_file(
                file,
                format!("not a JSON document: {problem}"),
            ));
        }
        None => return error(NO_KIND),
    };
    let has = |names: &[&str]| names.iter().any(|name| members.contains_key(*name));
    if has(&["@level", "@message"]) {
        return error(
            "it has the messages of `terraform plan -json`, not the plan: write the plan with `terraform plan -out=PLANFILE` and print it with `terraform show -json PLANFILE`",
        );
    }
    if has(&[
        "format_version",
        "resource_changes",
        "planned_values",
        "terraform_version",
    ]) {
        return Ok(DeploymentKind::Terraform);
    }
    if has(&["Changes", "ChangeSetName", "ChangeSetId"]) {
        return Ok(DeploymentKind::ChangeSet);
    }
    if has(&["Resources", "AWSTemplateFormatVersion"]) {
        return Ok(DeploymentKind::Template);
    }
    error(NO_KIND)
}
