"""The pattern lets through exactly the events that make the function do something, and nothing else of EC2."""

import json
import subprocess

import pytest
from conftest import ACCOUNT, INFRA, REGION, ROOT, SG_TRUST


def load(path):
    """The event, where it is one of EventBridge's: no rule sees anything else."""
    try:
        value = json.loads(path.read_text())
    except ValueError:
        return None
    is_event = isinstance(value, dict) and {"source", "detail-type", "account", "region"} <= value.keys() and isinstance(value.get("detail"), dict)
    return value if is_event else None


EVENTS = {path: event for path in sorted((ROOT / "events").glob("*.json")) if (event := load(path))}
# Where the pattern and the function differ, and why that is right.
DIFFERENT = {
    # CloudTrail omits the member when there was no error: a null has never been seen. The function takes it as none.
    "authorize-ingress-error-code-null",
}
# What must be matched, whatever the function makes of it.
NAMES = {
    "AssociateSecurityGroupVpc", "AuthorizeSecurityGroupEgress", "AuthorizeSecurityGroupIngress", "CreateDefaultVpc", "CreateSecurityGroup",
    "CreateTags", "CreateVpc", "DeleteSecurityGroup", "DeleteTags", "DeleteVpc", "DisassociateSecurityGroupVpc", "ModifySecurityGroupRules",
    "RevokeSecurityGroupEgress", "RevokeSecurityGroupIngress", "UpdateSecurityGroupRuleDescriptionsEgress",
    "UpdateSecurityGroupRuleDescriptionsIngress",
}  # fmt: skip
PATTERN = json.loads((INFRA / "event-pattern.json").read_text().replace("${AWS::AccountId}", ACCOUNT).replace("${AWS::Region}", REGION))


def targets(path):
    done = subprocess.run([SG_TRUST, "targets", path], capture_output=True, text=True)
    return json.loads(done.stdout) if done.returncode == 0 else None


def matches(cloud, event, pattern=PATTERN):
    # EventBridge's own TestEventPattern wants these.
    whole = {"version": "0", "id": "1", "time": "2026-11-24T09:00:00Z", "resources": [], **event}
    return cloud.events.test_event_pattern(EventPattern=json.dumps(pattern), Event=json.dumps(whole))["Result"]


@pytest.mark.parametrize("path", EVENTS, ids=lambda path: path.stem)
def test_what_makes_the_function_evaluate_passes_and_nothing_else(cloud, path):
    made = targets(path)
    is_wanted = (
        made is not None and made["kind"] == "cloudtrail" and made["action"] != "ignore" and (made["account"], made["region"]) == (ACCOUNT, REGION)
    )
    if path.stem in DIFFERENT:
        is_wanted = not is_wanted
    assert matches(cloud, EVENTS[path]) == is_wanted, made


def test_the_samples_cover_every_call_of_the_pattern(cloud):
    matched = {event["detail"]["eventName"] for event in EVENTS.values() if matches(cloud, event)}
    assert matched == NAMES


SAMPLE = load(ROOT / "events/create-tags.json")


def with_resources(*ids):
    parameters = {**SAMPLE["detail"]["requestParameters"], "resourcesSet": {"items": [{"resourceId": id} for id in ids]}}
    return {**SAMPLE, "detail": {**SAMPLE["detail"], "requestParameters": parameters}}


@pytest.mark.parametrize(
    ("event", "is_matched"),
    [
        (with_resources("sg-0123456789abcdef0"), True),
        (with_resources("i-0123456789abcdef0", "vpc-1", "sg-0123456789abcdef0"), True),
        (with_resources("sgr-0123456789abcdef0"), False),
        (with_resources("i-0123456789abcdef0"), False),
        (with_resources(), False),
        ({**SAMPLE, "account": "210987654321"}, False),
        ({**SAMPLE, "region": "eu-west-1"}, False),
        ({**SAMPLE, "source": "test.ec2"}, False),
        ({**SAMPLE, "detail-type": "AWS Console Action via CloudTrail"}, False),
        ({**SAMPLE, "detail": {**SAMPLE["detail"], "errorCode": "Client.UnauthorizedOperation"}}, False),
        ({**SAMPLE, "detail": {**SAMPLE["detail"], "eventSource": "wickr.amazonaws.com"}}, False),
        ({**SAMPLE, "detail": {**SAMPLE["detail"], "eventName": "DescribeSecurityGroups"}}, False),
    ],
)
def test_tags_of_other_things_and_events_of_elsewhere_do_not_pass(cloud, event, is_matched):
    assert matches(cloud, event) is is_matched


def test_the_template_holds_this_pattern(template):
    """By Ref instead of the placeholders, which are CloudFormation's own words for the same."""
    text = json.dumps(template["Resources"]["ChangeRule"]["Properties"]["EventPattern"])
    for name in ("AWS::AccountId", "AWS::Region"):
        text = text.replace(json.dumps({"Ref": name}), json.dumps("${" + name + "}"))
    assert json.loads(text) == json.loads((INFRA / "event-pattern.json").read_text())
