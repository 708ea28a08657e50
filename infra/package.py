#!/usr/bin/env python3
"""Packs a Lambda package: the binary as bootstrap, and the settings beside it.

The same binary and settings give the same bytes, whatever the time, so the key made of the package's SHA-256 only
changes with what it holds, and a deployment of nothing new changes nothing.
"""

import argparse
import sys
import zipfile
from pathlib import Path

# The machine of an ELF file: https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html
MACHINES = {"arm64": 183, "x86_64": 62}
# The earliest that a ZIP can say.
EPOCH = (1980, 1, 1, 0, 0, 0)


def binary_of(path):
    """The binary itself, or the bootstrap of a ZIP, as cargo-lambda makes one."""
    if not zipfile.is_zipfile(path):
        return path.read_bytes()
    with zipfile.ZipFile(path) as package:
        return package.read("bootstrap")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", type=Path, help="the function's binary, or a ZIP with it as bootstrap")
    parser.add_argument("--architecture", choices=MACHINES, help="what the binary must be for")
    parser.add_argument("--policy", type=Path, help="the settings: packed as policy.toml beside the binary, where the function reads them")
    parser.add_argument("--output", type=Path, required=True, help="the package to write")
    arguments = parser.parse_args()
    try:
        # Lambda runs what is executable only.
        files = [("bootstrap", 0o755, binary_of(arguments.binary))]
        if arguments.policy:
            files.append(("policy.toml", 0o644, arguments.policy.read_bytes()))
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        sys.exit(f"package.py: {error}")
    if not files[0][2].startswith(b"\x7fELF"):
        sys.exit(f"package.py: {arguments.binary} is not a Linux binary: build it with cargo lambda, or on Linux")
    machine = int.from_bytes(files[0][2][18:20], "little")
    if arguments.architecture and machine != MACHINES[arguments.architecture]:
        found = next((name for name, number in MACHINES.items() if number == machine), f"machine {machine}")
        sys.exit(f"package.py: {arguments.binary} is for {found}, not for {arguments.architecture}: deploy.sh takes --x86-64")
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(arguments.output, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as package:
        for name, mode, content in files:
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.create_system = 3  # Unix: the mode counts
            entry.external_attr = (0o100000 | mode) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            package.writestr(entry, content)


if __name__ == "__main__":
    main()
