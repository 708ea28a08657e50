"""Checks findings against AWS's model of BatchImportFindings, and against what the product promises of every finding."""

import json
import re

import botocore.session
import botocore.validate

SHAPE = botocore.session.get_session().get_service_model("securityhub").operation_model("BatchImportFindings").input_shape
POLICY = "AWS.SecurityGroup.RestrictsInterSecurityGroupTraffic"
# Compliance.Status -> RecordState, and whether the severity is INFORMATIONAL
STATES = {"FAILED": ({"ACTIVE"}, False), "PASSED": ({"ARCHIVED", "ACTIVE"}, True), "NOT_AVAILABLE": ({"ARCHIVED"}, True), "WARNING": ({"ARCHIVED"}, True)}
NEVER = {"UserDefinedFields", "Note", "VerificationState", "Workflow", "WorkflowState", "Action", "Vulnerabilities", "Severity", "Types", "FirstObservedAt"}


def faults(finding):
    report = botocore.validate.ParamValidator().validate({"Findings": [finding]}, SHAPE)
    found = [line for line in report.generate_report().splitlines() if line]
    found += list(by_model(SHAPE.members["Findings"].member, finding, "finding"))
    return found + list(by_promise(finding))


def by_model(shape, value, path):
    """Members, enums, patterns and lengths, which botocore's own validator leaves out."""
    if shape.type_name == "structure":
        for name, member in value.items():
            if name not in shape.members:
                yield f"{path}.{name}: no such member"
            else:
                yield from by_model(shape.members[name], member, f"{path}.{name}")
    elif shape.type_name == "list":
        if "max" in shape.metadata and len(value) > shape.metadata["max"]:
            yield f"{path}: too many"
        for index, item in enumerate(value):
            yield from by_model(shape.member, item, f"{path}[{index}]")
    elif shape.type_name == "map":
        for name, item in value.items():
            yield from by_model(shape.key, name, f"{path}.<key>")
            yield from by_model(shape.value, item, f"{path}.{name}")
    elif shape.type_name == "string":
        if shape.enum and value not in shape.enum:
            yield f"{path}: {value!r} is none of {shape.enum}"
        if "pattern" in shape.metadata and not re.search(shape.metadata["pattern"], value):
            yield f"{path}: {value!r} does not match {shape.metadata['pattern']}"
        if not value.strip():
            yield f"{path}: empty"


def by_promise(finding):
    def need(is_so, what):
        if not is_so:
            yield what

    group = finding["Id"].rsplit("/", 1)[1]
    region, account = finding["Resources"][0]["Region"], finding["AwsAccountId"]
    status, severity = finding["Compliance"]["Status"], finding["FindingProviderFields"]["Severity"]["Label"]
    states, is_informational = STATES[status]
    fields = finding["ProductFields"]
    yield from need(finding["Id"] == f"{region}/{account}/{POLICY}/{group}", "Id")
    yield from need(finding["GeneratorId"] == POLICY, "GeneratorId")
    yield from need(re.fullmatch(rf"arn:aws[a-z-]*:securityhub:{region}:{account}:product/{account}/default", finding["ProductArn"]), "ProductArn")
    yield from need(re.fullmatch(rf"arn:aws[a-z-]*:ec2:{region}:\d{{12}}:security-group/{group}", finding["Resources"][0]["Id"]), "Resources[0].Id")
    yield from need(finding["RecordState"] in states, f"{status} is {finding['RecordState']}")
    yield from need((severity == "INFORMATIONAL") == is_informational, f"{status} is {severity}")
    yield from need(finding["CreatedAt"] == finding["UpdatedAt"] == finding["LastObservedAt"], "one moment")
    yield from need(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", finding["UpdatedAt"]), "UpdatedAt")
    yield from need(len(finding["Title"]) <= 256 and len(finding["Description"]) <= 1024, "Title or Description is too long")
    yield from need(not NEVER & finding.keys(), f"{NEVER & finding.keys()} is the customer's")
    yield from need(len(fields) <= 50 and all(k.startswith("sg-trust/") and len(k) <= 128 and len(v) <= 2048 for k, v in fields.items()), "ProductFields")
    yield from need(re.fullmatch("[0-9a-f]{16}", fields.get("sg-trust/digest", "")), "digest")
    yield from need(len(json.dumps(finding, ensure_ascii=False).encode()) <= 240_000, "size")
