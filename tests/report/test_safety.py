"""Names are chosen by whoever may create a group: nothing in them is markup, and the page fetches nothing."""

import json
import re

import pytest
from conftest import ORGANISATION, from_groups, from_internet, group, served

PAYLOADS = [
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    "</style><style>*{display:none}</style>",
    "</title><script>alert(3)</script>",
    "<img src=x onerror=alert(4)>",
    "\"><svg/onload=alert(5)>",
    "' onmouseover='alert(6)",
    "<!--<script>alert(7)//-->",
    "--><iframe src=javascript:alert(8)></iframe>",
    "javascript:alert(9)",
    "{{ 7*7 }}{% raw %}${7*7}",
    "<base href=//evil.example/><link rel=stylesheet href=//evil.example/x.css>",
    "<meta http-equiv=refresh content=0;url=//evil.example/>",
    "]]><b>cdata</b>",
    "&lt;script&gt;alert(10)&lt;/script&gt; &amp; &#60;",
    "\u202egnp.exe\u2066\u2028\u2029",
    "אבג-דהו (שלום",
    "a\u0000b\u0007c\nd\te\u001b[31m",
    "x" * 255,
    "👩‍💻 é 日本語 ﷽",
    "😀<\u0000script>alert(11)</script>",
    "sg-1 (web) in account 1, accepts nothing",
]


def hostile_groups():
    for number, payload in enumerate(PAYLOADS):
        pair = {"GroupId": payload + "-source", "GroupName": payload, "UserId": payload, "VpcId": payload, "Description": payload}
        peered = {**pair, "GroupId": f"sg-peer{number}", "VpcPeeringConnectionId": payload, "PeeringStatus": payload}
        named = {"GroupName": payload, "UserId": payload, "Description": payload}
        open = {"IpProtocol": "-1", "UserIdGroupPairs": [pair, peered, named, {"GroupId": "sg-safe", "Description": payload}]}
        other = {"IpProtocol": payload, "FromPort": 0, "ToPort": 65535, "UserIdGroupPairs": [pair]}
        lists = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 2, "UserIdGroupPairs": [], "PrefixListIds": [{"PrefixListId": payload}], "IpRanges": [{"CidrIp": payload}]}
        yield group(
            payload, open, other, lists, from_internet(), GroupName=payload, Description=payload, OwnerId=payload, VpcId=payload,
            SecurityGroupArn=f"arn:aws:ec2:eu-west-1:1:{payload}", Tags=[{"Key": payload, "Value": payload}, {"Key": "tier", "Value": "<b>top</b>"}],
        )  # fmt: skip
    yield group("sg-safe", from_groups(PAYLOADS[0], PAYLOADS[4]))


def settings(path):
    """Settings in which every text is hostile."""
    quote = lambda text: json.dumps(text.replace("\x00", "").replace("\x1b", "").replace("\x07", ""), ensure_ascii=False)  # noqa: E731
    lines = ['[sensitivity]\ntag = "tier"\nlevels = ["<i>low</i>", "<b>top</b>"]\ndefault = "<i>low</i>"\n']
    for number, payload in enumerate(PAYLOADS):
        lines.append(
            f'[[exemption]]\nid = "e{number}"\nreason = {quote("Accepted: " + payload)}\nowner = {quote(payload)}\n'
            f'self_service = true\ntarget = {{ name = {quote(payload)} }}\nsource = "any"\nallow = "all-traffic"\n'
            + ("until = 2020-01-01\n" if number % 2 else "")
        )
    path.write_text("\n".join(lines))
    return path


@pytest.fixture
def hostile(report, tmp_path):
    interfaces = [
        {"NetworkInterfaceId": payload, "VpcId": payload, "OwnerId": payload, "InterfaceType": payload, "Groups": [{"GroupId": payload}, {"GroupId": "sg-safe"}],
         "Attachment": {"InstanceId": payload}, "Association": {"PublicIp": payload}}
        for payload in PAYLOADS
    ]  # fmt: skip
    options = ["--policy", settings(tmp_path / "policy.toml"), "--title", "</title><script>alert('title')</script>\u202e"]
    return report(list(hostile_groups()), *options, beside={"NetworkInterfaces": interfaces})


def counts(page):
    return page.evaluate(
        """() => {
            const elements = [...document.querySelectorAll("*")];
            const attributes = elements.flatMap((element) => [...element.attributes].map((attribute) => attribute.name));
            return {
                scripts: document.scripts.length,
                styles: document.querySelectorAll("style").length,
                foreign: elements.map((element) => element.localName).filter((name) => ["img", "iframe", "base", "object", "embed", "form", "link"].includes(name)),
                handlers: attributes.filter((name) => name.startsWith("on") || name === "style"),
                metas: [...document.querySelectorAll("meta[http-equiv]")].map((meta) => meta.httpEquiv),
                links: [...document.links].map((link) => link.getAttribute("href")).filter((target) => !target.startsWith("#")),
            };
        }"""
    )


@pytest.mark.parametrize("script", [True, False])
def test_nothing_that_others_chose_is_markup(hostile, visit, script):
    page = visit(hostile, script=script)
    found = counts(page) if script else None
    if script:
        assert found == {
            "scripts": 2, "styles": 1, "foreign": [], "handlers": [], "links": [], "metas": ["Content-Security-Policy"],
        }  # fmt: skip
    assert page.locator("tr[data-group-id][data-verdict]").count() == len(PAYLOADS) + 1
    for payload in PAYLOADS[:15]:
        row = page.locator("#table tbody tr").filter(has_text=payload)
        assert row.count() >= 1, payload
    page.wait_for_timeout(300)


def test_the_script_writes_no_markup_of_what_others_chose(hostile, visit):
    page = visit(hostile)
    for payload in PAYLOADS[:6]:
        page.fill("#filter", payload)
        page.fill("#pick", payload)
        page.locator("#pick").press("Enter")
        assert page.locator("#map g.chosen").count() == 1
    assert counts(page)["scripts"] == 2
    assert counts(page)["foreign"] == []


@pytest.mark.parametrize("script", [True, False])
def test_the_page_makes_one_request_also_from_a_server(organisation, visit, script):
    with served(organisation.parent) as (origin, asked):
        page = visit(None, f"{origin}/{organisation.name}", script=script)
        page.mouse.wheel(0, 5000)
        page.wait_for_timeout(500)
        page.seen.assert_quiet()
        page.context.close()
    assert asked == [f"/{organisation.name}"]


def test_only_the_own_script_and_style_may_run(organisation, visit):
    text = organisation.read_text()
    policy = re.search(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', text)[1]
    kinds = {directive.split()[0]: directive.split()[1:] for directive in policy.split(";")}
    assert kinds["default-src"] == ["'none'"]
    assert all(re.fullmatch(r"'sha256-[A-Za-z0-9+/]{43}='", source) for kind in ("script-src", "style-src") for source in kinds[kind])
    assert len(kinds["script-src"]) == len(kinds["style-src"]) == 1
    assert " style=" not in re.sub(r"<(style|script)\b.*?</\1>", "", text, flags=re.S)
    page = visit(organisation)
    # The policy holds: the style is applied, the script has run, and another one does not.
    assert page.locator("#filter").is_visible()
    assert page.evaluate("getComputedStyle(document.querySelector('.tiles')).display") == "grid"


def test_another_script_does_not_run(organisation, browser):
    page = browser.new_page()
    page.set_content(organisation.read_text().replace("</body>", "<script>document.title = 'taken'</script></body>"))
    assert page.title() == "Sample organisation"
    page.close()


def test_json_blocks_hold_no_less_than_sign(hostile):
    blocks = re.findall(r'<script type="application/json" id="data">(.*?)</script>', hostile.read_text(), flags=re.S)
    assert len(blocks) == 1 and "<" not in blocks[0]
    assert "</script><script>alert(2)</script>" in {node[0] for node in json.loads(blocks[0])["nodes"]}


def test_a_name_turns_no_words_around_it(hostile):
    text = hostile.read_text()
    # What turns the direction of writing is written visibly, and letters that are written from the right are isolated.
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u2028\u2029]", text)
    markup = re.sub(r"<(style|script|title)\b.*?</\1>", "", text, flags=re.S)
    # In the picture each name is a text by itself.
    markup = re.sub(r'<svg class="map".*?</svg>', "", markup, flags=re.S)
    outside = re.sub(r"<bdi>.*?</bdi>", "", re.sub(r'="[^"]*"', "", markup))
    assert not re.search("[\u0590-\u05ff\ufb1d-\ufdff]", outside)


def test_the_organisation_is_shown_without_a_word_to_the_console(organisation, visit):
    for script in (True, False):
        visit(organisation, script=script)
    assert ORGANISATION.is_dir()
