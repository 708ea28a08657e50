"""Ten thousand groups of which two thousand failed. Times are printed, with `pytest -s`; only the size is held."""

import time

from conftest import ACCOUNT, from_groups, from_internet, group

GROUPS, FAILED = 10_000, 2_000


def groups():
    for number in range(GROUPS):
        id = f"sg-{number:017x}"
        permissions = [from_groups(f"sg-{(number * 7 + 1) % GROUPS:017x}", protocol="tcp", ports=(443, 443))]
        if number < FAILED:
            permissions.append(from_groups(f"sg-{(number * 31 + 5) % GROUPS:017x}"))
        if number % 400 == 0:
            permissions.append(from_internet())
        yield group(
            id, *permissions, GroupName=f"service-{number % 250}-tier-{number}", OwnerId=ACCOUNT, VpcId=f"vpc-{number % 40:017x}",
            SecurityGroupArn=f"arn:aws:ec2:eu-west-1:{ACCOUNT}:security-group/{id}",
        )  # fmt: skip


def test_ten_thousand_groups_make_a_file_that_may_be_mailed(report, visit):
    began = time.perf_counter()
    file = report(list(groups()))
    made = time.perf_counter() - began
    size = file.stat().st_size
    assert size < 6_000_000
    began = time.perf_counter()
    page = visit(file)
    loaded = time.perf_counter() - began
    assert page.locator("tr[data-group-id]").count() == GROUPS
    assert page.locator("article.finding").count() == FAILED
    filtered = page.evaluate(
        """async () => {
            const began = performance.now();
            const filter = document.querySelector("#filter");
            filter.value = "service-17-";
            filter.dispatchEvent(new Event("input"));
            await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
            return (performance.now() - began) / 1000;
        }"""
    )
    assert page.locator("#table tbody tr:not([hidden])").count() == GROUPS // 250
    print(f"{GROUPS} groups, {FAILED} failed: {size / 1e6:.2f} MB; read and made in {made:.2f} s, loaded in {loaded:.2f} s, filtered in {filtered:.3f} s")
