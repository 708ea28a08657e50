"""The Lambda Runtime API, as the function's process sees it, and that process.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import json
import os
import queue
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from proxy import Server

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("SG_TRUST_LAMBDA", ROOT / "target/debug/sg-trust-lambda"))
ACCOUNT = "123456789012"
REGION = "us-east-1"
# The function's; what else calls AWS in the tests has other keys.
ACCESS_KEY = "ASIAEXAMPLELAMBDA000"


class Answer:
    """What the function posted for one event."""

    def __init__(self, kind, body, seconds):
        self.is_error = kind == "error"
        self.body = json.loads(body) if body else None
        self.seconds = seconds

    def __repr__(self):
        return f"{'error' if self.is_error else 'response'} {self.body}"


class RuntimeApi:
    def __init__(self):
        self.events, self.answers, self.ready = queue.Queue(), queue.Queue(), threading.Event()
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *_):
                pass

            def do_GET(self):
                api.ready.set()
                event = api.events.get()
                if event is None:
                    self.close_connection = True
                    return
                body, headers = event
                self.send_response(200)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                api.answers.put((self.path.rsplit("/", 1)[1], body))
                self.send_response(202)
                self.send_header("content-length", "0")
                self.end_headers()

        self.server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def address(self):
        return f"127.0.0.1:{self.server.server_port}"

    def stop(self):
        self.events.put(None)
        self.server.shutdown()


class Function:
    """The real binary, run as Lambda runs it."""

    def __init__(self, endpoint, region=REGION, account=ACCOUNT, environment=None):
        self.api = RuntimeApi()
        self.arn = f"arn:aws:lambda:{region}:{account}:function:sg-trust-lambda"
        self.count = 0
        variables = {
            "PATH": "/usr/bin:/bin",
            "AWS_LAMBDA_RUNTIME_API": self.api.address,
            "AWS_LAMBDA_FUNCTION_NAME": "sg-trust-lambda",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
            "AWS_LAMBDA_FUNCTION_VERSION": "1",
            "AWS_LAMBDA_LOG_FORMAT": "JSON",
            "AWS_REGION": region,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_SESSION_TOKEN": "token",
            "AWS_ENDPOINT_URL_EC2": endpoint,
            "AWS_ENDPOINT_URL_SECURITYHUB": endpoint,
            "AWS_ENDPOINT_URL_STS": endpoint,
            "SG_TRUST_PREWARM": "off",
            **(environment or {}),
        }
        self.process = subprocess.Popen([BINARY], env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.lines, self.errors = [], []
        for stream, into in ((self.process.stdout, self.lines), (self.process.stderr, self.errors)):
            threading.Thread(target=lambda stream=stream, into=into: into.extend(stream), daemon=True).start()

    def invoke(self, event, seconds=30.0, arn=None, deadline_ms=None):
        """Hands out one event (JSON, or raw bytes) and waits for its answer."""
        self.count += 1
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        headers = {
            "Lambda-Runtime-Aws-Request-Id": f"request-{self.count}",
            "Lambda-Runtime-Deadline-Ms": str(deadline_ms or int((time.time() + seconds) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": arn or self.arn,
            "content-type": "application/json",
        }
        began = time.monotonic()
        self.api.events.put((body, headers))
        kind, body = self.api.answers.get(timeout=seconds + 5)
        return Answer(kind, body, time.monotonic() - began)

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
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1])
        raise AssertionError("no VmHWM")

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.api.stop()
