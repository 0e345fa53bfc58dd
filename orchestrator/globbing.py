"""Patterns of paths as moby's patternmatcher has them, as expressions that take bounded time.

Whoever writes an ignore file decides how long it takes to read a context. So what a wildcard
takes is not taken again where the first choice is as good as any: in atomic groups.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_STAR = "[^/]*"
_FOLDERS = "(?:.*/)?"
_FEWEST_FOLDERS = "(?:.*?/)??"
_MOST_IN_NAMES = 2


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Compile a pattern: `*` and `?` stay within a folder, `**` does not.

    Raises:
        ValueError, re.error: It is not valid, or `**` stands too often in the midst of names.
    """
    *parts, last = _split(_tokens(pattern), _FOLDERS)
    if not parts:
        return re.compile(_names(last), re.DOTALL)
    first, *inner = parts
    in_names = [part for part in parts if part and part[-1] != "/"]
    if len(in_names) > _MOST_IN_NAMES:
        raise ValueError(f"** stands in the midst of names more than {_MOST_IN_NAMES} times")
    text = _names(first) + "".join(map(_below, filter(None, inner)))
    return re.compile(text + (_FOLDERS + _names(last) if last else ".*"), re.DOTALL)


def _tokens(pattern: str) -> list[str]:
    """Return an expression for each character, or for each wildcard."""
    tokens, index = [], 0
    while index < len(pattern):
        char = pattern[index]
        index += 1
        if char == "*" and pattern.startswith("*", index):
            index += 1 + pattern.startswith("*/", index)
            tokens.append(_FOLDERS)
        elif char == "*":
            tokens.append(_STAR)
        elif char == "?":
            tokens.append("[^/]")
        elif char == "[":
            inside, index = _class(pattern, index)
            tokens.append(inside)
        elif char == "\\" and index < len(pattern):
            tokens.append(re.escape(pattern[index]))
            index += 1
        else:
            tokens.append(re.escape(char))
    return tokens


def _class(pattern: str, index: int) -> tuple[str, int]:
    """Return a character class and the index after it; such a class never matches a slash."""
    begin, text = "(?!/)[", ""
    if pattern.startswith("^", index):
        begin, index = "(?!/)[^", index + 1
    while index < len(pattern) and pattern[index] != "]":
        char, index = _literal(pattern, index)
        text += char
        if pattern.startswith("-", index) and not pattern.startswith("-]", index):
            char, index = _literal(pattern, index + 1)
            text += f"-{char}"
    if index >= len(pattern):
        raise ValueError("a [ is not closed")
    return f"{begin}{text}]", index + 1


def _literal(pattern: str, index: int) -> tuple[str, int]:
    """Return a character of a class, escaped, and the index after it."""
    index += pattern.startswith("\\", index)
    return re.escape(pattern[index : index + 1]), index + 1


def _split(tokens: Iterable[str], wildcard: str) -> list[list[str]]:
    """Return the runs of tokens before, between and after a wildcard."""
    runs: list[list[str]] = [[]]
    for token in tokens:
        if token == wildcard:
            runs.append([])
        else:
            runs[-1].append(token)
    return runs


def _below(names: list[str]) -> str:
    """Return names in any folder, with any folder below them.

    Where they end with a folder, the first such folder is as good as one further down.
    """
    if names[-1] == "/":
        return f"(?>{_FEWEST_FOLDERS}{_names(names)})"
    return f"{_FOLDERS}{_names(names)}"


def _names(tokens: list[str]) -> str:
    """Return an expression for tokens without `**`.

    What stands between two wildcards is taken where it is found first: any more that the second
    wildcard could take is the more for it.
    """
    first, *others = ["".join(run) for run in _split(tokens, _STAR)]
    if not others:
        return first
    *inner, last = others
    return first + "".join(f"(?>{_STAR}?{run})" for run in inner) + _STAR + last
