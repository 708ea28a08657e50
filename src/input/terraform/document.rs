//! What `terraform show -json` prints of a plan, as far as it is needed. Source:
//! <https://developer.hashicorp.com/terraform/internals/json-format>.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;
use serde_json::value::RawValue;

#[derive(Debug, Deserialize)]
pub(super) struct Document<'a> {
    pub(super) format_version: Option<String>,
    #[serde(default)]
    pub(super) errored: Option<bool>,
    #[serde(default)]
    pub(super) complete: Option<bool>,
    #[serde(default, borrow)]
    pub(super) resource_changes: Option<Vec<ResourceChange<'a>>>,
    #[serde(default, borrow)]
    pub(super) deferred_changes: Option<Vec<DeferredChange<'a>>>,
    #[serde(default)]
    pub(super) configuration: Option<Configuration>,
    #[serde(default)]
    pub(super) variables: Option<BTreeMap<String, Variable>>,
    /// Every plan has them, and no state.
    #[serde(default)]
    pub(super) planned_values: Option<PlannedValues>,
}

/// The resources as they will be: read for their types alone, since `resource_changes` has their values.
#[derive(Debug, Deserialize)]
pub(super) struct PlannedValues {
    #[serde(default)]
    root_module: Option<PlannedModule>,
}

#[derive(Debug, Deserialize)]
struct PlannedModule {
    #[serde(default)]
    resources: Option<Vec<PlannedType>>,
    #[serde(default)]
    child_modules: Option<Vec<Self>>,
}

#[derive(Debug, Deserialize)]
struct PlannedType {
    #[serde(default, rename = "type")]
    resource_type: Option<String>,
}

impl PlannedValues {
    /// Whether there is a resource of one of these types.
    pub(super) fn has_any(&self, types: &[&str]) -> bool {
        let mut modules: Vec<_> = self.root_module.iter().collect();
        while let Some(module) = modules.pop() {
            let mut resources = module.resources.iter().flatten();
            if resources.any(|one| {
                let name = one.resource_type.as_deref();
                name.is_some_and(|name| types.contains(&name))
            }) {
                return true;
            }
            modules.extend(module.child_modules.iter().flatten());
        }
        false
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct DeferredChange<'a> {
    #[serde(borrow)]
    pub(super) resource_change: ResourceChange<'a>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Variable {
    #[serde(default)]
    pub(super) value: Json,
}

#[derive(Debug, Deserialize)]
pub(super) struct ResourceChange<'a> {
    pub(super) address: String,
    #[serde(default)]
    pub(super) module_address: Option<String>,
    pub(super) mode: String,
    #[serde(rename = "type")]
    pub(super) resource_type: String,
    pub(super) name: String,
    #[serde(default)]
    pub(super) index: Option<Json>,
    /// Of an object that was replaced and is still to be destroyed.
    #[serde(default)]
    pub(super) deposed: Option<String>,
    #[serde(borrow)]
    pub(super) change: &'a RawValue,
}

#[derive(Debug, Deserialize)]
pub(super) struct Change {
    pub(super) actions: Vec<String>,
    #[serde(default)]
    pub(super) before: Json,
    #[serde(default)]
    pub(super) after: Json,
    #[serde(default)]
    pub(super) after_unknown: Json,
    #[serde(default)]
    pub(super) before_sensitive: Json,
    #[serde(default)]
    pub(super) after_sensitive: Json,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Configuration {
    #[serde(default)]
    pub(super) root_module: Module,
    #[serde(default)]
    pub(super) provider_config: BTreeMap<String, Json>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Module {
    #[serde(default)]
    pub(super) resources: Vec<Resource>,
    #[serde(default)]
    pub(super) module_calls: BTreeMap<String, Call>,
    #[serde(default)]
    pub(super) outputs: BTreeMap<String, Output>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Resource {
    pub(super) mode: String,
    #[serde(rename = "type")]
    pub(super) resource_type: String,
    pub(super) name: String,
    #[serde(default)]
    pub(super) provider_config_key: String,
    #[serde(default)]
    pub(super) expressions: BTreeMap<String, Json>,
    #[serde(default)]
    pub(super) for_each_expression: Json,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Call {
    #[serde(default)]
    pub(super) expressions: BTreeMap<String, Json>,
    #[serde(default)]
    pub(super) for_each_expression: Json,
    #[serde(default)]
    pub(super) module: Module,
}

#[derive(Debug, Deserialize)]
pub(super) struct Output {
    #[serde(default)]
    pub(super) expression: Json,
}
