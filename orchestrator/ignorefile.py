"""`.dockerignore`: which paths of a context its patterns exclude."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass

from orchestrator.errors import WorkspaceError
from orchestrator.globbing import compile_pattern

_SPECIAL = frozenset("*?[]\\")


@dataclass(frozen=True, slots=True)
class IgnoreFile:
    """Patterns in order, each with whether it excludes; `!` takes back in."""

    patterns: tuple[tuple[bool, re.Pattern[str]], ...] = ()

    @property
    def takes_back(self) -> bool:
        """Tell whether what lies in an excluded folder may be taken back in."""
        return any(not excludes for excludes, _ in self.patterns)

    def ignores(self, path: str) -> bool:
        """Tell whether a path below the context is excluded, by itself or with its folder.

        The last pattern that matches the path, or a folder it is in, decides.
        """
        parts = path.split("/")
        paths = ["/".join(parts[:end]) for end in range(len(parts), 0, -1)]
        ignored = False
        for excludes, pattern in self.patterns:
            if excludes != ignored and any(pattern.fullmatch(one) for one in paths):
                ignored = excludes
        return ignored


def parse_ignore_file(text: str, file: str) -> IgnoreFile:
    """Parse a `.dockerignore` by the rules of moby's patternmatcher, not those of `.gitignore`.

    A pattern is anchored at the context's root, a slash at its beginning or end means nothing,
    `**` stands for any number of folders, and `!` takes back in also below an excluded folder.

    Raises:
        WorkspaceError: A pattern is not valid.
    """
    patterns = []
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        pattern = line.strip()
        if not pattern or line.startswith("#"):
            continue
        excludes = not pattern.startswith("!")
        pattern = pattern.removeprefix("!").strip()
        try:
            patterns.append((excludes, _compile_ignored(pattern)))
        except (ValueError, re.error) as error:
            message = f"{line.strip()!r} is no pattern: {error}"
            hint = "patterns are *, ?, [a-z], ** and !"
            raise WorkspaceError(message, file=file, line=number, hint=hint) from error
    return IgnoreFile(tuple(patterns))


def _compile_ignored(pattern: str) -> re.Pattern[str]:
    """Compile a line of an ignore file; one that climbs out of the context matches nothing."""
    pattern = posixpath.normpath(pattern).lstrip("/")
    literal = pattern.removeprefix("**")
    if literal != pattern and literal and not set(literal) & _SPECIAL and literal[0] != "/":
        return re.compile(".*" + re.escape(literal), re.DOTALL)  # `**.c` is all that ends so
    return compile_pattern(pattern)


def clean(path: str) -> str:
    """Return a path below the context, without `.`, `..` and outer slashes; "" is all of it."""
    return posixpath.normpath(f"/{path}").strip("/")


def has_wildcards(path: str) -> bool:
    """Tell whether a path is a pattern."""
    return any(mark in path for mark in "*?[")
