"""The Lambda Runtime API, as a function's process sees it, and that process.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import itertools
import json
import os
import queue
import subprocess
import threading
import time
from pathlib import Path

from .answers import Reply
from .server import Server

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("SG_TRUST_LAMBDA", ROOT / "target/debug/sg-trust-lambda"))
ACCOUNT = "123456789012"
REGION = "us-east-1"
# Every function has credentials of its own that begin so; what else calls AWS in the tests has others.
ACCESS_KEYS = "ASIAEXAMPLELAMBDA"
CENTRAL_KEYS = "ASIAEXAMPLECENTRAL"  # of functions that work for other accounts too
NUMBERS = itertools.count()


class Answer:
    """What the function posted for one event."""

    def __init__(self, kind, body, seconds):
        self.is_error = kind == "error"
        self.body = json.loads(body) if body else None
        self.seconds = seconds

    def __repr__(self):
        return f"{'error' if self.is_error else 'response'} {self.body}"


class Invocation:
    """One event, on its way through a function. Times are those of `time.perf_counter`."""

    def __init__(self, number, body, arn, seconds, deadline_ms=None):
        self.id, self.body, self.arn, self.seconds, self.deadline_ms = f"request-{number}", body, arn, seconds, deadline_ms
        self.given = self.answered = self.kind = self.answer_body = None
        self.is_done = threading.Event()

    def give(self):
        """The event as the process gets it: its time begins now."""
        headers = {
            "Lambda-Runtime-Aws-Request-Id": self.id,
            "Lambda-Runtime-Deadline-Ms": str(self.deadline_ms or int((time.time() + self.seconds) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": self.arn,
        }
        self.given = time.perf_counter()
        return Reply(200, self.body, headers=headers)

    def answer(self, kind, body):
        self.answered, self.kind, self.answer_body = time.perf_counter(), kind, body
        self.is_done.set()

    def result(self):
        """Waits for the answer."""
        if not self.is_done.wait(self.seconds + 5):
            raise AssertionError(f"{self.id} was not answered within its {self.seconds} s")
        return Answer(self.kind, self.answer_body, self.answered - self.given)


class RuntimeApi:
    def __init__(self, invocations=()):
        self.waiting, self.open = queue.SimpleQueue(), {}
        self.ready_at = None  # when the process asked for its first event
        self.ready, self.is_idle = threading.Event(), threading.Event()
        for invocation in invocations:
            self.give(invocation)
        self.server = Server(self.serve)
        self.address = f"127.0.0.1:{self.server.port}"

    def give(self, invocation):
        self.is_idle.clear()
        self.open[invocation.id] = invocation
        self.waiting.put(invocation)

    def serve(self, request):
        if request.method == "POST":
            # …/runtime/invocation/ID/response, …/ID/error, or …/runtime/init/error
            *_, id, kind = request.path.split("/")
            if id in self.open:
                self.open.pop(id).answer(kind, request.body)
            return Reply(202, b"")
        self.ready_at = self.ready_at or time.perf_counter()
        self.ready.set()
        if self.waiting.empty():
            self.is_idle.set()
        invocation = self.waiting.get()
        return invocation and invocation.give()

    def stop(self):
        self.waiting.put(None)
        self.server.close()


class Function:
    """A Lambda binary, run as Lambda runs it: one event at a time. Several are what Lambda starts when events come at once."""

    def __init__(self, endpoint, region=REGION, account=ACCOUNT, environment=None, binary=BINARY, events=(), seconds=30.0, prewarms=False, logs=True, access_keys=ACCESS_KEYS):
        """`events` are there when the process starts, each with so many seconds. Without `logs` nobody reads what it prints."""
        self.arn = f"arn:aws:lambda:{region}:{account}:function:sg-trust-lambda"
        self.count, self.access_key = 0, f"{access_keys}{next(NUMBERS):03}"
        self.given = [self.invocation(event, seconds) for event in events]
        self.api = RuntimeApi(self.given)
        variables = {
            "PATH": "/usr/bin:/bin",
            "AWS_LAMBDA_RUNTIME_API": self.api.address,
            "AWS_LAMBDA_FUNCTION_NAME": "sg-trust-lambda",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
            "AWS_LAMBDA_FUNCTION_VERSION": "1",
            "AWS_LAMBDA_LOG_FORMAT": "JSON",
            "AWS_REGION": region,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_SESSION_TOKEN": "token",
            "AWS_ENDPOINT_URL_EC2": endpoint,
            "AWS_ENDPOINT_URL_SECURITYHUB": endpoint,
            "AWS_ENDPOINT_URL_ORGANIZATIONS": endpoint,
            "AWS_ENDPOINT_URL_SQS": endpoint,
            "AWS_ENDPOINT_URL_STS": endpoint,
            "SG_TRUST_PREWARM": "on" if prewarms else "off",
            **(environment or {}),
        }
        output = subprocess.PIPE if logs else subprocess.DEVNULL
        self.began = time.perf_counter()
        self.process = subprocess.Popen([binary], env=variables, stdout=output, stderr=subprocess.PIPE, text=True)
        self.lines, self.errors = [], []
        for stream, into in ((self.process.stdout, self.lines), (self.process.stderr, self.errors)):
            if stream:
                threading.Thread(target=lambda stream=stream, into=into: into.extend(stream), daemon=True).start()

    def invocation(self, event, seconds=30.0, arn=None, deadline_ms=None):
        self.count += 1
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        return Invocation(self.count, body, arn or self.arn, seconds, deadline_ms)

    def begin(self, event, **more):
        """Hands out one event (JSON, or raw bytes), and does not wait: `.result()` of what it returns does."""
        invocation = self.invocation(event, **more)
        self.api.give(invocation)
        return invocation

    def invoke(self, event, **more):
        """Hands out one event and waits for its answer."""
        return self.begin(event, **more).result()

    def log(self):
        """The summary lines of every invocation so far."""
        return self.wait_for(lambda line: line.get("message") in ("done", "failed"))

    def metrics(self):
        """The lines of metrics, one an invocation."""
        return self.wait_for(lambda line: "_aws" in line)

    def wait_for(self, is_meant):
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            found = [line for line in map(json.loads, list(self.lines)) if is_meant(line)]
            if len(found) >= self.count:
                return found
            time.sleep(0.01)
        raise AssertionError(f"{self.count} invocations, and these lines: {self.lines}")

    def peak_memory_kb(self):
        """The most memory that the process had so far; 0 when it has ended."""
        try:
            return peak_memory_kb(self.process.pid)
        except OSError:
            return 0

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.api.stop()


def peak_memory_kb(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1])
    # A process that has ended and is not waited for yet.
    return 0
