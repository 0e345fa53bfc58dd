"""The shared levels that the settings name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from orchestrator.levels import Level
from orchestrator.model import SharedPlace, WheelhouseSettings


def open_levels(
    places: Sequence[SharedPlace], settings: WheelhouseSettings, root: Path
) -> tuple[Level, ...]:
    """Return the levels of places, in their order; nothing is connected yet.

    A folder is taken from the workspace's root.
    """
    return tuple(_open(place, settings, root) for place in places)


def _open(place: SharedPlace, settings: WheelhouseSettings, root: Path) -> Level:
    if place.bucket:
        from orchestrator.wheelhouse.shared_s3 import S3Level  # noqa: PLC0415 - where one is used

        return S3Level(place, settings)
    from orchestrator.wheelhouse.shared_folder import FolderLevel  # noqa: PLC0415 - likewise

    return FolderLevel(root / Path(place.text).expanduser(), place.text)
