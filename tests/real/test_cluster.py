"""A Dask cluster of four machines, each with a network and a cache, and a registry between them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator import __version__
from orchestrator.app.opened import open_workspace
from orchestrator.lockfile import ImageLock
from tests.conftest import give_up
from tests.helpers import ROOT, permitted_order, write_lock, write_tree
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
from tests.real.docker_engine import DockerEngine
from tests.real.networks import MIDDLE, networks, self_signed, side
from tests.real.parts import MissingPartError
from tests.real.registry import registry
from tests.real.site import ROOT_DOCKERFILE, Site
from tests.tiny import Tiny

GATED = "services/gated/image.toml"
WORKERS = 4


@pytest.fixture(scope="module")
def images(request: pytest.FixtureRequest) -> int:
    return 60 if request.config.getoption("--full") else 9


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
    write_tree(tiny.root, {GATED: f'from = "python-web"\n{place.fetch()}'})
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


def expected(place: Place, root: Path) -> dict[str, str]:
    """Return the digests of the images of a workspace as one machine makes them."""
    alone, report = place.folder / f"{root.name}-alone", place.folder / "alone.json"
    shutil.copytree(root, alone, ignore=shutil.ignore_patterns(".orch"))
    ran = with_cache(place, alone).run(alone, "build", "--report", str(report))
    assert ran.returncode == 0, ran.stderr
    return digests(report)


def with_cache(place: Place, root: Path) -> Place:
    return replace(place, environment={**place.environment, "ORCH_CACHE": f"{root}-cache"})


def test_four_workers_make_the_images_of_one_and_a_lost_one_costs_its_job_alone(
    place: Place, images: int
) -> None:
    root = write_graph(place, "spread", images)
    report, said = place.folder / "report.json", root.with_suffix(".said")
    with building(place, root, "--push", "--report", str(report)) as client:
        wait_for(lambda: place.asked() or client.poll() is not None)
        assert client.poll() is None, said.read_text()
        (first,) = place.asked()
        lost = next(number for number in range(1, WORKERS + 1) if side(number) == first)
        place.dask.kill(lost)
        wait_for(lambda: len(place.asked()) > 1)
        place.release()
        assert client.wait(WITHIN_S) == 0, said.read_text()
    assert len(place.asked()) == 2
    assert place.asked()[1] != first

    made = digests(report)
    assert len(made) == images
    built = Counter(name for number in range(1, WORKERS + 1) for name in built_on(place, number))
    assert built == Counter(made.keys()), "each once, and nothing that was complete again"
    assert all(built_on(place, number) for number in range(1, WORKERS + 1))
    assert made == expected(place, root)
    pushed = json.loads(report.read_text())["push"]["images"]
    assert {row["name"]: row["digest"] for row in pushed} == made
    assert all("latest" in [tag["tag"] for tag in row["tags"]] for row in pushed)
    assert f"{WORKERS} workers at {place.dask.address}; http://" in said.read_text()

    place.dask.start_worker(lost, place.inside[lost])
    again = place.run(root, "build", "--cluster", place.dask.address)
    assert again.returncode == 0
    assert f"{images} reused" in again.stderr


def test_jobs_done_one_by_one_in_random_order_make_the_images_of_one_machine(
    place: Place, images: int
) -> None:
    place.release()
    root = write_graph(place, "ordered", images)
    made = {}
    for number, name in enumerate(permitted_order(open_workspace(root).graph, images)):
        machine, report = place.folder / f"machine-{number}", place.folder / "job.json"
        shutil.copytree(root, machine)
        job = with_cache(replace(place, inside=place.inside[number % WORKERS + 1 :]), machine)
        ran = job.run(machine, "build", "--deps=registry", name, "--report", str(report))
        assert ran.returncode == 0, ran.stderr
        made[name] = digests(report)[name]
    assert made == expected(place, root)


def test_wall_times_at_four_two_and_one_worker(
    place: Place, images: int, request: pytest.FixtureRequest, capfd: pytest.CaptureFixture[str]
) -> None:
    if not request.config.getoption("--full"):
        pytest.skip("measures; --full runs it")
    place.release()
    root = write_graph(place, "measured", images)
    made, settings = [], root / "orch.toml"
    took: dict[str, float] = {}
    for workers in (4, 2, 1):
        while len(place.dask.workers) > workers:
            place.dask.kill(max(place.dask.workers))
        shutil.rmtree(root / ".orch", ignore_errors=True)
        settings.write_text(settings.read_text().replace("/measured", f"/measured-{workers}"))
        report = place.folder / f"measured-{workers}.json"
        began = time.monotonic()
        ran = place.run(root, "build", "--cluster", place.dask.address, "--report", str(report))
        took[f"{workers} workers"] = time.monotonic() - began
        assert ran.returncode == 0, ran.stderr
        settings.write_text(settings.read_text().replace(f"/measured-{workers}", "/measured"))
        made.append(digests(report))
    assert made[0] == made[1] == made[2]
    for number in range(1, WORKERS + 1):
        if number not in place.dask.workers:
            place.dask.start_worker(number, place.inside[number])
    alone = with_cache(place, root)
    shutil.rmtree(root / ".orch")
    began = time.monotonic()
    assert alone.run(root, "build").returncode == 0
    took["one machine without Dask"] = time.monotonic() - began
    with capfd.disabled():
        print(f"\n{images} images:", ", ".join(f"{who} {s:.1f} s" for who, s in took.items()))


def test_an_image_that_fails_stops_what_stands_on_it_alone(place: Place) -> None:
    place.release()
    bad = place.fetch("0" * 64)
    recipes = {"base/bad": f'from = "{ROOT}"\n{bad}', "base/good": f'from = "{ROOT}"\n'}
    recipes |= {"services/above": 'from = "bad"\n', "services/other": 'from = "good"\n'}
    root = write_small(place, "failing", recipes)
    report = place.folder / "failing.json"
    ran = place.run(
        root, "build", "--cluster", place.dask.address, "--push", "--report", str(report)
    )
    assert ran.returncode == 1
    assert statuses(report) == {
        "bad": "failed",
        "good": "built",
        "above": "skipped",
        "other": "built",
    }
    assert "failed bad: " in ran.stderr
    assert "skipped above: bad failed" in ran.stderr
    assert "latest" not in ran.stderr


def test_ctrl_c_ends_the_jobs_that_run_and_takes_back_the_others(place: Place) -> None:
    place.hold()
    before = len(place.asked())
    recipes = {
        "base/held": f'from = "{ROOT}"\n{place.fetch()}',
        "services/above": 'from = "held"\n',
    }
    root = write_small(place, "interrupted", recipes)
    report = place.folder / "interrupted.json"
    with building(place, root, "--report", str(report)) as client:
        wait_for(lambda: len(place.asked()) > before)
        client.send_signal(signal.SIGINT)
        assert client.wait(WITHIN_S) == 130, root.with_suffix(".said").read_text()
    assert set(statuses(report).values()) == {"cancelled"}
    wait_for(lambda: not place.dask.children())
    place.release()


def test_a_worker_with_another_orch_is_an_error_that_says_what_to_install(place: Place) -> None:
    other = place.folder / "other/orchestrator-9.9.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: orchestrator\nVersion: 9.9\n")
    root = write_small(place, "versions", {"base/any": f'from = "{ROOT}"\n'})
    place.dask.start_worker(WORKERS + 1, place.inside[1], PYTHONPATH=str(other.parent))
    try:
        ran = place.run(root, "build", "--cluster", place.dask.address)
    finally:
        place.dask.kill(WORKERS + 1)
    assert ran.returncode == 3
    assert f"workers have another orch than this, {__version__}: tcp://" in ran.stderr
    assert "has 9.9\n" in ran.stderr
    assert f'hint: on each of them: pip install "orchestrator[dask]=={__version__}"' in ran.stderr


def test_a_scheduler_that_does_not_answer_is_an_error_with_a_hint(place: Place) -> None:
    root = write_small(place, "nobody", {"base/any": f'from = "{ROOT}"\n'})
    ran = place.run(root, "build", "--cluster", f"tcp://{MIDDLE}:9")
    assert ran.returncode == 3
    assert f"no scheduler of Dask answers at tcp://{MIDDLE}:9" in ran.stderr
    assert "hint: " in ran.stderr


def test_dockerfiles_are_built_by_workers_that_offer_docker(
    place: Place, docker26: DockerEngine, require_tool: Callable[[str], Path]
) -> None:
    site = Site(place.folder / "docker", docker26, require_tool("busybox"))
    site.write(
        {
            "orch.toml": f'registry = "{place.registry}/docker"\n[debian]\nessential = []\n',
            "base/built/Dockerfile": ROOT_DOCKERFILE,
            "services/two/Dockerfile": 'FROM built\nCOPY x /x\nCMD ["cat", "/x"]\n',
            "services/two/x": "x\n",
            "services/recipe/image.toml": 'from = "two"\n[[files]]\nfrom = "y"\nto = "/y"\n',
            "services/recipe/y": "y\n",
        }
    )
    write_lock(site.root)
    ran = place.run(site.root, "build", "--cluster", place.dask.address, "built")
    assert ran.returncode == 3
    assert "unavailable built: no worker of the cluster offers docker=1" in ran.stderr

    number = WORKERS + 1
    engine = docker26.environment()
    options = ("--resources", "docker=1")
    place.dask.start_worker(number, place.inside[2], *options, **engine)
    try:
        ran = place.run(site.root, "build", "--cluster", place.dask.address, "--push")
    finally:
        place.dask.kill(number)
    assert ran.returncode == 0, ran.stderr
    assert "3 built" in ran.stderr
    logs = (place.dask.folder / f"worker-{number}").rglob(".orch/logs/*.log")
    assert {"built", "two"} <= {log.stem for log in logs}
