"""`orch lock --check` says which input the lock does not match, and asks nobody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.graph import build_graph
from orchestrator.lockfile import ImageLock, Lock
from orchestrator.model import WheelBuild
from orchestrator.resolve.behind import Difference, Input, find_differences
from orchestrator.resolve.builds import settings_digest
from orchestrator.workspace import read_workspace
from tests.archives import write_recipe
from tests.helpers import AMD64, ROOT, deb_of, wheel_of, write_lock, write_tree
from tests.wheels import locked, make_sdist

SETTINGS = "[debian]\nessential = []\n"


@pytest.fixture
def ws(tmp_path: Path) -> Path:
    write_tree(tmp_path, {"orch.toml": SETTINGS, "constraints.txt": "# pins\nlib<2\n"})
    write_recipe(tmp_path, "base", ROOT, "tool", "lib>=1")
    write_recipe(tmp_path, "mid", "base")
    write_recipe(tmp_path, "api", "base", "", "web")
    return tmp_path


@pytest.fixture
def lock(ws: Path) -> Lock:
    sdist = locked(make_sdist(ws / "sdists", "only", "1.0"))
    adds = {
        "base": ImageLock((deb_of("tool"),), (wheel_of("lib"), sdist)),
        "api": ImageLock((), (wheel_of("web"),)),
    }
    return write_lock(ws, adds)


def differences(ws: Path, lock: Lock) -> tuple[Difference, ...]:
    workspace = read_workspace(ws)
    return find_differences(workspace, build_graph(workspace), lock)


def the_difference(ws: Path, lock: Lock) -> Difference:
    (found,) = differences(ws, lock)
    return found


def test_a_lock_that_matches_has_no_differences_though_an_sdist_was_never_built(
    ws: Path, lock: Lock
) -> None:
    assert differences(ws, lock) == ()


def settings(text: str) -> Callable[[Path], object]:
    return lambda ws: (ws / "orch.toml").write_text(f"{text}\n{SETTINGS}")


def recipe(*arguments: str) -> Callable[[Path], object]:
    return lambda ws: write_recipe(ws, *arguments)


def constraints(text: str) -> Callable[[Path], object]:
    return lambda ws: (ws / "constraints.txt").write_text(text)


def remove_mid(ws: Path) -> None:
    (ws / "base/mid/image.toml").unlink()
    (ws / "base/mid/requirements.txt").unlink()


@pytest.mark.parametrize(
    ("change", "kind", "image", "said"),
    [
        (
            recipe("api", "base", "", "web more>=2"),
            Input.REQUIREMENT,
            "api",
            "base/api/requirements.txt:2: api asks for more>=2, which it did not before",
        ),
        (
            recipe("api", "base"),
            Input.REQUIREMENT,
            "api",
            "base/api/requirements.txt: api no longer asks for web",
        ),
        (
            recipe("api", "base", "", "web>=0.5"),
            Input.REQUIREMENT,
            "api",
            "base/api/requirements.txt:1: api asks for web>=0.5, it was locked for web",
        ),
        (
            constraints("# pins\n\nlib<1\n"),
            Input.CONSTRAINT,
            "base",
            "constraints.txt:3: lib<1 rules out lib 1.0, which base holds",
        ),
        (
            recipe("base", ROOT, "tool more", "lib>=1"),
            Input.SYSTEM,
            "base",
            "base/base/image.toml: base asks for the Debian package more",
        ),
        (
            recipe("base", ROOT, "", "lib>=1"),
            Input.SYSTEM,
            "base",
            "base/base/image.toml: base no longer asks for the Debian package tool",
        ),
        (
            recipe("api", "mid", "", "web"),
            Input.PARENT,
            "api",
            "base/api/image.toml:1: api stands on mid, it was locked on base",
        ),
        (
            recipe("new", "base", "", "web"),
            Input.IMAGE,
            "new",
            "base/new/image.toml: image new is not in the lock",
        ),
        (
            remove_mid,
            Input.IMAGE,
            "mid",
            "orch.lock: image mid is locked, and no recipe defines it any more",
        ),
        (
            settings('platforms = ["linux/amd64", "linux/arm64"]'),
            Input.PLATFORM,
            "",
            "orch.toml: platform linux/arm64 is asked for and not locked",
        ),
        (
            settings('platforms = ["linux/amd64"]\n[python]\nversion = "3.12"'),
            Input.PYTHON,
            "",
            "orch.toml: Python 3.12 is asked for, 3.11 is locked",
        ),
    ],
)
def test_what_changed_is_named_with_its_place(
    ws: Path, lock: Lock, change: Callable[[Path], object], kind: Input, image: str, said: str
) -> None:
    change(ws)
    found = the_difference(ws, lock)
    assert (found.input, found.image, str(found)) == (kind, image, said)


def test_another_suite_is_named_and_not_each_image(ws: Path, lock: Lock) -> None:
    for file in ws.rglob("*.toml"):
        file.write_text(file.read_text().replace("bookworm", "trixie"))
    (ws / "orch.toml").write_text(f'{SETTINGS}suite = "trixie"\n')
    found = differences(ws, lock)
    assert [item.input for item in found] == [Input.SUITE, Input.PARENT]
    assert str(found[0]) == "orch.toml: suite trixie is asked for, bookworm is locked"


@pytest.mark.parametrize("text", ["nobody==9\n", "lib<2\n", 'lib<1; python_version < "3"\n'])
def test_a_constraint_that_no_pin_breaks_is_no_difference(ws: Path, lock: Lock, text: str) -> None:
    (ws / "constraints.txt").write_text(text)
    assert differences(ws, lock) == ()


def test_a_pin_that_was_edited_away_from_its_line_is_named(ws: Path, lock: Lock) -> None:
    base = replace(lock.image("base", AMD64), wheels=(wheel_of("lib", "0.9"),))
    edited = replace(lock, images={**lock.images, ("base", AMD64): base})
    assert str(the_difference(ws, edited)) == (
        "base/base/requirements.txt:1: base asks for lib>=1, but 0.9 is locked"
    )


def test_a_pin_that_is_gone_is_named(ws: Path, lock: Lock) -> None:
    api = replace(lock.image("api", AMD64), wheels=())
    edited = replace(lock, images={**lock.images, ("api", AMD64): api})
    assert "api asks for web, which is not locked" in str(the_difference(ws, edited))


def test_a_lock_that_does_not_say_what_was_asked_names_the_image_alone(
    ws: Path, lock: Lock
) -> None:
    older = replace(lock, asked={})
    assert differences(ws, older) == ()
    write_recipe(ws, "api", "base", "other", "web")
    found = the_difference(ws, older)
    assert (found.input, found.image) == (Input.UNKNOWN, "api")


def test_settings_of_a_build_that_moved_are_named(ws: Path, lock: Lock) -> None:
    (sdist,) = [wheel for wheel in lock.image("base", AMD64).wheels if not wheel.is_wheel]
    digest = settings_digest(read_workspace(ws).settings, "only")
    built = lock.with_builds([WheelBuild(sdist, AMD64, settings=digest)])
    assert differences(ws, built) == ()
    settings("[wheels.only]\nsystem = ['gcc']\n")(ws)
    found = the_difference(ws, built)
    assert (found.input, found.subject, found.where) == (Input.WHEEL_BUILD, "only", "orch.toml")
