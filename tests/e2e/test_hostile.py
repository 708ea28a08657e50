"""What others chose: names, tags, users, whole events. Safe in the hub, in the log and in the answer; the process lives on."""

import json
import random
import time
import unicodedata

import pytest
from aws_stub import ROOT, group_xml
from cloudtrail import ACCOUNT, event, sample
from test_events import failed, sqs
from test_sweep import open_group, synthetic

ACTIVE = ("FAILED", "ACTIVE")
HOSTILE = [
    "quote ' double \" back \\ tick `id` $(id) ; && |",
    "line\nfeed\r\ttab",
    "\x1b[31mred\x1b]0;title\x07",
    "c1 \x9b31m",
    "right \u202eot-left\u202c \u200f\u2066x\u2069",
    "zero\u200bwidth\ufeff line\u2028separator",
    "<script>alert(1)</script> [x](javascript:y) ]]> &amp; =HYPERLINK(1)",
    "👩‍💻 " * 40,
    "%s %n {0} ${jndi:ldap://x} {{7*7}}",
]
LONG = "x'\u202e\"" * 16_384


def is_safe(text):
    """One line, no control character and none that turns the direction of writing."""
    return not any(unicodedata.category(c) in ("Cc", "Zl", "Zp") or c in "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\ufeff" for c in text)


def shown(finding):
    """The texts of a finding that a person reads."""
    return [finding["Title"], finding["Description"], finding["Remediation"]["Recommendation"]["Text"], *finding["ProductFields"].values()]


def has_safe_log(function):
    """Every line of the log is one JSON object that shows itself as it is, and no longer than CloudWatch takes."""
    function.invoke({"action": "nothing"})
    deadline = time.monotonic() + 10
    while f'"request-{function.count}"' not in "".join(function.lines):
        assert time.monotonic() < deadline, "the last invocation logs nothing"
        time.sleep(0.01)
    for line in list(function.lines):
        assert is_safe(line.rstrip("\n")) and isinstance(json.loads(line), dict) and len(line) < 256_000, line[:300]
    assert function.errors == []


def hostile_event(text, group, source):
    made = event("authorize-ingress", group, source)
    identity = {"arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/dev/{text}", "sessionContext": {"sourceIdentity": text}, "onBehalfOf": {"userId": text, "identityStoreArn": text}}
    made["detail"].update({"userAgent": text, "sourceIPAddress": text, "eventID": text, "userIdentity": identity})
    return made


@pytest.mark.parametrize("text", [*HOSTILE, LONG], ids=lambda text: ascii(text)[:24])
def test_hostile_names_tags_and_users_are_published_safely(function, aws, text):
    """The group is of the stub's memory: moto takes no such names."""
    group, source = "sg-0123456789abcdef0", "sg-0fedcba9876543210"
    # What XML can hold.
    inner = "".join(c for c in text if c >= " " or c in "\n\t")
    pair = {"UserId": ACCOUNT, "GroupId": source, "GroupName": inner, "Description": inner, "PeeringStatus": inner}
    tags = [{"Key": inner[:128], "Value": inner}, {"Key": "team", "Value": "payments"}]
    aws.ec2.groups = {group: group_xml(open_group(group, pair, GroupName=inner, Description=inner, VpcId=inner, Tags=tags))}
    answer = function.invoke(hostile_event(text, group, source))
    assert not answer.is_error and answer.body["failed"] == 1, answer
    (finding,) = aws.hub.findings.values()
    assert (finding["Compliance"]["Status"], finding["RecordState"]) == ACTIVE
    for one in shown(finding):
        assert is_safe(one), one
    assert finding["Resources"][0]["Tags"]["team"] == "payments"
    assert finding["ProductFields"]["sg-trust/opened-by"].startswith(f"arn:aws:sts::{ACCOUNT}:assumed-role/dev/")
    has_safe_log(function)


def test_a_thousand_tagged_groups_are_five_fetches_and_ten_imports(function, aws):
    aws.ec2.groups = synthetic(1000)
    made = event("create-tags")
    made["detail"]["requestParameters"]["resourcesSet"]["items"] = [{"resourceId": id} for id in aws.ec2.groups]
    answer = function.invoke(made)
    assert not answer.is_error and (answer.body["evaluated"], answer.body["failed"]) == (1000, 100), answer
    assert aws.count() == {"DescribeSecurityGroups": 5, "BatchImportFindings": 10}
    assert len(aws.hub.findings) == 1000
    has_safe_log(function)


BAD = [
    b"[" * 10_000,
    b"[" * 10_000 + b"]" * 10_000,
    b'{"detail":' * 10_000 + b"1" + b"}" * 10_000,
    b'{"action":"\xff\xfe"}',
    b'{"action":"\\ud800"}',
    b"\0",
    b"",
    b"null",
    b'"sweep"',
    b"1e999",
    b'{"action":"sweep","action":"nothing"}',
    b'{"a":' * 10_000,
    b'{"action":"sweep"',
    b"\xff\xfe\x00",
    b"[" + b"1," * 100_000 + b"1]",
]


def test_bytes_that_are_no_event_are_errors_and_the_process_lives(account, function, aws):
    for body in BAD:
        answer = function.invoke(body)
        assert answer.is_error and len(answer.body["errorMessage"]) < 20_000, (body[:40], answer)
    assert aws.calls == []
    group = account.group("db")
    assert function.invoke({"action": "evaluate", "group_ids": [group]}).body["passed"] == 1
    has_safe_log(function)


def test_a_text_of_a_megabyte_is_cut_where_it_is_shown(function, aws):
    aws.ec2.groups = {}
    long = "\x1b[31m" * (1 << 18)

    def with_detail(**members):
        made = event("authorize-ingress", seconds_ago=300)
        made["detail"].update(members)
        return made

    for made in (
        {"action": long},
        {"source": long, "detail-type": long, "detail": {}},
        with_detail(eventName=long),
        with_detail(errorCode=long),
        with_detail(eventSource=long),
        with_detail(requestParameters={"groupId": "sg-" + "a" * 1_000_000}),
        with_detail(requestParameters={"groupId": long}),
        [{"source": f"x{n}", "detail-type": "y", "detail": {}} for n in range(10_000)],
        [1] * 50_000,
    ):
        answer = function.invoke(made)
        assert len(json.dumps(answer.body)) < 100_000
    before = len(function.lines)
    assert before < 200, "a line for each of the first messages that failed, not for each of 50 000"
    has_safe_log(function)


def test_a_poisoned_id_costs_only_its_own_message(account, function, aws):
    """EC2 takes no filter value of a megabyte: it would refuse the call for all the others."""
    group = account.group("db")
    account.allow(group, group)
    poison = event("create-tags", "sg-" + "a" * 1_000_000, group)
    answer = function.invoke(sqs({"action": "evaluate", "group_ids": ["sg-" + "a" * 1_000_000]}, event("create-tags", group, group)))
    assert failed(answer) == ["message-0"]
    assert account.states() == {group: ACTIVE}
    # One that only names it among others is a sweep: nothing of it is left out.
    assert not function.invoke(poison).is_error
    assert all(len(json.dumps(call.request)) < 10_000 for call in aws.calls_of("DescribeSecurityGroups"))


ODD = [None, True, -1, 1e308, "", "sg-", "sg-0; rm -rf /", "\x1b[31m\u202e", [], {}, [None], {"items": None}, {"items": [None, 1, {"groupId": ["sg-0b"]}]}]


def paths(value, at=()):
    yield at
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in items:
        yield from paths(inner, (*at, name))


def test_events_with_anything_anywhere_are_answered(function, aws):
    """A sample of what tests/it/hostile.rs tries of every event in every place; with too little time to wait for EC2."""
    aws.ec2.groups = {}
    chance = random.Random(7)
    names = sorted(path.stem for path in (ROOT / "events").glob("*.json") if path.stem not in ("account", "malformed-cut"))
    answers = []
    for _ in range(300):
        made = sample(chance.choice(names))
        *way, last = chance.choice(list(paths(made))[1:])
        inner = made
        for name in way:
            inner = inner[name]
        inner[last] = chance.choice(ODD)
        if chance.random() < 0.2:
            made = {"Records": [{"messageId": "m", "eventSource": "aws:sqs", "body": json.dumps(made)}]}
        answers.append(function.invoke(made, seconds=1.4))
    assert all(answer.is_error or isinstance(answer.body, dict) for answer in answers)
    assert {answer.body["errorType"] for answer in answers if answer.is_error} == {"Retryable", "NonRetryable"}
    assert function.process.poll() is None
    has_safe_log(function)


def test_a_log_in_text_shows_hostile_events_on_one_line_each(functions, aws):
    """AWS_LAMBDA_LOG_FORMAT=Text: no line breaks and no colours of others' choice."""
    aws.ec2.groups = {}
    function = functions(environment={"AWS_LAMBDA_LOG_FORMAT": "Text", "SG_TRUST_METRICS": "off"})
    for text in HOSTILE:
        function.invoke({"action": text})
        function.invoke({"source": text, "detail-type": text, "detail": {}})
        function.invoke({"Records": [{"messageId": text, "eventSource": "aws:sqs", "body": text}]})
    assert all(is_safe(line.rstrip("\n")) for line in function.lines), [ascii(line) for line in function.lines if not is_safe(line.rstrip("\n"))]
    assert len(function.lines) >= 2 * len(HOSTILE)


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
