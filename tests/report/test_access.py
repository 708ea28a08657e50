"""The report is for everyone: axe finds nothing, the keyboard is enough, no scheme is left out."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from test_safety import hostile  # noqa: F401


def faults(page):
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [(fault["id"], [node["html"][:160] for node in fault["nodes"]][:3]) for fault in found]


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(organisation, visit, scheme, width):
    page = visit(organisation, color_scheme=scheme, reduced_motion="reduce", viewport={"width": width, "height": 900})
    assert faults(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_a_report_of_hostile_names(hostile, visit, scheme):  # noqa: F811
    assert faults(visit(hostile, color_scheme=scheme, reduced_motion="reduce")) == []


def focused(page):
    return page.evaluate("(() => { const at = document.activeElement; return at.id || at.textContent.trim().slice(0, 40); })()")


def tab_to(page, wanted, most=400):
    for _ in range(most):
        page.keyboard.press("Tab")
        if focused(page) == wanted:
            return
    raise AssertionError(f"no {wanted} within {most} steps")


def test_the_keyboard_alone_is_enough(organisation, visit):
    page = visit(organisation, reduced_motion="reduce")
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to the groups"
    assert page.locator(".skip").bounding_box()["y"] >= 0
    tab_to(page, "pick")
    page.keyboard.press("Control+A")
    page.keyboard.type("artifact-store")
    page.keyboard.press("Enter")
    assert page.locator("#map g.chosen text").first.text_content() == "artifact-store"
    tab_to(page, "zoom-in")
    before = page.get_attribute("#map", "viewBox")
    page.keyboard.press("Enter")
    assert page.get_attribute("#map", "viewBox") != before
    tab_to(page, "map")
    for key in ("ArrowRight", "ArrowDown", "+", "-"):
        before = page.get_attribute("#map", "viewBox")
        page.keyboard.press(key)
        assert page.get_attribute("#map", "viewBox") != before, key
    page.keyboard.press("Tab")
    chosen = page.evaluate("document.activeElement.querySelector('text').textContent")
    page.keyboard.press("Enter")
    assert page.locator("#map g.chosen text").first.text_content() == chosen
    assert focused(page) == "map"
    tab_to(page, "filter")
    page.keyboard.type("payments-db")
    assert page.locator("#table tbody tr:visible").count() == 1
    page.keyboard.press("Control+A")
    page.keyboard.press("Delete")
    tab_to(page, "Group")
    page.keyboard.press("Enter")
    assert page.get_attribute("#table thead [data-column=name]", "aria-sort") == "ascending"
    tab_to(page, "artifact-store")
    page.keyboard.press("Enter")
    assert page.evaluate("document.querySelector(':target').textContent").count("artifact-store") >= 1


def test_landmarks_headings_and_captions_are_there(organisation, visit):
    page = visit(organisation, script=False)
    for landmark in ("header", "nav", "main", "footer"):
        assert page.locator(f"body {landmark}").count() == 1, landmark
    assert page.locator("h1").count() == 1
    tables = page.locator("table").count()
    assert tables >= 3 and page.locator("table > caption").count() == tables
    wanted = ["totals", "first", "picture", "groups", "findings", "clusters", "unseen", "not-read", "settings"]
    ids = [section.get_attribute("id") for section in page.locator("main > section").all()]
    assert ids == wanted


def test_nobody_is_moved_who_does_not_want_to(organisation, visit):
    behaviour = "getComputedStyle(document.documentElement).scrollBehavior"
    assert visit(organisation, reduced_motion="reduce").evaluate(behaviour) == "auto"
    assert visit(organisation, reduced_motion="no-preference").evaluate(behaviour) == "smooth"


def test_both_schemes_differ_and_forced_colours_hold(organisation, visit):
    colour = "getComputedStyle(document.body).backgroundColor"
    light, dark = (visit(organisation, color_scheme=scheme).evaluate(colour) for scheme in ("light", "dark"))
    assert light != dark
    forced = visit(organisation, forced_colors="active")
    box = forced.evaluate("getComputedStyle(document.querySelector('.map .node rect')).stroke")
    text = forced.evaluate("getComputedStyle(document.querySelector('.map .node text')).fill")
    page = forced.evaluate(colour)
    assert page not in (box, text)


def test_a_narrow_window_scrolls_in_one_direction_only(organisation, visit):
    page = visit(organisation, viewport={"width": 400, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    assert page.locator("#table tbody tr").first.locator("th").is_visible()
