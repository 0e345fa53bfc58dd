"""Evidence: what reports say, joined; nothing in it that was not measured."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from orchestrator.app.evidencing import evidence_of
from orchestrator.app.opened import open_workspace
from orchestrator.app.recording import remember_build
from orchestrator.app.reporting import keep_report
from orchestrator.cli import orch as cli
from orchestrator.errors import WorkspaceError
from orchestrator.evidence.facts import Evidence
from orchestrator.evidence.gathering import Reports, gather
from orchestrator.evidence.plots import HEIGHT as HEIGHT_OF_PLOT
from orchestrator.evidence.plots import plot_points
from orchestrator.evidence.tiers import HEIGHT, WIDTH, draw_tiers
from orchestrator.evidence.timeline import critical_path, time_images
from orchestrator.evidence.treemap import squarify
from orchestrator.model import StoragePrice
from orchestrator.report.evidence import evidence_document
from orchestrator.report.evidence_markdown import evidence_markdown
from orchestrator.report.evidence_text import evidence_lines
from orchestrator.select import Selection
from tests.evidences import (
    build_of,
    build_row,
    check_of,
    failed_row,
    push_of,
    reason_row,
    skipped_row,
    verification_of,
)
from tests.helpers import write_tree
from tests.tiny import Tiny

ROWS = [
    build_row("base", span=(0.0, 2.0)),
    build_row("web", "base", tier=1, span=(2.0, 3.0)),
    build_row("api", "web", tier=2, span=(6.0, 1.0)),
    build_row("tool", "base", tier=1),
]
NAMES = {"base", "web", "api", "tool"}


def evidence(rows: list[dict[str, Any]] = ROWS, *, ok: bool = True, **more: Any) -> Evidence:
    others = {key: more.pop(key, None) for key in ("push", "verification", "check")}
    given = {"wanted": {row["name"] for row in rows}, **more}
    return gather(Reports(build_of(rows, ok=ok), **others), **given)


def of(name: str, found: Evidence) -> Any:
    return next(image for image in found.images if image.name == name)


# Times


def test_an_image_waited_for_the_parent_that_was_done_last() -> None:
    spans = {"a": (0.0, 1.0), "b": (0.0, 4.0), "c": (5.0, 1.0)}
    found = time_images(spans, {"a": (), "b": (), "c": ("a", "b")})
    assert (found["c"].waited_for, found["c"].waited_s) == ("b", 1.0)


def test_a_parent_that_was_reused_kept_nobody_waiting() -> None:
    found = time_images({"c": (0.5, 1.0)}, {"c": ("a",)})
    assert (found["c"].waited_for, found["c"].waited_s) == ("", 0.5)


def test_a_child_that_was_built_together_with_its_parent_waited_no_negative_time() -> None:
    found = time_images({"a": (0.0, 3.0), "b": (1.0, 2.5)}, {"a": (), "b": ("a",)})
    assert found["b"].waited_s == 0


def test_the_critical_path_leads_to_what_was_done_last() -> None:
    spans = {"a": (0.0, 1.0), "b": (1.0, 1.0), "c": (1.0, 9.0), "d": (2.0, 1.0)}
    found = time_images(spans, {"a": (), "b": ("a",), "c": ("a",), "d": ("b",)})
    assert critical_path(found) == ("a", "c")
    assert {name for name, timing in found.items() if timing.is_critical} == {"a", "c"}


def test_nothing_built_has_no_critical_path() -> None:
    assert critical_path(time_images({}, {"a": ()})) == ()


# Drawings


@pytest.mark.parametrize("sizes", [(1,), (6, 6, 4, 3, 2, 2, 1), (10**9, 1), (5,) * 300])
def test_tiles_have_the_areas_of_their_sizes_and_fill_the_rectangle(sizes: tuple[int, ...]) -> None:
    tiles = squarify(sizes, 600, 400)
    scale = 600 * 400 / sum(sizes)
    assert [tile.width * tile.height for tile in tiles] == pytest.approx(
        [size * scale for size in sizes]
    )
    assert max(tile.x + tile.width for tile in tiles) == pytest.approx(600)
    assert max(tile.y + tile.height for tile in tiles) == pytest.approx(400)


def test_tiles_do_not_overlap() -> None:
    tiles = squarify((6, 6, 4, 3, 2, 2, 1), 6, 4)
    middles = [(tile.x + tile.width / 2, tile.y + tile.height / 2) for tile in tiles]
    for x, y in middles:
        assert sum(t.x < x < t.x + t.width and t.y < y < t.y + t.height for t in tiles) == 1


def test_equal_sizes_make_squares_where_that_is_possible() -> None:
    assert all(tile.width == pytest.approx(tile.height) for tile in squarify((1,) * 16, 8, 8))


def test_every_image_has_a_box_of_its_own_right_of_those_it_stands_on() -> None:
    names = [f"i{number}" for number in range(300)]
    parents = {
        name: [f"i{(number - 1) // 3}"] if number else [] for number, name in enumerate(names)
    }
    tiers: dict[str, int] = {}
    for name in names:
        tiers[name] = max((tiers[parent] + 1 for parent in parents[name]), default=0)
    drawing = draw_tiers(tiers, parents)
    assert len(set(drawing.places.values())) == 300
    for name, above in parents.items():
        assert all(drawing.places[parent].x + WIDTH < drawing.places[name].x for parent in above)
    assert max(place.x for place in drawing.places.values()) + WIDTH < drawing.width
    assert max(place.y for place in drawing.places.values()) + HEIGHT < drawing.height


def test_plots_begin_at_zero_and_go_from_left_to_right() -> None:
    points = plot_points([10.0, 5.0, 10.0])
    assert [x for x, _ in points] == sorted({x for x, _ in points})
    top, middle, same = (y for _, y in points)
    assert top == same < middle
    assert middle - top == pytest.approx((HEIGHT_OF_PLOT - 2 * top) / 2)


# What counts


def test_a_digest_in_a_registry_counts_where_the_fingerprint_is_the_builds() -> None:
    found = evidence(push=push_of("web", "api", platforms=[{"fingerprint": "f-web"}]))
    assert of("web", found).published.digest == "sha256:web"
    assert of("api", found).published is None
    assert of("api", found).not_published == "the last push sent another build of it"
    assert of("base", found).not_published == "not part of the last push"


def test_an_image_that_a_push_could_not_publish_says_why() -> None:
    error = {"message": "out of reach", "hint": ""}
    found = evidence(push=push_of("web", reference="", status="failed", error=error))
    assert of("web", found).not_published == "the last push did not publish it: out of reach"


def test_gates_count_for_the_very_digest_that_was_verified() -> None:
    found = evidence(verification=verification_of("web", digest="sha256:older"))
    assert of("web", found).gates == ()
    assert of("web", found).not_verified == "the last verification was of another build of it"
    found = evidence(verification=verification_of("web"))
    assert [gate.result for gate in of("web", found).gates] == ["passed", "not-checked"]


def test_gates_count_for_an_image_in_docker_by_its_digest_in_the_layout() -> None:
    verification = verification_of("web", digest="sha256:in-the-layout")
    imported = {"sha256:web": "sha256:in-the-layout"}
    found = evidence(verification=verification, imported=imported)
    assert [gate.id for gate in of("web", found).gates] == ["max-size", "starts"]


def test_what_was_not_checked_is_said_with_its_images() -> None:
    found = evidence(verification=verification_of("web", "api"), outside=["other"])
    assert "gate starts: --runtime none: web, api" in found.gaps
    assert "gates: not part of the last verification: base, tool" in found.gaps
    assert "all of it: the build did not look at it: other" in found.gaps
    assert "digest in a registry: not pushed from this workspace yet: base, web, api, tool" in (
        found.gaps
    )


def test_findings_of_the_last_check_are_told_with_when_that_was() -> None:
    found = evidence(check=check_of("web", ""))
    text, page = "\n".join(evidence_lines(found)), "\n".join(evidence_markdown(found))
    summary = "2 warnings, 1 suppressed, at 2026-03-01T09:59:00+00:00"
    assert f"checks: {summary}\n" in text
    assert f"Checks: {summary}." in page
    assert "| unused-base | warning | web | base/x/image.toml:3 | it is \\<unused> |" in page
    assert evidence_document(found)["check"]["findings"][0]["line"] == 3
    assert any(gap.startswith("rules of orch check: run at 2026-03-01T09:59") for gap in found.gaps)


def test_findings_about_other_images_are_left_out() -> None:
    found = evidence(ROWS[:1], check=check_of("base", "web", ""))
    assert found.check is not None
    assert [finding.image for finding in found.check.findings] == ["base", ""]


def test_rules_that_did_not_look_and_no_check_at_all_are_gaps() -> None:
    found = evidence(check=check_of(not_run={"hadolint": "it is not installed"}))
    assert "rule hadolint: it is not installed" in found.gaps
    never = "rules of orch check: not run since something was built in this workspace"
    assert never in evidence().gaps
    assert never not in found.gaps


def test_a_size_that_nobody_knows_is_a_gap_and_not_zero_bytes() -> None:
    found = evidence([build_row("base", span=(0.0, 1.0), size_bytes=0, layers=[])])
    assert "size: not known: base" in found.gaps
    assert "not known" in "\n".join(evidence_lines(found))


def test_storage_costs_what_published_images_weigh_at_the_price_of_the_settings() -> None:
    price = StoragePrice(0.10, "USD")
    found = evidence(push=push_of("web", "api", size_bytes=5 * 10**9), price=price)
    assert (found.storage.images, found.storage.size_bytes) == (2, 10**10)
    assert found.storage.per_month == pytest.approx(1.0)
    assert "2 images, 10.0 GB, 1.00 USD a month" in "\n".join(evidence_markdown(found))


def test_without_a_price_no_cost_is_named() -> None:
    found = evidence(push=push_of("web"))
    assert found.storage.per_month is None
    assert "no price is set" in "\n".join(evidence_lines(found))


def test_a_layer_that_images_share_is_named_once() -> None:
    owners = [image.name for image, _ in evidence().layers()]
    assert owners == ["base", "web", "api", "tool"]


# A build that went wrong

BROKEN = [
    build_row("base", span=(0.0, 1.0)),
    failed_row("web", "base", tier=1),
    skipped_row("api", "web", tier=2, reasons=[reason_row("never-built")]),
]


def test_a_failure_is_told_with_its_message_hint_and_log() -> None:
    found = evidence(BROKEN, ok=False)
    text = "\n".join(evidence_lines(found))
    assert text.startswith("not done: 1 built, 1 failed, 1 skipped in 12.5 s")
    assert "    so skipped: api\n" in text
    assert "skipped      api\n    why: web failed\n" in text
    for told in ("it <broke> | twice", "hint: mend it", "log: .orch/logs/web.log", "web failed"):
        assert told in text


def test_markdown_of_a_failure_stays_a_table() -> None:
    lines = list(evidence_markdown(evidence(BROKEN, ok=False)))
    row = next(line for line in lines if line.startswith("| web | it"))
    assert row == r"| web | it \<broke> \| twice | mend it | api | .orch/logs/web.log |"


def test_what_is_not_known_for_the_same_reason_is_one_line() -> None:
    found = evidence(BROKEN, ok=False)
    assert "digest in a registry, gates: there is no image: web, api" in found.gaps


def test_an_image_that_failed_has_no_digest_and_no_gates() -> None:
    found = evidence(BROKEN, ok=False, push=push_of("web"), verification=verification_of("web"))
    image = of("web", found)
    assert (image.digest, image.published, image.gates) == ("", None, ())
    assert image.not_published == image.not_verified == "there is no image"


def test_the_document_says_the_same_as_the_evidence() -> None:
    found = evidence(push=push_of("web"), verification=verification_of("web"))
    document = json.loads(json.dumps(evidence_document(found)))
    web = next(row for row in document["images"] if row["name"] == "web")
    assert web["timing"]["waited_for"] == "base"
    assert web["published"]["digest"] == "sha256:web"
    assert web["reasons"] == [{"code": "file-changed", "subject": "/app/x", "detail": ""}]
    assert [layer["digest"] for layer in web["layers"]] == ["sha256:layer-base", "sha256:layer-web"]
    assert document["critical_path"] == ["base", "web", "api"]


# What a workspace keeps


@pytest.fixture
def tiny(tmp_path: Path, orch_cache: Path) -> Tiny:
    return Tiny.make(tmp_path / "ws", tmp_path / "sources", orch_cache)


def test_evidence_of_a_build_has_what_the_layout_holds(tiny: Tiny) -> None:
    keep_report(tiny.build())
    found = evidence_of(open_workspace(tiny.root), Selection())
    assert [image.name for image in found.images if image.status == "built"]
    for image in found.images:
        layers, _ = tiny.layout.read_image(image.digest)
        assert [layer.digest for layer in image.layers] == [layer.digest for layer in layers]


def test_what_a_build_reused_is_read_off_the_layout(tiny: Tiny) -> None:
    keep_report(tiny.build())
    first = evidence_of(open_workspace(tiny.root), Selection())
    (tiny.root / "services/worker/main.py").write_text("print('other')\n")
    keep_report(tiny.build())
    found = evidence_of(open_workspace(tiny.root), Selection())
    assert of("api", found).status == "reused"
    assert of("api", found).size_bytes == of("api", first).size_bytes > 0
    assert of("worker", found).reasons[0].code == "file-changed"


def test_a_build_with_nothing_to_do_leaves_the_last_report(tiny: Tiny) -> None:
    keep_report(tiny.build())
    file = tiny.root / ".orch/reports/build.json"
    before = file.read_bytes()
    keep_report(tiny.build())
    assert file.read_bytes() == before


def test_without_a_build_there_is_nothing_to_report_on(tiny: Tiny) -> None:
    with pytest.raises(WorkspaceError, match="no build to report on") as caught:
        evidence_of(open_workspace(tiny.root), Selection())
    assert "orch build" in caught.value.hint


def test_an_image_that_the_last_build_did_not_look_at_has_no_evidence(tiny: Tiny) -> None:
    run = tiny.build()
    del run.outcomes["worker"]
    keep_report(run)
    with pytest.raises(WorkspaceError, match="did not look at worker"):
        evidence_of(open_workspace(tiny.root), Selection(names=["worker"]))
    assert evidence_of(open_workspace(tiny.root), Selection()).outside == ("worker",)


@pytest.mark.parametrize("text", ["{}", '{"images": [1]}', '{"images": [{}]}'])
def test_a_report_of_another_version_is_an_error_with_a_hint(tiny: Tiny, text: str) -> None:
    keep_report(tiny.build())
    for kept in ("build", "push", "verification", "check"):
        file = tiny.root / f".orch/reports/{kept}.json"
        before = file.read_text() if file.is_file() else ""
        file.write_text(text)
        with pytest.raises(WorkspaceError, match="another version") as caught:
            evidence_of(open_workspace(tiny.root), Selection())
        assert "delete it" in caught.value.hint
        file.write_text(before) if before else file.unlink()


def test_a_report_that_is_damaged_is_named(tiny: Tiny) -> None:
    keep_report(tiny.build())
    file = tiny.root / ".orch/reports/push.json"
    file.write_text("{")
    with pytest.raises(WorkspaceError, match=r"push\.json"):
        evidence_of(open_workspace(tiny.root), Selection())


def test_a_check_of_everything_is_kept_where_something_was_built(tiny: Tiny) -> None:
    def check(*words: str) -> None:
        CliRunner().invoke(cli, ["-C", str(tiny.root), "check", *words], standalone_mode=False)

    kept = tiny.root / ".orch/reports/check.json"
    check()
    assert not (tiny.root / ".orch").exists()
    keep_report(tiny.build())
    for narrowed in (("--rule", "unused-base"), ("api",)):
        check(*narrowed)
        assert not kept.exists()
    check()
    found = evidence_of(open_workspace(tiny.root), Selection())
    document = json.loads(kept.read_text())
    assert found.check is not None
    assert found.check.started == document["started"]
    assert len(found.check.findings) == len(document["findings"])


def built_and_recorded(tiny: Tiny) -> None:
    run = tiny.build()
    assert remember_build(run) == []
    keep_report(run)


def test_an_image_has_the_builds_of_the_history_in_their_order(tiny: Tiny) -> None:
    built_and_recorded(tiny)
    (tiny.root / "services/worker/main.py").write_text("print('longer than it was')\n" * 100)
    built_and_recorded(tiny)
    found = evidence_of(open_workspace(tiny.root), Selection())
    before, now = of("worker", found).history
    assert before.started <= now.started
    assert before.size_bytes < now.size_bytes == of("worker", found).size_bytes
    assert now.duration_s == of("worker", found).timing.duration_s
    assert len(of("api", found).history) == 1, "a build that reused it is none of it"


def test_the_digest_in_the_layout_of_an_image_in_docker_is_looked_up(tiny: Tiny) -> None:
    run = tiny.build()
    assert run.outcomes["api"].made
    made = replace(run.outcomes["api"].made, digest="sha256:in-docker")
    run.outcomes["api"] = replace(run.outcomes["api"], made=made)
    keep_report(run)
    folder = tiny.root / ".orch/imported"
    write_tree(folder, {"sha256-in-docker": "sha256:in-the-layout"})
    (tiny.root / ".orch/reports/verification.json").write_text(
        json.dumps(verification_of("api", digest="sha256:in-the-layout"))
    )
    found = evidence_of(open_workspace(tiny.root), Selection())
    assert of("api", found).not_verified == ""
