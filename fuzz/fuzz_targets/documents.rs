//! Any bytes as a file of security groups: read the same in portions and on several cores, evaluated and shown without a
//! panic, and the reading `effective` fails all that `reference` fails.
#![no_main]

use std::convert::Infallible;
use std::io::BufReader;

use anstream::adapter::strip_str;
use jiff::civil::Date;
use libfuzzer_sys::fuzz_target;
use sg_trust::input::GroupReader;
use sg_trust::policy::reach::Grants;
use sg_trust::policy::{Reading, ReferencedGroups, Settings, Status, evaluate};
use sg_trust::report::{json, table};
use sg_trust::text::characters;

fuzz_target!(|bytes: &[u8]| {
    let whole: Vec<_> = GroupReader::new("input", bytes).collect();
    let in_portions: Vec<_> = GroupReader::new("input", BufReader::with_capacity(7, bytes)).collect();
    assert_eq!(whole, in_portions);
    let mut on_cores = Vec::new();
    let take = |_, group| {
        on_cores.push(group);
        Ok::<_, Infallible>(())
    };
    assert!(GroupReader::new("input", bytes).for_each(|group| group, take).is_ok());
    assert_eq!(whole, on_cores);

    let effective = Settings::default();
    let reference = Settings {
        reading: Reading::Reference,
        ..Settings::default()
    };
    let is_safe = |text: &str| {
        let mut characters = characters(text);
        characters.all(|(character, deceives)| character == '\n' || !deceives)
    };
    for group in whole.into_iter().flatten().take(1000) {
        let verdict = |settings| evaluate(settings, &group, &ReferencedGroups::default(), Date::MIN);
        let (published, verdict) = (verdict(&reference), verdict(&effective));
        assert!(published.status != Status::Failed || verdict.status == Status::Failed);
        // Colours are the table's own; where there is no terminal they are taken out.
        let table = table::group(&group, &verdict, None);
        assert!(is_safe(&strip_str(&table).to_string()));
        let json = json::to_line(&json::Group::new(&group, &verdict, None));
        assert!(json.is_ok_and(|json| is_safe(&json)));
        for reach in Grants::of(&group).by_source() {
            for union in reach.unions(&effective) {
                let revoked = union.revoked(&effective);
                assert!(revoked.len() <= union.grants.len());
            }
        }
    }
});
