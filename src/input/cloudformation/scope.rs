//! What a value of a template is, as far as parameters and conditions tell.

use std::collections::BTreeMap;

use super::node::{Kind, Node};
use super::template::{Parameters, Resource, Template};

pub(super) const GROUP: &str = "AWS::EC2::SecurityGroup";
pub(super) const INGRESS: &str = "AWS::EC2::SecurityGroupIngress";
pub(super) const VPC: &str = "AWS::EC2::VPC";
/// The attribute of a VPC that is its default group.
pub(super) const DEFAULT_GROUP: &str = "DefaultSecurityGroup";

pub(super) const CHANGE_SET: &str = "make a change set and give the answer of `aws cloudformation describe-change-set \
--include-property-values`";
const GIVE: &str = "give the parameter's value with --parameters";

/// What an unknown expression is taken for: one of the texts that it is compared with, or none of them.
pub(super) type Assumptions = BTreeMap<String, Option<String>>;

/// Whether conditions are met, as far as that is known.
pub(super) type Conditions = BTreeMap<String, bool>;

/// A template with what its values depend on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope<'t> {
    pub(super) template: &'t Template,
    pub(super) parameters: &'t Parameters,
    pub(super) assumed: &'t Assumptions,
    /// Those that are known.
    pub(super) conditions: &'t Conditions,
}

/// A value at its outermost level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Resolved<'t> {
    /// It is left out.
    Nothing,
    Text(String),
    Texts(Vec<String>),
    /// A list or a map as it is written.
    Node(&'t Node),
    /// A security group of the template, by its address: its id, or its name.
    Group(String),
    Unknown(Why),
}

/// Why a value is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Why {
    /// As short tags write it: `!Ref Port`.
    pub(super) expression: String,
    pub(super) advice: String,
}

fn unknown<'t>(expression: impl Into<String>, advice: &str) -> Resolved<'t> {
    Resolved::Unknown(Why {
        expression: expression.into(),
        advice: advice.to_owned(),
    })
}

/// A text, unless it stands for something that CloudFormation puts in its place.
fn text<'t>(text: &str) -> Resolved<'t> {
    if text.contains("{{resolve:") {
        unknown(text, CHANGE_SET)
    } else if text.contains("{{changeSet:") {
        unknown(text, "it is known only after the deployment")
    } else {
        Resolved::Text(text.to_owned())
    }
}

impl<'t> Scope<'t> {
    pub(super) fn resolve(self, node: &'t Node) -> Resolved<'t> {
        match &node.kind {
            Kind::Null => Resolved::Nothing,
            Kind::Text(known) => text(known),
            Kind::List(_) => Resolved::Node(node),
            Kind::Map(_) => match node.only() {
                Some(function) if is_function(&function.key) => {
                    self.call(node, &function.key, &function.value)
                }
                _ => Resolved::Node(node),
            },
        }
    }

    /// The same of a member that may be missing.
    pub(super) fn member(self, node: Option<&'t Node>) -> Resolved<'t> {
        node.map_or(Resolved::Nothing, |node| self.resolve(node))
    }

    fn call(self, whole: &'t Node, name: &str, value: &'t Node) -> Resolved<'t> {
        let told = match name {
            "Ref" => value.text().map(|name| self.reference(name)),
            "Fn::GetAtt" => self.attribute(value),
            "Fn::If" => self.choice(value),
            "Fn::Sub" => self.substitute(value),
            "Fn::Join" => self.join(value),
            "Fn::Select" => self.select(value),
            "Fn::Split" => self.split(value),
            "Fn::FindInMap" => self.find_in_map(value),
            _ => None,
        };
        told.unwrap_or_else(|| unknown(expression(whole), CHANGE_SET))
    }

    fn reference(self, name: &str) -> Resolved<'t> {
        if name == "AWS::NoValue" {
            return Resolved::Nothing;
        }
        if let Some(parameter) = self.template.get("Parameters", name) {
            return self.parameter(name, parameter);
        }
        match self.template.resource(name).map(|resource| resource.kind) {
            // The id of a group in a VPC, the name of any other: either way it is this group.
            Some(GROUP) => Resolved::Group(name.to_owned()),
            Some(_) => unknown(format!("!Ref {name}"), CHANGE_SET),
            None => unknown(
                format!("!Ref {name}"),
                "look at the change set: the template has no such parameter or resource",
            ),
        }
    }

    fn parameter(self, name: &str, parameter: &'t Node) -> Resolved<'t> {
        let kind = parameter.get("Type").and_then(Node::text).unwrap_or("");
        let given = match self.parameters.get(name) {
            Some(Some(given)) => Some(given.as_str()),
            Some(None) => None,
            None => parameter.get("Default").and_then(Node::text),
        };
        let reference = format!("!Ref {name}");
        let is_stored = kind.starts_with("AWS::SSM::Parameter::Value");
        match given {
            Some(_) if is_stored => unknown(reference, CHANGE_SET),
            Some(given) if kind.starts_with("List<") || kind == "CommaDelimitedList" => {
                Resolved::Texts(
                    given
                        .split(',')
                        .map(|item| item.trim().to_owned())
                        .collect(),
                )
            }
            Some(given) => text(given),
            None => unknown(reference, GIVE),
        }
    }

    fn attribute(self, value: &'t Node) -> Option<Resolved<'t>> {
        let path = match value.items() {
            Some(parts) => {
                let parts: Option<Vec<_>> = parts.iter().map(Node::text).collect();
                parts?.join(".")
            }
            None => value.text()?.to_owned(),
        };
        self.attribute_at(&path)
    }

    fn attribute_at(self, path: &str) -> Option<Resolved<'t>> {
        let (id, attribute) = path.split_once('.')?;
        Some(match (self.template.resource(id)?, attribute) {
            (Resource { kind: GROUP, .. }, "GroupId" | "Id") => Resolved::Group(id.to_owned()),
            (Resource { kind: VPC, .. }, DEFAULT_GROUP) => Resolved::Group(path.to_owned()),
            _ => unknown(format!("!GetAtt {path}"), CHANGE_SET),
        })
    }

    fn choice(self, value: &'t Node) -> Option<Resolved<'t>> {
        let [condition, yes, no] = value.items()? else {
            return None;
        };
        let is_met = self.condition(condition.text()?)?;
        Some(self.resolve(if is_met { yes } else { no }))
    }

    fn substitute(self, value: &'t Node) -> Option<Resolved<'t>> {
        let (pattern, variables) = match value.items() {
            Some([pattern, variables]) => (pattern.text()?, Some(variables)),
            Some([pattern]) => (pattern.text()?, None),
            Some(_) => return None,
            None => (value.text()?, None),
        };
        let value_of = |name: &str| -> Option<Resolved<'t>> {
            if let Some(variable) = variables.and_then(|variables| variables.get(name)) {
                return Some(self.resolve(variable));
            }
            if name.contains('.') {
                self.attribute_at(name)
            } else {
                Some(self.reference(name))
            }
        };
        let whole = pattern
            .strip_prefix("${")
            .and_then(|rest| rest.strip_suffix('}'));
        if let Some(name) = whole.filter(|name| !name.contains(['}', '!'])) {
            return value_of(name.trim());
        }
        let mut out = String::new();
        let mut rest = pattern;
        while let Some((before, behind)) = rest.split_once("${") {
            out.push_str(before);
            let (name, behind) = behind.split_once('}')?;
            if let Some(literal) = name.strip_prefix('!') {
                out = out + "${" + literal + "}";
            } else {
                match value_of(name.trim())? {
                    Resolved::Text(known) => out.push_str(&known),
                    _ => return None,
                }
            }
            rest = behind;
        }
        Some(text(&(out + rest)))
    }

    fn texts(self, node: &'t Node) -> Option<Vec<String>> {
        match self.resolve(node) {
            Resolved::Texts(texts) => Some(texts),
            Resolved::Node(list) => {
                let known = |item: &'t Node| match self.resolve(item) {
                    Resolved::Text(text) => Some(text),
                    _ => None,
                };
                list.items()?.iter().map(known).collect()
            }
            _ => None,
        }
    }

    fn join(self, value: &'t Node) -> Option<Resolved<'t>> {
        let [delimiter, list] = value.items()? else {
            return None;
        };
        if let Some([only]) = list.items() {
            return Some(self.resolve(only));
        }
        Some(text(&self.texts(list)?.join(delimiter.text()?)))
    }

    fn select(self, value: &'t Node) -> Option<Resolved<'t>> {
        let [index, list] = value.items()? else {
            return None;
        };
        let Resolved::Text(index) = self.resolve(index) else {
            return None;
        };
        let index: usize = index.parse().ok()?;
        match self.resolve(list) {
            Resolved::Texts(texts) => texts.get(index).map(|item| text(item)),
            Resolved::Node(list) => list.items()?.get(index).map(|item| self.resolve(item)),
            _ => None,
        }
    }

    fn split(self, value: &'t Node) -> Option<Resolved<'t>> {
        let [delimiter, source] = value.items()? else {
            return None;
        };
        let Resolved::Text(source) = self.resolve(source) else {
            return None;
        };
        let parts = source.split(delimiter.text()?).map(str::to_owned);
        Some(Resolved::Texts(parts.collect()))
    }

    fn find_in_map(self, value: &'t Node) -> Option<Resolved<'t>> {
        let [map, first, second] = value.items()? else {
            return None;
        };
        let key = |node| match self.resolve(node) {
            Resolved::Text(key) => Some(key),
            _ => None,
        };
        let found = self.template.get("Mappings", &key(map)?)?;
        // Mappings hold no functions.
        let found = found.get(&key(first)?)?.get(&key(second)?)?;
        found.only().is_none().then(|| self.resolve(found))
    }

    /// Whether the value of a parameter that must not be shown is somewhere in a node.
    pub(super) fn is_secret(self, node: &Node) -> bool {
        let is_hidden = |name: &str| {
            let parameter = self.template.get("Parameters", name);
            let hidden = parameter.and_then(|parameter| parameter.get("NoEcho"));
            hidden
                .and_then(Node::text)
                .is_some_and(|text| text.eq_ignore_ascii_case("true"))
        };
        node.any(&|node| match node.only() {
            Some(function) if function.key == "Ref" => function.value.text().is_some_and(is_hidden),
            Some(function) if function.key == "Fn::Sub" => {
                let names = self.template.section("Parameters");
                function.value.any(&|node| {
                    let text = node.text().unwrap_or("");
                    names.iter().any(|member| {
                        text.contains(&format!("${{{}}}", member.key)) && is_hidden(&member.key)
                    })
                })
            }
            _ => false,
        })
    }

    /// The parameters of which the default counts.
    pub(super) fn defaults(self) -> impl Iterator<Item = (&'t str, &'t str)> {
        let parameters = self.template.section("Parameters").iter();
        parameters.filter_map(move |parameter| {
            let default = parameter.value.get("Default")?.text()?;
            let is_given = self.parameters.contains_key(&parameter.key);
            (!is_given).then_some((parameter.key.as_str(), default))
        })
    }
}

fn is_function(key: &str) -> bool {
    key == "Ref" || key == "Condition" || key.starts_with("Fn::")
}

/// The value as short tags write it.
pub(super) fn expression(node: &Node) -> String {
    let list = |items: Vec<String>| items.join(", ");
    match &node.kind {
        Kind::Null => "null".to_owned(),
        Kind::Text(text) => text.clone(),
        Kind::List(items) => format!("[{}]", list(items.iter().map(expression).collect())),
        Kind::Map(members) => match node.only() {
            Some(function) if is_function(&function.key) => {
                let name = function.key.trim_start_matches("Fn::");
                let value = match (name, function.value.items()) {
                    ("GetAtt", Some(parts)) => {
                        parts.iter().map(expression).collect::<Vec<_>>().join(".")
                    }
                    _ => expression(&function.value),
                };
                format!("!{name} {value}")
            }
            _ => {
                let member = |member: &super::node::Member| {
                    format!("{}: {}", member.key, expression(&member.value))
                };
                format!("{{{}}}", list(members.iter().map(member).collect()))
            }
        },
    }
}
