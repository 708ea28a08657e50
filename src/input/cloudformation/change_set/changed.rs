//! One resource of a change set, with its properties before and after.

use super::answer::ResourceChange;
use crate::input::cloudformation::CloudFormationError;
use crate::input::cloudformation::node::Node;
use crate::input::cloudformation::scope::{DEFAULT_GROUP, GROUP, VPC};
use crate::model::GroupId;
use crate::model::planned::Action;

/// A resource of interest, with its properties before and after.
pub(super) struct Changed {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) group_id: Option<GroupId>,
    pub(super) action: Action,
    before: Option<Node>,
    after: Option<Node>,
}

impl Changed {
    pub(super) fn read(file: &str, resource: ResourceChange) -> Result<Self, CloudFormationError> {
        let ResourceChange {
            action,
            logical_resource_id: id,
            resource_type: kind,
            ..
        } = resource;
        let context = |text: Option<&str>, name: &str| {
            let Some(text) = text else {
                return Err(CloudFormationError::of_file(
                    file,
                    format!(
                        "{id} has no `{name}`: ask with `describe-change-set --include-property-values`"
                    ),
                ));
            };
            Node::read(text).map_err(|error| {
                CloudFormationError::of_file(file, format!("{name} of {id}: {error}"))
            })
        };
        let before = || context(resource.before_context.as_deref(), "BeforeContext").map(Some);
        let after = || context(resource.after_context.as_deref(), "AfterContext").map(Some);
        let stays = resource.policy_action.as_deref() == Some("Retain");
        let (action, before, after) = match (action.as_str(), resource.replacement.as_deref()) {
            ("Add", _) => (Action::Create, None, after()?),
            ("Import", _) => (Action::Update, None, after()?),
            ("Remove", _) if stays => (Action::Forget, before()?, before()?),
            ("Remove", _) => (Action::Delete, before()?, None),
            ("Modify", Some("True")) => (Action::Replace, before()?, after()?),
            ("Modify", _) => (Action::Update, before()?, after()?),
            // It is known only after the deployment.
            ("Dynamic", _) => (Action::Update, before()?, after()?),
            (other, _) => {
                return Err(CloudFormationError::of_file(
                    file,
                    format!("{id} has the action {other:?}, which is not known"),
                ));
            }
        };
        let physical = resource.physical_resource_id.as_deref();
        Ok(Self {
            group_id: physical.and_then(GroupId::parse),
            id,
            kind,
            action,
            before,
            after,
        })
    }

    pub(super) fn context(&self, is_after: bool) -> Option<&Node> {
        let context = if is_after { &self.after } else { &self.before };
        context.as_ref()
    }

    pub(super) fn property(&self, name: &str, is_after: bool) -> Option<&Node> {
        self.context(is_after)?.get("Properties")?.get(name)
    }

    /// The address of the group that it is.
    pub(super) fn address(&self) -> Option<String> {
        match self.kind.as_str() {
            GROUP => Some(self.id.clone()),
            VPC => Some(format!("{}.{DEFAULT_GROUP}", self.id)),
            _ => None,
        }
    }

    /// Whether the group gets an id that nobody knows yet.
    pub(super) fn is_new(&self) -> bool {
        matches!(self.action, Action::Create | Action::Replace)
    }
}
