"""The published detection, "AWS Security Group Restricts Inter-SG Traffic", written down anew from its description."""


def complies(group):
    """Does the group restrict traffic from other security groups?"""
    for permission in group.get("IpPermissions") or ():
        if not permission.get("UserIdGroupPairs"):
            continue
        first, last = permission.get("FromPort"), permission.get("ToPort")
        if first is None or last is None:
            return False
        if first == 0 and last == 65535:
            return False
    return True
