"""The page of `orch report` without a browser: its colours, and that it stands alone."""

from __future__ import annotations

import itertools
import json
import re
from importlib.resources import files

import pytest

from orchestrator.evidence.facts import Past
from orchestrator.evidence.gathering import Reports, gather
from orchestrator.report.page.drawings import (
    draw_bars,
    draw_components,
    draw_graph,
    draw_layers,
    draw_plots,
)
from orchestrator.report.page.rendering import format_page
from tests.contrast import SHAPES, TEXT, Colour, contrast
from tests.evidences import build_of, build_row, failed_row, push_of, verification_of

STYLE = files("orchestrator.report.page").joinpath("style.css").read_text("utf-8")
FILLS = ("built", "reused", "failed", "skipped", "cancelled", "unavailable", "other")
SCHEMES = ("light", "dark")


def colours(scheme: str) -> dict[str, Colour]:
    """Return the colours of a scheme by the names of their CSS variables."""
    blocks = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    assert len(blocks) == len(SCHEMES)
    found = re.findall(r"--(\w+): (#[0-9a-f]{6})", blocks[SCHEMES.index(scheme)])
    return {name: parse_colour(text) for name, text in found}


def parse_colour(text: str) -> Colour:
    red, green, blue = (int(text[at : at + 2], 16) for at in (1, 3, 5))
    return red, green, blue


def test_contrast_is_computed_as_wcag_does() -> None:
    white = parse_colour("#ffffff")
    assert contrast((0, 0, 0), white) == pytest.approx(21)
    assert contrast(parse_colour("#767676"), white) == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_text_stands_out_from_what_is_behind_it(scheme: str) -> None:
    found = colours(scheme)
    behind = ("paper", "panel", *FILLS)
    pairs = [*itertools.product(["ink"], behind)]
    pairs += [*itertools.product(["quiet", "accent"], ["paper", "panel"])]
    faint = [pair for pair in pairs if contrast(found[pair[0]], found[pair[1]]) < TEXT]
    assert not faint


@pytest.mark.parametrize("scheme", SCHEMES)
def test_edges_lines_and_focus_stand_out_from_the_paper(scheme: str) -> None:
    found = colours(scheme)
    for shape in ("edge", "line", "accent"):
        assert contrast(found[shape], found["paper"]) >= SHAPES, shape


def test_every_colour_is_one_of_the_schemes() -> None:
    outside = re.sub(r":root \{.*?\}", "", STYLE, flags=re.DOTALL)
    assert not re.findall(r":[^;]*(#[0-9a-f]{3,8}\b|rgb|hsl|opacity)", outside)


def rows() -> list[dict[str, object]]:
    base, failed = build_row("base", span=(0.0, 2.0)), failed_row("web", "base", tier=1)
    return [base, failed, build_row("tool", "base", tier=1, span=(2.5, 1.0))]


def page(because: str = "") -> str:
    build = build_of([*rows(), build_row("x", status="unavailable", because=because, digest="")])
    push, verification = push_of("base"), verification_of("base")
    return format_page(
        gather(Reports(build, push, verification), wanted={"base", "web", "tool", "x"})
    )


def test_the_page_names_no_other_place() -> None:
    text = page()
    assert not re.findall(r"""(?:src|href)=["'](?!data:,)""", text)
    assert not re.findall(r"url\(|@import|https?://", text)


def test_its_policy_forbids_all_that_is_not_in_it() -> None:
    (policy,) = re.findall(r'content="(default-src[^"]*)"', page())
    assert policy.startswith("default-src 'none';")
    assert "connect-src" not in policy


def test_the_data_of_the_page_survives_what_looks_like_the_end_of_a_script() -> None:
    evil = "</script><!-- <script> & '"
    text = page(because=evil)
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text)
    images = json.loads(data)["images"]
    assert images[-1]["because"] == evil
    assert evil not in text


def test_bars_come_in_the_order_of_their_begins_and_say_who_waited() -> None:
    evidence = gather(Reports(build_of(rows())), wanted={"base", "web", "tool"})
    drawn = draw_bars(evidence.images)
    assert [bar.image.name for bar in drawn.bars] == ["base", "web", "tool"]
    tool = drawn.bars[2]
    assert (tool.left, tool.width) == pytest.approx((100 * 2.5 / 3.5, 100 * 1 / 3.5))
    assert (tool.wait_left, tool.wait_width) == pytest.approx((100 * 2 / 3.5, 100 * 0.5 / 3.5))
    assert tool.label == "tool: 1.000 s, after base, waited 0.500 s more"


def test_a_single_image_is_drawn_without_those_it_stands_on() -> None:
    evidence = gather(Reports(build_of(rows())), wanted={"tool"})
    drawn = draw_graph(evidence.images)
    assert [box.image.name for box in drawn.boxes] == ["tool"]
    assert not drawn.lines


def test_what_is_too_many_to_see_is_one_tile() -> None:
    many = [build_row(f"i{number}") for number in range(200)]
    evidence = gather(Reports(build_of(many)), wanted={row["name"] for row in many})
    tiles = draw_layers(evidence)
    assert tiles[0].title == "110 smaller ones: 55.0 kB"
    assert sum(tile.width * tile.height for tile in tiles) == pytest.approx(100 * 100)
    assert not draw_components(evidence.images)


def test_a_size_that_was_once_not_known_has_no_plot() -> None:
    past = {"base": [Past("", 0, 1.0), Past("", 5, 2.0)], "tool": [Past("", 5, 2.0)]}
    evidence = gather(Reports(build_of(rows())), wanted={"base", "tool"}, past=past)
    (plots,) = draw_plots(evidence.images)
    assert (plots.image.name, plots.sizes, len(plots.durations)) == ("base", (), 2)
