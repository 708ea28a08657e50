"""The report in a real Chromium: the system's own, driven by Playwright."""

import json
import os
import shutil
import subprocess
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[2]
SG_TRUST = Path(os.environ.get("SG_TRUST", ROOT / "target/core/debug/sg-trust"))
ORGANISATION = ROOT / "events/organisation"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
MISSING = "Chromium is missing: Debian: apt-get install chromium; Fedora: dnf install chromium; or set CHROMIUM=/path/to/chromium"
ACCOUNT = "111111111111"


def pytest_sessionstart():
    if not SG_TRUST.exists():
        pytest.exit(f"{SG_TRUST} is missing: build it with `make report`", returncode=2)
    if CHROMIUM is None and os.environ.get("SG_TRUST_NEEDS_CHROMIUM"):
        pytest.exit(MISSING, returncode=2)


@pytest.fixture(scope="session")
def browser():
    if CHROMIUM is None:
        pytest.skip(MISSING)
    with sync_playwright() as playwright:
        # Chromium's sandbox refuses to run as root, as in a container.
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        browser.close()


def sg_trust(*arguments, code=0):
    done = subprocess.run([SG_TRUST, *map(str, arguments)], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == code, (done.returncode, done.stderr)
    return done.stdout


def evaluated(*arguments):
    """What `check` says of the same groups, by id."""
    done = subprocess.run([SG_TRUST, "check", *map(str, arguments), "--format", "json"], capture_output=True, text=True, cwd=ROOT)
    return {group["group_id"]: group for group in json.loads(done.stdout)["groups"]}


@pytest.fixture(scope="session")
def organisation(tmp_path_factory):
    """The report of the example organisation."""
    file = tmp_path_factory.mktemp("organisation") / "report.html"
    sg_trust("report", ORGANISATION, "--policy", ORGANISATION / "policy.toml", "--title", "Sample organisation", "-o", file)
    return file


@pytest.fixture
def report(tmp_path):
    """Makes the report of groups, with what goes into their file beside them."""

    def make(groups, *options, beside=None, code=0):
        source, file = tmp_path / "groups.json", tmp_path / "report.html"
        source.write_text(json.dumps({"SecurityGroups": groups, **(beside or {})}))
        sg_trust("report", source, *options, "-o", file, code=code)
        return file

    return make


def group(id, *permissions, **members):
    return {"GroupId": id, "GroupName": id.replace("sg-", "name-"), "OwnerId": ACCOUNT, "VpcId": "vpc-1", "IpPermissions": list(permissions), **members}


def from_groups(*ids, protocol="-1", ports=None):
    range = {} if ports is None else {"FromPort": ports[0], "ToPort": ports[1]}
    return {"IpProtocol": protocol, **range, "UserIdGroupPairs": [{"GroupId": id, "UserId": ACCOUNT} for id in ids]}


def from_internet(port=443):
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "UserIdGroupPairs": [], "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}


@contextmanager
def served(folder):
    """An HTTP server of a folder, and the paths that were asked for."""
    asked = []

    class Handler(SimpleHTTPRequestHandler):
        def log_request(self, *_):
            asked.append(self.path)

        def log_error(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Seen:
    """What a page did beside showing itself."""

    def __init__(self, page):
        self.requests, self.console, self.dialogs, self.errors = [], [], [], []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: self.console.append(message.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("dialog", self.dialog)

    def dialog(self, dialog):
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def assert_quiet(self):
        assert len(self.requests) == 1, self.requests
        assert (self.console, self.dialogs, self.errors) == ([], [], [])


@pytest.fixture
def visit(browser):
    """Opens a file in a page of its own, and tells what it did. The test fails when it did anything but show itself."""
    contexts = []

    def open(file, url=None, **options):
        context = browser.new_context(java_script_enabled=options.pop("script", True), **options)
        contexts.append(context)
        page = context.new_page()
        seen = Seen(page)
        page.goto(url or f"file://{file}")
        page.seen = seen
        return page

    yield open
    for context in contexts:
        for page in context.pages:
            page.seen.assert_quiet()
        context.close()
