"""Which images of this repository the tests are run for, and how these get into an engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import docker
import pytest

from tests.conftest import required
from tests.real.docker_engine import DockerEngine
from tests.real.reference import (
    UnavailableImageError,
    copy_reference,
    find_images,
    load_image,
    run_orch,
    skip_unavailable,
    system_packages,
)
from tests.real.registry import registry as run_registry

SERVICES = ("discord", "testing", "webhook")
BASES = ("python-base", "python-web")
"""What stands for the rest where `--full` is not given."""

_SUBJECTS = {
    "service": (("services",), SERVICES),
    "base": (("base",), BASES),
    "image": (("base", "services"), (*BASES, *SERVICES)),
}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "system_package(name): only for images that ask for a Debian package"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for argument, (folders, representatives) in _SUBJECTS.items():
        if argument in metafunc.fixturenames:
            is_full = metafunc.config.getoption("--full")
            names = find_images(*folders) if is_full else representatives
            wanted = {mark.args[0] for mark in metafunc.definition.iter_markers("system_package")}
            holding = [name for name in names if wanted <= system_packages(name)]
            metafunc.parametrize(argument, holding, scope="module")


@pytest.fixture(scope="session")
def load() -> Callable[[DockerEngine, str], None]:
    """Return a function that brings an image into an engine, once; skips what is unavailable."""

    @cache
    def load_once(engine: DockerEngine, name: str) -> None:
        try:
            load_image(engine, name)
        except UnavailableImageError as unavailable:
            skip_unavailable(unavailable)

    return load_once


@pytest.fixture(scope="module")
def client(docker_engine: DockerEngine) -> Iterator[docker.DockerClient]:
    """Return a client of each engine in turn."""
    client = docker_engine.client()
    yield client
    client.close()


@pytest.fixture(scope="session")
def reported_tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a checkout of the reference tree: built twice, checked, some pushed, one verified."""
    with required(run_registry()) as address:
        root = copy_reference(tmp_path_factory.mktemp("report") / "tree")
        settings = root / "orch.toml"
        price = '\n[report]\nstorage-price = "0.10 USD"\n'
        settings.write_text(f'registry = "{address}/tree"\n{settings.read_text()}{price}')
        run_orch(root, "build", "--relock-missing")
        run_orch(root, "build", "--force")
        run_orch(root, "check")
        run_orch(root, "push", "python-web-light", "webhook", "--no-attest")
        run_orch(root, "verify", "--runtime", "none", "webhook")
        yield root
