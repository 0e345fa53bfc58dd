"""Which of a version's wheels fits an image best, by their compatibility tags."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from orchestrator.resolve.python.offered import DistributionFile, Target

_LEGACY = {(2, 17): "manylinux2014", (2, 12): "manylinux2010", (2, 5): "manylinux1"}
_OLDEST = {"x86_64": 5, "aarch64": 17}


@lru_cache
def supported_tags(target: Target) -> dict[Tag, int]:
    """Return the tags an image can load, with their rank; 0 is the best (PEP 425, PEP 600)."""
    major, minor = (int(part) for part in target.python.split("."))
    interpreter = f"cp{major}{minor}"
    platforms = _platforms(target)
    tags = [
        *cpython_tags((major, minor), [interpreter], platforms),
        *compatible_tags((major, minor), interpreter, platforms),
    ]
    return {tag: rank for rank, tag in reversed(list(enumerate(tags)))}


def _platforms(target: Target) -> list[str]:
    machine = target.platform.machine
    major, newest = target.glibc
    platforms = []
    for minor in range(newest, _OLDEST[machine] - 1, -1):
        platforms.append(f"manylinux_{major}_{minor}_{machine}")
        if legacy := _LEGACY.get((major, minor)):
            platforms.append(f"{legacy}_{machine}")
    return [*platforms, f"linux_{machine}"]


def rank_of(file: str, target: Target) -> int | None:
    """Return how well a wheel fits, 0 being best, or None where the image cannot load it."""
    supported = supported_tags(target)
    try:
        _, _, _, tags = parse_wheel_filename(file)
    except InvalidWheelFilename:
        return None
    ranks = [supported[tag] for tag in tags if tag in supported]
    return min(ranks, default=None)


def choose_file(files: Iterable[DistributionFile], target: Target) -> DistributionFile | None:
    """Return the wheel that fits best; else the sdist; else None."""
    files = list(files)
    ranked = [
        (rank, file.file, file)
        for file in files
        if file.file.endswith(".whl") and (rank := rank_of(file.file, target)) is not None
    ]
    if ranked:
        return min(ranked, key=lambda item: item[:2])[2]
    return next((file for file in files if not file.file.endswith(".whl")), None)
