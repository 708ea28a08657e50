"""The published detection, "AWS Security Group Restricts Inter-SG Traffic", written down anew from its description."""

import itertools
import json
import time

# Groups that are read before they are evaluated: policy.rs has as many.
AT_A_TIME = 100


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


def check(path):
    """Reads a file line by line and evaluates each group: how many do not comply."""
    with open(path) as lines:
        return sum(not complies(json.loads(line)) for line in lines)


def seconds_of_evaluation(path):
    """Of the same, only what the evaluation takes."""
    seconds = 0
    with open(path) as lines:
        while groups := [json.loads(line) for line in itertools.islice(lines, AT_A_TIME)]:
            began = time.perf_counter()
            for group in groups:
                complies(group)
            seconds += time.perf_counter() - began
    return seconds
