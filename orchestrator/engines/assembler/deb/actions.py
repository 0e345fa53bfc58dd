"""What a maintainer script would have left behind, as values that notes can hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class Alternative:
    """An `update-alternatives --install`; paths as the script writes them.

    `slaves` are (link, name, path) triples that follow the master.
    """

    link: str
    name: str
    path: str
    priority: int
    slaves: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory to be there."""

    path: str
    mode: int = 0o755
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True, slots=True)
class Symlink:
    """A symbolic link to be there, unless a package ships the path."""

    path: str
    target: str


@dataclass(frozen=True, slots=True)
class TextFile:
    """A file to be there with this text, unless a package ships the path."""

    path: str
    text: str = ""
    mode: int = 0o644
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True, slots=True)
class Copy:
    """A file to be copied from one that a package ships, unless a package ships the copy."""

    source: str
    path: str


@dataclass(frozen=True, slots=True)
class Omit:
    """A shipped directory that the script removes again."""

    path: str


@dataclass(frozen=True, slots=True)
class Chmod:
    """A shipped file whose mode the script changes."""

    path: str
    mode: int


Action = Alternative | Directory | Symlink | TextFile | Copy | Omit | Chmod

_KINDS: Mapping[str, type[Action]] = {
    "alternative": Alternative,
    "directory": Directory,
    "symlink": Symlink,
    "file": TextFile,
    "copy": Copy,
    "omit": Omit,
    "chmod": Chmod,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


def action_to_json(action: Action) -> dict[str, Any]:
    """Return an action in JSON's types."""
    return {"do": _NAMES[type(action)], **asdict(action)}


def action_from_json(facts: Mapping[str, Any]) -> Action:
    """Read what `action_to_json` gave.

    Raises:
        KeyError: The action is of no known kind, or lacks a field.
    """
    kind = _KINDS[facts["do"]]
    values = {field.name: facts[field.name] for field in fields(kind)}
    if kind is Alternative:
        values["slaves"] = tuple((link, name, path) for link, name, path in values["slaves"])
    return kind(**values)
