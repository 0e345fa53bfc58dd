"""The page of `orch report` in a real browser: the reference tree, failures, many images."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys

from orchestrator.evidence.gathering import Reports, gather
from orchestrator.lockfile import ImageLock
from orchestrator.report.page.rendering import format_page
from tests.conftest import required
from tests.evidences import build_of, build_row, failed_row, push_of, verification_of
from tests.helpers import ROOT, wheel_of, write_lock, write_workspace
from tests.real.browser import Browser
from tests.real.browser import browser as run_browser
from tests.real.legible import faults_of, read_texts
from tests.real.reference import run_orch

WIDTHS = (1280, 400)
SCHEMES = ("light", "dark")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with required(run_browser()) as window:
        yield window


@pytest.fixture(scope="module")
def document(reported_tree: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run_orch(reported_tree, "report", "--format", "json"))
    return found


@pytest.fixture(scope="module")
def page(reported_tree: Path) -> Path:
    return page_of(reported_tree)


def page_of(root: Path) -> Path:
    file = root / "report.html"
    run_orch(root, "report", "--format", "html", "--output", str(file))
    return file


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the page of a build in which one image failed and nothing was pushed or verified."""
    recipes = {
        "base/base": f'from = "{ROOT}"\n\n[[files]]\nfrom = "image.toml"\nto = "/x"\n',
        "base/web": 'from = "base"\n',
        "services/api": 'from = "web"\n',
        "services/bot": 'from = "api"\n',
        "services/tool": 'from = "base"\n',
    }
    root = write_workspace(tmp_path_factory.mktemp("broken") / "ws", recipes)
    write_lock(root, {"web": ImageLock(wheels=(wheel_of("nowhere"),))})
    orch = Path(sys.executable).with_name("orch")
    built = subprocess.run(
        [orch, "-C", root, "build", "--offline"], capture_output=True, text=True, check=False
    )
    assert built.returncode == 1, built.stderr
    return page_of(root)


def drawn(rows: list[dict[str, Any]], file: Path, *, ok: bool = True, **more: Any) -> Path:
    """Write the page of a build that was put together by hand."""
    others = {key: more.pop(key, None) for key in ("push", "verification", "check")}
    reports = Reports(build_of(rows, ok=ok), **others)
    evidence = gather(reports, wanted={row["name"] for row in rows}, **more)
    file.write_text(format_page(evidence), "utf-8")
    return file


def texts(browser: Browser, selector: str) -> list[str]:
    found: list[str] = browser.value(
        f"[...document.querySelectorAll({selector!r})].map((one) => one.textContent.trim())"
    )
    return found


# The reference tree


def test_the_graph_has_every_image(browser: Browser, page: Path, reported_tree: Path) -> None:
    browser.open(page)
    images = json.loads(run_orch(reported_tree, "graph", "--format", "json"))["images"]
    drawn = browser.attributes("#graph .box", "data-image")
    assert sorted(drawn) == sorted(image["name"] for image in images)
    lines = zip(
        browser.attributes("#graph .line", "data-parent"),
        browser.attributes("#graph .line", "data-child"),
        strict=True,
    )
    edges = [(parent, image["name"]) for image in images for parent in image["parents"]]
    assert sorted(lines) == sorted(edges)
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
    bars += "bar.querySelector('.took').getBoundingClientRect(); const all = "
    bars += "bar.getBoundingClientRect(); return [bar.dataset.image, (took.left - all.left) / "
    bars += "all.width, took.width / all.width] })"
    shares = {name: (left, width) for name, left, width in browser.value(bars)}
    assert shares.keys() == {image["name"] for image in timed}
    for image in timed:
        left, width = shares[image["name"]]
        assert left == pytest.approx(image["timing"]["started_s"] / whole, abs=0.002)
        at_least = max(image["timing"]["duration_s"] / whole, 3 / 1280)
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


def test_every_layer_and_component_is_in_a_treemap_and_its_table(
    browser: Browser, page: Path, document: dict[str, Any]
) -> None:
    browser.open(page)
    layers = {layer["digest"] for image in document["images"] for layer in image["layers"]}
    components = {
        (item["kind"], item["name"], item["unpacked_bytes"])
        for image in document["images"]
        for item in image["components"]
    }
    assert len(components) > 10
    tiles = "[...document.querySelectorAll('.treemap')].map((one) => one.children.length)"
    tables = "document.querySelectorAll('[aria-labelledby=sizes] details tbody')"
    expected = [min(91, len(found)) for found in (layers, components)]  # the last one is the rest
    assert browser.value(tiles) == expected
    assert browser.value(f"[...{tables}].map((one) => one.rows.length)") == expected


# How it looks


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pictures")


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(("which", "chosen"), [("page", "python-base"), ("broken", "web")])
def test_the_page_is_legible_and_as_wide_as_the_window(
    browser: Browser,
    request: pytest.FixtureRequest,
    pictures: Path,
    which: str,
    chosen: str,
    width: int,
    scheme: str,
) -> None:
    browser.open(request.getfixturevalue(which), width, dark=scheme == "dark")
    assert browser.value("document.documentElement.scrollWidth") <= width
    browser.one(f'#graph .box[data-image="{chosen}"]').click()
    assert browser.value("document.documentElement.scrollWidth") <= width
    texts = read_texts(browser)
    assert chosen in {text.text for text in texts}
    assert faults_of(texts) == []
    picture = browser.picture(pictures / f"{which}-{width}-{scheme}.png", width)
    assert struct.unpack(">I", picture[16:20]) == (width,)  # PNG: the width in the header


def test_text_that_cannot_be_read_would_be_noticed(browser: Browser, tmp_path: Path) -> None:
    line = "<p style='{}'>{}</p>"
    page = [
        line.format("color:#999;background:#fff", "faint"),
        line.format("color:#000;font-size:9px", "small"),
        "<div id=timeline>",
        *(line.format("position:absolute;left:9px;top:200px", text) for text in ("one", "other")),
        "</div>",
    ]
    (tmp_path / "x.html").write_text("".join(page))
    browser.open(tmp_path / "x.html")
    assert faults_of(read_texts(browser)) == [
        "'faint' is faint: rgb(153, 153, 153) on rgb(255, 255, 255)",
        "'small' has 9 px",
        "'one' lies on 'other'",
    ]


def test_what_prints_is_light_and_whole(browser: Browser, page: Path, pictures: Path) -> None:
    browser.open(page, dark=True)
    browser.print(dark=True)
    assert browser.value("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert faults_of(read_texts(browser)) == []
    hidden = "[...document.querySelectorAll('.scroll')].filter((one) => one.scrollHeight > "
    assert browser.value(hidden + "one.clientHeight + 1).length") == 0
    browser.picture(pictures / "print.png", 1280)


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


def test_the_bars_are_used_by_keyboard(browser: Browser, page: Path) -> None:
    browser.open(page)
    (first,) = browser.attributes('#timeline .bar[tabindex="0"]', "data-image")
    bar = browser.one(f'#timeline .bar[data-image="{first}"]')
    browser.value("arguments[0].focus()", bar)
    bar.send_keys(Keys.ARROW_DOWN)
    second = browser.attributes("#timeline .bar", "data-image")[1]
    assert browser.value("document.activeElement.dataset.image") == second
    browser.chrome.switch_to.active_element.send_keys(Keys.SPACE)
    assert browser.one("#details-name").text == second


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
    names = [row["name"] for row in rows]
    held = (push_of(*names), verification_of(*names))
    file = drawn(rows, tmp_path / "page.html", push=held[0], verification=held[1])
    clock = time.monotonic()
    browser.open(file)
    assert len(browser.attributes("#graph .box", "data-image")) == 300
    took_s = time.monotonic() - clock
    loaded = browser.value("performance.getEntriesByType('navigation')[0].loadEventEnd")
    print(f"300 images: loaded in {loaded / 1000:.2f} s, answering in {took_s:.2f} s")
    assert len(browser.attributes("#timeline .bar", "data-image")) == 300
    assert browser.complaints() == []


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_build_that_failed_says_so_first(browser: Browser, broken: Path, scheme: str) -> None:
    browser.open(broken, dark=scheme == "dark")
    assert texts(browser, ".verdict") == ["not done"]
    assert texts(browser, ".counts li") == ["2 built", "1 failed", "2 skipped"]
    assert texts(browser, "h2")[0] == "What went wrong"
    wrong = browser.one("main section").text
    for told in ("nowhere", "api", "bot", ".orch/logs/web.log"):
        assert told in wrong
    assert browser.attributes("#graph .box.skipped", "data-image") == ["api", "bot"]
    cells = texts(browser, "[aria-labelledby=why] tbody td")
    assert cells[12:18] == ["api", "2", "skipped", "web failed", "none", "none"]
    browser.one('#graph .box[data-image="web"]').click()
    shown = browser.one("#details").text
    for told in ("nowhere", ".orch/logs/web.log", "none: there is no image"):
        assert told in shown
    assert "none: not pushed from this workspace yet" in browser.one("main").text
    assert browser.complaints() == []


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
