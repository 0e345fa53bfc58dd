"""Wheels built in containers of a real engine, of Debian's own compiler and Python."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import tomllib
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import docker
import pytest

from orchestrator.app.opened import open_workspace, read_lock
from orchestrator.app.wheel_building import open_workshop
from orchestrator.model import Platform
from orchestrator.resolve.builds import targets_of
from orchestrator.wheelhouse.places import BuildIn
from tests.e2e.archives import FileServer, PythonIndex
from tests.helpers import write_tree
from tests.real.docker_engine import DockerEngine
from tests.real.parts import REPOSITORY
from tests.real.site import ORCH, Ran
from tests.sdists import COMPILES, make_buildable
from tests.wheels import make_wheel

SETTINGS = """\
[python]
version = "{version}"
index-url = "{index}/simple"
{more}
"""
TREE = {
    "constraints.txt": "",
    "base/root/image.toml": (
        'from = "debian:bookworm"\n\n[system]\npackages = ["python3.11", "libstdc++6"]\n'
    ),
    "services/api/image.toml": 'from = "root"\n',
    "services/api/requirements.txt": "native\n",
}
WITHOUT_COMPILER = ("gcc", "g++", "cc", "c++", "c89", "c99")
LABEL: dict[str, str | list[str] | bool] = {
    "label": "org.opencontainers.image.title=orch: build of a wheel"
}
"""What containers of ours have, and nothing else in the engine."""

LOOKS = """
import getpass, helper, os, socket
network = socket.socket().connect_ex(("192.0.2.1", 9))
said = [os.getuid(), getpass.getuser(), os.getcwd(), sorted(os.environ), network, helper.VALUE,
        os.access("/usr", os.W_OK), os.access(helper.__file__, os.W_OK)]
open("made.txt", "w").write(repr(said))
"""
NO_NETWORK = 101
AMD64 = Platform("linux", "amd64")


class House:
    """A workspace whose service wants `native`, which its index has as source only."""

    def __init__(self, root: Path, server: FileServer, engine: DockerEngine) -> None:
        self.root = root / "ws"
        self.index = PythonIndex(root / "python")
        self._url = server.url(root / "python")
        self.environment = {
            **os.environ,
            **engine.environment(),
            "PIP_EXTRA_INDEX_URL": " ",
            "PIP_FIND_LINKS": " ",
        }
        write_tree(self.root, TREE)
        self.settings()

    def settings(self, more: str = "", version: str = "3.11") -> None:
        text = SETTINGS.format(version=version, index=self._url, more=more)
        (self.root / "orch.toml").write_text(text)

    def add(self, *, steps: str = COMPILES, requires: str = "") -> None:
        """Put another `native` into the index, and lock it."""
        make_buildable(self.index.files, steps=steps, requires=requires)
        self.index.relist("native")
        self.done("lock", "--upgrade", "native")

    def orch(self, *words: str, **environment: str) -> Ran:
        done = subprocess.run(
            [ORCH, "-C", self.root, *words],
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        return Ran(done.returncode, done.stderr + done.stdout)

    def done(self, *words: str, **environment: str) -> str:
        ran = self.orch(*words, **environment)
        assert ran.code == 0, ran.said
        return ran.said

    def built(self) -> dict[str, Any]:
        """Return what the lock says of the wheel."""
        lock = tomllib.loads((self.root / "orch.lock").read_text())
        (row,) = (row for row in lock["built"] if row["platform"] == "linux/amd64")
        return dict(row)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FileServer]:
    with FileServer(tmp_path_factory.getbasetemp()).running() as running:
        yield running


@pytest.fixture
def house(tmp_path: Path, server: FileServer, docker26: DockerEngine) -> House:
    return House(tmp_path, server, docker26)


@pytest.fixture(scope="module")
def client(docker26: DockerEngine) -> Iterator[docker.DockerClient]:
    client = docker26.client()
    yield client
    client.close()


@pytest.fixture
def without_compiler(tmp_path: Path) -> str:
    """Return a PATH that has all that this machine has but a compiler."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for file in Path("/usr/bin").iterdir():
        if not any(name in file.name for name in WITHOUT_COMPILER):
            (folder / file.name).symlink_to(file)
    return str(folder)


def test_both_places_give_the_same_bytes_and_leave_no_container(
    house: House, client: docker.DockerClient, without_compiler: str
) -> None:
    house.add()
    said = house.done("wheels", PATH=without_compiler)
    assert "building native 1.0 in a container with gcc (Debian 12" in said
    in_container = house.built()
    assert in_container["file"].startswith("native-1.0-cp311-cp311-manylinux_2_")
    said = house.done("wheels", "--rebuild", "native", "--build-in", "host")
    assert "building native 1.0 on this machine" in said
    assert house.built()["sha256"] == in_container["sha256"]
    assert not client.containers.list(all=True, filters=LABEL)


def test_a_build_is_alone_with_what_is_pinned(house: House, client: docker.DockerClient) -> None:
    make_wheel(house.index.files, "helper", "2.0", {"helper.py": b"VALUE = 'helped'\n"})
    house.index.relist("helper")
    house.settings('[wheels.native]\nenv = {MODE = "fast"}\n')
    house.add(steps=LOOKS, requires='"helper"')
    house.done("wheels", "--build-in", "container", AWS_SECRET_ACCESS_KEY="hunter2")
    uid, user, folder, names, network, helped, *writable = look(house)
    assert (uid, user, folder) == (1000, "app", "/build/src/native-1.0")
    assert (network, helped) == (NO_NETWORK, "helped")
    assert writable == [False, False]
    assert {"MODE", "SOURCE_DATE_EPOCH", "CFLAGS"} <= set(names)
    assert not {"AWS_SECRET_ACCESS_KEY", "HOSTNAME", "DOCKER_HOST"} & set(names)


def test_webrtcvad_in_a_container_is_what_the_lock_of_this_repository_records(
    docker26: DockerEngine, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    if not request.config.getoption("--full"):
        pytest.skip("the image that audio's wheels are built in is large: --full")
    for name, value in docker26.environment().items():
        monkeypatch.setenv(name, value)
    opened = open_workspace(REPOSITORY)
    lock = read_lock(opened)
    (build,) = (build for build in lock.builds if build.platform == AMD64)
    assert build.wheel is not None
    target = targets_of(lock, opened.graph, AMD64)[build.wheel]
    with ExitStack() as resources:
        workshop = open_workshop(opened, lock, AMD64, resources, build_in=BuildIn.CONTAINER)
        made = workshop.make(build, target, anew=True)
    assert made.compiler.partition(", CPython")[0] == build.compiler.partition(", CPython")[0]
    assert made.wheel == build.wheel


def look(house: House) -> list[Any]:
    sha256 = house.built()["sha256"]
    cache = Path(os.environ.get("ORCH_CACHE") or Path.home() / ".cache/orch")
    with zipfile.ZipFile(cache / "downloads" / sha256[:2] / sha256) as archive:
        said: list[Any] = eval(archive.read("native_made.txt"))
    return said


def test_a_build_that_fails_in_a_container_says_so_with_the_end_of_its_log(
    house: House, client: docker.DockerClient
) -> None:
    house.add(steps="raise SystemExit('fatal error: libpq-fe.h: No such file or directory')\n")
    ran = house.orch("wheels", "--build-in", "container")
    assert ran.code == 3
    assert "building native 1.0 needs what the container lacks: PostgreSQL's headers" in ran.said
    assert 'add system = ["libpq-dev"] to [wheels.native]' in ran.said
    assert "apt-get" not in ran.said
    house.add(steps="raise SystemExit('no luck')\n")
    ran = house.orch("wheels", "--build-in", "container")
    assert ran.code == 1
    assert "said by the build" in ran.said
    assert not client.containers.list(all=True, filters=LABEL)


def test_an_interrupted_build_leaves_no_container(
    house: House, client: docker.DockerClient
) -> None:
    house.add(steps="print('it runs', flush=True)\nimport threading\nthreading.Event().wait()\n")
    begun_ns = time.time_ns()
    process = subprocess.Popen(
        [ORCH, "-C", house.root, "wheels", "--build-in", "container"],
        env=house.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    since = begun_ns // 1_000_000_000
    events = client.events(since=since, decode=True, filters={"event": "start", **LABEL})
    starts = (event for event in events if event["timeNano"] > begun_ns)
    next(starts)  # of the container that says which compiler it has
    next(starts)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate()
    events.close()
    assert process.returncode == 130, said
    assert not client.containers.list(all=True, filters=LABEL)
