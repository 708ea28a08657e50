//! Conditions, and the ways in which they may turn out.

use std::collections::{BTreeMap, BTreeSet};

use super::node::Node;
use super::scope::{Assumptions, Conditions, Resolved, Scope};
use super::template::{Parameters, Template};

/// More combinations of what conditions depend on are not tried.
const MOST_COMBINATIONS: usize = 64;

/// Which conditions are met, where that is known. Those that ask for each other in a circle stay unknown.
pub(super) fn conditions(
    template: &Template,
    parameters: &Parameters,
    assumed: &Assumptions,
) -> Conditions {
    let mut known = Conditions::new();
    loop {
        let scope = Scope {
            template,
            parameters,
            assumed,
            conditions: &known,
        };
        let all = template.section("Conditions").iter();
        let next: Conditions = all
            .filter_map(|condition| {
                let is_met = scope.is_met(&condition.value)?;
                Some((condition.key.clone(), is_met))
            })
            .collect();
        // What is known stays, so that each round but the last one adds some.
        if next.len() <= known.len() {
            return next;
        }
        known = next;
    }
}

impl<'t> Scope<'t> {
    /// Whether a condition is met, where that is known.
    pub(super) fn condition(self, name: &str) -> Option<bool> {
        self.conditions.get(name).copied()
    }

    fn is_met(self, node: &'t Node) -> Option<bool> {
        let function = node.only()?;
        let all = || function.value.items();
        let met = |node| self.is_met(node);
        match function.key.as_str() {
            "Condition" => self.condition(function.value.text()?),
            "Fn::Not" => match all()? {
                [one] => Some(!met(one)?),
                _ => None,
            },
            "Fn::And" => fold(all()?.iter().map(met), false),
            "Fn::Or" => fold(all()?.iter().map(met), true),
            "Fn::Equals" => match all()? {
                [left, right] => self.equal(left, right),
                _ => None,
            },
            _ => None,
        }
    }

    fn equal(self, left: &'t Node, right: &'t Node) -> Option<bool> {
        match (self.resolve(left), self.resolve(right)) {
            (Resolved::Text(left), Resolved::Text(right)) => Some(left == right),
            (Resolved::Unknown(why), Resolved::Text(text))
            | (Resolved::Text(text), Resolved::Unknown(why)) => {
                let assumed = self.assumed.get(&why.expression)?;
                Some(assumed.as_ref() == Some(&text))
            }
            (Resolved::Unknown(left), Resolved::Unknown(right))
                if left.expression == right.expression =>
            {
                Some(true)
            }
            _ => None,
        }
    }

    /// What an unknown expression of a condition may be: the texts that it is compared with, and another where it may
    /// be another.
    fn alternatives(self) -> Vec<(String, Vec<Option<String>>)> {
        let mut compared: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for condition in self.template.section("Conditions") {
            self.compared(&condition.value, &mut compared);
        }
        let alternatives = compared.into_iter().map(|(expression, texts)| {
            let allowed = expression.strip_prefix("!Ref ").and_then(|name| {
                let parameter = self.template.get("Parameters", name)?;
                let allowed = parameter.get("AllowedValues")?.items()?;
                allowed
                    .iter()
                    .map(Node::text)
                    .collect::<Option<BTreeSet<_>>>()
            });
            let is_allowed = |text: &str| {
                allowed
                    .as_ref()
                    .is_none_or(|allowed| allowed.contains(text))
            };
            let may_be_other = allowed
                .as_ref()
                .is_none_or(|allowed| allowed.iter().any(|text| !texts.contains(*text)));
            let known = texts
                .iter()
                .filter(|text| is_allowed(text))
                .cloned()
                .map(Some);
            let values = known.chain(may_be_other.then_some(None)).collect();
            (expression, values)
        });
        alternatives.collect()
    }

    fn compared(self, node: &'t Node, found: &mut BTreeMap<String, BTreeSet<String>>) {
        if let Some(function) = node.only()
            && function.key == "Fn::Equals"
            && let Some([left, right]) = function.value.items()
        {
            match (self.resolve(left), self.resolve(right)) {
                (Resolved::Unknown(why), Resolved::Text(text))
                | (Resolved::Text(text), Resolved::Unknown(why)) => {
                    found.entry(why.expression).or_default().insert(text);
                }
                _ => {}
            }
            return;
        }
        for member in node.members() {
            self.compared(&member.value, found);
        }
        for item in node.items().unwrap_or_default() {
            self.compared(item, found);
        }
    }

    /// All combinations of what conditions depend on, as far as they are not too many: at least one.
    pub(super) fn combinations(self) -> Vec<Assumptions> {
        let mut all = vec![Assumptions::new()];
        for (expression, values) in self.alternatives() {
            if values.is_empty() || all.len() * values.len() > MOST_COMBINATIONS {
                continue;
            }
            all = all
                .iter()
                .flat_map(|assumed| {
                    values.iter().map(|value| {
                        let mut assumed = assumed.clone();
                        assumed.insert(expression.clone(), value.clone());
                        assumed
                    })
                })
                .collect();
        }
        all
    }
}

/// `any`: whether one is met; else whether all are. What is known may decide.
fn fold(parts: impl Iterator<Item = Option<bool>>, any: bool) -> Option<bool> {
    let mut is_known = true;
    for part in parts {
        match part {
            Some(met) if met == any => return Some(any),
            Some(_) => {}
            None => is_known = false,
        }
    }
    is_known.then_some(!any)
}
