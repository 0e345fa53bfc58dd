"""Importing every Python project of an image, and loading every shared library, in a container."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from orchestrator.engines.docker.trial import Confined
from orchestrator.verify.observed import Loaded
from orchestrator.verify.runtime import Container, Runtime

WITHIN_S = 300.0
_PAUSE_S = 0.2
_MARK = "orch-loading: "

SCRIPT = r"""
import ctypes, importlib, importlib.metadata, json, os, sys

SKIPPED = {"benchmarks", "conftest", "docs", "examples", "scripts", "setup", "test", "tests"}
OUT = os.dup(1)  # what packages print while they are imported goes elsewhere
os.dup2(2, 1)

def say(**fields):
    os.write(OUT, ("orch-loading: " + json.dumps(fields) + "\n").encode())

def modules(project):
    files = importlib.metadata.files(project) or []
    packages = [file.parent.parts for file in files if file.name == "__init__.py"]
    depth = min((len(parts) for parts in packages), default=0)
    found = [parts for parts in packages if len(parts) == depth]
    found += [
        (file.name.partition(".")[0],)
        for file in files
        if len(file.parts) == 1 and file.suffix in (".py", ".so") and file.name != "__init__.py"
    ]
    return sorted({
        ".".join(parts)
        for parts in found
        if all(part.isidentifier() for part in parts) and parts[0] not in SKIPPED
    })

asked = json.loads(sys.argv[1])
for name in asked["libraries"]:
    say(at=name)
    try:
        ctypes.CDLL(name)
    except OSError as error:
        if "cannot open shared object file" in str(error):
            say(library=name, why=str(error))
for project in asked["projects"]:
    say(at=project)
    try:
        for module in modules(project):
            importlib.import_module(module)
    except BaseException as error:
        say(project=project, why=type(error).__name__ + ": " + str(error)[:300])
say(at="")
os._exit(0)  # no matter what threads there are
"""
"""Takes what to load as JSON; says what it is at, and what failed, a line each.

A library that can be opened and lacks a symbol is a plugin of some program: no fault.
"""


def load_all(
    runtime: Runtime,
    confined: Confined,
    python: str,
    projects: Sequence[str],
    libraries: Sequence[str],
) -> Loaded:
    """Import projects, all of their topmost packages, and load libraries by name.

    Raises:
        OrchError: The engine does not do as it is told.
    """
    asked = json.dumps({"projects": list(projects), "libraries": list(libraries)})
    command = (python, "-I", "-c", SCRIPT, asked)
    with runtime.container(replace(confined, command=command)) as container:
        container.start()
        ended = _await_end(container)
        return _read(container.log(), ended, len(projects), len(libraries))


def _await_end(container: Container) -> str:
    """Wait for the end; return how it came where that is not as it should be."""
    waited_s = 0.0
    while (state := container.state()).is_running:
        if waited_s > WITHIN_S:
            return f"was not done after {WITHIN_S:g} s"
        container.pause(_PAUSE_S)
        waited_s += _PAUSE_S
    return f"ended with exit code {state.exit_code}" if state.exit_code else ""


def _read(log: str, ended: str, packages: int, libraries: int) -> Loaded:
    rows = [
        json.loads(line.removeprefix(_MARK)) for line in log.splitlines() if line.startswith(_MARK)
    ]
    at = next((row["at"] for row in reversed(rows) if "at" in row), None)
    if not ended and at != "":
        ended = "ended early"
    return Loaded(
        packages,
        libraries,
        tuple((row["project"], row["why"]) for row in rows if "project" in row),
        tuple((row["library"], row["why"]) for row in rows if "library" in row),
        f"{ended}, at {at}" if ended and at else ended,
    )
