"""The requirements that Dockerfiles install and settings do not name, where that can be told."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from orchestrator.checks.commands import Command, commands_of
from orchestrator.checks.dockerfiles import DockerfileView
from orchestrator.checks.subject import Subject
from orchestrator.dockerfile.instructions import Instruction
from orchestrator.errors import OrchError
from orchestrator.model import Image
from orchestrator.resolve.python.requirements import (
    RequirementLine,
    read_requirements,
    requirement_files,
)

_Copied = tuple[str, str]
"""A path in the image, and that in the context of what is there; "" where it is from elsewhere."""

_OPEN = re.compile(r"[\0$*?\[\]~]")
_OPTION = re.compile(r"(?:--requirement(?:=|$)|-r)(.*)")
_ELSEWHERE = ("-t", "--target", "--prefix", "--root")
_UNKNOWN, _UNKNOWN_TOO = "/\0", "/\0\0"
"""Where a stage begins, and where a `cd` leads: paths that nothing else is at."""
_PERHAPS = frozenset({"if", "case", "for", "while", "until"})


def with_installed(subject: Subject) -> Subject:
    """Return a subject that knows what Dockerfiles install too.

    A file counts where it surely is one of the workspace: copied or mounted from the context by its
    plain name, and installed in a stage that becomes the image, into the Python that is below too.
    One that `orch` cannot read is passed over, as no build of `orch` reads it.
    """
    found = dict(subject.requirements)
    for image in subject.graph.images.values():
        if image.build is not None and image.build.settings.requirements is None:
            files = _installed_files(subject, image)
            found[image.name] = tuple(line for file in files for line in _lines(subject, file))
    return replace(subject, requirements=found)


def _lines(subject: Subject, file: str) -> tuple[RequirementLine, ...]:
    root = subject.workspace.root
    try:
        lines = read_requirements(root / file, root)
    except OrchError:
        return ()
    for each in requirement_files(root / file):
        subject.sources.text(os.path.relpath(each, root))  # suppressions are looked for in it
    return lines


def _installed_files(subject: Subject, image: Image) -> tuple[str, ...]:
    dockerfile = subject.dockerfile(image)
    if dockerfile is None:
        return ()
    view = DockerfileView(subject, image, dockerfile)
    if subject.graph.below.get(image.name) and _makes_environment(view):
        return ()
    return tuple(dict.fromkeys(_files(view)))


def _makes_environment(view: DockerfileView) -> bool:
    """Tell whether it has an environment of its own, which does not see what is below."""
    commands = (one for run in view.instructions("RUN") for one in commands_of(view, run))
    return any({"venv", "virtualenv"} & set(one.texts) for one in commands)


def _files(view: DockerfileView) -> Iterator[str]:
    """Yield the files of the workspace that are installed, of what was copied till then."""
    folder = _UNKNOWN
    copied: list[_Copied] = []
    for instruction in view.instructions("WORKDIR", "COPY", "ADD", "RUN"):
        if instruction.name == "WORKDIR":
            folder = _inside(folder, instruction.rest.strip().strip("\"'"))
        elif instruction.name == "RUN":
            known = [*copied, *_mounted(instruction, folder)]
            for path in _wanted(commands_of(view, instruction), folder):
                if file := _source(view, PurePosixPath(path), known):
                    yield file
        else:
            copied += _copied(view, instruction, folder)


def _copied(view: DockerfileView, copy: Instruction, folder: str) -> Iterator[_Copied]:
    """Yield where a COPY puts what it takes: in the place, or as what the place is called."""
    words = [word.strip("\"'") for word in copy.words(view.dockerfile.escape)]
    place = _inside(folder, words[-1]) if words else ""
    for source in words[:-1]:
        is_plain = not copy.flag("from") and not _OPEN.search(source) and "://" not in source
        path = _plain(source) if is_plain else ""
        yield place, path
        if path:
            yield posixpath.join(place, posixpath.basename(path)), path


def _mounted(run: Instruction, folder: str) -> Iterator[_Copied]:
    """Yield where a RUN has what it mounts."""
    for flag in run.flags:
        rows = (part.partition("=") for part in flag.removeprefix("--mount=").split(","))
        options = {key: value.strip("\"'") for key, _, value in rows}
        named = (options[key] for key in ("target", "dst", "destination") if key in options)
        source = options.get("source", options.get("src", "."))
        is_context = options.get("type", "bind") == "bind" and "from" not in options
        for target in named:
            is_plain = is_context and not _OPEN.search(source)
            yield _inside(folder, target), _plain(source) if is_plain else ""


def _wanted(commands: Sequence[Command], folder: str) -> Iterator[str]:
    """Yield the paths in the image of the files that commands surely install."""
    if any(one.texts[0] in _PERHAPS for one in commands):
        return
    for command in commands:
        if command.texts[0] in {"cd", "pushd"}:
            folder = _UNKNOWN_TOO
        texts = [word.text for word in command.pip_arguments or ()]
        if any(text.startswith(_ELSEWHERE) for text in texts):
            continue
        for option, following in zip(texts, [*texts, ""][1:], strict=True):
            if match := _OPTION.fullmatch(option):
                yield _inside(folder, match[1] or following)


def _source(view: DockerfileView, path: PurePosixPath, copied: Iterable[_Copied]) -> str:
    """Return the file of the workspace that is at a path in the image; "" where nobody knows."""
    for place, source in reversed(list(copied)):
        if not path.is_relative_to(place):
            continue
        if not source:
            return ""
        inner = path.relative_to(place)
        file = posixpath.normpath(view.image.path / source / inner)
        if view.subject.sources.text(file) is not None:
            return file
    return ""


def _plain(source: str) -> str:
    return posixpath.normpath(f"/{source}").lstrip("/") or "."


def _inside(folder: str, path: str) -> str:
    """Return a path in the image, absolute; variables count as they are written."""
    return posixpath.normpath(posixpath.join(folder, path or "."))
