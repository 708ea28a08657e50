"""moto as a real HTTP server, the stub before it, boto3 as the independent client, and the real binary."""

import json
import os
import sys
from pathlib import Path

import boto3
import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

import asff  # noqa: E402
from aws_stub import ACCESS_KEYS, ACCOUNT, BINARY, CENTRAL_KEYS, MEMBER_KEYS, REGION, ROOT, AwsStub, Function  # noqa: E402
from aws_stub.moto import moto, reset  # noqa: E402

SG_TRUST = Path(os.environ.get("SG_TRUST", ROOT / "target/debug/sg-trust"))


def pytest_sessionstart():
    if not BINARY.exists():
        pytest.exit(f"{BINARY} is missing: build it with `cargo build --locked`, or run `make e2e`", returncode=2)


def pytest_sessionfinish(session, exitstatus):
    """What the function was seen to call, for tests/infra. Only a whole run that passed has seen it all."""
    is_whole = not session.config.option.keyword and {item.path for item in session.items} == set(Path(__file__).parent.glob("test_*.py"))
    if is_whole and exitstatus == 0:
        for name, keys in (("actions", ACCESS_KEYS), ("actions-central", CENTRAL_KEYS), ("actions-member", MEMBER_KEYS)):
            seen = sorted({action for key, action in AwsStub.seen if key.startswith(keys)})
            (ROOT / f"target/e2e-{name}.json").write_text(json.dumps(seen, indent=1) + "\n")


@pytest.fixture(scope="session")
def moto_port():
    with moto() as port:
        yield port


@pytest.fixture(scope="session")
def session_aws(moto_port):
    return AwsStub(ACCOUNT, moto_port)


@pytest.fixture
def aws(session_aws, moto_port):
    """The stub. A test fails when something was called that AWS would not take, or published that it promises not to."""
    reset(moto_port)
    session_aws.reset()
    yield session_aws
    assert session_aws.errors == []
    own = [finding for finding in session_aws.hub.imported if finding["GeneratorId"] == asff.POLICY]
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
        """The id of the new rule."""
        made = self.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[self.permission(source, protocol, ports)])
        return made["SecurityGroupRules"][0]["SecurityGroupRuleId"]

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
def account(moto_port, aws):
    return Account(moto_port)


@pytest.fixture
def functions(aws):
    """Starts functions, and stops them after the test. Several are what Lambda starts when events come at once."""
    started = []

    def start(**arguments):
        started.append(Function(aws.endpoint, **arguments))
        return started[-1]

    yield start
    for function in started:
        function.stop()


@pytest.fixture
def function(functions):
    return functions()
