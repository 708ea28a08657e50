"""Amazon EC2: the security groups of an account, out of moto or out of memory.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSecurityGroups.html
"""

import threading
import xml.etree.ElementTree as ET
from xml.sax.saxutils import escape

from .answers import Reply, ec2_error, malformed

NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15"
ET.register_namespace("", NAMESPACE)
XML = "text/xml"
MOST_VALUES = 200
# Calls that change rules. moto takes no notice of their DryRun, and takes a rule with another description for another rule.
CHANGES = {"AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress", "CreateTags"}
GROUPS, RULES = "DescribeSecurityGroups", "DescribeSecurityGroupRules"
# The list in an answer, and what a filter compares (`None` is a list of groups within the permissions).
LISTS = {GROUPS: "securityGroupInfo", RULES: "securityGroupRuleSet"}
MEMBERS = {
    GROUPS: {"group-id": "groupId", "vpc-id": "vpcId", "group-name": "groupName", "owner-id": "ownerId", "ip-permission.group-id": None},
    RULES: {"group-id": "groupId", "security-group-rule-id": "securityGroupRuleId"},
}


def path(*names):
    return "/".join(f"{{{NAMESPACE}}}{name}" for name in names)


class Filters(dict):
    """Name -> values, of a request of EC2's."""

    def __init__(self, form):
        by_number = {}
        for key, value in form.items():
            parts = key.split(".")
            if parts[0] == "Filter":
                entry = by_number.setdefault(parts[1], {"values": []})
                if parts[2] == "Name":
                    entry["name"] = value
                else:
                    entry["values"].append(value)
        super().__init__({entry["name"]: entry["values"] for entry in by_number.values()})

    def form(self):
        made = {}
        for number, (name, values) in enumerate(self.items(), 1):
            made[f"Filter.{number}.Name"] = name
            made.update({f"Filter.{number}.Value.{n}": value for n, value in enumerate(values, 1)})
        return made

    def let_through(self, operation, item):
        members = MEMBERS[operation]
        for name, values in self.items():
            if name not in members:
                raise NotImplementedError(f"the stub has no filter {name} of {operation}")
            if members[name]:
                held = [item.findtext(path(members[name])) or ""]
            else:
                held = [found.text for found in item.findall(path("ipPermissions", "item", "groups", "item", "groupId"))]
            if not set(held) & set(values):
                return False
        return True


class Frozen:
    """What EC2 shows of some groups, or of all, for so many looks at them (None: until `thaw`), whatever became of them."""

    def __init__(self, region, groups, looks):
        self.region, self.groups = region, set(groups) or None
        self.items = {operation: [] for operation in LISTS}
        self.left = dict.fromkeys(LISTS, looks)

    def covers(self, item):
        return self.groups is None or item.findtext(path("groupId")) in self.groups

    def over(self, region, operation, filters, items):
        """The items of an answer with those of before in place of today's."""
        if self.left[operation] == 0 or region != self.region:
            return items
        old = [item for item in self.items[operation] if filters.let_through(operation, item)]
        kept = [item for item in items if not self.covers(item)]
        # A look that is about other groups is none.
        if self.groups is None or old or len(kept) < len(items):
            self.left[operation] = None if self.left[operation] is None else self.left[operation] - 1
        return kept + old


class Ec2:
    def __init__(self, account, forward=None):
        """`forward(region, form)` has moto answer a request; without it the groups are those of `groups`."""
        self.account, self.forward = account, forward
        self.lock = threading.Lock()
        self.reset()

    def reset(self):
        self.groups = None if self.forward else {}  # group id -> XML of the group: instead of moto's
        self.owners = {}  # group id -> account, where it is another
        self.page_size = 1000
        self.frozen = []

    # An EC2 that lags behind.

    def freeze(self, looks, *groups, region="us-east-1"):
        """For so many looks EC2 shows these groups (without any: all) and their rules as they are now. None: until `thaw()`."""
        frozen = Frozen(region, groups, looks)
        for operation in LISTS:
            frozen.items[operation] = [item for item in self.ask_moto(region, operation, Filters({})) if frozen.covers(item)]
        self.frozen.append(frozen)

    def hide(self, looks, *groups, region="us-east-1"):
        """For so many looks EC2 does not show these groups, as if they were just created."""
        self.frozen.append(Frozen(region, groups, looks))

    def thaw(self):
        self.frozen = []

    # Operations.

    def describe(self, region, operation, form):
        """DescribeSecurityGroups or DescribeSecurityGroupRules."""
        if form.get("DryRun") == "true":
            return ec2_error(412, "DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
        filters = Filters(form)
        too_many = {name: len(values) for name, values in filters.items() if len(values) > MOST_VALUES}
        asked = int(form.get("MaxResults") or 1000)
        if too_many or not 5 <= asked <= 1000:
            code = "FilterLimitExceeded" if too_many else "InvalidParameterValue"
            return malformed(ec2_error(400, code, f"MaxResults {asked}, values of filters {too_many}"))
        if self.groups is not None and operation == GROUPS:
            items = self.of_memory(filters)
        else:
            items = self.shown(region, operation, filters)
            if isinstance(items, Reply):
                return items
            items = [ET.tostring(item, encoding="unicode") for item in items]
        start = int(form.get("NextToken") or 0)
        end = start + min(asked, self.page_size)
        more = f"<nextToken>{end}</nextToken>" if end < len(items) else ""
        name, listed = f"{operation}Response", LISTS[operation]
        body = f'<{name} xmlns="{NAMESPACE}"><requestId>r</requestId><{listed}>{"".join(items[start:end])}</{listed}>{more}</{name}>'
        return Reply(200, body.encode(), XML)

    def refusal_of(self, region, operation, form):
        """What EC2 says instead of making a change that moto would make; None: let moto make it."""
        if form.get("DryRun") == "true":
            return ec2_error(412, "DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
        if operation != "AuthorizeSecurityGroupIngress":
            return None

        def rule(protocol, from_port, to_port, source):
            return (protocol, source) if protocol == "-1" else (protocol, from_port, to_port, source)

        asked = "IpPermissions.1."
        new = rule(form[f"{asked}IpProtocol"], form.get(f"{asked}FromPort"), form.get(f"{asked}ToPort"), form.get(f"{asked}Groups.1.GroupId"))
        for item in self.ask_moto(region, RULES, Filters({"Filter.1.Name": "group-id", "Filter.1.Value.1": form["GroupId"]})):
            source = item.findtext(path("referencedGroupInfo", "groupId"))
            known = rule(*(item.findtext(path(name)) for name in ("ipProtocol", "fromPort", "toPort")), source)
            if item.findtext(path("isEgress")) != "true" and source and known == new:
                return ec2_error(400, "InvalidPermission.Duplicate", "the specified rule already exists")
        return None

    def of_memory(self, filters):
        """By their ids or all: as text, since the benchmarks ask for thousands."""
        ids = filters.get("group-id", self.groups)
        return [self.groups[id] for id in ids if id in self.groups]

    def shown(self, region, operation, filters):
        items = self.ask_moto(region, operation, filters)
        if isinstance(items, Reply):
            return items
        with self.lock:
            for frozen in self.frozen:
                items = frozen.over(region, operation, filters, items)
        return items

    def ask_moto(self, region, operation, filters):
        """moto's items. It knows no owners, and pages otherwise than EC2."""
        of_owner = {name: filters[name] for name in filters if name == "owner-id"}
        passed_on = Filters({})
        passed_on.update({name: filters[name] for name in filters if name not in of_owner})
        reply = self.forward(region, {"Action": operation, "Version": "2016-11-15", **passed_on.form()})
        if reply.status != 200:
            return reply
        items = list(ET.fromstring(reply.body).find(path(LISTS[operation])))
        for item in items:
            owner = item.find(path("ownerId"))
            if owner is not None:
                owner.text = self.owners.get(item.findtext(path("groupId")), owner.text)
        return [item for item in items if not of_owner or item.findtext(path("ownerId")) in of_owner["owner-id"]]


def group_xml(group):
    """A group of the shape that the AWS CLI prints, as an item of EC2's answer."""

    def element(name, text):
        return "" if text is None else f"<{name}>{escape(str(text))}</{name}>"

    def items(name, entries):
        return f"<{name}>" + "".join(f"<item>{entry}</item>" for entry in entries) + f"</{name}>"

    def members(of, **names):
        return "".join(element(name, of.get(key)) for name, key in names.items())

    def pair(own):
        return members(own, userId="UserId", groupId="GroupId", groupName="GroupName", description="Description", vpcId="VpcId",
                       vpcPeeringConnectionId="VpcPeeringConnectionId", peeringStatus="PeeringStatus")

    def permission(own):
        return (
            members(own, ipProtocol="IpProtocol", fromPort="FromPort", toPort="ToPort")
            + items("groups", map(pair, own.get("UserIdGroupPairs", ())))
            + items("ipRanges", [members(one, cidrIp="CidrIp", description="Description") for one in own.get("IpRanges", ())])
            + items("ipv6Ranges", [members(one, cidrIpv6="CidrIpv6", description="Description") for one in own.get("Ipv6Ranges", ())])
            + items("prefixListIds", [members(one, prefixListId="PrefixListId", description="Description") for one in own.get("PrefixListIds", ())])
        )

    return "<item>" + (
        members(group, ownerId="OwnerId", groupId="GroupId", groupName="GroupName", groupDescription="Description", vpcId="VpcId",
                securityGroupArn="SecurityGroupArn")
        + items("ipPermissions", map(permission, group.get("IpPermissions", ())))
        + items("ipPermissionsEgress", map(permission, group.get("IpPermissionsEgress", ())))
        + items("tagSet", [members(tag, key="Key", value="Value") for tag in group.get("Tags", ())])
    ) + "</item>"
