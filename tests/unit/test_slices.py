"""What of the constraints and of the lock reaches images that Dockerfiles define."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from orchestrator.app.explaining import affected
from orchestrator.app.fingerprinting import fingerprint_images
from orchestrator.app.opened import open_workspace, read_lock
from orchestrator.app.planning import BuildOptions, plan
from orchestrator.engines.buildkit.engine import BuildKit, ContextFiles
from orchestrator.engines.buildkit.staging import Source, staged, time_of
from orchestrator.engines.buildkit.wheels import requirements_text, wheel_files
from orchestrator.errors import MissingToolError
from orchestrator.fingerprint import Fingerprint, Input
from orchestrator.lockfile import ImageLock
from orchestrator.model import LockedWheel
from orchestrator.plan import Action, Step
from orchestrator.resolve.slices import cut
from tests.dockerfiles import prints_of
from tests.helpers import AMD64, wheel_of, write_lock, write_tree
from tests.wheels import locked, make_wheel

if TYPE_CHECKING:
    from orchestrator.engines.buildkit.shelves import Shelf

SETTINGS = """\
[debian]
essential = []
[image.root]
requirements = ["requirements.txt"]
[image.api]
path = "."
dockerfile = "api.Dockerfile"
requirements = []
"""
CONSTRAINTS = "# pins\nlib==1\n\nWeb==1  # of api\nother==1\npip<30\n"
TREE = {
    "orch.toml": SETTINGS,
    "constraints.txt": CONSTRAINTS,
    "base/root/Dockerfile": "FROM a:1\nCOPY constraints.txt requirements.txt /tmp/\n",
    "base/root/constraints.txt": CONSTRAINTS,
    "base/root/requirements.txt": "lib\n",
    "api.Dockerfile": "FROM root\nCOPY constraints.txt /tmp/\n",
}
HELD = {"root": [wheel_of("lib")], "api": [wheel_of("web")]}


@pytest.fixture
def ws(tmp_path: Path) -> Path:
    return house(tmp_path / "ws", {})


def house(root: Path, files: Mapping[str, str]) -> Path:
    write_tree(root, {**TREE, **files})
    pin(root, HELD)
    return root


def pin(root: Path, held: Mapping[str, list[LockedWheel]]) -> None:
    write_lock(root, {name: ImageLock((), tuple(wheels)) for name, wheels in held.items()})


def given(root: Path, name: str) -> str | None:
    """Return the constraints that an image's build gets; None where that is the file as it is."""
    opened = open_workspace(root)
    now = fingerprint_images(opened, read_lock(opened), AMD64, opened.graph.images)
    (file,) = [file for file in now.files[name] if file.target == "constraints.txt"]
    counted = Input("file", "constraints.txt", file.sha256)
    assert counted in now.prints[name].inputs
    if file.text is not None:
        assert hashlib.sha256(file.text.encode()).hexdigest() == file.sha256
    return file.text


def details(root: Path) -> tuple[str, ...]:
    return plan(open_workspace(root), BuildOptions(AMD64)).details


def change(root: Path, name: str, text: str) -> set[str]:
    """Write the constraints, and their copy; return the images whose fingerprint moves."""
    before = prints_of(root)
    write_tree(root, {"constraints.txt": text, "base/root/constraints.txt": text})
    after = prints_of(root)
    assert name in after
    return {name for name in after if after[name].digest != before[name].digest}


def test_a_build_gets_the_lines_about_what_its_image_holds_in_their_order(ws: Path) -> None:
    assert given(ws, "root") == "lib==1\npip<30\n"
    assert given(ws, "api") == "lib==1\nWeb==1\npip<30\n"
    assert details(ws) == ()


def test_a_line_about_a_package_that_no_image_has_is_no_change_for_them(ws: Path) -> None:
    assert change(ws, "api", CONSTRAINTS.replace("other==1", "other==2\nnew==1")) == set()


def test_a_line_about_a_package_changes_the_images_that_hold_it(ws: Path) -> None:
    assert change(ws, "api", CONSTRAINTS.replace("Web==1", "Web==1.0")) == {"api"}
    assert change(ws, "api", CONSTRAINTS.replace("lib==1", "lib==1.0")) == {"root", "api"}


def test_comments_are_no_change(ws: Path) -> None:
    assert change(ws, "api", f"# more\n{CONSTRAINTS}") == set()


def test_a_file_of_that_name_with_other_content_is_left_as_it_is(ws: Path) -> None:
    write_tree(ws, {"base/root/constraints.txt": "lib==1\nother==1\n"})
    assert given(ws, "root") is None
    assert details(ws) == ()


def test_a_link_in_the_context_leads_to_the_slice(tmp_path: Path) -> None:
    ws = house(tmp_path, {"api.Dockerfile": "FROM root\nCOPY deep/pins.txt /tmp/\n"})
    (ws / "deep").mkdir()
    (ws / "deep/pins.txt").symlink_to("../constraints.txt")
    assert given(ws, "api") == "lib==1\nWeb==1\npip<30\n"


@pytest.mark.parametrize(
    "line",
    ["-r more.txt", "-c more.txt", "--no-binary x", "lib==1 --hash=sha256:0", "x @ file:///x"],
)
def test_a_file_with_more_than_pins_is_given_whole(line: str) -> None:
    assert cut(f"{CONSTRAINTS}{line}\n", frozenset({"lib"})) is None


def test_continued_lines_are_joined() -> None:
    assert cut("lib==1,\\\n  <2 # not\nweb==1", frozenset({"lib"})) == "lib==1,  <2\n"


def test_where_requirements_are_not_named_the_file_is_whole_and_a_plan_says_why(
    tmp_path: Path,
) -> None:
    settings = SETTINGS.replace("requirements = []\n", "")
    ws = house(tmp_path, {"orch.toml": settings})
    assert given(ws, "api") is None
    assert details(ws) == (
        "api gets the whole of constraints.txt: its requirements are not named in the settings",
    )


@pytest.mark.parametrize("line", ["Web<2", "Web==1.*", "Web==1; python_version < '3'", ""])
def test_who_installs_from_an_index_what_no_line_pins_gets_the_whole_file(
    ws: Path, line: str
) -> None:
    write_tree(ws, {"constraints.txt": CONSTRAINTS.replace("Web==1", line)})
    assert given(ws, "api") is None
    why = "api installs web from an index, and no line pins it with =="
    assert details(ws) == (f"api gets the whole of constraints.txt: {why}",)


def test_who_installs_from_the_lock_needs_no_pins_in_the_constraints(tmp_path: Path) -> None:
    dockerfile = f"{TREE['api.Dockerfile']}RUN --mount=from=wheels,target=/w true\n"
    text = CONSTRAINTS.replace("Web==1", "Web<2")
    ws = house(tmp_path, {"api.Dockerfile": dockerfile, "constraints.txt": text})
    assert given(ws, "api") == "lib==1\nWeb<2\npip<30\n"


def test_the_whole_file_can_be_asked_for(tmp_path: Path) -> None:
    ws = house(tmp_path, {"orch.toml": f"{SETTINGS}whole-constraints = true\n"})
    assert given(ws, "api") is None
    assert details(ws) == ("api gets the whole of constraints.txt: whole-constraints is set",)


def test_requirements_that_are_not_locked_leave_the_file_whole(ws: Path) -> None:
    write_lock(ws, {"root": ImageLock(unavailable="no source"), "api": ImageLock()})
    assert given(ws, "root") is None
    assert given(ws, "api") is None


def test_what_stands_on_an_image_and_copies_no_constraints_uses_those_it_finds(
    tmp_path: Path,
) -> None:
    ws = house(tmp_path, {"api.Dockerfile": "FROM root\n", "other": ""})
    assert given(ws, "root") == "lib==1\nWeb==1\npip<30\n"


def test_below_an_image_of_which_nothing_is_known_the_file_is_whole(tmp_path: Path) -> None:
    settings = SETTINGS.replace("requirements = []\n", "")
    ws = house(tmp_path, {"orch.toml": settings, "api.Dockerfile": "FROM root\n"})
    assert given(ws, "root") is None
    assert "root gets the whole of constraints.txt: api stands on it, and its" in details(ws)[0]


def test_what_files_reach_goes_by_slices(ws: Path) -> None:
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "first"]):
        subprocess.run(["git", "-C", str(ws), *words], check=True)
    said: list[str] = []

    def reached(text: str) -> tuple[str, ...]:
        (ws / "constraints.txt").write_text(text)
        return affected(open_workspace(ws), [ws / "constraints.txt"], said.append)

    assert reached(CONSTRAINTS.replace("other==1", "other==2")) == ()
    assert reached(CONSTRAINTS.replace("Web==1", "Web==1.0")) == ("api",)
    assert said == []


WITH_WHEELS = {
    "api.Dockerfile": "FROM root\nRUN --mount=from=wheels,target=/w pip install -r /w/r.txt\n"
}


def test_a_pin_that_moves_builds_the_images_that_take_its_wheel(tmp_path: Path) -> None:
    ws = house(tmp_path, WITH_WHEELS)
    before = prints_of(ws)
    pin(ws, HELD | {"api": [wheel_of("web", "2.0")]})
    after = prints_of(ws)
    moved = [name for name in after if after[name].digest != before[name].digest]
    assert moved == ["api"]
    assert [item.subject for item in after["api"].inputs if item.kind == "wheel"] == ["web"]


def test_a_pin_is_no_input_of_an_image_that_takes_no_wheels(ws: Path) -> None:
    before = prints_of(ws)
    pin(ws, HELD | {"api": [wheel_of("web", "2.0")]})
    assert prints_of(ws) == before


def test_an_image_whose_wheels_are_not_locked_is_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.engines.docker.presence.read_present", frozenset)
    ws = house(tmp_path, WITH_WHEELS)
    write_lock(ws, {"api": ImageLock(unavailable="no source"), "root": ImageLock()})
    steps = plan(open_workspace(ws), BuildOptions(AMD64)).plan.steps
    assert (steps["root"].action, steps["api"].action) == (Action.BUILD, Action.UNAVAILABLE)
    assert steps["api"].unavailable == "no source"


def test_requirements_reach_the_image_that_takes_their_wheels(tmp_path: Path) -> None:
    settings = SETTINGS.replace("requirements = []", 'requirements = ["api.txt"]')
    files = {"orch.toml": settings, "api.txt": "-r more.txt\n", "more.txt": "web\n"}
    ws = house(tmp_path, files | WITH_WHEELS)
    assert affected(open_workspace(ws), [ws / "more.txt"], lambda _: None) == ("api",)
    write_tree(ws, {"api.Dockerfile": "FROM root\n"})
    assert affected(open_workspace(ws), [ws / "more.txt"], lambda _: None) == ()


def test_an_engine_without_named_contexts_is_refused_with_what_it_lacks(tmp_path: Path) -> None:
    opened = open_workspace(house(tmp_path, WITH_WHEELS))
    shelf = cast("Shelf", SimpleNamespace(named_contexts=False, keeps_builds=True, address=None))
    files = ContextFiles({"api": ()}, {"api": {}}, {"api": tuple})
    engine = BuildKit(opened.workspace, opened.paths, files, shelf, ())
    step = Step(opened.graph.images["api"], AMD64, 1, Action.BUILD, Fingerprint.of([]))
    with pytest.raises(MissingToolError, match="api takes its wheels from one, wheels") as caught:
        engine.build(step, {})
    assert "Docker 23 or newer" in caught.value.hint


def test_the_context_holds_wheels_by_their_names_and_pins_with_digests(tmp_path: Path) -> None:
    files = [make_wheel(tmp_path, name) for name in ("web", "lib")]
    wheels = [locked(file) for file in files]
    places = {}
    for wheel, file in zip(wheels, files, strict=True):
        places[wheel] = file.rename(tmp_path / wheel.sha256)
    empty = write_tree(tmp_path / "ws", {"Dockerfile": ""})
    none = hashlib.sha256(b"").hexdigest()
    sources = {"wheels": Source(None, wheel_files(places))}
    with staged(
        tmp_path / "staged", Source(empty, ()), sources, empty / "Dockerfile", none
    ) as place:
        found = {file.name: file for file in place.named["wheels"].iterdir()}
        assert set(found) == {*(wheel.file for wheel in wheels), "requirements.txt"}
        for wheel in wheels:
            held = found[wheel.file]
            assert hashlib.sha256(held.read_bytes()).hexdigest() == wheel.sha256
            assert held.stat().st_mtime_ns == time_of(wheel.sha256)
        text = found["requirements.txt"].read_text()
        digest = hashlib.sha256(text.encode()).hexdigest()
        assert found["requirements.txt"].stat().st_mtime_ns == time_of(digest)
    assert text == requirements_text(reversed(wheels))
    assert text.splitlines() == [
        f"lib==1.0 --hash=sha256:{wheels[1].sha256}",
        f"web==1.0 --hash=sha256:{wheels[0].sha256}",
    ]
