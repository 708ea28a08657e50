//! Groups with their inline rules.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::advice::unknown;
use super::reader::{Actions, DEFAULT_GROUP, Reader, VPC, VpcTarget, default_of, group_source};
use super::reference::references;
use super::resolve::Scope;
use super::rules::who;
use super::values::{Attribute, Texts, Values};
use super::world::Planned;
use crate::input::InputError;
use crate::model::planned::{
    Action, GroupState, PlannedGroup, PlannedPermission, PlannedSource, PlannedTags, Unknown,
    Value, Who,
};
use crate::model::{GroupId, Protocol, VpcId};

const INGRESS: &str = "ingress";

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

    fn inline_rules(
        &self,
        resource: &'p Planned<'p>,
        values: &Values<'p>,
        inline: Option<&Inline>,
    ) -> Result<Vec<PlannedPermission>, InputError> {
        let Some(blocks) = values.blocks(INGRESS)? else {
            // A group that is made without rules of its own has none.
            return Ok(match inline {
                Some(inline) if !inline.is_unknown_empty => vec![PlannedPermission::anything(
                    resource.address.to_owned(),
                    self.position(resource),
                    unknown(INGRESS, &inline.references),
                )],
                Some(_) => Vec::new(),
                None => vec![PlannedPermission::anything(
                    resource.address.to_owned(),
                    self.position(resource),
                    unknown(INGRESS, &[]),
                )],
            });
        };
        let mut lists = Vec::with_capacity(blocks.len());
        for block in &blocks {
            lists.push(block.texts("security_groups")?);
        }
        let unknown_lists = lists.iter().filter(|list| list.has_unknown).count();
        let mut rules = Vec::with_capacity(blocks.len());
        for (place, (block, list)) in blocks.iter().zip(lists).enumerate() {
            rules.push(self.inline_rule(resource, block, list, place, unknown_lists, inline)?);
        }
        Ok(rules)
    }

    fn inline_rule(
        &self,
        resource: &'p Planned<'p>,
        block: &Values<'p>,
        list: Texts,
        place: usize,
        unknown_lists: usize,
        inline: Option<&Inline>,
    ) -> Result<PlannedPermission, InputError> {
        let references: &[String] = inline.map_or(&[], |inline| &inline.references);
        let why = |name: &str| unknown(format!("{INGRESS}[{place}].{name}"), references);
        // A block that `for_each` of unknown values makes stands for any number of blocks.
        let may_be_absent = inline
            .filter(|inline| inline.may_repeat && block.has_unknown())
            .map(|inline| unknown(format!("{INGRESS}[{place}]"), &inline.references));
        let mut sources: Vec<_> = list
            .known
            .iter()
            .map(|text| PlannedSource::new(group_source(text)))
            .collect();
        match block.flag("self", || why("self"))? {
            Value::Known(true) => sources.push(PlannedSource::new(Who::Itself)),
            Value::Known(false) => {}
            Value::Unknown(unknown) => sources.push(PlannedSource {
                who: Who::Itself,
                may_be_absent: Some(unknown),
            }),
        }
        if list.has_unknown {
            let why = why("security_groups");
            match inline {
                Some(inline) => sources.extend(self.unknown_sources(
                    resource,
                    inline,
                    &why,
                    unknown_lists == 1 && list.known.is_empty(),
                )),
                None => sources.push(PlannedSource::unknown_list(
                    why.clone(),
                    format!("{}|{}", resource.address, why.attribute),
                    Vec::new(),
                )),
            }
        }
        let mut ranges = block.texts("cidr_blocks")?.known;
        ranges.extend(block.texts("ipv6_cidr_blocks")?.known);
        Ok(PlannedPermission {
            rule: resource.address.to_owned(),
            position: self.position(resource),
            may_be_absent,
            protocol: block.protocol("protocol", || why("protocol"))?,
            from_port: block.port("from_port", || why("from_port"))?,
            to_port: block.port("to_port", || why("to_port"))?,
            sources,
            ranges,
            prefix_lists: block.texts("prefix_list_ids")?.known,
            is_sensitive: block.has_sensitive(),
        })
    }

    /// The groups of a list that is unknown as a whole, since some of its groups are still to be created.
    fn unknown_sources(
        &self,
        resource: &'p Planned<'p>,
        inline: &Inline,
        why: &Unknown,
        is_only: bool,
    ) -> Vec<PlannedSource> {
        let own = format!("{}|{}", resource.address, why.attribute);
        let named = self.groups_named(self.scope(resource), &inline.source_references);
        let is_new = |address: &&String| self.is_new(address);
        let new: Vec<String> = named.groups.iter().filter(is_new).cloned().collect();
        // The list is unknown, so it has something that is. When only groups are, it has one of them.
        if new.is_empty() || named.has_unknown {
            return vec![PlannedSource::unknown_list(why.clone(), own, Vec::new())];
        }
        let mut sources = Vec::new();
        let has_all = is_only || new.len() == 1;
        if has_all && !inline.may_choose(&new) {
            sources.extend(
                new.iter()
                    .map(|address| PlannedSource::new(Who::Planned(address.clone()))),
            );
        } else {
            let one = super::resolve::Named {
                groups: new.iter().cloned().collect(),
                ..super::resolve::Named::default()
            };
            sources.push(PlannedSource::new(who(one, why.clone(), own.clone())));
        }
        let is_all = has_all && named.groups.len() == new.len() && !named.has_other;
        if !is_all {
            let others = if named.has_other {
                Vec::new()
            } else {
                named.groups.into_iter().collect()
            };
            sources.push(PlannedSource::unknown_list(
                why.clone(),
                format!("{own}: others"),
                others,
            ));
        }
        sources
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
            rule: resource.address.to_owned(),
            position: self.position(resource),
            may_be_absent,
            protocol: Value::Known(Protocol::ALL),
            from_port: Value::Known(None),
            to_port: Value::Known(None),
            sources: vec![PlannedSource::new(Who::Itself)],
            ranges: Vec::new(),
            prefix_lists: Vec::new(),
            is_sensitive: false,
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

/// How the configuration has the rules of a group inline.
#[derive(Debug, Default)]
struct Inline {
    is_configured: bool,
    /// Whether rules that are unknown as a whole are none, since the configuration has none.
    is_unknown_empty: bool,
    /// Whether a block may stand for any number of blocks.
    may_repeat: bool,
    /// What the rules are made of.
    references: Vec<String>,
    /// What their sources are made of.
    source_references: Vec<String>,
    has_choice: bool,
}

impl Inline {
    fn of(reader: &Reader<'_, '_>, resource: &Planned<'_>, actions: Actions) -> Self {
        let names = reader.world.names(resource.module);
        let source = reader
            .sources
            .and_then(|sources| sources.resource(&names, resource.resource_type, resource.name));
        let expression = resource
            .configuration
            .and_then(|configuration| configuration.expressions.get(INGRESS));
        if let Some(expression) = expression {
            let references = references(expression);
            let source_references = source
                .and_then(|source| source.ingress_sources())
                .unwrap_or_else(|| references.clone());
            return Self {
                is_configured: true,
                is_unknown_empty: false,
                may_repeat: false,
                has_choice: source.is_some_and(|source| source.has_choice),
                references,
                source_references,
            };
        }
        // Plans leave dynamic blocks out of the configuration.
        let dynamic = source.map(|source| &source.dynamic_ingress);
        let (references, source_references, may_repeat) = match (source, dynamic) {
            (Some(source), Some(dynamic)) if !dynamic.is_empty() => {
                let all: Vec<_> = dynamic
                    .iter()
                    .flat_map(|block| block.references.iter().cloned())
                    .collect();
                let over: Vec<_> = dynamic
                    .iter()
                    .flat_map(|block| block.for_each.iter().cloned())
                    .collect();
                let scope = reader.scope(resource);
                let may_repeat = !reader.are_known(scope, &over);
                (
                    all,
                    source.ingress_sources().unwrap_or_default(),
                    may_repeat,
                )
            }
            _ => (Vec::new(), Vec::new(), true),
        };
        let is_dynamic = dynamic.is_some_and(|dynamic| !dynamic.is_empty());
        Self {
            is_configured: is_dynamic,
            // The plan has the rules of a group that stays as they were.
            is_unknown_empty: !is_dynamic
                && (actions.makes_new())
                && resource.configuration.is_some(),
            may_repeat,
            has_choice: source.is_some_and(|source| source.has_choice),
            references,
            source_references,
        }
    }

    /// Whether a list may have some of its groups only.
    fn may_choose(&self, groups: &[String]) -> bool {
        self.has_choice && groups.len() > 1
    }
}

impl Reader<'_, '_> {
    /// Whether all that these refer to is known before the plan is applied.
    fn are_known(&self, scope: Scope<'_>, references: &[String]) -> bool {
        let named = self.groups_named(scope, references);
        !named.has_unknown && !named.groups.iter().any(|address| self.is_new(address))
    }

    /// Whether the id of a group is known only after the plan is applied.
    fn is_new(&self, address: &str) -> bool {
        let id = self
            .world
            .by_address(address)
            .map(|resource| &resource.change.after);
        id.and_then(|after| after.get("id"))
            .is_none_or(Json::is_null)
    }
}
