"""What wheels must fit: an image's Python, its platform, and the C library its chain holds."""

from __future__ import annotations

import re
from collections.abc import Iterable

from orchestrator.model import LockedDeb, Platform
from orchestrator.resolve.python.uv import Target

_GLIBC = re.compile(r"(\d+)\.(\d+)")
_CAUTIOUS_GLIBC = (2, 28)


def target_of(python: str, platform: Platform, debs: Iterable[LockedDeb]) -> Target:
    """Return what an image's wheels must fit; `debs` are those of its whole chain.

    Where no libc6 is among them, a cautious version is assumed.
    """
    for deb in debs:
        if deb.name == "libc6" and (match := _GLIBC.match(deb.version)):
            return Target(platform, python, (int(match.group(1)), int(match.group(2))))
    return Target(platform, python, _CAUTIOUS_GLIBC)
