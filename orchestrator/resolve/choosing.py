"""Choosing the file of every pin: what the previous lock chose, else the best that is offered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from orchestrator.errors import ResolutionError
from orchestrator.lockfile import Lock
from orchestrator.model import LockedWheel, Platform
from orchestrator.resolve.python.offered import DistributionFile, Target
from orchestrator.resolve.python.tags import choose_file, rank_of
from orchestrator.resolve.python.tree import Pins, Resolved, Tree
from orchestrator.resolve.python.uv import Uv


def choose_files(
    tree: Tree,
    resolved: Resolved,
    previous: Lock,
    platform: Platform,
    uv: Callable[[], Uv],
    measure: Callable[[Iterable[DistributionFile]], Mapping[str, int]],
) -> dict[str, tuple[LockedWheel, ...]]:
    """Return the file of every pin, by image; what the previous lock chose is taken over.

    `measure` gives the size of files that have none, by URL.

    Raises:
        ResolutionError: A version has no file that fits the platform.
        FetchError: The indexes are out of reach.
    """
    known = {
        (wheel.name, wheel.version, adds.python or previous.python): wheel
        for (_, locked_for), adds in previous.images.items()
        if locked_for == platform
        for wheel in adds.wheels
        if wheel.is_wheel
    }
    wanted = _missing(tree, resolved, known)
    chosen: list[tuple[str, DistributionFile]] = []
    for target, pins in wanted:
        offered = uv().find_files(pins, target)
        for name, version in pins.items():
            found = choose_file(offered.get(name, ()), target)
            if found is None:
                raise ResolutionError(
                    f"{name} {version} has no file that fits {platform} and Python {target.python}",
                    hint=f"pin another version of {name} in the constraints, or take {platform} "
                    "out of platforms",
                )
            chosen.append((target.python, found))
    sizes = measure([file for _, file in chosen])
    for python, file in chosen:
        size = file.size_bytes or sizes.get(file.url, 0)
        wheel = LockedWheel(file.name, file.version, file.file, file.sha256, size)
        known[wheel.name, wheel.version, python] = wheel
    return {
        name: tuple(known[*item, tree.targets[name].python] for item in sorted(pins.items()))
        for name, pins in resolved.adds.items()
    }


def _missing(
    tree: Tree, resolved: Resolved, known: Mapping[tuple[str, str, str], LockedWheel]
) -> list[tuple[Target, Pins]]:
    """Group the pins whose file must be looked up; a group holds each name once."""
    groups: list[tuple[Target, dict[str, str]]] = []
    for name, pins in resolved.adds.items():
        for item in pins.items():
            target = tree.targets[name]
            found = known.get((*item, target.python))
            if found and rank_of(found.file, target) is not None:
                continue
            for group_target, group in groups:
                if group_target == target and group.get(item[0], item[1]) == item[1]:
                    group[item[0]] = item[1]
                    break
            else:
                groups.append((target, dict([item])))
    return [(target, group) for target, group in groups]
