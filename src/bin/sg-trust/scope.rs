//! Where `replay` runs: the account and Region that the events, the snapshot or the command line tell.

use std::collections::BTreeSet;
use std::fmt::Display;

use anyhow::{Context as _, bail};
use sg_trust::event::Batch;
use sg_trust::input::Snapshot;
use sg_trust::model::{AccountId, Partition, Region, Scope, SecurityGroup};

use crate::region::{place_of, region_of_environment};

/// A Region that no group and no event names: it stands in no output, and equals no other.
const NO_REGION: &str = "unknown";

#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("not the 12 digits of an account")]
pub(crate) struct NotAnAccount;

pub(crate) fn parse_account(text: &str) -> Result<AccountId, NotAnAccount> {
    let account = AccountId::new(text);
    let is_one = account.is_well_formed();
    is_one.then_some(account).ok_or(NotAnAccount)
}

/// What the command line tells.
pub(crate) struct Given<'a> {
    pub(crate) account: Option<&'a AccountId>,
    pub(crate) region: Option<&'a Region>,
    /// Findings need a Region; what people and scripts read about groups does not.
    pub(crate) needs_region: bool,
}

/// A scope whose Region may be unknown.
pub(crate) struct Place {
    pub(crate) scope: Scope,
    pub(crate) is_region_known: bool,
}

impl Place {
    /// # Errors
    /// When account or Region are not told, are told by several in different ways, or contradict each other.
    pub(crate) fn find(
        given: &Given<'_>,
        batch: &Batch,
        snapshot: &Snapshot,
    ) -> anyhow::Result<Self> {
        let of_events = batch.triggers().filter_map(|event| event.account.clone());
        let of_groups = snapshot.groups().iter();
        let account = Told {
            noun: "account",
            option: "--account",
            given: given.account,
            events: of_events.collect(),
            groups: of_groups.filter_map(|group| group.owner_id.clone()).collect(),
        }
        .one()?
        .context(
            "neither the event nor the snapshot names an account (no account, no OwnerId): give it with --account",
        )?;
        Self::of_account(account, given, batch, snapshot.groups())
    }

    /// The scope of a known account: only the Region is looked for.
    ///
    /// # Errors
    /// When the Region is not told, is told in different ways, or contradicts itself.
    pub(crate) fn of_account(
        account: AccountId,
        given: &Given<'_>,
        batch: &Batch,
        groups: &[SecurityGroup],
    ) -> anyhow::Result<Self> {
        let places: BTreeSet<_> = groups.iter().filter_map(place_of).collect();
        let of_events = batch.triggers().filter_map(|event| event.region.clone());
        let region = Told {
            noun: "Region",
            option: "--region",
            given: given.region,
            events: of_events.collect(),
            groups: places.iter().map(|(_, region)| region.clone()).collect(),
        }
        .one()?;
        let region = match region {
            Some(region) => Some(region),
            None if given.needs_region => Some(region_of_environment()?.context(
                "neither the event nor the snapshot names a Region: give it with --region, or set AWS_REGION or AWS_DEFAULT_REGION",
            )?),
            None => region_of_environment().unwrap_or(None),
        };
        let is_region_known = region.is_some();
        let region = region.unwrap_or_else(|| Region::new(NO_REGION));
        let of_arn = places.into_iter().find(|(_, own)| *own == region);
        let partition = of_arn.map_or_else(|| Partition::of(&region), |(partition, _)| partition);
        Ok(Self {
            scope: Scope {
                partition,
                region,
                account,
            },
            is_region_known,
        })
    }
}

/// What is told of the account, or of the Region.
struct Told<'a, T> {
    noun: &'static str,
    option: &'static str,
    given: Option<&'a T>,
    events: BTreeSet<T>,
    groups: BTreeSet<T>,
}

impl<T: Ord + Clone + Display> Told<'_, T> {
    /// The one that is meant; none when nothing tells it.
    fn one(&self) -> anyhow::Result<Option<T>> {
        let Self {
            noun,
            option,
            events,
            groups,
            ..
        } = self;
        if let Some(given) = self.given {
            if !events.is_empty() && !events.contains(given) {
                bail!(
                    "{option} is {given}, and the event is of {noun} {}",
                    list(events)
                );
            }
            if !groups.is_empty() && !groups.contains(given) {
                bail!(
                    "{option} is {given}, and the snapshot has groups of {noun} {}",
                    list(groups)
                );
            }
            return Ok(Some(given.clone()));
        }
        let of_both: BTreeSet<_> = events.intersection(groups).cloned().collect();
        let candidates = match (events.is_empty(), groups.is_empty()) {
            (false, false) if of_both.is_empty() => bail!(
                "the event is of {noun} {}, and the snapshot has no group of it: it is another {noun}'s",
                list(events)
            ),
            (false, false) => &of_both,
            (false, true) => events,
            (true, _) => groups,
        };
        match candidates.first() {
            Some(_) if candidates.len() > 1 => {
                let what = match (events.is_empty(), groups.is_empty()) {
                    (true, _) => format!(
                        "the event names no {noun}, and the snapshot has groups of {}",
                        list(groups)
                    ),
                    (false, true) => format!("the events are of {}", list(events)),
                    (false, false) => format!(
                        "the events are of {}, and the snapshot has groups of each",
                        list(candidates)
                    ),
                };
                bail!("{what}: say which is meant with {option}")
            }
            one => Ok(one.cloned()),
        }
    }
}

fn list<T: Display>(values: &BTreeSet<T>) -> String {
    let values: Vec<_> = values.iter().map(ToString::to_string).collect();
    values.join(", ")
}
