"""A service's files as those of another one of its shape."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from orchestrator.templates.images import package_of

_SUMMARY = re.compile(r"^summary\s*=.*$", re.MULTILINE)
_FROM = re.compile(r"^(from\s*=\s*)(?:\"[^\"\n]*\"|'[^'\n]*')", re.MULTILINE)
_YAML = frozenset({".yaml", ".yml"})


@dataclass(frozen=True, slots=True)
class Renaming:
    """One service's name in place of another's, and so with the package of its program."""

    old: str
    new: str

    @property
    def _words(self) -> dict[str, str]:
        return {self.old: self.new, package_of(self.old): package_of(self.new)}

    def path(self, path: str) -> str:
        """Return a file's path with what is named after the service renamed: folders, its test."""
        old, new = package_of(self.old), package_of(self.new)
        words = self._words | {f"test_{old}.py": f"test_{new}.py"}
        return str(PurePosixPath(*(words.get(part, part) for part in PurePosixPath(path).parts)))

    def text(self, path: str, text: str) -> str:
        """Return a file's text with the name replaced where it is surely the service's.

        That is in quotes, as a part of a path or a module, in what is imported, and as a word of
        YAML. What people read is left to people: the name may be an everyday word.
        """
        for old, new in self._words.items():
            text = re.sub(rf"(?<=[\"'/]){re.escape(old)}(?=[\"'/.:@])", new, text)
            if path.endswith(".py"):
                imported = rf"^(\s*(?:from|import) ){re.escape(old)}(?=[.\s])"
                text = re.sub(imported, rf"\g<1>{new}", text, flags=re.MULTILINE)
            if PurePosixPath(path).suffix in _YAML:
                word = rf"(?<![\w.-]){re.escape(old)}(?![\w.-])"
                text = re.sub(word, new, text)
        return text

    def left(self, text: str) -> Iterator[int]:
        """Yield the numbers of lines that still hold the old name as a word."""
        word = re.compile(rf"(?<![\w.-]){re.escape(self.old)}(?![\w-])")
        yield from (number for number, line in enumerate(text.splitlines(), 1) if word.search(line))


def other_recipe(text: str, parent: str, summary: str) -> str:
    """Return a recipe on another parent and with another summary, the rest as it is."""
    text = _FROM.sub(lambda match: f'{match[1]}"{parent}"', text, count=1)
    return _SUMMARY.sub(lambda _: f'summary = "{summary}"', text, count=1)


def without_projects(text: str, projects: Collection[str]) -> str:
    """Return requirements without the lines that ask for these projects, and for no extra."""
    lines = text.splitlines(keepends=True)
    return "".join(line for line in lines if _project(line) not in projects)


def projects_named(projects: Collection[str], texts: Iterable[str]) -> list[str]:
    """Return those of some projects whose name is a word of any text, sorted."""
    searched = list(texts)
    patterns = {
        project: re.compile(rf"(?<![\w-]){project.replace('-', '[-_]')}(?![\w-])")
        for project in projects
    }
    return sorted(
        project
        for project, pattern in patterns.items()
        if any(pattern.search(text) for text in searched)
    )


def _project(line: str) -> str:
    try:
        requirement = Requirement(re.sub(r"(^|\s)#.*$", "", line.strip()))
    except InvalidRequirement:
        return ""
    return "" if requirement.extras else canonicalize_name(requirement.name)
