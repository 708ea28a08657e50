"""A proxy before moto that adds what moto lacks of EC2 and Security Hub, and faults on demand.

EC2: pages, the owner of groups, dry runs. Security Hub: 100 findings a call, an older UpdatedAt is ignored, findings of
another account are denied, a hub can be off, findings can be refused.
"""

import http.client
import json
import threading
import urllib.parse
import xml.etree.ElementTree as ET
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

EC2 = "http://ec2.amazonaws.com/doc/2016-11-15"
ET.register_namespace("", EC2)


class Reply:
    def __init__(self, status, body, content_type="application/json", headers=None):
        self.status, self.headers = status, {"content-type": content_type, **(headers or {})}
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()


def hub_error(status, code, message):
    return Reply(status, {"Message": message, "Code": code}, headers={"x-amzn-errortype": code})


def ec2_error(status, code, message):
    body = f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors><RequestID>r</RequestID></Response>"
    return Reply(status, body.encode(), "text/xml")


class Proxy:
    def __init__(self, moto_port, account):
        self.moto_port, self.account = moto_port, account
        self.lock = threading.Lock()
        self.reset()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *_):
                pass

            def handle_any(self):
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                reply = proxy.answer(self.command, self.path, dict(self.headers), body)
                if reply is None:
                    self.close_connection = True
                    return
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)

            do_GET = do_POST = do_PATCH = do_DELETE = handle_any

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.server.server_port}"

    def reset(self):
        self.calls = []  # (operation, parsed body)
        self.imported = []  # every finding that was sent
        self.newest = {}  # finding id -> UpdatedAt
        self.hub_is_on = True
        self.refused = {}  # group id -> (code, message)
        self.owners = {}  # group id -> account, where it is another
        self.page_size = 1000
        self.fault = None  # (operation, body) -> Reply, "drop", or None

    def count(self):
        return Counter(operation for operation, _ in self.calls)

    def answer(self, method, path, headers, body):
        operation, parsed = self.operation(method, path, headers, body)
        with self.lock:
            self.calls.append((operation, parsed))
        if self.fault:
            reply = self.fault(operation, parsed)
            if reply == "drop":
                return None
            if reply is not None:
                return reply
        special = getattr(self, operation, None)
        return special(method, path, headers, parsed) if special else self.forward(method, path, headers, body)

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
        owners = next((entry["values"] for entry in filters.values() if entry["name"] == "owner-id"), None)
        passed_on = {k: v for k, v in form.items() if k.split(".")[0] not in ("Filter", "MaxResults", "NextToken")}
        kept = [entry for entry in filters.values() if entry["name"] != "owner-id"]
        for number, entry in enumerate(kept, 1):
            passed_on[f"Filter.{number}.Name"] = entry["name"]
            passed_on.update({f"Filter.{number}.Value.{n}": value for n, value in enumerate(entry["values"], 1)})
        reply = self.forward(method, path, headers, urllib.parse.urlencode(passed_on).encode())
        if reply.status != 200:
            return reply
        root = ET.fromstring(reply.body)
        groups = root.find(f"{{{EC2}}}securityGroupInfo")
        items = list(groups)
        for item in items:
            groups.remove(item)
            owner = item.find(f"{{{EC2}}}ownerId")
            owner.text = self.owners.get(item.find(f"{{{EC2}}}groupId").text, owner.text)
        items = [item for item in items if owners is None or item.find(f"{{{EC2}}}ownerId").text in owners]
        start = int(form.get("NextToken") or 0)
        end = start + min(int(form.get("MaxResults") or 1000), self.page_size)
        groups.extend(items[start:end])
        if end < len(items):
            ET.SubElement(root, f"{{{EC2}}}nextToken").text = str(end)
        return Reply(200, ET.tostring(root, xml_declaration=True, encoding="utf-8"), "text/xml")

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
        self.imported.extend(findings)
        failed, taken, ignored = [], [], 0
        for finding in findings:
            group = finding["Id"].rsplit("/", 1)[1]
            if group in self.refused:
                code, message = self.refused[group]
                failed.append({"Id": finding["Id"], "ErrorCode": code, "ErrorMessage": message})
            elif finding["UpdatedAt"] <= self.newest.get(finding["Id"], ""):
                ignored += 1
            else:
                self.newest[finding["Id"]] = finding["UpdatedAt"]
                taken.append(finding)
        if not taken:
            return Reply(200, {"FailedCount": len(failed), "SuccessCount": ignored, "FailedFindings": failed})
        reply = self.forward(method, path, headers, json.dumps({"Findings": taken}).encode())
        if reply.status != 200:
            return reply
        answer = json.loads(reply.body)
        failed += answer.get("FailedFindings", [])
        return Reply(200, {"FailedCount": len(failed), "SuccessCount": len(findings) - len(failed), "FailedFindings": failed})
