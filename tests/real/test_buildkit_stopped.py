"""Builds of Dockerfiles that are cut short: by the user, and by the engine's end."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import required
from tests.real import docker_engine as engines
from tests.real.docker_engine import DockerEngine
from tests.real.parts import stop
from tests.real.site import ROOT_DOCKERFILE, Ran, Site

WITHIN_S = 60


@pytest.fixture
def busybox(require_tool: Callable[[str], Path]) -> Path:
    return require_tool("busybox")


def write_waiting(site: Site) -> None:
    site.write(
        {
            "orch.toml": "",
            "base/first/Dockerfile": ROOT_DOCKERFILE,
            "services/waits/Dockerfile": "FROM first\nRUN echo it has begun; sleep 1000\n",
            "services/after/Dockerfile": "FROM waits\nCOPY Dockerfile /\n",
        }
    )


@contextmanager
def building(site: Site) -> Iterator[subprocess.Popen[str]]:
    """Run a build; it is in the midst of a step when the block begins."""
    process = subprocess.Popen(
        site.command("build", "--report", str(site.report)),
        env=site.environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    log = site.root / ".orch/logs/waits.log"
    try:
        deadline = time.monotonic() + WITHIN_S
        while not (log.is_file() and " it has begun" in log.read_text().replace("echo it", "")):
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline, "the step does not begin"
            time.sleep(0.05)
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def ended(site: Site, process: subprocess.Popen[str]) -> Ran:
    _, said = process.communicate(timeout=WITHIN_S)
    return site.reported(Ran(process.returncode, said))


def builds_of(site: Site) -> list[str]:
    """Return the processes that build something of a workspace."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"build" in words and any(str(site.root).encode() in word for word in words):
            found.append(entry.name)
    return found


def make_it_end(site: Site) -> None:
    site.write({"services/waits/Dockerfile": "FROM first\nCOPY Dockerfile /\n"})


def test_ctrl_c_ends_the_build_and_its_processes_and_keeps_what_is_complete(
    tmp_path: Path, docker26: DockerEngine, busybox: Path
) -> None:
    site = Site(tmp_path, docker26, busybox)
    write_waiting(site)
    with building(site) as process:
        assert builds_of(site)
        os.kill(process.pid, signal.SIGINT)
        ran = ended(site, process)
    assert ran.code == 130, ran.said
    assert ran.statuses == {"first": "built", "waits": "cancelled", "after": "cancelled"}
    assert builds_of(site) == []
    assert not list(site.root.glob(".orch/contexts/*/context"))
    make_it_end(site)
    assert site.build().statuses == {"first": "reused", "waits": "built", "after": "built"}


def test_an_engine_that_stops_in_mid_build_is_named_and_the_next_build_completes(
    tmp_path: Path, busybox: Path
) -> None:
    with required(engines.docker_engine("26")) as engine:
        site = Site(tmp_path, engine, busybox)
        write_waiting(site)
        with building(site) as process:
            stop(engine.process)
            ran = ended(site, process)
    assert ran.code == 3, ran.said
    assert ran.statuses == {"first": "built", "waits": "failed", "after": "skipped"}
    assert f"the Docker engine at {engine.host} stopped during the build" in ran.said
    make_it_end(site)
    with required(engines.docker_engine("26")) as again:
        site.environment |= again.environment()
        ran = site.build()
    assert (ran.code, ran.with_status("built")) == (0, {"first", "waits", "after"})
