//! What groups and rules are read with.

use std::collections::HashMap;

use serde_json::Value as Json;

use super::advice::unknown;
use super::reference::Key;
use super::resolve::{Named, Resolver, Scope, Target};
use super::sources::Sources;
use super::world::{Planned, World};
use crate::input::InputError;
use crate::model::planned::{Owner, Position, Unknown, Who};
use crate::model::{AccountId, GroupId};

pub(super) const GROUP: &str = "aws_security_group";
pub(super) const DEFAULT_GROUP: &str = "aws_default_security_group";
pub(super) const VPC: &str = "aws_vpc";

pub(super) struct Reader<'r, 'p> {
    pub(super) world: &'p World<'p>,
    pub(super) sources: Option<&'r Sources>,
    /// The accounts of providers, as far as resources that exist tell them.
    pub(super) accounts: HashMap<&'p str, AccountId>,
    /// The groups that manage the default groups of VPCs, by the VPC's address.
    pub(super) default_groups: HashMap<String, String>,
}

/// What a plan does with a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Actions {
    Keep,
    Create,
    Update,
    Delete,
    Replace,
    Forget,
    /// A new one is made, and the old one stays without being managed.
    CreateThenForget,
}

impl Actions {
    pub(super) fn forgets(self) -> bool {
        self == Self::Forget
    }

    pub(super) fn deletes_only(self) -> bool {
        self == Self::Delete
    }

    pub(super) fn makes_new(self) -> bool {
        matches!(self, Self::Create | Self::Replace | Self::CreateThenForget)
    }
}

/// References to the ids of security groups.
pub(super) struct GroupTarget<'r>(&'r HashMap<String, String>);

impl Target for GroupTarget<'_> {
    fn of(&self, resource: &Planned<'_>, attribute: Option<&str>) -> Option<String> {
        match (resource.resource_type, attribute) {
            (GROUP | DEFAULT_GROUP, None | Some("id")) => Some(resource.address.to_owned()),
            (VPC, Some("default_security_group_id")) => {
                let managed = self.0.get(resource.address);
                Some(
                    managed
                        .cloned()
                        .unwrap_or_else(|| default_of(resource.address)),
                )
            }
            _ => None,
        }
    }
}

/// References to the ids of VPCs.
pub(super) struct VpcTarget;

impl Target for VpcTarget {
    fn of(&self, resource: &Planned<'_>, attribute: Option<&str>) -> Option<String> {
        let is_id = resource.resource_type == VPC && matches!(attribute, None | Some("id"));
        is_id.then(|| resource.address.to_owned())
    }
}

/// The address of a VPC's default group that nothing manages.
pub(super) fn default_of(vpc: &str) -> String {
    format!("{vpc}.default_security_group_id")
}

/// A source by its id, with the account before it where that is another.
pub(super) fn group_source(text: &str) -> Who {
    let (owner, id) = match text.split_once('/') {
        Some((owner, id)) => (Some(owner), id),
        None => (None, text),
    };
    Who::Group {
        group_id: GroupId::new(id),
        owner: owner.filter(|owner| !owner.is_empty()).map(AccountId::new),
        peering: None,
    }
}

impl<'p> Reader<'_, 'p> {
    pub(super) fn actions(&self, resource: &Planned<'_>) -> Result<Actions, InputError> {
        let actions: Vec<&str> = resource.change.actions.iter().map(String::as_str).collect();
        Ok(match actions.as_slice() {
            ["no-op" | "read"] => Actions::Keep,
            ["create"] => Actions::Create,
            ["update"] => Actions::Update,
            ["delete"] if self.outlives_management(resource) => Actions::Forget,
            ["delete"] => Actions::Delete,
            ["delete", "create"] | ["create", "delete"] => Actions::Replace,
            ["forget"] => Actions::Forget,
            ["create", "forget"] | ["forget", "create"] => Actions::CreateThenForget,
            _ => {
                return Err(self.world.error(
                    resource.address,
                    &format!("the actions {actions:?} are not known to this version of sg-trust"),
                ));
            }
        })
    }

    /// Whether a group stays when its resource is destroyed, as the default group of a VPC does that is not destroyed.
    fn outlives_management(&self, resource: &Planned<'_>) -> bool {
        let vpc = resource.change.before.get("vpc_id");
        resource.resource_type == DEFAULT_GROUP
            && !self.world.resources.iter().any(|other| {
                other.resource_type == VPC
                    && other.change.actions.iter().any(|action| action == "delete")
                    && other.change.before.get("id") == vpc
            })
    }

    /// What an expression of a resource names among the groups. Where the sources tell more than the plan does, by them.
    pub(super) fn named(
        &self,
        resource: &Planned<'_>,
        attribute: &str,
        scope: Scope<'_>,
        expression: &Json,
    ) -> Named {
        if let Some(named) = self.same_key(resource, attribute) {
            return named;
        }
        self.resolver(&GroupTarget(&self.default_groups))
            .expression(scope, expression)
    }

    pub(super) fn resolver<'t, T>(&'t self, target: &'t T) -> Resolver<'t, 'p, T> {
        Resolver {
            world: self.world,
            sources: self.sources,
            target,
        }
    }

    pub(super) fn groups_named(&self, scope: Scope<'_>, references: &[String]) -> Named {
        self.resolver(&GroupTarget(&self.default_groups))
            .all(scope, references, 0)
    }

    /// The group of the resource's own key, where the sources say just that: `aws_security_group.a[each.key].id`.
    fn same_key(&self, resource: &Planned<'_>, attribute: &str) -> Option<Named> {
        let names = self.world.names(resource.module);
        let source = self
            .sources?
            .resource(&names, resource.resource_type, resource.name)?;
        let indexed = source.indexed(attribute)?;
        let key: &Key = resource.key.as_ref()?;
        if !indexed.fits(key) {
            return None;
        }
        let mut found = self
            .world
            .instances(resource.module, &indexed.resource_type, &indexed.name)
            .into_iter()
            .filter(|other| other.key.as_ref() == Some(key));
        let target = GroupTarget(&self.default_groups);
        let address = target.of(found.next()?, Some(&indexed.attribute))?;
        Some(Named {
            groups: [address].into(),
            is_exact: true,
            ..Named::default()
        })
    }

    pub(super) fn position(&self, resource: &Planned<'_>) -> Option<Position> {
        let names = self.world.names(resource.module);
        self.sources?
            .position(&names, resource.resource_type, resource.name)
    }

    /// Why nobody knows what becomes of a resource whose change is put off.
    pub(super) fn deferred(&self, resource: &Planned<'_>) -> Unknown {
        Unknown {
            advice: "the plan puts this change off: apply the plan, then plan and check again"
                .to_owned(),
            ..unknown(resource.address, &[])
        }
    }

    /// Whether the tags that the provider gives every resource depend on other resources.
    pub(super) fn has_computed_default_tags(&self, resource: &Planned<'_>) -> bool {
        let provider = resource
            .configuration
            .and_then(|configuration| self.world.provider(&configuration.provider_config_key));
        let tags = provider.and_then(|provider| provider.get("expressions")?.get("default_tags"));
        tags.is_some_and(|tags| !super::reference::references(tags).is_empty())
    }

    pub(super) fn owner(&self, resource: &Planned<'_>, known: Option<&str>) -> Owner {
        let provider = resource.configuration.map_or("", |configuration| {
            configuration.provider_config_key.as_str()
        });
        match known {
            Some(account) => Owner::Known(AccountId::new(account)),
            None => match self.accounts.get(provider) {
                Some(account) => Owner::Known(account.clone()),
                None => Owner::Same(provider.to_owned()),
            },
        }
    }
}
