"""Packages of two sides, compared by name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from orchestrator.differences.values import Change, Kind, PackageChange


@dataclass(frozen=True, slots=True, order=True)
class Held:
    """A package that a side has; `sha256` is that of its file, empty where it is not known."""

    name: str
    version: str
    sha256: str = ""


def compare_packages(
    kind: Kind, old: Iterable[Held], new: Iterable[Held]
) -> Iterator[PackageChange]:
    """Yield packages that came, went or moved, and those whose file is another, by name."""
    before, after = _by_name(old), _by_name(new)
    for name in sorted(before.keys() | after.keys()):
        was, now = before.get(name), after.get(name)
        if was != now:
            yield PackageChange(kind, Change(name, _versions(was), _versions(now)))


def _by_name(packages: Iterable[Held]) -> dict[str, set[Held]]:
    found = defaultdict(set)
    for package in packages:
        found[package.name].add(package)
    return dict(found)


def _versions(packages: set[Held] | None) -> str | None:
    """Return the version of a package, or of each where a side has it in several places."""
    if packages is None:
        return None
    return ", ".join(sorted({package.version for package in packages}))
