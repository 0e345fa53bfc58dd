"""The page of `orch report` in a real browser; its Markdown traced to where figures are from."""

from __future__ import annotations

import json
import re
import struct
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys

from orchestrator.evidence.gathering import gather
from orchestrator.oci.layer import Layer
from orchestrator.oci.layout import Layout
from orchestrator.report.page.rendering import format_page
from orchestrator.report.text import format_bytes
from tests.conftest import required
from tests.evidences import (
    build_of,
    build_row,
    failed_row,
    push_of,
    skipped_row,
    verification_of,
)
from tests.real.browser import Browser
from tests.real.browser import browser as run_browser
from tests.real.reference import copy_reference
from tests.real.registry import registry as run_registry

ORCH = Path(sys.executable).with_name("orch")
WIDTHS = (1280, 400)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with required(run_browser()) as window:
        yield window


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a checkout of the reference tree: built, some pushed, one verified."""
    with required(run_registry()) as address:
        root = copy_reference(tmp_path_factory.mktemp("report") / "tree")
        settings = root / "orch.toml"
        price = '\n[report]\nstorage-price = "0.10 USD"\n'
        settings.write_text(f'registry = "{address}/tree"\n{settings.read_text()}{price}')
        orch(root, "build", "--relock-missing")
        orch(root, "build", "--force")
        orch(root, "push", "python-web-light", "webhook", "--no-attest")
        orch(root, "verify", "--runtime", "none", "webhook")
        yield root


def orch(root: Path, *arguments: str) -> str:
    command = [str(ORCH), "-C", str(root), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def document(tree: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(orch(tree, "report", "--format", "json"))
    return found


@pytest.fixture(scope="module")
def page(tree: Path) -> Path:
    file = tree / "report.html"
    orch(tree, "report", "--format", "html", "--output", str(file))
    return file


def drawn(rows: list[dict[str, Any]], file: Path, *, ok: bool = True, **more: Any) -> Path:
    """Write the page of a build that was put together by hand."""
    given = {"push": None, "verification": None, **more}
    evidence = gather(build_of(rows, ok=ok), wanted={row["name"] for row in rows}, **given)
    file.write_text(format_page(evidence), "utf-8")
    return file


def texts(browser: Browser, selector: str) -> list[str]:
    found: list[str] = browser.value(
        f"[...document.querySelectorAll({selector!r})].map((one) => one.textContent.trim())"
    )
    return found


# The reference tree


def test_the_graph_has_every_image(browser: Browser, page: Path, document: dict[str, Any]) -> None:
    browser.open(page)
    names = [image["name"] for image in document["images"]]
    assert browser.attributes("#graph .box", "data-image") == names
    edges = sum(len(image["parents"]) for image in document["images"])
    assert len(browser.all("#graph .line")) == edges
    assert all(box.is_displayed() for box in browser.all("#graph .box"))


def test_a_click_on_an_image_opens_its_details(
    browser: Browser, page: Path, document: dict[str, Any]
) -> None:
    browser.open(page)
    assert not browser.one("#details").is_displayed()
    browser.one('#graph .box[data-image="webhook"]').click()
    image = next(image for image in document["images"] if image["name"] == "webhook")
    shown = browser.one("#details").text
    assert browser.one("#details-name").text == "webhook"
    for told in (image["digest"], image["fingerprint"], image["published"]["reference"]):
        assert told in shown
    for layer in image["layers"]:
        assert layer["digest"][:19] in shown
    for gate in image["gates"]:
        assert f"{gate['result']}: {gate['id']}." in shown


def test_bars_of_the_timeline_are_those_of_the_document(
    browser: Browser, page: Path, document: dict[str, Any]
) -> None:
    browser.open(page)
    timed = [image for image in document["images"] if image["timing"]]
    assert len(timed) > 10
    whole = max(i["timing"]["started_s"] + i["timing"]["duration_s"] for i in timed)
    bars = "[...document.querySelectorAll('#timeline .bar')].map((bar) => { const took = "
    bars += "bar.querySelector('.took'); const all = document.querySelector('#timeline')"
    bars += ".clientWidth; return [bar.dataset.image, took.x.baseVal.value / all, "
    bars += "took.width.baseVal.value / all] })"
    shares = {name: (left, width) for name, left, width in browser.value(bars)}
    assert shares.keys() == {image["name"] for image in timed}
    for image in timed:
        left, width = shares[image["name"]]
        assert left == pytest.approx(image["timing"]["started_s"] / whole, abs=0.002)
        at_least = max(image["timing"]["duration_s"] / whole, 0.002)
        assert width == pytest.approx(at_least, abs=0.002)
    critical = browser.attributes("#timeline .critical", "data-image")
    assert sorted(critical) == sorted(document["critical_path"])


def test_nothing_is_asked_for_but_the_page_and_the_console_is_empty(
    browser: Browser, page: Path
) -> None:
    browser.open(page)
    browser.one("#graph .box").click()
    assert browser.complaints() == []
    asked = [url for url in browser.requests() if not url.startswith("data:")]
    assert asked == [page.as_uri()]


def test_a_page_that_asked_for_something_would_be_noticed(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "x.html").write_text("<img src='no-such-file.png'>")
    browser.open(tmp_path / "x.html")
    assert len(browser.requests()) == 2
    assert browser.complaints()


@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_is_as_wide_as_the_window(
    browser: Browser, page: Path, tmp_path: Path, width: int
) -> None:
    browser.open(page, width)
    assert browser.value("document.documentElement.scrollWidth") <= width
    browser.one('#graph .box[data-image="python-base"]').click()
    assert browser.value("document.documentElement.scrollWidth") <= width
    picture = browser.picture(tmp_path / f"page-{width}.png", width)
    assert struct.unpack(">I", picture[16:20]) == (width,)  # PNG: the width in the header


# By keyboard


def test_the_graph_is_used_by_keyboard(browser: Browser, page: Path) -> None:
    browser.open(page)
    assert browser.attributes('#graph .box[tabindex="0"]', "data-image") == ["python-base"]
    base = browser.one('#graph .box[data-image="python-base"]')
    browser.value("arguments[0].focus()", base)
    base.send_keys(Keys.ARROW_RIGHT)
    active = "document.activeElement.dataset.image"
    first = browser.value(active)
    assert first != "python-base"
    browser.chrome.switch_to.active_element.send_keys(Keys.ENTER)
    assert browser.one("#details-name").text == first
    browser.chrome.switch_to.active_element.send_keys(Keys.ARROW_DOWN)
    assert browser.value(active) != first
    browser.chrome.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert not browser.one("#details").is_displayed()
    assert browser.value(active) == first, "focus goes back to where the details were opened"


def test_buttons_zoom_the_graph(browser: Browser, page: Path) -> None:
    browser.open(page)
    width = "document.querySelector('#graph svg').getBoundingClientRect().width"
    before = browser.value(width)
    browser.one('[data-zoom="1.25"]').click()
    assert browser.value(width) == pytest.approx(1.25 * before, rel=0.01)
    browser.one('[data-zoom="fit"]').click()
    assert browser.value(width) <= browser.value("document.querySelector('#graph').clientWidth")


def test_what_can_be_clicked_has_a_name_for_those_who_cannot_see_it(
    browser: Browser, page: Path
) -> None:
    browser.open(page)
    unnamed = "[...document.querySelectorAll('button, [role]')].filter((one) => !(one.ariaLabel "
    unnamed += "|| one.getAttribute('aria-labelledby') || one.textContent.trim())).length"
    assert browser.value(unnamed) == 0
    pressed = browser.attributes('#graph .box[role="button"]', "aria-label")
    assert "python-base, tier 0, " in pressed[0]


# Other builds


def test_three_hundred_images_are_drawn(browser: Browser, tmp_path: Path) -> None:
    rows = [build_row("image-0", span=(0.0, 1.0))]
    tiers = {0: 0}
    for number in range(1, 300):
        parent = (number - 1) // 4
        tiers[number] = tiers[parent] + 1
        span = (number / 10, 1.0)
        rows.append(build_row(f"image-{number}", f"image-{parent}", tier=tiers[number], span=span))
    file = drawn(rows, tmp_path / "page.html")
    clock = time.monotonic()
    browser.open(file)
    assert len(browser.attributes("#graph .box", "data-image")) == 300
    print(f"300 images drawn in {time.monotonic() - clock:.2f} s")
    assert len(browser.attributes("#timeline .bar", "data-image")) == 300
    assert browser.complaints() == []


@pytest.mark.parametrize("dark", [False, True])
def test_a_build_that_failed_says_so_first(browser: Browser, tmp_path: Path, *, dark: bool) -> None:
    rows = [
        build_row("base", span=(0.0, 1.0)),
        failed_row("web", "base", tier=1),
        skipped_row("api", "web", tier=2),
    ]
    browser.open(drawn(rows, tmp_path / "page.html", ok=False), dark=dark)
    assert texts(browser, ".verdict") == ["not done"]
    assert texts(browser, ".counts li") == ["1 built", "1 failed", "1 skipped"]
    assert texts(browser, "h2")[0] == "What went wrong"
    assert "it <broke> | twice" in browser.one("main section").text
    assert browser.attributes("#graph .box.skipped", "data-image") == ["api"]
    browser.one('#graph .box[data-image="web"]').click()
    shown = browser.one("#details").text
    for told in ("mend it", ".orch/logs/web.log", "none: there is no image"):
        assert told in shown
    paper = browser.value("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") != dark


def test_nothing_built_nor_pushed_nor_verified_is_said(browser: Browser, tmp_path: Path) -> None:
    browser.open(drawn([build_row("base", layers=[])], tmp_path / "page.html"))
    text = browser.one("main").text
    assert "No image was built." in text
    assert "none: not pushed from this workspace yet" in text
    assert "Not checked: nothing was verified here yet." in text
    assert browser.complaints() == []


def test_what_an_image_says_cannot_become_a_part_of_the_page(
    browser: Browser, tmp_path: Path
) -> None:
    evil = "</script><script>document.title='taken'</script><img src=x onerror=alert(1)>"
    error = {"message": evil, "hint": evil, "log": evil}
    layer = {"digest": "sha256:l", "what": evil, "size_bytes": 9, "unpacked_bytes": 9}
    rows = [
        build_row("base", span=(0.0, 1.0), layers=[{**layer, "reused": False}]),
        failed_row("web", "base", tier=1, error=error, because=evil),
    ]
    pushed, verified = push_of("base"), verification_of("base")
    verified["images"][0]["gates"][0]["says"] = evil
    file = drawn(rows, tmp_path / "page.html", ok=False, push=pushed, verification=verified)
    browser.open(file)
    for name in ("base", "web"):
        browser.one(f'#graph .box[data-image="{name}"]').click()
        assert evil in browser.one("#details").text
    assert browser.value("document.title") == "Build of 2026-03-01T10:00:00+00:00"
    assert browser.all("img") == []
    assert browser.complaints() == []


# Figures


def cells(line: str) -> list[str]:
    return [cell.replace("\\", "").strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def tables(markdown: str) -> dict[str, list[list[str]]]:
    """Return the rows of each table of a Markdown page, by the heading above it."""
    found: dict[str, list[list[str]]] = {}
    for part in markdown.split("\n## ")[1:]:
        title, _, rest = part.partition("\n")
        rows = [cells(line) for line in rest.splitlines() if line.startswith("|")]
        found[title] = rows[2:]
    return found


@pytest.fixture(scope="module")
def markdown(tree: Path) -> str:
    return orch(tree, "report", "--format", "markdown")


def test_sizes_and_digests_of_the_markdown_are_those_of_the_layout(
    tree: Path, markdown: str
) -> None:
    layout = Layout(tree / ".orch/layout")
    found = tables(markdown)
    layers: dict[str, Layer] = {}
    for name, _, _, _, digest, packed, unpacked in found["Images"]:
        if digest == "none":
            continue  # this machine cannot make it, and says so
        manifest = layout.blob_path(digest)
        parts = layout.read_json(digest)
        blobs = [parts["config"]["digest"], *(layer["digest"] for layer in parts["layers"])]
        files = [manifest, *(layout.blob_path(blob) for blob in blobs)]
        assert packed == format_bytes(sum(file.stat().st_size for file in files)), name
        held, _ = layout.read_image(digest)
        assert unpacked == format_bytes(sum(layer.unpacked_bytes for layer in held)), name
        layers |= {layer.digest: layer for layer in held}
    assert {row[2] for row in found["Layers"]} == layers.keys()
    for _, what, digest, packed, unpacked in found["Layers"]:
        assert what == layers[digest].what
        assert packed == format_bytes(layout.blob_path(digest).stat().st_size)
        assert unpacked == format_bytes(layers[digest].unpacked_bytes)


def test_times_of_the_markdown_are_those_of_the_record(tree: Path, markdown: str) -> None:
    build = json.loads((tree / ".orch/reports/build.json").read_text())
    rows = {image["name"]: image for image in build["images"] if image["attempts"]}
    times = tables(markdown)["Times"]
    assert {row[0] for row in times} == rows.keys()
    for name, began, took, after, waited, _ in times:
        row = rows[name]
        assert (began, took) == (f"{row['started_s']:.3f}", f"{row['duration_s']:.3f}")
        ends = {p: rows[p]["started_s"] + rows[p]["duration_s"] for p in row["parents"]}
        last = max(ends, key=lambda parent: ends[parent], default="")
        assert after == (last or "nothing")
        assert float(waited) == pytest.approx(
            max(0, row["started_s"] - ends.get(last, 0)), abs=0.001
        )
    assert f"in {build['duration_s']:.1f} s, begun {build['started']}" in markdown


def test_digests_of_the_markdown_are_those_that_the_registry_answers(markdown: str) -> None:
    rows = {row[0]: row for row in tables(markdown)["Registry"]}
    published = [row for row in rows.values() if not row[1].startswith("none: ")]
    assert [row[0] for row in published] == ["python-web-light", "webhook"]
    total = 0
    for _, reference, tags, weighs in published:
        repository, _, digest = reference.partition("@")
        host, _, name = repository.partition("/")
        size = 0
        for tag in tags.split(", "):
            answer = manifest(host, name, tag)
            assert answer.headers["Docker-Content-Digest"] == digest
        body = manifest(host, name, digest).read()
        held = json.loads(body)
        size = len(body) + held["config"]["size"] + sum(one["size"] for one in held["layers"])
        assert weighs == format_bytes(size)
        total += size
    cost = f"2 images, {format_bytes(total)}, {total / 1e9 * 0.1:.2f} USD a month"
    assert f"Storage: {cost} at 0.1 USD for a GB." in markdown


def manifest(host: str, name: str, reference: str) -> Any:
    accepted = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
    address = f"http://{host}/v2/{name}/manifests/{reference}"
    return urllib.request.urlopen(urllib.request.Request(address, headers=accepted))


def test_gates_of_the_markdown_are_those_of_the_verification(tree: Path, markdown: str) -> None:
    record = json.loads((tree / ".orch/reports/verification.json").read_text())
    (verified,) = record["images"]
    rows = [row for row in tables(markdown)["Gates"] if row[0] == "webhook"]
    told = [["webhook", gate["id"], gate["result"], gate["says"]] for gate in verified["gates"]]
    assert [[" ".join(cell.split()) for cell in row] for row in told] == rows
    others = [row for row in tables(markdown)["Gates"] if row[0] != "webhook"]
    assert {tuple(row[1:]) for row in others} == {
        ("all", "not checked", "not part of the last verification")
    }


def test_the_history_of_the_markdown_is_that_of_the_records(tree: Path, markdown: str) -> None:
    past = json.loads(orch(tree, "history", "--format", "json"))
    builds = [run for run in past["runs"] if run["kind"] == "build"]
    found = {row[0]: row[1:] for row in tables(markdown)["History"]}
    for name, (count, sizes, took) in found.items():
        images = [i for run in builds for i in run["images"] if i["name"] == name]
        built = [image for image in reversed(images) if image["status"] == "built"]
        assert count == str(len(built))
        assert sizes == " → ".join(format_bytes(i["size_bytes"]) for i in (built[0], built[-1]))
        assert took == " → ".join(f"{i['duration_s']:.3f} s" for i in (built[0], built[-1]))
