"""Builds what is measured, as it is shipped."""

import io
import json
import subprocess
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HELLO = ROOT / "benches/hello/Cargo.toml"


def target_folder():
    metadata = subprocess.run(["cargo", "metadata", "--locked", "--no-deps", "--format-version", "1"], cwd=ROOT, check=True, capture_output=True)
    return Path(json.loads(metadata.stdout)["target_directory"])


def executables():
    """Name -> path of every program, built with the release profile."""
    target = target_folder()
    found = {}
    for arguments in (
        # What is shipped, by itself: the dependencies of tests and benches would change features of some crates.
        ["--bins"],
        ["--bench", "bare"],
        ["--bench", "policy", "--no-default-features", "--target-dir", str(target / "core")],
        ["--manifest-path", str(HELLO), "--target-dir", str(target / "hello")],
    ):
        command = ["cargo", "build", "--release", "--locked", "--message-format", "json-render-diagnostics", *arguments]
        print(f"Building: {' '.join(command)}", flush=True)
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=False)
        if done.returncode != 0:
            raise SystemExit("the build failed")
        for message in map(json.loads, done.stdout.splitlines()):
            if message.get("executable"):
                found[message["target"]["name"]] = Path(message["executable"])
    return found


def packages(function):
    """What Lambda would be given: bytes of the zip, by architecture. That for arm64 is there after `make build`."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.write(function, "bootstrap")
    sizes = {"of this machine": len(packed.getvalue())}
    for_arm = target_folder() / "lambda/sg-trust-lambda/bootstrap.zip"
    if for_arm.is_file():
        sizes["arm64"] = for_arm.stat().st_size
    return sizes
