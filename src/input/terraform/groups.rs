//! Groups with their inline rules.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::advice::unknown;
use super::inline::Inline;
use super::reader::{Actions, DEFAULT_GROUP, Reader, VPC, VpcTarget, default_of};
use super::values::{Attribute, Values};
use super::world::Planned;
use crate::input::InputError;
use crate::model::planned::{
    Action, GroupState, PlannedGroup, PlannedPermission, PlannedTags, Unknown, Value,
};
use crate::model::{GroupId, VpcId};

pub(super) const INGRESS: &str = "ingress";

/// A group with its own rules; rules that are resources of their own are still to be united with them.
#[derive(Debug)]
pub(super) struct ReadGroup {
    pub(super) group: PlannedGroup,
    /// Whether the configuration has the rules inline, so that `after` is what it says. Else these are the rules as they
    /// were when the plan was made, those of resources of their own among them.
    pub(super) is_inline: bool,
}

impl<'p> Reader<'_, 'p> {
    pub(super) fn group(&self, resource: &'p Planned<'p>) -> Result<ReadGroup, InputError> {
        let actions = self.actions(resource)?;
        let before = Values::before(self.world, resource)?;
        let after = Values::after(self.world, resource)?;
        let before = before
            .map(|values| self.state(resource, &values, None))
            .transpose()?;
        let inline = Inline::of(self, resource, actions);
        let planned = match (actions, after) {
            (Actions::Delete | Actions::Forget, _) | (_, None) => None,
            (_, Some(values)) => Some(self.state(resource, &values, Some(&inline))?),
        };
        if planned.is_none() && !matches!(actions, Actions::Delete | Actions::Forget) {
            return Err(self.world.error(
                resource.address,
                "the plan does not say what stands after it",
            ));
        }
        if before.is_none() && !matches!(actions, Actions::Create) {
            return Err(self.world.error(
                resource.address,
                "the plan does not say what stands before it",
            ));
        }
        let is_changed_inline = match (&before, &planned) {
            (Some(before), Some(after)) => before.permissions != after.permissions,
            _ => false,
        };
        let after = if actions.forgets() {
            before.clone()
        } else {
            planned
        };
        let action = match actions {
            Actions::Keep => Action::Keep,
            Actions::Create => Action::Create,
            Actions::Update => Action::Update,
            Actions::Delete => Action::Delete,
            Actions::Replace | Actions::CreateThenForget => Action::Replace,
            Actions::Forget => Action::Forget,
        };
        Ok(ReadGroup {
            is_inline: inline.is_configured || is_changed_inline,
            group: PlannedGroup {
                address: resource.address.to_owned(),
                position: self.position(resource),
                action,
                is_changed: !matches!(action, Action::Keep | Action::Forget),
                before: before.filter(|_| actions != Actions::Create),
                after,
            },
        })
    }

    /// A moment of a group: before the plan without `inline`.
    fn state(
        &self,
        resource: &'p Planned<'p>,
        values: &Values<'p>,
        inline: Option<&Inline>,
    ) -> Result<GroupState, InputError> {
        let why = |name: &str| {
            let Unknown {
                expression, advice, ..
            } = self.why(resource, name);
            Unknown {
                attribute: name.to_owned(),
                expression,
                advice,
            }
        };
        let group_id = match values.text("id")? {
            Attribute::Known(id) => id.as_str().map(GroupId::new),
            Attribute::Null | Attribute::Unknown => None,
        };
        let group_name = if resource.resource_type == DEFAULT_GROUP {
            Value::Known(Some("default".to_owned()))
        } else {
            values.text_value("name", || why("name"))?
        };
        let vpc_id = match values.text_value("vpc_id", || why("vpc_id"))? {
            Value::Known(vpc) => Value::Known(vpc.map(VpcId::new)),
            Value::Unknown(unknown) => Value::Unknown(unknown),
        };
        let owner = match values.text("owner_id")? {
            Attribute::Known(owner) => owner.as_str(),
            Attribute::Null | Attribute::Unknown => None,
        };
        let mut permissions = self.inline_rules(resource, values, inline)?;
        if inline.is_some() && resource.is_deferred {
            let unknown = self.deferred(resource);
            for permission in &mut permissions {
                permission.may_be_absent = Some(unknown.clone());
            }
            permissions.push(PlannedPermission::anything(
                resource.address.to_owned(),
                self.position(resource),
                unknown,
            ));
        }
        Ok(GroupState {
            group_id,
            group_name,
            is_name_sensitive: values.is_sensitive("name"),
            owner: self.owner(resource, owner),
            vpc_id,
            tags: tags(values, self.has_computed_default_tags(resource), why)?,
            permissions,
            unlisted: None,
        })
    }

    /// The default group that a VPC brings, which lets in all traffic from itself.
    pub(super) fn default_group(
        &self,
        resource: &'p Planned<'p>,
    ) -> Result<Option<PlannedGroup>, InputError> {
        if !self.actions(resource)?.makes_new()
            || self.default_groups.contains_key(resource.address)
        {
            return Ok(None);
        }
        // A managed default group of an unknown VPC may be that of this one.
        let of_unknown = self.world.resources.iter().find(|other| {
            other.resource_type == DEFAULT_GROUP
                && !self
                    .default_groups
                    .values()
                    .any(|known| known == other.address)
        });
        let may_be_absent = of_unknown.map(|other| self.why(other, "vpc_id"));
        let permission = PlannedPermission {
            may_be_absent,
            ..PlannedPermission::from_itself(resource.address.to_owned(), self.position(resource))
        };
        Ok(Some(PlannedGroup {
            address: default_of(resource.address),
            position: self.position(resource),
            action: Action::Create,
            is_changed: true,
            before: None,
            after: Some(GroupState {
                group_id: None,
                group_name: Value::Known(Some("default".to_owned())),
                is_name_sensitive: false,
                owner: self.owner(resource, None),
                vpc_id: Value::Unknown(unknown("vpc_id", &[format!("{}.id", resource.address)])),
                tags: PlannedTags::default(),
                permissions: vec![permission],
                unlisted: None,
            }),
        }))
    }

    /// The VPC of a managed default group, by its address.
    pub(super) fn vpc_of(&self, resource: &'p Planned<'p>) -> Option<String> {
        let values = Values::after(self.world, resource).ok()??;
        if let Attribute::Known(id) = values.get("vpc_id") {
            let mut vpcs = self
                .world
                .resources
                .iter()
                .filter(|other| other.resource_type == VPC);
            let own = vpcs.find(|vpc| vpc.change.after.get("id") == Some(id));
            return own.map(|vpc| vpc.address.to_owned());
        }
        let expression = resource.configuration?.expressions.get("vpc_id")?;
        let named = self
            .resolver(&VpcTarget)
            .expression(self.scope(resource), expression);
        let is_only = named.groups.len() == 1 && !named.has_other && !named.has_unknown;
        named.groups.into_iter().next().filter(|_| is_only)
    }
}

fn tags(
    values: &Values<'_>,
    are_default_tags_unknown: bool,
    why: impl Fn(&str) -> Unknown,
) -> Result<PlannedTags, InputError> {
    let mut tags = BTreeMap::new();
    let mut others = None;
    // The provider's default tags are among `tags_all`.
    for name in ["tags", "tags_all"] {
        for (key, value) in values.object(name)?.into_iter().flatten() {
            if let Json::String(text) = value {
                tags.insert(key.clone(), Value::Known(text.clone()));
            }
        }
        for key in values.unknown_members(name) {
            let why = why(name);
            let attribute = format!("{name}.{key}");
            tags.insert(key.to_owned(), Value::Unknown(Unknown { attribute, ..why }));
        }
    }
    let has_unknown = |name: &str| values.get(name) == Attribute::Unknown;
    // The provider computes `tags_all` also where there is no tag at all.
    if has_unknown("tags") || (has_unknown("tags_all") && are_default_tags_unknown) {
        others = Some(why("tags"));
    }
    Ok(PlannedTags { tags, others })
}
