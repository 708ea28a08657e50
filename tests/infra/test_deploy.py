"""deploy.sh: what it would do, and what it refuses. What it does is in test_stack.py."""

import functools
import hashlib
import http.server
import json
import os
import subprocess
import threading
import zipfile
from pathlib import Path

import pytest
from conftest import INFRA, ROOT, SG_TRUST, environment, tool

GOLDEN = Path(__file__).parent / "golden"


# What package.py looks at: an ELF file for x86-64.
ELF = b"\x7fELF" + bytes(14) + (62).to_bytes(2, "little") + b" and so on"


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


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
    "package": ["--region", "eu-west-1", "--package", "https://example.org/v1/sg-trust-lambda-arm64.zip", "--no-policy", "--tags", "team=net work", "--tags",
                "cost=1", "--role-arn", "arn:aws:iam::123456789012:role/cloudformation", "Delivery=direct"],
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
    written = done.stdout.replace(str(policy), "POLICY").replace(sha256(policy), "DIGEST")
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
        (["PolicyDigest=0"], "deploy.sh sets it itself"),
        (["--policy", __file__, "--no-policy"], "contradict each other"),
        (["--tags", "team"], "--tags team is not KEY=VALUE"),
        (["--package", "http://example.org/x.zip"], "https only"),
        (["--sha256", "abc"], "not 64 hexadecimal digits"),
        (["--sha256", "z" * 64], "not 64 hexadecimal digits"),
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


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("SweepRate=rate(6 hours)", "'SweepRate=rate(6 hours)'"),
        ("SweepRate=cron(0 6 * * ? *) Passed=active", "'SweepRate=cron(0 6 * * ? *)' Passed=active"),
        ("'SweepRate=rate(6 hours)' Passed=active", "'SweepRate=rate(6 hours)' Passed=active"),
        ('--tags "team=a (b c)" Passed=active', "--tags 'team=a (b c)'"),
    ],
)
def test_make_takes_a_rate_without_quotes(arguments, said):
    done = subprocess.run(
        ["make", "--silent", "deploy", f"ARGUMENTS=--dry-run --region us-east-1 --no-policy --package {__file__} {arguments}"],
        cwd=ROOT, capture_output=True, text=True, env=environment(PATH=f"{tool('aws', 'awscli').parent}:/usr/bin:/bin"))  # fmt: skip
    (line,) = [line for line in done.stdout.splitlines() if "cloudformation deploy" in line]
    assert said in line, done.stderr


@pytest.fixture
def release(tmp_path):
    """A release's folder on a web server of this machine: its address, and the folder."""
    folder = tmp_path / "v1"
    folder.mkdir()
    package = folder / "sg-trust-lambda-x86_64.zip"
    with zipfile.ZipFile(package, "w") as made:
        made.writestr("bootstrap", ELF)
    (folder / "SHA256SUMS").write_text(f"{'0' * 64}  other.zip\n{sha256(package)}  {package.name}\n")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path)
    handler.log_message = lambda *_: None
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1/{package.name}", folder
    server.shutdown()


def fetched(tmp_path, *arguments):
    """deploy.sh against an account that knows no stack, up to the first call that would change something."""
    bin = tmp_path / "bin"
    bin.mkdir(exist_ok=True)
    stub(bin, "aws", """case "$*" in *get-caller-identity*) echo 123456789012 ;; *describe-stacks*) echo "Stack does not exist" >&2; exit 255 ;; *) echo CALLED >&2; exit 1 ;; esac""")
    return deploy("--region", "us-east-1", "--no-policy", "--x86-64", *arguments, PATH=f"{bin}:/usr/bin:/bin")


def test_a_package_of_a_release_is_taken_with_its_checksum_only(tmp_path, release):
    address, folder = release
    right = sha256(folder / address.rsplit("/", 1)[1])
    for arguments in ([address], [address, "--sha256", right.upper()], [folder / "sg-trust-lambda-x86_64.zip"]):
        done = fetched(tmp_path, "--package", *map(str, arguments))
        assert "has the SHA-256 that is expected" in done.stderr and "CALLED" in done.stderr, done.stderr
    for arguments in ([address, "--sha256", "1" * 64], [folder / "sg-trust-lambda-x86_64.zip", "--sha256", "1" * 64]):
        done = fetched(tmp_path, "--package", *map(str, arguments))
        assert done.returncode == 2 and "is not what it should be" in done.stderr and "CALLED" not in done.stderr, done.stderr
    (folder / "SHA256SUMS").write_text(f"{right}  another.zip\n")
    done = fetched(tmp_path, "--package", address)
    assert done.returncode == 2 and "has no line for" in done.stderr and "CALLED" not in done.stderr
    (folder / "SHA256SUMS").unlink()
    done = fetched(tmp_path, "--package", address)
    assert done.returncode == 2 and "cannot be fetched: give the checksum with --sha256" in done.stderr and "CALLED" not in done.stderr


def test_a_package_for_another_processor_is_refused(tmp_path, release):
    address, folder = release
    done = fetched(tmp_path, "--package", str(folder / "sg-trust-lambda-x86_64.zip"))
    assert "CALLED" in done.stderr
    done = pack(folder / "sg-trust-lambda-x86_64.zip", "--architecture", "arm64", "--output", tmp_path / "x.zip")
    assert done.returncode != 0 and "is for x86_64, not for arm64" in done.stderr


@pytest.mark.parametrize("arguments", [["--function", "f"], ["--queue", "u"], ["--function", "f", "--queue", "u", "stack"], ["a", "b"], ["--what"], ["--queue"]])
def test_redrive_refuses_what_it_does_not_understand(arguments):
    done = subprocess.run([INFRA / "redrive.sh", *arguments], capture_output=True, text=True, env=environment(PATH="/usr/bin:/bin"))
    assert done.returncode == 2 and "usage:" in done.stderr


def test_the_organisations_bucket_policy_lets_its_accounts_read_over_tls_only():
    policy = json.loads((INFRA / "bucket-policy.json").read_text())
    deny, allow = policy["Statement"]
    assert (deny["Effect"], deny["Principal"], deny["Condition"]) == ("Deny", "*", {"Bool": {"aws:SecureTransport": "false"}})
    assert (allow["Effect"], allow["Action"], allow["Condition"]) == ("Allow", "s3:GetObject", {"StringEquals": {"aws:PrincipalOrgID": "ORGANISATION"}})
    assert deny["Resource"] == ["arn:PARTITION:s3:::BUCKET", "arn:PARTITION:s3:::BUCKET/*"] and allow["Resource"] == "arn:PARTITION:s3:::BUCKET/*"


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
