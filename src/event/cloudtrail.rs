//! EC2 calls as CloudTrail records them.
//!
//! EC2 has two ways of writing a call: the old one with camelCase names and lists as `{"items":[…]}` (an empty list is
//! `{}`), and the new one with a `…Request` wrapper, PascalCase, one item as an object and several as an array, and
//! numbers for some strings. Members are therefore found without regard to case, at the top level only: deeper down
//! stand the ids of sources.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::{Action, ChangeProof, Kind, Record, Target, Trigger, TriggerError, tagged};
use crate::model::{GroupId, GroupRule, Protocol, RuleId, Traffic, VpcId};

/// How a call says which group it changed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Names {
    /// By the group's id.
    Id,
    /// By the group's id, or its name in the default VPC.
    IdOrName,
    /// By the ids of tagged resources, most of which are no groups.
    Resources,
    /// By the VPC that was made, with a default group.
    NewVpc,
    /// By the VPC that was deleted.
    DeletedVpc,
}

/// The calls that can change a verdict, or refresh a finding at no cost, and how each names its group.
const CALLS: [(&str, Names); 16] = [
    ("AuthorizeSecurityGroupIngress", Names::IdOrName),
    ("RevokeSecurityGroupIngress", Names::IdOrName),
    ("AuthorizeSecurityGroupEgress", Names::Id),
    ("RevokeSecurityGroupEgress", Names::Id),
    ("ModifySecurityGroupRules", Names::Id),
    ("UpdateSecurityGroupRuleDescriptionsIngress", Names::Id),
    ("UpdateSecurityGroupRuleDescriptionsEgress", Names::Id),
    ("CreateSecurityGroup", Names::Id),
    ("DeleteSecurityGroup", Names::IdOrName),
    ("AssociateSecurityGroupVpc", Names::Id),
    ("DisassociateSecurityGroupVpc", Names::Id),
    ("CreateTags", Names::Resources),
    ("DeleteTags", Names::Resources),
    ("CreateVpc", Names::NewVpc),
    ("CreateDefaultVpc", Names::NewVpc),
    ("DeleteVpc", Names::DeletedVpc),
];

pub(super) fn classify(detail: &Value, trigger: &mut Trigger) -> Result<(), TriggerError> {
    let Value::Object(detail) = detail else {
        return Err(TriggerError::CloudTrail("detail is not an object"));
    };
    let name = detail
        .get("eventName")
        .and_then(Value::as_str)
        .ok_or(TriggerError::CloudTrail(
            "detail.eventName is missing or not a string",
        ))?;
    let service =
        detail
            .get("eventSource")
            .and_then(Value::as_str)
            .ok_or(TriggerError::CloudTrail(
                "detail.eventSource is missing or not a string",
            ))?;
    trigger.kind = Kind::Cloudtrail;
    trigger.event = Some(name.to_owned());
    trigger.record = record(detail, name, trigger.record.id.take());
    trigger.action = if service == "ec2.amazonaws.com" {
        let call = Call {
            name,
            parameters: Parts::of(detail, name),
        };
        match failure(detail) {
            Some(error) => Action::Ignore(format!("{name} failed with {error}: nothing changed")),
            None => {
                trigger.proof = call.proof();
                call.action()
            }
        }
    } else {
        Action::Ignore(format!("{name} of {service} is not EC2's"))
    };
    Ok(())
}

fn failure(detail: &Map<String, Value>) -> Option<String> {
    detail
        .get("errorCode")
        .filter(|code| !code.is_null())
        .map(|code| text(code).unwrap_or_else(|| code.to_string()))
}

fn record(detail: &Map<String, Value>, name: &str, envelope_id: Option<String>) -> Record {
    let member = |name: &str| detail.get(name).and_then(text);
    let identity = detail.get("userIdentity");
    let of_identity = |pointer: &str| {
        identity
            .and_then(|identity| identity.pointer(pointer))
            .and_then(text)
    };
    let on_behalf_of = of_identity("/onBehalfOf/userId").map(|user| {
        match of_identity("/onBehalfOf/identityStoreArn") {
            Some(store) => format!("{user} of {store}"),
            None => user,
        }
    });
    Record {
        name: Some(name.to_owned()),
        id: member("eventID").or(envelope_id),
        time: member("eventTime"),
        actor: of_identity("/arn")
            .or_else(|| of_identity("/invokedBy"))
            .or_else(|| of_identity("/principalId")),
        source_ip: member("sourceIPAddress"),
        user_agent: member("userAgent"),
        source_identity: of_identity("/sessionContext/sourceIdentity")
            .or_else(|| of_identity("/sourceIdentity")),
        on_behalf_of,
    }
}

/// What a call was given and what it answered, unwrapped.
struct Parts<'a> {
    request: Option<&'a Map<String, Value>>,
    response: Option<&'a Map<String, Value>>,
}

impl<'a> Parts<'a> {
    fn of(detail: &'a Map<String, Value>, name: &str) -> Self {
        let part = |member: &str, wrapper: &str| {
            let outer = detail.get(member)?.as_object()?;
            match outer.get(&format!("{name}{wrapper}")) {
                Some(inner) => inner.as_object(),
                None => Some(outer),
            }
        };
        Self {
            request: part("requestParameters", "Request"),
            response: part("responseElements", "Response"),
        }
    }
}

struct Call<'a> {
    name: &'a str,
    parameters: Parts<'a>,
}

/// Why the target of a call is not known.
struct Unknown(String);

impl Call<'_> {
    fn action(&self) -> Action {
        let Some((_, names)) = CALLS.iter().find(|(name, _)| *name == self.name) else {
            return Action::Ignore(format!("{} changes no security group", self.name));
        };
        let targets = match names {
            Names::Resources => self.tagged_groups(),
            Names::NewVpc => self
                .vpc(self.new_vpc())
                .map(|vpc| vec![Target::DefaultGroupOf(vpc)]),
            Names::DeletedVpc => self
                .vpc(member(self.parameters.request, "vpcId"))
                .map(|vpc| vec![Target::GroupsOfVpc(vpc)]),
            Names::Id | Names::IdOrName => self.groups(*names == Names::IdOrName),
        };
        match targets {
            Ok(targets) if targets.is_empty() => Action::Ignore(format!(
                "{} of resources that are no security groups",
                self.name
            )),
            Ok(targets) => Action::Evaluate(targets),
            Err(Unknown(why)) => Action::Sweep(Some(format!(
                "{} does not tell what it changed ({why})",
                self.name
            ))),
        }
    }

    fn proof(&self) -> ChangeProof {
        match self.name {
            "DeleteSecurityGroup" | "DeleteVpc" => ChangeProof::Deleted,
            "AuthorizeSecurityGroupIngress" => ChangeProof::Existed {
                added: self.named_rules(),
                removed: Vec::new(),
            },
            "RevokeSecurityGroupIngress" => ChangeProof::Existed {
                added: Vec::new(),
                removed: self.named_rules(),
            },
            "ModifySecurityGroupRules" => ChangeProof::Existed {
                added: self.modified_rules(),
                removed: Vec::new(),
            },
            _ => ChangeProof::existed(),
        }
    }

    fn groups(&self, by_name: bool) -> Result<Vec<Target>, Unknown> {
        let Parts { request, response } = self.parameters;
        if let Some(id) = member(request, "groupId").or_else(|| member(response, "groupId")) {
            return Ok(vec![Target::GroupId(group_id(id)?)]);
        }
        let mut seen = HashSet::new();
        let mut targets = Vec::new();
        for rule in self.answered_rules() {
            let id = rule
                .as_object()
                .and_then(|rule| member(Some(rule), "groupId"));
            let id = group_id(id.unwrap_or(&Value::Null))?;
            if seen.insert(id.clone()) {
                targets.push(Target::GroupId(id));
            }
        }
        if !targets.is_empty() {
            return Ok(targets);
        }
        let name = member(request, "groupName").and_then(text);
        if let Some(name) = name.filter(|_| by_name && member(request, "vpcId").is_none()) {
            return Ok(vec![Target::GroupName(name)]);
        }
        Err(Unknown(match request {
            None => "its parameters were left out".to_owned(),
            Some(_) => "its parameters name no group".to_owned(),
        }))
    }

    fn tagged_groups(&self) -> Result<Vec<Target>, Unknown> {
        let resources = member(self.parameters.request, "resourcesSet")
            .ok_or_else(|| Unknown("its parameters name no resources".to_owned()))?;
        let mut seen = HashSet::new();
        let mut ids = Vec::new();
        for item in
            list(resources).ok_or_else(|| Unknown("its resources are not a list".to_owned()))?
        {
            let id = item
                .as_object()
                .and_then(|item| member(Some(item), "resourceId"))
                .and_then(text)
                .ok_or_else(|| Unknown("a resource of it has no id".to_owned()))?;
            if id.starts_with("sg-") {
                let id = group_id(&Value::String(id))?;
                if seen.insert(id.clone()) {
                    ids.push(id);
                }
            }
        }
        Ok(tagged(ids))
    }

    fn new_vpc(&self) -> Option<&Value> {
        let vpc = member(self.parameters.response, "vpc")?.as_object();
        member(vpc, "vpcId")
    }

    fn vpc(&self, id: Option<&Value>) -> Result<VpcId, Unknown> {
        let id = id.ok_or_else(|| Unknown("it names no VPC".to_owned()))?;
        text(id)
            .as_deref()
            .and_then(super::vpc_id)
            .ok_or_else(|| Unknown(format!("{id} has not the form of a VPC id")))
    }

    /// The rules that the answer lists: those that were added, or those that were revoked.
    fn answered_rules(&self) -> impl Iterator<Item = &Value> {
        ["securityGroupRuleSet", "revokedSecurityGroupRuleSet"]
            .into_iter()
            .filter_map(|set| member(self.parameters.response, set).and_then(list))
            .flatten()
    }

    /// The group rules that an authorize call added or a revoke call took: what the answer lists, else what was asked for.
    fn named_rules(&self) -> Vec<GroupRule> {
        let answered: Vec<_> = self
            .answered_rules()
            .filter_map(Value::as_object)
            .filter_map(answered_rule)
            .collect();
        if !answered.is_empty() {
            return answered;
        }
        let permissions = member(self.parameters.request, "ipPermissions")
            .and_then(list)
            .unwrap_or_default();
        let rules = permissions
            .into_iter()
            .filter_map(Value::as_object)
            .flat_map(|permission| {
                let groups = member(Some(permission), "groups")
                    .and_then(list)
                    .unwrap_or_default();
                groups
                    .into_iter()
                    .filter_map(Value::as_object)
                    .filter_map(|group| {
                        let source = member(Some(group), "groupId")
                            .and_then(text)
                            .map(GroupId::new)?;
                        Some(GroupRule {
                            rule_id: None,
                            group_id: None,
                            is_ingress: Some(true),
                            source,
                            traffic: traffic(permission),
                        })
                    })
            });
        rules.collect()
    }

    /// The group rules that a modify call left in place of others. It names each by its id, and does not say whether it
    /// lets in or out.
    fn modified_rules(&self) -> Vec<GroupRule> {
        let updates = member(self.parameters.request, "SecurityGroupRule")
            .and_then(list)
            .unwrap_or_default();
        let rule = |update: &Value| {
            let update = update.as_object();
            let rule = answered_rule(member(update, "SecurityGroupRule")?.as_object()?)?;
            Some(GroupRule {
                rule_id: member(update, "SecurityGroupRuleId")
                    .and_then(text)
                    .map(RuleId::new),
                is_ingress: None,
                ..rule
            })
        };
        updates.into_iter().filter_map(rule).collect()
    }
}

/// A rule of one source, when it is an ingress rule for a group.
fn answered_rule(rule: &Map<String, Value>) -> Option<GroupRule> {
    if member(Some(rule), "isEgress").and_then(text).as_deref() == Some("true") {
        return None;
    }
    let referenced = member(Some(rule), "referencedGroupInfo").and_then(Value::as_object);
    let source = member(referenced, "groupId")
        .or_else(|| member(Some(rule), "referencedGroupId"))
        .and_then(text)
        .map(GroupId::new)?;
    Some(GroupRule {
        rule_id: member(Some(rule), "securityGroupRuleId")
            .and_then(text)
            .map(RuleId::new),
        group_id: None,
        is_ingress: Some(true),
        source,
        traffic: traffic(rule),
    })
}

fn traffic(rule: &Map<String, Value>) -> Traffic {
    let port = |name: &str| {
        member(Some(rule), name)
            .and_then(text)
            .and_then(|port| port.parse().ok())
    };
    let protocol = member(Some(rule), "ipProtocol")
        .and_then(text)
        .unwrap_or_default();
    Traffic::new(Protocol::new(&protocol), port("fromPort"), port("toPort"))
}

/// A member by its name without regard to case; null and "" are as good as absent.
fn member<'a>(of: Option<&'a Map<String, Value>>, name: &str) -> Option<&'a Value> {
    let is_given = |value: &&Value| !value.is_null() && value.as_str() != Some("");
    of?.iter()
        .filter(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
        .find(is_given)
}

/// A list in either of EC2's ways of writing one.
fn list(value: &Value) -> Option<Vec<&Value>> {
    match value {
        Value::Array(items) => Some(items.iter().collect()),
        Value::Object(object) => match object.get("items").or_else(|| object.get("Items")) {
            Some(Value::Array(items)) => Some(items.iter().collect()),
            Some(Value::Null) => Some(Vec::new()),
            Some(_) => None,
            None if object.is_empty() => Some(Vec::new()),
            None => Some(vec![value]),
        },
        _ => None,
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

fn group_id(id: &Value) -> Result<GroupId, Unknown> {
    id.as_str()
        .and_then(super::group_id)
        .ok_or_else(|| Unknown(format!("{id} has not the form of a group id")))
}
