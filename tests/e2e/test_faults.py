"""Whatever AWS, the network or the delivery of events do wrong: what the function answers, how often it calls, what stands in the hub.

Each row of FAULTS is one fault of one operation. In its own account, in one process: a finding stands; the fault comes once and a
rule is added; the fault stays and another is added; the fault is over and the same event is delivered again. The rows run at once,
since most of their time is the waiting between tries. docs/faults.md is made from the rows: SG_TRUST_WRITE_DOCS=1 writes it.
"""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Callable

import asff
import pytest
from aws_stub import ROOT, AwsStub, Function, Raw, Reply, ec2_error, head, hub_error
from cloudtrail import ACCOUNT, event
from conftest import Account
from test_events import failed, sqs

ACTIVE, ARCHIVED, GONE = ("FAILED", "ACTIVE"), ("PASSED", "ARCHIVED"), ("NOT_AVAILABLE", "ARCHIVED")
HTML = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>The aws wants to know who you are.</body></html>"
DOCUMENT = ROOT / "docs/faults.md"
EC2, HUB, READ = "DescribeSecurityGroups", "BatchImportFindings", "GetFindings"


@dataclass(frozen=True)
class Fault:
    """What goes wrong with a call: the answer to what was asked, or what becomes of the true answer."""

    answer: Callable
    # Does AWS do what it was asked?
    is_done: bool


def instead(reply):
    """AWS does nothing and answers this."""
    return Fault(lambda asked: reply(), is_done=False)


def afterwards(spoil):
    """AWS does what it was asked, and its answer is spoilt."""
    return Fault(spoil, is_done=True)


def cut(reply):
    return Reply(reply.status, reply.body[: len(reply.body) * 2 // 3], reply.headers["content-type"])


def cut_within_its_length(reply):
    return Raw(head(reply, f"content-length: {len(reply.body)}"), reply.body[: len(reply.body) // 2])


def cut_in_a_chunk(reply):
    half = reply.body[: len(reply.body) // 2]
    return Raw(head(reply, "transfer-encoding: chunked"), f"{len(half):x}\r\n".encode(), half, b"\r\n", f"{len(half):x}\r\n".encode(), half[:9])


def cut_without_a_length(reply):
    return Raw(head(reply, version="1.0"), reply.body[: len(reply.body) // 2])


def too_short_a_length(reply):
    return Raw(head(reply, f"content-length: {len(reply.body) - 40}"), reply.body)


def trickle(reply):
    return Raw(head(reply, f"content-length: {len(reply.body)}"), *[reply.body[n : n + 1] for n in range(200)], pause=0.1)


def late(seconds):
    def wait(reply):
        time.sleep(seconds)
        return reply

    return wait


def refusal(code):
    """A 200 that names every finding as not taken."""

    def answer(asked):
        refused = [{"Id": finding["Id"], "ErrorMessage": "because", **({"ErrorCode": code} if code else {})} for finding in asked["Findings"]]
        return Reply(200, {"FailedCount": len(refused), "SuccessCount": 0, "FailedFindings": refused})

    return Fault(answer, is_done=False)


def html(status):
    return instead(lambda: Reply(status, HTML, "text/html"))


def of_ec2(status, code):
    return instead(lambda: ec2_error(status, code, "because"))


def of_hub(status, code):
    return instead(lambda: hub_error(status, code, "because"))


@dataclass(frozen=True)
class Row:
    what: str
    operation: str
    fault: Fault
    # The answer and the number of calls of the operation (or a range of it): when the fault comes once, and when it stays.
    once: tuple
    always: tuple
    # The invocation's time.
    seconds: float = 30.0
    # Which calls of the operation are meant.
    which: str = ""
    is_meant: Callable = lambda asked: True

    def __str__(self):
        return f"{self.operation}{self.which}: {self.what}"


OK, LATER, NEVER = "success", "Retryable", "NonRetryable"
# The SDK makes up to 4 attempts; of an answer that it cannot read it does not ask for another.
RETRIED, UNREAD, DENIED = {"once": (OK, 2), "always": (LATER, 4)}, {"once": (LATER, 1), "always": (LATER, 1)}, {"once": (NEVER, 1), "always": (NEVER, 1)}
# Attempts of 3 s each within 8 s, with pauses of chance between them.
TIMED_OUT = range(2, 4)
SECONDS_FOR_ATTEMPTS = 8
# A finding that may be taken later is sent once more.
SENT_AGAIN = {"once": (OK, 2), "always": (LATER, 2)}


def anywhere(operation):
    """What can go wrong on the way to any service."""
    return [
        Row("502, HTML of a proxy", operation, html(502), **RETRIED),
        Row("503, HTML of a proxy", operation, html(503), **RETRIED),
        Row("200, HTML of a proxy", operation, html(200), **UNREAD),
        Row("403, HTML of a proxy", operation, html(403), **UNREAD),
        Row("the connection ends before the answer", operation, instead(lambda: "drop"), **RETRIED),
        Row("it is done, and the answer is lost", operation, afterwards(lambda _: "drop"), **RETRIED),
        Row("what answers is not HTTP", operation, instead(lambda: Raw(b"\x15\x03\x01\x00\x02\x02\x46\r\n\r\n")), **UNREAD),
        Row("the connection ends within the content-length", operation, afterwards(cut_within_its_length), **RETRIED),
        Row("the connection ends in a chunk", operation, afterwards(cut_in_a_chunk), **RETRIED),
        Row("the answer takes 4 s, where 3 s are given", operation, afterwards(late(4)), (OK, 2), (LATER, TIMED_OUT)),
        Row("the answer takes longer than the invocation may", operation, afterwards(late(4)), (LATER, 1), (LATER, 1), seconds=2.5),
        Row("the answer trickles in", operation, afterwards(trickle), (OK, 2), (LATER, TIMED_OUT)),
        Row("200, cut", operation, afterwards(cut), **UNREAD),
        Row("200, cut, without a length", operation, afterwards(cut_without_a_length), **UNREAD),
        Row("200, cut by a wrong content-length", operation, afterwards(too_short_a_length), **UNREAD),
        Row("200, empty", operation, instead(lambda: Reply(200, b"")), **UNREAD),
    ]


FAULTS = [
    Row("throttled, RequestLimitExceeded", EC2, of_ec2(503, "RequestLimitExceeded"), **RETRIED),
    Row("throttled, Throttling", EC2, of_ec2(400, "Throttling"), **RETRIED),
    Row("500 InternalError", EC2, of_ec2(500, "InternalError"), **RETRIED),
    Row("503 Unavailable", EC2, of_ec2(503, "Unavailable"), **RETRIED),
    Row("denied, UnauthorizedOperation", EC2, of_ec2(403, "UnauthorizedOperation"), **DENIED),
    Row("the credentials are wrong, AuthFailure", EC2, of_ec2(401, "AuthFailure"), **DENIED),
    Row("the credentials have expired, RequestExpired", EC2, of_ec2(400, "RequestExpired"), **UNREAD),
    Row("the credentials have expired, ExpiredToken", EC2, of_ec2(400, "ExpiredToken"), **UNREAD),
    Row("the Region is not enabled, OptInRequired", EC2, of_ec2(401, "OptInRequired"), **DENIED),
    *anywhere(EC2),
    Row("throttled, TooManyRequestsException", HUB, of_hub(429, "TooManyRequestsException"), **RETRIED),
    Row("throttled, LimitExceededException", HUB, of_hub(429, "LimitExceededException"), **RETRIED),
    Row("500 InternalException", HUB, of_hub(500, "InternalException"), **RETRIED),
    Row("denied, AccessDeniedException", HUB, of_hub(403, "AccessDeniedException"), **DENIED),
    Row("the credentials are wrong, UnrecognizedClientException", HUB, of_hub(403, "UnrecognizedClientException"), **DENIED),
    Row("the credentials have expired, ExpiredTokenException", HUB, of_hub(403, "ExpiredTokenException"), **UNREAD),
    Row("the hub is off, InvalidAccessException", HUB, of_hub(401, "InvalidAccessException"), **DENIED),
    Row("the call is refused, InvalidInputException", HUB, of_hub(400, "InvalidInputException"), **DENIED),
    *anywhere(HUB),
    Row("200, one failed and is not named", HUB, instead(lambda: Reply(200, {"FailedCount": 1, "SuccessCount": 0, "FailedFindings": []})), **UNREAD),
    Row("200, the finding failed with InvalidInput", HUB, refusal("InvalidInput"), **DENIED),
    Row("200, the finding failed with InvalidAccess", HUB, refusal("InvalidAccess"), **DENIED),
    Row("200, the finding failed with InternalException", HUB, refusal("InternalException"), **SENT_AGAIN),
    Row("200, the finding failed with LimitExceeded", HUB, refusal("LimitExceeded"), **SENT_AGAIN),
    Row("200, the finding failed with Throttling", HUB, refusal("Throttling"), **SENT_AGAIN),
    Row("200, the finding failed with a code of the future", HUB, refusal("SomethingNew"), **SENT_AGAIN),
    Row("200, the finding failed without a code", HUB, refusal(None), **SENT_AGAIN),
]


def of_sweep(operation, which="", is_meant=lambda asked: True, done=0):
    """What differs in a sweep; so many calls of the operation go well before the one that is meant."""
    error = (lambda status, code, _: of_ec2(status, code)) if operation == EC2 else (lambda status, _, code: of_hub(status, code))
    makes = [
        ("throttled", error(429, "RequestLimitExceeded", "TooManyRequestsException"), LATER, 4),
        ("500", error(500, "InternalError", "InternalException"), LATER, 4),
        ("denied", error(403, "UnauthorizedOperation", "AccessDeniedException"), NEVER, 1),
        ("the credentials have expired", error(400, "RequestExpired", "ExpiredTokenException"), LATER, 1),
        ("it is done, and the answer is lost", afterwards(lambda _: "drop"), LATER, 4),
        ("200, cut", afterwards(cut), LATER, 1),
        ("200, empty", instead(lambda: Reply(200, b"")), LATER, 1),
        ("200, HTML of a proxy", html(200), LATER, 1),
    ]
    return [
        # What was taken though the answer was lost is there: nothing is left to import.
        Row(what, operation, fault, (OK if calls == 4 or operation == HUB and fault.is_done else answer, None), (answer, done + calls), 30.0, which, is_meant)
        for what, fault, answer, calls in makes
    ]


def is_page(asked):
    return "NextToken" in asked


def is_second_look(asked):
    return asked.get("Filter.1.Name") == "group-id"


SWEEPS = [
    *of_sweep(READ),
    Row("the hub is off", READ, of_hub(401, "InvalidAccessException"), (NEVER, None), (NEVER, 1)),
    Row("the answer takes longer than the invocation may", READ, afterwards(late(6)), (LATER, None), (LATER, 1), seconds=4.0),
    *of_sweep(EC2, " (second page)", is_page, done=1),
    Row("the answer takes longer than the invocation may", EC2, afterwards(late(6)), (LATER, None), (LATER, 2), 4.0, " (second page)", is_page),
    *of_sweep(EC2, " (second look)", is_second_look, done=2),
    *of_sweep(HUB),
    Row("200, every finding failed with InvalidInput", HUB, refusal("InvalidInput"), (NEVER, None), (NEVER, 1)),
    Row("200, every finding failed with InternalException", HUB, refusal("InternalException"), (OK, None), (LATER, 2)),
]


class Place:
    """An account of its own with its function, so that many can fail at once."""

    def __init__(self, moto_port, id):
        self.aws, self.account, self.id = AwsStub(id, moto_port), Account(moto_port, id=id), id
        self.function = Function(self.aws.endpoint, account=id)

    def stop(self):
        self.function.stop()
        self.aws.close()

    def fail(self, row, times):
        """From now on the calls of the row fail, so many times."""
        left, lock = [times], threading.Lock()

        def fails(operation, asked):
            with lock:
                left[0] -= operation == row.operation and row.is_meant(asked)
                return operation == row.operation and row.is_meant(asked) and left[0] >= 0

        if row.fault.is_done:
            self.aws.spoil = lambda operation, asked, made: row.fault.answer(made) if fails(operation, asked) else made
        else:
            self.aws.fault = lambda operation, asked: row.fault.answer(asked) if fails(operation, asked) else None

    def heal(self):
        self.aws.fault = self.aws.spoil = None

    def invoke(self, what, row=None):
        """The answer, how many calls of the row's operation there were, and whether the time for them may have been over."""
        self.aws.calls.clear()
        seconds = row.seconds if row else 30.0
        # Raises when there is none soon after its time.
        answer = self.function.invoke(what, seconds=seconds)
        calls = self.aws.count()[row.operation] if row else None
        return answer.body["errorType"] if answer.is_error else OK, calls, answer.seconds > SECONDS_FOR_ATTEMPTS - 1

    def event(self, name, group, source=None, **more):
        return event(name, group, source, **{ACCOUNT: self.id}, **more)

    def standing(self):
        """What the hub holds, by group: status, record state, number of violations."""
        made = {}
        for finding in self.aws.hub.findings.values():
            violations = finding["ProductFields"].get("sg-trust/violations", "0")
            made[finding["Id"].rsplit("/", 1)[1]] = (finding["Compliance"]["Status"], finding["RecordState"], int(violations))
        return made

    def imported_well(self):
        found = {finding["Id"]: asff.faults(finding) for finding in self.aws.hub.imported}
        assert not any(found.values()), found


def run_event(row, place):
    """A finding stands. Twice a rule is added, and its event meets the fault; at last it is delivered again without one."""
    vpc = place.account.vpc()
    group, *sources = (place.account.group(name, vpc) for name in ("db", "web", "batch", "admin"))
    place.account.allow(group, sources[0])
    place.invoke({"action": "evaluate", "group_ids": [group]})
    seen = {"before": place.standing()[group]}
    for when, times, source in (("once", 1, sources[1]), ("always", 1000, sources[2])):
        place.account.allow(group, source)
        place.fail(row, times)
        seen[when] = (place.invoke(place.event("authorize-ingress", group, source), row), place.standing()[group])
        place.heal()
    seen["again"] = (place.invoke(place.event("authorize-ingress", group, sources[2]))[0], place.standing()[group])
    place.imported_well()
    return seen


def run_sweep(row, place):
    """Of three findings one is right, one is of a group that was closed since, one of a group that is gone; another opened."""
    vpc = place.account.vpc()
    names = ("open", "closed", "gone", "opened")
    groups = {name: place.account.group(name, vpc) for name in names}
    for name in names[:3]:
        place.account.allow(groups[name], groups[name])
    place.invoke({"action": "sweep"})

    def standing():
        stands = place.standing()
        return {name: stands.get(group, (None, None, 0))[:2] for name, group in groups.items()}

    seen = {"before": standing()}
    place.account.revoke(groups["closed"], groups["closed"])
    place.account.ec2.delete_security_group(GroupId=groups["gone"])
    place.account.allow(groups["opened"], groups["opened"])
    place.aws.ec2.page_size = 4
    for when, times in (("always", 1000), ("once", 1)):
        place.fail(row, times)
        seen[when] = (place.invoke({"action": "sweep"}, row), standing())
        place.heal()
    seen["again"] = (place.invoke({"action": "sweep"})[0], standing())
    place.imported_well()
    return seen


@pytest.fixture(scope="module")
def seen(request, moto_port):
    """What the chosen rows come to: all of them at once."""
    rows = [item.callspec.params["row"] for item in request.session.items if item.path == request.path and "row" in item.fixturenames]

    def outcome(number):
        place = Place(moto_port, f"{200_000_000_000 + number}")
        try:
            return (run_sweep if rows[number] in SWEEPS else run_event)(rows[number], place)
        except BaseException as error:  # noqa: BLE001 - the row's test raises it
            return error
        finally:
            place.stop()

    with ThreadPoolExecutor(24) as pool:
        return dict(zip(rows, pool.map(outcome, range(len(rows)))))


def assert_came_to(called, expected):
    answer, calls = expected
    calls = calls if isinstance(calls, range) else [calls]
    # On a busy machine the time for all attempts may be over before the last.
    is_right = called[1] in calls or called[2] and 1 < called[1] < max(calls)
    assert called[0] == answer and is_right, (called, expected)


def came_to(seen, row):
    if isinstance(seen[row], BaseException):
        raise seen[row]
    return seen[row]


@pytest.mark.parametrize("row", FAULTS, ids=str)
def test_a_fault_costs_no_finding_and_makes_no_wrong_one(seen, row):
    got = came_to(seen, row)
    stands = 1
    assert got["before"] == (*ACTIVE, stands)
    for when, newest in (("once", 2), ("always", 3)):
        called, standing = got[when]
        assert_came_to(called, getattr(row, when))
        # The finding that stands is the one of before or the one of now, and never another; success means the one of now.
        if called[0] == OK or row.operation == HUB and row.fault.is_done:
            stands = newest
        assert standing == (*ACTIVE, stands), when
    assert got["again"] == (OK, (*ACTIVE, 3)), "delivered again, the event makes it right"


BEFORE = {"open": ACTIVE, "closed": ACTIVE, "gone": ACTIVE, "opened": (None, None)}
AFTER = {"open": ACTIVE, "closed": ARCHIVED, "gone": GONE, "opened": ACTIVE}


@pytest.mark.parametrize("row", SWEEPS, ids=str)
def test_a_fault_makes_a_sweep_fail_and_no_finding_wrong(seen, row):
    got = came_to(seen, row)
    assert got["before"] == BEFORE
    assert_came_to(got["always"][0], row.always)
    for when in ("always", "once"):
        (answer, *_), standing = got[when]
        assert answer == getattr(row, when)[0], when
        assert all(standing[name] in (BEFORE[name], AFTER[name]) for name in standing), standing
        assert answer != OK or standing == AFTER, "success means that the hub is what the account is"
    if row.operation == READ or row.operation == HUB and not row.fault.is_done:
        assert got["always"][1] == BEFORE
    assert got["again"] == (OK, AFTER), "the next sweep makes it right"


@pytest.mark.parametrize(("service", "operation"), [("EC2", EC2), ("SECURITYHUB", HUB)])
def test_a_refused_connection_is_tried_again(account, function, functions, aws, moto_port, service, operation):
    group = account.group("db")
    account.allow(group, group)
    function.invoke({"action": "evaluate", "group_ids": [group]})
    account.allow(group, account.group("web"))
    closed = AwsStub(ACCOUNT, moto_port, is_open=False)
    closed.hub = aws.hub
    refused = functions(environment={f"AWS_ENDPOINT_URL_{service}": closed.endpoint})
    aws.calls.clear()
    answer = refused.invoke({"action": "evaluate", "group_ids": [group]})
    assert answer.is_error and answer.body["errorType"] == "Retryable" and operation in answer.body["errorMessage"]
    assert aws.count() == ({} if operation == EC2 else {EC2: 1})
    assert account.findings()[group]["ProductFields"]["sg-trust/violations"] == "1"
    opening = threading.Timer(0.1, closed.open)
    opening.start()
    assert not refused.invoke({"action": "evaluate", "group_ids": [group]}).is_error
    opening.join()
    closed.close()
    assert account.findings()[group]["ProductFields"]["sg-trust/violations"] == "2"


def test_a_hub_that_was_off_is_right_when_it_is_on_again(account, function, aws):
    vpc = account.vpc()
    groups = [account.group(f"g{n}", vpc) for n in range(3)]
    for group in groups:
        account.allow(group, group)
    aws.hub.is_on = False
    batch = sqs(*[event("create-tags", group, group) for group in groups])
    assert failed(function.invoke(batch)) == ["message-0", "message-1", "message-2"]
    answer = function.invoke({"action": "sweep"})
    assert answer.is_error and answer.body["errorType"] == NEVER and "not enabled" in answer.body["errorMessage"]
    assert account.findings() == {}
    aws.hub.is_on = True
    assert failed(function.invoke(batch)) == []
    assert account.states() == {group: ACTIVE for group in groups}


def test_of_a_batch_only_what_was_refused_fails(account, function, aws):
    """One of each code in one answer: the messages of the others are done."""
    vpc = account.vpc()
    codes = ["InvalidInput", "InvalidAccess", "InternalException", "Throttling", None]
    groups = [account.group(f"g{n}", vpc) for n in range(5)]
    for group in groups:
        account.allow(group, group)
    aws.hub.refused = {group: (code, "because") for group, code in zip(groups, codes) if code}
    answer = function.invoke(sqs(*[event("create-tags", group, group) for group in groups]))
    assert failed(answer) == ["message-0", "message-1", "message-2", "message-3"]
    assert aws.count() == {EC2: 1, HUB: 2, "ChangeMessageVisibilityBatch": 1}
    sent = [len(call.request["Findings"]) for call in aws.calls_of(HUB)]
    assert sent == [5, 2], "what is refused for good is not sent again"
    assert account.states() == {groups[4]: ACTIVE}
    errors = [line for line in function.wait_for(lambda line: line.get("message") == "failed") if line["error_type"]]
    assert {(line["error_type"], line["error"].split("(")[1].split(":")[0]) for line in errors} == {
        (NEVER, "InvalidInput"), (NEVER, "InvalidAccess"), (LATER, "InternalException"), (LATER, "Throttling")
    }


def test_a_third_import_that_fails_does_not_undo_the_first_two(account, function, aws):
    """250 groups in one event: three imports, of which the last fails."""
    from test_sweep import synthetic

    aws.ec2.groups = synthetic(250, open_share=1)
    ids = list(aws.ec2.groups)
    aws.fault = lambda operation, asked: hub_error(403, "AccessDeniedException", "no") if operation == HUB and len(asked["Findings"]) == 50 else None
    answer = function.invoke({"action": "evaluate", "group_ids": ids})
    assert answer.is_error and answer.body["errorType"] == NEVER
    assert aws.count() == {EC2: 2, HUB: 3}
    assert len(aws.hub.findings) == 200
    aws.fault = None
    assert not function.invoke({"action": "evaluate", "group_ids": ids}).is_error
    assert len(aws.hub.findings) == 250


def test_the_same_event_many_times_is_one_finding(account, functions, aws):
    """At once in two processes, again later, and twice in one batch."""
    source, group = account.group("web"), account.group("db")
    account.allow(group, source)
    one = event("authorize-ingress", group, source)
    processes = [functions(), functions()]
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda function: function.invoke(one), processes))
    answers += [processes[0].invoke(one), processes[1].invoke(sqs(one, one))]
    assert not any(answer.is_error for answer in answers), answers
    assert answers[3].body == {"batchItemFailures": []}
    assert aws.count() == {EC2: 4, HUB: 4}
    assert account.states() == {group: ACTIVE}


def test_events_in_the_wrong_order_come_to_what_ec2_shows(account, function, aws):
    """Late by minutes: overtaken, whatever they say. Late by seconds: perhaps ahead of EC2, so they come again."""
    vpc = account.vpc()
    source, revoked, gone, young = (account.group(name, vpc) for name in ("web", "revoked", "gone", "young"))
    for group in (revoked, gone, young):
        account.allow(group, source)
        function.invoke(event("authorize-ingress", group, source, seconds_ago=300))
    for group in (revoked, young):
        account.revoke(group, source)
        function.invoke(event("revoke-ingress", group, source))
    account.ec2.delete_security_group(GroupId=gone)
    function.invoke(event("delete-security-group", gone))
    right = {revoked: ARCHIVED, gone: GONE, young: ARCHIVED}
    assert account.states() == right
    late = (
        event("authorize-ingress", revoked, source, seconds_ago=200), event("revoke-ingress", revoked, source, seconds_ago=100),
        event("create-security-group", gone, vpc=vpc, seconds_ago=400), event("create-tags", gone, gone, seconds_ago=100),
        event("authorize-ingress", young, source, seconds_ago=5),
    )
    assert failed(function.invoke(sqs(*late))) == ["message-4"]
    assert account.states() == right


@pytest.mark.parametrize("body", [b"", b"{}", b'{"Findings"'])
def test_a_deleted_vpc_whose_findings_cannot_be_read_is_no_vpc_without_findings(account, function, aws, body):
    vpc = account.vpc()
    group = account.group("db", vpc)
    account.allow(group, group)
    function.invoke({"action": "evaluate", "group_ids": [group]})
    account.ec2.delete_security_group(GroupId=group)
    aws.fault = lambda operation, _: Reply(200, body) if operation == READ else None
    answer = function.invoke(event("delete-vpc", vpc=vpc))
    assert answer.is_error and answer.body["errorType"] == LATER
    assert account.states() == {group: ACTIVE}
    aws.fault = None
    assert function.invoke(event("delete-vpc", vpc=vpc)).body["archived"] == 1


def test_a_name_that_cannot_be_looked_up_is_no_name_without_a_group(account, function, aws):
    default = account.ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    group = account.group("web", default)
    for reply, error_type in (
        (ec2_error(403, "UnauthorizedOperation", "no"), NEVER),
        (Reply(200, HTML, "text/html"), LATER),
        (Reply(200, b"<DescribeVpcsResponse><vpcSet><item><vpcId>vpc", "text/xml"), LATER),
        (Reply(200, b"<DescribeVpcsResponse><vpcSet/></DescribeVpcsResponse>", "text/xml"), LATER),
    ):
        aws.fault = lambda operation, _, reply=reply: reply if operation == "DescribeVpcs" else None
        answer = function.invoke(event("authorize-ingress-by-name"))
        assert answer.is_error and answer.body["errorType"] == error_type, answer
        assert account.findings() == {}
    aws.fault = None
    assert not function.invoke(event("authorize-ingress-by-name", seconds_ago=120)).is_error
    assert account.states() == {group: ARCHIVED}


def test_a_sweep_that_failed_does_not_cover_events(account, function, aws):
    """An event without a target is ignored as covered only by a sweep that came to its end."""
    group = account.group("db")
    account.allow(group, group)
    aws.fault = lambda operation, _: ec2_error(403, "UnauthorizedOperation", "no") if operation == EC2 else None
    assert function.invoke({"action": "sweep"}).is_error
    aws.fault = None
    answer = function.invoke(event("authorize-ingress-parameters-null", seconds_ago=30))
    assert not answer.is_error and answer.body["ignored"] is None
    assert account.states() == {group: ACTIVE}


def document():
    """The rows for readers."""
    lines = [
        "# What goes wrong, and what the function does then",
        "",
        "Made from `tests/e2e/test_faults.py`, which holds the function to it: `SG_TRUST_WRITE_DOCS=1 make e2e`.",
        "",
        "Each fault meets one operation: once, and for as long as the invocation lasts. *Calls* are those of the operation. A wrong finding is never",
        "published, none is archived for a fault, and the next delivery of the same event, or the next sweep, makes the hub right: that is tested in every row.",
        "",
    ]
    for title, rows, hub in (
        ("An event", FAULTS, lambda row: "the new finding: it was taken" if row.operation == HUB and row.fault.is_done else "the finding of before"),
        ("A sweep", SWEEPS, lambda row: "as before" if row.operation == READ or row.operation == HUB and not row.fault.is_done else "what was published until then, all of it right"),
    ):
        lines += [f"## {title}", "", "| operation | fault | comes once | stays | calls | in the hub, while it stays |", "|---|---|---|---|---|---|"]
        for row in rows:
            once, (always, calls) = row.once[0], row.always
            calls = f"{calls.start} or {calls.stop - 1}" if isinstance(calls, range) else calls
            lines.append(f"| {row.operation}{row.which} | {row.what} | {once} | {always} | {calls} | {hub(row)} |")
        lines.append("")
    return "\n".join(lines)


def test_the_document_says_what_is_tested():
    if os.environ.get("SG_TRUST_WRITE_DOCS"):
        DOCUMENT.parent.mkdir(exist_ok=True)
        DOCUMENT.write_text(document())
    assert DOCUMENT.read_text() == document()
