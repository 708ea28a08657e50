"""AWS Security Hub: the findings that stand, and what imports and look-ups do with them.

https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchImportFindings.html
https://docs.aws.amazon.com/securityhub/latest/partnerguide/guidelines-batchimportfindings.html
"""

import json
import threading
import time

from .answers import Reply, hub_error, malformed

# What a call takes.
MOST_FINDINGS, MOST_BYTES, MOST_BYTES_OF_ONE, MOST_VALUES = 100, 6_000_000, 240_000, 20
NO_ENTRY = object()


class SecurityHub:
    def __init__(self, account, mirror=None, now=time.monotonic):
        """`mirror(findings)` gets what was taken, and answers as BatchImportFindings does: moto, where boto3 looks."""
        self.account, self.mirror, self.now = account, mirror, now
        self.lock = threading.Lock()
        self.reset()

    def reset(self):
        self.findings = {}  # finding id -> the finding that stands
        self.imported = []  # every finding that was sent
        self.is_on = True
        self.filters_work = True  # False: GetFindings answers with everything there is
        self.refused = {}  # group id -> (code, message) with which BatchImportFindings refuses its finding
        self.refused_filters = {}  # name of a filter -> (code, message) with which GetFindings refuses the call
        self.late_by = {}
        self.unseen = []  # (finding id, the finding before, number of the read, moment) of imports that may not show yet
        self.reads = 0

    # A hub that lags behind.

    def lag(self, reads=0, seconds=0.0):
        """From now on an import shows only in the GetFindings after the next `reads`, and after so many seconds."""
        self.late_by = {"reads": reads, "seconds": seconds}

    def catch_up(self):
        """Everything shows, and lags no more."""
        self.late_by, self.unseen = {}, []

    def seen_findings(self):
        """What GetFindings knows of. Called under the lock."""
        now = self.now()
        self.unseen = [one for one in self.unseen if one[2] > self.reads or one[3] > now]
        seen = dict(self.findings)
        # Of several imports of a finding the oldest that does not show decides.
        for id, before, _, _ in reversed(self.unseen):
            if before is NO_ENTRY:
                seen.pop(id, None)
            else:
                seen[id] = before
        self.reads += 1
        return list(seen.values())

    def put(self, finding):
        """Takes a finding: what stood before shows as long as the hub lags. Called under the lock."""
        if self.late_by:
            before = self.findings.get(finding["Id"], NO_ENTRY)
            self.unseen.append((finding["Id"], before, self.reads + self.late_by["reads"], self.now() + self.late_by["seconds"]))
        self.findings[finding["Id"]] = finding

    # Operations.

    def off(self):
        return hub_error(401, "InvalidAccessException", f"Account {self.account} is not subscribed to AWS Security Hub")

    def describe_hub(self, _):
        hub = {"HubArn": f"arn:aws:securityhub:us-east-1:{self.account}:hub/default", "SubscribedAt": "2026-01-01T00:00:00.000Z"}
        return Reply(200, hub) if self.is_on else self.off()

    def batch_import_findings(self, request, size):
        findings = request["Findings"]
        if not self.is_on:
            return self.off()
        is_too_large = size > MOST_BYTES or size > MOST_BYTES_OF_ONE and any(len(json.dumps(one).encode()) > MOST_BYTES_OF_ONE for one in findings)
        if is_too_large or not 1 <= len(findings) <= MOST_FINDINGS:
            return malformed(hub_error(400, "InvalidInputException", f"{len(findings)} findings, {size} bytes"))
        if any(finding["AwsAccountId"] != self.account for finding in findings):
            return hub_error(403, "AccessDeniedException", "User is not authorized to perform: securityhub:BatchImportFindings")
        failed, taken = [], []
        with self.lock:
            self.imported.extend(finding for finding in findings if finding["Resources"])
            for finding in findings:
                code, message = self.refused.get(finding["Id"].rsplit("/", 1)[1], (None, None))
                if not finding["Resources"]:
                    code, message = "InvalidInput", "Finding does not adhere to Amazon Finding Format."
                stands = self.findings.get(finding["Id"])
                if code:
                    failed.append({"Id": finding["Id"], "ErrorCode": code, "ErrorMessage": message})
                elif not stands or finding["UpdatedAt"] > stands["UpdatedAt"]:
                    # AWS answers that an older finding was taken, and ignores it.
                    self.put(finding)
                    taken.append(finding)
            if taken and self.mirror:
                # Under the lock: moto must see the imports in the same order.
                reply = self.mirror(taken)
                if reply.status != 200:
                    return reply
                failed += json.loads(reply.body).get("FailedFindings", [])
        return Reply(200, {"FailedCount": len(failed), "SuccessCount": len(findings) - len(failed), "FailedFindings": failed})

    def get_findings(self, request):
        if not self.is_on:
            return self.off()
        filters = request.get("Filters") or {}
        for name in filters:
            if name in self.refused_filters:
                return hub_error(400, *self.refused_filters[name])
        most, start = request.get("MaxResults", 10), int(request.get("NextToken") or 0)
        values = {name: len(wanted) for name, wanted in filters.items() if not 1 <= len(wanted) <= MOST_VALUES}
        if values or not 1 <= most <= 100:
            return malformed(hub_error(400, "InvalidInputException", f"MaxResults {most}, values of filters {values}"))
        with self.lock:
            found = self.seen_findings()
        if self.filters_work:
            found = [finding for finding in found if is_asked_for(finding, filters)]
        answer = {"Findings": found[start : start + most]}
        if start + most < len(found):
            answer["NextToken"] = str(start + most)
        return Reply(200, answer)


def is_asked_for(finding, filters):
    """Every filter must match, each by one of its values."""
    return all(any(matches(finding, name, one) for one in wanted) for name, wanted in filters.items())


def matches(finding, name, one):
    if name in ("CreatedAt", "UpdatedAt", "LastObservedAt"):
        return one["Start"] <= finding[name] <= one["End"]
    if one["Comparison"] != "EQUALS":
        raise NotImplementedError(f"the stub does not compare by {one['Comparison']}")
    if name == "ComplianceStatus":
        return finding["Compliance"]["Status"] == one["Value"]
    if name in ("ProductFields", "ResourceTags"):
        held = finding.get(name, {}) if name == "ProductFields" else finding["Resources"][0].get("Tags", {})
        return held.get(one["Key"]) == one["Value"]
    if name == "ResourceId":
        return any(resource["Id"] == one["Value"] for resource in finding["Resources"])
    return finding.get(name) == one["Value"]
