"""What wheels must fit: an image's Python, its platform, and the C library its chain holds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from orchestrator.graph import Graph
from orchestrator.model import LockedDeb, Platform
from orchestrator.resolve.python.offered import Target

_GLIBC = re.compile(r"(\d+)\.(\d+)")
_CAUTIOUS_GLIBC = (2, 28)


def target_of(python: str, platform: Platform, debs: Iterable[LockedDeb]) -> Target:
    """Return what an image's wheels must fit; `debs` are those of its whole chain.

    Where no libc6 is among them, a cautious version is assumed.
    """
    libc = next((deb.version for deb in debs if deb.name == "libc6"), "")
    return Target(platform, python, _glibc_of(libc) or _CAUTIOUS_GLIBC)


def target_of_image(
    graph: Graph, name: str, platform: Platform, debs: Mapping[str, Iterable[LockedDeb]]
) -> Target:
    """Return what an image's wheels must fit; `debs` are what each image of its chain adds.

    What the settings say of the C library of a Dockerfile's image holds for what stands on it.
    """
    chain, python = graph.chain(name), graph.pythons[name]
    for image in reversed(chain):
        if image.build and (glibc := _glibc_of(image.build.settings.glibc)):
            return Target(platform, python, glibc)
    return target_of(python, platform, [deb for image in chain for deb in debs.get(image.name, ())])


def _glibc_of(version: str) -> tuple[int, int] | None:
    match = _GLIBC.match(version)
    return (int(match[1]), int(match[2])) if match else None
