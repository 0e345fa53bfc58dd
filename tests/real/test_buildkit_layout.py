"""Builders that work with the OCI layout, and engines that keep images as containerd does.

An engine with containerd's store is both: its BuildKit reads and writes OCI layouts as builders in
containers and elsewhere do.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import required
from tests.real import docker_engine as engines
from tests.real.docker_engine import DockerEngine
from tests.real.far_builder import far_builder
from tests.real.site import Site

FILE = '[[files]]\nfrom = "{0}"\nto = "/{1}"\nmode = "0755"\n'
MIXED = {
    "orch.toml": "[debian]\nessential = []\n",
    "base/bottom/image.toml": 'from = "debian:bookworm"\n' + FILE.format("busybox", "bin/busybox"),
    "base/tools/Dockerfile": 'FROM bottom\nRUN ["/bin/busybox", "--install", "-s", "/bin"]\n',
    "services/recipe/image.toml": 'from = "tools"\n'
    + FILE.format("x", "x")
    + '[config]\ncommand = ["cat", "/x"]\n',
    "services/recipe/x": "x of a recipe\n",
    "services/top/Dockerfile": "FROM recipe AS one\nRUN cat /x > /y\nENTRYPOINT cat /y\n",
}


@pytest.fixture(scope="module")
def engine() -> Iterator[DockerEngine]:
    with required(engines.docker_engine("26", {"containerd-snapshotter": True})) as engine:
        yield engine


@pytest.fixture
def site(tmp_path: Path, engine: DockerEngine, require_tool: Callable[[str], Path]) -> Site:
    busybox = require_tool("busybox")
    site = Site(tmp_path, engine, busybox)
    site.write(MIXED)
    (site.root / "base/bottom/busybox").write_bytes(busybox.read_bytes())
    assert site.orch("lock").code == 0
    return site


def layers_in_layout(site: Site, name: str) -> list[str]:
    layout = site.root / ".orch/layout"
    index = json.loads((layout / "index.json").read_text())["manifests"]
    (digest,) = [
        entry["digest"]
        for entry in index
        if entry["annotations"]["org.opencontainers.image.ref.name"] == name
    ]
    manifest = json.loads((layout / "blobs" / digest.replace(":", "/")).read_text())
    return [layer["digest"] for layer in manifest["layers"]]


@pytest.mark.parametrize("options", [["--builder", "default"], []], ids=["layout", "engine"])
def test_recipes_and_dockerfiles_stand_on_each_other(
    site: Site, engine: DockerEngine, options: list[str]
) -> None:
    ran = site.build("--load", *options)
    assert (ran.code, len(ran.with_status("built"))) == (0, 4), ran.said
    assert site.build(*options).with_status("reused") == {"bottom", "tools", "recipe", "top"}
    client = engine.client()
    assert client.containers.run("recipe", remove=True) == b"x of a recipe\n"
    assert client.containers.run("top", remove=True) == b"x of a recipe\n"
    client.close()


def test_a_builder_s_images_are_in_the_layout_and_stand_on_their_parents(site: Site) -> None:
    assert site.build("--builder", "default").code == 0
    for child, parent in (("tools", "bottom"), ("recipe", "tools"), ("top", "recipe")):
        below = layers_in_layout(site, parent)
        assert layers_in_layout(site, child)[: len(below)] == below


def test_a_builder_over_the_network_builds_the_same_graph_and_the_next_build_nothing(
    site: Site, engine: DockerEngine
) -> None:
    with far_builder(engine, site.environment, "far"):
        ran = site.build("--load", "--builder", "far")
        assert (ran.code, len(ran.with_status("built"))) == (0, 4), ran.said
        assert len(site.build("--builder", "far").with_status("reused")) == 4
        site.write({"services/top/Dockerfile": "FROM recipe\nRUN exit 3\n"})
        error = site.build("--builder", "far").images["top"]["error"]
        assert error["message"].startswith("services/top/Dockerfile:2: RUN exit 3")
    for child, parent in (("tools", "bottom"), ("recipe", "tools"), ("top", "recipe")):
        below = layers_in_layout(site, parent)
        assert layers_in_layout(site, child)[: len(below)] == below
    client = engine.client()
    assert client.containers.run("recipe", remove=True) == b"x of a recipe\n"
    client.close()
    assert site.build("--builder", "far").code == 3, "it is gone"


def test_of_several_builders_those_in_reach_build_the_graph(
    site: Site, engine: DockerEngine
) -> None:
    names = ["nobody", "one", "two"]
    builders = [word for name in names for word in ("--builder", name)]
    with (
        far_builder(engine, site.environment, "one"),
        far_builder(engine, site.environment, "two"),
    ):
        ran = site.build(*builders)
        assert (ran.code, len(ran.with_status("built"))) == (0, 4), ran.said
        assert "warning: others built what was for builder nobody: " in ran.said
        assert len(site.build(*builders).with_status("reused")) == 4


def test_a_stage_named_as_a_sibling_cannot_be_built_by_a_builder(site: Site) -> None:
    site.write({"services/top/Dockerfile": "FROM recipe AS recipe\nUSER 1\n"})
    ran = site.build("--builder", "default", "top")
    assert ran.code == 1
    assert "a stage is named as the image recipe" in ran.said


def test_a_builder_that_does_not_exist_is_named(site: Site) -> None:
    ran = site.build("--builder", "nobody", "tools")
    assert ran.code == 3
    assert "nobody" in ran.said
