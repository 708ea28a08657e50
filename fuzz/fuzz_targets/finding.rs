//! Any group of an account makes a finding that Security Hub takes: whoever may name or tag a group cannot hide it.
#![no_main]

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use libfuzzer_sys::fuzz_target;
use sg_trust::finding::{Context, Finding, Passed};
use sg_trust::model::Scope;
use sg_trust::model::{AccountId, GroupId, Partition, Region};
use sg_trust::policy::{ReferencedGroups, Settings};
use sg_trust::report::asff;
use sg_trust::input::GroupReader;

fuzz_target!(|bytes: &[u8]| {
    let policy = Settings::default();
    let account = AccountId::new("111111111111");
    let context = Arc::new(Context {
        scope: Scope {
            partition: Partition::new("aws"),
            region: Region::new("eu-west-1"),
            account: account.clone(),
        },
        passed: Passed::Archive,
        related_requirements: policy.related_requirements.clone(),
    });
    for mut group in GroupReader::new("input", bytes).flatten().take(100) {
        // These two are EC2's, and nobody else's, to choose.
        group.group_id = GroupId::new("sg-0123456789abcdef0");
        group.owner_id = Some(account.clone());
        group.security_group_arn = None;
        let verdict = sg_trust::policy::evaluate(&policy, &group, &ReferencedGroups::default(), Date::MIN);
        let finding = Finding::evaluated(&context, Timestamp::UNIX_EPOCH, group, verdict);
        let rendered = asff::render(&finding).unwrap_or_else(|unfit| panic!("{unfit}"));
        assert!(serde_json::to_vec(&rendered).is_ok_and(|json| json.len() <= 200_000));
    }
});
