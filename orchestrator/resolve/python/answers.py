"""Reading what uv prints: pins, who needs whom, and why there is no solution."""

from __future__ import annotations

import errno
import os
import re

from orchestrator.errors import OrchError, disk_error
from orchestrator.resolve.edges import Edges, turned_round

_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(\S+)", re.MULTILINE)
_VIA = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==\S+ +# via (.+)$", re.MULTILINE)
_NEEDS_BUILD = re.compile(r"Wheels are required for `([^`]+)` because building")
_OS_ERROR = re.compile(r"\(os error (\d+)\)")
_OF_DISKS = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EACCES}


def pins_of(text: str) -> dict[str, str]:
    """Return the version of each project in compiled requirements."""
    return dict(_PIN.findall(text))


def edges_of(text: str) -> Edges:
    """Return who needs whom, of requirements compiled with annotations in their lines."""
    return turned_round((name, askers.split(", ")) for name, askers in _VIA.findall(text))


def projects_without_wheels(message: str) -> set[str]:
    """Return the projects that uv says it would take if it might build them.

    Its hint alone is not enough: it also names projects whose other versions have wheels.
    """
    hinted = set(_NEEDS_BUILD.findall(message))
    return {
        name
        for name in hinted
        if re.search(rf"\b{re.escape(name)}(==\S+)? ha(s|ve) no usable wheels", message)
    }


def disk_error_in(message: str) -> OrchError | None:
    """Return what its cache folder's disk did to uv, where that is why it could not ask."""
    for number in map(int, _OS_ERROR.findall(message)):
        if number in _OF_DISKS:
            error = disk_error(OSError(number, os.strerror(number)))
            error.message = f"uv: {error.message}: {message}"
            return error
    return None


def shorten(message: str) -> str:
    """Cut uv's explanation down to what a person reads."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    kept = [line for line in lines if not line.startswith(("warning:", "Resolved"))]
    text = " ".join(line.removeprefix("error: ").removeprefix("cause: ") for line in kept)
    return text.replace("No solution found when resolving dependencies ", "")
