"""The live commands of the command line, with the operator's own credentials."""

import json
import subprocess
import time

import pytest
from aws_stub import ec2_error
from cloudtrail import ACCOUNT, REGION, event
from conftest import SG_TRUST, Account


@pytest.fixture
def run(aws, tmp_path):
    def run(*arguments, stdin="", **environment):
        variables = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(tmp_path),
            "AWS_ENDPOINT_URL": aws.endpoint,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "AKIAEXAMPLEKEYID0000",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_EC2_METADATA_DISABLED": "true",
            **environment,
        }
        variables = {name: value for name, value in variables.items() if value is not None}
        return subprocess.run([SG_TRUST, *arguments], input=stdin, env=variables, capture_output=True, text=True, timeout=120)

    return run


def test_scan_prints_like_check_and_publishes_only_when_told(account, run, aws):
    source, group = account.group("web"), account.group("db")
    account.allow(group, source)
    table = run("scan")
    assert table.returncode == 1, table.stderr
    assert "FAILED" in table.stdout and f"{group} (db) accepts all traffic from {source}" in table.stdout
    assert "BatchImportFindings" not in aws.count()
    report = json.loads(run("scan", "--format", "json").stdout)
    everything = account.ec2.describe_security_groups()["SecurityGroups"]
    assert report["summary"] == {"groups": len(everything), "passed": len(everything) - 1, "failed": 1, "exempt": 0}
    checked = run("check", "-", "--format", "json", stdin=json.dumps({"SecurityGroups": everything}, default=str))
    by_id = lambda report: sorted(report["groups"], key=lambda group: group["group_id"])  # noqa: E731
    assert by_id(json.loads(checked.stdout)) == by_id(report)
    assert account.findings() == {}
    assert run("scan", "--publish").returncode == 1
    assert account.states()[group] == ("FAILED", "ACTIVE")


def test_scan_shows_the_rules_that_it_publishes(account, run, aws, tmp_path):
    group = account.group("db")
    account.allow(group, group)
    settings = tmp_path / "policy.toml"
    settings.write_text("rule_ids = true\n")
    shown = run("scan", "--publish", "--format", "asff", "--policy", str(settings))
    (finding,) = [finding for finding in json.loads(shown.stdout) if finding["RecordState"] == "ACTIVE"]
    published = account.findings()[group]["ProductFields"]
    assert finding["ProductFields"] == published and published["sg-trust/rule/1"].startswith("sgr-")
    assert aws.count()["DescribeSecurityGroupRules"] == 1


def test_scan_covers_the_regions_it_is_given(moto_port, account, run):
    other = Account(moto_port, region="eu-west-1")
    group = other.group("there")
    other.allow(group, group)
    report = json.loads(run("scan", "--region", REGION, "--region", "eu-west-1", "--format", "json").stdout)
    assert [found["group_id"] for found in report["groups"] if found["verdict"] == "FAILED"] == [group]
    everywhere = run("scan", "--all-regions", "--format", "ndjson")
    assert everywhere.returncode == 1 and group in everywhere.stdout


def test_a_region_that_fails_does_not_cost_the_others(account, run, aws):
    group = account.group("db")
    account.allow(group, group)
    seen = []

    def first_fails(operation, _):
        if operation != "DescribeSecurityGroups":
            return None
        seen.append(operation)
        return ec2_error(403, "UnauthorizedOperation", "no") if len(seen) == 1 else None

    aws.fault = first_fails
    result = run("scan", "--region", "eu-west-1", "--region", REGION)
    assert result.returncode == 2
    assert "eu-west-1: " in result.stderr and "UnauthorizedOperation" in result.stderr
    assert group in result.stdout


def test_scan_works_with_a_profile(account, run, tmp_path):
    (tmp_path / "config").write_text("[profile audit]\nregion = us-east-1\n")
    (tmp_path / "credentials").write_text("[audit]\naws_access_key_id = x\naws_secret_access_key = x\n")
    result = run("scan", AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None, AWS_REGION=None, AWS_PROFILE="audit",
                 AWS_CONFIG_FILE=str(tmp_path / "config"), AWS_SHARED_CREDENTIALS_FILE=str(tmp_path / "credentials"))
    assert result.returncode == 0, result.stderr


def test_without_credentials_it_says_what_to_do(run):
    result = run("scan", AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None)
    assert result.returncode == 2 and "aws sso login" in result.stderr
    result = run("scan", AWS_REGION=None)
    assert result.returncode == 2 and "--region" in result.stderr


def test_replay_live_publishes_only_when_told(account, run, tmp_path):
    source, group = account.group("web"), account.group("db")
    account.allow(group, source)
    file = tmp_path / "event.json"
    file.write_text(json.dumps(event("authorize-ingress", group, source)))
    shown = run("replay", str(file), "--live", "--format", "asff")
    assert shown.returncode == 1, shown.stderr
    assert json.loads(shown.stdout)[0]["Resources"][0]["Id"].endswith(group)
    assert account.findings() == {}
    assert run("replay", str(file), "--live", "--publish").returncode == 1
    assert account.states() == {group: ("FAILED", "ACTIVE")}
    file.write_text(json.dumps(event("other-account")))
    ignored = run("replay", str(file), "--live")
    assert ignored.returncode == 0 and "ignored" in ignored.stderr and ACCOUNT in ignored.stderr


@pytest.mark.parametrize("ahead", [-12, 12])
def test_nothing_is_published_by_a_clock_that_is_wrong(account, run, aws, tmp_path, ahead):
    group = account.group("db")
    account.allow(group, group)
    file = tmp_path / "event.json"
    file.write_text(json.dumps(event("authorize-ingress", group, group)))
    aws.clock = lambda service: time.time() + ahead
    for command in (["scan", "--publish"], ["replay", str(file), "--live", "--publish"], ["retire", "--yes"]):
        refused = run(*command)
        assert refused.returncode == 2, (command, refused)
        direction = "behind" if ahead > 0 else "ahead of"
        assert f" s {direction} that of EC2: set it (ntp), then publish" in refused.stderr, refused.stderr
    assert "BatchImportFindings" not in aws.count() and account.findings() == {}
    for command in (["scan"], ["replay", str(file), "--live"]):
        assert run(*command).returncode == 1, command


def test_what_becomes_of_passed_groups_is_as_in_the_function(account, run, functions, aws, tmp_path):
    group = account.group("db")
    functions(environment={"SG_TRUST_PASSED": "active"}).invoke({"action": "sweep"})
    assert account.states()[group] == ("PASSED", "ACTIVE")
    imports = aws.count()["BatchImportFindings"]
    swept = run("scan", "--publish", SG_TRUST_PASSED="active")
    assert swept.returncode == 0, swept.stderr
    assert account.states()[group] == ("PASSED", "ACTIVE") and aws.count()["BatchImportFindings"] == imports
    file = tmp_path / "event.json"
    file.write_text(json.dumps({"action": "evaluate", "group_ids": [group]}))
    shown = run("replay", str(file), "--live", "--publish", "--format", "asff", SG_TRUST_PASSED="active")
    assert [finding["RecordState"] for finding in json.loads(shown.stdout)] == ["ACTIVE"], shown.stderr
    assert account.states()[group] == ("PASSED", "ACTIVE")
    wrong = run("scan", "--publish", SG_TRUST_PASSED="sometimes")
    assert wrong.returncode == 2 and 'SG_TRUST_PASSED is "sometimes": it must be `archive` or `active`' in wrong.stderr
    assert run("scan", "--publish").returncode == 0
    assert account.states()[group] == ("PASSED", "ARCHIVED")


def test_the_region_is_looked_for_in_order(moto_port, account, run):
    group = Account(moto_port, region="eu-west-1").group("there")
    for arguments, variables in (
        (["--region", "eu-west-1"], {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}),
        ([], {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "us-east-1"}),
        ([], {"AWS_REGION": None, "AWS_DEFAULT_REGION": "eu-west-1"}),
    ):
        found = run("scan", "--format", "ndjson", *arguments, **variables)
        assert group in found.stdout, (arguments, variables, found.stderr)
    wrong = run("scan", AWS_REGION=None, AWS_DEFAULT_REGION="Frankfurt")
    assert wrong.returncode == 2 and '"Frankfurt" is not a Region' in wrong.stderr, wrong.stderr


def test_scan_keeps_what_it_read_for_every_other_command(moto_port, account, run, aws, tmp_path):
    vpc = account.vpc()
    web, db, lone = (account.group(name, vpc, {"team": "a b"}) for name in ("web", "db", "lone"))
    account.allow(db, web)
    public = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "all of it"}]}
    account.ec2.authorize_security_group_ingress(GroupId=web, IpPermissions=[public])
    subnet = account.ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    for groups in ([web], [db, web]):
        account.ec2.create_network_interface(SubnetId=subnet, Groups=groups)
    kept = tmp_path / "a" / "kept"
    scanned = run("scan", "--region", REGION, "--region", "eu-west-1", "--save", str(kept), "--interfaces")
    assert scanned.returncode == 1, scanned.stderr
    assert sorted(file.name for file in kept.iterdir()) == [f"{ACCOUNT}_eu-west-1.json", f"{ACCOUNT}_{REGION}.json"]
    file = kept / f"{ACCOUNT}_{REGION}.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert f"{file} has {len(account.ec2.describe_security_groups()['SecurityGroups'])} security group(s) and 2 network interface(s)" in scanned.stderr
    # It says what EC2 says, but for members that no command reads.
    by_id = lambda groups: {group["GroupId"]: group for group in groups}  # noqa: E731
    saved, real = by_id(json.loads(file.read_text())["SecurityGroups"]), by_id(account.ec2.describe_security_groups()["SecurityGroups"])
    assert saved.keys() == real.keys() and list(saved) == sorted(saved)
    for id, group in real.items():
        for member in ("GroupName", "OwnerId", "VpcId", "IpPermissions", "IpPermissionsEgress"):
            assert saved[id][member] == group[member], (member, saved[id], group)
        assert saved[id].get("Tags", []) == group.get("Tags", [])
    assert saved[web]["IpPermissions"][0]["IpRanges"][0]["Description"] == "all of it"
    # Every command that takes files takes the directory.
    assert run("check", str(kept)).returncode == 1
    assert f"{db} (db)" in run("explain", db, "--groups", str(kept)).stdout
    event_file = tmp_path / "event.json"
    event_file.write_text(json.dumps({"action": "evaluate", "group_ids": [db]}))
    assert db in run("replay", str(event_file), "--groups", str(kept), "--region", REGION).stdout
    graph = json.loads(run("graph", str(kept), "--format", "json").stdout)
    told = {group["group_id"]: (group["machines"], group["latent"]) for group in graph["groups"]}
    assert graph["interfaces"] and (told[web], told[db], told[lone]) == ((2, False), (1, False), (0, True))
    assert run("reach", str(kept), "--from", "internet", "--to", db).returncode == 1
    # Without --interfaces the groups alone, and no call for the others.
    aws.calls.clear()
    assert run("scan", "--save", str(kept)).returncode == 1
    assert "NetworkInterfaces" not in json.loads(file.read_text()) and "DescribeNetworkInterfaces" not in aws.count()
    refused = run("scan", "--interfaces")
    assert refused.returncode == 2 and "--save" in refused.stderr


def test_scan_writes_the_report_of_what_it_read(account, run, aws, tmp_path):
    vpc = account.vpc()
    web, db = (account.group(name, vpc) for name in ("web", "db"))
    account.allow(db, web)
    kept, live, again = tmp_path / "kept", tmp_path / "live.html", tmp_path / "again.html"
    scanned = run("scan", "--save", str(kept), "--interfaces", "--report", str(live))
    assert scanned.returncode == 1, scanned.stderr
    assert f'data-group-id="{db}" data-verdict="FAILED"' in live.read_text()
    # It is that of the files that it kept.
    assert run("report", str(kept), "-o", str(again)).returncode == 0
    assert live.read_text() == again.read_text()
    # Without files too, and what could not be read stands in it.
    denied = ec2_error(403, "UnauthorizedOperation", "no")
    aws.fault = lambda operation, _: denied if operation == "DescribeSecurityGroups" else None
    refused = run("scan", "--report", str(live))
    assert refused.returncode == 2
    assert "This report is incomplete" in live.read_text() and REGION in live.read_text()
    nowhere = tmp_path / "none" / "report.html"
    assert run("scan", "--report", str(nowhere)).returncode == 2


def test_a_region_that_cannot_be_read_whole_loses_what_was_kept(account, run, aws, tmp_path):
    account.group("db")
    kept = tmp_path / "kept"
    files = {region: kept / f"{ACCOUNT}_{region}.json" for region in ("eu-west-1", REGION)}
    both = ("scan", "--region", "eu-west-1", "--region", REGION, "--save", str(kept))
    assert run(*both).returncode == 0 and all(file.exists() for file in files.values())
    denied = ec2_error(403, "UnauthorizedOperation", "no")
    aws.fault = lambda operation, _: denied if operation == "DescribeNetworkInterfaces" else None
    result = run(*both, "--interfaces")
    assert result.returncode == 2 and not any(file.exists() for file in files.values())
    assert "the role needs ec2:DescribeNetworkInterfaces" in result.stderr and "of an earlier scan was removed" in result.stderr
    assert run(*both).returncode == 0
    seen = []

    def first_fails(operation, _):
        seen.extend([operation] if operation == "DescribeSecurityGroups" else [])
        return denied if operation == "DescribeSecurityGroups" and len(seen) == 1 else None

    aws.fault = first_fails
    result = run(*both)
    assert result.returncode == 2 and "eu-west-1: " in result.stderr
    assert [file.exists() for file in files.values()] == [False, True] and len(list(kept.iterdir())) == 1
