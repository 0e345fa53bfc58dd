"""Dockerfile images in the graph: names of siblings, several parents, recipes beside them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.errors import WorkspaceError
from orchestrator.graph import CycleError
from orchestrator.report.pictures import GRAPH_FORMATS
from tests.dockerfiles import workspace_of

DIGEST = f"sha256:{'a' * 64}"
SETTINGS = 'registry = "reg.example.com:5000/team"\naliases = ["old.example.com/x/"]\n'


def parents(root: Path, dockerfile: str, settings: str = SETTINGS) -> tuple[str, ...]:
    """Return the parents of an image with this Dockerfile beside an image `python-base`."""
    files = {"base/python-base/Dockerfile": "FROM debian:12\n", "services/s/Dockerfile": dockerfile}
    return workspace_of(root, files, settings).graph.parents["s"]


@pytest.mark.parametrize(
    "reference",
    [
        "python-base",
        "python-base:latest",
        "python-base:1.2",
        "reg.example.com:5000/team/python-base",
        "reg.example.com:5000/team/python-base:latest",
        "old.example.com/x/python-base",
    ],
)
def test_a_sibling_is_known_with_and_without_prefix_and_tag(tmp_path: Path, reference: str) -> None:
    assert parents(tmp_path, f"FROM {reference}\n") == ("python-base",)


@pytest.mark.parametrize(
    "reference",
    [
        f"python-base@{DIGEST}",
        f"reg.example.com:5000/team/python-base:1@{DIGEST}",
        "other.example.com/python-base",
        "team/python-base",
        "reg.example.com:5000/team/other",
        "python-bases",
    ],
)
def test_a_pinned_or_a_foreign_name_is_external(tmp_path: Path, reference: str) -> None:
    assert parents(tmp_path, f"FROM {reference}\n") == ()


def test_an_alias_with_a_tag_is_that_tag_only(tmp_path: Path) -> None:
    settings = '[image.python-base]\naliases = ["ros:jazzy", "plain"]\n'
    assert parents(tmp_path, "FROM ros:jazzy\n", settings) == ("python-base",)
    assert parents(tmp_path, "FROM ros:humble\n", settings) == ()
    assert parents(tmp_path, "FROM plain:7\n", settings) == ("python-base",)


def test_an_alias_of_two_images_is_an_error(tmp_path: Path) -> None:
    settings = '[image.s]\naliases = ["python-base"]\n'
    with pytest.raises(WorkspaceError, match="is a name of python-base too") as raised:
        parents(tmp_path, "FROM debian:12\n", settings)
    assert raised.value.line == 1


@pytest.mark.parametrize(
    "reference", ["redis:7-alpine", "redis", "reg.example.com:5000/team/redis"]
)
def test_an_image_s_own_name_in_its_own_dockerfile_is_external(
    tmp_path: Path, reference: str
) -> None:
    files = {
        "base/redis/Dockerfile": f"FROM {reference}\n",
        "services/api/Dockerfile": "FROM redis\n",
    }
    graph = workspace_of(tmp_path, files, SETTINGS).graph
    assert graph.external["redis"] == (reference,)
    assert graph.parents["api"] == ("redis",)


def test_a_stage_shadows_an_image_of_the_workspace(tmp_path: Path) -> None:
    shadowed = "FROM debian:12 AS python-base\nFROM python-base\nCOPY --from=python-base /x /\n"
    assert parents(tmp_path, shadowed) == ()


@pytest.mark.parametrize(
    "lines",
    [
        "FROM python-base AS x\nFROM debian:12\nCOPY --from=x /x /\n",
        "FROM debian:12\nCOPY --from=python-base:1 /x /\n",
        "FROM debian:12\nRUN --mount=type=bind,from=python-base,target=/x true\n",
        "FROM debian:12\nONBUILD COPY --from=python-base /x /\n",
        "ARG TAG=1\nARG BASE=python-base:${TAG}\nFROM ${BASE:-debian:12}\n",
        "ARG WITH\nFROM ${WITH:+debian:12}${WITH:-python-base}\n",
        'FROM --platform=$BUILDPLATFORM "python-base" AS build\n',
        "# escape=`\nFROM `\n# no: FROM debian:12\n\n  python-base\n",
        "FROM debian:12 AS x\nRUN <<EOF\nFROM nothing\nEOF\nFROM python-base\n",
    ],
)
def test_an_edge_is_found_however_the_dockerfile_says_it(tmp_path: Path, lines: str) -> None:
    assert parents(tmp_path, lines) == ("python-base",)


def test_a_folder_named_unlike_its_image_is_known_by_the_image_s_name(tmp_path: Path) -> None:
    files = {
        "base/py/Dockerfile": "FROM debian:12\n",
        "services/s/Dockerfile": "FROM python-base\n",
    }
    graph = workspace_of(tmp_path, files, '[image.python-base]\npath = "base/py"\n').graph
    assert list(graph.images) == ["python-base", "s"]
    assert graph.parents["s"] == ("python-base",)


def test_identity_in_the_tag_is_an_alias_of_each_image(tmp_path: Path) -> None:
    files = {
        "base/ros-core/Dockerfile": "FROM ubuntu:24.04\n",
        "base/ros-base/Dockerfile": "FROM ros:jazzy-ros-core\n",
        "services/robot/Dockerfile": "FROM docker.io/library/ros:jazzy-ros-base\n",
        "services/old/Dockerfile": "FROM ros:humble-ros-base\n",
    }
    settings = 'aliases = ["docker.io/library"]\n' + "".join(
        f'[image.ros-{name}]\naliases = ["ros:jazzy-ros-{name}"]\n' for name in ("core", "base")
    )
    graph = workspace_of(tmp_path, files, settings).graph
    assert graph.parents["ros-base"] == ("ros-core",)
    assert graph.parents["robot"] == ("ros-base",)
    assert graph.external["old"] == ("ros:humble-ros-base",)


def test_one_image_name_with_several_tag_variants_is_an_image_a_variant(tmp_path: Path) -> None:
    files = {
        "base/torch/Dockerfile": "ARG V=cpu\nFROM debian:12 AS cpu\nFROM cuda:12 AS gpu\nFROM $V\n",
        "services/a/Dockerfile": "FROM torch:gpu\n",
        "services/b/Dockerfile": "FROM reg.example.com:5000/team/torch:cpu\n",
        "services/c/Dockerfile": "FROM torch\n",
    }
    settings = (
        f'{SETTINGS}[image.torch]\npath = "base/torch"\n'
        '[image.torch-gpu]\npath = "base/torch"\ntarget = "gpu"\naliases = ["torch:gpu"]\n'
    )
    graph = workspace_of(tmp_path, files, settings).graph
    found = {name: graph.parents[name] for name in "abc"}
    assert found == {"a": ("torch-gpu",), "b": ("torch",), "c": ("torch",)}
    assert graph.external["torch-gpu"] == ("cuda:12",)


@pytest.mark.parametrize(
    ("dockerfile", "table"),
    [
        ("services/app/Dockerfile.gpu", 'path = "services/app"\ndockerfile = "Dockerfile.gpu"'),
        ("docker/app.Dockerfile", 'path = "."\ndockerfile = "docker/app.Dockerfile"'),
        ("docker/Dockerfile", 'path = "services"\ndockerfile = "../docker/Dockerfile"'),
    ],
)
def test_a_dockerfile_of_another_name_or_place_is_named_by_the_settings(
    tmp_path: Path, dockerfile: str, table: str
) -> None:
    files = {dockerfile: "FROM debian:12\n", "services/lib/x": ""}
    image = workspace_of(tmp_path, files, f"[image.app]\n{table}\n").graph.images["app"]
    assert str(image.file) == dockerfile


def test_the_settings_may_say_an_image_s_kind(tmp_path: Path) -> None:
    files = {"base/a/Dockerfile": "FROM debian:12\n", "b.Dockerfile": "FROM debian:12\n"}
    settings = (
        '[image.a]\nkind = "service"\n'
        '[image.b]\npath = "."\ndockerfile = "b.Dockerfile"\nkind = "base"\n'
    )
    images = workspace_of(tmp_path, files, settings).graph.images
    assert {name: image.kind.value for name, image in images.items()} == {
        "a": "service",
        "b": "base",
    }


@pytest.mark.parametrize("lines", ["ARG B\nFROM $B\n", "ARG B=1\nFROM REPLACE_ME:$B\n"])
def test_what_a_from_leaves_open_is_an_error_with_file_and_line(tmp_path: Path, lines: str) -> None:
    with pytest.raises(WorkspaceError) as raised:
        parents(tmp_path, lines)
    assert (raised.value.file, raised.value.line) == (f"{tmp_path}/services/s/Dockerfile", 2)
    assert raised.value.hint


def test_the_first_parent_is_what_the_target_stands_on(tmp_path: Path) -> None:
    files = {
        "base/b/Dockerfile": "FROM debian:12\n",
        "base/a/Dockerfile": "FROM debian:12\n",
        "services/s/Dockerfile": "FROM a AS x\nFROM b\nCOPY --from=x /a /a\nCOPY --from=y:1 /b /\n",
    }
    graph = workspace_of(tmp_path, files).graph
    assert graph.parents["s"] == ("b", "a")
    assert graph.external["s"] == ("y:1",)
    assert GRAPH_FORMATS["tree"](graph).splitlines() == [
        "a  (tier 0, base) on debian:12",
        "└── s  (see b)",
        "b  (tier 0, base) on debian:12",
        "└── s  (tier 1, service) on y:1",
    ]
    document = json.loads(GRAPH_FORMATS["json"](graph))["images"][2]
    assert document["definition"] == "dockerfile"
    assert document["file"] == "services/s/Dockerfile"
    assert (document["parents"], document["external"]) == (["b", "a"], ["y:1"])


def test_a_circle_through_copy_from_is_refused(tmp_path: Path) -> None:
    files = {
        "base/a/Dockerfile": "FROM debian:12\nCOPY --from=b /x /\n",
        "base/b/Dockerfile": "FROM a\n",
    }
    with pytest.raises(CycleError, match="in a circle: "):
        workspace_of(tmp_path, files)


def test_recipes_and_dockerfiles_stand_on_each_other(tmp_path: Path) -> None:
    files = {
        "base/one/image.toml": 'from = "debian:bookworm"\n',
        "base/two/Dockerfile": "FROM one\n",
        "base/three/image.toml": 'from = "two"\n',
        "base/four/image.toml": 'from = "three"\n',
    }
    graph = workspace_of(tmp_path, files).graph
    assert graph.tiers == {"one": 0, "two": 1, "three": 2, "four": 3}
    assert graph.recipes == ("one", "three", "four")
    assert [image.name for image in graph.chain("four")] == ["three", "four"]


def test_a_folder_with_a_recipe_and_a_dockerfile_is_a_recipe(tmp_path: Path) -> None:
    files = {"base/a/image.toml": 'from = "debian:bookworm"\n', "base/a/Dockerfile": "FROM x\n"}
    assert workspace_of(tmp_path, files).graph.recipes == ("a",)


def test_several_names_share_a_folder_that_then_makes_none_of_its_own(tmp_path: Path) -> None:
    files = {"services/app/Dockerfile": "ARG F\nFROM base-$F:1\n"}
    settings = "".join(
        f'[image.app-{name}]\npath = "services/app"\nbuild-args = {{F = "{name}"}}\n'
        for name in ("cpu", "gpu")
    )
    graph = workspace_of(tmp_path, files, settings).graph
    assert dict(graph.external) == {"app-cpu": ("base-cpu:1",), "app-gpu": ("base-gpu:1",)}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("[image.gone]", "has no folder in the workspace"),
        ('[image.x]\npath = "../x"', "has no folder in the workspace"),
        ("[image.r]", "is defined by image.toml"),
        ("[image.Big]", "cannot name an image"),
        ('[image.d]\ndockerfile = "no"', "cannot be read"),
        ('[image.d]\ndockerfile = "../../../no"', "outside the workspace"),
        ('[image.d]\ntarget = "no"', "has no stage 'no'"),
        ("[image.d]\nbuild-arg = {}", "unknown key 'build-arg'"),
        ('[image.d]\nkind = "tier"', "kind must be base or service, not 'tier'"),
        ("[image]\nd = 1", r"image must hold tables, written \[image.NAME\]"),
    ],
)
def test_a_wrong_table_is_refused(tmp_path: Path, table: str, message: str) -> None:
    files = {"base/r/image.toml": 'from = "debian:bookworm"\n', "base/d/Dockerfile": "FROM x\n"}
    with pytest.raises(WorkspaceError, match=message):
        workspace_of(tmp_path, files, table)
