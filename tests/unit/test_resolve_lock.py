"""Resolving a workspace: what is locked for whom, what is kept, and when a lock is behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest
from packaging.requirements import Requirement

from orchestrator.errors import LockError, ResolutionError, WorkspaceError
from orchestrator.graph import build_graph
from orchestrator.lockfile import Lock, parse_lock
from orchestrator.lockwriting import format_lock
from orchestrator.resolve.debian import DebianArchive
from orchestrator.resolve.inputs import check_lock
from orchestrator.resolve.lock import Resolution, Sources, Upgrade, resolve_lock
from orchestrator.resolve.python.requirements import RequirementLine
from orchestrator.wheelhouse.locate import measure_files
from orchestrator.workspace import read_workspace
from tests.archives import FakeArchive, write_recipe
from tests.helpers import AMD64, ARM64, ROOT
from tests.houses import House

KEEP = Upgrade()


@dataclass
class Scene:
    """A workspace, an archive and a house of wheels; `lock` is the one written last."""

    root: Path
    archive: FakeArchive
    house: House
    lock: Lock = field(default_factory=Lock)

    def resolve(self, upgrade: Upgrade = KEEP) -> Resolution:
        workspace = read_workspace(self.root)
        sources = Sources(lambda: cast("DebianArchive", self.archive), self.house.uv, measure_files)
        resolution = resolve_lock(workspace, build_graph(workspace), sources, self.lock, upgrade)
        self.lock = resolution.lock
        return resolution

    def check(self) -> None:
        workspace = read_workspace(self.root)
        check_lock(workspace, build_graph(workspace), self.lock, AMD64)

    def adds(self, name: str) -> list[str]:
        """Return what the lock says an image adds, as `NAME VERSION`."""
        image = self.lock.image(name, AMD64)
        debs = [f"{deb.name} {deb.version}" for deb in image.debs]
        return debs + [f"{wheel.name} {wheel.version}" for wheel in image.wheels]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    scene = Scene(tmp_path / "ws", FakeArchive(), House(tmp_path / "house"))
    scene.root.mkdir()
    settings(scene)
    scene.archive.packages = ["libc6 2.36-9", "tool 1.0: libc6", "other 1.0: tool"]
    scene.house.add("lib 1.0", "web 1.0: lib")
    write_recipe(scene.root, "base", ROOT, "tool", "lib")
    write_recipe(scene.root, "api", "base", "other", "web")
    return scene


def settings(
    scene: Scene, essential: str = "[]", platforms: Sequence[str] = ("linux/amd64",)
) -> None:
    keys = ", ".join(f'"{key}"' for key in platforms)
    text = f"platforms = [{keys}]\n[debian]\nessential = {essential}\n"
    (scene.root / "orch.toml").write_text(text)


def test_a_child_locks_only_what_its_ancestors_lack(scene: Scene) -> None:
    scene.resolve()
    assert scene.adds("base") == ["libc6 2.36-9", "tool 1.0", "lib 1.0"]
    assert scene.adds("api") == ["other 1.0", "web 1.0"]


def test_a_locked_wheel_is_the_file_with_its_size(scene: Scene) -> None:
    scene.resolve()
    (wheel,) = scene.lock.image("base", AMD64).wheels
    file = scene.house.wheels / wheel.file
    assert wheel.size_bytes == file.stat().st_size
    assert wheel.is_wheel


def test_the_lock_names_no_place(scene: Scene) -> None:
    text = format_lock(scene.resolve().lock)
    assert "://" not in text
    assert str(scene.house.folder) not in text


def test_a_second_run_writes_the_same_text(scene: Scene) -> None:
    text = format_lock(scene.resolve().lock)
    assert format_lock(scene.resolve().lock) == text
    scene.lock = parse_lock(text)
    assert format_lock(scene.resolve().lock) == text


def test_what_was_locked_is_kept_when_newer_is_offered(scene: Scene) -> None:
    scene.resolve()
    scene.house.add("lib 2.0")
    scene.archive.packages.append("tool 2.0: libc6")
    scene.resolve()
    assert scene.adds("base") == ["libc6 2.36-9", "tool 1.0", "lib 1.0"]


def test_an_upgrade_moves_everything(scene: Scene) -> None:
    scene.resolve()
    scene.house.add("lib 2.0", "web 2.0: lib")
    scene.archive.packages.append("tool 2.0: libc6")
    scene.resolve(Upgrade(everything=True))
    assert scene.adds("base") == ["libc6 2.36-9", "tool 2.0", "lib 2.0"]
    assert scene.adds("api") == ["other 1.0", "web 2.0"]


@pytest.mark.parametrize(
    ("package", "moved"),
    [
        ("lib", ["libc6 2.36-9", "tool 1.0", "lib 2.0"]),
        ("tool", ["libc6 2.36-9", "tool 2.0", "lib 1.0"]),
    ],
)
def test_an_upgrade_of_one_package_moves_that_alone(
    scene: Scene, package: str, moved: list[str]
) -> None:
    scene.resolve()
    scene.house.add("lib 2.0", "web 2.0: lib")
    scene.archive.packages.append("tool 2.0: libc6")
    scene.resolve(Upgrade(packages=[package]))
    assert scene.adds("base") == moved
    assert scene.adds("api") == ["other 1.0", "web 1.0"]


def test_a_debian_package_that_moves_takes_along_what_must_move_with_it(scene: Scene) -> None:
    scene.archive.packages += ["alib 1.0", "pair 1.0: alib (= 1.0)", "zlib 1.0"]
    write_recipe(scene.root, "base", ROOT, "pair zlib")
    scene.resolve()
    scene.archive.packages += ["alib 2.0", "pair 2.0: alib (= 2.0)", "zlib 2.0"]
    scene.resolve()
    assert scene.adds("base") == ["alib 1.0", "pair 1.0", "zlib 1.0"]
    scene.resolve(Upgrade(packages=["pair"]))
    assert scene.adds("base") == ["alib 2.0", "pair 2.0", "zlib 1.0"]


def test_an_exact_version_is_taken_though_a_newer_is_offered(scene: Scene) -> None:
    scene.resolve()
    scene.house.add("lib 1.5", "lib 2.0")
    scene.archive.packages += ["tool 1.5: libc6", "tool 2.0: libc6"]
    line = RequirementLine(Requirement("lib==1.5"), "--upgrade-package")
    scene.resolve(
        Upgrade(packages=["lib", "tool"], exact_lines=(line,), exact_debs={"tool": "1.5"})
    )
    assert scene.adds("base") == ["libc6 2.36-9", "tool 1.5", "lib 1.5"]


def test_the_c_library_of_the_base_decides_which_wheels_fit(scene: Scene) -> None:
    scene.house.add("native 1.0", tag="cp311-cp311-manylinux_2_36_x86_64")
    scene.house.add("native 2.0", tag="cp311-cp311-manylinux_2_37_x86_64")
    write_recipe(scene.root, "api", "base", "", "native")
    scene.resolve()
    assert scene.adds("api") == ["native 1.0"]


def test_every_platform_gets_its_own_files(scene: Scene) -> None:
    settings(scene, platforms=("linux/amd64", "linux/arm64"))
    scene.house.add("native 1.0", tag="cp311-cp311-manylinux_2_17_x86_64")
    scene.house.add("native 1.0", tag="cp311-cp311-manylinux_2_17_aarch64")
    write_recipe(scene.root, "api", "base", "", "native")
    lock = scene.resolve().lock
    files = [lock.image("api", platform).wheels[0].file for platform in (AMD64, ARM64)]
    assert files == [
        "native-1.0-cp311-cp311-manylinux_2_17_x86_64.whl",
        "native-1.0-cp311-cp311-manylinux_2_17_aarch64.whl",
    ]
    assert lock.image("base", ARM64).debs[0].architecture == "arm64"
    assert parse_lock(format_lock(lock)) == lock


def test_an_image_without_a_source_is_locked_as_such_and_noted(scene: Scene) -> None:
    write_recipe(scene.root, "api", "base", "other", "missing")
    resolution = scene.resolve()
    api = scene.lock.image("api", AMD64)
    assert "missing was not found" in api.unavailable
    assert (api.debs, api.wheels) == ((), ())
    assert any(note.startswith("api cannot be locked") for note in resolution.notes)
    assert "lib 1.0" in scene.adds("base")
    scene.check()


def test_images_with_several_versions_are_noted(scene: Scene) -> None:
    scene.house.add("lib 2.0")
    write_recipe(scene.root, "base", ROOT, "tool")
    write_recipe(scene.root, "api", "base", "", "lib<2")
    write_recipe(scene.root, "new", "base", "", "lib>=2")
    assert scene.resolve().notes == ["lib has several versions on linux/amd64: 1.0, 2.0"]


def test_a_project_without_wheels_is_locked_as_sdist(scene: Scene) -> None:
    scene.house.add_sdist("only", "3.0")
    write_recipe(scene.root, "api", "base", "", "only")
    scene.resolve()
    (sdist,) = scene.lock.image("api", AMD64).wheels
    assert (sdist.file, sdist.is_wheel) == ("only-3.0.tar.gz", False)


def test_a_wheel_takes_the_place_of_a_locked_sdist_once_there_is_one(scene: Scene) -> None:
    scene.house.add_sdist("only", "3.0")
    write_recipe(scene.root, "api", "base", "", "only")
    scene.resolve()
    scene.house.add("only 3.0")
    scene.resolve()
    assert scene.lock.image("api", AMD64).wheels[0].is_wheel


def test_essential_packages_belong_to_roots(scene: Scene) -> None:
    settings(scene, '["libc6", "shell"]')
    scene.archive.packages.append("shell 5.0")
    scene.resolve()
    assert "shell 5.0" in scene.adds("base")
    assert "shell 5.0" not in scene.adds("api")


def test_a_root_of_another_suite_is_refused_with_its_line(scene: Scene) -> None:
    write_recipe(scene.root, "base", "debian:trixie", "tool")
    with pytest.raises(WorkspaceError, match="debian:trixie") as caught:
        scene.resolve()
    assert (caught.value.file, caught.value.line) == ("base/base/image.toml", 1)


def test_a_debian_package_that_is_not_offered_names_the_image(scene: Scene) -> None:
    write_recipe(scene.root, "api", "base", "nonesuch")
    with pytest.raises(ResolutionError, match="locking api for linux/amd64: ") as caught:
        scene.resolve()
    assert caught.value.file == "base/api/image.toml"
    assert "nonesuch" in caught.value.message


def test_a_workspace_without_packages_needs_no_source(scene: Scene) -> None:
    for name, parent in (("base", ROOT), ("api", "base")):
        write_recipe(scene.root, name, parent)
    workspace = read_workspace(scene.root)

    def unwanted() -> DebianArchive:
        raise AssertionError("opened")

    sources = Sources(unwanted, scene.house.uv, measure_files)
    lock = resolve_lock(workspace, build_graph(workspace), sources, Lock(), KEEP).lock
    assert lock.release_dates == {}
    assert {name for name, _ in lock.images} == {"base", "api"}


def test_a_fresh_lock_answers_what_is_asked(scene: Scene) -> None:
    scene.resolve()
    scene.check()


@pytest.mark.parametrize("change", ["debs", "wheels", "parent"])
def test_a_lock_is_behind_when_an_image_asks_for_something_else(scene: Scene, change: str) -> None:
    write_recipe(scene.root, "mid", "base")
    scene.resolve()
    changed = {
        "debs": ("base", "", "web"),
        "wheels": ("base", "other", "web>=1"),
        "parent": ("mid", "other", "web"),
    }
    write_recipe(scene.root, "api", *changed[change])
    with pytest.raises(LockError, match=r"by: api$") as caught:
        scene.check()
    assert "orch lock" in caught.value.hint


def test_the_order_and_comments_of_requirements_do_not_count(scene: Scene) -> None:
    write_recipe(scene.root, "api", "base", "other tool", "web lib")
    scene.resolve()
    write_recipe(scene.root, "api", "base", "tool other", "lib web")
    file = scene.root / "base/api/requirements.txt"
    file.write_text(f"# why\n{file.read_text()}")
    scene.check()


@pytest.mark.parametrize(
    ("line", "behind"),
    [
        ("lib<1", True),
        ("lib<2", False),
        ("nobody==9", False),
        ('lib<1; python_version < "3"', False),
    ],
)
def test_a_constraint_counts_where_a_pin_breaks_it(
    scene: Scene, line: str, *, behind: bool
) -> None:
    scene.resolve()
    (scene.root / "constraints.txt").write_text(f"{line}\n")
    if not behind:
        scene.check()
        return
    with pytest.raises(LockError, match="by: base"):
        scene.check()


def test_a_new_image_makes_the_lock_behind(scene: Scene) -> None:
    scene.resolve()
    write_recipe(scene.root, "new", "base")
    with pytest.raises(LockError, match="new is not locked for linux/amd64"):
        scene.check()
