"""The stack, really deployed: create, change, delete; and an event on the bus that ends as a finding in Security Hub.

ministack is the account, moto its EC2 and Security Hub, and the function is the real binary. What ministack does not do of
EventBridge: it takes no events of aws.* by PutEvents (AWS neither), does not try a failed invocation again when a rule made it,
and starts no schedules. So the rule here is a copy that waits for `test.ec2`, and an asynchronous invocation is made as
EventBridge makes it.
"""

import base64
import json
import platform
import subprocess
import time

import pytest
from asff import POLICY
from cloudtrail import event
from conftest import ACCOUNT, BINARY, INFRA, REGION, ROOT, SG_TRUST, environment, eventually, tool

ARCHITECTURE = {"x86_64": "x86_64", "aarch64": "arm64"}[platform.machine()]
BUCKET = f"sg-trust-code-{ACCOUNT}-{REGION}"


def run(cloud, script, *arguments, **more):
    """A script of infra/, with the AWS CLI and an account that is ministack."""
    cli = tool("aws", "awscli").parent
    variables = {**cloud.environment, "SG_TRUST": str(SG_TRUST), "PATH": f"{cli}:{environment()['PATH']}", **more}
    # Where to is said, or is not to be known.
    del variables["AWS_DEFAULT_REGION"]
    return subprocess.run([INFRA / script, *arguments], capture_output=True, text=True, cwd=ROOT, env=variables)


def deploy(cloud, policy, *arguments, region=REGION):
    flags = ["--x86-64"] if ARCHITECTURE == "x86_64" else []
    # Without its debug information, which would take most of the time.
    binary = policy.parent / "sg-trust-lambda"
    if not binary.exists():
        subprocess.run(["strip", "-o", binary, BINARY], check=True)
    done = run(cloud, "deploy.sh", "--region", region, *flags, "--package", binary, "--policy", policy, *arguments)
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    path = tmp_path_factory.mktemp("policy") / "policy.toml"
    path.write_text('severity = "HIGH"\n')
    return path


@pytest.fixture(scope="module")
def deployed(cloud, policy):
    return deploy(cloud, policy)


@pytest.fixture(scope="module")
def copy(cloud, deployed):
    """The stack again, with a rule that waits for test.ec2 and hands the function what AWS would."""
    text = (INFRA / "template.yaml").read_text()
    changes = {
        "        source: [aws.ec2]\n": "        source: [test.ec2]\n",
        "        - Id: sg-trust\n": """        - Id: sg-trust
          InputTransformer:
            InputPathsMap: {id: $.id, account: $.account, region: $.region, time: $.time, type: $.detail-type, detail: $.detail}
            InputTemplate: >-
              {"version": "0", "id": <id>, "source": "aws.ec2", "account": <account>, "region": <region>, "time": <time>,
              "detail-type": <type>, "resources": [], "detail": <detail>}
""",
    }
    for old, new in changes.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    keys = [one["Key"] for one in cloud.s3.list_objects_v2(Bucket=BUCKET)["Contents"]]
    return Copy(cloud, text, {"CodeBucket": BUCKET, "CodeKey": keys[0], "Architecture": ARCHITECTURE, "FunctionName": "sg-trust-copy", "Timeout": "60"})


class Copy:
    NAME = "sg-trust-copy"

    def __init__(self, cloud, template, parameters):
        self.cloud, self.template, self.parameters, self.is_there = cloud, template, parameters, False

    def having(self, **parameters):
        """The stack with these parameters beside those that it needs."""
        given = [{"ParameterKey": name, "ParameterValue": value} for name, value in {**self.parameters, **parameters}.items()]
        api = self.cloud.cloudformation
        call, waiter = (api.update_stack, "stack_update_complete") if self.is_there else (api.create_stack, "stack_create_complete")
        try:
            call(StackName=self.NAME, TemplateBody=self.template, Parameters=given, Capabilities=["CAPABILITY_IAM"])
            api.get_waiter(waiter).wait(StackName=self.NAME, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        except api.exceptions.ClientError as error:
            assert "No updates" in str(error), error
        self.is_there = True
        return self

    @property
    def resources(self):
        return self.cloud.resources(self.NAME)

    @property
    def outputs(self):
        return self.cloud.outputs(self.NAME)

    def put(self, made):
        """On the default bus, as CloudTrail would."""
        entry = {"Source": "test.ec2", "DetailType": made["detail-type"], "Detail": json.dumps(made["detail"])}
        assert self.cloud.events.put_events(Entries=[entry])["FailedEntryCount"] == 0

    def dead_letters(self):
        return self.count("DeadLetterQueueUrl")

    def count(self, output):
        attributes = self.cloud.sqs.get_queue_attributes(QueueUrl=self.outputs[output], AttributeNames=["All"])["Attributes"]
        return int(attributes["ApproximateNumberOfMessages"])


@pytest.fixture
def no_dead_letters(copy, cloud):
    copy.having()
    cloud.sqs.purge_queue(QueueUrl=copy.outputs["DeadLetterQueueUrl"])


@pytest.fixture
def opened(account):
    """A group that lets another in, and the event that tells."""
    source, group = account.group("web"), account.group("payments-db")
    account.allow(group, source)
    return group, event("authorize-ingress", group, source)


def test_deploy_sh_deploys(cloud, deployed):
    outputs = cloud.outputs("sg-trust")
    assert outputs.keys() == {"FunctionName", "FunctionArn", "ChangeRuleName", "DeadLetterQueueUrl", "ProductArn"}
    assert dict(line.split("\t") for line in deployed.stdout.splitlines()) == outputs
    described = cloud.cloudformation.describe_stacks(StackName="sg-trust")["Stacks"][0]
    assert described["StackStatus"] == "CREATE_COMPLETE"
    function = cloud.lambda_client.get_function_configuration(FunctionName="sg-trust-lambda")
    assert (function["Runtime"], function["Architectures"], function["MemorySize"], function["Timeout"]) == (
        "provided.al2023", [ARCHITECTURE], 256, 300)  # fmt: skip
    assert cloud.events.describe_rule(Name=outputs["ChangeRuleName"])["State"] == "ENABLED"
    block = cloud.s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"]
    assert set(block.values()) == {True} and len(block) == 4


def test_deploying_the_same_again_changes_nothing(cloud, deployed, policy):
    before = cloud.s3.list_objects_v2(Bucket=BUCKET)["Contents"]
    done = deploy(cloud, policy)
    assert "No changes to deploy" in done.stderr and "put-object" not in done.stderr and "create-bucket" not in done.stderr
    assert cloud.s3.list_objects_v2(Bucket=BUCKET)["Contents"] == before


def test_a_deployment_changes_what_it_names_and_keeps_the_rest(cloud, deployed, policy):
    def states():
        rule = cloud.events.describe_rule(Name=cloud.outputs("sg-trust")["ChangeRuleName"])
        group = cloud.resources("sg-trust")["SweepGroup"]
        return {rule["State"], *(one["State"] for one in cloud.scheduler.list_schedules()["Schedules"] if one["GroupName"] == group)}

    deploy(cloud, policy, "Enabled=false", "LogRetentionDays=7")
    assert states() == {"DISABLED"}
    assert "SweepMissingAlarm" not in cloud.resources("sg-trust"), "no sweep is expected"
    deploy(cloud, policy, "LogRetentionDays=14")
    assert states() == {"DISABLED"}
    (group,) = cloud.logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/sg-trust-lambda")["logGroups"]
    assert group["retentionInDays"] == 14


def test_upload_only_prints_what_the_stackset_needs(cloud, deployed, policy):
    """In any Region, and with the same keys in each."""
    keys = [one["Key"] for one in cloud.s3.list_objects_v2(Bucket=BUCKET)["Contents"]]
    done = deploy(cloud, policy, "--upload-only", region="eu-west-1")
    printed = dict(line.split("=") for line in done.stdout.splitlines())
    bucket = f"sg-trust-code-{ACCOUNT}-eu-west-1"
    assert printed["CodeBucket"] == bucket and keys == [printed["CodeKey"]]
    assert cloud.s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] == "eu-west-1"
    assert {one["Key"] for one in cloud.s3.list_objects_v2(Bucket=bucket)["Contents"]} == {printed["CodeKey"], printed["TemplateKey"]}
    assert cloud.s3.get_object(Bucket=bucket, Key=printed["TemplateKey"])["Body"].read() == (INFRA / "template.yaml").read_bytes()


def test_an_event_on_the_bus_ends_as_a_finding(copy, account, opened):
    copy.having()
    group, made = opened
    copy.put(made)
    finding = eventually(lambda: account.findings().get(group))
    assert (finding["Compliance"]["Status"], finding["RecordState"], finding["GeneratorId"]) == ("FAILED", "ACTIVE", POLICY)
    assert finding["ProductArn"] == copy.outputs["ProductArn"]
    # By the policy.toml that deploy.sh packed; the default is LOW.
    assert finding["FindingProviderFields"]["Severity"]["Label"] == "HIGH"


def test_an_event_of_another_source_starts_nothing(copy, account, opened):
    copy.having()
    group, made = opened
    made["detail"]["errorCode"] = "Client.UnauthorizedOperation"
    copy.put(made)
    del made["detail"]["errorCode"]
    made["detail"]["eventName"] = "DescribeSecurityGroups"
    copy.put(made)
    time.sleep(1)
    assert account.findings() == {}


def invoke_asynchronously(copy, made):
    """As EventBridge invokes a function."""
    answer = copy.cloud.lambda_client.invoke(FunctionName=copy.outputs["FunctionName"], InvocationType="Event", Payload=json.dumps(made).encode())
    assert answer["StatusCode"] == 202


def test_a_failing_event_stands_in_the_dead_letter_queue_and_can_be_redriven(copy, account, aws, opened, no_dead_letters):
    group, made = opened
    aws.hub.is_on = False
    invoke_asynchronously(copy, made)
    eventually(lambda: copy.dead_letters() == 1)
    assert aws.count()["BatchImportFindings"] == 3, "it is tried twice more"

    still_off = run(copy.cloud, "redrive.sh", copy.NAME, AWS_REGION=REGION)
    assert still_off.returncode == 1 and still_off.stdout == "0 handled, 1 failed again\n", still_off.stderr
    assert "enable Security Hub" in still_off.stderr

    aws.hub.is_on = True
    done = run(copy.cloud, "redrive.sh", copy.NAME, AWS_REGION=REGION)
    assert (done.returncode, done.stdout) == (0, "1 handled, 0 failed again\n"), done.stderr
    assert account.states() == {group: ("FAILED", "ACTIVE")}
    assert copy.dead_letters() == 0
    assert run(copy.cloud, "redrive.sh", copy.NAME, AWS_REGION=REGION).stdout == "0 handled, 0 failed again\n"


def test_what_the_schedule_sends_sweeps_the_account(copy, cloud, account, opened):
    copy.having()
    (schedule,) = [one for one in cloud.scheduler.list_schedules()["Schedules"] if one["GroupName"] == copy.resources["SweepGroup"]]
    described = cloud.scheduler.get_schedule(Name=schedule["Name"], GroupName=schedule["GroupName"])
    assert (described["State"], described["ScheduleExpression"]) == ("ENABLED", "rate(12 hours)")
    assert described["Target"]["Arn"] == copy.outputs["FunctionArn"]
    invoke_asynchronously(copy, json.loads(described["Target"]["Input"]))
    group, _ = opened
    eventually(lambda: account.states().get(group) == ("FAILED", "ACTIVE"))


def test_disabled_it_stops(copy, cloud, account, opened):
    copy.having(Enabled="false")
    group, made = opened
    assert cloud.events.describe_rule(Name=copy.outputs["ChangeRuleName"])["State"] == "DISABLED"
    states = {one["State"] for one in cloud.scheduler.list_schedules()["Schedules"] if one["GroupName"] == copy.resources["SweepGroup"]}
    assert states == {"DISABLED"}
    copy.put(made)
    time.sleep(1)
    assert account.findings() == {}
    copy.having(Enabled="true")
    copy.put(made)
    eventually(lambda: group in account.findings())


def test_a_parameter_reaches_the_function(copy, account):
    group = account.group()
    copy.having(Passed="active")
    copy.put(event("create-tags", group, group))
    eventually(lambda: account.states() == {group: ("PASSED", "ACTIVE")})
    copy.having(Passed="archive")


def test_alarms_and_dashboard_read_metrics_that_the_function_writes(copy, cloud, account, opened):
    copy.having(CreateDashboard="true")
    answer = cloud.lambda_client.invoke(FunctionName=copy.outputs["FunctionName"], Payload=b'{"action": "sweep"}', LogType="Tail")
    lines = base64.b64decode(answer["LogResult"]).decode().splitlines()
    written = [json.loads(line) for line in lines if "CloudWatchMetrics" in line]
    assert written, lines
    names = {metric["Name"] for line in written for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
    name = copy.outputs["FunctionName"]
    assert {line["FunctionName"] for line in written} == {name}
    alarms = [one for one in cloud.cloudwatch.describe_alarms()["MetricAlarms"] if one["AlarmName"] in copy.resources.values()]
    own = {one["MetricName"] for one in alarms if one["Namespace"] == "sg-trust"}
    assert own == {"FindingsRefused", "FindingsFromFuture", "SweepSucceeded"} and own <= names
    for alarm in alarms:
        if alarm["Namespace"] in ("sg-trust", "AWS/Lambda"):
            assert alarm["Dimensions"] == [{"Name": "FunctionName", "Value": name}]
    body = json.loads(cloud.cloudwatch.get_dashboard(DashboardName=f"{name}-{REGION}")["DashboardBody"])
    shown = set()
    for widget in body["widgets"]:
        namespace = None
        for row in widget["properties"]["metrics"]:
            namespace = namespace if row[0] in (".", "...") else row[0]
            if namespace == "sg-trust" and row[0] != "...":
                shown.add(row[1])
    # Written only when an event was handled.
    assert shown - {"EventAge"} <= names and len(shown) >= 8


def test_the_queue_delivers_too(copy, cloud, account, aws, opened, no_dead_letters):
    copy.having(Delivery="queue")
    group, made = opened
    queue = cloud.sqs.get_queue_url(QueueName="sg-trust-copy-changes")["QueueUrl"]
    attributes = cloud.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert attributes["VisibilityTimeout"] == "365"
    assert json.loads(attributes["RedrivePolicy"])["maxReceiveCount"] in (5, "5")
    copy.put(made)
    eventually(lambda: account.states().get(group) == ("FAILED", "ACTIVE"))

    # A failing event comes back five times and then stands in the dead-letter queue; here without the waits.
    cloud.sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "1"})
    aws.hub.is_on = False
    aws.calls.clear()
    copy.put(made)
    eventually(lambda: copy.dead_letters() == 1, 60)
    assert aws.count()["BatchImportFindings"] == 5
    aws.hub.is_on = True
    done = run(cloud, "redrive.sh", copy.NAME, AWS_REGION=REGION)
    assert (done.returncode, done.stdout) == (0, "1 handled, 0 failed again\n"), done.stderr

    # Back again: the queue goes, the permission comes.
    copy.having(Delivery="direct")
    assert "ChangeQueue" not in copy.resources and "ChangeRulePermission" in copy.resources


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SweepRate", "daily"),
        ("Timeout", "901"),
        ("SubnetIds", "subnet-1"),
        ("KmsKeyArn", "alias/key"),
        ("Delivery", "sqs"),
        ("SubnetIds", "subnet-0a1b2c3d"),
    ],
)
def test_wrong_parameters_are_refused_with_a_reason(copy, cloud, name, value):
    """The last one: subnets without security groups."""
    given = [{"ParameterKey": key, "ParameterValue": one} for key, one in {**copy.parameters, name: value}.items()]
    with pytest.raises(cloud.cloudformation.exceptions.ClientError) as refused:
        cloud.cloudformation.create_stack(StackName="refused", TemplateBody=copy.template, Parameters=given, Capabilities=["CAPABILITY_IAM"])
    assert refused.value.response["Error"]["Code"] == "ValidationError"


def left_over(cloud):
    def names(answer, list, key):
        return [one[key] for one in answer[list]]

    return {
        "functions": names(cloud.lambda_client.list_functions(), "Functions", "FunctionName"),
        "queues": cloud.sqs.list_queues().get("QueueUrls", []),
        "rules": names(cloud.events.list_rules(), "Rules", "Name"),
        "schedules": names(cloud.scheduler.list_schedules(), "Schedules", "Name"),
        "groups": [name for name in names(cloud.scheduler.list_schedule_groups(), "ScheduleGroups", "Name") if name != "default"],
        "alarms": names(cloud.cloudwatch.describe_alarms(), "MetricAlarms", "AlarmName"),
        "logs": names(cloud.logs.describe_log_groups(), "logGroups", "logGroupName"),
        "roles": [name for name in names(cloud.iam.list_roles(), "Roles", "RoleName") if "sg-trust" in name],
        "mappings": names(cloud.lambda_client.list_event_source_mappings(), "EventSourceMappings", "UUID"),
    }


def test_deleting_the_stack_leaves_nothing(copy, cloud, deployed):
    copy.having()
    assert all(found for kind, found in left_over(cloud).items() if kind != "mappings")
    for name in (copy.NAME, "sg-trust"):
        cloud.cloudformation.delete_stack(StackName=name)
        cloud.cloudformation.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    assert not any(left_over(cloud).values()), left_over(cloud)
