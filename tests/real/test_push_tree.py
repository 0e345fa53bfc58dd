"""The whole reference tree in a real registry, and a machine that has nothing but that registry."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import required
from tests.real.fault_proxy import FaultProxy
from tests.real.reference import copy_reference
from tests.real.registry import registry as run_registry

ORCH = Path(sys.executable).with_name("orch")
_EMPTY = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
"""The blob `{}` of two bytes, that artifacts without a config have in every repository."""


class Tree:
    """A checkout of the reference tree, and `orch` there, with the registry behind a proxy."""

    def __init__(self, root: Path, proxy: FaultProxy, cache: Path | None = None) -> None:
        self.root, self.proxy = copy_reference(root), proxy
        self.environment = {**os.environ, **({"ORCH_CACHE": str(cache)} if cache else {})}
        settings = self.root / "orch.toml"
        settings.write_text(f'registry = "{proxy.address}/tree"\n{settings.read_text()}')

    def orch(self, *arguments: str) -> dict[str, dict[str, Any]]:
        """Run `orch` with a report; return its images by name."""
        self.proxy.asked.clear()
        report = self.root / f"{uuid.uuid4().hex}.json"
        done = subprocess.run(
            [ORCH, "-C", self.root, *arguments, "--report", report],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return {image["name"]: image for image in json.loads(report.read_text())["images"]}

    def sent(self) -> list[str]:
        """Return the digests of the blobs that were sent."""
        found = (re.match(r"PUT .*digest=(sha256:\w+)", line) for line in self.proxy.asked)
        return [match[1] for match in found if match and match[1] != _EMPTY]

    def written(self) -> set[str]:
        """Return the repositories that something was put into."""
        found = (re.match(r"PUT /v2/(.+)/(?:blobs|manifests)/", line) for line in self.proxy.asked)
        return {match[1] for match in found if match}

    def fetched(self) -> set[str]:
        """Return the digests of the blobs that were fetched."""
        found = (re.match(r"GET .*/blobs/(sha256:\w+)", line) for line in self.proxy.asked)
        return {match[1] for match in found if match}


@pytest.fixture(scope="module")
def proxy(request: pytest.FixtureRequest) -> Iterator[FaultProxy]:
    if not request.config.getoption("--full"):
        pytest.skip("the whole tree is large: --full")
    with required(run_registry()) as address, FaultProxy(address).running() as proxy:
        yield proxy


@pytest.fixture(scope="module")
def pushed(
    proxy: FaultProxy, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Tree, dict[str, dict[str, Any]], list[str]]:
    """Return the tree, what came of pushing all of it, and what was sent."""
    tree = Tree(tmp_path_factory.mktemp("pushed") / "tree", proxy)
    tree.orch("build", "--relock-missing")
    images = tree.orch("push")
    return tree, images, tree.sent()


def layers(images: dict[str, dict[str, Any]]) -> set[str]:
    return {layer["digest"] for image in images.values() for layer in image["layers"]}


def test_no_blob_is_sent_twice_though_images_share_layers(pushed: tuple[Any, ...]) -> None:
    _, images, sent = pushed
    assert {image["status"] for image in images.values()} <= {"pushed", "unavailable"}
    assert len(sent) == len(set(sent))
    assert sum(image["blobs"]["mounted"]["count"] for image in images.values()) > 100


def test_others_read_the_digest_of_every_reference(
    pushed: tuple[Any, ...], require_tool: Callable[[str], Path]
) -> None:
    for image in pushed[1].values():
        for tag in image["tags"]:
            reference = f"docker://{image['repository']}:{tag['tag']}"
            command = [str(require_tool("skopeo")), "inspect", "--tls-verify=false", reference]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            assert json.loads(done.stdout)["Digest"] == image["digest"]


def test_pushing_again_asks_for_the_tags_and_sends_nothing(pushed: tuple[Any, ...]) -> None:
    tree: Tree = pushed[0]
    images = tree.orch("push")
    assert {image["status"] for image in images.values()} <= {"unchanged", "unavailable"}
    tags = sum(len(image["tags"]) for image in images.values())
    assert [line.partition(" ")[0] for line in tree.proxy.asked] == ["HEAD"] * tags


def test_a_machine_without_records_downloads_no_layer_and_sends_what_a_file_changed(
    pushed: tuple[Any, ...], tmp_path: Path
) -> None:
    first: Tree = pushed[0]
    known = layers(first.orch("build"))
    fresh = Tree(tmp_path / "fresh", first.proxy, tmp_path / "cache")
    shutil.copy(first.root / "orch.lock", fresh.root)  # what vanished is pinned anew there
    built = fresh.orch("build", "--changed", "--push")
    assert [name for name, image in built.items() if image["status"] == "built"] == []
    assert not fresh.fetched() & known
    with (fresh.root / "services/webhook/app/__init__.py").open("a") as file:
        file.write("# changed\n")
    built = fresh.orch("build", "--changed", "--push")
    assert [name for name, image in built.items() if image["status"] == "built"] == ["webhook"]
    assert not fresh.fetched() & known
    assert not list((tmp_path / "cache").glob("downloads/**/*.whl")), "no package was needed"
    new = layers(built) - known
    assert len(new) == 1
    assert new < set(fresh.sent())
    assert len(fresh.sent()) == 4, "the layer, the config, and two documents about the image"
    assert {place for place in fresh.written() if not place.endswith("/webhook")} == set()
