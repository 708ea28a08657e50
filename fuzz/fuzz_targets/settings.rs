//! Any text as a settings file: what is accepted is shown as a settings file that means the same, and what is not is an
//! error on one line that says where.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sg_trust::policy::Settings;

fuzz_target!(|text: &str| {
    match sg_trust::config::read("policy.toml", text) {
        Ok(policy) => {
            let shown = sg_trust::config::to_toml(&policy).expect("settings are TOML");
            let again = sg_trust::config::read("policy.toml", &shown);
            assert_eq!(again.as_ref().ok(), Some(&policy), "{shown}: {again:?}");
        }
        Err(error) => assert!(error.to_string().starts_with("policy.toml:")),
    }
});
