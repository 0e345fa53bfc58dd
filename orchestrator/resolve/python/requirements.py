"""Requirement files: PEP 508 lines with the file and line they stand on."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from orchestrator.errors import WorkspaceError, unreadable
from orchestrator.printable import short
from orchestrator.texts import CONFLICT, conflict_line, read_text

_COMMENT = re.compile(r"(^|\s)#.*$")
_WRITTEN_SO = "write NAME, NAME==1.2 or NAME[extra]>=1.2,<2; python_version < '3.12'"
_WITHOUT_HASHES = "take --hash and what follows out: orch.lock has the digests"
_INCLUDE = re.compile(r"(?:-r|--requirement)[ =]+(\S+)")


@dataclass(frozen=True, slots=True)
class RequirementLine:
    """One requirement and where it was written; `where` is `FILE:LINE`."""

    requirement: Requirement
    where: str

    @property
    def name(self) -> str:
        """Return the project's normalised name (PEP 503)."""
        return canonicalize_name(self.requirement.name)

    def allows(self, version: str) -> bool:
        """Tell whether a version satisfies the line; pre-releases count (PEP 440)."""
        return self.requirement.specifier.contains(version, prereleases=True)

    def applies(self, environment: Mapping[str, str]) -> bool:
        """Tell whether the line's marker, if any, holds in an environment (PEP 508)."""
        marker = self.requirement.marker
        return marker is None or marker.evaluate({"extra": "", **environment})

    def __str__(self) -> str:
        """Return the requirement as PEP 508 text."""
        return str(self.requirement)


def read_requirements(file: Path, root: Path) -> tuple[RequirementLine, ...]:
    """Read a requirements or constraints file, included files too.

    Raises:
        WorkspaceError: A line is no requirement, or a form that a lock cannot hold.
    """
    return tuple(_read(Path(os.path.normpath(file)), root, ()))


def names_that_differ(before: str, now: str, shown: str) -> frozenset[str]:
    """Return the projects about which two texts of one requirements file say different things.

    Raises:
        WorkspaceError: A line that differs is no requirement, such as one that includes a file.
    """
    lines = [{line for _, line in logical_lines(text)} for text in (before, now)]
    differing = (_parse(line, shown, None) for line in lines[0] ^ lines[1])
    return frozenset(canonicalize_name(requirement.name) for requirement in differing)


def requirement_files(file: Path) -> tuple[Path, ...]:
    """Return a requirements file and all it includes, those that are missing too."""
    found: dict[Path, None] = {}
    pending = [Path(os.path.normpath(file))]
    while pending:
        path = pending.pop()
        if path in found:
            continue
        found[path] = None
        try:
            lines = list(logical_lines(read_text(path)))
        except (OSError, ValueError):  # no text, or no name of a file
            continue
        includes = (_INCLUDE.fullmatch(line) for _, line in lines)
        names = [include.group(1) for include in includes if include]
        pending += [Path(os.path.normpath(path.parent / name)) for name in names]
    return tuple(found)


def _read(file: Path, root: Path, within: tuple[Path, ...]) -> Iterator[RequirementLine]:
    shown = _shown(file, root)
    if file in within:
        hint = "take out the -r line that leads back to it"
        raise WorkspaceError("includes itself", file=shown, hint=hint)
    try:
        text = read_text(file)
    except (OSError, ValueError) as error:
        raise unreadable(error, shown) from error
    if conflict := conflict_line(text):
        raise WorkspaceError(CONFLICT, file=shown, line=conflict, hint="settle it in the file")
    for number, line in logical_lines(text):
        if include := _INCLUDE.fullmatch(line):
            included = Path(os.path.normpath(file.parent / include.group(1)))
            yield from _read(included, root, (*within, file))
        else:
            yield RequirementLine(_parse(line, shown, number), f"{shown}:{number}")


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of a requirements file: joined, without comments, with their numbers."""
    pending, first = "", 0
    for number, raw in enumerate(text.splitlines(), 1):
        line = _COMMENT.sub("", raw)
        first = first or number
        if line.endswith("\\"):
            pending += line[:-1]
            continue
        if whole := (pending + line).strip():
            yield first, whole
        pending, first = "", 0
    if pending.strip():
        yield first, pending.strip()


def _parse(line: str, shown: str, number: int | None) -> Requirement:
    if line.startswith("-"):
        raise WorkspaceError(
            f"the option {line.partition('=')[0].split()[0]!r} is not taken in requirement files",
            file=shown,
            line=number,
            hint="indexes and find-links belong in pip's configuration or [python] of orch.toml",
        )
    try:
        requirement = Requirement(line)
    except InvalidRequirement as error:
        raise WorkspaceError(
            f"{short(line)!r} is no requirement: {short(str(error).splitlines()[0])}",
            file=shown,
            line=number,
            hint=_WITHOUT_HASHES if "--hash" in line else _WRITTEN_SO,
        ) from error
    if requirement.url:
        raise WorkspaceError(
            f"{requirement.name} is asked for by URL, which a lock without hosts cannot hold",
            file=shown,
            line=number,
            hint="put the wheel into a folder that find-links names, and ask for its version",
        )
    return requirement


def _shown(file: Path, root: Path) -> str:
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else str(file)
