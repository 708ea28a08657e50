//! EC2 and Security Hub over a history: answers that are slow, old or missing, and a hub whose reads lag.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;

use super::history::{History, RULES, State, is_default, source};
use crate::engine::clock::Clock as _;
use crate::engine::source::{GroupSource, Observation, Observed, Owner, Page, Query, SourceError};
use crate::engine::testing::{TestClock, context};
use crate::finding::{Context, Finding, Passed};
use crate::model::{GroupId, GroupRule, Protocol, RuleId, SecurityGroup, Traffic};
use crate::policy::Settings;

/// What EC2, Security Hub and the network are like.
#[derive(Debug, Clone)]
pub(super) struct Weather {
    /// Whether an answer of EC2 is never older than one that was asked for before.
    pub(super) is_monotone: bool,
    /// How many milliseconds EC2 lags behind at most.
    pub(super) lag: u64,
    /// How many milliseconds an event is on its way at least.
    pub(super) delivery: u64,
    /// How many milliseconds reads of the hub lag behind at most.
    pub(super) hub_lag: u64,
    /// How many calls of a thousand fail.
    pub(super) faults: u64,
    /// Whether a rule may come and go at any pace.
    pub(super) is_loose: bool,
}

/// Numbers that look random, from a seed.
#[derive(Debug)]
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// SplitMix64 (<https://prng.di.unimi.it/splitmix64.c>).
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }
}

/// What EC2 showed of a group in one answer.
#[derive(Debug, Clone)]
pub(super) struct Look {
    pub(super) run: usize,
    /// The moment before the request was sent.
    pub(super) at: Timestamp,
    pub(super) id: GroupId,
    pub(super) shown: Option<SecurityGroup>,
}

/// A finding that a run sent, taken or not.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) run: usize,
    pub(super) finding: Finding,
    /// The time of the finding that it was sent over, where that was known to be as new.
    pub(super) over: Option<Timestamp>,
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) settings: Settings,
    pub(super) context: Arc<Context>,
    pub(super) history: History,
    pub(super) weather: Weather,
    chance: Mutex<Chance>,
    pub(super) looks: Mutex<Vec<Look>>,
    /// The rules by their ids that runs were shown.
    pub(super) rules: Mutex<Vec<(usize, Timestamp, GroupRule)>>,
    pub(super) sent: Mutex<Vec<Sent>>,
    /// The findings that runs know to be taken.
    pub(super) taken: Mutex<BTreeSet<(usize, GroupId)>>,
    /// What the hub took, and when, in that order.
    hub: Mutex<BTreeMap<GroupId, Vec<(Duration, Finding)>>>,
    /// The runs that met a fault.
    pub(super) faulty: Mutex<BTreeSet<usize>>,
    runs: Mutex<usize>,
}

impl World {
    pub(super) fn new(settings: Settings, history: History, weather: Weather, seed: u64) -> Self {
        // Sometimes the findings of groups that pass stay active.
        let passed = if seed.is_multiple_of(5) {
            Passed::Active
        } else {
            Passed::Archive
        };
        let context = Context {
            passed,
            ..Context::clone(&context())
        };
        Self {
            settings,
            context: Arc::new(context),
            history,
            weather,
            chance: Mutex::new(Chance::new(seed)),
            looks: Mutex::default(),
            rules: Mutex::default(),
            sent: Mutex::default(),
            taken: Mutex::default(),
            hub: Mutex::default(),
            faulty: Mutex::default(),
            runs: Mutex::default(),
        }
    }

    pub(super) fn below(&self, limit: u64) -> u64 {
        self.chance.lock().unwrap().below(limit)
    }

    /// One way to AWS or back: fast mostly.
    pub(super) async fn travel(&self) {
        let most = if self.below(8) == 0 { 2_500 } else { 120 };
        let time = 1 + self.below(most);
        TestClock.sleep(Duration::from_millis(time)).await;
    }

    /// Whether a call fails. In the end, none does.
    pub(super) fn fails(&self, run: usize) -> bool {
        let is_calm = TestClock.elapsed() > self.history.end() + Duration::from_secs(120);
        let fails = !is_calm && self.below(1_000) < self.weather.faults;
        if fails {
            self.faulty.lock().unwrap().insert(run);
        }
        fails
    }

    /// What EC2 shows of a group now.
    fn visible(&self, id: &GroupId) -> Option<State> {
        let now = TestClock.elapsed();
        let versions = self.history.groups.get(id)?;
        let lag = Duration::from_millis(self.below(self.weather.lag + 1));
        let is_visible = |at: Duration, visible: Duration| {
            if self.weather.is_monotone {
                visible <= now
            } else {
                at + lag <= now
            }
        };
        let newest = versions
            .iter()
            .rev()
            .find(|version| is_visible(version.at, version.visible));
        newest.and_then(|version| version.state.clone())
    }

    fn look(&self, run: usize, at: Timestamp, id: &GroupId) -> Option<SecurityGroup> {
        let state = self.visible(id);
        let shown = state.map(|state| self.history.shown(id, &state));
        self.looks.lock().unwrap().push(Look {
            run,
            at,
            id: id.clone(),
            shown: shown.clone(),
        });
        shown
    }

    fn look_at_all(
        &self,
        run: usize,
        at: Timestamp,
        is_meant: impl Fn(&GroupId) -> bool,
    ) -> Vec<SecurityGroup> {
        let ids = self.history.groups.keys().filter(|id| is_meant(id));
        ids.filter_map(|id| self.look(run, at, id)).collect()
    }

    /// What the hub has in the end.
    pub(super) fn published(&self, id: &GroupId) -> Option<Finding> {
        let hub = self.hub.lock().unwrap();
        hub.get(id)
            .and_then(|taken| taken.last())
            .map(|(_, finding)| finding.clone())
    }

    /// The number of the next run.
    pub(super) fn next_run(&self) -> usize {
        let mut runs = self.runs.lock().unwrap();
        *runs += 1;
        *runs
    }

    pub(super) fn import(&self, finding: &Finding) {
        let mut hub = self.hub.lock().unwrap();
        let taken = hub.entry(finding.group_id.clone()).or_default();
        // Security Hub keeps milliseconds.
        let at = |finding: &Finding| finding.observed_at.as_millisecond();
        let is_newer = taken
            .last()
            .is_none_or(|(_, known)| at(known) < at(finding));
        if is_newer {
            taken.push((TestClock.elapsed(), finding.clone()));
        }
    }

    /// What a read of the hub shows.
    pub(super) fn read_hub(&self) -> Vec<Finding> {
        let lag = Duration::from_millis(self.below(self.weather.hub_lag + 1));
        let hub = self.hub.lock().unwrap();
        let seen = hub.values().filter_map(|taken| {
            let mut taken = taken.iter().rev();
            taken.find(|(at, _)| *at + lag <= TestClock.elapsed())
        });
        seen.map(|(_, finding)| finding.clone()).collect()
    }
}

/// EC2 as one run sees it.
#[derive(Debug)]
pub(super) struct Ec2<'w> {
    pub(super) world: &'w World,
    pub(super) run: usize,
}

impl Ec2<'_> {
    /// Makes a call, and says when it was sent.
    async fn call<T>(
        &self,
        answer: impl FnOnce(Timestamp) -> T,
    ) -> Result<(T, Timestamp), SourceError> {
        let at = TestClock.now();
        self.world.travel().await;
        if self.world.fails(self.run) {
            return Err(SourceError::Unavailable("ec2 is away".to_owned()));
        }
        let answer = answer(at);
        self.world.travel().await;
        Ok((answer, at))
    }
}

impl GroupSource for Ec2<'_> {
    async fn find(&self, query: Query<'_>, _: Owner) -> Result<Observation, SourceError> {
        let answer = |at| match query {
            Query::Ids(ids) => ids
                .iter()
                .filter_map(|id| self.world.look(self.run, at, id))
                .collect(),
            Query::Names(names) => {
                let mut all = self.world.look_at_all(self.run, at, |_| true);
                all.retain(|group| names.iter().any(|name| group.is_named(name)));
                all
            }
            Query::DefaultGroupsOf(vpcs) => {
                let mut all = self.world.look_at_all(self.run, at, |_| true);
                all.retain(|group| {
                    group.is_named("default")
                        && vpcs.iter().any(|vpc| group.vpc_id.as_ref() == Some(vpc))
                });
                all
            }
            Query::Referencing(_) => Vec::new(),
        };
        let (groups, at): (Vec<SecurityGroup>, _) = self.call(answer).await?;
        Ok(Observation {
            groups: groups
                .into_iter()
                .map(|group| Observed { group, at })
                .collect(),
            at,
        })
    }

    async fn rules(&self, ids: &[GroupId]) -> Result<Vec<GroupRule>, SourceError> {
        let rule = |group: &GroupId, (id, number): (String, usize)| {
            let (protocol, from, to, _) = RULES[number];
            GroupRule {
                rule_id: Some(RuleId::new(id)),
                group_id: Some(group.clone()),
                is_ingress: Some(true),
                source: GroupId::new(source(group, number)),
                traffic: Traffic::new(Protocol::new(protocol), Some(from), Some(to)),
            }
        };
        let answer = |_| {
            let mut rules = Vec::new();
            for id in ids {
                let state = self.world.visible(id).unwrap_or_default();
                rules.extend(state.rules.into_iter().map(|one| rule(id, one)));
            }
            rules
        };
        let (rules, at) = self.call(answer).await?;
        let shown = rules.iter().map(|rule| (self.run, at, rule.clone()));
        self.world.rules.lock().unwrap().extend(shown);
        Ok(rules)
    }

    fn is_live(&self) -> bool {
        true
    }

    async fn page(&self, after: Option<String>) -> Result<Page, SourceError> {
        // Two pages, however many groups there are.
        let is_first = after.is_none();
        let is_of_page = |id: &GroupId| is_default(id) != is_first;
        let answer = |at| self.world.look_at_all(self.run, at, is_of_page);
        let (groups, at) = self.call(answer).await?;
        Ok(Page {
            groups: groups
                .into_iter()
                .map(|group| Observed { group, at })
                .collect(),
            next: is_first.then(|| "2".to_owned()),
        })
    }
}
