"""External images in a real registry: pinned, moved upstream, and built on by real engines."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.bases import diff_id_of, publish
from tests.real.docker_engine import DockerEngine
from tests.real.site import ROOT_DOCKERFILE, Ran, Site

ONE, TWO = {"etc/base": "one\n"}, {"etc/base": "two\n"}
MOVED = {"core", "copier", "mounter", "api", "recipe"}
"""The images that name the external one, or stand on one that does."""


@pytest.fixture
def busybox(require_tool: Callable[[str], Path]) -> Path:
    return require_tool("busybox")


@pytest.fixture
def repository() -> str:
    return f"bases/{uuid.uuid4().hex}"


def files(base: str) -> dict[str, str]:
    """Return a workspace where core, copier, mounter and recipe name the image."""
    return {
        "orch.toml": "[debian]\nessential = []\n",
        "base/core/Dockerfile": f"FROM {base}\nCOPY x /x\n",
        "base/core/x": "x",
        "services/copier/Dockerfile": f"FROM scratch\nCOPY --from={base} /etc/base /copied\n",
        "base/alone/Dockerfile": ROOT_DOCKERFILE,
        "services/mounter/Dockerfile": (
            f"FROM alone\nRUN --mount=from={base},target=/b cp /b/etc/base /mounted\n"
        ),
        "services/api/Dockerfile": "FROM core\nCOPY y /y\n",
        "services/api/y": "y",
        "services/recipe/image.toml": f'from = "{base}"\n',
    }


def well(ran: Ran) -> Ran:
    assert ran.code == 0, ran.said
    return ran


def layers(client: docker.DockerClient, name: str) -> list[str]:
    found: dict[str, Any] = client.images.get(name).attrs
    return list(found["RootFS"]["Layers"])


def recipe_layers(site: Site, client: docker.DockerClient) -> list[str]:
    """Return the layers of the recipe's image, as the engine knows it when it is loaded."""
    well(site.orch("build", "recipe", "--load"))
    return layers(client, "recipe")


@pytest.mark.parametrize("index", [False, True])
def test_an_image_is_built_from_the_pinned_digest_until_the_pin_moves(
    tmp_path: Path,
    docker26: DockerEngine,
    busybox: Path,
    registry: str,
    repository: str,
    index: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    site = Site(tmp_path, docker26, busybox)
    base = f"{registry}/{repository}:1"
    old = publish(registry, repository, "1", ONE, index=index)
    site.write(files(base))
    well(site.orch("lock"))
    assert old in (site.root / "orch.lock").read_text()

    new = publish(registry, repository, "1", TWO, index=index)
    ran = well(site.build())
    assert ran.with_status("built") == {*MOVED, "alone"}
    client = docker26.client()
    assert layers(client, "core")[0] == diff_id_of(ONE), "the tag names another image by now"
    assert recipe_layers(site, client) == [diff_id_of(ONE)]
    copied = layers(client, "copier")
    assert client.containers.run("mounter", ["cat", "/mounted"], remove=True) == b"one\n"

    checked = site.orch("plan", "--check-bases", "--format", "json")
    assert checked.code == 1
    assert new in checked.said
    well(site.orch("lock", "--upgrade-bases"))
    well(site.orch("plan", "--check-bases"))
    assert well(site.build()).with_status("built") == MOVED
    assert layers(client, "core")[0] == diff_id_of(TWO)
    assert layers(client, "api")[0] == diff_id_of(TWO)
    assert layers(client, "copier") != copied
    assert client.containers.run("mounter", ["cat", "/mounted"], remove=True) == b"two\n"
    assert recipe_layers(site, client) == [diff_id_of(TWO)]
    client.close()


def test_a_pin_that_cannot_be_held_is_warned_of(
    tmp_path: Path, docker20: DockerEngine, busybox: Path, registry: str, repository: str
) -> None:
    site = Site(tmp_path, docker20, busybox)
    publish(registry, repository, "1", ONE)
    site.write({"base/core/Dockerfile": f"FROM {registry}/{repository}:1\n"})
    site.write({"orch.toml": ""})
    well(site.orch("lock"))
    said = well(site.build()).said
    assert "is taken by its tag, not as orch.lock pins it: this Docker engine knows no" in said


def test_a_stage_named_as_its_image_is_built_from_the_tag_with_a_warning(
    tmp_path: Path, docker26: DockerEngine, busybox: Path, registry: str
) -> None:
    site = Site(tmp_path, docker26, busybox)
    name = f"n{uuid.uuid4().hex}"
    site.write({"orch.toml": "", "base/x/Dockerfile": ROOT_DOCKERFILE})
    well(site.build())
    client = docker26.client()
    client.images.get("x").tag(name)
    shutil.rmtree(site.root)
    site.write({"orch.toml": "", "base/y/Dockerfile": f"FROM {name} AS {name}\nCOPY q /q\n"})
    site.write({"base/y/q": "q"})
    lock = f'version = 1\npython = "3.11"\nsuite = "bookworm"\n[[external]]\nreference = "{name}"\n'
    site.write({"orch.lock": f'{lock}digest = "sha256:{0:064}"\n'})
    said = well(site.build()).said
    assert "not as orch.lock pins it: a stage has that name" in said
    client.close()


def test_an_image_that_is_in_the_engine_alone_is_built_on_unpinned(
    tmp_path: Path, docker26: DockerEngine, busybox: Path, registry: str, repository: str
) -> None:
    site = Site(tmp_path, docker26, busybox)
    site.write({"orch.toml": "", "base/x/Dockerfile": ROOT_DOCKERFILE})
    well(site.build())
    client = docker26.client()
    client.images.get("x").tag(f"{registry}/{repository}", "here")
    shutil.rmtree(site.root)
    site.write({"orch.toml": "", "base/y/Dockerfile": f"FROM {registry}/{repository}:here\n"})
    assert "its registry does not have it" in well(site.orch("lock")).said
    well(site.orch("lock", "--check"))
    assert well(site.build()).with_status("built") == {"y"}
    assert layers(client, "y") == layers(client, "x")
    client.close()
