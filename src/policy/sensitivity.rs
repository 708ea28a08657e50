//! Sensitivity: how much the data behind a group is worth, told by a tag, and what of it makes a violation worse.
//!
//! A web tier that reaches a restricted database is worse than two equals that reach each other. So the severity comes
//! from both ends: from how many levels less sensitive the source is than the target.

use std::collections::HashMap;

use super::{Settings, Severity, Source, Verdict};
use crate::model::{AccountId, GroupId, SecurityGroup};

/// The settings of the sensitivity of groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sensitivity {
    /// The tag that tells a group's level.
    pub tag: String,
    /// The levels, from least to most sensitive.
    pub levels: Vec<String>,
    /// The level of a group without the tag, or with another value; one of them.
    pub default: String,
    /// The level of a source that cannot be seen; one of them.
    pub unseen: String,
    /// The severity when the source is 1, 2, … levels less sensitive than the target; the last for all beyond.
    pub raise: Vec<Severity>,
}

/// The place among the levels, from the least sensitive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(usize);

impl Level {
    /// The number of levels by which this one is less sensitive than another.
    fn below(self, other: Self) -> usize {
        other.0.saturating_sub(self.0)
    }
}

/// The groups that others reference, as far as they were seen.
#[derive(Debug, Clone, Default)]
pub struct ReferencedGroups(HashMap<GroupId, ReferencedGroup>);

#[derive(Debug, Clone)]
struct ReferencedGroup {
    name: Option<String>,
    owner: Option<AccountId>,
    level: Level,
}

impl Sensitivity {
    /// The level of this name, without regard to case.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Level> {
        self.levels
            .iter()
            .position(|level| level.to_lowercase() == name.to_lowercase())
            .map(Level)
    }

    /// The level of a group by its tag.
    #[must_use]
    pub fn of(&self, group: &SecurityGroup) -> Level {
        group
            .tags
            .get(&self.tag)
            .and_then(|value| self.find(value))
            .or_else(|| self.find(&self.default))
            .unwrap_or(Level(0))
    }

    /// The levels of both ends.
    pub(super) fn levels(
        &self,
        group: &SecurityGroup,
        source: &Source,
        referenced: &ReferencedGroups,
    ) -> Levels {
        let target = self.of(group);
        let seen = if source.is_self {
            Some(target)
        } else {
            let group = referenced.of_same_account(group, source);
            group.map(|group| group.level)
        };
        let unseen = || self.find(&self.unseen).unwrap_or(Level(0));
        let level = seen.unwrap_or_else(unseen);
        Levels {
            target: self.name(target),
            source: self.name(level),
            is_seen: seen.is_some(),
            distance: level.below(target),
        }
    }

    /// A level's name, as the settings spell it.
    #[must_use]
    pub fn name(&self, level: Level) -> String {
        self.levels.get(level.0).cloned().unwrap_or_default()
    }

    /// The severity of a violation, given what it would be at equal levels.
    #[must_use]
    pub fn severity(&self, levels: &Levels, equal: Severity) -> Severity {
        let raised = levels
            .distance
            .checked_sub(1)
            .and_then(|step| self.raise.get(step).or(self.raise.last()));
        raised.map_or(equal, |raised| equal.max(*raised))
    }
}

/// Both ends of a violation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Levels {
    pub target: String,
    pub source: String,
    /// Whether the source was seen. Otherwise it counts as one that cannot be.
    pub is_seen: bool,
    /// The number of levels by which the source is less sensitive than the group.
    pub distance: usize,
}

impl ReferencedGroups {
    /// Adds a group that was seen. Without `[sensitivity]` nothing needs to be known of it.
    pub fn add(&mut self, settings: &Settings, group: &SecurityGroup) {
        let Some(sensitivity) = &settings.sensitivity else {
            return;
        };
        let level = sensitivity.of(group);
        let id = group.group_id.clone();
        let known = self.0.entry(id).or_insert_with(|| ReferencedGroup {
            name: group.group_name.clone(),
            owner: group.owner_id.clone(),
            level,
        });
        // Of two that have the same id the worse counts, whatever their order.
        known.level = known.level.min(level);
    }

    /// The sources of the violations that have not been seen, and on which the severity depends. None, without
    /// `[sensitivity]`.
    pub fn unseen_sources(
        &self,
        settings: &Settings,
        verdict: &Verdict,
    ) -> impl Iterator<Item = GroupId> {
        let is_needed = settings.sensitivity.is_some();
        let sources = verdict.violations.iter().map(|violation| &violation.source);
        sources
            .filter(move |source| is_needed && !source.is_self && !source.is_foreign)
            .filter(|source| self.get(source).is_none())
            .filter_map(|source| source.group_id.clone())
    }

    fn get(&self, source: &Source) -> Option<&ReferencedGroup> {
        self.0.get(source.group_id.as_ref()?)
    }

    /// A source of another account cannot be seen, also where it happens to be shown: its tags are not this account's.
    fn of_same_account(&self, group: &SecurityGroup, source: &Source) -> Option<&ReferencedGroup> {
        self.get(source).filter(|known| {
            let is_other = |owner: &Option<AccountId>| {
                owner.is_some() && group.owner_id.is_some() && *owner != group.owner_id
            };
            !source.is_foreign && !is_other(&known.owner)
        })
    }

    /// The name of a source, where it is known.
    pub(super) fn name(&self, source: &Source) -> Option<&str> {
        self.get(source)?.name.as_deref()
    }
}
