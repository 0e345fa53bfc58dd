"""`orch bake`: targets, edges and what bake cannot say; buildx itself reads the result."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli import main
from orchestrator.externals import LockedExternal
from orchestrator.lockfile import Lock
from orchestrator.lockwriting import format_lock
from tests.helpers import write_tree
from tests.verbs import run_orch

Bake = Callable[..., tuple[dict[str, Any], str]]

FILES = {
    "base/core/Dockerfile": "FROM debian:12\n",
    "base/web.d/Dockerfile": "FROM core:latest AS x\nFROM x\n",
    "services/api/Dockerfile": "FROM reg.example.com/team/web.d:1\nCOPY --from=core /x /x\n",
    "services/other/Dockerfile": "FROM debian:12\n",
}
SETTINGS = """
registry = "reg.example.com/team"
platforms = ["linux/amd64", "linux/arm64"]
tags = ["latest", "v-{date}"]
[buildkit]
network = "host"
secrets = [{ id = "pip", file = "pip.conf" }, { id = "token", env = "TOKEN" }]
cache-from = ["type=registry,ref=reg.example.com/cache"]
[image.api]
build-args = { ONE = "1 ${two} %{three} $four" }
tags = ["1"]
[image.api-debug]
path = "services/api"
dockerfile = "../../docker/debug.Dockerfile"
target = "debug"
contexts = { extra = "docs" }
"""


@pytest.fixture
def ws(tmp_path: Path) -> Path:
    debug = {"docker/debug.Dockerfile": "FROM api AS debug\nFROM debug\n", "docs/x": ""}
    return write_tree(tmp_path, {**FILES, **debug, "orch.toml": SETTINGS})


@pytest.fixture
def bake(capsys: pytest.CaptureFixture[str]) -> Bake:
    """Return a function that runs the verb, and returns the document and what was said."""

    def run(root: Path, *words: str) -> tuple[dict[str, Any], str]:
        ran = run_orch(capsys, "-C", root, "bake", *words)
        return (ran.data if ran.code == 0 else {}), ran.err

    return run


def test_the_selection_is_the_default_group_and_brings_what_it_stands_on(
    ws: Path, bake: Bake
) -> None:
    document, said = bake(ws, "api")
    assert document["group"] == {"default": {"targets": ["api"]}}
    assert list(document["target"]) == ["core", "web_d", "api"]
    assert not said


def test_siblings_are_contexts_by_the_name_that_buildkit_compares(ws: Path, bake: Bake) -> None:
    targets = bake(ws, "api")[0]["target"]
    assert targets["web_d"]["contexts"] == {"core": "target:core"}
    assert targets["api"]["contexts"] == {
        "reg.example.com/team/web.d:1": "target:web_d",
        "core": "target:core",
    }
    assert "contexts" not in targets["core"]


def test_external_images_are_those_that_the_lock_pins(ws: Path, bake: Bake) -> None:
    digest = f"sha256:{1:064}"
    lock = Lock("3.11", "bookworm", externals=(LockedExternal("debian:12", digest),))
    write_tree(ws, {"orch.lock": format_lock(lock)})
    targets = bake(ws, "api")[0]["target"]
    assert targets["core"]["contexts"] == {"debian:12": f"docker-image://debian:12@{digest}"}
    assert "debian:12" not in targets["api"]["contexts"]


def test_settings_of_images_and_of_buildkit_are_in_each_target(ws: Path, bake: Bake) -> None:
    target = bake(ws, "api-debug")[0]["target"]["api-debug"]
    assert target["context"] == "services/api"
    assert target["dockerfile"] == "../../docker/debug.Dockerfile"
    assert target["target"] == "debug"
    assert target["contexts"] == {"extra": "docs", "api": "target:api"}
    assert target["platforms"] == ["linux/amd64", "linux/arm64"]
    assert target["network"] == "host"
    assert target["secret"] == ["id=pip,src=pip.conf", "id=token,env=TOKEN"]
    assert target["cache-from"] == ["type=registry,ref=reg.example.com/cache"]
    assert target["tags"][0] == "reg.example.com/team/api-debug:latest"
    assert target["tags"][1].startswith("reg.example.com/team/api-debug:v-2")


def test_nothing_is_taken_for_a_variable_of_bake_s(ws: Path, bake: Bake) -> None:
    target = bake(ws, "api")[0]["target"]["api"]
    assert target["args"] == {"ONE": "1 $${two} %%{three} $four"}
    assert target["tags"] == ["reg.example.com/team/api:1"]


def test_a_stage_named_as_an_image_is_a_warning_with_its_line(tmp_path: Path, bake: Bake) -> None:
    files = {**FILES, "services/api/Dockerfile": "FROM core AS core\nFROM core\n", "orch.toml": ""}
    document, said = bake(write_tree(tmp_path, files), "api")
    assert "contexts" not in document["target"]["api"]
    assert "services/api/Dockerfile:1: a stage is named core" in said


RECIPE = 'from = "debian:bookworm"\n'


@pytest.mark.parametrize(
    ("settings", "place", "command"),
    [
        ("", "docker-image://lib:latest", "orch build --load lib"),
        ('[buildkit]\nbuilder = "b"\n', "oci-layout://.orch/layout:lib", "orch build lib"),
    ],
)
def test_a_recipe_s_image_is_taken_ready_made(
    tmp_path: Path, bake: Bake, settings: str, place: str, command: str
) -> None:
    files = {"base/lib/image.toml": RECIPE, "services/api/Dockerfile": "FROM lib:1\n"}
    document, said = bake(write_tree(tmp_path, {**files, "orch.toml": settings}))
    assert list(document["target"]) == ["api"]
    assert document["target"]["api"]["contexts"] == {"lib:1": place}
    assert f"run: {command}" in said
    assert "recipes are left out, orch build makes them: lib" in said


def test_a_selection_of_recipes_alone_is_an_error(tmp_path: Path, bake: Bake) -> None:
    write_tree(tmp_path, {"base/lib/image.toml": RECIPE, "orch.toml": ""})
    assert "no Dockerfile image is selected" in bake(tmp_path)[1]


def test_names_that_differ_in_a_dot_alone_are_two_targets(tmp_path: Path, bake: Bake) -> None:
    files = {f"base/{name}/Dockerfile": "FROM debian:12\n" for name in ("a.b", "a_b", "a.c")}
    document, _ = bake(write_tree(tmp_path, {**files, "orch.toml": ""}))
    contexts = {name: target["context"] for name, target in document["target"].items()}
    assert contexts == {"a_b_": "base/a.b", "a_c": "base/a.c", "a_b": "base/a_b"}


def test_fingerprints_make_tags(tmp_path: Path, bake: Bake) -> None:
    settings = 'tags = ["{fingerprint}"]\n'
    document, _ = bake(write_tree(tmp_path, {**FILES, "orch.toml": settings}))
    tags = [target["tags"][0] for target in document["target"].values()]
    assert all(len(tag.partition(":")[2]) == 64 for tag in tags)
    assert len(set(tags)) == len(FILES)


def test_bake_cannot_give_wheels_of_the_lock(tmp_path: Path, bake: Bake) -> None:
    settings = "[image.api]\nrequirements = []\n"
    dockerfile = "FROM debian:12\nCOPY --from=wheels / /wheels\n"
    files = {"services/api/Dockerfile": dockerfile, "orch.toml": settings}
    document, said = bake(write_tree(tmp_path, files))
    assert "contexts" not in document["target"]["api"]
    assert "services/api/Dockerfile:2: bake has no wheels of the lock to give" in said


def test_a_file_is_written_instead(ws: Path, tmp_path: Path) -> None:
    file = tmp_path / "docker-bake.json"
    with pytest.raises(SystemExit):
        main(["-C", str(ws), "bake", "--output", str(file)])
    assert "api" in json.loads(file.read_text())["target"]
