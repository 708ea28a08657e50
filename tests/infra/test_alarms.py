"""What the alarms make of a stale read, of a service that does not answer, and of a Security Hub that is off.

The alarms are those of the template, with CloudWatch's arithmetic: M of N periods, missing data. The attempts are those
of Lambda's asynchronous invocations and of the queue: the waits are read from the template and the function's source.
"""

import re

import cloudformation
import pytest
from conftest import ROOT

PSEUDO = {"AWS::Partition": "aws", "AWS::Region": "eu-west-1", "AWS::AccountId": "123456789012", "AWS::URLSuffix": "amazonaws.com"}
# Only told to the one topic, or to the other.
PAGE, NOTICE = "arn:aws:sns:eu-west-1:123456789012:page", "arn:aws:sns:eu-west-1:123456789012:notice"
# Seconds. https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
LAMBDA_WAITS = (60, 120)
HOUR, MOMENTS = 3600, range(0, 300, 20)


class Names(dict):
    def __missing__(self, name):
        return name


@pytest.fixture(params=["direct", "queue"])
def stack(request, template):
    given = {"CodeBucket": "code", "CodeKey": "x.zip", "Delivery": request.param, "AlarmTopicName": "page", "NoticeTopicName": "notice"}
    return cloudformation.Stack(template, given, PSEUDO, Names())


def source_waits():
    (found,) = re.findall(r"const SECONDS: \[u32; \d+\] = \[([\d, ]+)\];", (ROOT / "src/lambda/redelivery.rs").read_text())
    return tuple(int(seconds) for seconds in found.split(","))


def attempts(stack, begins, is_retryable, lasts):
    """When a message fails, by seconds, and when it comes to the dead-letter queue, if it does. The fault `lasts` so long."""
    failures, moment = [], begins
    if stack.values["Delivery"] == "queue":
        most = stack.resources["ChangeQueue"]["RedrivePolicy"]["maxReceiveCount"]
        hidden = int(stack.resources["ChangeQueue"]["VisibilityTimeout"])
        waits = [source_waits()[min(n, 3)] if is_retryable else hidden for n in range(most)]
    else:
        most, waits = 1 + stack.resources["EventInvokeConfig"]["MaximumRetryAttempts"], [*LAMBDA_WAITS, 0]
    for wait in waits[:most]:
        if moment >= begins + lasts:
            return failures, None
        failures.append(moment)
        moment += wait
    return failures, moment


def metrics(stack, messages):
    """Namespace and name -> [(moment, value)] of messages, each (begins, is_retryable, lasts)."""
    found = {}

    def add(namespace, name, moment, value=1):
        found.setdefault((namespace, name), []).append((moment, value))

    is_queue = stack.values["Delivery"] == "queue"
    for begins, is_retryable, lasts in messages:
        failures, dead = attempts(stack, begins, is_retryable, lasts)
        for moment in failures:
            add("sg-trust", "MessagesFailed", moment)
            add("sg-trust", "MessagesNotRetryable", moment, 0 if is_retryable else 1)
            # Lambda counts no error of a batch that names its failed messages.
            add("AWS/Lambda", "Errors", moment, 0 if is_queue else 1)
        end = dead if dead is not None else begins + (failures[-1] - begins if failures else 0) + 60
        for moment in range(begins, end, 60):
            # SQS tells seconds, Lambda milliseconds.
            add(*(("AWS/SQS", "ApproximateAgeOfOldestMessage", moment, moment - begins) if is_queue else ("AWS/Lambda", "AsyncEventAge", moment, 1000 * (moment - begins))))
        if dead is not None:
            for moment in range(dead, dead + HOUR, 60):
                add("AWS/SQS", "ApproximateNumberOfMessagesVisible", moment)
    return found


COMPARE = {
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
}


def goes_off(alarm, points):
    """The moment at which the alarm goes off: M of the last N periods breach."""
    period, last = alarm["Period"], int(alarm["EvaluationPeriods"])
    needed = int(alarm.get("DatapointsToAlarm", last))
    values = {}
    for moment, value in points:
        values.setdefault(moment // period, []).append(value)
    of_period = {number: (sum if alarm["Statistic"] == "Sum" else max)(found) for number, found in values.items()}
    if not of_period:
        return None
    for now in range(max(of_period) + last + 1):
        breaching = [number for number in range(now - last + 1, now + 1) if number in of_period and COMPARE[alarm["ComparisonOperator"]](of_period[number], alarm["Threshold"])]
        if len(breaching) >= needed:
            return (now + 1) * period
    return None


def told(stack, messages):
    """Alarm -> (topics, the moment at which it goes off), without the one that silence sets off."""
    found = metrics(stack, messages)
    alarms = {name: one for name, one in stack.of_type("AWS::CloudWatch::Alarm").items() if name != "SweepMissingAlarm"}
    for name, alarm in alarms.items():
        assert alarm["TreatMissingData"] == "notBreaching", name
    moments = {name: goes_off(alarm, found.get((alarm["Namespace"], alarm["MetricName"]), [])) for name, alarm in alarms.items()}
    return {name: (alarms[name]["AlarmActions"], moment) for name, moment in moments.items() if moment is not None}


def pages(stack, messages):
    return {name: moment for name, (topics, moment) in told(stack, messages).items() if topics == [PAGE]}


@pytest.mark.parametrize("begins", MOMENTS)
def test_one_stale_read_sets_off_nothing(stack, begins):
    """EC2 shows a change within a minute, and an event older than that is believed to be shown."""
    assert told(stack, [(begins, True, 60)]) == {}


def test_stale_reads_all_night_wake_nobody(stack):
    night = [(moment, True, 60) for moment in range(0, 8 * HOUR, 290)]
    assert pages(stack, night) == {}


@pytest.mark.parametrize("begins", MOMENTS)
def test_a_service_that_does_not_answer_for_ten_minutes_loses_nothing_with_the_queue(stack, begins):
    messages = [(begins + n, True, 600 - n) for n in range(0, 600, 30)]
    told_ = told(stack, messages)
    assert any(topics == [NOTICE] for topics, _ in told_.values())
    if stack.values["Delivery"] == "queue":
        assert pages(stack, messages) == {}
    else:
        # Lambda gives up after three minutes; the events can be handed out again.
        assert pages(stack, messages).keys() == {"DeadLettersAlarm"}


@pytest.mark.parametrize("begins", MOMENTS)
def test_a_hub_that_is_off_wakes_somebody_within_five_minutes(stack, begins):
    """Already by the first event, however quiet the account is."""
    found = pages(stack, [(begins, False, 30 * 24 * HOUR)])
    assert found["MessagesNotRetryableAlarm"] <= begins + 300
    assert "DeadLettersAlarm" in found


def test_without_metrics_the_dead_letters_tell(template):
    given = {"CodeBucket": "code", "CodeKey": "x.zip", "AlarmTopicName": "page", "NoticeTopicName": "notice", "Metrics": "off"}
    found = pages(cloudformation.Stack(template, given, PSEUDO, Names()), [(0, False, 30 * 24 * HOUR)])
    assert found.keys() == {"DeadLettersAlarm"} and found["DeadLettersAlarm"] <= 600


def test_every_alarm_tells_one_topic_and_each_page_its_end(stack):
    for name, alarm in stack.of_type("AWS::CloudWatch::Alarm").items():
        assert alarm["AlarmActions"] in ([PAGE], [NOTICE]), name
        assert alarm.get("OKActions", []) == ([PAGE] if alarm["AlarmActions"] == [PAGE] else []), name


def test_the_table_of_the_documentation_tells_the_same(stack):
    rows = re.findall(r"^\| (`\w+Alarm`(?:, `\w+Alarm`)*) \|.*\| (\w+) topic \|$", (ROOT / "docs/operate.md").read_text(), re.M)
    documented = {name: topic for names, topic in rows for name in re.findall(r"`(\w+)`", names)}
    for name, alarm in stack.of_type("AWS::CloudWatch::Alarm").items():
        assert documented[name] == {PAGE: "alarm", NOTICE: "notice"}[alarm["AlarmActions"][0]], name


def test_an_arn_goes_before_a_name(template):
    given = {"CodeBucket": "code", "CodeKey": "x.zip", "AlarmTopicArn": "arn:aws:sns:eu-west-1:210987654321:ours", "AlarmTopicName": "page"}
    alarms = cloudformation.Stack(template, given, PSEUDO, Names()).of_type("AWS::CloudWatch::Alarm")
    assert alarms["DeadLettersAlarm"]["AlarmActions"] == ["arn:aws:sns:eu-west-1:210987654321:ours"]
    assert "AlarmActions" not in alarms["ErrorsAlarm"]
