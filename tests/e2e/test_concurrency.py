"""Random changes, told by events in any order to several functions at once, over an EC2, a hub and a network that lag.

When everything has been delivered, and again what failed, the hub is what the account is, by the events alone. What is random comes
from SG_TRUST_RACE_SEED, which the test prints; SG_TRUST_RACE_CHANGES and SG_TRUST_RACE_ROUNDS make it longer.
"""

import os
import random
import time
from collections import Counter

import pytest
from cloudtrail import event, now
from test_events import failed, sqs

SEED = int(os.environ.get("SG_TRUST_RACE_SEED", 20261124))
CHANGES = int(os.environ.get("SG_TRUST_RACE_CHANGES", 30))
ROUNDS = int(os.environ.get("SG_TRUST_RACE_ROUNDS", 1))
ACTIVE, ARCHIVED, GONE = ("FAILED", "ACTIVE"), ("PASSED", "ARCHIVED"), ("NOT_AVAILABLE", "ARCHIVED")
FUNCTIONS, GROUPS = 16, 6


class World:
    def __init__(self, account, aws, functions, seed):
        self.account, self.aws, self.random = account, aws, random.Random(seed)
        self.functions = [functions() for _ in range(FUNCTIONS)]
        self.vpc = account.vpc()
        self.sources = [account.group(f"source-{n}", self.vpc) for n in range(2)]
        self.rules = {}  # group -> source -> rule, of the groups that are there
        self.gone, self.begun, self.names = set(), [], 0

    def lag(self):
        """Half of the answers and of the imports are late, by more or less, and every other hub shows its imports late."""
        for seconds in (0.2, 0.6, 1.5):
            for operation in ("DescribeSecurityGroups", "DescribeSecurityGroupRules", "GetFindings"):
                self.aws.delay_answers(operation, seconds, when=lambda _: self.random.random() < 0.2)
            self.aws.delay_requests("BatchImportFindings", seconds, when=lambda _: self.random.random() < 0.2)
        if self.random.random() < 0.5:
            self.aws.hub.lag(reads=self.random.randrange(1, 4))

    def change(self):
        """Something becomes otherwise, and EC2 may show it late: the event that tells."""
        if len(self.rules) < GROUPS:
            self.names += 1
            group = self.account.group(f"g{self.names}", self.vpc)
            self.rules[group] = {}
            if self.random.random() < 0.3:
                self.aws.ec2.hide(self.random.randrange(1, 3), group)
            return event("create-security-group", group, vpc=self.vpc)
        group = self.random.choice(list(self.rules))
        if self.random.random() < 0.3:
            self.aws.ec2.freeze(self.random.randrange(1, 3), group)
        if self.random.random() < 0.1:
            self.account.ec2.delete_security_group(GroupId=group)
            del self.rules[group]
            self.gone.add(group)
            return event("delete-security-group", group)
        source = self.random.choice(self.sources)
        if source in self.rules[group]:
            self.account.revoke(group, source)
            return event("revoke-ingress", group, source, rule=self.rules[group].pop(source))
        self.rules[group][source] = self.account.allow(group, source)
        return event("authorize-ingress", group, source, rule=self.rules[group][source])

    def deliver(self, events):
        """Alone or in a batch, to a function that has nothing to do, as Lambda does; none waits for it."""
        busy = Counter(function for _, _, function, begun in self.begun if not begun.is_done.is_set())
        function = min(self.functions, key=lambda function: busy[function])
        body = events[0] if len(events) == 1 and self.random.random() < 0.7 else sqs(*events)
        self.begun.append((events, "Records" in body, function, function.begin(body, seconds=60)))

    def come_again(self):
        """What failed of all that was begun. Nothing fails for good."""
        found = []
        for events, is_batch, _, begun in self.begun:
            answer = begun.result()
            if is_batch:
                assert not answer.is_error, answer
                found += [events[int(name.removeprefix("message-"))] for name in failed(answer)]
            elif answer.is_error:
                assert answer.body["errorType"] == "Retryable", answer
                found += events
        self.begun = []
        return found

    def truth(self):
        return {**{group: ACTIVE if rules else ARCHIVED for group, rules in self.rules.items()}, **dict.fromkeys(self.gone, GONE)}


@pytest.mark.parametrize("number", range(ROUNDS))
@pytest.mark.parametrize("sweeps", [False, True], ids=["events", "events and sweeps"])
def test_whatever_the_order_the_hub_ends_as_the_account(account, aws, functions, number, sweeps):
    seed = SEED + number
    print(f"seed {seed}, {CHANGES} changes")
    world = World(account, aws, functions, seed)
    world.lag()
    held = []
    for n in range(CHANGES):
        held.append(world.change())
        if sweeps and n % 12 == 6:
            world.deliver([{"action": "sweep"}])
        while held and world.random.random() < 0.8:
            # Not in their order, and one in ten twice.
            some = [held.pop(world.random.randrange(len(held))) for _ in range(min(len(held), world.random.randrange(1, 4)))]
            for _ in range(1 if world.random.random() < 0.9 else 2):
                world.deliver(some)
        time.sleep(world.random.random() * 0.2)
    for made in held:
        world.deliver([made])
    # A minute later: nothing lags any more, and what failed comes again.
    again = world.come_again()
    aws.ec2.thaw()
    aws.hub.catch_up()
    for _ in range(2):
        for made in again:
            if "detail" in made:
                made["time"] = made["detail"]["eventTime"] = now(90)
            world.deliver([made])
        again = world.come_again()
    assert again == []
    states = account.states()
    truth = world.truth()
    assert {group: states.get(group) for group in truth} == truth
