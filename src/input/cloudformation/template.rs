//! A template's sections, and the parameters that are given with it.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::CloudFormationError;
use super::node::{At, Kind, Member, Node};

/// Transforms of AWS that leave security groups and their rules as they are.
const HARMLESS: [&str; 6] = [
    "AWS::Serverless-2016-10-31",
    "AWS::LanguageExtensions",
    "AWS::SecretsManager-2020-07-23",
    "AWS::SecretsManager-2024-09-16",
    "AWS::CodeDeployBlueGreen",
    "AWS::CodeStar",
];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    root: Node,
}

/// A resource as it is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Resource<'t> {
    pub(super) id: &'t str,
    pub(super) at: At,
    /// Empty of what is no resource, such as a loop.
    pub(super) kind: &'t str,
    pub(super) node: &'t Node,
}

impl Template {
    pub(super) fn read(file: &str, text: &str) -> Result<Self, CloudFormationError> {
        let root = Node::read(text).map_err(|error| CloudFormationError::syntax(file, &error))?;
        let template = Self { root };
        if template.section("Resources").is_empty() {
            return Err(CloudFormationError::at(
                file,
                template.root.at,
                "it has no `Resources`: it is no template of CloudFormation",
            ));
        }
        Ok(template)
    }

    /// For values that are plain.
    pub(super) fn empty() -> Self {
        let root = Node {
            at: At::default(),
            kind: Kind::Null,
        };
        Self { root }
    }

    pub(super) fn section(&self, name: &str) -> &[Member] {
        self.root.get(name).map_or(&[], Node::members)
    }

    pub(super) fn get(&self, section: &str, name: &str) -> Option<&Node> {
        self.root.get(section)?.get(name)
    }

    pub(super) fn resources(&self) -> impl Iterator<Item = Resource<'_>> {
        self.section("Resources").iter().map(|member| Resource {
            id: &member.key,
            at: member.at,
            kind: member.value.get("Type").and_then(Node::text).unwrap_or(""),
            node: &member.value,
        })
    }

    pub(super) fn resource(&self, id: &str) -> Option<Resource<'_>> {
        self.resources().find(|resource| resource.id == id)
    }

    /// The macros that may change any group.
    pub(super) fn macros(&self) -> Vec<&Node> {
        let declared = self.root.get("Transform").map_or(&[][..], |transform| {
            transform.items().unwrap_or(std::slice::from_ref(transform))
        });
        // It brings sections, and with them resources.
        let included = self.root.get("Fn::Transform");
        let is_harmless = |node: &Node| node.text().is_some_and(|name| HARMLESS.contains(&name));
        let declared = declared.iter().filter(|node| !is_harmless(node));
        declared.chain(included).collect()
    }
}

impl<'t> Resource<'t> {
    pub(super) fn property(&self, name: &str) -> Option<&'t Node> {
        self.node.get("Properties")?.get(name)
    }
}

/// Values of parameters; none for one whose value stays as it is in the stack.
pub type Parameters = BTreeMap<String, Option<String>>;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Parameter {
    parameter_key: String,
    #[serde(default)]
    parameter_value: Option<String>,
    #[serde(default)]
    use_previous_value: bool,
    #[serde(default, rename = "ResolvedValue")]
    _resolved_value: Option<String>,
}

/// Reads parameters as the AWS CLI takes them: `[{"ParameterKey":"…","ParameterValue":"…"}]`.
///
/// # Errors
/// Where they are something else, or one stands there twice.
pub fn read_parameters(file: &str, text: &str) -> Result<Parameters, CloudFormationError> {
    let wrong = |problem: String| CloudFormationError::of_file(file, problem);
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let list: Vec<Parameter> = serde_json::from_str(text).map_err(|error| {
        wrong(format!(
            "no parameters as the AWS CLI takes them, [{{\"ParameterKey\":\"…\",\"ParameterValue\":\"…\"}}]: {error}"
        ))
    })?;
    let mut parameters = Parameters::new();
    for parameter in list {
        let key = parameter.parameter_key;
        if parameter.parameter_value.is_none() && !parameter.use_previous_value {
            return Err(wrong(format!(
                "the parameter {key:?} has neither ParameterValue nor UsePreviousValue"
            )));
        }
        if parameters.contains_key(&key) {
            return Err(wrong(format!("the parameter {key:?} stands there twice")));
        }
        parameters.insert(key, parameter.parameter_value);
    }
    Ok(parameters)
}
