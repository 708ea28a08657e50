//! Any bytes as an event: read without a panic, its targets have the form of ids, and what is shown deceives nobody.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sg_trust::report::json;
use sg_trust::report::targets::Invocation;
use sg_trust::text::is_deceptive;
use sg_trust::event::{Action, Target, read};

fuzz_target!(|bytes: &[u8]| {
    let Ok(event) = serde_json::from_slice(bytes) else {
        return;
    };
    let batch = read(&event);
    for message in &batch.messages {
        let Ok(trigger) = &message.trigger else {
            continue;
        };
        let Action::Evaluate(targets) = &trigger.action else {
            continue;
        };
        assert!(!targets.is_empty());
        for target in targets {
            let (id, form) = match target {
                Target::GroupId(id) | Target::Referencing(id) => (id.as_str(), "sg-"),
                Target::DefaultGroupOf(vpc) | Target::GroupsOfVpc(vpc) => (vpc.as_str(), "vpc-"),
                Target::GroupName(_) => continue,
            };
            assert!(
                id.starts_with(form) && id.len() <= 64 && id.is_ascii(),
                "{id}"
            );
        }
    }
    let shown = json::to_pretty(&Invocation::from(&batch)).unwrap();
    assert!(!shown.contains(|character| character != '\n' && is_deceptive(character)));
});
