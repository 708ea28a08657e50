//! Any bytes as an event: they are read without a panic, targets, accounts and Regions have the form of one, every message
//! either does something or says why not, and what is shown deceives nobody.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sg_trust::event::{Action, Target, Trigger, read};
use sg_trust::model::{AccountId, Region};
use sg_trust::report::json;
use sg_trust::report::targets::Invocation;
use sg_trust::text::characters;

fuzz_target!(|bytes: &[u8]| {
    let Ok(event) = serde_json::from_slice(bytes) else {
        return;
    };
    let batch = read(&event);
    for message in &batch.messages {
        match &message.trigger {
            Ok(trigger) => check(trigger),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    let shown = json::to_pretty(&Invocation::from(&batch)).unwrap();
    assert!(shown.lines().flat_map(characters).all(|(_, deceives)| !deceives));
});

fn check(trigger: &Trigger) {
    assert!(trigger.account.as_ref().is_none_or(AccountId::is_well_formed));
    assert!(trigger.region.as_ref().is_none_or(Region::is_well_formed));
    match &trigger.action {
        Action::Evaluate(targets) => {
            assert!(!targets.is_empty());
            targets.iter().for_each(check_target);
        }
        Action::SweepAll => {}
        Action::Ignore(reason) => assert!(!reason.is_empty()),
        Action::Sweep(reason) => assert!(reason.as_ref().is_none_or(|reason| !reason.is_empty())),
    }
}

fn check_target(target: &Target) {
    let (id, form) = match target {
        Target::GroupId(id) | Target::Referencing(id) => (id.as_str(), "sg-"),
        Target::DefaultGroupOf(vpc) | Target::GroupsOfVpc(vpc) => (vpc.as_str(), "vpc-"),
        Target::GroupName(name) => return assert!(!name.is_empty()),
    };
    assert!(
        id.starts_with(form) && id.len() <= 64 && id.is_ascii(),
        "{id}"
    );
}
