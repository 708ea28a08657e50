//! Any bytes as a file of security groups: evaluated and shown without a panic, and the reading `effective` fails all that
//! `reference` fails.
#![no_main]

use anstream::adapter::strip_str;
use jiff::civil::Date;
use libfuzzer_sys::fuzz_target;
use sg_trust::policy::{ReferencedGroups, Settings, Reading, Status};
use sg_trust::policy::reach::Grants;
use sg_trust::report::{json, table};
use sg_trust::input::GroupReader;
use sg_trust::text::characters;

fuzz_target!(|bytes: &[u8]| {
    let effective = Settings::default();
    let reference = Settings {
        reading: Reading::Reference,
        ..Settings::default()
    };
    let is_safe =
        |text: &str| text.lines().flat_map(characters).all(|(_, deceives)| !deceives);
    for group in GroupReader::new("input", bytes).take(1000) {
        let Ok(group) = group else {
            continue;
        };
        let verdict = sg_trust::policy::evaluate(&effective, &group, &ReferencedGroups::default(), Date::MIN);
        let published = sg_trust::policy::evaluate(&reference, &group, &ReferencedGroups::default(), Date::MIN);
        assert!(published.status != Status::Failed || verdict.status == Status::Failed);
        // Colours are the table's own; where there is no terminal they are taken out.
        assert!(is_safe(
            &strip_str(&table::group(&group, &verdict, None)).to_string()
        ));
        assert!(is_safe(
            &json::to_line(&json::Group::new(&group, &verdict, None)).unwrap()
        ));
        for reach in Grants::of(&group).by_source() {
            for union in reach.unions(&effective) {
                let revoked = union.revoked(&effective);
                assert!(revoked.len() <= union.grants.len());
            }
        }
    }
});
