"""What wheels are built with, and what this machine has of it: a Python, a compiler."""

from __future__ import annotations

import functools
import os
import platform as machine
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import UnavailableError
from orchestrator.model import Platform
from orchestrator.resolve.python.offered import Target

SHARED = "or take the wheel from a shared place: orch wheels pull"
"""The last way out of every build that is not possible."""

_TIMEOUT_S = 30
_ASK = "import platform, sys; print(platform.python_implementation(), platform.python_version())"
_WAYS_OUT = f"build it on one that has it; {SHARED}"
_CUT_OFF = (("unshare", "--net"), ("unshare", "--map-current-user", "--net"))


@dataclass(frozen=True, slots=True)
class Toolchain:
    """A Python with what stands behind it; `description` is what the lock says of them all.

    `doubt` says why a wheel built with it may not do. `image` is that of the container it is in.
    """

    python: Path
    implementation: str
    description: str
    doubt: str = ""
    image: str = ""


def find_toolchain(target: Target, compiler: str = "gcc") -> Toolchain:
    """Return what builds wheels for a platform and a minor version of Python on this machine.

    In doubt is what has no compiler, which not every sdist needs, and what has a newer C library
    than the images, which not every wheel asks for.

    Raises:
        UnavailableError: This machine is of another platform, or has no such Python.
    """
    if not is_native(target.platform):
        raise UnavailableError(
            f"this machine is not {target.platform}, and wheels are built on their own platform",
            hint=f"build it on a machine of {target.platform}; {SHARED}",
        )
    python, implementation, release = _find_python(target.python)
    name = "CS_GNU_LIBC_VERSION"
    libc = (os.confstr(name) if name in os.confstr_names else "") or ""
    parts = [
        _first_line(compiler, "--version"),
        _first_line("ld", "--version"),
        libc,
        f"{implementation} {release}",
    ]
    doubt = _doubt(compiler, libc, target)
    return Toolchain(python, implementation, ", ".join(part for part in parts if part), doubt)


def _doubt(compiler: str, libc: str, target: Target) -> str:
    program = next(iter(compiler.split()), "gcc")
    if shutil.which(program) is None:
        return f"there is no {program}"
    if match := re.search(r"(\d+)\.(\d+)", libc):
        newest = (int(match[1]), int(match[2]))
        if newest > target.glibc:
            return f"{libc} is newer than the images'"
    return ""


def is_native(platform: Platform) -> bool:
    """Tell whether this machine is of a platform."""
    return sys.platform == platform.os and machine.machine() == platform.machine


@functools.cache
def without_network() -> tuple[str, ...]:
    """Return what to put before a command so that it reaches no network; empty where none can."""
    for command in _CUT_OFF:
        if _run((*command, "true")) is not None:
            return command
    return ()


def missing_debs(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return which Debian packages this machine lacks; none where it has no dpkg to ask."""
    if not names or shutil.which("dpkg-query") is None:
        return ()
    return tuple(name for name in names if not _is_installed(name))


def _is_installed(name: str) -> bool:
    said = _run(("dpkg-query", "-W", "-f", "${db:Status-Status}", name))
    return said is not None and "installed" in said.split()


def _find_python(version: str) -> tuple[Path, str, str]:
    """Return the Python that runs this, if it is of the version, else one that is on the path."""
    if sys.version_info[:2] == tuple(int(part) for part in version.split(".")):
        return Path(sys.executable), machine.python_implementation(), machine.python_version()
    found = shutil.which(f"python{version}")
    said = _run((found, "-c", _ASK)) if found else None
    if found and said and said.split()[1].startswith(f"{version}."):
        implementation, release = said.split()
        return Path(found), implementation, release
    raise UnavailableError(
        f"there is no Python {version} on this machine to build wheels with", hint=_WAYS_OUT
    )


def _first_line(program: str, *arguments: str) -> str:
    said = _run((*program.split(), *arguments))
    return said.splitlines()[0].strip() if said else ""


def _run(command: tuple[str, ...]) -> str | None:
    """Return what a command says, or None where it fails or is not there."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT_S,
            env=_plain_environment(),
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _plain_environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
