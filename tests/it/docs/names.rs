//! Names that users script against, and that the code alone defines: variables, metrics, product fields, JSON keys,
//! parameters, alarms, calls.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::{assert_same, page, root, text_of};
use crate::cli::run;

/// The texts in quotes of a Rust file's code, without its comments and its tests.
fn literals(path: &str) -> Vec<String> {
    let text = text_of(path);
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    code.lines()
        .map(|line| line.split("//").next().unwrap())
        .flat_map(|line| {
            let parts = line.split('"').skip(1).step_by(2);
            parts.map(str::to_owned).collect::<Vec<_>>()
        })
        .collect()
}

/// The Rust files in a folder, and in those below it.
fn sources(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let path: &Path = path.strip_prefix(root()).unwrap();
                found.push(path.to_string_lossy().into_owned());
            }
        }
    }
    assert!(!found.is_empty(), "{folder}");
    found
}

/// Code in the first column of all tables of a page whose header begins with a word.
fn documented(path: &str, first: &str) -> BTreeSet<String> {
    let page = page(path);
    let tables = page.tables.iter().filter(|table| table.is_of(first));
    tables.flat_map(|table| table.names().cloned()).collect()
}

#[test]
fn every_variable_of_the_environment_is_documented() {
    let read: BTreeSet<_> = sources("src")
        .iter()
        .flat_map(|path| literals(path))
        .filter(|literal| literal.starts_with("SG_TRUST_"))
        .collect();
    assert!(read.len() >= 4, "{read:?}");
    let documented = documented("docs/settings.md", "variable");
    let own = documented
        .into_iter()
        .filter(|name| name.starts_with("SG_TRUST_"))
        .collect();
    assert_same("docs/settings.md, variables", &read, &own);
}

#[test]
fn every_metric_is_documented() {
    /// Words of the format, and units.
    const FORMAT: [&str; 10] = [
        "Count",
        "Milliseconds",
        "Name",
        "Unit",
        "Timestamp",
        "CloudWatchMetrics",
        "Namespace",
        "Dimensions",
        "Metrics",
        "FunctionName",
    ];
    let is_name = |literal: &String| {
        literal.starts_with(|first: char| first.is_ascii_uppercase())
            && literal.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && !FORMAT.contains(&literal.as_str())
    };
    let written: BTreeSet<_> = literals("src/lambda/metrics.rs")
        .into_iter()
        .filter(is_name)
        .collect();
    assert!(written.len() > 10, "{written:?}");
    assert_same(
        "docs/operate.md, metrics",
        &written,
        &documented("docs/operate.md", "metric"),
    );
}

/// `sg-trust/violation/N` of `sg-trust/violation/1`.
fn numbered(field: &str) -> String {
    let parts = field.split('/').map(|part| {
        let is_number = part.bytes().all(|byte| byte.is_ascii_digit()) || part.starts_with('{');
        if is_number { "N" } else { part }
    });
    parts.collect::<Vec<_>>().join("/")
}

fn documented_fields() -> BTreeSet<String> {
    documented("docs/findings.md", "product field")
}

#[test]
fn every_product_field_is_documented() {
    /// Values of fields, and words for sources without an id.
    const VALUES: [&str; 3] = ["event", "sweep", "unknown"];
    let is_field = |literal: &String| {
        let mut parts = literal.split('/');
        let is_word = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
        };
        parts.next().is_some_and(is_word)
            && parts.all(|part| part.starts_with('{') && part.ends_with('}'))
            && !VALUES.contains(&literal.as_str())
    };
    let fields = literals("src/report/asff/fields.rs");
    let of_fields = fields
        .into_iter()
        .filter(is_field)
        .map(|field| format!("sg-trust/{field}"));
    let of_asff = sources("src/report")
        .into_iter()
        .flat_map(|path| {
            let text = text_of(&path);
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
            let named = code.split("field(\"").skip(1);
            let named = named.map(|rest| format!("sg-trust/{}", rest.split('"').next().unwrap()));
            named.collect::<Vec<_>>()
        })
        .chain(sources("src").into_iter().flat_map(|path| literals(&path)))
        .filter(|literal| literal.starts_with("sg-trust/") && !literal.contains(' '));
    let written: BTreeSet<_> = of_fields
        .chain(of_asff)
        .map(|field| numbered(&field))
        .collect();
    assert!(written.len() > 20, "{written:?}");
    assert_same(
        "docs/findings.md, product fields",
        &written,
        &documented_fields(),
    );
}

#[test]
fn every_product_field_of_a_finding_is_documented() {
    let documented = documented_fields();
    for event in [
        "authorize-ingress.json",
        "delete-security-group.json",
        "schedule.json",
    ] {
        let event = format!("events/{event}");
        let arguments = [
            "replay",
            &event,
            "--groups",
            "events/account.json",
            "--format",
            "asff",
        ];
        let findings = run(&arguments, "");
        let findings: Value = serde_json::from_str(&findings.out).unwrap();
        let findings = findings.as_array().unwrap();
        assert!(!findings.is_empty(), "{event}");
        for finding in findings {
            for field in finding["ProductFields"].as_object().unwrap().keys() {
                assert!(documented.contains(&numbered(field)), "{event}: {field}");
            }
        }
    }
}

/// The paths of the keys in a value, such as `groups[].group_id`.
fn paths(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                found.insert(path.clone());
                paths(value, &path, found);
            }
        }
        Value::Array(items) => {
            for item in items {
                paths(item, &format!("{path}[]"), found);
            }
        }
        _ => {}
    }
}

/// The keys in the tables below a heading, and in those below the headings that are themselves paths: `groups[]`.
fn documented_keys(heading: &str) -> BTreeSet<String> {
    let usage = page("docs/usage.md");
    let mut keys: BTreeSet<_> = usage
        .tables_of(heading, "key")
        .flat_map(|table| table.names().cloned())
        .collect();
    for table in usage.tables.iter().filter(|table| table.is_of("key")) {
        let path = &table.heading;
        let first = path.split(['[', '.']).next().unwrap_or_default();
        if path != heading && keys.contains(first) {
            keys.extend(table.names().map(|key| format!("{path}.{key}")));
        }
    }
    keys
}

#[test]
fn every_key_of_the_json_is_documented() {
    let check = run(&["check", "events/account.json", "--format", "json"], "");
    let mut written = BTreeSet::new();
    paths(&serde_json::from_str(&check.out).unwrap(), "", &mut written);
    assert!(written.len() > 20, "{written:?}");
    assert_same(
        "docs/usage.md, JSON",
        &written,
        &documented_keys("JSON, version 1"),
    );
}

/// Keys that a page documents below a heading, and below the headings that are paths.
fn keys_of(path: &str, heading: &str, paths: &[&str]) -> BTreeSet<String> {
    let page = page(path);
    let below = |heading: &str| -> Vec<String> {
        let tables = page.tables_of(heading, "key");
        tables.flat_map(|table| table.names().cloned()).collect()
    };
    let of_paths = paths.iter().flat_map(|path| {
        let keys = below(path).into_iter();
        keys.map(|key| format!("{path}.{key}")).collect::<Vec<_>>()
    });
    below(heading).into_iter().chain(of_paths).collect()
}

#[test]
fn every_key_of_graph_and_reach_is_documented() {
    let policy = ["--policy", "events/organisation/policy.toml"];
    let written = |arguments: &[&str]| {
        let mut all = vec![arguments[0], "events/organisation", "--format", "json"];
        all.extend(policy);
        all.extend(&arguments[1..]);
        let mut written = BTreeSet::new();
        paths(
            &serde_json::from_str(&run(&all, "").out).unwrap(),
            "",
            &mut written,
        );
        written
    };
    assert_same(
        "docs/graph.md, JSON of graph",
        &written(&["graph"]),
        &keys_of(
            "docs/graph.md",
            "JSON of graph, version 1",
            &[
                "groups[]",
                "edges[]",
                "revoke_first[]",
                "unseen[]",
                "cannot_tell[]",
            ],
        ),
    );
    let path = &[
        "reach",
        "--from",
        "internet",
        "--to",
        "payments-db",
        "--trust",
        "open",
        "--cut",
    ];
    let mut reach = written(path);
    reach.extend(written(&["reach", "--to", "payments-db"]));
    assert_same(
        "docs/graph.md, JSON of reach",
        &reach,
        &keys_of(
            "docs/graph.md",
            "JSON of reach, version 1",
            &["path[]", "cut[]", "chokes[]", "unseen_sources[]"],
        ),
    );
}

#[test]
fn every_key_of_plan_is_documented() {
    let mut written = BTreeSet::new();
    let mut note = |arguments: &[&str]| {
        let all = [&["plan", "--format", "json"], arguments].concat();
        paths(
            &serde_json::from_str(&run(&all, "").out).unwrap(),
            "",
            &mut written,
        );
    };
    note(&["tests/data/plans/unknown-ports/plan.json"]);
    note(&[
        "tests/data/plans/reach/plan.json",
        "--groups",
        "tests/data/plans/reach/groups.json",
    ]);
    assert_same(
        "docs/plan.md, JSON",
        &written,
        &keys_of(
            "docs/plan.md",
            "JSON, version 1",
            &[
                "groups[]",
                "groups[].violations[]",
                "groups[].violations[].source",
                "groups[].unknown[]",
                "reach[]",
                "not_read[]",
                "summary",
            ],
        ),
    );
}

#[test]
fn every_key_of_targets_is_documented() {
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("policy.toml");
    std::fs::write(
        &settings,
        "[sensitivity]\ntag = \"a\"\nlevels = [\"b\"]\ndefault = \"b\"\n",
    )
    .unwrap();
    let mut written = BTreeSet::new();
    for event in std::fs::read_dir(root().join("events")).unwrap() {
        let event = event.unwrap().path();
        if event.is_dir() {
            continue;
        }
        let arguments = [
            "--policy",
            settings.to_str().unwrap(),
            "targets",
            event.to_str().unwrap(),
        ];
        let targets = run(&arguments, "");
        if let Ok(targets) = serde_json::from_str(&targets.out) {
            paths(&targets, "", &mut written);
        }
    }
    assert!(written.len() > 10, "{written:?}");
    // A message of a batch has the same keys.
    let written = written
        .into_iter()
        .map(|path| {
            path.strip_prefix("messages[].")
                .map_or(path.clone(), str::to_owned)
        })
        .collect();
    assert_same(
        "docs/usage.md, targets",
        &written,
        &documented_keys("targets"),
    );
}

/// The names at the second level of a section of a template.
fn named(template: &str, section: &str) -> BTreeSet<String> {
    let mut lines = template.lines().skip_while(|line| *line != section);
    lines.next();
    lines
        .take_while(|line| line.is_empty() || line.starts_with([' ', '#']))
        .filter_map(|line| line.strip_prefix("  ")?.strip_suffix(':'))
        .filter(|name| !name.starts_with([' ', '#']))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_parameter_of_the_template_is_documented() {
    let template = text_of("infra/template.yaml");
    let parameters = named(&template, "Parameters:");
    assert!(parameters.len() > 20, "{parameters:?}");
    assert_same(
        "docs/deploy.md, parameters",
        &parameters,
        &documented("docs/deploy.md", "parameter"),
    );
}

#[test]
fn every_parameter_of_the_stack_set_is_documented() {
    let parameters = named(&text_of("infra/stackset.yaml"), "Parameters:");
    assert!(parameters.len() > 10, "{parameters:?}");
    let own: BTreeSet<_> = parameters
        .difference(&documented("docs/deploy.md", "parameter"))
        .cloned()
        .collect();
    let documented = documented("docs/organisation.md", "parameter");
    let missing: Vec<_> = own.difference(&documented).collect();
    let unknown: Vec<_> = documented.difference(&parameters).collect();
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "not documented: {missing:?}; unknown: {unknown:?}"
    );
}

#[test]
fn every_alarm_is_documented() {
    let template = text_of("infra/template.yaml");
    let mut alarms = BTreeSet::new();
    let mut resource = "";
    for line in template.lines() {
        if let Some(name) = line
            .strip_prefix("  ")
            .and_then(|line| line.strip_suffix(':'))
        {
            resource = name;
        }
        if line == "    Type: AWS::CloudWatch::Alarm" {
            alarms.insert(resource.to_owned());
        }
    }
    assert!(alarms.len() > 10, "{alarms:?}");
    assert_same(
        "docs/operate.md, alarms",
        &alarms,
        &documented("docs/operate.md", "alarm"),
    );
}

#[test]
fn every_call_that_reaches_the_function_is_documented() {
    let pattern: Value = serde_json::from_str(&text_of("infra/event-pattern.json")).unwrap();
    let names: BTreeSet<_> = pattern["detail"]["$or"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|one| one["eventName"].as_array().unwrap())
        .map(|name| name.as_str().unwrap().to_owned())
        .collect();
    assert!(names.len() > 10, "{names:?}");
    assert_same(
        "docs/events.md, calls",
        &names,
        &documented("docs/events.md", "call"),
    );
}

#[test]
fn every_option_of_the_deployment_script_is_documented() {
    let script = text_of("infra/deploy.sh");
    let (_, usage) = script.split_once("cat <<'END'\n").unwrap();
    let (usage, _) = usage.split_once("\nEND\n").unwrap();
    let options: BTreeSet<_> = usage
        .lines()
        .filter_map(|line| line.strip_prefix("  --")?.split_whitespace().next())
        .map(|name| format!("--{name}"))
        .collect();
    assert!(options.len() > 5, "{options:?}");
    let documented = documented("docs/deploy.md", "option")
        .iter()
        .map(|option| option.split(' ').next().unwrap().to_owned())
        .collect();
    assert_same("docs/deploy.md, options", &options, &documented);
}

#[test]
fn names_are_read_from_code_and_templates() {
    assert_eq!(
        numbered("sg-trust/fix/{violation}/{part}"),
        "sg-trust/fix/N/N"
    );
    assert_eq!(numbered("sg-trust/fix/3/2"), "sg-trust/fix/N/N");
    let template = "A:\n  X:\n    Y: 1\n\n# c\n  Z:\nB:\n  W:\n";
    assert_eq!(named(template, "A:"), ["X", "Z"].map(str::to_owned).into());
    let mut found = BTreeSet::new();
    paths(
        &serde_json::json!({"a": [{"b": 1}], "c": null}),
        "",
        &mut found,
    );
    assert_eq!(found, ["a", "a[].b", "c"].map(str::to_owned).into());
}
