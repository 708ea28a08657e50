"""The table of all groups: what is in it, filter and sort."""

import pytest
from conftest import ORGANISATION, evaluated

POLICY = ["--policy", ORGANISATION / "policy.toml"]


def shown(page):
    return page.eval_on_selector_all("#table tbody tr", "rows => rows.filter(row => row.checkVisibility()).map(row => row.dataset.groupId)")


def column(page, name):
    at = page.eval_on_selector_all("#table thead th", f"heads => heads.findIndex(head => head.dataset.column === '{name}')")
    return page.eval_on_selector_all("#table tbody tr", f"rows => rows.map(row => row.cells[{at}].textContent.trim())")


@pytest.mark.parametrize("script", [True, False])
def test_every_group_has_a_row_and_every_group_that_is_not_passed_a_section(organisation, visit, script):
    groups = evaluated(ORGANISATION, *POLICY)
    page = visit(organisation, script=script)
    rows = page.locator("tr[data-group-id][data-verdict]").all()
    found = {row.get_attribute("data-group-id"): row.get_attribute("data-verdict") for row in rows}
    assert found == {id: group["verdict"] for id, group in groups.items()}
    assert len(rows) == len(groups)
    sections = {section.locator("h3 .id").inner_text(): section.inner_text() for section in page.locator("article.finding").all()}
    assert sections.keys() == {id for id, group in groups.items() if group["verdict"] != "PASSED"}
    for id, text in sections.items():
        for violation in groups[id]["violations"]:
            assert violation["sentence"].split(" accepts ")[1][:20] in text
            assert (violation["fix"]["revoke"] or "").split("\n")[0] in text
            assert (violation["fix"]["authorize"] or "") in text
            assert violation["exemption"] is None or violation["exemption"] in text


def test_the_filter_shows_what_has_every_word(organisation, visit):
    page = visit(organisation)
    texts = dict(zip(shown(page), page.locator("#table tbody tr").all_inner_texts()))
    for words in ["payments", "FAILED 3333", "vpc-0a0000000000000a1 shop", "sg-0b000000000000003", "no such group", "  ", "db"]:
        page.fill("#filter", words)
        wanted = [id for id, text in texts.items() if all(word.lower() in text.lower() for word in words.split())]
        assert shown(page) == wanted, words
        assert page.inner_text("#shown") == f"{len(wanted)} of {len(texts)} groups shown"


def test_the_choices_filter_by_their_column(organisation, visit):
    page = visit(organisation)
    everything = shown(page)
    for name in ("verdict", "severity", "account", "vpc"):
        values = column(page, name)
        options = page.eval_on_selector_all(f"select[data-column={name}] option", "options => options.map(option => option.textContent)")
        assert set(options) == {"all", *filter(None, values)}
        for value in options[1:]:
            page.select_option(f"select[data-column={name}]", value)
            assert shown(page) == [id for id, own in zip(everything, values) if own == value]
        page.select_option(f"select[data-column={name}]", "")
    page.select_option("select[data-column=verdict]", "FAILED")
    page.select_option("select[data-column=severity]", "HIGH")
    page.fill("#filter", "payments")
    assert shown(page) == ["sg-0c000000000000002"]


RANKS = ["FAILED", "EXEMPT", "PASSED", "CRITICAL", "HIGH", "MEDIUM", "LOW", ""]
KEYS = {"rank": RANKS.index, "text": str.lower, "number": lambda text: int(text) if text else -1}


def test_every_column_sorts_both_ways_and_says_so(organisation, visit):
    page = visit(organisation)
    for number, head in enumerate(page.locator("#table thead th").all()):
        key = KEYS[head.get_attribute("data-sort")]
        # The table comes sorted by verdict.
        head.locator("button").click()
        orders = []
        for _ in range(2):
            order = head.get_attribute("aria-sort")
            orders.append(order)
            cells = page.eval_on_selector_all("#table tbody tr", f"rows => rows.map(row => row.cells[{number}].textContent.trim())")
            assert cells == sorted(cells, key=key, reverse=order == "descending")
            others = [other.get_attribute("aria-sort") for at, other in enumerate(page.locator("#table thead th").all()) if at != number]
            assert set(others) == {"none"}
            head.locator("button").click()
        assert set(orders) == {"ascending", "descending"}


def test_filter_and_sort_go_together(organisation, visit):
    page = visit(organisation)
    page.fill("#filter", "FAILED")
    before = set(shown(page))
    page.locator("#table thead [data-column=name] button").click()
    assert set(shown(page)) == before
    page.fill("#filter", "")
    assert len(shown(page)) == 40


def test_a_command_is_copied_as_it_is(organisation, browser):
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(f"file://{organisation}")
    box = page.locator("#first .copied").first
    box.locator("button").click()
    page.wait_for_function("document.querySelector('#first .copied button').textContent !== 'Copy'")
    assert box.locator("button").inner_text() in ("Copied", "Selected")
    context.close()


def test_without_the_script_no_control_is_left_that_does_nothing(organisation, visit):
    page = visit(organisation, script=False)
    assert page.locator("input:visible, select:visible, button:visible").count() == 0
    assert page.locator("#table tbody tr:visible").count() == 40
