//! An EC2 in memory with one group: it shows changes late, loses answers, throttles, and the program dies at its calls.

use std::cell::RefCell;
use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::{CallFailure, Mode, RuleEdge};
use crate::model::{GroupId, RuleId};
use crate::remediation::plan::tests::group;
use crate::remediation::rule::{GroupRules, IngressRule};

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// Nothing is done, and EC2 says that it is busy.
    Throttled,
    /// It is done, and nobody hears of it: the next attempt meets it done.
    AnswerLost,
    /// The program is killed before the call, or after it.
    KilledBefore,
    KilledAfter,
}

pub(super) fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        6 => Just(Fault::None),
        1 => Just(Fault::Throttled),
        1 => Just(Fault::AnswerLost),
        1 => Just(Fault::KilledBefore),
        1 => Just(Fault::KilledAfter),
    ]
}

#[derive(Debug, Default)]
struct State {
    /// The rules after each change, the last ones today's.
    history: Vec<Vec<IngressRule>>,
    /// How many looks see so many changes too few.
    late: (u32, usize),
    next_id: usize,
    calls: usize,
    kill: Option<(usize, bool)>,
    faults: Vec<Fault>,
    denied: Option<usize>,
    dry_runs: usize,
    meanwhile: Option<IngressRule>,
    most: usize,
    is_gone: bool,
}

#[derive(Debug)]
pub(super) struct World(RefCell<State>);

fn killed() -> CallFailure {
    CallFailure::Refused("killed".to_owned())
}

impl State {
    fn today(&self) -> Vec<IngressRule> {
        self.history.last().cloned().unwrap_or_default()
    }

    /// What becomes of the next call.
    fn fault(&mut self) -> Fault {
        let number = self.calls;
        self.calls += 1;
        match self.kill {
            Some((at, is_after)) if at == number && is_after => Fault::KilledAfter,
            Some((at, _)) if at == number => Fault::KilledBefore,
            _ => self.faults.pop().unwrap_or(Fault::None),
        }
    }

    fn change<T>(
        &mut self,
        change: impl FnOnce(&mut Self, &mut Vec<IngressRule>) -> Result<T, CallFailure>,
    ) -> Result<T, CallFailure> {
        let fault = self.fault();
        match fault {
            Fault::KilledBefore => return Err(killed()),
            Fault::Throttled => return Err(CallFailure::Unavailable("busy".to_owned())),
            Fault::None | Fault::AnswerLost | Fault::KilledAfter => {}
        }
        let mut rules = self.today();
        let made = change(self, &mut rules)?;
        self.history.push(rules);
        match fault {
            Fault::AnswerLost => Err(CallFailure::Unavailable("no answer".to_owned())),
            Fault::KilledAfter => Err(killed()),
            _ => Ok(made),
        }
    }
}

impl World {
    pub(super) fn new(rules: Vec<IngressRule>) -> Self {
        Self(RefCell::new(State {
            history: vec![rules],
            next_id: 100,
            most: usize::MAX,
            ..State::default()
        }))
    }

    pub(super) fn rules(&self) -> Vec<IngressRule> {
        self.0.borrow().today()
    }

    pub(super) fn now(&self) -> Vec<GroupRules> {
        vec![GroupRules::new(group("sg-0a"), self.rules())]
    }

    pub(super) fn calls(&self) -> usize {
        self.0.borrow().calls
    }

    pub(super) fn changes(&self) -> usize {
        self.0.borrow().history.len()
    }

    pub(super) fn kill_at(&self, call: Option<(usize, bool)>) {
        self.0.borrow_mut().kill = call;
    }

    /// The next looks see so many changes too few.
    pub(super) fn show_late(&self, changes: usize) {
        self.0.borrow_mut().late = (3, changes);
    }

    pub(super) fn go_wrong(&self, faults: &[Fault]) {
        self.0.borrow_mut().faults = faults.to_vec();
    }

    pub(super) fn deny_dry_run(&self, number: usize) {
        self.0.borrow_mut().denied = Some(number);
    }

    pub(super) fn delete(&self) {
        self.0.borrow_mut().is_gone = true;
    }

    pub(super) fn limit(&self, most: usize) {
        self.0.borrow_mut().most = most;
    }

    pub(super) fn add(&self, rule: IngressRule) {
        let mut state = self.0.borrow_mut();
        let mut rules = state.today();
        rules.push(rule);
        state.history.push(rules);
    }

    pub(super) fn add_after_dry_run(&self, rule: IngressRule) {
        self.0.borrow_mut().meanwhile = Some(rule);
    }

    fn dry_run(&self) -> Result<(), CallFailure> {
        let mut state = self.0.borrow_mut();
        let number = state.dry_runs;
        state.dry_runs += 1;
        if state.denied == Some(number) {
            return Err(CallFailure::Refused("UnauthorizedOperation".to_owned()));
        }
        Ok(())
    }

    fn meanwhile(&self) {
        let rule = self.0.borrow_mut().meanwhile.take();
        if let Some(rule) = rule {
            self.add(rule);
        }
    }
}

impl RuleEdge for World {
    async fn targets(&self, ids: &[GroupId]) -> Result<Vec<GroupRules>, CallFailure> {
        assert_eq!(ids, [GroupId::new("sg-0a")]);
        let mut state = self.0.borrow_mut();
        match state.fault() {
            Fault::None => {}
            Fault::Throttled | Fault::AnswerLost => {
                return Err(CallFailure::Unavailable("busy".to_owned()));
            }
            Fault::KilledBefore | Fault::KilledAfter => return Err(killed()),
        }
        if state.is_gone {
            return Ok(Vec::new());
        }
        let (looks, changes) = state.late;
        let back = if looks > 0 { changes } else { 0 };
        state.late.0 = looks.saturating_sub(1);
        let at = state.history.len().saturating_sub(1 + back);
        let rules = state.history.get(at).cloned().unwrap_or_default();
        Ok(vec![GroupRules::new(group("sg-0a"), rules)])
    }

    async fn authorize(
        &self,
        _: &GroupId,
        rule: &IngressRule,
        mode: Mode,
    ) -> Result<Option<RuleId>, CallFailure> {
        if mode == Mode::DryRun {
            return self.dry_run().map(|()| None);
        }
        self.meanwhile();
        self.0.borrow_mut().change(|state, rules| {
            if rules.iter().any(|one| one.has_effect_of(rule)) {
                return Err(CallFailure::Duplicate);
            }
            if rules.len() >= state.most {
                return Err(CallFailure::Refused(
                    "RulesPerSecurityGroupLimitExceeded".to_owned(),
                ));
            }
            state.next_id += 1;
            let id = RuleId::new(format!("sgr-{}", state.next_id));
            rules.push(IngressRule {
                rule_id: Some(id.clone()),
                tags: Some(rule.tags.clone().unwrap_or_default()),
                ..rule.clone()
            });
            Ok(Some(id))
        })
    }

    async fn revoke(&self, _: &GroupId, rule: &RuleId, mode: Mode) -> Result<(), CallFailure> {
        if mode == Mode::DryRun {
            return self.dry_run();
        }
        self.meanwhile();
        self.0.borrow_mut().change(|_, rules| {
            let place = rules
                .iter()
                .position(|one| one.rule_id.as_ref() == Some(rule));
            rules.remove(place.ok_or(CallFailure::NotFound)?);
            Ok(())
        })
    }

    async fn tag(
        &self,
        rule: &RuleId,
        tags: &BTreeMap<String, String>,
        mode: Mode,
    ) -> Result<(), CallFailure> {
        if mode == Mode::DryRun {
            return self.dry_run();
        }
        self.0.borrow_mut().change(|_, rules| {
            let found = rules
                .iter_mut()
                .find(|one| one.rule_id.as_ref() == Some(rule));
            let found = found.ok_or(CallFailure::NotFound)?;
            found.tags.get_or_insert_default().extend(tags.clone());
            Ok(())
        })
    }

    async fn pause(&self, _: u32) {}
}
