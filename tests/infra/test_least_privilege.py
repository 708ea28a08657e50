"""The first part of the role is what the binary was seen to call: no more, no less."""

import json
import os
import re

import pytest
from conftest import ROOT

SEEN = ROOT / "target/e2e-actions.json"
# Allowed to everybody. The function calls it only in emulators, which do not tell it its ARN.
NEEDS_NO_PERMISSION = {"sts:GetCallerIdentity"}
# What Lambda does with the role. The binary must never be seen to do it.
OF_LAMBDA = {
    "WriteLog": {"logs:CreateLogStream", "logs:PutLogEvents"},
    "SendFailedEvents": {"sqs:SendMessage"},
    "TakeEvents": {"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"},
    "UseKey": {"kms:Decrypt", "kms:GenerateDataKey"},
    "WriteTraces": {"xray:PutTelemetryRecords", "xray:PutTraceSegments"},
    "ManageNetworkInterfaces": {
        "ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets", "ec2:UnassignPrivateIpAddresses",
    },
}  # fmt: skip


def statements(template, policy):
    found = [one for one in template["Resources"]["Role"]["Properties"]["Policies"] if one["PolicyName"] == policy]
    assert len(found) == 1
    return [one["Fn::If"][1] if "Fn::If" in one else one for one in found[0]["PolicyDocument"]["Statement"]]


def actions(statement):
    return {statement["Action"]} if isinstance(statement["Action"], str) else set(statement["Action"])


def test_the_role_allows_what_the_function_was_seen_to_call(template):
    if not SEEN.exists():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{SEEN} is missing: a whole run of the end-to-end tests (make e2e) writes it")
    allowed = set().union(*(actions(one) for one in statements(template, "called-by-the-function")))
    assert allowed == set(json.loads(SEEN.read_text())) - NEEDS_NO_PERMISSION


def test_the_second_part_is_what_lambda_itself_needs(template):
    allowed = {one["Sid"]: actions(one) for one in statements(template, "used-by-lambda-itself") if one["Effect"] == "Allow"}
    assert allowed == OF_LAMBDA


def test_the_code_may_not_manage_network_interfaces(template):
    (denied,) = [one for one in statements(template, "used-by-lambda-itself") if one["Effect"] == "Deny"]
    assert actions(denied) == OF_LAMBDA["ManageNetworkInterfaces"]
    assert list(denied["Condition"]["ArnEquals"]) == ["lambda:SourceFunctionArn"]


def test_nothing_that_is_deployed_may_change_a_security_group():
    """`sg-trust fix` does, with an operator's own credentials. tests/e2e/test_fix.py shows that the function has no code for it either."""
    files = [path for path in (ROOT / "infra").rglob("*") if path.is_file() and ".terraform" not in path.parts]
    named = {name for path in files for name in re.findall(r"ec2:[A-Za-z*]+", path.read_text(errors="ignore"))}
    changes = {name for name in named if not name.startswith("ec2:Describe")}
    assert "ec2:DescribeSecurityGroups" in named and changes <= OF_LAMBDA["ManageNetworkInterfaces"]


def test_only_what_has_no_resource_is_allowed_on_all(template):
    for policy in ("called-by-the-function", "used-by-lambda-itself"):
        on_all = set().union(*(actions(one) for one in statements(template, policy) if one["Effect"] == "Allow" and one["Resource"] == "*"), set())
        expected = {
            "called-by-the-function": {"ec2:DescribeSecurityGroups", "ec2:DescribeSecurityGroupRules", "ec2:DescribeVpcs"},
            "used-by-lambda-itself": OF_LAMBDA["WriteTraces"] | OF_LAMBDA["ManageNetworkInterfaces"],
        }
        assert on_all == expected[policy]


def test_no_action_and_no_principal_is_a_wildcard(template):
    text = json.dumps([one["Properties"] for one in template["Resources"].values() if one["Type"] == "AWS::IAM::Role"])
    assert "*\"" not in text.replace('"Resource": "*"', "")


def test_a_service_acts_only_for_this_stack(template):
    resources = template["Resources"]
    trust = resources["SweepRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"][0]
    assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert trust["Condition"]["StringEquals"] == {
        "aws:SourceAccount": {"Ref": "AWS::AccountId"},
        "aws:SourceArn": {"Fn::GetAtt": ["SweepGroup", "Arn"]},
    }
    assert resources["Sweep"]["Properties"]["GroupName"] == {"Ref": "SweepGroup"}
    # By the rule's name, since the rule waits for what lets it deliver.
    assert resources["ChangeRule"]["Properties"]["Name"] == {"Ref": "FunctionName"}
    change = {"Fn::Sub": "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/${FunctionName}"}
    assert resources["ChangeRulePermission"]["Properties"]["SourceArn"] == change
    others = {"ConfigRule": "HasConfigItems", "TagRule": "HasTagChanges", "CustomActionRule": "HasCustomAction"}
    for rule, condition in others.items():
        permission = resources[f"{rule}Permission"]
        assert (permission["Condition"], permission["Properties"]["SourceArn"]) == (condition, {"Fn::GetAtt": [rule, "Arn"]})
    for queue in ("DeadLetterQueue", "ChangeQueue"):
        deny, allow = resources[f"{queue}Policy"]["Properties"]["PolicyDocument"]["Statement"]
        assert (deny["Effect"], deny["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
        assert allow["Principal"] == {"Service": "events.amazonaws.com"} and allow["Action"] == "sqs:SendMessage"
        allowed = allow["Condition"]["ArnEquals"]["aws:SourceArn"]
        if queue == "DeadLetterQueue":
            allowed, *of_others = allowed
            assert of_others == [{"Fn::If": [condition, {"Fn::GetAtt": [rule, "Arn"]}, {"Ref": "AWS::NoValue"}]} for rule, condition in others.items()]
        assert list(allow["Condition"]) == ["ArnEquals"] and allowed == change


def test_the_key_is_used_by_way_of_the_services_only(template):
    """For the queues and the environment: nothing that the code might ask of the key itself."""
    for role in ("Role", "SweepRole"):
        found = json.dumps(template["Resources"][role]["Properties"]["Policies"])
        assert found.count("kms:Decrypt") == found.count("kms:ViaService") == 1
