"""Images that Dockerfiles define, in the lock: what is locked for them, and for which target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import pytest

from orchestrator.errors import LockError, OrchError, WorkspaceError
from orchestrator.externals import LockedExternal, find_externals
from orchestrator.graph import Graph, build_graph
from orchestrator.lockfile import Lock, parse_lock
from orchestrator.lockwriting import format_lock
from orchestrator.model import Workspace
from orchestrator.resolve.behind import find_differences
from orchestrator.resolve.builds import targets_of
from orchestrator.resolve.debian import DebianArchive
from orchestrator.resolve.inputs import check_lock
from orchestrator.resolve.lock import Sources, Upgrade, resolve_lock
from orchestrator.wheelhouse.locate import measure_files
from orchestrator.workspace import read_workspace
from tests.archives import FakeArchive, write_recipe
from tests.helpers import AMD64, ROOT, write_tree
from tests.houses import House

CP311, CP312 = "cp311-cp311-manylinux_2_17_x86_64", "cp312-cp312-manylinux_2_17_x86_64"
OLD, NEW = "cp311-cp311-manylinux_2_28_x86_64", "cp311-cp311-manylinux_2_35_x86_64"


@dataclass
class Scene:
    """A workspace of Dockerfiles on a recipe `base`, which holds lib and a C library."""

    root: Path
    house: House
    settings: list[str] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)
    notes: list[str] = field(default_factory=list)

    def add(
        self, name: str, dockerfile: str, *lines: str, settings: str = "", locked: bool = True
    ) -> None:
        """Write an image; `lines` are its requirements, which are locked unless it says not."""
        files = {"Dockerfile": dockerfile, "requirements.txt": "".join(f"{x}\n" for x in lines)}
        write_tree(self.root / "services" / name, files)
        said = 'requirements = ["requirements.txt"]\n' if locked else ""
        self.settings.append(f"[image.{name}]\n{said}{settings}")

    def read(self) -> tuple[Workspace, Graph]:
        text = "".join(["[debian]\nessential = []\n", *self.settings])
        (self.root / "orch.toml").write_text(text)
        workspace = read_workspace(self.root)
        return workspace, build_graph(workspace)

    def resolve(self) -> None:
        archive = FakeArchive()
        archive.packages = ["libc6 2.36-9"]
        sources = Sources(lambda: cast("DebianArchive", archive), self.house.uv, measure_files)
        workspace, graph = self.read()
        resolution = resolve_lock(workspace, graph, sources, self.lock, Upgrade())
        known = [
            LockedExternal(item.reference, f"sha256:{0:064}") for item in find_externals(graph)
        ]
        self.lock = replace(resolution.lock, externals=tuple(known))
        self.notes = resolution.notes
        assert parse_lock(format_lock(self.lock)) == self.lock

    def adds(self, name: str) -> list[str]:
        image = self.lock.image(name, AMD64)
        assert not image.debs
        return [f"{wheel.name} {wheel.version}" for wheel in image.wheels]

    def files(self, name: str) -> list[str]:
        return [wheel.file for wheel in self.lock.image(name, AMD64).wheels]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    scene = Scene(tmp_path / "ws", House(tmp_path / "house"))
    scene.house.add("lib 1.0", "web 1.0: lib, deep", "deep 1.0", "other 1.0")
    write_recipe(scene.root, "base", ROOT, "libc6", "lib")
    return scene


def test_all_that_requirements_bring_is_locked_where_nothing_below_is_known(scene: Scene) -> None:
    scene.add("api", "FROM python:3.11\n", "web")
    scene.resolve()
    assert scene.adds("api") == ["deep 1.0", "lib 1.0", "web 1.0"]


def test_what_a_locked_parent_holds_is_not_added_again(scene: Scene) -> None:
    scene.add("mid", "FROM base\n", "deep")
    scene.add("api", "FROM mid\n", "web")
    scene.resolve()
    assert (scene.adds("mid"), scene.adds("api")) == (["deep 1.0"], ["web 1.0"])


def test_an_image_whose_requirements_are_not_named_is_not_locked(scene: Scene) -> None:
    scene.add("api", "FROM base\n", "web", locked=False)
    scene.resolve()
    assert "[image.api." not in format_lock(scene.lock)
    check_lock(*scene.read(), scene.lock, AMD64)


def test_counting_ends_below_an_image_of_which_nothing_is_known(scene: Scene) -> None:
    for tag in (OLD, NEW):
        scene.house.add("fast 1.0", tag=tag)
    scene.add("mid", "FROM base\n", locked=False)
    scene.add("api", "FROM mid\n", "web", "fast")
    scene.resolve()
    assert scene.adds("api") == ["deep 1.0", "fast 1.0", "lib 1.0", "web 1.0"]
    assert f"fast-1.0-{OLD}.whl" in scene.files("api")


def test_an_image_that_installs_nothing_hands_down_what_is_below(scene: Scene) -> None:
    scene.add("mid", "FROM base\n", settings="requirements = []\n", locked=False)
    scene.add("api", "FROM mid\n", "web")
    scene.resolve()
    assert (scene.adds("mid"), scene.adds("api")) == ([], ["deep 1.0", "web 1.0"])


@pytest.mark.parametrize(
    "dockerfile",
    ["FROM python:3.11\nCOPY --from=base /x /x\n", "FROM scratch\nCOPY --from=base /x /x\n"],
)
def test_an_image_does_not_stand_on_what_it_copies_from(scene: Scene, dockerfile: str) -> None:
    scene.add("api", dockerfile, "lib")
    scene.resolve()
    assert scene.adds("api") == ["lib 1.0"]


def test_a_recipe_takes_nothing_over_from_a_dockerfile_s_image(scene: Scene) -> None:
    scene.add("mid", "FROM python:3.11\n", "lib")
    write_recipe(scene.root, "top", "mid", "", "lib")
    scene.resolve()
    wheels = scene.lock.image("top", AMD64).wheels
    assert [wheel.name for wheel in wheels] == ["lib"]


@pytest.mark.parametrize(
    ("parent", "settings", "tag"),
    [
        ("python:3.11", "", OLD),
        ("python:3.11", 'glibc = "2.36"\n', NEW),
        ("base", "", NEW),
        ("base", 'glibc = "2.31"\n', OLD),
    ],
)
def test_wheels_fit_the_c_library_that_is_said_or_handed_down(
    scene: Scene, parent: str, settings: str, tag: str
) -> None:
    scene.house.add("fast 1.0", tag=OLD)
    scene.house.add("fast 1.0", tag=NEW)
    scene.add("mid", f"FROM {parent}\n", settings=settings)
    scene.add("api", "FROM mid\n", "fast")
    scene.resolve()
    assert scene.files("api") == [f"fast-1.0-{tag}.whl"]


def test_an_image_of_another_python_has_wheels_of_its_own(scene: Scene) -> None:
    for tag in (CP311, CP312):
        scene.house.add("fast 1.0", tag=tag)
    scene.add("old", "FROM base\n", "fast", "lib")
    scene.add("new", "FROM base\n", "fast", "lib", settings='python = "3.12"\n')
    scene.add("on", "FROM new\n", "fast", "web")
    scene.resolve()
    assert scene.files("old") == [f"fast-1.0-{CP311}.whl"]
    assert scene.files("new") == [f"fast-1.0-{CP312}.whl", "lib-1.0-py3-none-any.whl"]
    assert scene.adds("on") == ["deep 1.0", "web 1.0"]
    targets = {wheel.file: t for wheel, t in targets_of(scene.lock, scene.read()[1], AMD64).items()}
    assert targets[f"fast-1.0-{CP312}.whl"].python == "3.12"
    again = format_lock(scene.lock)
    scene.resolve()
    assert format_lock(scene.lock) == again


def test_an_sdist_that_images_of_two_pythons_want_is_warned_of(scene: Scene) -> None:
    scene.house.add_sdist("raw", "1.0")
    scene.add("old", "FROM base\n", "raw")
    scene.add("new", "FROM base\n", "raw", settings='python = "3.12"\n')
    scene.resolve()
    said = "raw 1.0 comes as source only, and images of Python 3.11 and 3.12 want it"
    assert [note for note in scene.notes if note.startswith(said)]


@pytest.mark.parametrize(
    ("lines", "settings", "says"),
    [
        (["web", "other"], "", "api asks for other, which it did not before"),
        (["web"], 'glibc = "2.36"\n', "wheels of api are to fit glibc 2.36"),
        (["web"], 'python = "3.12"\n', "wheels of api are to fit Python 3.12"),
    ],
)
def test_a_lock_is_behind_when_an_image_asks_for_something_else(
    scene: Scene, lines: Sequence[str], settings: str, says: str
) -> None:
    scene.add("api", "FROM python:3.11\n", "web")
    scene.resolve()
    scene.settings.clear()
    scene.add("api", "FROM python:3.11\n", *lines, settings=settings)
    with pytest.raises(LockError, match="behind what is asked for by: api"):
        check_lock(*scene.read(), scene.lock, AMD64)
    (difference,) = find_differences(*scene.read(), scene.lock)
    assert says in difference.detail


def test_another_external_parent_puts_no_lock_behind(scene: Scene) -> None:
    scene.add("api", "FROM python:3.11\n", "web")
    scene.resolve()
    scene.settings.clear()
    scene.add("api", "FROM python:3.11.9\n", "web")
    check_lock(*scene.read(), scene.lock, AMD64)


def test_the_context_of_wheels_is_no_external_image(scene: Scene) -> None:
    scene.add("api", "FROM python:3.11\nCOPY --from=wheels / /wheels\n", "web")
    _, graph = scene.read()
    assert graph.external["api"] == ("python:3.11",)
    assert graph.takes_wheels == {"base", "api"}


def test_using_wheels_of_what_is_not_locked_is_an_error_with_line_and_setting(
    scene: Scene,
) -> None:
    mount = "--mount=type=bind,from=wheels,target=/wheels"
    scene.add("api", f"FROM python:3.11\nRUN {mount} pip install x\n", locked=False)
    with pytest.raises(WorkspaceError) as caught:
        scene.read()
    assert str(caught.value) == (
        f"{scene.root}/services/api/Dockerfile:2: from=wheels gives an image the wheels that are "
        "locked for it, and nothing is locked for api"
    )
    assert caught.value.hint == (
        'name what it installs in orch.toml: [image.api] requirements = ["requirements.txt"]'
    )


@pytest.mark.parametrize(
    ("dockerfile", "settings"),
    [
        ("FROM a:1 AS wheels\nFROM b:1\nCOPY --from=wheels /x /x\n", ""),
        ("FROM b:1\nCOPY --from=wheels /x /x\n", 'contexts = {wheels = "services"}\n'),
        ("FROM wheels:1\n", ""),
    ],
)
def test_a_stage_a_context_or_a_tag_called_wheels_goes_first(
    scene: Scene, dockerfile: str, settings: str
) -> None:
    scene.add("api", dockerfile, settings=settings, locked=False)
    assert "api" not in scene.read()[1].takes_wheels


def test_an_image_of_the_workspace_called_wheels_goes_first(scene: Scene) -> None:
    scene.add("wheels", "FROM a:1\n", locked=False)
    scene.add("api", "FROM b:1\nCOPY --from=wheels /x /x\n", locked=False)
    assert scene.read()[1].parents["api"] == ("wheels",)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ('requirements = []\npython = "3"\n', "python must be a version, not '3'"),
        ('requirements = []\nglibc = "new"\n', "glibc must be a version, not 'new'"),
        ('glibc = "2.36"\n', "glibc says what requirements are locked for"),
    ],
)
def test_a_target_that_cannot_be_is_an_error(scene: Scene, settings: str, says: str) -> None:
    scene.add("api", "FROM b:1\n", settings=settings, locked=False)
    with pytest.raises(OrchError, match=says):
        scene.read()
