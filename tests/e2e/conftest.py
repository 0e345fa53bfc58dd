"""A monorepo for each test, copied from one that is made and locked once."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import give_up
from tests.debs import file
from tests.e2e.archives import FileServer, SigningKey, missing_programs
from tests.e2e.monorepo import Monorepo, make_monorepo
from tests.real.parts import MissingPartError

BULK_BYTES = 24_000_000
"""More than what worker processes are started for."""


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FileServer]:
    with FileServer(tmp_path_factory.getbasetemp()).running() as running:
        yield running


@pytest.fixture(scope="session")
def signing_key(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SigningKey]:
    if missing := missing_programs():
        give_up(MissingPartError(", ".join(missing)))
    with SigningKey.made(tmp_path_factory.mktemp("gpg") / "home") as key:
        yield key


@pytest.fixture(scope="session")
def template(
    tmp_path_factory: pytest.TempPathFactory, server: FileServer, signing_key: SigningKey
) -> Monorepo:
    return make_monorepo(tmp_path_factory.mktemp("template") / "repo", server, signing_key)


@pytest.fixture
def repo(template: Monorepo, tmp_path: Path) -> Monorepo:
    """A monorepo of its own, locked, with nothing built and an empty cache."""
    return template.copy(tmp_path / "repo")


@pytest.fixture(scope="session")
def undisturbed(template: Monorepo, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The digests of a monorepo's images when nothing goes wrong."""
    return template.copy(tmp_path_factory.mktemp("undisturbed") / "repo").digests()


@pytest.fixture(scope="session")
def big_template(template: Monorepo, tmp_path_factory: pytest.TempPathFactory) -> Monorepo:
    """A monorepo that is large enough to be built by worker processes."""
    repo = template.copy(tmp_path_factory.mktemp("big") / "repo")
    data = random.Random(0).randbytes(BULK_BYTES)
    for architecture in ("amd64", "arm64"):
        member = file("./usr/share/bulk", data)
        repo.debian.add("bulk", [member], architecture=architecture, compression="")
    repo.debian.publish()
    repo.python.add_wheel("bulky", files={"bulky/__init__.py": "", "bulky/data": data})
    repo.write("base/web/requirements.txt", "beta\nbulky\n")
    recipe = repo.path("services/job/image.toml")
    recipe.write_text(recipe.read_text() + '[system]\npackages = ["bulk"]\n')
    repo.orch("lock")
    return repo


@pytest.fixture(scope="session")
def expected(big_template: Monorepo, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The digests of the large monorepo's images when nothing goes wrong."""
    return big_template.copy(tmp_path_factory.mktemp("expected") / "repo").digests()
