"""moto as a server of its own: EC2's state, and where boto3 looks for what Security Hub took."""

import contextlib
import socket
import subprocess
import sys
import time
import urllib.request


@contextlib.contextmanager
def moto():
    """Runs it; gives its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 60
        while not is_up(port):
            if time.monotonic() > deadline or server.poll() is not None:
                raise AssertionError("moto does not start")
            time.sleep(0.05)
        yield port
    finally:
        server.kill()
        server.wait()


def is_up(port):
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/moto-api/", timeout=5).close()
    except OSError:
        return False
    return True


def reset(port):
    """Forgets everything."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/moto-api/reset", method="POST")
    urllib.request.urlopen(request, timeout=30).close()
