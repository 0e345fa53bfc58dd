"""The shell commands of a RUN, as far as words and separators tell them; not a shell's parser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.checks.dockerfiles import DockerfileView
from orchestrator.checks.finding import Region
from orchestrator.dockerfile.instructions import Instruction

_TOKEN = re.compile(r"&&|\|\||[;|&()]|(?:\"[^\"]*\"|'[^']*'|[^\s;&|()\"'])+")
_SEPARATORS = frozenset({"&&", "||", ";", "|", "&", "(", ")"})
_PREFIXES = frozenset({"sudo", "exec", "env", "command", "time", "then", "do", "else", "!", "{"})
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_PIP = re.compile(r"pip[\d.]*")
_PYTHON = re.compile(r"python[\d.]*")


@dataclass(frozen=True, slots=True)
class Word:
    """A word without its quotes, and where it stands."""

    text: str
    region: Region


@dataclass(frozen=True, slots=True)
class Command:
    """A command: its words, assignments and the like before it left out."""

    words: tuple[Word, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        """Return the words as texts; the first is the program's name without its folder."""
        first, *others = (word.text for word in self.words)
        return (first.rpartition("/")[2], *others)

    def after(self, *names: str) -> tuple[Word, ...] | None:
        """Return the words after a program and its subcommand; None where it is another.

        Options may stand between the two.
        """
        texts = self.texts
        if texts[0] != names[0]:
            return None
        given = [n for n, text in enumerate(texts) if n and not text.startswith("-")]
        if not given or texts[given[0]] not in names[1:]:
            return None
        return self.words[given[0] + 1 :]

    @property
    def pip_arguments(self) -> tuple[Word, ...] | None:
        """Return what `pip install` is given, however it is called; None of other commands."""
        texts = list(self.texts)
        if _PYTHON.fullmatch(texts[0]) and texts[1:3] == ["-m", "pip"]:
            at = 3
        elif texts[:2] == ["uv", "pip"]:
            at = 2
        else:
            at = 1 if _PIP.fullmatch(texts[0]) else 0
        while at and at < len(texts) and texts[at].startswith("-"):
            at += 1
        return self.words[at + 1 :] if at and texts[at : at + 1] == ["install"] else None


def commands_of(view: DockerfileView, instruction: Instruction) -> tuple[Command, ...]:
    """Return the commands of a RUN in order, those of its here-documents too."""
    around = "\"'[]," if instruction.rest.startswith("[") else "\"'"
    words: list[Word] = []
    found: list[list[Word]] = [words]
    for number, line in view.lines(instruction):
        text = line.rstrip()
        goes_on = text.endswith(view.dockerfile.escape)
        for token in _TOKEN.finditer(text[:-1] if goes_on else text):
            if token[0] in _SEPARATORS:
                found.append([])
            else:
                place = Region(number, token.start() + 1, token.end() + 1)
                found[-1].append(Word(token[0].strip(around), place))
        if not goes_on:
            found.append([])
    stripped = (tuple(_without_prefixes(words)) for words in found)
    return tuple(Command(words) for words in stripped if words)


def _without_prefixes(words: list[Word]) -> Iterator[Word]:
    begun = False
    for word in words:
        text = word.text
        is_prefix = text.upper() in {"RUN", "ONBUILD"} or text in _PREFIXES or text.startswith("--")
        if not begun and (is_prefix or _ASSIGNMENT.match(text)):
            continue
        begun = True
        yield word
