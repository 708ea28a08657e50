"""The tests of the tests' own tools. None needs a binary of sg-trust."""

import sys
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from aws_stub import AwsStub  # noqa: E402
from aws_stub.moto import moto  # noqa: E402

ACCOUNT, REGION = "123456789012", "us-east-1"


def client(service, endpoint, key="AKIAEXAMPLEKEYID0000", region=REGION):
    """The SDK's view of the stub. It tries once, so that every call is seen."""
    config = Config(retries={"total_max_attempts": 1}, read_timeout=30)
    return boto3.client(service, region_name=region, endpoint_url=endpoint, aws_access_key_id=key, aws_secret_access_key="x", config=config)


@pytest.fixture
def stub():
    """The stub by itself: groups and findings are in memory."""
    made = AwsStub(ACCOUNT)
    yield made
    made.reset()
    made.close()


@pytest.fixture
def ec2(stub):
    return client("ec2", stub.endpoint)


@pytest.fixture
def hub(stub):
    return client("securityhub", stub.endpoint)


@pytest.fixture(scope="session")
def moto_port():
    with moto() as port:
        yield port
