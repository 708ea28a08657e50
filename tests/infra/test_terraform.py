"""The Terraform module is right, and it makes the same as template.yaml.

It needs terraform and the provider: terraform on PATH, the provider from a mirror on this machine, or from the registry
where that can be reached. Where they cannot be had the tests are skipped, and say so.
"""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import cloudformation
import pytest
from conftest import INFRA, environment

MODULE = INFRA / "terraform"
# What the module's tests give for what AWS makes: tests/module.tftest.hcl.
PSEUDO = {"AWS::Partition": "aws-us-gov", "AWS::URLSuffix": "amazonaws.com", "AWS::Region": "us-gov-west-1", "AWS::AccountId": "123456789012"}
FUNCTION = "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:sg-trust-lambda"
QUEUE = "arn:aws-us-gov:sqs:us-gov-west-1:123456789012:mocked"
ATTRIBUTES = {
    "LogGroup": "/aws/lambda/sg-trust-lambda",
    "LogGroup.Arn": "arn:aws-us-gov:logs:us-gov-west-1:123456789012:log-group:/aws/lambda/sg-trust-lambda:*",
    "Role.Arn": "arn:aws-us-gov:iam::123456789012:role/mocked",
    "SweepRole.Arn": "arn:aws-us-gov:iam::123456789012:role/mocked",
    "Function": "sg-trust-lambda",
    "Function.Arn": FUNCTION,
    "DeadLetterQueue": "URL",
    "DeadLetterQueue.Arn": QUEUE,
    "DeadLetterQueue.QueueName": "DEAD LETTERS",
    "ChangeQueue": "URL",
    "ChangeQueue.Arn": QUEUE,
    "ChangeQueue.QueueName": "CHANGES",
    "ChangeRule": "RULE",
    "ConfigRule.Arn": "arn:aws-us-gov:events:us-gov-west-1:123456789012:rule/mocked",
    "TagRule.Arn": "arn:aws-us-gov:events:us-gov-west-1:123456789012:rule/mocked",
    "CustomActionRule.Arn": "arn:aws-us-gov:events:us-gov-west-1:123456789012:rule/mocked",
    "SweepGroup": "GROUP",
    "SweepGroup.Arn": "arn:aws-us-gov:scheduler:us-gov-west-1:123456789012:schedule-group/mocked",
}
NEEDED = {"CodeBucket": "sg-trust-code", "CodeKey": "sg-trust-lambda-arm64-0123.zip"}
RUNS = {
    "defaults": {},
    "stopped": {"Enabled": "false", "Delivery": "queue"},
    "lean": {"Metrics": "off", "CreateAlarms": "true", "AlarmTopicName": "alarms", "Delivery": "drain"},
    "everything": {
        "Architecture": "x86_64",
        "PolicyDigest": "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "CodeSigningConfigArn": "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:code-signing-config:csc-0123456789abcdef0",
        "ConfigItems": "true",
        "TagChanges": "true",
        "CustomAction": "true",
        "NoticeTopicName": "notices",
        "PolicyLayerArn": "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:layer:policy:1",
        "Delivery": "queue",
        "Timeout": "900",
        "Tracing": "Active",
        "AlarmTopicArn": "arn:aws-us-gov:sns:us-gov-west-1:123456789012:alarms",
        "CreateDashboard": "true",
        "CreateInsights": "true",
        "PermissionsBoundaryName": "boundaries/developers",
        "KmsKeyArn": "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/0a1b2c3d",
        "SubnetIds": "subnet-0a1b2c3d",
        "SecurityGroupIds": "sg-0a1b2c3d",
        "UseFipsEndpoint": "true",
        "UseDualstackEndpoint": "true",
    },
}


def mirrors():
    """Folders in which machines without a network keep providers, laid out as <host>/<namespace>/<name>/<version>/<platform>."""
    places = [os.environ.get("TF_PLUGIN_CACHE_DIR"), Path.home() / ".terraform.d/plugins", "/usr/local/share/terraform/plugins", "/usr/share/terraform/plugins"]
    places += Path("/opt").glob("*")
    return [Path(place) for place in places if place and any(Path(place).glob("*/hashicorp/aws/*"))]


class Terraform:
    def __init__(self, folder, module=MODULE):
        self.program = shutil.which("terraform")
        if not self.program:
            pytest.skip("terraform is missing: the module is not tested (https://developer.hashicorp.com/terraform/install)")
        self.module = folder / "module"
        shutil.copytree(module, self.module, ignore=shutil.ignore_patterns(".terraform*"))
        configuration = folder / "terraformrc"
        found = mirrors()
        configuration.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{found[0]}"\n  }}\n}}\n' if found else "")
        self.environment = environment(TF_CLI_CONFIG_FILE=str(configuration), CHECKPOINT_DISABLE="1", TF_IN_AUTOMATION="1", HOME=str(folder))
        done = self.run("init", "-backend=false", "-input=false")
        if done.returncode:
            what = (done.stdout + done.stderr).strip().splitlines()
            message = next((line for line in what if "rror" in line), what[-1] if what else "")
            if found:
                pytest.fail(f"terraform init: {what}")
            pytest.skip(f"the AWS provider cannot be had, so the module is not tested: {message}")

    def run(self, *arguments):
        return subprocess.run(
            [self.program, f"-chdir={self.module}", *arguments, "-no-color"], capture_output=True, text=True, env=self.environment, stdin=subprocess.DEVNULL
        )

    def own_tests(self):
        """What the module's own tests say: the summary, and the state of each run. Only those lines: each has 13 MB of schemas."""
        done = self.run("test", "-json", "-verbose")
        kept = [line for line in done.stdout.splitlines() if '"type":"test_state"' in line or '"type":"test_summary"' in line or '"@level":"error"' in line]
        return [json.loads(line) for line in kept]


@pytest.fixture(scope="module")
def terraform(tmp_path_factory):
    return Terraform(tmp_path_factory.mktemp("terraform"))


@pytest.fixture(scope="module")
def tested(terraform):
    return terraform.own_tests()


def made(tested):
    """What each run of the module's own tests made: name of the run -> type of resource -> name -> values."""
    found = {}
    for message in tested:
        if message["type"] == "test_state":
            resources = found.setdefault(message["@testrun"], {})
            for resource in message["test_state"]["root_module"]["resources"]:
                name = resource["name"] + (f".{resource['index']}" if isinstance(resource.get("index"), str) else "")
                resources.setdefault(resource["type"], {})[name] = resource["values"]
    return found


@pytest.fixture(scope="module")
def states(tested):
    return made(tested)


def test_it_is_formatted(terraform):
    done = terraform.run("fmt", "-check", "-recursive", "-diff")
    assert (done.returncode, done.stdout) == (0, "")


def test_it_is_valid(terraform):
    done = terraform.run("validate")
    assert done.returncode == 0 and "The configuration is valid" in done.stdout, done.stdout + done.stderr


def test_its_own_tests_pass(tested):
    (summary,) = [one["test_summary"] for one in tested if one["type"] == "test_summary"]
    errors = [one["@message"] for one in tested if one["@level"] == "error"]
    assert (summary["status"], summary["failed"], summary["errored"], summary["skipped"], errors) == ("pass", 0, 0, 0, [])
    assert summary["passed"] >= 6


@pytest.fixture(params=RUNS)
def both(request, template, states):
    return cloudformation.Stack(template, {**NEEDED, **RUNS[request.param]}, PSEUDO, ATTRIBUTES), states[request.param]


def normal(value):
    """A document of IAM, of either spelling."""
    if isinstance(value, str) and value.startswith("{"):
        value = json.loads(value)
    if isinstance(value, dict):
        return {key: sorted([item] if isinstance(item, str) else item) if key == "Action" else normal(item) for key, item in value.items()}
    if isinstance(value, list):
        return [normal(item) for item in value]
    return value


def truth(value):
    return str(value).lower() == "true"


def test_both_allow_the_same(both):
    stack, state = both
    for role, policies in (("Role", ["called_by_the_function", "used_by_lambda_itself"]), ("SweepRole", ["sweep"])):
        here = [{"name": one["PolicyName"], "policy": normal(one["PolicyDocument"])} for one in stack.resources[role]["Policies"]]
        there = [{"name": state["aws_iam_role_policy"][name]["name"], "policy": normal(state["aws_iam_role_policy"][name]["policy"])} for name in policies]
        assert here == there
        mine, theirs = stack.resources[role], state["aws_iam_role"]["this" if role == "Role" else "sweep"]
        assert normal(mine["AssumeRolePolicyDocument"]) == normal(theirs["assume_role_policy"])
        assert mine.get("PermissionsBoundary") == theirs["permissions_boundary"]


def test_both_have_the_same_rule(both):
    stack, state = both
    mine, theirs = stack.resources["ChangeRule"], state["aws_cloudwatch_event_rule"]["change"]
    assert mine["EventPattern"] == json.loads(theirs["event_pattern"])
    assert (mine["State"], mine["Name"]) == (theirs["state"], theirs["name"])
    (target,), there = mine["Targets"], state["aws_cloudwatch_event_target"]["change"]
    assert (target["Id"], target["Arn"], target["DeadLetterConfig"]["Arn"]) == (there["target_id"], there["arn"], there["dead_letter_config"][0]["arn"])
    assert list(target["RetryPolicy"].values()) == list(there["retry_policy"][0].values())
    names = {"ConfigRule": "other.config", "TagRule": "other.tag", "CustomActionRule": "other.custom_action", "ChangeRule": "change"}
    assert {names[name] for name in stack.of_type("AWS::Events::Rule")} == state["aws_cloudwatch_event_rule"].keys()
    permitted = {names[name.removesuffix("Permission")] for name in stack.of_type("AWS::Lambda::Permission")}
    # A resource with `count` has a number for its index, and no name.
    assert permitted == state.get("aws_lambda_permission", {}).keys()


def test_both_have_the_same_other_triggers(both):
    stack, state = both
    names = {"ConfigRule": "other.config", "TagRule": "other.tag", "CustomActionRule": "other.custom_action"}
    for name, mine in stack.of_type("AWS::Events::Rule").items():
        if name in names:
            theirs, there = state["aws_cloudwatch_event_rule"][names[name]], state["aws_cloudwatch_event_target"][names[name]]
            assert (mine["EventPattern"], mine["State"]) == (json.loads(theirs["event_pattern"]), theirs["state"])
            (target,) = mine["Targets"]
            assert (target["Id"], target["Arn"], target["DeadLetterConfig"]["Arn"]) == (there["target_id"], there["arn"], there["dead_letter_config"][0]["arn"])
            assert list(target["RetryPolicy"].values()) == list(there["retry_policy"][0].values())


def test_both_run_the_same_function(both):
    stack, state = both
    mine, theirs = stack.resources["Function"], state["aws_lambda_function"]["this"]
    assert {name: str(value) for name, value in mine["Environment"]["Variables"].items()} == theirs["environment"][0]["variables"]
    assert (mine["FunctionName"], mine["Runtime"], mine["Handler"], mine["MemorySize"], int(mine["Timeout"]), mine["Architectures"]) == (
        theirs["function_name"], theirs["runtime"], theirs["handler"], theirs["memory_size"], theirs["timeout"], theirs["architectures"])  # fmt: skip
    assert mine["Code"] == {"S3Bucket": theirs["s3_bucket"], "S3Key": theirs["s3_key"]}
    assert int(mine.get("ReservedConcurrentExecutions", -1)) == theirs["reserved_concurrent_executions"]
    assert mine.get("CodeSigningConfigArn") == theirs["code_signing_config_arn"]
    assert mine.get("Layers", []) == theirs["layers"] and mine.get("KmsKeyArn") == theirs["kms_key_arn"]
    assert mine["TracingConfig"]["Mode"] == theirs["tracing_config"][0]["mode"]
    assert mine["LoggingConfig"].items() <= {
        "LogGroup": theirs["logging_config"][0]["log_group"],
        "LogFormat": theirs["logging_config"][0]["log_format"],
        "ApplicationLogLevel": theirs["logging_config"][0]["application_log_level"],
    }.items()
    vpc = [
        {"SubnetIds": one["subnet_ids"], "SecurityGroupIds": one["security_group_ids"], "Ipv6AllowedForDualStack": one["ipv6_allowed_for_dual_stack"]}
        for one in theirs["vpc_config"]
    ]
    assert [{**mine["VpcConfig"], "Ipv6AllowedForDualStack": truth(mine["VpcConfig"]["Ipv6AllowedForDualStack"])}] == vpc if "VpcConfig" in mine else vpc == []
    invoke, there = stack.resources["EventInvokeConfig"], state["aws_lambda_function_event_invoke_config"]["this"]
    assert (invoke["Qualifier"], invoke["MaximumEventAgeInSeconds"], invoke["MaximumRetryAttempts"], invoke["DestinationConfig"]["OnFailure"]["Destination"]) == (
        there["qualifier"], there["maximum_event_age_in_seconds"], there["maximum_retry_attempts"],
        there["destination_config"][0]["on_failure"][0]["destination"])  # fmt: skip
    log, there = stack.resources["LogGroup"], state["aws_cloudwatch_log_group"]["this"]
    assert (log["LogGroupName"], int(log["RetentionInDays"]), log.get("KmsKeyId")) == (there["name"], there["retention_in_days"], there["kms_key_id"])


def test_both_have_the_same_queues(both):
    stack, state = both
    names = {"DeadLetterQueue": "dead_letter", "ChangeQueue": "change"}
    assert {names[name] for name in stack.of_type("AWS::SQS::Queue")} == state["aws_sqs_queue"].keys()
    for name, mine in stack.of_type("AWS::SQS::Queue").items():
        theirs = state["aws_sqs_queue"][names[name]]
        assert mine["MessageRetentionPeriod"] == theirs["message_retention_seconds"]
        assert mine.get("KmsMasterKeyId") == theirs["kms_master_key_id"]
        # With a key, AWS sets it, and the mock what it likes.
        if "KmsMasterKeyId" not in mine:
            assert mine["SqsManagedSseEnabled"] is theirs["sqs_managed_sse_enabled"] is True
        for here, there in (("RedrivePolicy", "redrive_policy"), ("RedriveAllowPolicy", "redrive_allow_policy")):
            if here in mine:
                assert mine[here] == json.loads(theirs[there])
        if "VisibilityTimeout" in mine:
            assert (mine["VisibilityTimeout"], mine["QueueName"]) == (theirs["visibility_timeout_seconds"], theirs["name"])
        policy = stack.resources[f"{name}Policy"]["PolicyDocument"]
        assert normal(policy) == normal(state["aws_sqs_queue_policy"][names[name]]["policy"])
    for mine in stack.of_type("AWS::Lambda::EventSourceMapping").values():
        theirs = state["aws_lambda_event_source_mapping"]["change"]
        assert (mine["BatchSize"], mine["MaximumBatchingWindowInSeconds"], mine["FunctionResponseTypes"], truth(mine["Enabled"])) == (
            theirs["batch_size"], theirs["maximum_batching_window_in_seconds"], theirs["function_response_types"], theirs["enabled"])  # fmt: skip
        assert mine["ScalingConfig"]["MaximumConcurrency"] == theirs["scaling_config"][0]["maximum_concurrency"]


def test_both_sweep_the_same(both):
    stack, state = both
    mine, theirs = stack.resources["Sweep"], state["aws_scheduler_schedule"]["sweep"]
    there = theirs["target"][0]
    assert (mine["State"], mine["ScheduleExpression"], mine["FlexibleTimeWindow"]["MaximumWindowInMinutes"]) == (
        theirs["state"], theirs["schedule_expression"], theirs["flexible_time_window"][0]["maximum_window_in_minutes"])  # fmt: skip
    target = mine["Target"]
    assert (target["Arn"], target["RoleArn"], target["Input"], target["DeadLetterConfig"]["Arn"]) == (
        there["arn"], there["role_arn"], there["input"], there["dead_letter_config"][0]["arn"])  # fmt: skip
    assert list(target["RetryPolicy"].values()) == [there["retry_policy"][0][name] for name in ("maximum_event_age_in_seconds", "maximum_retry_attempts")]


def test_both_have_the_same_alarms(both):
    stack, state = both
    here = {
        one["MetricName"]: (
            one["Namespace"], [d["Name"] for d in one["Dimensions"]], one["Statistic"], one["Period"], int(one["EvaluationPeriods"]),
            int(one.get("DatapointsToAlarm", one["EvaluationPeriods"])), one["Threshold"], one["ComparisonOperator"], one["TreatMissingData"],
            one.get("AlarmActions", []), one.get("OKActions", []))
        for one in stack.of_type("AWS::CloudWatch::Alarm").values()
    }  # fmt: skip
    there = {
        one["metric_name"]: (
            one["namespace"], list(one["dimensions"]), one["statistic"], one["period"], one["evaluation_periods"], one["datapoints_to_alarm"],
            one["threshold"], one["comparison_operator"], one["treat_missing_data"], one["alarm_actions"], one["ok_actions"])
        for one in state["aws_cloudwatch_metric_alarm"].values()
    }  # fmt: skip
    assert here == there and len(here) >= 8


def test_both_show_the_same(both):
    stack, state = both
    assert len(stack.of_type("AWS::CloudWatch::Dashboard")) == len(state.get("aws_cloudwatch_dashboard", {}))
    for mine in stack.of_type("AWS::CloudWatch::Dashboard").values():
        theirs = state["aws_cloudwatch_dashboard"]["this"]
        assert mine["DashboardName"] == theirs["dashboard_name"]

        def pictures(body):
            return [(one["x"], one["y"], one["properties"]["title"], one["properties"]["period"], one["properties"]["metrics"][:-1]) for one in body["widgets"]]

        assert pictures(json.loads(mine["DashboardBody"])) == pictures(json.loads(theirs["dashboard_body"]))
    insights = {
        (one["Name"], one["GroupByAttribute"], *sorted((name, filters[0]["Value"]) for name, filters in one["Filters"].items()))
        for one in stack.of_type("AWS::SecurityHub::Insight").values()
    }
    members = {"generator_id": "GeneratorId", "compliance_status": "ComplianceStatus", "record_state": "RecordState"}
    assert insights == {
        (one["name"], one["group_by_attribute"], *sorted((members[name], one["filters"][0][name][0]["value"]) for name in members))
        for one in state.get("aws_securityhub_insight", {}).values()
    }


def in_the_template(name):
    """A name as the template spells it."""
    return "".join(word.capitalize() for word in name.split("_"))


def variables(module=MODULE):
    """Name -> default, of variables.tf."""
    found = {}
    for name, body in re.findall(r'^variable "(\w+)" \{\n(.*?)^\}', (module / "variables.tf").read_text(), re.M | re.S):
        default = re.search(r"^  default\s+= (.*)$", body, re.M)
        # A list without members is the template's empty text.
        found[in_the_template(name)] = default and default[1].strip('"').replace("[]", "")
    return found


def parameters(template):
    """Name -> default, of the template. Terraform is called for each Region, and can make the bucket's name itself."""
    return {name: str(one["Default"]) if "Default" in one else None for name, one in template["Parameters"].items() if name != "CodeBucketIsPrefix"}


def outputs(module=MODULE):
    return {in_the_template(name) for name in re.findall(r'^output "(\w+)"', (module / "outputs.tf").read_text(), re.M)}


def test_both_take_the_same_parameters(template):
    assert variables() == parameters(template)


def test_both_answer_the_same(template):
    assert outputs() == template["Outputs"].keys()
