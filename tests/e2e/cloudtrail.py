"""Events as EventBridge delivers them, from the samples in events/."""

import copy
import datetime
import json

from aws_stub import ACCOUNT, REGION, ROOT

ALICE = f"arn:aws:sts::{ACCOUNT}:assumed-role/dev/alice"


def now(seconds_ago=0):
    moment = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=seconds_ago)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def sample(name):
    return json.loads((ROOT / "events" / f"{name}.json").read_text())


def replaced(value, replacements):
    text = json.dumps(value)
    for old, new in replacements.items():
        text = text.replace(old, new)
    return json.loads(text)


def event(name, group=None, source=None, vpc=None, seconds_ago=0, rule=None, **replacements):
    """The sample of this name, about these groups and this rule, as if it had happened just now."""
    ids = {"sg-0123456789abcdef0": group, "sg-0deadbeefdeadbeef": group, "sg-0fedcba9876543210": source,
           "vpc-0aa11bb22cc33dd44": vpc, "vpc-0deadbeefdeadbeef": vpc, "sgr-00000000000000001": rule}
    made = replaced(copy.deepcopy(sample(name)), {**{old: new for old, new in ids.items() if new}, **replacements})
    if isinstance(made.get("detail"), dict) and "eventTime" in made["detail"]:
        made["time"] = made["detail"]["eventTime"] = now(seconds_ago)
    return made


__all__ = ["ACCOUNT", "ALICE", "REGION", "event", "now", "sample"]
