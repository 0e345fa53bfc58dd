"""The reference monorepo keeps the promises that its README makes."""

from __future__ import annotations

import importlib.util
import re
import sys
import threading
import tomllib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXTERNAL = "debian:bookworm"
COMMON = ROOT / "services/common/voiceplatform"


def read_recipes(folder: str) -> dict[str, dict[str, Any]]:
    return {
        file.parent.name: tomllib.loads(file.read_text(encoding="utf-8"))
        for file in sorted((ROOT / folder).glob("*/image.toml"))
    }


BASES = read_recipes("base")
SERVICES = read_recipes("services")
RECIPES = BASES | SERVICES


def folder_of(name: str) -> Path:
    return ROOT / ("base" if name in BASES else "services") / name


def package_name(requirement: str) -> str:
    bare = re.split(r"[\s\[<>=!~;@]", requirement.strip(), maxsplit=1)[0]
    return re.sub(r"[-_.]+", "-", bare).lower()


def requirements_of(name: str) -> set[str]:
    file = folder_of(name) / "requirements.txt"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return {package_name(line) for line in lines if line.strip() and not line.startswith("#")}


def ancestors_of(name: str) -> Iterator[str]:
    parent = RECIPES[name]["from"]
    while parent != EXTERNAL:
        yield parent
        parent = RECIPES[parent]["from"]


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {package_name(name): version for name, version in pairs}


def port_of(recipe: dict[str, Any]) -> str:
    (port,) = recipe["config"]["expose"]
    return str(port)


def test_the_tree_has_nine_bases_and_thirteen_services() -> None:
    assert len(BASES) == 9
    assert len(SERVICES) == 13


@pytest.mark.parametrize("name", RECIPES)
def test_every_image_stands_on_a_base_of_the_tree_or_on_debian(name: str) -> None:
    assert RECIPES[name]["from"] in {*BASES, EXTERNAL}


@pytest.mark.parametrize("name", RECIPES)
def test_no_image_lists_a_package_that_its_bases_list(name: str) -> None:
    inherited = {package for base in ancestors_of(name) for package in requirements_of(base)}
    assert not requirements_of(name) & inherited


@pytest.mark.parametrize("name", RECIPES)
def test_every_required_package_is_pinned_for_the_whole_tree(name: str) -> None:
    assert requirements_of(name) <= pins().keys()


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_stands_on_a_deprecated_base(name: str) -> None:
    assert not [base for base in ancestors_of(name) if RECIPES[base].get("deprecated")]


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_runs_as_user_1000(name: str) -> None:
    assert SERVICES[name]["config"]["user"] == "1000"


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_asked_for_its_health_on_the_port_it_listens_on(name: str) -> None:
    recipe = SERVICES[name]
    port = port_of(recipe)
    assert recipe["healthcheck"]["http"] == f"http://127.0.0.1:{port}/health"
    assert recipe["config"]["command"] == ["--port", port]


def test_no_two_services_share_a_port() -> None:
    ports = [port_of(recipe) for recipe in SERVICES.values()]
    assert len(set(ports)) == len(ports)


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_has_a_program_and_the_shared_package(name: str) -> None:
    assert (folder_of(name) / "app/main.py").is_file()
    targets = {entry["to"] for entry in SERVICES[name]["files"]}
    assert {"/app/app", "/app/voiceplatform"} <= targets


@pytest.mark.parametrize("name", RECIPES)
def test_every_copied_path_exists(name: str) -> None:
    for entry in RECIPES[name].get("files", []):
        source = entry["from"]
        start = ROOT if source.startswith("//") else folder_of(name)
        assert (start / source.removeprefix("//")).exists()


@pytest.mark.parametrize("name", RECIPES)
def test_every_cache_folder_lies_below_tmp(name: str) -> None:
    env = RECIPES[name].get("config", {}).get("env", {})
    caches = {k: v for k, v in env.items() if k.endswith(("_HOME", "_DIR")) or k == "HOME"}
    assert all(value == "/tmp" or value.startswith("/tmp/") for value in caches.values())


def test_the_shared_package_is_no_image() -> None:
    assert not (ROOT / "services/common/image.toml").exists()
    assert not (ROOT / "services/common/Dockerfile").exists()


@pytest.fixture
def voiceplatform(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The shared package, importable for one test without being installed."""
    monkeypatch.syspath_prepend(str(COMMON.parent))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # the folder is copied into images
    yield importlib.import_module("voiceplatform")
    for module in [name for name in sys.modules if name.split(".")[0] == "voiceplatform"]:
        del sys.modules[module]


@pytest.fixture
def components(voiceplatform: ModuleType) -> ModuleType:
    return importlib.import_module("voiceplatform.components")


@pytest.fixture
def resource(voiceplatform: ModuleType) -> ModuleType:
    return importlib.import_module("voiceplatform.resource")


def test_a_service_is_not_ready_until_each_component_is(components: ModuleType) -> None:
    states = {"store": components.READY, "model": components.waiting("loading")}
    registry = components.Components()
    for name in states:
        registry.add(name, partial(states.__getitem__, name))
    assert registry.report()[0] is False
    states["model"] = components.READY
    assert registry.report()[0] is True


def test_the_answer_names_each_component_and_what_it_waits_for(components: ModuleType) -> None:
    registry = components.Components()
    registry.add("store", lambda: components.READY)
    registry.add("model", lambda: components.waiting("no /models"))
    assert registry.report()[1] == {
        "status": "not ready",
        "components": {
            "store": {"ready": True, "detail": ""},
            "model": {"ready": False, "detail": "no /models"},
        },
    }


def test_a_component_whose_check_raises_is_not_ready(components: ModuleType) -> None:
    def refuse() -> None:
        raise ConnectionRefusedError("refused")

    registry = components.Components()
    registry.add("store", refuse)
    assert registry.statuses()["store"].detail == "ConnectionRefusedError: refused"
    assert not registry.report()[0]


def test_a_component_name_is_taken_once(components: ModuleType) -> None:
    registry = components.Components()
    registry.add("store", lambda: components.READY)
    with pytest.raises(ValueError, match="store"):
        registry.add("store", lambda: components.READY)


def finish(thing: Any) -> None:
    thing.status()
    thing._thread.join()


def test_a_resource_is_not_loaded_before_its_files_exist(
    resource: ModuleType, tmp_path: Path
) -> None:
    weights = tmp_path / "weights"
    model = resource.Resource("model", weights.read_text, resource.files(weights))
    assert str(weights) in model.status().detail
    weights.write_text("loaded")
    finish(model)
    assert model.status().ready
    assert model.get() == "loaded"


def test_a_resource_that_fails_to_load_says_why(resource: ModuleType, tmp_path: Path) -> None:
    model = resource.Resource("model", (tmp_path / "weights").read_text)
    finish(model)
    with pytest.raises(resource.NotReadyError, match="model: FileNotFoundError"):
        model.get()


def test_a_resource_names_the_environment_it_lacks(
    resource: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SET", "1")
    monkeypatch.delenv("UNSET", raising=False)
    assert resource.environment("SET", "UNSET")() == "UNSET not set"


def test_a_component_that_does_not_answer_in_time_is_not_ready(
    components: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(components, "ANSWER_WITHIN_S", 0.0)
    answer = threading.Event()
    asked: list[int] = []

    def slow() -> object:
        asked.append(1)
        answer.wait(20)
        return components.READY

    registry = components.Components()
    registry.add("store", slow)
    assert registry.statuses()["store"].detail == "no answer within 0 s"
    assert not registry.statuses()["store"].ready
    answer.set()
    assert asked == [1]
