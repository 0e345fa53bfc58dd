"""`orch doctor` beside a real registry and a real engine: both are ok, and nothing is left."""

from __future__ import annotations

import urllib.request
from pathlib import Path

import pytest

from orchestrator.app.diagnosing import diagnose
from orchestrator.fitness.finding import Level
from orchestrator.fitness.registry import check_registry
from orchestrator.publish.reference import Repository
from orchestrator.publish.wire import Wire
from tests.helpers import write_tree
from tests.real.docker_engine import DockerEngine


def test_a_registry_takes_an_upload_and_lets_it_be_given_up(registry: str) -> None:
    wire = Wire(actions="pull,push")
    try:
        found, date = check_registry(wire, Repository(registry, "doctor/api"))
    finally:
        wire.close()
    assert [(one.level, one.message) for one in found] == [
        (Level.OK, f"{registry} answers"),
        (Level.OK, f"{registry}/doctor/api may be written to"),
    ], "it was given up, not forgotten"
    assert date
    with urllib.request.urlopen(f"http://{registry}/v2/_catalog") as answer:
        assert b"doctor/api" not in answer.read()


def test_an_engine_and_its_buildx_are_found(
    docker26: DockerEngine, tmp_path: Path, orch_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tree(tmp_path, {"orch.toml": "", "base/a/Dockerfile": "FROM scratch\n"})
    for name, value in docker26.environment().items():
        monkeypatch.setenv(name, value)
    found = {one.check: one for one in diagnose(tmp_path, offline=True)}
    assert found["docker"].level is Level.OK
    assert found["buildx"].level is Level.OK
