"""Printed, nothing is collapsed."""

import io

import pytest
from conftest import ORGANISATION, evaluated
from pypdf import PdfReader


@pytest.mark.parametrize("script", [True, False])
def test_the_pdf_has_every_failed_group_and_its_fix(organisation, visit, script):
    page = visit(organisation, script=script)
    if script:
        page.fill("#filter", "no such group")
    pdf = PdfReader(io.BytesIO(page.pdf(format="A4", prefer_css_page_size=True)))
    text = "".join("".join(sheet.extract_text().split()) for sheet in pdf.pages)
    groups = evaluated(ORGANISATION, "--policy", ORGANISATION / "policy.toml")
    failed = [group for group in groups.values() if group["verdict"] != "PASSED"]
    assert len(failed) > 15
    for group in groups.values():
        assert group["group_id"] in text
    for group in failed:
        for violation in group["violations"]:
            fix = violation["fix"]
            for command in filter(None, [fix["authorize"], *(fix["revoke"] or "").split("\n")]):
                assert "".join(command.split()) in text, command
