//! Plans of odd shapes: a clear error or CANNOT TELL, never a panic, never a PASS that is wrong.

use proptest::prelude::*;
use serde_json::{Value, json};
use sg_trust::input::deployment_kind;
use sg_trust::input::terraform::read_plan;
use sg_trust::plan::{Verdict, report};
use sg_trust::policy::Settings;

use super::{run, text};

const CASES: [&str; 6] = [
    "inline",
    "rules-old",
    "rules-new",
    "update",
    "modules",
    "unknown-sources",
];

fn parsed(case: &str) -> Value {
    serde_json::from_str(&text(case)).unwrap()
}

/// The verdict on a group.
fn verdict(plan: &Value, address: &str) -> Result<Option<Verdict>, String> {
    let deployment =
        read_plan("plan.json", &plan.to_string(), None).map_err(|error| error.to_string())?;
    let report = report(&Settings::default(), &deployment, jiff::civil::Date::MIN);
    let group = report.groups.iter().find(|group| group.address == address);
    Ok(group.map(|group| group.verdict))
}

#[test]
fn what_is_no_plan_is_told_by_what_it_is() {
    let state =
        json!({"format_version": "1.0", "terraform_version": "1.11.4", "values": {}}).to_string();
    let other = json!({"format_version": "2.0", "planned_values": {}}).to_string();
    let errored =
        json!({"format_version": "1.2", "planned_values": {}, "errored": true}).to_string();
    let values = json!({"root_module": {"child_modules": [{"resources": [{"type": "aws_security_group"}]}]}});
    let refreshed = json!({"format_version": "1.2", "planned_values": values}).to_string();
    for (input, message) in [
        (
            "",
            "standard input: it is empty: did the command that should have written it fail?",
        ),
        (
            "PK\u{3}\u{4}...",
            "standard input: it is a plan file of Terraform: print it with `terraform show -json PLANFILE`",
        ),
        (
            "{\"@level\":\"info\"}\n{}",
            "standard input: it has the messages of `terraform plan -json`, not the plan: write the plan with `terraform plan -out=PLANFILE` and print it with `terraform show -json PLANFILE`",
        ),
        (
            state.as_str(),
            "standard input: it is a state, not a plan: give the output of `terraform show -json PLANFILE` for a file that `terraform plan -out=PLANFILE` wrote",
        ),
        (
            other.as_str(),
            "standard input: its format_version is 2.0: this version of sg-trust reads 1.x",
        ),
        (
            errored.as_str(),
            "standard input: the plan was made with errors, so it does not say what would happen: correct them and plan again",
        ),
        (
            refreshed.as_str(),
            "standard input: it has security groups, but no resource_changes to tell their rules: make the plan without -refresh-only and -target",
        ),
        (
            "[]",
            "standard input: it is neither a plan of Terraform or OpenTofu (terraform show -json PLANFILE), nor a template or a change set of CloudFormation",
        ),
    ] {
        let run = run(&["plan", "-"], input);
        assert_eq!(run.code, 2, "{input}");
        assert!(run.err.contains(message), "{input}: {}", run.err);
    }
}

#[test]
fn a_value_of_another_type_is_an_error_that_names_it() {
    for (pointer, value, message) in [
        (
            "/resource_changes/1/change/after/ingress",
            json!("x"),
            "aws_security_group.db: ingress: a list of blocks is expected",
        ),
        (
            "/resource_changes/1/change/after/ingress/0/from_port",
            json!([]),
            "aws_security_group.db: ingress[0]: from_port: a whole number is expected",
        ),
        (
            "/resource_changes/1/change/after/ingress/0/protocol",
            json!({}),
            "aws_security_group.db: ingress[0]: protocol: the name or number of a protocol is expected",
        ),
        (
            "/resource_changes/1/change/actions",
            json!(["melt"]),
            "aws_security_group.db: the actions [\"melt\"] are not known to this version of sg-trust",
        ),
        (
            "/resource_changes/1/change/after",
            json!(null),
            "aws_security_group.db: the plan does not say what stands after it",
        ),
        (
            "/resource_changes/0/address",
            json!("aws_security_group.db"),
            "aws_security_group.db: the plan has this resource twice",
        ),
    ] {
        let mut plan = parsed("inline");
        *plan.pointer_mut(pointer).unwrap() = value;
        let error = verdict(&plan, "aws_security_group.db").unwrap_err();
        assert_eq!(error, format!("plan.json: {message}"), "{pointer}");
    }
}

/// All places in a document, as pointers.
fn places(value: &Value, at: &str, all: &mut Vec<String>) {
    all.push(at.to_owned());
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let name = name.replace('~', "~0").replace('/', "~1");
                places(member, &format!("{at}/{name}"), all);
            }
        }
        Value::Array(members) => {
            for (place, member) in members.iter().enumerate() {
                places(member, &format!("{at}/{place}"), all);
            }
        }
        _ => {}
    }
}

fn odd() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!(null),
        json!(true),
        json!(-1),
        json!(1e300),
        json!("x"),
        json!("module.a[\"b"),
        json!(""),
        json!([]),
        json!([null]),
        json!([true]),
        json!({}),
        json!({"references": ["module.a.b", "var.x", "each.value", "local.y"]}),
    ])
}

proptest! {
    #[test]
    fn no_mutated_plan_makes_the_reader_panic(case in prop::sample::select(CASES.to_vec()), changes in prop::collection::vec((any::<prop::sample::Index>(), odd()), 1..4)) {
        let mut plan = parsed(case);
        for (place, value) in changes {
            let mut all = Vec::new();
            places(&plan, "", &mut all);
            let pointer = place.get(&all).clone();
            *plan.pointer_mut(&pointer).unwrap() = value;
        }
        let text = plan.to_string();
        let _ = deployment_kind("plan.json", &text);
        let _ = verdict(&plan, "");
    }

    /// The rule is there, and opens everything. To know less of it never makes it pass.
    #[test]
    fn what_becomes_unknown_never_turns_failed_into_passed(
        case in prop::sample::select(vec!["rules-old", "rules-new", "inline"]), hidden in prop::collection::btree_set(0..6_usize, 0..5), without_configuration in any::<bool>(),
    ) {
        let mut plan = parsed(case);
        if without_configuration {
            plan["configuration"] = json!({"root_module": {}});
        }
        for change in plan["resource_changes"].as_array_mut().unwrap() {
            if !change["address"].as_str().unwrap().contains(".db") {
                continue;
            }
            let (values, unknown) = match case {
                "inline" => ("/change/after/ingress/0", "/change/after_unknown/ingress/0"),
                _ => ("/change/after", "/change/after_unknown"),
            };
            for name in &hidden {
                let name = ["protocol", "ip_protocol", "from_port", "to_port", "self", "security_groups"][*name];
                if let Some(Value::Object(values)) = change.pointer_mut(values) {
                    values.remove(name);
                }
                if let Some(Value::Object(unknown)) = change.pointer_mut(unknown) {
                    unknown.insert(name.to_owned(), json!(true));
                }
            }
        }
        let verdict = verdict(&plan, "aws_security_group.db");
        prop_assert!(!matches!(verdict, Ok(None | Some(Verdict::Passed | Verdict::Exempt))), "{verdict:?}");
    }
}

/// The provider only stops managing a default group: EC2 keeps it as long as its VPC.
#[test]
fn a_default_group_that_is_destroyed_stays_unless_its_vpc_goes() {
    let address = "aws_default_security_group.d";
    let rule = json!({"protocol": "-1", "from_port": 0, "to_port": 0, "self": true, "cidr_blocks": [],
        "ipv6_cidr_blocks": [], "prefix_list_ids": [], "security_groups": []});
    let destroyed = |kind: &str, name: &str, before: Value| {
        json!({"address": format!("{kind}.{name}"), "mode": "managed", "type": kind, "name": name,
            "provider_name": "registry.terraform.io/hashicorp/aws",
            "change": {"actions": ["delete"], "before": before, "after": null, "after_unknown": {}}})
    };
    let group = destroyed(
        "aws_default_security_group",
        "d",
        json!({"id": "sg-0a", "vpc_id": "vpc-1", "name": "default", "ingress": [rule]}),
    );
    let plan = |changes: Value| json!({"format_version": "1.2", "planned_values": {}, "resource_changes": changes});
    let alone = plan(json!([group]));
    assert_eq!(verdict(&alone, address), Ok(Some(Verdict::Failed)));
    for (vpc, expected) in [("vpc-1", Verdict::Passed), ("vpc-2", Verdict::Failed)] {
        let vpc = destroyed("aws_vpc", "v", json!({"id": vpc}));
        let both = plan(json!([group, vpc]));
        assert_eq!(verdict(&both, address), Ok(Some(expected)));
    }
}

#[test]
fn the_id_of_a_rules_group_is_not_shown_where_it_is_sensitive() {
    let after = json!({"security_group_id": "sg-0secret", "referenced_security_group_id": "sg-0b",
        "ip_protocol": "-1", "from_port": null, "to_port": null});
    let plan = json!({"format_version": "1.2", "planned_values": {}, "resource_changes": [{
        "address": "aws_vpc_security_group_ingress_rule.r", "mode": "managed",
        "type": "aws_vpc_security_group_ingress_rule", "name": "r",
        "provider_name": "registry.terraform.io/hashicorp/aws",
        "change": {"actions": ["create"], "before": null, "after": after, "after_unknown": {"id": true},
            "after_sensitive": {"security_group_id": true}}}]});
    let deployment = read_plan("plan.json", &plan.to_string(), None).unwrap();
    let report = report(&Settings::default(), &deployment, jiff::civil::Date::MIN);
    assert_eq!(report.groups[0].verdict, Verdict::Failed);
    let shown = format!("{report:?}");
    assert!(!shown.contains("sg-0secret"), "{shown}");
}
