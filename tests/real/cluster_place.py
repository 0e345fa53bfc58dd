"""A cluster with what belongs to it: a registry, a gate, workspaces to build, builds of them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.helpers import write_lock, write_workspace
from tests.real import gate
from tests.real.dask_cluster import DaskCluster
from tests.real.networks import MIDDLE
from tests.real.parts import start, stop

ORCH = Path(sys.executable).with_name("orch")
WITHIN_S = 300
GIVEN = sha256(gate.CONTENT).hexdigest()


@dataclass(frozen=True)
class Place:
    """A cluster, a registry and a gate; `inside` enters the network of each, the middle first."""

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
            timeout=WITHIN_S,
        )

    def asked(self) -> list[str]:
        file = self.folder / "gate/asked"
        return file.read_text().split() if file.is_file() else []

    def release(self) -> None:
        (self.folder / "gate/released").touch()

    def hold(self) -> None:
        (self.folder / "gate/released").unlink(missing_ok=True)

    def fetch(self, sha256: str = GIVEN) -> str:
        """Return the part of a recipe that waits at the gate, for what may have another digest."""
        return f'[[fetch]]\nurl = "{self.gate}"\nsha256 = "{sha256}"\nto = "/gate"\n'


@contextmanager
def closed_gate(folder: Path, inside: list[str], host: str = MIDDLE) -> Iterator[int]:
    """Serve a file that is given to nobody before it is released; the value is the port."""
    folder.mkdir()
    log = folder / "log"
    process = start([*inside, sys.executable, gate.__file__, host, str(folder)], log)
    try:
        wait_for(lambda: log.read_text().strip())
        yield int(log.read_text())
    finally:
        stop(process)


def wait_for(ready: Callable[[], Any]) -> None:
    """Wait until another process has come so far."""
    deadline = time.monotonic() + WITHIN_S
    while not ready():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.05)


@contextmanager
def building(place: Place, root: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """Build on the cluster while the block runs; what is said goes into a file beside the root."""
    command = place.orch(root, "build", "--cluster", place.dask.address, "--progress=plain")
    with root.with_suffix(".said").open("wb") as out:
        client = subprocess.Popen(
            [*command, *words], env=place.environment, stdout=subprocess.DEVNULL, stderr=out
        )
    try:
        yield client
    finally:
        client.kill()
        client.wait()


def write_small(place: Place, name: str, images: Mapping[str, str]) -> Path:
    """Write and lock a workspace whose registry is that of the place."""
    root = write_workspace(place.folder / name, images)
    settings = root / "orch.toml"
    settings.write_text(f'registry = "{place.registry}/{name}"\n' + settings.read_text())
    write_lock(root)
    return root


def statuses(report: Path) -> dict[str, str]:
    """Return what became of each image."""
    document = json.loads(report.read_text())
    return {image["name"]: image["status"] for image in document["images"]}
