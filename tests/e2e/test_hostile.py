"""Input that somebody made to break the function: it answers, says what is wrong on one line, and serves the next."""

import json

import pytest
from cloudtrail import event
from test_sweep import synthetic


def test_a_thousand_tagged_groups_are_few_calls(account, function, proxy):
    proxy.synthetic = synthetic(1000)
    made = event("create-tags")
    made["detail"]["requestParameters"]["resourcesSet"]["items"] = [{"resourceId": id} for id in proxy.synthetic]
    answer = function.invoke(made, seconds=60)
    assert not answer.is_error and (answer.body["evaluated"], answer.body["failed"]) == (1000, 100), answer
    assert proxy.count() == {"DescribeSecurityGroups": 5, "BatchImportFindings": 10}, "200 groups a describe, 100 findings an import"


@pytest.mark.parametrize(
    "body",
    [b"[" * 10_000, b'{"a":' * 10_000, b"\xff\xfe\x00", b'{"action":"\xff"}', b'{"action":"sweep"', b"null", b"[" + b"1," * 100_000 + b"1]"],
    ids=["deep lists", "deep objects", "UTF-16", "invalid UTF-8", "cut", "null", "many numbers"],
)
def test_bytes_that_are_no_event_are_an_error(account, function, body):
    assert function.invoke(body).is_error
    group = account.group()
    assert function.invoke({"action": "evaluate", "group_ids": [group]}).body["passed"] == 1


def test_the_log_keeps_what_others_wrote_on_one_line(account, function):
    hostile = "a\nb\r\x1b[31m\u202e'\"<script>$(id)`" + "x" * 70_000
    group = account.group("db")
    made = event("create-tags", group, group)
    made["detail"]["userAgent"] = made["detail"]["eventID"] = made["detail"]["userIdentity"]["arn"] = hostile
    assert not function.invoke(made).is_error
    function.log()
    assert all(json.loads(line) for line in function.lines), "every line is a document of its own"
    line = next(line for line in function.lines if '"done"' in line)
    assert len(line) < 10_000 and "\x1b" not in line and "\u202e" not in line
    fields = account.findings()[group]["ProductFields"]
    assert all(len(value) <= 2048 and "\x1b" not in value and "\n" not in value for value in fields.values())
