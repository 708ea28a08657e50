"""scan over accounts: every account and Region by its own role, so many at once; what fails is named and the others are done."""

import json
import subprocess

import pytest
from aws_stub import ACCOUNT, REGION, ec2_error, group_xml
from conftest import SG_TRUST

REGIONS = ["eu-central-1", "eu-west-1", "us-east-1"]
ACCOUNTS = [f"7777777777{number:02}" for number in range(20)]
ROLE = "audit/sg-trust-scan"


def group(id, account, *sources):
    pairs = [{"GroupId": source, "UserId": of} for source, of in sources]
    permissions = [{"IpProtocol": "-1", "UserIdGroupPairs": pairs}] if pairs else []
    return group_xml({"OwnerId": account, "GroupId": id, "GroupName": id[-4:], "Description": "d", "VpcId": "vpc-1", "IpPermissions": permissions})


def id_of(account, number):
    return f"sg-{account[-2:]}{number:015x}"


@pytest.fixture
def organisation(aws):
    """Each account trusts the next one's group, and has one that is closed."""
    aws.ec2.groups = {}
    for number, account in enumerate(ACCOUNTS):
        member = aws.accounts.add(account, role=ROLE)
        following = ACCOUNTS[(number + 1) % len(ACCOUNTS)]
        groups = {id_of(account, 1): group(id_of(account, 1), account, (id_of(following, 1), following)), id_of(account, 2): group(id_of(account, 2), account)}
        member.ec2.groups = groups
    return aws.accounts


@pytest.fixture
def scan(aws, tmp_path):
    def run(*arguments, command="scan"):
        variables = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "AWS_ENDPOINT_URL": aws.endpoint, "AWS_REGION": REGION, "AWS_ACCESS_KEY_ID": "OPERATOR",
                     "AWS_SECRET_ACCESS_KEY": "x", "AWS_EC2_METADATA_DISABLED": "true"}  # fmt: skip
        done = subprocess.run([SG_TRUST, command, *map(str, arguments)], env=variables, capture_output=True, text=True, timeout=120)
        return done.returncode, done.stdout, done.stderr

    return run


def regions():
    return [argument for region in REGIONS for argument in ("--region", region)]


def overlapping(calls):
    moments = sorted([(call.arrived, 1) for call in calls] + [(call.answered, -1) for call in calls])
    now = most = 0
    for _, change in moments:
        now += change
        most = max(most, now)
    return most


def test_twenty_accounts_in_three_regions_of_which_one_fails(aws, organisation, scan, tmp_path):
    bad_account, bad_region = ACCOUNTS[7], "eu-west-1"
    folder, report = tmp_path / "organisation", tmp_path / "organisation.html"
    folder.mkdir()
    for name in (f"{ACCOUNTS[3]}_us-east-1.json", f"{bad_account}_{bad_region}.json"):
        (folder / name).write_text(json.dumps({"SecurityGroups": []}))
    organisation.roles_refused.add(ACCOUNTS[3])
    denied = ec2_error(403, "UnauthorizedOperation", "You are not authorized")
    original = aws.do

    def do(call, request):
        is_bad = call.operation == "DescribeSecurityGroups" and aws.accounts.of(call.access_key) == bad_account and call.region == bad_region
        return denied if is_bad else original(call, request)

    aws.do = do
    try:
        aws.delay_answers("DescribeSecurityGroups", 0.05)
        code, out, err = scan("--organization", "--role-name", ROLE, *regions(), "--save", folder, "--report", report, "--format", "json", "--concurrency", "6")
    finally:
        del aws.do
    assert code == 2, err
    answer = json.loads(out)
    assert answer["summary"] == {"groups": 112, "passed": 56, "failed": 56, "exempt": 0}
    owners = [group["owner_id"] for group in answer["groups"]]
    assert owners == sorted(owners) and set(owners) == set(ACCOUNTS) - {ACCOUNTS[3]}
    lines = err.splitlines()
    summaries = [line for line in lines if line.endswith("2 groups: 1 passed, 1 failed, 0 exempt")]
    assert len(summaries) == 56 and f"sg-trust: {ACCOUNTS[0]} eu-central-1: 2 groups: 1 passed, 1 failed, 0 exempt" in summaries
    assert [line for line in lines if f"{bad_account} {bad_region}: ec2 DescribeSecurityGroups" in line], err
    assert [line for line in lines if f"{ACCOUNTS[3]}: account {ACCOUNTS[3]}: sts AssumeRole" in line], err
    assert lines[-1] == "sg-trust: 20 accounts, 57 accounts and Regions, 2 failed: 112 groups: 56 passed, 56 failed, 0 exempt"
    # What an earlier scan kept of what failed now is gone.
    expected = {f"{account}_{region}.json" for account in ACCOUNTS for region in REGIONS if account != ACCOUNTS[3]} - {f"{bad_account}_{bad_region}.json"}
    assert {path.name for path in folder.iterdir()} == expected
    # Each call with the credentials of its account; each role once; so many at once, and not one after the other.
    reads = aws.calls_of("DescribeSecurityGroups")
    assert all(call.request["Filter.1.Value.1"] == aws.accounts.of(call.access_key) for call in reads)
    assert sorted(arn for _, arn in organisation.assumed) == [f"arn:aws:iam::{account}:role/{ROLE}" for account in ACCOUNTS]
    assert 2 <= overlapping(reads) <= 6
    assert not {"BatchImportFindings", "GetFindings"} & set(aws.count())
    print(f"calls: {dict(aws.count())}, {overlapping(reads)} reads at once")
    # The report has every group that was read, and names what was not. A group is its account and id: here Regions share ids, as they never do in AWS.
    page = report.read_text()
    assert page.count("<tr data-group-id=") == 2 * 19
    assert f"{bad_account} {bad_region}" in page and ACCOUNTS[3] in page
    code, out, err = scan(folder, "-o", tmp_path / "saved.html", command="report")
    assert code == 0 and (tmp_path / "saved.html").read_text().count("<tr data-group-id=") == 2 * 19, err
    # The organisation's graph, across accounts.
    code, out, err = scan(folder, command="graph")
    assert code == 0, err
    code, out, err = scan(folder, "--from", id_of(ACCOUNTS[12], 1), "--to", id_of(ACCOUNTS[9], 1), "--format", "json", command="reach")
    assert code == 1 and json.loads(out), err
    code, out, err = scan(folder, "--format", "json", command="check")
    assert code == 1 and json.loads(out)["summary"]["failed"] >= 19, err


def test_a_table_for_each_account_and_region(aws, organisation, scan):
    arguments = ["--account", ACCOUNTS[0], "--account", ACCOUNTS[1], "--role-name", ROLE, "--region", "eu-west-1"]
    code, out, err = scan(*arguments)
    assert code == 1
    assert [line for line in out.splitlines() if line.startswith("7777")] == [f"{ACCOUNTS[0]} eu-west-1", f"{ACCOUNTS[1]} eu-west-1"]
    assert out.count("2 groups: 1 passed, 1 failed, 0 exempt") == 2
    assert aws.count()["ListAccounts"] == 0


def test_the_own_account_needs_no_role_and_all_regions_are_each_accounts_own(aws, organisation, scan):
    organisation.listed = [(ACCOUNT, "ACTIVE"), (ACCOUNTS[0], "ACTIVE"), (ACCOUNTS[1], "SUSPENDED")]
    code, out, err = scan("--organization", "--role-name", ROLE, "--all-regions", "--format", "ndjson")
    assert code == 1, err
    assert [arn for _, arn in organisation.assumed] == [f"arn:aws:iam::{ACCOUNTS[0]}:role/{ROLE}"]
    assert {aws.accounts.of(call.access_key) for call in aws.calls_of("DescribeRegions")} == {ACCOUNT, ACCOUNTS[0]}
    assert f"sg-trust: 2 accounts, " in err


def test_usage_that_cannot_be_meant(scan):
    for arguments in (["--account", ACCOUNTS[0]], ["--organization"], ["--role-name", ROLE], ["--account", "12", "--role-name", ROLE],
                      ["--organization", "--role-name", "arn:aws:iam::1:role/x"], ["--organization", "--role-name", ROLE, "--publish"],
                      ["--organization", "--account", ACCOUNTS[0], "--role-name", ROLE], ["--organization", "--role-name", ROLE, "--concurrency", "0"]):  # fmt: skip
        code, out, err = scan(*arguments)
        assert code == 2 and out == "" and err, arguments
