"""`fix` and `undo` against moto's EC2: planned, carried out, killed anywhere, gone on with, undone."""

import json
import os
import pty
import re
import signal
import subprocess
import time

import pytest
from aws_stub import ROOT, ec2_error
from aws_stub.answers import DROP
from cloudtrail import REGION
from conftest import SG_TRUST

READS = {"DescribeSecurityGroups", "DescribeSecurityGroupRules", "DescribeNetworkInterfaces"}
WRITES = {"AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress", "CreateTags"}


@pytest.fixture
def environment(aws, tmp_path):
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "AWS_ENDPOINT_URL": aws.endpoint,
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLEKEYID0000",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@pytest.fixture
def run(environment, tmp_path):
    def run(*arguments):
        return subprocess.run([SG_TRUST, *arguments], stdin=subprocess.DEVNULL, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120)

    return run


class Group:
    """A group that fails by two sources, with rules that must stay."""

    def __init__(self, account, tags=None):
        self.account = account
        self.web, self.batch, self.other = (account.group(name) for name in ("web", "batch", "other"))
        self.id = account.group("db", tags=tags)
        pairs = [
            {"GroupId": self.web, "Description": "legacy, do not touch"},
            {"GroupId": self.batch},
        ]
        self.allow([{"IpProtocol": "-1", "UserIdGroupPairs": pairs}], {"team": "web"})
        self.allow([{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "UserIdGroupPairs": [{"GroupId": self.web}, {"GroupId": self.other}]}])
        self.allow([{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "office"}]}])

    def allow(self, permissions, tags=None):
        given = [{"ResourceType": "security-group-rule", "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}] if tags else []
        self.account.ec2.authorize_security_group_ingress(GroupId=self.id, IpPermissions=permissions, TagSpecifications=given)

    def rules(self):
        """What stands there, without ids, which are new after an undo."""
        rules = self.account.ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [self.id]}])["SecurityGroupRules"]
        kept = ("IpProtocol", "FromPort", "ToPort", "CidrIpv4", "Description")
        found = []
        for rule in (rule for rule in rules if not rule["IsEgress"]):
            source = rule.get("ReferencedGroupInfo", {})
            tags = tuple(sorted((tag["Key"], tag["Value"]) for tag in rule.get("Tags", ())))
            found.append((*(str(rule.get(key)) for key in kept), source.get("GroupId", ""), tags))
        groups = self.account.ec2.describe_security_groups(GroupIds=[self.id])["SecurityGroups"]
        described = [
            (permission["IpProtocol"], str(permission.get("FromPort")), pair["GroupId"], pair.get("Description", ""))
            for permission in groups[0]["IpPermissions"]
            for pair in permission["UserIdGroupPairs"]
        ]
        return sorted(found), sorted(described)

    def sources(self):
        """Who is let in: (protocol, first port, source)."""
        return {(protocol, port, source) for protocol, port, source, _ in self.rules()[1]}


@pytest.fixture
def group(account):
    return Group(account)


def writes(aws, real=True):
    """The calls that change something, or those that only ask."""
    return [call for call in aws.calls if call.operation in WRITES and (call.request.get("DryRun") != "true") == real]


def apply(group, *more):
    return ["fix", group.id, "--region", REGION, "--replace", "tcp:5432", "--apply", "--yes", "--undo-file", "undo.json", *more]


def kept(group):
    return {("tcp", "22", group.web), ("tcp", "22", group.other)}


def mended(group):
    return kept(group) | {("tcp", "5432", group.web), ("tcp", "5432", group.batch)}


def test_a_plan_names_the_rules_and_changes_nothing(group, run, aws, tmp_path):
    before = group.rules()
    shown = run("fix", group.id, "--region", REGION, "--out", "plan.json")
    assert shown.returncode == 0, shown.stderr
    assert "revoke 2 rules of 1 security group" in shown.stdout and "legacy, do not touch" in shown.stdout and "team=web" in shown.stdout
    plan = json.loads((tmp_path / "plan.json").read_text())
    (planned,) = plan["groups"]
    assert plan["region"] == REGION and len(plan["digest"]) == 64
    assert all(rule["rule_id"].startswith("sgr-") for rule in planned["revoke"])
    assert {rule["source"]["group_id"] for rule in planned["revoke"]} == {group.web, group.batch}
    assert len(planned["keeps"]) == 3 and planned["managed_by"] is None
    assert {call.operation for call in aws.calls} <= READS | {"GetCallerIdentity"}
    assert group.rules() == before


def test_plan_apply_undo_and_apply_again(group, run, aws):
    before = group.rules()
    done = run(*apply(group))
    assert done.returncode == 0, done.stderr
    assert f"PASSED  {group.id} (db)" in done.stdout
    assert group.sources() == mended(group)
    again = run("fix", group.id, "--region", REGION, "--apply", "--yes")
    assert again.returncode == 0 and "Nothing to revoke" in again.stdout
    count = len(writes(aws))
    same = run(*apply(group))
    assert same.returncode == 0 and len(writes(aws)) == count, "what is done is not done again"
    undone = run("undo", "undo.json", "--yes")
    assert undone.returncode == 0, undone.stderr
    assert "new ids" in undone.stdout and "was sgr-" in undone.stdout
    assert group.rules() == before
    count = len(writes(aws))
    twice = run("undo", "undo.json", "--yes")
    assert twice.returncode == 0 and "Nothing to undo" in twice.stdout and len(writes(aws)) == count and group.rules() == before
    refused = run(*apply(group))
    assert refused.returncode == 2 and "was undone" in refused.stderr and group.rules() == before


def test_every_call_is_dry_run_first_and_each_rule_is_revoked_by_its_id(group, run, aws):
    assert run(*apply(group)).returncode == 0
    assert [call.operation for call in writes(aws, real=False)] == [call.operation for call in writes(aws)]
    assert max(call.arrived for call in writes(aws, real=False)) < min(call.arrived for call in writes(aws))
    revoked = [call.request for call in writes(aws) if call.operation == "RevokeSecurityGroupIngress"]
    assert len(revoked) == 2
    for request in revoked:
        assert request["SecurityGroupRuleId.1"].startswith("sgr-") and not any(key.startswith("IpPermissions") for key in request)


def kill_at(aws, process, number, after):
    """Kills the process at one of the calls that change something, before or after it is made."""
    seen = {"calls": 0}

    def is_it(asked, request):
        if asked not in WRITES or request.get("DryRun") == "true":
            return False
        seen["calls"] += 1
        return seen["calls"] == number

    def kill(*_):
        process().send_signal(signal.SIGKILL)
        return DROP

    if after:
        aws.spoil = lambda asked, request, reply: kill() if is_it(asked, request) else reply
    else:
        aws.fault = lambda asked, request: kill() if is_it(asked, request) else None


def start(environment, folder, *arguments):
    return subprocess.Popen([SG_TRUST, *arguments], env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("after", [False, True], ids=["before the call", "after the call"])
@pytest.mark.parametrize("number", [1, 2, 3, 4])
@pytest.mark.parametrize("goes_on", [True, False], ids=["then goes on", "then is undone"])
def test_a_run_that_is_killed_at_any_call(group, run, aws, environment, tmp_path, number, after, goes_on):
    before = group.rules()
    started = []
    kill_at(aws, lambda: started[0], number, after)
    started.append(start(environment, tmp_path, *apply(group)))
    started[0].communicate(timeout=60)
    assert started[0].returncode == -signal.SIGKILL
    aws.fault = aws.spoil = None
    if goes_on:
        done = run(*apply(group))
        assert done.returncode == 0, done.stderr
        assert group.sources() == mended(group)
    undone = run("undo", "undo.json", "--yes")
    assert undone.returncode == 0, undone.stderr
    assert group.rules() == before


@pytest.mark.parametrize("after", [False, True], ids=["before the call", "after the call"])
@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_an_undo_that_is_killed_at_any_call(group, run, aws, environment, tmp_path, number, after):
    before = group.rules()
    assert run(*apply(group)).returncode == 0
    started = []
    kill_at(aws, lambda: started[0], number, after)
    started.append(start(environment, tmp_path, "undo", "undo.json", "--yes"))
    started[0].communicate(timeout=60)
    assert started[0].returncode == -signal.SIGKILL
    aws.fault = aws.spoil = None
    assert run("undo", "undo.json", "--yes").returncode == 0
    assert group.rules() == before


def test_answers_that_are_lost_change_nothing(group, run, aws):
    before = group.rules()
    lost = set()

    def lose(operation, request, reply):
        key = (operation, tuple(sorted(request.items())))
        if operation in WRITES and request.get("DryRun") != "true" and key not in lost:
            lost.add(key)
            return DROP
        return reply

    aws.spoil = lose
    done = run(*apply(group))
    assert done.returncode == 0, done.stderr
    assert group.sources() == mended(group) and len(lost) == 4
    lost.clear()
    undone = run("undo", "undo.json", "--yes")
    assert undone.returncode == 0, undone.stderr
    assert group.rules() == before


def test_a_group_that_changed_since_the_plan_is_not_touched(group, run, aws, tmp_path):
    assert run("fix", group.id, "--region", REGION, "--out", "plan.json").returncode == 0
    group.allow([{"IpProtocol": "udp", "FromPort": 53, "ToPort": 53, "UserIdGroupPairs": [{"GroupId": group.other}]}])
    before = group.rules()
    refused = run("fix", "--apply", "plan.json", "--region", REGION, "--yes", "--undo-file", "undo.json")
    assert refused.returncode == 2 and "new is sgr-" in refused.stderr and "udp 53" in refused.stderr
    assert writes(aws, real=False) == writes(aws) == [] and group.rules() == before
    assert not (tmp_path / "undo.json").exists()


def test_a_plan_from_files_is_resolved_and_applied(group, run, account, tmp_path):
    described = account.ec2.describe_security_groups()["SecurityGroups"]
    (tmp_path / "groups.json").write_text(json.dumps({"SecurityGroups": described}, default=str))
    shown = run("fix", group.id, "--groups", "groups.json", "--region", REGION, "--out", "plan.json")
    assert shown.returncode == 0, shown.stderr
    plan = json.loads((tmp_path / "plan.json").read_text())
    assert {rule["rule_id"] for rule in plan["groups"][0]["revoke"]} == {None}
    done = run("fix", "--apply", "plan.json", "--region", REGION, "--yes", "--undo-file", "undo.json")
    assert done.returncode == 0, done.stderr
    assert group.sources() == kept(group)
    edited = plan | {"groups": []}
    (tmp_path / "edited.json").write_text(json.dumps(edited))
    refused = run("fix", "--apply", "edited.json", "--region", REGION, "--yes")
    assert refused.returncode == 2 and "changed after it was made" in refused.stderr


@pytest.mark.parametrize("denied", ["AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress"])
def test_a_denied_dry_run_stops_before_anything_is_done(group, run, aws, tmp_path, denied):
    before = group.rules()
    aws.fault = lambda operation, request: ec2_error(403, "UnauthorizedOperation", "You are not authorized") if operation == denied else None
    refused = run(*apply(group))
    assert refused.returncode == 2 and denied in refused.stderr and "dry run" in refused.stderr
    assert writes(aws) == [] and group.rules() == before
    assert not (tmp_path / "undo.json").exists()


def test_what_must_not_be_touched_is_not(group, account, run, aws, tmp_path):
    managed = Group(account, tags={"ManagedBy": "Terraform"})
    before = managed.rules()
    left = run("fix", managed.id, "--region", REGION, "--apply", "--yes")
    assert left.returncode == 1 and "ManagedBy=Terraform" in left.stdout and writes(aws) == []
    settings = tmp_path / "policy.toml"
    settings.write_text(
        f'[[exemption]]\nid = "legacy"\nreason = "moves away next year"\ntarget = {{ id = "{group.id}" }}\nsource = "{group.web}"\nallow = "all-traffic"\n'
    )
    done = run("fix", group.id, "--region", REGION, "--policy", "policy.toml", "--apply", "--yes", "--undo-file", "one.json")
    assert done.returncode == 0, done.stderr
    assert group.sources() == kept(group) | {("-1", "None", group.web)}
    assert "EXEMPT" in done.stdout and "exemption legacy accepts all traffic" in done.stdout
    assert managed.rules() == before
    aws.ec2.owners = {managed.id: "999999999999"}
    foreign = run("fix", managed.id, "--region", REGION, "--even-managed", "--apply", "--yes")
    assert "account 999999999999 owns it" in foreign.stdout and managed.rules() == before
    aws.ec2.owners = {}
    assert run("fix", managed.id, "--region", REGION, "--even-managed", "--apply", "--yes").returncode == 0
    assert managed.sources() == kept(managed)


def test_only_the_source_that_is_asked_for_and_exit_1_while_the_group_fails(group, run):
    done = run("fix", group.id, "--region", REGION, "--source", group.web, "--apply", "--yes", "--undo-file", "undo.json")
    assert done.returncode == 1 and f"FAILED  {group.id}" in done.stdout
    assert group.sources() == kept(group) | {("-1", "None", group.batch)}


def test_all_failed_groups_are_mended_at_once(account, run, aws):
    groups = [Group(account) for _ in range(3)]
    before = [group.rules() for group in groups]
    done = run("fix", "--all-failed", "--region", REGION, "--apply", "--yes", "--undo-file", "undo.json")
    assert done.returncode == 0, done.stderr
    assert [group.sources() for group in groups] == [kept(group) for group in groups]
    assert run("undo", "undo.json", "--yes").returncode == 0
    assert [group.rules() for group in groups] == before


def test_ec2_that_shows_changes_late_is_waited_for(group, run, aws):
    before = group.rules()
    aws.ec2.freeze(4, group.id)
    done = run(*apply(group))
    assert done.returncode == 0, done.stderr
    assert "PASSED" in done.stdout and group.sources() == mended(group)
    aws.ec2.thaw()
    aws.ec2.freeze(2, group.id)
    assert run("undo", "undo.json", "--yes").returncode == 0
    assert group.rules() == before


def test_nobody_is_asked_where_nobody_can_answer(group, run, aws):
    refused = run("fix", group.id, "--region", REGION, "--apply")
    assert refused.returncode == 2 and "--yes" in refused.stderr and aws.calls == []
    (unasked := run("undo", "undo.json"))
    assert unasked.returncode == 2 and "--yes" in unasked.stderr


@pytest.mark.parametrize("answer", ["yes", "no", ""])
def test_the_question_on_a_terminal(group, environment, aws, tmp_path, answer):
    before = group.rules()
    main, side = pty.openpty()
    process = subprocess.Popen(
        [SG_TRUST, "fix", group.id, "--region", REGION, "--apply", "--undo-file", "undo.json"], env=environment, cwd=tmp_path, stdin=side, stdout=side, stderr=side
    )
    os.close(side)
    text = b""
    while b"[yes/no]" not in text:
        text += os.read(main, 4096)
    assert b"Revoke 2 rules of 1 security group" in text and writes(aws) == []
    os.write(main, answer.encode() + b"\n")
    deadline = time.time() + 60
    while process.poll() is None and time.time() < deadline:
        try:
            text += os.read(main, 4096)
        except OSError:
            break
    code = process.wait(timeout=60)
    os.close(main)
    if answer == "yes":
        assert code == 0 and group.sources() == kept(group)
    else:
        assert code == 2 and group.rules() == before and writes(aws) == []


def test_two_runs_do_not_share_an_undo_file(group, run, aws, environment, tmp_path):
    with aws.hold_requests("RevokeSecurityGroupIngress", when=lambda call: call.request.get("DryRun") != "true") as held:
        first = start(environment, tmp_path, *apply(group))
        held.wait()
        second = run(*apply(group))
        assert second.returncode == 2 and "another sg-trust" in second.stderr
    assert first.wait(timeout=60) == 0


def test_the_documented_permissions_are_what_was_called(group, run, aws, account):
    text = (ROOT / "docs/remediation.md").read_text()
    policy = json.loads(re.search(r"```json\n(\{\n  \"Version.*?)```", text, re.DOTALL)[1])
    allowed = set()
    for statement in policy["Statement"]:
        actions = statement["Action"]
        allowed |= {actions} if isinstance(actions, str) else set(actions)
    assert run(*apply(group)).returncode == 0
    # Somebody gives a rule back without its tags: undo adds them.
    group.allow([{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group.web, "Description": "legacy, do not touch"}]}])
    assert run("undo", "undo.json", "--yes").returncode == 0
    called = {f"{call.service}:{call.operation}" for call in aws.calls} - {"sts:GetCallerIdentity"}
    assert called == allowed
    assert any(call.operation == "AuthorizeSecurityGroupIngress" and call.request.get("TagSpecification.1.Tag.1.Key") == "team" for call in writes(aws))


def test_text_of_others_is_shown_harmless(group, account, run):
    account.ec2.create_tags(Resources=[group.id], Tags=[{"Key": "tf:\u202e", "Value": "\u200bx\u2066"}])
    shown = run("fix", group.id, "--region", REGION, "--even-managed")
    assert shown.returncode == 0 and "tf:\\u{202e}=\\u{200b}x\\u{2066}" in shown.stdout
    assert not {"\u202e", "\u200b", "\u2066"} & set(shown.stdout + shown.stderr)


def test_the_function_has_no_code_that_changes_groups():
    from aws_stub import BINARY

    marker = b"whoever runs this command needs the policy of docs/remediation.md"
    types = [b"AuthorizeSecurityGroupIngressInput", b"RevokeSecurityGroupIngressInput", b"CreateTagsInput"]
    tool, function = SG_TRUST.read_bytes(), BINARY.read_bytes()
    for text in (marker, *types):
        assert text in tool and text not in function, text
