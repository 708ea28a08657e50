"""Many events in one invocation, and events that are ahead of what EC2 shows."""

import json

from aws_stub import ec2_error
from cloudtrail import ALICE, event, sample

ACTIVE, ARCHIVED = ("FAILED", "ACTIVE"), ("PASSED", "ARCHIVED")


def sqs(*events):
    record = sample("sqs")["Records"][0]
    return {"Records": [{**record, "messageId": f"message-{n}", "body": e if isinstance(e, str) else json.dumps(e)} for n, e in enumerate(events)]}


def failed(answer):
    return [failure["itemIdentifier"] for failure in answer.body["batchItemFailures"]]


def test_ten_messages_on_three_groups_are_two_calls(account, function, aws):
    vpc = account.vpc()
    groups = [account.group(f"g{n}", vpc) for n in range(3)]
    source = account.group("web", vpc)
    account.allow(groups[0], source)
    answer = function.invoke(sqs(*[event("create-tags", groups[n % 3], groups[(n + 1) % 3]) for n in range(9)], event("authorize-ingress", groups[0], source)))
    assert answer.body == {"batchItemFailures": []}
    assert aws.count() == {"DescribeSecurityGroups": 1, "BatchImportFindings": 1}
    assert account.states() == {groups[0]: ACTIVE, groups[1]: ARCHIVED, groups[2]: ARCHIVED}
    assert account.findings()[groups[0]]["ProductFields"]["sg-trust/opened-by"] == ALICE


def test_a_message_fails_alone(account, function, aws):
    vpc = account.vpc()
    good, refused = account.group("good", vpc), account.group("refused", vpc)
    aws.hub.refused[refused] = ("InvalidInput", "no reason")
    answer = function.invoke(sqs(event("create-tags", good, good), "not json", event("create-tags", refused, refused), {"hello": "world"}, event("run-instances")))
    assert failed(answer) == ["message-1", "message-2", "message-3"]
    assert account.states() == {good: ARCHIVED}
    assert {line["level"] for line in function.log()} == {"ERROR"}


def test_a_batch_within_a_message_fails_as_that_message(account, function):
    vpc = account.vpc()
    group, other = account.group("db", vpc), account.group("other", vpc)
    inner = sqs(event("create-tags", group, group), "not json")
    answer = function.invoke(sqs(event("create-tags", other, other), inner))
    assert failed(answer) == ["message-1"]
    assert account.states() == {group: ARCHIVED, other: ARCHIVED}


def test_a_message_without_an_event_is_not_taken_for_done(account, function):
    assert failed(function.invoke(sqs([]))) == ["message-0"]
    answer = function.invoke({"Records": []})
    assert not answer.is_error, answer
    answer = function.invoke([])
    assert not answer.is_error and "no event" in answer.body["ignored"]


def test_names_and_new_vpcs_of_a_batch_are_looked_up_together(account, function, aws):
    default = account.ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    groups = [account.group(f"app-{n}", default) for n in range(3)]
    vpcs = [account.vpc() for _ in range(3)]
    made = [event("authorize-ingress-by-name", **{'"groupName": "web"': f'"groupName": "app-{n}"'}) for n in range(3)]
    aws.calls.clear()
    answer = function.invoke(sqs(*[event("create-vpc", vpc=vpc) for vpc in vpcs], *made))
    assert aws.count() == {"DescribeVpcs": 1, "DescribeSecurityGroups": 2, "BatchImportFindings": 1}, (answer, aws.count())
    assert len(account.states()) == 6 and set(groups) < set(account.states())


def test_every_message_of_a_failed_fetch_fails(account, function, aws):
    group = account.group("db")
    aws.fault = lambda operation, _: ec2_error(403, "UnauthorizedOperation", "no")
    assert failed(function.invoke(sqs(event("create-tags", group, group), event("run-instances")))) == ["message-0"]


def test_sns_lists_and_failure_records_reach_the_same_code(account, function):
    vpc = account.vpc()
    source, group = account.group("web", vpc), account.group("db", vpc)
    account.allow(group, source)
    one = event("authorize-ingress", group, source)
    sns = {"EventSource": "aws:sns", "Sns": {"Type": "Notification", "Message": json.dumps(one)}}
    record = {**sample("failure-record"), "requestPayload": one}
    for made in ({"Records": [sns]}, [one], record, sample("failure-record") | {"requestPayload": [one]}):
        answer = function.invoke(made)
        assert not answer.is_error and answer.body["failed"] == 1, (made, answer)
    answer = function.invoke(sqs({"Type": "Notification", "Message": json.dumps(one)}, record))
    assert answer.body == {"batchItemFailures": []}
    answer = function.invoke([one, {"hello": "world"}])
    assert answer.is_error and answer.body["errorType"] == "NonRetryable"
    assert account.states() == {group: ACTIVE}


def test_config_tag_and_custom_action_events_are_evaluated(account, function):
    group = account.group("db")
    for name in ("config-item", "config-item-oversized", "tag-change", "custom-action"):
        answer = function.invoke(event(name, group, group))
        assert answer.body["evaluated"] == 1, (name, answer)


def test_an_answer_that_lags_behind_is_waited_for(account, function, aws):
    source, group = account.group("web"), account.group("db")
    aws.ec2.freeze(2)
    rule = account.allow(group, source)
    answer = function.invoke(event("authorize-ingress", group, source, rule=rule))
    assert not answer.is_error and answer.body["failed"] == 1
    assert aws.count() == {"DescribeSecurityGroups": 3, "BatchImportFindings": 1}
    assert account.states() == {group: ACTIVE}
    aws.ec2.freeze(1)
    account.revoke(group, source)
    assert function.invoke(event("revoke-ingress", group, source, rule=rule)).body["passed"] == 1
    aws.ec2.freeze(1)
    account.ec2.delete_security_group(GroupId=group)
    assert function.invoke(event("delete-security-group", group)).body["archived"] == 1
    assert [line["StaleReads"] for line in function.metrics()] == [2, 1, 1]


def test_an_answer_that_stays_behind_is_not_published(account, function, aws):
    source, group = account.group("web"), account.group("db")
    aws.ec2.freeze(100)
    account.allow(group, source)
    answer = function.invoke(event("authorize-ingress", group, source))
    assert answer.is_error and answer.body["errorType"] == "Retryable" and group in answer.body["errorMessage"]
    assert account.findings() == {}
    # The other group of the batch stands.
    answer = function.invoke(sqs(event("authorize-ingress", group, source), event("create-tags", source, source)))
    assert failed(answer) == ["message-0"]
    assert account.states() == {source: ARCHIVED}


def test_an_old_event_is_not_waited_for_twice(account, function):
    """What an event of two minutes ago says was overtaken: what is fetched is the truth."""
    source, group = account.group("web"), account.group("db")
    answer = function.invoke(event("authorize-ingress", group, source, seconds_ago=120))
    assert not answer.is_error and answer.body["passed"] == 1
    assert account.states() == {group: ARCHIVED}


def test_a_group_that_is_created_is_waited_for(account, function, aws):
    vpc = account.vpc()
    aws.ec2.freeze(2)
    group = account.group("db", vpc)
    assert function.invoke(event("create-security-group", group, vpc=vpc)).body["passed"] == 1
    assert account.states() == {group: ARCHIVED}


def test_of_several_events_on_one_rule_the_last_decides(account, function, aws):
    source, group = account.group("web"), account.group("db")
    first, last = event("authorize-ingress", group, source, seconds_ago=4), event("revoke-ingress", group, source, seconds_ago=2)
    for batch in ((first, last), (last, first)):
        assert function.invoke(sqs(*batch)).body == {"batchItemFailures": []}
    assert "DescribeSecurityGroups" in aws.count() and aws.count()["DescribeSecurityGroups"] == 2
    assert account.states() == {group: ARCHIVED}


def test_a_new_vpc_brings_its_default_group(account, function, aws):
    vpc = account.vpc()
    group = account.ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["SecurityGroups"][0]["GroupId"]
    account.allow(group, group)
    assert function.invoke(event("create-vpc", vpc=vpc)).body["failed"] == 1
    assert aws.count() == {"DescribeSecurityGroups": 1, "BatchImportFindings": 1}
    assert account.states() == {group: ACTIVE}
    assert account.findings()[group]["Description"].startswith(f"{group} (default) accepts all traffic from itself.")


def test_a_deleted_vpc_takes_the_findings_of_its_groups_along(account, function, aws):
    gone, stays = account.vpc(), account.vpc()
    groups = {vpc: account.group("db", vpc) for vpc in (gone, stays)}
    for group in groups.values():
        account.allow(group, group)
    function.invoke({"action": "evaluate", "group_ids": list(groups.values())})
    account.ec2.delete_security_group(GroupId=groups[gone])
    answer = function.invoke(event("delete-vpc", vpc=gone))
    assert answer.body["archived"] == 1
    assert account.states() == {groups[gone]: ("NOT_AVAILABLE", "ARCHIVED"), groups[stays]: ACTIVE}
    answer = function.invoke(event("delete-vpc", vpc=gone))
    assert not answer.is_error and "no active finding" in answer.body["ignored"]


def test_a_group_that_is_absent_is_looked_for_three_times_more(account, function, aws):
    account.group("other")
    answer = function.invoke({"action": "evaluate", "group_ids": ["sg-0123456789abcdef9"]})
    assert answer.body["archived"] == 1
    assert aws.count() == {"DescribeSecurityGroups": 4, "BatchImportFindings": 1}


def test_the_newer_observation_stands_whatever_the_order_of_delivery(account, aws, functions):
    source, group = account.group("web"), account.group("db")
    account.allow(group, source)
    slow, fast = functions(), functions()
    with aws.hold_requests("BatchImportFindings") as held:
        late = slow.begin({"action": "evaluate", "group_ids": [group]})
        assert held.wait().access_key == slow.access_key
        account.revoke(group, source)
        assert fast.invoke({"action": "evaluate", "group_ids": [group]}).body["passed"] == 1
    answer = late.result()
    assert not answer.is_error and answer.body["failed"] == 1
    assert account.states() == {group: ARCHIVED}


def test_metrics_have_their_names_and_can_be_off(account, aws, functions):
    group = account.group("db")
    function = functions()
    function.invoke(event("create-tags", group, group))
    function.invoke(event("other-account"))
    first, second = function.metrics()
    assert first["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "sg-trust"
    assert (first["ColdStart"], first["GroupsEvaluated"], first["FindingsPublished"], first["FunctionName"]) == (1, 1, 1, "sg-trust-lambda")
    assert 0 <= first["EventAge"][0] < 60_000
    assert (second["ColdStart"], second["EventsIgnored"], second["EventsForeign"]) == (0, 1, 1)
    silent = functions(environment={"SG_TRUST_METRICS": "off"})
    silent.invoke(event("create-tags", group, group))
    silent.log()
    assert not [line for line in silent.lines if "_aws" in line]
