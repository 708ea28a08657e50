//! The groups of a report with their verdicts, in one order, whatever the order of the input.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use jiff::civil::Date;

use crate::model::{AccountId, GroupId, GroupPair, Region, SecurityGroup};
use crate::policy::{ReferencedGroups, Settings, Verdict, evaluate};

/// A group with its verdict.
#[derive(Debug, Clone)]
pub struct Evaluated {
    /// With the names of its sources, which EC2 tells only of some.
    pub group: SecurityGroup,
    pub region: Option<Region>,
    pub verdict: Verdict,
}

type Key = (GroupId, Option<AccountId>);
type Names = HashMap<GroupId, Vec<(Option<AccountId>, String)>>;

/// The verdicts on all groups on a day (in UTC), by id and owner. Of a group that comes twice and differs, what either
/// says counts.
#[must_use]
pub fn evaluate_all(
    settings: &Settings,
    groups: impl IntoIterator<Item = (SecurityGroup, Option<Region>)>,
    today: Date,
) -> Vec<Evaluated> {
    let mut referenced = ReferencedGroups::default();
    let mut by_key: HashMap<Key, (SecurityGroup, Option<Region>)> = HashMap::new();
    for (group, region) in groups {
        referenced.add(settings, &group);
        match by_key.entry((group.group_id.clone(), group.owner_id.clone())) {
            Entry::Vacant(place) => {
                place.insert((group, region));
            }
            Entry::Occupied(mut place) => {
                let (known, known_region) = place.get_mut();
                *known_region = known_region.take().into_iter().chain(region).min();
                if *known != group {
                    unite(known, group);
                }
            }
        }
    }
    let names = names(by_key.values().map(|(group, _)| group));
    let mut evaluated: Vec<_> = by_key
        .into_values()
        .map(|(mut group, region)| {
            add_source_names(&mut group, &names);
            Evaluated {
                verdict: evaluate(settings, &group, &referenced, today),
                group,
                region,
            }
        })
        .collect();
    evaluated.sort_by(|a, b| a.key().cmp(&b.key()));
    evaluated
}

impl Evaluated {
    pub(super) fn key(&self) -> (&GroupId, Option<&AccountId>) {
        (&self.group.group_id, self.group.owner_id.as_ref())
    }
}

/// Adds what another description of the same group says, in whatever order they come.
fn unite(known: &mut SecurityGroup, other: SecurityGroup) {
    let SecurityGroup {
        group_name,
        vpc_id,
        security_group_arn,
        ip_permissions,
        tags,
        ..
    } = other;
    known.group_name = known.group_name.take().into_iter().chain(group_name).min();
    known.vpc_id = known.vpc_id.take().into_iter().chain(vpc_id).min();
    known.security_group_arn = known
        .security_group_arn
        .take()
        .into_iter()
        .chain(security_group_arn)
        .min();
    for permission in ip_permissions {
        if !known.ip_permissions.contains(&permission) {
            known.ip_permissions.push(permission);
        }
    }
    if tags < known.tags {
        known.tags = tags;
    }
}

fn names<'a>(groups: impl Iterator<Item = &'a SecurityGroup>) -> Names {
    let mut names = Names::new();
    for group in groups {
        if let Some(name) = &group.group_name {
            let known = names.entry(group.group_id.clone()).or_default();
            known.push((group.owner_id.clone(), name.clone()));
        }
    }
    for known in names.values_mut() {
        known.sort_unstable();
    }
    names
}

fn add_source_names(group: &mut SecurityGroup, names: &Names) {
    let pairs = group.ip_permissions.iter_mut();
    for pair in pairs.flat_map(|permission| &mut permission.user_id_group_pairs) {
        if pair.group_name.is_none() {
            pair.group_name = name_of(pair, names).map(str::to_owned);
        }
    }
}

fn name_of<'a>(pair: &GroupPair, names: &'a Names) -> Option<&'a str> {
    let known = names.get(pair.group_id.as_ref()?)?;
    let is_meant = |owner: &Option<AccountId>| {
        pair.user_id.is_none() || owner.is_none() || *owner == pair.user_id
    };
    known
        .iter()
        .find(|(owner, _)| is_meant(owner))
        .map(|(_, name)| name.as_str())
}
