"""The tools, the templates, and two emulators: ministack for what is deployed, moto for EC2 and Security Hub."""

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import boto3
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(Path(__file__).parent), str(ROOT / "tests/e2e"), str(ROOT / "tests")]

import cloudformation  # noqa: E402
from aws_stub import ACCOUNT, BINARY, REGION  # noqa: E402

INFRA = ROOT / "infra"

# moto, the stub before it and boto3's view of the account: the same as in the end-to-end tests.
spec = importlib.util.spec_from_file_location("e2e_conftest", ROOT / "tests/e2e/conftest.py")
e2e = importlib.util.module_from_spec(spec)
spec.loader.exec_module(e2e)
moto_port, session_aws, aws, account, SG_TRUST = e2e.moto_port, e2e.session_aws, e2e.aws, e2e.account, e2e.SG_TRUST


def pytest_sessionstart():
    for path in (BINARY, SG_TRUST):
        if not path.exists():
            pytest.exit(f"{path} is missing: build it with `cargo build --locked`, or run `make infra`", returncode=2)


def tool(name, package):
    path = ROOT / ".venv-infra" / package / "bin" / name
    if not path.exists():
        pytest.fail(f"{path} is missing: run `make venv-infra`")
    return path


def environment(**variables):
    """What a program gets: nothing of the caller's AWS."""
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": "/nonexistent",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": REGION,
        **variables,
    }


@pytest.fixture(scope="session")
def template():
    return cloudformation.parse(INFRA / "template.yaml")


@pytest.fixture(scope="session")
def stackset():
    return cloudformation.parse(INFRA / "stackset.yaml")


class Cloud:
    """ministack: the account in which the stack is deployed."""

    def __init__(self, port):
        self.endpoint = f"http://127.0.0.1:{port}"
        # ministack takes a key of twelve digits for the account.
        self.environment = environment(AWS_ENDPOINT_URL=self.endpoint, AWS_ACCESS_KEY_ID=ACCOUNT)
        self.clients = {}

    def __getattr__(self, service):
        if service not in self.clients:
            self.clients[service] = boto3.client(
                service.replace("_", "-"), region_name=REGION, endpoint_url=self.endpoint, aws_access_key_id=ACCOUNT, aws_secret_access_key="x"
            )
        return self.clients[service]

    def outputs(self, stack):
        described = self.cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
        return {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}

    def resources(self, stack):
        found = self.cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
        return {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in found}

    @property
    def lambda_client(self):
        return self.__getattr__("lambda")


@pytest.fixture(scope="session")
def cloud(session_aws, tmp_path_factory):
    """ministack, with functions that find EC2 and Security Hub at moto."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("ministack")
    log = (folder / "log").open("wb")
    server = subprocess.Popen(
        [tool("ministack", "ministack")],
        cwd=folder,
        env=environment(
            BIND_HOST="127.0.0.1",
            GATEWAY_PORT=str(port),
            LAMBDA_EXECUTOR="local",
            MINISTACK_ACCOUNT_ID=ACCOUNT,
            HOME=str(folder),
            TMPDIR=str(folder),
            # Lambda waits one and two minutes.
            LAMBDA_ASYNC_RETRY_BASE_SECONDS="0.1",
            # ministack hands its environment on to functions.
            AWS_ENDPOINT_URL_EC2=session_aws.endpoint,
            AWS_ENDPOINT_URL_SECURITYHUB=session_aws.endpoint,
        ),
        stdout=log,
        stderr=subprocess.STDOUT,
        # With its functions, in a group that can be ended as one.
        start_new_session=True,
    )
    made = Cloud(port)
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(f"{made.endpoint}/_ministack/health", timeout=5).close()
            break
        except OSError:
            assert time.monotonic() < deadline and server.poll() is None, (folder / "log").read_text()
            time.sleep(0.1)
    yield made
    os.killpg(server.pid, signal.SIGKILL)
    server.wait()


def eventually(what, seconds=30):
    """Waits until it is so, and returns it."""
    deadline = time.monotonic() + seconds
    while True:
        value = what()
        if value:
            return value
        assert time.monotonic() < deadline, f"not so after {seconds} s"
        time.sleep(0.05)
