"""The picture, and the same as a list."""

import json
import re

import pytest
from conftest import ORGANISATION, from_groups, from_internet, group, sg_trust

POLICY = ["--policy", ORGANISATION / "policy.toml"]


@pytest.fixture(scope="module")
def graph():
    return json.loads(sg_trust("graph", ORGANISATION, *POLICY, "--format", "json"))


def test_the_columns_are_hops_from_the_internet(organisation, visit, graph):
    page = visit(organisation, script=False)
    listed = {}
    for hops, column in enumerate(page.locator("ol.hops > li").all()):
        for id in column.locator("li .id").all_inner_texts():
            listed[id] = hops
    reached = {one["group_id"]: one["hops_from_internet"] for one in graph["groups"] if one["hops_from_internet"] is not None}
    assert reached.items() <= listed.items()
    # What is listed beside is on the machine of one that is reached.
    assert {id for id in listed if id not in reached} == {"sg-0b000000000000002"}
    drawn = page.locator("#picture svg.map g.node text:not(.sub)").all_text_contents()
    names = {one["group_id"]: one["group_name"] for one in graph["groups"]}
    assert sorted(drawn) == sorted(names[id] for id in listed)
    assert page.locator("#picture svg.map path.open").count() >= len(reached) - 6


def test_a_column_folds_above_forty_groups(report, visit):
    groups = [group("sg-door", from_internet())]
    groups += [group(f"sg-{number:03}", from_groups("sg-door")) for number in range(252)]
    page = visit(report(groups), script=False)
    assert page.locator("svg.map g.node").count() == 1 + 40 + 1
    assert "and 212 more" in page.locator("svg.map g.folded").text_content()
    assert "and 212 more" in page.locator("ol.hops").inner_text()


def test_without_internet_it_begins_with_what_reaches_most(report, visit):
    groups = [group("sg-a"), group("sg-b", from_groups("sg-a")), group("sg-c", from_groups("sg-b")), group("sg-z")]
    page = visit(report(groups), script=False)
    assert page.locator("svg.map .internet").count() == 0
    assert page.locator("ol.hops > li").first.inner_text().startswith("Reaching most")
    assert "name-a" in page.locator("ol.hops > li").first.inner_text()
    assert "name-z" not in page.locator("ol.hops").inner_text()


def test_with_nothing_to_draw_it_says_so(report, visit):
    page = visit(report([group("sg-a"), group("sg-b")]))
    assert "nothing to draw" in page.inner_text("#picture")
    assert not page.locator("#around").is_visible()
    assert visit(report([])).locator("tr[data-group-id]").count() == 0


def test_a_chain_longer_than_the_picture_is_counted(report, visit):
    groups = [group("sg-000", from_internet())] + [group(f"sg-{number:03}", from_groups(f"sg-{number - 1:03}")) for number in range(1, 300)]
    page = visit(report(groups), script=False)
    assert page.locator("ol.hops > li").count() == 8
    assert "292 more groups lie further away" in page.inner_text("#picture")


def test_a_crowd_is_not_a_hairball(report, visit):
    doors = [group(f"sg-d{number:02}", from_internet()) for number in range(40)]
    ids = [door["GroupId"] for door in doors]
    page = visit(report(doors + [group(f"sg-t{number:02}", from_groups(*ids)) for number in range(40)]), script=False)
    assert page.locator("svg.map path.open").count() <= 300
    assert "are not drawn" in page.inner_text("#picture")


def neighbours(graph, id, hops):
    """Sources and targets within so many hops, by a second way: chains go on over machines that carry both groups."""
    edges = [(one["from"], one["to"]) for one in graph["edges"] if one["open"] and one["from"] != one["to"]]
    keys = {one["group_id"]: [] if one["latent"] else [one["group_id"]] for one in graph["groups"]}
    keys["sg-0b000000000000001"] = keys["sg-0b000000000000002"] = ["sg-0b000000000000001", "sg-0b000000000000002"]
    keys["sg-0a000000000000009"] = keys["sg-0a000000000000010"] = ["sg-0a000000000000009", "sg-0a000000000000010"]
    keys["sg-0b000000000000011"] = keys["sg-0b000000000000012"] = []
    doors = {}
    for door, behind in keys.items():
        for key in behind:
            doors.setdefault(key, []).append(door)

    def walk(step, through):
        found, border = set(), {id}
        for _ in range(hops):
            ends = {end for at in border for end in step(at)} - {id} - found
            found |= ends
            border = {on for end in ends for on in through(end)}
        return found

    left = walk(lambda door: {a for a, b in edges if b == door}, lambda key: doors.get(key, []))
    right = walk(lambda key: {b for a, b in edges if a == key}, lambda door: keys.get(door, []))
    return left, right


@pytest.mark.parametrize("hops", ["1", "2", "3"])
@pytest.mark.parametrize("name", ["artifact-store", "payments-db", "ci-runner", "backup-agent", "kafka-brokers"])
def test_the_neighbourhood_is_that_of_the_graph(organisation, visit, graph, name, hops):
    page = visit(organisation)
    page.select_option("#hops", hops)
    page.fill("#pick", name)
    page.locator("#pick").press("Enter")
    ids = {one["group_name"]: one["group_id"] for one in graph["groups"]}
    left, right = neighbours(graph, ids[name], int(hops))
    words = page.inner_text("#around-words")
    assert f"{len(left)} reach it and it reaches {len(right)}" in words
    sides = {"Sources": set(), "Targets": set()}
    for part in page.locator("#around-list > div").all():
        side = part.locator("h4").inner_text().split(",")[0]
        sides[side] |= {ids[text] for text in part.locator("li b").all_inner_texts()}
    assert (sides["Sources"], sides["Targets"]) == (left, right)
    # Sources stand at the left, targets at the right.
    for box in page.locator("#map g.node").all():
        x = float(box.locator("rect").first.get_attribute("x"))
        of = ids[re.split(" sg-", box.get_attribute("aria-label"))[0]]
        assert x == 0 if of == ids[name] else of in (left if x < 0 else right)


def test_a_section_leads_to_its_neighbourhood(organisation, visit):
    page = visit(organisation)
    section = page.locator("article.finding").filter(has_text="backup-agent").first
    name = section.locator("h3 bdi").inner_text()
    section.locator("a[data-node]").click()
    assert page.locator("#map g.chosen text").first.text_content() == name


def test_the_picture_is_dragged_and_zoomed(organisation, visit):
    page = visit(organisation)
    page.locator("#map").scroll_into_view_if_needed()
    box = page.locator("#map").bounding_box()
    view = lambda: [float(number) for number in page.get_attribute("#map", "viewBox").split()]  # noqa: E731
    before = view()
    x, y = box["x"] + box["width"] / 2, box["y"] + 5
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 100, y + 20)
    page.mouse.up()
    assert view()[0] < before[0] and view()[1] < before[1] and view()[2:] == before[2:]
    page.click("#zoom-out")
    assert view()[2] > before[2]
    page.click("#zoom-all")
    assert view() == before
