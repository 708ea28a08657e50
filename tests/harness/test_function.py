"""The Runtime API and the process, with a stand-in for the binary."""

import json
import sys
import textwrap

import pytest
from aws_stub import Function

STAND_IN = """
    import json, os, sys, time, urllib.request
    api = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
    print(json.dumps({"message": "start", "prewarm": os.environ["SG_TRUST_PREWARM"]}), flush=True)
    if os.environ.get("FAILS"):
        sys.exit("cannot start")
    while True:
        with urllib.request.urlopen(api + "next") as got:
            body, id = got.read(), got.headers["Lambda-Runtime-Aws-Request-Id"]
            left = int(got.headers["Lambda-Runtime-Deadline-Ms"]) / 1000 - time.time()
            arn = got.headers["Lambda-Runtime-Invoked-Function-Arn"]
        try:
            event = json.loads(body)
            kind = "response"
            answer = {"event": event, "left": left, "arn": arn, "key": os.environ["AWS_ACCESS_KEY_ID"]}
            time.sleep(event.get("sleep", 0))
        except ValueError:
            kind, answer = "error", {"errorType": "NonRetryable", "errorMessage": "not JSON"}
        print(json.dumps({"message": "done"}), flush=True)
        urllib.request.urlopen(urllib.request.Request(api + id + "/" + kind, json.dumps(answer).encode(), method="POST")).close()
"""


@pytest.fixture
def start(tmp_path):
    binary = tmp_path / "stand-in"
    binary.write_text(f"#!{sys.executable}\n{textwrap.dedent(STAND_IN)}")
    binary.chmod(0o755)
    started = []

    def start(**more):
        started.append(Function("http://127.0.0.1:1", binary=binary, **more))
        return started[-1]

    yield start
    for function in started:
        function.stop()


def test_an_event_is_answered_with_its_arn_and_deadline(start):
    function = start(region="eu-west-1", account="210987654321")
    answer = function.invoke({"n": 1}, seconds=20)
    assert not answer.is_error and answer.body["event"] == {"n": 1}
    assert answer.body["arn"] == "arn:aws:lambda:eu-west-1:210987654321:function:sg-trust-lambda"
    assert 15 < answer.body["left"] <= 20
    assert function.invoke({}, arn="elsewhere").body["arn"] == "elsewhere"


def test_bytes_are_handed_out_as_they_are_and_errors_are_errors(start):
    function = start()
    answer = function.invoke(b"\xff{")
    assert answer.is_error and answer.body["errorMessage"] == "not JSON"
    assert not function.invoke({}).is_error


def test_functions_work_at_once_and_have_credentials_of_their_own(start):
    functions = [start() for _ in range(3)]
    begun = [function.begin({"n": n}) for n, function in enumerate(functions)]
    answers = [invocation.result() for invocation in begun]
    assert [answer.body["event"]["n"] for answer in answers] == [0, 1, 2]
    keys = [answer.body["key"] for answer in answers]
    assert keys == [function.access_key for function in functions] and len(set(keys)) == 3


def test_events_of_one_function_wait_for_each_other_and_their_time_begins_in_their_turn(start):
    function = start()
    begun = [function.begin({"sleep": 0.3, "n": n}, seconds=5) for n in range(3)]
    answers = [invocation.result() for invocation in begun]
    assert [answer.body["event"]["n"] for answer in answers] == [0, 1, 2]
    assert all(answer.body["left"] > 4 for answer in answers)
    assert begun[0].answered <= begun[1].given and begun[1].answered <= begun[2].given


def test_events_can_be_there_from_the_start(start):
    function = start(events=[{"n": n} for n in range(3)])
    assert [invocation.result().body["event"]["n"] for invocation in function.given] == [0, 1, 2]
    assert function.api.is_idle.wait(10), "it asked for more"
    assert function.began < function.api.ready_at <= function.given[0].given
    assert function.peak_memory_kb() > 1000


def test_the_log_has_a_line_for_each_event(start):
    function = start()
    for n in range(3):
        function.invoke({"n": n})
    assert len(function.log()) == 3
    assert json.loads(function.lines[0]) == {"message": "start", "prewarm": "off"}


def test_a_start_that_fails_is_seen(start):
    function = start(environment={"FAILS": "1"})
    assert function.process.wait(20) == 1
    assert function.peak_memory_kb() == 0
    assert not function.api.ready.is_set()


def test_an_event_that_is_not_answered_is_an_error(start):
    function = start(environment={"FAILS": "1"})
    with pytest.raises(AssertionError, match="request-1 was not answered"):
        function.invoke({}, seconds=-4.9)
