//! SARIF, annotations and Markdown: whole outputs for every verdict, and what holds for any names.

use proptest::prelude::*;
use serde_json::Value;
use sg_trust::model::planned::Unknown;
use sg_trust::plan::{Change, Verdict};
use sg_trust::policy::{Reason, Severity};
use sg_trust::report::assessment::{AcceptedRisk, AssessedViolation, Assessment, Place};
use sg_trust::report::ranked::Ranking;
use sg_trust::report::{RankedFormat, SarifReader, Summary};
use sg_trust::text::escape;

use crate::cli::{Run, run};

const SARIF: RankedFormat = RankedFormat::Sarif(SarifReader::Any);
const CODE_SCANNING: RankedFormat = RankedFormat::Sarif(SarifReader::Github);

fn place(line: usize) -> Option<Place> {
    Some(Place {
        file: "modules/db main.tf".to_owned(),
        line: Some(line),
        column: Some(3),
    })
}

fn violation(change: Option<Change>, severity: Severity) -> AssessedViolation {
    AssessedViolation {
        change,
        reason: Reason::AllTraffic,
        severity,
        protocol: "-1".to_owned(),
        source_id: "aws_security_group.web".to_owned(),
        source: "aws_security_group.web (web)".to_owned(),
        traffic: "all traffic".to_owned(),
        sentence:
            "aws_security_group.db (db) accepts all traffic from aws_security_group.web (web)"
                .to_owned(),
        exemption: None,
        place: place(30),
        fix: Vec::new(),
    }
}

fn group(verdict: Verdict, violations: Vec<AssessedViolation>) -> Assessment {
    Assessment {
        id: "aws_security_group.db".to_owned(),
        name: "aws_security_group.db (db)".to_owned(),
        verdict,
        severity: Severity::Low,
        place: place(12),
        is_changed: true,
        is_open: verdict == Verdict::CannotTell,
        violations,
        unknown: Vec::new(),
    }
}

fn open(is_changed: bool) -> Assessment {
    let unknown = Unknown {
        attribute: "ingress[0].to_port".to_owned(),
        expression: Some("var.port".to_owned()),
        advice: "give the variable a value".to_owned(),
    };
    Assessment {
        is_changed,
        unknown: vec![unknown],
        ..group(Verdict::CannotTell, Vec::new())
    }
}

fn exempt() -> Assessment {
    let exemption = Some(AcceptedRisk {
        id: "old".to_owned(),
        why: "the vendor needs it (until 2027-06-30)".to_owned(),
    });
    let violation = AssessedViolation {
        exemption,
        ..violation(Some(Change::Existing), Severity::Low)
    };
    group(Verdict::Exempt, vec![violation])
}

/// A group for every verdict and every change, the least urgent first.
fn everything() -> Vec<Assessment> {
    let failed = |change, severity| group(Verdict::Failed, vec![violation(change, severity)]);
    vec![
        group(
            Verdict::Passed,
            vec![violation(Some(Change::Fixed), Severity::Critical)],
        ),
        exempt(),
        open(false),
        failed(Some(Change::Narrowed), Severity::Low),
        failed(Some(Change::Existing), Severity::High),
        open(true),
        failed(Some(Change::New), Severity::Low),
        failed(Some(Change::Widened), Severity::Medium),
        group(Verdict::Passed, Vec::new()),
    ]
}

fn report(format: RankedFormat, groups: &[Assessment]) -> String {
    let mut ranking = Ranking::new(format);
    let mut summary = Summary::default();
    for group in groups {
        ranking.add(format.entries(group).unwrap());
        summary.groups += 1;
        match group.verdict {
            Verdict::Failed => summary.failed += 1,
            Verdict::CannotTell => summary.cannot_tell += 1,
            Verdict::Exempt => summary.exempt += 1,
            Verdict::Passed => summary.passed += 1,
        }
    }
    ranking.finish(&summary).unwrap()
}

fn results(log: &str) -> Vec<Value> {
    let log: Value = serde_json::from_str(log).unwrap();
    log["runs"][0]["results"].as_array().unwrap().clone()
}

#[test]
fn sarif_lists_the_worst_first_as_sarif_has_it() {
    let log = report(SARIF, &everything());
    let lines: Vec<_> = log.lines().skip(1).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    {"ruleId":"all-traffic","ruleIndex":0,"kind":"fail","level":"warning","message":{"text":"aws_security_group.db (db) accepts all traffic from aws_security_group.web (web)."},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"modules/db%20main.tf"},"region":{"startLine":30,"startColumn":3}},"logicalLocations":[{"fullyQualifiedName":"aws_security_group.db","kind":"resource"}]}],"partialFingerprints":{"sgTrust/v1":"fcd6146bc99293b0f218d63075507d21"},"suppressions":[],"baselineState":"updated","properties":{"severity":"MEDIUM","protocol":"-1"}},
    {"ruleId":"all-traffic","ruleIndex":0,"kind":"fail","level":"note","message":{"text":"aws_security_group.db (db) accepts all traffic from aws_security_group.web (web)."},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"modules/db%20main.tf"},"region":{"startLine":30,"startColumn":3}},"logicalLocations":[{"fullyQualifiedName":"aws_security_group.db","kind":"resource"}]}],"partialFingerprints":{"sgTrust/v1":"fcd6146bc99293b0f218d63075507d21"},"suppressions":[],"baselineState":"new","properties":{"severity":"LOW","protocol":"-1"}},
    {"ruleId":"cannot-tell","ruleIndex":4,"kind":"open","level":"none","message":{"text":"Before the deployment it cannot be told whether aws_security_group.db (db) lets another security group reach all its ports. ingress[0].to_port (var.port) is not known: give the variable a value."},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"modules/db%20main.tf"},"region":{"startLine":12,"startColumn":3}},"logicalLocations":[{"fullyQualifiedName":"aws_security_group.db","kind":"resource"}]}],"partialFingerprints":{"sgTrust/v1":"bf897baea3f66eab45fff20c69f33488"},"suppressions":[],"baselineState":"new","properties":{}},
    {"ruleId":"all-traffic","ruleIndex":0,"kind":"fail","level":"error","message":{"text":"aws_security_group.db (db) accepts all traffic from aws_security_group.web (web)."},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"modules/db%20main.tf"},"region":{"startLine":30,"startColumn":3}},"logicalLocations":[{"fullyQualifiedName":"aws_security_group.db","kind":"resource"}]}],"partialFingerprints":{"sgTrust/v1":"fcd6146bc99293b0f218d63075507d21"},"suppressions":[],"baselineState":"unchanged","properties":{"severity":"HIGH","protocol":"-1"}},
    {"ruleId":"all-traffic","ruleIndex":0,"kind":"fail","level":"note","message":{"text":"aws_security_group.db (db) accepts all traffic from aws_security_group.web (web)."},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"modules/db%20main.tf"},"region":{"startLine":30,"startColumn":3}},"logicalLocations":[{"fullyQualifiedName":"aws_security_group.db","kind":"resource"}]}],"partialFingerprints":{"sgTrust/v1":"fcd6146bc99293b0f218d63075507d21"},"suppressions":[],"baselineState":"updated","properties":{"severity":"LOW","protocol":"-1"}},
    {"ruleId":"cannot-tell","ruleIndex":4,"kind":"open","level":"none","message":{"text":"Before the deployment it cannot be told whether aws_security_group.db (db) lets another security group reach all its ports. ingress[0].to_port (var.port) is not known: give the variable a value."},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"modules/db%20main.tf"},"region":{"startLine":12,"startColumn":3}},"logicalLocations":[{"fullyQualifiedName":"aws_security_group.db","kind":"resource"}]}],"partialFingerprints":{"sgTrust/v1":"bf897baea3f66eab45fff20c69f33488"},"suppressions":[],"baselineState":"unchanged","properties":{}},
    {"ruleId":"all-traffic","ruleIndex":0,"kind":"fail","level":"note","message":{"text":"aws_security_group.db (db) accepts all traffic from aws_security_group.web (web)."},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"modules/db%20main.tf"},"region":{"startLine":30,"startColumn":3}},"logicalLocations":[{"fullyQualifiedName":"aws_security_group.db","kind":"resource"}]}],"partialFingerprints":{"sgTrust/v1":"fcd6146bc99293b0f218d63075507d21"},"suppressions":[{"kind":"external","status":"accepted","justification":"old: the vendor needs it (until 2027-06-30)"}],"baselineState":"unchanged","properties":{"severity":"LOW","protocol":"-1"}},
    {"ruleId":"all-traffic","ruleIndex":0,"kind":"fail","level":"error","message":{"text":"aws_security_group.db (db) accepts all traffic from aws_security_group.web (web)."},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"modules/db%20main.tf"},"region":{"startLine":30,"startColumn":3}},"logicalLocations":[{"fullyQualifiedName":"aws_security_group.db","kind":"resource"}]}],"partialFingerprints":{"sgTrust/v1":"fcd6146bc99293b0f218d63075507d21"},"suppressions":[],"baselineState":"absent","properties":{"severity":"CRITICAL","protocol":"-1"}}
    ]}]}
    "#);
}

#[test]
fn code_scanning_gets_only_what_is_an_alert() {
    let results = results(&report(CODE_SCANNING, &everything()));
    let shown: Vec<_> = results
        .iter()
        .map(|result| {
            let text = |name: &str| result[name].as_str().unwrap_or("-").to_owned();
            assert_eq!(
                result["partialFingerprints"]["primaryLocationLineHash"],
                result["partialFingerprints"]["sgTrust/v1"]
            );
            [
                text("ruleId"),
                text("kind"),
                text("level"),
                text("baselineState"),
            ]
            .join(" ")
        })
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @"
    all-traffic fail warning -
    all-traffic fail note -
    cannot-tell fail note -
    all-traffic fail note -
    ");
}

#[test]
fn annotations_are_errors_where_the_step_fails() {
    insta::assert_snapshot!(report(RankedFormat::Github, &everything()), @"
    ::error file=modules/db main.tf,line=30,col=3,title=aws_security_group.db (db)%3A all-traffic%2C widened::aws_security_group.db (db) accepts all traffic from aws_security_group.web (web)
    ::error file=modules/db main.tf,line=30,col=3,title=aws_security_group.db (db)%3A all-traffic%2C new::aws_security_group.db (db) accepts all traffic from aws_security_group.web (web)
    ::warning file=modules/db main.tf,line=12,col=3,title=aws_security_group.db (db)%3A cannot tell::Before the deployment it cannot be told whether aws_security_group.db (db) lets another security group reach all its ports. ingress[0].to_port (var.port) is not known: give the variable a value.
    ::notice file=modules/db main.tf,line=30,col=3,title=aws_security_group.db (db)%3A all-traffic%2C existing::aws_security_group.db (db) accepts all traffic from aws_security_group.web (web)
    ::notice file=modules/db main.tf,line=30,col=3,title=aws_security_group.db (db)%3A all-traffic%2C narrowed::aws_security_group.db (db) accepts all traffic from aws_security_group.web (web)
    ::notice file=modules/db main.tf,line=12,col=3,title=aws_security_group.db (db)%3A cannot tell::Before the deployment it cannot be told whether aws_security_group.db (db) lets another security group reach all its ports. ingress[0].to_port (var.port) is not known: give the variable a value.
    9 groups: 2 passed, 4 failed, 1 exempt, 2 cannot tell
    ");
}

#[test]
fn markdown_is_a_table() {
    insta::assert_snapshot!(report(RankedFormat::Markdown, &everything()), @"
    **sg-trust**: 9 groups: 2 passed, 4 failed, 1 exempt, 2 cannot tell

    | verdict | severity | group | accepts | from | where |
    | --- | --- | --- | --- | --- | --- |
    | FAILED widened | MEDIUM | <code>aws&#95;security&#95;group&#46;db &#40;db&#41;</code> | <code>all traffic</code> | <code>aws&#95;security&#95;group&#46;web &#40;web&#41;</code> | <code>modules/db main&#46;tf&#58;30</code> |
    | FAILED new | LOW | <code>aws&#95;security&#95;group&#46;db &#40;db&#41;</code> | <code>all traffic</code> | <code>aws&#95;security&#95;group&#46;web &#40;web&#41;</code> | <code>modules/db main&#46;tf&#58;30</code> |
    | CANNOT TELL |  | <code>aws&#95;security&#95;group&#46;db &#40;db&#41;</code> | not known: <code>ingress&#91;0&#93;&#46;to&#95;port</code> = <code>var&#46;port</code> |  | <code>modules/db main&#46;tf&#58;12</code> |
    | FAILED existing | HIGH | <code>aws&#95;security&#95;group&#46;db &#40;db&#41;</code> | <code>all traffic</code> | <code>aws&#95;security&#95;group&#46;web &#40;web&#41;</code> | <code>modules/db main&#46;tf&#58;30</code> |
    | FAILED narrowed | LOW | <code>aws&#95;security&#95;group&#46;db &#40;db&#41;</code> | <code>all traffic</code> | <code>aws&#95;security&#95;group&#46;web &#40;web&#41;</code> | <code>modules/db main&#46;tf&#58;30</code> |
    | CANNOT TELL |  | <code>aws&#95;security&#95;group&#46;db &#40;db&#41;</code> | not known: <code>ingress&#91;0&#93;&#46;to&#95;port</code> = <code>var&#46;port</code> |  | <code>modules/db main&#46;tf&#58;12</code> |
    | EXEMPT existing | LOW | <code>aws&#95;security&#95;group&#46;db &#40;db&#41;</code> | <code>all traffic</code> | <code>aws&#95;security&#95;group&#46;web &#40;web&#41;</code> | <code>modules/db main&#46;tf&#58;30</code> |
    | fixed | CRITICAL | <code>aws&#95;security&#95;group&#46;db &#40;db&#41;</code> | <code>all traffic</code> | <code>aws&#95;security&#95;group&#46;web &#40;web&#41;</code> | <code>modules/db main&#46;tf&#58;30</code> |
    ");
}

#[test]
fn nothing_to_say_is_said_shortly() {
    let passed = [group(Verdict::Passed, Vec::new())];
    insta::assert_snapshot!(report(RankedFormat::Github, &passed), @"1 group: 1 passed, 0 failed, 0 exempt");
    insta::assert_snapshot!(report(RankedFormat::Markdown, &passed), @"**sg-trust**: 1 group: 1 passed, 0 failed, 0 exempt");
    assert_eq!(results(&report(SARIF, &passed)), Vec::<Value>::new());
}

#[test]
fn a_step_has_ten_annotations_of_a_kind_and_a_log_five_thousand_results() {
    let many = |count: usize| {
        vec![
            group(Verdict::Failed, vec![violation(None, Severity::Low); count]),
            group(Verdict::Failed, vec![violation(None, Severity::Critical)]),
        ]
    };
    for (count, last) in [
        (9, "::error file="),
        (10, "::error title=sg-trust::And 2 more."),
    ] {
        let text = report(RankedFormat::Github, &many(count));
        let commands: Vec<_> = text.lines().filter(|line| line.starts_with("::")).collect();
        assert_eq!(commands.len(), 10);
        assert!(commands[9].starts_with(last), "{text}");
    }
    let log = report(SARIF, &many(6000));
    let results = results(&log);
    assert_eq!(results.len(), 5000);
    assert_eq!(results[0]["level"], "error");
    assert!(log.contains(r#""results_left_out":1001"#));
    let table = report(RankedFormat::Markdown, &many(6000));
    assert!(table.len() < 65_536 && table.ends_with("\nAnd 5901 more.\n"));
}

#[test]
fn the_fingerprint_stays_when_lines_are_inserted_and_differs_for_everything_else() {
    let fingerprint = |group: &Assessment| {
        results(&report(SARIF, std::slice::from_ref(group)))[0]["partialFingerprints"]["sgTrust/v1"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let of = |change: &dyn Fn(&mut AssessedViolation)| {
        let mut changed = violation(Some(Change::New), Severity::Low);
        change(&mut changed);
        fingerprint(&group(Verdict::Failed, vec![changed]))
    };
    let first = of(&|_| ());
    assert_eq!(of(&|it| it.place = place(99)), first);
    assert_eq!(of(&|it| it.place = None), first);
    assert_eq!(of(&|it| it.change = Some(Change::Widened)), first);
    assert_eq!(of(&|it| it.severity = Severity::Critical), first);
    let mut all = vec![
        first,
        of(&|it| it.protocol = "tcp".to_owned()),
        of(&|it| it.source_id = "sg-0b".to_owned()),
        of(&|it| it.reason = Reason::WideRange),
        fingerprint(&open(true)),
    ];
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 5);
}

#[test]
fn a_live_group_is_found_by_its_file_and_its_arn() {
    let group = r#"{"GroupId":"sg-0a","GroupName":"\r::stop-commands::x","OwnerId":"123456789012","IpPermissions":[
        {"IpProtocol":"-1","UserIdGroupPairs":[{"GroupId":"sg-0b","UserId":"123456789012"}]}]}"#;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a b.json");
    std::fs::write(&file, group).unwrap();
    let file = file.to_str().unwrap();
    let arguments = ["check", "--region", "eu-west-1", "--format"];
    let Run { code, out, .. } = run(&[&arguments[..], &["sarif", file]].concat(), "");
    assert_eq!(code, 1);
    let location = &results(&out)[0]["locations"][0];
    let uri = location["physicalLocation"]["artifactLocation"]["uri"].as_str();
    let uri = uri.unwrap();
    assert!(
        uri.starts_with("file:///") && uri.ends_with("/a%20b.json"),
        "{uri}"
    );
    let arn = "arn:aws:ec2:eu-west-1:123456789012:security-group/sg-0a";
    assert_eq!(location["logicalLocations"][0]["fullyQualifiedName"], arn);
    let Run { code, out, .. } = run(&[&arguments[..], &["github", "-"]].concat(), group);
    assert_eq!(code, 1);
    insta::assert_snapshot!(out, @r#"
    ::error title=sg-0a (\r%3A%3Astop-commands%3A%3Ax)%3A all-traffic::sg-0a (\r::stop-commands::x) accepts all traffic from sg-0b%0Aallow first: aws ec2 authorize-security-group-ingress --region eu-west-1 --group-id sg-0a --ip-permissions '[{"IpProtocol":"tcp","FromPort":FROM_PORT,"ToPort":TO_PORT,"UserIdGroupPairs":[{"GroupId":"sg-0b","UserId":"123456789012"}]}]'%0Athen revoke: aws ec2 revoke-security-group-ingress --region eu-west-1 --group-id sg-0a --ip-permissions '[{"IpProtocol":"-1","UserIdGroupPairs":[{"GroupId":"sg-0b","UserId":"123456789012"}]}]'
    1 group: 0 passed, 1 failed, 0 exempt
    "#);
    let Run { code, err, .. } = run(&["check", "--sarif-for", "github", "-"], group);
    assert_eq!(code, 2);
    insta::assert_snapshot!(err, @"sg-trust: --sarif-for needs --format sarif");
}

fn named(name: &str) -> Vec<Assessment> {
    let hostile = |mut group: Assessment| {
        group.id = format!("aws_security_group.a[\"{name}\"]");
        let safe = escape(name);
        group.name = format!("aws_security_group.a ({safe})");
        group.place = Some(Place::of_file(name));
        for violation in &mut group.violations {
            violation.place = None;
            violation.source = safe.clone().into_owned();
            violation.sentence = format!("{} accepts all traffic from {safe}", group.name);
        }
        for unknown in &mut group.unknown {
            unknown.attribute = name.to_owned();
            unknown.expression = Some(name.to_owned());
            unknown.advice = name.to_owned();
        }
        group
    };
    everything().into_iter().map(hostile).collect()
}

proptest! {
    #[test]
    fn a_name_makes_no_command(name in "(\\PC|[\r\n:,%|<&\u{202e}]|::(error|stop-commands)::){0,24}") {
        let text = report(RankedFormat::Github, &named(&name));
        let lines: Vec<_> = text.split(['\r', '\n']).collect();
        // 2 errors, 1 warning, 3 notices, the totals, and what stands behind the last line break.
        prop_assert_eq!(lines.len(), 8);
        for line in &lines[..6] {
            let rest = line.trim_start_matches("::");
            let (properties, _) = rest.split_once("::").unwrap();
            let (kind, properties) = properties.split_once(' ').unwrap();
            prop_assert!(["error", "warning", "notice"].contains(&kind));
            let names: Vec<_> = properties.split(',').map(|one| one.split('=').next().unwrap()).collect();
            prop_assert_eq!(names, ["file", "title"]);
        }
        for format in [SARIF, CODE_SCANNING] {
            for result in results(&report(format, &named(&name))) {
                prop_assert!(!result["message"]["text"].as_str().unwrap().contains("]("));
            }
        }
        let table = report(RankedFormat::Markdown, &named(&name));
        let rows: Vec<_> = table.lines().skip(4).collect();
        prop_assert_eq!(rows.len(), 8);
        for row in rows {
            prop_assert_eq!(row.matches('|').count(), 7, "{}", row);
            let tags = row.replace("<code>", "").replace("</code>", "");
            prop_assert!(!tags.contains(['<', '>', '[', ']', '`', '*', '_', '\\']), "{}", row);
        }
    }
}
