//! `plan` on plans that terraform made: tests/data/plans/make.py says how.
#![expect(clippy::panic, reason = "a test may fail loudly")]

mod hostile;

use serde_json::Value;

use crate::cli::{Run, run};

/// The plan of a case.
fn path(case: &str) -> String {
    format!("tests/data/plans/{case}/plan.json")
}

fn text(case: &str) -> String {
    std::fs::read_to_string(path(case)).unwrap()
}

fn plan(case: &str, arguments: &[&str]) -> Run {
    let path = path(case);
    run(&[&["plan", path.as_str()], arguments].concat(), "")
}

fn json(run: &Run) -> Value {
    serde_json::from_str(&run.out)
        .unwrap_or_else(|error| panic!("{error}: {} {}", run.out, run.err))
}

/// `ADDRESS BEFORE>VERDICT: CHANGE REASON SOURCE; …`, a group a line. `?` marks what may be.
fn told(run: &Run) -> Vec<String> {
    let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let report = json(run);
    let groups = report["groups"].as_array().unwrap().iter();
    groups
        .map(|group| {
            let violations: Vec<_> = group["violations"]
                .as_array()
                .unwrap()
                .iter()
                .map(|violation| {
                    let sure = if violation["certain"] == true {
                        ""
                    } else {
                        "?"
                    };
                    format!(
                        " {}{sure} {} {}",
                        word(&violation["change"]),
                        word(&violation["reason"]),
                        word(&violation["source"]["address"])
                    )
                })
                .collect();
            format!(
                "{} {}>{}:{}",
                word(&group["address"]),
                word(&group["before"]),
                word(&group["verdict"]),
                violations.join(";")
            )
        })
        .collect()
}

#[test]
fn each_case_has_its_verdicts() {
    type Case<'a> = (&'a str, i32, &'a [&'a str]);
    let cases: &[Case<'_>] = &[
        (
            "inline",
            1,
            &[
                "aws_security_group.cache ->PASSED:",
                "aws_security_group.db ->FAILED: new all-traffic aws_security_group.web",
                "aws_security_group.web ->PASSED:",
            ],
        ),
        (
            "no-op",
            0,
            &[
                "aws_security_group.cache PASSED>PASSED:",
                "aws_security_group.db FAILED>FAILED: existing all-traffic aws_security_group.web",
                "aws_security_group.web PASSED>PASSED:",
            ],
        ),
        (
            "update",
            1,
            &[
                "aws_security_group.db PASSED>FAILED: new all-traffic aws_security_group.web",
                "aws_security_group.mended FAILED>PASSED: fixed all-traffic aws_security_group.web",
                "aws_security_group.web PASSED>PASSED:",
                "aws_security_group.wide FAILED>FAILED: widened all-ports aws_security_group.web",
            ],
        ),
        (
            "import",
            0,
            &[
                "aws_security_group.open FAILED>FAILED: existing all-traffic aws_security_group.open",
            ],
        ),
        (
            "destroy",
            0,
            &[
                "aws_security_group.mended FAILED>PASSED: fixed all-traffic aws_security_group.web",
                "aws_security_group.web PASSED>PASSED:",
                "aws_security_group.wide FAILED>PASSED: fixed wide-range aws_security_group.web",
            ],
        ),
        // What is forgotten stays as it is.
        (
            "forget",
            0,
            &[
                "aws_security_group.mended FAILED>FAILED: existing all-traffic aws_security_group.web",
                "aws_security_group.web PASSED>PASSED:",
                "aws_security_group.wide FAILED>FAILED: existing wide-range aws_security_group.web",
            ],
        ),
        // A group that is replaced has another id and the same violation.
        (
            "replace",
            0,
            &[
                "aws_security_group.cache PASSED>PASSED:",
                "aws_security_group.db FAILED>FAILED: existing all-traffic aws_security_group.web",
                "aws_security_group.web PASSED>PASSED:",
            ],
        ),
        (
            "unknown-ports",
            1,
            &[
                "aws_security_group.all ->FAILED: new all-traffic aws_security_group.web",
                "aws_security_group.any ->CANNOT_TELL: new? wide-range aws_security_group.web",
                "aws_security_group.high ->PASSED:",
                "aws_security_group.protocol ->CANNOT_TELL: new? all-traffic aws_security_group.web",
                "aws_security_group.web ->PASSED:",
            ],
        ),
        (
            "unknown-sources",
            1,
            &[
                "aws_security_group.a ->PASSED:",
                "aws_security_group.b ->PASSED:",
                "aws_security_group.halves ->CANNOT_TELL: new? split-ranges aws_security_group.a",
                "aws_security_group.list ->CANNOT_TELL: new? all-traffic -",
                "aws_security_group.someone ->FAILED: new all-traffic -",
            ],
        ),
        (
            "modules",
            1,
            &[
                "aws_security_group.db ->PASSED:",
                "aws_security_group.many[\"a\"] ->FAILED: new all-traffic module.pool[1].aws_security_group.db",
                "aws_security_group.many[\"b\"] ->FAILED: new all-traffic module.pool[1].aws_security_group.db",
                "module.pool[0].aws_security_group.db ->FAILED: new all-ports module.tier[\"blue\"].aws_security_group.db",
                "module.pool[1].aws_security_group.db ->FAILED: new all-ports module.tier[\"blue\"].aws_security_group.db",
                "module.tier[\"blue\"].aws_security_group.db ->FAILED: new all-ports aws_security_group.db",
                "module.tier[\"green\"].aws_security_group.db ->FAILED: new all-ports aws_security_group.db",
            ],
        ),
        (
            "dynamic",
            1,
            &[
                "aws_security_group.known ->FAILED: new all-traffic aws_security_group.web",
                "aws_security_group.ports ->PASSED:",
                "aws_security_group.unknown ->CANNOT_TELL: new? all-traffic aws_security_group.web",
                "aws_security_group.web ->PASSED:",
            ],
        ),
        (
            "default-group",
            1,
            &[
                "aws_default_security_group.managed ->PASSED:",
                "aws_default_security_group.open ->FAILED: new all-traffic aws_default_security_group.open",
                "aws_vpc.bare.default_security_group_id ->FAILED: new all-traffic aws_vpc.bare.default_security_group_id",
            ],
        ),
        (
            "targeted",
            1,
            &[
                "aws_security_group.cache ->CANNOT_TELL: new? all-traffic -",
                "aws_security_group.web ->CANNOT_TELL: new? all-traffic -",
            ],
        ),
    ];
    for (case, code, expected) in cases {
        let run = plan(case, &["--format", "json"]);
        assert_eq!(&told(&run), expected, "{case}");
        assert_eq!(run.code, *code, "{case}: {}", run.err);
    }
}

/// The `.tf` files have them; the plans do not.
#[test]
fn without_the_files_nobody_can_tell_what_dynamic_blocks_admit() {
    let run = run(&["plan", "-", "--format", "json"], &text("dynamic"));
    assert_eq!(
        told(&run),
        [
            "aws_security_group.known ->CANNOT_TELL: new? all-traffic -",
            "aws_security_group.ports ->PASSED:",
            "aws_security_group.unknown ->CANNOT_TELL: new? all-traffic -",
            "aws_security_group.web ->PASSED:",
        ]
    );
}

#[test]
fn the_same_rules_inline_and_as_resources_have_one_verdict() {
    let verdicts = |case: &str| -> Vec<String> { told(&plan(case, &["--format", "json"])) };
    assert_eq!(verdicts("inline"), verdicts("rules-old"));
    assert_eq!(verdicts("inline"), verdicts("rules-new"));
}

#[test]
fn fail_on_says_which_violations_make_the_exit_code_1() {
    for (case, arguments, code) in [
        ("no-op", vec![], 0),
        ("no-op", vec!["--fail-on", "new"], 0),
        ("no-op", vec!["--fail-on", "any"], 1),
        ("inline", vec!["--fail-on", "none"], 0),
        ("unknown-ports", vec!["--fail-on", "none"], 0),
        ("targeted", vec!["--allow-cannot-tell"], 0),
        ("destroy", vec!["--fail-on", "any"], 0),
        ("unknown-ports", vec!["--allow-cannot-tell"], 1),
    ] {
        let run = plan(case, &arguments);
        assert_eq!(run.code, code, "{case} {arguments:?}: {}", run.err);
    }
}

#[test]
fn resources_of_one_name_in_root_and_module_are_found_at_their_own_lines() {
    let report = json(&plan("modules", &["--format", "json"]));
    let at = |address: &str| {
        let groups = report["groups"].as_array().unwrap();
        let group = groups
            .iter()
            .find(|group| group["address"] == address)
            .unwrap();
        format!("{}:{}", group["file"].as_str().unwrap(), group["line"])
    };
    assert_eq!(
        at("aws_security_group.db"),
        "tests/data/plans/modules/main.tf:2"
    );
    assert_eq!(
        at("module.pool[0].aws_security_group.db"),
        "tests/data/plans/modules/tier/main.tf:13"
    );
}

/// Nobody can change the lines of a module from a registry.
#[test]
fn a_remote_module_stands_where_it_is_called() {
    let folder = tempfile::tempdir().unwrap();
    let main = std::fs::read_to_string("tests/data/plans/modules/main.tf").unwrap();
    let main = main.replace("./tier", "example/tier/aws");
    std::fs::write(folder.path().join("main.tf"), main).unwrap();
    let module = folder.path().join(".terraform/modules/tier");
    std::fs::create_dir_all(&module).unwrap();
    std::fs::copy(
        "tests/data/plans/modules/tier/main.tf",
        module.join("main.tf"),
    )
    .unwrap();
    std::fs::write(
        folder.path().join(".terraform/modules/modules.json"),
        r#"{"Modules":[{"Key":"","Source":"","Dir":"."},{"Key":"tier","Source":"registry.terraform.io/example/tier/aws","Dir":".terraform/modules/tier"},{"Key":"pool","Source":"registry.terraform.io/example/tier/aws","Dir":".terraform/modules/tier"}]}"#,
    )
    .unwrap();
    let source = folder.path().to_str().unwrap();
    let run = plan("modules", &["--format", "json", "--source", source]);
    // What local values of the module are is read all the same.
    assert_eq!(told(&run), told(&plan("modules", &["--format", "json"])));
    let report = json(&run);
    let blue = &report["groups"][5];
    assert_eq!(
        blue["address"],
        "module.tier[\"blue\"].aws_security_group.db"
    );
    assert_eq!(blue["line"], 6);
    assert!(blue["file"].as_str().unwrap().ends_with("/main.tf"));
    assert!(!blue["file"].as_str().unwrap().contains(".terraform"));
}

#[test]
fn what_the_plan_marks_as_sensitive_is_not_shown() {
    for format in ["table", "json"] {
        let run = plan("sensitive", &["--format", format]);
        assert_eq!(run.code, 1);
        for secret in ["hush-hush", "65501", "65502"] {
            assert!(!run.out.contains(secret), "{format}: {}", run.out);
        }
    }
}

/// The plan has one half of the ports, the account the other.
#[test]
fn rules_split_between_states_are_told_exactly_with_a_snapshot() {
    let alone = plan("split", &["--format", "json"]);
    assert_eq!(alone.code, 1);
    assert_eq!(json(&alone)["groups"][0]["verdict"], "CANNOT_TELL");
    let groups = "tests/data/plans/split/groups.json";
    let laid = plan("split", &["--format", "json", "--groups", groups]);
    let report = json(&laid);
    let group = &report["groups"][0];
    assert_eq!(group["verdict"], "FAILED", "{}", laid.out);
    assert_eq!(group["before"], "PASSED");
    assert_eq!(group["violations"][0]["reason"], "split-ranges");
    assert_eq!(group["violations"][0]["change"], "new");
    assert_eq!(group["group_name"], "shared");
    assert_eq!(report["summary"]["cannot_tell"], 0);
}

#[test]
fn the_reach_of_the_internet_is_told_with_a_snapshot() {
    let groups = "tests/data/plans/reach/groups.json";
    let run = plan("reach", &["--groups", groups]);
    for sentence in [
        "REACH app becomes reachable from the internet in 1 hop\n",
        "REACH payments-db becomes reachable from the internet in 2 hops\n",
    ] {
        assert!(run.out.contains(sentence), "{}", run.out);
    }
    let report = json(&plan("reach", &["--groups", groups, "--format", "json"]));
    let reach = report["reach"].as_array().unwrap();
    let told: Vec<_> = reach
        .iter()
        .map(|change| (&change["address"], &change["before"], &change["after"]))
        .collect();
    assert_eq!(
        told,
        [
            (&"aws_security_group.app".into(), &Value::Null, &1.into()),
            (
                &"aws_security_group.payments_db".into(),
                &Value::Null,
                &2.into()
            ),
        ]
    );
    assert!(
        json(&plan("reach", &["--format", "json"]))
            .get("reach")
            .is_none()
    );
}
