"""The stack, really deployed: create, change, delete; and an event on the bus that ends as a finding in Security Hub.

ministack is the account, moto its EC2 and Security Hub, and the function is the real binary. What ministack does not do of
EventBridge: it takes no events of aws.* by PutEvents (AWS neither), does not try a failed invocation again when a rule made it,
and starts no schedules. So the rule here is a copy that waits for `test.ec2`, and an asynchronous invocation is made as
EventBridge makes it.
"""

import base64
import functools
import hashlib
import http.server
import itertools
import json
import platform
import re
import shutil
import subprocess
import threading
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


def deploy(cloud, policy, *arguments, region=REGION, without_policy=False, refused=False):
    flags = ["--x86-64"] if ARCHITECTURE == "x86_64" else []
    # Without its debug information, which would take most of the time.
    binary = policy.parent / "sg-trust-lambda"
    if not binary.exists():
        subprocess.run(["strip", "-o", binary, BINARY], check=True)
    settings = [] if "--no-policy" in arguments or without_policy else ["--policy", policy]
    done = run(cloud, "deploy.sh", "--region", region, *flags, "--package", binary, *settings, *arguments)
    assert (done.returncode == 0) is not refused, done.stderr
    return done


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    path = tmp_path_factory.mktemp("policy") / "policy.toml"
    path.write_text('severity = "HIGH"\n')
    return path


@pytest.fixture(scope="module")
def deployed(cloud, policy):
    return deploy(cloud, policy)


CHANGE_TARGET = "        - Id: sg-trust\n          Arn: !If [IsQueue,"


def waiting_for_test_events():
    """The template with a rule that waits for test.ec2 and hands the function what AWS would."""
    text = (INFRA / "template.yaml").read_text()
    changes = {
        "        source: [aws.ec2]\n": "        source: [test.ec2]\n",
        CHANGE_TARGET: CHANGE_TARGET.replace("        - Id: sg-trust\n", """        - Id: sg-trust
          InputTransformer:
            InputPathsMap: {id: $.id, account: $.account, region: $.region, time: $.time, type: $.detail-type, detail: $.detail}
            InputTemplate: >-
              {"version": "0", "id": <id>, "source": "aws.ec2", "account": <account>, "region": <region>, "time": <time>,
              "detail-type": <type>, "resources": [], "detail": <detail>}
"""),
    }
    for old, new in changes.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    return text


def deployed_key(cloud):
    """The package that the stack has now, of those in the bucket."""
    (stack,) = cloud.cloudformation.describe_stacks(StackName="sg-trust")["Stacks"]
    return next(one["ParameterValue"] for one in stack["Parameters"] if one["ParameterKey"] == "CodeKey")


@pytest.fixture(scope="module")
def copy(cloud, deployed):
    """The stack again, with a rule that waits for test.ec2 and hands the function what AWS would."""
    text = waiting_for_test_events()
    return Copy(cloud, text, {"CodeBucket": BUCKET, "CodeKey": deployed_key(cloud), "Architecture": ARCHITECTURE, "FunctionName": "sg-trust-copy", "Timeout": "60"})


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
    assert outputs.keys() == {"FunctionName", "FunctionArn", "ChangeRuleName", "DeadLetterQueueUrl", "PolicyDigest", "ProductArn"}
    assert dict(line.split("\t") for line in deployed.stdout.splitlines()) == outputs
    described = cloud.cloudformation.describe_stacks(StackName="sg-trust")["Stacks"][0]
    assert described["StackStatus"] == "CREATE_COMPLETE"
    function = cloud.lambda_client.get_function_configuration(FunctionName="sg-trust-lambda")
    assert (function["Runtime"], function["Architectures"], function["MemorySize"], function["Timeout"]) == (
        "provided.al2023", [ARCHITECTURE], 256, 300)  # fmt: skip
    assert cloud.events.describe_rule(Name=outputs["ChangeRuleName"])["State"] == "ENABLED"
    block = cloud.s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"]
    assert set(block.values()) == {True} and len(block) == 4


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_bucket_is_versioned_and_takes_tls_only(cloud, deployed):
    assert cloud.s3.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"
    (statement,) = json.loads(cloud.s3.get_bucket_policy(Bucket=BUCKET)["Policy"])["Statement"]
    assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    assert statement["Resource"] == [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"]


def test_an_upgrade_does_not_lose_the_settings(cloud, deployed, policy):
    assert cloud.outputs("sg-trust")["PolicyDigest"] == digest(policy)
    before = cloud.lambda_client.get_function_configuration(FunctionName="sg-trust-lambda")["CodeSha256"]
    refused = deploy(cloud, policy, without_policy=True, refused=True)
    assert refused.returncode == 2 and f"the deployed function has settings (policy.toml, SHA-256 {digest(policy)})" in refused.stderr
    assert "--no-policy" in refused.stderr and "+ " not in refused.stderr, "something was done"
    assert cloud.lambda_client.get_function_configuration(FunctionName="sg-trust-lambda")["CodeSha256"] == before
    # Other settings: what changes is said.
    other = policy.parent / "other.toml"
    other.write_text('severity = "CRITICAL"\n')
    done = deploy(cloud, other)
    assert f"replaces those with SHA-256 {digest(policy)} by" in done.stderr and '-severity = "HIGH"\n+severity = "CRITICAL"\n' in done.stderr
    assert cloud.outputs("sg-trust")["PolicyDigest"] == digest(other)
    # Without, when that is said.
    done = deploy(cloud, policy, "--no-policy")
    assert f"drops those with SHA-256 {digest(other)}" in done.stderr and cloud.outputs("sg-trust")["PolicyDigest"] == "none"
    assert "settings: none, as before" in deploy(cloud, policy, without_policy=True).stderr
    assert "settings: packages" in deploy(cloud, policy).stderr
    assert cloud.outputs("sg-trust")["PolicyDigest"] == digest(policy)
    assert "settings: unchanged" in deploy(cloud, policy).stderr


def test_a_stack_that_does_not_tell_its_settings_is_asked_about(cloud, deployed, policy):
    """As the first version made it, without the output."""
    text = (INFRA / "template.yaml").read_text()
    output = text[text.index("  PolicyDigest:\n    Description: The SHA-256 of the policy.toml in the package.\n    Value"):text.index("  ProductArn:\n")]
    given = {"CodeBucket": BUCKET, "CodeKey": deployed_key(cloud), "Architecture": ARCHITECTURE, "FunctionName": "sg-trust-old"}
    cloud.cloudformation.create_stack(
        StackName="sg-trust-old", TemplateBody=text.replace(output, ""), Capabilities=["CAPABILITY_IAM"],
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in given.items()])  # fmt: skip
    cloud.cloudformation.get_waiter("stack_create_complete").wait(StackName="sg-trust-old", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    refused = deploy(cloud, policy, "--stack", "sg-trust-old", without_policy=True, refused=True)
    assert "does not tell whether it has settings" in refused.stderr and "+ " not in refused.stderr
    # ministack takes a change of nothing but outputs for none.
    assert "settings: packages" in deploy(cloud, policy, "--stack", "sg-trust-old", "LogRetentionDays=7").stderr
    assert cloud.outputs("sg-trust-old")["PolicyDigest"] == digest(policy)
    cloud.cloudformation.delete_stack(StackName="sg-trust-old")
    cloud.cloudformation.get_waiter("stack_delete_complete").wait(StackName="sg-trust-old", WaiterConfig={"Delay": 1, "MaxAttempts": 60})


def test_the_function_runs_what_was_built_or_the_deployment_fails(cloud, deployed, policy):
    key = next(one["Key"] for one in cloud.s3.list_objects_v2(Bucket=BUCKET)["Contents"] if digest_of_object(cloud, one["Key"]) in one["Key"])
    right = cloud.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    done = deploy(cloud, policy)
    mine = next(line for line in done.stderr.splitlines() if "runs what was built" in line).split()[-1]
    assert base64.b64decode(mine).hex() in {one["Key"].rsplit("-", 1)[1].removesuffix(".zip") for one in cloud.s3.list_objects_v2(Bucket=BUCKET)["Contents"]}
    # Somebody else's code under the key of this package.
    (used,) = [one["Key"] for one in cloud.s3.list_objects_v2(Bucket=BUCKET)["Contents"] if base64.b64decode(mine).hex() in one["Key"]]
    before = cloud.s3.get_object(Bucket=BUCKET, Key=used)["Body"].read()
    cloud.s3.put_object(Bucket=BUCKET, Key=used, Body=right[:-1] + b"!", ChecksumAlgorithm="SHA256")
    refused = deploy(cloud, policy, refused=True)
    assert refused.returncode == 2 and f"s3://{BUCKET}/{used} is not what was built" in refused.stderr and "cloudformation deploy" not in refused.stderr
    cloud.s3.put_object(Bucket=BUCKET, Key=used, Body=before, ChecksumAlgorithm="SHA256")
    deploy(cloud, policy)


def digest_of_object(cloud, key):
    return hashlib.sha256(cloud.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()).hexdigest()


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


def test_tags_go_to_the_stack(cloud, deployed, policy):
    deploy(cloud, policy, "--tags", "team=network security", "--tags", "cost=1")
    tags = {one["Key"]: one["Value"] for one in cloud.cloudformation.describe_stacks(StackName="sg-trust")["Stacks"][0]["Tags"]}
    assert tags == {"team": "network security", "cost": "1"}


def test_upload_only_prints_what_the_stackset_needs(cloud, deployed, policy):
    """In any Region, and with the same keys in each."""
    keys = [one["Key"] for one in cloud.s3.list_objects_v2(Bucket=BUCKET)["Contents"]]
    done = deploy(cloud, policy, "--upload-only", region="eu-west-1")
    printed = dict(line.split("=") for line in done.stdout.splitlines())
    bucket = f"sg-trust-code-{ACCOUNT}-eu-west-1"
    assert printed["CodeBucket"] == bucket and printed["CodeKey"] in keys
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
    assert own == {"MessagesFailed", "MessagesNotRetryable", "FindingsRefused", "FindingsFromFuture", "SweepSucceeded"} and own <= names
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
    # Without a stack, as Terraform's users do it.
    done = run(cloud, "redrive.sh", "--region", REGION, "--function", copy.outputs["FunctionName"], "--queue", copy.outputs["DeadLetterQueueUrl"])
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


def test_a_newcomer_deploys_a_release_without_rust(cloud, deployed, policy, tmp_path):
    """What docs/deploy.md says under "From a release": the release's files from a web server, and nothing else."""
    release = tmp_path / "v1"
    release.mkdir()
    package = release / f"sg-trust-lambda-{ARCHITECTURE}.zip"
    subprocess.run(["python3", INFRA / "package.py", policy.parent / "sg-trust-lambda", "--output", package], check=True)
    (release / "SHA256SUMS").write_text(f"{digest(package)}  {package.name}\n")
    # What release.yml puts into sg-trust-deploy.tar.gz.
    (names,) = re.findall(r"sg-trust-deploy\.tar\.gz HEAD (.+)", (ROOT / ".github/workflows/release.yml").read_text())
    unpacked = tmp_path / "sg-trust"
    unpacked.mkdir()
    for name in names.split():
        source = ROOT / name
        shutil.copytree(source, unpacked / name, ignore=shutil.ignore_patterns(".terraform*")) if source.is_dir() else shutil.copy(source, unpacked / name)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path)
    handler.log_message = lambda *_: None
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "aws").symlink_to(tool("aws", "awscli"))
    variables = {**cloud.environment, "PATH": f"{tools}:/usr/bin:/bin"}
    assert shutil.which("cargo", path=variables["PATH"]) is None
    flag = "--x86-64 " if ARCHITECTURE == "x86_64" else ""
    address = f"http://127.0.0.1:{server.server_port}/v1/{package.name}"
    command = ["make", "deploy", f"ARGUMENTS=--region {REGION} --stack sg-trust-newcomer {flag}--package {address} FunctionName=sg-trust-newcomer SweepRate=rate(6 hours)"]
    done = subprocess.run(command, cwd=unpacked, capture_output=True, text=True, env=variables)
    server.shutdown()
    assert done.returncode == 0, done.stderr
    assert "has the SHA-256 that is expected" in done.stderr and "runs what was built" in done.stderr
    assert cloud.outputs("sg-trust-newcomer")["FunctionName"] == "sg-trust-newcomer"
    cloud.cloudformation.delete_stack(StackName="sg-trust-newcomer")
    cloud.cloudformation.get_waiter("stack_delete_complete").wait(StackName="sg-trust-newcomer", WaiterConfig={"Delay": 1, "MaxAttempts": 60})


class Load:
    """Changes of groups, one after the other, until the test has seen enough: each of a group of its own."""

    def __init__(self, cloud, account, source="test.ec2"):
        self.cloud, self.source, self.told, self.goes_on = cloud, source, [], True
        vpc = account.vpc()
        self.groups = (account.group(f"group-{n}", vpc) for n in itertools.count())
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while self.goes_on:
            group = next(self.groups)
            made = event("create-tags", group, group)
            entry = {"Source": self.source, "DetailType": made["detail-type"], "Detail": json.dumps(made["detail"])}
            assert self.cloud.events.put_events(Entries=[entry])["FailedEntryCount"] == 0
            self.told.append(group)
            time.sleep(0.2)

    def stop(self):
        self.goes_on = False
        self.thread.join()
        return self.told


def test_a_change_of_delivery_loses_nothing(cloud, account, deployed, tmp_path, policy):
    """Both ways, under load, by deploy.sh."""
    shutil.copytree(INFRA, tmp_path / "infra", ignore=shutil.ignore_patterns("terraform"))
    (tmp_path / "infra/template.yaml").write_text(waiting_for_test_events())

    def deliver(delivery):
        cli = tool("aws", "awscli").parent
        variables = {**cloud.environment, "SG_TRUST": str(SG_TRUST), "PATH": f"{cli}:{environment()['PATH']}", "SG_TRUST_DRAIN_PAUSE": "1"}
        flags = ["--x86-64"] if ARCHITECTURE == "x86_64" else []
        command = [tmp_path / "infra/deploy.sh", "--region", REGION, "--stack", "sg-trust-load", "--no-policy", *flags, "--package", policy.parent / "sg-trust-lambda",
                   "FunctionName=sg-trust-load", f"Delivery={delivery}"]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, env=variables)
        assert done.returncode == 0, done.stderr
        return done.stderr

    deliver("direct")
    load = Load(cloud, account)
    counts = []
    try:
        deliver("queue")
        counts.append(len(load.told))
        queue = cloud.sqs.get_queue_url(QueueName="sg-trust-load-changes")["QueueUrl"]
        time.sleep(3)
        assert "Delivery=drain first" in deliver("direct")
        counts.append(len(load.told))
        time.sleep(1)
    finally:
        told = load.stop()
    assert 0 < counts[0] < counts[1] <= len(told)
    eventually(lambda: set(told) <= set(account.findings()), 60)
    with pytest.raises(cloud.sqs.exceptions.ClientError):
        cloud.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])
    letters = cloud.sqs.get_queue_attributes(QueueUrl=cloud.outputs("sg-trust-load")["DeadLetterQueueUrl"], AttributeNames=["All"])["Attributes"]
    assert letters["ApproximateNumberOfMessages"] == "0"
    cloud.cloudformation.delete_stack(StackName="sg-trust-load")
    cloud.cloudformation.get_waiter("stack_delete_complete").wait(StackName="sg-trust-load", WaiterConfig={"Delay": 1, "MaxAttempts": 60})


def test_the_other_triggers_are_off_until_they_are_wanted(copy, cloud):
    copy.having()
    assert not {"ConfigRule", "TagRule", "CustomActionRule"} & copy.resources.keys()
    copy.having(ConfigItems="true", TagChanges="true", CustomAction="true")
    for name in ("ConfigRule", "TagRule", "CustomActionRule"):
        rule = copy.resources[name].rsplit("/", 1)[-1]
        (target,) = cloud.events.list_targets_by_rule(Rule=rule)["Targets"]
        assert (cloud.events.describe_rule(Name=rule)["State"], target["Arn"]) == ("ENABLED", copy.outputs["FunctionArn"])
    copy.having(ConfigItems="false", TagChanges="false", CustomAction="false")
    assert not {"ConfigRule", "TagRule", "CustomActionRule"} & copy.resources.keys()


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
