"""moto as a real HTTP server, the proxy before it, boto3 as the independent client, and the real binary."""

import json
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import boto3
import pytest

sys.path.insert(0, str(Path(__file__).parent))

import asff  # noqa: E402
from proxy import Proxy  # noqa: E402
from runtime_api import ACCESS_KEY, ACCOUNT, BINARY, REGION, ROOT, Function  # noqa: E402


def pytest_sessionstart():
    if not BINARY.exists():
        pytest.exit(f"{BINARY} is missing: build it with `cargo build --locked`, or run `make e2e`", returncode=2)


def pytest_sessionfinish(session, exitstatus):
    """What the function was seen to call, for tests/infra. Only a whole run that passed has seen it all."""
    is_whole = not session.config.option.keyword and {item.path for item in session.items} == set(Path(__file__).parent.glob("test_*.py"))
    if is_whole and exitstatus == 0:
        seen = sorted(action for key, action in Proxy.seen if key == ACCESS_KEY)
        (ROOT / "target/e2e-actions.json").write_text(json.dumps(seen, indent=1) + "\n")


@pytest.fixture(scope="session")
def moto_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/moto-api/", timeout=5).close()
            break
        except OSError:
            assert time.monotonic() < deadline and server.poll() is None, "moto does not start"
            time.sleep(0.05)
    yield port
    server.kill()
    server.wait()


@pytest.fixture(scope="session")
def session_proxy(moto_port):
    return Proxy(moto_port, ACCOUNT)


@pytest.fixture
def proxy(session_proxy, moto_port):
    request = urllib.request.Request(f"http://127.0.0.1:{moto_port}/moto-api/reset", method="POST")
    urllib.request.urlopen(request, timeout=30).close()
    session_proxy.reset()
    yield session_proxy
    own = [finding for finding in session_proxy.imported if finding["GeneratorId"] == asff.POLICY]
    found = {finding["Id"]: asff.faults(finding) for finding in own}
    assert not any(found.values()), found


class Account:
    """The account, seen by boto3 and not by the product."""

    def __init__(self, moto_port, region=REGION, id=ACCOUNT):
        def client(service):
            made = boto3.client(
                service, region_name=region, endpoint_url=f"http://127.0.0.1:{moto_port}", aws_access_key_id="x", aws_secret_access_key="x"
            )
            made.meta.events.register("before-call", lambda params, **_: params["headers"].update({"x-moto-account-id": id}))
            return made

        self.ec2, self.hub = client("ec2"), client("securityhub")
        self.hub.enable_security_hub()

    def vpc(self):
        return self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]

    def group(self, name="app", vpc=None, tags=None):
        extra = {"TagSpecifications": [{"ResourceType": "security-group", "Tags": [{"Key": k, "Value": v} for k, v in tags.items()]}]} if tags else {}
        return self.ec2.create_security_group(GroupName=name, Description="d", VpcId=vpc or self.vpc(), **extra)["GroupId"]

    def allow(self, group, source, protocol="-1", ports=None):
        self.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[self.permission(source, protocol, ports)])

    def revoke(self, group, source, protocol="-1", ports=None):
        self.ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[self.permission(source, protocol, ports)])

    @staticmethod
    def permission(source, protocol, ports):
        made = {"IpProtocol": protocol, "UserIdGroupPairs": [{"GroupId": source}]}
        return made if ports is None else {**made, "FromPort": ports[0], "ToPort": ports[1]}

    def findings(self):
        """What stands in the hub, by group."""
        pages = self.hub.get_paginator("get_findings").paginate()
        found = [finding for page in pages for finding in page["Findings"]]
        by_group = {finding["Id"].rsplit("/", 1)[1]: finding for finding in found}
        assert len(by_group) == len(found), "two findings for one group"
        return by_group

    def states(self):
        return {group: (f["Compliance"]["Status"], f["RecordState"]) for group, f in self.findings().items()}


@pytest.fixture
def account(moto_port, proxy):
    return Account(moto_port)


@pytest.fixture
def functions(proxy):
    """Starts functions, and stops them after the test."""
    started = []

    def start(**arguments):
        started.append(Function(proxy.endpoint, **arguments))
        return started[-1]

    yield start
    for function in started:
        function.stop()


@pytest.fixture
def function(functions):
    return functions()
