//! Plans for the groups of a file.

use std::collections::BTreeSet;

use anyhow::{bail, ensure};
use jiff::Timestamp;
use sg_trust::input::{Snapshot, interfaces_beside_groups};
use sg_trust::model::{AccountId, NetworkInterface, Region};
use sg_trust::policy::{ReferencedGroups, Settings, day_of};
use sg_trust::remediation::carriers::Carriers;
use sg_trust::remediation::plan::{Plan, Planner};
use sg_trust::remediation::rule::GroupRules;

use super::{Arguments, choose, without_passed};
use crate::input;
use crate::region::{place_of, region_of_environment};

/// The plan for groups of a file, and who carries groups, if the file tells that.
pub(super) fn plan(
    arguments: &Arguments,
    policy: &Settings,
    file: &str,
) -> anyhow::Result<(Plan, Option<Carriers>)> {
    let request = arguments.request()?;
    let (name, snapshot, interfaces) = read(file)?;
    let chosen = choose(snapshot.groups(), &arguments.groups, name)?;
    let mut referenced = ReferencedGroups::default();
    for group in snapshot.groups() {
        referenced.add(policy, group);
    }
    let planner = Planner {
        settings: policy,
        referenced: &referenced,
        today: day_of(Timestamp::now()),
        account: None,
        region: None,
        request: &request,
    };
    let targets: Vec<_> = chosen
        .into_iter()
        .map(|group| GroupRules::described(group.clone()).with_names_of(snapshot.groups()))
        .collect();
    let plan = planner.plan(&targets)?;
    let plan = without_passed(plan, arguments.all_failed);
    let account = one_account(&plan)?;
    let region = one_region(&plan, arguments.region.as_ref())?;
    let plan = Plan {
        account,
        region,
        ..plan
    };
    let carriers = (!interfaces.is_empty()).then(|| interfaces.iter().collect());
    Ok((plan, carriers))
}

/// The groups of a file or directory, and the network interfaces beside them.
fn read(file: &str) -> anyhow::Result<(&str, Snapshot, Vec<NetworkInterface>)> {
    let mut snapshot = Snapshot::empty(Timestamp::now());
    let mut interfaces = Vec::new();
    for path in input::files(file)? {
        let (name, text) = input::read(&path)?;
        snapshot.add(name, text.as_bytes())?;
        for interface in interfaces_beside_groups(name, &text) {
            interfaces.push(interface?);
        }
    }
    let name = if file == "-" { "standard input" } else { file };
    Ok((name, snapshot, interfaces))
}

/// The account that owns the groups of a plan.
fn one_account(plan: &Plan) -> anyhow::Result<Option<AccountId>> {
    let owners = plan
        .groups
        .iter()
        .filter_map(|group| group.group.owner_id.as_ref());
    let owners: BTreeSet<_> = owners.collect();
    ensure!(
        owners.len() < 2,
        "the groups belong to {} accounts, and a plan is for one: name the groups of one account, or give the files of one",
        owners.len()
    );
    Ok(owners.into_iter().next().cloned())
}

/// The Region of the groups of a plan.
fn one_region(plan: &Plan, given: Option<&Region>) -> anyhow::Result<Option<Region>> {
    let places = plan
        .groups
        .iter()
        .filter_map(|group| place_of(&group.group));
    let regions: BTreeSet<_> = places.map(|(_, region)| region).collect();
    let all: Vec<_> = regions.iter().map(Region::as_str).collect();
    match (all.as_slice(), given) {
        ([], Some(given)) => Ok(Some(given.clone())),
        ([], None) => Ok(region_of_environment().ok().flatten()),
        ([one], Some(given)) if *one != given.as_str() => {
            bail!("the groups' SecurityGroupArn says {one}, and --region says {given}")
        }
        ([_], _) => Ok(regions.into_iter().next()),
        (several, _) => bail!(
            "the groups are in {} Regions ({}), and a plan is for one: name the groups of one Region, or give its file",
            several.len(),
            several.join(", ")
        ),
    }
}
