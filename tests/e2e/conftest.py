"""A monorepo for each test, copied from one that is made and locked once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import give_up
from tests.e2e.archives import FileServer, SigningKey, missing_programs
from tests.e2e.monorepo import Monorepo, make_monorepo
from tests.real.parts import MissingPartError


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
