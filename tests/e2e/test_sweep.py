"""The sweep: after it, the hub is what the account is, at the least cost."""

import datetime
import time

import pytest
from aws_stub import group_xml
from cloudtrail import ACCOUNT, ALICE, REGION, event
from conftest import SG_TRUST

ACTIVE, ARCHIVED, GONE = ("FAILED", "ACTIVE"), ("PASSED", "ARCHIVED"), ("NOT_AVAILABLE", "ARCHIVED")
SWEEP = {"action": "sweep"}
POLICY = "AWS.SecurityGroup.RestrictsInterSecurityGroupTraffic"


def test_lost_events_are_repaired(account, function):
    vpc = account.vpc()
    source, revoked, deleted, opened = (account.group(name, vpc) for name in ("web", "revoked", "deleted", "opened"))
    for group in (revoked, deleted):
        account.allow(group, source)
    function.invoke({"action": "evaluate", "group_ids": [revoked, deleted, opened]})
    account.revoke(revoked, source)
    account.ec2.delete_security_group(GroupId=deleted)
    account.allow(opened, source)
    assert account.states() == {revoked: ACTIVE, deleted: ACTIVE, opened: ARCHIVED}
    answer = function.invoke(SWEEP)
    assert not answer.is_error and answer.body["archived"] == 1
    assert account.states() == {revoked: ARCHIVED, deleted: GONE, opened: ACTIVE}


def test_a_second_sweep_imports_nothing(account, function, aws):
    vpc = account.vpc()
    source, group = account.group("web", vpc), account.group("db", vpc)
    account.allow(group, source)
    function.invoke(SWEEP)
    aws.calls.clear()
    assert function.invoke(SWEEP).body["failed"] == 1
    assert aws.count() == {"GetFindings": 1, "DescribeSecurityGroups": 1}


@pytest.mark.parametrize("filters_work", [True, False])
def test_findings_of_others_stay_as_they_are(account, function, aws, filters_work):
    """Whatever the API's filters let through."""
    source, group = account.group("web"), account.group("db")
    account.allow(group, source)
    function.invoke({"action": "evaluate", "group_ids": [group]})
    own = next(iter(aws.hub.findings.values()))
    missing = "sg-0000000000000dead"
    others = {
        "generator": {**own, "Id": own["Id"].replace(group, missing), "GeneratorId": "other-tool"},
        "account": {**own, "Id": f"{REGION}/210987654321/{POLICY}/{missing}", "AwsAccountId": "210987654321"},
        "product": {**own, "Id": own["Id"].replace(group, missing) + "0", "ProductArn": own["ProductArn"].replace("/default", "/other")},
        "region": {**own, "Id": f"eu-west-1/{ACCOUNT}/{POLICY}/{missing}"},
        "id": {**own, "Id": f"{REGION}/{ACCOUNT}/{POLICY}/not-a-group"},
    }
    aws.hub.findings.update({name: finding for name, finding in others.items()})
    aws.hub.filters_work = filters_work
    assert not function.invoke(SWEEP).is_error
    assert {name: aws.hub.findings[name] for name in others} == others
    assert account.states() == {group: ACTIVE}


def test_a_finding_that_others_overwrote_is_published_anew(account, function, aws):
    """Whoever may import findings of the default product may overwrite those of others: archive them, or call them PASSED."""
    vpc = account.vpc()
    passed, archived, left = (account.group(name, vpc) for name in ("passed", "archived", "left"))
    for group in (passed, archived, left):
        account.allow(group, group)
    function.invoke(SWEEP)
    changes = {passed: {"Compliance": {"Status": "PASSED"}}, archived: {"RecordState": "ARCHIVED"}, left: {}}
    aws.hub.findings = {id: {**finding, **changes[id.rsplit("/", 1)[1]]} for id, finding in aws.hub.findings.items()}
    aws.hub.imported.clear()
    assert not function.invoke(SWEEP).is_error
    assert {finding["Id"].rsplit("/", 1)[1] for finding in aws.hub.imported} == {passed, archived}
    assert account.states() == {group: ACTIVE for group in (passed, archived, left)}


def test_a_group_that_was_not_seen_is_looked_for_once_more(account, function, aws):
    vpc = account.vpc()
    groups = [account.group(f"g{n}", vpc) for n in range(3)]
    for group in groups:
        account.allow(group, group)
    function.invoke(SWEEP)
    # The pages do not show it, the look at the group itself does.
    aws.ec2.hide(1, groups[0])
    assert function.invoke(SWEEP).body["archived"] == 0
    assert account.states() == {group: ACTIVE for group in groups}


def test_a_finding_that_grows_old_is_published_anew_with_its_events(account, function, aws):
    source, group = account.group("web"), account.group("db")
    account.allow(group, source)
    function.invoke(event("authorize-ingress", group, source))
    finding = next(iter(aws.hub.findings.values()))
    for days, imports in ((29, 0), (31, 1)):
        moment = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=days)
        finding["UpdatedAt"] = moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")
        aws.hub.findings[finding["Id"]] = dict(finding)
        aws.calls.clear()
        assert not function.invoke(SWEEP).is_error
        assert aws.count()["BatchImportFindings"] == imports
    assert aws.hub.findings[finding["Id"]]["ProductFields"]["sg-trust/opened-by"] == ALICE


def test_a_finding_whose_verdict_stays_keeps_its_events(account, function, aws):
    source, group = account.group("web"), account.group("db")
    account.allow(group, source)
    function.invoke(event("authorize-ingress", group, source))
    account.allow(group, group)
    assert not function.invoke(SWEEP).is_error
    fields = account.findings()[group]["ProductFields"]
    assert fields["sg-trust/violations"] == "2" and fields["sg-trust/opened-by"] == ALICE
    account.revoke(group, group)
    account.revoke(group, source)
    assert not function.invoke(SWEEP).is_error
    assert account.states() == {group: ARCHIVED}


def test_a_time_in_the_future_does_not_block_a_verdict(account, function, aws):
    source, group = account.group("web"), account.group("db")
    account.allow(group, source)
    function.invoke({"action": "evaluate", "group_ids": [group]})
    finding = next(iter(aws.hub.findings.values()))
    finding["UpdatedAt"] = "2099-01-01T00:00:00.000Z"
    account.revoke(group, source)
    assert not function.invoke(SWEEP).is_error
    standing = aws.hub.findings[finding["Id"]]
    assert (standing["Compliance"]["Status"], standing["UpdatedAt"]) == ("PASSED", "2099-01-01T00:00:00.001Z")
    assert [line["FindingsFromFuture"] for line in function.metrics()] == [0, 1]


def test_an_archived_time_in_the_future_does_not_hide_a_relapse(account, function, aws):
    vpc = account.vpc()
    source, group, other = (account.group(name, vpc) for name in ("web", "db", "other"))
    function.invoke({"action": "evaluate", "group_ids": [group, other]})
    aws.hub.findings = {id: {**finding, "UpdatedAt": "2099-01-01T00:00:00.000Z"} for id, finding in aws.hub.findings.items()}
    account.allow(group, source)
    for _ in range(2):
        assert not function.invoke(SWEEP).is_error
    standing = next(finding for finding in aws.hub.findings.values() if group in finding["Id"])
    assert (standing["Compliance"]["Status"], standing["RecordState"], standing["UpdatedAt"]) == (*ACTIVE, "2099-01-01T00:00:00.001Z")
    # The sweep that had something to publish read both; the next one only what is active.
    assert [line["FindingsFromFuture"] for line in function.metrics()] == [0, 2, 1]


def test_passed_groups_stay_active_where_it_is_wanted(account, functions, aws):
    function = functions(environment={"SG_TRUST_PASSED": "active"})
    everything = account.ec2.describe_security_groups()["SecurityGroups"]
    function.invoke(SWEEP)
    assert set(account.states().values()) == {("PASSED", "ACTIVE")} and len(account.states()) == len(everything)
    aws.calls.clear()
    function.invoke(SWEEP)
    assert "BatchImportFindings" not in aws.count()


def test_a_refused_finding_does_not_stop_the_sweep(account, function, aws):
    vpc = account.vpc()
    groups = [account.group(f"g{n}", vpc) for n in range(5)]
    for group in groups:
        account.allow(group, group)
    aws.ec2.page_size = 2
    aws.hub.refused[groups[0]] = ("InvalidInput", "no reason")
    answer = function.invoke(SWEEP)
    assert answer.is_error and groups[0] in answer.body["errorMessage"]
    assert account.states() == {group: ACTIVE for group in groups[1:]}


def test_the_groups_of_a_batch_are_evaluated_for_themselves_beside_its_sweep(account, function, aws):
    source, group = account.group("web"), account.group("db")
    account.allow(group, source)
    answer = function.invoke([event("authorize-ingress", group, source), event("schedule"), event("authorize-ingress-parameters-null")])
    assert answer.body["failed"] == 1
    assert aws.count() == {"GetFindings": 1, "DescribeSecurityGroups": 2, "BatchImportFindings": 1}
    assert account.findings()[group]["ProductFields"]["sg-trust/opened-by"] == ALICE
    assert len(function.metrics()[0]["EventAge"]) == 1
    # What happened a minute or more before that sweep began is covered; what happened later may have been missed.
    assert function.invoke(event("authorize-ingress-parameters-null", seconds_ago=30)).body["ignored"] is None
    answer = function.invoke(event("authorize-ingress-parameters-null", seconds_ago=90))
    assert "already covered" in answer.body["ignored"]
    assert function.invoke(event("authorize-ingress-parameters-null", seconds_ago=-5)).body["ignored"] is None


def test_a_stale_read_is_asked_again_for_the_groups_of_its_batch(account, function, aws):
    source, group = account.group("web"), account.group("db")
    aws.ec2.freeze(1)
    account.allow(group, source)
    answer = function.invoke([event("authorize-ingress", group, source), event("schedule")])
    assert not answer.is_error and account.states()[group] == ACTIVE
    assert function.metrics()[0]["StaleReads"] == 1


def test_a_sweep_stops_before_its_deadline_and_says_how_far_it_got(account, function, aws):
    vpc = account.vpc()
    groups = [account.group(f"g{n}", vpc) for n in range(6)]
    for group in groups:
        account.allow(group, group)
    function.invoke(SWEEP)
    account.ec2.delete_security_group(GroupId=groups[0])
    aws.ec2.page_size = 1

    def slow(operation, _):
        if operation == "DescribeSecurityGroups":
            time.sleep(0.7)

    aws.fault = slow
    answer = function.invoke(SWEEP, seconds=4.5)
    assert answer.is_error and answer.body["errorType"] == "Retryable" and answer.seconds < 4.5
    assert "out of time during the sweep" in answer.body["errorMessage"] and "groups evaluated" in answer.body["errorMessage"]
    assert account.states() == {group: ACTIVE for group in groups}, "nothing half known is archived"


def open_group(id, pair, **members):
    """A group that admits all traffic from this pair."""
    return {
        "GroupId": id, "GroupName": "db", "Description": "d", "OwnerId": ACCOUNT, "VpcId": "vpc-1", "IpPermissions": [{"IpProtocol": "-1", "UserIdGroupPairs": [pair]}],
        **members,
    }  # fmt: skip


def synthetic(count, open_share=10):
    """Groups of the stub's memory: every tenth admits all traffic, the others one port."""
    made = {}
    for n in range(count):
        group = open_group(f"sg-{n:017x}", {"UserId": ACCOUNT, "GroupId": f"sg-{(n + 1) % count:017x}"}, GroupName=f"group {n}")
        if n % open_share:
            group["IpPermissions"][0] |= {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}
        made[group["GroupId"]] = group_xml(group)
    return made


def sweeps(functions, aws, count):
    aws.reset()
    aws.ec2.groups = synthetic(count)
    function = functions()
    calls = []
    for _ in range(2):
        aws.calls.clear()
        answer = function.invoke(SWEEP, seconds=300)
        assert not answer.is_error and answer.body["evaluated"] == count and answer.body["failed"] == count // 10, answer
        calls.append(dict(aws.count()))
    return calls, function.peak_memory_kb()


def test_calls_and_memory_of_a_sweep(functions, aws):
    small, small_kb = sweeps(functions, aws, 2_500)
    assert small == [
        {"GetFindings": 5, "DescribeSecurityGroups": 3, "BatchImportFindings": 3},
        {"GetFindings": 3, "DescribeSecurityGroups": 3},
    ]
    large, large_kb = sweeps(functions, aws, 10_000)
    assert large == [
        {"GetFindings": 12, "DescribeSecurityGroups": 10, "BatchImportFindings": 10},
        {"GetFindings": 10, "DescribeSecurityGroups": 10},
    ]
    print(f"peak memory: {small_kb} kB at 2 500 groups, {large_kb} kB at 10 000")
    assert large_kb <= 1.2 * small_kb


def test_retire_archives_what_stands(account, function, aws, tmp_path):
    import subprocess

    vpc = account.vpc()
    groups = [account.group(f"g{n}", vpc) for n in range(3)]
    for group in groups:
        account.allow(group, group)
    function.invoke(SWEEP)
    other = {**next(iter(aws.hub.findings.values())), "Id": "other", "GeneratorId": "other-tool"}
    aws.hub.findings["other"] = other
    variables = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "AWS_ENDPOINT_URL": aws.endpoint, "AWS_REGION": REGION,
                 "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    aws.hub.refused[groups[1]] = ("InvalidInput", "no reason")
    partly = subprocess.run([SG_TRUST, "retire", "--yes"], env=variables, capture_output=True, text=True)
    assert partly.returncode == 2 and groups[1] in partly.stderr
    assert account.states() == {group: ACTIVE if group == groups[1] else GONE for group in groups}
    aws.hub.refused.clear()
    refused = subprocess.run([SG_TRUST, "retire"], env=variables, capture_output=True, text=True)
    assert refused.returncode == 2 and "--yes" in refused.stderr
    done = subprocess.run([SG_TRUST, "retire", "--yes"], env=variables, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "1 finding archived\n"), done.stderr
    assert account.states() == {group: GONE for group in groups}
    assert aws.hub.findings["other"] == other


def test_a_failing_sweep_does_not_cost_the_other_messages_of_its_batch(account, function, aws):
    from test_events import failed, sqs

    vpc = account.vpc()
    named, refused = account.group("named", vpc), account.group("refused", vpc)
    for group in (named, refused):
        account.allow(group, group)
    aws.hub.refused[refused] = ("InvalidInput", "no reason")
    assert failed(function.invoke(sqs(event("schedule"), event("create-tags", named, named)))) == ["message-0"]
    assert account.states() == {named: ACTIVE}


def test_a_group_that_a_young_event_proves_is_not_archived(account, function, aws):
    group = account.group("db")
    account.allow(group, group)
    function.invoke(SWEEP)
    aws.ec2.hide(None, group)
    answer = function.invoke([event("create-tags", group, group), SWEEP])
    assert answer.is_error and answer.body["errorType"] == "Retryable" and group in answer.body["errorMessage"]
    assert account.states() == {group: ACTIVE}
