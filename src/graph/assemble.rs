//! From groups as they came to the graph: sources are looked up over all accounts and Regions, machines join groups.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::build::{CarriedTable, Draft, DraftEdge, Sources, number};
use super::machines::{Interface, Machines};
use super::trust::{
    Carried, Carriers, Edge, Group, GroupIndex, Machine, Openness, SourceName, TrustGraph, Unseen,
    Why,
};
use crate::model::{AccountId, GroupId, InterfaceKind, VpcId};

/// An edge, or a stale reference, before the sources outside are numbered.
type Loose<T> = Vec<(Source, u32, T)>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    Group(u32),
    /// By its number among the sources.
    Outside(u32),
}

pub(super) fn assemble(
    mut drafts: Vec<Draft>,
    sources: &Sources,
    mut carried: CarriedTable,
    interfaces: &Machines,
) -> TrustGraph {
    drafts.sort_by(|a, b| {
        let (a, b) = (&a.group, &b.group);
        (&a.group_id, &a.owner_id).cmp(&(&b.group_id, &b.owner_id))
    });
    let mut groups = Vec::with_capacity(drafts.len());
    let mut named = Vec::with_capacity(drafts.len());
    for draft in drafts {
        groups.push(draft.group);
        named.push((draft.edges, draft.stale));
    }
    let directory = Directory::new(&groups, sources);
    let loose = loose_edges(&named, sources, &directory);
    let outside = Outside::new(&loose, sources, groups.len());
    let edges = edges(loose, &outside, &mut carried);
    let stale = named.iter().map(|(_, stale)| stale);
    let unseen = unseen(&groups, &edges, &outside, &carried.carried, sources, stale);
    let machines = machines(interfaces, &directory, &outside);
    let carriers = carriers(&groups, interfaces, &directory);
    drop(directory);
    for (group, carriers) in groups.iter_mut().zip(carriers) {
        group.carriers = carriers;
    }
    TrustGraph {
        groups,
        outside: outside.names,
        edges,
        carried: carried.carried,
        machines,
        unseen,
        has_interfaces: !interfaces.is_empty(),
    }
}

/// The groups by their ids, and by their names where a source has no id.
struct Directory<'a> {
    groups: &'a [Group],
    by_id: HashMap<&'a GroupId, Vec<u32>>,
    by_name: HashMap<(Option<&'a VpcId>, String), Vec<u32>>,
}

impl<'a> Directory<'a> {
    fn new(groups: &'a [Group], sources: &Sources) -> Self {
        let mut by_id: HashMap<_, Vec<_>> = HashMap::with_capacity(groups.len());
        for (place, group) in groups.iter().enumerate() {
            let id = &group.group_id;
            by_id.entry(id).or_default().push(number(place));
        }
        let mut by_name: HashMap<_, Vec<_>> = HashMap::new();
        if sources.names.iter().any(|name| name.group_id.is_none()) {
            for (place, group) in groups.iter().enumerate() {
                if let Some(name) = &group.group_name {
                    let key = (group.vpc_id.as_ref(), name.to_lowercase());
                    by_name.entry(key).or_default().push(number(place));
                }
            }
        }
        Self {
            groups,
            by_id,
            by_name,
        }
    }

    fn group(&self, place: u32) -> Option<&'a Group> {
        self.groups.get(place as usize)
    }

    /// The groups with an id, of an account where that is known: the account's own, else one of an unknown account.
    fn find(&self, id: &GroupId, owner: Option<&AccountId>) -> Vec<u32> {
        let all = self.by_id.get(id).map_or(&[][..], Vec::as_slice);
        if owner.is_none() {
            return all.to_vec();
        }
        let of = |owner: Option<&AccountId>| -> Vec<u32> {
            let is_of = |place: &u32| {
                self.group(*place)
                    .is_some_and(|group| group.owner_id.as_ref() == owner)
            };
            all.iter().copied().filter(is_of).collect()
        };
        let own = of(owner);
        if own.is_empty() { of(None) } else { own }
    }

    /// The groups that a permission of the target means by a source.
    fn find_source(&self, source: &SourceName, target: u32) -> Vec<u32> {
        let Some(to) = self.group(target) else {
            return Vec::new();
        };
        let owner = source.owner_id.as_ref();
        match (&source.group_id, &source.group_name) {
            (Some(id), _) if owner.is_none() && *id == to.group_id => vec![target],
            (Some(id), _) => self.find(id, owner),
            // Names are unique in a VPC, whatever their case.
            (None, Some(name)) => {
                let key = (to.vpc_id.as_ref(), name.to_lowercase());
                let named = self.by_name.get(&key).map_or(&[][..], Vec::as_slice);
                let may_be = |place: &u32| {
                    let own = self.group(*place).and_then(|group| group.owner_id.as_ref());
                    owner.is_none() || own.is_none() || own == owner
                };
                named.iter().copied().filter(may_be).collect()
            }
            (None, None) => Vec::new(),
        }
    }

    /// The groups on an interface that files have.
    fn on_interface(&self, interface: &Interface) -> BTreeSet<u32> {
        let mut found = BTreeSet::new();
        for id in &interface.groups {
            let of_owners = interface
                .owners
                .iter()
                .map(|owner| self.find(id, Some(owner)));
            let own: Vec<u32> = of_owners.flatten().collect();
            // A group that is shared is of another account than the interface.
            found.extend(if own.is_empty() {
                self.find(id, None)
            } else {
                own
            });
        }
        found
    }
}

fn loose_edges(
    named: &[(Vec<DraftEdge>, BTreeSet<u32>)],
    sources: &Sources,
    directory: &Directory<'_>,
) -> Loose<(u32, Openness)> {
    let mut loose = Vec::with_capacity(named.iter().map(|(edges, _)| edges.len()).sum());
    for (target, (edges, _)) in named.iter().enumerate() {
        let target = number(target);
        for edge in edges {
            let Some(name) = sources.names.get(edge.source as usize) else {
                continue;
            };
            let what = (edge.carried, edge.openness);
            let found = directory.find_source(name, target);
            if found.is_empty() {
                loose.push((Source::Outside(edge.source), target, what));
            }
            loose.extend(
                found
                    .into_iter()
                    .map(|place| (Source::Group(place), target, what)),
            );
        }
    }
    loose
}

/// The sources that no file has, numbered behind the groups in the order of their names.
struct Outside {
    names: Vec<SourceName>,
    numbers: HashMap<u32, u32>,
    by_id: HashMap<GroupId, Vec<u32>>,
    groups: usize,
}

impl Outside {
    fn new<T>(loose: &Loose<T>, sources: &Sources, groups: usize) -> Self {
        let mut outside: BTreeMap<&SourceName, u32> = BTreeMap::new();
        for (source, ..) in loose {
            if let Source::Outside(source) = source
                && let Some(name) = sources.names.get(*source as usize)
            {
                outside.insert(name, *source);
            }
        }
        let mut by_id: HashMap<GroupId, Vec<u32>> = HashMap::new();
        let mut numbers = HashMap::new();
        for (place, (name, source)) in outside.iter().enumerate() {
            let number = number(groups + place);
            numbers.insert(*source, number);
            if let Some(id) = &name.group_id {
                by_id.entry(id.clone()).or_default().push(number);
            }
        }
        Self {
            names: outside.into_keys().cloned().collect(),
            numbers,
            by_id,
            groups,
        }
    }

    fn number(&self, source: Source) -> Option<u32> {
        match source {
            Source::Group(place) => Some(place),
            Source::Outside(source) => self.numbers.get(&source).copied(),
        }
    }

    fn name(&self, place: u32) -> Option<&SourceName> {
        self.names.get((place as usize).checked_sub(self.groups)?)
    }

    /// The sources that an interface carries.
    fn on_interface(&self, interface: &Interface) -> impl Iterator<Item = u32> {
        let with_id = |id: &GroupId| self.by_id.get(id).map_or(&[][..], Vec::as_slice);
        let may_be = |place: &u32| {
            let owner = self.name(*place).and_then(|name| name.owner_id.as_ref());
            owner
                .is_none_or(|owner| interface.owners.is_empty() || interface.owners.contains(owner))
        };
        let found = interface.groups.iter().flat_map(with_id).copied();
        found.filter(may_be)
    }
}

/// One edge a pair.
fn edges(
    loose: Loose<(u32, Openness)>,
    outside: &Outside,
    carried: &mut CarriedTable,
) -> Vec<Edge> {
    let numbered = loose
        .into_iter()
        .filter_map(|(source, to, (carried, openness))| {
            let from = outside.number(source)?;
            Some(Edge {
                from,
                to,
                carried,
                openness,
            })
        });
    let mut sorted: Vec<_> = numbered.collect();
    sorted.sort_unstable();
    let mut edges: Vec<Edge> = Vec::with_capacity(sorted.len());
    for edge in sorted {
        match edges.last_mut() {
            Some(last) if (last.from, last.to) == (edge.from, edge.to) => {
                last.carried = carried.both(last.carried, edge.carried);
                last.openness = last.openness.with(edge.openness);
            }
            _ => edges.push(edge),
        }
    }
    edges
}

fn unseen<'a>(
    groups: &[Group],
    edges: &[Edge],
    outside: &Outside,
    carried: &[Carried],
    sources: &Sources,
    stale: impl Iterator<Item = &'a BTreeSet<u32>>,
) -> Vec<Unseen> {
    let mut unseen: BTreeMap<(SourceName, Why), BTreeSet<GroupIndex>> = BTreeMap::new();
    for edge in edges {
        let Some(name) = outside.name(edge.from) else {
            continue;
        };
        let of_target = groups
            .get(edge.to as usize)
            .and_then(|group| group.owner_id.as_ref());
        let is_foreign = name
            .owner_id
            .as_ref()
            .zip(of_target)
            .is_some_and(|(source, target)| source != target);
        let is_peered = carried.get(edge.carried as usize).is_some_and(|carried| {
            carried
                .rules
                .iter()
                .any(|rule| rule.pair.peering_connection_id.is_some())
        });
        let why = match (is_foreign, is_peered) {
            (true, _) => Why::OtherAccount,
            (false, true) => Why::Peering,
            (false, false) => Why::NotInSnapshot,
        };
        unseen
            .entry((name.clone(), why))
            .or_default()
            .insert(GroupIndex(edge.to));
    }
    for (target, stale) in stale.enumerate() {
        for name in stale
            .iter()
            .filter_map(|source| sources.names.get(*source as usize))
        {
            let key = (name.clone(), Why::StalePeering);
            unseen
                .entry(key)
                .or_default()
                .insert(GroupIndex(number(target)));
        }
    }
    unseen
        .into_iter()
        .map(|((source, why), targets)| Unseen {
            source,
            why,
            referenced_by: targets.into_iter().collect(),
        })
        .collect()
}

/// The machines through which a chain may go: traffic comes in, and may be sent on.
fn machines(interfaces: &Machines, directory: &Directory<'_>, outside: &Outside) -> Vec<Machine> {
    let machine = |(name, interfaces): (&str, Vec<&Interface>)| {
        let is_entered = |interface: &&&Interface| {
            interface
                .kinds
                .iter()
                .any(|kind| *kind != InterfaceKind::Sender)
        };
        let sends_on = interfaces
            .iter()
            .any(|interface| interface.kinds.contains(&InterfaceKind::Machine));
        let doors: BTreeSet<u32> = interfaces
            .iter()
            .filter(is_entered)
            .flat_map(|interface| directory.on_interface(interface))
            .collect();
        if doors.is_empty() || !sends_on {
            return None;
        }
        let own = interfaces
            .iter()
            .flat_map(|interface| directory.on_interface(interface));
        let others = interfaces
            .iter()
            .flat_map(|interface| outside.on_interface(interface));
        let keys: BTreeSet<u32> = own.chain(others).collect();
        Some(Machine {
            name: name.to_owned(),
            doors: doors.into_iter().collect(),
            keys: keys.into_iter().collect(),
        })
    };
    interfaces.iter().filter_map(machine).collect()
}

/// Who carries each group; none where that is not known.
fn carriers(
    groups: &[Group],
    interfaces: &Machines,
    directory: &Directory<'_>,
) -> Vec<Option<Carriers>> {
    let nobody = Carriers {
        machines: 0,
        is_exposed: false,
    };
    let vpcs = interfaces.vpcs();
    let is_read = |group: &Group| {
        let owners = group.vpc_id.as_ref().and_then(|vpc| vpcs.get(vpc));
        owners.is_some_and(|owners| owners.include(group.owner_id.as_ref()))
    };
    let mut carriers: Vec<_> = groups
        .iter()
        .map(|group| is_read(group).then_some(nobody))
        .collect();
    for (_, of_machine) in interfaces.iter() {
        let mut on_machine = BTreeSet::new();
        for interface in of_machine {
            for place in directory.on_interface(interface) {
                let Some((group, known)) = groups
                    .get(place as usize)
                    .zip(carriers.get_mut(place as usize))
                else {
                    continue;
                };
                let carriers = known.get_or_insert(nobody);
                carriers.machines += u32::from(on_machine.insert(place));
                carriers.is_exposed |= !group.internet.v4.is_empty() && interface.has_public_v4
                    || !group.internet.v6.is_empty() && interface.has_public_v6;
            }
        }
    }
    carriers
}
