"""EC2 and Security Hub as far as the function calls them: answers at once, and counts the calls."""

import json
import threading
import urllib.parse
from collections import Counter

from server import Server

NAMESPACE = 'xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"'
XML, JSON = {"content-type": "text/xml"}, {"content-type": "application/json"}


class Aws:
    def __init__(self, tls=None):
        self.calls = Counter()
        self.groups = {}  # group id -> XML of the group
        self.findings = {}  # finding id -> the finding that stands
        self.imported = 0
        self.lock = threading.Lock()
        self.server = Server(self.answer, tls)
        self.endpoint = f"{'https' if tls else 'http'}://127.0.0.1:{self.server.port}"

    def reset(self):
        """Forgets the calls, and how much was imported; groups and findings stay."""
        self.calls.clear()
        self.imported = 0

    def answer(self, method, path, body):
        path = path.partition("?")[0]
        if path == "/" and method == "POST":
            form = dict(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True))
            operation, answer = form["Action"], lambda: self.describe(form)
        else:
            operation = {"/findings/import": "BatchImportFindings", "/findings": "GetFindings", "/accounts": "DescribeHub"}.get(path, path)
            answer = {
                "BatchImportFindings": lambda: self.take(json.loads(body)["Findings"]),
                "GetFindings": lambda: self.give(json.loads(body)),
                "DescribeHub": lambda: {"HubArn": "arn:aws:securityhub:us-east-1:123456789012:hub/default"},
            }.get(operation)
        with self.lock:
            self.calls[operation] += 1
            result = answer() if answer else None
        if isinstance(result, tuple):
            return result
        return (200, JSON, json.dumps(result).encode()) if answer else (404, JSON, b"{}")

    def describe(self, form):
        if form["Action"] != "DescribeSecurityGroups":
            return 400, XML, error("InvalidAction", form["Action"])
        if form.get("DryRun") == "true":
            return 412, XML, error("DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
        wanted = None
        for name, value in form.items():
            if name.startswith("Filter.") and value == "group-id":
                prefix = name.removesuffix("Name") + "Value."
                wanted = [id for key, id in form.items() if key.startswith(prefix)]
                assert len(wanted) <= 200, "a filter takes 200 values"
        found = [self.groups[id] for id in (self.groups if wanted is None else wanted) if id in self.groups]
        start = int(form.get("NextToken") or 0)
        end = start + int(form.get("MaxResults") or 1000)
        more = f"<nextToken>{end}</nextToken>" if end < len(found) else ""
        items = "".join(found[start:end])
        text = f"<DescribeSecurityGroupsResponse {NAMESPACE}><requestId>r</requestId><securityGroupInfo>{items}</securityGroupInfo>{more}</DescribeSecurityGroupsResponse>"
        return 200, XML, text.encode()

    def take(self, findings):
        assert len(findings) <= 100, "a call takes 100 findings"
        for finding in findings:
            self.findings[finding["Id"]] = finding
        self.imported += len(findings)
        return {"FailedCount": 0, "SuccessCount": len(findings), "FailedFindings": []}

    def give(self, request):
        filters = request.get("Filters") or {}
        states = {filter["Value"] for filter in filters.get("RecordState", [])}
        ids = {filter["Value"] for filter in filters.get("Id", [])}
        found = [
            finding for id, finding in self.findings.items()
            if (not states or finding["RecordState"] in states) and (not ids or id in ids)
        ]
        start = int(request.get("NextToken") or 0)
        end = start + int(request.get("MaxResults") or 100)
        answer = {"Findings": found[start:end]}
        if end < len(found):
            answer["NextToken"] = str(end)
        return answer


def error(code, message):
    return f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors><RequestID>r</RequestID></Response>".encode()
