"""The page for pull requests: its files are what their readers take, and its commands do what the page says."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import jsonschema
import pytest
import yaml
from conftest import SG_TRUST
from test_formats import SARIF

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/pull-requests.md").read_text()
PLANS = ROOT / "tests/data/plans"
TEMPLATE = """\
Parameters:
  Port: {Type: Number}
Resources:
  Db:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupName: db
      SecurityGroupIngress:
        - {IpProtocol: -1, FromPort: 80, ToPort: 80, SourceSecurityGroupId: !GetAtt Web.GroupId}
  Web:
    Type: AWS::EC2::SecurityGroup
    Properties:
      SecurityGroupIngress:
        - {IpProtocol: tcp, FromPort: 0, ToPort: !Ref Port, SourceSecurityGroupId: sg-0123}
"""


def block(title, kind="yaml"):
    """The block of a chapter."""
    chapter = PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    (found,) = re.findall(rf"```{kind}\n(.*?)```", chapter, re.DOTALL)
    return found


@pytest.fixture
def folder(tmp_path):
    """A folder with the program, a terraform that prints a plan, and the plan's files."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "sg-trust").symlink_to(SG_TRUST)
    terraform = programs / "terraform"
    terraform.write_text('#!/bin/sh\n[ "$1" = show ] && cat plan-of-terraform.json\nexit 0\n')
    terraform.chmod(0o755)
    work = tmp_path / "work"
    shutil.copytree(PLANS / "update", work)
    (work / "plan.json").rename(work / "plan-of-terraform.json")
    return work


def run(script, folder, shell=("bash", "-e", "-o", "pipefail"), **environment):
    path = f"{folder.parent / 'programs'}:{os.environ['PATH']}"
    return subprocess.run([*shell, "-c", script], cwd=folder, capture_output=True, text=True, timeout=120, env={"PATH": path, "HOME": str(folder), **environment})


def passing(folder):
    shutil.copy(PLANS / "no-op/plan.json", folder / "plan-of-terraform.json")
    for file in folder.glob("*.tf"):
        file.unlink()
    for file in (PLANS / "no-op").glob("*.tf"):
        shutil.copy(file, folder)


def test_the_workflow_of_github_fails_where_the_plan_does_and_writes_what_it_says(folder):
    workflow = yaml.safe_load(block("GitHub Actions"))
    steps = workflow["jobs"]["plan"]["steps"]
    scripts = [step["run"] for step in steps if "run" in step]
    assert len(scripts) == 2
    summary = folder.parent / "summary.md"
    done = [run(script, folder, GITHUB_STEP_SUMMARY=str(summary)) for script in scripts]
    assert [one.returncode for one in done] == [0, 1], done
    annotations = [line for line in done[1].stdout.splitlines() if line.startswith("::")]
    assert annotations and all(line.startswith("::error file=main.tf,line=") for line in annotations), annotations
    assert summary.read_text().startswith("**sg-trust**: 4 groups: 2 passed, 2 failed")
    upload = next(step for step in steps if "upload-sarif" in step.get("uses", ""))
    assert upload["if"] == "always()" and workflow["permissions"]["security-events"] == "write"
    log = json.loads((folder / upload["with"]["sarif_file"]).read_text())
    jsonschema.Draft7Validator(SARIF).validate(log)
    results = log["runs"][0]["results"]
    assert len(results) == len(annotations)
    for result in results:
        (location,) = result["locations"]
        assert location["physicalLocation"]["artifactLocation"]["uri"] == "main.tf"
    passing(folder)
    done = [run(script, folder, GITHUB_STEP_SUMMARY=str(summary)) for script in scripts]
    assert [one.returncode for one in done] == [0, 0], done


def test_the_job_of_gitlab_fails_where_the_plan_does(folder):
    (job,) = yaml.safe_load(block("GitLab")).values()
    script = "\n".join(job["script"])
    done = run(script, folder)
    assert done.returncode == 1 and "FAILED" in done.stdout, done
    (artifact,) = job["artifacts"]["paths"]
    jsonschema.Draft7Validator(SARIF).validate(json.loads((folder / artifact).read_text()))
    passing(folder)
    assert run(script, folder).returncode == 0


def test_the_hook_stops_a_template_that_fails_and_not_one_of_which_nobody_can_tell(folder):
    ((repository,),) = [yaml.safe_load(block("pre-commit"))["repos"]]
    ((hook,),) = [repository["hooks"]]
    assert repository["repo"] == "local" and hook["language"] == "system"
    pattern = re.compile(hook["files"])
    names = ["templates/a.yaml", "templates/b/c.json", "templates/d.template", "main.tf", "other/templates/a.yaml"]
    assert [name for name in names if pattern.search(name)] == names[:3]
    template = folder / "template.yaml"
    template.write_text(TEMPLATE)
    done = run(f"{hook['entry']} template.yaml", folder)
    assert done.returncode == 1 and "Db (db) accepts all traffic from Web" in done.stdout, done
    template.write_text(TEMPLATE.replace("IpProtocol: -1", "IpProtocol: tcp"))
    done = run(f"{hook['entry']} template.yaml", folder)
    assert done.returncode == 0 and "CANNOT TELL" in done.stdout, done


def test_the_workflow_of_atlantis_fails_where_the_plan_does(folder):
    (workflow,) = yaml.safe_load(block("Atlantis"))["workflows"].values()
    steps = workflow["plan"]["steps"]
    assert steps[:3] == ["init", "plan", "show"]
    done = run(steps[3]["run"], folder, SHOWFILE="plan-of-terraform.json")
    assert done.returncode == 1 and "at ./main.tf:" in done.stdout or "at main.tf:" in done.stdout, done


@pytest.mark.parametrize(("plan", "status"), [("update", "failed"), ("no-op", "passed")])
@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is missing")
def test_the_service_of_a_run_task_answers_with_the_result(folder, plan, status):
    curl = folder.parent / "programs/curl"
    curl.write_text(f'#!/bin/sh\ncase "$*" in *PATCH*) cp result.json sent.json ;; *) cat {PLANS}/{plan}/plan.json ;; esac\n')
    curl.chmod(0o755)
    done = run(block("Terraform Cloud", "sh"), folder, ACCESS_TOKEN="token", PLAN_JSON_API_URL="https://example.com/plan", TASK_RESULT_CALLBACK_URL="https://example.com/task")
    assert done.returncode == 0, done
    sent = json.loads((folder / "sent.json").read_text())["data"]
    assert sent["type"] == "task-results" and sent["attributes"]["status"] == status
    assert re.fullmatch(r"\d+ groups?: .*fixed", sent["attributes"]["message"])


def test_every_verdict_on_a_plan_is_sarif(folder):
    """New, existing, fixed, exempt, and what nobody can tell."""
    (folder / "template.yaml").write_text(TEMPLATE)
    other = TEMPLATE.replace("  Web:", "  Gone:").replace("Web.", "Gone.").replace("-1,", "udp,").replace("ToPort: 80", "ToPort: 65535").replace("FromPort: 80", "FromPort: 0")
    (folder / "before.yaml").write_text(other)
    (folder / "policy.toml").write_text(
        '[[exemption]]\nid = "web"\nreason = "accepted for this test"\ntarget = { name = "db" }\nself_service = true\nsource = "any"\nallow = "all-traffic"\n'
    )
    seen = set()
    for arguments in ("template.yaml", "--policy policy.toml template.yaml", "--before template.yaml template.yaml", "--before before.yaml template.yaml", f"{PLANS}/update/plan.json", f"{PLANS}/unknown-ports/plan.json"):
        for reader in ("", "--sarif-for github"):
            done = run(f"sg-trust plan {arguments} --format sarif {reader}", folder)
            assert done.returncode in (0, 1), done
            log = json.loads(done.stdout)
            jsonschema.Draft7Validator(SARIF).validate(log)
            for result in log["runs"][0]["results"]:
                if not reader:
                    assert "baselineState" in result and "suppressions" in result
                    seen.add((result["kind"], result["baselineState"]))
                    seen.update(("suppressed", entry["justification"]) for entry in result["suppressions"])
                else:
                    assert result["kind"] == "fail" and "baselineState" not in result
                    assert result["locations"][0]["physicalLocation"]["region"]["startLine"] >= 1
    assert {("fail", "new"), ("fail", "updated"), ("fail", "unchanged"), ("fail", "absent"), ("open", "new"), ("open", "unchanged"), ("suppressed", "web: accepted for this test")} <= seen, seen


def test_lines_may_move(folder):
    """An alert keeps its identity when lines are inserted above it."""
    template = folder / "template.yaml"
    logs = []
    for text in (TEMPLATE, "# a comment\n\n" + TEMPLATE):
        template.write_text(text)
        logs.append(json.loads(run("sg-trust plan template.yaml --format sarif --sarif-for github", folder).stdout)["runs"][0]["results"])
    lines = [[result["locations"][0]["physicalLocation"]["region"]["startLine"] for result in log] for log in logs]
    assert [line + 2 for line in lines[0]] == lines[1] and len(lines[0]) == 2
    assert [result["partialFingerprints"] for result in logs[0]] == [result["partialFingerprints"] for result in logs[1]]
