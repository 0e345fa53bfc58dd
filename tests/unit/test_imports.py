"""Imports run downwards only; heavy libraries have one home; the core touches nothing."""

from __future__ import annotations

import ast
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import orchestrator

SOURCE = Path(orchestrator.__file__).parent

ROOMS = (
    "__main__",
    "cli",
    "cluster",
    "app",
    "report",
    "evidence",
    "vulnerabilities",
    "differences",
    "fitness",
    "publish",
    "verify",
    "attest",
    "fsck",
    "engines",
    "wheelhouse",
    "checks",
    "projects",
    "resolve",
    "schedule",
    "state",
    "history",
    "database",
    "remembered",
    "unused",
    "elsewhere",
    "ports",
    "oci",
    "select",
    "plan",
    "fingerprint",
    "deployments",
    "pipelines",
    "discovery",
    "templates",
    "context",
    "contextfilter",
    "files",
    "lockwriting",
    "lockfile",
    "lockbuilds",
    "foundations",
    "externals",
    "graph",
    "edges",
    "siblings",
    "workspace",
    "dockerfile",
    "ignorefile",
    "globbing",
    "recipe",
    "recipe_config",
    "settings",
    "limits",
    "tagging",
    "tables",
    "quantities",
    "positions",
    "fetch",
    "supply",
    "transfer",
    "levels",
    "aws",
    "rewriting",
    "atomic",
    "git",
    "scratch",
    "links",
    "usage",
    "paths",
    "head",
    "logs",
    "model",
    "errors",
    "printable",
    "texts",
)
"""The rooms of the house from top to bottom; a module may import what stands below it."""

WITHIN = {
    "discovery": ("proposal", "writing", "guesses", "drafts", "compose", "definitions"),
    "attest": ("sbom", "provenance", "found", "bill", "artifacts"),
    "publish": (
        "pull",
        "promote",
        "push",
        "survey",
        "ecr",
        "crew",
        "premises",
        "referrers",
        "outgoing",
        "findings",
        "http_registry",
        "upload",
        "wire",
        "auth",
        "credentials",
        "connections",
        "certificates",
        "exchange",
        "registry",
        "reference",
        "untrusted",
    ),
    "engines": ("assembler", "buildkit", "docker"),
    "dockerfile": ("reading", "scope", "stages", "references", "variables", "instructions"),
    "resolve": (
        "tools",
        "relock",
        "outdated",
        "objectors",
        "upgrading",
        "pinning",
        "lock",
        "choosing",
        "behind",
        "explained",
        "explanations",
        "builds",
        "target",
        "inputs",
        "python",
        "debian",
        "edges",
    ),
    "remembered": ("unmoved", "ahead", "digests", "recipes", "parsed", "stamps", "memory"),
    "oci": (
        "archive",
        "imported",
        "layout",
        "image",
        "joining",
        "layer",
        "segment",
        "tar",
        "unpacking",
        "reading",
    ),
    "report": ("push_progress", "progress", "showing", "pictures", "pushes", "documents", "text"),
}
"""The order within rooms that have one."""

CORE = (
    "evidence",
    "select",
    "plan",
    "fingerprint",
    "context",
    "contextfilter",
    "files",
    "lockwriting",
    "lockfile",
    "lockbuilds",
    "foundations",
    "externals",
    "graph",
    "edges",
    "siblings",
    "workspace",
    "dockerfile",
    "ignorefile",
    "globbing",
    "recipe",
    "recipe_config",
    "settings",
    "limits",
    "tagging",
    "tables",
    "quantities",
    "positions",
    "model",
    "errors",
    "printable",
    "texts",
)
IMPURE = {
    "asyncio",
    "datetime",
    "http",
    "httpx",
    "locale",
    "platform",
    "random",
    "requests",
    "socket",
    "sqlite3",
    "subprocess",
    "tempfile",
    "threading",
    "time",
    "urllib",
    "uuid",
}

HOMES = {
    "auditwheel": ("wheelhouse.abi_worker",),
    "boto3": ("aws", "wheelhouse"),
    "click": ("cli",),
    "cyclonedx": ("attest.sbom",),
    "distributed": ("cluster",),
    "docker": ("engines.docker.engine",),
    "httpx": ("transfer", "resolve.debian.fetch", "publish.connections", "publish.wire"),
    "jinja2": ("report.page", "pipelines.rendering"),
    "installer": ("engines.assembler.wheel",),
    "networkx": ("graph",),
    "opentelemetry": ("app.telemetry",),
    "packageurl": ("attest.bill",),
    "pathspec": ("files",),
    "resolvelib": ("resolve.debian",),
    "rich": ("report",),
    "ruamel": ("deployments.documents", "discovery.compose"),
    "structlog": ("logs",),
    "sqlite3": ("database", "remembered.memory"),
    "toml": ("lockwriting",),
    "uv": ("resolve.python.uv",),
}
"""Where alone a library is imported: modules, or rooms with all that is in them."""


def modules() -> dict[str, Path]:
    """Return every module by its name below `orchestrator`, the package itself left out."""
    found = {}
    for file in sorted(SOURCE.rglob("*.py")):
        parts = file.relative_to(SOURCE).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__")
        if name:
            found[name] = file
    return found


MODULES = modules()


def imports_of(source: str) -> Iterator[str]:
    """Yield what a module imports, wherever in it: in functions and for type checkers too.

    `from orchestrator.app import locking` yields the module `orchestrator.app.locking`.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "relative imports hide where they lead"
            module = node.module or ""
            for alias in node.names:
                inner = f"{module}.{alias.name}"
                yield inner if inner.removeprefix("orchestrator.") in MODULES else module


def edges() -> list[tuple[str, str]]:
    """Return every import of one of our modules by another."""
    return [
        (name, imported.removeprefix("orchestrator."))
        for name, file in MODULES.items()
        for imported in imports_of(file.read_text("utf-8"))
        if imported.startswith("orchestrator.")
    ]


def room(module: str) -> str:
    return module.partition(".")[0]


def runs_upwards(importer: str, imported: str) -> bool:
    above, below = room(importer), room(imported)
    if above != below:
        return ROOMS.index(below) < ROOMS.index(above)
    order = WITHIN.get(above, ())
    inner = [name.partition(".")[2].partition(".")[0] for name in (importer, imported)]
    if not all(name in order for name in inner):
        return False
    return order.index(inner[1]) < order.index(inner[0])


@pytest.mark.parametrize("module", MODULES)
def test_every_module_has_its_place_in_the_house(module: str) -> None:
    assert room(module) in ROOMS, f"say in ROOMS where {module} stands"


def test_imports_run_downwards_only() -> None:
    known = [(a, b) for a, b in edges() if {room(a), room(b)} <= set(ROOMS)]
    upwards = [f"{a} imports {b}" for a, b in known if runs_upwards(a, b)]
    assert not upwards


def test_an_import_upwards_is_noticed() -> None:
    assert runs_upwards("errors", "model")
    assert runs_upwards("oci.layer", "ports")
    assert runs_upwards("oci.tar", "oci.segment")
    assert not runs_upwards("ports", "oci.layer")


def test_no_modules_import_each_other_in_a_circle() -> None:
    sorter: graphlib.TopologicalSorter[str] = graphlib.TopologicalSorter()
    for importer, imported in edges():
        if not imported.startswith(importer + "."):
            sorter.add(importer, imported)
    sorter.prepare()


def test_imports_in_functions_and_for_type_checkers_are_seen() -> None:
    source = (
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import httpx\n"
        "def f():\n    from orchestrator.app import building\n"
    )
    assert set(imports_of(source)) == {"typing", "httpx", "orchestrator.app.building"}


@pytest.mark.parametrize("module", [name for name in MODULES if room(name) in CORE])
def test_the_pure_core_has_no_clock_no_network_and_no_subprocess(module: str) -> None:
    imported = {name.partition(".")[0] for name in imports_of(MODULES[module].read_text("utf-8"))}
    assert not imported & IMPURE


def test_starting_imports_no_heavy_library() -> None:
    heavy = set(HOMES) - {"click", "toml"}
    script = "import sys, orchestrator.cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert not heavy & set(done.stdout.decode().split())


@pytest.mark.parametrize("library", HOMES)
def test_a_library_is_imported_in_its_home_alone(library: str) -> None:
    abroad = [
        name
        for name, file in MODULES.items()
        if library in {found.partition(".")[0] for found in imports_of(file.read_text("utf-8"))}
        and not any(name == home or name.startswith(f"{home}.") for home in HOMES[library])
    ]
    assert not abroad
