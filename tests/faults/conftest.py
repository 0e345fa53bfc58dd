"""Repositories to disturb, and the figures at the end."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import give_up
from tests.e2e.archives import FileServer, SigningKey, missing_programs
from tests.e2e.monorepo import Monorepo, make_monorepo
from tests.e2e.native import MADE, add_native
from tests.faults.ground import Ground
from tests.faults.scenarios import (
    Building,
    Collecting,
    Deploying,
    Locking,
    Published,
    Pushing,
    Scenario,
    Wheels,
)
from tests.faults.tally import Tally
from tests.real.parts import MissingPartError
from tests.registries import TinyRegistry

_tally = Tally()


@pytest.fixture(scope="session")
def tally() -> Tally:
    return _tally


@pytest.hookimpl
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if lines := _tally.lines():
        terminalreporter.section("faults")
        for line in lines:
            terminalreporter.line(line)


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """A folder in memory if this machine has one: thousands of runs wait for the disk."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="orch-faults-", dir=place) as name:
        yield Path(name)


@pytest.fixture
def home(folder: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=folder) as name:
        yield Path(name)


@pytest.fixture(scope="session")
def server(folder: Path) -> Iterator[FileServer]:
    with FileServer(folder).running() as running:
        yield running


@pytest.fixture(scope="session")
def repo(folder: Path, server: FileServer) -> Iterator[Monorepo]:
    """A locked repository; copies of its workspace are disturbed, it never is."""
    if missing := missing_programs():
        give_up(MissingPartError(", ".join(missing)))
    with SigningKey.made(folder / "gpg") as key:
        yield make_monorepo(folder / "repo", server, key)


SCENARIOS = ("build", "rebuild", "lock", "relock", "wheels", "push", "deploy", "gc")
_EDITED = "services/job/run.sh"
_DEPLOYED = ("deploy/api.yaml", "deploy/job.yaml", "compose.yaml")
_POD = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - image: HOST/team/NAME:latest\n"
_COMPOSE = "services:\n  api:\n    image: HOST/team/api:latest\n"


def ran(ground: Ground, *verb: str) -> Ground:
    """Run a verb to its good end."""
    ended = ground.run(*verb)
    assert ended.code == 0, ended.said
    return ground


@pytest.fixture(scope="session")
def new(repo: Monorepo, folder: Path) -> Ground:
    """A workspace that is locked, and was never built."""
    return Ground.of(repo, folder / "new")


@pytest.fixture(scope="session")
def built(new: Ground, folder: Path) -> Ground:
    return ran(new.copy(folder / "built"), "build")


@pytest.fixture(scope="session")
def build(new: Ground, built: Ground) -> Scenario:
    return Building(new, built.names())


@pytest.fixture(scope="session")
def rebuild(built: Ground, folder: Path) -> Scenario:
    """A build of two images, after an edit of the one and of what the other stands on."""
    before = built.copy(folder / "edited")
    (before.root / _EDITED).write_text("#!/bin/sh\necho another job\n")
    web = before.root / "base/web/image.toml"
    web.write_text(web.read_text() + '[config]\nenv = {A = "b"}\n')
    return Building(before, ran(before.copy(folder / "rebuilt"), "build").names())


@pytest.fixture(scope="session")
def lock(new: Ground, folder: Path) -> Scenario:
    before = new.copy(folder / "unlocked")
    before.paths.lock.unlink()
    return Locking(before, new.paths.lock.read_text())


@pytest.fixture(scope="session")
def relock(built: Ground, folder: Path) -> Scenario:
    before = built.copy(folder / "unlike")
    (before.root / "services/job/requirements.txt").write_text("beta\ngamma\n")
    after = ran(before.copy(folder / "relocked"), "lock")
    return Locking(before, after.paths.lock.read_text())


@pytest.fixture(scope="session")
def wheels(repo: Monorepo, folder: Path) -> Scenario:
    with_source = repo.copy(folder / "native")
    add_native(with_source, MADE)
    before = ran(Ground.of(with_source, folder / "unmade"), "lock")
    after = ran(before.copy(folder / "made"), "wheels")
    return Wheels(before, after.paths.lock.read_text())


@pytest.fixture(scope="session")
def registry_here() -> Iterator[TinyRegistry]:
    with TinyRegistry().running() as registry:
        yield registry


@pytest.fixture(scope="session")
def published(built: Ground, folder: Path, registry_here: TinyRegistry) -> tuple[Ground, Published]:
    """A workspace that was built, before it is pushed; and what the push leaves."""
    before = built.copy(folder / "unpushed")
    settings = before.root / "orch.toml"
    names = 'deployments = ["deploy/*", "compose.yaml"]'
    settings.write_text(
        f'registry = "{registry_here.address}/team"\n{names}\n{settings.read_text()}'
    )
    for name, text in zip(_DEPLOYED, (_POD, _POD, _COMPOSE), strict=True):
        file = before.root / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text.replace("HOST", registry_here.address).replace("NAME", file.stem))
    ran(before.copy(folder / "pushed"), "build")
    ran(before, "build")
    ran(before.copy(folder / "pushed-now"), "push")
    return before, Published(registry_here, dict(registry_here.tags))


@pytest.fixture(scope="session")
def push(published: tuple[Ground, Published]) -> Scenario:
    return Pushing(*published)


@pytest.fixture
def deploy(published: tuple[Ground, Published], home: Path, push: Scenario) -> Scenario:
    before, _ = published
    push.fresh(home / "again")
    ran(before.copy(home / "sent"), "push")
    after = ran(before.copy(home / "deployed"), "deploy")
    return Deploying(before, {name: (after.root / name).read_text() for name in _DEPLOYED})


@pytest.fixture(scope="session")
def gc(rebuild: Scenario, folder: Path) -> Scenario:
    """A workspace that was built twice: images of the first build are in nobody's way."""
    before = ran(rebuild.before.copy(folder / "twice"), "build")
    return Collecting(before, before.names(), ("--max-size", "1B"))


@pytest.fixture(params=SCENARIOS)
def scenario(request: pytest.FixtureRequest) -> Scenario:
    """Disturb each verb in turn."""
    found: Scenario = request.getfixturevalue(request.param)
    return found
