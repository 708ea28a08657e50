"""Races: late answers, late events, several functions at once, an EC2 and a hub that lag behind, quotas.

Each row of docs/faults.md is a fault that AWS tells. Nobody tells these: only time is wrong.
"""

import json

import pytest
from cloudtrail import ALICE, event
from test_events import failed, sqs
from test_sweep import SWEEP

ACTIVE, ARCHIVED, GONE = ("FAILED", "ACTIVE"), ("PASSED", "ARCHIVED"), ("NOT_AVAILABLE", "ARCHIVED")
BOB = ALICE.replace("alice", "bob")


def evaluate(*groups):
    return {"action": "evaluate", "group_ids": list(groups)}


def opener(account, group):
    return account.findings()[group]["ProductFields"].get("sg-trust/opened-by")


@pytest.mark.parametrize(("late", "early"), [("evaluate", "evaluate"), ("evaluate", "event"), ("evaluate", "sweep"), ("sweep", "evaluate"), ("sweep", "event")])
def test_an_old_observation_overwrites_no_newer_one(account, functions, aws, late, early):
    """However late EC2's answer arrives: what counts is when it was asked for."""
    source, group = account.group("web"), account.group("db")
    rule = account.allow(group, source)
    slow, fast = functions(), functions()
    if early == "sweep":
        # It publishes no group that passed and has no finding.
        fast.invoke(evaluate(group))
    made = {"evaluate": evaluate(group), "sweep": SWEEP, "event": event("revoke-ingress", group, source, rule=rule)}
    with aws.hold_answers("DescribeSecurityGroups", when=lambda call: call.access_key == slow.access_key) as held:
        answer = slow.begin(made[late])
        held.wait()
        account.revoke(group, source)
        assert not fast.invoke(made[early]).is_error
        assert account.states() == {group: ARCHIVED}
    assert not answer.result().is_error
    assert account.states() == {group: ARCHIVED}


def test_an_old_observation_hides_no_newer_violation(account, functions, aws):
    source, group = account.group("web"), account.group("db")
    slow, fast = functions(), functions()
    with aws.hold_answers("DescribeSecurityGroups") as held:
        answer = slow.begin(evaluate(group))
        held.wait()
        account.allow(group, source)
        assert fast.invoke(evaluate(group)).body["failed"] == 1
    assert answer.result().body["passed"] == 1
    assert account.states() == {group: ACTIVE}


def test_a_rule_that_is_toggled_withholds_no_violation(account, function):
    """An open rule, and another of the same group that was added and revoked."""
    vpc = account.vpc()
    source, dummy, group = (account.group(name, vpc) for name in ("web", "dummy", "db"))
    stays = account.allow(group, source)
    toggled = account.allow(group, dummy)
    account.revoke(group, dummy)
    answer = function.invoke(sqs(
        event("authorize-ingress", group, source, rule=stays), event("authorize-ingress", group, dummy, rule=toggled, seconds_ago=2),
    ))  # fmt: skip
    assert account.states()[group] == ACTIVE
    assert "message-0" not in failed(answer), "its own claim is what EC2 shows"


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_opposite_claims_of_one_second_cancel_each_other(account, function, order):
    source, group = account.group("web"), account.group("db")
    first = account.allow(group, source)
    account.revoke(group, source)
    second = account.allow(group, source)
    both = [event("revoke-ingress", group, source, rule=first), event("authorize-ingress", group, source, rule=second)]
    both[1]["time"] = both[1]["detail"]["eventTime"] = both[0]["time"]
    assert failed(function.invoke(sqs(*[both[n] for n in order]))) == []
    assert account.states() == {group: ACTIVE}


def test_a_replaced_rule_costs_no_error(account, function, aws):
    """Revoked and authorized again, each event by itself."""
    source, group = account.group("web"), account.group("db")
    first = account.allow(group, source)
    account.revoke(group, source)
    second = account.allow(group, source)
    for made in (event("revoke-ingress", group, source, rule=first), event("authorize-ingress", group, source, rule=second)):
        answer = function.invoke(made)
        assert not answer.is_error, answer
        assert account.states() == {group: ACTIVE}


def test_who_opened_a_rule_that_is_gone_does_not_stand_beside_anothers(account, function):
    """Alice's event comes from the dead-letter queue after two days; her rule was revoked, and Bob's is there."""
    source, group = account.group("web"), account.group("db")
    of_alice = account.allow(group, source)
    account.revoke(group, source)
    of_bob = account.allow(group, source)
    answer = function.invoke(event("authorize-ingress", group, source, rule=of_bob, **{ALICE: BOB}))
    assert not answer.is_error and opener(account, group) == BOB
    assert not function.invoke(event("authorize-ingress", group, source, rule=of_alice, seconds_ago=2 * 86_400)).is_error
    assert opener(account, group) != ALICE
    assert account.states() == {group: ACTIVE}


def test_who_opened_a_rule_that_still_stands_is_named_by_a_late_event(account, function):
    source, group = account.group("web"), account.group("db")
    rule = account.allow(group, source)
    assert not function.invoke(event("authorize-ingress", group, source, rule=rule, seconds_ago=2 * 86_400)).is_error
    assert opener(account, group) == ALICE


def test_a_sweep_drops_the_opener_of_a_violation_that_is_gone(account, function):
    vpc = account.vpc()
    source, other, group = (account.group(name, vpc) for name in ("web", "other", "db"))
    rule = account.allow(group, source)
    function.invoke(event("authorize-ingress", group, source, rule=rule))
    assert opener(account, group) == ALICE
    account.revoke(group, source)
    account.allow(group, other)
    assert not function.invoke(SWEEP).is_error
    assert account.states() == {group: ACTIVE} and opener(account, group) is None


@pytest.mark.parametrize("held", ["DescribeSecurityGroups", "BatchImportFindings"])
def test_an_event_published_during_a_sweep_keeps_its_opener(account, functions, aws, held):
    source, group = account.group("web"), account.group("db")
    sweeping, fast = functions(), functions()
    rule = account.allow(group, source)
    # Before its look at what events have published, or after it.
    hold = aws.hold_answers if held == "DescribeSecurityGroups" else aws.hold_requests
    with hold(held, when=lambda call: call.access_key == sweeping.access_key) as late:
        answer = sweeping.begin(SWEEP)
        late.wait()
        assert not fast.invoke(event("authorize-ingress", group, source, rule=rule)).is_error
        assert opener(account, group) == ALICE
    assert not answer.result().is_error
    assert account.states() == {group: ACTIVE} and opener(account, group) == ALICE


def test_a_hub_that_refuses_to_look_for_the_future_costs_no_sweep(account, function, aws):
    source, group = account.group("web"), account.group("db")
    account.allow(group, source)
    aws.hub.refused_filters["UpdatedAt"] = ("InvalidInputException", "Invalid filter")
    answer = function.invoke(SWEEP)
    assert not answer.is_error, answer
    assert account.states() == {group: ACTIVE}
    assert any(line.get("level") == "WARN" for line in map(json.loads, function.lines))


def test_a_deleted_group_is_archived_though_the_hub_does_not_list_its_finding_yet(account, function, aws):
    group = account.group("db")
    account.allow(group, group)
    aws.hub.lag(reads=100)
    function.invoke(evaluate(group))
    account.ec2.delete_security_group(GroupId=group)
    assert failed(function.invoke(sqs(event("delete-security-group", group), event("schedule")))) == []
    assert account.states() == {group: GONE}


def test_a_sweep_of_a_hub_that_lags_publishes_no_old_verdict(account, function, aws):
    vpc = account.vpc()
    closed, opened = account.group("closed", vpc), account.group("opened", vpc)
    rule = account.allow(closed, closed)
    function.invoke(evaluate(closed, opened))
    account.revoke(closed, closed)
    account.allow(opened, opened)
    aws.hub.lag(reads=100)
    function.invoke(event("revoke-ingress", closed, closed, rule=rule))
    assert not function.invoke(SWEEP).is_error
    assert account.states() == {closed: ARCHIVED, opened: ACTIVE}


@pytest.mark.parametrize("name", ["config-item", "custom-action", "direct"])
def test_a_new_group_that_ec2_does_not_show_yet_is_not_published_as_gone(account, function, aws, name):
    group = account.group("db")
    account.allow(group, group)
    aws.ec2.hide(2, group)
    answer = function.invoke(evaluate(group) if name == "direct" else event(name, group, group))
    assert not answer.is_error and answer.body["failed"] == 1, answer
    assert account.states() == {group: ACTIVE}
    assert [finding["Compliance"]["Status"] for finding in aws.hub.imported] == ["FAILED"]


def test_a_name_finds_a_new_group_that_ec2_does_not_show_yet(account, function, aws):
    default = account.ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    group = account.group("web", default)
    aws.ec2.hide(1, group)
    made = event("authorize-ingress-by-name", seconds_ago=120)
    for _ in range(2):
        answer = function.invoke(made)
        if not answer.is_error:
            break
        assert answer.body["errorType"] == "Retryable"
    assert account.states() == {group: ARCHIVED}


def test_one_function_stays_within_the_quotas_from_one_invocation_to_the_next(account, function, aws):
    vpc = account.vpc()
    groups = [account.group(f"g{n}", vpc) for n in range(45)]
    aws.limit_as_aws_does()
    for group in groups:
        assert not function.invoke(evaluate(group)).is_error
    assert {call.status for call in aws.calls} == {200}, "nothing was throttled"
    assert account.states() == {group: ARCHIVED for group in groups}


def test_functions_that_share_a_quota_lose_nothing(account, functions, aws):
    vpc = account.vpc()
    groups = [account.group(f"g{n}", vpc) for n in range(40)]
    for group in groups:
        account.allow(group, group)
    aws.limit("BatchImportFindings", rate=10, burst=10)
    started = [functions() for _ in range(4)]
    begun = [started[n % 4].begin(event("create-tags", group, group)) for n, group in enumerate(groups)]
    come_again = [made.answer_body for made in begun if made.result().is_error and b"Retryable" not in made.answer_body]
    assert come_again == []
    for made, group in zip(begun, groups):
        if made.result().is_error:
            assert not started[0].invoke(event("create-tags", group, group)).is_error
    assert any(call.status == 429 for call in aws.calls), "the quota was exceeded"
    assert account.states() == {group: ACTIVE for group in groups}


def test_ec2_that_is_throttled_costs_no_finding(account, functions, aws):
    vpc = account.vpc()
    groups = [account.group(f"g{n}", vpc) for n in range(12)]
    aws.limit("DescribeSecurityGroups", rate=5, burst=2)
    started = [functions() for _ in range(3)]
    begun = [started[n % 3].begin(evaluate(group)) for n, group in enumerate(groups)]
    assert not any(made.result().is_error for made in begun)
    assert any(call.status == 503 for call in aws.calls), "EC2 throttled"
    assert account.states() == {group: ARCHIVED for group in groups}


def test_functions_that_sweep_at_once_come_to_the_same(account, functions, aws):
    vpc = account.vpc()
    groups = [account.group(f"g{n}", vpc) for n in range(6)]
    for group in groups[:4]:
        account.allow(group, group)
    started = [functions() for _ in range(3)]
    assert not started[0].invoke(SWEEP).is_error
    account.revoke(groups[0], groups[0])
    account.allow(groups[5], groups[5])
    account.ec2.delete_security_group(GroupId=groups[4])
    assert not any(made.result().is_error for made in [function.begin(SWEEP) for function in started])
    states = {**{group: ACTIVE for group in (*groups[1:4], groups[5])}, groups[0]: ARCHIVED}
    assert account.states() == states
    aws.calls.clear()
    assert not started[1].invoke(SWEEP).is_error
    assert "BatchImportFindings" not in aws.count()


def test_a_sweep_with_other_settings_reads_no_more_than_any_other(functions, aws, tmp_path):
    """After an upgrade or a change every finding differs; none of these carries an event."""
    from test_sweep import synthetic

    aws.ec2.groups = synthetic(250, open_share=1)
    assert not functions().invoke(SWEEP).is_error
    settings = tmp_path / "policy.toml"
    settings.write_text('severity = "HIGH"\n')
    aws.calls.clear()
    assert not functions(environment={"SG_TRUST_POLICY_FILE": str(settings)}).invoke(SWEEP).is_error
    assert {finding["FindingProviderFields"]["Severity"]["Label"] for finding in aws.hub.findings.values()} == {"HIGH"}
    # Three pages, and a look before each of the three imports.
    assert aws.count() == {"GetFindings": 6, "DescribeSecurityGroups": 1, "BatchImportFindings": 3}
