"""Messages of a queue that fail: which come back early, and when."""

import json

import pytest
from aws_stub import Reply
from cloudtrail import event, sample

QUEUE = "sg-trust-changes"


def sqs(*events, received=1):
    """A batch as Lambda's poller hands it out."""
    record = sample("sqs")["Records"][0]
    return {"Records": [{**record, "messageId": f"message-{n}", "receiptHandle": f"handle-{n}", "body": e if isinstance(e, str) else json.dumps(e),
                         "eventSourceARN": f"arn:aws:sqs:us-east-1:123456789012:{QUEUE}", "attributes": {"ApproximateReceiveCount": str(received)}}
                        for n, e in enumerate(events)]}  # fmt: skip


def failed(answer):
    return [failure["itemIdentifier"] for failure in answer.body["batchItemFailures"]]


def visible(aws):
    """Receipt handle -> seconds."""
    return {handle: seconds for (queue, handle), seconds in aws.sqs.visible_in.items() if queue == f"123456789012/{QUEUE}"}


@pytest.fixture
def stale(account, aws):
    """A group whose new rule EC2 does not show, and the event that tells of the rule."""
    vpc = account.vpc()
    source, group = account.group("web", vpc), account.group("db", vpc)
    aws.ec2.freeze(100, group)
    account.allow(group, source)
    return event("authorize-ingress", group, source)


def test_what_may_pass_comes_back_after_a_minute_and_nothing_else_does(account, function, aws, stale):
    vpc = account.vpc()
    good, refused = account.group("good", vpc), account.group("refused", vpc)
    aws.hub.refused[refused] = ("InvalidInput", "no reason")
    answer = function.invoke(sqs(event("create-tags", good, good), stale, event("create-tags", refused, refused), "not json"))
    assert failed(answer) == ["message-1", "message-2", "message-3"]
    assert visible(aws) == {"handle-1": 60}
    assert aws.count()["ChangeMessageVisibilityBatch"] == 1
    measured = function.metrics()[-1]
    assert (measured["MessagesFailed"], measured["MessagesNotRetryable"]) == (3, 2)


def test_a_batch_without_a_failure_makes_no_call_more(account, function, aws):
    group = account.group()
    assert failed(function.invoke(sqs(event("create-tags", group, group)))) == []
    assert aws.count() == {"DescribeSecurityGroups": 1, "BatchImportFindings": 1}


def test_what_fails_again_waits_longer(function, aws, stale):
    for received, seconds in ((1, 60), (2, 60), (3, 300), (4, 900)):
        assert failed(function.invoke(sqs(stale, received=received))) == ["message-0"]
        assert visible(aws) == {"handle-0": seconds}


def test_ten_messages_are_one_call(account, function, aws):
    aws.fault = lambda operation, _: Reply(500, {"__type": "InternalException", "message": "m"}) if operation == "BatchImportFindings" else None
    group = account.group()
    answer = function.invoke(sqs(*[event("create-tags", group, group) for _ in range(23)]))
    assert len(failed(answer)) == 23
    assert visible(aws) == {f"handle-{n}": 60 for n in range(23)}
    assert aws.count()["ChangeMessageVisibilityBatch"] == 3


@pytest.mark.parametrize("reply", [Reply(403, {"__type": "com.amazonaws.sqs#AccessDenied", "message": "no"}), None])
def test_a_queue_that_refuses_changes_no_answer(function, aws, stale, reply):
    if reply:
        aws.fault = lambda operation, _: reply if operation == "ChangeMessageVisibilityBatch" else None
    else:
        aws.sqs.refused.add("handle-0")
    assert failed(function.invoke(sqs(stale))) == ["message-0"]
    assert visible(aws) == {}
    (said,) = function.wait_for(lambda line: line.get("level") == "WARN")
    assert "visibility timeout" in said["message"] and "ChangeMessageVisibility" in said["why"]


def test_the_messages_of_an_invocation_that_ran_out_of_time_come_back_too(account, function, aws):
    group = account.group()
    aws.delay_answers("DescribeSecurityGroups", 4)
    answer = function.invoke(sqs(event("create-tags", group, group), event("create-tags", group, group)), seconds=2.5)
    assert failed(answer) == ["message-0", "message-1"]
    assert visible(aws) == {"handle-0": 60, "handle-1": 60}
