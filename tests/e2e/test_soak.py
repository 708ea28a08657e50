"""Thousands of mixed events through one process: nothing is lost, nothing grows.

`make soak` runs 10 000 (SG_TRUST_SOAK_EVENTS); the usual run is a shorter one of the same. What is random comes from
SG_TRUST_SOAK_SEED, which the test prints.
"""

import json
import os
import random
from collections import Counter
from pathlib import Path

from cloudtrail import event, sample
from test_events import failed, sqs

EVENTS = int(os.environ.get("SG_TRUST_SOAK_EVENTS", 1000))
SEED = int(os.environ.get("SG_TRUST_SOAK_SEED", 20261124))
ACTIVE, ARCHIVED, GONE = ("FAILED", "ACTIVE"), ("PASSED", "ARCHIVED"), ("NOT_AVAILABLE", "ARCHIVED")
MOST_GROUPS = 40
MALFORMED = ["malformed-no-detail", "malformed-action", "malformed-shape", "malformed-cut", "malformed-detail", "malformed-record", "malformed-no-event-name"]
IGNORED = ["authorize-ingress-denied", "run-instances", "instance-state", "other-account", "wickr", "securityhub-imported", "create-tags-others"]


class World:
    """The account, which changes, and the events of it, which are delivered well or badly."""

    def __init__(self, account, function, aws):
        self.account, self.function, self.aws = account, function, aws
        self.random = random.Random(SEED)
        self.vpc = account.vpc()
        self.open = {}  # group -> sources that have all traffic
        self.narrow = {}  # group -> sources that have one port
        self.gone = set()
        self.delivered = Counter()
        self.events = 0
        self.numbers = 0
        self.come_again = []  # what was answered with Retryable

    # Changes, each with its event.

    def create(self):
        self.numbers += 1
        group = self.account.group(f"g{self.numbers}", self.vpc)
        self.open[group], self.narrow[group] = set(), set()
        return event("create-security-group", group, vpc=self.vpc)

    def some(self):
        return self.random.choice(list(self.open))

    def rule(self, name, group, source, is_open):
        self.numbers += 1
        tcp = '"ipProtocol": "tcp", "fromPort": 443, "toPort": 443'
        narrow = {'"ipProtocol": "-1", "fromPort": -1, "toPort": -1': tcp, '"ipProtocol": "-1"': tcp}
        return event(name, group, source, **{"sgr-00000000000000001": f"sgr-{self.numbers:017x}"}, **({} if is_open else narrow))

    def authorize(self):
        group, source, is_open = self.some(), self.some(), self.random.random() < 0.5
        sources = (self.open if is_open else self.narrow)[group]
        if source in sources:
            return event("create-tags", group, group)
        sources.add(source)
        self.account.allow(group, source, *(() if is_open else ("tcp", (443, 443))))
        return self.rule("authorize-ingress", group, source, is_open)

    def revoke(self):
        having = [(group, source, of is self.open) for of in (self.open, self.narrow) for group in of for source in sorted(of[group])]
        if not having:
            return self.authorize()
        group, source, is_open = self.random.choice(having)
        (self.open if is_open else self.narrow)[group].remove(source)
        self.account.revoke(group, source, *(() if is_open else ("tcp", (443, 443))))
        return self.rule("revoke-ingress", group, source, is_open)

    def delete(self):
        used = {source for of in (self.open, self.narrow) for group, sources in of.items() for source in sources if source != group}
        free = [group for group in self.open if group not in used]
        if not free or len(self.open) < 5:
            return self.create()
        group = self.random.choice(free)
        self.account.ec2.delete_security_group(GroupId=group)
        del self.open[group], self.narrow[group]
        self.gone.add(group)
        return event("delete-security-group", group)

    def tag(self):
        group = self.some()
        self.account.ec2.create_tags(Resources=[group], Tags=[{"Key": "team", "Value": str(self.random.random())}])
        return event("create-tags", group, group)

    def change(self):
        if len(self.open) < 5:
            return self.create()
        makes = [(self.authorize, 40), (self.revoke, 30), (self.tag, 10), (self.delete, 10), (self.create, 10 if len(self.open) < MOST_GROUPS else 0)]
        return self.random.choices([make for make, _ in makes], [weight for _, weight in makes])[0]()

    # Deliveries.

    def step(self):
        ways = [(self.alone, 50), (self.twice, 8), (self.batch, 8), (self.disordered, 6), (self.malformed, 10), (self.ignored, 10), (self.evaluate, 6), (self.sweep, 1), (self.overtaken, 0.1)]
        self.random.choices([way for way, _ in ways], [weight for _, weight in ways])[0]()

    def deliver(self, made, count, way):
        self.events += count
        self.delivered[way] += count
        return self.function.invoke(made)

    def take(self, answer, made):
        """An answer to events of changes: all is done, or comes again."""
        if answer.is_error:
            assert answer.body["errorType"] == "Retryable", answer
            self.come_again.append(made)

    def alone(self):
        made = self.change()
        self.take(self.deliver(made, 1, "alone"), made)

    def twice(self):
        made = self.change()
        for _ in range(2):
            self.take(self.deliver(made, 1, "twice"), made)

    def batch(self):
        """Also two of SNS in SQS; what a later change of the batch undid is not waited for."""
        made = [self.change() for _ in range(self.random.randint(2, 10))]
        wrapped = [{"Type": "Notification", "Message": json.dumps(one)} if number % 3 == 2 else one for number, one in enumerate(made)]
        answer = self.deliver(sqs(*wrapped), len(made), "batch")
        self.come_again += [made[int(id.split("-")[1])] for id in failed(answer)]

    def disordered(self):
        """Two changes of one group, told in the wrong order: in one batch, or one by one."""
        group = self.some()
        first, last = self.tag_of(group), self.change()
        if self.random.random() < 0.5:
            self.come_again += [(first, last)[1 - int(id.split("-")[1])] for id in failed(self.deliver(sqs(last, first), 2, "disordered"))]
        else:
            for made in (last, first) if group in self.open else (first, last):
                self.take(self.deliver(made, 1, "disordered"), made)

    def tag_of(self, group):
        self.account.ec2.create_tags(Resources=[group], Tags=[{"Key": "team", "Value": "x"}])
        return event("create-tags", group, group, seconds_ago=5)

    def overtaken(self):
        """Opened, closed, and the opening told last: EC2 does not show it, so it comes again."""
        group, source = self.some(), self.some()
        if source in self.open[group]:
            return
        opened = self.rule("authorize-ingress", group, source, True)
        self.account.allow(group, source)
        self.account.revoke(group, source)
        closed = self.rule("revoke-ingress", group, source, True)
        for made in (closed, opened):
            self.take(self.deliver(made, 1, "overtaken"), made)
        assert self.come_again[-1] is opened

    def malformed(self):
        name = self.random.choice(MALFORMED)
        body = (Path(__file__).parents[2] / f"events/{name}.json").read_bytes()
        if self.random.random() < 0.3:
            whole = json.dumps(event("authorize-ingress", self.some(), self.some())).encode()
            body = whole[: self.random.randrange(1, len(whole))]
        answer = self.deliver(body, 1, "malformed")
        assert answer.is_error, (body, answer)

    def ignored(self):
        answer = self.deliver(sample(self.random.choice(IGNORED)), 1, "ignored")
        assert not answer.is_error and answer.body["ignored"], answer

    def evaluate(self):
        ids = [self.some() for _ in range(5)]
        answer = self.deliver({"action": "evaluate", "group_ids": ids}, 1, "evaluate")
        assert not answer.is_error and answer.body["evaluated"] == len(set(ids)), answer

    def sweep(self):
        answer = self.deliver({"action": "sweep"}, 1, "sweep")
        assert not answer.is_error, answer

    def truth(self):
        alive = {group: ACTIVE if sources else ARCHIVED for group, sources in self.open.items()}
        return {**alive, **{group: GONE for group in self.gone}}


def memory_kb(pid):
    """What the process has to itself, in kB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1])
    raise AssertionError("no RssAnon")


def test_thousands_of_events_lose_nothing_and_leave_nothing_behind(account, function, aws):
    print(f"{EVENTS} events, seed {SEED}")
    pid = function.process.pid
    world = World(account, function, aws)
    samples = []  # after so many events: memory, file descriptors
    while world.events < EVENTS:
        world.step()
        if world.events >= EVENTS * (len(samples) + 1) / 10:
            samples.append((world.events, memory_kb(pid), len(os.listdir(f"/proc/{pid}/fd"))))
        if len(aws.hub.imported) > 1000:
            aws.hub.imported[:900] = []
        aws.calls.clear()
    print(dict(world.delivered), f"{len(world.open)} groups, {len(world.gone)} gone, {len(world.come_again)} come again")
    for events, memory, files in samples:
        print(f"{events:6} events: {memory} kB, {files} file descriptors")
    # What was answered with Retryable comes again when it is no longer young.
    for made in world.come_again:
        made["detail"]["eventTime"] = made["time"] = "2026-01-01T00:00:00Z"
    for start in range(0, len(world.come_again), 10):
        assert failed(function.invoke(sqs(*world.come_again[start : start + 10]))) == []
    standing = {finding["Id"].rsplit("/", 1)[1]: (finding["Compliance"]["Status"], finding["RecordState"]) for finding in aws.hub.findings.values()}
    assert {group: standing.get(group) for group in world.truth()} == world.truth(), "by its events alone"
    aws.calls.clear()
    assert not function.invoke({"action": "sweep"}).is_error
    assert "BatchImportFindings" not in aws.count(), "a sweep finds nothing to repair"
    assert account.states() == {**{group: state for group, state in standing.items()}}
    # Memory settles within the first events; after that it stays.
    early, late = samples[2], samples[-1]
    assert late[1] <= early[1] * 1.1 + 1024, "memory grows"
    assert late[2] <= max(files for _, _, files in samples[:3]) + 2, "file descriptors grow"
