"""What building an sdist needs is pinned with the lock, kept with it, and moved with it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import pytest

from orchestrator.errors import LockError
from orchestrator.graph import build_graph
from orchestrator.lockfile import Lock
from orchestrator.lockwriting import format_lock
from orchestrator.model import LockedWheel, WheelBuild
from orchestrator.resolve.builds import check_builds, requires_of, targets_of
from orchestrator.resolve.debian import DebianArchive
from orchestrator.resolve.lock import Sources, Upgrade, resolve_lock
from orchestrator.resolve.python.offered import Target
from orchestrator.wheelhouse.locate import measure_files
from orchestrator.workspace import read_workspace
from tests.archives import FakeArchive, write_recipe
from tests.helpers import AMD64, ROOT
from tests.houses import House


@dataclass
class Scene:
    """A workspace whose image `api` wants `only`, which comes as source only."""

    root: Path
    house: House
    wants: tuple[str, ...] = ("tool",)
    asked: list[str] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def settings(self, more: str = "") -> None:
        (self.root / "orch.toml").write_text(f"[debian]\nessential = []\n{more}")

    def resolve(self, *moving: str) -> list[str]:
        workspace = read_workspace(self.root)
        archive = FakeArchive()
        archive.packages = ["libc6 2.36-9"]

        def read_requires(sdist: LockedWheel, target: Target) -> tuple[str, ...]:
            self.asked.append(sdist.file)
            return self.wants

        sources = Sources(
            lambda: cast("DebianArchive", archive),
            self.house.uv,
            measure_files,
            read_requires=read_requires,
        )
        resolution = resolve_lock(
            workspace, build_graph(workspace), sources, self.lock, Upgrade(packages=moving)
        )
        self.lock = resolution.lock
        return resolution.notes

    def check(self) -> None:
        check_builds(read_workspace(self.root).settings, self.lock, AMD64)

    @property
    def build(self) -> WheelBuild:
        (build,) = self.lock.builds
        return build

    def put_built(self, tag: str = "manylinux_2_17_x86_64") -> LockedWheel:
        file = f"only-3.0-cp311-cp311-{tag}.whl"
        wheel = LockedWheel("only", "3.0", file, "b" * 64, 7)
        self.lock = self.lock.with_builds([replace(self.build, wheel=wheel, compiler="gcc 12")])
        return wheel

    def needs(self) -> list[str]:
        return [f"{item.name} {item.version}" for item in self.build.requires]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    scene = Scene(tmp_path / "ws", House(tmp_path / "house"))
    scene.root.mkdir()
    scene.settings()
    scene.house.add("tool 1.0: part", "part 1.0")
    scene.house.add_sdist("only", "3.0")
    write_recipe(scene.root, "base", ROOT, "libc6")
    write_recipe(scene.root, "api", "base", "", "only")
    return scene


def test_what_an_sdist_asks_for_is_pinned_with_all_that_it_brings(scene: Scene) -> None:
    assert scene.resolve() == []
    assert scene.needs() == ["part 1.0", "tool 1.0"]
    assert all(item.sha256 and item.size_bytes for item in scene.build.requires)
    assert scene.build.wheel is None


def test_settings_add_requirements_packages_and_variables(scene: Scene) -> None:
    scene.house.add("extra 2.0")
    scene.settings(
        '[wheels.Only]\nrequires = ["extra"]\nsystem = ["libx-dev"]\nenv = { MODE = "secret" }\n'
    )
    scene.resolve()
    assert scene.needs() == ["extra 2.0", "part 1.0", "tool 1.0"]
    assert (scene.build.system, scene.build.env) == (("libx-dev",), ("MODE",))
    assert "secret" not in format_lock(scene.lock)


def test_a_wheel_that_was_built_stays_when_locking_again(scene: Scene) -> None:
    scene.resolve()
    wheel = scene.put_built()
    text = format_lock(scene.lock)
    scene.house.add("tool 2.0", "part 2.0")
    scene.resolve()
    assert format_lock(scene.lock) == text
    assert scene.lock.image("api", AMD64).wheels == (wheel,)
    assert scene.asked == ["only-3.0.tar.gz"]


def test_upgrading_the_project_pins_its_build_anew_and_drops_the_wheel(scene: Scene) -> None:
    scene.resolve()
    scene.put_built()
    scene.house.add("tool 2.0")
    scene.resolve("only")
    assert scene.needs() == ["tool 2.0"]
    assert not scene.lock.image("api", AMD64).wheels[0].is_wheel


def test_upgrading_a_project_whose_build_needs_the_same_keeps_the_wheel(scene: Scene) -> None:
    scene.resolve()
    wheel = scene.put_built()
    scene.resolve("only")
    assert scene.build.wheel == wheel


@pytest.mark.parametrize(
    "more", ['requires = ["part>=1"]', 'system = ["gcc"]', 'env = { MODE = "other" }']
)
def test_changed_settings_put_the_lock_behind_and_drop_the_wheel(scene: Scene, more: str) -> None:
    scene.settings('[wheels.only]\nenv = { MODE = "one" }\n')
    scene.resolve()
    scene.put_built()
    scene.check()
    scene.settings(f"[wheels.only]\n{more}\n")
    with pytest.raises(LockError, match=r"by: \[wheels\.only\]"):
        scene.check()
    scene.resolve()
    scene.check()
    assert scene.build.wheel is None


def test_a_wheel_that_the_images_can_no_longer_load_is_dropped(scene: Scene) -> None:
    scene.resolve()
    scene.put_built("manylinux_2_37_x86_64")
    scene.resolve()
    assert scene.build.wheel is None


def test_a_project_that_goes_takes_its_build_along(scene: Scene) -> None:
    scene.resolve()
    scene.put_built()
    write_recipe(scene.root, "api", "base", "", "part")
    scene.resolve()
    assert scene.lock.builds == ()


@pytest.mark.parametrize("wants", ["nowhere", "sourced"])
def test_what_cannot_be_pinned_is_noted_and_the_rest_is_locked(scene: Scene, wants: str) -> None:
    scene.house.add_sdist("sourced", "1.0")
    scene.wants = (wants,)
    (note,) = scene.resolve()
    assert note.startswith("what building only 3.0 for linux/amd64 needs cannot be pinned")
    assert scene.lock.builds == ()
    assert not scene.lock.image("api", AMD64).wheels[0].is_wheel


def test_what_a_build_and_an_image_need_alike_is_one_file(scene: Scene) -> None:
    write_recipe(scene.root, "api", "base", "", "only part")
    scene.resolve()
    assert set(scene.build.requires) & set(scene.lock.image("api", AMD64).wheels)
    assert format_lock(scene.lock).count('name = "part"') == 1


def test_a_build_must_fit_the_oldest_c_library_of_the_images(scene: Scene) -> None:
    scene.resolve()
    graph = build_graph(read_workspace(scene.root))
    assert targets_of(scene.lock, graph, AMD64)[scene.build.sdist].glibc == (2, 36)


def test_an_sdist_that_says_nothing_wants_setuptools() -> None:
    assert requires_of({}) == requires_of({"build-system": {}}) == ("setuptools",)
    assert requires_of({"build-system": {"requires": ["a >=1"]}}) == ("a>=1",)
    for table in ("x", {"requires": "a"}, {"requires": [1]}):
        with pytest.raises(ValueError, match="no list"):
            requires_of({"build-system": table})
