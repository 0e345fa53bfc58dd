"""The image's own Python on this machine, to compile bytecode that fits it exactly."""

from __future__ import annotations

import contextlib
import os
import platform as machine
import re
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from orchestrator.engines.assembler.bytecode import Interpreter
from orchestrator.engines.assembler.deb.reader import open_deb
from orchestrator.engines.assembler.store import key_of
from orchestrator.errors import AssemblyError
from orchestrator.model import LockedDeb, Platform
from orchestrator.oci.tar import EntryKind
from orchestrator.usage import note_use

_LIBRARIES = ("libc6", "libexpat1", "zlib1g")
_UPSTREAM = re.compile(r"(?:\d+:)?([0-9.]+)")


def find_interpreter(
    python: str,
    platform: Platform,
    debs: Iterable[LockedDeb],
    fetch: Callable[[LockedDeb], Path],
    cache: Path,
) -> Interpreter:
    """Return an interpreter of the image's Python that runs on this machine.

    `debs` are the image's packages for `platform`. Where this machine is of that platform they
    are unpacked and used, so that the bytecode depends on the lock alone. Elsewhere the running
    Python is taken if it is of the same minor version.

    Raises:
        AssemblyError: There is none.
    """
    debs = [deb for deb in debs if deb.name in _wanted(python)]
    named = {deb.name: deb for deb in debs}
    if f"python{python}-minimal" in named and is_native(platform):
        return _unpacked(python, platform, debs, fetch, cache)
    if sys.version_info[:2] == tuple(int(part) for part in python.split(".")):
        return Interpreter((sys.executable,), machine.python_version())
    raise AssemblyError(
        f"there is no Python {python} on this machine to compile bytecode with",
        hint=f"run orch with Python {python}, or set bytecode = false in the recipe",
    )


def bytecode_version(python: str, debs: Iterable[LockedDeb]) -> str:
    """Return the version that bytecode depends on: the upstream one of the image's Python."""
    for deb in debs:
        if deb.name == f"python{python}-minimal" and (match := _UPSTREAM.match(deb.version)):
            return match.group(1)
    return python


def _wanted(python: str) -> tuple[str, ...]:
    return (f"python{python}-minimal", f"libpython{python}-minimal", *_LIBRARIES)


def is_native(platform: Platform) -> bool:
    """Tell whether this machine runs the platform's programs."""
    return sys.platform == platform.os and machine.machine() == platform.machine


def _unpacked(
    python: str,
    platform: Platform,
    debs: list[LockedDeb],
    fetch: Callable[[LockedDeb], Path],
    cache: Path,
) -> Interpreter:
    root = cache / "interpreters" / key_of([deb.sha256 for deb in debs])
    if note_use(root) is None:
        root.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=root.parent, prefix=".new-") as scratch:
            for deb in debs:
                _unpack(fetch(deb), deb, Path(scratch) / "root")
            with contextlib.suppress(OSError):  # another process was first
                (Path(scratch) / "root").rename(root)
    libraries = f"{root}/lib/{platform.multiarch}:{root}/usr/lib/{platform.multiarch}"
    loader = f"{root}/{platform.loader}"
    command = (loader, "--library-path", libraries, f"{root}/usr/bin/python{python}")
    return Interpreter(command, bytecode_version(python, debs))


def _unpack(file: Path, deb: LockedDeb, root: Path) -> None:
    """Write a package's files and links below `root`; owners and modes do not matter here."""
    with open_deb(file, deb.name) as archive:
        for member in archive.members():
            target = root / member.entry.path
            if member.entry.kind is EntryKind.DIRECTORY:
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            if member.entry.kind is EntryKind.SYMLINK:
                target.symlink_to(_below(root, target, member.entry.link))
            elif member.entry.kind is EntryKind.FILE:
                with target.open("wb") as out:
                    out.writelines(member.chunks)
                target.chmod(0o755)


def _below(root: Path, link: Path, target: str) -> str:
    """Return a symbolic link's target; an absolute one is led back below `root`, relatively."""
    if not target.startswith("/"):
        return target
    return os.path.relpath(f"{root}{target}", link.parent)
