"""One endpoint for the AWS services that sg-trust calls: it records the calls, and can delay, refuse and spoil them."""

import email.utils
import functools
import http.client
import json
import re
import threading
import time
import traceback
import urllib.parse
from collections import Counter
from dataclasses import dataclass

from .accounts import Accounts
from .answers import DROP, Reply, ec2_error, hub_error
from .ec2 import CHANGES, LISTS, Ec2
from .hub import SecurityHub
from .races import Pause, Quota
from .server import Server
from .sqs import Sqs

SIGNED = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/")
HUB_OPERATIONS = {("POST", "/findings/import"): "BatchImportFindings", ("POST", "/findings"): "GetFindings", ("GET", "/accounts"): "DescribeHub"}
# Calls a second and at once. https://docs.aws.amazon.com/securityhub/1.0/APIReference/Welcome.html,
# https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html (non-mutating actions)
QUOTAS = {
    "BatchImportFindings": (10, 30),
    "GetFindings": (3, 6),
    "DescribeHub": (10, 30),
    "DescribeSecurityGroups": (20, 100),
    "DescribeSecurityGroupRules": (20, 100),
    "DescribeVpcs": (20, 100),
}
# The action that allows an operation, where it has another name.
ACTIONS = {"ChangeMessageVisibilityBatch": "ChangeMessageVisibility", "SendMessageBatch": "SendMessage"}
# What the stub signs its own calls to moto with: moto reads the service and the Region from there, and checks no signature.
AUTHORIZATION = "AWS4-HMAC-SHA256 Credential=x/20261124/{region}/{service}/aws4_request, SignedHeaders=host, Signature=x"


@dataclass(eq=False)
class Call:
    """One call, as it arrived, and what became of it. Times are seconds since 1970."""

    operation: str
    request: dict
    arrived: float
    access_key: str | None = None
    region: str | None = None
    service: str | None = None
    answered: float | None = None  # when the answer was sent
    status: int | None = None  # of the answer; None: the connection ended without one


class AwsStub:
    # (access key, "service:Action") of every call of this process: tests/infra compares the function's with its role.
    seen = set()

    def __init__(self, account="123456789012", moto_port=None, tls=None, is_open=True):
        """With `moto_port`, EC2's groups and all other operations are moto's, and it gets what Security Hub takes."""
        self.account, self.moto_port = account, moto_port
        self.lock = threading.Lock()
        self.pauses = []
        self.ec2 = Ec2(account, self.ask_moto_ec2 if moto_port else None)
        self.hub = SecurityHub(account, self.mirror_in_moto if moto_port else None)
        self.sqs = Sqs()
        self.accounts = Accounts(self)
        self.reset()
        self.server = Server(self.answer, tls, is_open)
        self.endpoint = f"{'https' if tls else 'http'}://127.0.0.1:{self.server.port}"

    def reset(self):
        for pause in self.pauses:
            pause.release()
        self.pauses = []
        self.calls = []
        self.errors = []  # what AWS would not have taken, and faults of the stub itself
        self.quotas = {}  # operation -> Quota
        self.clock = lambda service: time.time()  # what the Date of a service's answers says; None: no Date
        self.fault = None  # (operation, request) -> Reply, Raw, DROP, or None: instead of the answer
        self.spoil = None  # (operation, request, Reply) -> Reply, Raw, or DROP: what becomes of the answer on its way
        self.ec2.reset()
        self.hub.reset()
        self.sqs.reset()
        self.accounts.reset()

    def open(self):
        self.server.open()

    def close(self):
        self.server.close()

    # What was called.

    def count(self):
        return Counter(call.operation for call in self.calls)

    def calls_of(self, operation, function=None):
        """The calls of an operation, of all or of one function, in the order of their arrival."""
        return [call for call in self.calls if call.operation == operation and (function is None or call.access_key == function.access_key)]

    # What goes wrong.

    def hold_answers(self, operation, times=1, when=lambda call: True):
        """The next answers of an operation are made at once, and sent when they are released: old observations that arrive late."""
        return self.pause(Pause(operation, "answer", times, when))

    def hold_requests(self, operation, times=1, when=lambda call: True):
        """The next requests of an operation reach AWS when they are released: imports that come late."""
        return self.pause(Pause(operation, "request", times, when))

    def delay_answers(self, operation, seconds, times=None, when=lambda call: True):
        return self.pause(Pause(operation, "answer", times, when, seconds))

    def delay_requests(self, operation, seconds, times=None, when=lambda call: True):
        return self.pause(Pause(operation, "request", times, when, seconds))

    def pause(self, pause):
        # Anew, since calls are going through the list.
        self.pauses = [*self.pauses, pause]
        return pause

    def limit(self, operation, rate, burst):
        """Calls over this quota are throttled."""
        self.quotas[operation] = Quota(rate, burst)

    def limit_as_aws_does(self):
        for operation, quota in QUOTAS.items():
            self.limit(operation, *quota)

    # How a call is answered.

    def answer(self, request):
        operation, body = operation_of(request)
        signed = SIGNED.search(request.headers.get("authorization", "")) or [None] * 4
        call = Call(operation, body, time.time(), signed[1], signed[2], signed[3])
        with self.lock:
            self.calls.append(call)
            if call.access_key:
                self.seen.add((call.access_key, f"{call.service}:{ACTIONS.get(operation, operation)}"))
        self.wait_for(call, "request")
        try:
            reply = self.reply_to(call, request)
        except Exception:
            self.errors.append(traceback.format_exc())
            return None
        self.wait_for(call, "answer")
        call.answered = time.time()
        if reply == DROP:
            return None
        if isinstance(reply, Reply):
            call.status = reply.status
            date = self.clock(call.service)
            if date is not None:
                reply.headers["date"] = http_date(int(date))
        return reply

    def wait_for(self, call, of):
        for pause in self.pauses:
            if pause.meets(call, of):
                pause.hold()

    def reply_to(self, call, request):
        quota = self.quotas.get(call.operation)
        if quota and not quota.allows():
            if call.service == "securityhub":
                return hub_error(429, "TooManyRequestsException", "Too Many Requests")
            return ec2_error(503, "RequestLimitExceeded", "Request limit exceeded.")
        reply = self.fault(call.operation, call.request) if self.fault else None
        if reply is None:
            reply = self.do(call, request)
            if reply.is_malformed:
                self.errors.append(f"{call.operation}: {reply.body.decode(errors='replace')}")
            if self.spoil:
                reply = self.spoil(call.operation, call.request, reply)
        return reply

    def do(self, call, request):
        """What AWS does, in the account of the call's credentials."""
        ec2, hub = self.accounts.place(call.access_key)
        match call.operation:
            case "BatchImportFindings":
                return hub.batch_import_findings(call.request, len(request.body))
            case "GetFindings":
                return hub.get_findings(call.request)
            case "DescribeHub":
                return hub.describe_hub(call.request)
            case "ChangeMessageVisibilityBatch":
                return self.sqs.change_message_visibility_batch(call.request)
            case "SendMessageBatch":
                return self.sqs.send_message_batch(call.request)
            case "AssumeRole":
                return self.accounts.assume_role(call.access_key, call.request)
            case "GetCallerIdentity" if call.access_key in self.accounts.keys:
                return self.accounts.caller_identity(call.access_key)
            case "ListAccounts":
                return self.accounts.list_accounts(call.access_key, call.request)
            case operation if operation in LISTS and (self.moto_port or operation == "DescribeSecurityGroups"):
                return ec2.describe(call.region, operation, call.request)
            case operation if operation in CHANGES and self.moto_port:
                refusal = ec2.refusal_of(call.region, operation, call.request)
                if refusal:
                    return refusal
        if self.moto_port:
            account = self.accounts.of(call.access_key)
            return self.ask_moto(request.method, request.path, request.headers, request.body, account)
        return ec2_error(400, "InvalidAction", call.operation)

    # moto.

    def ask_moto(self, method, path, headers, body, account=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.moto_port, timeout=60)
        kept = {name: value for name, value in headers.items() if name not in ("content-length", "connection", "host")}
        kept["x-moto-account-id"] = account or self.account
        connection.request(method, path, body=body, headers=kept)
        answer = connection.getresponse()
        reply = Reply(answer.status, answer.read(), answer.headers.get("content-type") or "application/json")
        errortype = answer.headers.get("x-amzn-errortype")
        if errortype:
            reply.headers["x-amzn-errortype"] = errortype
        connection.close()
        return reply

    def ask_moto_ec2(self, region, form, account=None):
        headers = {"content-type": "application/x-www-form-urlencoded", "authorization": AUTHORIZATION.format(region=region, service="ec2")}
        return self.ask_moto("POST", "/", headers, urllib.parse.urlencode(form).encode(), account)

    def mirror_in_moto(self, findings, account=None):
        if self.ec2.groups is not None:
            # Of groups in memory moto knows nothing either; there may be thousands.
            return Reply(200, {})
        region = findings[0]["ProductArn"].split(":")[3]
        headers = {"content-type": "application/json", "authorization": AUTHORIZATION.format(region=region, service="securityhub")}
        return self.ask_moto("POST", "/findings/import", headers, json.dumps({"Findings": findings}).encode(), account)


@functools.lru_cache(maxsize=8)
def http_date(seconds):
    return email.utils.formatdate(seconds, usegmt=True)


def operation_of(request):
    """The operation's name, and what was asked: EC2's and STS's form, SQS's or Security Hub's JSON."""
    target = request.headers.get("x-amz-target")
    if target:
        return target.rpartition(".")[2], json.loads(request.body)
    if request.path == "/" and request.method == "POST":
        form = dict(urllib.parse.parse_qsl(request.body.decode(), keep_blank_values=True))
        return form.get("Action", "?"), form
    operation = HUB_OPERATIONS.get((request.method, request.path.partition("?")[0]), f"{request.method} {request.path}")
    return operation, json.loads(request.body) if request.body else {}
