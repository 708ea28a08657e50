"""The sweep: after it, the hub is what the account is, at the least cost."""

import datetime
import time

import pytest
from cloudtrail import ACCOUNT, ALICE, REGION, event
from runtime_api import ROOT

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


def test_a_second_sweep_imports_nothing(account, function, proxy):
    vpc = account.vpc()
    source, group = account.group("web", vpc), account.group("db", vpc)
    account.allow(group, source)
    function.invoke(SWEEP)
    proxy.calls.clear()
    assert function.invoke(SWEEP).body["failed"] == 1
    assert proxy.count() == {"GetFindings": 1, "DescribeSecurityGroups": 1}


@pytest.mark.parametrize("filters_work", [True, False])
def test_findings_of_others_stay_as_they_are(account, function, proxy, filters_work):
    """Whatever the API's filters let through."""
    source, group = account.group("web"), account.group("db")
    account.allow(group, source)
    function.invoke({"action": "evaluate", "group_ids": [group]})
    own = next(iter(proxy.hub.values()))
    missing = "sg-0000000000000dead"
    others = {
        "generator": {**own, "Id": own["Id"].replace(group, missing), "GeneratorId": "other-tool"},
        "account": {**own, "Id": f"{REGION}/210987654321/{POLICY}/{missing}", "AwsAccountId": "210987654321"},
        "product": {**own, "Id": own["Id"].replace(group, missing) + "0", "ProductArn": own["ProductArn"].replace("/default", "/other")},
        "region": {**own, "Id": f"eu-west-1/{ACCOUNT}/{POLICY}/{missing}"},
        "id": {**own, "Id": f"{REGION}/{ACCOUNT}/{POLICY}/not-a-group"},
    }
    proxy.hub.update({name: finding for name, finding in others.items()})
    proxy.filters_work = filters_work
    assert not function.invoke(SWEEP).is_error
    assert {name: proxy.hub[name] for name in others} == others
    assert account.states() == {group: ACTIVE}


def test_a_finding_that_others_overwrote_is_published_anew(account, function, proxy):
    """Whoever may import findings of the default product may overwrite those of others: archive them, or call them PASSED."""
    vpc = account.vpc()
    passed, archived, left = (account.group(name, vpc) for name in ("passed", "archived", "left"))
    for group in (passed, archived, left):
        account.allow(group, group)
    function.invoke(SWEEP)
    changes = {passed: {"Compliance": {"Status": "PASSED"}}, archived: {"RecordState": "ARCHIVED"}, left: {}}
    proxy.hub = {id: {**finding, **changes[id.rsplit("/", 1)[1]]} for id, finding in proxy.hub.items()}
    proxy.imported.clear()
    assert not function.invoke(SWEEP).is_error
    assert {finding["Id"].rsplit("/", 1)[1] for finding in proxy.imported} == {passed, archived}
    assert account.states() == {group: ACTIVE for group in (passed, archived, left)}


def test_a_group_that_was_not_seen_is_looked_for_once_more(account, function, proxy):
    vpc = account.vpc()
    groups = [account.group(f"g{n}", vpc) for n in range(3)]
    for group in groups:
        account.allow(group, group)
    function.invoke(SWEEP)
    hidden = groups[0]
    real = proxy.groups

    def hide_from_pages(method, path, headers, form, filters):
        root, items = real(method, path, headers, form, filters)
        if "group-id" not in filters:
            items = [item for item in items if hidden not in [child.text for child in item]]
        return root, items

    proxy.groups = hide_from_pages
    try:
        assert function.invoke(SWEEP).body["archived"] == 0
    finally:
        del proxy.groups
    assert account.states() == {group: ACTIVE for group in groups}


def test_a_finding_that_grows_old_is_published_anew_with_its_events(account, function, proxy):
    source, group = account.group("web"), account.group("db")
    account.allow(group, source)
    function.invoke(event("authorize-ingress", group, source))
    finding = next(iter(proxy.hub.values()))
    for days, imports in ((29, 0), (31, 1)):
        moment = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=days)
        finding["UpdatedAt"] = moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")
        proxy.hub[finding["Id"]] = dict(finding)
        proxy.calls.clear()
        assert not function.invoke(SWEEP).is_error
        assert proxy.count()["BatchImportFindings"] == imports
    assert proxy.hub[finding["Id"]]["ProductFields"]["sg-trust/opened-by"] == ALICE


def test_a_finding_whose_verdict_stays_keeps_its_events(account, function, proxy):
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


def test_a_time_in_the_future_does_not_block_a_verdict(account, function, proxy):
    source, group = account.group("web"), account.group("db")
    account.allow(group, source)
    function.invoke({"action": "evaluate", "group_ids": [group]})
    finding = next(iter(proxy.hub.values()))
    finding["UpdatedAt"] = "2099-01-01T00:00:00.000Z"
    account.revoke(group, source)
    assert not function.invoke(SWEEP).is_error
    standing = proxy.hub[finding["Id"]]
    assert (standing["Compliance"]["Status"], standing["UpdatedAt"]) == ("PASSED", "2099-01-01T00:00:00.001Z")
    assert [line["FindingsFromFuture"] for line in function.metrics()] == [0, 1]


def test_an_archived_time_in_the_future_does_not_hide_a_relapse(account, function, proxy):
    vpc = account.vpc()
    source, group, other = (account.group(name, vpc) for name in ("web", "db", "other"))
    function.invoke({"action": "evaluate", "group_ids": [group, other]})
    proxy.hub = {id: {**finding, "UpdatedAt": "2099-01-01T00:00:00.000Z"} for id, finding in proxy.hub.items()}
    account.allow(group, source)
    for _ in range(2):
        assert not function.invoke(SWEEP).is_error
    standing = next(finding for finding in proxy.hub.values() if group in finding["Id"])
    assert (standing["Compliance"]["Status"], standing["RecordState"], standing["UpdatedAt"]) == (*ACTIVE, "2099-01-01T00:00:00.001Z")
    # The sweep that had something to publish read both; the next one only what is active.
    assert [line["FindingsFromFuture"] for line in function.metrics()] == [0, 2, 1]


def test_passed_groups_stay_active_where_it_is_wanted(account, functions, proxy):
    function = functions(environment={"SG_TRUST_PASSED": "active"})
    everything = account.ec2.describe_security_groups()["SecurityGroups"]
    function.invoke(SWEEP)
    assert set(account.states().values()) == {("PASSED", "ACTIVE")} and len(account.states()) == len(everything)
    proxy.calls.clear()
    function.invoke(SWEEP)
    assert "BatchImportFindings" not in proxy.count()


def test_a_refused_finding_does_not_stop_the_sweep(account, function, proxy):
    vpc = account.vpc()
    groups = [account.group(f"g{n}", vpc) for n in range(5)]
    for group in groups:
        account.allow(group, group)
    proxy.page_size = 2
    proxy.refused[groups[0]] = ("InvalidInput", "no reason")
    answer = function.invoke(SWEEP)
    assert answer.is_error and groups[0] in answer.body["errorMessage"]
    assert account.states() == {group: ACTIVE for group in groups[1:]}


def test_the_groups_of_a_batch_are_evaluated_for_themselves_beside_its_sweep(account, function, proxy):
    source, group = account.group("web"), account.group("db")
    account.allow(group, source)
    answer = function.invoke([event("authorize-ingress", group, source), event("schedule"), event("authorize-ingress-parameters-null")])
    assert answer.body["failed"] == 1
    assert proxy.count() == {"GetFindings": 1, "DescribeSecurityGroups": 2, "BatchImportFindings": 1}
    assert account.findings()[group]["ProductFields"]["sg-trust/opened-by"] == ALICE
    assert len(function.metrics()[0]["EventAge"]) == 1
    # What happened a minute or more before that sweep began is covered; what happened later may have been missed.
    assert function.invoke(event("authorize-ingress-parameters-null", seconds_ago=30)).body["ignored"] is None
    answer = function.invoke(event("authorize-ingress-parameters-null", seconds_ago=90))
    assert "already covered" in answer.body["ignored"]
    assert function.invoke(event("authorize-ingress-parameters-null", seconds_ago=-5)).body["ignored"] is None


def test_a_stale_read_is_asked_again_for_the_groups_of_its_batch(account, function, proxy):
    source, group = account.group("web"), account.group("db")
    proxy.freeze(1)
    account.allow(group, source)
    answer = function.invoke([event("authorize-ingress", group, source), event("schedule")])
    assert not answer.is_error and account.states()[group] == ACTIVE
    assert function.metrics()[0]["StaleReads"] == 1


def test_a_sweep_stops_before_its_deadline_and_says_how_far_it_got(account, function, proxy):
    vpc = account.vpc()
    groups = [account.group(f"g{n}", vpc) for n in range(6)]
    for group in groups:
        account.allow(group, group)
    function.invoke(SWEEP)
    account.ec2.delete_security_group(GroupId=groups[0])
    proxy.page_size = 1

    def slow(operation, _):
        if operation == "DescribeSecurityGroups":
            time.sleep(0.7)

    proxy.fault = slow
    answer = function.invoke(SWEEP, seconds=4.5)
    assert answer.is_error and answer.body["errorType"] == "Retryable" and answer.seconds < 4.5
    assert "out of time during the sweep" in answer.body["errorMessage"] and "groups evaluated" in answer.body["errorMessage"]
    assert account.states() == {group: ACTIVE for group in groups}, "nothing half known is archived"


def synthetic(count, open_share=10):
    """Groups as EC2's XML has them; every tenth is open."""
    made = {}
    for n in range(count):
        id = f"sg-{n:017x}"
        source = f"sg-{(n + 1) % count:017x}"
        ports = "" if n % open_share == 0 else "<fromPort>443</fromPort><toPort>443</toPort>"
        protocol = "-1" if n % open_share == 0 else "tcp"
        made[id] = (
            f'<item xmlns="http://ec2.amazonaws.com/doc/2016-11-15"><ownerId>{ACCOUNT}</ownerId><groupId>{id}</groupId><groupName>group {n}</groupName>'
            f"<groupDescription>d</groupDescription><vpcId>vpc-1</vpcId><ipPermissions><item><ipProtocol>{protocol}</ipProtocol>{ports}<groups><item>"
            f"<userId>{ACCOUNT}</userId><groupId>{source}</groupId></item></groups><ipRanges/><ipv6Ranges/><prefixListIds/></item></ipPermissions>"
            "<ipPermissionsEgress/><tagSet/></item>"
        )
    return made


def sweeps(functions, proxy, count):
    proxy.reset()
    proxy.synthetic = synthetic(count)
    function = functions()
    calls = []
    for _ in range(2):
        proxy.calls.clear()
        answer = function.invoke(SWEEP, seconds=300)
        assert not answer.is_error and answer.body["evaluated"] == count and answer.body["failed"] == count // 10, answer
        calls.append(dict(proxy.count()))
    return calls, function.peak_memory_kb()


def test_calls_and_memory_of_a_sweep(functions, proxy):
    small, small_kb = sweeps(functions, proxy, 2_500)
    assert small == [
        {"GetFindings": 5, "DescribeSecurityGroups": 3, "BatchImportFindings": 3},
        {"GetFindings": 3, "DescribeSecurityGroups": 3},
    ]
    large, large_kb = sweeps(functions, proxy, 10_000)
    assert large == [
        {"GetFindings": 12, "DescribeSecurityGroups": 10, "BatchImportFindings": 10},
        {"GetFindings": 10, "DescribeSecurityGroups": 10},
    ]
    print(f"peak memory: {small_kb} kB at 2 500 groups, {large_kb} kB at 10 000")
    assert large_kb <= 1.2 * small_kb


def test_retire_archives_what_stands(account, function, proxy, tmp_path):
    import subprocess

    vpc = account.vpc()
    groups = [account.group(f"g{n}", vpc) for n in range(3)]
    for group in groups:
        account.allow(group, group)
    function.invoke(SWEEP)
    other = {**next(iter(proxy.hub.values())), "Id": "other", "GeneratorId": "other-tool"}
    proxy.hub["other"] = other
    variables = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "AWS_ENDPOINT_URL": proxy.endpoint, "AWS_REGION": REGION,
                 "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    binary = ROOT / "target/debug/sg-trust"
    proxy.refused[groups[1]] = ("InvalidInput", "no reason")
    partly = subprocess.run([binary, "retire", "--yes"], env=variables, capture_output=True, text=True)
    assert partly.returncode == 2 and groups[1] in partly.stderr
    assert account.states() == {group: ACTIVE if group == groups[1] else GONE for group in groups}
    proxy.refused.clear()
    refused = subprocess.run([binary, "retire"], env=variables, capture_output=True, text=True)
    assert refused.returncode == 2 and "--yes" in refused.stderr
    done = subprocess.run([binary, "retire", "--yes"], env=variables, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "1 finding archived\n"), done.stderr
    assert account.states() == {group: GONE for group in groups}
    assert proxy.hub["other"] == other


def test_a_failing_sweep_does_not_cost_the_other_messages_of_its_batch(account, function, proxy):
    from test_events import failed, sqs

    vpc = account.vpc()
    named, refused = account.group("named", vpc), account.group("refused", vpc)
    for group in (named, refused):
        account.allow(group, group)
    proxy.refused[refused] = ("InvalidInput", "no reason")
    assert failed(function.invoke(sqs(event("schedule"), event("create-tags", named, named)))) == ["message-0"]
    assert account.states() == {named: ACTIVE}


def test_a_group_that_a_young_event_proves_is_not_archived(account, function, proxy):
    group = account.group("db")
    account.allow(group, group)
    function.invoke(SWEEP)
    real = proxy.groups

    def hide(*arguments):
        root, items = real(*arguments)
        return root, [item for item in items if group not in [child.text for child in item]]

    proxy.groups = hide
    try:
        answer = function.invoke([event("create-tags", group, group), SWEEP])
    finally:
        del proxy.groups
    assert answer.is_error and answer.body["errorType"] == "Retryable" and group in answer.body["errorMessage"]
    assert account.states() == {group: ACTIVE}
