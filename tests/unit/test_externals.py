"""External images in the lock: what is pinned, what is kept, what cannot be pinned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from orchestrator.app.planning import BuildOptions, default_platform, plan
from orchestrator.errors import LockError, WorkspaceError
from orchestrator.externals import LockedExternal, find_externals, pins_of
from orchestrator.lockfile import Lock, parse_lock
from orchestrator.lockwriting import format_lock
from orchestrator.resolve.behind import Input, find_differences
from orchestrator.resolve.pinning import Upstream, find_base_moves, pin_externals
from tests.dockerfiles import workspace_of
from tests.helpers import write_lock

A, B = (f"sha256:{letter * 64}" for letter in "ab")
TREE = {
    "base/core/Dockerfile": "ARG V=12\nFROM debian:$V AS build\nRUN make\n"
    "FROM scratch\nCOPY --from=build /x /x\nRUN --mount=from=busybox:1,target=/b /b/sh\n",
    "services/api/Dockerfile": (
        f"FROM core\nCOPY --from=debian:12 /y /y\nCOPY --from=alpine@{A} / /z\n"
    ),
}
LOST = Upstream(why="its registry is out of reach", detail="HEAD x: no route")


class Registries:
    """Answers for references; counts which were asked for."""

    def __init__(self) -> None:
        self.names = {"debian:12": Upstream(A), "busybox:1": Upstream(B)}
        self.asked: list[str] = []

    def ask(self, references: Sequence[str]) -> Mapping[str, Upstream]:
        self.asked += references
        return {reference: self.names.get(reference, LOST) for reference in references}


def rows(**digests: str) -> tuple[LockedExternal, ...]:
    return tuple(LockedExternal(name, digest) for name, digest in digests.items())


def test_every_reference_without_a_digest_is_pinned_and_scratch_is_none(tmp_path: Path) -> None:
    graph = workspace_of(tmp_path, TREE).graph
    found = find_externals(graph)
    assert [(item.reference, item.images, item.where) for item in found] == [
        ("busybox:1", ("core",), "base/core/Dockerfile:6"),
        ("debian:12", ("core", "api"), "base/core/Dockerfile:2"),
    ]
    locked = (LockedExternal("busybox:1", unpinned="x"), LockedExternal("debian:12", A))
    assert pins_of(graph, locked, "core") == {"debian:12": A}


def test_what_a_named_context_takes_the_place_of_is_not_pinned(tmp_path: Path) -> None:
    settings = (
        '[image.core]\ncontexts = {"docker.io/library/debian:12" = "docker-image://mine:1"}\n'
    )
    graph = workspace_of(tmp_path, TREE, settings).graph
    assert {item.reference: item.images for item in find_externals(graph)} == {
        "busybox:1": ("core",),
        "debian:12": ("api",),
    }
    assert pins_of(graph, rows(**{"debian:12": A}), "core") == {}


def test_debian_below_a_recipe_is_assembled_and_other_images_are_pinned(tmp_path: Path) -> None:
    files = {
        "base/a/image.toml": 'from = "debian:bookworm"\n',
        "base/b/image.toml": 'summary = "b"\nfrom = "host.example/team/base:1"\n',
    }
    (found,) = find_externals(workspace_of(tmp_path, files).graph)
    assert (found.reference, found.where) == ("host.example/team/base:1", "base/b/image.toml:2")


def test_pins_stay_unless_they_are_to_move(tmp_path: Path) -> None:
    externals = find_externals(workspace_of(tmp_path, TREE).graph)
    registries = Registries()
    before = rows(**{"debian:12": B})
    kept, notes = pin_externals(externals, before, move=False, ask=registries.ask)
    assert registries.asked == ["busybox:1"]
    assert kept == rows(**{"busybox:1": B, "debian:12": B})
    moved, more = pin_externals(externals, before, move=True, ask=registries.ask)
    assert moved == rows(**{"busybox:1": B, "debian:12": A})
    assert not notes
    assert not more
    assert [str(move) for move in find_base_moves(kept, moved)] == [f"debian:12 {B} -> {A}"]


def test_a_registry_out_of_reach_costs_no_pin_and_leaves_what_is_new_without(
    tmp_path: Path,
) -> None:
    externals = find_externals(workspace_of(tmp_path, TREE).graph)
    registries = Registries()
    registries.names.clear()
    locked, notes = pin_externals(
        externals, rows(**{"debian:12": B}), move=True, ask=registries.ask
    )
    assert locked == (
        LockedExternal("busybox:1", unpinned="its registry is out of reach"),
        LockedExternal("debian:12", B),
    )
    why = "its registry is out of reach (HEAD x: no route)"
    unpinned = f"busybox:1 is not pinned, and is built from its tag: {why}"
    assert notes == [
        f"base/core/Dockerfile:6: {unpinned}",
        f"base/core/Dockerfile:2: debian:12 stays as it is pinned: {why}",
    ]


def test_the_lock_is_the_same_text_again(tmp_path: Path) -> None:
    externals = (LockedExternal("busybox:1", unpinned="gone"), LockedExternal("debian:12", A))
    lock = Lock("3.11", "bookworm", externals=externals)
    assert parse_lock(format_lock(lock)) == lock
    turned = Lock("3.11", "bookworm", externals=externals[::-1])
    assert format_lock(turned) == format_lock(lock)


@pytest.mark.parametrize(
    "text",
    [
        '[[external]]\ndigest = "sha256:1"\n',
        '[[external]]\nreference = "a:1"\ndigest = "latest"\n',
        '[[external]]\nreference = "a:1"\n[[external]]\nreference = "a:1"\n',
    ],
)
def test_rows_that_say_nothing_sound_are_refused(text: str) -> None:
    with pytest.raises(LockError):
        parse_lock(f'version = 1\npython = "3.11"\nsuite = "bookworm"\n{text}')


def test_a_check_knows_what_came_and_went_and_what_could_not_be_pinned(tmp_path: Path) -> None:
    opened = workspace_of(tmp_path, TREE)
    externals = (LockedExternal("alpine:3", A), LockedExternal("busybox:1", unpinned="lost"))
    lock = Lock("3.11", "bookworm", externals=externals)
    found = find_differences(opened.workspace, opened.graph, lock)
    assert {item.input for item in found} == {Input.EXTERNAL}
    assert [str(item) for item in found] == [
        "base/core/Dockerfile:2: core uses the external image debian:12, which is not locked",
        "orch.lock: the external image alpine:3 is locked, and nothing uses it any more",
    ]
    assert not find_differences(opened.workspace, opened.graph, Lock())


def test_packages_of_debian_are_refused_above_an_external_image(tmp_path: Path) -> None:
    files = {
        "base/b/image.toml": 'from = "host.example/base:1"\n',
        "base/c/image.toml": 'from = "b"\n[system]\npackages = ["curl"]\n',
    }
    with pytest.raises(WorkspaceError, match=r"c has \[system\] packages, and stands on host"):
        workspace_of(tmp_path, files)
    assert not (tmp_path / "orch.lock").exists()


def test_a_recipe_without_a_pin_is_unavailable_and_says_why(tmp_path: Path) -> None:
    opened = workspace_of(tmp_path, {"base/b/image.toml": 'from = "host.example/base:1"\n'})
    lock = write_lock(tmp_path)
    step = plan(opened, BuildOptions(default_platform(opened))).plan.steps["b"]
    assert "host.example/base:1, which is not pinned; run: orch lock" in step.unavailable
    externals = (LockedExternal("host.example/base:1", unpinned="its registry refuses"),)
    text = format_lock(Lock(lock.python, lock.suite, {}, lock.images, lock.asked, (), externals))
    (tmp_path / "orch.lock").write_text(text)
    step = plan(opened, BuildOptions(default_platform(opened))).plan.steps["b"]
    assert "not pinned: its registry refuses; run: orch lock" in step.unavailable
