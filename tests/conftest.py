"""What every test stands on: settings of nobody's machine, no network for units, real parts."""

from __future__ import annotations

import ipaddress
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import NoReturn, TypeVar

import pytest

from tests.real import docker_engine as engines
from tests.real import moto as motos
from tests.real import registry as registries
from tests.real.docker_engine import DockerEngine
from tests.real.parts import MissingPartError, find_tool

T = TypeVar("T")

TESTS = Path(__file__).parent
ISOLATED = (TESTS / "unit", TESTS / "properties", TESTS / "hostile")
"""Folders whose tests reach no network and no engine."""

_GIT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ann Author",
    "GIT_AUTHOR_EMAIL": "ann@example.com",
    "GIT_COMMITTER_NAME": "Ann Author",
    "GIT_COMMITTER_EMAIL": "ann@example.com",
}
_HIDDEN = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "NO_COLOR", "FORCE_COLOR", "CI")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--full", action="store_true", help="run every service and base on every engine"
    )


def pytest_configure() -> None:
    # A shell starts what runs in the background deaf to Ctrl-C, and children would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)


class NetworkGuard:
    """While closed, refuses connections and look-ups that leave this machine."""

    def __init__(self) -> None:
        self.closed = False
        sys.addaudithook(self._audit)

    def _audit(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self.closed:
            return
        if event == "socket.connect":
            address = arguments[1]
            if isinstance(address, tuple) and not is_loopback(address[0]):
                raise PermissionError(f"an isolated test connects to {address[0]}")
        elif event == "socket.getaddrinfo" and not is_loopback(arguments[0]):
            raise PermissionError(f"an isolated test looks up {arguments[0]}")


def is_loopback(host: object) -> bool:
    """Tell whether a host, as `socket` takes it, is this machine."""
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host or "localhost")
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


_guard = NetworkGuard()


@pytest.fixture(autouse=True)
def neutral_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide this machine's own settings of git and CI from the code under test."""
    for name in os.environ:
        if name in _HIDDEN or name.startswith("GITHUB_"):
            monkeypatch.delenv(name)
    for name, value in _GIT.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(autouse=True)
def isolation(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[None]:
    """Keep unit and property tests from the network, from engines and from the user's cache."""
    if not any(request.path.is_relative_to(folder) for folder in ISOLATED):
        yield
        return
    base = tmp_path_factory.getbasetemp()
    monkeypatch.setenv("DOCKER_HOST", f"unix://{base}/no-engine.sock")
    monkeypatch.setenv("ORCH_CACHE", str(base / "orch-cache"))
    _guard.closed = True
    yield
    _guard.closed = False


@pytest.fixture
def orch_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty cache folder that `ORCH_CACHE` names."""
    folder = tmp_path / "orch-cache"
    folder.mkdir()
    monkeypatch.setenv("ORCH_CACHE", str(folder))
    return folder


def give_up(missing: MissingPartError) -> NoReturn:
    """Skip for want of a real part, or fail where `ORCH_REQUIRE_REAL=1` promises them all."""
    if os.environ.get("ORCH_REQUIRE_REAL") == "1":
        pytest.fail(str(missing))
    pytest.skip(str(missing))


@contextmanager
def required(part: AbstractContextManager[T]) -> Iterator[T]:
    """Enter a real part, giving up when it is not there."""
    with ExitStack() as stack:
        try:
            value = stack.enter_context(part)
        except MissingPartError as missing:
            give_up(missing)
        yield value


@pytest.fixture(scope="session")
def docker26() -> Iterator[DockerEngine]:
    """Run a Docker engine 26."""
    with required(engines.docker_engine("26")) as engine:
        yield engine


@pytest.fixture(scope="session")
def docker20() -> Iterator[DockerEngine]:
    """Run a Docker engine 20.10."""
    with required(engines.docker_engine("20")) as engine:
        yield engine


@pytest.fixture(scope="session", params=engines.VERSIONS)
def docker_engine(request: pytest.FixtureRequest) -> DockerEngine:
    """Run each Docker engine in turn."""
    engine: DockerEngine = request.getfixturevalue(f"docker{request.param}")
    return engine


@pytest.fixture(scope="session")
def registry() -> Iterator[str]:
    """Run an OCI registry, empty at first; its value is `HOST:PORT`."""
    with required(registries.registry()) as address:
        yield address


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    """Run moto's server, which stands in for AWS; its value is its address."""
    with motos.moto() as address:
        yield address


@pytest.fixture(scope="session")
def require_tool() -> Callable[[str], Path]:
    """Return a function that gives a tool's path, or gives up without it."""

    def require(name: str) -> Path:
        try:
            return find_tool(name)
        except MissingPartError as missing:
            give_up(missing)

    return require
