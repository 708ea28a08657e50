"""The Terraform module for the administrator account makes the same as administrator.yaml."""

import json

import cloudformation
import pytest
from conftest import INFRA
from test_terraform import MODULE, Terraform, normal, outputs, parameters, variables

ADMINISTRATOR = MODULE / "administrator"
PSEUDO = {"AWS::Partition": "aws-us-gov", "AWS::URLSuffix": "amazonaws.com", "AWS::Region": "us-gov-west-1", "AWS::AccountId": "123456789012", "AWS::StackName": "a"}
RULE = "arn:aws-us-gov:events:us-gov-west-1:123456789012:rule/mocked"
MACHINE = "arn:aws-us-gov:states:us-gov-west-1:123456789012:stateMachine:mocked"
ROLE = "arn:aws-us-gov:iam::123456789012:role/mocked"
ATTRIBUTES = {
    "Tell": MACHINE, "Tell.Arn": MACHINE, "CheckAgain.Arn": MACHINE, "TellRole.Arn": ROLE, "StartRole.Arn": ROLE, "CheckAgainRole.Arn": ROLE,
    "NewFindingRule.Arn": RULE, "CheckAgainFunctionRule.Arn": RULE, "CheckAgainQueueRule.Arn": RULE, "LogGroup.Arn": "LOG GROUP", "DeadLetterQueue": "URL",
    "DeadLetterQueue.Arn": "arn:aws-us-gov:sqs:us-gov-west-1:123456789012:mocked", "DeadLetterQueue.QueueName": "QUEUE",
}  # fmt: skip
NEEDED = {"TopicArn": "arn:aws-us-gov:sns:us-gov-west-1:123456789012:people"}
RUNS = {
    "defaults": {},
    "everything": {
        "TopicKeyArn": "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/0a1b2c3d",
        "Format": "chat",
        "SeverityFloor": "HIGH",
        "AlarmTopicArn": "arn:aws-us-gov:sns:us-gov-west-1:123456789012:alarms",
        "CheckAgainQueueName": "sg-trust-work",
        "CreateFleetAlarm": "true",
        "CreateDashboard": "true",
        "CreateAutomationRule": "true",
        "PermissionsBoundaryName": "boundaries/developers",
    },
    "function": {"Enabled": "false", "CheckAgainFunctionName": "sg-trust-lambda", "CreateInsights": "false"},
}


@pytest.fixture(scope="module")
def template():
    return cloudformation.parse(INFRA / "administrator.yaml")


@pytest.fixture(scope="module")
def terraform(tmp_path_factory):
    return Terraform(tmp_path_factory.mktemp("terraform"), ADMINISTRATOR)


@pytest.fixture(scope="module")
def tested(terraform):
    return terraform.own_tests()


def test_its_own_tests_pass(tested):
    (summary,) = [one["test_summary"] for one in tested if one["type"] == "test_summary"]
    errors = [one["@message"] for one in tested if one["@level"] == "error"]
    assert (summary["status"], summary["passed"], errors) == ("pass", len(RUNS) + 1, [])


@pytest.fixture(params=RUNS)
def both(request, template, tested):
    (made,) = [one["test_state"] for one in tested if one["type"] == "test_state" and one["@testrun"] == request.param]
    resources = {}
    for one in made["root_module"]["resources"]:
        resources.setdefault((one["type"], one["name"]), []).append(one["values"])
    return cloudformation.Stack(template, {**NEEDED, **RUNS[request.param]}, PSEUDO, ATTRIBUTES), resources


def test_both_have_the_same_rules(both):
    stack, state = both
    names = {"NewFindingRule": "new_finding", "CheckAgainFunctionRule": "check_again_function", "CheckAgainQueueRule": "check_again_queue"}
    mine = stack.of_type("AWS::Events::Rule")
    assert {names[name] for name in mine} == {name for type, name in state if type == "aws_cloudwatch_event_rule"}
    for name, rule in mine.items():
        (theirs,), (there,) = state["aws_cloudwatch_event_rule", names[name]], state["aws_cloudwatch_event_target", names[name]]
        assert rule["EventPattern"] == json.loads(theirs["event_pattern"])
        assert "State" not in rule or rule["State"] == theirs["state"]
        (target,) = rule["Targets"]
        assert (target["Id"], target["Arn"], target.get("RoleArn"), target["DeadLetterConfig"]["Arn"]) == (
            there["target_id"], there["arn"], there.get("role_arn"), there["dead_letter_config"][0]["arn"])  # fmt: skip
        assert list(target["RetryPolicy"].values()) == list(there["retry_policy"][0].values())


def test_both_run_the_same_machines(both):
    stack, state = both
    names = {"Tell": "tell", "CheckAgain": "check_again"}
    mine = stack.of_type("AWS::StepFunctions::StateMachine")
    assert {names[name] for name in mine} == {name for type, name in state if type == "aws_sfn_state_machine"}
    for name, machine in mine.items():
        (theirs,) = state["aws_sfn_state_machine", names[name]]
        assert machine["Definition"] == json.loads(theirs["definition"])
        assert (machine["LoggingConfiguration"]["Level"], machine["LoggingConfiguration"]["IncludeExecutionData"]) == (
            theirs["logging_configuration"][0]["level"], theirs["logging_configuration"][0]["include_execution_data"])  # fmt: skip


def test_both_allow_the_same(both):
    stack, state = both
    for name, theirs in {"StartRole": "start", "TellRole": "tell", "CheckAgainRole": "check_again"}.items():
        assert (name in stack.resources) == (("aws_iam_role", theirs) in state)
        if name in stack.resources:
            role, (there,), (policy,) = stack.resources[name], state["aws_iam_role", theirs], state["aws_iam_role_policy", theirs]
            (mine,) = role["Policies"]
            assert (mine["PolicyName"], normal(mine["PolicyDocument"])) == (policy["name"], normal(policy["policy"]))
            assert normal(role["AssumeRolePolicyDocument"]) == normal(there["assume_role_policy"])
            assert role.get("PermissionsBoundary") == there["permissions_boundary"]
    ((queue,),) = [found for (type, _), found in state.items() if type == "aws_sqs_queue_policy"]
    assert normal(stack.resources["DeadLetterQueuePolicy"]["PolicyDocument"]) == normal(queue["policy"])


def test_both_have_the_same_alarms_and_pictures(both):
    stack, state = both
    here = sorted(
        (one.get("MetricName", ""), *(query["Expression"] for query in one.get("Metrics", [])), *one.get("AlarmActions", []), one["Threshold"], one["EvaluationPeriods"],
         one.get("Statistic", ""), one["TreatMissingData"], one["ComparisonOperator"])
        for one in stack.of_type("AWS::CloudWatch::Alarm").values())  # fmt: skip
    there = sorted(
        (one["metric_name"] if not one["metric_query"] else "", *(query["expression"] for query in one["metric_query"]), *one["alarm_actions"], one["threshold"],
         one["evaluation_periods"], one["statistic"] if not one["metric_query"] else "", one["treat_missing_data"], one["comparison_operator"])
        for (type, _), found in state.items() if type == "aws_cloudwatch_metric_alarm" for one in found)  # fmt: skip
    assert here == there and len(here) >= 2
    for mine in stack.of_type("AWS::CloudWatch::Dashboard").values():
        (theirs,) = state["aws_cloudwatch_dashboard", "this"]
        assert mine["DashboardName"] == theirs["dashboard_name"] and json.loads(mine["DashboardBody"]) == json.loads(theirs["dashboard_body"])
    assert len(stack.of_type("AWS::SecurityHub::Insight")) == len(state.get(("aws_securityhub_insight", "this"), []))
    for mine in stack.of_type("AWS::SecurityHub::AutomationRule").values():
        (theirs,) = state["aws_securityhub_automation_rule", "example"]
        assert (mine["RuleName"], mine["RuleStatus"], mine["RuleOrder"]) == (theirs["rule_name"], theirs["rule_status"], theirs["rule_order"])


def test_both_take_the_same_parameters_and_answer_the_same(template):
    assert variables(ADMINISTRATOR) == parameters(template)
    assert outputs(ADMINISTRATOR) == template["Outputs"].keys()
