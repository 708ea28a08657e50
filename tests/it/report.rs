//! `report` on the command line.

use std::fs;

use serde_json::json;

use crate::cli::{Run, run};

const ORGANISATION: &str = "events/organisation";
const POLICY: &str = "events/organisation/policy.toml";
/// What only the HTML report says.
const MARKER: &[u8] = concat!("sg-trust ", env!("CARGO_PKG_VERSION"), " HTML report").as_bytes();

/// The report of the example organisation.
fn organisation(arguments: &[&str]) -> Run {
    let all = [
        &["report", ORGANISATION, "--policy", POLICY, "-o", "-"],
        arguments,
    ]
    .concat();
    run(&all, "")
}

fn on(input: &serde_json::Value, arguments: &[&str]) -> Run {
    run(
        &[&["report", "-", "-o", "-"], arguments].concat(),
        &input.to_string(),
    )
}

fn group(id: &str, source: &str) -> serde_json::Value {
    json!({"GroupId": id, "OwnerId": "1", "IpPermissions": [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": source, "UserId": "1"}]}]})
}

#[test]
fn the_same_input_makes_the_same_bytes() {
    let Run { code, out, err } = organisation(&[]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(organisation(&[]).out, out);
    assert!(!out.contains("As of"), "a time is shown");
}

#[test]
fn the_order_of_the_files_changes_no_byte() {
    let mut files: Vec<String> = fs::read_dir(ORGANISATION)
        .unwrap()
        .map(|entry| entry.unwrap().path().to_str().unwrap().to_owned())
        .filter(|file| file.ends_with(".json"))
        .collect();
    let expected = organisation(&[]).out;
    for _ in 0..files.len() {
        files.rotate_left(1);
        let mut arguments = vec!["report", "--policy", POLICY, "-o", "-"];
        arguments.extend(files.iter().map(String::as_str));
        assert_eq!(run(&arguments, "").out, expected);
    }
}

#[test]
fn a_file_is_written_and_nothing_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.html");
    let file = file.to_str().unwrap();
    let Run { code, out, err } = run(&["report", "events/account.json", "-o", file], "");
    assert_eq!((code, out.as_str(), err.as_str()), (0, "", ""));
    assert!(
        fs::read_to_string(file)
            .unwrap()
            .starts_with("<!doctype html>")
    );
    let missing = format!("{}/none/report.html", folder.path().display());
    let Run { code, err, .. } = run(&["report", "events/account.json", "-o", &missing], "");
    assert_eq!(code, 2);
    assert!(err.contains("the report cannot be written"), "{err}");
}

#[test]
fn the_moment_is_shown_and_decides_which_exemptions_have_ended() {
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("policy.toml");
    let settings = "[[exemption]]\nid = \"one\"\nreason = \"until the migration is done\"\nuntil = 2027-03-31\ntarget = { id = \"sg-1\" }\nsource = \"any\"\nallow = \"all-traffic\"\n";
    fs::write(&policy, settings).unwrap();
    let policy = policy.to_str().unwrap();
    let input = json!({"SecurityGroups": [group("sg-1", "sg-2")]});
    let page = |at: &str| on(&input, &["--policy", policy, "--at", at]).out;
    for (at, shown) in [
        ("2027-03-31", "2027-03-31 00:00 UTC"),
        ("2027-03-31T23:59:59Z", "2027-03-31 23:59 UTC"),
        ("2027-04-01T01:30:00+02:00", "2027-03-31 23:30 UTC"),
    ] {
        let page = page(at);
        assert!(page.contains(shown), "{at}");
        assert!(
            page.contains("data-group-id=\"sg-1\" data-verdict=\"EXEMPT\""),
            "{at}"
        );
        assert!(
            page.contains("until the migration is done (until 2027-03-31)"),
            "{at}"
        );
    }
    let page = page("2027-04-01");
    assert!(page.contains("data-group-id=\"sg-1\" data-verdict=\"FAILED\""));
    assert!(page.contains("Exemption one ended on 2027-03-31"));
    for wrong in ["tomorrow", "2027-02-30", "2027-03-31T12:00:00", "12:00", ""] {
        let Run { code, err, .. } = on(&input, &["--at", wrong]);
        assert_eq!(code, 2, "{wrong}");
        assert!(err.contains("not a day such as 2027-03-31"), "{err}");
    }
}

#[test]
fn what_cannot_be_read_is_in_the_report_and_in_the_exit_code() {
    let input = json!([group("sg-1", "sg-2"), {"GroupId": "sg-3", "ipPermissions": []}]);
    let Run { code, out, err } = on(&input, &[]);
    assert_eq!(code, 2);
    assert!(err.contains("ipPermissions"), "{err}");
    assert!(out.contains("This report is incomplete."), "{out}");
    assert!(out.contains("data-group-id=\"sg-1\" data-verdict=\"FAILED\""));
    let complaint = err.trim_end().strip_prefix("sg-trust: ").unwrap();
    assert!(out.contains(complaint), "{complaint}");
    let Run { code, out, .. } = run(&["report", "no-such-file.json", "-o", "-"], "");
    assert_eq!(code, 2);
    assert!(out.contains("no-such-file.json"));
}

#[test]
fn of_a_group_that_comes_twice_what_either_says_counts() {
    let closed = json!({"GroupId": "sg-1", "OwnerId": "1", "IpPermissions": []});
    for groups in [
        [group("sg-1", "sg-2"), closed.clone()],
        [closed, group("sg-1", "sg-2")],
    ] {
        let Run { code, out, .. } = on(&json!({"SecurityGroups": groups}), &[]);
        assert_eq!(code, 2);
        assert_eq!(out.matches("data-group-id=\"sg-1\"").count(), 1);
        assert!(out.contains("data-group-id=\"sg-1\" data-verdict=\"FAILED\""));
    }
}

#[test]
fn no_group_at_all_is_a_report_too() {
    let Run { code, out, .. } = on(
        &json!({"SecurityGroups": []}),
        &["--title", "Nothing <here>"],
    );
    assert_eq!(code, 0);
    assert!(
        out.contains("<title>Nothing &#60;here&#62;</title>"),
        "{out}"
    );
    assert!(out.contains("<h1>Nothing &lt;here&gt;</h1>"));
}

fn holds_the_report(program: &str) -> bool {
    let program = fs::read(program).unwrap();
    memchr::memmem::find(&program, MARKER).is_some()
}

#[test]
fn the_report_is_in_the_command_line_tool() {
    assert!(holds_the_report(env!("CARGO_BIN_EXE_sg-trust")));
}

#[cfg(feature = "aws")]
#[test]
fn the_report_is_not_in_the_function() {
    assert!(!holds_the_report(env!("CARGO_BIN_EXE_sg-trust-lambda")));
}
