"""The pictures of the README: `SG_TRUST_WRITE_DOCS=1 make test-report` makes them."""

import os

import pytest
from conftest import ROOT

SIZE = {"width": 1200, "height": 900}
MOST = 300_000


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_readme_shows_the_report(organisation, visit, scheme, tmp_path):
    page = visit(organisation, color_scheme=scheme, viewport=SIZE)
    file = (ROOT / "docs" if os.environ.get("SG_TRUST_WRITE_DOCS") else tmp_path) / f"report-{scheme}.png"
    # Shortened, so that the picture is seen too.
    page.evaluate("document.querySelectorAll('.removals > li:nth-child(n+3)').forEach((removal) => removal.remove())")
    legend = page.locator(".legend").bounding_box()
    page.screenshot(path=file, full_page=True, clip={"x": 0, "y": 0, "width": 1200, "height": legend["y"] + legend["height"] + 24})
    assert file.stat().st_size < MOST
    shown = ROOT / f"docs/report-{scheme}.png"
    assert shown.read_bytes().startswith(b"\x89PNG") and shown.stat().st_size < MOST
    assert f"docs/report-{scheme}.png" in (ROOT / "README.md").read_text()
