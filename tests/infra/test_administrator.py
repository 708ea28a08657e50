"""The administrator's stack: whom it tells of what, and how often.

The rule's pattern is matched by ministack. The state machine runs in moto's parser of Amazon States Language; its calls go to
a stand-in of SNS, SQS and Security Hub's administrator account, which does what AWS documents of a finding's workflow:
https://docs.aws.amazon.com/securityhub/latest/userguide/finding-workflow-status.html
"""

import contextlib
import copy
import itertools
import json
import socket
import subprocess
import sys
import urllib.parse
import urllib.request

import boto3
import cloudformation
import pytest
from asff import POLICY
from aws_stub import Reply
from aws_stub.moto import is_up, reset
from aws_stub.server import Server
from conftest import ACCOUNT, INFRA, REGION, ROOT, SG_TRUST, eventually

PSEUDO = {"AWS::Partition": "aws", "AWS::Region": REGION, "AWS::AccountId": ACCOUNT, "AWS::URLSuffix": "amazonaws.com", "AWS::StackName": "administrator"}
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:people"
MEMBER = "210987654321"


class Names(dict):
    def __missing__(self, name):
        return f"{name} of the stack"


@pytest.fixture(scope="module")
def administrator():
    return cloudformation.parse(INFRA / "administrator.yaml")


def stack(template, **parameters):
    return cloudformation.Stack(template, {"TopicArn": TOPIC, **parameters}, PSEUDO, Names())


class Administrator:
    """Security Hub of the administrator account, SNS and SQS, as far as the state machines call them."""

    def __init__(self):
        self.server = Server(self.answer)
        self.reset()

    def reset(self):
        self.findings, self.events = {}, []
        self.published, self.updates, self.sent = [], [], []
        self.refuses = set()

    def imported(self, finding):
        """What a member's finding becomes here, and the event that tells of it."""
        before = self.findings.get(finding["Id"])
        after = copy.deepcopy(finding)
        after["Severity"] = after["FindingProviderFields"]["Severity"]
        after["Region"] = finding["ProductArn"].split(":")[3]
        after["Workflow"] = {"Status": before["Workflow"]["Status"] if before else "NEW"}
        relapsed = before and (
            (before["RecordState"], after["RecordState"]) == ("ARCHIVED", "ACTIVE")
            or before["Compliance"]["Status"] == "PASSED" != after["Compliance"]["Status"]
        )
        if relapsed:
            after["Workflow"]["Status"] = "NEW"
        self.findings[finding["Id"]] = after
        self.tell(after)

    def tell(self, finding):
        """One event for each finding, also when people change one."""
        self.events.append({
            "version": "0", "id": "1", "source": "aws.securityhub", "account": ACCOUNT, "region": REGION, "time": "2026-11-24T09:00:00Z",
            "detail-type": "Security Hub Findings - Imported", "resources": [], "detail": {"findings": [copy.deepcopy(finding)]},
        })  # fmt: skip

    def answer(self, request):
        target = request.headers.get("x-amz-target", "").rpartition(".")[2]
        if request.path == "/findings/batchupdate":
            return self.batch_update_findings(json.loads(request.body))
        if target == "SendMessage":
            asked = json.loads(request.body)
            self.sent.append((asked["QueueUrl"], json.loads(asked["MessageBody"])))
            return Reply(200, {"MessageId": "1"})
        form = dict(urllib.parse.parse_qsl(request.body.decode()))
        assert form["Action"] == "Publish", request.path
        if "Publish" in self.refuses:
            return Reply(403, b"<ErrorResponse><Error><Type>Sender</Type><Code>AuthorizationError</Code><Message>no</Message></Error></ErrorResponse>", "text/xml")
        self.published.append(form)
        body = b"<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>"
        return Reply(200, body, "text/xml")

    def batch_update_findings(self, asked):
        self.updates.append(asked)
        (identifier,) = asked["FindingIdentifiers"]
        if "BatchUpdateFindings" in self.refuses:
            failed = {"FindingIdentifier": identifier, "ErrorCode": "FindingNotFound", "ErrorMessage": "no"}
            return Reply(200, {"ProcessedFindings": [], "UnprocessedFindings": [failed]})
        finding = self.findings[identifier["Id"]]
        assert finding["ProductArn"] == identifier["ProductArn"]
        finding["Workflow"] = asked["Workflow"]
        self.tell(finding)
        return Reply(200, {"ProcessedFindings": [identifier], "UnprocessedFindings": []})


LAUNCHER = """
import sys
import moto.stepfunctions.parser.asl.utils.boto_client as clients
clients.moto_server_port = lambda: sys.argv[1]
from moto.server import main
main(["-H", "127.0.0.1", "-p", sys.argv[2]])
"""


@contextlib.contextmanager
def executor(port_of_calls):
    """moto with its parser on; the calls of executions go elsewhere."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen([sys.executable, "-c", LAUNCHER, str(port_of_calls), str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: server.poll() is None and is_up(port), 60)
        body = json.dumps({"stepfunctions": {"execute_state_machine": True}}).encode()
        urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}/moto-api/config", body, method="POST"), timeout=10).close()
        yield boto3.client("stepfunctions", region_name=REGION, endpoint_url=f"http://127.0.0.1:{port}", aws_access_key_id="x", aws_secret_access_key="x")
    finally:
        server.kill()
        server.wait()


@pytest.fixture(scope="module")
def machines():
    hub = Administrator()
    with executor(hub.server.port) as states:
        yield hub, states
    hub.server.close()


def quickly(definition):
    """Without the waits between tries."""
    return json.dumps(definition).replace('"IntervalSeconds": 2', '"IntervalSeconds": 1').replace('"MaxAttempts": 8', '"MaxAttempts": 1')


class People:
    """The rule and the state machine, between the administrator's hub and the topic."""

    def __init__(self, hub, states, cloud, resources):
        self.hub, self.states, self.cloud = hub, states, cloud
        self.pattern = resources.resources["NewFindingRule"]["EventPattern"]
        self.definition = resources.resources["Tell"]["Definition"]
        hub.reset()

    def deliver(self):
        """Every event to the rule, until there is none left. The status of each execution."""
        ended = []
        while self.hub.events:
            event = self.hub.events.pop(0)
            if matches(self.cloud, event, self.pattern):
                ended.append(execute(self.states, self.definition, event))
        return ended


NUMBERS = itertools.count()


def execute(states, definition, event):
    """The status in which the execution ends. moto cannot start a second one beside those that it remembers."""
    reset(urllib.parse.urlsplit(states.meta.endpoint_url).port)
    made = states.create_state_machine(name=f"machine-{next(NUMBERS)}", definition=quickly(definition), roleArn=f"arn:aws:iam::{ACCOUNT}:role/machine")
    machine = made["stateMachineArn"]
    execution = states.start_execution(stateMachineArn=machine, name=f"execution-{next(NUMBERS)}", input=json.dumps(event))["executionArn"]
    described = eventually(lambda: (found := states.describe_execution(executionArn=execution))["status"] != "RUNNING" and found, 60)
    return described["status"]


def matches(cloud, event, pattern):
    return cloud.events.test_event_pattern(EventPattern=json.dumps(pattern), Event=json.dumps(event))["Result"]


@pytest.fixture
def people(machines, cloud, administrator):
    return People(*machines, cloud, stack(administrator, SeverityFloor="LOW"))


@pytest.fixture(scope="module")
def failed():
    """A finding as the product makes it, of a member account."""
    command = [SG_TRUST, "replay", ROOT / "events/authorize-ingress.json", "--groups", ROOT / "events/account.json", "--format", "asff"]
    (made,) = json.loads(subprocess.run(command, capture_output=True, text=True).stdout.replace(ACCOUNT, MEMBER))
    assert (made["Compliance"]["Status"], made["RecordState"]) == ("FAILED", "ACTIVE")
    return made


def having(finding, status, record_state, **more):
    return {**copy.deepcopy(finding), "Compliance": {"Status": status}, "RecordState": record_state, **more}


def test_people_are_told_once_and_again_after_a_relapse_and_not_of_an_import_of_the_same(people, failed):
    hub = people.hub
    hub.imported(failed)
    assert people.deliver() == ["SUCCEEDED"]
    (update,) = hub.updates
    assert update == {"FindingIdentifiers": [{"Id": failed["Id"], "ProductArn": failed["ProductArn"]}], "Workflow": {"Status": "NOTIFIED"}}
    assert hub.findings[failed["Id"]]["Workflow"] == {"Status": "NOTIFIED"} and len(hub.published) == 1

    for _ in range(3):
        hub.imported(failed)
    assert people.deliver() == [] and len(hub.published) == 1, "an import of the same tells again"

    # The product archives what is mended.
    hub.imported(having(failed, "PASSED", "ARCHIVED"))
    assert people.deliver() == []
    hub.imported(failed)
    assert people.deliver() == ["SUCCEEDED"] and len(hub.published) == 2
    hub.imported(failed)
    assert people.deliver() == [] and len(hub.updates) == 2


def test_the_end_of_an_exemption_is_told(people, failed):
    people.hub.imported(having(failed, "WARNING", "ARCHIVED"))
    assert people.deliver() == []
    people.hub.imported(failed)
    assert people.deliver() == ["SUCCEEDED"]


def test_the_message_has_what_a_person_needs(people, failed):
    people.hub.imported(failed)
    people.deliver()
    (form,) = people.hub.published
    assert form["TopicArn"] == TOPIC
    assert form["Subject"] == f"sg-trust LOW in account {MEMBER}, {REGION}" and len(form["Subject"]) <= 100
    for part in (failed["Description"], failed["ProductFields"]["sg-trust/fix/1"], f"https://console.aws.amazon.com/securityhub/home?region={REGION}", failed["Id"]):
        assert part in form["Message"]
    assert "Opened by arn:aws:sts::" in form["Message"]


def test_a_finding_without_a_fix_is_told_too(people, failed):
    fields = {name: value for name, value in failed["ProductFields"].items() if not name.startswith("sg-trust/fix/")}
    people.hub.imported({**failed, "ProductFields": fields})
    assert people.deliver() == ["SUCCEEDED"] and "See the finding" in people.hub.published[0]["Message"]


@pytest.mark.parametrize("name", ['a "quoted" \\ name', "{}", "{0}\n\ttwo lines", "</script>`$(x)` <!channel>", "$.finding.Id", "\u00e9\U0001f600"])
def test_names_that_others_chose_stay_data(machines, cloud, administrator, failed, name):
    people = People(*machines, cloud, stack(administrator, SeverityFloor="LOW", Format="chat"))
    description = f"sg-1 ({name}) accepts all traffic from sg-2"
    people.hub.imported({**failed, "Description": description})
    assert people.deliver() == ["SUCCEEDED"]
    message = json.loads(people.hub.published[0]["Message"])
    assert (message["version"], message["source"], message["content"]["textType"]) == ("1.0", "custom", "client-markdown")
    assert message["content"]["description"].startswith(description) and message["metadata"]["threadId"] == failed["Id"]


def test_what_could_not_be_told_is_not_noted_as_told(people, failed):
    people.hub.refuses = {"Publish"}
    people.hub.imported(failed)
    assert people.deliver() == ["FAILED"]
    assert people.hub.updates == [] and people.hub.findings[failed["Id"]]["Workflow"] == {"Status": "NEW"}
    people.hub.refuses = set()
    people.hub.imported(failed)
    assert people.deliver() == ["SUCCEEDED"]


def test_what_is_not_noted_fails_loudly(people, failed):
    people.hub.refuses = {"BatchUpdateFindings"}
    people.hub.imported(failed)
    assert people.deliver() == ["FAILED"] and len(people.hub.published) == 1


SEVERITIES = ["INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL"]


@pytest.mark.parametrize("floor", SEVERITIES[1:])
def test_the_rule_lets_through_new_failed_active_findings_of_the_product_and_nothing_else(cloud, administrator, failed, floor):
    hub = Administrator()
    pattern = stack(administrator, SeverityFloor=floor).resources["NewFindingRule"]["EventPattern"]
    wanted = 0
    states = itertools.product(["FAILED", "PASSED", "WARNING", "NOT_AVAILABLE"], ["ACTIVE", "ARCHIVED"], ["NEW", "NOTIFIED", "RESOLVED", "SUPPRESSED"], SEVERITIES)
    for status, record_state, workflow, severity in states:
        finding = having(failed, status, record_state, Workflow={"Status": workflow}, Severity={"Label": severity})
        hub.tell(finding)
        is_wanted = (status, record_state, workflow) == ("FAILED", "ACTIVE", "NEW") and SEVERITIES.index(severity) >= SEVERITIES.index(floor)
        assert matches(cloud, hub.events.pop(), pattern) == is_wanted, (status, record_state, workflow, severity)
        wanted += is_wanted
    assert wanted == len(SEVERITIES) - SEVERITIES.index(floor)
    good = having(failed, "FAILED", "ACTIVE", Workflow={"Status": "NEW"}, Severity={"Label": "CRITICAL"})
    hub.tell(good)
    event = hub.events.pop()
    assert matches(cloud, event, pattern)
    for change in ({"account": MEMBER}, {"region": "eu-west-1"}, {"source": "aws.ec2"}, {"detail-type": "Security Hub Findings - Custom Action"},
                   {"detail": {"findings": [{**good, "GeneratorId": "another"}]}}):  # fmt: skip
        assert not matches(cloud, {**event, **change}, pattern), change
    hub.server.close()


def test_check_again_asks_the_function_for_each_group_in_its_account(machines, administrator, failed):
    hub, states = machines
    hub.reset()
    resources = stack(administrator, CheckAgainQueueName="sg-trust-work").resources
    own = {**failed, "Region": REGION}
    findings = [own, {**own, "GeneratorId": "another", "Id": "x"}, {**own, "Region": "eu-west-1"}, {**own, "AwsAccountId": "333333333333", "Id": own["Id"] + "0"}]
    event = {"detail-type": "Security Hub Findings - Custom Action", "detail": {"actionName": "Check again", "findings": findings}}
    assert execute(states, resources["CheckAgain"]["Definition"], event) == "SUCCEEDED"
    group = own["Id"].rsplit("/", 1)[1]
    queue = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/sg-trust-work"
    assert sorted(hub.sent, key=str) == sorted([
        (queue, {"action": "evaluate", "account": MEMBER, "group_ids": [group]}),
        (queue, {"action": "evaluate", "account": "333333333333", "group_ids": [group + "0"]}),
    ], key=str)  # fmt: skip


@pytest.mark.parametrize(("parameters", "rules"), [
    ({}, set()), ({"CheckAgainFunctionName": "sg-trust-lambda"}, {"CheckAgainFunctionRule"}), ({"CheckAgainQueueName": "work"}, {"CheckAgainQueueRule"}),
])  # fmt: skip
def test_check_again_goes_one_way(cloud, administrator, parameters, rules):
    resources = stack(administrator, **parameters)
    assert resources.of_type("AWS::Events::Rule").keys() == {"NewFindingRule", *rules}
    sample = json.loads((ROOT / "events/custom-action.json").read_text())
    for rule in rules:
        pattern = resources.resources[rule]["EventPattern"]
        assert matches(cloud, sample, pattern)
        assert not matches(cloud, {**sample, "resources": [sample["resources"][0].replace("CheckAgain", "Other")]}, pattern)


def test_it_may_only_tell_and_note(administrator):
    resources = stack(administrator).resources
    (policy,) = resources["TellRole"]["Policies"]
    allowed = {one["Sid"]: one for one in policy["PolicyDocument"]["Statement"]}
    assert allowed.keys() == {"Tell", "NoteThatPeopleWereTold", "DeliverLog"}
    assert (allowed["Tell"]["Action"], allowed["Tell"]["Resource"]) == ("sns:Publish", TOPIC)
    noted = allowed["NoteThatPeopleWereTold"]
    assert noted["Action"] == "securityhub:BatchUpdateFindings" and noted["Condition"] == {"StringEquals": {"securityhub:ASFFSyntaxPath/Workflow.Status": "NOTIFIED"}}
    assert resources["NewFindingRule"]["EventPattern"]["detail"]["findings"]["GeneratorId"] == [POLICY]


def test_the_example_of_an_automation_rule_is_off(administrator):
    assert "AutomationRule" not in stack(administrator).resources
    rule = stack(administrator, CreateAutomationRule="true").resources["AutomationRule"]
    assert rule["RuleStatus"] == "DISABLED" and rule["Criteria"]["GeneratorId"][0]["Value"] == POLICY
