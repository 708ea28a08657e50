"""The Terraform modules of central mode make the same as central.yaml and member.yaml."""

import json
import re

import cloudformation
import pytest
from conftest import INFRA
from test_terraform import MODULE, Terraform, in_the_template, made, normal, outputs, parameters, truth, variables

REGION, ACCOUNT, MEMBER = "us-gov-west-1", "123456789012", "222222222222"
PSEUDO = {"AWS::Partition": "aws-us-gov", "AWS::URLSuffix": "amazonaws.com", "AWS::Region": REGION}
# What the modules' own tests give for what AWS makes: tests/module.tftest.hcl.
ATTRIBUTES = {
    "central": {
        **{f"{name}.Arn": f"arn:aws-us-gov:sqs:{REGION}:{ACCOUNT}:{name}" for name in ("EventQueue", "EventDeadLetterQueue", "WorkQueue", "DeadLetterQueue")},
        **{f"{name}.Arn": f"arn:aws-us-gov:iam::{ACCOUNT}:role/{name}" for name in ("Role", "SweepRole")},
        "Key.Arn": f"arn:aws-us-gov:kms:{REGION}:{ACCOUNT}:key/Key",
        "Function.Arn": f"arn:aws-us-gov:lambda:{REGION}:{ACCOUNT}:function:Function",
        "SweepGroup.Arn": f"arn:aws-us-gov:scheduler:{REGION}:{ACCOUNT}:schedule-group/SweepGroup",
        "SweepGroup": "GROUP", "EventQueue": "URL", "EventDeadLetterQueue": "URL", "WorkQueue": "URL", "DeadLetterQueue": "URL",
    },
    "member": {
        "UndeliveredQueue": "URL",
        "UndeliveredQueue.Arn": f"arn:aws-us-gov:sqs:{REGION}:{MEMBER}:sg-trust-undelivered",
        "ChangeRule.Arn": f"arn:aws-us-gov:events:{REGION}:{MEMBER}:rule/sg-trust-changes",
    },
}  # fmt: skip
NEEDED = {
    "central": {"OrganizationId": "o-abcdefghij", "RoleRegion": REGION, "CodeBucket": "sg-trust-code", "CodeKey": "sg-trust-lambda-arm64-0123.zip"},
    "member": {"CentralAccountId": ACCOUNT, "RoleRegion": REGION},
}
RUNS = {
    ("central", "defaults"): {},
    ("central", "everything"): {
        "Accounts": "111111111111,222222222222",
        "RolePath": "platform/security",
        "Architecture": "x86_64",
        "PolicyLayerArn": "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:layer:policy:1",
        "SweepRate": "cron(0 3 * * ? *)",
        "Passed": "active",
        "Prewarm": "off",
        "FunctionName": "sg-trust-other",
        "Timeout": "900",
        "EventConcurrency": "20",
        "SweepConcurrency": "5",
        "LogLevel": "DEBUG",
        "LogRetentionDays": "365",
        "AlarmTopicArn": "arn:aws-us-gov:sns:us-gov-west-1:123456789012:alarms",
        "SweepSilenceHours": "50",
        "PermissionsBoundaryName": "boundaries/developers",
    },
    ("central", "elsewhere"): {"RoleRegion": "us-gov-east-1"},
    ("central", "stopped"): {"Enabled": "false"},
    ("central", "lean"): {"Metrics": "off"},
    ("central", "silent"): {"CreateAlarms": "false"},
    ("member", "defaults"): {},
    ("member", "everything"): {
        "CentralFunctionName": "sg-trust-other",
        "CentralKeyArn": "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/0a1b2c3d",
        "RolePath": "platform/security",
        "PermissionsBoundaryName": "boundaries/developers",
    },
    ("member", "elsewhere"): {"RoleRegion": "us-gov-east-1"},
    ("member", "stopped"): {"Enabled": "false"},
}
# The template's name of a resource -> the module's.
ROLES = {"Role": "this", "SweepRole": "sweep", "MemberRole": "member", "SendingRole": "sending"}
QUEUES = {"EventQueue": "event", "EventDeadLetterQueue": "event_dead_letter", "WorkQueue": "work", "DeadLetterQueue": "dead_letter", "UndeliveredQueue": "undelivered"}
MAPPINGS = {"EventQueueMapping": "event", "WorkQueueMapping": "work"}


@pytest.fixture(scope="module")
def terraforms(tmp_path_factory):
    return {name: Terraform(tmp_path_factory.mktemp(name), MODULE / name) for name in NEEDED}


@pytest.fixture(scope="module")
def tested(terraforms):
    return {name: terraform.own_tests() for name, terraform in terraforms.items()}


@pytest.fixture(scope="module")
def states(tested):
    return {name: made(messages) for name, messages in tested.items()}


def attributes(module, given):
    """What a stack's resources answer: what the modules' tests give, and the names that the template itself gives."""
    function = given.get("FunctionName", "sg-trust-central")
    queues = {"EventQueue": "events", "EventDeadLetterQueue": "events-failed", "WorkQueue": "work", "DeadLetterQueue": "failed"}
    names = {f"{name}.QueueName": f"{function}-{end}" for name, end in queues.items()}
    return {**ATTRIBUTES[module], **names, "Function": function, "LogGroup": f"/aws/lambda/{function}"}


@pytest.fixture(params=RUNS, ids="-".join)
def both(request, states):
    module, run = request.param
    given = {**NEEDED[module], **RUNS[request.param]}
    pseudo = {**PSEUDO, "AWS::AccountId": ACCOUNT if module == "central" else MEMBER}
    return cloudformation.Stack(cloudformation.parse(INFRA / f"{module}.yaml"), given, pseudo, attributes(module, given)), states[module][run]


@pytest.mark.parametrize("module", NEEDED)
def test_it_is_valid_and_its_own_tests_pass(module, terraforms, tested):
    done = terraforms[module].run("validate")
    assert done.returncode == 0 and "The configuration is valid" in done.stdout, done.stdout + done.stderr
    (summary,) = [one["test_summary"] for one in tested[module] if one["type"] == "test_summary"]
    errors = [one["@message"] for one in tested[module] if one["@level"] == "error"]
    # With the run that is refused.
    assert (summary["status"], summary["passed"], errors) == ("pass", len([name for name, _ in RUNS if name == module]) + 1, [])


def test_both_allow_the_same(both):
    stack, state = both
    mine, theirs = stack.of_type("AWS::IAM::Role"), state.get("aws_iam_role", {})
    assert {ROLES[name] for name in mine} == theirs.keys()
    policies = []
    for name, role in mine.items():
        there = theirs[ROLES[name]]
        assert normal(role["AssumeRolePolicyDocument"]) == normal(there["assume_role_policy"])
        assert (role.get("PermissionsBoundary"), role["Description"]) == (there["permissions_boundary"], there["description"])
        if "RoleName" in role:
            assert (role["RoleName"], role["Path"]) == (there["name"], there["path"])
        policies += [(one["PolicyName"], normal(one["PolicyDocument"])) for one in role["Policies"]]
    by_name = sorted((one["name"], normal(one["policy"])) for one in state.get("aws_iam_role_policy", {}).values())
    assert sorted(policies, key=lambda one: one[0]) == by_name


def test_both_have_the_same_queues(both):
    stack, state = both
    mine = stack.of_type("AWS::SQS::Queue")
    assert {QUEUES[name] for name in mine} == state["aws_sqs_queue"].keys()
    for name, queue in mine.items():
        there = state["aws_sqs_queue"][QUEUES[name]]
        assert (queue["QueueName"], queue["MessageRetentionPeriod"], queue.get("KmsMasterKeyId")) == (
            there["name"], there["message_retention_seconds"], there["kms_master_key_id"])  # fmt: skip
        assert "KmsMasterKeyId" in queue or queue["SqsManagedSseEnabled"] is there["sqs_managed_sse_enabled"] is True
        # Without a value, the mock gives what it likes.
        for here, of_module in (("RedrivePolicy", "redrive_policy"), ("RedriveAllowPolicy", "redrive_allow_policy")):
            assert here not in queue or queue[here] == json.loads(there[of_module])
        assert "VisibilityTimeout" not in queue or queue["VisibilityTimeout"] == there["visibility_timeout_seconds"]
    policies = state["aws_sqs_queue_policy"]
    assert {QUEUES[name.removesuffix("Policy")] for name in stack.of_type("AWS::SQS::QueuePolicy")} == {name.removeprefix("this.") for name in policies}
    for name, policy in stack.of_type("AWS::SQS::QueuePolicy").items():
        there = QUEUES[name.removesuffix("Policy")]
        assert normal(policy["PolicyDocument"]) == normal(policies.get(there, policies.get(f"this.{there}"))["policy"])


def test_both_have_the_same_key(both):
    stack, state = both
    assert len(stack.of_type("AWS::KMS::Key")) == len(state.get("aws_kms_key", {}))
    for key in stack.of_type("AWS::KMS::Key").values():
        there = state["aws_kms_key"]["this"]
        assert normal(key["KeyPolicy"]) == normal(there["policy"])
        assert ({tag["Key"]: tag["Value"] for tag in key["Tags"]}, key["EnableKeyRotation"]) == (there["tags"], there["enable_key_rotation"])


def test_both_run_the_same_function(both):
    stack, state = both
    assert len(stack.of_type("AWS::Lambda::Function")) == len(state.get("aws_lambda_function", {}))
    for mine in stack.of_type("AWS::Lambda::Function").values():
        theirs = state["aws_lambda_function"]["this"]
        assert mine["Environment"]["Variables"] == theirs["environment"][0]["variables"]
        assert (mine["FunctionName"], mine["Runtime"], mine["Handler"], mine["MemorySize"], int(mine["Timeout"]), mine["Architectures"]) == (
            theirs["function_name"], theirs["runtime"], theirs["handler"], theirs["memory_size"], theirs["timeout"], theirs["architectures"])  # fmt: skip
        assert mine["Code"] == {"S3Bucket": theirs["s3_bucket"], "S3Key": theirs["s3_key"]}
        assert (mine.get("Layers", []), mine["Role"], mine["KmsKeyArn"]) == (theirs["layers"], theirs["role"], theirs["kms_key_arn"])
        there = theirs["logging_config"][0]
        assert mine["LoggingConfig"] == {"LogGroup": there["log_group"], "LogFormat": there["log_format"], "ApplicationLogLevel": there["application_log_level"]}
        invoke, there = stack.resources["EventInvokeConfig"], state["aws_lambda_function_event_invoke_config"]["this"]
        assert (invoke["Qualifier"], invoke["MaximumEventAgeInSeconds"], invoke["MaximumRetryAttempts"], invoke["DestinationConfig"]["OnFailure"]["Destination"]) == (
            there["qualifier"], there["maximum_event_age_in_seconds"], there["maximum_retry_attempts"],
            there["destination_config"][0]["on_failure"][0]["destination"])  # fmt: skip
        log, there = stack.resources["LogGroup"], state["aws_cloudwatch_log_group"]["this"]
        assert (log["LogGroupName"], int(log["RetentionInDays"]), log["KmsKeyId"]) == (there["name"], there["retention_in_days"], there["kms_key_id"])


def test_both_take_the_same_messages(both):
    stack, state = both
    mine = stack.of_type("AWS::Lambda::EventSourceMapping")
    assert {MAPPINGS[name] for name in mine} == state.get("aws_lambda_event_source_mapping", {}).keys()
    for name, mapping in mine.items():
        there = state["aws_lambda_event_source_mapping"][MAPPINGS[name]]
        assert (mapping["EventSourceArn"], truth(mapping["Enabled"]), mapping["BatchSize"], mapping["FunctionResponseTypes"]) == (
            there["event_source_arn"], there["enabled"], there["batch_size"], there["function_response_types"])  # fmt: skip
        assert (mapping.get("MaximumBatchingWindowInSeconds"), int(mapping["ScalingConfig"]["MaximumConcurrency"])) == (
            there["maximum_batching_window_in_seconds"], there["scaling_config"][0]["maximum_concurrency"])  # fmt: skip


def test_both_sweep_the_same(both):
    stack, state = both
    assert len(stack.of_type("AWS::Scheduler::Schedule")) == len(state.get("aws_scheduler_schedule", {}))
    for mine in stack.of_type("AWS::Scheduler::Schedule").values():
        theirs = state["aws_scheduler_schedule"]["sweep"]
        target, there = mine["Target"], theirs["target"][0]
        assert (mine["State"], mine["ScheduleExpression"], mine["FlexibleTimeWindow"]["MaximumWindowInMinutes"]) == (
            theirs["state"], theirs["schedule_expression"], theirs["flexible_time_window"][0]["maximum_window_in_minutes"])  # fmt: skip
        assert (target["Arn"], target["RoleArn"], target["Input"], target["DeadLetterConfig"]["Arn"]) == (
            there["arn"], there["role_arn"], there["input"], there["dead_letter_config"][0]["arn"])  # fmt: skip
        assert list(target["RetryPolicy"].values()) == [there["retry_policy"][0][name] for name in ("maximum_event_age_in_seconds", "maximum_retry_attempts")]


def test_both_have_the_same_rule(both):
    stack, state = both
    assert len(stack.of_type("AWS::Events::Rule")) == len(state.get("aws_cloudwatch_event_rule", {}))
    for mine in stack.of_type("AWS::Events::Rule").values():
        theirs, there = state["aws_cloudwatch_event_rule"]["change"], state["aws_cloudwatch_event_target"]["change"]
        assert (mine["Name"], mine["State"], mine["EventPattern"]) == (theirs["name"], theirs["state"], json.loads(theirs["event_pattern"]))
        (target,) = mine["Targets"]
        assert (target["Id"], target["Arn"], target["RoleArn"], target["DeadLetterConfig"]["Arn"]) == (
            there["target_id"], there["arn"], there["role_arn"], there["dead_letter_config"][0]["arn"])  # fmt: skip
        assert list(target["RetryPolicy"].values()) == [there["retry_policy"][0][name] for name in ("maximum_event_age_in_seconds", "maximum_retry_attempts")]


def test_both_have_the_same_alarms(both):
    stack, state = both
    here = sorted(
        (one["MetricName"], one["Namespace"], sorted((each["Name"], each["Value"]) for each in one["Dimensions"]), one["Statistic"], one["Period"],
         int(one["EvaluationPeriods"]), int(one.get("DatapointsToAlarm", one["EvaluationPeriods"])), one["Threshold"], one["ComparisonOperator"],
         one["TreatMissingData"], one.get("AlarmActions", []), one.get("OKActions", []))
        for one in stack.of_type("AWS::CloudWatch::Alarm").values())  # fmt: skip
    there = sorted(
        (one["metric_name"], one["namespace"], sorted(one["dimensions"].items()), one["statistic"], one["period"], one["evaluation_periods"],
         one["datapoints_to_alarm"], one["threshold"], one["comparison_operator"], one["treat_missing_data"], one["alarm_actions"], one["ok_actions"])
        for one in state.get("aws_cloudwatch_metric_alarm", {}).values())  # fmt: skip
    assert here == there


@pytest.mark.parametrize("module", NEEDED)
def test_both_take_and_answer_the_same(module):
    template = cloudformation.parse(INFRA / f"{module}.yaml")
    assert variables(MODULE / module) == parameters(template)
    assert outputs(MODULE / module) == template["Outputs"].keys()


@pytest.mark.parametrize("module", NEEDED)
def test_both_refuse_the_same(module):
    template = cloudformation.parse(INFRA / f"{module}.yaml")
    text = (MODULE / module / "variables.tf").read_text()
    # A list here, of which each member has the form.
    here = {name: one["AllowedPattern"] for name, one in template["Parameters"].items() if "AllowedPattern" in one and name != "Accounts"}
    there = {in_the_template(name): pattern.replace("\\\\", "\\") for pattern, name in re.findall(r'regex\("(.*)", var\.(\w+)\)', text)}
    assert here == there
    values = {
        name: [str(value) for value in one["AllowedValues"]] for name, one in template["Parameters"].items()
        if "AllowedValues" in one and one["AllowedValues"] != ["true", "false"]
    }  # fmt: skip
    assert values == {in_the_template(name): re.findall(r"\w+", found) for found, name in re.findall(r"contains\(\s*\[(.*?)\], var\.(\w+)", text)}
    limits = {name: (one["MinValue"], one["MaxValue"]) for name, one in template["Parameters"].items() if "MinValue" in one}
    assert limits == {in_the_template(name): (int(least), int(most)) for name, least, most in re.findall(r"var\.(\w+) >= (\d+) && var\.\1 <= (\d+)", text)}
