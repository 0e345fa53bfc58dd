"""The code blocks of Markdown pages, and what blocks of `console` type and show.

A page says of a block that no test runs it, and why, with `<!-- not run: REASON -->` on the line
before it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

_NOT_RUN = re.compile(r"<!--\s*not run:\s*(\S.*?)\s*-->\s*", re.DOTALL)
_ANYTHING = "..."
_VARYING = {
    r"\b[0-9a-f]{12,64}\b": "DIGEST",
    r"\b\d+(?:\.\d+)? (?:B|kB|MB|GB)\b": "SIZE",
    r"\b(?:\d+ min )?\d+(?:\.\d+)? ?m?s\b": "TIME",
    r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?Z?": "WHEN",
    r"(?<=\S)  +": "  ",
}
"""What differs from run to run, and so is shown by an example of it: columns are as wide, too."""


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """A block of code; `line` is where its text begins, `not_run` why no test runs it."""

    page: Path
    line: int
    language: str
    text: str
    not_run: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """A command that a page types, and the lines that it shows for an answer."""

    line: int
    command: str
    shown: tuple[str, ...] = ()


def code_blocks(page: Path, *languages: str) -> list[CodeBlock]:
    """Return the code blocks of a page, in order: those of these languages, or all.

    The language of a block that is indented, not fenced, is the empty text.
    """
    blocks = []
    not_run = ""
    for token in MarkdownIt("commonmark").parse(page.read_text("utf-8")):
        if token.type in {"fence", "code_block"} and token.map:
            language = token.info.partition(" ")[0]
            line = token.map[0] + 1 + (token.type == "fence")
            blocks.append(CodeBlock(page, line, language, token.content, not_run))
        mark = _NOT_RUN.fullmatch(token.content.strip()) if token.type == "html_block" else None
        not_run = mark[1] if mark else ""
    return [block for block in blocks if not languages or block.language in languages]


def steps_of(block: CodeBlock) -> list[Step]:
    """Return what a block of `console` types, behind `$ `, and shows.

    A command goes on in the lines behind it that begin with `> `.
    """
    steps: list[Step] = []
    for line, text in enumerate(block.text.splitlines(), block.line):
        if text.startswith("$ "):
            steps.append(Step(line, text[2:]))
        elif not steps:
            raise ValueError(f"{block.page}:{line}: a console block begins with `$ `")
        else:
            steps[-1] = _with_line(steps[-1], text)
    return steps


def _with_line(step: Step, text: str) -> Step:
    if text.startswith("> ") and not step.shown:
        return Step(step.line, f"{step.command}\n{text[2:]}")
    return Step(step.line, step.command, (*step.shown, text))


def is_said(shown: Sequence[str], said: str) -> bool:
    """Tell whether a page shows what a command said; where it shows nothing, anything will do.

    A line `...` stands for any lines, and `...` in a line for any text. Digests, sizes and times
    need only be such, and columns may be wider.
    """
    if not shown:
        return True
    lines = "".join(map(_pattern, shown))
    return re.fullmatch(lines, _by_kind(said).rstrip() + "\n") is not None


def _pattern(line: str) -> str:
    if line.strip() == _ANYTHING:
        return r"(?:.*\n)*?"
    parts = _by_kind(line).rstrip().split(_ANYTHING)
    return ".*".join(map(re.escape, parts)) + r"[ \t]*\n"


def _by_kind(text: str) -> str:
    for varying, kind in _VARYING.items():
        text = re.sub(varying, kind, text)
    return text
