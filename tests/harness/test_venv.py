"""tests/venv.py: a virtual environment is there whole, or it is not there."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "venv.py"
UNKNOWN = "sg-trust-has-no-such-package==1.0 --hash=sha256:" + "0" * 64 + "\n"
# The base interpreter: what a newcomer has before there is any environment.
PYTHON = os.path.realpath(sys.executable)


@pytest.fixture
def lock(tmp_path):
    path = tmp_path / "lock.txt"
    path.write_text("# Nothing is needed.\n")
    return path


def interruptible():
    """A shell starts what runs in the background with SIGINT ignored, and a child inherits that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(folder, lock, **variables):
    # No package index: an installation that needs one fails at once.
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder.parent), "PIP_NO_INDEX": "1", **variables}
    return subprocess.Popen([PYTHON, SCRIPT, folder, lock], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=interruptible)


def run(folder, lock):
    process = start(folder, lock)
    said, _ = process.communicate(timeout=300)
    return process.returncode, said


def left(folder):
    return sorted(path.name for path in folder.iterdir())


def test_an_environment_is_made_once_works_where_it_stands_and_follows_its_lock(tmp_path, lock):
    folder = tmp_path / "env"
    assert run(folder, lock) == (0, f"Installing {lock} into {os.path.relpath(folder)} ...\n")
    said = subprocess.run([folder / "bin/pip", "--version"], capture_output=True, text=True)
    assert said.returncode == 0 and str(folder) in said.stdout
    for path in [folder / "pyvenv.cfg", *(folder / "bin").iterdir()]:
        assert path.is_symlink() or b"env.new" not in path.read_bytes(), path
    (folder / "mark").touch()
    assert run(folder, lock) == (0, "")
    assert (folder / "mark").exists()
    lock.write_text("# Nothing is needed, in other words.\n")
    assert run(folder, lock)[0] == 0
    assert not (folder / "mark").exists() and left(tmp_path) == ["env", "lock.txt"]
    # A renewal that fails is tried again, and leaves the environment of before.
    lock.write_text(UNKNOWN)
    assert run(folder, lock)[0] == 1
    assert left(tmp_path) == ["env", "lock.txt"] and not is_made(folder, lock)


def test_a_failed_installation_leaves_nothing_and_says_why(tmp_path, lock):
    lock.write_text(UNKNOWN)
    code, said = run(tmp_path / "env", lock)
    assert code == 1 and "sg-trust-has-no-such-package" in said and "could not be installed" in said
    assert left(tmp_path) == ["lock.txt"]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_installation_leaves_nothing(tmp_path, lock, how):
    process = start(tmp_path / "env", lock)
    deadline = time.monotonic() + 60
    while not (tmp_path / "env.new/bin").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(how)
    assert process.wait(60) == (130 if how == signal.SIGINT else 143)
    assert left(tmp_path) == ["lock.txt"]


def test_a_killed_installation_is_redone(tmp_path, lock):
    folder = tmp_path / "env"
    lock.write_text(UNKNOWN)
    with socket.socket() as silent:
        # A package index that takes the connection and never answers.
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        silent.settimeout(120)
        index = f"http://127.0.0.1:{silent.getsockname()[1]}/simple"
        process = start(folder, lock, PIP_NO_INDEX="0", PIP_INDEX_URL=index)
        connection, _ = silent.accept()
        process.kill()
        process.wait(60)
        connection.close()
    assert left(tmp_path) == ["env.new", "lock.txt"], "what is half-installed has another name"
    lock.write_text("# Nothing is needed.\n")
    assert run(folder, lock)[0] == 0
    assert left(tmp_path) == ["env", "lock.txt"]


def of_script(code, folder):
    """Runs lines of Python that know the script as `v`."""
    lines = f"import importlib.util, sys\nspec = importlib.util.spec_from_file_location('v', {str(SCRIPT)!r})\n"
    lines += f"v = importlib.util.module_from_spec(spec)\nspec.loader.exec_module(v)\n{code}"
    return subprocess.run([PYTHON, "-c", lines], cwd=folder, capture_output=True, text=True)


def is_made(folder, lock):
    done = of_script(f"print(v.is_made({str(folder)!r}, v.stamp({str(folder)!r}, {str(lock)!r})))", folder.parent)
    return {"True\n": True, "False\n": False}[done.stdout]


def test_what_is_no_whole_environment_of_this_lock_and_python_is_not_taken_for_one(tmp_path, lock):
    folder = tmp_path / "env"
    assert not is_made(folder, lock)
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/python").symlink_to(PYTHON)
    assert not is_made(folder, lock), "something else made it"
    of_script(f"open({str(folder / '.made-from')!r}, 'w').write(v.stamp({str(folder)!r}, {str(lock)!r}))", tmp_path)
    assert is_made(folder, lock)
    (folder / "bin/python").unlink()
    (folder / "bin/python").symlink_to("/nonexistent/python3.10")
    assert not is_made(folder, lock), "its Python is gone"
    (folder / "bin/python").unlink()
    (folder / "bin/python").symlink_to(PYTHON)
    folder.rename(tmp_path / "moved")
    assert not is_made(tmp_path / "moved", lock), "its scripts name another folder"
    (folder.parent / "moved").rename(folder)
    (folder / ".made-from").write_text((folder / ".made-from").read_text().replace(sys.version, "3.99.0"))
    assert not is_made(folder, lock), "another Python made it"


def test_what_a_python_lacks_is_named_with_how_to_get_it(tmp_path):
    assert of_script("v.main(['--check'])", tmp_path).returncode == 0
    for lacks, says in (("sys.version_info = (3, 9, 18)", "is Python 3.9.18, and the tests need 3.10 or later"), ("sys.modules['ensurepip'] = None", "ensurepip")):
        done = of_script(f"{lacks}\nv.main(['--check'])", tmp_path)
        assert done.returncode == 1 and says in done.stderr and "apt-get install python3 python3-venv" in done.stderr
