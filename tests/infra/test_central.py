"""Central mode: both roles allow what was called and nothing else, and both templates go by the same names."""

import json
import os
import re

import cloudformation
import pytest
from conftest import INFRA, ROOT
from test_least_privilege import actions

ORGANISATION, CENTRAL, MEMBER = "o-abcdefghij", "111111111111", "222222222222"
REGION = "eu-west-1"
# Allowed to everybody, and called in emulators only.
NEEDS_NO_PERMISSION = {"sts:GetCallerIdentity"}


class Attributes(dict):
    """What a resource answers to Ref and GetAtt: names that tell which it is."""

    def __missing__(self, name):
        return f"<{name}>"


def resolved(name, account, **parameters):
    pseudo = {"AWS::Partition": "aws", "AWS::Region": REGION, "AWS::AccountId": account, "AWS::URLSuffix": "amazonaws.com"}
    return cloudformation.Stack(cloudformation.parse(INFRA / name), parameters, pseudo, Attributes())


@pytest.fixture
def central():
    return resolved("central.yaml", CENTRAL, OrganizationId=ORGANISATION, RoleRegion=REGION, CodeBucket="bucket", CodeKey="key.zip")


@pytest.fixture
def member():
    return resolved("member.yaml", MEMBER, CentralAccountId=CENTRAL, RoleRegion=REGION)


def statements(stack, role, policy):
    (found,) = [one for one in stack.resources[role]["Policies"] if one["PolicyName"] == policy]
    return {one["Sid"]: one for one in found["PolicyDocument"]["Statement"]}


def allowed(stack, role):
    return set().union(*(actions(one) for one in statements(stack, role, "called-by-the-function").values()))


def seen(name):
    path = ROOT / f"target/e2e-{name}.json"
    if not path.exists():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{path} is missing: a whole run of the end-to-end tests (make e2e) writes it")
    return set(json.loads(path.read_text())) - NEEDS_NO_PERMISSION


def of_one_account():
    """What the same binary was seen to call for its own account, whichever tests had it do so."""
    return {action for action in seen("actions") if action.startswith(("ec2:", "securityhub:"))}


def test_the_central_role_allows_what_the_function_was_seen_to_call(central):
    assert allowed(central, "Role") == seen("actions-central") | of_one_account()


def test_the_members_role_allows_what_was_called_with_it(member):
    # Only its own connection is opened beforehand: DescribeHub is never called in a member.
    expected = of_one_account() - {"securityhub:DescribeHub"}
    assert seen("actions-member") <= expected
    assert allowed(member, "MemberRole") == expected


def test_a_list_of_accounts_needs_no_permission_to_list_them():
    stack = resolved("central.yaml", CENTRAL, OrganizationId=ORGANISATION, RoleRegion=REGION, CodeBucket="bucket", CodeKey="key.zip", Accounts=MEMBER)
    assert "organizations:ListAccounts" not in allowed(stack, "Role")


def test_the_members_role_trusts_the_central_functions_role_and_no_other(central, member):
    (trust,) = member.resources["MemberRole"]["AssumeRolePolicyDocument"]["Statement"]
    central_role = central.resources["Role"]
    arn = f"arn:aws:iam::{CENTRAL}:role{central_role['Path']}{central_role['RoleName']}"
    assert trust["Action"] == "sts:AssumeRole" and trust["Principal"] == {"AWS": f"arn:aws:iam::{CENTRAL}:root"}
    assert trust["Condition"] == {"ArnEquals": {"aws:PrincipalArn": arn}}
    assume = statements(central, "Role", "called-by-the-function")["AssumeMemberRoles"]
    role = member.resources["MemberRole"]
    assert assume["Resource"].replace("*", MEMBER) == f"arn:aws:iam::{MEMBER}:role{role['Path']}{role['RoleName']}"
    assert assume["Condition"] == {"StringEquals": {"aws:ResourceOrgID": ORGANISATION}}
    environment = central.resources["Function"]["Environment"]["Variables"]
    assert f"/{environment['SG_TRUST_MEMBER_ROLE']}" == role["Path"] + role["RoleName"]


def test_only_the_senders_of_the_organisation_may_send_changes(central, member):
    sender = member.resources["SendingRole"]
    arn = f"arn:aws:iam::*:role{sender['Path']}{sender['RoleName']}"
    condition = {"StringEquals": {"aws:PrincipalOrgID": ORGANISATION}, "ArnLike": {"aws:PrincipalArn": arn}}
    queue = central.resources["EventQueuePolicy"]["PolicyDocument"]["Statement"]
    assert [(one["Effect"], one["Condition"]) for one in queue] == [("Deny", {"Bool": {"aws:SecureTransport": "false"}}), ("Allow", condition)]
    assert queue[1]["Action"] == "sqs:SendMessage"
    # Nobody else's account may send to the other queues.
    for name in ("WorkQueuePolicy", "DeadLetterQueuePolicy", "EventDeadLetterQueuePolicy"):
        assert [one["Effect"] for one in central.resources[name]["PolicyDocument"]["Statement"]] == ["Deny"]
    (key,) = [one for one in central.resources["Key"]["KeyPolicy"]["Statement"] if one["Sid"] == "SendersOfTheMembers"]
    assert {**condition, "StringLike": {"kms:ViaService": f"sqs.{REGION}.amazonaws.com*"}} == key["Condition"]
    of_sender = {one["Sid"]: one for one in sender["Policies"][0]["PolicyDocument"]["Statement"]}
    assert set(of_sender["UseKeyOfTheQueue"]["Action"]) == set(key["Action"]) == {"kms:Decrypt", "kms:GenerateDataKey"}


def test_the_rule_sends_to_the_central_queue_with_the_senders_role(central, member):
    (target,) = member.resources["ChangeRule"]["Targets"]
    assert target["Arn"] == f"arn:aws:sqs:{REGION}:{CENTRAL}:{central.resources['EventQueue']['QueueName']}"
    sender = member.resources["SendingRole"]
    assert target["RoleArn"] == f"arn:aws:iam::{MEMBER}:role{sender['Path']}{sender['RoleName']}"
    send = {one["Sid"]: one for one in sender["Policies"][0]["PolicyDocument"]["Statement"]}["SendChanges"]
    assert send["Resource"].replace("*", REGION) == target["Arn"]
    trust = sender["AssumeRolePolicyDocument"]["Statement"][0]["Condition"]
    assert trust["ArnLike"]["aws:SourceArn"].endswith(f":rule/{member.resources['ChangeRule']['Name']}")


@pytest.mark.parametrize("region", [REGION, "us-east-1"])
def test_one_region_makes_the_roles_and_all_go_by_their_names(region):
    central = resolved("central.yaml", CENTRAL, OrganizationId=ORGANISATION, RoleRegion=region, CodeBucket="bucket", CodeKey="key.zip")
    member = resolved("member.yaml", MEMBER, CentralAccountId=CENTRAL, RoleRegion=region)
    is_here = region == REGION
    assert ("Role" in central.resources) is is_here
    assert ("MemberRole" in member.resources, "SendingRole" in member.resources) == (is_here, is_here)
    role = central.resources["Function"]["Role"]
    assert role == ("<Role.Arn>" if is_here else f"arn:aws:iam::{CENTRAL}:role/security/sg-trust-central-function")


def test_the_sweep_goes_through_the_work_queue(central):
    resources = central.resources
    assert json.loads(resources["Sweep"]["Target"]["Input"]) == {"action": "sweep-all"}
    assert resources["Function"]["Environment"]["Variables"]["SG_TRUST_WORK_QUEUE"] == "<WorkQueue.Arn>"
    assert resources["WorkQueueMapping"]["EventSourceArn"] == "<WorkQueue.Arn>" and resources["WorkQueueMapping"]["BatchSize"] == 1
    for queue, mapping in (("EventQueue", "EventQueueMapping"), ("WorkQueue", "WorkQueueMapping")):
        assert resources[queue]["VisibilityTimeout"] >= 6 * 300
        assert resources[mapping]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert int(resources[mapping]["ScalingConfig"]["MaximumConcurrency"]) >= 2
    # What a member sent is never given to the function by hand.
    assert resources["EventQueue"]["RedrivePolicy"]["deadLetterTargetArn"] == "<EventDeadLetterQueue.Arn>"


def test_a_member_has_the_pattern_of_every_stack(template):
    member = cloudformation.parse(INFRA / "member.yaml")
    assert member["Resources"]["ChangeRule"]["Properties"]["EventPattern"] == template["Resources"]["ChangeRule"]["Properties"]["EventPattern"]


def test_a_member_has_no_code_and_no_bucket():
    types = {one["Type"] for one in cloudformation.parse(INFRA / "member.yaml")["Resources"].values()}
    assert types == {"AWS::IAM::Role", "AWS::Events::Rule", "AWS::SQS::Queue", "AWS::SQS::QueuePolicy"}


def test_every_variable_of_the_function_is_set(central):
    documented = set(re.findall(r"^//! \| `(SG_TRUST_\w+)` \|", (ROOT / "src/lambda/environment.rs").read_text(), re.M))
    stack = resolved("central.yaml", CENTRAL, OrganizationId=ORGANISATION, RoleRegion=REGION, CodeBucket="bucket", CodeKey="key.zip",
                     PolicyLayerArn="arn:aws:lambda:eu-west-1:111111111111:layer:policy:1")  # fmt: skip
    assert set(stack.resources["Function"]["Environment"]["Variables"]) == documented | {"SSL_CERT_FILE"}


@pytest.mark.parametrize("name", ["central.yaml", "member.yaml"])
def test_no_action_is_a_wildcard(name):
    resources = cloudformation.parse(INFRA / name)["Resources"].values()
    for role in (one["Properties"] for one in resources if one["Type"] == "AWS::IAM::Role"):
        text = json.dumps([policy["PolicyDocument"] for policy in role["Policies"]])
        assert not re.search(r'"\w+:[^"]*\*"', re.sub(r'"Resource": (\{[^}]*\}|\[[^\]]*\]|"[^"]*")', "", re.sub(r'"Fn::Sub": "[^"]*"', "", text)))
