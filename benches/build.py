"""Builds what is measured, as it is shipped."""

import io
import json
import struct
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
        ["--bench", "graph", "--no-default-features", "--target-dir", str(target / "core")],
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


def faults(executable):
    """What a program that is shipped must not be: at a fixed address, or with its symbols. Only ELF tells."""
    elf = executable.read_bytes()
    if not elf.startswith(b"\x7fELF\x02\x01"):
        return []
    (kind,) = struct.unpack_from("<H", elf, 16)
    (sections,) = struct.unpack_from("<Q", elf, 40)
    size, count = struct.unpack_from("<HH", elf, 58)
    types = [struct.unpack_from("<I", elf, sections + number * size + 4)[0] for number in range(count)]
    found = {"at a fixed address": kind != 3, "not stripped": 2 in types}
    return [what for what, is_so in found.items() if is_so]


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
