"""The runtime configuration: the parent's, and what the recipe changes, as Docker reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from orchestrator.engines.assembler.runtime import runtime_config
from orchestrator.engines.assembler.venv import venv_entries
from orchestrator.engines.assembler.wheel.segment import Venv
from orchestrator.model import Healthcheck, ImageConfig, Recipe
from tests.helpers import image_of

VENV = Venv("/opt/venv", "3.11")
PARENT: Mapping[str, Any] = {
    "Env": ["A=1", "PATH=/usr/bin", "X=a=b"],
    "Entrypoint": ["old"],
    "Cmd": ["x"],
    "User": "5:5",
    "WorkingDir": "/old",
    "ExposedPorts": {"80/tcp": {}},
    "Volumes": {"/data": {}},
    "Labels": {"k": "parent", "org.opencontainers.image.title": "parent"},
    "StopSignal": "SIGTERM",
    "Healthcheck": {"Test": ["CMD", "old"]},
}


def runtime(
    parent: Mapping[str, Any] | None = None,
    user: str = "",
    venv: Venv | None = None,
    healthcheck: Healthcheck | None = None,
    **config: Any,
) -> dict[str, Any]:
    recipe = Recipe("", config=ImageConfig(**config), healthcheck=healthcheck)
    return runtime_config(parent or {}, replace(image_of("web"), recipe=recipe), user, venv)


def env(found: Mapping[str, Any]) -> dict[str, str]:
    return dict(entry.split("=", 1) for entry in found["Env"])


def test_what_the_recipe_does_not_name_is_the_parents() -> None:
    found = runtime(PARENT)
    for key in (
        "Entrypoint",
        "Cmd",
        "User",
        "WorkingDir",
        "ExposedPorts",
        "Volumes",
        "Healthcheck",
    ):
        assert found[key] == PARENT[key]
    assert found["StopSignal"] == "SIGTERM"


def test_an_entrypoint_drops_the_parents_command() -> None:
    found = runtime(PARENT, entrypoint=("new",))
    assert found["Entrypoint"] == ["new"]
    assert "Cmd" not in found
    assert runtime(PARENT, entrypoint=("new",), command=("y",))["Cmd"] == ["y"]


def test_a_command_keeps_the_parents_entrypoint() -> None:
    found = runtime(PARENT, command=("y",))
    assert (found["Entrypoint"], found["Cmd"]) == (["old"], ["y"])


def test_an_empty_entrypoint_takes_the_parents_away() -> None:
    assert runtime(PARENT, entrypoint=())["Entrypoint"] == []


def test_the_environment_is_merged_and_sorted() -> None:
    found = runtime(PARENT, env={"A": "2", "B": "c=d"})
    assert env(found) == {"A": "2", "B": "c=d", "PATH": "/usr/bin", "X": "a=b"}
    assert found["Env"] == sorted(found["Env"])


def test_a_root_image_has_a_path() -> None:
    assert "/usr/bin" in env(runtime())["PATH"].split(":")


def test_a_venv_comes_first_on_path_and_once() -> None:
    once = runtime(PARENT, venv=VENV)
    assert env(once)["PATH"] == "/opt/venv/bin:/usr/bin"
    assert env(once)["VIRTUAL_ENV"] == "/opt/venv"
    assert env(runtime(once, venv=VENV)) == env(once)


def test_a_recipes_path_is_taken_as_it_is() -> None:
    assert env(runtime(PARENT, venv=VENV, env={"PATH": "/mine"}))["PATH"] == "/mine"


def test_the_user_is_the_number_it_was_resolved_to() -> None:
    assert runtime(PARENT, user="1000:1000")["User"] == ("1000:1000")


def test_ports_and_volumes_are_added() -> None:
    found = runtime(PARENT, expose=("8000", "53/udp"), volumes=("/cache",))
    assert found["ExposedPorts"] == {"80/tcp": {}, "8000/tcp": {}, "53/udp": {}}
    assert found["Volumes"] == {"/data": {}, "/cache": {}}


def test_labels_are_merged_and_the_title_is_the_images() -> None:
    labels = runtime(PARENT, labels={"k": "own"})["Labels"]
    assert labels == {"k": "own", "org.opencontainers.image.title": "web"}


def test_times_of_a_healthcheck_are_nanoseconds() -> None:
    check = Healthcheck("", ("probe", "-x"), 10, 2.5, 60, 4)
    assert runtime(PARENT, healthcheck=check)["Healthcheck"] == {
        "Test": ["CMD", "probe", "-x"],
        "Interval": 10_000_000_000,
        "Timeout": 2_500_000_000,
        "StartPeriod": 60_000_000_000,
        "Retries": 4,
    }


@pytest.mark.parametrize(("venv", "python"), [(VENV, "/opt/venv/bin/python"), (None, "python3")])
def test_an_http_check_needs_nothing_but_the_images_python(venv: Venv | None, python: str) -> None:
    check = Healthcheck("http://127.0.0.1:8000/healthz", timeout_s=3)
    command = runtime(venv=venv, healthcheck=check)["Healthcheck"]["Test"]
    assert command[:3] == ["CMD", python, "-c"]
    assert command[4:] == ["http://127.0.0.1:8000/healthz", "3"]
    compile(command[3], "probe", "exec")


def test_the_parent_is_left_as_it_is() -> None:
    before = repr(PARENT)
    runtime(PARENT, env={"B": "1"}, labels={"x": "y"}, expose=("1",), entrypoint=("n",))
    assert repr(PARENT) == before


def test_a_venv_is_one_of_the_images_own_python() -> None:
    entries = {entry.path: (entry, data) for entry, data in venv_entries(Venv("/srv/v", "3.12"))}
    config = entries["srv/v/pyvenv.cfg"][1].decode()
    assert "home = /usr/bin\n" in config
    assert "include-system-site-packages = false\n" in config
    assert entries["srv/v/bin/python"][0].link == "/usr/bin/python3.12"
    assert entries["srv/v/bin/python3.12"][0].link == "python"
    assert "srv/v/lib/python3.12/site-packages" in entries
