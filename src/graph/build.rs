//! The trust graph in the making: groups as they come, of which only what the graph needs is kept.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::civil::Date;

use super::assemble::assemble;
use super::internet::Internet;
use super::machines::Machines;
use super::trust::{Carried, Group, Openness, SourceName, TrustGraph};
use crate::model::ports::PortSet;
use crate::model::{
    AccountId, GroupId, GroupPair, NetworkInterface, Protocol, Region, SecurityGroup,
};
use crate::policy::reach::{Grants, Reach};
use crate::policy::source::is_stale;
use crate::policy::{OpenRule, ReferencedGroups, Settings, Violation, evaluate};

/// A trust graph in the making. Groups come in any order, from several accounts and Regions.
#[derive(Debug)]
pub struct Builder<'a> {
    settings: &'a Settings,
    today: Date,
    drafts: Vec<Draft>,
    by_id: HashMap<GroupId, Vec<usize>>,
    sources: Sources,
    carried: CarriedTable,
    machines: Machines,
}

/// A group as it came, with its sources by their numbers.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) group: Group,
    pub(super) edges: Vec<DraftEdge>,
    /// The sources over stale peering connections.
    pub(super) stale: BTreeSet<u32>,
}

/// An edge to a group whose source is not looked up yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct DraftEdge {
    pub(super) source: u32,
    pub(super) carried: u32,
    pub(super) openness: Openness,
}

/// The sources that were named, each with a number.
#[derive(Debug, Default)]
pub(super) struct Sources {
    pub(super) names: Vec<SourceName>,
    by_id: HashMap<GroupId, Vec<(Option<AccountId>, u32)>>,
    by_name: BTreeMap<SourceName, u32>,
}

/// The labels of edges, each once.
#[derive(Debug, Default)]
pub(super) struct CarriedTable {
    pub(super) carried: Vec<Carried>,
    by_rules: HashMap<Vec<OpenRule>, u32>,
}

/// The same group came twice, and differs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "security group {group_id} came before and is not the same here: the files are of different moments. What either says counts"
)]
pub struct Differs {
    pub group_id: GroupId,
}

impl Draft {
    fn admits_the_same(&self, other: &Self) -> bool {
        self.edges == other.edges
            && self.stale == other.stale
            && self.group.internet == other.group.internet
    }

    /// Takes what two descriptions tell in different ways from one of them, whichever comes first.
    fn agree(&mut self, other: &Self) {
        let (own, other) = (&mut self.group, &other.group);
        agree(&mut own.group_name, &other.group_name);
        agree(&mut own.region, &other.region);
        agree(&mut own.vpc_id, &other.vpc_id);
        agree(&mut own.level, &other.level);
    }

    fn unite(&mut self, other: Self) {
        self.edges.extend(other.edges);
        self.stale.extend(other.stale);
        self.group.internet.unite(other.group.internet);
    }
}

impl Sources {
    fn number(&mut self, pair: &GroupPair) -> u32 {
        let next = number(self.names.len());
        let Some(id) = &pair.group_id else {
            let name = SourceName::of(pair);
            return *self.by_name.entry(name.clone()).or_insert_with(|| {
                self.names.push(name);
                next
            });
        };
        // An id that is known is not copied.
        let owners = match self.by_id.get_mut(id) {
            Some(owners) => owners,
            None => self.by_id.entry(id.clone()).or_default(),
        };
        match owners.iter().find(|(owner, _)| *owner == pair.user_id) {
            Some((_, number)) => *number,
            None => {
                owners.push((pair.user_id.clone(), next));
                self.names.push(SourceName::of(pair));
                next
            }
        }
    }
}

impl CarriedTable {
    pub(super) fn number(
        &mut self,
        rules: Vec<OpenRule>,
        ports: impl FnOnce() -> Vec<(Protocol, PortSet)>,
    ) -> u32 {
        if let Some(number) = self.by_rules.get(&rules) {
            return *number;
        }
        let next = number(self.carried.len());
        self.carried.push(Carried {
            rules: rules.clone(),
            ports: ports(),
        });
        self.by_rules.insert(rules, next);
        next
    }

    /// The label of two edges of the same ends together.
    pub(super) fn both(&mut self, one: u32, other: u32) -> u32 {
        if one == other {
            return one;
        }
        let carried = [one, other].map(|number| self.carried.get(number as usize).cloned());
        let [Some(one), Some(other)] = carried else {
            return one;
        };
        let rules: BTreeSet<_> = one.rules.into_iter().chain(other.rules).collect();
        let mut ports: BTreeMap<Protocol, Vec<(u16, u16)>> = BTreeMap::new();
        for (protocol, set) in one.ports.into_iter().chain(other.ports) {
            ports.entry(protocol).or_default().extend(set.intervals());
        }
        let ports = ports
            .into_iter()
            .map(|(protocol, intervals)| (protocol, intervals.into_iter().collect()));
        self.number(rules.into_iter().collect(), || ports.collect())
    }
}

fn agree<T: Clone + Ord>(own: &mut Option<T>, other: &Option<T>) {
    let least = own.iter().chain(other).min().cloned();
    *own = least;
}

/// Whether a violation is of this source.
fn is_of(violation: &Violation, reach: Reach<'_, '_>) -> bool {
    let source = &violation.source;
    let Some(key) = reach.grants().first().map(|grant| grant.source) else {
        return false;
    };
    match key.group_id {
        Some(id) => source.group_id.as_ref() == Some(id),
        None => {
            source.group_id.is_none()
                && source.owner_id.as_ref() == key.owner
                && source.group_name.as_deref() == key.name
        }
    }
}

pub(super) fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

impl<'a> Builder<'a> {
    /// Of a graph by these settings, on a day in UTC: exemptions may have ended.
    #[must_use]
    pub fn new(settings: &'a Settings, today: Date) -> Self {
        Self {
            settings,
            today,
            drafts: Vec::new(),
            by_id: HashMap::new(),
            sources: Sources::default(),
            carried: CarriedTable::default(),
            machines: Machines::default(),
        }
    }

    /// Adds a group, in its Region where that is known.
    ///
    /// # Errors
    /// When the same group came before with other rules: then what either says counts.
    pub fn group(&mut self, group: &SecurityGroup, region: Option<Region>) -> Result<(), Differs> {
        let draft = self.draft(group, region);
        let known = self.by_id.entry(group.group_id.clone()).or_default();
        let twin = known.iter().copied().find(|place| {
            self.drafts
                .get(*place)
                .is_some_and(|known| known.group.owner_id == group.owner_id)
        });
        let Some(twin) = twin.and_then(|place| self.drafts.get_mut(place)) else {
            known.push(self.drafts.len());
            self.drafts.push(draft);
            return Ok(());
        };
        twin.agree(&draft);
        if twin.admits_the_same(&draft) {
            return Ok(());
        }
        twin.unite(draft);
        Err(Differs {
            group_id: group.group_id.clone(),
        })
    }

    /// Adds a network interface.
    pub fn interface(&mut self, interface: NetworkInterface) {
        self.machines.add(interface);
    }

    fn draft(&mut self, group: &SecurityGroup, region: Option<Region>) -> Draft {
        let sensitivity = self.settings.sensitivity.as_ref();
        let level = sensitivity.map(|sensitivity| sensitivity.name(sensitivity.of(group)));
        let has_stale = group
            .ip_permissions
            .iter()
            .flat_map(|permission| &permission.user_id_group_pairs)
            .any(is_stale);
        let (edges, stale) = if has_stale {
            self.live_and_stale(group.clone())
        } else {
            (self.edges(group), BTreeSet::new())
        };
        Draft {
            group: Group {
                group_id: group.group_id.clone(),
                group_name: group.group_name.clone(),
                owner_id: group.owner_id.clone(),
                region,
                vpc_id: group.vpc_id.clone(),
                level,
                internet: Internet::of(group),
                carriers: None,
            },
            edges,
            stale,
        }
    }

    /// The edges of a group without its sources over stale peering connections, and these sources.
    fn live_and_stale(&mut self, mut group: SecurityGroup) -> (Vec<DraftEdge>, BTreeSet<u32>) {
        let mut stale = BTreeSet::new();
        for permission in &mut group.ip_permissions {
            permission.user_id_group_pairs.retain(|pair| {
                if is_stale(pair) {
                    stale.insert(self.sources.number(pair));
                }
                !is_stale(pair)
            });
        }
        (self.edges(&group), stale)
    }

    fn edges(&mut self, group: &SecurityGroup) -> Vec<DraftEdge> {
        let verdict = evaluate(
            self.settings,
            group,
            &ReferencedGroups::default(),
            self.today,
        );
        let mut violations = verdict.violations.iter().peekable();
        let mut edges = Vec::new();
        // Violations come in the order of the sources, too.
        for reach in Grants::of(group).by_source() {
            let mut openness = Openness {
                is_exempt: true,
                ..Openness::default()
            };
            while let Some(violation) = violations.next_if(|violation| is_of(violation, reach)) {
                openness.is_open = true;
                openness.is_walked |= !violation.protocol.is_icmp();
                openness.is_exempt &= violation.exemption.is_some();
            }
            openness.is_exempt &= openness.is_open;
            let carried = self.carried.number(reach.rules(), || reach.ports());
            let sources: BTreeSet<_> = reach
                .grants()
                .iter()
                .map(|grant| self.sources.number(grant.pair))
                .collect();
            edges.extend(sources.into_iter().map(|source| DraftEdge {
                source,
                carried,
                openness,
            }));
        }
        edges
    }

    /// The graph of all that came.
    #[must_use]
    pub fn finish(self) -> TrustGraph {
        assemble(self.drafts, &self.sources, self.carried, &self.machines)
    }
}
