//! Terraform's and OpenTofu's plans, as `terraform show -json` prints them.
//!
//! | module | has |
//! |---|---|
//! | `document` | the plan's JSON |
//! | `world` | its resources and its configuration, indexed |
//! | `reference`, `resolve` | which groups an expression names |
//! | `values` | the values of a resource, known and unknown |
//! | `groups`, `inline`, `rules`, `reader` | groups with inline rules, rules of their own |
//! | `unite` | both put together |
//! | `sources` | positions, and what plans leave out, from the `.tf` files |

mod advice;
mod document;
mod groups;
mod inline;
mod reader;
mod reference;
mod resolve;
mod rules;
mod sources;
mod unite;
mod values;
mod world;

use std::collections::HashMap;

pub use sources::Sources;

use self::document::Document;
use self::reader::{Actions, DEFAULT_GROUP, GROUP, Reader, VPC};
use self::rules::{INGRESS_RULE, RULE};
use self::world::{Planned, World};
use super::InputError;
use crate::model::AccountId;
use crate::model::planned::{Deployment, DeploymentKind, NotRead, Unknown};

/// The only major version of the format that is known.
const MAJOR: &str = "1";

/// Resources that make security groups of their own, and what these are.
const MAKERS: [(&str, &str); 12] = [
    (
        "aws_cloud9_environment_ec2",
        "Cloud9 makes a security group for the environment",
    ),
    (
        "aws_cloudformation_stack",
        "the stack's own resources are not in the plan",
    ),
    (
        "aws_cloudformation_stack_set",
        "the stacks' own resources are not in the plan",
    ),
    (
        "aws_default_vpc",
        "a default VPC has a default security group that the plan does not show",
    ),
    (
        "aws_directory_service_directory",
        "the directory makes a security group for its controllers",
    ),
    (
        "aws_eks_cluster",
        "EKS makes a security group for the cluster and its nodes",
    ),
    (
        "aws_elastic_beanstalk_environment",
        "Elastic Beanstalk makes security groups for the environment",
    ),
    (
        "aws_emr_cluster",
        "EMR makes security groups that admit each other, unless they are given",
    ),
    (
        "aws_opsworks_stack",
        "OpsWorks makes security groups for its layers",
    ),
    (
        "aws_sagemaker_domain",
        "SageMaker makes security groups for the domain's file system",
    ),
    (
        "aws_serverlessapplicationrepository_cloudformation_stack",
        "the stack's own resources are not in the plan",
    ),
    (
        "aws_workspaces_directory",
        "WorkSpaces makes security groups for the directory",
    ),
];

/// Reads a plan. `sources` are the `.tf` files that it was made of.
///
/// # Errors
/// When it is no plan of a known format, was made with errors, or has values of a group that cannot be read: a group
/// that was misread could pass.
pub fn read_plan(
    file: &str,
    text: &str,
    sources: Option<&Sources>,
) -> Result<Deployment, InputError> {
    let error = |problem: String| InputError::of_file(file, problem);
    let mut reader = serde_json::Deserializer::from_str(text);
    let document: Document<'_> =
        serde_path_to_error::deserialize(&mut reader).map_err(|problem| {
            error(format!(
                "this is no plan as `terraform show -json` prints it: {problem}"
            ))
        })?;
    reader
        .end()
        .map_err(|problem| error(format!("something follows the plan: {problem}")))?;
    check(&document).map_err(error)?;
    let changes = document.resource_changes.iter().flatten();
    let deferred = document.deferred_changes.iter().flatten();
    let world = World::new(
        file,
        changes
            .map(|change| (change, false))
            .chain(deferred.map(|deferred| (&deferred.resource_change, true))),
        document.configuration.as_ref(),
        document.variables.as_ref(),
    )?;
    let mut deployment = read_world(&world, sources)?;
    if document.complete == Some(false) {
        let unknown = Unknown {
            attribute: "the plan".to_owned(),
            expression: None,
            advice: "the plan leaves changes out (-target, -exclude, or changes that are put off): plan again without these options, or after this plan is applied".to_owned(),
        };
        unite::leave_open(&mut deployment.groups, &unknown);
        deployment
            .notes
            .push("the plan is not complete: what it leaves out is not evaluated".to_owned());
    }
    Ok(deployment)
}

fn check(document: &Document<'_>) -> Result<(), String> {
    let Some(version) = &document.format_version else {
        return Err(
            "it has no format_version: give the output of `terraform show -json PLANFILE`"
                .to_owned(),
        );
    };
    if version.split('.').next() != Some(MAJOR) {
        return Err(format!(
            "its format_version is {version}: this version of sg-trust reads {MAJOR}.x"
        ));
    }
    if document.resource_changes.is_none() && document.planned_values.is_none() {
        return Err("it is a state, not a plan: give the output of `terraform show -json PLANFILE` for a file that `terraform plan -out=PLANFILE` wrote".to_owned());
    }
    let lists_none = document.resource_changes.iter().flatten().next().is_none();
    let read = [GROUP, DEFAULT_GROUP, VPC, RULE, INGRESS_RULE];
    let planned = document.planned_values.as_ref();
    if lists_none && planned.is_some_and(|values| values.has_any(&read)) {
        return Err("it has security groups, but no resource_changes to tell their rules: make the plan without -refresh-only and -target".to_owned());
    }
    if document.errored == Some(true) {
        return Err("the plan was made with errors, so it does not say what would happen: correct them and plan again".to_owned());
    }
    Ok(())
}

fn read_world<'p>(
    world: &'p World<'p>,
    sources: Option<&Sources>,
) -> Result<Deployment, InputError> {
    let mut reader = Reader {
        world,
        sources,
        accounts: accounts(world),
        default_groups: HashMap::new(),
    };
    reader.default_groups = of_type(world, DEFAULT_GROUP)
        .filter_map(|group| Some((reader.vpc_of(group)?, group.address.to_owned())))
        .collect();
    let mut groups = Vec::new();
    for resource in &world.resources {
        match resource.resource_type {
            GROUP | DEFAULT_GROUP => groups.push(reader.group(resource)?),
            VPC => {
                let group = reader.default_group(resource)?;
                groups.extend(group.map(|group| groups::ReadGroup {
                    group,
                    is_inline: true,
                }));
            }
            _ => {}
        }
    }
    let mut rules = Vec::new();
    for resource in of_type(world, RULE).chain(of_type(world, INGRESS_RULE)) {
        rules.push(reader.rule(resource)?);
    }
    let mut not_read = Vec::new();
    for resource in &world.resources {
        if let Some(why) = why_not_read(resource.resource_type)
            && reader.actions(resource)? != Actions::Delete
        {
            not_read.push(NotRead {
                address: resource.address.to_owned(),
                resource_type: resource.resource_type.to_owned(),
                why: why.to_owned(),
            });
        }
    }
    not_read.sort();
    Ok(Deployment {
        kind: DeploymentKind::Terraform,
        groups: unite::unite(groups, rules),
        not_read,
        notes: Vec::new(),
    })
}

fn of_type<'p>(world: &'p World<'p>, resource_type: &str) -> impl Iterator<Item = &'p Planned<'p>> {
    world
        .resources
        .iter()
        .filter(move |resource| resource.resource_type == resource_type)
}

fn why_not_read(resource_type: &str) -> Option<&'static str> {
    if resource_type.starts_with("awscc_") {
        return Some("resources of the provider awscc are not read");
    }
    let known = MAKERS.iter().find(|(maker, _)| *maker == resource_type);
    known.map(|(_, why)| *why)
}

/// The accounts of the providers, as the groups and VPCs that exist tell them.
fn accounts<'p>(world: &'p World<'p>) -> HashMap<&'p str, AccountId> {
    let told = |resource: &'p Planned<'p>| {
        let owner = resource.change.before.get("owner_id")?.as_str()?;
        let provider = resource.configuration?.provider_config_key.as_str();
        (!owner.is_empty()).then(|| (provider, AccountId::new(owner)))
    };
    let has_owner =
        |resource: &&Planned<'_>| matches!(resource.resource_type, GROUP | DEFAULT_GROUP | VPC);
    world
        .resources
        .iter()
        .filter(has_owner)
        .filter_map(told)
        .collect()
}
