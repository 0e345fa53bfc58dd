"""A scheduler of Dask's and workers, each in a network and with a cache of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.real.networks import MIDDLE
from tests.real.parts import start, stop, wait_for_words

_SCHEDULER = r"Scheduler at:\s+(tcp://\S+)"
_WORKER = r"(Registered to:)"


@dataclass
class DaskCluster:
    """A scheduler's address, and its workers' processes by number, from 1."""

    address: str
    folder: Path
    environment: Mapping[str, str]
    scheduler: subprocess.Popen[bytes]
    workers: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start_worker(
        self, number: int, inside: Sequence[str], *options: str, **environment: str
    ) -> None:
        """Start a worker of one thread, without one that would start it again; wait for it."""
        folder = self.folder / f"worker-{number}"
        folder.mkdir(parents=True, exist_ok=True)
        log = self.folder / f"worker-{number}.log"
        command = [sys.executable, "-m", "dask", "worker", self.address, "--nthreads", "1"]
        command += ["--no-nanny", "--no-dashboard", "--local-directory", str(folder), *options]
        own = {**self.environment, "ORCH_CACHE": str(folder / "cache"), **environment}
        self.workers[number] = start(["env", *_pairs(own), *inside, *command], log)
        wait_for_words(_WORKER, self.workers[number], log, "Dask")

    def kill(self, number: int) -> None:
        """Let a worker be gone at once."""
        _end(self.workers.pop(number))

    def kill_scheduler(self) -> None:
        """Let the scheduler be gone at once."""
        _end(self.scheduler)

    def children(self) -> list[str]:
        """Return the ids of the processes that workers have started, and that still run."""
        folders = (Path(f"/proc/{worker.pid}/task") for worker in self.workers.values())
        lists = (file.read_text().split() for at in folders for file in at.glob("*/children"))
        return [child for some in lists for child in some]

    def stop_workers(self) -> None:
        for process in self.workers.values():
            stop(process)


@contextmanager
def dask_cluster(
    folder: Path, inside: Sequence[str], environment: Mapping[str, str], host: str = MIDDLE
) -> Iterator[DaskCluster]:
    """Run a scheduler; workers are added to what it gives."""
    folder.mkdir(parents=True)
    neutral = {"DASK_CONFIG": str(folder), "DASK_LOGGING__DISTRIBUTED": "info", **environment}
    with ExitStack() as resources:
        log = folder / "scheduler.log"
        command = [sys.executable, "-m", "dask", "scheduler", "--host", host, "--port", "0"]
        command += ["--dashboard-address", ":0"]
        scheduler = start(["env", *_pairs(neutral), *inside, *command], log)
        resources.callback(stop, scheduler)
        address = wait_for_words(_SCHEDULER, scheduler, log, "Dask")
        cluster = DaskCluster(address, folder, neutral, scheduler)
        resources.callback(cluster.stop_workers)
        yield cluster


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


def _pairs(environment: Mapping[str, str]) -> list[str]:
    known = os.environ
    return [f"{name}={value}" for name, value in environment.items() if known.get(name) != value]
