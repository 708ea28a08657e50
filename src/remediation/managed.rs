//! Whether a tool keeps a group as it is: then a rule that is revoked comes back, and the change belongs to the tool.

use std::collections::BTreeMap;

/// Tags that AWS CloudFormation sets on what a stack owns.
const CLOUDFORMATION: &str = "aws:cloudformation:";
/// Values that say that no tool manages the group.
const NOBODY: [&str; 8] = ["", "false", "no", "0", "off", "none", "manual", "unmanaged"];
/// Tools that are named as the manager of a group.
const TOOLS: [&str; 6] = [
    "terraform",
    "tofu",
    "terragrunt",
    "cloudformation",
    "pulumi",
    "crossplane",
];

/// The tag that tells that a stack or Terraform owns the group, as `key=value`.
#[must_use]
pub fn managed_by(tags: &BTreeMap<String, String>) -> Option<String> {
    let tells = |(key, value): &(&String, &String)| {
        let (key, value) = (key.to_ascii_lowercase(), value.trim().to_ascii_lowercase());
        let is_somebody = !NOBODY.contains(&value.as_str());
        match key.as_str() {
            _ if key.starts_with(CLOUDFORMATION) => true,
            "terraform" => is_somebody,
            "managed-by" | "managedby" | "managed_by" => {
                TOOLS.iter().any(|tool| value.contains(tool))
            }
            _ => key.starts_with("tf:") && is_somebody,
        }
    };
    let (key, value) = tags.iter().find(tells)?;
    Some(format!("{key}={value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(key: &str, value: &str) -> Option<String> {
        managed_by(&BTreeMap::from([
            ("Name".to_owned(), "terraform".to_owned()),
            (key.to_owned(), value.to_owned()),
        ]))
    }

    #[test]
    fn a_stack_or_terraform_is_told_by_tags() {
        for (key, value) in [
            ("aws:cloudformation:stack-name", "net"),
            ("terraform", "true"),
            ("Terraform", "yes"),
            ("managed-by", "terraform"),
            ("ManagedBy", "Terraform Cloud"),
            ("tf:module", "network/db"),
        ] {
            assert_eq!(of(key, value), Some(format!("{key}={value}")));
        }
    }

    #[test]
    fn a_value_that_says_otherwise_tells_nothing() {
        for (key, value) in [
            ("terraform", "false"),
            ("Terraform", "No"),
            ("terraform", ""),
            ("managed-by", "platform team"),
            ("ManagedBy", "manual"),
            ("tf:module", ""),
            ("owner", "terraform"),
            ("cloudformation", "net"),
        ] {
            assert_eq!(of(key, value), None, "{key}={value}");
        }
    }
}
