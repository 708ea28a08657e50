//! The members of the answer that are read.

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Answer {
    pub(super) changes: Vec<Change>,
    #[serde(default)]
    pub(super) status: Option<String>,
    #[serde(default)]
    pub(super) status_reason: Option<String>,
    #[serde(default)]
    pub(super) next_token: Option<String>,
    #[serde(default)]
    pub(super) stack_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Change {
    #[serde(default)]
    pub(super) resource_change: Option<ResourceChange>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ResourceChange {
    pub(super) action: String,
    pub(super) logical_resource_id: String,
    pub(super) resource_type: String,
    #[serde(default)]
    pub(super) physical_resource_id: Option<String>,
    #[serde(default)]
    pub(super) replacement: Option<String>,
    #[serde(default)]
    pub(super) policy_action: Option<String>,
    /// JSON in a text.
    #[serde(default)]
    pub(super) before_context: Option<String>,
    #[serde(default)]
    pub(super) after_context: Option<String>,
}
