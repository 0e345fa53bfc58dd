"""Two images compared by what was read off them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.differences.packages import Held, compare_packages
from orchestrator.differences.values import ImageDifference, Kind, Sizes, compare_mappings

_BY_NAME = frozenset({"Labels", "ExposedPorts", "Volumes"})
_HIDDEN_DIGITS = 16


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """An image as it was read: files and config as texts by path and key, packages by kind.

    What a file is says its kind, mode, owner, and its digest or where it leads.
    """

    packages: Mapping[Kind, tuple[Held, ...]]
    files: Mapping[str, str]
    config: Mapping[str, str]
    size_bytes: int
    unpacked_bytes: int


def compare_images(name: str, platform: str, old: ImageFacts, new: ImageFacts) -> ImageDifference:
    """Return what differs between two images."""
    packages = [
        change
        for kind in Kind
        for change in compare_packages(kind, old.packages[kind], new.packages[kind])
    ]
    return ImageDifference(
        name,
        platform,
        packages=tuple(packages),
        files=tuple(compare_mappings(old.files, new.files)),
        config=tuple(compare_mappings(old.config, new.config)),
        sizes=Sizes(old.size_bytes, new.size_bytes, old.unpacked_bytes, new.unpacked_bytes),
    )


def flat_config(config: Mapping[str, Any]) -> dict[str, str]:
    """Return an image's config as texts; of variables, whose values may be secret, digests."""
    return dict(_flat(config))


def _flat(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in config.items():
        if key == "Env":
            for name, _, content in (str(item).partition("=") for item in value):
                text = json.dumps(["Env", name, content])
                yield f"Env {name}", hashlib.sha256(text.encode()).hexdigest()[:_HIDDEN_DIGITS]
        elif key in _BY_NAME:
            yield from ((f"{key} {name}", str(inner)) for name, inner in value.items())
        else:
            yield key, value if isinstance(value, str) else json.dumps(value)
