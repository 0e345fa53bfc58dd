"""Faults of other builders that no Dockerfile image may have; `test_traps.py` lists all of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from orchestrator import fingerprint as fingerprints
from orchestrator.app.opened import open_workspace
from orchestrator.app.planning import BuildOptions, plan
from orchestrator.externals import LockedExternal
from orchestrator.fingerprint import Fingerprint
from orchestrator.lockfile import Lock
from orchestrator.lockwriting import format_lock
from orchestrator.plan import Action, Recorded, plan_builds
from orchestrator.select import Selection
from tests.dockerfiles import prints_of
from tests.helpers import AMD64, write_tree
from tests.traps import be_somewhere_else, changed, git

TREE = {
    "orch.toml": "",
    "base/core/Dockerfile": "FROM debian:12\nCOPY etc /etc\n",
    "base/core/etc/motd": "hello",
    "base/tools/Dockerfile": "FROM core\nRUN make-tools\n",
    "services/api/Dockerfile": (
        "FROM tools AS build\nCOPY lib /lib\nRUN make\n"
        "FROM debian:12\nCOPY --from=build /out /\nCOPY app /app\n"
    ),
    "services/api/app/main.py": "main",
    "services/api/lib/lib.py": "lib",
}
API = "services/api"


@pytest.fixture
def ws(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "ws", TREE)


def edited(root: Path, path: str, text: str) -> set[str]:
    """Write a file; return the images whose fingerprint that changes."""
    before = prints_of(root)
    write_tree(root, {path: text})
    return changed(root, before)


def committed(root: Path) -> None:
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "first")


def test_untracked_and_dirty_files_count_and_what_git_does_not(ws: Path) -> None:
    before = prints_of(ws)
    committed(ws)
    assert changed(ws, before) == set()
    assert edited(ws, f"{API}/app/main.py", "dirty") == {"api"}
    assert edited(ws, f"{API}/app/new.py", "untracked") == {"api"}
    before = prints_of(ws)
    git(ws, "add", "-A")
    git(ws, "commit", "-q", "-m", "second")
    assert changed(ws, before) == set()


def test_local_edits_inside_a_real_submodule_count(ws: Path, tmp_path: Path) -> None:
    library = write_tree(tmp_path / "library", {"lib.py": "1"})
    committed(library)
    committed(ws)
    git(ws, "submodule", "add", "-q", str(library), f"{API}/app/lib")
    git(ws, "commit", "-q", "-m", "submodule")
    assert edited(ws, f"{API}/app/lib/lib.py", "edited, and not committed") == {"api"}
    assert edited(ws, f"{API}/app/lib/new.py", "untracked") == {"api"}


@pytest.mark.parametrize(
    "dockerfile",
    [
        TREE[f"{API}/Dockerfile"],
        "FROM debian:12\nCOPY --from=tools /x /x\n",
        "FROM debian:12\nRUN --mount=type=bind,from=tools,target=/t /t/run\n",
        "ARG BASE=tools\nFROM ${BASE}:latest AS one\nFROM one\n",
    ],
)
def test_a_change_two_tiers_up_reaches_through_stages_copies_and_mounts(
    ws: Path, dockerfile: str
) -> None:
    write_tree(ws, {f"{API}/Dockerfile": dockerfile})
    assert edited(ws, "base/core/etc/motd", "bye") == {"core", "tools", "api"}


def test_an_external_base_whose_digest_moves_reaches_what_stands_on_it(ws: Path) -> None:
    base = "FROM debian:12@sha256:{}\nCOPY etc /etc\n"
    write_tree(ws, {"base/core/Dockerfile": base.format("a" * 64)})
    moved = base.format("b" * 64)
    assert edited(ws, "base/core/Dockerfile", moved) == {"core", "tools", "api"}


def test_a_tag_that_moved_upstream_rebuilds_what_stands_on_it_when_its_pin_moves(ws: Path) -> None:
    pinned = [f"sha256:{letter * 64}" for letter in "ab"]
    write_lock_of(ws, pinned[0])
    before = prints_of(ws)
    assert [item for item in before["core"].inputs if item.kind == "external"] == [
        ("external", "debian:12", pinned[0])
    ]
    write_lock_of(ws, pinned[1])
    assert changed(ws, before) == {"core", "tools", "api"}
    write_lock_of(ws, pinned[0])
    write_tree(ws, {"base/tools/Dockerfile": "FROM scratch\nCOPY x /x\n", "base/tools/x": "x"})
    before = prints_of(ws)
    write_lock_of(ws, pinned[1])
    assert changed(ws, before) == {"core", "api"}


def write_lock_of(ws: Path, digest: str) -> None:
    """Write the lock of a workspace of Dockerfiles with a pin of Debian's image."""
    lock = Lock("3.11", "bookworm", externals=(LockedExternal("debian:12", digest),))
    write_tree(ws, {"orch.lock": format_lock(lock)})


def test_hostname_and_user_do_not_reach_the_fingerprint(
    ws: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = prints_of(ws)
    be_somewhere_else(monkeypatch)
    assert changed(ws, before) == set()


def test_no_timestamp_or_id_of_a_parent_is_in_its_childs_key(ws: Path) -> None:
    prints = prints_of(ws)
    parents = [item for item in prints["api"].inputs if item.kind == "parent"]
    assert [tuple(item) for item in parents] == [("parent", "tools", prints["tools"].digest)]
    for digest in ("sha256:built-at-noon", "sha256:built-at-night"):
        assert actions(ws, prints, digest) == dict.fromkeys(prints, Action.REUSE)


def actions(ws: Path, recorded: Mapping[str, Fingerprint], digest: str) -> dict[str, Action]:
    """Return what is to be done where these fingerprints are recorded."""
    records = {name: Recorded(one, f"{digest}-{name}") for name, one in recorded.items()}
    steps = plan_builds(open_workspace(ws).graph, AMD64, prints_of(ws), records).steps
    return {name: step.action for name, step in steps.items()}


def test_an_image_that_is_there_is_no_proof_without_its_fingerprint(ws: Path) -> None:
    before = dict(prints_of(ws))
    write_tree(ws, {f"{API}/app/main.py": "other"})
    assert actions(ws, before, "sha256:there")["api"] is Action.BUILD
    del before["tools"]
    assert actions(ws, before, "sha256:there")["tools"] is Action.BUILD


def without_repository(ws: Path, tmp_path: Path) -> Path:
    shutil.rmtree(ws / ".git")
    return ws


def shallow(ws: Path, tmp_path: Path) -> Path:
    git(ws, "commit", "-q", "--allow-empty", "-m", "second")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{ws}", str(clone))
    return clone


def without_merge_base(ws: Path, tmp_path: Path) -> Path:
    git(ws, "checkout", "-q", "--orphan", "island")
    git(ws, "commit", "-q", "-m", "elsewhere")
    return ws


@pytest.mark.parametrize(
    ("spoil", "revision"),
    [(without_repository, "main"), (shallow, "main~1"), (without_merge_base, "main")],
)
def test_where_git_cannot_tell_every_image_is_selected_and_it_says_so(
    ws: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[Path, Path], Path],
    revision: str,
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    committed(ws)
    root = spoil(ws, tmp_path)
    planned = plan(open_workspace(root), BuildOptions(AMD64, Selection(since=revision)))
    assert set(planned.wanted) == {"core", "tools", "api"}
    assert "every image is selected" in planned.notes[0]


def test_the_constraints_are_no_input(ws: Path) -> None:
    assert edited(ws, "constraints.txt", "flask<3\n") == set()


def test_an_orch_that_builds_differently_changes_every_fingerprint(
    ws: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = prints_of(ws)
    monkeypatch.setattr(fingerprints, "FINGERPRINT_VERSION", fingerprints.FINGERPRINT_VERSION + 1)
    assert changed(ws, before) == set(before)
