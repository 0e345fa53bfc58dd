"""A cluster that loses its scheduler, all its workers, or room on their disks, in mid-build."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from tests.helpers import ROOT, write_tree
from tests.real.cluster_place import (
    WITHIN_S,
    Place,
    building,
    closed_gate,
    statuses,
    wait_for,
    write_small,
)
from tests.real.dask_cluster import dask_cluster

HOST = "127.0.0.1"
IMPATIENT = {"DASK_DISTRIBUTED__SCHEDULER__NO_WORKERS_TIMEOUT": "1s"}
ROOM_KB, FILE_KB = 256, 1024


@pytest.fixture
def place(tmp_path: Path, registry: str) -> Iterator[Place]:
    """A cluster without workers, all of it at this machine's own address."""
    environment = {**os.environ, "ORCH_CACHE": f"{tmp_path}/cache", "DASK_CONFIG": f"{tmp_path}"}
    with ExitStack() as resources:
        port = resources.enter_context(closed_gate(tmp_path / "gate", [], HOST))
        dask = resources.enter_context(dask_cluster(tmp_path / "dask", [], environment, HOST))
        place = Place(tmp_path, registry, f"http://{HOST}:{port}/x", [[]], environment, dask)
        resources.callback(place.release)
        yield place


def write_held(place: Place) -> Path:
    """Write a workspace with an image that can be made, one that waits, and one on that."""
    recipes = {
        "base/first": f'from = "{ROOT}"\n',
        "base/held": f'from = "first"\n{place.fetch()}',
        "services/above": 'from = "held"\n',
    }
    return write_small(place, place.folder.name.replace("_", "-"), recipes)


def lose(place: Place, root: Path, act: Callable[[], None], *words: str) -> tuple[int, str]:
    """Do something while an image is made; return the exit code, and what was said."""
    place.dask.start_worker(1, [])
    with building(place, root, "--report", str(place.folder / "report.json"), *words) as client:
        wait_for(lambda: place.asked() or client.poll() is not None)
        act()
        code = client.wait(WITHIN_S)
    said = root.with_suffix(".said").read_text()
    assert "Traceback" not in said
    assert statuses(place.folder / "report.json")["first"] == "built"
    return code, said


def test_a_lost_scheduler_is_an_error_and_the_next_run_carries_on(place: Place) -> None:
    root = write_held(place)
    code, said = lose(place, root, place.dask.kill_scheduler, "--fail-fast")
    assert code == 3
    assert f"failed held: the scheduler at {place.dask.address} was lost\n  hint: " in said
    place.release()
    wait_for(lambda: not place.dask.children())
    ran = place.run(root, "build", "--push")
    assert ran.returncode == 0, ran.stderr
    assert "3 pushed" in ran.stderr


def test_a_cluster_without_workers_any_more_is_an_error_and_the_next_run_carries_on(
    place: Place, request: pytest.FixtureRequest
) -> None:
    if not request.config.getoption("--full"):
        pytest.skip("--full runs it")
    root = write_held(place)
    impatient = replace(place, environment={**place.environment, **IMPATIENT})
    code, said = lose(impatient, root, lambda: place.dask.kill(1))
    assert code == 3
    assert f"failed held: no worker of the cluster at {place.dask.address} is left" in said
    assert "hint: what is complete is kept: start workers" in said
    place.release()
    place.dask.start_worker(1, [])
    report = place.folder / "again.json"
    ran = place.run(root, "build", "--cluster", place.dask.address, "--report", str(report))
    assert ran.returncode == 0, ran.stderr
    assert statuses(report) == {"first": "reused", "held": "built", "above": "built"}


def test_a_worker_whose_disk_is_full_is_named_and_fails_what_it_had_no_room_for(
    place: Place, require_tool: Callable[[str], Path], request: pytest.FixtureRequest
) -> None:
    if not request.config.getoption("--full"):
        pytest.skip("--full runs it")
    recipes = {
        "base/small": f'from = "{ROOT}"\n',
        "services/big": 'from = "small"\n[[files]]\nfrom = "x"\nto = "/x"\n',
    }
    root = write_small(place, "full", recipes)
    write_tree(root, {"services/big/x": "x"})
    (root / "services/big/x").write_bytes(os.urandom(FILE_KB << 10))
    cache = place.dask.folder / "worker-1/cache"
    cache.mkdir(parents=True)
    mount = f'mount -t tmpfs -o size={ROOM_KB}k none {cache} && exec "$@"'
    unshared = [str(require_tool("unshare")), "--mount", "sh", "-c", mount, "sh"]
    place.dask.start_worker(1, unshared)
    report = place.folder / "full.json"
    ran = place.run(root, "build", "--cluster", place.dask.address, "--report", str(report))
    assert ran.returncode == 1, ran.stderr
    assert statuses(report) == {"small": "built", "big": "failed"}
    assert re.search(r"failed big: no space left while writing \S+ \(on tcp://\S+\)", ran.stderr)
    place.dask.kill(1)
    place.dask.start_worker(2, [])
    ran = place.run(root, "build", "--cluster", place.dask.address, "--report", str(report))
    assert ran.returncode == 0, ran.stderr
    assert statuses(report) == {"small": "reused", "big": "built"}
