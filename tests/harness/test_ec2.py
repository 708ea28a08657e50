"""EC2's stub: pages, limits, and an EC2 that lags behind its changes."""

import pytest
from aws_stub import AwsStub
from aws_stub.ec2 import group_xml
from botocore.exceptions import ClientError
from conftest import ACCOUNT, client


def group(number):
    return {
        "GroupId": f"sg-{number}", "GroupName": f"n{number}", "Description": "<d>", "OwnerId": ACCOUNT, "VpcId": "vpc-1", "IpPermissionsEgress": [],
        "SecurityGroupArn": f"arn:aws:ec2:us-east-1:{ACCOUNT}:security-group/sg-{number}", "Tags": [{"Key": "a", "Value": "b&c"}],
        "IpPermissions": [{
            "IpProtocol": "tcp", "FromPort": 1, "ToPort": 2, "IpRanges": [{"CidrIp": "10.0.0.0/8"}], "Ipv6Ranges": [], "PrefixListIds": [],
            "UserIdGroupPairs": [{"UserId": ACCOUNT, "GroupId": "sg-0", "VpcPeeringConnectionId": "pcx-1", "PeeringStatus": "active"}],
        }],
    }  # fmt: skip


def by_ids(*ids):
    return [{"Name": "group-id", "Values": list(ids)}]


def test_a_group_of_memory_is_read_as_it_was_given(stub, ec2):
    stub.ec2.groups = {"sg-1": group_xml(group(1))}
    assert ec2.describe_security_groups()["SecurityGroups"] == [group(1)]


def test_groups_of_memory_come_by_their_ids_and_in_pages(stub, ec2):
    stub.ec2.groups = {f"sg-{n}": group_xml(group(n)) for n in range(12)}
    ids = [one["GroupId"] for one in ec2.describe_security_groups(Filters=by_ids("sg-3", "sg-x", "sg-5"))["SecurityGroups"]]
    assert ids == ["sg-3", "sg-5"]
    pages = ec2.get_paginator("describe_security_groups").paginate(PaginationConfig={"PageSize": 5})
    assert [len(page["SecurityGroups"]) for page in pages] == [5, 5, 2]
    assert stub.count() == {"DescribeSecurityGroups": 4}


def test_a_dry_run_does_nothing(ec2):
    with pytest.raises(ClientError, match="DryRunOperation"):
        ec2.describe_security_groups(DryRun=True)


def test_calls_that_ec2_does_not_take_are_noted(stub, ec2):
    with pytest.raises(ClientError, match="FilterLimitExceeded"):
        ec2.describe_security_groups(Filters=by_ids(*map(str, range(201))))
    with pytest.raises(ClientError, match="InvalidParameterValue"):
        ec2.describe_security_groups(MaxResults=1001)
    assert len(stub.errors) == 2


class Account:
    """moto behind the stub: `see` is what the stub shows, the rest changes moto directly."""

    def __init__(self, moto_port, id):
        self.stub = AwsStub(id, moto_port)
        self.through = client("ec2", self.stub.endpoint)
        self.direct = client("ec2", f"http://127.0.0.1:{moto_port}")
        self.direct.meta.events.register("before-call", lambda params, **_: params["headers"].update({"x-moto-account-id": id}))
        self.vpc = self.direct.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]

    def create(self, name):
        return self.direct.create_security_group(GroupName=name, Description="d", VpcId=self.vpc)["GroupId"]

    def allow(self, group, source):
        permission = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": source}]}
        self.direct.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])

    def see(self, *groups, filter="group-id"):
        """Group -> its sources, as the stub shows them."""
        filters = [{"Name": filter, "Values": list(groups)}] if groups else []
        found = self.through.describe_security_groups(Filters=filters)["SecurityGroups"]
        return {one["GroupId"]: sorted(pair["GroupId"] for p in one["IpPermissions"] for pair in p["UserIdGroupPairs"]) for one in found}

    def rules(self, group):
        found = self.through.describe_security_group_rules(Filters=by_ids(group))["SecurityGroupRules"]
        return sorted(one["ReferencedGroupInfo"]["GroupId"] for one in found if "ReferencedGroupInfo" in one)


@pytest.fixture
def account(moto_port, request):
    number = abs(hash(request.node.name)) % 10**11
    made = Account(moto_port, f"3{number:011}")
    yield made
    assert made.stub.errors == []
    made.stub.reset()
    made.stub.close()


def test_a_frozen_group_is_shown_as_it_was_for_so_many_looks_at_it(account):
    group, other = account.create("db"), account.create("web")
    account.stub.ec2.freeze(2, group)
    account.allow(group, other)
    account.allow(other, group)
    assert account.see(other) == {other: [group]}, "a look at another group is none, and shows what is so"
    assert [account.see(group)[group] for _ in range(3)] == [[], [], [other]]


def test_a_frozen_group_is_old_beside_others_that_are_new(account):
    group, other = account.create("db"), account.create("web")
    account.stub.ec2.freeze(1, group)
    account.allow(group, other)
    account.allow(other, group)
    shown = account.see(account.vpc, filter="vpc-id")
    assert (shown[group], shown[other]) == ([], [group])
    assert account.see(account.vpc, filter="vpc-id")[group] == [other]


def test_all_groups_can_be_frozen(account):
    group = account.create("db")
    account.stub.ec2.freeze(1)
    new = account.create("new")
    account.allow(group, new)
    assert account.see(group, new) == {group: []}
    assert account.see(group, new) == {group: [new], new: []}


def test_a_deleted_group_is_still_shown(account):
    group = account.create("db")
    account.stub.ec2.freeze(1, group)
    account.direct.delete_security_group(GroupId=group)
    assert account.see(group) == {group: []}
    assert account.see(group) == {}


def test_a_new_group_is_hidden_for_so_many_looks(account):
    group = account.create("new")
    account.stub.ec2.hide(2, group)
    assert [account.see(group) for _ in range(3)] == [{}, {}, {group: []}]


def test_a_frozen_group_stays_so_until_it_is_thawed(account):
    group, other = account.create("db"), account.create("web")
    account.stub.ec2.freeze(None, group)
    account.allow(group, other)
    assert [account.see(group)[group] for _ in range(5)] == [[]] * 5
    account.stub.ec2.thaw()
    assert account.see(group) == {group: [other]}


def test_the_rules_of_a_frozen_group_lag_too_and_count_their_own_looks(account):
    group, other = account.create("db"), account.create("web")
    account.stub.ec2.freeze(1, group)
    account.allow(group, other)
    assert account.see(group) == {group: []}
    assert account.rules(group) == []
    assert account.see(group) == {group: [other]}
    assert account.rules(group) == [other]


def test_a_frozen_group_is_found_by_what_it_referenced_then(account):
    group, before, after = (account.create(name) for name in ("db", "before", "after"))
    account.allow(group, before)
    account.stub.ec2.freeze(None, group)
    account.allow(group, after)
    assert account.see(before, filter="ip-permission.group-id") == {group: [before]}
    assert account.see(after, filter="ip-permission.group-id") == {}


def test_owners_can_be_others(account):
    group = account.create("db")
    account.stub.ec2.owners[group] = "210987654321"
    (shown,) = account.through.describe_security_groups(Filters=by_ids(group))["SecurityGroups"]
    assert shown["OwnerId"] == "210987654321"
    filters = [*by_ids(group), {"Name": "owner-id", "Values": [account.stub.account]}]
    assert account.through.describe_security_groups(Filters=filters)["SecurityGroups"] == []
