"""The instructions of a Dockerfile: lines joined, comments and here-documents taken out."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from orchestrator.errors import WorkspaceError

_DIRECTIVE = re.compile(r"#\s*([a-zA-Z]+)\s*=\s*(.+?)\s*")
_HEREDOC = re.compile(r"\d*<<(-?)([^<]+)")
_WITH_HEREDOC = frozenset({"ADD", "COPY", "RUN"})


@dataclass(frozen=True, slots=True)
class Instruction:
    """An instruction: its name in capitals, its flags as written, and what follows them.

    `rest` keeps quotes and variables. `line` is where it begins.
    """

    name: str
    flags: tuple[str, ...]
    rest: str
    line: int

    def flag(self, name: str) -> str:
        """Return the value of a flag, empty where it is not given; the last one counts."""
        prefix = f"--{name}="
        values = [flag.removeprefix(prefix) for flag in self.flags if flag.startswith(prefix)]
        return values[-1].strip("\"'") if values else ""

    def words(self, escape: str) -> list[str]:
        """Return the words after the flags, of the JSON form or of the plain one.

        Quotes are kept in the plain form; here-documents are no words.
        """
        if self.rest.startswith("["):
            try:
                words = json.loads(self.rest)
            except (ValueError, RecursionError):
                words = None
            if isinstance(words, list) and all(isinstance(word, str) for word in words):
                return words
        words = split_words(self.rest, escape)
        return [word for word in words if not _HEREDOC.fullmatch(word)]


def parse_instructions(text: str, file: str) -> tuple[tuple[Instruction, ...], str]:
    """Return a Dockerfile's instructions, and its escape character.

    As BuildKit's parser does: comments between continued lines are no part of them, a doubled
    escape character continues nothing, and what a here-document holds is no instruction.

    Raises:
        WorkspaceError: A here-document has no end.
    """
    lines = [line.removesuffix("\r") for line in text.removeprefix("\ufeff").split("\n")]
    escape = _escape_of(lines)
    found = []
    index = 0
    while index < len(lines):
        begin = index
        whole, index = _join(lines, index, escape)
        if not whole:
            continue
        instruction = _instruction(whole, begin + 1, escape)
        found.append(instruction)
        for strips_tabs, name in _heredocs(instruction, escape):
            index = _skip_heredoc(lines, index, name, strips_tabs=strips_tabs)
            if index < 0:
                message = f"the here-document {name!r} has no end"
                raise WorkspaceError(
                    message,
                    file=file,
                    line=begin + 1,
                    hint=f"end it with {name} on a line of its own",
                )
    return tuple(found), escape


def split_words(text: str, escape: str) -> list[str]:
    """Split at blanks outside of quotes; quotes and escapes stay in the words."""
    words, word, quote = [], "", ""
    index = 0
    while index < len(text):
        char = text[index]
        if char == escape and quote != "'" and index + 1 < len(text):
            word += text[index : index + 2]
            index += 2
            continue
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif char.isspace():
            words.append(word)
            word = ""
            index += 1
            continue
        word += char
        index += 1
    return [word for word in [*words, word] if word]


def _escape_of(lines: list[str]) -> str:
    """Return the escape character; directives stand before all else, even blank lines."""
    for line in lines:
        directive = _DIRECTIVE.fullmatch(line.strip())
        if not directive:
            break
        if directive[1].lower() == "escape" and directive[2] in {"\\", "`"}:
            return directive[2]
    return "\\"


def _join(lines: list[str], index: int, escape: str) -> tuple[str, int]:
    """Return the instruction that begins on a line, empty if none does, and the line after it."""
    mark = re.escape(escape)
    continued = re.compile(rf"(?:^|(?<=[^{mark}])){mark}[ \t]*$")
    whole = lines[index].strip()
    index += 1
    if not whole or whole.startswith("#"):
        return "", index
    while match := continued.search(whole):
        whole = whole[: match.start()]
        while index < len(lines) and (not lines[index].strip() or _is_comment(lines[index])):
            index += 1
        if index == len(lines):
            break
        if not continued.search(lines[index]):
            return (whole + lines[index]).strip(), index + 1
        whole += lines[index]
        index += 1
    return whole.strip(), index


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith("#")


def _instruction(whole: str, line: int, escape: str) -> Instruction:
    name, _, rest = whole.replace("\t", " ").partition(" ")
    flags = []
    rest = rest.lstrip()
    while rest.startswith("--"):
        flag = split_words(rest, escape)[0]
        flags.append(flag)
        rest = rest[len(flag) :].lstrip()
        if flag == "--":
            break
    return Instruction(name.upper(), tuple(flags), rest, line)


def inner(instruction: Instruction, escape: str) -> Instruction:
    """Return what an ONBUILD holds."""
    return _instruction(instruction.rest, instruction.line, escape)


def _heredocs(instruction: Instruction, escape: str) -> list[tuple[bool, str]]:
    if instruction.name == "ONBUILD":
        instruction = inner(instruction, escape)
    if instruction.name not in _WITH_HEREDOC or "<<" not in instruction.rest:
        return []
    words = split_words(instruction.rest, escape)
    found = [match for word in words if (match := _HEREDOC.fullmatch(word))]
    return [(bool(match[1]), match[2].replace('"', "").replace("'", "")) for match in found]


def _skip_heredoc(lines: list[str], index: int, name: str, *, strips_tabs: bool) -> int:
    """Return the line after a here-document, or -1 where it has no end."""
    for number in range(index, len(lines)):
        line = lines[number].lstrip("\t") if strips_tabs else lines[number]
        if line == name:
            return number + 1
    return -1
