"""Exemptions, severity from both ends, and the ids of rules, in the function."""

import datetime
import json

import pytest
from aws_stub import ec2_error, group_xml
from cloudtrail import ACCOUNT, event
from test_events import failed, sqs
from test_sweep import SWEEP, open_group

ACTIVE, EXEMPT = ("FAILED", "ACTIVE"), ("WARNING", "ARCHIVED")
SENSITIVITY = '[sensitivity]\ntag = "Data"\nlevels = ["public", "internal", "restricted"]\ndefault = "internal"\n'


def day(days):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)).date()


def exemption(id="accepted", target=f'account = "{ACCOUNT}"', source='"any"', until=None):
    end = f"until = {until}\n" if until else ""
    return f'[[exemption]]\nid = "{id}"\nreason = "accepted by the board"\nowner = "platform"\n{end}target = {{ {target} }}\nsource = {source}\nallow = "all-traffic"\n'


@pytest.fixture
def with_settings(functions, tmp_path):
    """Starts functions with these settings."""
    count = 0

    def start(text):
        nonlocal count
        count += 1
        path = tmp_path / f"policy-{count}.toml"
        path.write_text(text)
        return functions(environment={"SG_TRUST_POLICY_FILE": str(path)})

    return start


def evaluate(*groups):
    return {"action": "evaluate", "group_ids": list(groups)}


def test_an_exemption_holds_until_its_end(account, with_settings, aws):
    source, group = account.group("web"), account.group("db")
    account.allow(group, source)
    holds, ended = with_settings(exemption(until=day(1))), with_settings(exemption(until=day(-1)))
    answer = holds.invoke(evaluate(group))
    assert (answer.body["exempt"], answer.body["failed"]) == (1, 0)
    assert account.states() == {group: EXEMPT}
    finding = account.findings()[group]
    assert finding["FindingProviderFields"]["Severity"]["Label"] == "INFORMATIONAL"
    assert finding["Compliance"]["StatusReasons"] == [
        {"ReasonCode": "EXEMPTED", "Description": f"accepted by the board (owner platform, until {day(1)})"}
    ]
    assert "exemption accepted" in finding["ProductFields"]["sg-trust/violation/1"]
    # A sweep with nothing changed imports nothing.
    aws.calls.clear()
    assert holds.invoke(SWEEP).body["exempt"] == 1
    assert aws.count() == {"GetFindings": 2, "DescribeSecurityGroups": 1}
    # The day after its end the next sweep turns it FAILED by itself.
    assert ended.invoke(SWEEP).body["failed"] == 1
    assert account.states() == {group: ACTIVE}
    assert account.findings()[group]["Compliance"].get("StatusReasons", []) == []
    # And the sweep of who renewed it exempts it again.
    assert holds.invoke(SWEEP).body["exempt"] == 1
    assert account.states() == {group: EXEMPT}


def test_a_partly_exempt_group_fails_and_lists_both(account, with_settings):
    source, group = account.group("web"), account.group("db")
    account.allow(group, source)
    account.allow(group, group)
    function = with_settings(exemption(source='"self"'))
    assert function.invoke(evaluate(group)).body["failed"] == 1
    fields = account.findings()[group]["ProductFields"]
    assert fields["sg-trust/violations"] == "2"
    assert "exemption" not in fields["sg-trust/violation/1"] and fields["sg-trust/violation/2"].endswith("exemption accepted")


def test_an_exempt_finding_is_published_anew_after_twenty_days(account, with_settings, aws):
    group = account.group("db")
    account.allow(group, group)
    function = with_settings(exemption())
    function.invoke(evaluate(group))
    for days, imports in ((19, 0), (21, 1)):
        moment = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=days)
        aws.hub.findings = {id: {**f, "UpdatedAt": moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")} for id, f in aws.hub.findings.items()}
        aws.calls.clear()
        assert not function.invoke(SWEEP).is_error
        assert aws.count()["BatchImportFindings"] == imports
    assert account.states() == {group: EXEMPT}


def test_a_sweep_warns_of_exemptions(account, with_settings):
    group = account.group("db")
    account.allow(group, group)
    function = with_settings(
        exemption("soon", until=day(3)) + exemption("ended", until=day(-3)) + exemption("unused", 'vpc = "vpc-0123456789abcdef0"')
        + exemption("of-another", 'account = "210987654321"')
    )
    assert not function.invoke(SWEEP).is_error
    warnings = [line["warning"] for line in function.wait_for(lambda line: line.get("level") == "WARN" and "warning" in line)]
    assert len(warnings) == 3 and all(any(id in warning for warning in warnings) for id in ("soon", "ended", "unused")), warnings
    assert function.metrics()[0]["ExemptionsEnding"] == 1


def test_a_refused_exemption_excuses_nothing_and_lets_the_function_start(account, with_settings):
    source, group, other = account.group("web"), account.group("db"), account.group("other")
    account.allow(group, source)
    account.allow(other, other)
    without_allow = exemption("without-allow").replace('allow = "all-traffic"\n', "")
    function = with_settings(without_allow + exemption("by-name", 'name = "*"') + exemption("itself", source='"self"'))
    answer = function.invoke(evaluate(group, other))
    assert (answer.body["failed"], answer.body["exempt"]) == (1, 1)
    assert account.states() == {group: ACTIVE, other: EXEMPT}
    refused = function.wait_for(lambda line: line.get("level") == "ERROR" and line.get("message") == "exemption refused")
    assert [line["exemption"] for line in refused] == ["without-allow", "by-name"]
    assert "exemption.allow: " in refused[0]["error"] and "exemption.target: " in refused[1]["error"]
    assert function.metrics()[0]["ExemptionsRefused"] == 2


def test_a_tag_change_of_a_source_changes_the_severity_of_its_targets(account, with_settings, aws):
    vpc = account.vpc()
    source, group, other = account.group("web", vpc), account.group("db", vpc, tags={"Data": "restricted"}), account.group("other", vpc)
    account.allow(group, source)
    account.allow(other, other)
    function = with_settings(SENSITIVITY)
    aws.calls.clear()
    assert function.invoke(event("authorize-ingress", group, source)).body["failed"] == 1
    assert aws.count() == {"DescribeSecurityGroups": 2, "BatchImportFindings": 1}
    finding = account.findings()[group]
    assert finding["FindingProviderFields"]["Severity"]["Label"] == "MEDIUM"
    assert finding["Description"].startswith(f"{group} (db, restricted) accepts all traffic from {source} (web, internal).")
    for tag, severity in (("public", "HIGH"), ("RESTRICTED", "LOW")):
        account.ec2.create_tags(Resources=[source], Tags=[{"Key": "Data", "Value": tag}])
        aws.calls.clear()
        answer = function.invoke(event("create-tags", source, source))
        assert answer.body["evaluated"] == 2, "the source, and the group that lets it in"
        assert aws.count()["DescribeSecurityGroups"] <= 3 and aws.count()["BatchImportFindings"] == 1
        assert account.findings()[group]["FindingProviderFields"]["Severity"]["Label"] == severity
    # The sweep comes to the same.
    aws.calls.clear()
    assert not function.invoke(SWEEP).is_error
    assert account.findings()[group]["FindingProviderFields"]["Severity"]["Label"] == "LOW"


def test_a_tag_change_of_a_source_proves_nothing_about_a_target_that_was_deleted(account, with_settings, aws):
    vpc = account.vpc()
    source, group = account.group("web", vpc), account.group("db", vpc)
    account.allow(group, source)
    function = with_settings(SENSITIVITY)
    aws.ec2.freeze(100)
    account.ec2.delete_security_group(GroupId=group)
    answer = function.invoke(sqs(event("delete-security-group", group, seconds_ago=5), event("create-tags", source, source, seconds_ago=2)))
    assert "message-0" in failed(answer)
    assert group not in account.states()


def test_without_sensitivity_no_tags_are_asked_for(account, function, aws):
    source, group = account.group("web"), account.group("db")
    account.allow(group, source)
    aws.calls.clear()
    function.invoke(event("create-tags", source, source))
    assert aws.count() == {"DescribeSecurityGroups": 1, "BatchImportFindings": 1}


def test_a_source_that_is_gone_counts_as_unseen(account, with_settings, aws):
    pair = {"UserId": "210987654321", "GroupId": "sg-0fedcba9876543210"}
    aws.ec2.groups = letting_in(pair, Tags=[{"Key": "Data", "Value": "restricted"}])
    function = with_settings(SENSITIVITY)
    assert function.invoke(evaluate("sg-0123456789abcdef0")).body["failed"] == 1
    (finding,) = aws.hub.findings.values()
    assert finding["FindingProviderFields"]["Severity"]["Label"] == "HIGH"


def test_without_the_sources_nothing_is_published(account, with_settings, aws):
    source, group = account.group("web"), account.group("db")
    account.allow(group, source)
    function = with_settings(SENSITIVITY)
    calls = []

    def deny_the_second(operation, _):
        calls.append(operation)
        return ec2_error(403, "UnauthorizedOperation", "no") if calls.count("DescribeSecurityGroups") > 1 else None

    aws.fault = deny_the_second
    answer = function.invoke(evaluate(group))
    assert answer.is_error and answer.body["errorType"] == "NonRetryable"
    assert account.findings() == {}


def letting_in(pair, **members):
    """One group of the stub's memory that lets in this source: moto refuses such sources."""
    id = "sg-0123456789abcdef0"
    return {id: group_xml(open_group(id, pair, **members))}


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        ({"UserId": "210987654321"}, "in account 210987654321"),
        (
            {"UserId": "210987654321", "VpcId": "vpc-0ff", "VpcPeeringConnectionId": "pcx-0aa", "PeeringStatus": "active"},
            "in account 210987654321 over pcx-0aa",
        ),
        ({"UserId": ACCOUNT, "VpcPeeringConnectionId": "pcx-0aa", "PeeringStatus": "deleted"}, "over pcx-0aa (peering deleted)"),
        ({}, "(owner unknown)"),
        ({"UserId": ACCOUNT, "Description": "for now"}, ', described as "for now"'),
    ],
)
def test_sources_that_cannot_be_looked_at_are_told_in_words(account, function, aws, pair, words):
    source = "sg-0fedcba9876543210"
    aws.ec2.groups = letting_in({"GroupId": source, **pair})
    assert function.invoke(evaluate("sg-0123456789abcdef0")).body["failed"] == 1
    (finding,) = aws.hub.findings.values()
    said = words if words.startswith(",") else f" {words}"
    assert finding["Description"] == f"sg-0123456789abcdef0 (db) accepts all traffic from {source}{said}."


def test_rules_are_named_by_their_ids(account, with_settings, aws):
    vpc = account.vpc()
    source, group = account.group("web", vpc), account.group("db", vpc)
    account.allow(group, source)
    account.allow(group, source, "tcp", (443, 443))
    rules = account.ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])["SecurityGroupRules"]
    (rule,) = [r["SecurityGroupRuleId"] for r in rules if not r["IsEgress"] and r["IpProtocol"] == "-1"]
    function = with_settings("rule_ids = true\n")
    assert function.invoke(event("authorize-ingress", group, source)).body["failed"] == 1
    assert aws.count()["DescribeSecurityGroupRules"] == 1
    fields = account.findings()[group]["ProductFields"]
    assert fields["sg-trust/rule/1"] == rule
    assert fields["sg-trust/fix/1"] == f"aws ec2 revoke-security-group-ingress --region us-east-1 --group-id {group} --security-group-rule-ids {rule}"
    # A group that passes needs no rules, and the digest is the same with and without them.
    aws.calls.clear()
    function.invoke(evaluate(source))
    assert "DescribeSecurityGroupRules" not in aws.count()
    plain = with_settings("")
    aws.calls.clear()
    plain.invoke(SWEEP)
    assert "BatchImportFindings" not in aws.count()


def test_rules_that_cannot_be_had_cost_no_finding(account, with_settings, aws):
    vpc = account.vpc()
    groups = [account.group(f"g{n}", vpc) for n in range(3)]
    for group in groups:
        account.allow(group, group)
    function = with_settings("rule_ids = true\n")
    aws.fault = lambda operation, _: ec2_error(403, "UnauthorizedOperation", "no") if operation == "DescribeSecurityGroupRules" else None
    for made in (evaluate(*groups), SWEEP):
        assert not function.invoke(made).is_error
    assert account.states() == {group: ACTIVE for group in groups}
    assert "sg-trust/rule/1" not in account.findings()[groups[0]]["ProductFields"]
    function.log()
    (warning,) = [line["warning"] for line in map(json.loads, function.lines) if "warning" in line]
    assert "ec2:DescribeSecurityGroupRules" in warning


def test_the_rules_of_a_sweep_come_in_few_calls(account, with_settings, aws):
    vpc = account.vpc()
    for n in range(5):
        group = account.group(f"g{n}", vpc)
        account.allow(group, group)
    function = with_settings("rule_ids = true\n")
    aws.calls.clear()
    assert not function.invoke(SWEEP).is_error
    assert aws.count()["DescribeSecurityGroupRules"] == 1
    assert all("sg-trust/rule/1" in finding["ProductFields"] for finding in account.findings().values() if finding["RecordState"] == "ACTIVE")


def test_settings_that_are_wrong_stop_the_start(functions, tmp_path):
    path = tmp_path / "policy.toml"
    path.write_text(exemption(until='"tomorrow"'))
    function = functions(environment={"SG_TRUST_POLICY_FILE": str(path)})
    assert function.process.wait(20) != 0
    function.process.stderr.close()
    assert any("policy.toml:5: exemption.until: " in line for line in function.errors), function.errors
