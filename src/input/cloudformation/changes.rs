//! The groups of a template, held against those of the template before it.

use std::collections::{BTreeMap, BTreeSet};

use super::conditions::conditions;
use super::groups::{Groups, Made, groups};
use super::scope::{Assumptions, Conditions, Scope};
use super::template::{Parameters, Template};
use super::{CloudFormationError, Reading};
use crate::model::planned::{
    Action, Deployment, DeploymentKind, GroupState, PlannedGroup, Unknown,
};

/// A template, and what is given with it: names of files with their texts.
#[derive(Debug, Clone, Copy)]
pub struct Templates<'a> {
    pub template: (&'a str, &'a str),
    /// The template that the stack has.
    pub before: Option<(&'a str, &'a str)>,
    pub parameters: &'a Parameters,
}

/// Reads what a template makes of the groups that it has, once for each way in which its conditions may turn out.
///
/// # Errors
/// Where a file is no template, or a parameter is given that none of them has.
pub fn read_templates(given: Templates<'_>) -> Result<Reading, CloudFormationError> {
    let Templates { parameters, .. } = given;
    let (file, text) = given.template;
    let after = Template::read(file, text)?;
    let before = given.before;
    let before = before
        .map(|(file, text)| Ok((file, Template::read(file, text)?)))
        .transpose()?;
    let has = |name: &String| {
        let templates = std::iter::once(&after).chain(before.iter().map(|(_, it)| it));
        let mut found = templates.map(|it| it.get("Parameters", name).is_some());
        found.any(|found| found)
    };
    if let Some(unheard_of) = parameters.keys().find(|name| !has(name)) {
        return Err(CloudFormationError::of_file(
            file,
            format!("it has no parameter {unheard_of:?}"),
        ));
    }
    let none = Assumptions::new();
    let mut combinations = combined(&after, parameters);
    if let Some((_, before)) = &before {
        combinations = both(combinations, &combined(before, parameters));
    }
    let notes = notes(Scope {
        template: &after,
        parameters,
        assumed: &none,
        conditions: &Conditions::new(),
    });
    let made = |file, template, assumed| {
        let scope = Scope {
            template,
            parameters,
            assumed,
            conditions: &conditions(template, parameters, assumed),
        };
        groups(scope, file)
    };
    let deployments = combinations.iter().map(|assumed| {
        let after = made(file, &after, assumed);
        let before = before.as_ref();
        Deployment {
            kind: DeploymentKind::Template,
            not_read: after.not_read.clone(),
            notes: notes.clone(),
            groups: compared(
                before.map(|(file, template)| made(file, template, assumed)),
                after,
            ),
        }
    });
    let varying = varying(&combinations);
    Ok(Reading {
        deployments: deployments.collect(),
        values: combinations
            .iter()
            .map(|assumed| numbers(&varying, assumed))
            .collect(),
        unknown: varying
            .keys()
            .map(|expression| unknown(expression))
            .collect(),
    })
}

/// The ways in which the conditions of a template may turn out.
fn combined(template: &Template, parameters: &Parameters) -> Vec<Assumptions> {
    let none = Assumptions::new();
    let scope = Scope {
        template,
        parameters,
        assumed: &none,
        conditions: &conditions(template, parameters, &none),
    };
    scope.combinations()
}

/// Which defaults count.
fn notes(scope: Scope<'_>) -> Vec<String> {
    let is_used = |name: &str| {
        let resources = scope.template.section("Resources").iter();
        let conditions = scope.template.section("Conditions").iter();
        let whole = format!("${{{name}}}");
        resources.chain(conditions).any(|member| {
            member.value.any(&|node| {
                node.only().is_some_and(|function| {
                    function.key == "Ref" && function.value.text() == Some(name)
                }) || node.text().is_some_and(|text| text.contains(&whole))
            })
        })
    };
    let said = |(name, default): (&str, &str)| {
        let parameter = scope.template.get("Parameters", name);
        let is_hidden = parameter.is_some_and(|node| node.get("NoEcho").is_some());
        if is_hidden {
            format!("The parameter {name} has its default.")
        } else {
            format!("The parameter {name} has its default, {default}.")
        }
    };
    let defaults = scope.defaults().filter(|(name, _)| is_used(name));
    defaults.map(said).collect()
}

/// All combinations of two lists that agree where both assume something, as far as they are not too many.
fn both(first: Vec<Assumptions>, second: &[Assumptions]) -> Vec<Assumptions> {
    const MOST: usize = 64;
    let agree = |one: &Assumptions, other: &Assumptions| {
        one.iter()
            .all(|(key, value)| other.get(key).is_none_or(|other| other == value))
    };
    let joined: Vec<Assumptions> = first
        .iter()
        .flat_map(|one| {
            let fitting = second.iter().filter(move |other| agree(one, other));
            fitting.map(move |other| {
                let parts = one.iter().chain(other);
                parts
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect()
            })
        })
        .take(MOST + 1)
        .collect();
    if joined.is_empty() || joined.len() > MOST {
        first
    } else {
        joined
    }
}

/// The values of what combinations differ by.
type Varying<'c> = BTreeMap<&'c str, BTreeSet<&'c Option<String>>>;

fn varying(combinations: &[Assumptions]) -> Varying<'_> {
    let mut values = Varying::new();
    for (expression, value) in combinations.iter().flatten() {
        values.entry(expression).or_default().insert(value);
    }
    values.retain(|_, values| values.len() > 1);
    values
}

fn numbers(varying: &Varying<'_>, assumed: &Assumptions) -> Vec<usize> {
    let number = |(expression, values): (&&str, &BTreeSet<&Option<String>>)| {
        let value = assumed.get(*expression)?;
        values.iter().position(|one| *one == value)
    };
    varying
        .iter()
        .map(|one| number(one).unwrap_or(usize::MAX))
        .collect()
}

fn unknown(expression: &str) -> Unknown {
    Unknown {
        attribute: "Conditions".to_owned(),
        expression: Some(expression.to_owned()),
        advice: "give the parameter's value with --parameters, or look at the change set"
            .to_owned(),
    }
}

/// The state without what a mere move of lines changes.
fn bare(state: &GroupState) -> GroupState {
    let mut state = state.clone();
    for permission in state
        .permissions
        .iter_mut()
        .chain(state.unlisted.as_deref_mut())
    {
        permission.position = None;
    }
    state
}

fn compared(before: Option<Groups>, after: Groups) -> Vec<PlannedGroup> {
    let has_before = before.is_some();
    let mut before = before.map(|groups| groups.by_address).unwrap_or_default();
    let mut all: Vec<_> = after
        .by_address
        .into_iter()
        .map(|(address, made)| {
            let was = before.remove(&address);
            planned(address, was, made, has_before)
        })
        .collect();
    all.extend(before.into_iter().map(|(address, was)| gone(address, was)));
    all
}

fn planned(address: String, was: Option<Made>, made: Made, has_before: bool) -> PlannedGroup {
    let is_changed = was
        .as_ref()
        .is_none_or(|was| bare(&was.state) != bare(&made.state));
    let is_replaced = was.as_ref().is_some_and(|was| {
        was.state.group_name != made.state.group_name
            || was.state.vpc_id != made.state.vpc_id
            || was.description != made.description
    });
    let action = match (&was, made.is_own) {
        (_, false) => Action::Outside,
        (None, true) => Action::Create,
        (Some(_), true) if is_replaced => Action::Replace,
        (Some(_), true) if is_changed => Action::Update,
        (Some(_), true) => Action::Keep,
    };
    let before = match was {
        Some(was) => Some(was.state),
        // A group that is there before has none of the rules that the template adds.
        None if !made.is_own => Some(GroupState {
            permissions: Vec::new(),
            ..made.state.clone()
        }),
        None => None,
    };
    PlannedGroup {
        address,
        position: made.position,
        action,
        is_changed: is_changed || (!has_before && !made.is_own),
        before,
        after: Some(made.state),
    }
}

fn gone(address: String, was: Made) -> PlannedGroup {
    let after = (!was.is_own).then(|| GroupState {
        permissions: Vec::new(),
        ..was.state.clone()
    });
    PlannedGroup {
        address,
        position: None,
        action: if was.is_own {
            Action::Delete
        } else {
            Action::Outside
        },
        is_changed: true,
        before: Some(was.state),
        after,
    }
}
