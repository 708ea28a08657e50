"""Security groups of a made-up account, always the same: as JSON in the shape of EC2's answer, and as its XML."""

import random
from xml.sax.saxutils import escape

ACCOUNT = "123456789012"
# One group in so many violates the policy.
VIOLATING = 10


def group_id(number):
    return f"sg-{number:017x}"


def group(number):
    """A group with two to five permissions, half of which name a security group."""
    draw = random.Random(number)
    permissions = []
    for _ in range(draw.randint(2, 5)):
        port = draw.choice((22, 80, 443, 3306, 5432, 6379, 8080, 9200))
        permission = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "UserIdGroupPairs": [], "IpRanges": [], "Ipv6Ranges": [], "PrefixListIds": []}
        if draw.random() < 0.5:
            permission["UserIdGroupPairs"] = [{"UserId": ACCOUNT, "GroupId": group_id(draw.randrange(1 << 20)), "Description": "from the web tier"}]
        else:
            permission["IpRanges"] = [{"CidrIp": f"10.{draw.randrange(256)}.0.0/16", "Description": "office"}]
        permissions.append(permission)
    if number % VIOLATING == 0:
        pair = {"UserId": ACCOUNT, "GroupId": group_id(draw.randrange(1 << 20))}
        permissions.append({"IpProtocol": "-1", "UserIdGroupPairs": [pair], "IpRanges": [], "Ipv6Ranges": [], "PrefixListIds": []})
    return {
        "Description": f"group {number} of the made-up account",
        "GroupName": f"service-{number}",
        "IpPermissions": permissions,
        "OwnerId": ACCOUNT,
        "GroupId": group_id(number),
        "IpPermissionsEgress": [{"IpProtocol": "-1", "UserIdGroupPairs": [], "IpRanges": [{"CidrIp": "0.0.0.0/0"}], "Ipv6Ranges": [], "PrefixListIds": []}],
        "Tags": [{"Key": "team", "Value": draw.choice(("payments", "search", "platform"))}, {"Key": "stage", "Value": "production"}],
        "VpcId": f"vpc-{number % 7:017x}",
        "SecurityGroupArn": f"arn:aws:ec2:us-east-1:{ACCOUNT}:security-group/{group_id(number)}",
    }


def open_group(id):
    """A group that admits all traffic from another: what events/authorize-ingress.json says of it."""
    pair = {"UserId": ACCOUNT, "GroupId": "sg-0fedcba9876543210"}
    return {**group(1), "GroupId": id, "GroupName": "payments-db", "IpPermissions": [{"IpProtocol": "-1", "UserIdGroupPairs": [pair]}]}


def xml(group):
    """The group as an item of DescribeSecurityGroups' answer."""
    def element(name, text):
        return "" if text is None else f"<{name}>{escape(str(text))}</{name}>"

    def items(name, entries):
        return f"<{name}>" + "".join(f"<item>{entry}</item>" for entry in entries) + f"</{name}>"

    def permission(own):
        return (
            element("ipProtocol", own["IpProtocol"]) + element("fromPort", own.get("FromPort")) + element("toPort", own.get("ToPort"))
            + items("groups", [element("userId", pair["UserId"]) + element("groupId", pair["GroupId"]) for pair in own.get("UserIdGroupPairs", ())])
            + items("ipRanges", [element("cidrIp", one["CidrIp"]) for one in own.get("IpRanges", ())])
            + "<ipv6Ranges/><prefixListIds/>"
        )

    return "<item>" + (
        element("ownerId", group["OwnerId"]) + element("groupId", group["GroupId"]) + element("groupName", group["GroupName"])
        + element("groupDescription", group["Description"]) + element("vpcId", group["VpcId"]) + element("securityGroupArn", group["SecurityGroupArn"])
        + items("ipPermissions", map(permission, group["IpPermissions"]))
        + items("ipPermissionsEgress", map(permission, group["IpPermissionsEgress"]))
        + items("tagSet", [element("key", tag["Key"]) + element("value", tag["Value"]) for tag in group["Tags"]])
    ) + "</item>"
