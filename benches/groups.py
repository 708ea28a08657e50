"""Security groups of a made-up account, always the same, in the shape that the AWS CLI prints."""

import random

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


def often_violating(number):
    """A group of about 800 bytes; of five such groups two violate the policy."""
    own = group(number * VIOLATING + 1)
    permissions = own["IpPermissions"][:2]
    if number % 5 < 2:
        pair = {"UserId": ACCOUNT, "GroupId": group_id(number + 1)}
        permissions[-1] = {"IpProtocol": "-1", "UserIdGroupPairs": [pair], "IpRanges": [], "Ipv6Ranges": [], "PrefixListIds": []}
    return {**own, "IpPermissions": permissions, "Tags": own["Tags"][:1]}


def open_group(id):
    """A group that admits all traffic from another: what events/authorize-ingress.json says of it."""
    pair = {"UserId": ACCOUNT, "GroupId": "sg-0fedcba9876543210"}
    return {**group(1), "GroupId": id, "GroupName": "payments-db", "IpPermissions": [{"IpProtocol": "-1", "UserIdGroupPairs": [pair]}]}


def trust(count, edges):
    """Groups that trust each other, in applications of fifty: a few face the internet, some are in cycles, every tenth application is entered by one group
    alone, and some groups by one source. A few edges more than are asked for."""
    draw = random.Random(count)
    size = 50
    for number in range(count):
        begin = number - number % size
        is_gated = begin // size % 10 == 9
        wanted = 1 if number % 25 == 0 else edges // count + 2
        wanted = min(wanted, number - begin) if is_gated and number > begin else wanted
        sources = set()
        while len(sources) < wanted:
            kind = draw.random()
            if is_gated and number > begin:
                sources.add(draw.randrange(begin, number))
            elif kind < 0.80 and number - begin > wanted:
                sources.add(draw.randrange(begin, number))
            elif kind < 0.98 or number == count - 1 or wanted == 1:
                sources.add(draw.randrange(max(0, begin - 8 * size), max(begin, size)))
            else:
                sources.add(draw.randrange(number, min(count, begin + size)))
        permissions = [
            {"IpProtocol": "-1", "UserIdGroupPairs": [], "IpRanges": [], "Ipv6Ranges": [], "PrefixListIds": []},
            *(
                {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "UserIdGroupPairs": [], "IpRanges": [], "Ipv6Ranges": [], "PrefixListIds": []}
                for port in (443, 5432, 8080)
            ),
        ]
        for source in sorted(sources):
            permission = permissions[0] if draw.random() < 0.2 else draw.choice(permissions[1:])
            permission["UserIdGroupPairs"].append({"UserId": ACCOUNT, "GroupId": group_id(source), "Description": "from the web tier"})
        if number % 100 == 0:
            permissions[1]["IpRanges"].append({"CidrIp": "0.0.0.0/0", "Description": "everybody"})
        yield {**group(number), "IpPermissions": permissions}
