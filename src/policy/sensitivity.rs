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

/// How sensitive: the place among the levels, from the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(usize);

impl Level {
    /// How many levels less sensitive this one is than another.
    fn below(self, other: Self) -> usize {
        other.0.saturating_sub(self.0)
    }
}

/// What is known of the groups that others let in.
#[derive(Debug, Clone, Default)]
pub struct ReferencedGroups(HashMap<GroupId, ReferencedGroup>);

/// What is known of one.
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

    /// The level of a source: its own, when it was seen.
    fn of_source(
        &self,
        group: &SecurityGroup,
        source: &Source,
        referenced: &ReferencedGroups,
    ) -> Level {
        if source.is_self {
            return self.of(group);
        }
        match referenced.of_same_account(group, source) {
            Some(seen) => seen.level,
            None => self.find(&self.unseen).unwrap_or(Level(0)),
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
    /// The level of the group.
    pub target: String,
    /// That of the source.
    pub source: String,
    /// Whether the source was seen; if not, it counts as `unseen`.
    pub is_seen: bool,
    /// How many levels less sensitive the source is than the group.
    pub distance: usize,
}

impl ReferencedGroups {
    fn get(&self, source: &Source) -> Option<&ReferencedGroup> {
        self.0.get(source.group_id.as_ref()?)
    }

    /// A source of another account cannot be seen, also where it happens to be shown: its tags are not this account's.
    fn of_same_account(&self, group: &SecurityGroup, source: &Source) -> Option<&ReferencedGroup> {
        self.get(source).filter(|seen| {
            let is_other = |owner: &Option<AccountId>| {
                owner.is_some() && group.owner_id.is_some() && *owner != group.owner_id
            };
            !source.is_foreign && !is_other(&seen.owner)
        })
    }

    /// The name of a source, where it is known.
    pub(super) fn name(&self, source: &Source) -> Option<&str> {
        self.get(source)?.name.as_deref()
    }
}

impl Settings {
    /// Remembers of a group what the groups that let it in need to know. Nothing, without `[sensitivity]`.
    pub fn see(&self, referenced: &mut ReferencedGroups, group: &SecurityGroup) {
        if let Some(sensitivity) = &self.sensitivity {
            let level = sensitivity.of(group);
            let seen = referenced
                .0
                .entry(group.group_id.clone())
                .or_insert_with(|| ReferencedGroup {
                    name: group.group_name.clone(),
                    owner: group.owner_id.clone(),
                    level,
                });
            // Of two that have the same id the worse counts, whatever their order.
            seen.level = seen.level.min(level);
        }
    }

    /// The sources of the violations that have not been seen, and on which the severity depends. None, without
    /// `[sensitivity]`.
    pub fn unknown_sources(
        &self,
        verdict: &Verdict,
        referenced: &ReferencedGroups,
    ) -> impl Iterator<Item = GroupId> {
        let sources = verdict.violations.iter().map(|violation| &violation.source);
        sources
            .filter(|source| self.sensitivity.is_some() && !source.is_self && !source.is_foreign)
            .filter(|source| referenced.get(source).is_none())
            .filter_map(|source| source.group_id.clone())
    }

    /// Both ends of a violation. None, without `[sensitivity]`.
    #[must_use]
    pub fn levels(
        &self,
        group: &SecurityGroup,
        source: &Source,
        referenced: &ReferencedGroups,
    ) -> Option<Levels> {
        let sensitivity = self.sensitivity.as_ref()?;
        let target = sensitivity.of(group);
        let level = sensitivity.of_source(group, source, referenced);
        Some(Levels {
            target: sensitivity.name(target),
            source: sensitivity.name(level),
            is_seen: source.is_self || referenced.of_same_account(group, source).is_some(),
            distance: level.below(target),
        })
    }
}
