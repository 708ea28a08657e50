//! Ingress rules as properties have them.

use super::node::{Kind, Node};
use super::scope::{CHANGE_SET, Resolved, Scope, Why, expression};
use crate::model::planned::{PlannedPermission, PlannedSource, Position, Unknown, Value, Who};
use crate::model::{AccountId, GroupId, Protocol};

/// Whose rules are read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'r, 't> {
    pub(super) scope: Scope<'t>,
    /// The file of positions; none where lines mean nothing.
    pub(super) file: Option<&'r str>,
    /// The address of the resource that has the rule.
    pub(super) rule: &'r str,
    /// The names of the template's groups, with their addresses.
    pub(super) names: &'r [(String, String)],
}

impl Why {
    pub(super) fn of(self, attribute: &str) -> Unknown {
        Unknown {
            attribute: attribute.to_owned(),
            expression: Some(self.expression),
            advice: self.advice,
        }
    }
}

impl<'t> Reader<'_, 't> {
    pub(super) fn position(self, node: &Node) -> Option<Position> {
        self.file.map(|file| Position {
            file: file.to_owned(),
            line: node.at.line,
            column: Some(node.at.column),
        })
    }

    /// The rules of a group's own property.
    pub(super) fn inline(self, property: Option<&'t Node>) -> Vec<PlannedPermission> {
        const PROPERTY: &str = "SecurityGroupIngress";
        let Some(property) = property else {
            return Vec::new();
        };
        let anything = |unknown: Unknown| {
            PlannedPermission::anything(self.rule.to_owned(), self.position(property), unknown)
        };
        match self.scope.resolve(property) {
            Resolved::Nothing => Vec::new(),
            Resolved::Node(node) => match &node.kind {
                Kind::List(items) => (0..)
                    .zip(items)
                    .flat_map(|(index, item): (usize, _)| {
                        self.item(item, &format!("{PROPERTY}[{index}]"))
                    })
                    .collect(),
                _ => self.item(node, PROPERTY),
            },
            Resolved::Unknown(why) => vec![anything(why.of(PROPERTY))],
            Resolved::Text(_) | Resolved::Texts(_) | Resolved::Group(_) => {
                vec![anything(self.not_understood(property, PROPERTY))]
            }
        }
    }

    fn not_understood(self, node: &Node, attribute: &str) -> Unknown {
        Unknown {
            attribute: attribute.to_owned(),
            expression: Some(expression(node)),
            advice: CHANGE_SET.to_owned(),
        }
    }

    /// One element of the list; an element may be left out.
    fn item(self, item: &'t Node, attribute: &str) -> Vec<PlannedPermission> {
        let anything = |unknown| {
            PlannedPermission::anything(self.rule.to_owned(), self.position(item), unknown)
        };
        match self.scope.resolve(item) {
            Resolved::Nothing => Vec::new(),
            Resolved::Node(node) if has_loop_or_macro(node) => {
                vec![anything(self.not_understood(node, attribute))]
            }
            Resolved::Node(node) if matches!(node.kind, Kind::Map(_)) => {
                vec![self.rule(node, &format!("{attribute}."))]
            }
            Resolved::Unknown(why) => vec![anything(why.of(attribute))],
            _ => vec![anything(self.not_understood(item, attribute))],
        }
    }

    /// A rule, whose members' names stand behind a prefix.
    pub(super) fn rule(self, rule: &'t Node, prefix: &str) -> PlannedPermission {
        let ranges = self.texts(rule, &["CidrIp", "CidrIpv6"]);
        let prefix_lists = self.texts(rule, &["SourcePrefixListId"]);
        let has_range = !ranges.is_empty() || !prefix_lists.is_empty();
        let protocol = self.scalar(rule, "IpProtocol", prefix, |text| Some(Protocol::new(text)));
        PlannedPermission {
            rule: self.rule.to_owned(),
            position: self.position(rule),
            may_be_absent: None,
            protocol: match protocol {
                Value::Known(protocol) => Value::Known(protocol.unwrap_or(Protocol::ALL)),
                Value::Unknown(unknown) => Value::Unknown(unknown),
            },
            from_port: self.scalar(rule, "FromPort", prefix, number),
            to_port: self.scalar(rule, "ToPort", prefix, number),
            sources: self.sources(rule, prefix, has_range),
            ranges,
            prefix_lists,
            is_sensitive: self.scope.is_secret(rule),
        }
    }

    fn texts(self, rule: &'t Node, names: &[&str]) -> Vec<String> {
        let text = |name: &&str| match self.scope.member(rule.get(name)) {
            Resolved::Text(text) => Some(text),
            _ => None,
        };
        names.iter().filter_map(text).collect()
    }

    fn scalar<T>(
        self,
        rule: &'t Node,
        name: &str,
        prefix: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Value<Option<T>> {
        let Some(node) = rule.get(name) else {
            return Value::Known(None);
        };
        let attribute = format!("{prefix}{name}");
        match self.scope.resolve(node) {
            Resolved::Nothing => Value::Known(None),
            Resolved::Text(text) => match parse(&text) {
                Some(value) => Value::Known(Some(value)),
                None => Value::Unknown(Unknown {
                    attribute,
                    expression: Some(text),
                    advice: "write it as a decimal number".to_owned(),
                }),
            },
            Resolved::Unknown(why) => Value::Unknown(why.of(&attribute)),
            _ => Value::Unknown(self.not_understood(node, &attribute)),
        }
    }

    /// The groups that a rule names. A rule has one source: a range that is known excludes a group that is not.
    fn sources(self, rule: &'t Node, prefix: &str, has_range: bool) -> Vec<PlannedSource> {
        const ID: &str = "SourceSecurityGroupId";
        const NAME: &str = "SourceSecurityGroupName";
        const OWNER: &str = "SourceSecurityGroupOwnerId";
        let owner = match self.scope.member(rule.get(OWNER)) {
            Resolved::Text(owner) => Ok(Some(AccountId::new(owner))),
            Resolved::Nothing => Ok(None),
            // The stack's own account is that of the group.
            Resolved::Unknown(why) if why.expression == "!Ref AWS::AccountId" => Ok(None),
            Resolved::Unknown(why) => Err(why),
            _ => Err(Why {
                expression: rule.get(OWNER).map(expression).unwrap_or_default(),
                advice: CHANGE_SET.to_owned(),
            }),
        };
        let mut sources = Vec::new();
        for name in [ID, NAME] {
            let Some(node) = rule.get(name) else {
                continue;
            };
            let attribute = format!("{prefix}{name}");
            let unknown = |why: Why| Who::Unknown {
                key: why.expression.clone(),
                unknown: why.of(&attribute),
                candidates: Vec::new(),
            };
            let who = match (self.scope.resolve(node), &owner) {
                (Resolved::Nothing, _) => continue,
                (Resolved::Group(address), _) => Who::Planned(address),
                (Resolved::Unknown(_), _) if has_range => continue,
                (Resolved::Unknown(why), _) => unknown(why),
                // Whose group it is decides exemptions.
                (Resolved::Text(text), Err(why)) => unknown(Why {
                    expression: format!("{text} of account {}", why.expression),
                    advice: why.advice.clone(),
                }),
                (Resolved::Text(text), Ok(owner)) => self.named(&text, owner.clone()),
                (Resolved::Node(_) | Resolved::Texts(_), _) => unknown(Why {
                    expression: expression(node),
                    advice: CHANGE_SET.to_owned(),
                }),
            };
            sources.push(PlannedSource::new(who));
        }
        sources
    }

    /// `sg-…`, with its account before it or beside it, or a name.
    pub(super) fn named(self, text: &str, owner: Option<AccountId>) -> Who {
        let (before, id) = match text.split_once('/') {
            Some((account, id)) => (Some(AccountId::new(account)), id),
            None => (None, text),
        };
        if let Some(group_id) = GroupId::parse(id) {
            return Who::Group {
                group_id,
                owner: before.or(owner),
                peering: None,
            };
        }
        match self.names.iter().find(|(name, _)| name == text) {
            Some((_, address)) => Who::Planned(address.clone()),
            None => Who::Named {
                name: text.to_owned(),
                owner,
            },
        }
    }
}

/// A decimal number: YAML has other spellings, of which readers think differently.
fn number(text: &str) -> Option<i64> {
    let text = text.strip_suffix(".0").unwrap_or(text);
    let number: i64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

fn has_loop_or_macro(node: &Node) -> bool {
    node.members()
        .iter()
        .any(|member| member.key.starts_with("Fn::"))
}
