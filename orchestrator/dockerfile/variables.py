"""Variables in a Dockerfile's words, put in as BuildKit's shell lexer does."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_LONGEST = 1 << 16
"""Variables that hold others twice would else double their length with each line."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9@*#]")


@dataclass(slots=True)
class Expansion:
    """A word with its variables put in and its quotes taken off.

    `missing` are variables that have no value and no default in the word; `unset` are all that
    have no value.
    """

    text: str = ""
    missing: list[str] = field(default_factory=list)
    unset: list[str] = field(default_factory=list)


def expand(word: str, values: Mapping[str, str], escape: str) -> Expansion:
    """Put variables into a word: `$X`, `${X}`, and `:-`, `-`, `:+`, `+`, `:?`, `?` in braces.

    Other operators count as a value that is missing.

    Raises:
        ValueError: A brace or a quote is not closed, or the word stands for far too much.
    """
    scanner = _Scanner(word, values, escape, Expansion())
    scanner.found.text = scanner.scan("")
    return scanner.found


@dataclass(slots=True)
class _Scanner:
    word: str
    values: Mapping[str, str]
    escape: str
    found: Expansion
    index: int = 0

    def scan(self, stop: str) -> str:
        """Read up to a character that ends this part, which is consumed; "" is the word's end."""
        text = ""
        while self.index < len(self.word):
            if len(text) > _LONGEST:
                raise ValueError(f"{self.word[:80]!r} stands for more than {_LONGEST} characters")
            char = self.word[self.index]
            self.index += 1
            if char == stop:
                return text
            if char == "'" and stop != '"':
                text += self._literal()
            elif char == '"' and stop != '"':
                text += self.scan('"')
            elif char == "$":
                text += self._variable()
            elif char == self.escape and self._escapes(stop):
                text += self.word[self.index : self.index + 1]
                self.index += 1
            else:
                text += char
        if stop:
            raise ValueError(f"{self.word!r} lacks {stop}")
        return text

    def _escapes(self, stop: str) -> bool:
        following = self.word[self.index : self.index + 1]
        return stop != '"' or following in {'"', "$", self.escape}

    def _literal(self) -> str:
        end = self.word.find("'", self.index)
        if end < 0:
            raise ValueError(f"{self.word!r} lacks '")
        text = self.word[self.index : end]
        self.index = end + 1
        return text

    def _variable(self) -> str:
        braced = self.word.startswith("{", self.index)
        match = _NAME.match(self.word, self.index + braced)
        if not match:
            if braced:
                raise ValueError(f"{self.word!r} has no name after ${{")
            return "$"
        name, self.index = match[0], match.end()
        value = self.values.get(name)
        if value is None:
            self.found.unset.append(name)
        if braced:
            return self._operator(name, value)
        if value is None:
            self.found.missing.append(name)
        return value or ""

    def _operator(self, name: str, value: str | None) -> str:
        """Apply what follows a name in braces, to the closing brace."""
        colon = self.word.startswith(":", self.index)
        operator = self.word[self.index + colon : self.index + colon + 1]
        is_set = bool(value) if colon else value is not None
        self.index += colon + 1
        if operator == "}" and not colon:
            if value is None:
                self.found.missing.append(name)
            return value or ""
        before = list(self.found.missing)
        other = self.scan("}")
        if operator in {"-", "+"}:
            if is_set == (operator == "-"):  # the other word is not used, so nothing of it is
                self.found.missing[:] = before
                return value or "" if operator == "-" else ""
            return other
        self.found.missing[:] = before
        if operator != "?" or not is_set:
            self.found.missing.append(name)
        return value or ""
