"""A proxy before moto that adds what moto lacks of EC2 and Security Hub, and faults on demand.

EC2: pages, the owner of groups, dry runs. Security Hub: 100 findings a call, an older UpdatedAt is ignored, findings of
another account are denied, a hub can be off, findings can be refused.
"""

import http.client
import json
import re
import sys
import threading
import time
import urllib.parse
import xml.etree.ElementTree as ET
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

EC2 = "http://ec2.amazonaws.com/doc/2016-11-15"
ET.register_namespace("", EC2)
# moto reads the service and the Region from here, and checks no signature.
SIGNED = "AWS4-HMAC-SHA256 Credential=x/20261124/us-east-1/ec2/aws4_request, SignedHeaders=host, Signature=x"


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        """A client that was killed is no news; anything else is a fault of the proxy."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Reply:
    def __init__(self, status, body, content_type="application/json", headers=None):
        self.status, self.headers = status, {"content-type": content_type, **(headers or {})}
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()


class Raw:
    """Bytes as they are instead of an answer, slowly where a pause after each piece is given; then the connection ends."""

    def __init__(self, *pieces, pause=0.0):
        self.pieces, self.pause = pieces, pause


def head(reply, *lines, version="1.1"):
    """The head of an answer, with these lines instead of its content-length."""
    kept = [f"{name}: {value}" for name, value in reply.headers.items()]
    return "\r\n".join([f"HTTP/{version} {reply.status} so", *kept, *lines, "", ""]).encode()


def hub_error(status, code, message):
    return Reply(status, {"Message": message, "Code": code}, headers={"x-amzn-errortype": code})


def ec2_error(status, code, message):
    body = f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors><RequestID>r</RequestID></Response>"
    return Reply(status, body.encode(), "text/xml")


class Proxy:
    # (access key, "service:Operation") of every call of the session: tests/infra compares the function's with its role.
    seen = set()

    def __init__(self, moto_port, account, is_open=True):
        self.moto_port, self.account = moto_port, account
        self.lock = threading.Lock()
        self.reset()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *_):
                pass

            def date_time_string(self, timestamp=None):
                """The Date of an answer, by the proxy's own clock."""
                return super().date_time_string((timestamp or time.time()) + proxy.clock_ahead)

            def handle_any(self):
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                reply = proxy.answer(self.command, self.path, dict(self.headers), body)
                if not isinstance(reply, Reply):
                    self.close_connection = True
                    for piece in reply.pieces if reply else ():
                        self.wfile.write(piece)
                        time.sleep(reply.pause)
                    return
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)

            do_GET = do_POST = do_PATCH = do_DELETE = handle_any

        self.server = Server(("127.0.0.1", 0), Handler, bind_and_activate=False)
        self.server.server_bind()
        if is_open:
            self.open()

    def open(self):
        """Takes connections: until then the port is taken, and they are refused."""
        self.server.server_activate()
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.server.server_port}"

    def reset(self):
        self.clock_ahead = 0  # seconds that AWS's clock is ahead of the local one
        self.calls = []  # (operation, parsed body)
        self.imported = []  # every finding that was sent
        self.hub = {}  # finding id -> the finding that stands
        self.filters_work = True  # False: GetFindings answers with everything there is
        self.synthetic = None  # group id -> XML of the group: instead of moto's
        self.frozen = None  # an older answer, and how often it is given
        self.hub_is_on = True
        self.refused = {}  # group id -> (code, message)
        self.owners = {}  # group id -> account, where it is another
        self.page_size = 1000
        self.fault = None  # (operation, body) -> Reply, Raw, "drop", or None: instead of the answer
        self.spoil = None  # (operation, body, Reply) -> Reply, Raw, or "drop": what becomes of the answer on its way

    def count(self):
        return Counter(operation for operation, _ in self.calls)

    def answer(self, method, path, headers, body):
        operation, parsed = self.operation(method, path, headers, body)
        # The signature names the key and the service.
        signed = re.search(r"Credential=([^/]+)/\d+/[^/]+/([^/]+)/", headers.get("authorization") or headers.get("Authorization") or "")
        with self.lock:
            self.calls.append((operation, parsed))
            if signed:
                self.seen.add((signed[1], f"{signed[2]}:{operation}"))
        if self.fault:
            reply = self.fault(operation, parsed)
            if reply == "drop":
                return None
            if reply is not None:
                return reply
        special = getattr(self, operation, None)
        reply = special(method, path, headers, parsed) if special else self.forward(method, path, headers, body)
        if self.spoil:
            reply = self.spoil(operation, parsed, reply)
        return None if reply == "drop" else reply

    @staticmethod
    def operation(method, path, headers, body):
        if path == "/" and method == "POST":
            form = dict(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True))
            return form.get("Action", "?"), form
        names = {("POST", "/findings/import"): "BatchImportFindings", ("POST", "/findings"): "GetFindings", ("GET", "/accounts"): "DescribeHub"}
        parsed = json.loads(body) if body else {}
        return names.get((method, path.split("?")[0]), f"{method} {path}"), parsed

    def forward(self, method, path, headers, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.moto_port, timeout=60)
        kept = {k: v for k, v in headers.items() if k.lower() not in ("content-length", "connection", "host")}
        kept["x-moto-account-id"] = self.account
        # moto finds the service by the host's name where the signature does not tell.
        connection.request(method, path, body=body, headers=kept)
        answer = connection.getresponse()
        reply = Reply(answer.status, answer.read(), answer.headers.get("content-type") or "application/json")
        errortype = answer.headers.get("x-amzn-errortype")
        if errortype:
            reply.headers["x-amzn-errortype"] = errortype
        connection.close()
        return reply

    # EC2

    def freeze(self, times):
        """The next describes show the account as it is now, whatever happens to it."""
        form = urllib.parse.urlencode({"Action": "DescribeSecurityGroups", "Version": "2016-11-15"}).encode()
        headers = {"content-type": "application/x-www-form-urlencoded", "authorization": SIGNED}
        self.frozen = (self.forward("POST", "/", headers, form).body, times)

    def DescribeSecurityGroups(self, method, path, headers, form):
        if form.get("DryRun") == "true":
            return ec2_error(412, "DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
        filters = {}
        for name, value in form.items():
            parts = name.split(".")
            if parts[0] == "Filter":
                entry = filters.setdefault(parts[1], {"values": []})
                if parts[2] == "Name":
                    entry["name"] = value
                else:
                    entry["values"].append(value)
        assert all(len(entry["values"]) <= 200 for entry in filters.values()), "more than 200 values of a filter"
        filters = {entry["name"]: entry["values"] for entry in filters.values()}
        root, items = self.groups(method, path, headers, form, filters)
        if root is None:
            return items
        start = int(form.get("NextToken") or 0)
        end = start + min(int(form.get("MaxResults") or 1000), self.page_size)
        groups = root.find(f"{{{EC2}}}securityGroupInfo")
        groups[:] = items[start:end]
        if end < len(items):
            ET.SubElement(root, f"{{{EC2}}}nextToken").text = str(end)
        return Reply(200, ET.tostring(root, xml_declaration=True, encoding="utf-8"), "text/xml")

    def groups(self, method, path, headers, form, filters):
        """The groups that the filters let through: from moto, from a frozen answer of it, or synthetic ones."""
        local = {"group-id": "groupId", "vpc-id": "vpcId", "group-name": "groupName", "owner-id": "ownerId"}
        if self.synthetic is not None:
            root = ET.fromstring(f'<DescribeSecurityGroupsResponse xmlns="{EC2}"><securityGroupInfo/></DescribeSecurityGroupsResponse>')
            ids = filters.get("group-id")
            return root, [ET.fromstring(self.synthetic[id]) for id in (ids or self.synthetic) if id in self.synthetic]
        frozen, times = self.frozen or (None, 0)
        if times:
            self.frozen = (frozen, times - 1)
            body, passed_on = frozen, {}
        else:
            local = {"owner-id": "ownerId"}
            passed_on = {k: v for k, v in form.items() if k.split(".")[0] not in ("Filter", "MaxResults", "NextToken")}
            for number, name in enumerate([name for name in filters if name not in local], 1):
                passed_on[f"Filter.{number}.Name"] = name
                passed_on.update({f"Filter.{number}.Value.{n}": value for n, value in enumerate(filters[name], 1)})
            reply = self.forward(method, path, headers, urllib.parse.urlencode(passed_on).encode())
            if reply.status != 200:
                return None, reply
            body = reply.body
        root = ET.fromstring(body)
        items = list(root.find(f"{{{EC2}}}securityGroupInfo"))
        for item in items:
            owner = item.find(f"{{{EC2}}}ownerId")
            owner.text = self.owners.get(item.find(f"{{{EC2}}}groupId").text, owner.text)
        for name, member in local.items():
            if name in filters:
                items = [item for item in items if (item.findtext(f"{{{EC2}}}{member}") or "") in filters[name]]
        return root, items

    # Security Hub

    def off(self):
        return hub_error(401, "InvalidAccessException", f"Account {self.account} is not subscribed to AWS Security Hub")

    def DescribeHub(self, method, path, headers, _):
        return self.forward(method, path, headers, b"") if self.hub_is_on else self.off()

    def BatchImportFindings(self, method, path, headers, request):
        findings = request["Findings"]
        if not self.hub_is_on:
            return self.off()
        if not 1 <= len(findings) <= 100:
            return hub_error(400, "InvalidInputException", f"{len(findings)} findings")
        if any(finding["AwsAccountId"] != self.account for finding in findings):
            return hub_error(403, "AccessDeniedException", "User is not authorized to perform: securityhub:BatchImportFindings")
        self.imported.extend(finding for finding in findings if finding["Resources"])
        failed, taken, ignored = [], [], 0
        for finding in findings:
            group = finding["Id"].rsplit("/", 1)[1]
            standing = self.hub.get(finding["Id"])
            if not finding["Resources"]:
                failed.append({"Id": finding["Id"], "ErrorCode": "InvalidInput", "ErrorMessage": "Finding does not adhere to Amazon Finding Format."})
            elif group in self.refused:
                code, message = self.refused[group]
                failed.append({"Id": finding["Id"], "ErrorCode": code, "ErrorMessage": message})
            elif standing and finding["UpdatedAt"] <= standing["UpdatedAt"]:
                ignored += 1
            else:
                self.hub[finding["Id"]] = finding
                taken.append(finding)
        if taken and self.synthetic is None:
            reply = self.forward(method, path, headers, json.dumps({"Findings": taken}).encode())
            if reply.status != 200:
                return reply
            failed += json.loads(reply.body).get("FailedFindings", [])
        return Reply(200, {"FailedCount": len(failed), "SuccessCount": len(findings) - len(failed), "FailedFindings": failed})

    def GetFindings(self, method, path, headers, request):
        if not self.hub_is_on:
            return self.off()
        found = list(self.hub.values())
        if self.filters_work:
            found = [finding for finding in found if self.is_asked_for(finding, request.get("Filters") or {})]
        most = request.get("MaxResults", 10)
        assert most <= 100, "more than 100 findings asked for"
        start = int(request.get("NextToken") or 0)
        answer = {"Findings": found[start : start + most]}
        if start + most < len(found):
            answer["NextToken"] = str(start + most)
        return Reply(200, answer)

    @staticmethod
    def is_asked_for(finding, filters):
        for name, wanted in filters.items():
            assert 1 <= len(wanted) <= 20
            if name == "UpdatedAt":
                if not any(one["Start"] <= finding[name] <= one["End"] for one in wanted):
                    return False
                continue
            assert all(one["Comparison"] == "EQUALS" for one in wanted)
            if name == "ComplianceStatus":
                if finding["Compliance"]["Status"] not in [one["Value"] for one in wanted]:
                    return False
            elif name == "ProductFields":
                if not any(finding.get(name, {}).get(one["Key"]) == one["Value"] for one in wanted):
                    return False
            elif finding.get(name) not in [one["Value"] for one in wanted]:
                return False
        return True
