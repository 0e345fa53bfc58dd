"""Projects that have a requirements file, for pip, and no description of themselves."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection
from pathlib import Path, PurePosixPath

from packaging.requirements import InvalidRequirement, Requirement

from orchestrator.discovery.drafts import Undecided
from orchestrator.git import without_credentials
from orchestrator.projects.indexes import undecided_index
from orchestrator.projects.project import INCLUDE, Project
from orchestrator.resolve.python.requirements import logical_lines

_NAMES = (
    "requirements.txt",
    "requirements-prod.txt",
    "requirements/prod.txt",
    "requirements/production.txt",
    "requirements/base.txt",
)
"""Files that list what a program needs, the first that is there; others are for its developers."""

_HASHES = re.compile(r"\s+--hash[= ]\S+")
_INDEX = re.compile(r"(?:--index-url|-i|--extra-index-url|--find-links|-f)[ =]+(\S+)")
_PATH = re.compile(r"(?:-e|--editable)[ =]+(\S+)|((?:\.{1,2}/|/)\S+|\.)")
_INCLUDE = re.compile(r"(?:-r|--requirement)[ =]+(\S+)")


def requirement_file_of(folder: PurePosixPath, paths: Collection[str]) -> PurePosixPath | None:
    """Return the file with what the program in a folder needs, if there is one."""
    files = (folder / name for name in _NAMES)
    return next((file for file in files if str(file) in paths), None)


def read_requirement_file(root: Path, folder: PurePosixPath, file: PurePosixPath) -> Project:
    """Read a project whose requirements are in a file.

    It can be named by a recipe as it is where its lines are requirements, or include files.
    """
    try:
        lines = list(logical_lines((root / file).read_text("utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        unread = Undecided(str(file), None, f"cannot be read: {error}")
        return Project(folder, file, folder.name, undecided=(unread,))
    requirements, folders, undecided, is_plain = [], [], [], True
    for number, line in lines:
        if include := _INCLUDE.fullmatch(line):
            included = posixpath.join(file.parent.as_posix(), include[1])
            requirements.append(f"{INCLUDE}{posixpath.normpath(included)}")
            continue
        bare = _HASHES.sub("", line)
        is_plain = is_plain and _is_requirement(line)
        if _is_requirement(bare):
            requirements.append(bare)
            continue
        path = _PATH.fullmatch(line)
        if path and "+" not in line:
            joined = posixpath.join(folder.as_posix(), (path[1] or path[2]).partition("[")[0])
            folders.append(PurePosixPath(posixpath.normpath(joined)))
        elif index := _INDEX.fullmatch(line):
            undecided.append(undecided_index(file, number, index[1]))
        else:
            hint = "put a wheel of it into a folder that find-links names, and ask for its version"
            shown = without_credentials(line.split()[0])
            message = f"{shown} is no requirement that a lock can hold"
            undecided.append(Undecided(str(file), number, message, hint))
    others = tuple(one for one in folders if one != folder)
    return Project(
        folder,
        file,
        folder.name,
        requirements=tuple(requirements),
        local_folders=others,
        as_it_is=is_plain,
        undecided=tuple(undecided),
    )


def _is_requirement(line: str) -> bool:
    try:
        return Requirement(line).url is None
    except InvalidRequirement:
        return False
