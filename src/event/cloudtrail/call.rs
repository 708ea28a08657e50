//! Which groups a call of EC2 changed.
//!
//! One rule covers all calls. Request and response are taken out of their wrappers (`<eventName>Request`,
//! `<eventName>Response`). The group is the `groupId` at their top level (a deeper one is the id of a source), else those
//! of the rules in the response, else the group's name, else the VPC. A call that says none of these, or
//! gives something else as an id, changed an unknown group: that is a sweep.

use serde_json::{Map, Value};

use super::serialized::{is_empty, list, member, scalar};
use crate::event::member::quote;
use crate::event::{Action, ChangeProof, Target, group_id, tagged, unique, vpc_id};
use crate::model::{GroupId, VpcId};

/// The member of a call that tells which group it changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    Id,
    /// By id, or by name in the default VPC.
    IdOrName,
    /// By the ids of tagged resources, most of which are no groups.
    Resources,
    /// By the VPC that was created, with a default group.
    NewVpc,
    /// By the VPC that was deleted, with its default group.
    DeletedVpc,
}

/// The calls that can change a verdict, or give a chance to refresh a finding.
pub(super) const CALLS: [(&str, Naming); 16] = [
    ("AuthorizeSecurityGroupIngress", Naming::IdOrName),
    ("RevokeSecurityGroupIngress", Naming::IdOrName),
    ("AuthorizeSecurityGroupEgress", Naming::Id),
    ("RevokeSecurityGroupEgress", Naming::Id),
    ("ModifySecurityGroupRules", Naming::Id),
    (
        "UpdateSecurityGroupRuleDescriptionsIngress",
        Naming::IdOrName,
    ),
    (
        "UpdateSecurityGroupRuleDescriptionsEgress",
        Naming::IdOrName,
    ),
    ("CreateSecurityGroup", Naming::Id),
    ("DeleteSecurityGroup", Naming::IdOrName),
    ("AssociateSecurityGroupVpc", Naming::Id),
    ("DisassociateSecurityGroupVpc", Naming::Id),
    ("CreateTags", Naming::Resources),
    ("DeleteTags", Naming::Resources),
    ("CreateVpc", Naming::NewVpc),
    ("CreateDefaultVpc", Naming::NewVpc),
    ("DeleteVpc", Naming::DeletedVpc),
];

/// A call: what it was given and what it answered, out of their wrappers.
pub(super) struct Call<'a> {
    pub(super) service: &'a str,
    pub(super) name: &'a str,
    pub(super) request: Option<&'a Map<String, Value>>,
    pub(super) response: Option<&'a Map<String, Value>>,
}

/// Why it is not known which group a call changed.
struct Unknown(String);

impl<'a> Call<'a> {
    pub(super) fn new(service: &'a str, name: &'a str, record: &'a Map<String, Value>) -> Self {
        let part = |member: &str, wrapper: &str| {
            let part = record.get(member)?.as_object()?;
            unwrapped(part, &format!("{name}{wrapper}"))
        };
        Self {
            service,
            name,
            request: part("requestParameters", "Request"),
            response: part("responseElements", "Response"),
        }
    }

    /// Other services have calls of the same names (Wickr's CreateSecurityGroup).
    pub(super) fn is_of_ec2(&self) -> bool {
        self.service == "ec2.amazonaws.com"
    }

    pub(super) fn action(&self) -> Action {
        let Some((_, naming)) = CALLS.iter().find(|(name, _)| *name == self.name) else {
            return Action::Ignore(format!("{} changes no security group", self.name));
        };
        let targets = match naming {
            Naming::Resources => self.tagged_groups(),
            Naming::NewVpc => self.new_vpc().map(|vpc| vec![Target::DefaultGroupOf(vpc)]),
            Naming::DeletedVpc => {
                vpc(member(self.request, "vpcId")).map(|vpc| vec![Target::GroupsOfVpc(vpc)])
            }
            Naming::Id | Naming::IdOrName => self.groups(*naming),
        };
        match targets {
            Ok(targets) if targets.is_empty() => Action::Ignore(format!(
                "{} of resources that are no security groups",
                self.name
            )),
            Ok(targets) => Action::Evaluate(targets),
            Err(Unknown(why)) => Action::Sweep(Some(format!(
                "{} does not say what it changed ({why})",
                self.name
            ))),
        }
    }

    pub(super) fn proof(&self) -> ChangeProof {
        match self.name {
            "DeleteSecurityGroup" | "DeleteVpc" => ChangeProof::Deleted,
            "AuthorizeSecurityGroupIngress" => ChangeProof::Existed {
                added: self.group_rules(),
                removed: Vec::new(),
            },
            "RevokeSecurityGroupIngress" => ChangeProof::Existed {
                added: Vec::new(),
                removed: self.group_rules(),
            },
            "ModifySecurityGroupRules" => ChangeProof::Existed {
                added: self.modified_rules(),
                removed: Vec::new(),
            },
            _ => ChangeProof::existed(),
        }
    }

    fn groups(&self, naming: Naming) -> Result<Vec<Target>, Unknown> {
        let id = member(self.request, "groupId").or_else(|| member(self.response, "groupId"));
        if let Some(id) = id {
            return Ok(vec![Target::GroupId(group(id)?)]);
        }
        let mut targets = Vec::new();
        for rule in self.answered_rules() {
            let id = member(rule.as_object(), "groupId")
                .ok_or_else(|| Unknown("a rule of its response names no group".to_owned()))?;
            targets.push(Target::GroupId(group(id)?));
        }
        if !targets.is_empty() {
            return Ok(unique(targets));
        }
        let name = member(self.request, "groupName").and_then(scalar);
        match name {
            Some(name) if naming == Naming::IdOrName && member(self.request, "vpcId").is_none() => {
                Ok(vec![Target::GroupName(name)])
            }
            _ if self.request.is_none() => Err(Unknown("its parameters were left out".to_owned())),
            _ => Err(Unknown("its parameters name no group".to_owned())),
        }
    }

    fn tagged_groups(&self) -> Result<Vec<Target>, Unknown> {
        let resources = member(self.request, "resourcesSet")
            .ok_or_else(|| Unknown("its parameters name no resources".to_owned()))?;
        let resources =
            list(resources).ok_or_else(|| Unknown("its resources are not a list".to_owned()))?;
        if resources.is_empty() {
            return Err(Unknown("its parameters name no resources".to_owned()));
        }
        let mut ids = Vec::new();
        for resource in resources {
            let id = member(resource.as_object(), "resourceId")
                .and_then(scalar)
                .ok_or_else(|| Unknown("a resource of it has no id".to_owned()))?;
            if id.starts_with("sg-") {
                ids.push(group(&Value::String(id))?);
            }
        }
        Ok(tagged(unique(ids)))
    }

    fn new_vpc(&self) -> Result<VpcId, Unknown> {
        let new = member(self.response, "vpc").and_then(Value::as_object);
        vpc(member(new, "vpcId"))
    }

    /// The rules that the response lists: those that were added, or those that were revoked.
    pub(super) fn answered_rules(&self) -> impl Iterator<Item = &'a Value> {
        let response = self.response;
        ["securityGroupRuleSet", "revokedSecurityGroupRuleSet"]
            .into_iter()
            .filter_map(move |set| member(response, set).and_then(list))
            .flatten()
    }
}

/// What is in a wrapper, where there is one. An empty wrapper (the new serialiser writes `""`) holds nothing, but what
/// stands beside it counts.
fn unwrapped<'a>(part: &'a Map<String, Value>, wrapper: &str) -> Option<&'a Map<String, Value>> {
    let inner = part
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(wrapper))
        .map(|(_, inner)| inner);
    match inner {
        None => Some(part),
        Some(inner) if is_empty(inner) && part.len() > 1 => Some(part),
        Some(inner) => inner.as_object().filter(|inner| !inner.is_empty()),
    }
}

fn group(id: &Value) -> Result<GroupId, Unknown> {
    id.as_str()
        .and_then(group_id)
        .ok_or_else(|| Unknown(format!("{} is not a group id", quote(id))))
}

fn vpc(id: Option<&Value>) -> Result<VpcId, Unknown> {
    let id = id.ok_or_else(|| Unknown("it names no VPC".to_owned()))?;
    id.as_str()
        .and_then(vpc_id)
        .ok_or_else(|| Unknown(format!("{} is not a VPC id", quote(id))))
}
