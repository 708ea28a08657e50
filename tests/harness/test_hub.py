"""Security Hub's stub: what stands, what is refused, and a hub that lags behind."""

import pytest
from botocore.exceptions import ClientError
from conftest import ACCOUNT, REGION

POLICY = "policy"


def finding(group="sg-1", at="2026-11-24T09:00:00.000Z", status="FAILED", state="ACTIVE", **more):
    return {
        "SchemaVersion": "2018-10-08", "Id": f"{REGION}/{ACCOUNT}/{POLICY}/{group}", "GeneratorId": POLICY, "AwsAccountId": ACCOUNT,
        "ProductArn": f"arn:aws:securityhub:{REGION}:{ACCOUNT}:product/{ACCOUNT}/default", "Types": ["Software and Configuration Checks"],
        "CreatedAt": at, "UpdatedAt": at, "Severity": {"Label": "LOW"}, "Title": "t", "Description": "d",
        "Resources": [{"Type": "AwsEc2SecurityGroup", "Id": f"arn:aws:ec2:{REGION}:{ACCOUNT}:security-group/{group}"}],
        "Compliance": {"Status": status}, "RecordState": state, **more,
    }  # fmt: skip


def put(hub, *findings):
    return hub.batch_import_findings(Findings=list(findings))


def seen(hub, **filters):
    """Group -> status of what GetFindings shows."""
    asked = {"Filters": {name: [{"Value": value, "Comparison": "EQUALS"}] for name, value in filters.items()}} if filters else {}
    found = hub.get_findings(MaxResults=100, **asked)["Findings"]
    return {one["Id"].rsplit("/", 1)[1]: one["Compliance"]["Status"] for one in found}


def test_an_older_finding_is_taken_and_ignored(hub):
    put(hub, finding(at="2026-11-24T09:00:02.000Z", status="PASSED"))
    answer = put(hub, finding(at="2026-11-24T09:00:01.000Z", status="FAILED"))
    assert (answer["SuccessCount"], answer["FailedCount"]) == (1, 0)
    assert seen(hub) == {"sg-1": "PASSED"}


def test_filters_match_by_one_of_their_values_each(hub):
    put(hub, finding("sg-1"), finding("sg-2", status="PASSED", state="ARCHIVED"), finding("sg-3", state="ARCHIVED"))
    assert seen(hub, RecordState="ARCHIVED") == {"sg-2": "PASSED", "sg-3": "FAILED"}
    assert seen(hub, RecordState="ARCHIVED", ComplianceStatus="PASSED") == {"sg-2": "PASSED"}
    span = [{"Start": "2026-11-24T09:00:01.000Z", "End": "2027-01-01T00:00:00.000Z"}]
    assert hub.get_findings(Filters={"UpdatedAt": span})["Findings"] == []


def test_findings_come_in_pages(hub):
    put(hub, *[finding(f"sg-{n}") for n in range(25)])
    pages = [len(page["Findings"]) for page in hub.get_paginator("get_findings").paginate(PaginationConfig={"PageSize": 10})]
    assert pages == [10, 10, 5]


def test_a_refused_finding_costs_no_other(stub, hub):
    stub.hub.refused["sg-2"] = ("InternalException", "later")
    answer = put(hub, finding("sg-1"), finding("sg-2"))
    assert [(one["Id"][-4:], one["ErrorCode"]) for one in answer["FailedFindings"]] == [("sg-2", "InternalException")]
    assert seen(hub) == {"sg-1": "FAILED"}


def test_a_refused_filter_costs_only_the_calls_that_name_it(stub, hub):
    put(hub, finding())
    stub.hub.refused_filters["UpdatedAt"] = ("InvalidInputException", "Invalid filter")
    with pytest.raises(ClientError, match="InvalidInputException"):
        hub.get_findings(Filters={"UpdatedAt": [{"Start": "2026-01-01T00:00:00Z", "End": "2027-01-01T00:00:00Z"}]})
    assert seen(hub, RecordState="ACTIVE") == {"sg-1": "FAILED"}
    assert stub.errors == [], "the test asked for it"


def test_a_hub_that_is_off_takes_and_shows_nothing(stub, hub):
    stub.hub.is_on = False
    for call in (lambda: put(hub, finding()), lambda: seen(hub), hub.describe_hub):
        with pytest.raises(ClientError, match="InvalidAccessException"):
            call()


def test_findings_of_another_account_are_denied(hub):
    with pytest.raises(ClientError, match="AccessDeniedException"):
        put(hub, finding(AwsAccountId="210987654321"))


def test_calls_that_aws_does_not_take_are_noted(stub, hub):
    with pytest.raises(ClientError, match="InvalidInputException"):
        hub.get_findings(Filters={"Id": [{"Value": str(n), "Comparison": "EQUALS"} for n in range(21)]})
    with pytest.raises(ClientError, match="InvalidInputException"):
        put(hub, *[finding(f"sg-{n}") for n in range(101)])
    with pytest.raises(ClientError, match="InvalidInputException"):
        put(hub, finding(Description="x" * 240_000))
    assert len(stub.errors) == 3


def test_an_import_shows_after_so_many_reads(stub, hub):
    put(hub, finding(at="2026-11-24T09:00:00.000Z"))
    stub.hub.lag(reads=2)
    put(hub, finding(at="2026-11-24T09:00:01.000Z", status="PASSED"), finding("sg-2"))
    assert [seen(hub) for _ in range(3)] == [{"sg-1": "FAILED"}, {"sg-1": "FAILED"}, {"sg-1": "PASSED", "sg-2": "FAILED"}]
    assert stub.hub.findings.keys() == {finding()["Id"], finding("sg-2")["Id"]}, "what stands is known at once"


def test_of_several_late_imports_each_shows_in_its_turn(stub, hub):
    stub.hub.lag(reads=2)
    shown = []
    for second, status in enumerate(("FAILED", "PASSED", "WARNING")):
        put(hub, finding(at=f"2026-11-24T09:00:0{second}.000Z", status=status))
        shown.append(seen(hub).get("sg-1"))
    shown += [seen(hub).get("sg-1") for _ in range(3)]
    assert shown == [None, None, "FAILED", "PASSED", "WARNING", "WARNING"]


def test_an_import_shows_after_so_many_seconds(stub, hub):
    now = [100.0]
    stub.hub.now = lambda: now[0]
    stub.hub.lag(seconds=5)
    put(hub, finding())
    assert seen(hub) == {}
    now[0] += 4.9
    assert seen(hub) == {}
    now[0] += 0.2
    assert seen(hub) == {"sg-1": "FAILED"}


def test_filters_look_at_what_shows(stub, hub):
    """An archived finding whose archiving does not show yet is found as an active one."""
    put(hub, finding(at="2026-11-24T09:00:00.000Z"))
    stub.hub.lag(reads=2)
    put(hub, finding(at="2026-11-24T09:00:01.000Z", status="PASSED", state="ARCHIVED"))
    assert seen(hub, RecordState="ACTIVE") == {"sg-1": "FAILED"}
    assert seen(hub, RecordState="ARCHIVED") == {}
    assert seen(hub, RecordState="ARCHIVED") == {"sg-1": "PASSED"}


def test_a_late_hub_ignores_older_imports_all_the_same(stub, hub):
    stub.hub.lag(reads=10)
    put(hub, finding(at="2026-11-24T09:00:01.000Z", status="PASSED"))
    put(hub, finding(at="2026-11-24T09:00:00.000Z", status="FAILED"))
    stub.hub.catch_up()
    assert seen(hub) == {"sg-1": "PASSED"}


def test_what_a_test_puts_there_itself_shows_at_once(stub, hub):
    stub.hub.lag(reads=10)
    stub.hub.findings["mine"] = finding()
    assert seen(hub) == {"sg-1": "FAILED"}
