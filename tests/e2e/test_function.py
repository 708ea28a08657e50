"""The function end to end: a real event, a real fetch, a correct finding in the hub."""

import json
import time

import pytest
from aws_stub import ROOT, Function, ec2_error, hub_error
from cloudtrail import ACCOUNT, ALICE, REGION, event

ACTIVE, ARCHIVED = ("FAILED", "ACTIVE"), ("PASSED", "ARCHIVED")


def outcome(**counts):
    return {"evaluated": 0, "passed": 0, "failed": 0, "exempt": 0, "archived": 0, "ignored": None, **counts}


def test_the_life_of_a_finding(account, function, aws):
    source = account.group("web")
    group = account.group("payments-db", tags={"team": "payments"})
    account.allow(group, source)

    answer = function.invoke(event("authorize-ingress", group, source))
    assert not answer.is_error and answer.body == outcome(evaluated=1, failed=1)
    failed = account.findings()[group]
    assert (failed["Compliance"]["Status"], failed["RecordState"]) == ACTIVE
    assert failed["FindingProviderFields"]["Severity"]["Label"] == "LOW"
    assert failed["ProductFields"]["sg-trust/opened-by"] == ALICE
    assert failed["Description"] == f"{group} (payments-db) accepts all traffic from {source}. Opened by {ALICE}."
    assert failed["Resources"][0]["Tags"] == {"team": "payments"}
    assert failed["Resources"][0]["Details"]["AwsEc2SecurityGroup"]["IpPermissions"] == [
        {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": source, "UserId": ACCOUNT}]}
    ]
    assert aws.count() == {"DescribeSecurityGroups": 1, "BatchImportFindings": 1}

    account.revoke(group, source)
    assert function.invoke(event("revoke-ingress", group, source)).body == outcome(evaluated=1, passed=1)
    assert account.states() == {group: ARCHIVED}

    account.allow(group, source)
    assert function.invoke(event("authorize-ingress", group, source)).body == outcome(evaluated=1, failed=1)
    again = account.findings()[group]
    assert (again["Compliance"]["Status"], again["RecordState"], again["Id"]) == (*ACTIVE, failed["Id"])

    account.ec2.delete_security_group(GroupId=group)
    assert function.invoke(event("delete-security-group", group)).body == outcome(archived=1)
    gone = account.findings()[group]
    assert (gone["Compliance"]["Status"], gone["RecordState"]) == ("NOT_AVAILABLE", "ARCHIVED")
    assert gone["ProductFields"]["sg-trust/verdict"] == "GONE"


def test_who_tags_a_group_does_not_stand_beside_anothers_rule(account, function):
    source, group = account.group("web"), account.group("db")
    account.allow(group, source)
    function.invoke(event("create-tags", group, source))
    fields = account.findings()[group]["ProductFields"]
    assert fields["sg-trust/last-event-name"] == "CreateTags"
    assert "sg-trust/opened-by" not in fields


def test_a_denied_call_is_ignored(account, function, aws):
    answer = function.invoke(event("authorize-ingress-denied"))
    assert not answer.is_error and "Client.UnauthorizedOperation" in answer.body["ignored"]
    assert aws.calls == []


@pytest.mark.parametrize(
    "name",
    [
        "config-rule",
        "config-rule-oversized",
        "config-notification",
        "config-notification-oversized",
        "config-notification-sns",
        "config-notification-sns-as-documented",
        "cloudtrail-record",
        "cloudtrail-lookup-events",
        "update-rule-descriptions-ingress-request",
    ],
)
def test_what_a_document_of_another_kind_holds_is_handled(account, function, aws, name):
    source, group = account.group("web"), account.group("db")
    account.allow(group, source)
    answer = function.invoke(event(name, group, source))
    assert not answer.is_error and answer.body == outcome(evaluated=1, failed=1)
    assert account.states() == {group: ACTIVE}
    assert aws.count()["DescribeSecurityGroups"] == aws.count()["BatchImportFindings"] == 1


@pytest.mark.parametrize("name", ["config-rule-scheduled", "config-rule-snapshot"])
def test_a_config_rule_that_asks_about_everything_is_a_sweep(account, function, name):
    source, group = account.group("web"), account.group("db")
    account.allow(group, source)
    assert not function.invoke(event(name)).is_error
    assert account.states() == {group: ACTIVE}


def test_records_of_a_log_file_are_those_of_their_account_and_region(account, function, aws):
    source, group = account.group("web"), account.group("db")
    account.allow(group, source)
    log_file = event("cloudtrail-log-file", group, source)
    answer = function.invoke({"Records": [log_file["Records"][0]]})
    assert answer.body == outcome(evaluated=1, failed=1)
    aws.calls.clear()
    elsewhere = {**log_file["Records"][0], "awsRegion": "eu-west-1"}
    answer = function.invoke({"Records": [elsewhere, log_file["Records"][3]]})
    assert not answer.is_error and "210987654321" in answer.body["ignored"] and "eu-west-1" in answer.body["ignored"]
    assert aws.calls == []


def test_descriptions_updated_by_name_are_of_the_default_vpcs_group(account, function, aws):
    default_vpc = account.ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    group = account.group("web", default_vpc)
    names = ["update-rule-descriptions-ingress-by-name", "update-rule-descriptions-egress-request-by-name"]
    answer = function.invoke([event(name) for name in names * 4])
    assert not answer.is_error and answer.body == outcome(evaluated=1, passed=1)
    assert account.states() == {group: ARCHIVED}
    assert aws.count() == {"DescribeVpcs": 1, "DescribeSecurityGroups": 1, "BatchImportFindings": 1}


@pytest.mark.parametrize(
    "name",
    [
        "malformed-no-detail",
        "malformed-time",
        "malformed-account",
        "malformed-action",
        "sweep-account",
        "malformed-action-misspelt",
        "malformed-config-rule",
        "malformed-shape",
        "malformed-cut",
        "s3-notification",
    ],
)
def test_a_malformed_event_is_an_error_and_the_next_is_served(account, function, name):
    answer = function.invoke((ROOT / f"events/{name}.json").read_bytes())
    assert answer.is_error and answer.body["errorMessage"]
    if name != "malformed-cut":  # not JSON at all: the runtime answers by itself
        assert answer.body["errorType"] == "NonRetryable"
    group = account.group()
    assert function.invoke({"action": "evaluate", "group_ids": [group]}).body == outcome(evaluated=1, passed=1)


def test_a_hub_that_is_off_is_named_with_what_to_do(account, function, aws):
    aws.hub.is_on = False
    answer = function.invoke({"action": "evaluate", "group_ids": [account.group()]})
    assert answer.is_error and answer.body["errorType"] == "NonRetryable"
    for part in ("not enabled", ACCOUNT, REGION, "enable Security Hub"):
        assert part in answer.body["errorMessage"]


def test_an_event_of_another_account_or_region_is_ignored(account, function, aws):
    for made in (event("other-account"), event("authorize-ingress", **{REGION: "eu-west-1"})):
        answer = function.invoke(made)
        assert not answer.is_error and "its own function evaluates it" in answer.body["ignored"]
    assert aws.calls == []


def test_a_group_of_another_owner_is_not_evaluated(account, function, aws):
    group, source = account.group("shared"), account.group("web")
    account.allow(group, source)
    aws.ec2.owners[group] = "210987654321"
    answer = function.invoke(event("authorize-ingress", group, source))
    assert not answer.is_error and "210987654321" in answer.body["ignored"]
    assert account.findings() == {}


def test_a_refused_finding_does_not_cost_the_others(account, function, aws):
    vpc = account.vpc()
    groups = [account.group(f"g{n}", vpc) for n in range(3)]
    aws.hub.refused[groups[1]] = ("InvalidInput", "no reason")
    answer = function.invoke({"action": "evaluate", "group_ids": groups})
    assert answer.is_error and answer.body["errorType"] == "NonRetryable"
    assert groups[1] in answer.body["errorMessage"] and "no reason" in answer.body["errorMessage"]
    assert account.states() == {groups[0]: ARCHIVED, groups[2]: ARCHIVED}


def test_a_finding_refused_for_now_is_sent_once_more_alone(account, function, aws):
    vpc = account.vpc()
    groups = [account.group(f"g{n}", vpc) for n in range(3)]
    aws.hub.refused[groups[1]] = ("InternalError", "try later")
    answer = function.invoke({"action": "evaluate", "group_ids": groups})
    assert answer.is_error and answer.body["errorType"] == "Retryable"
    sent = [len(call.request["Findings"]) for call in aws.calls_of("BatchImportFindings")]
    assert sent == [3, 1]


def test_names_with_wildcards_are_names(account, function, aws):
    default_vpc = account.ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    plain = account.group("web*", default_vpc)
    account.group("website", default_vpc)
    answer = function.invoke(event("authorize-ingress-by-name", **{'"web"': json.dumps("web*")}))
    assert not answer.is_error, answer
    assert account.states() == {plain: ARCHIVED}
    assert aws.count() == {"DescribeVpcs": 1, "DescribeSecurityGroups": 1, "BatchImportFindings": 1}


def test_a_name_that_finds_no_group_is_tried_again(account, function):
    answer = function.invoke(event("authorize-ingress-by-name"))
    assert answer.is_error and answer.body["errorType"] == "Retryable"


def test_a_sweep_evaluates_every_group_page_by_page(account, function, aws):
    vpc = account.vpc()
    groups = [account.group(f"g{n}", vpc) for n in range(7)]
    account.allow(groups[0], groups[1])
    aws.ec2.page_size = 3
    answer = function.invoke(event("schedule"))
    everything = account.ec2.describe_security_groups()["SecurityGroups"]
    assert answer.body == outcome(evaluated=len(everything), failed=1, passed=len(everything) - 1)
    assert account.states() == {groups[0]: ACTIVE}, "a group that passed and has no active finding needs none"


def test_passed_findings_stay_active_where_it_is_wanted(account, functions):
    group = account.group()
    functions(environment={"SG_TRUST_PASSED": "active"}).invoke({"action": "evaluate", "group_ids": [group]})
    assert account.states() == {group: ("PASSED", "ACTIVE")}


def test_a_start_that_fails_says_why(aws):
    for name, value in (("SG_TRUST_PASSED", "sometimes"), ("SG_TRUST_PREWARM", "maybe"), ("SG_TRUST_METRICS", "1"), ("SG_TRUST_POLICY_FILE", "/nowhere.toml")):
        function = Function(aws.endpoint, environment={name: value})
        assert function.process.wait(timeout=30) != 0
        function.stop()
        deadline = time.monotonic() + 10
        while name not in "".join(function.errors) and time.monotonic() < deadline:
            time.sleep(0.05)  # A thread reads what the process wrote before it ended.
        assert name in "".join(function.errors)


def test_prewarming_opens_both_connections_and_changes_nothing(account, functions, aws):
    function = functions(environment={"SG_TRUST_PREWARM": "on"})
    assert function.api.ready.wait(30)
    assert aws.count() == {"DescribeSecurityGroups": 1, "DescribeHub": 1}
    assert account.findings() == {}


@pytest.mark.parametrize(
    ("operation", "reply", "error_type", "says"),
    [
        ("DescribeSecurityGroups", ec2_error(403, "UnauthorizedOperation", "You are not authorized"), "NonRetryable", "ec2:DescribeSecurityGroups"),
        ("DescribeSecurityGroups", ec2_error(503, "RequestLimitExceeded", "Request limit exceeded."), "Retryable", "RequestLimitExceeded"),
        ("BatchImportFindings", hub_error(403, "AccessDeniedException", "not authorized"), "NonRetryable", "four causes"),
        ("BatchImportFindings", hub_error(429, "TooManyRequestsException", "slow down"), "Retryable", "TooManyRequests"),
    ],
)
def test_an_error_of_aws_says_what_to_do(account, function, aws, operation, reply, error_type, says):
    group = account.group()
    aws.fault = lambda called, _: reply if called == operation else None
    answer = function.invoke({"action": "evaluate", "group_ids": [group]})
    assert answer.is_error and answer.body["errorType"] == error_type
    assert says in answer.body["errorMessage"]
    assert account.findings() == {}


def test_throttling_is_waited_out(account, function, aws):
    group = account.group()
    seen = []

    def throttle(operation, _):
        seen.append(operation)
        return ec2_error(503, "RequestLimitExceeded", "slow down") if len(seen) <= 2 else None

    aws.fault = throttle
    assert function.invoke({"action": "evaluate", "group_ids": [group]}).body == outcome(evaluated=1, passed=1)


def test_the_function_answers_before_its_deadline(account, function, aws):
    import time

    aws.fault = lambda operation, _: time.sleep(3)
    answer = function.invoke({"action": "evaluate", "group_ids": [account.group()]}, seconds=1.5)
    assert answer.is_error and answer.body["errorType"] == "Retryable" and answer.seconds < 1.5


def test_the_log_has_one_line_an_invocation(account, function):
    source, group = account.group("web"), account.group("db")
    account.allow(group, source)
    function.invoke(event("authorize-ingress", group, source))
    function.invoke({"action": "destroy"})
    done, failed = function.log()
    assert done["event_id"] == "0d0d0d0d-1111-4222-8333-444444444444"
    assert done["groups"] == f"{group}=FAILED"
    assert (done["request_id"], done["level"], done["evaluated"]) == ("request-1", "INFO", 1)
    assert done["total_ms"] >= done["fetch_ms"] > 0 and done["publish_ms"] > 0
    assert (failed["request_id"], failed["level"], failed["error_type"]) == ("request-2", "ERROR", "NonRetryable")


def test_in_an_emulator_the_function_is_where_its_credentials_are(account, function):
    group = account.group()
    answer = function.invoke({"action": "evaluate", "group_ids": [group]}, arn="function-arn", deadline_ms=600_000)
    assert answer.body == outcome(evaluated=1, passed=1)
    assert account.states() == {group: ARCHIVED}
