"""What indexes offer: files of a version, and the target that one of them is to fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from orchestrator.model import Platform


@dataclass(frozen=True, slots=True)
class DistributionFile:
    """A file that an index offers for a version; `url` may be http(s) or file."""

    name: str
    version: str
    file: str
    sha256: str
    url: str
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Target:
    """What is resolved for: the image's Python, platform and C library."""

    platform: Platform
    python: str
    glibc: tuple[int, int]

    @property
    def uv_platform(self) -> str:
        """Return the platform as uv names it."""
        return f"{self.platform.machine}-manylinux_{self.glibc[0]}_{self.glibc[1]}"


def files_of(row: Mapping[str, Any]) -> tuple[DistributionFile, ...]:
    """Read the files, wheels first, of one package of a pylock (PEP 751)."""
    offered = [*row.get("wheels", []), *([row["sdist"]] if "sdist" in row else [])]
    return tuple(_file_of(row["name"], row["version"], item) for item in offered)


def _file_of(name: str, version: str, item: Mapping[str, Any]) -> DistributionFile:
    place = item.get("url") or Path(item["path"]).absolute().as_uri()
    file = item.get("name") or place.rsplit("/", 1)[1].split("#")[0]
    size = int(item.get("size", 0))
    return DistributionFile(name, version, unquote(file), item["hashes"]["sha256"], place, size)
