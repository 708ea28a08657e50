//! Rules that are resources of their own: `aws_security_group_rule` and `aws_vpc_security_group_ingress_rule`.

use serde_json::Value as Json;

use super::advice::unknown;
use super::reader::{Actions, Reader, group_source};
use super::reference::references;
use super::resolve::{Named, Scope};
use super::values::{Attribute, Texts, Values};
use super::world::Planned;
use crate::input::InputError;
use crate::model::GroupId;
use crate::model::planned::{PlannedPermission, PlannedSource, Unknown, Value, Who};

pub(super) const RULE: &str = "aws_security_group_rule";
pub(super) const INGRESS_RULE: &str = "aws_vpc_security_group_ingress_rule";

/// The group that a rule belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Owning {
    Address(String),
    Id(GroupId),
    /// Its id must not be shown.
    Secret(GroupId),
    /// One of these.
    Candidates(Vec<String>, Unknown),
    /// Nobody knows.
    Any(Unknown),
}

/// A rule at one moment.
#[derive(Debug, Clone)]
pub(super) struct RuleState {
    pub(super) owning: Owning,
    pub(super) permission: PlannedPermission,
}

#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) before: Option<RuleState>,
    pub(super) after: Option<RuleState>,
    /// Whether the rule of before stays beside that of after.
    pub(super) stays: bool,
}

/// Whom a rule admits.
struct Admitted {
    sources: Vec<PlannedSource>,
    ranges: Vec<String>,
    prefix_lists: Vec<String>,
}

/// Whether the sources of a rule exclude each other.
struct OtherSources {
    /// Whether one is there with which there can be no group.
    exclude: bool,
    /// Whether there is, or may be, something else that the rule admits.
    may_suffice: bool,
}

impl<'p> Reader<'_, 'p> {
    /// Reads a rule; nothing of what is not ingress.
    pub(super) fn rule(&self, resource: &'p Planned<'p>) -> Result<Rule, InputError> {
        let before = match Values::before(self.world, resource)? {
            Some(values) => self.rule_state(resource, &values, false)?,
            None => None,
        };
        let planned = match Values::after(self.world, resource)? {
            Some(values) => self.rule_state(resource, &values, true)?,
            None => None,
        };
        let actions = self.actions(resource)?;
        let after = match actions {
            actions if actions.forgets() => before.clone(),
            actions if actions.deletes_only() => None,
            _ => planned,
        };
        Ok(Rule {
            before,
            after,
            stays: actions == Actions::CreateThenForget,
        })
    }

    fn rule_state(
        &self,
        resource: &'p Planned<'p>,
        values: &Values<'p>,
        is_after: bool,
    ) -> Result<Option<RuleState>, InputError> {
        let is_old = resource.resource_type == RULE;
        let why = |name: &str| self.why(resource, name);
        let mut may_be_absent = None;
        if is_old {
            match values.text("type")? {
                Attribute::Known(Json::String(kind)) if kind == "egress" => return Ok(None),
                Attribute::Known(_) | Attribute::Null => {}
                Attribute::Unknown => may_be_absent = Some(why("type")),
            }
        }
        if is_after && resource.is_deferred {
            may_be_absent = Some(self.deferred(resource));
        }
        let protocol = if is_old { "protocol" } else { "ip_protocol" };
        let Admitted {
            sources,
            ranges,
            prefix_lists,
        } = if is_old {
            self.old_sources(resource, values)?
        } else {
            self.new_sources(resource, values)?
        };
        let permission = PlannedPermission {
            rule: resource.address.to_owned(),
            position: self.position(resource),
            may_be_absent,
            protocol: values.protocol(protocol, || why(protocol))?,
            from_port: values.port("from_port", || why("from_port"))?,
            to_port: values.port("to_port", || why("to_port"))?,
            sources,
            ranges,
            prefix_lists,
            is_sensitive: values.has_sensitive(),
        };
        Ok(Some(RuleState {
            owning: self.owning(resource, values)?,
            permission,
        }))
    }

    fn old_sources(
        &self,
        resource: &'p Planned<'p>,
        values: &Values<'p>,
    ) -> Result<Admitted, InputError> {
        let lists = ["cidr_blocks", "ipv6_cidr_blocks", "prefix_list_ids"];
        let [ipv4, ipv6, prefixes] = lists.map(|name| values.texts(name));
        let (ipv4, ipv6, prefixes) = (ipv4?, ipv6?, prefixes?);
        let is_self = values.flag("self", || self.why(resource, "self"))?;
        let others = OtherSources {
            // The provider refuses these beside a group.
            exclude: !ipv4.known.is_empty()
                || !ipv6.known.is_empty()
                || is_self == Value::Known(true),
            may_suffice: !ipv4.is_empty()
                || !ipv6.is_empty()
                || !prefixes.is_empty()
                || is_self != Value::Known(false),
        };
        let mut sources = Vec::new();
        match is_self {
            Value::Known(true) => sources.push(PlannedSource::new(Who::Itself)),
            Value::Known(false) => {}
            Value::Unknown(unknown) => sources.push(PlannedSource {
                who: Who::Itself,
                may_be_absent: Some(unknown),
            }),
        }
        sources.extend(self.source(resource, values, "source_security_group_id", &others)?);
        let Texts {
            known: mut ranges, ..
        } = ipv4;
        ranges.extend(ipv6.known);
        Ok(Admitted {
            sources,
            ranges,
            prefix_lists: prefixes.known,
        })
    }

    fn new_sources(
        &self,
        resource: &'p Planned<'p>,
        values: &Values<'p>,
    ) -> Result<Admitted, InputError> {
        let others = ["cidr_ipv4", "cidr_ipv6", "prefix_list_id"];
        let [ipv4, ipv6, prefix] = others.map(|name| values.text(name));
        let others = [ipv4?, ipv6?, prefix?];
        let told = |attribute: &Attribute<'_>| match attribute {
            Attribute::Known(value) => value.as_str().map(str::to_owned),
            Attribute::Null | Attribute::Unknown => None,
        };
        let is_there = |attribute: &Attribute<'_>| matches!(attribute, Attribute::Known(_));
        let exclusion = OtherSources {
            exclude: others.iter().any(is_there),
            may_suffice: others.contains(&Attribute::Unknown),
        };
        let source = self.source(resource, values, "referenced_security_group_id", &exclusion)?;
        let [ipv4, ipv6, prefix] = others.map(|other| told(&other));
        Ok(Admitted {
            sources: source.into_iter().collect(),
            ranges: ipv4.into_iter().chain(ipv6).collect(),
            prefix_lists: prefix.into_iter().collect(),
        })
    }

    /// The group that an attribute names, or may name.
    fn source(
        &self,
        resource: &'p Planned<'p>,
        values: &Values<'p>,
        name: &str,
        others: &OtherSources,
    ) -> Result<Option<PlannedSource>, InputError> {
        match values.text(name)? {
            Attribute::Known(value) => {
                let text = value.as_str().unwrap_or_default();
                return Ok(Some(PlannedSource::new(group_source(text))));
            }
            Attribute::Null => return Ok(None),
            Attribute::Unknown if others.exclude => return Ok(None),
            Attribute::Unknown => {}
        }
        let scope = self.scope(resource);
        let expression = match resource.configuration {
            Some(configuration) => match configuration.expressions.get(name) {
                Some(expression) if !is_null(expression) => expression,
                // The provider sets the attribute where it is left out.
                _ => return Ok(None),
            },
            None => &Json::Null,
        };
        let named = self.named(resource, name, scope, expression);
        let refs = references(expression);
        let why = unknown(format!("{}.{name}", resource.address), &refs);
        let is_certain = resource.configuration.is_some()
            && (!others.may_suffice || named.is_exact && resource.resource_type == RULE);
        Ok(Some(PlannedSource {
            may_be_absent: (!is_certain).then(|| why.clone()),
            who: who(named, why, scope.key(&refs, resource.address)),
        }))
    }

    fn owning(&self, resource: &'p Planned<'p>, values: &Values<'p>) -> Result<Owning, InputError> {
        const NAME: &str = "security_group_id";
        match values.text(NAME)? {
            Attribute::Known(value) => {
                let id = GroupId::new(value.as_str().unwrap_or_default());
                return Ok(if values.is_sensitive(NAME) {
                    Owning::Secret(id)
                } else {
                    Owning::Id(id)
                });
            }
            Attribute::Null => return Err(values.error(NAME, "a rule belongs to a group")),
            Attribute::Unknown => {}
        }
        let expression = resource
            .configuration
            .and_then(|configuration| configuration.expressions.get(NAME))
            .unwrap_or(&Json::Null);
        let scope = self.scope(resource);
        let named = self.named(resource, NAME, scope, expression);
        let why = unknown(
            format!("{}.{NAME}", resource.address),
            &references(expression),
        );
        let is_closed = !named.has_other && !named.has_unknown && !named.groups.is_empty();
        let mut groups: Vec<_> = named.groups.into_iter().collect();
        Ok(match (is_closed, groups.len()) {
            (true, 1) => Owning::Address(groups.pop().unwrap_or_default()),
            (true, _) => Owning::Candidates(groups, why),
            (false, _) => Owning::Any(why),
        })
    }
}

pub(super) fn who(named: Named, unknown: Unknown, key: String) -> Who {
    let is_closed = !named.has_other && !named.has_unknown;
    let mut groups: Vec<_> = named.groups.into_iter().collect();
    if !is_closed {
        groups.clear();
    }
    match groups.as_mut_slice() {
        [only] => Who::Planned(std::mem::take(only)),
        _ => Who::Unknown {
            unknown,
            key,
            candidates: groups,
        },
    }
}

fn is_null(expression: &Json) -> bool {
    expression.get("constant_value").is_some_and(Json::is_null)
}

impl Reader<'_, '_> {
    /// Why an attribute of a resource is unknown.
    pub(super) fn why(&self, resource: &Planned<'_>, name: &str) -> Unknown {
        let expression = resource
            .configuration
            .and_then(|configuration| configuration.expressions.get(name));
        let refs = expression.map(references).unwrap_or_default();
        unknown(format!("{}.{name}", resource.address), &refs)
    }

    pub(super) fn scope<'s>(&self, resource: &'s Planned<'_>) -> Scope<'s> {
        let for_each = resource
            .configuration
            .map(|configuration| &configuration.for_each_expression);
        Scope {
            module: resource.module,
            for_each: for_each.filter(|for_each| !for_each.is_null()),
        }
    }
}
