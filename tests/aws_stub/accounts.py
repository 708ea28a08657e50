"""Several accounts: whose credentials a call has, and what each account has of EC2 and Security Hub.

https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListAccounts.html
"""

import datetime
import itertools
import json
import threading

from .answers import Reply, malformed
from .ec2 import Ec2
from .function import CENTRAL_KEYS
from .hub import SecurityHub

MOST_ACCOUNTS = 20
NUMBERS = itertools.count()
MEMBER_KEYS = "ASIAMEMBER"  # of the role that the central function assumes


class Accounts:
    """Accounts beside the stub's own. A call belongs to the account that its access key was given for."""

    def __init__(self, stub):
        self.stub = stub
        self.lock = threading.Lock()
        self.reset()

    def reset(self):
        self.members = {}  # account -> Member
        self.keys = {}  # access key -> account
        self.roles_refused = set()  # accounts whose role cannot be assumed
        self.lifetime = 3600  # seconds
        self.assumed = []  # (access key of the caller, role ARN)
        self.listed = []  # what ListAccounts answers: (account, status)
        self.page_size = MOST_ACCOUNTS

    def add(self, account, role="security/sg-trust-member", state="ACTIVE"):
        """An account whose role may be assumed."""
        self.members[account] = Member(self.stub, account, role)
        self.listed.append((account, state))
        return self.members[account]

    def of(self, access_key):
        return self.keys.get(access_key, self.stub.account)

    def place(self, access_key):
        """EC2 and Security Hub as the owner of this key sees them."""
        member = self.members.get(self.of(access_key))
        return (member.ec2, member.hub) if member else (self.stub.ec2, self.stub.hub)

    def assume_role(self, caller, form):
        arn = form["RoleArn"]
        _, _, service, _, account, role = arn.split(":", 5)
        member = self.members.get(account)
        if service != "iam" or not form.get("RoleSessionName") or "DurationSeconds" in form and int(form["DurationSeconds"]) > 3600:
            return malformed(sts_error(400, "ValidationError", arn))
        self.assumed.append((caller, arn))
        if not member or account in self.roles_refused or role != f"role/{member.role}":
            return sts_error(403, "AccessDenied", f"User: {caller} is not authorized to perform: sts:AssumeRole on resource: {arn}")
        with self.lock:
            # An operator's own commands, such as doctor, may assume the same role.
            keys = MEMBER_KEYS if caller.startswith(CENTRAL_KEYS) else "ASIAROLE"
            key = f"{keys}{account}N{next(NUMBERS):06}"
            self.keys[key] = account
        end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=self.lifetime)
        name = member.role.rsplit("/", 1)[-1]
        body = (
            '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><AssumedRoleUser>'
            f"<AssumedRoleId>AROA:{form['RoleSessionName']}</AssumedRoleId>"
            f"<Arn>arn:aws:sts::{account}:assumed-role/{name}/{form['RoleSessionName']}</Arn></AssumedRoleUser><Credentials>"
            f"<AccessKeyId>{key}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>token-of-{account}</SessionToken>"
            f"<Expiration>{end:%Y-%m-%dT%H:%M:%SZ}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
        )
        return Reply(200, body.encode(), "text/xml")

    def caller_identity(self, access_key):
        account = self.of(access_key)
        body = (
            '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
            f"<Arn>arn:aws:sts::{account}:assumed-role/test/test</Arn><UserId>u</UserId><Account>{account}</Account>"
            "</GetCallerIdentityResult></GetCallerIdentityResponse>"
        )
        return Reply(200, body.encode(), "text/xml")

    def list_accounts(self, access_key, request):
        if self.of(access_key) != self.stub.account:
            return Reply(400, {"__type": "AccessDeniedException", "Message": "You don't have permissions to access this resource."})
        start, most = int(request.get("NextToken") or 0), request.get("MaxResults", MOST_ACCOUNTS)
        if not 1 <= most <= MOST_ACCOUNTS:
            return malformed(Reply(400, {"__type": "InvalidInputException", "Message": f"MaxResults {most}"}))
        end = start + min(most, self.page_size)
        accounts = [{"Id": account, "Arn": f"arn:aws:organizations::{self.stub.account}:account/o-1/{account}", "Status": state, "State": state}
                    for account, state in self.listed]  # fmt: skip
        return Reply(200, {"Accounts": accounts[start:end], **({"NextToken": str(end)} if end < len(accounts) else {})}, "application/x-amz-json-1.1")


class Member:
    """One account: its groups out of moto or out of memory, and its own hub."""

    def __init__(self, stub, account, role):
        self.account, self.role = account, role
        self.ec2 = Ec2(account, (lambda region, form: stub.ask_moto_ec2(region, form, account)) if stub.moto_port else None)
        self.hub = SecurityHub(account, (lambda findings: stub.mirror_in_moto(findings, account)) if stub.moto_port else None)


def sts_error(status, code, message):
    body = f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error><RequestId>r</RequestId></ErrorResponse>"
    return Reply(status, body.encode(), "text/xml")
