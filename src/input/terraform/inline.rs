//! The rules that a group has inline.

use serde_json::Value as Json;

use super::advice::unknown;
use super::groups::INGRESS;
use super::reader::{Actions, Reader, group_source};
use super::reference::references;
use super::resolve::Scope;
use super::rules::who;
use super::values::{Texts, Values};
use super::world::Planned;
use crate::input::InputError;
use crate::model::planned::{PlannedPermission, PlannedSource, Unknown, Value, Who};

impl<'p> Reader<'_, 'p> {
    pub(super) fn inline_rules(
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
}

/// How the configuration has the rules of a group inline.
#[derive(Debug, Default)]
pub(super) struct Inline {
    pub(super) is_configured: bool,
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
    pub(super) fn of(reader: &Reader<'_, '_>, resource: &Planned<'_>, actions: Actions) -> Self {
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

    /// Whether a list may have some of its groups only: a condition chooses, or something else takes part that may be one.
    fn may_choose(&self, groups: &[String]) -> bool {
        groups.len() > 1 && (self.has_choice || self.source_references.len() > groups.len())
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
