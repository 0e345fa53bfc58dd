"""Versions that the locks of uv and Poetry have, as constraints: so that none moves for now."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from packaging.utils import canonicalize_name

from orchestrator.discovery.drafts import Undecided

LOCKS = frozenset({"uv.lock", "poetry.lock"})

_ABOUT = "# One version of a package in every image. Taken from {files}.\n"


def read_pins(
    root: Path, paths: Collection[str], asked: Collection[str]
) -> tuple[str, tuple[Undecided, ...]]:
    """Return constraints for what is asked for, as text; nothing where no lock pins any of it.

    What locks pin to several versions is undecided, and no constraint.
    """
    files = [path for path in sorted(paths) if PurePosixPath(path).name in LOCKS]
    pins: dict[str, dict[str, str]] = {}
    for path in files:
        for name, version in _packages(root / path):
            if name in asked:
                pins.setdefault(name, {}).setdefault(version, path)
    lines, undecided = [], []
    for name in sorted(pins):
        if len(pins[name]) == 1:
            lines.append(f"{name}=={next(iter(pins[name]))}\n")
            continue
        several = " and ".join(f"{version} ({path})" for version, path in pins[name].items())
        hint = "name one in constraints.txt, or let orch lock take the newest"
        first = next(iter(pins[name].values()))
        undecided.append(Undecided(first, None, f"{name} is locked as {several}", hint))
    about = _ABOUT.format(files=", ".join(files)) if lines else ""
    return about + "".join(lines), tuple(undecided)


def _packages(file: Path) -> Iterator[tuple[str, str]]:
    """Yield what a lock pins of an index, by normalised name; none where it cannot be read."""
    try:
        packages: Any = tomllib.loads(file.read_text("utf-8")).get("package", [])
    except (OSError, ValueError):
        return
    tables = packages if isinstance(packages, list) else []
    for package in (table for table in tables if isinstance(table, dict)):
        name, version = package.get("name"), package.get("version")
        if name and version and _is_of_index(package.get("source", {})):
            yield canonicalize_name(str(name)), str(version)


def _is_of_index(source: Any) -> bool:
    """Tell whether a source is an index: `registry` of uv's, `legacy` or none of Poetry's."""
    if not isinstance(source, dict):
        return False
    return not source or "registry" in source or source.get("type") == "legacy"
