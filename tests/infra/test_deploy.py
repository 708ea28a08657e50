"""deploy.sh: what it would do, and what it refuses. What it does is in test_stack.py."""

import os
import subprocess
import zipfile
from pathlib import Path

import pytest
from conftest import INFRA, ROOT, SG_TRUST, environment

GOLDEN = Path(__file__).parent / "golden"


def deploy(*arguments, cwd=ROOT, **variables):
    return subprocess.run([INFRA / "deploy.sh", *arguments], capture_output=True, text=True, cwd=cwd, env=environment(**variables))


@pytest.fixture
def policy(tmp_path):
    path = tmp_path / "policy.toml"
    path.write_text('severity = "HIGH"\n')
    return path


CASES = {
    "plain": ["--region", "us-east-1"],
    "everything": ["--region", "eu-west-1", "--stack", "sg-trust-test", "--bucket", "our-code", "--policy", "POLICY", "--x86-64", "Delivery=queue",
                   "SweepRate=rate(6 hours)"],
    "upload-only": ["--region", "eu-west-1", "--upload-only"],
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_dry_run_says_what_it_would_do(name, policy):
    if (ROOT / "policy.toml").exists():
        pytest.skip("policy.toml is there: the output would show it")
    arguments = [str(policy) if one == "POLICY" else one for one in CASES[name]]
    # Without any tool of AWS: a dry run asks nobody.
    done = deploy("--dry-run", *arguments, PATH="/usr/bin:/bin")
    assert done.returncode == 0 and done.stderr == ""
    golden = GOLDEN / f"deploy-{name}.txt"
    written = done.stdout.replace(str(policy), "POLICY")
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(written)
    assert written == golden.read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--reigon", "eu-west-1"], "unknown option --reigon"),
        (["--region"], "--region needs a value"),
        (["delivery"], "delivery is not Parameter=Value"),
        (["CodeKey=x.zip"], "deploy.sh sets it itself"),
        (["--policy", "nowhere.toml"], "nowhere.toml cannot be read"),
        (["--package", "nowhere.zip"], "nowhere.zip cannot be read"),
    ],
)
def test_wrong_arguments_are_refused(arguments, said):
    done = deploy("--dry-run", *arguments)
    assert done.returncode == 2 and said in done.stderr and done.stdout == ""


def stub(folder, name, script):
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_a_bad_settings_file_stops_the_deployment(tmp_path, policy):
    """Before anything is built or uploaded."""
    policy.write_text('severity = "SEVERE"\n')
    bin = tmp_path / "bin"
    bin.mkdir()
    stub(bin, "aws", f'echo "$@" >>{tmp_path}/calls; echo 123456789012')
    done = deploy("--region", "us-east-1", "--policy", str(policy), "--package", __file__, PATH=f"{bin}:/usr/bin:/bin", SG_TRUST=str(SG_TRUST))
    assert done.returncode != 0 and f"{policy}:1: severity" in done.stderr
    assert (tmp_path / "calls").read_text().splitlines() == ["--region us-east-1 sts get-caller-identity --query Account --output text"]


@pytest.mark.parametrize(("present", "missing", "said"), [([], "aws", "install the AWS CLI"), (["aws"], "cargo-lambda", "pip install cargo-lambda")])
def test_a_missing_tool_is_named_with_how_to_get_it(tmp_path, present, missing, said):
    for name in present:
        stub(tmp_path, name, "exit 0")
    done = deploy("--region", "us-east-1", PATH=f"{tmp_path}:/usr/bin:/bin")
    assert done.returncode == 2 and f"{missing} is missing: {said}" in done.stderr


def test_make_deploy_names_a_missing_tool_too(tmp_path):
    done = subprocess.run(["make", "deploy"], cwd=ROOT, capture_output=True, text=True, env=environment(PATH=f"{tmp_path}:/usr/bin:/bin"))
    assert done.returncode != 0 and "is missing: " in done.stdout


def pack(*arguments):
    return subprocess.run(["python3", INFRA / "package.py", *arguments], capture_output=True, text=True)


def test_the_same_content_makes_the_same_package(tmp_path, policy):
    """So the same code has the same key, and deploying it again changes nothing."""
    binary, zipped = tmp_path / "binary", tmp_path / "cargo-lambda.zip"
    binary.write_bytes(b"\x7fELF and so on")
    with zipfile.ZipFile(zipped, "w") as package:
        package.writestr("bootstrap", binary.read_bytes())
    for name, source in (("one.zip", binary), ("two.zip", zipped)):
        assert pack(source, "--policy", policy, "--output", tmp_path / name).returncode == 0
        os.utime(binary, (1, 1))
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.zip") as package:
        modes = {entry.filename: entry.external_attr >> 16 for entry in package.infolist()}
        assert modes == {"bootstrap": 0o100755, "policy.toml": 0o100644}
        assert package.read("policy.toml") == policy.read_bytes()


def test_what_is_no_linux_binary_is_not_packed(tmp_path):
    done = pack(__file__, "--output", tmp_path / "package.zip")
    assert done.returncode != 0 and "not a Linux binary" in done.stderr and not (tmp_path / "package.zip").exists()
