"""A Dask cluster of four machines, each with a network and a cache, and a registry between them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from orchestrator.lockfile import ImageLock
from tests.conftest import give_up
from tests.helpers import write_tree
from tests.real import gate
from tests.real.dask_cluster import DaskCluster, dask_cluster
from tests.real.networks import MIDDLE, networks, self_signed, side
from tests.real.parts import MissingPartError, start, stop
from tests.real.registry import registry
from tests.tiny import Tiny

ORCH = Path(sys.executable).with_name("orch")
GATED = "services/gated/image.toml"
WORKERS = 4
_WITHIN_S = 300


@dataclass(frozen=True)
class Place:
    """A cluster, the registry and the gate, in networks of their own; `inside` is the middle."""

    folder: Path
    registry: str
    gate: str
    inside: list[list[str]]
    environment: dict[str, str]
    dask: DaskCluster

    def orch(self, root: Path, *words: str) -> list[str]:
        return [*self.inside[0], str(ORCH), "-C", str(root), *words]

    def run(self, root: Path, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.orch(root, *words),
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=_WITHIN_S,
        )

    def asked(self) -> list[str]:
        file = self.folder / "gate/asked"
        return file.read_text().split() if file.is_file() else []

    def release(self) -> None:
        (self.folder / "gate/released").touch()


@pytest.fixture(scope="module")
def images(request: pytest.FixtureRequest) -> int:
    return 60 if request.config.getoption("--full") else 14


@pytest.fixture(scope="module")
def place(
    tmp_path_factory: pytest.TempPathFactory, require_tool: Callable[[str], Path]
) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("cluster")
    certificate = self_signed(folder, require_tool("openssl"))
    environment = {
        **os.environ,
        "SSL_CERT_FILE": str(certificate / "tls.crt"),
        "ORCH_CACHE": str(folder / "cache"),
        "DASK_CONFIG": str(folder),
    }
    with ExitStack() as resources:
        try:
            inside = resources.enter_context(networks(WORKERS, forwards=True))
            address = resources.enter_context(
                registry(tls=certificate, host=MIDDLE, inside=inside[0])
            )
        except MissingPartError as missing:
            give_up(missing)
        port = resources.enter_context(closed_gate(folder / "gate", inside[0]))
        dask = resources.enter_context(dask_cluster(folder / "dask", inside[0], environment))
        for number in range(1, WORKERS + 1):
            dask.start_worker(number, inside[number])
        yield Place(folder, address, f"http://{MIDDLE}:{port}/x", inside, environment, dask)


@contextmanager
def closed_gate(folder: Path, inside: list[str]) -> Iterator[int]:
    folder.mkdir()
    log = folder / "log"
    process = start([*inside, sys.executable, gate.__file__, MIDDLE, str(folder)], log)
    try:
        wait_for(lambda: log.read_text().strip())
        yield int(log.read_text())
    finally:
        stop(process)


def wait_for(ready: Callable[[], Any]) -> None:
    deadline = time.monotonic() + _WITHIN_S
    while not ready():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.05)


def write_graph(place: Place, name: str, images: int) -> Path:
    """Write a workspace: four images with packages, one that waits at the gate, others on these."""
    tiny = Tiny.make(place.folder / name, place.folder / "sources", place.folder / "cache")
    settings = tiny.root / "orch.toml"
    settings.write_text(f'registry = "{place.registry}/{name}"\n' + settings.read_text())
    names = ["python-base", "python-web", "api", "worker"]
    for number in range(images - len(names) - 1):
        parent, new = names[number // 2], f"image-{number}"
        write_tree(
            tiny.root,
            {
                f"services/{new}/image.toml": f'from = "{parent}"\n'
                f'[[files]]\nfrom = "x"\nto = "/{new}"\n',
                f"services/{new}/x": f"{new}\n" * 100,
            },
        )
        names.append(new)
    digest = sha256(gate.CONTENT).hexdigest()
    fetch = f'[[fetch]]\nurl = "{place.gate}"\nsha256 = "{digest}"\nto = "/gate"\n'
    write_tree(tiny.root, {GATED: f'from = "python-web"\n{fetch}'})
    tiny.adds |= {new: ImageLock() for new in [*names[4:], "gated"]}
    tiny.lock()
    return tiny.root


def digests(report: Path) -> dict[str, str]:
    document = json.loads(report.read_text())
    return {image["name"]: image["digest"] for image in document["images"]}


def built_on(place: Place, number: int) -> list[str]:
    """Return the images of which a worker's folder has the account of a build."""
    folder = place.dask.folder / f"worker-{number}"
    logs = folder.rglob(".orch/logs/*.log")
    return [log.stem for log in logs if log.read_text().startswith("built ")]


def test_four_workers_make_the_images_of_one_and_a_lost_one_costs_its_job_alone(
    place: Place, images: int
) -> None:
    root = write_graph(place, "spread", images)
    report, said = place.folder / "report.json", place.folder / "said"
    words = ["build", "--cluster", place.dask.address, "--push", "--progress=plain"]
    with said.open("wb") as out:
        client = subprocess.Popen(
            place.orch(root, *words, "--report", str(report)),
            env=place.environment,
            stdout=subprocess.DEVNULL,
            stderr=out,
        )
    try:
        wait_for(lambda: place.asked() or client.poll() is not None)
        assert client.poll() is None, said.read_text()
        (first,) = place.asked()
        lost = next(number for number in range(1, WORKERS + 1) if side(number) == first)
        place.dask.kill(lost)
        wait_for(lambda: len(place.asked()) > 1)
        place.release()
        assert client.wait(_WITHIN_S) == 0, said.read_text()
    finally:
        client.kill()
        client.wait()
    assert len(place.asked()) == 2
    assert place.asked()[1] != first

    made = digests(report)
    assert len(made) == images
    built = Counter(name for number in range(1, WORKERS + 1) for name in built_on(place, number))
    assert built == Counter(made.keys()), "each once, and nothing that was complete again"
    assert all(built_on(place, number) for number in range(1, WORKERS + 1))

    alone = place.folder / "alone"
    shutil.copytree(root, alone, ignore=shutil.ignore_patterns(".orch"))
    other = replace(place, environment={**place.environment, "ORCH_CACHE": f"{alone}-cache"})
    ran = other.run(alone, "build", "--report", str(alone / "report.json"))
    assert ran.returncode == 0, ran.stderr
    assert digests(alone / "report.json") == made
    pushed = json.loads(report.read_text())["push"]["images"]
    assert {row["name"]: row["digest"] for row in pushed} == made
    assert all("latest" in [tag["tag"] for tag in row["tags"]] for row in pushed)
    assert f"{WORKERS} workers at {place.dask.address}; http://" in said.read_text()

    place.dask.start_worker(lost, place.inside[lost])
    again = place.run(root, "build", "--cluster", place.dask.address)
    assert again.returncode == 0
    assert f"{images} reused" in again.stderr
