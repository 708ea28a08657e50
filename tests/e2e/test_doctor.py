"""doctor: says in words what is missing, changes nothing, and says what it cannot tell."""

import subprocess

import pytest
from aws_stub import ACCOUNT, REGION, ec2_error, hub_error
from conftest import SG_TRUST


@pytest.fixture
def doctor(aws, tmp_path):
    def run(*arguments, **more):
        variables = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "AWS_ENDPOINT_URL": aws.endpoint, "AWS_REGION": REGION, "AWS_ACCESS_KEY_ID": "x",
                     "AWS_SECRET_ACCESS_KEY": "x", "AWS_EC2_METADATA_DISABLED": "true", **more}
        variables = {name: value for name, value in variables.items() if value}
        done = subprocess.run([SG_TRUST, "doctor", *arguments], env=variables, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout, done.stderr

    return run


def test_where_nothing_is_missing(account, aws, doctor):
    code, out, err = doctor()
    assert (code, err) == (0, ""), out + err
    lines = out.splitlines()
    assert not [line for line in lines if line.startswith("missing")]
    for action in ("ec2:DescribeSecurityGroups", "ec2:DescribeVpcs", "securityhub:GetFindings", "securityhub:BatchImportFindings", "securityhub:DescribeHub"):
        assert f"ok       {action}" in lines, out
    assert "ec2:DescribeSecurityGroupRules" not in out, "only with the setting rule_ids"
    assert "ok       ec2:DescribeNetworkInterfaces, for `sg-trust scan --interfaces` only" in lines, out
    for command in ("aws cloudtrail describe-trails", "aws events list-rules", "aws scheduler list-schedules", "aws iam simulate-principal-policy"):
        assert command in out
    assert f"--resource-arns arn:aws:securityhub:{REGION}:{ACCOUNT}:product/{ACCOUNT}/default" in out and "ContextKeyName=aws:RequestedRegion" in out
    assert account.findings() == {} and aws.hub.findings == {}


def test_a_hub_that_is_off(account, aws, doctor):
    aws.hub.is_on = False
    code, out, _ = doctor()
    assert code == 1
    (line,) = [line for line in out.splitlines() if line.startswith("missing")]
    assert f"not enabled in account {ACCOUNT}, region {REGION}" in line
    assert f"aws securityhub enable-security-hub --no-enable-default-standards --region {REGION}" in out


def test_what_is_denied_is_named_with_its_resource(account, aws, doctor, tmp_path):
    denied = hub_error(403, "AccessDeniedException", "User is not authorized to perform: securityhub:BatchImportFindings")
    replies = {"DescribeVpcs": ec2_error(403, "UnauthorizedOperation", "You are not authorized"), "BatchImportFindings": denied,
               "DescribeSecurityGroupRules": ec2_error(403, "UnauthorizedOperation", "You are not authorized")}
    aws.fault = lambda operation, _: replies.get(operation)
    (tmp_path / "policy.toml").write_text("rule_ids = true\n")
    code, out, _ = doctor("--policy", str(tmp_path / "policy.toml"))
    assert code == 1
    missing = [line.split()[1] for line in out.splitlines() if line.startswith("missing")]
    assert missing == ["ec2:DescribeSecurityGroupRules:", "ec2:DescribeVpcs:", "securityhub:BatchImportFindings:"]
    assert f"allow it on arn:aws:securityhub:{REGION}:{ACCOUNT}:product/{ACCOUNT}/default" in out
    assert "account, Region and partition are right" in out


def test_an_answer_that_does_not_tell_is_no_verdict(account, aws, doctor):
    aws.fault = lambda operation, _: ec2_error(503, "RequestLimitExceeded", "slow down") if operation == "DescribeVpcs" else None
    code, out, _ = doctor()
    assert code == 0
    assert any(line.startswith("?") and "ec2:DescribeVpcs: slow down (RequestLimitExceeded)" in line for line in out.splitlines()), out


def test_without_credentials(aws, doctor):
    code, out, _ = doctor(AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None)
    assert code == 1 and "no credentials" in out and "aws get-caller-identity" not in out, out


def test_interfaces_are_not_missed(account, aws, doctor):
    denied = ec2_error(403, "UnauthorizedOperation", "You are not authorized")
    aws.fault = lambda operation, _: denied if operation == "DescribeNetworkInterfaces" else None
    code, out, _ = doctor()
    assert code == 0, out
    (place,) = [place for place, line in enumerate(out.splitlines()) if line.startswith("?") and "ec2:DescribeNetworkInterfaces" in line]
    assert "only `sg-trust scan --interfaces` needs it, never the function" in out.splitlines()[place + 1]


def test_a_member_that_lacks_nothing(account, aws, doctor):
    aws.accounts.add("222222222222")
    code, out, err = doctor("--member", "222222222222")
    assert (code, err) == (0, ""), out + err
    assert f"ok       the role arn:aws:iam::222222222222:role/security/sg-trust-member can be assumed" in out
    assert f"ok       Security Hub CSPM is enabled in account 222222222222, region {REGION}" in out
    assert "securityhub:DescribeHub" not in out, "the member's role may not call it"
    # Only what tells whose the credentials are was asked of the own account.
    own = {call.operation for call in aws.calls if aws.accounts.of(call.access_key) == ACCOUNT}
    assert own == {"GetCallerIdentity", "AssumeRole"}


def test_what_a_member_lacks(account, aws, doctor):
    member = aws.accounts.add("222222222222")
    member.hub.is_on = False
    code, out, _ = doctor("--member", "222222222222")
    assert code == 1 and "Security Hub CSPM is not enabled in account 222222222222" in out
    code, out, _ = doctor("--member", "333333333333")
    assert code == 1 and "sts AssumeRole of arn:aws:iam::333333333333:role/security/sg-trust-member" in out and "infra/member.yaml" in out
    code, _, err = doctor("--member", "222222222222", SG_TRUST_MEMBER_ROLE="/x")
    assert code == 2 and "SG_TRUST_MEMBER_ROLE" in err
