//! A random history: what happens to a few groups, the truth after each change, and the events that tell of it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::changes::{Change, Kind, Tells};
use super::telling;
use super::world::Weather;
use crate::engine::testing::{SOURCE, TestClock, group};
use crate::model::{GroupId, SecurityGroup};

const OTHER_SOURCE: &str = "sg-0fedcba9876543211";
/// The source of a rule that lets the group itself in.
const ITSELF: &str = "itself";

/// Protocol, ports and source of a rule.
type Rule = (&'static str, i64, i64, &'static str);

/// The rules that groups may have. Two of them fail only together, and an exemption covers the last in the first group.
pub(super) const RULES: [Rule; 7] = [
    ("-1", -1, -1, SOURCE),
    ("tcp", 22, 22, SOURCE),
    ("50", -1, -1, OTHER_SOURCE),
    ("tcp", 0, 32_767, SOURCE),
    ("tcp", 32_768, 65_535, SOURCE),
    ("-1", -1, -1, OTHER_SOURCE),
    ("-1", -1, -1, ITSELF),
];
/// The rule that the default group of a new VPC has.
const SELF_RULE: usize = 6;

/// A group at some time.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct State {
    /// Rules by their ids, as numbers in [`RULES`].
    pub(super) rules: BTreeMap<String, usize>,
    egress: usize,
    tags: usize,
}

#[derive(Debug, Clone)]
pub(super) struct Version {
    pub(super) at: Duration,
    /// When EC2 begins to show it, where its answers never go back.
    pub(super) visible: Duration,
    /// None where the group does not exist.
    pub(super) state: Option<State>,
}

/// What an event tells.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum What {
    /// A rule by its id, and as a number in [`RULES`].
    Added(String, usize),
    Removed(String, usize),
    /// What a rule became.
    Modified(String, usize),
    Created,
    Tagged,
    Deleted,
}

#[derive(Debug)]
pub(super) struct Event {
    pub(super) group: GroupId,
    pub(super) at: Duration,
    pub(super) what: What,
    pub(super) tells: Tells,
    pub(super) body: Value,
    /// When it is delivered.
    pub(super) deliveries: Vec<Duration>,
}

#[derive(Debug, Default)]
pub(super) struct History {
    pub(super) groups: BTreeMap<GroupId, Vec<Version>>,
    pub(super) events: Vec<Event>,
    now: Duration,
    next_rule: usize,
    /// When each rule of each group last came or went.
    toggled: BTreeMap<(GroupId, usize), Duration>,
}

impl History {
    pub(super) fn of(changes: &[Change], weather: &Weather) -> Self {
        let mut history = Self::default();
        for _ in 0..2 {
            history.create(Duration::ZERO, State::default());
        }
        for change in changes {
            history.now += Duration::from_millis(change.gap);
            history.apply(change, weather);
        }
        history
    }

    /// When the last change was made.
    pub(super) fn end(&self) -> Duration {
        self.now
    }

    /// The history in a few lines.
    pub(super) fn told(&self) -> String {
        let version = |version: &Version| {
            format!(
                "{:?}+{:?} {:?}",
                version.at,
                version.visible,
                version.state.as_ref().map(|state| &state.rules)
            )
        };
        let groups = self.groups.iter().map(|(id, versions)| {
            let versions: Vec<_> = versions.iter().map(version).collect();
            format!("{id}: {}", versions.join("; "))
        });
        let events = self.events.iter().enumerate().map(|(number, event)| {
            let Event {
                group,
                at,
                what,
                tells,
                deliveries,
                ..
            } = event;
            format!("{number}: {at:?} {group} {what:?} {tells:?} -> {deliveries:?}")
        });
        groups.chain(events).collect::<Vec<_>>().join("\n")
    }

    /// What a group really is in the end.
    pub(super) fn truth(&self, id: &GroupId) -> Option<SecurityGroup> {
        let last = self.groups[id].last().unwrap();
        last.state.as_ref().map(|state| self.shown(id, state))
    }

    /// A group as EC2 shows it.
    pub(super) fn shown(&self, id: &GroupId, state: &State) -> SecurityGroup {
        let of = |rule: usize| {
            let (protocol, from, to, _) = RULES[rule];
            (protocol, from, to, source(id, rule))
        };
        let rules: Vec<_> = state.rules.values().map(|rule| of(*rule)).collect();
        let mut shown = group(id.as_str(), &rules);
        shown.ip_permissions_egress = group(id.as_str(), &[of(state.egress)]).ip_permissions;
        shown.group_name = Some(if is_default(id) {
            "default".to_owned()
        } else {
            name_of(id)
        });
        shown.vpc_id = Some(crate::model::VpcId::new(vpc_of(id)));
        shown.tags = [("n".to_owned(), state.tags.to_string())].into();
        shown
    }

    fn create(&mut self, visible: Duration, state: State) -> GroupId {
        let kind = if state.rules.is_empty() { 'a' } else { 'd' };
        let id = GroupId::new(format!("sg-{kind}{:016x}", self.groups.len()));
        let version = Version {
            at: self.now,
            visible,
            state: Some(state),
        };
        self.groups.insert(id.clone(), vec![version]);
        id
    }

    fn rule_id(&mut self) -> String {
        self.next_rule += 1;
        format!("sgr-{:017x}", self.next_rule)
    }

    fn apply(&mut self, change: &Change, weather: &Weather) {
        let lag = Duration::from_millis(change.lag % (weather.lag + 1));
        let visible = self.now + lag;
        let ids: Vec<_> = self.groups.keys().cloned().collect();
        let id = ids[change.group % ids.len()].clone();
        let mut state = match self.groups[&id].last().unwrap().state.clone() {
            Some(state) => state,
            None if matches!(change.kind, Kind::Create | Kind::CreateVpc) => State::default(),
            None => return,
        };
        let tells = |tells: Tells| match tells {
            Tells::Nothing if !weather.is_loose => Tells::Ids,
            Tells::Name if is_default(&id) => Tells::Request,
            tells => tells,
        };
        let nth = |state: &State, nth: usize| {
            let rules: Vec<_> = state.rules.iter().collect();
            let (id, rule) = rules.get(nth % rules.len().max(1))?;
            Some(((*id).clone(), **rule))
        };
        let has = |state: &State, rule: usize| state.rules.values().any(|own| *own == rule);
        let events: Vec<(What, Tells)> = match &change.kind {
            Kind::Authorize(rule, by) if !has(&state, *rule) && self.may(&id, *rule, weather) => {
                let new = self.rule_id();
                state.rules.insert(new.clone(), *rule);
                vec![(What::Added(new, *rule), tells(*by))]
            }
            Kind::Revoke(number, by) => match nth(&state, *number) {
                Some((old, rule)) if self.may(&id, rule, weather) => {
                    state.rules.remove(&old);
                    vec![(What::Removed(old, rule), tells(*by))]
                }
                _ => return,
            },
            Kind::Replace(number) => match nth(&state, *number) {
                Some((old, rule)) if weather.is_loose => {
                    let new = self.rule_id();
                    state.rules.remove(&old);
                    state.rules.insert(new.clone(), rule);
                    vec![
                        (What::Removed(old, rule), Tells::Ids),
                        (What::Added(new, rule), Tells::Ids),
                    ]
                }
                _ => return,
            },
            Kind::Modify(number, rule) => match nth(&state, *number) {
                Some((own, was))
                    if !has(&state, *rule)
                        && self.may(&id, was, weather)
                        && self.may(&id, *rule, weather) =>
                {
                    state.rules.insert(own.clone(), *rule);
                    vec![(What::Modified(own, *rule), Tells::Ids)]
                }
                _ => return,
            },
            Kind::ModifyEgress(rule) => {
                state.egress = *rule;
                vec![(What::Modified("sgr-egress".to_owned(), *rule), Tells::Ids)]
            }
            Kind::Tag => {
                state.tags += 1;
                vec![(What::Tagged, Tells::Ids)]
            }
            Kind::Create | Kind::CreateVpc if self.groups.len() < 5 => {
                let mut state = State::default();
                if matches!(change.kind, Kind::CreateVpc) {
                    state.rules.insert(self.rule_id(), SELF_RULE);
                }
                let id = self.create(visible, state);
                return self.tell(change, weather, &id, What::Created, Tells::Ids);
            }
            Kind::Delete => {
                self.change(&id, visible, None);
                return self.tell(change, weather, &id, What::Deleted, Tells::Ids);
            }
            _ => return,
        };
        self.change(&id, visible, Some(state));
        for (what, tells) in events {
            self.tell(change, weather, &id, what, tells);
        }
    }

    /// Whether a rule may come or go now: where EC2 may show an older state than an event tells, a rule that comes and goes
    /// within that time makes two states alike, and no event tells them apart.
    fn may(&mut self, id: &GroupId, rule: usize, weather: &Weather) -> bool {
        let apart = Duration::from_millis(weather.lag + 1_000);
        let toggled = self.toggled.insert((id.clone(), rule), self.now);
        weather.is_loose || toggled.is_none_or(|toggled| self.now > toggled + apart)
    }

    fn change(&mut self, id: &GroupId, visible: Duration, state: Option<State>) {
        let versions = self.groups.get_mut(id).unwrap();
        let visible = versions.last().unwrap().visible.max(visible);
        versions.push(Version {
            at: self.now,
            visible,
            state,
        });
    }

    fn tell(&mut self, change: &Change, weather: &Weather, id: &GroupId, what: What, tells: Tells) {
        let least = match tells {
            // Who does not know the group sweeps, and a sweep does not see what is still on its way to the hub.
            Tells::Nothing => weather.delivery + 60_000,
            // Nor does who reads the hub for the groups of a VPC.
            _ if what == What::Deleted && is_default(id) => weather.delivery + 60_000,
            _ => weather.delivery,
        };
        let number = self.events.len();
        let at = TestClock.at(self.now);
        self.events.push(Event {
            body: telling::event(number, at, change.actor, (id, &what, tells)),
            group: id.clone(),
            at: self.now,
            what,
            tells,
            deliveries: change
                .deliveries
                .iter()
                .map(|delivery| self.now + Duration::from_millis(least + delivery))
                .collect(),
        });
    }
}

/// The source of a rule of a group.
pub(super) fn source(group: &GroupId, rule: usize) -> &str {
    let (_, _, _, source) = RULES[rule];
    if source == ITSELF {
        group.as_str()
    } else {
        source
    }
}

/// Whether it is the default group of a VPC of its own.
pub(super) fn is_default(id: &GroupId) -> bool {
    id.as_str().starts_with("sg-d")
}

pub(super) fn name_of(id: &GroupId) -> String {
    id.as_str().replace("sg-", "name-")
}

pub(super) fn vpc_of(id: &GroupId) -> String {
    if is_default(id) {
        id.as_str().replace("sg-d", "vpc-0")
    } else {
        "vpc-1".to_owned()
    }
}
