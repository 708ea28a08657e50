"""The formats for other tools, against the schemas of those who define them: SARIF 2.1.0 and OCSF 1.6.0."""

import json
import subprocess
from pathlib import Path

import jsonschema
import pytest
from conftest import SG_TRUST
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

ACCOUNT = "123456789012"
HOSTILE = "\r::stop-commands::x \u202e[a](http://b) {0} %25 <b> \U0001f469"
# Of the OASIS specification, from https://github.com/oasis-tcs/sarif-spec.
SARIF = json.loads((Path(__file__).parents[1] / "data/sarif-schema-2.1.0.json").read_text())
POLICY = """
[[exemption]]
id = "accepted"
reason = "the vendor's appliance needs it"
owner = "platform@example.com"
target = { id = "sg-0e" }
source = "any"
allow = "all-traffic"
"""


def pair(group, **members):
    return {"GroupId": group, "UserId": ACCOUNT, **members}


def permission(*pairs, protocol="-1", ports=None):
    made = {"IpProtocol": protocol, "UserIdGroupPairs": list(pairs)}
    return made if ports is None else {**made, "FromPort": ports[0], "ToPort": ports[1]}


def group(group, *permissions, **members):
    return {"GroupId": group, "GroupName": HOSTILE, "OwnerId": ACCOUNT, "VpcId": "vpc-1", "IpPermissions": list(permissions), **members}


GROUPS = [
    group("sg-0a", permission(pair("sg-0b"), {"GroupName": HOSTILE, "UserId": ACCOUNT}), Tags=[{"Key": "a", "Value": ""}]),
    group("sg-0b", permission(pair("sg-0b"), pair("sg-0c", UserId="210987654321"), protocol="tcp", ports=(0, 65535))),
    group("sg-0c", permission({"GroupId": "sg-0d"}, protocol="udp", ports=(1, 65535))),
    group("sg-0d", *[permission(pair("sg-0a"), protocol="tcp", ports=ports) for ports in ((0, 32767), (32768, 65535))]),
    group("sg-0e", permission(pair("sg-0a"))),
    group("sg-0f", permission(pair("sg-0a"), protocol="tcp", ports=(443, 443))),
    {"GroupId": "sg-00", "OwnerId": ACCOUNT, "IpPermissions": []},
]
VERDICTS = {"sg-0a": "FAILED", "sg-0b": "FAILED", "sg-0c": "FAILED", "sg-0d": "FAILED", "sg-0e": "EXEMPT", "sg-0f": "PASSED", "sg-00": "PASSED"}


@pytest.fixture
def check(tmp_path):
    (tmp_path / "groups.json").write_text(json.dumps({"SecurityGroups": GROUPS}))
    (tmp_path / "policy.toml").write_text(POLICY)

    def check(*arguments):
        command = [SG_TRUST, "check", "groups.json", "--policy", "policy.toml", "--region", "eu-west-1", "--format", *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert done.returncode == 1, done.stderr
        return json.loads(done.stdout)

    return check


def test_the_groups_have_every_verdict(check):
    assert {one["group_id"]: one["verdict"] for one in check("json")["groups"]} == VERDICTS


@pytest.mark.parametrize("reader", [(), ("--sarif-for", "github")])
def test_sarif_is_what_oasis_defines(check, reader):
    log = check("sarif", *reader)
    jsonschema.Draft7Validator(SARIF).validate(log)
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    shown = {}
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"] and result["level"] == "note"
        (location,) = result["locations"]
        assert location["physicalLocation"]["artifactLocation"] == {"uri": "groups.json"}
        (logical,) = location["logicalLocations"]
        assert logical["fullyQualifiedName"].startswith(f"arn:aws:ec2:eu-west-1:{ACCOUNT}:security-group/sg-")
        shown.setdefault(logical["fullyQualifiedName"].rsplit("/")[1], set()).add(result["ruleId"])
        exempt = [entry["justification"] for entry in result.get("suppressions", [])]
        assert exempt == (["accepted: the vendor's appliance needs it (owner platform@example.com)"] if "sg-0e" in logical["fullyQualifiedName"] else [])
    expected = {"sg-0a": {"all-traffic"}, "sg-0b": {"all-ports"}, "sg-0c": {"wide-range"}, "sg-0d": {"split-ranges"}}
    assert shown == (expected if reader else {**expected, "sg-0e": {"all-traffic"}})
    prints = [tuple(sorted(result["partialFingerprints"].items())) for result in run["results"]]
    assert len(set(prints)) == len(prints) == (6 if reader else 7)
    assert all(("suppressions" in result) != bool(reader) for result in run["results"])


def test_ocsf_is_what_its_schema_defines(check):
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version="1.6.0"))
    schema = schema.get_class_schema("compliance_finding", profiles=["cloud", "datetime"])
    validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    findings = {finding["Id"]: finding for finding in check("asff")}
    states = {
        "FAILED": (200301, "New", "Fail"), "EXEMPT": (200301, "Suppressed", "Fail"), "PASSED": (200303, "Resolved", "Pass"),
    }
    events = check("ocsf")
    assert len(events) == len(findings) == len(GROUPS)
    for event in events:
        validator.validate(event)
        finding = findings[event["finding_info"]["uid"]]
        assert event["metadata"]["product"]["uid"] == finding["ProductArn"]
        assert event["finding_info"]["title"] == finding["Title"] and event["message"] == finding["Description"]
        verdict = VERDICTS[event["finding_info"]["uid"].rsplit("/")[-1]]
        assert (event["type_uid"], event["status"], event["compliance"]["status"]) == states[verdict]
        assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
        ids = schema["properties"]["severity_id"]["enum"]
        assert event["severity_id"] in ids and event["resources"][0]["uid"] == finding["Resources"][0]["Id"]
        details = event["compliance"].get("status_details", [])
        assert details == [reason["Description"] for reason in finding["Compliance"].get("StatusReasons", [])]
        assert bool(event.get("evidences")) == (verdict != "PASSED")
    by_id = {event["finding_info"]["uid"].rsplit("/")[-1]: event for event in events}
    sources = [resource.get("uid") or resource["name"] for resource in by_id["sg-0b"]["resources"][1:]]
    assert sources == ["arn:aws:ec2:eu-west-1:210987654321:security-group/sg-0c"]
    (evidence,) = by_id["sg-0c"]["evidences"]
    assert evidence["data"]["reason"] == "wide-range" and evidence["data"]["ports"] == [[1, 65535]]


def test_the_schemas_refuse_what_is_wrong(check):
    """A schema that takes everything would show nothing."""
    log = check("sarif")
    log["runs"][0]["results"][0]["kind"] = "failed"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(SARIF).validate(log)
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version="1.6.0"))
    schema = schema.get_class_schema("compliance_finding", profiles=["cloud", "datetime"])
    event = check("ocsf")[0]
    for member, value in (("severity_id", 12), ("cloud", {}), ("time", "today"), ("unheard_of", 1)):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.Draft202012Validator(schema).validate({**event, member: value})
