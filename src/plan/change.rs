//! What a deployment does to each violation.

use std::collections::BTreeMap;

use super::assess::Found;
use super::completion::Directory;
use crate::model::Protocol;
use crate::model::ports::PortSet;

/// What becomes of a violation of one source over one protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    New,
    /// It is there before, with fewer ports.
    Widened,
    Existing,
    /// It is there before, with more ports.
    Narrowed,
    Fixed,
}

/// A source as it is the same before and after: by its address where it has one, since a group that is replaced gets
/// another id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SourceKey {
    Address(String),
    Id(String),
    Named(Option<String>, Option<String>),
}

/// The ports that violations open by source and protocol: what no exemption covers, and all of it.
#[derive(Debug, Default)]
pub(super) struct Opened(BTreeMap<(SourceKey, Protocol), Ports>);

#[derive(Debug, Default)]
struct Ports {
    /// Of the violations that no exemption covers.
    failing: PortSet,
    all: PortSet,
}

impl Change {
    /// The word in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Widened => "widened",
            Self::Existing => "existing",
            Self::Narrowed => "narrowed",
            Self::Fixed => "fixed",
        }
    }

    /// From the ports before and after; neither is empty.
    fn of(before: &PortSet, after: &PortSet) -> Self {
        match (before.covers(after), after.covers(before)) {
            (true, true) => Self::Existing,
            (true, false) => Self::Narrowed,
            (false, _) => Self::Widened,
        }
    }
}

impl SourceKey {
    pub(super) fn of(found: &Found<'_>, address: &str, directory: &Directory<'_>) -> Self {
        let source = &found.violation.source;
        if source.is_self {
            return Self::Address(address.to_owned());
        }
        let Some(id) = &source.group_id else {
            let owner = source.owner_id.as_ref();
            return Self::Named(
                source.group_name.clone(),
                owner.map(|owner| owner.as_str().to_owned()),
            );
        };
        if let Some(address) = directory.address_of(id) {
            return Self::Address(address.to_owned());
        }
        match directory.get(id.as_str()) {
            Some(group) => Self::Address(group.address.clone()),
            None => Self::Id(id.as_str().to_owned()),
        }
    }
}

impl Opened {
    pub(super) fn new(found: &[Found<'_>], address: &str, directory: &Directory<'_>) -> Self {
        let mut intervals: BTreeMap<_, (Vec<_>, Vec<_>)> = BTreeMap::new();
        for one in found {
            let key = (
                SourceKey::of(one, address, directory),
                one.violation.protocol.clone(),
            );
            let (failing, all) = intervals.entry(key).or_default();
            let ports = one.violation.ports.intervals();
            if one.violation.exemption.is_none() {
                failing.extend_from_slice(ports);
            }
            all.extend_from_slice(ports);
        }
        let opened = intervals.into_iter().map(|(key, (failing, all))| {
            let ports = Ports {
                failing: failing.into_iter().collect(),
                all: all.into_iter().collect(),
            };
            (key, ports)
        });
        Self(opened.collect())
    }

    /// What becomes of a violation of this source and protocol, held against those before. One that an exemption
    /// covered before, and none does any more, is new.
    pub(super) fn change(
        &self,
        before: &Self,
        source: &SourceKey,
        protocol: &Protocol,
        is_exempt: bool,
    ) -> Change {
        let key = (source.clone(), protocol.clone());
        let of = |opened: &Self| {
            let ports = opened.0.get(&key)?;
            let ports = if is_exempt {
                &ports.all
            } else {
                &ports.failing
            };
            (!ports.is_empty()).then(|| ports.clone())
        };
        match (of(before), of(self)) {
            (Some(before), Some(after)) => Change::of(&before, &after),
            _ => Change::New,
        }
    }

    /// Whether a violation of this source and protocol is there.
    pub(super) fn has(&self, source: &SourceKey, protocol: &Protocol) -> bool {
        self.0.contains_key(&(source.clone(), protocol.clone()))
    }
}
