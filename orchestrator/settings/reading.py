"""The settings of a workspace: `orch.toml`, or `[tool.orch]` in a `pyproject.toml`."""

from __future__ import annotations

import re
from pathlib import Path

from packaging.utils import canonicalize_name

from orchestrator.errors import WorkspaceError
from orchestrator.model import AttestSettings, HistorySettings, Settings
from orchestrator.settings.checks import take_checks
from orchestrator.settings.ci import take_ci
from orchestrator.settings.ecr import take_ecr
from orchestrator.settings.gc import take_gc
from orchestrator.settings.images import take_buildkit, take_image, take_platforms, take_tags
from orchestrator.settings.packages import take_debian, take_python, take_wheel, take_wheelhouse
from orchestrator.settings.report import take_report
from orchestrator.tables import Table

SETTINGS_FILE = "orch.toml"
_MOST_KEPT = 100_000
_TABLE = re.compile(r"^\s*\[tool\.orch[].]", re.MULTILINE)


def find_settings(start: Path) -> tuple[Path, tuple[str, ...]]:
    """Walk up from `start` to the file with the settings; return it and the table's path.

    Raises:
        WorkspaceError: No folder on the way up has settings.
    """
    for folder in (start, *start.parents):
        if (folder / SETTINGS_FILE).is_file():
            return folder / SETTINGS_FILE, ()
        project = folder / "pyproject.toml"
        if project.is_file() and _TABLE.search(project.read_text("utf-8", errors="replace")):
            return project, ("tool", "orch")
    raise WorkspaceError(
        f"no {SETTINGS_FILE} in {start} or any folder above it",
        hint=f"orch init writes one; or write a file {SETTINGS_FILE} that says where images are, "
        'for example bases = ["base/*"] and services = ["services/*"]',
    )


def read_settings(start: Path) -> Settings:
    """Read the settings that hold for a folder.

    Raises:
        WorkspaceError: There are none, or they are not valid.
    """
    file, path = find_settings(start)
    return take_settings(Table.read(file, path), file)


def take_settings(table: Table, file: Path) -> Settings:
    """Take settings out of the table of a file.

    Raises:
        WorkspaceError: They are not valid.
    """
    settings = Settings(
        file=file,
        bases=table.take_strs("bases", ("base/*",)),
        services=table.take_strs("services", ("services/*",)),
        constraints=table.take_str("constraints", "constraints.txt"),
        registry=table.take_str("registry"),
        aliases=table.take_strs("aliases"),
        platforms=take_platforms(table),
        tags=take_tags(table, ("latest",)),
        source=table.take_str("source"),
        deployments=table.take_strs("deployments"),
        python=take_python(table.take_table("python")),
        debian=take_debian(table.take_table("debian")),
        wheelhouse=take_wheelhouse(table.take_table("wheelhouse")),
        buildkit=take_buildkit(table.take_table("buildkit")),
        ecr=take_ecr(table.take_table("ecr")),
        attest=_attest(table.take_table("attest")),
        checks=take_checks(table.take_table("checks")),
        history=_history(table.take_table("history")),
        report=take_report(table.take_table("report")),
        ci=take_ci(table.take_table("ci")),
        gc=take_gc(table.take_table("gc")),
        images={
            name: take_image(name, inner)
            for name, inner in table.take_named_tables("image").items()
        },
        wheels={
            str(canonicalize_name(name)): take_wheel(inner)
            for name, inner in table.take_named_tables("wheels").items()
        },
    )
    table.close()
    return settings


def _attest(table: Table) -> AttestSettings:
    default = AttestSettings()
    attest = AttestSettings(
        documents=table.take_strs("documents", default.documents),
        builder=table.take_str("builder"),
        required=table.take_bool("required", default=False),
    )
    if unknown := sorted(set(attest.documents) - set(default.documents)):
        known = " and ".join(default.documents)
        table.fail("documents", f"there is no document {unknown[0]!r}", hint=f"there are {known}")
    if not re.fullmatch(r"([a-zA-Z][\w+.-]*:[^@\s]+)?", attest.builder):
        hint = 'it says who builds, such as "https://ci.example.com/voice"'
        table.fail("builder", f"builder must be a URI, not {attest.builder!r}", hint=hint)
    table.close()
    return attest


def _history(table: Table) -> HistorySettings:
    default = HistorySettings()
    history = HistorySettings(
        runs=table.take_int("runs", default.runs), days=table.take_int("days", default.days)
    )
    for key, value in (("runs", history.runs), ("days", history.days)):
        if not 0 <= value <= _MOST_KEPT:
            hint = f"write a number up to {_MOST_KEPT}; 0 keeps all"
            table.fail(key, f"{key} must not be {value}", hint)
    table.close()
    return history
