//! The groups that events name, as EC2 shows them once it shows what the events prove.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::evaluate::{KnownRules, fails};
use super::plan::{Failures, Request};
use super::resolve::Resolved;
use super::source::{GroupSource, Observation, Observed, Owner, Query};
use super::staleness::{Claims, Contradictions, Messages, Settlement, WAITS, settle};
use super::stats::RunStats;
use super::store::FindingStore;
use super::{Engine, EngineError};
use crate::model::{AccountId, GroupId};
use crate::policy::Settings;

/// The answers of EC2 about the groups that events name.
#[derive(Debug, Default)]
pub(super) struct Fetched {
    /// The groups to evaluate.
    pub(super) groups: Vec<Observed>,
    /// The groups that are gone, and when the last look for each began.
    pub(super) gone: BTreeMap<GroupId, Timestamp>,
    /// Groups of other accounts, with their owner: their own functions evaluate them.
    pub(super) foreign: BTreeMap<GroupId, String>,
    /// The messages whose own claim EC2 contradicts to the end.
    pub(super) failures: Failures,
    /// The rules that were asked for on the way.
    pub(super) rules: KnownRules,
    pub(super) stats: RunStats,
}

/// One group between two looks.
#[derive(Debug)]
struct Look {
    claims: Claims,
    messages: Vec<usize>,
    seen: Option<Observed>,
    /// When the last look for it began.
    at: Timestamp,
    owner_elsewhere: Option<String>,
}

impl Look {
    fn contradictions(&self) -> Contradictions {
        let group = self.seen.as_ref().map(|seen| &seen.group);
        self.claims.contradictions(group, self.at)
    }

    /// The messages after which it is not known what EC2 must show of a group that passes.
    fn doubts(&self, settings: &Settings) -> Messages {
        match &self.seen {
            Some(seen) if !fails(settings, &seen.group, seen.at) => {
                self.claims.doubts(&seen.group, seen.at)
            }
            _ => Messages::new(),
        }
    }

    /// Whether the ids of the group's rules would tell more than EC2's answer.
    fn needs_rules(&self, settings: &Settings) -> bool {
        let may_be_ingress = self.seen.as_ref().is_some_and(|seen| {
            self.claims.may_be_ingress(&seen.group, seen.at)
                && !fails(settings, &seen.group, seen.at)
        });
        may_be_ingress || self.contradictions().has_gone_rule_with_id()
    }

    /// Whether the group is absent, and no event proves that it is gone.
    fn is_missing(&self) -> bool {
        self.seen.is_none() && !self.claims.is_deleted() && self.owner_elsewhere.is_none()
    }
}

impl<S: GroupSource, K: FindingStore> Engine<'_, S, K> {
    /// The groups as EC2 shows them. While an answer contradicts a young event, or a group is absent that no event proves
    /// gone, it asks again, three times at most.
    pub(super) async fn fetch(&self, resolved: &Resolved<'_>) -> Result<Fetched, EngineError> {
        let mut looks = self.first_look(resolved).await?;
        let mut stats = RunStats::default();
        let mut waits = WAITS.into_iter();
        let mut rules = None;
        let is_over = loop {
            stats.stale_reads += count_contradicted(&looks);
            if self.source.is_live() && rules.is_none() {
                rules = self.hold_against_rules(&mut looks).await;
            }
            let again = self.worth_another_look(&looks);
            if again.is_empty() {
                break true;
            }
            let wait = waits.next();
            if self.source.is_live() && !self.wait(wait).await {
                break wait.is_none();
            }
            match self.source.find(Query::Ids(&again), Owner::Any).await {
                Ok(observation) => self.take(&mut looks, &again, observation),
                // What was seen before is not worth less for it.
                Err(error) if self.source.is_live() => {
                    let why = format!("ec2 was not asked again: {error}");
                    stats = stats.and(RunStats::of_warning(why));
                    break false;
                }
                Err(error) => return Err(error.into()),
            }
            if !self.source.is_live() {
                // A snapshot answers the same however often it is asked: only whose the absent groups are was not known.
                break true;
            }
        };
        let rules = rules.unwrap_or_default();
        Ok(Fetched {
            stats: stats.and(rules.stats.clone()),
            rules,
            ..self.settled(looks, is_over)
        })
    }

    async fn first_look(
        &self,
        resolved: &Resolved<'_>,
    ) -> Result<BTreeMap<GroupId, Look>, EngineError> {
        let mut found = resolved.found.clone();
        let wanted: Vec<_> = resolved
            .requests
            .keys()
            .filter(|id| !found.contains_key(*id))
            .cloned()
            .collect();
        let mut began = None;
        if !wanted.is_empty() {
            let observation = self.source.find(Query::Ids(&wanted), Owner::This).await?;
            began = Some(observation.at);
            let observed = observation.groups.into_iter();
            found.extend(observed.map(|one| (one.group.group_id.clone(), one)));
        }
        let look = |(id, request): (&GroupId, &Request<'_>)| {
            let seen = found.remove(id);
            let at = seen.as_ref().map(|seen| seen.at).or(began);
            let vpc = seen.as_ref().and_then(|seen| seen.group.vpc_id.as_ref());
            let of_vpc = vpc.and_then(|vpc| resolved.gone_vpcs.get(vpc));
            let of_vpc = of_vpc.map(Request::claims).unwrap_or_default();
            let look = Look {
                claims: request.claims().and_deletions_of(of_vpc),
                messages: request.messages().into_iter().collect(),
                at: at.unwrap_or(Timestamp::MIN),
                seen,
                owner_elsewhere: None,
            };
            (id.clone(), look)
        };
        Ok(resolved.requests.iter().map(look).collect())
    }

    /// Holds claims against the rules by their ids. Terraform replaces a rule by revoking and authorizing it: EC2 shows the
    /// new one under an id of its own. And only its id tells whether a modified rule is an ingress rule. The rules, where
    /// they were asked for.
    async fn hold_against_rules(&self, looks: &mut BTreeMap<GroupId, Look>) -> Option<KnownRules> {
        let asked: Vec<_> = looks
            .iter()
            .filter(|(_, look)| look.needs_rules(self.settings))
            .map(|(id, _)| id.clone())
            .collect();
        if asked.is_empty() {
            return None;
        }
        let known = self.known_rules(&asked).await;
        for id in &asked {
            if let Some(look) = looks.get_mut(id) {
                look.claims = std::mem::take(&mut look.claims).with_known_rules(known.of(id));
            }
        }
        Some(known)
    }

    fn worth_another_look(&self, looks: &BTreeMap<GroupId, Look>) -> Vec<GroupId> {
        let needs_one = |look: &Look| {
            look.is_missing()
                || self.source.is_live()
                    && look.owner_elsewhere.is_none()
                    && (!look.contradictions().is_empty() || !look.doubts(self.settings).is_empty())
        };
        let again = looks.iter().filter(|(_, look)| needs_one(look));
        again.map(|(id, _)| id.clone()).collect()
    }

    /// Takes the answer to another look for some groups.
    fn take(
        &self,
        looks: &mut BTreeMap<GroupId, Look>,
        asked: &[GroupId],
        observation: Observation,
    ) {
        let mut seen: BTreeMap<_, _> = observation
            .groups
            .into_iter()
            .map(|one| (one.group.group_id.clone(), one))
            .collect();
        for id in asked {
            let Some(look) = looks.get_mut(id) else {
                continue;
            };
            let (own, other): (Option<_>, Option<_>) = match seen.remove(id) {
                Some(one) if self.owns(&one.group) => (Some(one), None),
                other => (None, other),
            };
            look.owner_elsewhere = other.map(|other| owner_of(other.group.owner_id));
            look.at = own.as_ref().map_or(observation.at, |own| own.at);
            look.seen = own;
        }
    }

    /// What becomes of each group after the last look. Where there was no other look although one was needed, nothing is
    /// said to be gone, and nothing that is in doubt to pass.
    fn settled(&self, looks: BTreeMap<GroupId, Look>, is_over: bool) -> Fetched {
        let mut fetched = Fetched::default();
        for (id, look) in looks {
            let contradictions = if self.source.is_live() {
                look.contradictions()
            } else {
                Contradictions::default()
            };
            let stale = || EngineError::Stale(id.to_string());
            if let Some(owner) = look.owner_elsewhere {
                fetched.foreign.insert(id, owner);
                continue;
            }
            let doubts = look.doubts(self.settings);
            if !is_over && !doubts.is_empty() {
                let messages = contradictions.messages.into_iter().chain(doubts);
                fetched.failures.add(messages, stale());
                continue;
            }
            fetched
                .failures
                .add(contradictions.messages.iter().copied(), stale());
            let group = look.seen.as_ref().map(|seen| &seen.group);
            let settlement = settle(&contradictions, group, |group| {
                fails(self.settings, group, look.at)
            });
            match (settlement, look.seen) {
                (Settlement::Withheld, _) => {}
                (Settlement::AsShown, Some(seen)) => fetched.groups.push(seen),
                (Settlement::Reduced(group), _) => fetched.groups.push(Observed {
                    group: *group,
                    at: look.at,
                }),
                (Settlement::AsShown, None) if is_over || look.claims.is_deleted() => {
                    fetched.gone.insert(id, look.at);
                }
                (Settlement::AsShown, None) => fetched.failures.add(look.messages, stale()),
            }
        }
        fetched
    }

    /// Waits, if there is a wait left and time for it.
    pub(super) async fn wait(&self, wait: Option<Duration>) -> bool {
        /// The time for the call after the wait, and for publishing.
        const CALLS: Duration = Duration::from_secs(1);
        let left = self.time_left();
        let Some(wait) = wait.filter(|wait| left.is_none_or(|left| left > *wait + CALLS)) else {
            return false;
        };
        self.clock.sleep(wait).await;
        true
    }
}

fn count_contradicted(looks: &BTreeMap<GroupId, Look>) -> u64 {
    let contradicted = looks
        .values()
        .filter(|look| !look.contradictions().is_empty());
    u64::try_from(contradicted.count()).unwrap_or(u64::MAX)
}

fn owner_of(owner: Option<AccountId>) -> String {
    owner.map_or_else(|| "another account".to_owned(), |owner| owner.to_string())
}
