"""Pinning anew what a mirror no longer has, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from orchestrator.errors import ResolutionError
from orchestrator.graph import build_graph
from orchestrator.lockfile import ImageLock, Lock
from orchestrator.model import LockedDeb
from orchestrator.resolve.debian import DebianArchive
from orchestrator.resolve.relock import relock_debs
from orchestrator.workspace import read_workspace
from tests.archives import FakeArchive, offered, write_recipe
from tests.helpers import AMD64, ROOT, wheel_of

OLD = ["app 1.0: lib", "lib 1.0", "tool 1.0", "leaf 1.0: lib"]
PINS = {"base": ("app 1.0", "lib 1.0"), "side": ("tool 1.0",), "api": ("leaf 1.0",)}


def debs(*packages: str) -> tuple[LockedDeb, ...]:
    return tuple(offered(*package.split()) for package in packages)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "orch.toml").write_text("[debian]\nessential = []\n")
    write_recipe(tmp_path, "base", ROOT, "app")
    write_recipe(tmp_path, "side", ROOT, "tool")
    write_recipe(tmp_path, "api", "base", "leaf")
    return tmp_path


def relock(
    root: Path, archive: FakeArchive, *gone: str, pins: dict[str, tuple[str, ...]] | None = None
) -> tuple[Lock, list[str]]:
    workspace = read_workspace(root)
    images = {
        (name, AMD64): ImageLock(debs(*held), (wheel_of(name),), f"inputs of {name}")
        for name, held in (pins or PINS).items()
    }
    return relock_debs(
        Lock("3.11", "bookworm", {"bookworm": "2025-12-31"}, images),
        build_graph(workspace),
        workspace,
        cast("DebianArchive", archive),
        debs(*gone),
    )


def held(lock: Lock, name: str) -> list[str]:
    return [f"{deb.name} {deb.version}" for deb in lock.image(name, AMD64).debs]


def test_only_the_vanished_package_moves(root: Path) -> None:
    archive = FakeArchive([*OLD, "app 2.0: lib", "lib 1.1", "tool 2.0", "leaf 2.0: lib"])
    archive.packages.remove("lib 1.0")
    lock, moved = relock(root, archive, "lib 1.0")
    assert held(lock, "base") == ["app 1.0", "lib 1.1"]
    assert held(lock, "side") == ["tool 1.0"]
    assert held(lock, "api") == ["leaf 1.0"]
    assert moved == ["lib 1.0 -> 1.1 on linux/amd64"]


def test_wheels_and_inputs_stay_and_the_date_is_the_archives(root: Path) -> None:
    lock, _ = relock(root, FakeArchive(["app 1.0: lib", "lib 1.1", *OLD[2:]]), "lib 1.0")
    assert lock.image("base", AMD64).wheels == (wheel_of("base"),)
    assert lock.image("base", AMD64).inputs == "inputs of base"
    assert lock.release_dates == {"bookworm": "2026-01-01"}


def test_what_a_new_version_needs_is_added_and_named(root: Path) -> None:
    archive = FakeArchive(["app 1.0: lib", "lib 2.0: extra", "extra 1.0", *OLD[2:]])
    lock, moved = relock(root, archive, "lib 1.0")
    assert held(lock, "base") == ["app 1.0", "extra 1.0", "lib 2.0"]
    assert moved == ["extra (none) -> 1.0 on linux/amd64", "lib 1.0 -> 2.0 on linux/amd64"]


def test_a_child_gives_up_what_its_base_now_brings(root: Path) -> None:
    pins = {**PINS, "api": ("extra 1.0", "leaf 1.0")}
    archive = FakeArchive(["app 1.0: lib", "lib 2.0: extra", "extra 1.0", *OLD[2:]])
    lock, _ = relock(root, archive, "lib 1.0", pins=pins)
    assert held(lock, "base") == ["app 1.0", "extra 1.0", "lib 2.0"]
    assert held(lock, "api") == ["leaf 1.0"]


def test_a_package_that_left_the_suite_is_an_error(root: Path) -> None:
    with pytest.raises(ResolutionError, match="lib"):
        relock(root, FakeArchive(["app 1.0: lib", *OLD[2:]]), "lib 1.0")
