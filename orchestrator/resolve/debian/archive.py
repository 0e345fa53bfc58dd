"""The Debian archives of this machine, as one place to look packages up in."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from orchestrator.model import DebianSettings, Platform
from orchestrator.resolve.debian.fetch import Fetcher
from orchestrator.resolve.debian.index import IndexCache, IndexMismatchError
from orchestrator.resolve.debian.packages import Universe
from orchestrator.resolve.debian.release import Release
from orchestrator.resolve.debian.sources import Source, read_snapshot_roots, read_sources

_FETCHES = 8
_TIMESTAMP = "%Y%m%dT%H%M%SZ"
_SECURITY_POOL = "pool/updates/"

_Served = tuple[tuple[Source, Release], ...]


class DebianArchive:
    """What the sources offer, fetched when it is first asked for and then kept.

    Threads may share an archive.
    """

    def __init__(
        self,
        settings: DebianSettings,
        sources: tuple[Source, ...],
        snapshot_roots: tuple[str, ...],
        indexes: IndexCache,
        now: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._sources = sources
        self._snapshot_roots = snapshot_roots
        self._indexes = indexes
        self._now = now
        self._lock = threading.Lock()
        self._universes: dict[Platform, Universe] = {}
        self._served: _Served | None = None

    def universe(self, platform: Platform) -> Universe:
        """Return every package offered for a platform.

        Raises:
            FetchError: An index is out of reach, or is not what a trusted key signed.
            MissingToolError: `gpgv` or a keyring is missing.
        """
        with self._lock, closing(self._indexes):
            if platform not in self._universes:
                self._universes[platform] = self._read_universe(platform)
            return self._universes[platform]

    def release_dates(self) -> Mapping[str, str]:
        """Return each suite's release date as `20260711T101637Z`, for `snapshot_urls`.

        Raises:
            FetchError: As for `universe`.
            MissingToolError: As for `universe`.
        """
        with self._lock, closing(self._indexes):
            return {release.suite: release.timestamp for _, release in self._read_releases()}

    def mirrors(self) -> tuple[str, ...]:
        """Return the URIs below which a package's pool path may lie, in the order to try."""
        return tuple(dict.fromkeys(source.uri for source in self._sources))

    def snapshot_urls(self, path: str, date: str) -> tuple[str, ...]:
        """Return where a snapshot archive may still have a pool path, in the order to try.

        `date` is a release's, as `release_dates` gives it. A snapshot is taken some hours after
        a release, and a request is answered by the one before its date: so a day later is tried
        first.
        """
        later = datetime.strptime(date, _TIMESTAMP).replace(tzinfo=UTC) + timedelta(days=1)
        is_security = path.startswith(_SECURITY_POOL)
        roots = sorted(
            self._snapshot_roots, key=lambda root: root.endswith("-security") is not is_security
        )
        dates = (later.strftime(_TIMESTAMP), date)
        return tuple(f"{root}/{when}/{path}" for root in roots for when in dates)

    def _read_universe(self, platform: Platform) -> Universe:
        try:
            return self._read_indexes(platform)
        except IndexMismatchError:
            self._served = None
            return self._read_indexes(platform)

    def _read_indexes(self, platform: Platform) -> Universe:
        wanted = [
            (source, release, component, platform.debian)
            for source, release in self._read_releases()
            for component in source.components
        ]
        with ThreadPoolExecutor(_FETCHES) as pool:
            texts = list(pool.map(lambda args: self._indexes.read_packages(*args), wanted))
        return Universe(platform.debian, self._settings.suite, texts)

    def _read_releases(self) -> _Served:
        if self._served is None:
            now = self._now()
            wanted = [(source, suite, now) for source in self._sources for suite in source.suites]
            with ThreadPoolExecutor(_FETCHES) as pool:
                found = list(pool.map(lambda args: self._indexes.read_release(*args), wanted))
            self._served = tuple(
                (source, release)
                for (source, _, _), release in zip(wanted, found, strict=True)
                if release is not None
            )
        return self._served


def open_archive(
    settings: DebianSettings,
    cache: Path,
    apt_root: Path = Path("/"),
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> DebianArchive:
    """Open the archives that serve the settings' suite; nothing is fetched yet.

    `cache` is the user's cache folder, `apt_root` the root below which apt's sources are read.

    Raises:
        MissingToolError: No archive serves the suite.
    """
    return DebianArchive(
        settings,
        read_sources(settings, apt_root),
        read_snapshot_roots(settings, apt_root),
        IndexCache(cache / "debian" / "index", Fetcher()),
        now,
    )
