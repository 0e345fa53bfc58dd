"""Faults of other builders that no recipe image may have; `test_traps.py` lists all of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator import fingerprint as fingerprints
from orchestrator.app.opened import open_workspace
from orchestrator.app.planning import BuildOptions, plan
from orchestrator.fingerprint import Fingerprint
from orchestrator.lockfile import ImageLock
from orchestrator.plan import Action, Recorded, plan_builds
from orchestrator.select import Selection
from tests.dockerfiles import prints_of
from tests.helpers import AMD64, ROOT, deb_of, write_lock, write_tree, write_workspace
from tests.tiny import Tiny, statuses
from tests.traps import be_somewhere_else, changed, git

COPY = '[[files]]\nfrom = "src"\nto = "/app"\n'
SHARED = '[[files]]\nfrom = "//shared"\nto = "/shared"\nexclude = ["{}"]\n'


@pytest.fixture
def ws(tmp_path: Path) -> Path:
    """Write `a`; `b` on it; and two services over one folder, each of which leaves a part out."""
    root = write_workspace(
        tmp_path / "ws",
        {
            "base/a": f'from = "{ROOT}"\n{COPY}',
            "base/b": 'from = "a"\n',
            "services/one": f'from = "{ROOT}"\n{SHARED.format("two/")}',
            "services/two": f'from = "{ROOT}"\n{SHARED.format("one/")}',
        },
    )
    write_tree(root, {"base/a/src/x.txt": "x", "base/a/src/sub/y.log": "y"})
    write_tree(root, {"shared/one/x": "1", "shared/two/x": "2", "shared/x": "both"})
    write_lock(root)
    return root


def write_recipe(root: Path, text: str) -> Mapping[str, Fingerprint]:
    """Write the recipe of `a`; return the fingerprints before."""
    before = prints_of(root)
    (root / "base/a/image.toml").write_text(f'from = "{ROOT}"\n{text}')
    write_lock(root)
    return before


def test_exclude_rules_that_select_the_same_are_no_change(ws: Path) -> None:
    exclude = COPY + "exclude = {}\n"
    write_recipe(ws, exclude.format('["*.log"]'))
    same = '["# why", "**/*.log", "nothing-here", "!x.txt"]'
    assert changed(ws, write_recipe(ws, exclude.format(same))) == set()
    taken_back = '["*.log", "!sub/y.log"]'
    assert changed(ws, write_recipe(ws, exclude.format(taken_back))) == {"a", "b"}


def test_git_s_ignore_rules_in_subfolders_hide_nothing_from_a_recipe(ws: Path) -> None:
    write_tree(ws, {".gitignore": "*.log\n", "base/a/src/sub/.gitignore": "*\n"})
    before = prints_of(ws)
    write_tree(ws, {"base/a/src/sub/y.log": "ignored by git, and copied all the same"})
    assert changed(ws, before) == {"a", "b"}


def test_local_edits_inside_a_submodule_count(ws: Path, tmp_path: Path) -> None:
    library = write_tree(tmp_path / "library", {"lib.py": "1"})
    for folder in (library, ws):
        git(folder, "init", "-q", "-b", "main")
        git(folder, "add", "-A")
        git(folder, "commit", "-q", "-m", "first")
    git(ws, "submodule", "add", "-q", str(library), "base/a/src/lib")
    git(ws, "commit", "-q", "-m", "submodule")
    before = prints_of(ws)
    write_tree(ws, {"base/a/src/lib/lib.py": "edited, and not committed"})
    assert changed(ws, before) == {"a", "b"}
    before = prints_of(ws)
    write_tree(ws, {"base/a/src/lib/new.py": "untracked"})
    assert changed(ws, before) == {"a", "b"}
    since = BuildOptions(AMD64, Selection(since="HEAD"))
    assert set(plan(open_workspace(ws), since).wanted) == {"a", "b"}


@pytest.mark.parametrize("line", ['env = { X = "1" }', 'labels = { x = "1" }', 'user = "1000"'])
def test_each_value_of_the_configuration_counts(ws: Path, line: str) -> None:
    assert changed(ws, write_recipe(ws, f"{COPY}[config]\n{line}\n")) == {"a", "b"}


def test_a_base_that_moved_upstream_counts_by_its_packages_bytes(ws: Path) -> None:
    curl = deb_of("curl")
    write_lock(ws, {"a": ImageLock((curl,))})
    before = prints_of(ws)
    write_lock(ws, {"a": ImageLock((replace(curl, sha256="f" * 64),))})
    assert changed(ws, before) == {"a", "b"}


def test_two_images_over_one_shared_folder_each_see_only_what_they_copy(ws: Path) -> None:
    for path, images in {
        "shared/one/x": {"one"},
        "shared/two/x": {"two"},
        "shared/x": {"one", "two"},
    }.items():
        before = prints_of(ws)
        write_tree(ws, {path: "other"})
        assert changed(ws, before) == images


def test_hostname_and_user_do_not_reach_the_fingerprint(
    ws: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = prints_of(ws)
    be_somewhere_else(monkeypatch)
    assert changed(ws, before) == set()


def test_no_timestamp_or_id_of_a_parent_is_in_its_childs_key(ws: Path) -> None:
    prints = prints_of(ws)
    parents = [item for item in prints["b"].inputs if item.kind == "parent"]
    assert [tuple(item) for item in parents] == [("parent", "a", prints["a"].digest)]
    graph = open_workspace(ws).graph
    for digest in ("sha256:built-at-noon", "sha256:built-at-night"):
        recorded = {name: Recorded(prints[name], f"{digest}-{name}") for name in prints}
        steps = plan_builds(graph, AMD64, prints_of(ws), recorded).steps
        assert {step.action for step in steps.values()} == {Action.REUSE}


def test_a_name_in_the_layout_is_no_proof(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("ORCH_CACHE", str(tmp_path / "cache"))
    tiny = Tiny.make(tmp_path / "ws", tmp_path / "sources", tmp_path / "cache")
    tiny.build()
    named = set(tiny.layout.names())
    write_tree(tiny.root, {"services/api/app/main.py": "print('other')\n"})
    assert statuses(tiny.build())["api"] == "built"
    (tiny.root / ".orch/state.db").unlink()
    assert set(tiny.layout.names()) == named
    assert set(statuses(tiny.build()).values()) == {"built"}


def test_an_orch_that_builds_differently_changes_every_fingerprint(
    ws: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = prints_of(ws)
    monkeypatch.setattr(fingerprints, "FINGERPRINT_VERSION", fingerprints.FINGERPRINT_VERSION + 1)
    assert changed(ws, before) == set(before)
