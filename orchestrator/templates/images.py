"""The files that a new base and a new service begin with, by their paths in its folder."""

from __future__ import annotations

import keyword
import re
import sys
from collections.abc import Collection, Iterable, Mapping

from orchestrator.recipe import RECIPE_FILE, REQUIREMENTS_FILE

SERVICE_NEEDS = ("fastapi", "uvicorn")
"""The projects that a new service asks for, as far as its base does not bring them."""

_PORT = 8000

_DEBIAN_BASE = """\
from = "debian:{suite}"
summary = "Python {python}, and what every service has"

[system]
# libstdc++6: what wheels with compiled code may expect of every image (PEP 600)
packages = ["python{python}", "ca-certificates", "libstdc++6", "tzdata"]

[config]
workdir = "/app"

# Services run on a read-only root file system: whatever wants to write goes to /tmp.
[config.env]
LANG = "C.UTF-8"
PYTHONUNBUFFERED = "1"
PYTHONDONTWRITEBYTECODE = "1"
HOME = "/tmp"
"""

_BASE = """\
from = "{parent}"
summary = "{summary}"
"""

_BASE_REQUIREMENTS = """\
# Python packages that services on this base share, by name, one a line.
# A version is pinned once, for all images, in the constraints at the root of the workspace.
"""

_SERVICE = """\
from = "{parent}"
summary = "{summary}"

[[files]]
from = "{package}"
to = "/app/{package}"

[config]
user = "1000"
workdir = "/app"
expose = ["{port}"]
entrypoint = ["{venv}/bin/python", "-m", "uvicorn", "{package}.main:app", "--host", "0.0.0.0"]
command = ["--port", "{port}"]

[healthcheck]
http = "http://127.0.0.1:{port}/health"

[gates]
start-within = "30s"
"""

_PROGRAM = '''\
"""The service {name}: what it answers."""

from fastapi import FastAPI

app = FastAPI(title="{name}")


@app.get("/health")
def health() -> dict[str, str]:
    """Say that the process is alive."""
    return {{"status": "ok"}}


@app.get("/health/ready")
def ready() -> dict[str, str]:
    """Say that there is nothing to wait for: no database yet, no model."""
    return {{"status": "ready"}}


@app.get("/greetings/{{name}}")
def greet(name: str) -> dict[str, str]:
    """Greet somebody."""
    return {{"greeting": f"Hello, {{name}}!"}}
'''

_TEST = '''\
"""The answers of {name}, asked without a server."""

from {package}.main import greet, health


def test_health_says_ok() -> None:
    assert health() == {{"status": "ok"}}


def test_a_greeting_names_who_is_greeted() -> None:
    assert greet("Ada") == {{"greeting": "Hello, Ada!"}}
'''


def debian_base_files(suite: str, python: str) -> dict[str, str]:
    """Return the files of a base on Debian, with Python."""
    recipe = _DEBIAN_BASE.format(suite=suite, python=python)
    return {RECIPE_FILE: recipe, REQUIREMENTS_FILE: _BASE_REQUIREMENTS}


def base_files(parent: str, summary: str, projects: Iterable[str] = ()) -> dict[str, str]:
    """Return the files of a base on another image, which adds these projects."""
    recipe = _BASE.format(parent=parent, summary=summary)
    return {RECIPE_FILE: recipe, REQUIREMENTS_FILE: _requirements(projects)}


def service_files(
    name: str, parent: str, summary: str, projects: Collection[str], venv: str
) -> dict[str, str]:
    """Return the files of a service that answers, its test included; `projects` it asks for."""
    package = package_of(name, projects)
    words = {"name": name, "package": package, "parent": parent, "summary": summary}
    files: Mapping[str, str] = {
        RECIPE_FILE: _SERVICE.format(**words, venv=venv, port=_PORT),
        f"{package}/__init__.py": "",
        f"{package}/main.py": _PROGRAM.format(**words),
        f"test_{package}.py": _TEST.format(**words),
    }
    lines = "".join(f"{project}\n" for project in projects)
    return {**files, **({REQUIREMENTS_FILE: lines} if projects else {})}


def package_of(name: str, projects: Iterable[str] = ()) -> str:
    """Return the package that a service's program is: no other that it imports is of that name."""
    package = re.sub(r"\W", "_", name)
    imported = {re.sub(r"\W", "_", project.lower()) for project in (*SERVICE_NEEDS, *projects)}
    taken = package in sys.stdlib_module_names or package in imported
    is_name = package.isidentifier() and not keyword.iskeyword(package)
    return package if is_name and not taken else f"service_{package}"


def _requirements(projects: Iterable[str]) -> str:
    return _BASE_REQUIREMENTS + "".join(f"{project}\n" for project in projects)
