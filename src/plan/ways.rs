//! The ways in which what is unknown may turn out that decide a verdict.
//!
//! A permission that is added, or widened, never turns FAILED into PASSED: so least and most decide. Only exemptions
//! can tell values apart: each value that an exemption asks for is tried, beside one that no exemption asks for.

use std::collections::{BTreeMap, BTreeSet};

use super::completion::{Assigned, Attributes, Directory, Moment};
use crate::model::planned::{GroupState, Owner, Value, Who};
use crate::model::{AccountId, Protocol};
use crate::policy::Settings;
use crate::policy::exemption::{Allow, Glob, SourceMatch, TagMatch};

/// More ways than this are not tried one by one.
const MOST_COMBINATIONS: usize = 64;

/// A source that may be one of more groups than these counts as one that may be any.
const MOST_CANDIDATES: usize = 16;

pub(super) type Sources = BTreeMap<String, Vec<Assigned>>;

/// What unknown attributes of a group may be: at least one.
pub(super) fn attributes(
    settings: &Settings,
    directory: &Directory<'_>,
    state: &GroupState,
    moment: Moment,
) -> Vec<Attributes> {
    let exemptions = &settings.exemptions;
    if exemptions.is_empty() {
        return vec![Attributes::default()];
    }
    let targets = || exemptions.iter().map(|exemption| &exemption.target);
    let names = match &state.group_name {
        Value::Known(_) => vec![None],
        Value::Unknown(_) => with_none(
            targets()
                .filter_map(|target| target.name.as_ref())
                .map(sample),
        ),
    };
    let vpcs = match &state.vpc_id {
        Value::Known(_) => vec![None],
        Value::Unknown(_) => with_none(targets().filter_map(|target| target.vpc.clone())),
    };
    let tags = tags(state, targets().filter_map(|target| target.tag.as_ref()));
    let accounts = accounts(settings, directory, state, moment);
    let mut all = Vec::new();
    for name in &names {
        for vpc in &vpcs {
            for tags in &tags {
                for accounts in &accounts {
                    all.push(Attributes {
                        name: name.clone(),
                        vpc: vpc.clone(),
                        tags: tags.clone(),
                        accounts: accounts.clone(),
                    });
                }
            }
        }
    }
    all
}

fn with_none<T: Ord>(values: impl Iterator<Item = T>) -> Vec<Option<T>> {
    let values: BTreeSet<_> = values.collect();
    std::iter::once(None)
        .chain(values.into_iter().map(Some))
        .take(MOST_COMBINATIONS)
        .collect()
}

/// A text that the pattern matches.
fn sample(glob: &Glob) -> String {
    glob.as_str().replace('*', "").replace('?', "x")
}

/// What unknown tags may be: none of the exemptions', each of theirs, and all of theirs.
fn tags<'a>(
    state: &GroupState,
    matchers: impl Iterator<Item = &'a TagMatch>,
) -> Vec<BTreeMap<String, String>> {
    let mut all = vec![BTreeMap::new()];
    let mut together = BTreeMap::new();
    for TagMatch { key, value } in matchers {
        let is_unknown = match state.tags.tags.get(key) {
            Some(Value::Known(_)) => false,
            Some(Value::Unknown(_)) => true,
            None => state.tags.others.is_some(),
        };
        if is_unknown {
            let value = value.as_ref().map(sample).unwrap_or_default();
            all.push(BTreeMap::from([(key.clone(), value.clone())]));
            together.entry(key.clone()).or_insert(value);
        }
    }
    // A tag that is set has some value.
    for (key, value) in &state.tags.tags {
        if matches!(value, Value::Unknown(_)) {
            for tags in &mut all {
                tags.entry(key.clone()).or_insert_with(String::new);
            }
        }
    }
    all.push(together);
    let mut seen = BTreeSet::new();
    all.retain(|tags| seen.insert(tags.clone()));
    all.truncate(MOST_COMBINATIONS);
    all
}

/// Which accounts the owners may be that are not known.
fn accounts(
    settings: &Settings,
    directory: &Directory<'_>,
    state: &GroupState,
    moment: Moment,
) -> Vec<BTreeMap<String, AccountId>> {
    let mut keys = BTreeSet::new();
    let mut named = BTreeSet::new();
    let mut note = |owner: &Owner| match owner {
        Owner::Known(account) => {
            named.insert(account.clone());
        }
        Owner::Same(key) => {
            keys.insert(key.clone());
        }
    };
    note(&state.owner);
    let sources = || {
        state
            .all_permissions()
            .flat_map(|permission| &permission.sources)
    };
    for source in sources() {
        if let Who::Planned(address) = &source.who
            && let Some(state) = directory.state(address, moment)
        {
            note(&state.owner);
        }
    }
    if keys.is_empty() {
        return vec![BTreeMap::new()];
    }
    named.extend(sources().filter_map(|source| match &source.who {
        Who::Group { owner, .. } | Who::Named { owner, .. } => owner.clone(),
        _ => None,
    }));
    for exemption in &settings.exemptions {
        named.extend(exemption.target.account.clone());
        if let SourceMatch::Foreign { account, .. } = &exemption.source {
            named.insert(account.clone());
        }
    }
    let all_are = |account: &AccountId| {
        keys.iter()
            .map(|key| (key.clone(), account.clone()))
            .collect()
    };
    let mut all = vec![BTreeMap::new()];
    if keys.len() > 1 {
        all.push(all_are(&AccountId::new("the account")));
    }
    for account in named.iter().take(MOST_COMBINATIONS) {
        all.push(all_are(account));
        if keys.len() > 1 {
            for key in &keys {
                all.push(BTreeMap::from([(key.clone(), account.clone())]));
            }
        }
    }
    all.truncate(MOST_COMBINATIONS);
    all
}

/// The protocols that unknown ones are tried as where they shall open least: types of ICMP open nothing, and exemptions
/// may tell protocols apart.
pub(super) fn least_protocols(settings: &Settings, state: &GroupState) -> Vec<Protocol> {
    let mut protocols = vec![Protocol::new("icmp")];
    let is_unknown = state
        .all_permissions()
        .any(|permission| permission.protocol.unknown().is_some());
    if is_unknown {
        for exemption in &settings.exemptions {
            if let Allow::Traffic(allowed) = &exemption.allow {
                protocols.extend(allowed.iter().map(|allowed| allowed.protocol.clone()));
            }
        }
        if !settings.exemptions.is_empty() {
            protocols.extend(["tcp", "udp", "icmpv6"].map(Protocol::new));
        }
    }
    let mut seen = BTreeSet::new();
    protocols.retain(|protocol| seen.insert(protocol.clone()));
    protocols
}

/// The unknown sources of a group, with all that each can be.
struct UnknownSource<'a> {
    key: &'a str,
    candidates: &'a [String],
    is_certain: bool,
}

fn unknown_sources(state: &GroupState) -> Vec<UnknownSource<'_>> {
    let mut by_key: BTreeMap<&str, UnknownSource<'_>> = BTreeMap::new();
    for permission in state.all_permissions() {
        for source in &permission.sources {
            if let Who::Unknown {
                key, candidates, ..
            } = &source.who
            {
                let is_certain =
                    permission.may_be_absent.is_none() && source.may_be_absent.is_none();
                let known = by_key.entry(key).or_insert(UnknownSource {
                    key,
                    candidates,
                    is_certain,
                });
                known.is_certain |= is_certain;
            }
        }
    }
    by_key.into_values().collect()
}

fn candidate(address: &str) -> Assigned {
    Assigned::Planned(address.to_owned())
}

/// Who unknown sources are where they shall be few: each another group, or one that an exemption names.
pub(super) fn apart(settings: &Settings, state: &GroupState) -> Vec<Sources> {
    let mut exempted = Vec::new();
    for exemption in &settings.exemptions {
        match &exemption.source {
            SourceMatch::Itself => exempted.push(Assigned::Itself),
            SourceMatch::Id(id) => exempted.push(Assigned::Group(id.clone(), None)),
            SourceMatch::Foreign { id, account } => {
                exempted.push(Assigned::Group(id.clone(), Some(account.clone())));
            }
            SourceMatch::Any | SourceMatch::SameAccount => {}
        }
    }
    let choices = |source: &UnknownSource<'_>| -> Vec<Assigned> {
        if source.candidates.is_empty() {
            let fresh = [true, false].map(|is_own| Assigned::Fresh { is_own });
            let fresh = fresh
                .into_iter()
                .take(if exempted.is_empty() { 1 } else { 2 });
            fresh.chain(exempted.iter().cloned()).collect()
        } else {
            source
                .candidates
                .iter()
                .map(|address| candidate(address))
                .collect()
        }
    };
    // Sources that may be absent are, where there shall be few.
    let sources: Vec<_> = unknown_sources(state)
        .into_iter()
        .filter(|source| source.is_certain)
        .map(|source| (source.key.to_owned(), choices(&source)))
        .collect();
    combine(&sources)
}

/// All combinations, or where there are too many, those in which all take their first choice, their second, …
fn combine(sources: &[(String, Vec<Assigned>)]) -> Vec<Sources> {
    let count = sources.iter().try_fold(1_usize, |count, (_, choices)| {
        count
            .checked_mul(choices.len())
            .filter(|count| *count <= MOST_COMBINATIONS)
    });
    if count.is_none() {
        // Free of each other they never open more than in any combination.
        let free = sources.iter().map(|(key, _)| {
            let fresh = Assigned::Fresh { is_own: true };
            (key.clone(), vec![fresh])
        });
        let most = sources.iter().map(|(_, choices)| choices.len()).max();
        let same = (0..most.unwrap_or(0).min(MOST_COMBINATIONS)).map(|place| {
            let pick = |(key, choices): &(String, Vec<Assigned>)| {
                let choice = choices.get(place).or(choices.last())?;
                Some((key.clone(), vec![choice.clone()]))
            };
            sources.iter().filter_map(pick).collect()
        });
        return std::iter::once(free.collect()).chain(same).collect();
    }
    let mut all = vec![Sources::new()];
    for (key, choices) in sources {
        all = all
            .iter()
            .flat_map(|sources| {
                choices.iter().map(|choice| {
                    let mut sources = sources.clone();
                    sources.insert(key.clone(), vec![choice.clone()]);
                    sources
                })
            })
            .collect();
    }
    all
}

/// Who unknown sources are where they shall be the same: each of the known sources, and one group that no other is.
pub(super) fn together(state: &GroupState) -> Sources {
    let mut known: Vec<Assigned> = Vec::new();
    let mut seen: BTreeSet<(&str, Option<&AccountId>)> = BTreeSet::new();
    for permission in state.all_permissions() {
        for source in &permission.sources {
            let (name, owner, assigned) = match &source.who {
                Who::Itself => ("", None, Assigned::Itself),
                Who::Planned(address) => (address.as_str(), None, candidate(address)),
                Who::Group {
                    group_id, owner, ..
                } => (
                    group_id.as_str(),
                    owner.as_ref(),
                    Assigned::Group(group_id.clone(), owner.clone()),
                ),
                Who::Named { .. } | Who::Unknown { .. } => continue,
            };
            if seen.insert((name, owner)) {
                known.push(assigned);
            }
        }
    }
    unknown_sources(state)
        .into_iter()
        .map(|source| {
            let may_be =
                if source.candidates.is_empty() || source.candidates.len() > MOST_CANDIDATES {
                    let others = [Assigned::Shared, Assigned::Itself];
                    known.iter().cloned().chain(others).collect()
                } else {
                    source
                        .candidates
                        .iter()
                        .map(|address| candidate(address))
                        .collect()
                };
            (source.key.to_owned(), may_be)
        })
        .collect()
}

/// Who unknown sources are where they are told: each another group.
pub(super) fn told(state: &GroupState) -> Sources {
    unknown_sources(state)
        .into_iter()
        .map(|source| {
            let only = match source.candidates {
                [only] => candidate(only),
                _ => Assigned::Fresh { is_own: true },
            };
            (source.key.to_owned(), vec![only])
        })
        .collect()
}
