"""Central mode: one function for many accounts, each with its own credentials, groups and hub."""

import json
import time

import pytest
from aws_stub import ACCOUNT, CENTRAL_KEYS, REGION, Reply, group_xml
from cloudtrail import event
from conftest import Account

WORK = f"arn:aws:sqs:{REGION}:{ACCOUNT}:sg-trust-work"
EVENTS = f"arn:aws:sqs:{REGION}:{ACCOUNT}:sg-trust-events"
ROLE = "security/sg-trust-member"
ONE, OTHER, THIRD = "222222222222", "333333333333", "444444444444"
FAILED, PASSED = ("FAILED", "ACTIVE"), ("PASSED", "ARCHIVED")
GROUP, SOURCE = "sg-0123456789abcdef0", "sg-0fedcba9876543210"
ALL = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": SOURCE}]}


@pytest.fixture
def central(functions):
    def start(accounts=None, **more):
        environment = {"SG_TRUST_MEMBER_ROLE": ROLE, "SG_TRUST_WORK_QUEUE": WORK, **({"SG_TRUST_ACCOUNTS": accounts} if accounts else {})}
        return functions(environment=environment, access_keys=CENTRAL_KEYS, **more)

    return start


def of_account(document, account, recipient=True):
    """The event as it happened in another account."""
    document = {**document, "account": account, "detail": {**document["detail"]}}
    if recipient:
        document["detail"]["recipientAccountId"] = account
    return document


def change(account, group=GROUP, source=SOURCE, name="revoke-egress"):
    return of_account(event(name, group, source), account)


def sqs(*bodies, queue=EVENTS):
    records = [
        {"messageId": f"m{number}", "receiptHandle": f"h{number}", "eventSource": "aws:sqs", "eventSourceARN": queue, "awsRegion": REGION,
         "attributes": {"ApproximateReceiveCount": "1"}, "body": json.dumps(body)}
        for number, body in enumerate(bodies)
    ]  # fmt: skip
    return {"Records": records}


def failed(answer):
    assert not answer.is_error, answer
    return [failure["itemIdentifier"] for failure in answer.body["batchItemFailures"]]


def group(id, account, *permissions, name="app"):
    return group_xml({"OwnerId": account, "GroupId": id, "GroupName": name, "Description": "d", "VpcId": "vpc-1", "IpPermissions": permissions})


def states(hub):
    return {id.rsplit("/", 1)[1]: (f["Compliance"]["Status"], f["RecordState"]) for id, f in hub.findings.items()}


def whose(aws):
    """For each account, what was called with its credentials."""
    made = {}
    for call in aws.calls:
        made.setdefault(aws.accounts.of(call.access_key), []).append(call.operation)
    return made


def errors(function, count=1):
    """The lines about errors, once there are this many: they reach the test after the answer."""
    deadline = time.monotonic() + 10
    while True:
        found = [line for line in map(json.loads, list(function.lines)) if line.get("level") == "ERROR"]
        if len(found) >= count:
            return found
        assert time.monotonic() < deadline, f"{count} errors, and these lines: {function.lines}"
        time.sleep(0.01)


@pytest.fixture
def members(aws):
    """Two members and the own account, which have a group of the same id, open in one of them only."""
    made = {account: aws.accounts.add(account) for account in (ONE, OTHER)}
    aws.ec2.groups = {GROUP: group(GROUP, ACCOUNT)}
    made[ONE].ec2.groups = {GROUP: group(GROUP, ONE, ALL)}
    made[OTHER].ec2.groups = {GROUP: group(GROUP, OTHER)}
    return made


def test_the_same_group_id_in_three_accounts_never_mixes(aws, central, members):
    function = central()
    answer = function.invoke(sqs(change(ONE), change(OTHER), change(ACCOUNT), change(ONE)))
    assert failed(answer) == []
    assert states(members[ONE].hub) == {GROUP: FAILED}
    assert states(members[OTHER].hub) == {GROUP: PASSED}
    assert states(aws.hub) == {GROUP: PASSED}
    for account, hub in ((ONE, members[ONE].hub), (OTHER, members[OTHER].hub), (ACCOUNT, aws.hub)):
        (finding,) = hub.imported
        assert finding["AwsAccountId"] == account
        assert finding["Id"] == f"{REGION}/{account}/{finding['GeneratorId']}/{GROUP}"
        assert finding["ProductArn"] == f"arn:aws:securityhub:{REGION}:{account}:product/{account}/default"
        assert finding["Resources"][0]["Id"] == f"arn:aws:ec2:{REGION}:{account}:security-group/{GROUP}"
    # Every call was made with the credentials of the account that it is about.
    two = ["BatchImportFindings", "DescribeSecurityGroups"]
    called = {account: sorted(operations) for account, operations in whose(aws).items()}
    assert called == {ONE: two, OTHER: two, ACCOUNT: ["AssumeRole", "AssumeRole", *two]}
    assert sorted(arn for _, arn in aws.accounts.assumed) == [f"arn:aws:iam::{account}:role/{ROLE}" for account in (ONE, OTHER)]
    for call in aws.calls:
        if call.operation == "DescribeSecurityGroups":
            assert call.request["Filter.2.Value.1"] == aws.accounts.of(call.access_key), "the filter owner-id"
        elif call.operation == "BatchImportFindings":
            assert {finding["AwsAccountId"] for finding in call.request["Findings"]} == {aws.accounts.of(call.access_key)}
    # The next invocation has the credentials still.
    assert failed(function.invoke(sqs(change(ONE)))) == []
    assert len(aws.accounts.assumed) == 2


def test_moto_keeps_the_accounts_apart_too(aws, central, moto_port):
    """Groups and findings as another program sees them."""
    accounts = {}
    for id in (ONE, OTHER):
        aws.accounts.add(id)
        accounts[id] = Account(moto_port, id=id)
    vpcs = {id: account.vpc() for id, account in accounts.items()}
    groups = {id: (account.group("db", vpcs[id]), account.group("web", vpcs[id])) for id, account in accounts.items()}
    accounts[ONE].allow(*groups[ONE])
    answer = central().invoke(sqs(*[change(id, *groups[id], name="authorize-ingress") for id in (ONE,)], change(OTHER, *groups[OTHER])))
    assert failed(answer) == []
    assert accounts[ONE].states() == {groups[ONE][0]: FAILED}
    assert set(accounts[OTHER].states().values()) == {PASSED}
    assert not set(accounts[ONE].findings()) & set(accounts[OTHER].findings())


def test_a_message_that_contradicts_itself_is_refused_and_no_call_is_made_for_it(aws, central, members):
    forged = {**change(ONE), "account": OTHER}
    function = central()
    answer = function.invoke(sqs(forged, change(ONE)))
    assert failed(answer) == ["m0"]
    assert states(members[ONE].hub) == {GROUP: FAILED} and members[OTHER].hub.imported == []
    assert [arn.split(":")[4] for _, arn in aws.accounts.assumed] == [ONE]
    (error,) = errors(function)
    assert error["error_type"] == "NonRetryable" and error["account"] == OTHER
    assert error["error"] == f"refused: the envelope is of account {OTHER}, and the record in it was received by {ONE}"
    (metrics,) = function.metrics()
    assert (metrics["EventsRefused"], metrics["MessagesFailed"]) == (1, 1)
    # Config and tag events have no such record.
    assert failed(function.invoke(sqs(of_account(event("revoke-egress", GROUP), ONE, recipient=False)))) == ["m0"]


def test_only_listed_accounts_are_worked_for(aws, central, members):
    function = central(accounts=f"{ONE}, {THIRD}")
    assert failed(function.invoke(sqs(change(OTHER), change(ONE), change(ACCOUNT)))) == ["m0"]
    assert errors(function)[0]["error"] == f"refused: account {OTHER} is not among those of SG_TRUST_ACCOUNTS"
    assert members[OTHER].hub.imported == [] and states(members[ONE].hub) == {GROUP: FAILED} and states(aws.hub) == {GROUP: PASSED}


@pytest.mark.parametrize(
    "action", [{"action": "sweep"}, {"action": "sweep", "account": ONE}, {"action": "sweep-all"}, {"action": "evaluate", "group_ids": [GROUP], "account": ONE}]
)
def test_an_action_is_taken_from_the_work_queue_and_from_nobody_elses(aws, central, members, action):
    function = central()
    schedule = {**event("schedule"), "account": ONE} if action == {"action": "sweep"} else action
    answer = function.invoke(sqs(action, sqs(action, queue=WORK), schedule))
    assert failed(answer) == ["m0", "m1", "m2"] and aws.calls == []
    said = errors(function, 3)
    assert {line["error_type"] for line in said} == {"NonRetryable"} and all(EVENTS in line["error"] for line in said)
    assert failed(function.invoke(sqs(action, queue=WORK))) == []
    assert aws.calls
    assert not function.invoke(action).is_error


def test_a_role_that_is_refused_fails_its_own_messages_only(aws, central, members):
    aws.accounts.roles_refused.add(ONE)
    function = central()
    assert failed(function.invoke(sqs(change(ONE), change(OTHER), change(THIRD), change(ONE)))) == ["m0", "m2", "m3"]
    assert states(members[OTHER].hub) == {GROUP: PASSED} and members[ONE].hub.imported == []
    said = {line["account"]: line["error"] for line in errors(function, 3)}
    assert f"sts AssumeRole of arn:aws:iam::{ONE}:role/{ROLE}" in said[ONE] and "infra/member.yaml" in said[ONE]
    assert set(said) == {ONE, THIRD}
    # It is tried again, not remembered.
    aws.accounts.roles_refused.clear()
    assert failed(function.invoke(sqs(change(ONE)))) == []


def test_a_hub_that_is_off_fails_its_own_messages_only(aws, central, members):
    members[ONE].hub.is_on = False
    function = central()
    assert failed(function.invoke(sqs(change(ONE), change(OTHER)))) == ["m0"]
    (error,) = errors(function)
    assert f"security hub is not enabled in account {ONE}, region {REGION}" in error["error"] and error["error_type"] == "NonRetryable"
    assert states(members[OTHER].hub) == {GROUP: PASSED}
    # Turned on later, it is worked for with credentials that were got anew: the old ones may be of a role that was replaced.
    members[ONE].hub.is_on = True
    assert failed(function.invoke(sqs(change(ONE)))) == []
    assert [arn.split(":")[4] for _, arn in aws.accounts.assumed].count(ONE) == 2


def test_an_account_that_does_not_answer_does_not_cost_the_others(aws, central, members):
    pause = aws.hold_answers("DescribeSecurityGroups", when=lambda call: aws.accounts.of(call.access_key) == ONE, times=9)
    answer = central().invoke(sqs(change(ONE), change(OTHER)), seconds=5.0)
    assert failed(answer) == ["m0"]
    assert states(members[OTHER].hub) == {GROUP: PASSED}
    assert aws.sqs.visible_in == {(f"{ACCOUNT}/sg-trust-events", "h0"): 60}
    pause.release()


def test_credentials_are_renewed_five_minutes_before_their_end(aws, central, members):
    aws.accounts.lifetime = 303
    function = central()
    assert failed(function.invoke(sqs(change(ONE)))) == []
    assert failed(function.invoke(sqs(change(ONE)))) == []
    assert len(aws.accounts.assumed) == 1
    time.sleep(3.5)
    assert failed(function.invoke(sqs(change(ONE)))) == []
    assert len(aws.accounts.assumed) == 2
    keys = [call.access_key for call in aws.calls_of("DescribeSecurityGroups")]
    assert keys[0] == keys[1] != keys[2]


def test_one_event_of_a_member_is_answered_as_one_of_the_own_account(central, members):
    answer = central().invoke(change(ONE))
    assert answer.body == {"evaluated": 1, "passed": 0, "failed": 1, "exempt": 0, "archived": 0, "ignored": None}


def test_what_is_ignored_costs_no_role(aws, central, members):
    denied = of_account(event("authorize-ingress-denied"), ONE)
    elsewhere = {**change(ONE), "region": "ap-south-1"}
    function = central()
    assert failed(function.invoke(sqs(denied, elsewhere))) == [] and aws.calls == []
    (metrics,) = function.metrics()
    assert (metrics["EventsIgnored"], metrics["EventsForeign"]) == (2, 1)


def test_without_a_member_role_other_accounts_are_left_alone(aws, functions, members):
    function = functions()
    assert function.invoke(change(ONE)).body["ignored"].startswith(f"the event is of account {ONE}")
    for action in ({"action": "sweep", "account": ONE}, {"action": "sweep-all"}):
        answer = function.invoke(action)
        assert answer.body["errorType"] == "NonRetryable" and "SG_TRUST_MEMBER_ROLE" in answer.body["errorMessage"]
    assert aws.calls == []


def accounts_of(sent):
    bodies = [json.loads(body) for _, body in sent]
    assert all(body == {"action": "sweep", "account": body["account"]} for body in bodies)
    return [body["account"] for body in bodies]


def test_sweep_all_puts_a_sweep_of_each_active_account_on_the_work_queue(aws, central):
    aws.accounts.listed = [(ACCOUNT, "ACTIVE"), *[(f"2222222222{n:02}", "SUSPENDED" if n % 9 == 0 else "ACTIVE") for n in range(45)]]
    aws.accounts.page_size = 7
    aws.sqs.not_taken = {"222222222201": 1, "222222222244": 2}
    function = central()
    answer = function.invoke({"action": "sweep-all"})
    assert not answer.is_error, answer
    expected = [ACCOUNT, *[f"2222222222{n:02}" for n in range(45) if n % 9]]
    assert sorted(accounts_of(aws.sqs.sent)) == sorted(expected)
    assert {queue for queue, _ in aws.sqs.sent} == {f"{ACCOUNT}/sg-trust-work"}
    assert aws.count()["ListAccounts"] == 7 and function.log()[0]["queued_sweeps"] == len(expected)
    # A list takes the place of the organisation.
    aws.sqs.sent.clear()
    listed = central(accounts=f"{ONE},{OTHER}")
    assert not listed.invoke({"action": "sweep-all"}).is_error
    assert accounts_of(aws.sqs.sent) == [ONE, OTHER] and aws.count()["ListAccounts"] == 7


def test_sweep_all_that_cannot_list_or_send_is_an_error(aws, central):
    aws.accounts.listed = [(ONE, "ACTIVE")]
    aws.sqs.not_taken = {ONE: 99}
    answer = central().invoke({"action": "sweep-all"})
    assert answer.body["errorType"] == "Retryable" and ONE in answer.body["errorMessage"], answer
    denied = Reply(400, {"__type": "AccessDeniedException", "Message": "You don't have permissions to access this resource."})
    aws.fault = lambda operation, _: denied if operation == "ListAccounts" else None
    answer = central().invoke({"action": "sweep-all"})
    assert answer.body["errorType"] == "NonRetryable" and "delegated administrators" in answer.body["errorMessage"], answer


def test_fifty_accounts_are_swept_through_the_queue_and_memory_is_flat(aws, central):
    """What the queue would do: each message of sweep-all is an invocation of its own."""
    accounts = [f"5555555555{number:02}" for number in range(50)]
    for account in accounts:
        member = aws.accounts.add(account)
        ids = [f"sg-{number:017x}" for number in range(200)]
        # The same ids in all accounts; every tenth group is open.
        member.ec2.groups = {id: group(id, account, *([ALL] if number % 10 == 0 else [])) for number, id in enumerate(ids)}
    function = central()
    assert not function.invoke({"action": "sweep-all"}).is_error
    bodies = [json.loads(body) for _, body in aws.sqs.sent]
    assert sorted(body["account"] for body in bodies) == accounts
    peaks = []
    for body in bodies:
        assert failed(function.invoke(sqs(body, queue=WORK))) == []
        peaks.append(function.peak_memory_kb())
    for account in accounts:
        hub = aws.accounts.members[account].hub
        assert set(states(hub).values()) == {FAILED} and len(hub.findings) == 20
        assert {finding["AwsAccountId"] for finding in hub.imported} == {account}
    for call in aws.calls:
        if call.operation == "BatchImportFindings":
            assert {finding["AwsAccountId"] for finding in call.request["Findings"]} == {aws.accounts.of(call.access_key)}
    calls = {operation: count / 50 for operation, count in aws.count().items()}
    print(f"calls an account: {calls}; peak memory after 1, 10, 50 accounts: {peaks[0]}, {peaks[9]}, {peaks[49]} kB")
    assert calls["AssumeRole"] == 1 and calls["DescribeSecurityGroups"] == 1 and calls["BatchImportFindings"] == 1
    # 40 accounts more cost less than 4 MB: what is kept of an account is its credentials.
    assert peaks[49] - peaks[9] < 4_000, peaks
    # Nothing changed: nothing is imported.
    before = aws.count()["BatchImportFindings"]
    for body in bodies[:5]:
        assert failed(function.invoke(sqs(body, queue=WORK))) == []
    assert aws.count()["BatchImportFindings"] == before


@pytest.mark.parametrize(
    ("name", "value"), [("SG_TRUST_MEMBER_ROLE", "arn:aws:iam::111111111111:role/x"), ("SG_TRUST_ACCOUNTS", "12"), ("SG_TRUST_WORK_QUEUE", "work")]
)
def test_a_wrong_value_fails_at_the_start_with_its_name(functions, name, value):
    function = functions(environment={name: value})
    assert function.process.wait(10) != 0
    time.sleep(0.2)
    assert f"{name} is {json.dumps(value)}" in "".join(function.errors)
