"""The newest release that each mirror had: an older one may be an attack that holds fixes back."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

from orchestrator.atomic import write_text
from orchestrator.errors import FetchError
from orchestrator.resolve.debian.release import Release

_LAG = timedelta(days=1)
"""By how much the servers behind one name may differ while they are brought up to date."""


class NewestSeen:
    """Dates on disk, one a mirror and suite; threads and processes may share a folder.

    A release without `Valid-Until`, as Debian's stable suites have, stays signed for ever: only
    who remembers can tell that it went back.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def check(self, mirror: str, release: Release, where: str) -> None:
        """Refuse a release that is older than what the mirror had; remember a newer one.

        Raises:
            FetchError: It is older by more than a day.
            OrchError: The date cannot be written.
        """
        name = hashlib.sha256(f"{mirror}\n{release.suite}".encode()).hexdigest()
        file = self._folder / name
        newest = _read(file)
        if newest is not None and release.date < newest - _LAG:
            raise FetchError(
                f"{where}: the release is of {release.date:%Y-%m-%d %H:%M}, and the mirror had"
                f" one of {newest:%Y-%m-%d %H:%M}",
                hint="somebody may be holding fixes back: try again later, or another mirror; if it"
                f" went back on purpose, say Check-Valid-Until: no in its apt source or rm {file}",
            )
        if newest is None or release.date > newest:
            write_text(file, f"{release.date.isoformat()}\n")


def _read(file: Path) -> datetime | None:
    try:
        found = datetime.fromisoformat(file.read_text("utf-8").strip())
    except (OSError, ValueError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
