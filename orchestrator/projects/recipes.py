"""Recipes as projects speak for them: texts, and what is guessed or left open."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from orchestrator.discovery.drafts import Undecided
from orchestrator.discovery.guesses import Guess
from orchestrator.projects.program import PORT, Part, Program
from orchestrator.projects.project import INCLUDE, Project
from orchestrator.recipe import RECIPE_FILE, REQUIREMENTS_FILE

BASE = "python-base"


@dataclass(frozen=True, slots=True)
class Draft:
    """A service that a project speaks for; `folder` is where its recipe goes.

    `parts` and `requirements` are its own and those of the projects beside it that it needs.
    """

    name: str
    folder: PurePosixPath
    project: Project
    program: Program
    parts: tuple[Part, ...]
    requirements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Drafted:
    """The files of a service, by path from the root, and what is to be said of them."""

    files: dict[str, str]
    guesses: list[Guess] = field(default_factory=list)
    undecided: list[Undecided] = field(default_factory=list)


def draft_files(draft: Draft, present: Sequence[str], venv: str) -> Drafted:
    """Return a service's recipe and, where no file that is there can be named, its requirements."""
    drafted = Drafted({})
    place = f"{draft.name} starts python {' '.join(draft.program.arguments)}"
    drafted.guesses.append(Guess(place, draft.program.because))
    requirements = _requirements(draft, present, drafted)
    recipe = draft.folder / RECIPE_FILE
    drafted.files[str(recipe)] = _recipe(draft, requirements, venv)
    if not draft.program.health:
        message = f"nothing says how {draft.name} is asked whether it is well"
        hint = 'add [healthcheck], for example http = "http://127.0.0.1:8000/health"'
        drafted.undecided.append(Undecided(str(recipe), None, message, hint))
    return drafted


def _requirements(draft: Draft, present: Sequence[str], drafted: Drafted) -> str:
    """Return the path of the requirements from the recipe's folder; empty where there are none."""
    project = draft.project
    if project.as_it_is and draft.requirements == project.requirements:
        return posixpath.relpath(project.file.as_posix(), draft.folder.as_posix())
    if not draft.requirements:
        return ""
    taken = str(draft.folder / REQUIREMENTS_FILE) in present
    name = f"image-{REQUIREMENTS_FILE}" if taken else REQUIREMENTS_FILE
    lines = "".join(f"{_from(draft.folder, line)}\n" for line in draft.requirements)
    about = f"# What the image needs, as {project.file} says it; a change belongs into both.\n"
    drafted.files[str(draft.folder / name)] = about + lines
    guess = f"{draft.name} needs what {draft.folder / name} lists"
    drafted.guesses.append(Guess(guess, f"taken from {project.file}"))
    return name


def _from(folder: PurePosixPath, line: str) -> str:
    """Return a line as it stands in a file of a folder: what it includes is found from there."""
    if not line.startswith(INCLUDE):
        return line
    return INCLUDE + posixpath.relpath(line.removeprefix(INCLUDE), folder.as_posix())


def _recipe(draft: Draft, requirements: str, venv: str) -> str:
    program = draft.program
    lines = [f'from = "{BASE}"', f"summary = {_text(draft.project.summary or draft.name)}", ""]
    if requirements not in {"", REQUIREMENTS_FILE}:
        lines += ["[python]", f"requirements = [{_text(requirements)}]", ""]
    for part in draft.parts:
        lines += ["[[files]]", f"from = {_text(_source(draft, part))}"]
        lines += [f"to = {_text(part.target)}"]
        is_folder = part.source.suffix != ".py"
        lines += ['exclude = ["tests/", "test_*.py"]', ""] if is_folder else [""]
    words = ", ".join(map(_text, [f"{venv}/bin/python", *program.arguments]))
    lines += ["[config]", 'user = "1000"', 'workdir = "/app"']
    lines += [f'expose = ["{PORT}"]'] if program.is_served else []
    lines += [f"entrypoint = [{words}]"]
    lines += [f"stop-signal = {_text(program.stop_signal)}"] if program.stop_signal else []
    if program.health:
        address = f"http://127.0.0.1:{PORT}{program.health}"
        lines += ["", "[healthcheck]", f"http = {_text(address)}"]
    return "\n".join([*lines, ""])


def _source(draft: Draft, part: Part) -> str:
    is_inside = part.source.is_relative_to(draft.folder) and part.source != draft.folder
    return str(part.source.relative_to(draft.folder)) if is_inside else f"//{part.source}"


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
