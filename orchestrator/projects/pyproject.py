"""Projects that a `pyproject.toml` describes: by the standard, for Poetry, in a workspace of uv.

Source: the pyproject.toml specification (PEP 621); the settings of Poetry and of uv.
"""

from __future__ import annotations

import posixpath
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from orchestrator.discovery.drafts import Undecided
from orchestrator.git import without_credentials
from orchestrator.projects.indexes import undecided_index
from orchestrator.projects.poetry import requirement_text, specifiers
from orchestrator.projects.project import Project

FILE = "pyproject.toml"


def read_pyproject(root: Path, path: PurePosixPath) -> tuple[Project | None, tuple[Undecided, ...]]:
    """Read a project; None where the file describes none, with what is not decided all the same."""
    try:
        text = (root / path).read_text("utf-8")
        document = tomllib.loads(text)
    except (OSError, ValueError) as error:
        return None, (Undecided(str(path), None, f"cannot be read: {error}"),)
    tool, standard = _table(document, "tool"), _table(document, "project")
    poetry = _table(tool, "poetry")
    reading = _Reading(path, text, _table(_table(tool, "uv"), "sources"))
    reading.take_indexes(tool)
    if not standard and not poetry:
        return None, tuple(reading.undecided)
    reading.take_standard(standard)
    if "dependencies" not in standard:
        reading.take_poetry(_table(poetry, "dependencies"))
    described = {**poetry, **standard}
    project = Project(
        folder=path.parent,
        file=path,
        name=str(described.get("name", "")),
        summary=str(described.get("description", "")).strip().partition("\n")[0],
        requirements=tuple(reading.requirements),
        local=tuple(reading.local),
        local_folders=tuple(reading.folders),
        requires_python=str(standard.get("requires-python", reading.python)),
        scripts={
            name: target
            for name, target in {**_table(poetry, "scripts"), **_table(standard, "scripts")}.items()
            if isinstance(target, str)
        },
        undecided=tuple(reading.undecided),
    )
    return project, ()


def _table(table: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = table.get(key)
    return value if isinstance(value, dict) else {}


@dataclass(slots=True)
class _Reading:
    """What has been taken out of a file so far."""

    path: PurePosixPath
    text: str
    sources: Mapping[str, Any]
    requirements: list[str] = field(default_factory=list)
    local: list[str] = field(default_factory=list)
    folders: list[PurePosixPath] = field(default_factory=list)
    undecided: list[Undecided] = field(default_factory=list)
    python: str = ""

    def take_standard(self, project: Mapping[str, Any]) -> None:
        """Take what `[project]` asks for; `[tool.uv.sources]` says which of it is elsewhere."""
        if "dependencies" in _listed(project.get("dynamic")):
            hint = "write them out under [project], or into a requirements.txt beside it"
            self.leave("what it needs is dynamic: known only when it is built", "dynamic", hint)
        sources = {canonicalize_name(name): source for name, source in self.sources.items()}
        for text in _listed(project.get("dependencies")):
            try:
                requirement = Requirement(str(text))
            except InvalidRequirement as error:
                shown = without_credentials(str(text))
                self.leave(f"{shown!r} is no requirement: {str(error).splitlines()[0]}", str(text))
                continue
            source = sources.get(canonicalize_name(requirement.name), {})
            where = {"url": requirement.url} if requirement.url else _first(source)
            if not self.take_elsewhere(requirement.name, where):
                self.requirements.append(str(requirement))

    def take_poetry(self, dependencies: Mapping[str, Any]) -> None:
        """Take what Poetry's table asks for; what is optional is for extras."""
        for name, value in dependencies.items():
            for spec in value if isinstance(value, list) else [value]:
                table = spec if isinstance(spec, dict) else {"version": spec}
                if name.lower() == "python":
                    self.python = self.converted(name, {"version": table.get("version", "*")})
                elif not table.get("optional") and not self.take_elsewhere(name, table):
                    self.requirements += filter(None, [self.converted(name, table)])

    def converted(self, name: str, spec: Mapping[str, Any]) -> str:
        """Return a dependency as PEP 508; of Python its versions alone; nothing if undecided."""
        try:
            is_python = name.lower() == "python"
            return specifiers(str(spec["version"])) if is_python else requirement_text(name, spec)
        except ValueError as error:
            self.leave(f"{name}: {error}", name, "write it as PEP 440 does, such as >=1.2,<2")
            return "" if name.lower() == "python" else name

    def take_elsewhere(self, name: str, where: Mapping[str, Any]) -> bool:
        """Take a dependency that comes from no index; return whether it was one."""
        if where.get("workspace"):
            self.local.append(canonicalize_name(name))
        elif isinstance(where.get("path"), str):
            joined = posixpath.normpath(posixpath.join(self.path.parent.as_posix(), where["path"]))
            self.folders.append(PurePosixPath(joined))
        elif where.get("git") or where.get("url"):
            hint = "put a wheel of it into a folder that find-links names, and ask for its version"
            self.leave(f"{name} comes from an address, which a lock cannot hold", name, hint)
        else:
            return False
        return True

    def take_indexes(self, tool: Mapping[str, Any]) -> None:
        """Tell of the package indexes that the file names."""
        uv, poetry = _table(tool, "uv"), _table(tool, "poetry")
        tables = [*_tables(uv.get("index")), *_tables(poetry.get("source"))]
        urls = [uv.get("index-url"), *_listed(uv.get("extra-index-url"))]
        for url in [*urls, *(table.get("url") for table in tables)]:
            if isinstance(url, str):
                self.undecided.append(undecided_index(self.path, self.line(url), url))

    def leave(self, message: str, words: str, hint: str = "") -> None:
        """Note what is not decided, at the line that has these words."""
        self.undecided.append(Undecided(str(self.path), self.line(words), message, hint))

    def line(self, words: str) -> int | None:
        """Return the first line that has these words."""
        lines = self.text.splitlines()
        return next((at for at, line in enumerate(lines, 1) if words in line), None)


def _first(source: Any) -> Mapping[str, Any]:
    """Return where a source of uv's is; of several, for different markers, the first."""
    found = source[0] if isinstance(source, list) and source else source
    return found if isinstance(found, dict) else {}


def _tables(value: Any) -> Iterator[Mapping[str, Any]]:
    yield from (item for item in _listed(value) if isinstance(item, dict))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
