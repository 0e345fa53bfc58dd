"""Every figure in the Markdown of `orch report`, traced to layout, registry and records.

What is expected is read off the files and the registry as they are, not by what makes the report.
"""

from __future__ import annotations

import json
import re
import tarfile
import urllib.request
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from isal import igzip

from orchestrator.report.text import format_bytes
from tests.real.reference import run_orch

Rows = list[list[str]]

_PRICE = 0.1
"""What the settings of the tree say, in USD for a GB and month."""


@pytest.fixture(scope="module")
def markdown(reported_tree: Path) -> str:
    return run_orch(reported_tree, "report", "--format", "markdown")


@pytest.fixture(scope="module")
def tables(markdown: str) -> dict[str, Rows]:
    """Return the rows of each table, by the heading above it."""
    found = {}
    for part in markdown.split("\n## ")[1:]:
        title, _, rest = part.partition("\n")
        found[title] = [cells(line) for line in rest.splitlines() if line.startswith("|")][2:]
    return found


def cells(line: str) -> list[str]:
    return [cell.replace("\\", "").strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


@pytest.fixture(scope="module")
def record(reported_tree: Path) -> dict[str, Any]:
    """Return what the build wrote down."""
    return read_json(reported_tree / ".orch/reports/build.json")


def read_json(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_bytes())
    return found


@dataclass(frozen=True)
class Held:
    """A layer of the layout: what its config says of it, its file, and what is in that."""

    what: str
    size_bytes: int
    unpacked_bytes: int


@dataclass(frozen=True)
class Image:
    """An image of the layout; `size_bytes` are those of all its files."""

    digest: str
    size_bytes: int
    layers: Mapping[str, Held]


@pytest.fixture(scope="module")
def layout(reported_tree: Path) -> dict[str, Image]:
    """Return the images that the layout names."""
    folder = reported_tree / ".orch/layout"

    def blob(digest: str) -> Path:
        return folder / "blobs" / digest.replace(":", "/")

    @cache
    def unpacked_bytes(digest: str) -> int:
        with (
            igzip.open(blob(digest), "rb") as plain,  # type: ignore[no-untyped-call]
            tarfile.open(fileobj=plain, mode="r|") as archive,
        ):
            return sum(member.size for member in archive if member.isreg())

    def read_image(digest: str) -> Image:
        manifest = read_json(blob(digest))
        made = read_json(blob(manifest["config"]["digest"]))["history"]
        layers = [item["digest"] for item in manifest["layers"]]
        held = {
            layer: Held(one["created_by"], blob(layer).stat().st_size, unpacked_bytes(layer))
            for layer, one in zip(layers, made, strict=True)
        }
        own = blob(digest).stat().st_size + blob(manifest["config"]["digest"]).stat().st_size
        return Image(digest, own + sum(one.size_bytes for one in held.values()), held)

    index = read_json(folder / "index.json")
    name = "org.opencontainers.image.ref.name"
    return {one["annotations"][name]: read_image(one["digest"]) for one in index["manifests"]}


def test_images_are_those_of_the_graph_the_record_and_the_layout(
    reported_tree: Path, tables: dict[str, Rows], record: dict[str, Any], layout: dict[str, Image]
) -> None:
    graph = json.loads(run_orch(reported_tree, "graph", "--format", "json"))["images"]
    tiers = {image["name"]: str(image["tier"]) for image in graph}
    rows = {row[0]: row[1:] for row in tables["Images"]}
    assert rows.keys() == tiers.keys() == {image["name"] for image in record["images"]}
    for image in record["images"]:
        name, reasons = image["name"], [reason_text(one) for one in image["reasons"]]
        why = ", ".join(reasons) if name in layout else image["because"]
        first = [tiers[name], image["status"], " ".join(why.split())]
        if name not in layout:
            assert rows[name] == [*first, "none", "", ""]  # this machine cannot make it
            continue
        held = layout[name]
        unpacked = sum(layer.unpacked_bytes for layer in held.layers.values())
        sizes = [format_bytes(held.size_bytes), format_bytes(unpacked)]
        assert rows[name] == [*first, held.digest, *sizes]


def reason_text(reason: Mapping[str, str]) -> str:
    detail = f" ({reason['detail']})" if reason["detail"] else ""
    return f"{reason['code']} {reason['subject']}".rstrip() + detail


def test_layers_are_those_of_the_layout_each_with_the_first_image_that_has_it(
    tables: dict[str, Rows], record: dict[str, Any], layout: dict[str, Image]
) -> None:
    names = [image["name"] for image in record["images"] if image["name"] in layout]
    first = {layer: name for name in reversed(names) for layer in layout[name].layers}
    rows = {row[2]: row for row in tables["Layers"]}
    assert len(rows) == len(tables["Layers"])
    assert rows.keys() == first.keys()
    for digest, (image, what, _, packed, unpacked) in rows.items():
        held = layout[image].layers[digest]
        assert image == first[digest]
        assert held.what.endswith(what)
        assert (packed, unpacked) == (
            format_bytes(held.size_bytes),
            format_bytes(held.unpacked_bytes) if held.unpacked_bytes else "not known",
        )


def test_times_are_those_of_the_record(tables: dict[str, Rows], record: dict[str, Any]) -> None:
    rows = {image["name"]: image for image in record["images"] if image["attempts"]}
    ends = {name: row["started_s"] + row["duration_s"] for name, row in rows.items()}
    critical = critical_path(record)
    assert {row[0] for row in tables["Times"]} == rows.keys()
    for name, began, took, after, waited, is_critical in tables["Times"]:
        row = rows[name]
        assert (began, took) == (f"{row['started_s']:.3f}", f"{row['duration_s']:.3f}")
        last = max(row["parents"], key=lambda parent: ends[parent], default="")
        assert after == (last or "nothing")
        waited_s = max(0, row["started_s"] - ends.get(last, 0))
        assert float(waited) == pytest.approx(waited_s, abs=0.001)
        assert (is_critical == "yes") == (name in critical)


def critical_path(record: Mapping[str, Any]) -> list[str]:
    """Return what the build's length hung on, the image that was done last at the end."""
    rows = {image["name"]: image for image in record["images"] if image["attempts"]}
    ends = {name: row["started_s"] + row["duration_s"] for name, row in rows.items()}
    path = [max(ends, key=lambda name: ends[name])]
    while parents := rows[path[0]]["parents"]:
        path.insert(0, max(parents, key=lambda parent: ends[parent]))
    return path


def test_digests_tags_and_weights_are_those_that_the_registry_answers(
    tables: dict[str, Rows], layout: dict[str, Image]
) -> None:
    published = [row for row in tables["Registry"] if not row[1].startswith("none: ")]
    assert [row[0] for row in published] == ["python-web-light", "webhook"]
    for name, reference, tags, weighs in published:
        host, _, path = reference.partition("@")[0].partition("/")
        for tag in tags.split(", "):
            digest, size_bytes = ask_registry(host, path, tag)
            assert reference == f"{host}/{path}@{digest}"
            assert digest == layout[name].digest
            assert weighs == format_bytes(size_bytes)


def ask_registry(host: str, name: str, tag: str) -> tuple[str, int]:
    """Return the digest that a registry has behind a tag, and what it says that this weighs."""
    accepted = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
    address = f"http://{host}/v2/{name}/manifests/{tag}"
    with urllib.request.urlopen(urllib.request.Request(address, headers=accepted)) as answer:
        body, digest = answer.read(), str(answer.headers["Docker-Content-Digest"])
    held = json.loads(body)
    sizes = [held["config"]["size"], *(layer["size"] for layer in held["layers"])]
    return digest, len(body) + sum(sizes)


def test_gates_are_those_of_the_verification(reported_tree: Path, tables: dict[str, Rows]) -> None:
    (verified,) = read_json(reported_tree / ".orch/reports/verification.json")["images"]
    rows = [row for row in tables["Gates"] if row[0] == "webhook"]
    told = [["webhook", gate["id"], gate["result"], gate["says"]] for gate in verified["gates"]]
    assert [[" ".join(cell.split()) for cell in row] for row in told] == rows
    others = [row for row in tables["Gates"] if row[0] != "webhook"]
    assert {tuple(row[1:]) for row in others} <= {
        ("all", "not checked", "not part of the last verification"),
        ("all", "not checked", "there is no image"),
    }


def test_findings_are_those_of_a_check(reported_tree: Path, tables: dict[str, Rows]) -> None:
    found = json.loads(run_orch(reported_tree, "check", "*", "--format", "json"))["findings"]
    rows = [
        [row["rule"], row["severity"], row["image"], place_of(row), row["message"]] for row in found
    ]
    assert tables.get("Checks", []) == [[" ".join(cell.split()) for cell in row] for row in rows]


def place_of(finding: Mapping[str, Any]) -> str:
    return f"{finding['file']}:{finding['line']}" if finding["line"] else finding["file"]


def test_the_history_is_that_of_the_runs_on_record(
    reported_tree: Path, tables: dict[str, Rows]
) -> None:
    past = json.loads(run_orch(reported_tree, "history", "--kind", "build", "--format", "json"))
    built: dict[str, list[dict[str, Any]]] = {}
    for run in reversed(past["runs"]):
        for image in run["images"]:
            if image["status"] == "built":
                built.setdefault(image["name"], []).append(image)
    assert {row[0] for row in tables["History"]} == built.keys()
    for name, count, sizes, took in tables["History"]:
        ends = (built[name][0], built[name][-1])
        assert count == str(len(built[name]))
        assert sizes == " → ".join(format_bytes(image["size_bytes"]) for image in ends)
        assert took == " → ".join(f"{image['duration_s']:.3f} s" for image in ends)


def test_no_other_figure_stands_in_the_markdown(
    reported_tree: Path,
    markdown: str,
    tables: dict[str, Rows],
    record: dict[str, Any],
    layout: dict[str, Image],
) -> None:
    traced = {"Images", "Times", "Layers", "Registry", "Gates", "Checks", "History"}
    assert {title for title, rows in tables.items() if rows} <= traced
    statuses = [image["status"] for image in record["images"]]
    counts = ", ".join(f"{statuses.count(one)} {one}" for one in dict.fromkeys(statuses))
    took = f"in {record['duration_s']:.1f} s, begun {record['started']}, run {record['run']}"
    stored = layout["python-web-light"].size_bytes + layout["webhook"].size_bytes
    cost = f"{stored / 1e9 * _PRICE:.2f} USD a month at {_PRICE} USD for a GB"
    expected = [
        f"# Build of {record['started']}",
        f"**done: {counts} {took}**",
        *(f"- {note}" for note in record["notes"]),
        f"Critical path: {' → '.join(critical_path(record))}",
        f"Storage: 2 images, {format_bytes(stored)}, {cost}.",
    ]
    check = read_json(reported_tree / ".orch/reports/check.json")
    severities = [finding["severity"] for finding in check["findings"]]
    counts = ", ".join(
        f"{number} {what}{'s' * (number > 1)}" for what, number in Counter(severities).items()
    )
    aside = f", {len(check['suppressed'])} suppressed" if check["suppressed"] else ""
    unsure = "whether files changed between that and the build is not known"
    expected += [
        f"Checks: {counts or 'nothing found'}{aside}, at {check['started']}.",
        f"- rules of orch check: run at {check['started']}, {unsure}",
        *(f"- rule {rule}: {why}" for rule, why in check["not_run"].items()),
    ]
    (verified,) = read_json(reported_tree / ".orch/reports/verification.json")["images"]
    unchecked = [gate for gate in verified["gates"] if gate["result"] == "not-checked"]
    for why in dict.fromkeys(gate["says"] for gate in unchecked):
        gates = ", ".join(f"gate {gate['id']}" for gate in unchecked if gate["says"] == why)
        expected.append(f"- {gates}: {why}: webhook")
    plain = [line.replace("\\", "") for line in markdown.splitlines() if line[:1] != "|"]
    assert [line for line in plain if re.search(r"\d", line) and line not in expected] == []
    assert [line for line in expected if re.search(r"\d", line) and line not in plain] == []
