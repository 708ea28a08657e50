//! `docs/settings.md` has every key of `policy.toml`, with the defaults, and no other; its examples are settings.

use std::collections::BTreeSet;

use sg_trust::config::{self, SettingsFile};
use sg_trust::policy::Settings;

use super::page::Page;
use super::{assert_same, page, pages};

const SETTINGS: &str = "docs/settings.md";

/// Where each table of keys is documented, and settings with a key in it that there cannot be.
const TABLES: [(&str, &str); 6] = [
    ("Keys at the top", "no_such_key = 1"),
    ("Exemptions", "[[exemption]]\nno_such_key = 1"),
    (
        "target",
        "[[exemption]]\nid = \"a\"\nreason = \"long enough\"\nsource = \"any\"\ntarget = { no_such_key = 1 }",
    ),
    (
        "source",
        "[[exemption]]\nid = \"a\"\nreason = \"long enough\"\ntarget = { vpc = \"vpc-0a\" }\nsource = { no_such_key = 1 }",
    ),
    (
        "allow",
        "[[exemption]]\nid = \"a\"\nreason = \"long enough\"\nsource = \"any\"\ntarget = { vpc = \"vpc-0a\" }\nallow = { no_such_key = 1 }",
    ),
    ("Sensitivity", "[sensitivity]\nno_such_key = 1"),
];

/// The keys that a table may have: the error about an unknown one names them all.
fn keys(settings: &str) -> BTreeSet<String> {
    let error = config::read("policy.toml", settings)
        .unwrap_err()
        .to_string();
    let (_, expected) = error
        .split_once("expected ")
        .unwrap_or_else(|| panic!("the error names no keys: {error}"));
    expected
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

fn documented(page: &Page, heading: &str) -> BTreeSet<String> {
    let tables: Vec<_> = page.tables_of(heading, "key").collect();
    assert_eq!(tables.len(), 1, "tables of keys below {heading:?}");
    tables[0]
        .names()
        .map(|name| name.trim_matches(['[', ']']).to_owned())
        .collect()
}

#[test]
fn every_key_of_the_settings_file_is_documented_and_no_other() {
    let page = page(SETTINGS);
    for (heading, settings) in TABLES {
        let keys = keys(settings);
        assert!(keys.len() > 1, "{heading}: {keys:?}");
        assert_same(heading, &keys, &documented(&page, heading));
    }
    let of_keys = page
        .tables
        .iter()
        .filter(|table| table.is_of("key"))
        .map(|table| table.heading.as_str());
    assert_eq!(
        of_keys.collect::<Vec<_>>(),
        TABLES.map(|(heading, _)| heading)
    );
}

#[test]
fn the_documented_defaults_are_the_programs() {
    let page = page(SETTINGS);
    let block = page
        .blocks_of("toml")
        .find(|block| block.heading == "policy.toml")
        .unwrap();
    assert_eq!(
        config::read("docs/settings.md", &block.text),
        Ok(SettingsFile::default())
    );
    let defaults = config::to_toml(&Settings::default()).unwrap();
    let table = page.tables_of("Keys at the top", "key").next().unwrap();
    let mut checked = 0;
    for row in table.body() {
        let key = &row[0].spans[0];
        let default = defaults
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{key} = ")));
        if let Some(default) = default {
            checked += 1;
            assert!(
                row.iter()
                    .any(|cell| cell.spans.iter().any(|span| span == default)),
                "{key}: the default is {default}"
            );
        }
    }
    assert_eq!(checked, defaults.lines().count(), "{defaults}");
}

#[test]
fn every_example_of_settings_in_the_documentation_can_be_read() {
    let mut checked = 0;
    for page in &pages() {
        for block in page.blocks_of("toml") {
            checked += 1;
            match config::read(&page.path, &block.text) {
                Ok(file) => assert_eq!(file.refused, [], "{}", page.path),
                Err(error) => panic!("{}, block at line {}: {error}", page.path, block.line),
            }
        }
    }
    assert!(checked >= 3, "{checked}");
}
