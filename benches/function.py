"""A process as Lambda runs it, and what can be seen of it from outside.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import subprocess
import tempfile
import threading
import time
from pathlib import Path

from server import Server

ACCOUNT, REGION = "123456789012", "us-east-1"
ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:sg-trust-lambda"
# What Lambda lets an invocation take at most.
DEADLINE = 15 * 60


class Run:
    """One process from its start until it asked for more events than there are."""

    def __init__(self, binary, events, environment):
        self.events = iter(events)
        self.ready_at, self.given, self.answered, self.answers = None, [], [], []
        self.is_over, self.may_end = threading.Event(), threading.Event()
        api = Server(self.answer)
        variables = {
            "PATH": "/usr/bin:/bin",
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{api.port}",
            "AWS_LAMBDA_FUNCTION_NAME": "sg-trust-lambda",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
            "AWS_LAMBDA_FUNCTION_VERSION": "1",
            "AWS_LAMBDA_LOG_FORMAT": "JSON",
            **credentials(),
            **environment,
        }
        with tempfile.TemporaryFile() as errors:
            self.began = time.perf_counter()
            process = subprocess.Popen([binary], env=variables, stdout=subprocess.DEVNULL, stderr=errors)
            while not self.is_over.wait(1) and process.poll() is None and time.perf_counter() - self.began < DEADLINE:
                pass
            ended = self.is_over.is_set()
            self.peak_kb = peak_kb(process.pid)
            process.kill()
            process.wait()
            self.may_end.set()
            api.stop()
            errors.seek(0)
            if not ended:
                raise SystemExit(f"{binary} did not answer every event: {errors.read().decode()}")
        failed = [body for path, body in self.answers if not path.endswith("/response")]
        if failed:
            raise SystemExit(f"{binary} failed: {failed[0].decode()}")

    def answer(self, method, path, body):
        now = time.perf_counter()
        if method == "POST":
            self.answered.append(now)
            self.answers.append((path, body))
            return 202, {}, b""
        self.ready_at = self.ready_at or now
        event = next(self.events, None)
        if event is None:
            self.is_over.set()
            self.may_end.wait()
            return None
        headers = {
            "Lambda-Runtime-Aws-Request-Id": f"request-{len(self.given)}",
            "Lambda-Runtime-Deadline-Ms": str(int((time.time() + DEADLINE) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": ARN,
            "content-type": "application/json",
        }
        self.given.append(time.perf_counter())
        return 200, headers, event

    @property
    def init(self):
        """Seconds from the start of the process to its first question for an event."""
        return self.ready_at - self.began

    @property
    def cold(self):
        """Seconds from the start of the process to its first answer."""
        return self.answered[0] - self.began

    @property
    def latencies(self):
        """Seconds from each event to its answer."""
        return [answered - given for given, answered in zip(self.given, self.answered)]


def credentials():
    return {
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLEKEYID0000",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SESSION_TOKEN": "token",
    }


def peak_kb(pid):
    """The most memory that a process had, so far."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1])
    except OSError:
        pass
    return 0
