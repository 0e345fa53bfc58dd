"""What is remembered of builds of wheels: what came of which inputs."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from orchestrator.model import WheelBuild, WheelSettings
from orchestrator.wheelhouse.toolchain import Toolchain

_FORMAT = 1
"""Raised when the same inputs begin to give other bytes."""


@dataclass(frozen=True, slots=True)
class BuiltRecord:
    """What a build gave, and of what: kept under the key of its inputs."""

    name: str
    version: str
    file: str
    sha256: str
    size_bytes: int
    sdist: str
    platform: str
    compiler: str
    requires: tuple[str, ...] = ()
    settings: str = ""


def build_key(build: WheelBuild, toolchain: Toolchain, asked: WheelSettings) -> str:
    """Return the digest of all that decides a built wheel's bytes."""
    inputs = {
        "format": _FORMAT,
        "sdist": build.sdist.sha256,
        "requires": sorted(item.sha256 for item in build.requires),
        "platform": build.platform.key,
        "implementation": toolchain.implementation,
        "toolchain": toolchain.description,
        "system": sorted(build.system),
        "env": dict(sorted(asked.env.items())),
    }
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def read_record(file: Path) -> BuiltRecord | None:
    """Read what a build gave; None where nothing is known, or it cannot be read."""
    try:
        raw = json.loads(file.read_text("utf-8"))
        return BuiltRecord(**{**raw, "requires": tuple(raw["requires"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None
