//! Any text as a settings file: what is accepted is shown as a settings file that means the same, and what is not is an
//! error on one line that says where.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sg_trust::config::{self, SettingsFile};

fuzz_target!(|text: &str| {
    match config::read("policy.toml", text) {
        Ok(SettingsFile { settings, refused }) => {
            let shown = config::to_toml(&settings).expect("settings are TOML");
            let again = config::read("policy.toml", &shown);
            let whole = SettingsFile { settings, refused: Vec::new() };
            assert_eq!(again.as_ref().ok(), Some(&whole), "{shown}: {again:?}");
            for reason in refused.iter().flat_map(|exemption| &exemption.reasons) {
                assert_place(&reason.to_string());
            }
        }
        Err(error) => assert_place(&error.to_string()),
    }
});

/// One line, with the number of a line of the file.
fn assert_place(error: &str) {
    let line = error.strip_prefix("policy.toml:").and_then(|rest| rest.split_once(':'));
    assert!(line.is_some_and(|(line, _)| line.parse::<usize>().is_ok()), "{error}");
    assert!(!error.contains('\n'), "{error}");
}
