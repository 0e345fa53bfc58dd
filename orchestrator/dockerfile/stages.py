"""The stages of a Dockerfile: each FROM, and the instructions that follow it."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.dockerfile.instructions import Instruction, parse_instructions
from orchestrator.errors import WorkspaceError
from orchestrator.printable import short


@dataclass(frozen=True, slots=True)
class Stage:
    """A FROM with what follows it; `base` is as written."""

    index: int
    name: str
    base: str
    line: int
    instructions: tuple[Instruction, ...]


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """A Dockerfile, parsed; `arguments` are the ARG instructions before the first FROM."""

    file: str
    escape: str
    arguments: tuple[Instruction, ...]
    stages: tuple[Stage, ...]


def parse_dockerfile(text: str, file: str) -> Dockerfile:
    """Parse a Dockerfile; `file` is its name in errors.

    Raises:
        WorkspaceError: It has no FROM, or one that cannot be read.
    """
    instructions, escape = parse_instructions(text, file)
    starts = [number for number, item in enumerate(instructions) if item.name == "FROM"]
    if not starts:
        raise WorkspaceError("has no FROM", file=file, hint="begin with FROM IMAGE")
    before = instructions[: starts[0]]
    for item in before:
        if item.name != "ARG":
            hint = "only ARG may stand before the first FROM"
            message = f"{short(item.name)} stands before FROM"
            raise WorkspaceError(message, file=file, line=item.line, hint=hint)
    stages = []
    for index, start in enumerate(starts):
        end = starts[index + 1] if index + 1 < len(starts) else len(instructions)
        base, name = _parse_from(instructions[start], file)
        body = instructions[start + 1 : end]
        stages.append(Stage(index, name.lower(), base, instructions[start].line, body))
    return Dockerfile(file, escape, before, tuple(stages))


def _parse_from(instruction: Instruction, file: str) -> tuple[str, str]:
    words = instruction.rest.split()
    if len(words) == 1:
        return words[0], ""
    if len(words) == 3 and words[1].upper() == "AS":
        return words[0], words[2]
    raise WorkspaceError(
        f"FROM {short(instruction.rest)} cannot be read",
        file=file,
        line=instruction.line,
        hint="write FROM IMAGE or FROM IMAGE AS STAGE",
    )
