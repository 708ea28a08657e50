"""EC2, Security Hub and Lambda's Runtime API on this machine, for the tests and the benchmarks.

| module | what it is |
|---|---|
| `stub` | `AwsStub`: one endpoint for the AWS services that sg-trust calls. It records the calls, and it can delay, refuse and spoil them |
| `ec2` | `Ec2`: security groups out of moto or out of memory, an EC2 that lags behind its changes |
| `hub` | `SecurityHub`: findings and what BatchImportFindings and GetFindings do with them, a hub that lags behind its imports |
| `sqs` | `Sqs`: messages that are sent, and when those of a queue become visible again |
| `accounts` | `Accounts`: roles that are assumed, and the accounts behind the credentials, each with its own EC2 and hub |
| `races` | what races are made of: calls that wait until the test goes on, and quotas |
| `function` | `RuntimeApi` and `Function`: a Lambda binary, run as Lambda runs it, any number of them at once |
| `moto` | moto as a server of its own: EC2's state, and where boto3 looks for findings |
| `answers`, `server`, `tls` | HTTP/1.1: requests and answers, the server, a certificate for it |

The stub keeps to what AWS documents of these services: pages, limits, error codes, the older `UpdatedAt` that is ignored.
A call that AWS would refuse as malformed stands in `AwsStub.errors` too: the fixture of the end-to-end tests fails then.
"""

from .accounts import MEMBER_KEYS
from .answers import Raw, Reply, ec2_error, head, hub_error
from .ec2 import group_xml
from .function import ACCESS_KEYS, ACCOUNT, BINARY, CENTRAL_KEYS, REGION, ROOT, Function
from .stub import AwsStub

__all__ = [
    "ACCESS_KEYS", "ACCOUNT", "BINARY", "CENTRAL_KEYS", "MEMBER_KEYS", "REGION", "ROOT", "AwsStub", "Function", "Raw", "Reply", "ec2_error", "group_xml", "head", "hub_error"
]  # fmt: skip
