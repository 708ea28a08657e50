//! Which groups an expression names: through modules, outputs, variables, `count` and `for_each`.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::reference::{Part, parts, references};
use super::sources::Sources;
use super::world::{Planned, World};

/// Chains of modules and locals that are longer are not followed.
const MOST_STEPS: usize = 64;

/// Where an expression stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope<'s> {
    /// The address of the module instance.
    pub(super) module: &'s str,
    /// The expression of `for_each` around it.
    pub(super) for_each: Option<&'s Json>,
}

/// What an expression names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Named {
    /// The addresses of the security groups of the plan that it may be.
    pub(super) groups: BTreeSet<String>,
    /// Whether it is the id of exactly one of the groups, and nothing else.
    pub(super) is_exact: bool,
    /// Whether something else, which is known only after the plan is applied, takes part.
    pub(super) has_unknown: bool,
    /// Whether something else takes part that may be the id of a group, known or not.
    pub(super) has_other: bool,
}

/// Which resource a reference to an attribute stands for, by its address.
pub(super) trait Target {
    /// The address of what the attribute of an instance names, if it is a group.
    fn of(&self, resource: &Planned<'_>, attribute: Option<&str>) -> Option<String>;
}

impl Named {
    fn join(&mut self, other: Self) {
        self.groups.extend(other.groups);
        self.has_unknown |= other.has_unknown;
        self.has_other |= other.has_other;
    }

    fn other(has_unknown: bool) -> Self {
        Self {
            has_unknown,
            has_other: true,
            ..Self::default()
        }
    }

    /// What takes part without being an id.
    fn neutral() -> Self {
        Self::default()
    }
}

pub(super) struct Resolver<'r, 'p, T> {
    pub(super) world: &'r World<'p>,
    pub(super) sources: Option<&'r Sources>,
    pub(super) target: &'r T,
}

impl<T: Target> Resolver<'_, '_, T> {
    /// What an expression of the configuration names.
    pub(super) fn expression(&self, scope: Scope<'_>, expression: &Json) -> Named {
        self.all(scope, &references(expression), 0)
    }

    /// What several references name together.
    pub(super) fn all(&self, scope: Scope<'_>, references: &[String], steps: usize) -> Named {
        let mut named = Named::neutral();
        let mut is_exact = false;
        for reference in references {
            let one = self.reference(scope, reference, steps);
            is_exact = one.is_exact;
            named.join(one);
        }
        named.is_exact = is_exact && references.len() == 1 && named.groups.len() == 1;
        named
    }

    fn reference(&self, scope: Scope<'_>, reference: &str, steps: usize) -> Named {
        if steps > MOST_STEPS {
            return Named::other(true);
        }
        let Some(parts) = parts(reference) else {
            return Named::other(true);
        };
        let names: Vec<&str> = parts
            .iter()
            .map_while(|part| match part {
                Part::Name(name) => Some(name.as_str()),
                Part::Key(_) => None,
            })
            .collect();
        match names.as_slice() {
            ["each", "key", ..] | ["count" | "path" | "terraform", ..] => Named::neutral(),
            ["each", ..] => match scope.for_each {
                // The value may be any part of what `for_each` goes over.
                Some(for_each) => Named {
                    is_exact: false,
                    ..self.all(scope, &references(for_each), steps + 1)
                },
                None => Named::other(true),
            },
            ["var", name, rest @ ..] => self.variable(scope, name, !rest.is_empty(), steps),
            ["local", name, rest @ ..] => self.local(scope, name, !rest.is_empty(), steps),
            ["module", name, ..] => self.output(scope, name, &parts, steps),
            ["data", data_type, name, ..] => {
                Named::other(self.world.is_data_unread(scope.module, data_type, name))
            }
            [resource_type, name, ..] => {
                self.resource(scope.module, resource_type, name, parts.get(2..))
            }
            _ => Named::other(true),
        }
    }

    fn variable(&self, scope: Scope<'_>, name: &str, is_part: bool, steps: usize) -> Named {
        let Some(module) = self.world.module(scope.module) else {
            // Variables of the root module are known. One that has the id of no group cannot be a source.
            return match self.world.variable(name) {
                Some(value) if !may_hold_id(value) => Named::neutral(),
                Some(_) => Named::other(false),
                None => Named::other(true),
            };
        };
        let Some(call) = self.world.call(scope.module) else {
            return Named::other(true);
        };
        let Some(expression) = call.expressions.get(name) else {
            // Its default: a constant.
            return Named::other(false);
        };
        let around = Scope {
            module: &module.parent,
            for_each: (!call.for_each_expression.is_null()).then_some(&call.for_each_expression),
        };
        if let Some(constant) = expression.get("constant_value") {
            return if may_hold_id(constant) {
                Named::other(false)
            } else {
                Named::neutral()
            };
        }
        let named = self.all(around, &references(expression), steps + 1);
        Named {
            is_exact: named.is_exact && !is_part,
            ..named
        }
    }

    fn local(&self, scope: Scope<'_>, name: &str, is_part: bool, steps: usize) -> Named {
        let local = self
            .sources
            .and_then(|sources| sources.local(&self.world.names(scope.module), name));
        let Some(references) = local else {
            return Named::other(true);
        };
        let scope = Scope {
            for_each: None,
            ..scope
        };
        let named = self.all(scope, references, steps + 1);
        Named {
            is_exact: named.is_exact && !is_part,
            ..named
        }
    }

    fn output(&self, scope: Scope<'_>, name: &str, parts: &[Part], steps: usize) -> Named {
        let (key, rest) = match parts.get(2) {
            Some(Part::Key(key)) => (Some(key), parts.get(3..)),
            _ => (None, parts.get(2..)),
        };
        let rest = rest.unwrap_or_default();
        let output = match rest.first() {
            Some(Part::Name(output)) => Some(output.as_str()),
            _ => None,
        };
        let children: Vec<_> = self
            .world
            .children(scope.module, name)
            .into_iter()
            .filter(|(_, own)| key.is_none_or(|key| *own == Some(key)))
            .collect();
        if children.is_empty() {
            // A module without resources, or one that the plan does not know.
            return Named::other(!self.world.has_module_named(scope.module, name) || key.is_none());
        }
        let mut named = Named::neutral();
        let is_only = children.len() == 1;
        let mut is_exact = false;
        for (child, _) in children {
            let Some(module) = self.world.configuration(child) else {
                return Named::other(true);
            };
            let inner = Scope {
                module: child,
                for_each: None,
            };
            let outputs = module
                .outputs
                .iter()
                .filter(|(own, _)| output.is_none_or(|output| output == own.as_str()));
            for (_, output) in outputs {
                let one = self.all(inner, &references(&output.expression), steps + 1);
                is_exact = one.is_exact;
                named.join(one);
            }
        }
        named.is_exact = is_exact && is_only && output.is_some() && rest.len() == 1;
        named
    }

    fn resource(
        &self,
        module: &str,
        resource_type: &str,
        name: &str,
        rest: Option<&[Part]>,
    ) -> Named {
        let rest = rest.unwrap_or_default();
        let (key, rest) = match rest.split_first() {
            Some((Part::Key(key), rest)) => (Some(key), rest),
            _ => (None, rest),
        };
        let attribute = match rest.first() {
            Some(Part::Name(attribute)) => Some(attribute.as_str()),
            _ => None,
        };
        let is_meant =
            |resource: &&Planned<'_>| key.is_none_or(|key| resource.key.as_ref() == Some(key));
        let mut named = Named::neutral();
        let mut count = 0_usize;
        for resource in self
            .world
            .instances(module, resource_type, name)
            .into_iter()
            .filter(is_meant)
        {
            count += 1;
            match self.target.of(resource, attribute) {
                Some(address) => {
                    named.groups.insert(address);
                }
                None => {
                    let is_known = attribute.is_some_and(|attribute| is_known(resource, attribute));
                    named.join(Named::other(!is_known));
                }
            }
        }
        if count == 0 {
            return Named::other(true);
        }
        named.is_exact = count == 1 && named.groups.len() == 1;
        named
    }
}

/// Whether an attribute has a value before the plan is applied.
fn is_known(resource: &Planned<'_>, attribute: &str) -> bool {
    let is_unknown = match &resource.change.after_unknown {
        Json::Object(members) => members.get(attribute).is_some_and(has_true),
        Json::Bool(unknown) => *unknown,
        _ => false,
    };
    !is_unknown && resource.change.after.get(attribute).is_some()
}

/// Whether anything within is true.
pub(super) fn has_true(json: &Json) -> bool {
    match json {
        Json::Bool(value) => *value,
        Json::Array(members) => members.iter().any(has_true),
        Json::Object(members) => members.values().any(has_true),
        _ => false,
    }
}

/// Whether the id of a group may stand in a value.
fn may_hold_id(value: &Json) -> bool {
    match value {
        Json::String(text) => text.contains("sg-"),
        Json::Array(members) => members.iter().any(may_hold_id),
        Json::Object(members) => members.values().any(may_hold_id),
        _ => false,
    }
}

impl Scope<'_> {
    /// What tells two sources of one expression apart: where it stands.
    pub(super) fn key(self, expression: &[String], own: &str) -> String {
        let depends_on_instance =
            |reference: &String| reference.starts_with("each.") || reference.starts_with("count.");
        match expression {
            [one] if !depends_on_instance(one) => format!("{}|{one}", self.module),
            _ => format!("{own}|{}", expression.join(",")),
        }
    }
}
