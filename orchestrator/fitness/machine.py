"""Checks of the machine itself: Python, memory, disks."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

from orchestrator.fitness.finding import Finding, fail, ok, warn

_LEAST_PYTHON = (3, 11)
_MB, _GB = 10**6, 10**9
_LEAST_DISK_BYTES, _GOOD_DISK_BYTES = _GB, 10 * _GB
_LEAST_MEMORY_BYTES, _GOOD_MEMORY_BYTES = 500 * _MB, 2 * _GB
_GOOD_FILES = 50_000
_CGROUP_LIMITS = ("memory.max", "memory/memory.limit_in_bytes")


def check_python(version: tuple[int, ...] = tuple(sys.version_info[:3])) -> Finding:
    """Check the Python that runs this."""
    text = ".".join(map(str, version))
    if version[:2] < _LEAST_PYTHON:
        return fail("python", f"Python {text} is too old", "install Python 3.11 or newer")
    if platform.system() != "Linux":
        hint = "run orch in a container or a virtual machine with Linux"
        return fail("python", f"{platform.system()} is untried; images are Linux's", hint)
    return ok("python", f"Python {text} on {platform.machine()}")


def check_disk(check: str, folder: Path) -> Finding:
    """Check the room on the disk that a folder is on, or will be."""
    status = os.statvfs(existing(folder))
    return judge_disk(check, folder, status.f_bavail * status.f_frsize, status.f_favail)


def judge_disk(check: str, folder: Path, free_bytes: int, free_files: int) -> Finding:
    """Judge the room on a disk: in bytes, and in files where these are limited."""
    room = f"{free_bytes / _GB:.1f} GB free for {folder}"
    hint = "orch gc frees what nobody uses; ORCH_CACHE moves the cache"
    if free_bytes < _LEAST_DISK_BYTES:
        return fail(check, room, hint)
    if 0 < free_files < _GOOD_FILES:
        return warn(check, f"only {free_files} more files fit on the disk of {folder}", hint)
    if free_bytes < _GOOD_DISK_BYTES:
        return warn(check, room, hint)
    return ok(check, room)


def check_memory(proc: Path = Path("/proc"), cgroup: Path = Path("/sys/fs/cgroup")) -> Finding:
    """Check the memory that may be had: the machine's, or less where a container is limited."""
    try:
        lines = (proc / "meminfo").read_text("ascii").splitlines()
        values = {name: int(rest.split()[0]) * 1024 for name, _, rest in _pairs(lines)}
        free_bytes = values["MemAvailable"]
    except (OSError, ValueError, KeyError, IndexError):
        hint = "orch needs about 1 GB; --jobs 1 uses least"
        return warn("memory", "this machine does not say what memory is free", hint)
    return judge_memory(min([free_bytes, *_limits(cgroup)]))


def judge_memory(free_bytes: int) -> Finding:
    """Judge the memory that may be had."""
    room = f"{free_bytes / _GB:.1f} GB of memory to be had"
    hint = "end something, or build with --jobs 1"
    if free_bytes < _LEAST_MEMORY_BYTES:
        return fail("memory", room, hint)
    if free_bytes < _GOOD_MEMORY_BYTES:
        return warn("memory", room, hint)
    return ok("memory", room)


def existing(folder: Path) -> Path:
    """Return a folder, or the nearest one above it that is there."""
    return next(place for place in (folder, *folder.parents) if place.is_dir())


def _pairs(lines: list[str]) -> list[tuple[str, str, str]]:
    return [line.partition(":") for line in lines if ":" in line]


def _limits(cgroup: Path) -> list[int]:
    found = []
    for name in _CGROUP_LIMITS:
        try:
            found.append(int((cgroup / name).read_text("ascii")))
        except (OSError, ValueError):  # there is none, or it says max
            continue
    return found
