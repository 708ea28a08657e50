"""What the stub can make of time: calls that wait, quotas, clocks; and what it records."""

import http.client
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from aws_stub import AwsStub, Raw, Reply, ec2_error, head
from aws_stub.ec2 import group_xml
from aws_stub.races import Quota
from botocore.exceptions import BotoCoreError, ClientError
from conftest import client
from test_ec2 import group
from test_hub import finding, put, seen


@pytest.fixture
def pool():
    with ThreadPoolExecutor(8) as made:
        yield made


def names(ec2):
    return [one["GroupName"] for one in ec2.describe_security_groups()["SecurityGroups"]]


def show(stub, name):
    stub.ec2.groups = {"sg-1": group_xml({**group(1), "GroupName": name})}


def test_a_held_answer_is_an_old_observation_that_arrives_after_a_newer_one(stub, ec2, pool):
    show(stub, "old")
    with stub.hold_answers("DescribeSecurityGroups") as held:
        late = pool.submit(names, ec2)
        call = held.wait()
        show(stub, "new")
        assert names(ec2) == ["new"], "only the first call is held"
        assert call.answered is None and not late.done()
    assert late.result() == ["old"]
    first, second = stub.calls_of("DescribeSecurityGroups")
    assert first is call and first.arrived <= second.arrived <= second.answered <= first.answered


def test_a_held_request_reaches_aws_when_it_is_released(stub, hub, pool):
    with stub.hold_requests("BatchImportFindings") as held:
        late = pool.submit(put, hub, finding(at="2026-11-24T09:00:00.000Z", status="FAILED"))
        held.wait()
        assert stub.hub.findings == {}
        put(hub, finding(at="2026-11-24T09:00:01.000Z", status="PASSED"))
    assert late.result()["SuccessCount"] == 1
    assert seen(hub) == {"sg-1": "PASSED"}, "it was older, and came too late"


def test_calls_are_held_by_what_they_ask_for_and_by_who_asks(stub, pool):
    stub.ec2.groups = {f"sg-{n}": group_xml(group(n)) for n in range(3)}
    alice, bob = client("ec2", stub.endpoint, key="AKIAALICE00000000000"), client("ec2", stub.endpoint, key="AKIABOB0000000000000")

    def ask(by, id):
        return by.describe_security_groups(Filters=[{"Name": "group-id", "Values": [id]}])["SecurityGroups"][0]["GroupId"]

    with stub.hold_answers("DescribeSecurityGroups", when=lambda call: call.request.get("Filter.1.Value.1") == "sg-1" and call.access_key.startswith("AKIABOB")) as held:
        assert ask(alice, "sg-1") == "sg-1" and ask(bob, "sg-2") == "sg-2"
        late = pool.submit(ask, bob, "sg-1")
        assert held.wait().access_key == "AKIABOB0000000000000"
    assert late.result() == "sg-1"


def test_several_calls_are_held_and_released_at_once(stub, ec2, pool):
    stub.ec2.groups = {}
    with stub.hold_answers("DescribeSecurityGroups", times=3) as held:
        late = [pool.submit(names, ec2) for _ in range(3)]
        held.wait(calls=3)
        assert names(ec2) == []
        assert not any(one.done() for one in late)
    assert [one.result() for one in late] == [[], [], []]


def test_waiting_for_a_call_that_does_not_come_says_so(stub):
    with pytest.raises(AssertionError, match="0 calls of GetFindings"):
        stub.hold_answers("GetFindings").wait(seconds=0.01)


def test_a_delay_ends_by_itself(stub, ec2, pool):
    show(stub, "old")
    delay = stub.delay_answers("DescribeSecurityGroups", seconds=0.2, times=1)
    late = pool.submit(names, ec2)
    delay.wait()
    show(stub, "new")
    assert late.result() == ["old"]
    delay = stub.delay_requests("DescribeSecurityGroups", seconds=0.2, times=1)
    late = pool.submit(names, ec2)
    delay.wait()
    show(stub, "newer")
    assert late.result() == ["newer"]


def test_a_reset_releases_what_waits(stub, ec2, pool):
    stub.ec2.groups = {}
    held = stub.hold_answers("DescribeSecurityGroups")
    late = pool.submit(names, ec2)
    held.wait()
    stub.reset()
    assert late.result() == []


def test_a_quota_gives_its_burst_and_then_its_rate():
    now = [0.0]
    quota = Quota(rate=3, burst=6, now=lambda: now[0])
    assert [quota.allows() for _ in range(7)] == [True] * 6 + [False]
    now[0] = 0.9
    assert [quota.allows() for _ in range(3)] == [True, True, False]
    now[0] = 100
    assert [quota.allows() for _ in range(7)] == [True] * 6 + [False], "never more than the burst"


def test_calls_over_the_quota_are_throttled_as_each_service_says_it(stub, ec2, hub):
    stub.ec2.groups = {}
    for operation in ("GetFindings", "BatchImportFindings", "DescribeSecurityGroups"):
        stub.limit(operation, rate=0, burst=1)
    names(ec2)
    seen(hub)
    put(hub, finding())
    with pytest.raises(ClientError, match="RequestLimitExceeded"):
        names(ec2)
    for call in (lambda: seen(hub), lambda: put(hub, finding("sg-2"))):
        with pytest.raises(ClientError, match="TooManyRequestsException"):
            call()
    assert [call.status for call in stub.calls] == [200, 200, 200, 503, 429, 429]
    assert len(stub.hub.findings) == 1, "a throttled import is not done"


def test_the_quotas_of_aws_are_shared_by_all_callers(stub):
    stub.limit_as_aws_does()
    for quota in stub.quotas.values():
        quota.now = lambda: 0.0
        quota.at = 0.0
    callers = [client("securityhub", stub.endpoint, key=f"AKIACALLER0000000{n:03}") for n in range(3)]

    def throttled(call):
        try:
            call()
            return 0
        except ClientError as error:
            assert error.response["Error"]["Code"] == "TooManyRequestsException"
            return 1

    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(throttled, [lambda n=n: seen(callers[n % 3]) for n in range(9)])) == 3
        assert sum(pool.map(throttled, [lambda n=n: put(callers[n % 3], finding(f"sg-{n}")) for n in range(33)])) == 3


def test_every_call_is_recorded_with_its_time_credentials_and_end(stub, ec2):
    stub.ec2.groups = {}
    before = time.time()
    names(ec2)
    stub.fault = lambda operation, _: ec2_error(500, "InternalError", "no")
    with pytest.raises(ClientError):
        names(ec2)
    stub.fault = lambda operation, _: "drop"
    with pytest.raises(BotoCoreError):
        names(ec2)
    good, bad, lost = stub.calls
    assert before <= good.arrived <= good.answered <= time.time()
    assert (good.operation, good.access_key, good.service, good.region) == ("DescribeSecurityGroups", "AKIAEXAMPLEKEYID0000", "ec2", "us-east-1")
    assert (good.status, bad.status, lost.status) == (200, 500, None)
    assert ("AKIAEXAMPLEKEYID0000", "ec2:DescribeSecurityGroups") in stub.seen


def test_the_clock_of_a_service_is_the_tests(stub, ec2, hub):
    stub.ec2.groups = {}

    def date(answer):
        return answer["ResponseMetadata"]["HTTPHeaders"].get("date")

    stub.clock = lambda service: 4_076_000_000 if service == "ec2" else None
    assert date(ec2.describe_security_groups()) == "Sat, 28 Feb 2099 22:13:20 GMT"
    assert date(hub.describe_hub()) is None
    stub.reset()
    stub.ec2.groups = {}
    assert date(ec2.describe_security_groups()).endswith("GMT")


def test_the_answer_can_be_lost_after_the_deed(stub, hub):
    stub.spoil = lambda operation, _, reply: "drop"
    with pytest.raises(BotoCoreError):
        put(hub, finding())
    assert len(stub.hub.findings) == 1


def test_an_answer_can_end_before_its_end(stub):
    stub.spoil = lambda operation, _, reply: Raw(head(reply, f"content-length: {len(reply.body)}"), reply.body[:5])
    connection = http.client.HTTPConnection(stub.endpoint.removeprefix("http://"))
    connection.request("GET", "/accounts")
    with pytest.raises(http.client.IncompleteRead):
        connection.getresponse().read()


def test_an_answer_can_be_another(stub, hub):
    stub.fault = lambda operation, _: Reply(200, {"Findings": [], "NextToken": "more"})
    assert hub.get_findings()["NextToken"] == "more"
    assert stub.hub.reads == 0


def test_a_fault_of_the_stub_itself_is_noted(stub, hub):
    def broken(operation, _):
        raise RuntimeError("broken")

    stub.fault = broken
    with pytest.raises(BotoCoreError):
        seen(hub)
    assert len(stub.errors) == 1 and "broken" in stub.errors[0]


def test_connections_are_refused_until_the_stub_opens():
    closed = AwsStub(is_open=False)
    closed.ec2.groups = {}
    ec2 = client("ec2", closed.endpoint)
    with pytest.raises(BotoCoreError):
        names(ec2)
    closed.open()
    assert names(ec2) == []
    closed.close()


def test_many_calls_at_once_are_all_recorded(stub, ec2, hub):
    stub.ec2.groups = {}
    start = threading.Barrier(8)

    def work(n):
        start.wait()
        for m in range(10):
            put(hub, finding(f"sg-{n}-{m}"))
            names(ec2)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert stub.count() == {"BatchImportFindings": 80, "DescribeSecurityGroups": 80}
    assert len(stub.hub.findings) == len(stub.hub.imported) == 80
