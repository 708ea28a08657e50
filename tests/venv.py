"""Makes a virtual environment from a lock file, whole or not at all.

usage: venv.py FOLDER LOCK
       venv.py --check

FOLDER is left alone when it was made from this lock by this Python. Otherwise the environment is built beside it, in
FOLDER.new, and renamed when it is whole, so that a failure or an interruption leaves no half-installed one behind.
--check only tells whether this Python can do that. Any Python 3 can run this file, also one that is too old.
"""

import hashlib
import os
import shutil
import signal
import subprocess
import sys

OLDEST = (3, 10)
STAMP = ".made-from"
HOW = """Debian 12, Ubuntu 22.04 and later: apt-get install python3 python3-venv
  Fedora: dnf install python3; macOS: brew install python3; any system: https://www.python.org/downloads/
  A Python beside the system's: make test PYTHON=/path/to/python3.12"""


def check():
    """Exits with what is missing and how to get it, if anything is."""
    name = "{} is Python {}.{}.{}".format(sys.executable, *sys.version_info[:3])
    if sys.version_info < OLDEST:
        sys.exit("{}, and the tests need {}.{} or later:\n  {}".format(name, *OLDEST, HOW))
    try:
        import ensurepip  # noqa: F401
        import ssl  # noqa: F401
        import venv  # noqa: F401
    except ImportError as error:
        sys.exit("{}, and lacks a module that the tests need ({}):\n  {}".format(name, error, HOW))


def stamp(folder, lock):
    """What the environment is made from: it holds absolute paths, and packages for one Python."""
    with open(lock, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    return "\n".join([digest, sys.version, os.path.realpath(sys.executable), folder, ""])


def is_made(folder, wanted):
    try:
        with open(os.path.join(folder, STAMP)) as file:
            return file.read() == wanted and os.access(os.path.join(folder, "bin", "python"), os.X_OK)
    except OSError:
        return False


def run(*command):
    """Runs a command; what it says only shows when it fails. With this process its own children end too."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )
    try:
        said, _ = process.communicate()
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    if process.returncode != 0:
        sys.stderr.write(said.decode(errors="replace"))
    return process.returncode == 0


def move(built, folder):
    """Scripts name their interpreter by its whole path: it is the new one before the folder has it."""
    scripts = os.path.join(built, "bin")
    paths = [os.path.join(built, "pyvenv.cfg")] + [os.path.join(scripts, name) for name in os.listdir(scripts)]
    for path in paths:
        if os.path.islink(path) or not os.path.isfile(path):
            continue
        with open(path, "rb") as file:
            before = file.read()
        if b"\0" not in before and built.encode() in before:
            with open(path, "wb") as file:
                file.write(before.replace(built.encode(), folder.encode()))
    shutil.rmtree(folder, ignore_errors=True)
    os.rename(built, folder)


def make(folder, lock):
    folder = os.path.abspath(folder)
    wanted = stamp(folder, lock)
    if is_made(folder, wanted):
        return
    shown, built = os.path.relpath(folder), folder + ".new"
    print("Installing {} into {} ...".format(lock, shown), flush=True)
    # A termination unwinds, and so removes what was built.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    shutil.rmtree(built, ignore_errors=True)
    try:
        if not run(sys.executable, "-m", "venv", "--prompt", os.path.basename(folder), built):
            sys.exit("{}: no virtual environment could be made (above is why):\n  {}".format(shown, HOW))
        pip = os.path.join(built, "bin", "python"), "-m", "pip"
        # --no-deps: a lock names everything, and pip 23.0 finds no hashes for a package of which only another one names extras.
        # --no-compile: most of what is installed is never imported.
        options = "--quiet", "--no-input", "--disable-pip-version-check", "--no-compile", "--no-deps", "--require-hashes"
        if not run(*pip, "install", *options, "-r", lock):
            sys.exit(
                "{}: what {} names could not be installed (above is why); nothing was left behind. It comes from the Python "
                "Package Index, so this needs the network, or pip's settings for a mirror.".format(shown, lock)
            )
        if not run(*pip, "check", "--disable-pip-version-check"):
            sys.exit("{}: {} lacks something for this Python (above is what): make it anew with `make lock`.".format(shown, lock))
        with open(os.path.join(built, STAMP), "w") as file:
            file.write(wanted)
        move(built, folder)
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        shutil.rmtree(built, ignore_errors=True)


def main(arguments):
    if arguments == ["--check"]:
        check()
    elif len(arguments) == 2:
        check()
        make(*arguments)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
